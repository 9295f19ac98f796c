"""Parts as they are told, by what can be asked without outlines of them: are findings given a part, and can the parts be true?

A finding without a part leaves a reader asking where it is. Where nearly all name the same one, a network calls everything by one
name. And front and back of a vehicle are hardly ever on one photo: of 450
whole views whose parts were outlined 14 show both. Where both are told far more often, parts are named wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dentify.assessment import Assessment
from dentify.datasets.sample import Sample, has_vehicle
from dentify.evaluation.gates import share_of
from dentify.evaluation.results import NamingResult

FRONT = frozenset({"front_bumper", "hood"})
BACK = frozenset({"back_bumper", "tailgate"})
"""Lights and fenders are not among them: they are seen from the side, too."""


@dataclass(frozen=True)
class PartRow:
    """What one photo was told to show. `vehicle`: whether it shows one, as is known of it, or as it was told."""

    vehicle: bool
    findings: int
    named: tuple[str, ...]
    """The first part of each finding that names any."""
    parts: frozenset[str]


def part_row(assessment: Assessment, sample: Sample) -> PartRow:
    """The parts of an assessment."""
    known = has_vehicle(sample)
    told = assessment.vehicle is not None and assessment.vehicle.present
    return PartRow(
        vehicle=told if known is None else known,
        findings=len(assessment.findings),
        named=tuple(finding.parts[0].name for finding in assessment.findings if finding.parts),
        parts=frozenset(part.name for part in assessment.parts),
    )


def parts_result(rows: Sequence[PartRow]) -> NamingResult:
    """Shares of findings and of photos of vehicles."""
    vehicles = [row.parts for row in rows if row.vehicle]
    named = [name for row in rows for name in row.named]
    most_named = min(set(named), key=lambda name: (-named.count(name), name), default=None)
    return NamingResult(
        findings=share_of([place < len(row.named) for row in rows for place in range(row.findings)]),
        most_named=most_named,
        same_part=share_of([name == most_named for name in named]),
        no_part=share_of([not parts for parts in vehicles]),
        front_and_back=share_of([bool(parts & FRONT and parts & BACK) for parts in vehicles]),
    )
