"""From files, Pillow pictures and arrays to upright pixels; hostile and broken files to one clear line."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dentify.errors import ImageError, ShapeError
from dentify.imaging.decode import DecodedPhoto, decode_photo, photo_from_array, photo_from_pil
from dentify.settings import Settings

Pixels = NDArray[np.uint8]
Save = Callable[..., bytes]
Decode = Callable[..., DecodedPhoto]

# how to turn the upright picture so that a viewer which obeys the tag turns it back
TURNED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    how = TURNED[orientation]
    return picture if how is None else picture.transpose(how)


def orientation_tag(orientation: int, taken: str | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    return exif


def difference(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def heic(picture: Image.Image, **how: Any) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, **how)
    return file.getvalue()


def png_header(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says how large it is, other chunks, and ten bytes of pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + b"".join(chunk(*each) for each in chunks) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")


@pytest.fixture(scope="session")
def small_files(photo: Image.Image) -> dict[str, bytes]:
    """The photo in every format."""
    files = {"HEIC": heic(photo)}
    for format_name in ("JPEG", "PNG", "WebP", "GIF", "TIFF", "BMP", "AVIF"):
        file = io.BytesIO()
        photo.save(file, format_name)
        files[format_name] = file.getvalue()
    return files


class TestUpright:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format_name", ["PNG", "WebP", "TIFF"])
    def test_all_orientations_give_the_same_pixels(
        self, format_name: str, orientation: int, photo: Image.Image, save: Save, decode: Decode
    ) -> None:
        data = save(turned(photo, orientation), format_name, exif=orientation_tag(orientation), lossless=True)
        decoded = decode(data)
        assert (decoded.image == np.asarray(photo)).all()
        assert decoded.photo_hw == (120, 160)
        assert decoded.image.flags.c_contiguous

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format_name", ["JPEG", "AVIF"])
    def test_all_orientations_of_lossy_formats(
        self, format_name: str, orientation: int, photo: Image.Image, save: Save, decode: Decode
    ) -> None:
        data = save(turned(photo, orientation), format_name, exif=orientation_tag(orientation), quality=95)
        decoded = decode(data)
        assert decoded.photo_hw == (120, 160)
        assert difference(decoded.image, np.asarray(photo)) < 4

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_reduced_and_turned(self, orientation: int, photo: Image.Image, save: Save, decode: Decode) -> None:
        """The full size is told upright, and the small picture shows the same as the upright one made small."""
        large = photo.resize((1280, 960))
        data = save(turned(large, orientation), "JPEG", exif=orientation_tag(orientation), quality=95)
        decoded = decode(data, enough_side=120)
        assert decoded.photo_hw == (960, 1280)
        assert difference(decoded.image, np.asarray(large.resize((160, 120), Image.Resampling.BOX))) < 1.5

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_sides_that_are_no_multiple_of_the_scale(
        self, orientation: int, photo: Image.Image, save: Save, decode: Decode
    ) -> None:
        data = save(turned(photo.resize((645, 483)), orientation), "JPEG", exif=orientation_tag(orientation))
        decoded = decode(data, enough_side=60)
        assert decoded.photo_hw == (483, 645)
        assert decoded.image.shape == (60, 81, 3)

    def test_a_png_may_tell_its_orientation_behind_its_pixels(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = save(turned(photo, 6), "PNG")
        exif = orientation_tag(6).tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        end = data.index(b"IEND") - 4
        assert (decode(data[:end] + chunk + data[end:]).image == np.asarray(photo)).all()

    def test_heic_is_turned_once(self, photo: Image.Image, decode: Decode) -> None:
        """libheif turns the picture as its container says, and writes no second turn; its EXIF still names the time."""
        exif = orientation_tag(6, "2024:05:06 07:08:09").tobytes()
        decoded = decode(heic(turned(photo, 6), exif=exif, quality=95))
        assert decoded.photo_hw == (120, 160)
        assert difference(decoded.image, np.asarray(photo)) < 4
        assert decoded.captured_at == datetime(2024, 5, 6, 7, 8, 9)


class TestFormats:
    @pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "WebP"])
    def test_lossless_formats_are_exact(self, format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = save(photo, format_name, lossless=True)
        decoded = decode(data)
        assert (decoded.image == np.asarray(photo)).all()
        assert decoded.image.flags.writeable
        assert decoded.notes == ()
        assert decoded.sha256 == hashlib.sha256(data).hexdigest()

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
    def test_compressed_tiff(self, compression: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        decoded = decode(save(photo, "TIFF", compression=compression))
        assert difference(decoded.image, np.asarray(photo)) < (6 if compression == "jpeg" else 0.01)

    def test_heic(self, photo: Image.Image, decode: Decode) -> None:
        assert difference(decode(heic(photo, quality=95)).image, np.asarray(photo)) < 4

    def test_progressive_jpeg(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        assert difference(decode(save(photo, "JPEG", progressive=True, quality=95)).image, np.asarray(photo)) < 4

    def test_the_name_does_not_matter(self, photo: Image.Image, save: Save) -> None:
        data = save(photo, "PNG")
        assert decode_photo(data, where="a.heic", settings=Settings()).image.shape == (120, 160, 3)

    @pytest.mark.parametrize("format_name", ["GIF", "WebP", "AVIF", "PNG"])
    def test_the_first_frame_is_taken_and_noted(self, format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        frames = [photo, photo.rotate(180), photo.rotate(90)]
        decoded = decode(save(frames[0], format_name, save_all=True, append_images=frames[1:]))
        assert decoded.notes == ("first frame of 3",)
        assert difference(decoded.image, np.asarray(photo)) < 12  # a GIF holds 256 colours

    def test_the_first_page_of_a_tiff(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        decoded = decode(save(photo, "TIFF", save_all=True, append_images=[photo.rotate(180)]))
        assert decoded.notes == ("first page of 2",)
        assert (decoded.image == np.asarray(photo)).all()

    def test_the_main_picture_of_a_heic(self, photo: Image.Image, decode: Decode) -> None:
        file = pillow_heif.from_pillow(photo.rotate(180))
        file.add_from_pillow(photo)
        data = io.BytesIO()
        file.save(data, primary_index=1, quality=95)
        decoded = decode(data.getvalue())
        assert decoded.notes == ("main picture of 2",)
        assert difference(decoded.image, np.asarray(photo)) < 4

    def test_a_tiff_whose_pages_go_in_circles_ends(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = bytearray(save(photo, "TIFF"))
        (first,) = struct.unpack_from("<I", data, 4)
        (entries,) = struct.unpack_from("<H", data, first)
        struct.pack_into("<I", data, first + 2 + 12 * entries, first)
        assert decode(bytes(data)).notes == ("first page of 10000 or more",)

    def test_captured_at(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        for format_name in ("JPEG", "PNG", "WebP", "TIFF", "AVIF"):
            data = save(photo, format_name, exif=orientation_tag(1, "2024:05:06 07:08:09").tobytes())
            assert decode(data).captured_at == datetime(2024, 5, 6, 7, 8, 9), format_name
        assert decode(save(photo, "JPEG", exif=orientation_tag(1, "0000:00:00 00:00:00"))).captured_at is None


class TestReduction:
    @pytest.mark.parametrize(
        ("enough_side", "shape"), [(None, (960, 1280)), (500, (960, 1280)), (480, (480, 640)), (200, (240, 320)), (1, (120, 160))]
    )
    def test_a_jpeg_is_decoded_as_small_as_its_shorter_side_allows(
        self, enough_side: int | None, shape: tuple[int, int], photo: Image.Image, save: Save, decode: Decode
    ) -> None:
        decoded = decode(save(photo.resize((1280, 960)), "JPEG", quality=95), enough_side=enough_side)
        assert decoded.image.shape == (*shape, 3)
        assert decoded.photo_hw == (960, 1280)

    @pytest.mark.parametrize("format_name", ["PNG", "WebP", "BMP", "TIFF", "GIF"])
    def test_other_formats_are_averaged_down(self, format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        decoded = decode(save(photo.resize((800, 600), Image.Resampling.NEAREST), format_name, lossless=True), enough_side=120)
        assert decoded.image.shape == (120, 160, 3)
        assert decoded.photo_hw == (600, 800)
        assert difference(decoded.image, np.asarray(photo)) < (12 if format_name == "GIF" else 0.01)

    def test_a_reduced_edge_stays_where_it_is(self, save: Save, decode: Decode) -> None:
        """An edge at 60 % of a photo of awkward size is at 60 % of the small one, to within one of its pixels."""
        picture = np.zeros((1001, 1999, 3), np.uint8)
        picture[:, 1200:] = 255
        for format_name in ("JPEG", "PNG"):
            decoded = decode(save(Image.fromarray(picture), format_name), enough_side=100)
            edge = int(np.argmax(decoded.image[50, :, 0] > 127))
            assert edge / decoded.image.shape[1] == pytest.approx(1200 / 1999, abs=1 / decoded.image.shape[1])

    def test_grey_and_cmyk_jpegs_are_reduced_too(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        for mode in ("L", "CMYK"):
            decoded = decode(save(photo.resize((640, 480)).convert(mode), "JPEG", quality=95), enough_side=120)
            assert decoded.image.shape == (120, 160, 3)
            assert difference(decoded.image.mean(axis=2), np.asarray(photo).mean(axis=2)) < 6

    @given(st.integers(16, 300), st.integers(16, 300), st.integers(1, 400), st.sampled_from(["JPEG", "PNG"]))
    def test_the_shorter_side_is_enough_and_the_shape_is_kept(
        self, width: int, height: int, enough_side: int, format_name: str
    ) -> None:
        file = io.BytesIO()
        Image.new("RGB", (width, height)).save(file, format_name)
        decoded = decode_photo(file.getvalue(), where="a", settings=Settings(), enough_side=enough_side)
        h, w = decoded.image.shape[:2]
        assert min(h, w) >= min(enough_side, width, height)
        assert decoded.photo_hw == (height, width)
        assert abs(h / height - w / width) <= 0.5 / height + 0.5 / width


class TestLimits:
    def test_a_file_over_the_limit_is_refused_unread(self, decode: Decode) -> None:
        with pytest.raises(ImageError, match=r"^a\.jpg: over the limit of 2 MiB a file; .*DENTIFY_MAX_FILE_BYTES$"):
            decode(b"\xff\xd8\xff" + bytes(3 * 2**20), max_file_bytes=2 * 2**20)

    def test_a_picture_of_60_000_by_60_000_is_refused_by_its_header(self, decode: Decode) -> None:
        """The file is 100 bytes, so nothing but the header can have been read."""
        with pytest.raises(
            ImageError, match=r"^a\.jpg: 60000 × 60000 pixels are over the limit of 100 megapixels; .*MAX_PIXELS$"
        ):
            decode(png_header(60_000, 60_000))

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WebP", "GIF", "TIFF", "BMP", "AVIF", "HEIC"])
    def test_every_format_is_held_to_the_limit(self, format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = heic(photo) if format_name == "HEIC" else save(photo, format_name)
        most = 160 * 120 * (2 if format_name == "WebP" else 1)  # whose decoder takes so much memory that half is enough
        assert decode(data, max_pixels=most).photo_hw == (120, 160)
        with pytest.raises(ImageError, match=r"^a\.jpg: 160 × 120 pixels are over the limit of 0\.019199 megapixels"):
            decode(data, max_pixels=most - 1)

    def test_a_raised_limit_is_ours_and_not_pillows(self, decode: Decode, save: Save) -> None:
        """Pillow would warn from 89 megapixels on and refuse from 179 on, by a setting of the whole process."""
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = 2**18  # more than is copied at a time, which Pillow 12 looks at, too
        try:
            for format_name in ("PNG", "JPEG", "GIF", "BMP", "WebP"):
                side = 700 if format_name == "WebP" else 800
                assert decode(save(Image.new("RGB", (side, side)), format_name)).photo_hw == (side, side)
        finally:
            Image.MAX_IMAGE_PIXELS = before

    @pytest.mark.skipif(PIL.__version__ < "13", reason="only the WebP decoder of Pillow 13 looks at that limit")
    def test_a_webp_of_more_pixels_than_its_decoder_takes(self, decode: Decode, save: Save) -> None:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = 1000
        try:
            with pytest.raises(ImageError, match=r"^a\.jpg: this WebP has more pixels than its decoder takes; "):
                decode(save(Image.new("RGB", (100, 100)), "WebP"))
        finally:
            Image.MAX_IMAGE_PIXELS = before

    def test_a_tiff_that_pillow_would_warn_of(self, decode: Decode, save: Save) -> None:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = 2**18
        try:
            assert decode(save(Image.new("RGB", (600, 600)), "TIFF")).photo_hw == (600, 600)
        finally:
            Image.MAX_IMAGE_PIXELS = before

    def test_a_picture_too_small_to_see_anything(self, decode: Decode, save: Save) -> None:
        with pytest.raises(ImageError, match=r"^a\.jpg: 40 × 15 pixels are too few to see anything; a side needs 16 or more$"):
            decode(save(Image.new("RGB", (40, 15)), "PNG"))

    def test_a_progressive_jpeg_of_endless_scans(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = save(photo, "JPEG", progressive=True)
        last = data.rindex(b"\xff\xda")
        with pytest.raises(ImageError, match=r"^a\.jpg: this JPEG has \d+ scans, made to keep a reader busy"):
            decode(data[:-2] + data[last:-2] * 100 + data[-2:])

    @pytest.mark.parametrize("hidden", [b"", b"\xff\xfe\x00\x04\xff\xd9"], ids=["baseline", "behind a comment that holds an end"])
    def test_a_jpeg_that_repeats_its_scan(self, photo: Image.Image, save: Save, decode: Decode, hidden: bytes) -> None:
        data = save(photo, "JPEG", progressive=bool(hidden))
        scan = hidden + data[data.rindex(b"\xff\xda") : -2]
        with pytest.raises(ImageError, match=r"^a\.jpg: this JPEG has \d+ scans, made to keep a reader busy"):
            decode(data[:-2] + scan * 100 + data[-2:])

    def test_scans_of_thumbnails_are_not_counted(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = save(photo, "JPEG", comment=b"\xff\xda" * 200)
        assert decode(data).photo_hw == (photo.height, photo.width)

    def test_a_cameras_raw_file_is_not_taken_for_its_preview(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        for tags in ({254: 1}, {0xC612: b"\1\4\0\0"}):
            with pytest.raises(ImageError, match=r"^a\.jpg: not a picture: starts like a camera's raw file; give "):
                decode(save(photo, "TIFF", tiffinfo=tags))

    def test_text_and_profiles_that_unpack_to_much(self, decode: Decode) -> None:
        """A PNG's texts and profile are packed: 20 MiB of zeros take 20 KiB."""
        bomb = zlib.compress(bytes(20 * 2**20), 9)
        for chunk in ((b"zTXt", b"a\0\0" + bomb), (b"iCCP", b"a\0\0" + bomb), (b"iTXt", b"a\0\1\0\0\0" + bomb)):
            with pytest.raises(ImageError, match=r"^a\.jpg: this PNG is damaged \(.*\); copy or export the photo again$"):
                decode(png_header(20, 20, chunk))


