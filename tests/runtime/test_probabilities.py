"""Logits and scores as probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import GateCalibration, ScoreCalibration
from dentify.runtime.probabilities import calibrated, gate_probability, log_of_mean, logit_of_mean, sigmoid, softmax

LOGITS = st.floats(-1e4, 1e4)


@given(st.lists(LOGITS, min_size=1, max_size=20))
def test_sigmoid_is_the_textbooks_and_never_overflows(logits: list[float]) -> None:
    x = np.clip(np.array(logits), -500, 500)
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x)), atol=1e-6)


@given(st.lists(LOGITS, min_size=1, max_size=20))
def test_softmax_sums_to_one(logits: list[float]) -> None:
    assert softmax(np.array(logits)).sum() == pytest.approx(1, abs=1e-5)


def test_softmax_of_maps_is_along_the_channels() -> None:
    np.testing.assert_allclose(softmax(np.zeros((4, 2, 3))), np.full((4, 2, 3), 0.25))


def test_a_gates_probability_is_its_logit_by_temperature_and_bias() -> None:
    assert gate_probability(3.0, GateCalibration(temperature=2.0, bias=-0.5)) == pytest.approx(1 / (1 + np.exp(-1.0)))


def test_one_member_speaks_for_itself() -> None:
    levels = np.float32([3.5, -200.0])
    assert logit_of_mean([-200.0], [2.0]) == -200.0
    assert log_of_mean([levels], [2.0]) is levels


def test_several_members_probabilities_are_averaged_by_weight() -> None:
    logit = logit_of_mean([np.log(0.9 / 0.1), np.log(0.5 / 0.5)], [3.0, 1.0])
    assert sigmoid(np.array(logit)) == pytest.approx(0.8, abs=1e-6)
    logits = log_of_mean([np.log(np.float32([0.9, 0.1])), np.float32([0, 0])], [3.0, 1.0])
    np.testing.assert_allclose(softmax(logits), [0.8, 0.2], atol=1e-6)


@given(st.lists(LOGITS, min_size=1, max_size=4), st.floats(0.1, 10), st.floats(-5, 5))
def test_a_gate_is_always_a_probability(logits: list[float], temperature: float, bias: float) -> None:
    logit = logit_of_mean(logits, [1.0] * len(logits))
    assert 0 <= gate_probability(logit, GateCalibration(temperature=temperature, bias=bias)) <= 1


@given(st.lists(st.tuples(LOGITS, LOGITS, LOGITS), min_size=2, max_size=4))
def test_an_ensembles_levels_are_finite(logits: list[tuple[float, float, float]]) -> None:
    assert np.isfinite(log_of_mean([np.float32(each) for each in logits], [1.0] * len(logits))).all()


def test_curves_are_straight_between_points_and_flat_outside() -> None:
    curve = ScoreCalibration(x=(0.2, 0.4, 0.8), y=(0.1, 0.3, 0.9))
    scores = np.array([0.0, 0.3, 0.6, 1.0], np.float32)
    np.testing.assert_allclose(calibrated(scores, np.zeros(4, np.int64), [curve]), [0.1, 0.2, 0.6, 0.9], atol=1e-6)
    np.testing.assert_allclose(calibrated(scores, np.zeros(4, np.int64), [None]), scores)


def test_no_scores_are_no_confidences() -> None:
    empty = np.zeros(0, np.float32)
    assert calibrated(empty, np.zeros(0, np.int64), [None]).shape == (0,)


def test_scores_are_not_written_into() -> None:
    scores = np.array([0.5], np.float32)
    calibrated(scores, np.zeros(1, np.int64), [ScoreCalibration(x=(0, 1), y=(1, 1))])
    assert scores[0] == 0.5
