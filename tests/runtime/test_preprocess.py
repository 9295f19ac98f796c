"""Photos as network inputs, against plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import Preprocessing
from dentify.runtime.preprocess import boxes_on_photo, content_hw, crop_to_photo, network_input, resize

IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def interpolated(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Bilinear enlarging with pixel centres at a half, edges repeated."""
    result = image.astype(np.float64)
    for axis, size in enumerate(size_hw):
        at = np.clip((np.arange(size) + 0.5) * image.shape[axis] / size - 0.5, 0, image.shape[axis] - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, image.shape[axis] - 1)
        share = (at - low).reshape([-1 if axis == d else 1 for d in range(3)])
        result = np.take(result, low, axis) * (1 - share) + np.take(result, high, axis) * share
    return result


def test_shrinking_averages_over_areas() -> None:
    image = photo(96, 128)
    means = image.reshape(32, 3, 32, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, (32, 32)), means, atol=0.51)  # rounded to whole numbers


def test_enlarging_interpolates() -> None:
    image = photo(7, 9)
    np.testing.assert_allclose(resize(image, (20, 30)), interpolated(image, (20, 30)), atol=1.01)


def test_a_side_that_shrinks_and_one_that_grows_each_have_their_way() -> None:
    image = photo(8, 64)
    averaged = image.reshape(8, 16, 4, 3).mean(axis=2)
    np.testing.assert_allclose(resize(image, (16, 16)), interpolated(averaged, (16, 16)), atol=1.51)


def test_pixels_are_normalised_channels_first() -> None:
    image = photo(16, 16)
    tensor = network_input(image, Preprocessing(size_hw=(16, 16), **IMAGENET))
    expected = ((image / 255 - np.array(IMAGENET["mean"])) / np.array(IMAGENET["std"])).transpose(2, 0, 1)[None]
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor, expected, atol=1e-5)


def test_the_photo_itself_is_left_as_it_is() -> None:
    image = photo(16, 16)
    before = image.copy()
    network_input(image, Preprocessing(size_hw=(16, 16), **IMAGENET))
    np.testing.assert_array_equal(image, before)


def test_a_letterbox_keeps_proportions_top_left_and_fills_with_the_mean() -> None:
    letterbox = Preprocessing(size_hw=(64, 64), resize="letterbox", **IMAGENET)
    tensor = network_input(np.full((50, 100, 3), 255, np.uint8), letterbox)
    assert (tensor[0, :, :32] > 2).all()
    assert (tensor[0, :, 32:] == 0).all()


def test_what_a_letterbox_filled_is_cut_off_its_maps() -> None:
    letterbox = Preprocessing(size_hw=(64, 64), resize="letterbox", **IMAGENET)
    maps = np.zeros((2, 16, 16), np.float32)
    assert crop_to_photo(maps, (50, 100), letterbox).shape == (2, 8, 16)
    assert crop_to_photo(maps, (100, 50), letterbox).shape == (2, 16, 8)


def test_stretched_maps_cover_the_photo_as_they_are() -> None:
    maps = np.zeros((2, 16, 16), np.float32)
    assert crop_to_photo(maps, (50, 100), Preprocessing(size_hw=(64, 64), **IMAGENET)).shape == (2, 16, 16)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from(["stretch", "letterbox"]))
def test_the_photo_always_fits_the_input_and_touches_two_of_its_sides(height: int, width: int, how: Any) -> None:
    rows, columns = content_hw((height, width), Preprocessing(size_hw=(320, 480), resize=how, **IMAGENET))
    assert 1 <= rows <= 320
    assert 1 <= columns <= 480
    assert rows == 320 or columns == 480


def test_the_thinnest_photo_is_a_line_of_a_letterbox() -> None:
    letterbox = Preprocessing(size_hw=(64, 64), resize="letterbox", **IMAGENET)
    assert content_hw((1, 5000), letterbox) == (1, 64)
    assert content_hw((5000, 1), letterbox) == (64, 1)
    assert crop_to_photo(np.zeros((2, 16, 16), np.float32), (1, 5000), letterbox).shape == (2, 1, 16)


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (64, 64), (65, 63)])
def test_odd_sizes_go_through(size: tuple[int, int]) -> None:
    for how in ("stretch", "letterbox"):
        preprocessing = Preprocessing.model_validate({"size_hw": (64, 64), "resize": how, **IMAGENET})
        assert np.isfinite(network_input(photo(*size), preprocessing)).all()


def test_boxes_of_candidates_lie_on_the_photo_and_not_on_a_letterboxs_filling() -> None:
    table = np.float32([[0.0, 0.0, 0.5, 0.75, 0.9]])
    stretched = Preprocessing(size_hw=(320, 320), **IMAGENET)
    assert boxes_on_photo(table, (300, 400), stretched).tolist() == table.tolist()
    letterbox = Preprocessing(size_hw=(320, 320), resize="letterbox", **IMAGENET)  # the photo fills the upper three quarters
    assert boxes_on_photo(table, (300, 400), letterbox).tolist() == [[0.0, 0.0, 0.5, 1.0, np.float32(0.9)]]
