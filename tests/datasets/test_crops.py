"""Close-ups of whole views."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from dentify.datasets import Sample
from dentify.datasets.crops import crops_of


def test_close_ups_show_10_to_25_percent_and_follow_from_seed_and_name() -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)).save(file, "PNG")
    plain = Sample(file.getvalue(), "a.png", damage=False)
    crops = list(crops_of(plain, 20, seed=1))
    assert [crop.read() for crop in crops] == [crop.read() for crop in crops_of(plain, 20, seed=1)]
    assert [crop.read() for crop in crops] != [crop.read() for crop in crops_of(plain, 20, seed=2)]
    assert len({crop.name for crop in crops}) == 20
    for crop in crops:
        width, height = Image.open(io.BytesIO(crop.read())).size
        assert crop.size_hw == (height, width)
        assert 0.09 < width * height / (120 * 80) < 0.27
        assert 0.7 < (width / height) / (120 / 80) < 1.4


def test_close_ups_of_flat_photos_can_be_assessed() -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 44)).save(file, "PNG")
    crops = list(crops_of(Sample(file.getvalue(), "flat.png", size_hw=(44, 300)), 30))
    assert min(min(crop.size_hw or ()) for crop in crops) == 16
