"""Pictures that results hold beside their texts: a photo as the page shows it, small and large, and a piece of it a finding."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from dentify.arrays import Photo
from dentify.assessment import Assessment, Box

LARGE_SIDE = 1280  # pixels, of the longer side
SMALL_SIDE = 400
_LARGE_QUALITY = 82
_SMALL_QUALITY = 60  # WebP; of `examples/` 10 kB a photo on average, 14 as JPEG
_BESIDE = 0.15  # of a finding's box, on each side of its crop
_LEAST_CROP = 64  # pixels of the full photo that a crop shows at least, both ways


@dataclass(frozen=True)
class PagePictures:
    """A photo without drawings, for the page: `large` is a JPEG file, `small` a WebP file."""

    large: bytes
    small: bytes


def page_pictures(image: Photo) -> PagePictures:
    """The pictures of a photo `(h, w, 3)` uint8 RGB, never larger than it is."""
    large, small = _at_most(image, LARGE_SIDE), _at_most(image, SMALL_SIDE)
    return PagePictures(_encoded(large, "JPEG", _LARGE_QUALITY), _encoded(small, "WEBP", _SMALL_QUALITY))


def finding_crops(image: Photo, assessment: Assessment, *, quality: int) -> dict[int, bytes]:
    """A JPEG file of each finding with a little of what is around it, by its id.

    Args:
        image: `(h, w, 3)` uint8 RGB, the upright photo at any scale.
        assessment: of that photo; its boxes are in pixels of the full photo.
        quality: of the JPEG files.
    """
    photo = assessment.photo
    scale = (image.shape[1] / photo.width, image.shape[0] / photo.height)
    crops = {}
    for finding in assessment.findings:
        left, top, right, bottom = _around(finding.box, (photo.width, photo.height), scale)
        crops[finding.id] = _encoded(image[top:bottom, left:right], "JPEG", quality)
    return crops


def _around(box: Box, photo_wh: tuple[int, int], scale: tuple[float, float]) -> tuple[int, int, int, int]:
    """A box with a margin, in whole pixels of the scaled photo, at least one wide and high."""
    low, high = [], []
    for axis in (0, 1):
        start, end = box[axis], box[axis + 2]
        extent = max((1 + 2 * _BESIDE) * (end - start), _LEAST_CROP)
        first = min(max((start + end - extent) / 2, 0), max(photo_wh[axis] - extent, 0))
        last = min(first + extent, photo_wh[axis])
        size = max(1, round(photo_wh[axis] * scale[axis]))
        low.append(min(int(first * scale[axis]), size - 1))
        high.append(min(max(int(np.ceil(last * scale[axis])), low[-1] + 1), size))
    return low[0], low[1], high[0], high[1]


def _at_most(image: Photo, side: int) -> Photo:
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(image: Photo, kind: str, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, kind, quality=quality)
    return file.getvalue()
