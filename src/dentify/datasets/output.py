"""`Output`: the folder that a data set is written to, as a writer of `formats/` is given it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TextIO

from dentify.datasets.pictures import picture_parts
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, ImageError, OutputError, printable
from dentify.imaging.decode import read_photo_size
from dentify.imaging.formats import START_BYTES, is_picture_name, picture_kind
from dentify.imaging.polygons import Polygon, box_to_polygon, rle_to_polygons
from dentify.settings import Settings

PicturesAs = Literal["copy", "link", "none"]
"""What becomes of pictures: copied byte for byte, symbolic links to where they are, or left where they are."""

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "GIF": ".gif", "HEIC": ".heic", "AVIF": ".avif"}
_SUFFIXES |= {"TIFF": ".tif", "BMP": ".bmp"}
_LONGEST_NAME = 200  # bytes; a label's suffix comes to it


UNKNOWN_LOOKS_ABSENT = "photos have types that their source did not label; those look absent now"
"""What a format loses that has one list of labels for all photos."""


def outline_polygons(annotation: Annotation) -> tuple[list[Polygon], int]:
    """An annotation's outline as polygons, of a box its corners; and how many holes that leaves out."""
    if annotation.rle is not None:
        outer, holes = rle_to_polygons(annotation.rle)
        return outer, len(holes)
    return list(annotation.polygons) or [box_to_polygon(annotation.box_xyxy)], 0


class Output:
    """A data set while it is written, under a name that does not look finished; it gets its own when all of it is there.

    Args:
        folder: what it is called in the end.
        names: every name that annotations bear or that a source labels, in the order of class ids.
        pictures: what becomes of pictures.
        settings: the limits.
    """

    def __init__(self, folder: Path, names: tuple[str, ...], *, pictures: PicturesAs, settings: Settings) -> None:
        self.folder = folder.with_name(f".{folder.name}.part")
        self.names = names
        self.lost: Counter[str] = Counter()
        self._pictures = pictures
        self._settings = settings
        self._taken: set[str] = set()

    def lose(self, what: str, count: int = 1) -> None:
        """Takes note of something that the format cannot hold."""
        if count:
            self.lost[what] += count

    def picture(self, sample: Sample, folder: str = "images") -> str:
        """Puts a sample's picture into a folder of the output, and returns its name there, which no other photo has.

        Raises:
            DatasetError: it cannot be read.
            OutputError: it cannot be written.
        """
        name = self._free_name(sample, folder)
        if self._pictures == "none":
            return name
        target = self.folder / folder / name
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(sample.image, bytes):
                target.write_bytes(sample.image)
            elif self._pictures == "link":
                target.symlink_to(sample.image.resolve())
            else:
                if not sample.image.is_file():
                    raise DatasetError(f"{sample.where}: no picture {sample.name!r:.200}", kind="missing picture")
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
            path.write_text(text, encoding="utf-8", newline="\n")

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
            with path.open("w", encoding="utf-8", newline="\n") as stream:
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
        parts = picture_parts(sample.name) or ("photo",)
        file = Path(printable(parts[-1]).replace(":", "_").replace(";", "_"))
        stem, suffix = file.stem, file.suffix
        if not is_picture_name(file.name):
            stem, suffix = file.name, self._suffix(sample)
        while len(stem.encode()) > _LONGEST_NAME:
            stem = stem[:-1]
        candidates = [stem, *(["-".join((*parts[:-1], stem))] if len(parts) > 1 else [])]
        candidates += [f"{sample.split}-{stem}"] if sample.split else []
        number = 1
        while True:
            for candidate in candidates:
                if len(candidate.encode()) <= _LONGEST_NAME + 20 and f"{folder}/{candidate}".casefold() not in self._taken:
                    self._taken.add(f"{folder}/{candidate}".casefold())  # by stem: label files share it
                    return f"{candidate}{suffix}"
            number += 1
            candidates = [f"{stem}-{number}"]

    def _suffix(self, sample: Sample) -> str:
        try:
            if isinstance(sample.image, bytes):
                start = sample.image[:START_BYTES]
            else:
                with sample.image.open("rb") as stream:
                    start = stream.read(START_BYTES)
        except OSError:
            return ".jpg"
        kind = picture_kind(start)
        return _SUFFIXES[kind] if kind is not None else ".jpg"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says of a file that cannot be written, as one line.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{printable(str(path))}: cannot be written: {error.strerror or error}") from error


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
