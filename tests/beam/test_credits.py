"""Who made a photo, as its file says."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from dentify.beam.credits import Credits, read_credits

from .conftest import XMP, encoded, exif_of, texture

LICENCE = "https://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.heic", "a.avif"])
def test_exif_tells_author_and_copyright(name: str) -> None:
    data = encoded(texture(1), name, exif=exif_of())
    assert read_credits(data) == Credits("Ayse Fotograf", "CC BY", None)


def test_exif_of_a_tiff_is_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    texture(1).save(path, tiffinfo={0x013B: "Ayse", 0x8298: "mine"})
    assert read_credits(path.read_bytes()) == Credits("Ayse", "mine", None)


def test_xmp_tells_the_licence(png_text: PngImagePlugin.PngInfo) -> None:
    assert read_credits(encoded(texture(1), "a.png", pnginfo=png_text)).licence == LICENCE
    assert read_credits(encoded(texture(1), "a.jpg", xmp=XMP.encode(), exif=exif_of())) == Credits(
        "Ayse Fotograf", "CC BY", LICENCE
    )


def test_xmp_lists_and_attributes_are_read() -> None:
    packet = (
        "<x:xmpmeta><rdf:Description xmpRights:WebStatement='https://example.org/l?a=1&amp;b=2'>"
        "<dc:creator><rdf:Seq><rdf:li>Ayşe</rdf:li><rdf:li>Ben &amp; Co</rdf:li></rdf:Seq></dc:creator>"
        '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024</rdf:li></rdf:Alt></dc:rights></rdf:Description></x:xmpmeta>'
    )
    assert read_credits(b"...." + packet.encode()) == Credits("Ayşe; Ben & Co", "© 2024", "https://example.org/l?a=1&b=2")


def test_iptc_tells_by_line_and_notice() -> None:
    def entry(number: int, text: bytes) -> bytes:
        return bytes((0x1C, 2, number)) + struct.pack(">H", len(text)) + text

    body = entry(5, b"title") + entry(80, "Ayşe".encode()) + entry(116, b"\xa9 2020")
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(body)) + body
    assert read_credits(b"\xff\xd8\xff\xed" + block) == Credits("Ayşe", "© 2020", None)


def test_places_are_never_told() -> None:
    data = encoded(texture(1), "a.jpg", exif=exif_of(), xmp=XMP.encode())
    assert "41" not in repr(read_credits(data))


def test_a_name_made_to_deceive_is_one_short_line() -> None:
    exif = Image.Exif()
    exif[0x013B] = "A\nB\x1b[31m" + "x" * 2000
    author = read_credits(encoded(texture(1), "a.jpg", exif=exif)).author
    assert author is not None
    assert author.startswith("A B [31mxxx")
    assert len(author) == 500


@given(st.binary(max_size=200), st.sampled_from([b"Exif\0\0II*\0", b"Exif\0\0MM\0*", b"8BIM\x04\x04", b"<x:xmpmeta", b"II*\0"]))
def test_broken_metadata_says_nothing(rest: bytes, start: bytes) -> None:
    assert isinstance(read_credits(start + rest), Credits)
    assert isinstance(read_credits(b"\xff\xd8" + start + rest + b"</x:xmpmeta>"), Credits)


def test_a_reference_to_a_character_with_thousands_of_digits_says_nothing() -> None:
    packet = "<x:xmpmeta xmpRights:WebStatement='&#{0};'><dc:creator>&#{0};</dc:creator></x:xmpmeta>"
    assert read_credits(packet.format("1" * 5000).encode()) == Credits()
