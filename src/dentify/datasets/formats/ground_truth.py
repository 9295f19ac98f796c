"""SageMaker Ground Truth's output manifests: a JSON object a line, with boxes in pixels or classes of whole photos.

A line names its picture (`source-ref`) and holds, for each job, what was labelled and `…-metadata` with the names of classes.
Semantic masks, videos and texts are left out with a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from dentify.datasets.documents import check_json_cost, parse_json, read_text
from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import four_numbers, number_of, photo_size, whole_of
from dentify.datasets.outlines import check_box
from dentify.datasets.pictures import Pictures, picture_parts
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.plain_yaml import RepeatedKeyError

Raw = Mapping[str, Any]
_SOURCE = "source-ref"
_MOST_TOLD = 20  # classes


def is_ground_truth(row: object) -> bool:
    """Whether the first object of a file of lines is a manifest's."""
    return isinstance(row, dict) and isinstance(row.get(_SOURCE), str)


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and what was labelled on them, line by line."""
    text = read_text(label_set.path, label_set.settings)
    check_json_cost(label_set.path, text)
    lines = text.split("\n")
    labelled: set[str] = set()
    for line in lines:
        row = _parsed(line)
        labelled.update(name for _, metadata in _jobs(row) for name in _classes(metadata).values())
    pictures = label_set.pictures()
    split = label_set.split_of(label_set.path)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{label_set.path}: line {number}"
        try:
            yield _sample(_parsed(line, where), where, frozenset(labelled), split, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _parsed(line: str, where: str | None = None) -> Any:
    """What a line says; `None` where it is no JSON, and at a first look where it contradicts itself.

    Raises:
        DatasetError: it says two things of one key, and `where` is told.
    """
    try:
        return parse_json(line)
    except RepeatedKeyError as error:
        if where is not None:
            raise DatasetError(f"{where}: {error}") from error
        return None
    except (ValueError, RecursionError):
        return None


def _jobs(row: object) -> Iterator[tuple[Any, Raw]]:
    """What each labelling job says of a picture, with its metadata."""
    if isinstance(row, dict):
        for key, value in row.items():
            metadata = row.get(f"{key}-metadata")
            if isinstance(metadata, dict):
                yield value, metadata


def _classes(metadata: Raw) -> dict[str, str]:
    """Names by class id: of boxes in `class-map`, of several labels a photo likewise."""
    given = metadata.get("class-map")
    return {str(key): str(name) for key, name in given.items()} if isinstance(given, dict) else {}


def _sample(row: Any, where: str, labelled: frozenset[str], split: str | None, pictures: Pictures, label_set: LabelSet) -> Sample:
    if not is_ground_truth(row):
        raise DatasetError(f"{where}: expected a JSON object with {_SOURCE}")
    _, address, below = row[_SOURCE].partition("://")  # of a bucket
    name = "/".join(picture_parts(unquote(below.partition("/")[2]) if address else row[_SOURCE]))
    if not name:
        raise DatasetError(f"{where}: needs the name of its picture in {_SOURCE}")
    where = f"{where} ({printable(name)})"
    picture = pictures.find(name, where)
    size_hw: tuple[int, int] | None = None
    annotations: list[Annotation] = []
    labels: list[str] = []
    if any(key.removesuffix("-metadata") not in row and isinstance(value, dict) for key, value in row.items()):
        label_set.adjust("photos that a job of Ground Truth has no answer for are unlabelled by it", where)
    for value, metadata in _jobs(row):
        if isinstance(value, dict) and isinstance(value.get("annotations"), list):
            size_hw = size_hw or _size_hw(value.get("image_size"), where) or label_set.size_of(picture)
            confidences, classes = metadata.get("objects"), _classes(metadata)
            for index, one in enumerate(value["annotations"]):
                place = f"{where}: annotations[{index}]"
                said = confidences[index] if isinstance(confidences, list) and index < len(confidences) else None
                try:
                    annotations.append(_annotation(one, classes, said, metadata, size_hw, place, label_set))
                except DatasetError as error:
                    label_set.refuse(error)
        elif isinstance(metadata.get("class-name"), str):
            labels.append(metadata["class-name"])
        elif isinstance(value, list) and (classes := _classes(metadata)):
            labels += [classes.get(str(number), str(number)) for number in value]
        else:
            label_set.adjust("what jobs of Ground Truth other than boxes and classes say is left out", where)
    return Sample(
        picture,
        name,
        size_hw,
        tuple(annotations),
        labelled if any(isinstance(value, dict) for value, _ in _jobs(row)) else frozenset(),
        split=split,
        labels=tuple(labels),
        where=where,
    )


def _size_hw(sizes: object, where: str) -> tuple[int, int] | None:
    first = sizes[0] if isinstance(sizes, list) and sizes else None
    if not isinstance(first, dict):
        return None
    return photo_size(first.get("height"), first.get("width"), where, "image_size")


def _annotation(
    one: Any,
    classes: Mapping[str, str],
    said: object,
    metadata: Raw,
    size_hw: tuple[int, int] | None,
    where: str,
    label_set: LabelSet,
) -> Annotation:
    values = four_numbers([one.get(key) for key in ("left", "top", "width", "height")] if isinstance(one, dict) else None)
    if values is None:
        raise DatasetError(f"{where}: needs numbers left, top, width and height, got {one!r:.60}")
    number = whole_of(one.get("class_id"))
    if number is None or str(number) not in classes:
        told = ", ".join(list(classes)[:_MOST_TOLD]) or "empty"
        raise DatasetError(f"{where}: class_id {one.get('class_id')!r:.20} is none of class-map ({told})")
    x, y, w, h = values
    drafted = metadata.get("human-annotated") == "no"
    score = number_of(said.get("confidence")) if isinstance(said, dict) and drafted else None
    return Annotation(
        classes[str(number)],
        check_box((x, y, x + w, y + h), size_hw, f"{where}: box", label_set.adjust),
        score=score if score is not None and 0 <= score <= 1 else None,
    )
