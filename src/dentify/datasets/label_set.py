"""`LabelSet`: one set of labels as a reader of `formats/` is given it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dentify.datasets.adjustments import OnAdjust
from dentify.datasets.documents import read_json
from dentify.datasets.pictures import Pictures, is_file, leads_out, picture_folders
from dentify.datasets.turning import Frame
from dentify.errors import DatasetError, ImageError
from dentify.imaging.decode import read_photo_frame
from dentify.settings import Settings

TURNED = (
    "labels of photos that EXIF turns are taken for the photo upright, as Ultralytics does;"
    " `--frame stored` takes them for the picture as it is stored"
)

OnInvalid = Callable[[DatasetError], None]
OnNote = Callable[[str], None]


@dataclass(frozen=True)
class LabelSet:
    """A label file or folder of labels, and what a reader needs beside it.

    Attributes:
        path: the file, or the folder whose files hold the labels.
        root: the folder that was opened; names of photos and splits are told below it.
        alone: whether the label file itself was opened, and not a folder: its pictures may then lie beside its folder, too.
        document: what a JSON file holds, parsed.
        files: the label files, where there is one a picture.
        file: the one of them that is being read.
        images: the folder of the pictures, where the user named one.
        attribute: the attribute that names the type, in formats that let annotators make their own.
        split: what the user calls all of it.
        frame: what its labels are for where they do not tell a size: the photo upright, or the picture as it is stored.
        on_invalid: is given what does not hold, which is then left out; without it the first raises.
        on_note: is given what a user should know of how it was read.
        adjust: is given each time that something is normalised, ignored or left out: the rule, and the place.
        settings: the limits.
        unpacked: pixels of masks that were unpacked so far, by label file.
    """

    path: Path
    root: Path
    alone: bool = False
    document: Any = None
    files: tuple[Path, ...] = ()
    file: Path | None = None
    images: Path | None = None
    attribute: str | None = None
    split: str | None = None
    frame: Frame = "upright"
    on_invalid: OnInvalid | None = None
    on_note: OnNote = field(default=lambda note: None)
    adjust: OnAdjust = field(default=lambda rule, where: None)
    settings: Settings = field(default_factory=Settings)
    unpacked: dict[Path, float] = field(default_factory=dict)

    def refuse(self, error: DatasetError) -> None:
        """Raises what does not hold, or reports it where the user wants to go on.

        What is reported is a copy: a raised one holds the frames that it came through, and whatever large is in them.
        """
        if self.on_invalid is None:
            raise error
        self.on_invalid(DatasetError(str(error), kind=error.kind))

    def documents(self, is_ours: Callable[[object], bool], expected: str) -> Iterator[tuple[Path, Any]]:
        """The JSON files of a format that has one a picture, each parsed; other JSON in between is passed over, with a note.

        Args:
            is_ours: whether a document is of the format.
            expected: what the one file that was opened should have been, for the message.
        """
        for path in self.files:
            try:
                document = read_json(path, self.settings)
                if is_ours(document):
                    yield path, document
                elif len(self.files) == 1:
                    raise DatasetError(f"{path}: not {expected}")
                elif path.name != "meta.json":
                    self.adjust("JSON files of another kind among the labels are passed over", str(path))
            except DatasetError as error:
                self.refuse(error)

    def silent(self) -> LabelSet:
        """The same labels, of which nothing is refused; for a first look, as what does not hold is told when its turn comes."""
        return replace(self, on_invalid=lambda error: None, adjust=lambda rule, where: None, unpacked={})

    def check_unpacked(self, pixels: float, where: str) -> None:
        """Counts the pixels of a mask before they are made: a hundred bytes may stand for as many million of them.

        Args:
            pixels: of the mask, within its box; of a picture half of all as well.
            where: what to begin the message with.

        Raises:
            DatasetError: the file's masks are out of all proportion to its bytes.
        """
        path = self.file or self.path
        spent = self.unpacked[path] = self.unpacked.get(path, 0.0) + pixels
        if spent > _PIXELS_FREE and spent > _PIXELS_FREE + _PIXELS_PER_BYTE * path.stat().st_size:
            told = f"masks of {spent / 1e6:,.0f} megapixels in all, out of proportion to the bytes of their file"
            raise DatasetError(f"{where}: {told}; no damage has such outlines", kind="endless outline")

    def pictures(self) -> Pictures:
        """Where its pictures lie."""
        if self.images is not None:
            return Pictures([self.images], self.images, self.adjust)
        if self.files:  # one a picture, anywhere below the root
            return Pictures([self.root], self.root, self.adjust)
        folders = picture_folders(self.path) if self.document is not None or self.path.is_file() else [self.path]
        return Pictures([folder for folder in folders if folder.is_relative_to(self.bounds[0])], self.root, self.adjust)

    @property
    def bounds(self) -> tuple[Path, ...]:
        """The folders outside of which nothing is opened."""
        beside = self.alone or self.root.name.lower() in _LABEL_FOLDERS
        return (self.root.parent if beside else self.root, *((self.images,) if self.images is not None else ()))

    def leads_out(self, path: Path) -> bool:
        """Whether a file lies outside what was opened, by a symbolic link, and links are not to be followed."""
        if self.settings.follow_links:
            return False
        bounds = self.bounds
        if not any(path.is_relative_to(folder) for folder in bounds):  # where the format puts them, beside what was opened
            bounds = (path.parent,)
        return leads_out(path, bounds)

    def check_inside(self, path: Path) -> Path:
        """A label file that is found by its name, and not by looking through what was opened.

        Raises:
            DatasetError: it is a link that leads out, whose text messages might tell.
        """
        if is_file(path) and self.leads_out(path):
            raise DatasetError(
                f"{path}: is a link that leads out of the data set; put the file itself there, or set DENTIFY_FOLLOW_LINKS=1",
                kind="outside the data set",
            )
        return path

    def size_of(self, picture: Path | bytes) -> tuple[int, int] | None:
        """Height and width that labels are for, by the picture's header, where they do not tell them.

        `None` where the picture is missing or cannot be read, which is told elsewhere. Whose frame is taken is told where the
        size would not: of photos that EXIF turns by a quarter.
        """
        if isinstance(picture, bytes) or not is_file(picture) or self.leads_out(picture):
            return None
        try:
            (height, width), orientation = read_photo_frame(picture, where=str(picture), settings=self.settings)
        except ImageError:
            return None
        if orientation >= 5 and self.frame == "stored":
            return width, height
        if orientation >= 5 and height != width:
            self.adjust(TURNED, str(picture))
        return height, width

    def split_of(self, path: Path) -> str | None:
        """The split of a label file or picture: what the user says, else what names tell.

        Those of the folders that it lies in do, and that of a label file of many photos; one photo may be called `test_3.jpg`.
        The opened folder itself must be called `train` and no more: `my_test_photos` need not be for testing.
        """
        if self.split is not None:
            return self.split
        names = [path.stem] if path == self.path else []
        for folder in path.parents:
            if folder == self.root or not folder.is_relative_to(self.root):
                names.append(folder.name if folder.name.lower() in _SPLITS else "")
                break
            names.append(folder.name)
        return next((split for name in names if (split := split_in(name))), None)


MOST_ANNOTATIONS = 20_000
"""Of one photo: all of them are held in memory at a time, a kilobyte each, and compared with each other."""

_PIXELS_FREE, _PIXELS_PER_BYTE = 150_000_000, 300  # of a label file's masks: some 4 ns each; those of a door have 150 a byte
_LABEL_FOLDERS = ("annotation", "annotations", "label", "labels", "mask", "masks")  # whose pictures lie beside them


def split_in(name: str) -> str | None:
    """The split that a file's or folder's name tells.

    >>> split_in("instances_train2017"), split_in("valid"), split_in("CarDD-TE"), split_in("training"), split_in("trầy")
    ('train', 'val', 'test', 'train', None)
    """
    for word in _NO_LETTERS.split(unicodedata.normalize("NFC", name).lower()):
        if word in _SPLITS:
            return _SPLITS[word]
    return None


_NO_LETTERS = re.compile(r"[^a-zß-ɏ\u0300-\u036fḀ-ỿ]+")  # of Latin words, which letters with accents belong to
_SPLITS = {"train": "train", "training": "train", "tr": "train", "val": "val", "valid": "val", "validation": "val"}
_SPLITS |= {"dev": "val", "test": "test", "testing": "test", "te": "test"}
