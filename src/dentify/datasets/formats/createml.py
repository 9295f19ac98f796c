"""Create ML's JSON: a list of pictures, each with labelled boxes, whose `x` and `y` are their centre.

Apple spells the keys `imagefilename` and `annotation`, Roboflow, labelImg and supervision `image` and `annotations`; any mixture
of the two is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import to_float
from dentify.datasets.outlines import check_box
from dentify.datasets.pictures import Pictures
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable

_PICTURES, _BOXES = ("image", "imagefilename"), ("annotations", "annotation")


def is_createml(document: object) -> bool:
    """Whether a JSON document is Create ML's."""
    first = document[0] if isinstance(document, list) and document else None
    return (
        isinstance(first, dict)
        and any(isinstance(first.get(key), str) for key in _PICTURES)
        and any(isinstance(first.get(key), list) for key in _BOXES)
    )


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their boxes, one by one, in the order of the file."""
    rows = label_set.document
    if not isinstance(rows, list):
        raise DatasetError(f"{label_set.path}: not Create ML: expected a list with an entry for each picture")
    boxes = [box for row in rows if isinstance(row, dict) for box in _given(row)[1] if isinstance(box, dict)]
    labelled = frozenset(box["label"] for box in boxes if isinstance(box.get("label"), str))
    split = label_set.split_of(label_set.path)
    pictures = label_set.pictures()
    for index, row in enumerate(rows):
        try:
            yield _sample(row, f"{label_set.path}: [{index}]", labelled, split, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _given(row: Mapping[str, Any]) -> tuple[object, list[Any]]:
    """A picture's name and its boxes, in either spelling."""
    name = next((row[key] for key in _PICTURES if key in row), None)
    return name, next((row[key] for key in _BOXES if isinstance(row.get(key), list)), [])


def _sample(
    row: object, where: str, labelled: frozenset[str], split: str | None, pictures: Pictures, label_set: LabelSet
) -> Sample:
    name, boxes = _given(row) if isinstance(row, dict) else (None, [])
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: needs an image and annotations, got {row!r:.60}")
    where = f"{where} ({printable(name)})"
    picture = pictures.find(name, where)
    size_hw = label_set.size_of(picture)
    annotations: list[Annotation] = []
    for index, box in enumerate(boxes):
        try:
            annotations.append(_annotation(box, size_hw, f"{where}: annotations[{index}]", label_set))
        except DatasetError as error:
            label_set.refuse(error)
    return Sample(picture, name, size_hw, tuple(annotations), labelled, split=split, where=where)


def _annotation(box: object, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Annotation:
    label = box.get("label") if isinstance(box, dict) else None
    given = box.get("coordinates") if isinstance(box, dict) else None
    if not isinstance(label, str) or not label or not isinstance(given, dict):
        raise DatasetError(f"{where}: needs a label and coordinates, got {box!r:.60}")
    x, y, width, height = (to_float(given.get(key), f"{where}: {key}") for key in ("x", "y", "width", "height"))
    corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Annotation(label, check_box(corners, size_hw, f"{where} ({printable(label)}): box", label_set.adjust))
