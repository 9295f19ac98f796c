"""From where on findings are told and gates say yes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.fitting.evidence import Matched
from dentify.fitting.thresholds import THRESHOLDS, _ladders, choose_thresholds, different_columns, gate_threshold
from seen_dents import NAMES, evidence, matched


def photos(right: float, wrong: float, count: int = 20) -> list[Matched]:
    """A dent that is there and one that is not, of these confidences."""
    found = []
    for number in range(count):
        one = matched(number, seen=[(8, 8), (40, 40)], annotated=[(8, 8)])
        one.scores[:] = np.where(one.right, right, wrong)
        found.append(one)
    return found


def test_thresholds_keep_what_helps_the_pixels() -> None:
    assert choose_thresholds(photos(0.5, 0.2), NAMES)["dent"] == 0.225  # the lowest of those that keep the wrong ones out


def test_where_wrong_ones_cost_little_the_lowest_is_as_good() -> None:
    assert choose_thresholds(photos(0.5, 0.2), NAMES, tolerance=2.0)["dent"] == pytest.approx(0.1)
    assert choose_thresholds(photos(0.5, 0.05), NAMES)["dent"] == 0.1  # never told either way


def test_half_a_percent_is_as_good_only_within_the_tolerance() -> None:
    """One photo of 200 has a wrong dent: the IoU loses about half a per cent, thrice the tolerance for type and any."""
    clean = [matched(number, seen=[(8, 8)], annotated=[(8, 8)], scores=[0.5]) for number in range(199)]
    assert choose_thresholds([*clean, *photos(0.5, 0.2, 1)], NAMES)["dent"] == 0.225
    assert choose_thresholds([*clean, *photos(0.5, 0.2, 1)], NAMES, tolerance=0.01)["dent"] == 0.1


def test_kept_thresholds_stay_and_count_for_the_others() -> None:
    found = photos(0.5, 0.2)
    assert choose_thresholds(found, NAMES, kept={"scratch": 0.37}) == {"dent": 0.225, "scratch": 0.37}
    assert choose_thresholds(found, NAMES, kept={"dent": 0.9})["dent"] == 0.9


def test_no_photo_is_no_reason_to_tell_less() -> None:
    assert choose_thresholds([], NAMES) == {"dent": 0.1, "scratch": 0.1}


def test_cells_that_are_alike_count_as_many() -> None:
    """A dent of 8 × 8 cells that is there and told, one told and not there, one there and not told."""
    one = matched(seen=[(8, 8), (40, 40)], annotated=[(8, 8), (8, 40)])
    one.scores[:] = np.where(one.right, 0.5, 0.1)
    passed, truth, cells = _ladders([one], 2)
    rows = {(int(steps[0]), bool(there[0])): int(count) for steps, there, count in zip(passed.T, truth.T, cells, strict=True)}
    assert rows == {(17, True): 64, (1, False): 64, (0, True): 64}
    assert not passed[1].any()


@given(st.integers(0, 40), st.integers(0, 30), st.sampled_from([1, 21, 255]), st.integers(0, 5))
def test_different_columns_are_those_of_numpy(rows: int, count: int, most: int, seed: int) -> None:
    """Also where one number cannot hold a column: 40 rows of up to 256 values."""
    values = np.random.default_rng(seed).integers(0, most + 1, (rows, count)).astype(np.uint8)[:, np.arange(2 * count) // 2]
    columns, counts = different_columns(values)
    if not rows or not count:
        assert counts.sum() == 2 * count
        return
    theirs, times = np.unique(values, axis=1, return_counts=True)
    np.testing.assert_array_equal(columns, theirs)
    np.testing.assert_array_equal(counts, times)


def test_types_that_nobody_labelled_are_not_damaged() -> None:
    unlabelled = evidence(annotated=[(8, 8)], labelled=("scratch",))
    nothing = matched()
    _, truth, cells = _ladders([Matched(unlabelled, nothing.findings, nothing.scores, nothing.right)], 2)
    assert (truth.size, cells.size) == (0, 0)


@given(st.floats(0.0, 1.0, width=32), st.floats(0.0, 1.0, width=32))
def test_a_threshold_is_one_of_the_ladder(right: float, wrong: float) -> None:
    chosen = choose_thresholds(photos(right, wrong, 2), NAMES)
    assert set(chosen.values()) <= {round(float(step), 3) for step in THRESHOLDS}
    assert float(THRESHOLDS[0]) == pytest.approx(0.1)
    assert float(THRESHOLDS[-1]) == pytest.approx(0.6)


def test_of_gate_thresholds_that_are_about_as_good_one_may_ask_for_the_strictest() -> None:
    """One of 200 cars at 0.4, the rest at 0.8: turning it away is half a per cent of the cars, and tells nothing."""
    truth = np.array([True] * 200 + [False] * 100)
    probabilities = np.concatenate([np.full(1, 0.4), np.full(199, 0.8), np.full(100, 0.2)]).astype(np.float32)
    assert gate_threshold(probabilities, truth, strictness=0.0) == 0.21
    assert gate_threshold(probabilities, truth, strictness=1.0) == 0.8
    assert gate_threshold(probabilities, truth, strictness=1.0, tolerance=0.0) == 0.4


def test_a_gate_may_weigh_some_photos_less() -> None:
    """One in three vehicles is a close-up with a low probability; counted in full they would pull the threshold down."""
    truth = np.array([True] * 300 + [False] * 300)
    probabilities = np.concatenate([np.full(200, 0.9), np.full(100, 0.3), np.full(240, 0.1), np.full(60, 0.5)]).astype(np.float32)
    weights = np.where(np.arange(600) // 100 == 2, 0.1, 1.0)
    assert gate_threshold(probabilities, truth) < 0.3
    assert gate_threshold(probabilities, truth, weights) > 0.5


def test_a_gate_of_one_answer_says_yes_from_a_half_on() -> None:
    assert gate_threshold(np.float32([0.2, 0.9]), np.array([True, True])) == 0.5


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=40), st.floats(0, 1))
def test_no_threshold_makes_clearly_fewer_mistakes(rows: list[tuple[float, bool]], strictness: float) -> None:
    probabilities, truth = np.float32([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = gate_threshold(probabilities, truth, strictness=strictness)
    assert 0.05 <= chosen <= 0.95
    if truth.all() or not truth.any():
        return

    def mistakes(step: float) -> float:
        exact = probabilities.astype(np.float64)  # as a gate compares them: 0.9 in single precision is below 0.9
        return float(np.mean(exact[truth] < step) + np.mean(exact[~truth] >= step))

    assert mistakes(chosen) <= min(mistakes(round(step, 2)) for step in np.arange(0.05, 0.96, 0.01)) + 0.01 + 1e-6
