"""DATA, the argument of commands that take labelled photos: data sets in any format, and photos that share a label."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dentify.errors import DatasetError, printable
from dentify.strict import nearest

if TYPE_CHECKING:
    from dentify.bundle.manifest import Manifest
    from dentify.datasets import Sample
    from dentify.settings import Settings

DATA_HELP = (
    "Labelled data sets in any format: label files or folders, a CSV that says `vehicle`, `damage` or `severity` of each photo; "
    "damaged=PATH, undamaged=PATH and no_vehicle=PATH for a CSV (column `file`) or a folder of such photos. PATH:SPLIT takes one "
    "split of a folder or CSV."
)

Images = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the pictures are. [default: looked for beside the labels]")
]
Labels = Annotated[
    Path | None, typer.Option(metavar="YAML", help="What the labels mean in Dentify's types. [default: those that it knows]")
]


class Frame(StrEnum):
    """What labels are for, where EXIF turns pictures."""

    UPRIGHT = "upright"
    STORED = "stored"


LabelFrame = Annotated[
    Frame,
    typer.Option("--frame", help="Labels are for photos upright, or for pictures as they are stored, before EXIF turns them."),
]


class Data(NamedTuple):
    """One DATA argument. `label` is empty for labelled data sets."""

    label: str
    path: Path
    split: str | None

    @property
    def source(self) -> str:
        """What its photos are said to come from where they do not say it: its name, of `.` that of the folder."""
        return self.path.resolve().stem or "photos"


def parse_data(text: str) -> Data:
    """A DATA argument: a label file or folder, or `LABEL=PATH` for photos that share a label; each with `:SPLIT` or without.

    Raises:
        typer.BadParameter: it is neither.

    >>> parse_data("undamaged=photos.csv:val") == Data("undamaged", Path("photos.csv"), "val")
    True
    >>> parse_data("damage/val.json") == Data("", Path("damage/val.json"), None)
    True
    """
    from dentify.datasets.sample import PHOTO_WORDS

    label, equals, rest = text.partition("=")
    if equals and label not in PHOTO_WORDS and not Path(text).exists() and (near := nearest(label, PHOTO_WORDS)):
        raise typer.BadParameter(f"{printable(text)!r}: {printable(label)}= says nothing of photos{near}")
    if not equals or label not in PHOTO_WORDS:
        label, rest = "", text
    if not rest:
        raise typer.BadParameter(f"{text!r} names no CSV or folder of photos")
    path, split = Path(rest), None
    head, colon, tail = rest.rpartition(":")
    if colon and head and re.fullmatch(r"[\w-]+", tail) and not path.exists():
        path, split = Path(head), tail
    if not label and path.suffix.lower() == ".csv" and not _says_something(path):
        raise typer.BadParameter(_says_nothing(text))
    return Data(label, path, split)


def _says_something(path: Path) -> bool:
    """Whether a CSV has columns beside those that name its photos; one that is not there is told when it is read."""
    from dentify.datasets.documents import csv_head
    from dentify.datasets.formats.tables import tells_labels
    from dentify.datasets.formats.via import is_via_csv

    rows = csv_head(path)
    return not path.is_file() or is_via_csv(rows) or tells_labels(rows)


def _says_nothing(data: str) -> str:
    from dentify.datasets.sample import PHOTO_WORDS

    *words, last = [f"{word}=" for word in PHOTO_WORDS]
    return (
        f"{printable(data)!r} tells nothing of its photos (no outlines, vehicle, damage or severity);"
        f" say {', '.join(words)} or {last} before a list of photos"
    )


def own_names(manifests: Iterable[Manifest]) -> frozenset[str]:
    """The damage types and parts that bundles know, be they the taxonomy's or their own."""
    return frozenset(name for one in manifests for name in (*one.taxonomy.damage_types, *one.taxonomy.parts))


def read_data(
    data: Iterable[Data],
    images: Path | None,
    labels: Path | None,
    settings: Settings,
    *,
    own: Collection[str] = (),
    notes: bool = True,
    frame: Frame = Frame.UPRIGHT,
) -> Iterator[Sample]:
    """The samples of all DATA arguments, lazily, without those of which nothing is known; notes on data sets go to stderr.

    Args:
        data: the arguments.
        images: the folder of the pictures, where it was given.
        labels: the label map, likewise.
        settings: the limits.
        own: names beside the taxonomy's that are known, with a map and without: those of the bundles that are asked.
        notes: tell what there is to note of them.
        frame: what labels are for where EXIF turns pictures.

    Raises:
        DatasetError: a data set cannot be read, holds a label that a given map leaves out or no label that is known, has no
            photo of the split, or none of which anything is known.
    """
    from dentify.datasets import LabelMap, open_dataset, read_label_map, read_photos
    from dentify.datasets.labels import check_some_match
    from dentify.datasets.sample import PHOTO_WORDS, photo_kind

    label_map = read_label_map(labels, settings, own=own) if labels is not None else LabelMap(own=frozenset(own))
    for one in data:
        if not one.label:
            dataset = open_dataset(one.path, images=images, labels=label_map, frame=frame.value, settings=settings)
            if labels is not None:
                dataset.check_labels()
            else:
                check_some_match(dataset.words(), label_map, str(one.path))
            found = known = False
            for sample in dataset:
                if one.split is None or sample.split == one.split:
                    found = True
                    if sample.labelled or photo_kind(sample) is not None:
                        known = True
                        yield sample
            if not found:
                raise DatasetError(f"{one.path}: holds no photo" + (f" of split {one.split!r}" if one.split else ""))
            if not known:
                raise DatasetError(_says_nothing(f"{one.path}:{one.split}" if one.split else str(one.path)))
            unmapped = dataset.unmapped()
            for note in (*dataset.notes, *([unmapped] if unmapped else [])) if notes else ():
                print(f"note: {printable(note)}", file=sys.stderr)
        else:
            vehicle, damage = PHOTO_WORDS[one.label]
            yield from read_photos(one.path, vehicle=vehicle, damage=damage, split=one.split)
