"""Questions of whole photos: what is known of each photo, what is said of it, and the figures of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dentify.assessment import Assessment
from dentify.evaluation.bootstrap import photo_weights
from dentify.evaluation.classification import UNKNOWN
from dentify.evaluation.gates import gate_row
from dentify.evaluation.questions import (
    ANSWERS,
    Question,
    TypesRow,
    _confidences,
    class_figures,
    confusion,
    gate_question,
    question_result,
    severity_question,
    types_question,
)

Assess = Callable[..., Assessment]
TYPES = ("dent", "scratch")


def row(*shown: bool | None, told: tuple[bool, ...], probabilities: tuple[float, ...]) -> TypesRow:
    return TypesRow(TYPES, shown, told, probabilities)


def test_a_gate_is_asked_of_photos_whose_answer_is_known(make_assessment: Assess) -> None:
    rows = [
        gate_row(make_assessment("a", vehicle=0.9, damage=0.8), "damaged", None),
        gate_row(make_assessment("b", vehicle=0.7, damage=0.4), "undamaged", None),
        gate_row(make_assessment("c", vehicle=0.2, damage=0.9), "no_vehicle", None),
        gate_row(make_assessment("d", vehicle=0.6, damage=0.9), "vehicle", None),
        gate_row(make_assessment("e", vehicle=0.6, damage=0.9), "undamaged_crops", None),
    ]
    vehicle, damage = gate_question("vehicle", rows), gate_question("damage", rows)
    assert vehicle.truth[:, 1].tolist() == [1, 1, 0, 1]
    assert damage.truth[:, 1].tolist() == [1, 0]
    assert damage.scores[:, 1].tolist() == pytest.approx([0.8, 0.4])
    assert damage.told[:, 1].tolist() == [True, False]


def test_the_damage_gate_is_judged_by_itself_where_a_photo_is_turned_away(make_assessment: Assess) -> None:
    turned_away, ungated = make_assessment("a", vehicle=0.1, damage=None), make_assessment("a", vehicle=0.1, damage=0.9)
    question = gate_question("damage", [gate_row(turned_away, "damaged", None, ungated=ungated)])
    assert (question.told[0, 1], question.scores[0, 1]) == (True, 0.9)


def test_what_a_gate_says_nothing_of_is_a_no_and_a_missing_gate_no_question(make_assessment: Assess) -> None:
    blank = gate_row(make_assessment("a", damage=None), "damaged", None)
    asked = gate_question("damage", [blank, gate_row(make_assessment("b", damage=0.8), "damaged", None)])
    assert asked.told[:, 1].tolist() == [False, True]
    assert asked.scores[:, 1].tolist() == [0.0, 0.8]
    nothing = gate_question("damage", [blank])
    assert len(nothing) == 0
    assert question_result(nothing, resamples=5, seed=0) is None


def test_types_are_asked_one_by_one_where_they_are_known() -> None:
    rows = [
        row(True, None, told=(True, True), probabilities=(0.9, 0.8)),
        row(False, True, told=(True, False), probabilities=(0.6, 0.4)),
        row(None, None, told=(True, True), probabilities=(0.9, 0.9)),
    ]
    question = types_question(rows, TYPES, exclusive=False)
    assert question.truth.tolist() == [[1, UNKNOWN], [0, 1]]
    result = question_result(question, resamples=20, seed=0)
    assert result is not None
    assert result.accuracy.value == pytest.approx(1 / 3)
    assert (result.confusion_columns, result.confusion) == (ANSWERS, ((1, 1, 0, 0), (0, 0, 1, 0)))
    assert (result.per_class["scratch"].photos, result.per_class["scratch"].told) == (1, 0)
    assert result.per_class["dent"].auroc.value == 1.0
    assert result.per_class["scratch"].auroc.value is None  # no photo is known without one


def test_exclusive_types_are_asked_where_it_is_known_that_a_photo_shows_one() -> None:
    rows = [
        row(True, False, told=(True, False), probabilities=(0.9, 0.1)),
        row(False, True, told=(False, False), probabilities=(0.55, 0.45)),
        row(True, True, told=(True, False), probabilities=(0.9, 0.1)),
        row(False, False, told=(True, False), probabilities=(0.9, 0.1)),
        row(True, None, told=(True, False), probabilities=(0.9, 0.1)),
    ]
    question = types_question(rows, TYPES, exclusive=True)
    assert len(question) == 2
    columns, matrix = confusion(question)
    assert columns == ("dent", "scratch", "none told")
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 1]]


def test_a_class_that_no_photo_shows_has_no_recall_and_is_in_no_mean() -> None:
    rows = [row(True, False, told=(True, False), probabilities=(0.9, 0.1))] * 3
    result = question_result(types_question(rows, TYPES, exclusive=True), resamples=20, seed=0)
    assert result is not None
    scratch = result.per_class["scratch"]
    assert (scratch.photos, scratch.recall.value, scratch.recall.interval, scratch.auroc.value) == (0, None, None, None)
    assert (result.recall.value, result.recall.over) == (1.0, ("dent",))
    assert (result.auroc.value, result.auroc.over) == (None, ())


def test_of_two_exclusive_types_the_likelier_one_is_what_is_said() -> None:
    rows = [
        row(True, False, told=(True, False), probabilities=(0.9, 0.1)),
        row(False, True, told=(True, False), probabilities=(0.7, 0.3)),
    ]
    confidences, right = _confidences(types_question(rows, TYPES, exclusive=True))
    assert (confidences.tolist(), right.tolist()) == ([0.9, 0.7], [True, False])


def test_severity_has_the_confidence_of_the_level_that_is_told_alone() -> None:
    question = severity_question([("minor", "minor"), ("severe", "minor"), ("severe", None)], [0.8, 0.6, None])
    result = question_result(question, resamples=20, seed=0)
    assert result is not None
    assert result.confusion == ((1, 0, 0, 0), (0, 0, 0, 0), (1, 0, 0, 1))
    assert result.auroc.value is None
    assert result.ece == pytest.approx(abs(0.7 - 0.5))  # of the two that were told
    assert result.accuracy.value == pytest.approx(1 / 3)


def test_figures_hold_their_value_within_the_interval_of_resampled_photos() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(200) < 0.4
    scores = np.clip(truth * 0.3 + rng.random(200) * 0.7, 0, 1)
    told = scores > 0.5
    question = Question(
        ("no", "yes"),
        True,
        np.stack([~truth, truth], 1).astype(np.int8),
        np.stack([~told, told], 1),
        np.stack([1 - scores, scores], 1),
    )
    result = question_result(question, resamples=300, seed=0)
    assert result is not None
    for mean in (result.accuracy, result.balanced_accuracy, result.f1, result.auroc, result.per_class["yes"].average_precision):
        assert mean.value is not None
        assert mean.interval is not None
        assert mean.interval[0] < mean.value < mean.interval[1]
    assert result.per_class["no"].auroc.value == pytest.approx(result.per_class["yes"].auroc.value)


def test_a_resample_gives_the_figures_of_its_photos() -> None:
    rng = np.random.default_rng(2)
    shown: Any = rng.integers(-1, 2, (12, 2)).astype(np.int8)
    question = Question(TYPES, False, shown, rng.random((12, 2)) < 0.5, rng.random((12, 2)))
    weights = photo_weights(12, 4, seed=3)
    whole, of_class = class_figures(question, weights)
    for number, weight in enumerate(weights):
        drawn = np.repeat(np.arange(12), weight)
        copied = Question(TYPES, False, shown[drawn], question.told[drawn], question.scores[drawn])
        again, of_class_again = class_figures(copied, weights[:0, : len(drawn)])
        for figures, others in ((whole, again), (of_class["dent"], of_class_again["dent"])):
            for key, (_, resampled) in figures.items():
                expected = others[key][0]
                np.testing.assert_allclose(resampled[number], np.nan if expected is None else expected)
