"""Datumaro's own JSON, which CVAT exports, too: a file a split with labels, items and their annotations.

Polygons of one group and label are one thing in several pieces; the box of a group that has an outline says nothing new. Labels
without a place are of the whole photo. Points, captions, cuboids and lines are left out with a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dentify.assessment import Box
from dentify.datasets.attributes import said_beside
from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import Size, coordinates_of, four_numbers, is_int, photo_size, whole_of
from dentify.datasets.outlines import (
    SORTED,
    check_box,
    check_mask_size,
    check_points,
    check_runs,
    is_line,
    points_of,
    turned_box,
)
from dentify.datasets.pictures import Pictures
from dentify.datasets.sample import UNNAMED, Annotation, Sample, join_pieces
from dentify.errors import DatasetError, printable
from dentify.imaging.masks import rle_to_box
from dentify.imaging.polygons import ellipse_to_polygon, polygons_to_box, turned_rectangle

_LEFT_OUT = ("points", "caption", "cuboid_2d", "cuboid_3d", "skeleton", "feature_vector", "hash_key")

Raw = Mapping[str, Any]


def is_datumaro(document: object) -> bool:
    """Whether a JSON document is Datumaro's own."""
    return isinstance(document, dict) and isinstance(document.get("items"), list) and isinstance(document.get("categories"), dict)


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their annotations, one by one, in the order of the file."""
    if not is_datumaro(label_set.document):
        raise DatasetError(f"{label_set.path}: not Datumaro: expected an object with categories and items")
    names = _names(label_set.document["categories"], label_set)
    split = label_set.split_of(label_set.path) or (label_set.path.stem if label_set.path.stem.casefold() != "default" else None)
    pictures = label_set.pictures()
    for index, item in enumerate(label_set.document["items"]):
        try:
            yield _sample(item, f"{label_set.path}: items[{index}]", names, split, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _names(categories: Raw, label_set: LabelSet) -> list[str]:
    label = categories.get("label")
    rows = label.get("labels") if isinstance(label, dict) else None
    names = [row.get("name") if isinstance(row, dict) else None for row in rows] if isinstance(rows, list) else []
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise DatasetError(f"{label_set.path}: categories.label.labels[{index}]: needs a name, got {name!r:.40}")
    return [str(name) for name in names]


def _sample(item: object, where: str, names: list[str], split: str | None, pictures: Pictures, label_set: LabelSet) -> Sample:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        raise DatasetError(f"{where}: needs an id and annotations, got {item!r:.60}")
    image = item["image"] if isinstance(item.get("image"), dict) else {}
    given = image.get("path")
    name = given if isinstance(given, str) and given else item["id"]
    where = f"{where} ({printable(name)})"
    picture = pictures.find(name, where, has_suffix=name == given)
    size_hw = _size_hw(image.get("size"), where) or label_set.size_of(picture)
    annotations: list[Annotation] = []
    groups: list[object] = []
    labels: list[str] = []
    rows = item.get("annotations")
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        place = f"{where}: annotations[{index}]"
        try:
            kind, label = _kind_and_label(row, names, place)
            if kind == "label":
                labels.append(label)
                continue
            if kind in _LEFT_OUT or (kind == "polyline" and is_line(points_of(row.get("points"), place))):
                label_set.adjust(f"annotations of type {kind} are left out", place)
                continue
            annotations.append(_annotation(row, kind, label, size_hw, place, label_set))
        except DatasetError as error:
            label_set.refuse(error)
            continue
        groups.append(row.get("group") or None if is_int(row.get("group")) else None)
    return Sample(
        image=picture,
        name=name,
        size_hw=size_hw,
        annotations=_things(annotations, groups),
        labelled=frozenset(names),
        split=split,
        labels=tuple(labels),
        where=where,
    )


def _things(annotations: list[Annotation], groups: list[object]) -> tuple[Annotation, ...]:
    """What is annotated: pieces of one group joined, without the boxes around them."""
    rows = list(zip(annotations, groups, strict=True))
    outlined: dict[tuple[object, str], list[Annotation]] = {}
    for one, group in rows:
        if one.has_mask and group is not None:
            outlined.setdefault((group, one.name), []).append(one)

    def is_around(box: Annotation, group: object) -> bool:
        """Whether a box meets an outline of its group; elsewhere it is another thing."""
        return any(_meet(box.box_xyxy, one.box_xyxy) for one in outlined.get((group, box.name), ()))

    told = [(one, group) for one, group in rows if one.has_mask or not is_around(one, group)]
    return join_pieces([one for one, _ in told], [group for _, group in told])


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _size_hw(size: object, where: str) -> Size | None:
    if size is None:
        return None
    if not isinstance(size, list) or len(size) != 2:
        raise DatasetError(f"{where}: size must be height and width, got {size!r:.40}")
    return photo_size(size[0], size[1], where, "size")


def _kind_and_label(row: object, names: list[str], where: str) -> tuple[str, str]:
    if not isinstance(row, dict) or not isinstance(row.get("type"), str):
        raise DatasetError(f"{where}: needs a type, got {row!r:.60}")
    if row.get("label_id") is None:
        return row["type"], UNNAMED
    number = whole_of(row["label_id"])
    if number is None or not 0 <= number < len(names):
        raise DatasetError(f"{where}: label_id {row['label_id']!r:.40} is none of the file's {len(names)} labels")
    return row["type"], names[number]


def _annotation(row: Raw, kind: str, label: str, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Annotation:
    attributes = row["attributes"] if isinstance(row.get("attributes"), dict) else {}
    said: dict[str, Any] = {"crowd": attributes.get("is_crowd") is True, "id": row["id"] if is_int(row.get("id")) else None}
    said["attributes"] = said_beside(attributes)
    match kind:
        case "bbox":
            bbox = four_numbers(row.get("bbox"))
            if bbox is None:
                raise DatasetError(f"{where}: needs a bbox of four numbers, got {row.get('bbox')!r:.60}")
            x, y, w, h = bbox
            turned = turned_box(bbox, attributes.get("rotation"), size_hw, where)
            if turned is not None:
                return Annotation(label, turned[1], (turned[0],), **said)
            return Annotation(label, check_box((x, y, x + w, y + h), size_hw, f"{where}: bbox", label_set.adjust), **said)
        case "rotated_bbox":  # its centre, its sides, and an angle in degrees
            told = coordinates_of(row.get("points") or row.get("bbox")) or []
            if len(told) != 5 or not np.isfinite(told).all():
                raise DatasetError(f"{where}: needs a turned box of five numbers, got {row.get('points')!r:.60}")
            turned_by = turned_rectangle((told[0], told[1]), (told[2], told[3]), math.radians(told[4]))
            polygon = check_points(turned_by, size_hw, where, label_set.adjust, reach=math.inf)
        case "mask":
            rle = row.get("rle")
            size = _size_hw(rle.get("size"), f"{where}: rle") if isinstance(rle, dict) else None
            if not isinstance(rle, dict) or size is None or size_hw not in (None, size):
                raise DatasetError(f"{where}: needs an rle of its photo's size {size_hw}, got one of {size}")
            check_mask_size(size, where, label_set.settings)
            mask = check_runs(rle.get("counts"), size, where)
            box = rle_to_box(mask)
            assert box is not None
            return Annotation(label, box, rle=mask, **said)
        case "polygon" | "polyline":
            polygon = points_of(row.get("points"), where)
            if len(polygon) < 3:
                raise DatasetError(f"{where}: needs three points or more, got {len(polygon)}")
            polygon = check_points(polygon, size_hw, where, label_set.adjust)
        case "ellipse":
            corners = points_of(row.get("points"), where)  # of the box around it
            radii = np.diff(corners, axis=0) / 2
            if (radii < 0).any():
                label_set.adjust(SORTED, where)
                radii = np.abs(radii)
            if radii.shape != (1, 2) or not (np.isfinite(radii).all() and radii.min() > 0 and radii.max() < 1e6):
                raise DatasetError(f"{where}: an ellipse needs the corners of the box around it, got {row.get('points')!r:.60}")
            (x, y), (radius_x, radius_y) = corners.mean(axis=0).tolist(), radii[0].tolist()
            ellipse = ellipse_to_polygon((x, y), (radius_x, radius_y))
            polygon = check_points(ellipse, size_hw, where, label_set.adjust, reach=math.inf)
        case _:
            known = "bbox, ellipse, label, mask, polygon, polyline, rotated_bbox"
            raise DatasetError(f"{where}: type {kind!r:.40} is none of {known}")
    return Annotation(label, polygons_to_box([polygon]), (polygon,), **said)
