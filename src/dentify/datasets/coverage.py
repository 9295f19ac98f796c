"""How much of each pixel of a picture an annotation covers: truth on the grid of a view."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import DoubleArray, Matrix
from dentify.datasets.sample import Annotation
from dentify.imaging.masks import rle_decode
from dentify.imaging.polygons import Polygon, box_to_polygon
from dentify.imaging.views import transform_points, warp

Coverage = NDArray[np.uint8]
"""`(h, w)`, 255 for a pixel that is covered whole."""

_SHIFT = 4
_FINER = 4


def coverage_of(annotation: Annotation, view: Matrix, picture_hw: tuple[int, int]) -> Coverage:
    """What an annotation covers of a view's picture: its outline, its box where it has none."""
    if annotation.rle is not None:
        mask = rle_decode(annotation.rle).astype(np.uint8) * 255
        return np.asarray(warp(mask, view, picture_hw, outside=0), np.uint8)
    return polygon_coverage(annotation.polygons or (box_to_polygon(annotation.box_xyxy),), view, picture_hw)


def polygon_coverage(polygons: Sequence[Polygon], view: Matrix, picture_hw: tuple[int, int]) -> Coverage:
    """What polygons in pixels of the photo cover of a view's picture.

    OpenCV fills every pixel that an outline touches, which makes a thin scratch twice as wide; so it fills finer ones here, and
    they are averaged.
    """
    mask = np.zeros(picture_hw, np.uint8)
    for polygon in polygons:
        points = transform_points(polygon, view)
        left, top = np.clip(np.floor(points.min(0)), 0, picture_hw[::-1]).astype(int)
        right, bottom = np.clip(np.ceil(points.max(0)), 0, picture_hw[::-1]).astype(int)
        if left < right and top < bottom:
            finer = np.zeros(((bottom - top) * _FINER, (right - left) * _FINER), np.uint8)
            cv2.fillPoly(finer, [_fixed_point((points - (left, top)) * _FINER)], 255, shift=_SHIFT)
            covered = cv2.resize(finer, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
            np.maximum(mask[top:bottom, left:right], covered, out=mask[top:bottom, left:right])
    return mask


def _fixed_point(points: DoubleArray) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point pixels, whose centres are integers."""
    return np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
