"""Pictures of every depth and colour space become the same sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import PIL
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dentify.imaging.colour import PROFILE_IGNORED
from dentify.imaging.decode import DecodedPhoto

Pixels = NDArray[np.uint8]
Save = Callable[..., bytes]
Decode = Callable[..., DecodedPhoto]


def difference(a: Pixels, b: Pixels) -> float:
    """Mean absolute difference in levels of 255."""
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_grey_becomes_rgb_and_is_noted(photo: Image.Image, save: Save, decode: Decode) -> None:
    grey = photo.convert("L")
    decoded = decode(save(grey, "PNG"))
    assert (decoded.image == np.asarray(grey)[:, :, None]).all()
    assert decoded.notes == ("grey photo",)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
    grey = np.asarray(photo.convert("L"))
    decoded = decode(save(Image.fromarray(grey.astype(np.uint16) * 256 + 77), format_name))
    assert (decoded.image == grey[:, :, None]).all()


def test_16_bit_rgb_png_is_scaled(pixels: Pixels, decode: Decode) -> None:
    _, data = cv2.imencode(".png", (pixels[:, :, ::-1].astype(np.uint16)) * 257)
    assert (decode(data.tobytes()).image == pixels).all()


def test_16_bit_rgb_tiff_is_scaled(pixels: Pixels, decode: Decode) -> None:
    _, data = cv2.imencode(".tiff", (pixels[:, :, ::-1].astype(np.uint16)) * 257)
    assert (decode(data.tobytes()).image == pixels).all()


def test_32_bit_and_float_pictures_are_stretched_and_noted(photo: Image.Image, save: Save, decode: Decode) -> None:
    grey = np.asarray(photo.convert("L")).astype(np.float32)
    stretched = (grey - grey.min()) * 255 / (grey.max() - grey.min())
    decoded = decode(save(Image.fromarray(grey / 1000 - 3), "TIFF"))
    assert difference(decoded.image, stretched[:, :, None]) < 1
    assert decoded.notes == ("floating-point picture, stretched to 8 bits", "grey photo")
    assert decode(save(Image.fromarray(grey.astype(np.int32) * 100_000), "TIFF")).notes[0].startswith("32-bit")


def test_a_float_picture_of_nothing_is_black(save: Save, decode: Decode) -> None:
    assert decode(save(Image.fromarray(np.full((20, 20), np.nan, np.float32)), "TIFF")).image.max() == 0


@pytest.mark.filterwarnings("error")
def test_a_float_picture_with_infinite_and_missing_pixels(save: Save, decode: Decode) -> None:
    values = np.linspace(-1, 1, 400, dtype=np.float32).reshape(20, 20)
    values[0, :3] = np.nan, np.inf, -np.inf
    image = decode(save(Image.fromarray(values), "TIFF")).image
    assert image[0, :3, 0].tolist() == [0, 255, 0]
    assert image[-1, -1, 0] == 255
    assert image[0, 3, 0] == 0  # the least that is finite


def test_black_and_white(save: Save, decode: Decode) -> None:
    bits = np.zeros((20, 20), bool)
    bits[:, 10:] = True
    assert (decode(save(Image.fromarray(bits), "PNG")).image == bits[:, :, None] * 255).all()


@pytest.mark.parametrize("format_name", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes(format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
    indexed = photo.quantize(64)
    assert (decode(save(indexed, format_name)).image == np.asarray(indexed.convert("RGB"))).all()


@pytest.mark.parametrize("format_name", ["PNG", "WebP", "TIFF"])
def test_what_is_transparent_lies_on_white(format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
    picture = photo.convert("RGBA")
    picture.paste((255, 0, 0, 0), (0, 0, 80, 120))
    picture.putpixel((100, 60), (0, 0, 0, 51))
    decoded = decode(save(picture, format_name, lossless=True))
    assert (decoded.image[:, :80] == 255).all()
    assert (decoded.image[60, 100] == 204).all()  # a fifth of black
    assert (decoded.image[:, 101:] == np.asarray(photo)[:, 101:]).all()
    assert decoded.notes == ("transparent areas shown white",)


def test_an_alpha_channel_that_hides_nothing_is_no_news(photo: Image.Image, save: Save, decode: Decode) -> None:
    decoded = decode(save(photo.convert("RGBA"), "PNG"))
    assert (decoded.image == np.asarray(photo)).all()
    assert decoded.notes == ()


def test_a_transparent_palette_entry_and_colour(photo: Image.Image, save: Save, decode: Decode) -> None:
    indexed = photo.quantize(16)
    shown = np.asarray(indexed.convert("RGB")).copy()
    shown[np.asarray(indexed) == 3] = 255
    for transparency in (3, bytes([255, 255, 255, 0])):  # one entry; an opacity for each, of which Pillow warns
        assert (decode(save(indexed, "PNG", transparency=transparency)).image == shown).all()
    red = Image.new("RGB", (20, 20), (200, 0, 0))
    assert (decode(save(red, "PNG", transparency=(200, 0, 0))).image == 255).all()


@pytest.mark.parametrize("format_name", ["JPEG", "TIFF"])
def test_cmyk(format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
    """JPEGs of four colours are written inverted, as Adobe does."""
    decoded = decode(save(photo.convert("CMYK"), format_name, quality=95))
    assert difference(decoded.image, np.asarray(photo)) < 3


@pytest.mark.skipif(PIL.__version__ < "13", reason="Pillow 12 cannot read the YCbCr TIFFs that it writes")
def test_ycbcr_tiff(photo: Image.Image, save: Save, decode: Decode) -> None:
    assert difference(decode(save(photo.convert("YCbCr"), "TIFF")).image, np.asarray(photo)) < 3


def test_lab_tiff(photo: Image.Image, save: Save, decode: Decode) -> None:
    lab = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    assert lab is not None
    assert difference(decode(save(lab, "TIFF")).image, np.asarray(photo)) < 3


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WebP", "AVIF", "JPEG"])
def test_wide_gamut_becomes_srgb(format_name: str, photo: Image.Image, display_p3: bytes, save: Save, decode: Decode) -> None:
    """A photo in Display P3 holds smaller numbers for the same colours; decoded, the colours are back."""
    to_p3 = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(display_p3)))
    assert to_p3 is not None
    how = {"lossless": True, "quality": 95} if format_name in ("WebP", "JPEG", "AVIF") else {}
    decoded = decode(save(to_p3, format_name, icc_profile=display_p3, **how))
    off = difference(decoded.image, np.asarray(photo))
    assert off < (1 if format_name in ("PNG", "TIFF", "WebP") else 3)
    assert decoded.notes == ()


def test_saturated_display_p3_is_clipped_not_wrapped(display_p3: bytes, save: Save, decode: Decode) -> None:
    green = Image.new("RGB", (20, 20), (0, 255, 0))
    assert decode(save(green, "PNG", icc_profile=display_p3)).image[0, 0].tolist() == [0, 255, 0]


def test_an_srgb_profile_changes_nothing(photo: Image.Image, save: Save, decode: Decode) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (decode(save(photo, "PNG", icc_profile=srgb)).image == np.asarray(photo)).all()
    grey = photo.convert("L")  # as scanners write it: grey, with a profile for colours
    assert (decode(save(grey, "JPEG", icc_profile=srgb, quality=100)).image.std(axis=2) == 0).all()


@pytest.mark.parametrize("wrong", ["noise", "cut off", "of CMYK", "huge"])
def test_a_profile_that_does_not_fit_is_ignored_and_noted(
    wrong: str, photo: Image.Image, display_p3: bytes, save: Save, decode: Decode
) -> None:
    profile = {
        "noise": b"no profile at all",
        "cut off": display_p3[:150],
        "of CMYK": display_p3.replace(b"RGB XYZ ", b"CMYKLab "),
        "huge": display_p3 + bytes(9 * 2**20),
    }[wrong]
    decoded = decode(save(photo, "TIFF", icc_profile=profile))
    assert (decoded.image == np.asarray(photo)).all()
    assert decoded.notes == (PROFILE_IGNORED,)
