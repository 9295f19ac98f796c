"""How well classes are told of whole photos: plain functions over arrays, equal to scikit-learn's where both say something.

Truth and answers of N photos and C classes are `(N, C)`, whether a photo is of one class (`exclusive`: the no and yes of a gate,
levels of severity) or each class is a yes or no by itself. What is unknown of a photo counts for nothing. Everything is reckoned
for B weightings of the photos at once: a row of ones is the figure itself, the rows of `photo_weights` are its bootstrap, and
equal rows for two bundles make it a paired one. NaN stands for what cannot be measured, such as the recall of a class that no
photo shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, DoubleArray, IntArray

Truth = NDArray[np.int8]
"""`(N, C)`: 1 where a photo is of the class, 0 where it is not, `UNKNOWN` where nobody said."""

UNKNOWN = -1
_ROWS = 64  # resamples that are ranked at a time, so that memory stays that of the weights


@dataclass(frozen=True, eq=False)
class Counts:
    """Photos by truth and answer, each `(B, C)`: told rightly, told wrongly, missed, and rightly not told."""

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray


def count_answers(truth: Truth, told: BoolArray, weights: IntArray | None = None) -> Counts:
    """Photos of each class by truth and answer.

    Args:
        truth: `(N, C)`.
        told: `(N, C)`, whether the class was told.
        weights: `(B, N)`, how often each photo counts; once, in one row, where not given.

    >>> counts = count_answers(np.int8([[1, 0], [0, 1], [1, -1]]), np.array([[True, False], [True, False], [False, True]]))
    >>> counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist(), counts.tn.tolist()
    ([[1, 0]], [[1, 0]], [[1, 1]], [[0, 1]])
    """
    rows = np.ones((1, len(truth)), np.int64) if weights is None else weights
    yes, no = truth == 1, truth == 0
    tp, fp, fn, tn = (_sums(rows, which) for which in (yes & told, no & told, yes & ~told, no & ~told))
    return Counts(tp, fp, fn, tn)


def _sums(weights: IntArray, which: BoolArray) -> IntArray:
    """`(B, C)` whole numbers; the product runs in double precision, which is exact here and many times as fast."""
    return np.rint(weights.astype(np.float64) @ which.astype(np.float64)).astype(np.int64)


def precision(counts: Counts) -> DoubleArray:
    """Of the photos told as a class, those that are of it, `(B, C)`; NaN where none is told so."""
    return _share(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> DoubleArray:
    """Of the photos of a class, those that are told so, `(B, C)`; NaN where no photo is of it."""
    return _share(counts.tp, counts.tp + counts.fn)


def f1(counts: Counts) -> DoubleArray:
    """The harmonic mean of precision and recall, `(B, C)`; NaN where a class neither occurs nor is told."""
    return _share(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def accuracy(counts: Counts, *, exclusive: bool) -> DoubleArray:
    """The share of right answers, `(B,)`: of photos, or where classes do not exclude each other, of every known yes and no."""
    right = counts.tp if exclusive else counts.tp + counts.tn
    asked = counts.tp + counts.fn if exclusive else counts.tp + counts.fn + counts.fp + counts.tn
    return _share(right.sum(1), asked.sum(1))


def balanced_accuracy(counts: Counts, *, exclusive: bool) -> DoubleArray:
    """The mean recall of the classes that occur, `(B,)`, so that the common ones do not drown the rare ones.

    Where classes do not exclude each other, each gives the mean recall of its yes and its no, if both occur.
    """
    recalls = recall(counts)
    if not exclusive:
        recalls = (recalls + _share(counts.tn, counts.tn + counts.fp)) / 2
    return mean_of_known(recalls)


def macro(values: DoubleArray, counts: Counts) -> DoubleArray:
    """The mean over the classes that occur, `(B,)`; one that occurs and is never told has a precision of 0 here.

    Args:
        values: `(B, C)` precision, recall or F1.
        counts: what they come from.
    """
    occurs = counts.tp + counts.fn > 0
    return mean_of_known(np.where(occurs, np.nan_to_num(values), np.nan))


def mean_of_known(values: DoubleArray) -> DoubleArray:
    """`(B,)` means of `(B, C)` figures over those that could be measured; NaN where none could.

    >>> mean_of_known(np.array([[0.5, np.nan, 1.0], [np.nan, np.nan, np.nan]])).tolist()
    [0.75, nan]
    """
    known = np.isfinite(values)
    return _share(np.where(known, values, 0.0).sum(1), known.sum(1))


def confusion_matrix(truth: IntArray, told: IntArray, classes: int) -> IntArray:
    """Counts `(C, C + 1)` of photos: the class that they are of by the class that is told, the last column for none.

    Args:
        truth: `(N,)` classes.
        told: `(N,)` classes, `classes` for none of them.
        classes: how many there are.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 2, 0]), 2).tolist()
    [[1, 0, 1], [1, 0, 0]]
    """
    counts = np.zeros((classes, classes + 1), np.int64)
    np.add.at(counts, (truth, told), 1)
    return counts


def auroc(scores: DoubleArray, positive: BoolArray) -> float | None:
    """How probable it is that a positive scores above a negative, ties counting half; `None` where one kind is missing.

    >>> auroc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    return known_or_none(ranking(scores, positive)[0][0])


def average_precision(scores: DoubleArray, positive: BoolArray) -> float | None:
    """The mean precision at each positive, from the highest score down, equal scores together; `None` without positives.

    This is the area under precision and recall without an envelope, which COCO's AP has.

    >>> round(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])), 3)
    0.833
    """
    return known_or_none(ranking(scores, positive)[1][0])


def ranking(scores: DoubleArray, positive: BoolArray, weights: IntArray | None = None) -> tuple[DoubleArray, DoubleArray]:
    """AUROC and average precision, each `(B,)`; NaN where positives, or for AUROC negatives, are missing.

    Args:
        scores: `(N,)`.
        positive: `(N,)`.
        weights: `(B, N)`, how often each counts; once, in one row, where not given.
    """
    rows = np.ones((1, len(scores)), np.int64) if weights is None else weights
    aurocs, precisions = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if not len(scores):
        return aurocs, precisions
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))  # of each distinct score
    of_yes = positive[order].astype(np.int64)
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS, order]
        yes = np.add.reduceat(part * of_yes, starts, axis=1)  # (b, distinct scores), falling
        every = np.add.reduceat(part, starts, axis=1)
        no = every - yes
        all_yes, all_no = yes.sum(1), no.sum(1)
        below = all_no[:, None] - np.cumsum(no, axis=1)
        place = slice(first, first + len(part))
        aurocs[place] = _share((yes * (2 * below + no)).sum(1), 2 * all_yes * all_no)
        ranked = np.cumsum(yes, axis=1) / np.maximum(np.cumsum(every, axis=1), 1)
        precisions[place] = _share((yes * ranked).sum(1), all_yes)
    return aurocs, precisions


def known_or_none(value: float) -> float | None:
    """A figure, or `None` where it could not be measured."""
    return float(value) if np.isfinite(value) else None


def _share(part: NDArray[np.number], of: NDArray[np.number]) -> DoubleArray:
    """`part / of`; NaN where there is nothing to be a part of."""
    return np.where(of > 0, part / np.maximum(of, 1), np.nan)
