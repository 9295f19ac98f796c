"""Parts as they are told, without outlines of parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dentify.assessment import Assessment, PartOfFinding
from dentify.datasets import Sample
from dentify.evaluation.parts import PartRow, part_row, parts_result

Assess = Callable[..., Assessment]


def row(*parts: str, vehicle: bool = True, findings: int = 0, named: tuple[str, ...] = ()) -> PartRow:
    return PartRow(vehicle, findings, named, frozenset(parts))


@pytest.mark.parametrize(
    ("parts", "together"),
    [
        (("hood", "front_bumper"), False),
        (("hood", "tailgate"), True),
        (("front_bumper", "back_bumper", "wheel"), True),
        (("hood", "trunk", "back_left_light"), False),
        ((), False),
    ],
)
def test_front_and_back_are_hardly_ever_on_one_photo(parts: tuple[str, ...], together: bool) -> None:
    result = parts_result([row(*parts)])
    assert (result.front_and_back.count, result.front_and_back.of) == (int(together), 1)
    assert result.no_part.count == int(not parts)


def test_findings_count_on_every_photo_and_parts_on_those_of_vehicles() -> None:
    result = parts_result([row("hood", findings=3, named=("hood",)), row(vehicle=False, findings=1), row(findings=0)])
    assert (result.findings.count, result.findings.of) == (1, 4)
    assert (result.no_part.count, result.no_part.of, result.front_and_back.of) == (1, 2, 2)
    assert result.findings.interval is not None
    assert result.findings.interval[0] < 0.25 < result.findings.interval[1]


def test_a_network_that_calls_everything_a_wheel_shows() -> None:
    result = parts_result([row(findings=3, named=("wheel", "hood")), row(findings=2, named=("wheel", "wheel"))])
    assert (result.most_named, result.same_part.count, result.same_part.of) == ("wheel", 3, 4)
    even = parts_result([row(findings=2, named=("wheel", "hood"))])
    assert (even.most_named, even.same_part.count) == ("hood", 1)
    assert parts_result([row(findings=2)]).most_named is None


def test_without_photos_there_is_no_share() -> None:
    result = parts_result([])
    assert (result.findings.share, result.no_part.share, result.front_and_back.share) == (None, None, None)


@pytest.mark.parametrize(
    ("known", "told", "vehicle"),
    [
        pytest.param({"vehicle": True}, 0.1, True, id="what is known comes first"),
        pytest.param({"vehicle": False}, 0.9, False, id="here too"),
        pytest.param({}, 0.9, True, id="else what is told"),
        pytest.param({}, 0.1, False, id="no vehicle is told"),
        pytest.param({}, None, False, id="nothing is"),
    ],
)
def test_a_photo_is_of_a_vehicle_as_known_or_told(
    make_assessment: Assess, known: dict[str, Any], told: float | None, vehicle: bool
) -> None:
    assert part_row(make_assessment("a", vehicle=told), Sample(b"", "a", **known)).vehicle == vehicle


def test_a_row_is_what_the_photo_was_told_to_show(make_assessment: Assess) -> None:
    answer = make_assessment("a", [("dent", 0.9, (0, 0, 5, 5)), ("dent", 0.8, (9, 9, 15, 15)), ("hood", 0.9, (0, 0, 9, 9))])
    on_hood = PartOfFinding(name="hood", confidence=0.9, share_of_finding=1.0, share_of_part=0.1)
    first, second = answer.findings
    answer = answer.model_copy(update={"findings": (first.model_copy(update={"parts": (on_hood,)}), second)})
    assert part_row(answer, Sample(b"", "a")) == replace(row("hood"), findings=2, named=("hood",))
