"""Any Pillow picture as 8-bit sRGB: bit depths, palettes, transparency, CMYK, Lab, colour profiles.

Two steps, so that a large picture can be made smaller between them: `to_plain_mode` leaves one of L, RGB, RGBA, CMYK and LAB,
all of which Pillow resizes; `to_srgb` makes RGB of that.
"""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_PLAIN = ("L", "RGB", "RGBA", "CMYK", "LAB")
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_TRANSPARENT = ("LA", "La", "PA", "RGBa")
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_LARGEST_PROFILE = 8 * 2**20  # bytes; printers' CMYK profiles, the largest in use, have 0.5 to 3 MB
_STRIP_PIXELS = 2**20
_SAME_COLOUR = 2  # levels of 255: a profile that moves no colour by more than this is sRGB under some name

PROFILE_IGNORED = "colour profile could not be read and was ignored"


def to_plain_mode(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """A loaded picture in mode L, RGB, RGBA (only where something is transparent), CMYK or LAB, and notes.

    16 bits become 8 by dropping the lower byte, as libpng does; 32-bit and float pictures have no agreed white, so
    their darkest and brightest value become black and white.
    """
    if picture.mode in _SIXTEEN_BIT:
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)), []
    if picture.mode in ("I", "F"):
        return _stretched(picture), [f"{'32-bit' if picture.mode == 'I' else 'floating-point'} picture, stretched to 8 bits"]
    if picture.mode in _TRANSPARENT or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode not in _PLAIN:
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    if picture.mode == "RGBA" and picture.getextrema()[-1] == (255, 255):
        picture = picture.convert("RGB")
    return picture, []


def to_srgb(picture: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """RGB in sRGB from a picture in a plain mode, and notes. What is transparent lies on white.

    Args:
        picture: mode L, RGB, RGBA, CMYK or LAB.
        profile: its ICC profile, if any. One that is broken, or meant for another mode, is ignored.
    """
    notes = ["grey photo"] if picture.mode == "L" else []
    if picture.mode == "RGBA":
        picture = _on_white(picture)
        notes.append("transparent areas shown white")
    if picture.mode == "LAB":  # Pillow's Lab is D50 Lab, whatever profile came with it
        return picture.convert("RGB"), notes
    if profile:
        try:
            return _through_profile(picture, profile), notes
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append(PROFILE_IGNORED)
    return picture if picture.mode == "RGB" else picture.convert("RGB"), notes


def _on_white(picture: Image.Image) -> Image.Image:
    """Strip by strip, as `_stretched`."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    ground = Image.new("RGB", picture.size)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        ground.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB"), (0, top))
    return ground


def _stretched(picture: Image.Image) -> Image.Image:
    """Strip by strip: the whole as floats at once takes a dozen times the memory of the result. What is no number is black."""
    width, height = picture.size
    rows = max(1, _STRIP_PIXELS // width)
    strips = [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]
    low, high = np.inf, -np.inf
    for strip in strips:
        values = np.asarray(picture.crop(strip), np.float64)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    stretched = np.zeros((height, width), np.uint8)
    if high > low:
        for strip in strips:
            values = np.nan_to_num(np.asarray(picture.crop(strip), np.float64), nan=low, posinf=high, neginf=low)
            stretched[strip[1] : strip[3]] = ((values - low) / (high - low) * 255).astype(np.uint8)
    return Image.fromarray(stretched)


def _through_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    if len(profile) > _LARGEST_PROFILE:
        raise ValueError("profile too large")
    mode = _profile_mode(profile)
    if mode == "RGB" and picture.mode == "L":
        picture = picture.convert("RGB")
    if mode != picture.mode:
        raise ValueError(f"a profile for {mode} in a picture of mode {picture.mode}")
    if mode == "RGB" and _is_srgb(profile):
        return picture
    return _apply(picture, profile)


def _apply(picture: Image.Image, profile: bytes) -> Image.Image:
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        picture.mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return transform.apply(picture)


def _profile_mode(profile: bytes) -> str:
    """The Pillow mode that a profile describes."""
    space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    if space not in _PROFILE_MODES:
        raise ValueError(f"a profile for {space}")
    return _PROFILE_MODES[space]


@functools.lru_cache(maxsize=4)  # it keeps the profiles, megabytes each where they are large
def _is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile leaves colours as they are, tried on 7³ of them: most photos carry sRGB, under many names."""
    levels = np.linspace(0, 255, 7).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(7, 49, 3)
    changed = np.asarray(_apply(Image.fromarray(colours), profile))
    return bool(np.abs(changed.astype(int) - colours).max() <= _SAME_COLOUR)
