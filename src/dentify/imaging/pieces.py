"""What a picture's file is made of, counted before a decoder sees it.

A decoder takes its time for every piece of a file, however small: a segment, chunk, block or strip. Some are slower than that:
Pillow appends each further EXIF segment to all before it, and each block of a GIF's comment. Files with more pieces than cameras
and programs write are refused before the work, so that a file costs what its bytes and its pixels cost.

Each function walks as Pillow does, so that both see the same pieces.
"""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

from dentify.errors import ImageError
from dentify.imaging.files import told_bytes
from dentify.imaging.formats import Kind
from dentify.settings import Settings

_MOST_SEGMENTS = 4_096  # of a JPEG before its pixels; a profile may take 255, a camera's own notes some dozens
_MOST_EXIF = 64  # of those; one is enough, and 64 KiB
_MOST_FILLING = 4_096  # bytes of a JPEG between its segments, which may be filled up with FF; each costs as much as a segment
_MOST_LATER = 2**17  # segments, markers and bytes of filling behind its first scan's start; each costs a decoder a microsecond
_MOST_CHUNKS = 100_000  # of a PNG; libpng writes 8 KiB of pixels each
_MOST_OTHER_CHUNKS = 10_000  # those that hold no pixels
_MOST_BLOCKS = 4_096  # of a GIF before its first frame: 1 MiB at 255 bytes each
_MOST_VALUES = 2**17  # of one TIFF tag, as many strips: one row each of a photo 65,535 high, twice
_MOST_RLE_BYTES, _MOST_RLE_PIXELS = 2**22, 2**24  # of a BMP in run lengths, which Pillow decodes in Python


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # but for stuffed bytes and RSTn, which are part of a scan's data
_WEBP_SHARE = 2  # of the limit of pixels; its decoder takes four times the memory of others


def check_pieces(kind: Kind, data: bytes, *, where: str, settings: Settings) -> None:
    """Refuses a picture's file that is made to keep a reader busy.

    Args:
        kind: what it is, by its first bytes.
        data: the file, whole.
        where: how to name it in errors.
        settings: holds the limit of pixels, for what a decoder makes room for before its header is read.

    Raises:
        ImageError: it has more pieces than any camera or program writes.
    """
    match kind:
        case "JPEG":
            stream = io.BytesIO(data)
            check_segments(stream, where=where)
            _check_later(data, stream.tell(), where)
        case "PNG":
            _check_chunks(data, where)
        case "GIF":
            _check_blocks(data, where)
        case "TIFF":
            _check_values(data, where, settings)
        case "WebP":
            _check_canvas(data, where, settings)
        case "BMP":
            _check_runs(data, where)
        case _:
            pass  # libheif and libavif hold to limits of their own


def check_segments(stream: BinaryIO, *, where: str) -> None:
    """Refuses a JPEG with too many segments before its pixels; reads no further than there.

    Raises:
        ImageError: it has.
    """
    from PIL.JpegImagePlugin import MARKER  # which markers a length follows, by Pillow

    segments = exif = filling = 0
    stream.read(3)
    last = 0xFF
    while True:
        if filling > _MOST_FILLING:
            raise _busy(where, "JPEG", f"more than {_MOST_FILLING:,} bytes between its segments")
        one = stream.read(1)
        if not one:
            return  # cut off, as its decoder will say
        if last != 0xFF:
            last, filling = one[0], filling + 1
            continue
        marker = 0xFF00 | one[0]
        if marker in MARKER:
            segments += 1
            if segments > _MOST_SEGMENTS:
                raise _busy(where, "JPEG", f"more than {_MOST_SEGMENTS:,} segments")
            if marker == 0xFFDA:
                return
            if MARKER[marker][2] is not None:
                length = int.from_bytes(stream.read(2), "big") - 2
                start = stream.read(6)[: max(length, 0)] if marker == 0xFFE1 else b""
                exif += start == b"Exif\0\0"
                if exif > _MOST_EXIF:
                    raise _busy(where, "JPEG", f"more than {_MOST_EXIF} segments of EXIF")
                if length > len(start):
                    stream.seek(length - len(start), io.SEEK_CUR)
                elif length < len(start):
                    return  # no length at all, as its decoder will say
            following = stream.read(1)
            if not following:
                return
            last = following[0]
        elif marker == 0xFFFF:
            filling += 1
        elif marker == 0xFF00:
            following = stream.read(1)
            if not following:
                return
            last, filling = following[0], filling + 2
        else:
            return  # no marker, as its decoder will say


def _check_later(data: bytes, at: int, where: str) -> None:
    """What stands between and behind the scans of a JPEG, up to its end. Source: ITU-T T.81, B.1.1.

    Args:
        data: the file, whole.
        at: where the length of its first scan's header stands.
        where: what to name in the message.
    """
    pieces = 0
    at += int.from_bytes(data[at : at + 2], "big")
    while match := _MARKER.search(data, at):
        marker = data[match.end() - 1]
        pieces += 1
        if pieces > _MOST_LATER:
            raise _busy(where, "JPEG", f"more than {_MOST_LATER:,} pieces between its scans")
        if marker == 0xD9:
            return
        if marker == 0xFF:  # filling; the next byte may be its marker
            at = match.end() - 1
        elif marker in (0x01, 0xD8):  # which no length follows
            at = match.end()
        else:
            at = match.end() + int.from_bytes(data[match.end() : match.end() + 2], "big")


