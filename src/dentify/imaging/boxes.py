"""Boxes as arrays.

`xyxy` is `(x_min, y_min, x_max, y_max)`, `xywh` is `(x_min, y_min, width, height)` as in COCO files; both in pixels, where the
picture's left edge is 0 and its right edge its width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dentify.arrays import DoubleArray
from dentify.errors import ShapeError


def xyxy_to_xywh(boxes_xyxy: ArrayLike) -> DoubleArray:
    """`(…, 4)` xywh of `(…, 4)` xyxy.

    Raises:
        ShapeError: the last axis does not hold four numbers.

    >>> xyxy_to_xywh([[10, 20, 40, 60]]).tolist()
    [[10.0, 20.0, 30.0, 40.0]]
    >>> xyxy_to_xywh(np.zeros((0, 4))).shape
    (0, 4)
    """
    boxes = np.asarray(boxes_xyxy, np.float64)
    if boxes.shape[-1:] != (4,):
        raise ShapeError(f"expected boxes of shape (…, 4), got {boxes.shape}")
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)
