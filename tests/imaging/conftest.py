"""Pictures in every format and colour mode, made here from one photo that looks different from every side."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dentify.imaging.decode import DecodedPhoto, decode_photo
from dentify.settings import Settings

Decode = Callable[..., DecodedPhoto]


@pytest.fixture(scope="session")
def photo(examples: Path) -> Image.Image:
    """A real photo, 160 × 120."""
    with Image.open(examples / "car_00.jpg") as picture:
        return picture.convert("RGB").resize((160, 120), Image.Resampling.BOX)


@pytest.fixture(scope="session")
def pixels(photo: Image.Image) -> NDArray[np.uint8]:
    """The photo's pixels, `(120, 160, 3)`."""
    return np.asarray(photo)


@pytest.fixture
def save() -> Callable[..., bytes]:
    """`save(picture, "PNG", …)`: a Pillow picture as a file's bytes."""

    def to_bytes(picture: Image.Image, format_name: str, **how: Any) -> bytes:
        file = io.BytesIO()
        picture.save(file, format_name, **how)
        return file.getvalue()

    return to_bytes


@pytest.fixture
def decode() -> Decode:
    """`decode(data, enough_side=…)` with default settings and the name `a.jpg`."""

    def decode(data: bytes, *, enough_side: int | None = None, **limits: Any) -> DecodedPhoto:
        return decode_photo(data, where="a.jpg", settings=Settings(**limits), enough_side=enough_side)

    return decode


@pytest.fixture(scope="session")
def display_p3() -> bytes:
    """Display P3, the profile of iPhone photos, with a plain gamma of 2.2 for its curve."""
    return matrix_profile("Display P3", (0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))


def matrix_profile(name: str, red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...]) -> bytes:
    """An RGB profile with a gamma of 2.2 and these primaries (XYZ, D50). Source: ICC.1:2001-04, sections 6.1 to 6.5."""

    def fixed(values: tuple[float, ...]) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    description = name.encode() + b"\0"
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    white = (0.9642, 1.0, 0.8249)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(description)) + description + bytes(78),
        b"cprt": b"text\0\0\0\0CC0\0",
        **{key: b"XYZ \0\0\0\0" + fixed(value) for key, value in ((b"wtpt", white), (b"rXYZ", red), (b"gXYZ", green))},
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(blue),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma),
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = b"", b""
    for key, value in tags.items():
        table += key + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
    )
    header += bytes(28) + fixed(white)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body
