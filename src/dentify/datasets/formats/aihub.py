"""AI Hub's vehicle damage set (number 581, with SOCAR): a JSON file a picture, COCO-like, one image as an object.

A region's word is its `damage` (Scratched, Separated, Crushed, Breakage) or, in the files of parts, its `part`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import Size, four_numbers, photo_size
from dentify.datasets.outlines import check_box, check_pieces
from dentify.datasets.pictures import Pictures, picture_parts
from dentify.datasets.sample import PART_PREFIX, Annotation, Sample, canonical_name
from dentify.errors import DatasetError, printable
from dentify.imaging.polygons import polygons_to_box

_EXPECTED = "AI Hub's: expected an image as an object and a list of annotations"
_DEEPEST = 8


def is_aihub(document: object) -> bool:
    """Whether a JSON document is AI Hub's: one image as an object, and annotations with a damage or a part."""
    if not (isinstance(document, dict) and isinstance(document.get("images"), dict)):
        return False
    return isinstance(document.get("annotations"), list)


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their regions, one by one, by the names of the JSON files."""
    # what is not on a photo, but is named by a file, is absent there and not unknown
    labelled = frozenset(word for _, document in label_set.silent().documents(is_aihub, _EXPECTED) for word in _words(document))
    pictures = label_set.pictures()
    for path, document in label_set.documents(is_aihub, _EXPECTED):
        try:
            yield _sample(path, document, labelled, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _words(document: Mapping[str, Any]) -> Iterator[str]:
    """Every damage and part that a file names."""
    yield from (word for row in document["annotations"] if isinstance(row, dict) and (word := _word(row)))


def _word(row: Mapping[str, Any]) -> str:
    if row.get("damage"):
        return str(row["damage"])
    part = str(row.get("part") or "")
    return part if not part or canonical_name(part) else f"{PART_PREFIX}{part}"


def _sample(path: Path, document: Mapping[str, Any], labelled: frozenset[str], pictures: Pictures, label_set: LabelSet) -> Sample:
    image = document["images"]
    name = image.get("file_name")
    if not isinstance(name, str) or not picture_parts(name):
        raise DatasetError(f"{path}: images: needs a file_name, got {name!r:.80}")
    picture = pictures.find(name, str(path))
    size_hw = photo_size(image.get("height"), image.get("width"), f"{path}: images") or label_set.size_of(picture)
    annotations: list[Annotation] = []
    for index, row in enumerate(document["annotations"]):
        where = f"{path}: annotations[{index}]"
        try:
            if not isinstance(row, dict) or not _word(row):
                raise DatasetError(f"{where}: needs a damage or a part, got {row!r:.60}")
            annotations.append(_annotation(row, size_hw, where, label_set))
        except DatasetError as error:
            label_set.refuse(error)
    return Sample(
        image=picture,
        name=picture_parts(name)[-1],
        size_hw=size_hw,
        annotations=tuple(annotations),
        labelled=labelled,
        split=label_set.split_of(path),
        where=str(path),
    )


def _annotation(row: Mapping[str, Any], size_hw: Size | None, where: str, label_set: LabelSet) -> Annotation:
    rings = [[value for point in ring for value in point] for ring in _rings(row.get("segmentation"), where)]
    polygons = check_pieces(rings, size_hw, f"{where} ({printable(_word(row))})", label_set)
    row_id = row.get("id")
    number = row_id if isinstance(row_id, int | str) else None
    if polygons:
        return Annotation(_word(row), polygons_to_box(polygons), polygons, id=number)
    bbox = four_numbers(row.get("bbox"))
    if bbox is None:
        raise DatasetError(f"{where}: needs a segmentation or a bbox of four numbers, got {row.get('bbox')!r:.60}")
    x, y, w, h = bbox
    return Annotation(_word(row), check_box((x, y, x + w, y + h), size_hw, f"{where}: bbox", label_set.adjust), id=number)


def _rings(segmentation: object, where: str, depth: int = 0) -> Iterator[list[list[Any]]]:
    """Lists of [x, y], however deep they are nested."""
    if segmentation is None or segmentation == []:
        return
    if not isinstance(segmentation, list) or depth > _DEEPEST:
        raise DatasetError(f"{where}: segmentation must be nested lists of [x, y], got {segmentation!r:.60}")
    if all(isinstance(one, list) and len(one) == 2 and not isinstance(one[0], list) for one in segmentation):
        yield segmentation
        return
    for one in segmentation:
        yield from _rings(one, where, depth + 1)
