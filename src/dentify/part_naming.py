"""Which parts of the vehicle a finding is named by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentify import assessment as told
from dentify.runtime.instances import Instances, areas_beside, shared_areas
from dentify.taxonomy import is_panel, own_parts

MIN_SHARE_OF_FINDING = 0.1  # a part that holds less of a finding is not named beside the others
MIN_SHARE_AT_ONE_PART = 0.35  # a finding of which no part holds, or has beside it, this much names none


def parts_of_findings(
    findings: Instances, parts: Instances, *, types: Sequence[str], names: Sequence[str]
) -> list[tuple[told.PartOfFinding, ...]]:
    """The parts that each finding is named by: first the one that it is at, then others that hold a tenth of it, most first.

    It is at the part that holds most of it, where what lies on no part counts for the panel that it lies beside: crushed metal is
    seldom seen as the part that it was. A broken lamp is at a lamp, a flat tyre at a wheel, and shattered glass at a pane or a
    door, that alone, whatever else holds more; where none is there or beside it, it names none.

    Args:
        findings: N findings.
        parts: the parts that were seen, on any grid.
        types: names of the findings' classes.
        names: of the parts' classes.
    """
    if not len(findings) or not len(parts):
        return [()] * len(findings)
    part_names = [names[int(class_id)] for class_id in parts.class_ids]
    areas = np.maximum(findings.area_shares, 1e-9)[:, None]
    shared = shared_areas(findings, parts)  # (N, P)
    shares = shared / areas
    shares_of_parts = shared / np.maximum(parts.area_shares, 1e-9)
    held = shares + areas_beside(findings, parts, np.array([is_panel(name) for name in part_names])) / areas
    at = np.where(held.max(axis=1) >= MIN_SHARE_AT_ONE_PART, held.argmax(axis=1), -1)  # (N,) -1: at none
    alone = np.zeros(len(findings), np.bool_)
    for class_id in np.unique(findings.class_ids).tolist():
        owners = set(own_parts(types[class_id])).intersection(names)
        if not owners:
            continue
        of_type = np.flatnonzero(findings.class_ids == class_id)
        at[of_type], alone[of_type] = -1, True
        own = np.flatnonzero([name in owners for name in part_names])
        if not len(own):
            continue
        beside = areas_beside(findings.select(of_type), parts.select(own), np.ones(len(own), np.bool_))
        held = shares[np.ix_(of_type, own)] + beside / areas[of_type]
        is_own = held.max(axis=1) >= MIN_SHARE_OF_FINDING
        at[of_type[is_own]] = own[held[is_own].argmax(axis=1)]

    def told_part(finding: int, part: int) -> told.PartOfFinding:
        return told.PartOfFinding(
            name=part_names[part],
            confidence=told.rounded(parts.scores[part], 3),
            share_of_finding=told.rounded(shares[finding, part], 3),
            share_of_part=told.rounded(shares_of_parts[finding, part], 4),
        )

    found: list[tuple[told.PartOfFinding, ...]] = []
    for index, first in enumerate(at.tolist()):
        order = np.argsort(-shares[index], kind="stable").tolist()
        others = [part for part in order if part != first and shares[index, part] >= MIN_SHARE_OF_FINDING and not alone[index]]
        found.append(tuple(told_part(index, part) for part in (first, *others)) if first >= 0 else ())
    return found
