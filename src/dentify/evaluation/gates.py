"""The gates: is there a vehicle, is it damaged, and how often that is wrong, by kind of photo and by source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dentify.assessment import Assessment, Presence
from dentify.certainty import certainty_of
from dentify.evaluation.bootstrap import wilson
from dentify.evaluation.classification import auroc
from dentify.evaluation.results import GateResult, GatesResult, Share

KINDS = ("damaged", "undamaged", "undamaged_crops", "vehicle", "no_vehicle")
"""`vehicle` is a photo of a vehicle of which nobody said whether it is damaged."""


@dataclass(frozen=True)
class GateRow:
    """What the gates said of one photo. Probabilities are of *yes*; `None` where the gate did not run.

    That of damage is the gate's own, also where damage that could not be placed is told as no more than possible. `damage_alone`
    is the same of the damage gate asked by itself, also where the photo is turned away as no vehicle.
    """

    kind: str
    source: str
    vehicle: float | None
    damage: float | None
    vehicle_present: bool | None
    damage_present: bool | None
    findings: int | None
    damage_alone: float | None
    damage_alone_present: bool | None
    clear: tuple[str, ...] = ()
    """Of `vehicle` and `damage`, whose answer is told as clear."""


def gate_row(
    assessment: Assessment, kind: str, source: str | None, *, ungated: Assessment | None = None, finds: bool = True
) -> GateRow:
    """The gates' part of an assessment.

    Args:
        assessment: as told.
        kind: of photo.
        source: of the photo.
        ungated: the same look, told without gates, where that says more of damage.
        finds: whether the bundle tells findings.
    """
    alone = (ungated or assessment).damage
    answers = {"vehicle": assessment.vehicle, "damage": assessment.damage}
    return GateRow(
        kind=kind,
        source=source or "unnamed",
        vehicle=_probability(assessment.vehicle),
        damage=_probability(None if assessment.damage is None else alone),
        vehicle_present=None if assessment.vehicle is None else assessment.vehicle.present,
        damage_present=None if assessment.damage is None else assessment.damage.present,
        findings=len(assessment.findings) if finds else None,
        damage_alone=_probability(alone),
        damage_alone_present=None if alone is None else alone.present,
        clear=tuple(gate for gate, told in answers.items() if told and certainty_of(told.confidence) == "clear"),
    )


def gates_result(rows: Sequence[GateRow]) -> GatesResult:
    """Shares by kind of photo and by source, and AUROC."""
    asks = any(row.damage_alone is not None for row in rows)
    kinds = {kind: gate_result([row for row in rows if row.kind == kind], asks_damage=asks) for kind in KINDS}
    sources: dict[str, dict[str, GateResult]] = {}
    for kind, source in sorted({(row.kind, row.source) for row in rows}):
        of_source = [row for row in rows if (row.kind, row.source) == (kind, source)]
        sources.setdefault(kind, {})[source] = gate_result(of_source, asks_damage=asks)
    whole = [row for row in rows if row.kind != "undamaged_crops"]
    vehicle = [(row.vehicle, row.kind != "no_vehicle") for row in whole if row.vehicle is not None]
    damage = [
        (row.damage, row.kind == "damaged") for row in whole if row.damage is not None and row.kind in ("damaged", "undamaged")
    ]
    return GatesResult(
        kinds={kind: result for kind, result in kinds.items() if result.photos},
        sources=sources,
        vehicle_auroc=_auroc(vehicle),
        damage_auroc=_auroc(damage),
    )


def gate_result(rows: Sequence[GateRow], *, asks_damage: bool = True) -> GateResult:
    """Shares of some photos. One turned away as no vehicle is not flagged as damaged, which is what its user sees.

    Args:
        rows: of the photos.
        asks_damage: whether the bundle has a damage gate at all.
    """
    vehicle = [row.vehicle_present for row in rows if row.vehicle_present is not None]
    flagged = [row for row in rows if row.damage_present is not None or (asks_damage and row.vehicle_present is False)]
    damage = [bool(row.damage_present) for row in flagged]
    findings = [row.findings for row in rows if row.findings is not None]
    return GateResult(
        photos=len(rows),
        vehicle=share_of(vehicle),
        damage=share_of(damage),
        with_findings=share_of([count > 0 for count in findings]),
        clear_vehicle=share_of([row.vehicle_present == (row.kind != "no_vehicle") for row in rows if "vehicle" in row.clear]),
        clear_damage=share_of(
            [
                row.damage_present == (row.kind == "damaged")
                for row in rows
                if "damage" in row.clear and row.kind in ("damaged", "undamaged", "undamaged_crops")
            ]
        ),
        findings_per_photo=sum(findings) / len(findings) if findings else None,
    )


def share_of(answers: Sequence[bool]) -> Share:
    """How many of some answers are yes."""
    count, of = sum(answers), len(answers)
    return Share(count=count, of=of, share=count / of if of else None, interval=wilson(count, of))


def _probability(presence: Presence | None) -> float | None:
    """Of *yes*; the assessment tells the confidence of the answer given."""
    if presence is None:
        return None
    return presence.confidence if presence.present else 1.0 - presence.confidence


def _auroc(pairs: Sequence[tuple[float, bool]]) -> float | None:
    scores = np.array([score for score, _ in pairs], np.float64)
    return auroc(scores, np.array([positive for _, positive in pairs], np.bool_))
