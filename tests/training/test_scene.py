"""Which annotations lie on a picture, where, and how much of them is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from hypothesis import given
from hypothesis import strategies as st

from dentify.imaging.masks import polygons_to_rle
from dentify.imaging.views import mirrored_view
from dentify.training.scene import Placed
from scenes import HW, MIRRORED, SIZE, WHOLE, annotation, mosaic, pasted, photo, placed, scene

UPPER_LEFT = np.array([[1.0, 0, 0], [0, 1.0, 0]])  # the upper left quarter, a pixel of the photo one of the picture


def test_a_region_is_drawn_in_the_views_frame() -> None:
    for view, columns in ((WHOLE, slice(16, 32)), (MIRRORED, slice(32, 48))):
        (dent,) = placed(photo(annotation("dent", (32, 64, 64, 96))), view).damages
        expected = np.zeros((SIZE, SIZE), np.uint8)
        expected[32:48, columns] = 255
        assert np.array_equal(dent.cover, expected)
        assert dent.visible == dent.whole == 16 * 16


def test_what_lies_beyond_the_window_counts_for_the_whole() -> None:
    (dent,) = placed(photo(annotation("dent", (44, 54, 84, 74))), UPPER_LEFT).damages
    assert (dent.visible, dent.whole) == (20 * 10, 40 * 20)


def test_a_coarser_cover_is_the_mean_of_its_pixels() -> None:
    (dent,) = placed(photo(annotation("dent", (8, 8, 20, 24)))).damages
    fine, coarse = dent.at(2), dent.at(4)
    assert (fine.shape, coarse.shape) == ((32, 32), (16, 16))
    means = dent.cover.reshape(32, 2, 32, 2).astype(float).mean((1, 3))
    assert np.abs(fine - means).max() <= 0.5
    assert dent.at(2) is fine
    assert np.array_equal(dent.at(1), dent.cover)


def test_thin_outlines_keep_their_width() -> None:
    (thin,) = placed(photo(annotation("scratch", (10, 40, 110, 42)))).damages  # one pixel of the view
    assert thin.visible == pytest.approx(50, rel=0.1)
    assert thin.at(2).sum() / 255 * 4 == pytest.approx(50, rel=0.1)


def test_a_mask_of_runs_is_drawn_as_the_same_mask_of_polygons() -> None:
    outline = annotation("scratch", (16, 24, 80, 56))
    runs = replace(outline, polygons=(), rle=polygons_to_rle(outline.polygons, HW))
    view = np.array([[-0.7, 0.1, 70.0], [0.1, 0.6, 3.0]])
    by_outline, by_runs = (placed(photo(one), view).damages[0].at(2) for one in (outline, runs))
    assert by_outline.max() == 255
    assert np.abs(by_outline.astype(int) - by_runs).mean() < 1.5


def test_the_largest_is_drawn_first_and_what_is_pasted_last() -> None:
    small, large = annotation("dent", (0, 0, 20, 20)), annotation("scratch", (0, 0, 100, 60))
    assert [one.annotation for one in placed(photo(small, large)).damages] == [large, small]
    onto = pasted(photo(small), photo(large), WHOLE)
    assert [one.annotation for one in onto.damages] == [small, large]
    door, mirror = annotation("front_left_door", (0, 0, 100, 100)), annotation("left_mirror", (0, 0, 20, 20))
    assert [one.annotation.name for one in placed(photo(mirror, door)).parts] == ["front_left_door", "left_mirror"]


def test_what_covers_less_than_four_pixels_is_not_shown() -> None:
    seen, unseen = annotation("dent", (0, 0, 4, 4)), annotation("dent", (40, 40, 46, 42))  # 4 and 3 pixels of the picture
    assert [one.annotation for one in placed(photo(seen, unseen)).damages] == [seen]
    away = annotation("dent", (100, 100, 120, 120))
    assert placed(photo(away), UPPER_LEFT).damages == ()


def test_left_and_right_change_names_in_a_mirrored_view() -> None:
    car = photo(annotation("left_mirror", (0, 0, 64, 64)), annotation("hood", (64, 64, 128, 128)))
    assert {part.annotation.name for part in placed(car).parts} == {"left_mirror", "hood"}
    assert {part.annotation.name for part in placed(car, MIRRORED).parts} == {"right_mirror", "hood"}
    assert {part.name for part in car.parts} == {"left_mirror", "hood"}


def test_nothing_is_known_beyond_the_photos_edges() -> None:
    assert not placed(photo()).outside.any()
    looking_past = np.array([[0.5, 0, 16], [0, 0.5, -8]])
    outside = placed(photo(), looking_past).outside
    assert outside[:, :15].all()
    assert not outside[:55, 17:].any()
    assert outside[57:].all()


def test_the_zoom_is_by_area() -> None:
    assert placed(photo()).zoom == 0.25
    assert placed(photo(), MIRRORED).zoom == 0.25
    assert placed(photo(), UPPER_LEFT).zoom == 1.0


def test_the_share_of_parts_is_that_of_the_window_within_the_photo() -> None:
    car = photo(annotation("hood", (0, 0, 64, 128)), annotation("left_mirror", (32, 0, 64, 64)))
    assert placed(car).part_share == pytest.approx(0.5)
    assert mosaic(photo(), photo(), photo(), car).photos[3].part_share == pytest.approx(0.5)
    assert placed(photo()).part_share == 0.0
    beyond = photo(annotation("hood", (-64, 0, 64, 128)))
    looking_past = np.array([[0.25, 0, 32], [0, 0.5, 0]])  # the photo fills the right half, its hood a quarter
    assert placed(beyond, looking_past).part_share == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("corners", "seen"),
    [
        ((10, 10, 15, 15), 1.0),  # all of it, though little of the window
        ((61, 20, 65, 23), 9 / 12),  # its share, of which more is seen than of 1 % of the window: 40.96 pixels
        ((59, 59, 69, 69), 25 / 40.96),  # a quarter of it, but more than half of 1 % of the window
        ((44, 44, 84, 84), 400 / 40.96),
        ((100, 100, 120, 120), 0.0),
    ],
)
def test_most_visible_is_a_damages_share_or_its_size_on_the_window(
    corners: tuple[float, float, float, float], seen: float
) -> None:
    assert placed(photo(annotation("dent", corners)), UPPER_LEFT).most_visible == pytest.approx(seen)


def test_the_damage_of_which_most_is_seen_counts() -> None:
    dents = [annotation("dent", corners) for corners in ((61, 20, 65, 23), (10, 10, 15, 15), (60, 40, 80, 42))]
    assert placed(photo(*dents), UPPER_LEFT).most_visible == 1.0
    assert placed(photo(), UPPER_LEFT).most_visible == 0.0


def test_a_mosaic_has_no_whole() -> None:
    car, other = photo(vehicle=True), photo()
    assert mosaic(other, other, other, other).whole is None
    alone = scene(car)
    assert alone.whole is alone.photos[0]
    assert alone.size == SIZE
    assert mosaic(other, other, other, other).size == 2 * SIZE


def test_a_pasted_damage_is_all_that_is_taken_of_its_photo() -> None:
    dent, scratch = annotation("dent", (10, 10, 40, 40)), annotation("scratch", (60, 60, 90, 90))
    alone = Placed(photo(dent, scratch), WHOLE, (0, 0, SIZE, SIZE), HW, (dent,))
    assert [one.annotation for one in alone.damages] == [dent]
    assert Placed.photo(photo(dent, scratch), WHOLE, (0, 0, SIZE, SIZE), HW).annotations == (dent, scratch)


boxes = st.tuples(st.integers(0, 55), st.integers(0, 55), st.integers(3, 9), st.integers(3, 9)).map(
    lambda one: (2.0 * one[0], 2.0 * one[1], 2.0 * (one[0] + one[2]), 2.0 * (one[1] + one[3]))
)


@given(boxes)
def test_a_mirrored_view_shows_the_mirror_image(corners: tuple[float, float, float, float]) -> None:
    dent = photo(annotation("dent", corners))
    (plain,) = placed(dent).damages
    (mirrored,) = placed(dent, mirrored_view(WHOLE, SIZE)).damages
    assert np.array_equal(mirrored.cover, plain.cover[:, ::-1])
    assert mirrored.whole == plain.whole


@given(boxes, st.sampled_from([(0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE)]))
def test_a_window_of_a_mosaic_shows_what_it_would_alone(
    corners: tuple[float, float, float, float], corner_xy: tuple[int, int]
) -> None:
    car = photo(annotation("dent", corners), annotation("hood", (0, 0, 128, 30)))
    alone, tile = placed(car), placed(car, corner_xy=corner_xy)
    assert np.array_equal(tile.damages[0].cover, alone.damages[0].cover)
    assert np.array_equal(tile.parts[0].cover, alone.parts[0].cover)
    assert np.array_equal(tile.outside, alone.outside)
    assert (tile.zoom, tile.part_share, tile.most_visible) == (alone.zoom, alone.part_share, alone.most_visible)
    rows, columns = tile.damages[0].cells(4)
    x, y = corner_xy
    assert (rows, columns) == (slice(y // 4, y // 4 + 16), slice(x // 4, x // 4 + 16))
