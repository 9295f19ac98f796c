"""How an assessment stands among others: whether it tells damage, whether a person should look, and what comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dentify.assessment import Assessment, Finding, PhotoType
from dentify.certainty import certainty_of
from dentify.taxonomy import SEVERITY_LEVELS


def is_damaged(assessment: Assessment) -> bool:
    """Whether the answer is that the vehicle is clearly or probably damaged, as the first line of its report says it.

    What is only possible, or what the damage gate sees and no finding bears out, is a reason to look and not counted here.
    """
    if assessment.vehicle is not None and not assessment.vehicle.present:
        return False
    if assessment.damage is not None:
        borne_out = all(reason.code != "stages_disagree" for reason in assessment.review.reasons)
        return assessment.damage.present and borne_out and certainty_of(assessment.damage.confidence) != "possible"
    told: list[Finding | PhotoType] = [*assessment.findings, *(assessment.types or ())]
    return any(certainty_of(one.confidence) != "possible" for one in told)


def worst_level(assessment: Assessment) -> int:
    """How bad it is: 0 where nobody knows, then 1 for minor to 3 for severe; that of the photo, else of its worst finding."""
    levels = [finding.severity for finding in assessment.findings] if assessment.severity is None else [assessment.severity]
    return max((SEVERITY_LEVELS.index(one.level) + 1 for one in levels if one is not None), default=0)


class Standing(NamedTuple):
    """What photos are sorted by, smallest first: damaged and to be looked at, damaged, to be looked at, all others."""

    group: int
    mildness: int
    fewness: int
    name: str


def standing(assessment: Assessment) -> Standing:
    """A photo's place among others."""
    damaged, look = is_damaged(assessment), assessment.review.needed
    group = 0 if damaged and look else 1 if damaged else 2 if look else 3
    return Standing(group, -worst_level(assessment), -len(assessment.findings), assessment.photo.name)


@dataclass
class Tally:
    """What a run's closing lines tell."""

    assessed: int = 0
    kept: int = 0
    damaged: int = 0
    to_look_at: int = 0
    failed: int = 0

    def add(self, assessment: Assessment, *, kept: bool = False) -> None:
        """Counts an answer; one that is `kept` was given by an earlier run."""
        self.kept += kept
        self.assessed += not kept
        self.damaged += is_damaged(assessment)
        self.to_look_at += assessment.review.needed
