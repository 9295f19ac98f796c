"""Pictures whose pixels are labels, in every mode that Pillow has."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from dentify.errors import ImageError
from dentify.imaging.decode import decode_label_map
from dentify.imaging.label_maps import read_label_map
from dentify.settings import Settings

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


def read(picture: Image.Image) -> NDArray[np.generic]:
    return np.asarray(read_label_map(picture, "a.png", lossy=False)[0])


@given(shapes.flatmap(lambda shape: arrays(np.int32, shape, elements=st.integers(0, 2**31 - 1))))
def test_indices_of_any_depth_stay_as_they_are(indices: NDArray[np.int32]) -> None:
    indices[0, 0] = 7  # not black and white alone
    np.testing.assert_array_equal(read(Image.fromarray(indices)), indices)
    floats = (indices % 2**20).astype(np.float32)
    np.testing.assert_array_equal(read(Image.fromarray(floats)), floats)
    np.testing.assert_array_equal(read(Image.fromarray((indices % 65_000).astype(np.uint16))), indices % 65_000)


@given(shapes.flatmap(lambda shape: arrays(np.uint8, (*shape, 4))))
def test_colours_are_those_of_what_is_not_transparent(pixels: NDArray[np.uint8]) -> None:
    pixels[0, 0] = (1, 2, 3, 255)
    np.testing.assert_array_equal(read(Image.fromarray(pixels)), np.where(pixels[:, :, 3:] > 0, pixels[:, :, :3], 0))


def test_black_and_white_of_16_bits_is_that_of_8() -> None:
    white = np.array([[0, 65_535]], np.uint16)
    assert read(Image.fromarray(white)).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.array([[0, -1]], np.int32), "holds values from -1 to 0, which are no class indices"),
        (np.array([[0, 0.5]], np.float32), "holds fractions, which are no labels"),
        (np.array([[0, np.nan]], np.float32), "holds fractions, which are no labels"),
    ],
)
def test_what_is_no_index_is_refused(pixels: NDArray[np.generic], told: str) -> None:
    with pytest.raises(ImageError, match=f"^a.png: {told}"):
        read(Image.fromarray(pixels))


@pytest.mark.parametrize("format_name", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [30, 60, 95])
def test_edges_that_were_blurred_are_sharp_again(format_name: str, quality: int) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 20:50] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, format_name, quality=quality)
    pixels, palette = decode_label_map(file.getvalue(), where="a", settings=Settings())
    assert palette is None
    assert set(np.unique(pixels).tolist()) == {0, 255}
    assert np.count_nonzero(pixels != mask) <= 100  # of an outline of 100 pixels


def test_a_black_jpeg_is_a_mask_of_nothing() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "JPEG")
    assert not decode_label_map(file.getvalue(), where="a", settings=Settings())[0].any()
