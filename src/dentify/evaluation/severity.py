"""Severity: recall of each level, and which level is taken for which.

Few photos are severe, so the mean of the levels' recalls stands beside chance (1/3), not accuracy: always saying *minor* would be
accurate. A photo is as bad as the worst damage annotated on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dentify.arrays import IntArray
from dentify.evaluation.average_precision import best_pairs, pairwise_iou
from dentify.evaluation.classification import confusion_matrix
from dentify.evaluation.outlines import Things
from dentify.evaluation.results import SeverityFigures, SeverityResult
from dentify.taxonomy import SEVERITY_LEVELS

IOU_THRESHOLD = 0.5
Judged = tuple[str, str | None]
"""The level annotated and the level told; `None` where none was told."""


def judged_findings(found: Things, annotated: Things) -> list[Judged]:
    """For each annotation with a severity, what was told of the finding that lies on it.

    The finding of the highest IoU is taken, whatever its type, if it reaches 0.5: severity is judged here, not the type. Each
    finding is used once, best pairs first; annotations without one come with `None`.
    """
    graded = annotated.select([place for place, level in enumerate(annotated.severities) if level is not None])
    told = {g: found.severities[d] for d, g in best_pairs(pairwise_iou(found, graded, "segm"), IOU_THRESHOLD)}
    return [(level, told.get(g)) for g, level in enumerate(graded.severities) if level is not None]


def confusion(judged: Iterable[Judged], levels: Sequence[str] = SEVERITY_LEVELS) -> IntArray:
    """Counts `(L, L + 1)`: annotated level by told level, the last column for none told.

    >>> confusion([("minor", "minor"), ("severe", None), ("severe", "moderate")]).tolist()
    [[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]]
    """
    pairs = [(levels.index(true), len(levels) if told is None else levels.index(told)) for true, told in judged]
    truth, told_as = np.array(pairs, np.int64).reshape(-1, 2).T
    return confusion_matrix(truth, told_as, len(levels))


def macro_recall(counts: IntArray) -> float | None:
    """Mean recall of the levels that occur; nothing told is a miss. `None` where no level occurs.

    >>> macro_recall(np.array([[3, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0]]))
    0.625
    """
    totals = counts.sum(1)
    occurs = totals > 0
    return float((np.diagonal(counts)[occurs] / totals[occurs]).mean()) if occurs.any() else None


def severity_result(photos: list[Judged], findings: list[Judged]) -> SeverityResult | None:
    """Figures of photos, and of the annotations that `judged_findings` answers; `None` without photos."""
    if not photos:
        return None
    on_finding = [pair for pair in findings if pair[1] is not None]
    return SeverityResult(
        photos=_severity_figures(photos, len(photos)),
        findings=_severity_figures(on_finding, len(findings)),
        chance=1 / len(SEVERITY_LEVELS),
    )


def _severity_figures(judged: list[Judged], of: int) -> SeverityFigures:
    counts = confusion(judged)
    told = sum(level is not None for _, level in judged)
    return SeverityFigures(
        levels=SEVERITY_LEVELS,
        confusion=tuple(tuple(row) for row in counts.tolist()),
        macro_recall=macro_recall(counts),
        judged=told,
        of=of,
    )
