"""What counts as a picture, by its first bytes and by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from dentify.imaging.formats import START_BYTES, describe_start, is_picture_name, is_picture_start, picture_kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "GIF", "TIFF", "BMP", "AVIF"])
def test_what_pillow_writes_is_known_by_its_start(kind: str, photo: Image.Image, save: Callable[..., bytes]) -> None:
    assert picture_kind(save(photo, kind.upper())[:START_BYTES]) == kind


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1heic", "HEIC"),
        (b"mif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"msf1\0\0\0\0msf1hevc", "HEIC"),
        (b"avis\0\0\0\0avisavif", "AVIF"),
        (b"isom\0\0\0\0isommp41", None),
        (b"crx \0\0\0\0crx isom", None),
    ],
)
def test_heic_avif_and_videos_share_a_container_and_are_told_by_brand(brands: bytes, kind: str | None) -> None:
    assert picture_kind((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands) == kind


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"BMW 320i, front left", "text"),
        ("﻿Schaden an Tür".encode(), "text"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?><svg>", "an SVG or XML text"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "a camera's raw file"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw file"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a sound or video"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (bytes(64), "nothing but zeros"),
        (b"\x93\x01\xfe\x07", "nothing that Dentify knows"),
        (b"", "nothing that Dentify knows"),
    ],
)
def test_other_files_are_named(start: bytes, words: str) -> None:
    assert not is_picture_start(start)
    assert describe_start(start) == words


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "claims/b.HeIc", "c.tif", "claims\\d.webp", "e.f.png", "schäden/ü.avif"])
def test_names_of_pictures(name: str) -> None:
    assert is_picture_name(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", ".jpg", "a.jpg.txt", "a.jpg/notes", "", "a.svg"])
def test_names_of_other_files(name: str) -> None:
    assert not is_picture_name(name)
