"""Which files are pictures: their suffixes, their first bytes, and what other files start like.

These lists live here only. A suffix is a hint for those who walk folders; what decides is how the file starts.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["JPEG", "PNG", "WebP", "GIF", "HEIC", "AVIF", "TIFF", "BMP"]

START_BYTES = 64
"""So many first bytes of a file are enough for `is_picture_start` and `describe_start`."""

READABLE = "JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF or BMP"

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib"}
    | {".heic", ".heics", ".heif", ".heifs", ".hif", ".avif", ".avifs"}
)

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"mif1", b"msf1", b"mif2"))  # of either: the other brands tell
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"IIRO", "a camera's raw file"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"\x1aE\xdf\xa3", "a video"),
)


def picture_kind(first_bytes: bytes) -> Kind | None:
    r"""Which kind of picture a file is by its first `START_BYTES` bytes; `None` when it is none that Dentify reads.

    >>> picture_kind(b"\xff\xd8\xff\xe1..Exif"), picture_kind(b"BMW, front left") is None
    ('JPEG', True)
    """
    if _is_canon_raw(first_bytes):
        return None
    for start, kind in _STARTS:
        if first_bytes.startswith(start):
            return kind
    if first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP":
        return "WebP"
    if first_bytes[:2] == b"BM" and int.from_bytes(first_bytes[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if first_bytes[4:8] == b"ftyp":
        return _kind_by_brands(first_bytes)
    return None


def is_picture_start(first_bytes: bytes) -> bool:
    r"""Whether a file that starts like this is a picture that Dentify reads.

    >>> is_picture_start(b"GIF89a"), is_picture_start(b"%PDF-1.7")
    (True, False)
    """
    return picture_kind(first_bytes) is not None


def is_picture_name(name: str) -> bool:
    """Whether a file's name has a picture's suffix.

    >>> is_picture_name("claims/IMG_0001.HEIC"), is_picture_name("claims/notes.txt")
    (True, False)
    """
    return PurePosixPath(name.replace("\\", "/")).suffix.lower() in SUFFIXES


def describe_start(first_bytes: bytes) -> str:
    r"""What a file that is no picture starts like, for a message.

    >>> describe_start(b"%PDF-1.7"), describe_start(b"Dear customer,"), describe_start(b"\x00" * 64)
    ('a PDF', 'text', 'nothing but zeros')
    """
    for start, words in _OTHERS:
        if first_bytes.startswith(start):
            return words
    if first_bytes[4:8] == b"ftyp":
        return "a camera's raw file" if first_bytes[8:12] == b"crx " else "a video"
    if _is_canon_raw(first_bytes):
        return "a camera's raw file"
    if first_bytes[:4] == b"RIFF":
        return "a sound or video"
    if first_bytes and not any(first_bytes):
        return "nothing but zeros"
    text = first_bytes.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:5].lower() in (b"<?xml", b"<svg ", b"<svg>"):
        return "an SVG or XML text"
    if text[:1] == b"<":
        return "a web page"
    if text and all(byte >= 32 or byte in b"\t\r\n\f" for byte in text):
        return "text"
    return "nothing that Dentify knows"


def _is_canon_raw(first_bytes: bytes) -> bool:
    """Canon's CR2 is a TIFF whose first picture is a thumbnail."""
    return first_bytes[:4] == b"II*\0" and first_bytes[8:10] == b"CR"


def _kind_by_brands(first_bytes: bytes) -> Kind | None:
    """HEIC and AVIF share one container; the `ftyp` box names its brands (ISO 14496-12, ISO 23008-12)."""
    size = int.from_bytes(first_bytes[:4], "big")
    major = first_bytes[8:12]
    brands = {first_bytes[at : at + 4] for at in range(16, min(size, len(first_bytes)), 4)}
    if major in _AVIF_BRANDS:
        return "AVIF"
    if major in _HEIC_BRANDS:
        return "HEIC"
    if major in _HEIF_BRANDS:
        return "AVIF" if brands & _AVIF_BRANDS and not brands & _HEIC_BRANDS else "HEIC"
    return None
