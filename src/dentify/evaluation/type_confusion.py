"""What is taken for what: annotated things by the name that is told on them, with what is missed and what is told on nothing.

Right names come first: a finding that counts as right beside the average precision is on the diagonal here. Only then what is
left is compared across names, best pairs first. So the diagonal and the sums of rows and columns are the numbers of found, missed
and false findings that stand beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from dentify.evaluation.average_precision import PhotoMatches, best_pairs, pairwise_iou
from dentify.evaluation.outlines import Things, Truth, joined
from dentify.evaluation.results import FoundConfusion

BACKGROUND = "background"
MISSED = "missed"
LEAST_IOU = 0.5

Confused = tuple[str, str]
"""What is annotated, or `BACKGROUND`, and what is told, or `MISSED`."""


def confused_things(told: Things, truth: Truth, matches: Mapping[str, PhotoMatches]) -> Counter[Confused]:
    """How often what is annotated on one photo is told as what. Names that its source does not label are left out.

    Args:
        told: findings as a user gets them, most confident first.
        truth: what the photo's labels say.
        matches: of told findings of each labelled name, at the first threshold; what they leave out is left out.
    """
    confused: Counter[Confused] = Counter()
    wrong, missed = told.select([]), truth.annotated.select([])
    for name, match in matches.items():
        confused[name, name] += int(match.right[0].sum())
        wrong = joined(wrong, told.of(name).select(np.flatnonzero(~match.right[0] & ~match.left_out[0]).tolist()))
        missed = joined(missed, truth.of(name).select(np.flatnonzero(match.unmatched[0]).tolist()))
    iou = pairwise_iou(wrong, missed, "segm" if missed.outlined.all() else "bbox")
    pairs = best_pairs(iou, LEAST_IOU)
    confused.update((missed.names[g], wrong.names[d]) for d, g in pairs)
    confused.update((BACKGROUND, name) for d, name in enumerate(wrong.names) if d not in {one for one, _ in pairs})
    confused.update((name, MISSED) for g, name in enumerate(missed.names) if g not in {one for _, one in pairs})
    return +confused


def confusion_of(photos: Sequence[Counter[Confused]], names: Sequence[str]) -> FoundConfusion:
    """The counts of all photos as a matrix.

    Args:
        photos: of each.
        names: those of its rows and columns.

    >>> confusion_of([Counter({("dent", "scratch"): 2, ("background", "dent"): 1})], ["dent", "scratch"]).counts
    ((0, 2, 0), (0, 0, 0), (1, 0, 0))
    """
    total = reduce(lambda one, other: one + other, photos, Counter[Confused]())
    rows, columns = (*names, BACKGROUND), (*names, MISSED)
    return FoundConfusion(
        rows=rows, columns=columns, counts=tuple(tuple(total[row, column] for column in columns) for row in rows)
    )
