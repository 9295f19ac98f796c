"""Calibration error and AUROC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.evaluation import auroc, error_by_chance, expected_calibration_error, reliability

answers = st.lists(st.tuples(st.integers(0, 10).map(lambda tenth: tenth / 10), st.booleans()), min_size=1, max_size=60)


@given(answers)
def test_auroc_is_the_share_of_pairs_in_order(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs])
    positive = np.array([right for _, right in pairs])
    if positive.all() or not positive.any():
        assert auroc(scores, positive) is None
        return
    higher = scores[positive][:, None] - scores[~positive][None]
    assert auroc(scores, positive) == pytest.approx(((higher > 0) + 0.5 * (higher == 0)).mean())


@given(answers)
def test_bins_hold_all_findings_in_equal_number(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs])
    right = np.array([right for _, right in pairs])
    bins = reliability(scores, right, least=2)
    sizes = [one.count for one in bins]
    assert sum(sizes) == len(pairs)
    assert max(sizes) - min(sizes) <= 1
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    error = expected_calibration_error(bins)
    assert error is not None
    assert 0 <= error <= 1


def test_few_findings_have_few_bins() -> None:
    """0.5 told, half of 120 right, in no order: ten bins of twelve would call chance an error."""
    right = np.random.default_rng(0).random(120) < 0.5
    assert len(reliability(np.full(120, 0.5), right)) == 2
    assert len(reliability(np.full(20, 0.5), right[:20])) == 1


def test_a_constant_is_calibrated_and_tells_nothing() -> None:
    right = np.array([True, False] * 50)
    confidences = np.full(100, 0.5)
    error = expected_calibration_error(reliability(confidences, right))
    assert error == pytest.approx(0.0)
    assert auroc(confidences, right) == 0.5


def test_sureness_beyond_what_is_right_is_the_error() -> None:
    right = np.arange(1000) % 2 == 0
    assert expected_calibration_error(reliability(np.full(1000, 0.9), right)) == pytest.approx(0.4)
    assert expected_calibration_error(()) is None
    assert error_by_chance(()) is None


def test_true_confidences_show_an_error_by_chance_on_few_findings() -> None:
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.1, 0.9, 350)
    errors = [expected_calibration_error(reliability(confidences, rng.random(350) < confidences)) for _ in range(400)]
    assert error_by_chance(reliability(confidences, confidences > 0.5)) == pytest.approx(np.mean(errors), rel=0.06)
