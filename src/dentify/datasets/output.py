"""`Output`: the folder that a data set is written to, as a writer of `formats/` is given it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from dentify.datasets.label_set import split_in
from dentify.datasets.labels import severity_word
from dentify.datasets.pictures import picture_parts
from dentify.datasets.sample import Annotation, Sample
from dentify.datasets.zipped import ZippedPath
from dentify.errors import DatasetError, ImageError, OutputError
from dentify.imaging.decode import decode_photo, read_photo_size
from dentify.imaging.draw import encode_jpeg
from dentify.imaging.formats import START_BYTES, Kind, is_picture_name, picture_kind
from dentify.imaging.polygons import Polygon, box_to_polygon, rle_to_polygons
from dentify.settings import Settings
from dentify.writing import part_of, writing

PicturesAs = Literal["copy", "link", "none"]
"""What becomes of pictures: copied byte for byte, symbolic links to where they are, or left where they are."""

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "GIF": ".gif", "HEIC": ".heic", "AVIF": ".avif"}
_SUFFIXES |= {"TIFF": ".tif", "BMP": ".bmp"}
_ODD_CHARACTERS = "backslashreplace"  # halves of pairs, which UTF-8 cannot hold; in JSON the escape is read back as it was
IN_BROWSERS: frozenset[Kind] = frozenset({"JPEG", "PNG", "WebP", "GIF", "BMP", "AVIF"})
"""Pictures that every browser of today shows, and so tools that run in one."""
_QUALITY = 95  # of pictures that must become JPEGs
_LONGEST_NAME = 200  # bytes; a label's suffix comes to it
_UNFIT = re.compile(r'[\\/:;*?"<>|]')  # what some system or label file takes for more than a part of a name
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Fact = Literal[
    "severity", "score", "check", "original", "crowd", "ignored", "loose", "photo", "labels", "source", "labelled", "whole"
]
"""What a sample tells beside outlines, names and splits."""


def _says_more_of_the_whole(sample: Sample) -> bool:
    """Whether it tells of vehicle and damage what neither its labels nor its annotations do."""
    vehicle = True if sample.annotations else None
    damage = True if sample.damages else None
    return not sample.labels and (sample.vehicle not in (None, vehicle) or sample.damage not in (None, damage))


# what to say where a format cannot hold a fact, and how often a sample states it
_LOST: dict[Fact, tuple[str, Callable[[Sample, tuple[str, ...]], int]]] = {
    "severity": ("severities were left out", lambda one, _: sum(a.severity is not None for a in one.annotations)),
    "ignored": ("damages to be ignored became plain ones", lambda one, _: len(one.ignored)),
    "loose": ("marks of parts that lie on the ground were left out", lambda one, _: sum(a.loose for a in one.annotations)),
    "photo": (
        "severities and views of whole photos were left out",
        lambda one, _: int(one.severity not in (None, *map(severity_word, one.labels))) + int(one.view is not None),
    ),
    "score": ("confidences were left out", lambda one, _: sum(a.score is not None for a in one.annotations)),
    "check": ("marks of what to check were left out", lambda one, _: sum(a.check for a in one.annotations)),
    "original": ("publishers' own words were left out", lambda one, _: sum(a.original is not None for a in one.annotations)),
    "crowd": ("crowds became single things", lambda one, _: sum(a.crowd for a in one.annotations)),
    "labels": ("photos' labels as a whole were left out", lambda one, _: int(bool(one.labels))),
    "source": ("sources and groups of photos were left out", lambda one, _: int(bool(one.source or one.group))),
    "labelled": (
        "photos have types that their source did not label; those look absent now",
        lambda one, names: int(any(name not in one.labelled for name in names)),
    ),
    "whole": (
        "whether photos show a vehicle, and a damaged one, was left out",
        lambda one, _: int(_says_more_of_the_whole(one)),
    ),
}


def outline_polygons(annotation: Annotation) -> tuple[list[Polygon], int]:
    """An annotation's outline as polygons, of a box its corners; and how many holes that leaves out."""
    if annotation.rle is not None:
        outer, holes = rle_to_polygons(annotation.rle)
        return outer, len(holes)
    return list(annotation.polygons) or [box_to_polygon(annotation.box_xyxy)], 0


