"""Masks as bitmaps, for what runs cannot tell: boundaries and salient-object scores.

A photo of twelve megapixels would cost seconds. So bitmaps lie in a *frame*: the photo, evenly shrunk where it is larger than
`MOST_PIXELS`. CarDD's photos, of 684,231 pixels on average, stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hotcoco import mask as coco_mask

from dentify.arrays import BoolArray
from dentify.evaluation.outlines import Rle
from dentify.runtime.instances import sampled

MOST_PIXELS = 2_000_000


def frame_of(size_hw: tuple[int, int], most_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """Height and width of a photo's frame.

    >>> frame_of((684, 1000)), frame_of((3024, 4032))
    ((684, 1000), (1225, 1633))
    """
    scale = math.sqrt(most_pixels / (size_hw[0] * size_hw[1]))
    return size_hw if scale >= 1 else (max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale)))


def bitmap(rle: Rle, frame_hw: tuple[int, int]) -> BoolArray:
    """`frame_hw` bitmap of a mask of the photo's size, each pixel that of the photo's at its centre."""
    columns = coco_mask.decode(rle).T  # (w, h): masks are written column by column, and sampled so six times as fast
    if columns.shape[::-1] != frame_hw:
        columns = sampled(columns[None], frame_hw[::-1], slice(0, frame_hw[1]), slice(0, frame_hw[0]))[0]
    return np.ascontiguousarray(columns.T, np.bool_)


def bitmap_of(rles: Sequence[Rle], frame_hw: tuple[int, int]) -> BoolArray:
    """`frame_hw` bitmap of all pixels of some masks."""
    together = np.zeros(frame_hw, np.bool_)
    for rle in rles:
        together |= bitmap(rle, frame_hw)
    return together
