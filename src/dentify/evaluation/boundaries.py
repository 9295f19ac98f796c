"""Boundary F: do outlines run where the true ones do? Of large things pixel IoU hardly sees it, of thin ones it sees little else.

Like pixel figures, in two steps: counts first, integers `(…, 4)` that add up over photos, then pure functions of counts.

Source: the boundary F1 of Csurka, Larlus, Perronnin: *What is a good evaluation measure for semantic segmentation?* (BMVC 2013),
with its tolerance of 0.75 % of the picture's diagonal, which is that of the Berkeley benchmark (Martin, Fowlkes, Malik, 2004).
They take the mean over pictures; here boundary pixels are pooled over photos, as the pixels of IoU are.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from dentify.arrays import BoolArray, DoubleArray, IntArray

TOLERANCE = 0.0075
"""Of the photo's diagonal."""
TOLD_NEAR, TOLD_EDGE, TRUE_NEAR, TRUE_EDGE = range(4)

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def boundary_of(mask: BoolArray) -> BoolArray:
    """`(h, w)` pixels of a mask that have one of their four neighbours outside it; the photo's own border is no boundary.

    >>> boundary_of(np.array([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]], np.bool_)).astype(int).tolist()
    [[0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    """
    inner = cv2.erode(mask.astype(np.uint8), _CROSS)  # beyond the photo OpenCV takes everything for mask
    return np.asarray(mask & (inner == 0), np.bool_)


def boundary_counts(
    told: BoolArray, truth: BoolArray, left_out: BoolArray | None = None, tolerance: float = TOLERANCE
) -> IntArray:
    """Counts of one photo's masks, `(4,)`: boundary pixels told near a true one, told, true near a told one, true.

    Args:
        told: `(h, w)`, over the whole photo.
        truth: `(h, w)`.
        left_out: `(h, w)` where what is told is neither right nor wrong.
        tolerance: how far apart *near* is, as a share of the diagonal of `(h, w)`.

    >>> told, truth = np.zeros((2, 40, 60), np.bool_)
    >>> told[10:20, 10:20] = truth[10:20, 11:21] = True
    >>> boundary_counts(told, truth, tolerance=0.0).tolist(), boundary_counts(told, truth, tolerance=0.014).tolist()
    ([18, 36, 18, 36], [36, 36, 36, 36])
    """
    reach = tolerance * math.hypot(*told.shape)
    if not (told.any() or truth.any()):
        return np.zeros(4, np.int64)
    window = _window(told | truth, math.ceil(reach) + 1)
    told, truth = told[window], truth[window]
    edges = boundary_of(told), boundary_of(truth)
    if left_out is not None:
        edges = edges[0] & ~(left_out[window] & ~truth), edges[1]
    near = [_within(edge, reach) for edge in edges]
    return np.array(
        [(edges[0] & near[1]).sum(), edges[0].sum(), (edges[1] & near[0]).sum(), edges[1].sum()],
        np.int64,
    )


def boundary_f(counts: IntArray) -> DoubleArray:
    """F of counts `(…, 4)`: the harmonic mean of the shares of told boundary that are right and of true boundary that is found.

    NaN where there is no boundary at all, 0 where one of the two has none.

    >>> boundary_f(np.array([[3, 4, 1, 2], [0, 5, 0, 0], [0, 0, 0, 0]])).tolist()
    [0.6, 0.0, nan]
    """
    precision = counts[..., TOLD_NEAR] / np.maximum(counts[..., TOLD_EDGE], 1)
    recall = counts[..., TRUE_NEAR] / np.maximum(counts[..., TRUE_EDGE], 1)
    f = 2 * precision * recall / np.where(precision + recall > 0, precision + recall, 1.0)
    return np.asarray(np.where(counts[..., TOLD_EDGE] + counts[..., TRUE_EDGE] > 0, f, np.nan), np.float64)


def _window(mask: BoolArray, margin: int) -> tuple[slice, slice]:
    """Rows and columns around a mask, that many pixels farther on each side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(max(0, rows[0] - margin), rows[-1] + 1 + margin), slice(max(0, columns[0] - margin), columns[-1] + 1 + margin)


def _within(edge: BoolArray, reach: float) -> BoolArray:
    """Pixels no farther than `reach` from an edge, from centre to centre."""
    if not edge.any():
        return np.zeros_like(edge)
    return np.asarray(cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= reach, np.bool_)
