"""Bytes, Pillow pictures and arrays as `DecodedPhoto`: upright sRGB pixels, small enough to be quick.

The order matters: the first bytes say what it is, one decoder of a fixed set reads the header, limits are checked, and only
then are pixels decoded. A large JPEG is decoded at 1/2, 1/4 or 1/8 by its DCT, which costs half of the time; Pillow does this
exactly as fast as OpenCV does (12 megapixels at 1/4: 32 ms each, equal pixels), and says when a file is cut off.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import os
import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dentify.arrays import Photo
from dentify.errors import ImageError, ShapeError
from dentify.imaging.colour import to_plain_mode, to_srgb
from dentify.imaging.exif import ExifFacts, is_camera_raw, read_exif
from dentify.imaging.files import check_file_bytes, read_photo_file
from dentify.imaging.formats import READABLE, START_BYTES, Kind, describe_start, picture_kind
from dentify.imaging.holes import has_holes
from dentify.imaging.label_maps import LabelMap, read_label_map
from dentify.imaging.pieces import check_pieces, check_segments
from dentify.imaging.segments import START_OF_SCAN, Segment, list_segments
from dentify.settings import Settings

_MOST_SCANS = 64  # of a JPEG; cameras and encoders write about 10, and each costs a pass over all pixels
_MOST_SEGMENTS = 10_000  # of a JPEG, those between its scans, too
_FEWEST_SCANS, _MOST_SCANNED = 16, 1_600_000_000  # of a large one: pixels in all scans; 100 million take 0.1 s
_MOST_FRAMES = 10_000  # counted for a note, no further
DAMAGED_FILE = "parts of the file are missing or damaged, and grey or wrong in the photo"
_LARGE_PIXELS = 50_000_000
_STRIP_PIXELS = 2**18  # copied at a time from Pillow to an array; 2**20 takes four times as long, by page faults

_quiet = threading.Lock()


@dataclass(frozen=True)
class DecodedPhoto:
    """One photo, ready for a network.

    Attributes:
        image: `(h, w, 3)` uint8, sRGB, upright, C-contiguous, possibly at reduced scale.
        photo_hw: height and width of the full upright photo; coordinates in answers are in these pixels.
        sha256: of the file's bytes; of the pixels (of `image`) where there was no file.
        captured_at: when it was taken, by EXIF, without time zone.
        notes: what was done to the photo that a reader should know.
        damaged: whether parts of the file are missing, which its decoder filled up.
    """

    image: Photo
    photo_hw: tuple[int, int]
    sha256: str
    captured_at: datetime | None = None
    notes: tuple[str, ...] = ()
    damaged: bool = False


def decode_photo(data: bytes, *, where: str, settings: Settings, enough_side: int | None = None) -> DecodedPhoto:
    """Decodes a picture file.

    Args:
        data: the file, whole.
        where: how to name the file in errors.
        settings: holds the limits.
        enough_side: pixels that the shorter side of `image` needs; a larger photo is decoded at 1/2, 1/4 or 1/8 (JPEG) or
            averaged down by a whole factor. `None`: full size. The small picture covers the full one exactly, save for JPEGs
            whose sides are no multiple of that factor: there it is off by up to half of one of its pixels at the far edge.

    Raises:
        ImageError: not a picture, over a limit, cut off or damaged.
    """
    if not data:
        raise ImageError(f"{where}: the file is empty; copy or export the photo again")
    check_file_bytes(len(data), where=where, settings=settings)
    kind = _kind_of(data, where)
    check_pieces(kind, data, where=where, settings=settings)
    with _decoding(kind, where):
        header = _open(kind, io.BytesIO(data))
    _check_size(header.size, where, settings)
    segments = list_segments(data, most=_MOST_SEGMENTS + 1) if kind == "JPEG" else []
    _check_scans(segments, header.size, where)
    if kind == "TIFF" and is_camera_raw(data):
        raise ImageError(f"{where}: not a picture: starts like a camera's raw file; give {READABLE}")
    notes = _frames(kind, header, data)
    with _decoding(kind, where), ThreadPoolExecutor(1) as beside:  # a decoder keeps one processor busy
        digest = beside.submit(hashlib.sha256, data)
        width, height = header.size
        image, more_notes = _decoded(kind, header, enough_side)
        damaged = kind == "JPEG" and has_holes(data, segments, image, lambda other: _is_same(other, data, image, enough_side))
    exif = _exif(kind, header, data)  # a PNG's may stand behind its pixels
    return DecodedPhoto(
        image=_upright(image, exif.orientation),
        photo_hw=(width, height) if exif.orientation >= 5 else (height, width),
        sha256=digest.result().hexdigest(),
        captured_at=exif.captured_at,
        notes=(*notes, *more_notes, *([DAMAGED_FILE] if damaged else [])),
        damaged=damaged,
    )


def _is_same(other: bytes, data: bytes, image: Photo, enough_side: int | None) -> bool:
    """Whether another JPEG makes the same picture; two large ones are told apart by a sixteenth of their pixels, for memory."""
    height, width = image.shape[:2]
    if height * width <= _LARGE_PIXELS:
        return np.array_equal(_jpeg_array(other, enough_side), image)
    side = min(height, width) // 4
    return np.array_equal(_jpeg_array(other, side), _jpeg_array(data, side))


def _jpeg_array(data: bytes, enough_side: int | None) -> Photo:
    return _decoded("JPEG", _open("JPEG", io.BytesIO(data)), enough_side)[0]


def _decoded(kind: Kind, header: ImageFile.ImageFile, enough_side: int | None) -> tuple[Photo, list[str]]:
    """The pixels of a file, and notes; the decoder's own are let go, and what it read of the header stays."""
    picture, notes = _pixels(kind, header, enough_side)
    image = _to_array(picture)
    header.close()
    return image, notes


