"""Views of a photo: affine matrices from its pixels to those of a picture, and the picture that each shows.

A view is a `(2, 3)` float64 `Matrix`. Outlines go through the same matrix before they are drawn, so that pictures and masks
cannot drift apart.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import DoubleArray, Matrix
from dentify.taxonomy import RGB

Picture = NDArray[Any]
"""`(H, W)` or `(H, W, C)` uint8; OpenCV's own annotations are wider than what it returns."""

BEYOND_RGB = (124, 116, 104)
"""Beyond the photo's edges: ImageNet's mean, which a network takes for zero. Mirrored pixels would show unlabelled damage."""


def whole_view(photo_hw: tuple[int, int], picture_hw: tuple[int, int]) -> Matrix:
    """The whole photo, stretched to the picture, as in serving.

    >>> whole_view((100, 200), (50, 50))
    array([[0.25, 0.  , 0.  ],
           [0.  , 0.5 , 0.  ]])
    """
    return np.array([[picture_hw[1] / photo_hw[1], 0.0, 0.0], [0.0, picture_hw[0] / photo_hw[0], 0.0]])


def mirrored_view(view: Matrix, picture_w: int) -> Matrix:
    """What a view becomes when its picture, of that width, is mirrored.

    >>> mirrored_view(np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]), 64)
    array([[-0.5,  0. , 64. ],
           [ 0. ,  0.5,  0. ]])
    """
    return np.array([[-1.0, 0.0], [0.0, 1.0]]) @ view + [[0.0, 0.0, picture_w], [0.0, 0.0, 0.0]]


def moved_view(view: Matrix, corner_xy: tuple[int, int]) -> Matrix:
    """A view onto a picture as one onto the window of it whose top left pixel is `corner_xy`."""
    moved = view.copy()
    moved[:, 2] -= corner_xy
    return moved


def is_mirrored(view: Matrix) -> bool:
    """Whether left and right change sides in this view.

    >>> is_mirrored(np.array([[-1.0, 0.0, 9.0], [0.0, 1.0, 0.0]]))
    True
    """
    return bool(view[0, 0] * view[1, 1] - view[0, 1] * view[1, 0] < 0)


def transform_points(points_xy: DoubleArray, view: Matrix) -> DoubleArray:
    """`(N, 2)` points of the photo as points of the picture."""
    return points_xy @ view[:, :2].T + view[:, 2]


def warp(image: Picture, view: Matrix, picture_hw: tuple[int, int], *, outside: RGB | int | None = BEYOND_RGB) -> Picture:
    """The picture of a view, filled with `outside` beyond the photo's edges; `None`: what is at its edges goes on.

    Where the view shrinks, the photo is area-averaged first, as serving does; a bilinear sample alone would alias.
    """
    scale = np.linalg.norm(view[:, :2], axis=0)  # picture pixels a photo pixel, along x and y
    height, width = image.shape[:2]
    if scale.min() < 0.75:
        shrunk_w = max(1, round(width * min(1.0, scale[0])))
        shrunk_h = max(1, round(height * min(1.0, scale[1])))
        image = cv2.resize(image, (shrunk_w, shrunk_h), interpolation=cv2.INTER_AREA)
        view = view @ np.diag([width / shrunk_w, height / shrunk_h, 1.0])
    # OpenCV's pixel centres are integers, ours are halves.
    centred = view.copy()
    centred[:, 2] += view[:, :2] @ (0.5, 0.5) - 0.5
    how: dict[str, Any] = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    if outside is not None:
        how |= {"borderMode": cv2.BORDER_CONSTANT, "borderValue": outside}
    return cv2.warpAffine(image, centred, picture_hw[::-1], **how)
