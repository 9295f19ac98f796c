"""Who made a photo and under which licence, as its file says: EXIF, IPTC and XMP. Nothing else of the metadata is ever read.

The blocks are found by their marks, wherever a format keeps them, and read by hand: a whole metadata reader unpacks much that
nobody asked for, places and serial numbers among it. What is broken says nothing.
"""

from __future__ import annotations

import html
import re
import struct
from dataclasses import dataclass

_MOST_CHARACTERS = 500
_MOST_XMP_BYTES = 2**18

_ARTIST, _COPYRIGHT = 0x013B, 0x8298  # EXIF 2.32, table 4
_BY_LINE, _CREDIT, _COPYRIGHT_NOTICE = 80, 110, 116  # IPTC IIM 4.2, record 2

_EXIF_STARTS = ((b"Exif\0\0", 0), (b"eXIf", 0), (b"EXIF", 4))  # JPEG's and HEIC's; PNG's; WebP's, and the chunk's length
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_BARE_TIFFS = (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08")  # AVIF's has no mark of its own
_MOST_EXIF_BYTES = 2**17


@dataclass(frozen=True)
class Credits:
    """What a file says; `None` where it says nothing.

    Attributes:
        author: who made the photo.
        copyright: the notice.
        licence: terms of use, or the address of the licence.
    """

    author: str | None = None
    copyright: str | None = None
    licence: str | None = None


def read_credits(data: bytes) -> Credits:
    """Author, copyright and licence of a picture's file; XMP before IPTC before EXIF, as later tools write XMP. Never raises."""
    xmp = _xmp(data)
    iptc = _iptc(data)
    exif = _exif(data)
    return Credits(
        author=_first(xmp.author, iptc.get(_BY_LINE), exif.get(_ARTIST), iptc.get(_CREDIT)),
        copyright=_first(xmp.copyright, iptc.get(_COPYRIGHT_NOTICE), exif.get(_COPYRIGHT)),
        licence=xmp.licence,
    )


def _first(*texts: str | None) -> str | None:
    return next((clean for text in texts if text and (clean := _clean(text))), None)


def _clean(text: str) -> str:
    """One line without control characters, cut where it goes on for too long."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_MOST_CHARACTERS]


def _text(data: bytes) -> str:
    """UTF-8 where it is, else Latin-1, which old cameras and IPTC use."""
    data = data.split(b"\0\0")[0].replace(b"\0", b"; ").strip(b"; ")  # EXIF's Copyright: photographer, null, editor
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _exif(data: bytes) -> dict[int, str]:
    """The two texts of EXIF's first directory. Source: TIFF 6.0, section 2."""
    if data[:4] in _TIFF_STARTS:
        return _tiff_texts(data)
    for start, length in _EXIF_STARTS:
        at = data.find(start)
        while at >= 0:
            begin = at + len(start) + length
            if data[begin : begin + 4] in _TIFF_STARTS:
                return _tiff_texts(data[begin : begin + _MOST_EXIF_BYTES])
            at = data.find(start, at + 1)
    if data[4:8] == b"ftyp":
        for bare in _BARE_TIFFS:
            begin = data.find(bare)
            if begin >= 0:
                return _tiff_texts(data[begin : begin + _MOST_EXIF_BYTES])
    return {}


def _tiff_texts(tiff: bytes) -> dict[int, str]:
    order = "<" if tiff[:2] == b"II" else ">"
    texts: dict[int, str] = {}
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, count, offset = struct.unpack_from(order + "HHII", tiff, entry)
            if tag in (_ARTIST, _COPYRIGHT) and kind in (2, 129):  # ASCII, and EXIF 3's UTF-8
                begin = entry + 8 if count <= 4 else offset
                texts.setdefault(tag, _text(tiff[begin : begin + min(count, 4 * _MOST_CHARACTERS)]))
    except struct.error:
        pass
    return texts


def _iptc(data: bytes) -> dict[int, str]:
    """Texts of IPTC's record 2, as Photoshop keeps them. Source: IIM 4.2, 1.6; Adobe's image resource 0x0404."""
    at = data.find(b"8BIM\x04\x04")
    texts: dict[int, str] = {}
    if at < 0:
        return texts
    name = data[at + 6] if at + 6 < len(data) else 0
    at += 6 + name + 1 + (name + 1) % 2 + 4  # a padded name, the length
    while data[at : at + 2] == b"\x1c\x02" and at + 5 <= len(data):
        dataset, length = data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        if length >= 2**15:
            break
        if dataset in (_BY_LINE, _CREDIT, _COPYRIGHT_NOTICE):
            texts.setdefault(dataset, _text(data[at + 5 : at + 5 + length]))
        at += 5 + length
    return texts


def _xmp(data: bytes) -> Credits:
    """Creator, rights and licence of an XMP packet, which stands as plain text in every format. No XML parser sees it."""
    begin = data.find(b"<x:xmpmeta")
    if begin < 0:
        return Credits()
    end = data.find(b"</x:xmpmeta>", begin, begin + _MOST_XMP_BYTES)
    if end < 0:
        return Credits()
    text = data[begin:end].decode("utf-8", errors="replace")
    return Credits(
        author=_first(_element(text, "dc:creator"), _attribute(text, "dc:creator")),
        copyright=_first(_element(text, "dc:rights"), _attribute(text, "dc:rights")),
        licence=_first(
            _resource(text, "cc:license"),
            _attribute(text, "cc:license"),
            _element(text, "cc:license"),
            _attribute(text, "xmpRights:WebStatement"),
            _element(text, "xmpRights:WebStatement"),
            _element(text, "xmpRights:UsageTerms"),
        ),
    )


def _element(text: str, name: str) -> str | None:
    """All list items of an element, or its text."""
    match = re.search(rf"<{name}(?:\s[^<>]*)?>", text)
    if match is None:
        return None
    end = text.find(f"</{name}>", match.end())
    if end < 0:
        return None
    inside = text[match.end() : end]
    items = re.findall(r"<rdf:li(?:\s[^<>]*)?>([^<]*)", inside)
    plain = [_unescaped(item).strip() for item in items] if items else [_unescaped(re.sub(r"<[^<>]*>", " ", inside))]
    return "; ".join(item for item in plain if item)


def _attribute(text: str, name: str) -> str | None:
    match = re.search(rf"""\s{name}\s*=\s*(?:"([^"<]*)"|'([^'<]*)')""", text)
    return _unescaped(match[1] or match[2] or "") if match else None


def _unescaped(text: str) -> str:
    """Text without references to characters; nothing where one is a number that Python does not read, of thousands of digits."""
    try:
        return html.unescape(text)
    except ValueError:
        return ""


def _resource(text: str, name: str) -> str | None:
    match = re.search(rf"<{name}\s[^<>]*", text)
    return _attribute(match[0], "rdf:resource") if match else None
