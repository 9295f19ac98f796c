"""Severity of photos and findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dentify.evaluation.outlines import Things
from dentify.evaluation.severity import confusion, judged_findings, macro_recall

Make = Callable[..., Things]


def test_always_saying_minor_is_chance_and_saying_nothing_is_a_miss() -> None:
    levels = ["minor"] * 8 + ["moderate", "severe"]
    assert macro_recall(confusion((level, "minor") for level in levels)) == pytest.approx(1 / 3)
    assert macro_recall(confusion((level, None) for level in levels)) == 0.0
    assert macro_recall(confusion([])) is None


def test_each_annotation_takes_the_finding_that_lies_best_on_it_whatever_its_type(make_things: Make) -> None:
    truth = make_things([("dent", 1.0, (0, 0, 10, 10)), ("dent", 1.0, (30, 0, 40, 10)), ("dent", 1.0, (0, 20, 5, 25))])
    truth = replace(truth, severities=("minor", "severe", None))
    found = make_things([("scratch", 0.2, (0, 0, 10, 9)), ("dent", 0.9, (0, 0, 10, 6)), ("dent", 0.9, (50, 30, 55, 35))])
    found = replace(found, severities=("moderate", "severe", "minor"))
    assert judged_findings(found, truth) == [("minor", "moderate"), ("severe", None)]
    assert judged_findings(make_things([]), truth) == [("minor", None), ("severe", None)]


@pytest.mark.parametrize(
    ("height", "told"),
    [
        pytest.param(4, None, id="an IoU of 0.4 is another damage"),
        pytest.param(5, "moderate", id="of 0.5 the same"),
        pytest.param(6, "moderate", id="of 0.6, too"),
    ],
)
def test_a_finding_lies_on_an_annotation_from_an_iou_of_a_half_on(make_things: Make, height: int, told: str | None) -> None:
    truth = replace(make_things([("dent", 1.0, (0, 0, 10, 10))]), severities=("minor",))
    found = replace(make_things([("dent", 0.9, (0, 0, 10, height))]), severities=("moderate",))
    assert judged_findings(found, truth) == [("minor", told)]
