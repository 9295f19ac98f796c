"""Pictures made of one photo or several, and whether their annotations follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets import Annotation, Sample
from dentify.errors import DatasetError
from dentify.imaging.masks import polygons_to_rle
from dentify.imaging.views import BEYOND_RGB, whole_view
from dentify.settings import Settings
from dentify.training.augment import Augment
from dentify.training.compose import Composer, Draw, decoded, paste, place_on_vehicle, whole_scene
from dentify.training.scene import Placed, Scene
from scenes import Corners, annotation

HW = (96, 96)
SIZE = 64
CLEAR = Augment(strength=0)
DENT: Corners = (30, 30, 66, 66)
RED, BLUE = (200, 30, 30), (30, 30, 200)


def painted(colour: tuple[int, int, int], *spots: Corners, hw: tuple[int, int] = HW) -> bytes:
    """A photo of one colour with white spots."""
    picture = np.full((*hw, 3), colour[::-1], np.uint8)
    for x_min, y_min, x_max, y_max in spots:
        picture[int(y_min) : int(y_max), int(x_min) : int(x_max)] = 255
    return bytes(cv2.imencode(".png", picture)[1])


def dented(*things: Annotation, colour: tuple[int, int, int] = RED, **facts: Any) -> Sample:
    things = things or (annotation("dent", DENT),)
    image = painted(colour, *(thing.box_xyxy for thing in things))
    return Sample(image, "dented.png", HW, annotations=things, labelled=frozenset({"dent"}), **facts)


SOUND = Sample(painted(BLUE), "sound.png", HW, vehicle=True, damage=False)
STREET = Sample(painted((90, 90, 90)), "street.png", HW, vehicle=False, damage=False)


def composer(*sets: Sequence[Sample], seed: int = 0, augment: Augment = CLEAR) -> Composer:
    return Composer(sets, augment, seed=seed, pasteable=("dent",))


def scenes(one: Composer, photos: int, number: int = 40, **how: float) -> list[Scene]:
    """Pictures of the first photo of a set."""
    return [one.compose(Draw(photos, 0, seed, SIZE, **how)) for seed in range(number)]


def test_a_view_of_one_photo() -> None:
    for scene in scenes(composer([dented()]), 0, 8):
        (placed,) = scene.photos
        assert (placed.window, placed.photo_hw, scene.pasted) == ((0, 0, SIZE, SIZE), HW, ())
        white = scene.image.min(2) > 142
        cover = placed.damages[0].cover > 127 if placed.damages else np.zeros((SIZE, SIZE), bool)
        assert (white != cover).mean() < 0.02
        assert scene.image.flags.c_contiguous


def test_all_chance_follows_from_the_seed_and_the_draw() -> None:
    strong = Augment(strength=1)
    one, again = (composer([dented()], [SOUND], augment=strong).compose(Draw(0, 0, 5, SIZE, 0.5, 0.5)) for _ in range(2))
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.photos[0].view, again.photos[0].view)
    for other in (
        composer([dented()], [SOUND], augment=strong).compose(Draw(0, 0, 6, SIZE, 0.5, 0.5)),
        composer([dented()], [SOUND], augment=strong, seed=1).compose(Draw(0, 0, 5, SIZE, 0.5, 0.5)),
    ):
        assert not np.array_equal(one.image, other.image)


def test_pictures_are_distorted_and_their_annotations_not() -> None:
    never = Augment(tone=0, tint=0, grey=0, soften=0, noise=0, jpeg=0)
    one = dented()
    clear, grainy = (
        composer([one], augment=how).compose(Draw(0, 0, 3, SIZE)) for how in (never, never.model_copy(update={"noise": 1.0}))
    )
    assert np.array_equal(clear.photos[0].view, grainy.photos[0].view)
    assert clear.photos[0].annotations == grainy.photos[0].annotations == one.annotations
    assert 0.5 < np.abs(clear.image.astype(int) - grainy.image).mean() < 8


class TestMosaic:
    """Four views."""

    def test_the_photo_is_among_three_others_of_its_set_or_of_sound_vehicles(self) -> None:
        one, others = dented(), [dented(colour=(30, 200, 30)) for _ in range(3)]
        shown = scenes(composer([one, *others], [SOUND], [STREET]), 0, mosaic=1.0)
        assert all(len(scene.photos) == 4 and scene.whole is None for scene in shown)
        assert all(any(placed.sample is one for placed in scene.photos) for scene in shown)
        assert {tuple(placed.sample is one for placed in scene.photos).index(True) for scene in shown} == {0, 1, 2, 3}
        strangers = [placed.sample for scene in shown for placed in scene.photos if placed.sample is not one]
        assert not any(sample is STREET for sample in strangers)
        assert 0.2 < np.mean([sample is SOUND for sample in strangers]) < 0.55
        assert {sample.name for sample in strangers} == {"sound.png", "dented.png"}

    def test_each_lies_in_its_window_as_it_is_read(self) -> None:
        for scene in scenes(composer([dented()], [SOUND]), 0, 12, mosaic=1.0):
            assert [placed.window for placed in scene.photos] == [
                (0, 0, 32, 32),
                (32, 0, 64, 32),
                (0, 32, 32, 64),
                (32, 32, 64, 64),
            ]
            for placed in scene.photos:
                left, top, right, bottom = placed.window
                window = scene.image[top:bottom, left:right].astype(int)
                white = window.min(2) > 142
                cover = placed.damages[0].cover > 127 if placed.damages else np.zeros((32, 32), bool)
                assert (white != cover).mean() < 0.07
                blue = window[..., 2] > window[..., 0] + 60
                assert blue.any() == (placed.sample is SOUND)

    @pytest.mark.parametrize("mosaic", [0.0, 0.3])
    def test_so_many_are_shown(self, mosaic: float) -> None:
        shown = scenes(composer([dented()]), 0, 100, mosaic=mosaic)
        assert np.mean([scene.whole is None for scene in shown]) == pytest.approx(mosaic, abs=0.1)

    def test_only_photos_with_damages_to_cut_out_are_shown_small(self) -> None:
        assert all(scene.whole is not None for scene in scenes(composer([dented()], [SOUND]), 1, 10, mosaic=1.0))

    def test_an_odd_half_is_no_problem(self) -> None:
        scene = composer([dented()]).compose(Draw(0, 0, 0, 96, 1.0))
        assert scene.image.shape == (96, 96, 3)


class TestPasted:
    """Sound vehicles with damages of others."""

    def test_one_to_three_are_blended_in_where_their_masks_say(self) -> None:
        counts = set()
        for scene in scenes(composer([dented()], [SOUND]), 1, paste=1.0):
            assert scene.whole is not None
            assert scene.whole.sample is SOUND
            counts.add(len(scene.pasted))
            cover = np.max([np.zeros((SIZE, SIZE)), *(damage.cover for damage in scene.damages)], axis=0)
            far = cv2.dilate(cover, np.ones((9, 9))) == 0
            plain = scene.image[far].astype(int)
            untouched = np.min([np.abs(plain - colour).max(1) for colour in (BLUE, BEYOND_RGB)], axis=0) < 12
            assert untouched.mean() > 0.85  # all but the photo's edges, and what blending smears
            assert all(damage.annotation.name == "dent" for damage in scene.damages)
        assert counts <= {0, 1, 2, 3}
        assert {1, 2, 3} <= counts
        assert not any(scene.pasted for scene in scenes(composer([SOUND]), 0, 5, paste=1.0))  # there is none to paste

    def test_damage_is_light_where_its_cover_is(self) -> None:
        seen = 0
        for scene in scenes(composer([dented(colour=BLUE)], [SOUND]), 1, paste=1.0):
            for placed in scene.pasted:
                (damage,) = placed.damages
                inner = cv2.erode((damage.cover == 255).astype(np.uint8), np.ones((3, 3))) > 0
                if inner.sum() > 20:
                    seen += 1
                    assert scene.image[inner].astype(float).mean() > np.mean(BLUE) + 20
        assert seen > 10

    def test_the_donor_gives_one_damage_alone(self) -> None:
        donor = dented(
            annotation("dent", (10, 10, 30, 30)), annotation("dent", (50, 50, 80, 80)), annotation("hood", (0, 0, 96, 96))
        )
        for scene in scenes(composer([donor], [SOUND]), 1, 20, paste=1.0):
            assert all(len(placed.annotations) == 1 and placed.annotations[0].name == "dent" for placed in scene.pasted)
            assert all(placed.sample is donor and placed.photo_hw == HW for placed in scene.pasted)

    @pytest.mark.parametrize("paste", [0.0, 0.4])
    def test_so_many_are_shown(self, paste: float) -> None:
        shown = scenes(composer([dented()], [SOUND]), 1, 100, paste=paste)
        assert np.mean([bool(scene.pasted) for scene in shown]) == pytest.approx(paste, abs=0.12)

    def test_a_set_may_hold_sound_vehicles_and_others(self) -> None:
        """Each photo is judged by its own labels, whatever else is in its set."""
        unsaid = replace(SOUND, name="unsaid.png", damage=None)
        mixed = composer([dented()], [unsaid, SOUND])
        assert not any(scene.pasted for scene in scenes(mixed, 1, 10, paste=1.0))
        assert any(mixed.compose(Draw(1, 1, number, SIZE, paste=1.0)).pasted for number in range(5))
        beside = {placed.sample.name for scene in scenes(mixed, 0, mosaic=1.0) for placed in scene.photos}
        assert beside == {"dented.png", "sound.png"}

    @pytest.mark.parametrize("sample", [STREET, dented(), replace(SOUND, damage=None)], ids=["street", "damaged", "unsaid"])
    def test_only_sound_vehicles_get_damages(self, sample: Sample) -> None:
        assert not any(scene.pasted for scene in scenes(composer([dented()], [sample]), 1, 10, paste=1.0))


@pytest.mark.parametrize(
    "damage",
    [
        annotation("dent", DENT, outlined=False),
        annotation("dent", DENT, crowd=True),
        annotation("scratch", DENT),
        replace(annotation("dent", DENT), polygons=(), rle=polygons_to_rle(annotation("dent", DENT).polygons, HW)),
    ],
    ids=["box", "crowd", "not taught", "runs"],
)
def test_what_cannot_be_cut_out_is_neither_pasted_nor_shown_small(damage: Annotation) -> None:
    one = composer([dented(damage)], [SOUND])
    assert not any(scene.pasted for scene in scenes(one, 1, 10, paste=1.0))
    assert all(scene.whole is not None for scene in scenes(one, 0, 10, mosaic=1.0))


def test_boxes_are_not_turned() -> None:
    for outlined, turned in ((True, True), (False, False)):
        damaged = dented(annotation("dent", DENT, outlined=outlined))
        shown = scenes(composer([damaged], augment=Augment()), 0)
        assert any(scene.photos[0].view[1, 0] != 0 for scene in shown) == turned


@pytest.mark.parametrize(
    ("sample", "least", "most"),
    [
        (SOUND, 0.08, 1.2),
        (dented(annotation("hood", DENT)), 0.4, 1.3),
        (dented(), 0.2, 1.15),
        (replace(SOUND, damage=None), 0.2, 1.15),
    ],
    ids=["sound", "parts", "damaged", "unsaid"],
)
def test_sound_panels_are_shown_from_close_up_and_parts_from_afar(sample: Sample, least: float, most: float) -> None:
    shares = [SIZE**2 / (scene.photos[0].zoom * HW[0] * HW[1]) for scene in scenes(composer([sample]), 0, 150)]
    assert least <= min(shares) < least * 1.15
    assert most * 0.9 < max(shares) <= most


def test_views_look_at_damages() -> None:
    corner = dented(annotation("dent", (4, 4, 14, 14)))
    seen = [bool(scene.damages) for scene in scenes(composer([corner]), 0, 100)]
    plain = [bool(scene.damages) for scene in scenes(composer([replace(corner, annotations=(), labelled=frozenset())]), 0, 5)]
    assert np.mean(seen) > 0.75
    assert not any(plain)


def test_a_whole_scene_is_what_serving_sees() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 18, 3)).astype(np.uint8)
    image = cv2.resize(image, (180, 120), interpolation=cv2.INTER_CUBIC)
    photo = Sample(
        bytes(cv2.imencode(".png", image[..., ::-1])[1]), "a.png", annotations=(annotation("dent", (90, 60, 180, 120)),)
    )
    scene = whole_scene(photo, SIZE)
    served = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(scene.image.astype(int) - served).mean() < 1.5
    assert scene.whole is not None
    assert (scene.whole.photo_hw, scene.whole.window) == ((120, 180), (0, 0, SIZE, SIZE))
    expected = np.zeros((SIZE, SIZE))
    expected[32:, 32:] = 255
    assert np.array_equal(scene.damages[0].cover, expected)


def test_a_photo_of_another_size_than_its_labels_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"dented.png: is 96 × 96 pixels, its labels are for \(48, 96\), height first"):
        decoded(replace(dented(), size_hw=(48, 96)), Settings())
    assert decoded(replace(dented(), size_hw=None), Settings())[1] == HW


class TestPaste:
    """One damage of another photo."""

    @staticmethod
    def dent(x: float, y: float, side: float) -> Annotation:
        return annotation("dent", (x, y, x + side, y + side))

    @pytest.mark.parametrize("seed", range(4))
    def test_it_is_blended_in_where_its_view_says(self, seed: int) -> None:
        donor = np.full((64, 64, 3), 90, np.uint8)
        donor[20:40, 20:40] = 250
        picture = np.full((128, 128, 3), 90, np.uint8)
        done = paste(np.random.default_rng(seed), picture, donor, self.dent(18, 18, 24), side=24, centre_xy=(80.0, 40.0))
        assert done is not None
        changed = np.abs(done.picture.astype(int) - picture).max(2) > 20
        rows, columns = np.nonzero(changed)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((30, 49, 70, 89), abs=3)
        middle = done.view[:, :2] @ (30, 30) + done.view[:, 2]
        assert middle.tolist() == pytest.approx([80, 40])
        assert (picture == 90).all()
        sample = Sample(b"", "a.jpg", (64, 64), annotations=(self.dent(20, 20, 20),))
        (region,) = Placed(sample, done.view, (0, 0, 128, 128), (64, 64), sample.damages).damages
        assert (changed != (region.cover > 127)).sum() < 120

    @pytest.mark.parametrize("thickness", [4, 8, 24])
    def test_one_that_is_outlined_tightly_keeps_its_contrast(self, thickness: int) -> None:
        donor = np.full((128, 128, 3), 180, np.uint8)
        top = 64 - thickness // 2
        donor[top : top + thickness, 20:108] = 80
        picture = np.full((256, 256, 3), 200, np.uint8)
        scratch = annotation("scratch", (20, top, 108, top + thickness))
        done = paste(np.random.default_rng(0), picture, donor, scratch, side=88, centre_xy=(128.0, 128.0))
        assert done is not None
        middle = done.picture[128 - thickness // 4 : 128 + thickness // 4, 100:156].astype(float).mean()
        assert 200 - middle > 70, "of 100"

    def test_one_that_ends_at_the_edge_of_its_photo_brings_no_edge_along(self) -> None:
        donor = np.full((64, 64, 3), 90, np.uint8)
        picture = np.full((128, 128, 3), 200, np.uint8)
        done = paste(np.random.default_rng(0), picture, donor, self.dent(0, 0, 64), side=40, centre_xy=(64.0, 64.0))
        assert done is not None
        assert np.abs(done.picture.astype(int) - 200).max() <= 2

    def test_half_are_mirrored(self) -> None:
        donor, picture = np.full((64, 64, 3), 90, np.uint8), np.full((128, 128, 3), 90, np.uint8)
        mirrored = 0
        for seed in range(40):
            done = paste(np.random.default_rng(seed), picture, donor, self.dent(18, 18, 24), side=24, centre_xy=(64, 64))
            assert done is not None
            mirrored += done.view[0, 0] < 0
        assert 10 < mirrored < 30

    def test_it_is_shrunk_and_never_enlarged(self) -> None:
        donor, picture = np.full((64, 64, 3), 90, np.uint8), np.full((128, 128, 3), 90, np.uint8)
        for side, scale in ((12, 0.5), (24, 1.0), (90, 1.0)):
            done = paste(np.random.default_rng(0), picture, donor, self.dent(18, 18, 24), side=side, centre_xy=(64, 64))
            assert done is not None
            assert done.view[1, 1] == scale

    @pytest.mark.parametrize(
        ("side", "centre_xy"), [(24.0, (2.0, 40.0)), (2.0, (64.0, 64.0))], ids=["over the edge", "too small"]
    )
    def test_what_does_not_fit_is_not_pasted(self, side: float, centre_xy: tuple[float, float]) -> None:
        picture = np.zeros((128, 128, 3), np.uint8)
        assert paste(np.random.default_rng(0), picture, picture, self.dent(18, 18, 24), side=side, centre_xy=centre_xy) is None


def test_places_on_a_vehicle_are_in_the_view_of_the_whole_photo() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = place_on_vehicle(rng, whole_view((100, 200), (64, 64)), (100, 200))
        assert 0.2 * 64 <= x <= 0.8 * 64
        assert 0.4 * 64 <= y <= 0.75 * 64
