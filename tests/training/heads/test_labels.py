"""Answers for the photo as a whole: what a view of it says, and what it leaves open."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets import Sample
from dentify.training import losses
from dentify.training.heads.labels import (
    Gate,
    LabelsRecipe,
    PhotoSeverity,
    PhotoTypes,
    has_vehicle,
    is_damaged,
    window_shows_vehicle,
)
from dentify.training.losses import IGNORE
from scenes import CLASSES, WHOLE, Corners, annotation, mosaic, pasted, photo, placed, scene, stacked

DENT: Corners = (100, 100, 120, 120)
SOUND = photo(vehicle=True, damage=False)
STREET = photo(vehicle=False)
UPPER_LEFT = np.array([[1.0, 0, 0], [0, 1.0, 0]])  # the upper left quarter of the photo
NAN = pytest.approx(math.nan, nan_ok=True)


def head(of: str, **changes: Any) -> Any:
    return LabelsRecipe(kind="labels", of=of, **changes).build(of, CLASSES)


VEHICLE, DAMAGED, SEVERITY = head("vehicle"), head("damaged"), head("severity")
assert isinstance(VEHICLE, Gate)
assert isinstance(SEVERITY, PhotoSeverity)


def window(left: float, top: float, share: float = 1 / 16) -> np.ndarray:
    """A view of a square window that has this share of the photo."""
    zoom = 0.5 / math.sqrt(share)
    return np.array([[zoom, 0, -zoom * left], [0, zoom, -zoom * top]])


class TestVehicle:
    """A small window of a photo of a whole vehicle may show nothing but street."""

    @staticmethod
    def answer(sample: Sample, view: np.ndarray) -> float:
        return float(VEHICLE.truth(scene(sample, view))["answer"])

    def test_a_close_up_shows_one_where_parts_fill_it(self) -> None:
        with_door = photo(annotation("front_left_door", (0, 0, 64, 64)))
        assert self.answer(with_door, window(16, 16)) == 1.0
        assert self.answer(with_door, window(80, 80)) == NAN
        assert self.answer(with_door, window(46, 16)) == 1.0  # 18 of 32 columns
        assert self.answer(with_door, window(50, 16)) == NAN  # 14

    def test_a_close_up_shows_one_in_the_middle_of_a_photo_of_a_sound_one(self) -> None:
        assert self.answer(SOUND, window(48, 60)) == 1.0
        for left, top in ((0, 60), (96, 60), (48, 0), (48, 96)):
            assert self.answer(SOUND, window(left, top)) == NAN
        for left, top in ((17, 60), (79, 60), (48, 36), (48, 79)):  # middles at 0.26 and 0.74, at 0.41 and 0.74
            assert self.answer(SOUND, window(left, top)) == 1.0
            assert self.answer(replace(SOUND, damage=None), window(left, top)) == NAN
        for left, top in ((15, 60), (81, 60), (48, 34), (48, 81)):
            assert self.answer(SOUND, window(left, top)) == NAN

    def test_more_than_two_fifths_of_a_photo_show_it(self) -> None:
        assert self.answer(photo(vehicle=True), window(0, 0, 0.42)) == 1.0
        assert self.answer(photo(vehicle=True), window(0, 0, 0.38)) == NAN

    @pytest.mark.parametrize(
        ("corners", "answer"), [((58, 20, 69, 22), 1.0), ((59, 20, 69, 22), NAN)], ids=["six elevenths", "a half"]
    )
    def test_more_than_half_of_a_damage_shows_it(self, corners: Corners, answer: float) -> None:
        assert self.answer(photo(annotation("dent", corners)), UPPER_LEFT) == answer

    def test_a_photo_without_one_has_none_in_any_window(self) -> None:
        assert self.answer(STREET, window(48, 60)) == 0.0
        assert self.answer(STREET, WHOLE) == 0.0

    def test_nobody_said(self) -> None:
        assert self.answer(photo(), WHOLE) == NAN
        assert self.answer(photo(annotation("dent", DENT)), WHOLE) == 1.0
        assert self.answer(photo(annotation("hood", DENT)), WHOLE) == 1.0

    def test_a_mosaic_shows_one_where_one_of_its_photos_does(self) -> None:
        assert VEHICLE.truth(mosaic(STREET, SOUND, STREET, STREET))["answer"] == 1.0
        assert VEHICLE.truth(mosaic(STREET, STREET, STREET, STREET))["answer"] == NAN
        assert VEHICLE.truth(mosaic(photo(), photo(), STREET, photo()))["answer"] == NAN
        assert VEHICLE.truth(mosaic(SOUND, SOUND, SOUND, SOUND))["asked"]

    def test_a_tile_is_judged_by_its_own_window(self) -> None:
        for corner_xy in ((0, 0), (64, 64)):
            assert window_shows_vehicle(placed(SOUND, window(48, 60), corner_xy=corner_xy)) == 1.0
            assert window_shows_vehicle(placed(SOUND, window(0, 60), corner_xy=corner_xy)) == NAN


class TestDamaged:
    """A sliver decides nothing, and what was not searched is not sound."""

    @staticmethod
    def answer(sample: Sample, view: np.ndarray = WHOLE) -> float:
        return float(DAMAGED.truth(scene(sample, view))["answer"])

    def test_a_window_that_shows_no_damage_of_a_damaged_car_is_sound(self) -> None:
        dent = annotation("dent", DENT)
        searched, unsearched = photo(dent, labelled=CLASSES.damage), photo(dent, labelled=("dent", "scratch"))
        assert self.answer(searched, UPPER_LEFT) == 0.0
        assert self.answer(unsearched, UPPER_LEFT) == NAN
        assert self.answer(searched) == 1.0
        assert self.answer(unsearched) == 1.0

    def test_a_crowd_elsewhere_leaves_open_whether_the_window_is_sound(self) -> None:
        crowd = replace(annotation("dent", DENT), crowd=True)
        assert self.answer(photo(crowd, labelled=CLASSES.damage), UPPER_LEFT) == NAN

    @pytest.mark.parametrize(
        ("corners", "answer"),
        [((60, 20, 68, 22), 1.0), ((61, 20, 71, 22), NAN), ((58, 20, 73, 21), 1.0), ((58, 20, 74, 21), NAN)],
        ids=["a half", "three tenths", "two fifths", "three eighths"],
    )
    def test_two_fifths_of_a_damage_make_a_window_damaged(self, corners: Corners, answer: float) -> None:
        assert self.answer(photo(annotation("dent", corners), labelled=CLASSES.damage), UPPER_LEFT) == answer

    @pytest.mark.parametrize(("side", "answer"), [(5, 1.0), (4, NAN)], ids=["0.6 %", "0.4 %"])
    def test_two_fifths_of_a_hundredth_of_the_window_do_so_too(self, side: float, answer: float) -> None:
        large = photo(annotation("dent", (64 - side, 64 - side, 100, 100)), labelled=CLASSES.damage)
        assert self.answer(large, UPPER_LEFT) == answer

    def test_sound_and_unsaid_photos(self) -> None:
        assert self.answer(SOUND) == 0.0
        assert self.answer(photo(vehicle=True)) == NAN

    def test_of_a_photo_that_is_only_known_as_damaged_most_must_be_seen(self) -> None:
        damaged = photo(vehicle=True, damage=True)
        assert self.answer(damaged) == 1.0
        assert self.answer(damaged, window(0, 0, 0.62)) == 1.0
        assert self.answer(damaged, window(0, 0, 0.58)) == NAN

    def test_nearly_every_type_must_be_searched_or_damage_of_whatever_type(self) -> None:
        dent = annotation("dent", DENT)
        for labelled, answer in ((CLASSES.damage[:4], 0.0), (CLASSES.damage[:3], NAN), (("damage",), 0.0)):
            assert self.answer(photo(dent, labelled=labelled), UPPER_LEFT) == answer

    def test_where_an_annotator_was_unsure_no_window_is_sound(self) -> None:
        dent = annotation("dent", DENT)
        for doubt in ({"unsure": True}, {"other_car": True}):
            seen = photo(dent, annotation("scratch", (4, 4, 20, 20), **doubt), labelled=CLASSES.damage)
            assert self.answer(seen, UPPER_LEFT) == NAN
            assert self.answer(seen, window(90, 90)) == 1.0

    def test_a_mosaic_is_not_asked(self) -> None:
        dented = photo(annotation("dent", DENT), labelled=CLASSES.damage)
        for samples in ((SOUND,) * 4, (dented,) * 4):
            truth = DAMAGED.truth(mosaic(*samples))
            assert truth["answer"] == NAN
            assert not truth["asked"]

    def test_a_sound_vehicle_with_a_pasted_damage_is_damaged(self) -> None:
        assert DAMAGED.truth(pasted(SOUND, photo(annotation("dent", DENT)), WHOLE))["answer"] == 1.0

    def test_figures_are_of_vehicles(self) -> None:
        assert DAMAGED.truth(scene(SOUND))["asked"]
        assert not DAMAGED.truth(scene(photo(vehicle=False, damage=False)))["asked"]
        assert VEHICLE.truth(scene(STREET))["asked"]


class TestGate:
    """Either."""

    def test_the_answers_that_photos_teach(self) -> None:
        assert (VEHICLE.shown(SOUND), VEHICLE.shown(STREET), VEHICLE.shown(photo())) == (("yes",), ("no",), ())
        dented = photo(annotation("dent", DENT))
        assert (DAMAGED.shown(SOUND), DAMAGED.shown(STREET), DAMAGED.shown(dented)) == (("no",), (), ("yes",))
        assert DAMAGED.shown(photo(vehicle=False, damage=False)) == ()
        assert [has_vehicle(one) for one in (dented, photo(annotation("hood", DENT)), photo())] == [True, True, None]
        assert [is_damaged(one) for one in (photo(damage=True), photo(vehicle=True))] == [True, None]

    @pytest.mark.parametrize(
        ("taught", "channels"), [(("no", "yes"), [0]), (("yes", "no"), [0]), (("yes",), []), (("no",), []), ((), [])]
    )
    def test_it_is_left_out_where_one_answer_alone_was_seen(self, taught: tuple[str, ...], channels: list[int]) -> None:
        assert VEHICLE.channels(taught) == channels

    def test_the_loss_is_smoothed_for_the_labels_own_errors(self) -> None:
        truth = stacked(VEHICLE, scene(SOUND), scene(STREET), scene(photo()))
        told = torch.tensor([[1.0], [0.5], [9.0]])
        for gate, smoothing in ((VEHICLE, 0.02), (head("vehicle", smoothing=0.2), 0.2)):
            expected = losses.yes_or_no(told[:2, 0], torch.tensor([1.0, 0.0]), smoothing=smoothing)
            torch.testing.assert_close(gate.loss(told, truth), expected)

    def test_counts_are_of_the_photos_that_are_asked(self) -> None:
        no_car = photo(vehicle=False, damage=False)
        truth = stacked(
            DAMAGED, scene(SOUND), scene(SOUND), scene(photo(annotation("dent", DENT))), scene(photo()), scene(no_car)
        )
        counts = DAMAGED.counts(torch.tensor([[-1.0], [1.0], [2.0], [1.0], [-1.0]]), truth)
        assert {key: int(count) for key, count in counts.items()} == {
            "no/asked": 2,
            "no/right": 1,
            "yes/asked": 1,
            "yes/right": 1,
        }
        assert DAMAGED.figures(counts) == {"no": 0.5, "yes": 1.0}
        assert DAMAGED.figures(DAMAGED.counts(torch.ones(1, 1), stacked(DAMAGED, scene(SOUND)))) == {"no": 0.0, "yes": NAN}


class TestSeverity:
    """The worst damage that is seen."""

    def test_the_worst_visible_one_is_the_photos(self) -> None:
        minor, severe = annotation("dent", (0, 0, 40, 40), severity="minor"), annotation("dent", DENT, severity="severe")
        assert SEVERITY.truth(scene(photo(minor, severe)))["level"] == 2
        assert SEVERITY.truth(scene(photo(severe, minor)))["level"] == 2
        assert SEVERITY.truth(scene(photo(minor)))["level"] == 0
        assert SEVERITY.truth(scene(photo(severe, minor), UPPER_LEFT))["level"] == 0
        assert SEVERITY.truth(scene(photo(annotation("dent", DENT))))["level"] == IGNORE

    @pytest.mark.parametrize(("left", "level"), [(58, 1), (59, IGNORE)], ids=["six tenths", "a half"])
    def test_more_than_half_of_it_must_be_seen(self, left: float, level: int) -> None:
        dent = annotation("dent", (left, 20, left + 10, 30), severity="moderate")
        assert SEVERITY.truth(scene(photo(dent), UPPER_LEFT))["level"] == level

    def test_mosaics_and_pasted_damages_are_not_asked(self) -> None:
        severe = photo(annotation("dent", DENT, severity="severe"))
        assert SEVERITY.truth(mosaic(severe, severe, severe, severe))["level"] == IGNORE
        assert SEVERITY.truth(pasted(SOUND, severe, WHOLE))["level"] == IGNORE

    def test_what_a_photo_shows_and_which_channels_tell_it(self) -> None:
        levels = [annotation("dent", DENT, severity=level) for level in ("minor", "severe", None)]
        assert SEVERITY.shown(photo(*levels)) == ("severe",)
        assert SEVERITY.shown(photo(levels[2])) == ()
        assert SEVERITY.channels(("severe", "minor")) == [0, 2]
        assert SEVERITY.channels(("severe",)) == []

    def test_rare_levels_may_weigh_more(self) -> None:
        minor, severe = (scene(photo(annotation("dent", DENT, severity=level))) for level in ("minor", "severe"))
        truth, told = stacked(SEVERITY, minor, severe, scene(photo())), torch.tensor([[2.0, 0, 0]] * 3)
        right, wrong = math.log(1 + 2 * math.exp(-2)), math.log(2 + math.exp(2))
        assert SEVERITY.loss(told, truth).item() == pytest.approx((right + wrong) / 2)
        weighted = head("severity", class_weights=(0.5, 1.5, 4.0)).loss(told, truth)
        assert weighted.item() == pytest.approx((0.5 * right + 4 * wrong) / 4.5)

    def test_recall_of_each_level(self) -> None:
        levels = ("minor", "minor", "severe", None)
        scenes = [scene(photo(annotation("dent", DENT, severity=level))) for level in levels]
        told = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
        counts = SEVERITY.counts(told, stacked(SEVERITY, *scenes))
        assert {key: count.tolist() for key, count in counts.items()} == {"asked": [2, 0, 1], "right": [1, 0, 1]}
        assert SEVERITY.figures(counts) == {"mean": 0.75, "minor": 0.5, "moderate": NAN, "severe": 1.0}


NAMES = ("dent", "scratch", "glass_shatter")
TYPES = PhotoTypes("types", LabelsRecipe(kind="labels", of="damage"), NAMES)
ONE_TYPE = PhotoTypes("types", LabelsRecipe(kind="labels", of="damage", exclusive=True), NAMES)


class TestTypes:
    """Which types a view shows, each by itself or one alone."""

    @staticmethod
    def shown(sample: Sample, view: np.ndarray = WHOLE, head: PhotoTypes = TYPES) -> list[float]:
        return [float(answer) for answer in head.truth(scene(sample, view))["shown"]]

    def test_annotated_ones_are_there_and_labelled_others_are_not(self) -> None:
        dented = photo(annotation("dent", DENT), labelled=("dent", "scratch"))
        assert self.shown(dented) == [1.0, 0.0, NAN]
        assert self.shown(SOUND) == [0.0, 0.0, 0.0]
        assert self.shown(photo(vehicle=False)) == [0.0, 0.0, 0.0]
        assert self.shown(photo()) == [NAN, NAN, NAN]

    def test_a_sliver_of_a_damage_decides_nothing(self) -> None:
        large = photo(annotation("dent", (0, 0, 64, 64)), labelled=NAMES)
        assert self.shown(large, window(40, 0)) == [1.0, 0.0, 0.0]  # 24 of its 64 columns, but more than 1 % of the window
        small = photo(annotation("dent", (60, 10, 64, 14)), labelled=NAMES)
        assert self.shown(small, window(63, 0)) == [NAN, 0.0, 0.0]
        assert self.shown(small, window(60, 0)) == [1.0, 0.0, 0.0]
        assert self.shown(small, window(80, 80)) == [0.0, 0.0, 0.0]

    @pytest.mark.parametrize("doubt", [annotation("damage", (4, 4, 20, 20)), annotation("scratch", (4, 4, 20, 20), unsure=True)])
    def test_damage_that_nobody_is_sure_of_leaves_the_others_open(self, doubt: Any) -> None:
        assert self.shown(photo(annotation("dent", DENT), doubt, labelled=NAMES)) == [1.0, NAN, NAN]

    def test_a_label_of_the_whole_photo_says_all_of_it_where_most_is_seen(self) -> None:
        scratched = photo(labels=("scratch",), vehicle=True, damage=True)
        assert self.shown(scratched) == [0.0, 1.0, 0.0]
        assert self.shown(scratched, window(0, 0, 0.7)) == [0.0, 1.0, 0.0]
        assert self.shown(scratched, window(0, 0, 0.5)) == [NAN, NAN, NAN]
        assert self.shown(photo(labels=("hail_mark",), vehicle=True, damage=True)) == [NAN, NAN, NAN]

    def test_mosaics_and_pasted_damages_are_not_asked(self) -> None:
        dented = photo(annotation("dent", DENT), labelled=NAMES)
        for one in (mosaic(dented, dented, dented, dented), pasted(SOUND, dented, WHOLE)):
            assert TYPES.truth(one)["shown"].tolist() == [NAN, NAN, NAN]

    def test_of_exclusive_ones_there_is_one_or_it_is_unknown(self) -> None:
        dent, scratch = annotation("dent", DENT), annotation("scratch", (4, 4, 30, 30))
        assert self.shown(photo(dent, labelled=NAMES), head=ONE_TYPE) == [1.0, 0.0, 0.0]
        for other in (photo(dent, scratch, labelled=NAMES), SOUND, photo(dent, labelled=("dent",))):
            assert self.shown(other, head=ONE_TYPE) == [NAN, NAN, NAN]

    def test_photos_teach_what_they_show(self) -> None:
        both = photo(annotation("dent", DENT), annotation("scratch", DENT), annotation("damage", DENT), labelled=NAMES)
        assert (set(TYPES.shown(both)), set(ONE_TYPE.shown(both))) == ({"dent", "scratch"}, set())
        assert set(ONE_TYPE.shown(photo(labels=("scratch", "severe")))) == {"scratch"}
        assert (TYPES.channels(("scratch",)), ONE_TYPE.channels(("scratch",))) == ([1], [])
        assert ONE_TYPE.channels(("dent", "glass_shatter")) == [0, 2]

    @pytest.mark.parametrize("head", [TYPES, ONE_TYPE])
    def test_the_loss_is_least_where_the_answer_is_right_and_none_where_nothing_is_known(self, head: PhotoTypes) -> None:
        truth = stacked(head, scene(photo(annotation("dent", DENT), labelled=NAMES)), scene(photo()))
        right, wrong = (torch.tensor([[one, -one, -one], [9.0, 9.0, 9.0]]) for one in (4.0, -4.0))
        assert head.loss(right, truth) < 0.2 < 2 < head.loss(wrong, truth)
        assert head.loss(right[:1], stacked(head, scene(photo()))) == 0

    def test_figures_are_recalls(self) -> None:
        scenes = [scene(photo(labels=(name,), vehicle=True)) for name in ("dent", "dent", "scratch")]
        outputs = torch.tensor([[2.0, -1, -1], [-1, 2, -2], [-1, 3, 1]])
        one = ONE_TYPE.figures(ONE_TYPE.counts(outputs, stacked(ONE_TYPE, *scenes)))
        assert (one["dent"], one["scratch"], one["mean"]) == (0.5, 1.0, 0.75)
        assert math.isnan(one["glass_shatter"])
        each = TYPES.figures(TYPES.counts(outputs, stacked(TYPES, *scenes)))
        assert (each["dent"], each["scratch"]) == (0.75, 0.75)  # mean of the shares of photos with and without it
