"""From a table of candidates, a box, scores and a mask each, to instances."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.runtime.grids import cropped
from dentify.runtime.instances import Instances, instances_of_crops

GRID = 512
"""Cells along the longer side of the grid that masks are drawn on."""
LEAST_SCORE = 0.01
_MOST = 300


def find_in_table(table: FloatArray, photo_hw: tuple[int, int]) -> Instances:
    """One instance a candidate, of its likeliest class, best first; those of hardly any score are left out, and empty masks.

    Args:
        table: `(N, 4 + C + INSTANCE_MASK²)`, boxes in shares of the photo.
        photo_hw: pixels of the upright photo.
    """
    scale = GRID / max(photo_hw)
    grid_hw = (max(1, round(photo_hw[0] * scale)), max(1, round(photo_hw[1] * scale)))
    cells = INSTANCE_MASK**2
    scores = table[:, 4:-cells].clip(0, 1)
    best = scores.max(1)
    order = [row for row in np.argsort(-best, kind="stable").tolist() if best[row] >= LEAST_SCORE][:_MOST]
    found = []
    for row in order:
        drawn = _drawn(table[row, :4], table[row, -cells:].reshape(INSTANCE_MASK, INSTANCE_MASK), grid_hw)
        if drawn is not None:
            found.append((float(best[row]), (int(scores[row].argmax()), *drawn)))
    return instances_of_crops(found, grid_hw, photo_hw)


def _drawn(box: FloatArray, logits: FloatArray, grid_hw: tuple[int, int]) -> tuple[int, int, BoolArray] | None:
    """Corner and crop of a mask on the grid: of the cells in the box those where the mask is over a half."""
    height, width = grid_hw
    left, top, right, bottom = (box.clip(0, 1) * np.array([width, height, width, height], np.float32)).tolist()
    columns, rows = _cells(left, right, width), _cells(top, bottom, height)
    if not len(columns) or not len(rows):
        return None
    across = (columns + 0.5 - left) / max(right - left, 1e-6) * INSTANCE_MASK - 0.5
    down = (rows + 0.5 - top) / max(bottom - top, 1e-6) * INSTANCE_MASK - 0.5
    at_x, at_y = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
    values = cv2.remap(np.ascontiguousarray(logits), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = np.asarray(values > 0, np.bool_)
    if not mask.any():
        return None
    x, y, crop = cropped(mask)
    return int(columns[0]) + x, int(rows[0]) + y, crop


def _cells(first: float, last: float, count: int) -> FloatArray:
    """Those of `count` cells in a row whose middle lies in between; of a box that is narrower than a cell the one that it is on.

    >>> _cells(10.9, 12.6, 20).tolist(), _cells(10.6, 10.9, 20).tolist(), _cells(20.0, 20.0, 20).tolist()
    ([11.0, 12.0], [10.0], [])
    """
    begin, end = int(np.ceil(first - 0.5)), int(np.ceil(last - 0.5))
    if begin == end and last > first:
        begin = int((first + last) / 2)
        end = begin + 1
    return np.arange(begin, min(end, count), dtype=np.float32)
