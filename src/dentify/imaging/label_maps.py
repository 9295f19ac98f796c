"""Pictures whose pixels are labels: class indices of any depth, colours, black and white, and what is transparent."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dentify.arrays import Photo
from dentify.errors import ImageError

LabelMap = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32]
"""`(h, w)` indices or grey values, or `(h, w, 3)` uint8 RGB."""

_STRIP_PIXELS = 2**20
_WHITE_16 = 65_535
_NEARLY, _BLURRED = 32, 5  # of black and white that JPEG blurs: levels off, and pixels at an edge that are neither


def read_label_map(picture: Image.Image, where: str, *, lossy: bool) -> tuple[LabelMap, Photo | None]:
    """The pixels of a picture that was loaded; see `decode_label_map`.

    Args:
        picture: of any mode.
        where: what to begin messages with.
        lossy: whether its file keeps values only nearly, as JPEG does.

    Raises:
        ImageError: its values are no labels.
    """
    if picture.mode == "P":
        palette = np.array(picture.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return np.array(picture), palette
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _numbers(picture, where), None
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return _opaque(picture), None
    pixels = _array(picture, "L" if picture.mode in ("1", "L") else "RGB")
    return (_sharp(pixels, where) if lossy else pixels), None


def _strips(picture: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """A picture bit by bit: the whole of a large one in another form takes as much memory again."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield top, bottom, picture.crop((0, top, width, bottom))


def _array(picture: Image.Image, mode: str) -> NDArray[np.uint8]:
    width, height = picture.size
    pixels = np.zeros((height, width) if mode == "L" else (height, width, 3), np.uint8)
    for top, bottom, strip in _strips(picture):
        pixels[top:bottom] = np.asarray(strip.convert(mode))
    return pixels


def _numbers(picture: Image.Image, where: str) -> LabelMap:
    """Whole numbers of 16 bits and more, or of floats that are such; 0 and white alone are black and white."""
    least, most, between = 0.0, 0.0, False
    for _, _, strip in _strips(picture):
        values = np.asarray(strip)
        if picture.mode == "F" and not (np.isfinite(values).all() and (values == np.floor(values)).all()):
            raise ImageError(f"{where}: holds fractions, which are no labels; save class indices as whole numbers")
        least, most = min(least, float(values.min())), max(most, float(values.max()))
        between = between or bool(((values != 0) & (values != _WHITE_16)).any())
    if least < 0 or most >= 2**31:
        raise ImageError(f"{where}: holds values from {least:g} to {most:g}, which are no class indices")
    width, height = picture.size
    black_and_white = most == _WHITE_16 and not between
    kind = np.uint8 if most <= 255 or black_and_white else np.uint16 if most <= _WHITE_16 else np.int32
    pixels = np.zeros((height, width), kind)
    for top, bottom, strip in _strips(picture):
        values = np.asarray(strip)
        pixels[top:bottom] = np.where(values > 0, 255, 0) if black_and_white else values
    return pixels


def _opaque(picture: Image.Image) -> NDArray[np.uint8]:
    """Colours or greys where a picture is opaque; of one that is black all over, how opaque it is."""
    width, height = picture.size
    grey = picture.mode in ("LA", "La")
    pixels = np.zeros((height, width) if grey else (height, width, 3), np.uint8)
    opacity = np.zeros((height, width), np.uint8)
    for top, bottom, strip in _strips(picture):
        values = np.asarray(strip.convert("LA" if grey else "RGBA"))
        opacity[top:bottom] = values[:, :, -1]
        shown = values[:, :, 0] if grey else values[:, :, :3]
        pixels[top:bottom] = np.where((values[:, :, -1] > 0) if grey else (values[:, :, -1:] > 0), shown, 0)
    return opacity if not pixels.any() and (opacity != opacity.flat[0]).any() else pixels


def _sharp(pixels: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """Black and white as it was before its edges were blurred; other values cannot be told again."""
    least, most = (pixels, pixels) if pixels.ndim == 2 else (pixels.min(axis=2), pixels.max(axis=2))
    if most.max(initial=0) == 0:
        return pixels if pixels.ndim == 2 else most
    neither = ((most > _NEARLY) & (least < 255 - _NEARLY)).astype(np.uint8)
    ground = cv2.erode(neither, np.ones((_BLURRED, _BLURRED), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    if most.max(initial=0) <= _NEARLY or ground.any():
        raise ImageError(f"{where}: was saved as JPEG or the like, which blurs the values of a mask; save it as PNG")
    return np.where(most >= 128, 255, 0).astype(np.uint8)
