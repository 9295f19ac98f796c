"""From scores and logits to confidences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import ScoreCalibration
from dentify.fitting.confidence import calibrate, curve_of, fit_curves, fit_gate, fit_temperature, gate_probabilities
from seen_dents import NAMES, matched, scored


def half_right(count: int = 400):
    """Right findings score 0.5 to 1, wrong ones 0.3 to 0.8, as many of either."""
    rng = np.random.default_rng(0)
    right = rng.random(count) < 0.5
    return scored(right.tolist(), np.where(right, rng.uniform(0.5, 1.0, count), rng.uniform(0.3, 0.8, count)).tolist())


def test_curves_say_how_often_scores_are_right() -> None:
    curve = fit_curves([half_right()], NAMES)["dent"]
    assert np.interp(0.9, curve.x, curve.y) > 0.9
    assert np.interp(0.4, curve.x, curve.y) < 0.15
    assert np.interp(0.65, curve.x, curve.y) == pytest.approx(0.5, abs=0.15)


def test_a_type_without_right_findings_shares_the_curve_of_all() -> None:
    curves = fit_curves([half_right(), scored([False] * 100, [0.9] * 100, class_id=1)], NAMES)
    assert curves["scratch"] == fit_curves([half_right(), scored([False] * 100, [0.9] * 100)], NAMES)["dent"]
    assert curves["scratch"] != curves["dent"]


def test_too_few_findings_make_no_curve() -> None:
    assert fit_curves([half_right(40)], NAMES) == {}
    assert fit_curves([], NAMES) == {}


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=200), st.integers(1, 30))
def test_curves_rise_from_0_to_1_and_stay_within(findings: list[tuple[float, bool]], least: int) -> None:
    scores, right = (np.array(column) for column in zip(*findings, strict=True))
    curve = curve_of(scores.astype(np.float32), right.astype(np.float64), least, 10)  # the manifest refuses what falls
    assert (curve.x[0], curve.x[-1]) == (0.0, 1.0)
    assert 0 < curve.y[-1] < 1


def test_a_curve_by_hand() -> None:
    """Two bins, each with half a right and half a wrong one imagined; beyond them half the way to 0, and towards 1."""
    scores = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 0.8], np.float32)
    right = np.array([0, 0, 0, 1, 1, 1], np.float64)
    curve = curve_of(scores, right, 2, 2)
    assert curve.x == pytest.approx((0, 0.2, 0.8, 1))
    assert curve.y == pytest.approx((0.15, 0.3, 2.5 / 3, 2.5 / 3 + 0.5 * (0.5 / 3) * 0.2), abs=1e-4)


def test_the_surest_bin_holds_as_many_findings_as_the_others() -> None:
    """Most of the right ones are the last of many: bins of as many right ones each would leave four for the last."""
    scores = np.linspace(0, 1, 400, dtype=np.float32)
    right = (np.arange(400) >= 370).astype(np.float64)
    curve = curve_of(scores, right, 25, 10)
    assert curve.x[-2] < scores[-25:].mean() + 1e-3, "the mean of the last 25 or more"


@given(st.permutations(range(60)))
def test_the_order_of_findings_does_not_matter(order: list[int]) -> None:
    rng = np.random.default_rng(1)
    scores = rng.permutation(np.linspace(0, 1, 60)).astype(np.float32)
    right = (scores > rng.uniform(0, 1, 60)).astype(np.float64)
    assert curve_of(scores[order], right[order], 10, 5) == curve_of(scores, right, 10, 5)


def test_confidences_take_the_place_of_scores() -> None:
    curve = ScoreCalibration(x=(0.0, 1.0), y=(0.0, 0.5))
    found = matched(seen=[(8, 8), (40, 40)], scores=[0.8, 0.6])
    assert calibrate([found], {"dent": curve}, NAMES)[0].scores.tolist() == pytest.approx([0.4, 0.3])
    assert calibrate([found], {"scratch": curve}, NAMES)[0].scores.tolist() == pytest.approx([0.8, 0.6])
    assert found.scores.tolist() == pytest.approx([0.8, 0.6])


def test_a_gate_is_sure_where_its_logits_part_and_even_where_they_mix() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.9  # many more yes than no
    logits = (np.where(truth, 5.0, 1.0) + rng.normal(0, 1, 2000)).astype(np.float32)
    unsure, sure, surely_not = gate_probabilities(np.array([3.0, 6.0, 0.0]), fit_gate(logits, truth))
    assert unsure == pytest.approx(0.5, abs=0.1)
    assert sure > 0.9
    assert surely_not < 0.1


def test_a_gate_of_one_answer_stays_as_it_is() -> None:
    assert fit_gate(np.float32([1, 2]), np.array([True, True])) == fit_gate(np.float32([1, 2]), np.array([False, False]))
    assert gate_probabilities(np.zeros(1), fit_gate(np.float32([1]), np.array([True]))).tolist() == [0.5]


def test_photos_of_small_weight_hardly_move_a_gate() -> None:
    """A third of the vehicles are close-ups with low logits; counted in full they move the middle by two."""
    truth = np.array([True] * 300 + [False] * 300)
    rng = np.random.default_rng(0)
    logits = np.concatenate([np.full(200, 6.0), np.full(100, 0.0), np.full(300, -2.0)]) + rng.normal(0, 1, 600)
    close_up = (np.arange(600) >= 200) & truth

    def middle(weights: np.ndarray | None) -> float:
        gate = fit_gate(logits, truth, weights)
        return -gate.bias * gate.temperature

    without = fit_gate(logits[~close_up], truth[~close_up])
    assert middle(np.where(close_up, 1e-6, 1.0)) == pytest.approx(-without.bias * without.temperature, abs=0.05)
    assert middle(None) < middle(np.where(close_up, 0.25, 1.0)) - 0.2


def test_a_temperature_makes_the_overconfident_modest() -> None:
    """Logits of 6 against 0 and 0 say 99.5 %; the level is right on two of three photos."""
    logits = [np.float32([6.0, 0.0, 0.0])] * 300
    truth = [0 if number % 3 else 1 for number in range(300)]
    surest = np.exp(6 / fit_temperature(logits, truth).temperature)
    assert surest / (surest + 2) == pytest.approx(2 / 3, abs=0.01)
    assert fit_temperature(logits[:10], truth[:10]).temperature == 1.0