class TestBadInput:
    def test_an_empty_file(self, decode: Decode) -> None:
        with pytest.raises(ImageError, match=r"^a\.jpg: the file is empty; copy or export the photo again$"):
            decode(b"")

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"Dear customer, please find attached", "text"),
            (b"%PDF-1.4", "a PDF"),
            (bytes(5000), "nothing but zeros"),
            (b"<html>404 not found</html>", "a web page"),
        ],
    )
    def test_no_picture(self, data: bytes, words: str, decode: Decode) -> None:
        with pytest.raises(ImageError, match=rf"^a\.jpg: not a picture: starts like {words}; give JPEG, PNG, WebP, .* or BMP$"):
            decode(data)

    @pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.99])
    @pytest.mark.parametrize("enough_side", [None, 30])
    def test_a_jpeg_that_is_cut_off(
        self, part: float, enough_side: int | None, photo: Image.Image, save: Save, decode: Decode
    ) -> None:
        data = save(photo, "JPEG", quality=90)
        with pytest.raises(ImageError, match=r"^a\.jpg: this JPEG is cut off \(.*\); copy or export the photo again$"):
            decode(data[: int(part * len(data))], enough_side=enough_side)

    @pytest.mark.parametrize("format_name", ["PNG", "WebP", "GIF", "TIFF", "BMP", "AVIF", "HEIC"])
    def test_other_formats_cut_off(self, format_name: str, photo: Image.Image, save: Save, decode: Decode) -> None:
        data = heic(photo) if format_name == "HEIC" else save(photo, format_name)
        with pytest.raises(ImageError, match=rf"^a\.jpg: this {format_name} is (cut off|damaged) \("):
            decode(data[: len(data) // 2])

    def test_heic_of_garbage(self, decode: Decode) -> None:
        noise = np.random.default_rng(0).bytes(500)
        with pytest.raises(ImageError, match=r"^a\.jpg: this HEIC is damaged \("):
            decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + noise)

    @pytest.mark.filterwarnings("error")
    def test_absurd_exif_does_no_harm(self, photo: Image.Image, save: Save, decode: Decode) -> None:
        """Pillow warns of such blocks when it opens the file; nobody needs to hear of it."""
        exif = orientation_tag(6).tobytes()
        broken = exif[:14] + b"\xff\xff" + exif[16:]  # 65,535 fields
        decoded = decode(save(photo, "JPEG", exif=broken, quality=95))
        assert sorted(decoded.photo_hw) == [120, 160]
        assert decode(save(photo, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).photo_hw == (120, 160)

    @given(st.data())
    def test_whatever_is_wrong_is_one_line(self, small_files: dict[str, bytes], data: st.DataObject) -> None:
        """Bytes are changed at random places, mostly near the start, where the headers are."""
        name = data.draw(st.sampled_from(sorted(small_files)))
        file = bytearray(small_files[name])
        for _ in range(data.draw(st.integers(1, 5))):
            at = data.draw(st.integers(0, min(len(file), data.draw(st.sampled_from([100, len(file)]))) - 1))
            file[at] = data.draw(st.integers(0, 255))
        file = file[: data.draw(st.integers(len(file) // 2, len(file)))]
        message = ""
        try:
            decoded = decode_photo(bytes(file), where=name, settings=Settings(max_pixels=10**6), enough_side=30)
        except ImageError as error:
            message = str(error)
        if message:
            assert message.startswith(f"{name}: ")
            assert "\n" not in message
        else:
            assert decoded.image.dtype == np.uint8
            assert decoded.image.ndim == 3


class TestPicturesAndArrays:
    def test_a_pillow_picture_equals_its_array(self, photo: Image.Image, pixels: Pixels) -> None:
        from_pil = photo_from_pil(photo, settings=Settings())
        from_array = photo_from_array(pixels, settings=Settings())
        assert (from_pil.image == pixels).all()
        assert (from_array.image == pixels).all()
        assert from_pil.sha256 == from_array.sha256
        assert from_pil.photo_hw == from_array.photo_hw == (120, 160)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_a_pillow_picture_is_turned_upright(self, orientation: int, photo: Image.Image, save: Save) -> None:
        for format_name in ("PNG", "TIFF"):
            file = save(turned(photo, orientation), format_name, exif=orientation_tag(orientation))
            with Image.open(io.BytesIO(file)) as picture:
                assert (photo_from_pil(picture, settings=Settings()).image == np.asarray(photo)).all()
            with Image.open(io.BytesIO(file)) as picture:
                upright = ImageOps.exif_transpose(picture)
            assert (photo_from_pil(upright, settings=Settings()).image == np.asarray(photo)).all()

    def test_a_pillow_picture_in_another_mode(self, photo: Image.Image) -> None:
        grey = photo_from_pil(photo.convert("L"), settings=Settings())
        assert grey.notes == ("grey photo",)
        assert grey.image.shape == (120, 160, 3)

    def test_a_pillow_picture_whose_file_is_cut_off(self, photo: Image.Image, save: Save) -> None:
        picture = Image.open(io.BytesIO(save(photo, "JPEG")[:2000]))
        with pytest.raises(ImageError, match=r"^b\.jpg: this JPEG is cut off \("):
            photo_from_pil(picture, where="b.jpg", settings=Settings())

    def test_a_grey_array(self, pixels: Pixels) -> None:
        grey = photo_from_array(pixels[:, :, 0], settings=Settings())
        assert (grey.image == pixels[:, :, :1]).all()
        assert grey.notes == ("grey photo",)

    def test_an_array_is_not_written_to_and_may_be_a_view(self, pixels: Pixels) -> None:
        view = pixels[::-1, ::2]
        decoded = photo_from_array(view, settings=Settings())
        assert decoded.image.flags.c_contiguous
        assert (decoded.image == view).all()

    @pytest.mark.parametrize(
        "array",
        [
            np.zeros((20, 20, 4), np.uint8),
            np.zeros((20, 20, 3), np.float32),
            np.zeros((3, 20, 20), np.uint8),
            np.zeros(20, np.uint8),
        ],
    )
    def test_another_shape_or_type(self, array: NDArray[Any]) -> None:
        with pytest.raises(ShapeError) as caught:
            photo_from_array(array, settings=Settings())
        assert str(caught.value) == (
            f"array: expected uint8 of shape (h, w, 3) in RGB or (h, w), got {array.dtype} of shape {array.shape}"
        )

    def test_limits_hold_for_them_too(self, photo: Image.Image, pixels: Pixels) -> None:
        with pytest.raises(ImageError, match="160 × 120 pixels are over the limit"):
            photo_from_array(pixels, settings=Settings(max_pixels=1000))
        with pytest.raises(ImageError, match="160 × 120 pixels are over the limit"):
            photo_from_pil(photo, settings=Settings(max_pixels=1000))


def test_many_threads_decode_at_once(photo: Image.Image, save: Save, decode: Decode) -> None:
    files = [save(photo.rotate(90 * turn), name) for turn in range(4) for name in ("JPEG", "PNG", "WebP", "TIFF", "GIF")] * 4
    one_by_one = [decode(file).image for file in files]
    start = threading.Barrier(4)

    def decode_all(_: int) -> list[Pixels]:
        start.wait()
        return [decode(file).image for file in files]

    with ThreadPoolExecutor(4) as pool:
        for images in pool.map(decode_all, range(4)):
            assert all((a == b).all() for a, b in zip(images, one_by_one, strict=True))


def test_nothing_is_registered_with_pillow(tmp_path: Path, photo: Image.Image) -> None:
    """HEIC is read without making Pillow know of it, which would change what a program's own `Image.open` takes."""
    (tmp_path / "a.heic").write_bytes(heic(photo))
    code = """
import pathlib, sys, warnings
from dentify.imaging.decode import decode_photo
from dentify.settings import Settings
before = list(warnings.filters)
decode_photo(pathlib.Path(sys.argv[1]).read_bytes(), where="a", settings=Settings())
from PIL import Image
Image.init()
assert "HEIF" not in Image.OPEN and ".heic" not in Image.registered_extensions()
assert warnings.filters == before
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.heic")], check=True)