def read_photo_size(photo: str | os.PathLike[str] | bytes, *, where: str, settings: Settings) -> tuple[int, int]:
    """Height and width of the upright photo in a file (or its bytes), from its header; no pixel is decoded.

    Raises:
        ImageError: it cannot be read, is no picture, or is over a limit.
    """
    return read_photo_frame(photo, where=where, settings=settings)[0]


def read_photo_frame(photo: str | os.PathLike[str] | bytes, *, where: str, settings: Settings) -> tuple[tuple[int, int], int]:
    """Height and width of the upright photo in a file (or its bytes), and how EXIF says that its pixels are turned, 1 to 8.

    Raises:
        ImageError: it cannot be read, is no picture, or is over a limit.
    """
    if isinstance(photo, bytes):
        data = photo
    else:
        try:
            with (photo if isinstance(photo, Path) else Path(photo)).open("rb") as stream:
                if picture_kind(stream.read(START_BYTES)) == "JPEG":  # whose header is read without the rest
                    stream.seek(0)
                    check_segments(stream, where=where)
                    stream.seek(0)
                    with _decoding("JPEG", where):
                        header = _open("JPEG", stream)
                        orientation = read_exif(_exif_block(header)).orientation
                    _check_pixels(header.size, where, settings)
                    return header.size if orientation >= 5 else header.size[::-1], orientation
        except OSError as error:
            raise ImageError(f"{where}: cannot be read: {error.strerror or error}") from error
        data = read_photo_file(photo, where=where, settings=settings)
    kind = _kind_of(data, where)
    check_pieces(kind, data, where=where, settings=settings)
    with _decoding(kind, where):
        header = _open(kind, io.BytesIO(data))
        _check_pixels(header.size, where, settings)
        if kind == "PNG" and b"eXIf" in data:
            header.load()  # it may stand behind the pixels
        orientation = _exif(kind, header, data).orientation
    return header.size if orientation >= 5 else header.size[::-1], orientation


