"""From which confidence on findings are told, and from which probability on a gate says yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray, IntArray
from dentify.fitting.confidence import balanced
from dentify.fitting.evidence import Matched

THRESHOLDS = np.round(np.arange(0.1, 0.61, 0.025), 3).astype(np.float32)
"""What is right less often than once in ten times is not told."""


def choose_thresholds(
    matched: Sequence[Matched],
    names: Sequence[str],
    *,
    kept: Mapping[str, float] | None = None,
    sweeps: int = 3,
    tolerance: float = 0.002,
) -> dict[str, float]:
    """For each type the confidence from which on findings are told.

    Best is what makes the pooled pixel IoU of the types, in the mean, and half that of any damage largest in sum: type by type,
    the others as they are, a few times over. Of thresholds that are about as good the lowest is taken: a damage that is not told
    costs more than a look.

    Args:
        matched: calibrated.
        names: of the types.
        kept: types whose threshold stays, with it.
        sweeps: times over.
        tolerance: how much less a threshold may give and count as good.
    """
    kept = kept or {}
    passed, truth, cells = _ladders(matched, len(names))
    any_truth = np.asarray(truth.any(axis=0))
    places = np.full(len(names), len(THRESHOLDS) // 4)
    for class_id, name in enumerate(names):
        if name in kept:
            places[class_id] = min(int(np.searchsorted(THRESHOLDS, np.float32(kept[name]))), len(THRESHOLDS) - 1)
    for class_id in [class_id for class_id, name in enumerate(names) if name not in kept] * sweeps:
        others = np.asarray(np.delete(passed > places[:, None], class_id, axis=0).any(axis=0))

        def told_of(where: BoolArray, steps: NDArray[np.uint8] = passed[class_id]) -> IntArray:
            """How many of some cells are told at each threshold of this type."""
            counts = np.bincount(steps[where], cells[where], minlength=len(THRESHOLDS) + 1)
            return np.asarray(np.cumsum(counts[::-1])[::-1][1:], np.int64)

        def count(where: BoolArray) -> int:
            return int(cells[where].sum())

        mine = truth[class_id]
        own_iou = told_of(mine) / np.maximum(told_of(~mine) + count(mine), 1)
        both = told_of(any_truth & ~others) + count(any_truth & others)
        either = told_of(~any_truth & ~others) + count(any_truth | others)
        worth = own_iou / len(names) + 0.5 * both / np.maximum(either, 1)
        places[class_id] = np.flatnonzero(worth >= worth.max() - tolerance)[0]
    return {
        name: kept[name] if name in kept else round(float(THRESHOLDS[place]), 3)
        for name, place in zip(names, places, strict=True)
    }


def _ladders(matched: Sequence[Matched], num_types: int) -> tuple[NDArray[np.uint8], BoolArray, IntArray]:
    """All cells of all photos that are damaged or covered by a finding, of labelled types; those that are alike as one.

    Returns:
        `(C, N)` how many of `THRESHOLDS` the surest finding there passes, `(C, N)` whether it is damaged so, and `(N,)` how many
        cells of a photo are like this.
    """
    columns = [np.zeros((2 * num_types, 0), np.uint8)]
    counts = [np.zeros(0, np.int64)]
    for photo in matched:
        evidence = photo.evidence
        height, width = evidence.grid_hw
        steps = np.zeros((num_types, height, width), np.uint8)
        for found, score in zip(photo.findings.unpacked(), photo.scores, strict=True):
            window = found.window(steps[found.class_id])
            np.maximum(window, np.searchsorted(THRESHOLDS, score, "right"), out=window, where=found.mask, casting="unsafe")
        truth = np.zeros((num_types, height, width), np.bool_)
        fine = evidence.truth
        for class_id in np.flatnonzero(evidence.known & fine.any(axis=(1, 2))).tolist():
            shrunk = cv2.resize(fine[class_id].astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            truth[class_id] = shrunk > 0.5
        there = (steps > 0).any(axis=0) | truth.any(axis=0)
        alike, cells = different_columns(np.concatenate([steps[:, there], truth[:, there]]))
        columns.append(alike)
        counts.append(cells)
    table = np.concatenate(columns, axis=1)
    return table[:num_types], table[num_types:] > 0, np.concatenate(counts)


def different_columns(values: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], IntArray]:
    """The columns of an array without those that come again, in order, and how often each is there.

    One number a column, and not `np.unique` along an axis: a grid of 200,000 cells takes 0.02 s in place of 0.5.

    >>> different_columns(np.array([[1, 0, 1], [2, 5, 2]], np.uint8))
    (array([[0, 1],
           [5, 2]], dtype=uint8), array([1, 2]))
    """
    keys, span = np.zeros(values.shape[1], np.int64), 1
    for row in values:
        width = int(row.max(initial=0)) + 1
        if span * width >= 2**62:
            keys = np.unique(keys, return_inverse=True)[1]
            span = int(keys.max(initial=0)) + 1
        keys, span = keys * width + row, span * width
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    return values[:, first], counts


def gate_threshold(
    probabilities: FloatArray,
    truth: BoolArray,
    weights: NDArray[np.floating] | None = None,
    *,
    strictness: float = 0.5,
    tolerance: float = 0.01,
) -> float:
    """A probability at which the two kinds of mistake, each as a share of its class, are about as few in sum as they can be.

    Held-out photos of one kind may be a hundred: a difference of a few is noise, so all thresholds within `tolerance` of the
    best count as good.

    Args:
        probabilities: `(N,)` of yes.
        truth: `(N,)` right answers.
        weights: `(N,)`, equal when left out.
        strictness: which of the good ones: 0 the lowest, 1 the highest.
        tolerance: summed shares of mistakes.
    """
    if truth.all() or not truth.any():
        return 0.5
    weighed = balanced(truth, weights)
    steps = np.round(np.arange(0.05, 0.96, 0.01), 2)
    mistakes = [float(weighed[truth != (probabilities >= step)].sum()) for step in steps]
    good = np.flatnonzero(np.array(mistakes) <= min(mistakes) + tolerance + 1e-9)
    return float(steps[good[round(strictness * (len(good) - 1))]])