def _check_chunks(data: bytes, where: str) -> None:
    """Source: PNG specification, 5.3."""
    chunks = others = 0
    at = 8
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        chunks += 1
        others += name not in (b"IDAT", b"fdAT")
        if others > _MOST_OTHER_CHUNKS or chunks > _MOST_CHUNKS:
            most, what = (_MOST_CHUNKS, "chunks") if chunks > _MOST_CHUNKS else (_MOST_OTHER_CHUNKS, "chunks beside its pixels")
            raise _busy(where, "PNG", f"more than {most:,} {what}")
        if name == b"IEND":
            return
        at += 12 + length


def _check_blocks(data: bytes, where: str) -> None:
    """Source: GIF89a specification, appendix A."""
    flags = data[10] if len(data) > 10 else 0
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    blocks = 0
    while at < len(data) and data[at] != 0x2C:  # the first picture
        if data[at] != 0x21:
            at += 1  # Pillow passes over what is neither
            blocks += 1
        else:
            at += 2
            blocks += 1
            while at < len(data) and data[at] and blocks <= _MOST_BLOCKS:
                at += 1 + data[at]
                blocks += 1
            at += 1
        if blocks > _MOST_BLOCKS:
            raise _busy(where, "GIF", f"more than {_MOST_BLOCKS:,} blocks before its first frame")


def _check_values(data: bytes, where: str, settings: Settings) -> None:
    """The tags of the first picture of a TIFF. Source: TIFF 6.0, section 2; the BigTIFF design of its library."""
    order = "<" if data[:2] == b"II" else ">"
    try:
        (version,) = struct.unpack_from(order + "H", data, 2)
        if version == 43:
            (at,) = struct.unpack_from(order + "Q", data, 8)
            (entries,) = struct.unpack_from(order + "Q", data, at)
            first, layout = at + 8, struct.Struct(order + "HHQQ")
        else:
            (at,) = struct.unpack_from(order + "I", data, 4)
            (entries,) = struct.unpack_from(order + "H", data, at)
            first, layout = at + 2, struct.Struct(order + "HHII")
    except struct.error:
        return  # cut off, as its decoder will say
    tile = {322: 1, 323: 1}
    for number in range(min(entries, _MOST_VALUES + 1)):
        if first + (number + 1) * layout.size > len(data):
            break
        tag, kind, count, value = layout.unpack_from(data, first + number * layout.size)
        if kind not in (1, 2, 6, 7) and count > _MOST_VALUES:  # bytes and text are not taken apart
            raise _busy(where, "TIFF", f"{count:,} values of one tag, such as strips, over the limit of {_MOST_VALUES:,}")
        if tag in tile:
            tile[tag] = value >> 16 if order == ">" and kind == 3 and layout.size == 12 else value & 0xFFFF_FFFF
            if order == "<" and kind == 3:
                tile[tag] &= 0xFFFF
    if entries > _MOST_VALUES:
        raise _busy(where, "TIFF", f"{entries:,} tags")
    if tile[322] * tile[323] > max(settings.max_pixels, 2**24):
        raise _busy(where, "TIFF", f"tiles of {tile[322]:,} × {tile[323]:,} pixels")


def _check_canvas(data: bytes, where: str, settings: Settings) -> None:
    """A WebP's decoder makes room for the picture when it is opened. Source: WebP container specification; RFC 6386; RFC 9649."""
    chunk, body = data[12:16], data[20:30]
    width = height = 0
    if chunk == b"VP8X" and len(body) == 10:
        width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    elif chunk == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 " and len(body) == 10:
        width, height = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    most = settings.max_pixels // _WEBP_SHARE
    if width * height > most:
        raise ImageError(
            f"{where}: {width} × {height} pixels are over the limit of {most / 1e6:g} megapixels of a WebP; "
            "save it as JPEG, make it smaller, or raise DENTIFY_MAX_PIXELS"
        )


def _check_runs(data: bytes, where: str) -> None:
    """Source: Microsoft, `BITMAPINFOHEADER`."""
    if len(data) < 34 or int.from_bytes(data[14:18], "little") < 40:
        return
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression in (1, 2) and (len(data) > _MOST_RLE_BYTES or abs(width * height) > _MOST_RLE_PIXELS):
        most = f"{told_bytes(_MOST_RLE_BYTES)} and {_MOST_RLE_PIXELS / 1e6:.3g} megapixels"
        raise ImageError(f"{where}: a BMP in run lengths is read up to {most}; save it as PNG")


def _busy(where: str, kind: str, what: str) -> ImageError:
    return ImageError(f"{where}: this {kind} has {what}, made to keep a reader busy; export the photo again")
