"""Middles of instances, and the way there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from hypothesis import given
from hypothesis import strategies as st

from dentify.training import losses
from dentify.training.heads.middles import Centres, MiddlesRecipe, Offsets
from scenes import CLASSES, WHOLE, annotation, mosaic, pasted, photo, scene, stacked

CENTRES = MiddlesRecipe(kind="centres").build("centres", CLASSES)
OFFSETS = MiddlesRecipe(kind="offsets").build("offsets", CLASSES)
assert isinstance(CENTRES, Centres)
assert isinstance(OFFSETS, Offsets)


def test_the_middle_is_a_hit_in_a_bump() -> None:
    dent = annotation("dent", (24, 40, 64, 64))  # cells 3 to 7 across, 5 to 7 down
    heat = CENTRES.truth(scene(photo(dent, labelled=("dent",))))["heat"]
    assert np.argwhere(heat == 255).tolist() == [[0, 6, 5]]
    assert heat[0, 6, 6] == heat[0, 6, 4] == heat[0, 5, 5] == round(255 * math.exp(-1 / 2))  # 15 cells: as narrow as may be
    assert heat[0, 6, 8] == round(255 * math.exp(-9 / 2))
    assert not heat[1:].any()


def test_a_large_damage_has_a_wide_bump() -> None:
    heat = CENTRES.truth(scene(photo(annotation("dent", (8, 8, 120, 120)), labelled=("dent",))))["heat"]
    sigma = 0.12 * math.sqrt(14 * 14)  # around 7.5
    assert heat[0, 8, 8] == 255
    assert heat[0, 8, 11] == round(255 * math.exp(-((3.5**2 + 0.5**2) / (2 * sigma**2))))


@given(st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(6, 28), st.floats(6, 28)))
def test_every_instance_has_a_middle_to_hit(one: tuple[float, float, float, float]) -> None:
    x, y, width, height = one
    dent = annotation("dent", (x, y, x + width, y + height))
    heat = CENTRES.truth(scene(photo(dent, labelled=("dent",))))["heat"]
    ((channel, row, column),) = np.argwhere(heat == 255)
    assert channel == 0
    assert abs(column + 0.5 - (x + width / 2) / 8) <= 1
    assert abs(row + 0.5 - (y + height / 2) / 8) <= 1


def test_neighbours_have_a_middle_each() -> None:
    pair = photo(annotation("dent", (0, 0, 24, 24)), annotation("dent", (24, 0, 48, 24)), labelled=("dent",))
    heat = CENTRES.truth(scene(pair))["heat"]
    assert np.argwhere(heat == 255).tolist() == [[0, 1, 1], [0, 1, 4]]


def test_offsets_point_at_the_middle() -> None:
    offsets = OFFSETS.truth(scene(photo(annotation("scratch", (32, 32, 96, 64)), labelled=("scratch",))))["offsets"]
    there = np.zeros((10, 16, 16), bool)
    there[2:4, 4:8, 4:12] = True
    assert np.array_equal(~np.isnan(offsets), there)
    rows, columns = np.mgrid[4:8, 4:12]
    assert np.array_equal(columns + 16 * offsets[2, 4:8, 4:12].astype(float), np.full((4, 8), 7.5))
    assert np.array_equal(rows + 16 * offsets[3, 4:8, 4:12].astype(float), np.full((4, 8), 5.5))


def test_offsets_of_a_mosaic_point_at_middles_of_the_whole_picture() -> None:
    dented = photo(annotation("dent", (32, 32, 96, 96)))
    offsets = OFFSETS.truth(mosaic(photo(), dented, photo(), photo()))["offsets"]
    row, column = np.argwhere(~np.isnan(offsets[0]))[0]
    assert (row, column) == (4, 16 + 4)
    assert column + 32 * float(offsets[0, row, column]) == 16 + 7.5
    assert row + 32 * float(offsets[1, row, column]) == 7.5


def test_the_smaller_of_two_has_the_cells_that_both_have() -> None:
    large, small = annotation("dent", (0, 0, 128, 128)), annotation("dent", (0, 0, 24, 24))
    for both in ((large, small), (small, large)):
        offsets = OFFSETS.truth(scene(photo(*both)))["offsets"]
        assert 16 * offsets[0, 0, 0] == 1.0
        assert 16 * offsets[0, 0, 4] == 3.5


def test_what_fills_no_cell_has_its_fullest() -> None:
    tiny = photo(annotation("dent", (41, 41, 45, 45)), labelled=("dent",))
    offsets = OFFSETS.truth(scene(tiny))["offsets"]
    assert np.argwhere(~np.isnan(offsets)).tolist() == [[0, 5, 5], [1, 5, 5]]
    assert offsets[0, 5, 5] == 0
    assert np.argwhere(CENTRES.truth(scene(tiny))["heat"] == 255).tolist() == [[0, 5, 5]]


def test_boxes_teach_no_middles() -> None:
    boxed, outlined = annotation("scratch", (10, 10, 90, 90), outlined=False), annotation("dent", (0, 0, 40, 40))
    alone = scene(photo(boxed, labelled=("scratch",)))
    assert np.isnan(OFFSETS.truth(alone)["offsets"]).all()
    assert not CENTRES.truth(alone)["heat"].any()
    assert not CENTRES.truth(alone)["known"].any()
    beside = scene(photo(boxed, outlined, labelled=("dent", "scratch")))
    assert not CENTRES.truth(beside)["known"].any()


def test_types_that_nobody_labelled_teach_no_middles() -> None:
    known = CENTRES.truth(scene(photo(annotation("dent", (0, 0, 40, 40)), labelled=("dent",))))["known"]
    assert known.shape == (5, 16, 16)
    assert known[:, 0, 0].tolist() == [True, False, False, False, False]


def test_a_crowd_is_many_and_has_no_middle() -> None:
    crowd = scene(photo(replace(annotation("dent", (0, 0, 80, 80)), crowd=True), labelled=("dent", "scratch")))
    assert np.isnan(OFFSETS.truth(crowd)["offsets"]).all()
    assert not CENTRES.truth(crowd)["heat"].any()
    assert CENTRES.truth(crowd)["known"][:, 0, 0].tolist() == [False, True, False, False, False]


def test_damage_that_is_not_taught_has_no_channel() -> None:
    crack = scene(photo(annotation("crack", (0, 0, 80, 80)), labelled=CLASSES.damage))
    assert np.isnan(OFFSETS.truth(crack)["offsets"]).all()
    assert not CENTRES.truth(crack)["heat"].any()


def test_a_pasted_damage_has_a_middle() -> None:
    donor = photo(annotation("scratch", (8, 8, 32, 32)))
    one = pasted(photo(vehicle=True, damage=False), donor, WHOLE)
    assert np.argwhere(CENTRES.truth(one)["heat"] == 255).tolist() == [[1, 2, 2]]
    assert CENTRES.truth(one)["known"].all()
    assert not np.isnan(OFFSETS.truth(one)["offsets"][2:4, 1:4, 1:4]).any()


def test_what_a_photo_shows_and_which_channels_tell_it() -> None:
    car = photo(
        annotation("dent", (0, 0, 9, 9)), annotation("scratch", (0, 0, 9, 9), outlined=False), annotation("crack", (0, 0, 9, 9))
    )
    assert set(CENTRES.shown(car)) == set(OFFSETS.shown(car)) == {"dent"}
    assert CENTRES.channels(("dent", "broken_part")) == [0, 4]
    assert OFFSETS.channels(("dent", "broken_part")) == [0, 1, 8, 9]
    assert CENTRES.channels(()) == OFFSETS.channels(()) == []


def test_the_losses_are_those_of_middles() -> None:
    some = torch.Generator().manual_seed(0)
    scenes = [scene(photo(annotation("dent", (0, 0, 40, 40)), labelled=("dent",))), scene(photo(labelled=("scratch",)))]
    truth, told = stacked(CENTRES, *scenes), torch.randn(2, 5, 16, 16, generator=some)
    torch.testing.assert_close(CENTRES.loss(told, truth), losses.centres(told, truth["heat"].float() / 255, truth["known"]))
    truth, told = stacked(OFFSETS, *scenes), torch.randn(2, 10, 16, 16, generator=some)
    torch.testing.assert_close(OFFSETS.loss(told, truth), losses.offsets(told, truth["offsets"].float()))


def test_a_middle_is_hit_with_a_probability_over_a_tenth() -> None:
    pair = photo(annotation("dent", (0, 0, 24, 24)), annotation("dent", (64, 64, 88, 88)), labelled=("dent",))
    unlabelled = photo(annotation("dent", (0, 0, 24, 24)))
    truth = stacked(CENTRES, scene(pair), scene(unlabelled))
    told = torch.full((2, 5, 16, 16), math.log(0.09 / 0.91))
    told[:, 0, 1, 1] = math.log(0.11 / 0.89)
    counts = CENTRES.counts(told, truth)
    assert {key: int(count) for key, count in counts.items()} == {"hits": 1, "middles": 2}
    assert CENTRES.figures(counts) == {"recall": 0.5}
    nothing = CENTRES.counts(told[1:], stacked(CENTRES, scene(unlabelled)))
    assert math.isnan(CENTRES.figures(nothing)["recall"])


def test_an_offset_is_near_within_a_fiftieth_of_the_side() -> None:
    truth = stacked(OFFSETS, scene(photo(annotation("dent", (0, 0, 24, 24)), labelled=("dent",))))
    told = truth["offsets"].float().nan_to_num(5.0)
    told[0, 0] += 0.019
    told[0, 1, :, 0] -= 0.021
    counts = OFFSETS.counts(told, truth)
    assert {key: int(count) for key, count in counts.items()} == {"near": 9 + 6, "all": 18}
    assert OFFSETS.figures(counts) == pytest.approx({"near": 15 / 18})