def decode_label_map(data: bytes, *, where: str, settings: Settings) -> tuple[LabelMap, Photo | None]:
    """The pixels of a mask's file as they stand: no colour is converted and nothing is turned. What is transparent is 0.

    Returns:
        `(h, w)` uint8, or as many bits as the file has, a class index or grey value a pixel, or `(h, w, 3)` uint8 RGB where it is
        coloured; and the palette `(n, 3)` uint8 RGB that the indices stand for, where there is one. Of a picture that is of one
        colour, and black, the opacity is the mask.

    Raises:
        ImageError: not a picture, over a limit, cut off or damaged; several pictures in one; or one whose values are blurred.
    """
    check_file_bytes(len(data), where=where, settings=settings)
    kind = _kind_of(data, where)
    check_pieces(kind, data, where=where, settings=settings)
    with _decoding(kind, where):
        picture = _open(kind, io.BytesIO(data))
        _check_pixels(picture.size, where, settings)
        several = _frames(kind, picture, data)
        if several:
            raise ImageError(f"{where}: holds several pictures ({several[0]}), a mask is one; save each as a file of its own")
        picture.load()
        return read_label_map(picture, where, lossy=kind == "JPEG" or data[12:16] == b"VP8 ")


def photo_from_pil(picture: Image.Image, *, where: str = "picture", settings: Settings) -> DecodedPhoto:
    """A Pillow picture in any mode, at full size; its EXIF orientation and colour profile are honoured.

    Raises:
        ImageError: over a limit, or it was opened lazily and its file is cut off or damaged.
    """
    _check_size(picture.size, where, settings)
    with _decoding(picture.format or "picture", where):
        picture.load()
        exif = read_exif(_exif_block(picture))  # a PNG's may stand behind its pixels
        plain, notes = to_plain_mode(picture)
        rgb, more_notes = to_srgb(plain, picture.info.get("icc_profile"))
    image = _upright(_to_array(rgb), exif.orientation)
    height, width = image.shape[:2]
    return DecodedPhoto(image, (height, width), _pixel_hash(image), exif.captured_at, (*notes, *more_notes))


def photo_from_array(image: NDArray[Any], *, where: str = "array", settings: Settings) -> DecodedPhoto:
    """An array of pixels, upright: `(h, w, 3)` uint8 RGB (not BGR) or `(h, w)` uint8 grey.

    Raises:
        ShapeError: another shape or type.
        ImageError: over a limit.
    """
    grey = image.ndim == 2
    if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] == 3)):
        raise ShapeError(f"{where}: expected uint8 of shape (h, w, 3) in RGB or (h, w), got {image.dtype} of shape {image.shape}")
    height, width = image.shape[:2]
    _check_size((width, height), where, settings)
    pixels = np.repeat(image[:, :, None], 3, axis=2) if grey else np.ascontiguousarray(image)
    return DecodedPhoto(pixels, (height, width), _pixel_hash(pixels), notes=("grey photo",) if grey else ())


def _kind_of(data: bytes, where: str) -> Kind:
    """Which kind of picture a file is, by its first bytes."""
    kind = picture_kind(data[:START_BYTES])
    if kind is None:
        raise ImageError(f"{where}: not a picture: starts like {describe_start(data[:START_BYTES])}; give {READABLE}")
    return kind


