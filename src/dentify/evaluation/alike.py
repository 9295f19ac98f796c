"""Photos made alike before they are assessed.

Files betray labels: sizes, shapes and JPEG histories differ between sources. A gate that learnt the file and not the car shows it
when all photos are stretched to one size and compressed alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.datasets.sample import Annotation, Sample
from dentify.evaluation.outlines import check_size
from dentify.imaging.decode import decode_photo
from dentify.imaging.masks import crop_to_rle, rle_decode
from dentify.settings import Settings

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Alike:
    """How photos are made alike: stretched to `stretch_wh` pixels, saved as JPEG of quality `jpeg`; `None` leaves that out."""

    stretch_wh: tuple[int, int] | None = None
    jpeg: int | None = None

    def __bool__(self) -> bool:
        return self.stretch_wh is not None or self.jpeg is not None


def made_alike(sample: Sample, alike: Alike, settings: Settings | None = None) -> Sample:
    """The sample with its picture read and written anew, its outlines moved along.

    Raises:
        ImageError: the picture cannot be decoded.
        DatasetError: its labels are for another size.
    """
    if not alike:
        return sample
    image = _decode(sample, settings or Settings())
    hw = (image.shape[0], image.shape[1])
    check_size(sample, hw)
    if alike.stretch_wh is None:
        return replace(sample, image=_encode(image, alike.jpeg), size_hw=hw)
    width, height = alike.stretch_wh
    image = _stretch(image, alike.stretch_wh)
    moved = tuple(_moved(annotation, hw, (height, width)) for annotation in sample.annotations)
    return replace(sample, image=_encode(image, alike.jpeg), size_hw=(height, width), annotations=moved)


def _decode(sample: Sample, settings: Settings) -> Image:
    return decode_photo(sample.read(settings), where=sample.name, settings=settings).image


def _stretch(image: Image, size_wh: tuple[int, int]) -> Image:
    shrinks = size_wh[0] <= image.shape[1] and size_wh[1] <= image.shape[0]
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)


def _encode(image: Image, jpeg: int | None) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if jpeg is None:
        _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    else:
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg])
    return bytes(data)


def _moved(annotation: Annotation, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Annotation:
    scale = np.array([to_hw[1] / from_hw[1], to_hw[0] / from_hw[0]])
    x_min, y_min, x_max, y_max = (float(value) for value in np.array(annotation.box_xyxy) * np.tile(scale, 2))
    rle = annotation.rle
    if rle is not None:
        rle = crop_to_rle(rle_decode(rle), (0, 0), from_hw, to_hw)
    polygons = tuple(polygon * scale for polygon in annotation.polygons)
    return replace(annotation, box_xyxy=(x_min, y_min, x_max, y_max), polygons=polygons, rle=rle)