def xml_text(text: str) -> str:
    r"""Text in which characters that no XML can hold are escaped.

    >>> xml_text("Çizik <1>"), xml_text("a\x01b\ud800")
    ('Çizik <1>', 'a\\x01b\\ud800')
    """
    return _NOT_XML.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class Output:
    """A data set while it is written, under a name that does not look finished; it gets its own when all of it is there.

    Args:
        folder: what it is called in the end.
        names: every name that annotations bear or that a source labels, in the order of class ids.
        pictures: what becomes of pictures.
        settings: the limits.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], *, pictures: PicturesAs, settings: Settings) -> None:
        self.folder = part_of(folder)
        self.names = names
        self.lost: Counter[str] = Counter()
        self._pictures = pictures
        self._settings = settings
        self._replaced = folder.resolve() if folder.exists() else None
        self._taken: set[str] = set()
        self._last_numbers: Counter[str] = Counter()
        self._splits: dict[str, str] = {}

    def lose(self, what: str, count: int = 1) -> None:
        """Takes note of something that the format cannot hold."""
        if count:
            self.lost[what] += count

    def lose_all_but(self, sample: Sample, *held: Fact) -> None:
        """Takes note of what a sample tells beside outlines, apart from what the format holds."""
        for fact, (what, count) in _LOST.items():
            if fact not in held:
                self.lose(what, count(sample, self.names))

    def split_name(self, split: str, *, taken: tuple[str, ...] = ()) -> str:
        """What the file or folder of a split is called: within the output, and like that of no other split.

        Args:
            split: as the sample has it, whoever chose it.
            taken: names that mean something else.
        """
        if split not in self._splits:
            others = {name.casefold() for name in (*taken, *self._splits.values())}
            name = plain = _cut(_fit(split), 80) or "split"
            number = 1
            while name.casefold() in others:
                number += 1
                name = f"{plain}-{number}"
            self._splits[split] = name
        self.lose(
            "splits other than train, val and test: names alone tell them, and few tools read those",
            int(split_in(split) != split),
        )
        return self._splits[split]

    def picture(
        self, sample: Sample, folder: str = "images", *, alone_in: str | None = None, shown: Collection[Kind] | None = None
    ) -> str:
        """Puts a sample's picture into a folder of the output.

        Args:
            sample: whose picture it is.
            folder: where to put it.
            alone_in: the folder in which, with all below it, no other photo may bear its name; `folder` when left out.
            shown: kinds of files that the tool shows which the labels are for; a picture of another kind becomes a JPEG,
                upright and of the size that outlines are for. All are kept as they are without it.

        Returns:
            Its name there.

        Raises:
            DatasetError: it is missing.
            OutputError: it cannot be written, or lies in the folder that the output is to replace.
        """
        name = self._free_name(sample, alone_in or folder)
        if isinstance(sample.image, Path) and self._replaced and sample.image.resolve().is_relative_to(self._replaced):
            raise OutputError(f"{self._replaced}: holds pictures that are read; name another folder")
        kind = self._kind(sample) if shown is not None else None
        unseen = shown is not None and kind is not None and kind not in shown
        if self._pictures == "none":
            self.lose(f"pictures that this format's tool cannot show ({kind}) were left where they are", int(unseen))
            renamed = name != (picture_parts(sample.name) or ("",))[-1]
            self.lose("pictures that were left where they are have other names in the labels", int(renamed))
            return name
        if isinstance(sample.image, Path) and not sample.image.is_file():
            raise DatasetError(f"{sample.where}: no picture {sample.name!r:.200}", kind="missing picture")
        if unseen:
            self.lose(f"pictures that this format's tool cannot show ({kind}) became JPEGs")
            name = f"{Path(name).stem}.jpg"
            self.bytes(f"{folder}/{name}", _as_jpeg(sample, self._settings))
            return name
        target = self.folder / folder / name
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(sample.image, bytes):
                target.write_bytes(sample.image)
            elif self._pictures == "link" and isinstance(sample.image, ZippedPath):
                raise OutputError(f"{sample.image}: lies in a zip, to which no link can lead; copy the pictures")
            elif self._pictures == "link":
                target.symlink_to(sample.image.resolve())
            elif isinstance(sample.image, ZippedPath):
                with sample.image.open("rb") as picture, target.open("wb") as copy:
                    shutil.copyfileobj(picture, copy)
            else:
                shutil.copyfile(sample.image, target)
        return name

    def size_hw(self, sample: Sample) -> tuple[int, int]:
        """Height and width of a sample's upright photo.

        Raises:
            DatasetError: its labels do not tell, and its picture cannot be read.
        """
        if sample.size_hw is not None:
            return sample.size_hw
        where = sample.where or sample.name
        try:
            return read_photo_size(sample.image, where=where, settings=self._settings)
        except ImageError as error:
            raise DatasetError(str(error), kind="broken picture") from error

    def text(self, name: str, text: str) -> None:
        """Writes a text file of the output."""
        path = self.folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors=_ODD_CHARACTERS, newline="\n")

    def bytes(self, name: str, data: bytes) -> None:
        """Writes a file of the output."""
        path = self.folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    @contextmanager
    def stream(self, name: str) -> Iterator[TextIO]:
        """A text file of the output, to be written bit by bit."""
        path = self.folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", errors=_ODD_CHARACTERS, newline="\n") as stream:
                yield stream

    def append_to(self, whole: TextIO, name: str) -> None:
        """Moves the text of a file of the output into another."""
        part = self.folder / name
        with writing(part):
            with part.open(encoding="utf-8") as text:
                shutil.copyfileobj(text, whole)
            part.unlink()

    def file_size(self, name: str) -> int:
        """Bytes of a file of the output; -1 where it was not put there."""
        path = self.folder / name
        return path.stat().st_size if path.is_file() else -1

    def _free_name(self, sample: Sample, folder: str) -> str:
        """The photo's own file name, told apart from others of that name by its split, its folders, or a number."""
        parts = [fit for part in picture_parts(sample.name) if (fit := _fit(part))] or ["photo"]
        stem, suffix = Path(parts[-1]).stem, Path(parts[-1]).suffix
        if not is_picture_name(parts[-1]):
            stem, suffix = parts[-1], self._suffix(sample)
        stem = _cut(stem, _LONGEST_NAME)
        candidates = [stem, *(["-".join((*parts[:-1], stem))] if len(parts) > 1 else [])]
        candidates += [f"{_fit(sample.split)}-{stem}"] if sample.split else []
        while True:
            for candidate in candidates:
                key = f"{folder}/{candidate}".casefold()  # by stem: label files share it
                if len(candidate.encode()) <= _LONGEST_NAME + 20 and key not in self._taken:
                    self._taken.add(key)
                    return f"{candidate}{suffix}"
            self._last_numbers[stem] += 1
            candidates = [f"{stem}-{self._last_numbers[stem] + 1}"]

    def _suffix(self, sample: Sample) -> str:
        kind = self._kind(sample)
        return _SUFFIXES[kind] if kind is not None else ".jpg"

    def _kind(self, sample: Sample) -> Kind | None:
        """What kind of file a picture is, by its first bytes."""
        try:
            if isinstance(sample.image, bytes):
                start = sample.image[:START_BYTES]
            else:
                with sample.image.open("rb") as stream:
                    start = stream.read(START_BYTES)
        except OSError:
            return None
        return picture_kind(start)


def _as_jpeg(sample: Sample, settings: Settings) -> bytes:
    """A sample's picture, upright, as a JPEG.

    Raises:
        DatasetError: it cannot be decoded.
    """
    try:
        photo = decode_photo(sample.read(settings), where=sample.where or sample.name, settings=settings)
    except ImageError as error:
        raise DatasetError(str(error), kind="broken picture") from error
    return encode_jpeg(photo.image, _QUALITY)


def _fit(name: str) -> str:
    """A name as a part of a path that every system takes and label files tell apart from their own marks."""
    plain = _UNFIT.sub("_", name)
    return "".join(char if char.isprintable() else "_" for char in plain).strip(" .")


def _cut(name: str, most_bytes: int) -> str:
    return name.encode()[:most_bytes].decode(errors="ignore")


class JsonList:
    """A list in a JSON file that is written row by row, so that a large one never stands in memory."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._some = False
        stream.write("[")

    def add(self, row: Any) -> None:
        """Writes one row."""
        self._stream.write(",\n" if self._some else "\n")
        json.dump(row, self._stream, ensure_ascii=False, separators=(",", ":"))
        self._some = True

    def close(self) -> None:
        """Ends the list."""
        self._stream.write("\n]" if self._some else "]")
