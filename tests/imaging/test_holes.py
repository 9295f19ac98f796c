"""JPEGs that end as they should though parts of them are missing: told, and whole ones never."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.errors import ImageError
from dentify.imaging.decode import DecodedPhoto, decode_photo
from dentify.imaging.quality import judge_quality
from dentify.settings import Settings

END = b"\xff\xd9"
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 10},
    "full colour": {"subsampling": 0},
}


@pytest.fixture(scope="module")
def car(examples: Path) -> Image.Image:
    with Image.open(examples / "car_07.jpg") as picture:
        return picture.convert("RGB")


def jpeg(picture: Image.Image, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85, **how)
    return file.getvalue()


def decoded(data: bytes, enough_side: int | None = None) -> DecodedPhoto:
    return decode_photo(data, where="a.jpg", settings=Settings(), enough_side=enough_side)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)] + END


def zeroed(data: bytes, start: float, end: float) -> bytes:
    first, last = int(len(data) * start), int(len(data) * end)
    return data[:first] + bytes(last - first) + data[last:]


@pytest.mark.parametrize("enough_side", [None, 200])
@pytest.mark.parametrize("how", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: cut(data, 0.2),
        lambda data: cut(data, 0.5),
        lambda data: cut(data, 0.95),
        lambda data: zeroed(data, 0.25, 0.75),
        lambda data: cut(zeroed(data, 0.7, 1), 1),
    ],
    ids=["a fifth is left", "half is left", "the end is gone", "the middle is zeros", "the end is zeros"],
)
def test_what_is_missing_is_told(
    car: Image.Image, how: dict[str, Any], damage: Callable[[bytes], bytes], enough_side: int | None
) -> None:
    photo = decoded(damage(jpeg(car, **how)), enough_side)
    assert photo.damaged
    assert photo.notes[-1] == "parts of the file are missing or damaged, and grey or wrong in the photo"
    quality = judge_quality(photo.image, photo.photo_hw, damaged=photo.damaged)
    assert (quality.usable, quality.issues[-1]) == (False, "damaged_file")


def test_a_scan_without_data_is_told(car: Image.Image) -> None:
    data = jpeg(car)
    assert decoded(data[: data.index(b"\xff\xda") + 14] + END).damaged


@pytest.mark.parametrize("which", [1, 5, -1], ids=["all but one", "half of them", "the last"])
def test_missing_scans_are_told(car: Image.Image, which: int) -> None:
    data = jpeg(car, progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert decoded(data[: scans[which]] + END).damaged


@pytest.mark.parametrize("how", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("quality", [30, 95])
@pytest.mark.parametrize("colour", [None, (255, 255, 255), (0, 0, 0), (200, 10, 30)])
def test_whole_files_are_never_told(
    car: Image.Image, how: dict[str, Any], quality: int, colour: tuple[int, int, int] | None
) -> None:
    """Photos, photos with a white margin below, and pictures of one colour."""
    picture = car
    if colour is not None:
        picture = Image.new("RGB", (800, 700), colour)
        if colour == (255, 255, 255):
            picture.paste(car, (0, 0))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, **how)
    for enough_side in (None, 200):
        photo = decoded(file.getvalue(), enough_side)
        assert not photo.damaged
        assert not [note for note in photo.notes if "missing" in note]


def test_what_follows_the_end_is_no_damage(car: Image.Image) -> None:
    """Phones put a second picture, or zeros, behind it."""
    assert not decoded(jpeg(car) + bytes(5_000)).damaged
    assert not decoded(jpeg(car) + jpeg(car)).damaged


@given(position=st.floats(0, 1), byte=st.integers(0, 255), share=st.floats(0.01, 1))
def test_any_damage_is_decoded_or_one_line(examples: Path, position: float, byte: int, share: float) -> None:
    data = bytearray(jpeg(Image.open(examples / "car_00.jpg").convert("RGB").resize((160, 120))))
    data[int(position * (len(data) - 1))] = byte
    try:
        decoded(cut(bytes(data), share))
    except ImageError as error:
        assert "\n" not in str(error)  # noqa: PT017
