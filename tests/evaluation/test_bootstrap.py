"""Resampling photos."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.evaluation.bootstrap import interval, photo_weights, wilson


def test_a_seed_gives_the_same_resamples_and_another_gives_others() -> None:
    np.testing.assert_array_equal(photo_weights(10, 20, seed=1), photo_weights(10, 20, seed=1))
    assert (photo_weights(10, 20, seed=1) != photo_weights(10, 20, seed=2)).any()
    assert photo_weights(0, 5, seed=0).shape == (5, 0)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.arange(400) % 2
    resampled = photo_weights(400, 4000, seed=0) @ values / 400
    ends = interval(resampled)
    assert ends is not None
    assert ends == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_resamples_without_such_a_thing_are_left_out() -> None:
    assert interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert interval(np.array([np.nan])) is None


def test_a_share_of_no_photos_has_no_interval_and_one_of_0_has() -> None:
    assert wilson(0, 0) is None
    low, high = wilson(0, 50) or (1, 1)
    assert low == pytest.approx(0.0, abs=1e-12)
    assert 0.05 < high < 0.1
