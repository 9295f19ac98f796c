"""What several members found, as one list."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.runtime.fusion import fuse, fuse_and_tell
from dentify.runtime.instances import Instances
from placed_instances import instances

DENT, SCRATCH = 0, 1


def without_masks(found: Instances) -> Instances:
    return replace(found, masks=None)


def test_a_lone_member_speaks_for_itself() -> None:
    alone = instances((0.9, DENT, (0, 0, 4, 4)))
    assert fuse([alone], [0.3]) is alone


def test_what_both_found_is_one_and_its_score_the_weighted_mean() -> None:
    fused = fuse([instances((0.8, DENT, (2, 2, 4, 4))), instances((0.4, DENT, (2, 2, 4, 4)))], [3, 1])
    assert fused.scores.tolist() == pytest.approx([0.75 * 0.8 + 0.25 * 0.4])
    assert fused.boxes_xyxy.tolist() == [[20, 20, 60, 60]]


def test_what_one_did_not_find_is_half_as_sure_and_comes_after() -> None:
    both, one = (DENT, (0, 0, 4, 4)), (DENT, (8, 8, 4, 4))
    fused = fuse([instances((0.9, *one), (0.5, *both)), instances((0.6, *both))], [1, 1])
    assert fused.scores.tolist() == pytest.approx([0.55, 0.45])
    assert fused.boxes_xyxy[:, 0].tolist() == [0, 80]


@pytest.mark.parametrize(("class_id", "x", "count"), [(DENT, 1, 1), (DENT, 3, 2), (SCRATCH, 1, 2)])
def test_only_what_lies_on_each_other_and_is_of_one_class_is_one(class_id: int, x: int, count: int) -> None:
    fused = fuse([instances((0.9, DENT, (0, 0, 4, 4))), instances((0.8, class_id, (x, 0, 4, 4)))], [1, 1])
    assert len(fused) == count


def test_what_each_member_gave_a_thing_is_told_and_nothing_of_who_did_not_find_it() -> None:
    both, one = (DENT, (0, 0, 4, 4)), (DENT, (8, 8, 4, 4))
    found = [instances((0.9, *one), (0.5, *both)), instances((0.6, *both))]
    fused, told = fuse_and_tell(found, [3, 1])
    np.testing.assert_allclose(told, [[0.9, 0], [0.5, 0.6]])
    np.testing.assert_allclose(told @ [0.75, 0.25], fused.scores, rtol=1e-6)
    assert fuse_and_tell([instances(), instances()], [1, 1])[1].shape == (0, 2)


def test_two_things_of_one_member_stay_two() -> None:
    twice = instances((0.9, DENT, (0, 0, 4, 4)), (0.8, DENT, (0, 0, 4, 4)))
    assert len(fuse([twice, instances((0.7, DENT, (0, 0, 4, 4)))], [1, 1])) == 2


def test_a_mask_is_where_members_hold_half_of_their_strength() -> None:
    found = [instances((0.8, DENT, (x, 0, 4, 4))) for x in (0, 1, 1)]
    fused = fuse(found, [1, 1, 1])
    assert fused.boxes_xyxy.tolist() == [[10, 0, 50, 40]]
    surer = fuse([instances((0.9, DENT, (0, 0, 4, 4))), instances((0.2, DENT, (1, 0, 4, 4)))], [1, 1])
    assert surer.boxes_xyxy.tolist() == [[0, 0, 40, 40]]


def test_the_finest_grid_is_taken() -> None:
    coarse = instances((0.8, DENT, (1, 1, 2, 2)), grid_hw=(8, 8))
    fine = replace(instances((0.6, DENT, (2, 2, 4, 4)), grid_hw=(16, 16)), photo_hw=(80, 80))
    fine = replace(fine, boxes_xyxy=fine.boxes_xyxy / 2)
    fused = fuse([coarse, fine], [1, 1])
    assert (fused.grid_hw, fused.photo_hw) == ((16, 16), (80, 80))
    assert fused.boxes_xyxy.tolist() == [[10, 10, 30, 30]]
    assert fused.scores.tolist() == pytest.approx([0.7])


def test_who_knows_boxes_alone_makes_things_surer_and_draws_nothing() -> None:
    outlined = instances((0.8, DENT, (2, 2, 4, 4)))
    boxes = without_masks(instances((0.9, DENT, (2, 2, 4, 5)), (0.5, DENT, (10, 10, 2, 2))))
    fused = fuse([outlined, boxes], [1, 1])
    assert fused.masks is not None
    assert fused.scores.tolist() == pytest.approx([0.85, 0.25])
    assert fused.boxes_xyxy.tolist() == [[20, 20, 60, 60], [100, 100, 120, 120]]


def test_boxes_alone_become_their_weighted_mean() -> None:
    found = [without_masks(instances((score, DENT, (x, 0, 4, 4)))) for score, x in ((0.6, 0), (0.3, 1))]
    fused = fuse(found, [1, 1])
    assert fused.masks is None
    np.testing.assert_allclose(fused.boxes_xyxy, [[10 / 3, 0, 40 + 10 / 3, 40]], rtol=1e-5)


def test_nothing_and_nothing_is_nothing() -> None:
    fused = fuse([Instances.empty((160, 160), (16, 16))] * 2, [1, 1])
    assert (len(fused), fused.boxes_xyxy.shape) == (0, (0, 4))
    assert len(fuse([without_masks(Instances.empty((160, 160), (16, 16)))] * 2, [1, 1])) == 0


THINGS = st.lists(
    st.tuples(
        st.floats(0.01, 1), st.sampled_from([DENT, SCRATCH]), st.tuples(*(st.integers(0, 9),) * 2, *(st.integers(1, 6),) * 2)
    ),
    max_size=5,
)


@given(st.lists(THINGS, min_size=2, max_size=3))
def test_nothing_is_lost_or_made_up_and_the_best_comes_first(found: list[list[tuple]]) -> None:
    members = [instances(*sorted(things, reverse=True)) for things in found]
    fused = fuse(members, [1.0] * len(members))
    assert max(map(len, found)) <= len(fused) <= sum(map(len, found)) or len(fused) == 0 == sum(map(len, found))
    assert (np.diff(fused.scores) <= 1e-6).all()
    assert fused.masks is not None
    assert all(mask.any() for mask in fused.masks)
    assert sum(fused.scores) == pytest.approx(sum(score for things in found for score, *_ in things) / len(members), rel=1e-4)
