"""Pixel IoU, precision and recall in two steps: counts of pixels first, then pure functions of counts.

Counts are integers `(…, 3)`: pixels in both, pixels predicted, pixels true. They add up over photos (*pooled*, so that a photo
weighs as much as it has pixels), and types weigh equally in a mean over types. A type that a photo's source does not label adds
nothing: unknown is not absent.
"""

from __future__ import annotations

import numpy as np

from dentify.arrays import BoolArray, DoubleArray, IntArray

BOTH, PREDICTED, TRUE = range(3)

Counts = IntArray


def pixel_iou_counts(pred: BoolArray, truth: BoolArray, known: BoolArray) -> Counts:
    """Pixel counts of one photo's masks, one row a class.

    Args:
        pred: `(C, h, w)`, one mask a class.
        truth: `(C, h, w)`, in the same frame.
        known: `(C,)`, whether the photo's source labels the class; the others count nothing.

    Returns:
        `(C, 3)`: pixels in both, predicted, true.

    >>> pred = np.array([[[True, True, False]], [[True, True, True]]])
    >>> truth = np.array([[[False, True, True]], [[True, False, False]]])
    >>> pixel_iou_counts(pred, truth, np.array([True, False])).tolist()
    [[1, 2, 2], [0, 0, 0]]
    """
    counts = np.stack([(pred & truth).sum((1, 2)), pred.sum((1, 2)), truth.sum((1, 2))], axis=1, dtype=np.int64)
    return np.where(known[:, None], counts, 0)


def any_iou_counts(pred: BoolArray, truth: BoolArray, known: BoolArray) -> Counts:
    """Pixel counts of *any* class of one photo, `(3,)`.

    Pixels told only as a class that the photo's source does not label count where the truth has something and are left out
    elsewhere: they may be right.

    >>> pred = np.array([[[True, False, False, False]], [[False, True, True, False]]])
    >>> truth = np.array([[[True, True, False, True]], [[False, False, False, False]]])
    >>> any_iou_counts(pred, truth, np.array([True, False])).tolist()
    [2, 2, 3]
    """
    true = truth.any(0)
    told = pred[known].any(0) | (pred[~known].any(0) & true)
    return np.array([(told & true).sum(), told.sum(), true.sum()], np.int64)


def iou_from_counts(counts: Counts | DoubleArray) -> DoubleArray:
    """IoU of counts `(…, 3)`; NaN where nothing is true and nothing predicted.

    >>> iou_from_counts(np.array([[1, 2, 2], [0, 0, 0]])).round(3).tolist()
    [0.333, nan]
    """
    return _share(counts[..., BOTH], counts[..., PREDICTED] + counts[..., TRUE] - counts[..., BOTH])


def precision_from_counts(counts: Counts | DoubleArray) -> DoubleArray:
    """Of the pixels predicted, those that are true; NaN where none is predicted."""
    return _share(counts[..., BOTH], counts[..., PREDICTED])


def recall_from_counts(counts: Counts | DoubleArray) -> DoubleArray:
    """Of the true pixels, those predicted; NaN where none is true."""
    return _share(counts[..., BOTH], counts[..., TRUE])


def f1_from_counts(counts: Counts | DoubleArray) -> DoubleArray:
    """The harmonic mean of both, which is Dice's coefficient; NaN where nothing is true and nothing predicted.

    >>> f1_from_counts(np.array([[1, 2, 2], [0, 0, 0]])).tolist()
    [0.5, nan]
    """
    return _share(2 * counts[..., BOTH], counts[..., PREDICTED] + counts[..., TRUE])


def _share(part: IntArray | DoubleArray, whole: IntArray | DoubleArray) -> DoubleArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan), np.float64)
