"""One photo from bytes to bytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.beam.prepare import FILLING, Recipe, place, prepare_photo
from dentify.errors import ConfigError, ImageError
from dentify.settings import Settings

from .conftest import encoded, exif_of, texture

SETTINGS = Settings()


def prepared_pixels(data: bytes, recipe: Recipe) -> np.ndarray:
    prepared = prepare_photo(data, recipe, where="a", settings=SETTINGS)
    with Image.open(io.BytesIO(prepared.picture)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_letterbox_fills_what_the_photo_leaves() -> None:
    pixels = prepared_pixels(encoded(texture(1), "a.png"), Recipe(size_wh=(100, 100), quality=100))
    assert pixels.shape == (100, 100, 3)
    assert np.abs(pixels[70:].astype(int) - FILLING).max() <= 2
    assert pixels[22, 35].min() > 240  # the white box, at half the size


def test_a_stretched_photo_fills_all() -> None:
    pixels = prepared_pixels(encoded(texture(1), "a.png"), Recipe(size_wh=(100, 120), fit="stretch", quality=100))
    assert pixels.shape == (120, 100, 3)
    assert pixels[42, 35].min() > 240


@pytest.mark.parametrize("picture_format", ["jpeg", "webp"])
def test_nothing_of_the_files_metadata_is_left(picture_format: str) -> None:
    data = encoded(texture(1), "a.jpg", exif=exif_of(), xmp=b"<x:xmpmeta>here</x:xmpmeta>", comment=b"at home")
    picture = prepare_photo(data, Recipe(picture_format=picture_format), where="a", settings=SETTINGS).picture  # type: ignore[arg-type]
    with Image.open(io.BytesIO(picture)) as opened:
        assert not set(opened.info) & {"exif", "xmp", "comment", "icc_profile", "photoshop"}
    assert not any(word in picture for word in (b"Exif", b"Secretphone", b"Ayse", b"xmpmeta", b"at home"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_stands_upright(orientation: int) -> None:
    upright = texture(2)
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes EXIF's orientations, as Pillow's Transpose numbers
    lying = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    prepared = prepare_photo(
        encoded(lying, "a.jpg", exif=exif_of(orientation=orientation)), Recipe((100, 60)), where="a", settings=SETTINGS
    )
    assert prepared.placement.photo_hw == (120, 200)
    with Image.open(io.BytesIO(prepared.picture)) as picture:
        difference = np.asarray(picture, int) - np.asarray(upright.resize((100, 60), Image.Resampling.BOX), int)
    assert np.abs(difference).mean() < 6


def test_a_reduced_decoding_is_as_good_as_a_full_one() -> None:
    large = texture(3, (2000, 1200))
    small = prepared_pixels(encoded(large, "a.jpg"), Recipe((200, 120), quality=100))
    difference = small.astype(float) - np.asarray(large.resize((200, 120), Image.Resampling.BOX), float)
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 40


def test_the_same_photo_gives_the_same_bytes() -> None:
    data = encoded(texture(4), "a.jpg")
    one, two = (prepare_photo(data, Recipe(), where="a", settings=SETTINGS) for _ in range(2))
    assert one.picture == two.picture
    assert one.picture_sha256 == two.picture_sha256


def test_limits_are_checked_before_pixels_are_decoded() -> None:
    with pytest.raises(ImageError, match=r"over the limit of 0\.01 megapixels"):
        prepare_photo(encoded(texture(1), "a.jpg"), Recipe(), where="a", settings=Settings(max_pixels=10_000))


@pytest.mark.parametrize("options", [{"size_wh": (0, 5)}, {"size_wh": (20_000, 5)}, {"quality": 101}])
def test_a_recipe_that_cannot_be_written_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        Recipe(**options)


@given(st.integers(16, 5000), st.integers(16, 5000), st.integers(16, 700), st.integers(16, 700))
def test_a_letterbox_keeps_the_shape_and_fits(height: int, width: int, picture_w: int, picture_h: int) -> None:
    placement = place((height, width), Recipe((picture_w, picture_h)))
    content_h, content_w = placement.content_hw
    assert 1 <= content_h <= picture_h
    assert 1 <= content_w <= picture_w
    assert content_h == picture_h or content_w == picture_w
    scale = min(picture_h / height, picture_w / width)
    assert content_h == pytest.approx(max(1, height * scale), abs=0.51)
    assert content_w == pytest.approx(max(1, width * scale), abs=0.51)
