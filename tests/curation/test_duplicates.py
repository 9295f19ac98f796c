"""Which photos count as one: what people do to a photo is seen through, and other photos are other photos."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from dentify.curation import duplicates as duplicates_module
from dentify.curation.duplicates import (
    Duplicate,
    Fingerprint,
    are_duplicates,
    duplicate_groups,
    find_duplicates,
    fingerprint,
)

Change = Callable[[Image.Image], Image.Image]


def printed(image: Image.Image, *, quality: int = 90, kind: str = "JPEG") -> Fingerprint:
    """The fingerprint of a picture after a round through a file."""
    data = io.BytesIO()
    image.convert("RGB").save(data, kind, quality=quality)
    return fingerprint(np.asarray(Image.open(data).convert("RGB")), hashlib.sha256(data.getvalue()).hexdigest())


def cropped(top: float, bottom: float, left: float, right: float) -> Change:
    """Cuts shares of the sides off."""

    def crop(image: Image.Image) -> Image.Image:
        w, h = image.size
        return image.crop((round(left * w), round(top * h), round(w - right * w), round(h - bottom * h)))

    return crop


CHANGES: dict[str, Change] = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "stretched to a square": lambda image: image.resize((400, 400)),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "turned by 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "turned by 270": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "tilted by 2": lambda image: image.rotate(2, Image.Resampling.BICUBIC),
    "tilted by 5": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
    "tilted by -3, all of it kept": lambda image: image.rotate(-3, Image.Resampling.BICUBIC, expand=True),
    "mirrored and tilted": lambda image: ImageOps.mirror(image.rotate(3, Image.Resampling.BICUBIC)),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    "transversed": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    "cropped on all sides": cropped(0.05, 0.05, 0.05, 0.05),
    "cropped at the top": cropped(0.05, 0, 0, 0),
    "cropped at the bottom": cropped(0, 0.05, 0, 0),
    "cropped on the left": cropped(0, 0, 0.05, 0),
    "cropped on the right": cropped(0, 0, 0, 0.05),
    "cropped at the upper left": cropped(0.05, 0, 0.05, 0),
    "cropped at the lower right": cropped(0, 0.05, 0, 0.05),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darkened": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "grey": lambda image: ImageOps.grayscale(image),
    "mirrored and cropped": lambda image: ImageOps.mirror(cropped(0.05, 0.05, 0.05, 0.05)(image)),
    "turned, cropped and darkened": lambda image: ImageEnhance.Brightness(
        cropped(0.05, 0, 0.05, 0)(image).transpose(Image.Transpose.ROTATE_90)
    ).enhance(0.8),
}


@pytest.fixture(scope="module")
def photos(examples: Path) -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in sorted(examples.glob("*.jpg"))]


@pytest.fixture(scope="module")
def prints(photos: list[Image.Image]) -> list[Fingerprint]:
    return [printed(photo) for photo in photos]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_photo_is_found_and_no_other(photos: list[Image.Image], prints: list[Fingerprint], change: Change) -> None:
    changed = [printed(change(photo), quality=80) for photo in photos]
    count = len(photos)
    assert count == 12
    found = find_duplicates([*prints, *changed])
    assert found == [Duplicate(index, index + count, exact=False) for index in range(count)]


@pytest.mark.parametrize(("kind", "quality"), [("JPEG", 30), ("WEBP", 60), ("PNG", 0)])
def test_a_photo_in_another_file_is_found(photos: list[Image.Image], prints: list[Fingerprint], kind: str, quality: int) -> None:
    for photo, one in zip(photos, prints, strict=True):
        other = printed(photo, kind=kind, quality=quality)
        assert other.sha256 != one.sha256
        assert are_duplicates(one, other)
        assert are_duplicates(other, one)


def test_different_photos_are_different(prints: list[Fingerprint]) -> None:
    assert find_duplicates(prints) == []
    assert not any(are_duplicates(one, other) for one, other in combinations(prints[:4], 2))


def test_half_of_a_photo_is_another_photo(photos: list[Image.Image], prints: list[Fingerprint]) -> None:
    halves = [printed(cropped(0, 0, 0, 0.5)(photo)) for photo in photos]
    assert sum(are_duplicates(one, half) for one, half in zip(prints, halves, strict=True)) == 0


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_photos_without_anything_on_them_are_not_all_one(shade: int) -> None:
    one, other = (fingerprint(np.full((side, 200, 3), shade, np.uint8), str(side)) for side in (160, 300))
    assert not are_duplicates(one, other)


def test_files_of_equal_bytes_are_exact_duplicates_of_the_first(prints: list[Fingerprint]) -> None:
    found = find_duplicates([prints[0], prints[1], prints[0], prints[0]])
    assert found == [Duplicate(0, 2, exact=True), Duplicate(0, 3, exact=True)]
    assert are_duplicates(prints[0], prints[0])


def test_near_duplicates_of_exact_ones_are_told_of_the_first(photos: list[Image.Image], prints: list[Fingerprint]) -> None:
    near = printed(ImageOps.mirror(photos[0]))
    assert find_duplicates([prints[0], near, prints[0]]) == [Duplicate(0, 1, exact=False), Duplicate(0, 2, exact=True)]


def test_few_photos_have_no_duplicates(prints: list[Fingerprint]) -> None:
    assert find_duplicates([]) == []
    assert find_duplicates(prints[:1]) == []


def test_pairs_are_the_same_however_many_are_compared_at_a_time(
    photos: list[Image.Image], prints: list[Fingerprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [printed(cropped(0.05, 0.05, 0.05, 0.05)(photo)) for photo in photos]
    several = [*changed[:6], *prints, *changed[6:]]  # the crop before its photo and behind it
    whole = find_duplicates(several)
    assert len(whole) == 12
    monkeypatch.setattr(duplicates_module, "_MOST_PAIRS", 60)
    assert find_duplicates(several) == whole


def test_a_fingerprint_is_small_and_the_same_for_a_larger_copy(photos: list[Image.Image]) -> None:
    image = np.asarray(photos[0].resize((160, 160)))
    one, large = fingerprint(image, "a"), fingerprint(np.kron(image, np.ones((4, 4, 1), np.uint8)), "b")
    assert (one.hashes.shape, one.hashes.dtype, one.thumb.shape, one.thumb.dtype) == ((10,), np.uint64, (48, 48), np.uint8)
    np.testing.assert_array_equal(one.hashes, large.hashes)
    np.testing.assert_array_equal(one.thumb, large.thumb)


# --- groups --------------------------------------------------------------------------------------------------------------


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, list[Duplicate]]:
    count = draw(st.integers(1, 12))
    place = st.integers(0, count - 1)
    return count, [Duplicate(a, b, exact=False) for a, b in draw(st.lists(st.tuples(place, place), max_size=12))]


@given(pairs())
def test_groups_are_what_pairs_join_and_are_called_by_their_first(drawn: tuple[int, list[Duplicate]]) -> None:
    count, several = drawn
    groups = duplicate_groups(count, several)
    together = {index: {index} for index in range(count)}  # the slow way
    for _ in range(count):
        for first, second, _ in several:
            joined = together[first] | together[second]
            for index in joined:
                together[index] = joined
    assert groups == [min(together[index]) for index in range(count)]


# --- real photos ---------------------------------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_random_pairs_of_different_cars_are_hardly_ever_called_one(shared_data: Path) -> None:
    """Each of 500 pairs is of two groups: their publisher's near-duplicates were taken out beforehand."""
    rows = json.loads((shared_data / "damage" / "train.json").read_text())["images"]
    chosen = random.Random(0).sample(rows, 160)
    several = []
    for row in chosen:
        data = (shared_data / "damage" / "images" / row["file_name"]).read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            several.append(fingerprint(np.asarray(image.convert("RGB")), hashlib.sha256(data).hexdigest()))
    group = [row["group"] for row in chosen]
    different = [(a, b) for a, b in combinations(range(len(chosen)), 2) if group[a] != group[b]]
    told = {(a, b) for a, b, _ in find_duplicates(several)}
    wrong = sum(pair in told for pair in random.Random(1).sample(different, 500))
    assert wrong <= 5
    assert len(told & set(different)) <= len(different) / 100  # nor of all 12,000 pairs
