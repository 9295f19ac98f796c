"""What results are called: their formats, a photo's own files, and what tells of all photos."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Literal

from dentify.errors import OutputError, printable
from dentify.imaging.formats import is_picture_name
from dentify.results.files import COCO, CROPS, FINDINGS, PAGE, PAGE_FILES, large_picture, small_picture
from dentify.summary import SUMMARY

Format = Literal["text", "json", "photo", "page", "coco", "crops"]
FORMATS: tuple[Format, ...] = ("text", "json", "photo", "page", "coco", "crops")
TOLD: tuple[Format, ...] = ("text", "json", "photo")
"""Formats that tell a photo's answer in a file of its own."""
ERRORS = "errors.jsonl"

_SUFFIXES: Mapping[Format, str] = {"json": ".json", "photo": ".photo.jpg", "text": ".txt"}
_OURS = frozenset((SUMMARY, ERRORS, FINDINGS, PAGE, PAGE_FILES, COCO, CROPS))  # places in the folder that no photo's outputs take
_LONGEST_NAME = 255 - len(".") - len(".photo.jpg") - len(".part")  # bytes: what nearly all file systems take


def output_stem(name: str) -> str:
    """What a photo's outputs are called, before their suffixes. Parts too long for a file name are cut, with a hash at the end.

    >>> output_stem("a/b.JPG"), output_stem("a/scan.0001"), len(output_stem("é" * 200 + ".png").encode())
    ('a/b', 'a/scan.0001', 239)
    """
    stem = name.rpartition(".")[0] if is_picture_name(name) else name
    return "/".join(_shortened(part) for part in stem.split("/"))


def _shortened(part: str) -> str:
    data = part.encode()
    if len(data) <= _LONGEST_NAME:
        return part
    mark = "~" + sha256(data).hexdigest()[:8]
    return data[: _LONGEST_NAME - len(mark)].decode(errors="ignore") + mark


def files_of(stem: str, output_format: Format) -> list[str]:
    """A photo's files in one format, relative to the folder of results; of `coco` and `crops` a photo has no files of its own.

    >>> files_of("a/b", "photo"), files_of("a/b", "page")
    (['a/b.photo.jpg'], ['index_files/large/a/b.jpg', 'index_files/small/a/b.webp'])
    """
    if output_format == "page":
        return [large_picture(stem), small_picture(stem)]
    return [stem + _SUFFIXES[output_format]] if output_format in _SUFFIXES else []


def crop_name(stem: str, finding: int) -> str:
    """Where the picture of a finding lies, relative to the folder of results.

    >>> crop_name("a/b", 2)
    'findings_crops/a/b.2.jpg'
    """
    return f"{CROPS}/{stem}.{finding}.jpg"


def stem_of_crop(name: str) -> str | None:
    """The stem of the photo that a picture of a finding is of, by its name in whatever folder; `None` where it is another file.

    >>> stem_of_crop("b.2.jpg"), stem_of_crop("b.1.2.jpg"), stem_of_crop("b.jpg")
    ('b', 'b.1', None)
    """
    match = re.fullmatch(r"(.+)\.[0-9]+\.jpg", name, re.DOTALL)
    return None if match is None else match[1]


class Reserved:
    """The places that a run's photos take in a folder of results.

    Args:
        formats: that the run writes.
    """

    def __init__(self, formats: Iterable[Format]) -> None:
        self._suffix = next((_SUFFIXES[one] for one in formats if one in _SUFFIXES), "")
        self._photos: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        """Whether this run has a photo whose outputs are called the same."""
        return _same_on_disk(output_stem(name)) in self._photos

    def add(self, name: str, where: str) -> str:
        """Takes a photo's place, and gives the stem of its files.

        Raises:
            OutputError: another photo of this run has it, or it is where all photos are told of.
        """
        stem = output_stem(name)
        key = _same_on_disk(stem)
        if key in self._photos:
            raise OutputError(
                f"{where}: would be written to the same place as {self._photos[key]} ({printable(stem)}{self._suffix}); "
                "rename one, or assess them into two places"
            )
        folder, within, _ = key.partition("/")
        for place in [folder] if within else [key + suffix for suffix in _SUFFIXES.values()]:
            if place in _OURS:
                raise OutputError(
                    f"{where}: its results would take the place of {place}; rename {'its folder' if within else 'it'}"
                )
        self._photos[key] = where
        return stem


def _same_on_disk(stem: str) -> str:
    """A key that is equal for names which the usual file systems of this machine take for the same."""
    if sys.platform == "darwin":  # ü of one character and of two is one name, too
        stem = unicodedata.normalize("NFC", stem)
    return stem.casefold() if sys.platform in ("win32", "darwin") else stem
