"""Photos made alike before they are assessed, and close-ups cut from whole views.

Files betray labels: sizes, shapes and JPEG histories differ between sources. A gate that learnt the file and not the car shows it
when all photos are stretched to one size and compressed alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.datasets.sample import Annotation, Sample
from dentify.evaluation.outlines import check_size
from dentify.imaging.decode import decode_photo
from dentify.imaging.masks import crop_to_rle, rle_decode
from dentify.settings import Settings

CROP_AREA = (0.10, 0.25)
"""Share of the photo's area that a close-up shows."""
CROP_STRETCH = (3 / 4, 4 / 3)
"""How much wider than the photo's own shape a close-up may be."""

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


def crops_of(sample: Sample, count: int, *, seed: int = 0, settings: Settings | None = None) -> Iterator[Sample]:
    """Close-ups of a photo without annotations: random crops of 10 to 25 % of its area.

    Which crops follows from the seed and the photo's name alone, so that the order of photos does not matter.
    """
    settings = settings or Settings()
    image = _decode(sample, settings)
    height, width = image.shape[:2]
    least = settings.min_side
    digest = hashlib.sha256(f"{seed}/{sample.name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    for number in range(1, count + 1):
        side = np.sqrt(rng.uniform(*CROP_AREA))
        stretch = np.sqrt(np.exp(rng.uniform(*np.log(CROP_STRETCH))))
        crop_w = min(max(round(width * side * stretch), least), width)
        crop_h = min(max(round(height * side / stretch), least), height)
        x = int(rng.integers(0, width - crop_w + 1))
        y = int(rng.integers(0, height - crop_h + 1))
        crop = image[y : y + crop_h, x : x + crop_w]
        yield replace(sample, image=_encode(crop, None), name=f"{sample.name}#crop{number}", size_hw=(crop_h, crop_w))


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
