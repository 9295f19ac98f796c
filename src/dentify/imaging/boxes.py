"""Boxes as arrays: conversions between corner and size form, clipping, scaling, IoU.

`xyxy` is `(x_min, y_min, x_max, y_max)`, `xywh` is `(x_min, y_min, width, height)` as in COCO files; both in pixels, where the
picture's left edge is 0 and its right edge its width. Empty `(0, 4)` arrays go through every function.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dentify.errors import ShapeError

FloatArray = NDArray[np.float32]


def xywh_to_xyxy(boxes_xywh: ArrayLike) -> FloatArray:
    """`(N, 4)` xyxy of `(N, 4)` xywh.

    >>> xywh_to_xyxy([[10, 20, 30, 40]])
    array([[10., 20., 40., 60.]], dtype=float32)
    """
    boxes = _boxes(boxes_xywh)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def xyxy_to_xywh(boxes_xyxy: ArrayLike) -> FloatArray:
    """`(N, 4)` xywh of `(N, 4)` xyxy.

    >>> xyxy_to_xywh([[10, 20, 40, 60]])
    array([[10., 20., 30., 40.]], dtype=float32)
    """
    boxes = _boxes(boxes_xyxy)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def clip_boxes(boxes_xyxy: ArrayLike, photo_hw: tuple[int, int]) -> FloatArray:
    """`(N, 4)` xyxy, kept within a photo.

    >>> clip_boxes([[-5, 10, 700, 90]], photo_hw=(80, 640))
    array([[  0.,  10., 640.,  80.]], dtype=float32)
    """
    height, width = photo_hw
    return np.clip(_boxes(boxes_xyxy), 0, np.array([width, height, width, height], np.float32))


def scale_boxes(boxes_xyxy: ArrayLike, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> FloatArray:
    """`(N, 4)` xyxy in pixels of the same picture at another size, each side with its own factor.

    >>> scale_boxes([[1, 2, 3, 4]], from_hw=(10, 10), to_hw=(100, 200))
    array([[20., 20., 60., 40.]], dtype=float32)
    """
    x, y = to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]
    return _boxes(boxes_xyxy) * np.array([x, y, x, y], np.float32)


def box_iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> FloatArray:
    """Pairwise IoU between two sets of boxes.

    Args:
        boxes_a: `(N, 4)` xyxy.
        boxes_b: `(M, 4)` xyxy, same frame.

    Returns:
        `(N, M)` float32 in [0, 1]; 0 where a box has no area.

    Raises:
        ShapeError: an input is not `(_, 4)`.

    Source: `bbIou` in cocodataset/cocoapi `common/maskApi.c`, without crowd regions.

    >>> box_iou([[0, 0, 10, 10]], [[5, 0, 15, 10], [20, 20, 30, 30]])
    array([[0.33333334, 0.        ]], dtype=float32)
    """
    a, b = _boxes(boxes_a), _boxes(boxes_b)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = _area(top_left, bottom_right)
    union = _area(a[:, :2], a[:, 2:])[:, None] + _area(b[:, :2], b[:, 2:])[None, :] - overlap
    iou: FloatArray = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return iou


def _area(top_left: FloatArray, bottom_right: FloatArray) -> FloatArray:
    sides = np.clip(bottom_right - top_left, 0, None)
    area: FloatArray = sides[..., 0] * sides[..., 1]
    return area


def _boxes(boxes: ArrayLike) -> FloatArray:
    array = np.asarray(boxes, np.float32)
    if array.size == 0:
        return np.zeros((0, 4), np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ShapeError(f"expected boxes of shape (N, 4), got {array.shape}")
    return array