@contextlib.contextmanager
def _decoding(kind: str, where: str) -> Iterator[None]:
    """What decoders say about hostile bytes, as one line.

    They raise nearly everything on purpose-made files (SyntaxError, struct.error, KeyError, MemoryError …), so all is caught.
    """
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{where}: this {kind} has more pixels than its decoder takes; make the photo smaller") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        fault = "cut off" if "truncated" in reason.lower() else "damaged"
        raise ImageError(f"{where}: this {kind} is {fault} ({reason}); copy or export the photo again") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Silences Pillow's remarks on odd metadata. Warning filters belong to the process, so one thread at a time."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(kind: Kind, file: BinaryIO) -> ImageFile.ImageFile:
    """Reads the header with the one decoder for this kind; no pixel is decoded.

    The classes are called directly: `Image.open` applies its own limit on pixels, a setting of the whole process, in place
    of ours, and knows HEIC only after a registration for the whole process.
    """
    with _without_warnings():
        match kind:
            case "JPEG":
                from PIL.JpegImagePlugin import JpegImageFile

                return JpegImageFile(file, "")
            case "PNG":
                from PIL.PngImagePlugin import PngImageFile

                return PngImageFile(file, "")
            case "WebP":
                from PIL.WebPImagePlugin import WebPImageFile

                return WebPImageFile(file, "")
            case "GIF":
                from PIL.GifImagePlugin import GifImageFile

                return GifImageFile(file, "")
            case "HEIC":
                from pillow_heif import HeifImageFile

                heic: ImageFile.ImageFile = HeifImageFile(file, "")  # type: ignore[no-untyped-call]
                return heic
            case "AVIF":
                from PIL.AvifImagePlugin import AvifImageFile

                return AvifImageFile(file, "")
            case "TIFF":
                from PIL.TiffImagePlugin import TiffImageFile

                _silence_libtiff()
                return TiffImageFile(file, "")
            case "BMP":
                from PIL.BmpImagePlugin import BmpImageFile

                return BmpImageFile(file, "")


@cache
def _silence_libtiff() -> None:
    """It prints what is wrong with a file into standard error by itself, beside the one line that says so."""
    from PIL import _imaging

    with contextlib.suppress(OSError, AttributeError):  # where it is linked in, as on Windows, it cannot be told
        library = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            tell = getattr(library, name)
            tell.argtypes, tell.restype = [ctypes.c_void_p], ctypes.c_void_p
            tell(None)


def _check_pixels(size_wh: tuple[int, int], where: str, settings: Settings) -> None:
    width, height = size_wh
    if width * height > settings.max_pixels:
        raise ImageError(
            f"{where}: {width} × {height} pixels are over the limit of {settings.max_pixels / 1e6:g} megapixels; "
            "make the photo smaller, or raise DENTIFY_MAX_PIXELS"
        )


def _check_size(size_wh: tuple[int, int], where: str, settings: Settings) -> None:
    _check_pixels(size_wh, where, settings)
    width, height = size_wh
    if min(width, height) < settings.min_side:
        raise ImageError(
            f"{where}: {width} × {height} pixels are too few to see anything; a side needs {settings.min_side} or more"
        )


