"""Small steps on maps and masks, whose cells cover the photo evenly."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray


def cropped(mask: BoolArray) -> tuple[int, int, BoolArray]:
    """Corner (x, y) and crop of what is set in a mask that is not empty."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return x, y, mask[y : y + h, x : x + w]


def shared_cells(one: BoolArray, one_xy: tuple[int, int], other: BoolArray, other_xy: tuple[int, int]) -> int:
    """How many cells two crops share, each with its top left cell on one grid.

    >>> shared_cells(np.ones((2, 3), bool), (0, 0), np.ones((5, 5), bool), (1, 1))
    2
    """
    left, top = max(one_xy[0], other_xy[0]), max(one_xy[1], other_xy[1])
    right = min(one_xy[0] + one.shape[1], other_xy[0] + other.shape[1])
    bottom = min(one_xy[1] + one.shape[0], other_xy[1] + other.shape[0])
    if left >= right or top >= bottom:
        return 0
    a = one[top - one_xy[1] : bottom - one_xy[1], left - one_xy[0] : right - one_xy[0]]
    b = other[top - other_xy[1] : bottom - other_xy[1], left - other_xy[0] : right - other_xy[0]]
    return int(np.count_nonzero(a & b))


def resized(values: FloatArray, height: int, width: int) -> FloatArray:
    """A map `(h, w)` interpolated to another number of cells."""
    if values.shape == (height, width):
        return values
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def upscaled(values: FloatArray, times: int) -> FloatArray:
    """A map `(h, w)` interpolated to a grid so many times as fine."""
    return values if times == 1 else resized(values, values.shape[0] * times, values.shape[1] * times)
