"""The two facts of a photo's EXIF that Dentify uses: which way up it is and when it was taken.

Read by hand, since a whole EXIF reader warns, raises and unpacks much that nobody asked for; what is absurd here is ignored.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime

_NEW_SUBFILE_TYPE, _DNG_VERSION = 0x00FE, 0xC612
_ORIENTATION, _EXIF_IFD, _DATETIME_ORIGINAL = 0x0112, 0x8769, 0x9003
_ASCII, _SHORT, _LONG, _IFD = 2, 3, 4, 13


@dataclass(frozen=True)
class ExifFacts:
    """`orientation` is EXIF's, 1 to 8; 1 is upright, and what is said where nothing sensible is written."""

    orientation: int = 1
    captured_at: datetime | None = None


def read_exif(block: bytes | None) -> ExifFacts:
    """Orientation and time of an EXIF block, with or without its `Exif` prefix; a TIFF file is one, too.

    Never raises: EXIF that is broken says nothing. Source: CIPA DC-008 (EXIF 2.32), sections 4.5 and 4.6.
    """
    if not block:
        return ExifFacts()
    tiff = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return ExifFacts()
    (first,) = _unpack(order + "I", tiff, 4) or (0,)
    main = _entries(tiff, order, first)
    orientation = _number(main, _ORIENTATION, order)
    details = _entries(tiff, order, _number(main, _EXIF_IFD, order) or len(tiff))
    return ExifFacts(
        orientation=orientation if orientation in range(1, 9) else 1,
        captured_at=_time(_text(tiff, details, _DATETIME_ORIGINAL, order)),
    )


def is_camera_raw(tiff: bytes) -> bool:
    """Whether a TIFF's first picture is the preview of a camera's raw data, which stands further on.

    Source: TIFF 6.0, `NewSubfileType`; the DNG specification 1.7, `DNGVersion`.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return False
    (first,) = _unpack(order + "I", tiff, 4) or (0,)
    entries = _entries(tiff, order, first)
    return _DNG_VERSION in entries or bool(_number(entries, _NEW_SUBFILE_TYPE, order) & 1)


Entry = tuple[int, int, bytes]
"""Of one field: its type, how many values, and the four bytes that hold the value or say where it lies."""


def _entries(tiff: bytes, order: str, offset: int) -> dict[int, Entry]:
    (count,) = _unpack(order + "H", tiff, offset) or (0,)
    entries: dict[int, Entry] = {}
    for at in range(offset + 2, min(offset + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, values, field = struct.unpack_from(order + "HHI4s", tiff, at)
        entries.setdefault(tag, (kind, values, field))
    return entries


def _number(entries: dict[int, Entry], tag: int, order: str) -> int:
    kind, _, field = entries.get(tag, (0, 0, b""))
    if kind == _SHORT:
        return int(struct.unpack(order + "H", field[:2])[0])
    if kind in (_LONG, _IFD):
        return int(struct.unpack(order + "I", field)[0])
    return 0


def _text(tiff: bytes, entries: dict[int, Entry], tag: int, order: str) -> str:
    kind, count, field = entries.get(tag, (0, 0, b""))
    if kind != _ASCII or not 4 < count <= 64:
        return ""
    (at,) = struct.unpack(order + "I", field)
    return tiff[at : at + count].decode("ascii", errors="replace").strip(" \0")


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # EXIF 2.32 knows a time zone only in another, rare field
    except ValueError:
        return None


def _unpack(layout: str, data: bytes, offset: int) -> tuple[int, ...] | None:
    try:
        return struct.unpack_from(layout, data, offset)
    except struct.error:
        return None
