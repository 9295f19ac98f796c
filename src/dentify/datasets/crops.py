"""Close-ups cut from whole views: what a gate that only saw whole vehicles has never been asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from dentify.datasets.sample import Sample
from dentify.imaging.decode import decode_photo
from dentify.settings import Settings

CROP_AREA = (0.10, 0.25)
"""Share of the photo's area that a close-up shows."""
CROP_STRETCH = (3 / 4, 4 / 3)
"""How much wider than the photo's own shape a close-up may be."""


def crops_of(sample: Sample, count: int, *, seed: int = 0, settings: Settings | None = None) -> Iterator[Sample]:
    """Close-ups of a photo without annotations: random crops of 10 to 25 % of its area.

    Which crops follows from the seed and the photo's name alone, so that the order of photos does not matter.
    """
    settings = settings or Settings()
    image = decode_photo(sample.read(settings), where=sample.name, settings=settings).image
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
        crop = cv2.cvtColor(image[y : y + crop_h, x : x + crop_w], cv2.COLOR_RGB2BGR)
        _, png = cv2.imencode(".png", crop, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        yield replace(sample, image=bytes(png), name=f"{sample.name}#crop{number}", size_hw=(crop_h, crop_w))
