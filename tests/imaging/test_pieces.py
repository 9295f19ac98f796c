"""Files of many small pieces: refused before a decoder takes its time for each; what cameras and programs write is not."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.errors import ImageError
from dentify.imaging.decode import DecodedPhoto, decode_photo, read_photo_size
from dentify.imaging.pieces import check_pieces, check_segments
from dentify.settings import Settings

Decode = Callable[..., DecodedPhoto]
Save = Callable[..., bytes]
SECONDS = 3.0  # most that a refusal takes, on a busy machine; each of these files took from six seconds to without end


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*between: bytes, size: tuple[int, int] = (64, 64)) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(65 * 64)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(between) + pixels + chunk(b"IEND")


def gif(*before: bytes) -> bytes:
    screen = b"GIF89a" + struct.pack("<HH", 64, 64) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return screen + b"".join(before) + b"\x2c" + struct.pack("<HHHH", 0, 0, 64, 64) + b"\0\x02\x02\x4c\x01\0;"


def tiff(*tags: tuple[int, int, int, int], order: str = "<", big: bool = False) -> bytes:
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    rows = b"".join(struct.pack(order + ("HHQQ" if big else "HHII"), *tag) for tag in tags)
    return start + struct.pack(order + ("Q" if big else "H"), len(tags)) + rows + bytes(64)


@pytest.fixture
def jpeg(photo: Image.Image, save: Save) -> bytes:
    return save(photo, "JPEG")


def within(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


EXIF = segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0")


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ([EXIF] + [segment(0xE1, b"Exif\0\0" + b"A" * 10)] * 200_000, "more than 64 segments of EXIF"),
        ([segment(0xE5, b"")] * 1_000_000, "more than 4,096 segments"),
        ([segment(0xFE, b"x")] * 1_000_000, "more than 4,096 segments"),
        ([b"\xff\xd0"] * 1_000_000, "more than 4,096 segments"),
        ([b"\xff\xf7"] * 1_000_000, "more than 4,096 segments"),
        ([b"\xff" * 5_000_000], "more than 4,096 bytes between its segments"),
        ([b"\xff\x00" * 2_500_000], "more than 4,096 bytes between its segments"),
        ([segment(0xE5, b""), b"\x00" * 5_000_000], "more than 4,096 bytes between its segments"),
    ],
    ids=["exif", "application", "comments", "restarts", "no length", "padding", "escaped", "zeros"],
)
def test_a_jpeg_of_many_small_pieces_is_refused(jpeg: bytes, added: list[bytes], message: str) -> None:
    data = within(jpeg, *added)
    started = time.monotonic()
    with pytest.raises(ImageError, match=rf"^a\.jpg: this JPEG has {message}, made to keep a reader busy; export"):
        decode_photo(data, where="a.jpg", settings=Settings())
    with pytest.raises(ImageError, match=message):
        read_photo_size(data, where="a.jpg", settings=Settings())
    assert time.monotonic() - started < SECONDS


def test_what_cameras_write_before_their_pixels_is_read(jpeg: bytes, decode: Decode) -> None:
    """A profile in 255 pieces, notes of the maker, a padded marker, EXIF in two segments."""
    profile = [segment(0xE2, b"MPF\0" + bytes(1000))] * 255
    notes = [segment(0xE0 + number, bytes(60_000)) for number in range(3, 14)]
    data = within(jpeg, EXIF, segment(0xE1, b"Exif\0\0more"), *profile, *notes, b"\xff" * 20)
    assert decode(data).image.shape == (120, 160, 3)


@given(st.lists(st.binary(max_size=12), max_size=20), st.integers(0, 300))
def test_what_is_no_jpeg_is_left_to_its_decoder(pieces: list[bytes], cut: int) -> None:
    check_segments(io.BytesIO((b"\xff\xd8\xff" + b"".join(pieces))[:cut]), where="a.jpg")


def test_zeros_that_begin_like_a_jpeg_are_refused_at_once() -> None:
    """A zip holds thousands of such entries."""
    data = b"\xff\xd8\xff" + bytes(2**20)
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(ImageError):
            decode_photo(data, where="a.jpg", settings=Settings())
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize(
    ("between", "message"),
    [
        ([chunk(b"prVt")] * 300_000, "more than 10,000 chunks beside its pixels"),
        ([chunk(b"tEXt", b"a\0b")] * 100_000, "more than 10,000 chunks beside its pixels"),
        ([chunk(b"IDAT")] * 300_000, "more than 100,000 chunks"),
    ],
    ids=["private", "text", "empty pixels"],
)
def test_a_png_of_many_small_pieces_is_refused(between: list[bytes], message: str) -> None:
    started = time.monotonic()
    with pytest.raises(ImageError, match=rf"^a\.png: this PNG has {message}"):
        decode_photo(png(*between), where="a.png", settings=Settings())
    assert time.monotonic() - started < SECONDS


def test_a_png_whose_pixels_come_in_small_chunks_is_read() -> None:
    whole = zlib.compress(bytes(65 * 64), 0)
    pieces = [chunk(b"IDAT", whole[at : at + 2]) for at in range(0, len(whole), 2)]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + b"".join(pieces) + chunk(b"IEND")
    assert decode_photo(data, where="a.png", settings=Settings()).photo_hw == (64, 64)


@pytest.mark.parametrize(
    "before",
    [
        [b"\x21\xfe\x02AB\0"] * 400_000,
        [b"\x21\xfe" + b"\x01A" * 800_000 + b"\0"],
        [b"\x21\xff\x0bXMP DataXMP" + b"\x01A" * 800_000 + b"\0"],
        [b"\x21\xf9\x04\0\0\0\0\0"] * 200_000,
        [b"\0" * 2_000_000],
    ],
    ids=["comments", "one comment", "application", "delays", "nothing"],
)
def test_a_gif_of_many_small_blocks_is_refused(before: list[bytes]) -> None:
    started = time.monotonic()
    with pytest.raises(ImageError, match=r"^a\.gif: this GIF has more than 4,096 blocks before its first frame"):
        decode_photo(gif(*before), where="a.gif", settings=Settings())
    assert time.monotonic() - started < SECONDS


def test_a_gif_with_a_long_comment_is_read() -> None:
    data = gif(b"\x21\xfe" + (b"\xff" + b"A" * 255) * 4_000 + b"\0")
    check_pieces("GIF", data, where="a.gif", settings=Settings())


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tag", [273, 324, 258, 320], ids=["strips", "tiles", "bits", "colours"])
def test_a_tiff_with_more_values_than_rows_is_refused(tag: int, order: str, big: bool) -> None:
    sides = ((256, 4, 1, 64), (257, 4, 1, 64))
    data = tiff(*sides, (tag, 4, 8_000_000, 8), order=order, big=big)
    with pytest.raises(ImageError, match=r"^a\.tif: this TIFF has 8,000,000 values of one tag, such as strips, over the limit"):
        decode_photo(data, where="a.tif", settings=Settings())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_a_tiff_with_tiles_beyond_the_limit_of_pixels_is_refused(order: str, kind: int) -> None:
    side = 60_000 << 16 if kind == 3 and order == ">" else 60_000
    with pytest.raises(ImageError, match="tiles of 60,000 × 60,000 pixels"):
        decode_photo(tiff((322, kind, 1, side), (323, kind, 1, side), order=order), where="a.tif", settings=Settings())


@pytest.mark.parametrize("how", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "packbits"}])
def test_plain_tiffs_are_read(photo: Image.Image, save: Save, decode: Decode, how: dict[str, Any]) -> None:
    assert decode(save(photo, "TIFF", **how)).image.shape == (120, 160, 3)


@pytest.mark.parametrize(
    "chunks",
    [
        b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xfe\x3f\0\xfe\x3f\0",
        b"VP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", 16_382 | 16_382 << 14),
        b"VP8 " + struct.pack("<I", 10) + b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383),
    ],
    ids=["extended", "lossless", "lossy"],
)
def test_a_webp_that_claims_too_many_pixels_is_refused_before_its_decoder_makes_room(chunks: bytes) -> None:
    data = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    with pytest.raises(ImageError, match=r"^a\.webp: 16383 × 16383 pixels are over the limit of 50 megapixels of a WebP"):
        check_pieces("WebP", data, where="a.webp", settings=Settings())


@pytest.mark.parametrize("lossless", [True, False])
def test_the_pixels_that_a_webp_claims_are_those_that_it_has(photo: Image.Image, save: Save, lossless: bool) -> None:
    data = save(photo, "WEBP", lossless=lossless)
    check_pieces("WebP", data, where="a.webp", settings=Settings(max_pixels=2 * 160 * 120))
    with pytest.raises(ImageError, match="160 × 120 pixels"):
        check_pieces("WebP", data, where="a.webp", settings=Settings(max_pixels=2 * 160 * 120 - 1))


def bmp(width: int, height: int, runs: bytes, compression: int = 1) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(runs), 0, 0, 54 + 1024) + head + bytes(1024) + runs


def test_a_large_bmp_in_run_lengths_is_refused() -> None:
    """Its rows that end early are filled up a pixel at a time."""
    assert decode_photo(bmp(64, 64, b"\x40\x07\0\0" * 64), where="a.bmp", settings=Settings()).photo_hw == (64, 64)
    with pytest.raises(
        ImageError, match=r"^a\.bmp: a BMP in run lengths is read up to 4 MiB and 16\.8 megapixels; save it as PNG$"
    ):
        decode_photo(bmp(10_000, 10_000, b"\x01\x07\0\0" * 10_000), where="a.bmp", settings=Settings())


@pytest.mark.parametrize("as_file", [True, False])
def test_a_header_that_claims_too_many_pixels_tells_no_size(tmp_path: Any, as_file: bool) -> None:
    """Masks would be made as large as it says."""
    data = png(size=(30_000, 30_000))
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=r"^a: 30000 × 30000 pixels are over the limit of 100 megapixels"):
        read_photo_size(tmp_path / "a.png" if as_file else data, where="a", settings=Settings())


PIECES = {
    "filling": b"\xff",
    "markers without a length": b"\xff\x01",
    "empty segments": b"\xff\xe5\0\2",
    "starts of pictures": b"\xff\xd8",
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
@pytest.mark.parametrize("progressive", [False, True])
def test_what_stands_between_and_behind_scans_is_counted_too(
    photo: Image.Image, save: Save, piece: bytes, progressive: bool
) -> None:
    """Pillow takes a third of a microsecond for each of them: a minute for 64 MiB."""
    data = save(photo, "JPEG", progressive=progressive)
    at = data.rindex(b"\xff\xda") if progressive else len(data) - 2
    check_pieces("JPEG", data[:at] + piece * 1000 + data[at:], where="a.jpg", settings=Settings())
    with pytest.raises(ImageError, match=r"^a\.jpg: this JPEG has more than 131,072 pieces between its scans, made to keep"):
        check_pieces("JPEG", data[:at] + piece * 200_000 + data[at:], where="a.jpg", settings=Settings())


def test_what_stands_behind_the_end_of_a_jpeg_is_not_looked_at(photo: Image.Image, save: Save) -> None:
    """Phones put a film there."""
    data = save(photo, "JPEG") + b"\xff\xe5\0\2" * 200_000
    assert decode_photo(data, where="a.jpg", settings=Settings()).photo_hw == (120, 160)
