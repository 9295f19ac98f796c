"""The quality check on the project's own photos, as they are and made worse on purpose.

The thresholds were chosen on hundreds of other photos (`benchmarks/quality.py`); here is what must hold for any.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dentify.imaging.decode import decode_photo
from dentify.imaging.quality import judge_quality, measure_quality
from dentify.settings import Settings

Photo = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photos(examples: Path) -> list[Photo]:
    return [
        decode_photo(file.read_bytes(), where=file.name, settings=Settings()).image for file in sorted(examples.glob("*.jpg"))
    ]


def issues(image: Photo) -> tuple[str, ...]:
    return judge_quality(image, (image.shape[0], image.shape[1])).issues


def exposed(image: Photo, stops: float) -> Photo:
    """As if the shutter had been open 2^stops times as long."""
    levels = 255 * np.clip((np.arange(256) / 255) ** 2.2 * 2.0**stops, 0, 1) ** (1 / 2.2)
    return cv2.LUT(image, levels.round().astype(np.uint8)).astype(np.uint8)


def blurred(image: Photo, sigma: float) -> Photo:
    return cv2.GaussianBlur(image, (0, 0), sigma * max(image.shape) / 512).astype(np.uint8)


def shaken(image: Photo, length: int, *, upright: bool) -> Photo:
    kernel = np.zeros((length, length), np.float32)
    kernel[:, length // 2] = 1 / length
    return cv2.filter2D(image, -1, kernel if upright else kernel.T).astype(np.uint8)


def test_the_photos_as_they_are_have_no_issue(photos: list[Photo]) -> None:
    for photo in photos:
        quality = judge_quality(photo, photo.shape[:2])
        assert quality.usable
        assert quality.issues == ()


def test_three_stops_less_light_is_too_dark(photos: list[Photo]) -> None:
    assert all(issues(exposed(photo, -3)) == ("too_dark",) for photo in photos)


def test_three_stops_more_light_is_blown_out(photos: list[Photo]) -> None:
    told = ["too_bright" in issues(exposed(photo, 3)) for photo in photos]
    assert sum(told) >= 10


def test_out_of_focus_is_blurred(photos: list[Photo]) -> None:
    assert all("blurred" in issues(blurred(photo, 3)) for photo in photos)


@pytest.mark.parametrize("upright", [True, False])
def test_shaken_in_one_direction_is_blurred(upright: bool, photos: list[Photo]) -> None:
    """Edges along the movement stay sharp, so an average over all edges would not tell."""
    told = ["blurred" in issues(shaken(photo, 20, upright=upright)) for photo in photos]
    assert sum(told) >= 10


def test_noise_does_not_hide_blur(photos: list[Photo]) -> None:
    rng = np.random.default_rng(0)
    for photo in photos[:4]:
        noisy = np.clip(blurred(photo, 3) + rng.normal(0, 5, photo.shape), 0, 255).astype(np.uint8)
        assert "blurred" in issues(noisy)


def test_too_small_is_told_by_the_full_photo(photos: list[Photo]) -> None:
    assert judge_quality(photos[0], (159, 400)).issues == ("too_small",)
    assert judge_quality(photos[0], (160, 400)).issues == ()


def test_several_issues_at_once_in_a_fixed_order(photos: list[Photo]) -> None:
    quality = judge_quality(blurred(exposed(photos[0], -2.5), 3), (100, 100))
    assert quality.issues == ("too_dark", "blurred", "too_small")
    assert not quality.usable


@pytest.mark.parametrize("level", [128, 200])
def test_a_plain_surface_is_not_blurred(level: int) -> None:
    """Nothing to judge sharpness by, with a soft reflection or without, is no blur."""
    plain = np.full((480, 640, 3), level, np.uint8)
    assert issues(plain) == ("not_a_photo",)
    reflection = np.tile(np.linspace(level - 40, level + 40, 640)[None, :, None], (480, 1, 3)).astype(np.uint8)
    assert issues(reflection) == ("not_a_photo",)


def test_neither_size_nor_scale_of_decoding_matters(photos: list[Photo]) -> None:
    for photo in photos[:3]:
        large = cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        _, data = cv2.imencode(".jpg", large[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        full, half, quarter = (
            measure_quality(decode_photo(data.tobytes(), where="a", settings=Settings(), enough_side=side).image)
            for side in (None, max(large.shape[:2]) // 4 + 1, min(large.shape[:2]) // 4)
        )
        for small in (half, quarter):
            assert small.bright_end == pytest.approx(full.bright_end, abs=3)
            assert small.blown_share == pytest.approx(full.blown_share, abs=0.01)
            assert small.blur == pytest.approx(full.blur, abs=0.3)


def test_a_car_cut_out_on_white_is_not_blown_out(photos: list[Photo]) -> None:
    cut_out = np.full((600, 900, 3), 255, np.uint8)
    cut_out[150:450, 225:675] = cv2.resize(photos[0], (450, 300), interpolation=cv2.INTER_AREA)
    assert "too_bright" not in issues(cut_out)


def saved(image: NDArray[Any], quality: int = 80) -> Photo:
    """As JPEG, and read again."""
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return decode_photo(data.tobytes(), where="a", settings=Settings()).image


@given(
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    grain=st.sampled_from([0, 2, 6]),
    quality=st.sampled_from([60, 75, 95]),
    size_hw=st.sampled_from([(480, 640), (200, 150), (1000, 300)]),
)
@settings(max_examples=30)
def test_one_colour_is_no_photo(colour: tuple[int, ...], grain: int, quality: int, size_hw: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, grain, (*size_hw, 3))
    assert "not_a_photo" in issues(saved(np.clip(noise + colour, 0, 255).astype(np.uint8), quality))


@given(
    first=st.tuples(*[st.integers(0, 255)] * 3),
    last=st.tuples(*[st.integers(0, 255)] * 3),
    angle=st.floats(0, np.pi),
    grain=st.sampled_from([0, 3]),
)
@settings(max_examples=30)
def test_a_gradient_is_no_photo(first: tuple[int, ...], last: tuple[int, ...], angle: float, grain: int) -> None:
    y, x = np.mgrid[0:480, 0:640]
    way = x * np.cos(angle) + y * np.sin(angle)
    way = (way - way.min()) / np.ptp(way)
    image = np.array(first) + way[:, :, None] * np.subtract(last, first)
    noise = np.random.default_rng(0).normal(0, grain, image.shape)
    assert "not_a_photo" in issues(saved(np.clip(image + noise, 0, 255).astype(np.uint8)))


def test_a_photo_in_the_dark_in_fog_or_out_of_focus_is_one(photos: list[Photo]) -> None:
    for photo in photos:
        foggy = (photo * 0.3 + 150).astype(np.uint8)
        for image in (exposed(photo, -3), foggy, blurred(photo, 6), photo[::3, ::3]):
            assert "not_a_photo" not in issues(image)


def test_a_close_up_of_a_plain_panel_is_a_photo() -> None:
    """A faint scratch and the edge of a panel on a soft reflection."""
    panel = np.tile(np.linspace(150, 190, 640)[None, :, None], (480, 1, 3)).astype(np.uint8)
    cv2.line(panel, (0, 400), (639, 380), (110, 110, 110), 5, cv2.LINE_AA)
    cv2.line(panel, (200, 150), (420, 210), (210, 210, 210), 2, cv2.LINE_AA)
    assert issues(saved(panel)) == ()


@pytest.mark.parametrize("shape", [(16, 16), (16, 4000), (3000, 17)])
def test_odd_shapes_go_through(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (*shape, 3)).astype(np.uint8)
    assert set(issues(noise)) <= {"too_small"}


@pytest.mark.shared_data
def test_close_ups_of_plain_panels_are_not_called_blurred(shared_data: Path) -> None:
    folder = shared_data / "damage_boxes"
    files = [image["file_name"] for image in json.loads((folder / "train.json").read_text())["images"]][::24]
    told = []
    for name in files:
        image = decode_photo((folder / "images" / name).read_bytes(), where=name, settings=Settings()).image
        told.append("blurred" in issues(image))
    assert np.mean(told) <= 0.05