def _check_scans(segments: Sequence[Segment], size_wh: tuple[int, int], where: str) -> None:
    """A JPEG may repeat its scans without end, each small in the file and as slow as the whole picture."""
    most = min(_MOST_SCANS, max(_FEWEST_SCANS, _MOST_SCANNED // (size_wh[0] * size_wh[1])))
    scans = sum(segment.marker == START_OF_SCAN for segment in segments)
    if scans > most:
        told = f"{scans} scans"
    elif len(segments) > _MOST_SEGMENTS:
        told = f"more than {_MOST_SEGMENTS:,} segments"
    else:
        return
    raise ImageError(f"{where}: this JPEG has {told}, made to keep a reader busy; export the photo again")


def _exif(kind: Kind, header: ImageFile.ImageFile, data: bytes) -> ExifFacts:
    """HEIC and TIFF are turned upright by their decoders, so what their EXIF says of it is done."""
    facts = read_exif(data if kind == "TIFF" else _exif_block(header))
    return ExifFacts(1, facts.captured_at) if kind in ("HEIC", "TIFF") else facts


def _exif_block(picture: Image.Image) -> bytes | None:
    block = picture.info.get("exif")
    return block if isinstance(block, bytes) else None


def _frames(kind: Kind, header: ImageFile.ImageFile, data: bytes) -> list[str]:
    """A note where the file holds several pictures. Counted here for GIF and TIFF, since Pillow decodes on its way."""
    match kind:
        case "GIF":
            frames, words = _gif_frames(data), "first frame of"
        case "TIFF":
            frames, words = _tiff_pages(data), "first page of"
        case "HEIC":
            frames, words = getattr(header, "n_frames", 1), "main picture of"
        case _:
            frames, words = getattr(header, "n_frames", 1), "first frame of"
    if frames >= _MOST_FRAMES:
        return [f"{words} {_MOST_FRAMES} or more"]
    return [f"{words} {frames}"] if frames > 1 else []


def _gif_frames(data: bytes) -> int:
    """Walks a GIF's blocks. Source: GIF89a specification, appendix A."""

    def colour_table_size(flags: bytes) -> int:
        return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0

    frames = 0
    at = 13 + colour_table_size(data[10:11])
    while at < len(data) and frames < _MOST_FRAMES:
        if data[at] == 0x2C:  # a picture: descriptor, colours, code size
            frames += 1
            at += 11 + colour_table_size(data[at + 9 : at + 10])
        elif data[at] == 0x21:  # an extension: introducer, label
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames


def _tiff_pages(data: bytes) -> int:
    """Walks a TIFF's chain of directories; 1 for BigTIFF. Source: TIFF 6.0, section 2."""
    order = "<" if data[:2] == b"II" else ">"
    pages = 0
    with contextlib.suppress(struct.error):
        version, at = struct.unpack_from(order + "HI", data, 2)
        if version != 42:
            return 1
        while at and pages < _MOST_FRAMES:
            (entries,) = struct.unpack_from(order + "H", data, at)
            pages += 1
            (at,) = struct.unpack_from(order + "I", data, at + 2 + 12 * entries)
    return pages


def _pixels(kind: Kind, header: ImageFile.ImageFile, enough_side: int | None) -> tuple[Image.Image, list[str]]:
    """Decodes: RGB in sRGB, as the file has it (not yet upright), possibly smaller, and notes."""
    width, height = header.size
    shrink = 1 if enough_side is None else max(1, min(width, height) // enough_side)
    if kind == "JPEG":
        shrink = max(scale for scale in (1, 2, 4, 8) if scale <= shrink)
        if shrink > 1:
            header.draft(None, (width // shrink, height // shrink))
    with _without_warnings() if kind == "TIFF" else contextlib.nullcontext():  # it warns of many pixels when it loads them
        header.load()
    plain, notes = to_plain_mode(header)
    if plain is not header:
        header.close()  # whose pixels take as much memory again
    if shrink > 1:
        small = (_rounded(width, shrink), _rounded(height, shrink))
        if kind != "JPEG":
            plain = plain.resize(small, Image.Resampling.BOX)
        elif plain.size != small:  # a last row or column that lies mostly outside the photo would move all coordinates
            plain = plain.crop((0, 0, *small))
    rgb, more_notes = to_srgb(plain, header.info.get("icc_profile"))
    if rgb is not header:
        header.close()
    return rgb, [*notes, *more_notes]


def _rounded(side: int, shrink: int) -> int:
    return (2 * side + shrink) // (2 * shrink)


def _to_array(rgb: Image.Image) -> Photo:
    """Copies strip by strip: the whole at once takes three times the memory."""
    width, height = rgb.size
    image = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        image[top:bottom] = np.asarray(rgb.crop((0, top, width, bottom)))
    return image


def _upright(image: Photo, orientation: int) -> Photo:
    """Turns pixels as EXIF's orientation says. Source: CIPA DC-008, 4.6.4, tag 274."""
    match orientation:
        case 2:
            turned = cv2.flip(image, 1)
        case 3:
            turned = cv2.rotate(image, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(image, 0)
        case 5:
            turned = cv2.transpose(image)
        case 6:
            turned = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(image), -1)
        case 8:
            turned = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return image
    return np.ascontiguousarray(turned, dtype=np.uint8)


def _pixel_hash(image: Photo) -> str:
    """SHA-256 of height, width and the RGB bytes."""
    digest = hashlib.sha256(struct.pack("<2I", *image.shape[:2]))
    digest.update(image.data)
    return digest.hexdigest()
