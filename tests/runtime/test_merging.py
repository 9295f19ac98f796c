"""Maps of several networks as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import Combine
from dentify.runtime.merging import DOUBT, merge_maps, on_finest_grid, probability_of_share
from dentify.runtime.probabilities import sigmoid, softmax

YES, NO = 3.0, -3.0


def cell(*logits: float) -> np.ndarray:
    """A map of one cell, a logit a class."""
    return np.float32(logits)[:, None, None]


def test_one_map_is_left_as_it_is() -> None:
    alone = cell(YES, NO)
    assert merge_maps([alone], [0.3], how="vote", exclusive=False) is alone


def test_a_mean_is_of_logits_by_weight() -> None:
    merged = merge_maps([cell(4, 0), cell(-4, 2)], [3, 1], how="mean", exclusive=False)
    assert merged.ravel().tolist() == [2, 0.5]


@pytest.mark.parametrize(("weights", "share"), [((1, 1, 1), 2 / 3), ((1, 1, 2), 0.5), ((0.2, 0.2, 0.1), 0.8)])
def test_a_vote_is_the_share_of_weight_that_says_yes(weights: tuple[float, ...], share: float) -> None:
    merged = merge_maps([cell(0.1), cell(9), cell(NO)], weights, how="vote", exclusive=False)
    assert sigmoid(merged).item() == pytest.approx((share + DOUBT / 2) / (1 + DOUBT), abs=1e-6)


def test_where_classes_exclude_each_other_a_vote_goes_to_the_likeliest() -> None:
    merged = merge_maps([cell(1, 5, 2), cell(-1, -2, -3), cell(0, 1, 0)], [1, 1, 1], how="vote", exclusive=True)
    expected = (np.array([1, 2, 0]) / 3 + DOUBT / 3) / (1 + DOUBT)
    np.testing.assert_allclose(softmax(merged).ravel(), expected, atol=1e-6)


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=2, max_size=5), st.booleans())
def test_a_vote_is_a_probability_that_stays_off_0_and_1(members: list[list[float]], exclusive: bool) -> None:
    merged = merge_maps([cell(*one) for one in members], [1.0] * len(members), how="vote", exclusive=exclusive)
    assert np.isfinite(merged).all()
    probabilities = softmax(merged) if exclusive else sigmoid(merged)
    assert (probabilities > 0).all()
    assert (probabilities < 1).all()
    if exclusive:
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_all_of_one_mind_are_not_certain() -> None:
    assert probability_of_share(np.float32([0, 1]), 27).tolist() == pytest.approx([DOUBT / 27 / 1.02, (1 + DOUBT / 27) / 1.02])


def test_the_coarser_map_goes_to_the_finer_ones_grid() -> None:
    fine = np.zeros((1, 8, 6), np.float32)
    coarse = np.float32([[[0, 4], [8, 12]]])
    first, second = on_finest_grid([fine, coarse])
    assert first is fine
    assert second.shape == (1, 8, 6)
    assert second.mean() == pytest.approx(6)
    assert (np.diff(second[0], axis=0) >= 0).all()
    assert (np.diff(second[0], axis=1) >= 0).all()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.sampled_from(["mean", "vote"]))
def test_grids_may_be_finer_in_different_directions(a: int, b: int, c: int, d: int, how: Combine) -> None:
    """An even map is as even on another grid."""
    maps = [np.full((2, a, b), YES, np.float32), np.full((2, c, d), YES, np.float32)]
    merged = merge_maps(maps, [1, 1], how=how, exclusive=False)
    assert merged.shape == (2, max(a, c), max(b, d))
    assert np.ptp(merged) < 1e-5
