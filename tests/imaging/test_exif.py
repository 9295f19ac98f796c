"""Orientation and time of a photo; whatever else EXIF holds, or pretends to, is nobody's business."""

from __future__ import annotations

import struct
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.imaging.exif import ExifFacts, read_exif


def exif_block(orientation: int | None = None, taken: str | None = None, order: str = "<") -> bytes:
    """EXIF as cameras write it: header, first directory, EXIF directory, its text."""
    entries = []
    if orientation is not None:
        entries.append(struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0))
    details_at = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries.append(struct.pack(order + "HHII", 0x8769, 4, 1, details_at))
    first = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    text = (taken or "").encode() + b"\0"
    details = struct.pack(order + "HHHII", 1 if taken else 0, 0x9003, 2, len(text), details_at + 2 + 12 + 4)
    header = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8)
    return b"Exif\0\0" + header + first + details + bytes(4) + text


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_and_time_in_both_byte_orders(order: str) -> None:
    assert read_exif(exif_block(6, "2024:05:06 07:08:09", order)) == ExifFacts(6, datetime(2024, 5, 6, 7, 8, 9))


def test_what_pillow_writes_is_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    exif.get_ifd(0x8769)[0x9003] = "1999:12:31 23:59:59"
    assert read_exif(exif.tobytes()) == ExifFacts(8, datetime(1999, 12, 31, 23, 59, 59))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_absurd_orientation_is_upright(orientation: int) -> None:
    assert read_exif(exif_block(orientation)).orientation == 1


@pytest.mark.parametrize(
    "taken", ["0000:00:00 00:00:00", "2024:13:01 00:00:00", "    :  :     :  :  ", "yesterday", "2024:02:30 10:00:00"]
)
def test_an_invalid_time_is_none(taken: str) -> None:
    assert read_exif(exif_block(3, taken)) == ExifFacts(3, None)


@pytest.mark.parametrize("block", [None, b"", b"Exif\0\0", b"Exif\0\0II*\0", b"II*\0\xff\xff\xff\xff", b"no EXIF at all"])
def test_a_broken_block_says_nothing(block: bytes | None) -> None:
    assert read_exif(block) == ExifFacts(1, None)


def test_a_directory_that_claims_more_than_there_is_is_read_as_far_as_it_goes() -> None:
    block = exif_block(6)
    assert read_exif(block.replace(struct.pack("<HHH", 2, 0x0112, 3), struct.pack("<HHH", 65535, 0x0112, 3))).orientation == 6


@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from("<>"))
def test_nothing_in_a_block_can_raise(noise: bytes, at: int, order: str) -> None:
    block = exif_block(6, "2024:05:06 07:08:09", order)
    facts = read_exif(block[:at] + noise + block[at + len(noise) :])
    assert facts.orientation in range(1, 9)
