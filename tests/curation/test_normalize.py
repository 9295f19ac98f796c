"""Mean and standard deviation of a data set's channels, against numpy over all pixels at once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentify.curation.normalize import channel_figures
from dentify.datasets import Sample
from dentify.errors import DatasetError

CHANCE = np.random.default_rng(0)


def noise(size_hw: tuple[int, int] = (32, 40)) -> Any:
    """A photo whose channels differ."""
    return (CHANCE.random((*size_hw, 3)) * [255, 120, 30] + [0, 60, 200]).astype(np.uint8)


def sample(pixels: Any, split: str | None = None, name: str = "a.png") -> Sample:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return Sample(data.getvalue(), name, split=split, where="x.json: images[0]")


BROKEN = Sample(b"no picture", "b.png", split="train", where="x.json: images[1]")


@pytest.mark.parametrize("workers", [1, 3])
def test_figures_are_numpys_over_all_pixels(workers: int) -> None:
    photos = [noise() for _ in range(9)]
    figures = channel_figures([sample(photo) for photo in photos], workers=workers)
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photos]) / 255
    assert figures.mean == pytest.approx(pixels.mean(axis=0), abs=1e-6)
    assert figures.std == pytest.approx(pixels.std(axis=0), abs=1e-6)
    assert (figures.photos, figures.split) == (9, "")


def test_each_photo_weighs_the_same_whatever_its_size() -> None:
    black, white = np.zeros((32, 32, 3), np.uint8), np.full((320, 320, 3), 255, np.uint8)
    figures = channel_figures([sample(black), sample(white)])
    assert figures.mean == (0.5, 0.5, 0.5)
    assert figures.std == (0.5, 0.5, 0.5)


def test_even_photos_have_no_deviation() -> None:
    figures = channel_figures([sample(np.full((32, 32, 3), (255, 51, 0), np.uint8))])
    assert (figures.mean, figures.std) == ((1.0, 0.2, 0.0), (0.0, 0.0, 0.0))


@pytest.mark.parametrize("wanted", ["train", "val"])
def test_only_the_wanted_split_counts(wanted: str) -> None:
    photos = {"train": [noise(), noise()], "val": [noise() // 2], "test": [noise() // 3]}
    figures = channel_figures([sample(photo, split) for split, some in photos.items() for photo in some], wanted)
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photos[wanted]]) / 255
    assert figures.mean == pytest.approx(pixels.mean(axis=0), abs=1e-6)
    assert (figures.photos, figures.split) == (len(photos[wanted]), wanted)


@pytest.mark.parametrize("place", [0, 1, 5])
def test_photos_without_a_split_do_not_count_beside_those_with_one_wherever_they_come(place: int) -> None:
    dark, light = np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)
    samples = [sample(dark) for _ in range(5)]
    samples.insert(place, sample(light, "train"))
    figures = channel_figures(samples)
    assert (figures.photos, figures.split, figures.mean) == (1, "train", (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("samples", "wanted", "told"),
    [
        (
            [sample(noise(), "train"), sample(noise(), "test")],
            "val",
            "no photo of split 'val' that can be read; the data set has test, train",
        ),
        (
            [sample(noise()), sample(noise(), "test")],
            "train",
            "no photo of split 'train' that can be read; the data set has test",
        ),
        ([], "train", "no photo of split 'train' that can be read; the data set has none"),
    ],
    ids=["another", "mixed", "empty"],
)
def test_a_split_without_photos_is_one_line(samples: list[Sample], wanted: str, told: str) -> None:
    with pytest.raises(DatasetError) as caught:
        channel_figures(samples, wanted)
    assert str(caught.value) == told


def test_a_broken_picture_ends_it_or_is_left_out(tmp_path: Path) -> None:
    missing = Sample(tmp_path / "none.png", "none.png", split="train", where="x.json: images[2]")
    good = sample(np.full((32, 32, 3), 255, np.uint8), "train")
    with pytest.raises(DatasetError, match=r"^x.json: images\[1\]: b.png: not a picture"):
        channel_figures([good, BROKEN])
    with pytest.raises(DatasetError, match=r"none.png: cannot be read: No such file"):
        channel_figures([missing, good])
    errors: list[DatasetError] = []
    seen: list[None] = []
    figures = channel_figures([BROKEN, good, missing], on_invalid=errors.append, on_photo=lambda: seen.append(None))
    assert (figures.photos, figures.mean) == (1, (1.0, 1.0, 1.0))
    assert [error.kind for error in errors] == ["broken picture", "broken picture"]
    assert len(seen) == 3
