"""Instances at places that are easy to count; shared by the tests of stages."""

from __future__ import annotations

import numpy as np

from dentify.runtime.instances import Instances


def instances(*found: tuple[float, int, tuple[int, int, int, int]], grid_hw: tuple[int, int] = (16, 16)) -> Instances:
    """Full rectangles `(x, y, w, h)` on a grid over a photo of ten pixels a cell."""
    boxes = np.array([box for *_, box in found], np.int64).reshape(-1, 4)
    return Instances(
        boxes_xyxy=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1).astype(np.float32) * 10,
        scores=np.array([score for score, *_ in found], np.float32),
        class_ids=np.array([class_id for _, class_id, _ in found], np.int64),
        masks=tuple(np.ones((h, w), np.bool_) for _, _, w, h in boxes),
        corners_xy=boxes[:, :2],
        grid_hw=grid_hw,
        photo_hw=(grid_hw[0] * 10, grid_hw[1] * 10),
    )
