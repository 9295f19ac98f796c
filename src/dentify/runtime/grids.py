"""Small steps on maps and masks, whose cells cover the photo evenly."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray


def cropped(mask: BoolArray) -> tuple[int, int, BoolArray]:
    """Corner (x, y) and crop of what is set in a mask that is not empty."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return x, y, mask[y : y + h, x : x + w]


def resized(values: FloatArray, height: int, width: int) -> FloatArray:
    """A map `(h, w)` interpolated to another number of cells."""
    if values.shape == (height, width):
        return values
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def upscaled(values: FloatArray, times: int) -> FloatArray:
    """A map `(h, w)` interpolated to a grid so many times as fine."""
    return values if times == 1 else resized(values, values.shape[0] * times, values.shape[1] * times)
