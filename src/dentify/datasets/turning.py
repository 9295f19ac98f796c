"""Labels of pictures as they are stored, turned as EXIF turns the pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from dentify.arrays import BoolArray, DoubleArray
from dentify.assessment import Mask
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import ImageError
from dentify.imaging.decode import read_photo_frame
from dentify.imaging.masks import rle_decode, rle_encode
from dentify.settings import Settings

Frame = Literal["upright", "stored"]
"""What labels are for: the photo upright, as annotation tools show it, or the picture as its file stores it."""

Size = tuple[int, int]


def turn_upright(sample: Sample, settings: Settings) -> Sample:
    """A sample whose labels are for the picture as it is stored, with labels for the photo upright.

    Where labels tell another size than the stored picture's they stay, so that whoever checks sizes refuses them.
    """
    try:
        (height, width), orientation = read_photo_frame(sample.image, where=sample.name, settings=settings)
    except ImageError:
        return sample  # told where pictures are checked
    stored = (width, height) if orientation >= 5 else (height, width)
    if orientation == 1 or sample.size_hw not in (None, stored):
        return sample
    turned = tuple(_turned(one, stored, orientation) for one in sample.annotations)
    return replace(sample, size_hw=(height, width), annotations=turned)


def _turned(annotation: Annotation, stored_hw: Size, orientation: int) -> Annotation:
    corners = turn_points(np.array(annotation.box_xyxy, np.float64).reshape(2, 2), stored_hw, orientation)
    (x_min, y_min), (x_max, y_max) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return replace(
        annotation,
        box_xyxy=(x_min, y_min, x_max, y_max),
        polygons=tuple(turn_points(polygon, stored_hw, orientation) for polygon in annotation.polygons),
        rle=None if annotation.rle is None else _turned_mask(annotation.rle, orientation),
    )


def turn_points(points: DoubleArray, stored_hw: Size, orientation: int) -> DoubleArray:
    """Points `(n, 2)` of the picture as it is stored, where they are on the photo upright.

    Source: CIPA DC-008, 4.6.4, tag 274.

    >>> turn_points(np.array([[1.0, 2.0]]), (10, 20), 6).tolist()  # the stored top is the right side
    [[8.0, 1.0]]
    """
    height, width = stored_hw
    x, y = points.T
    right, down = width - x, height - y
    pairs = {2: (right, y), 3: (right, down), 4: (x, down), 5: (y, x), 6: (down, x), 7: (down, right), 8: (y, right)}
    return np.stack(pairs.get(orientation, (x, y)), axis=1)


def _turned_mask(rle: Mask, orientation: int) -> Mask:
    mask: BoolArray = rle_decode(rle)
    if orientation >= 5:
        mask = mask.T
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}.get(orientation, ())
    return rle_encode(np.ascontiguousarray(np.flip(mask, flips)))
