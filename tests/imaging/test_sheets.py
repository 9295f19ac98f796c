"""Sheets of several photos, pasted together of the project's own, and single photos that look like one at first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from dentify.imaging.decode import decode_photo
from dentify.imaging.quality import judge_quality
from dentify.imaging.sheets import is_sheet
from dentify.settings import Settings

Photo = NDArray[np.uint8]
WHITE, BLACK, GREY, GREEN = (255, 255, 255), (0, 0, 0), (128, 128, 128), (40, 160, 60)


@pytest.fixture(scope="module")
def photos(examples: Path) -> list[Photo]:
    return [
        decode_photo(file.read_bytes(), where=file.name, settings=Settings()).image for file in sorted(examples.glob("*.jpg"))
    ]


def told(image: Photo, quality: int = 80) -> bool:
    """Whether a picture, once saved as JPEG, is told as several photos."""
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = decode_photo(data.tobytes(), where="a", settings=Settings()).image
    return "several_photos" in judge_quality(read, (read.shape[0], read.shape[1])).issues


def fitted(photo: Photo, width: int, height: int) -> Photo:
    return cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def sheet(
    photos: Sequence[Photo], rows: int, columns: int, *, gap: int = 0, around: int = 0, colour: Sequence[int] = WHITE
) -> Photo:
    """Cells of 300 × 220 pixels."""
    wide, high = 300, 220
    size = (2 * around + rows * (high + gap) - gap, 2 * around + columns * (wide + gap) - gap, 3)
    image = np.empty(size, np.uint8)
    image[:] = colour
    for index in range(rows * columns):
        top, left = around + index // columns * (high + gap), around + index % columns * (wide + gap)
        image[top : top + high, left : left + wide] = fitted(photos[index % len(photos)], wide, high)
    return image


@pytest.mark.parametrize("grid", [(2, 2), (3, 3), (2, 3)])
@pytest.mark.parametrize("colour", [WHITE, BLACK, GREY, GREEN])
@pytest.mark.parametrize(("gap", "around"), [(4, 0), (12, 12), (40, 0)])
def test_a_grid_with_borders(photos: list[Photo], grid: tuple[int, int], colour: Sequence[int], gap: int, around: int) -> None:
    assert told(sheet(photos, *grid, gap=gap, around=around, colour=colour))


@pytest.mark.parametrize("grid", [(2, 2), (3, 3), (2, 3)])
@pytest.mark.parametrize("first", range(0, 12, 3))
def test_a_grid_of_photos_that_touch(photos: list[Photo], grid: tuple[int, int], first: int) -> None:
    image = sheet(photos[first:] + photos[:first], *grid)
    assert told(image)
    assert told(cv2.resize(image, None, fx=0.73, fy=0.73, interpolation=cv2.INTER_AREA).astype(np.uint8), 55)


@pytest.mark.parametrize("grid", [(1, 2), (2, 1)])
def test_two_photos(photos: list[Photo], grid: tuple[int, int]) -> None:
    both = [told(sheet(photos[index : index + 2], *grid)) for index in range(11)]
    assert sum(both) >= 7  # two that look alike where they touch are taken for one


def test_cells_of_different_sizes(photos: list[Photo]) -> None:
    for gap in (0, 10):
        image = np.full((800, 900, 3), 255, np.uint8)
        image[: 450 - gap] = fitted(photos[0], 900, 450 - gap)
        image[450:, : 380 - gap] = fitted(photos[4], 380 - gap, 350)
        image[450:, 380:] = fitted(photos[7], 520, 350)
        assert told(image)


def test_photos_with_text_below_them(photos: list[Photo]) -> None:
    image = np.full((900, 1000, 3), 255, np.uint8)
    for index in range(4):
        left, top = 40 + 480 * (index % 2), 40 + 430 * (index // 2)
        image[top : top + 320, left : left + 440] = fitted(photos[index], 440, 320)
        cv2.putText(image, f"IMG_{index}.JPG", (left + 120, top + 370), cv2.FONT_HERSHEY_SIMPLEX, 1, BLACK, 2, cv2.LINE_AA)
    assert told(image)


def test_photos_pasted_askew_on_a_scanned_page(photos: list[Photo]) -> None:
    page = np.random.default_rng(0).normal(240, 3, (1400, 1000, 3)).clip(0, 255).astype(np.uint8)
    for photo, top, degrees in ((photos[1], 150, 1.5), (photos[8], 700, -2)):
        turn = cv2.getRotationMatrix2D((300, 200), degrees, 1)
        turn[:, 2] += (200, top)
        askew = cv2.warpAffine(fitted(photo, 600, 400), turn, (1000, 1400))
        there = cv2.warpAffine(np.ones((400, 600), np.uint8), turn, (1000, 1400), flags=cv2.INTER_NEAREST)
        page = np.where(there[:, :, None] > 0, askew, page).astype(np.uint8)
    assert told(page)


def test_photos_as_they_are(photos: list[Photo]) -> None:
    assert not any(told(photo) for photo in photos)


@pytest.mark.parametrize("colour", [WHITE, BLACK, GREY, GREEN])
def test_bars_and_margins_around_one_photo(photos: list[Photo], colour: Sequence[int]) -> None:
    for photo in photos:
        height, width = photo.shape[:2]
        for above, left in ((height // 4, 0), (0, width // 4), (40, 40)):
            framed = cv2.copyMakeBorder(photo, above, above, left, left, cv2.BORDER_CONSTANT, value=colour)
            assert not told(framed.astype(np.uint8))


def test_a_strip_with_text_below(photos: list[Photo]) -> None:
    for photo in photos:
        image = cv2.copyMakeBorder(photo, 0, photo.shape[0] // 6, 0, 0, cv2.BORDER_CONSTANT, value=(20, 20, 20)).astype(np.uint8)
        cv2.putText(image, "2026-11-21 14:02", (20, image.shape[0] - 20), cv2.FONT_HERSHEY_SIMPLEX, 1.2, WHITE, 2, cv2.LINE_AA)
        assert not told(image)


def test_a_car_cut_out_on_white(photos: list[Photo]) -> None:
    image = np.full((600, 900, 3), 255, np.uint8)
    cv2.ellipse(image, (450, 320), (300, 120), 0, 0, 360, (150, 20, 30), -1, cv2.LINE_AA)
    for x in (280, 620):
        cv2.circle(image, (x, 420), 60, (20, 20, 20), -1, cv2.LINE_AA)
    assert not told(image)


@pytest.mark.parametrize("tilt", [0.0, 0.5])
def test_a_shutter_behind_a_car(photos: list[Photo], tilt: float) -> None:
    """Straight lines right across, but each of one kind all along."""
    wall = np.random.default_rng(0).normal(150, 4, (480, 640, 3))
    for y in range(20, 480, 40):
        wall[y : y + 4] -= 60
    turned = cv2.warpAffine(wall, cv2.getRotationMatrix2D((320, 240), tilt, 1.05), (640, 480), borderMode=cv2.BORDER_REFLECT)
    image = turned.clip(0, 255).astype(np.uint8)
    image[200:460, 100:540] = fitted(photos[0], 440, 260)
    cv2.GaussianBlur(image[190:470, 90:550], (0, 0), 2, dst=image[190:470, 90:550])
    assert not told(image)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3))))
def test_any_picture_has_an_answer(image: Photo) -> None:
    assert is_sheet(image) in (True, False)
