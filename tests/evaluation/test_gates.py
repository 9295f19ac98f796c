"""Gates, by kind of photo and source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dentify.assessment import Assessment
from dentify.evaluation.gates import gate_row, gates_result

Assess = Callable[..., Assessment]


def test_a_photo_turned_away_counts_as_not_flagged(make_assessment: Assess) -> None:
    rows = [
        gate_row(make_assessment("a", vehicle=0.9, damage=0.8), "damaged", "x"),
        gate_row(make_assessment("b", vehicle=0.2, damage=None), "damaged", "y"),
    ]
    result = gates_result(rows)
    assert (result.kinds["damaged"].damage.count, result.kinds["damaged"].damage.of) == (1, 2)
    assert result.kinds["damaged"].vehicle.share == 0.5
    assert result.sources["damaged"]["y"].damage.share == 0.0
    assert set(result.kinds) == {"damaged"}


def test_false_findings_of_undamaged_photos_are_counted(make_assessment: Assess) -> None:
    found = [("dent", 0.9, (0, 0, 5, 5)), ("dent", 0.9, (9, 9, 15, 15))]
    rows = [
        gate_row(make_assessment("a", found), "undamaged", None),
        gate_row(make_assessment("b", damage=0.1), "undamaged", None),
    ]
    undamaged = gates_result(rows).kinds["undamaged"]
    assert undamaged.findings_per_photo == 1.0
    assert undamaged.with_findings.share == 0.5
    assert undamaged.damage.share == 0.5


def test_auroc_is_of_the_probability_of_yes(make_assessment: Assess) -> None:
    rows = [
        gate_row(make_assessment("a", vehicle=0.9, damage=0.4), "damaged", None),
        gate_row(make_assessment("b", vehicle=0.7, damage=0.1), "undamaged", None),
        gate_row(make_assessment("c", vehicle=0.8, damage=None), "no_vehicle", None),
        gate_row(make_assessment("d", vehicle=0.1, damage=0.9), "undamaged_crops", None),
        gate_row(make_assessment("e", vehicle=0.8, damage=0.9), "vehicle", None),  # damaged or not: nobody said
    ]
    result = gates_result(rows)
    assert result.damage_auroc == 1.0
    assert result.vehicle_auroc == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_gate_that_did_not_run_has_no_share(make_assessment: Assess) -> None:
    result = gates_result([gate_row(make_assessment("a", vehicle=None, damage=None), "damaged", None)])
    assert result.kinds["damaged"].damage.share is None
    assert result.kinds["damaged"].vehicle.interval is None
    assert result.vehicle_auroc is None


def test_shares_come_with_an_interval(make_assessment: Assess) -> None:
    rows = [gate_row(make_assessment("a", damage=0.9 if number < 92 else 0.1), "damaged", None) for number in range(100)]
    interval = gates_result(rows).kinds["damaged"].damage.interval
    assert interval == pytest.approx((0.850, 0.959), abs=0.001)


def test_what_is_called_clear_is_held_against_the_truth(make_assessment: Assess) -> None:
    rows = [
        gate_row(make_assessment("a", vehicle=0.95, damage=0.95), "damaged", "x"),
        gate_row(make_assessment("b", vehicle=0.95, damage=0.05), "damaged", "y"),
        gate_row(make_assessment("c", vehicle=0.6, damage=0.8), "damaged", "y"),
        gate_row(make_assessment("d", vehicle=0.97, damage=None), "no_vehicle", None),
        gate_row(make_assessment("e", vehicle=0.95, damage=0.99), "vehicle", None),
    ]
    result = gates_result(rows)
    assert [
        (share.count, share.of) for share in (result.kinds["damaged"].clear_vehicle, result.kinds["damaged"].clear_damage)
    ] == [
        (2, 2),
        (1, 2),
    ]
    assert (result.sources["damaged"]["y"].clear_damage.count, result.sources["damaged"]["y"].clear_damage.of) == (0, 1)
    assert (result.kinds["no_vehicle"].clear_vehicle.count, result.kinds["no_vehicle"].clear_vehicle.of) == (0, 1)
    assert result.kinds["vehicle"].clear_damage.share is None
