"""Pictures beside results: as large as they need to be, and of the right place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from answers import answer, finding
from dentify.results.pictures import LARGE_SIDE, SMALL_SIDE, finding_crops, page_pictures


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


@pytest.mark.parametrize("size_hw", [(3000, 4000), (100, 200), (1, 5000)])
def test_pictures_of_the_page_are_never_larger_than_the_photo(size_hw: tuple[int, int]) -> None:
    pictures = page_pictures(np.full((*size_hw, 3), 128, np.uint8))
    large, small = opened(pictures.large), opened(pictures.small)
    assert (large.format, small.format) == ("JPEG", "WEBP")
    assert max(large.size) == min(LARGE_SIDE, max(size_hw))
    assert max(small.size) == min(SMALL_SIDE, max(size_hw))


@pytest.mark.parametrize("scale", [1, 4, 0.5])
def test_a_crop_shows_the_finding_with_a_little_around_it_at_any_scale(scale: float) -> None:
    """The finding is red, and nothing else is."""
    height, width = round(100 * scale), round(200 * scale)
    image = np.zeros((height, width, 3), np.uint8)
    image[round(30 * scale) : round(50 * scale), round(60 * scale) : round(100 * scale)] = (255, 0, 0)
    (data,) = finding_crops(image, answer(findings=(finding(7),)), quality=95).values()
    crop = np.asarray(opened(data)).astype(int)
    assert crop.shape[:2] == (round(64 * scale), round(64 * scale))  # at least 64 pixels of the photo
    red = (crop[..., 0] > 128) & (crop[..., 1] < 100)
    assert red.sum() == pytest.approx(800 * scale**2, rel=0.1)


def test_a_crop_at_the_edge_stays_within() -> None:
    boxes = [(0, 0, 10, 10), (190, 90, 200, 100), (0, 0, 200, 100), (199.5, 99.5, 200, 100)]
    findings = tuple(finding(number, box=box) for number, box in enumerate(boxes, 1))
    crops = finding_crops(np.zeros((100, 200, 3), np.uint8), answer(findings=findings), quality=90)
    assert [opened(crops[number]).size for number in crops] == [(64, 64), (64, 64), (200, 100), (64, 64)]
