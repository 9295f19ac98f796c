"""Outlines as polygons, compared with what is drawn by hand, with pycocotools' pixels and with formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dentify.assessment import Mask
from dentify.imaging.masks import polygons_to_mask, rle_encode
from dentify.imaging.polygons import (
    ROUNDNESS_PX,
    box_to_polygon,
    ellipse_to_polygon,
    polygon_area,
    polygons_to_box,
    rle_to_polygons,
    turned_rectangle,
)

coordinates = st.floats(-1000, 1000)
radii = st.floats(0.1, 2000)
angles = st.floats(-10, 10)
bitmaps = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: arrays(np.bool_, shape))


def test_the_area_of_a_triangle_is_half_base_times_height() -> None:
    assert polygon_area(np.array([[1.0, 1.0], [5.0, 1.0], [1.0, 4.0]])) == 6.0


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8), st.integers(0, 7), coordinates)
def test_the_area_does_not_depend_on_start_direction_or_place(
    points: list[tuple[float, float]], start: int, offset: float
) -> None:
    polygon = np.array(points)
    area = polygon_area(polygon)
    assert area >= 0
    for same in (np.roll(polygon, start, axis=0), polygon[::-1], polygon + offset):
        assert polygon_area(same) == pytest.approx(area, abs=1e-6)


def test_a_polygon_without_width_has_no_area() -> None:
    assert polygon_area(np.array([[0.0, 0.0], [4.0, 4.0], [2.0, 2.0]])) == 0.0


@given(coordinates, coordinates, radii, radii, angles)
def test_an_ellipse_lies_within_its_formula_by_no_more_than_promised(
    x: float, y: float, a: float, b: float, angle: float
) -> None:
    polygon = ellipse_to_polygon((x, y), (a, b), angle)
    middles = (polygon + np.roll(polygon, -1, axis=0)) / 2
    for points, within in ((polygon, 1e-6), (middles, ROUNDNESS_PX)):
        dx, dy = (points - (x, y)).T
        along = dx * math.cos(angle) + dy * math.sin(angle)
        across = -dx * math.sin(angle) + dy * math.cos(angle)
        reach = np.hypot(along / a, across / b)  # 1 on the ellipse
        assert (reach < 1 + 1e-6).all()
        assert ((1 - reach) * max(a, b) <= within + 1e-6).all()


def test_a_turned_ellipse_turns_clockwise_as_seen() -> None:
    polygon = ellipse_to_polygon((0, 0), (10, 1), math.radians(45))
    x, y = polygon[np.argmax(polygon[:, 0])]
    assert x == pytest.approx(y, abs=0.5)  # down and to the right: y points down


def test_a_quarter_turn_swaps_the_sides_of_a_rectangle() -> None:
    assert polygons_to_box([turned_rectangle((10, 20), (8, 2), math.radians(90))]) == pytest.approx((9, 16, 11, 24))


@given(coordinates, coordinates, radii, radii, angles)
def test_a_turned_rectangle_keeps_its_centre_and_area(x: float, y: float, w: float, h: float, angle: float) -> None:
    corners = turned_rectangle((x, y), (w, h), angle)
    np.testing.assert_allclose(corners.mean(axis=0), (x, y), atol=1e-6)
    assert polygon_area(corners) == pytest.approx(w * h, rel=1e-6)


def test_a_box_and_the_polygon_of_its_corners_are_the_same() -> None:
    assert polygons_to_box([box_to_polygon((1.5, 2.0, 5.0, 4.25))]) == (1.5, 2.0, 5.0, 4.25)


def test_the_box_of_several_polygons_is_around_all_of_them() -> None:
    assert polygons_to_box([[[1, 1], [2, 1], [2, 2]], [[7, 0], [9, 0], [9, 5]]]) == (1.0, 0.0, 9.0, 5.0)


def drawn(*rows: str) -> NDArray[np.bool_]:
    return np.array([[letter == "#" for letter in row] for row in rows])


OUTLINES = {
    "one pixel": (drawn("...", ".#.", "..."), [4], []),
    "an L": (drawn("#..", "#..", "##."), [6], []),
    "two pieces": (drawn("#.#", "#.#"), [4, 4], []),
    "pixels that touch at a corner are two": (drawn("#.", ".#"), [4, 4], []),
    "a ring": (drawn("###", "#.#", "###"), [4], [4]),
    "a ring that is open at a corner": (drawn("##.", "#.#", "###"), [10], []),
    "all of it": (drawn("##", "##"), [4], []),
    "nothing": (drawn("..", ".."), [], []),
}


@pytest.mark.parametrize(("mask", "outer", "holes"), OUTLINES.values(), ids=OUTLINES.keys())
def test_the_outline_of_a_mask_has_a_corner_wherever_it_turns(
    mask: NDArray[np.bool_], outer: list[int], holes: list[int]
) -> None:
    found, cut_out = rle_to_polygons(rle_encode(mask))
    assert sorted(len(polygon) for polygon in found) == sorted(outer)
    assert [len(polygon) for polygon in cut_out] == holes


@given(bitmaps)
def test_outlines_less_their_holes_are_the_mask_to_the_pixel(mask: NDArray[np.bool_]) -> None:
    hw = (mask.shape[0], mask.shape[1])
    outer, holes = rle_to_polygons(rle_encode(mask))
    again = np.zeros(hw, np.bool_)
    for polygon in outer:
        again |= polygons_to_mask([polygon], hw)
    for polygon in holes:
        again &= ~polygons_to_mask([polygon], hw)
    np.testing.assert_array_equal(again, mask)
    assert sum(map(polygon_area, outer)) - sum(map(polygon_area, holes)) == mask.sum()


def test_an_outline_deep_in_a_large_photo_lies_where_its_mask_does() -> None:
    mask = np.zeros((400, 600), np.bool_)
    mask[300:310, 500:520] = True
    (outline,), _ = rle_to_polygons(rle_encode(mask))
    assert polygons_to_box([outline]) == (500.0, 300.0, 520.0, 310.0)
    assert rle_to_polygons(Mask(size=(2, 2), counts="4")) == ([], [])
