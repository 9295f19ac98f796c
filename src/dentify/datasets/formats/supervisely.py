"""Supervisely's projects: `ann/` beside `img/`, a JSON file a picture; polygons, rectangles, bitmaps and tags.

Points, lines that enclose nothing, cuboids and skeletons are left out with a note. Holes of polygons are filled, which is told.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dentify.assessment import Mask
from dentify.datasets.attributes import SEVERITY_ATTRIBUTES, plain_name, said_beside
from dentify.datasets.label_set import LabelSet
from dentify.datasets.labels import severity_word
from dentify.datasets.numbers import photo_size, to_float, whole_of
from dentify.datasets.outlines import check_box, check_mask_size, check_points, is_line, mask_of, points_of
from dentify.datasets.pictures import Pictures, is_file
from dentify.datasets.png_masks import mask_in, picture_in
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.masks import rle_to_box
from dentify.imaging.polygons import polygons_to_box, turned_rectangle

Raw = Mapping[str, Any]
_EXPECTED = "Supervisely: expected an object with size and objects"
_LEFT_OUT = ("point", "cuboid", "cuboid_3d", "graph", "multichannelBitmap", "alpha_mask")


def is_supervisely(document: object) -> bool:
    """Whether a JSON document is one picture's of a project."""
    return isinstance(document, dict) and isinstance(document.get("objects"), list) and isinstance(document.get("size"), dict)


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their objects, by the names of the JSON files."""
    labelled = frozenset(
        title
        for _, document in label_set.silent().documents(is_supervisely, _EXPECTED)
        for one in document["objects"]
        if isinstance(one, dict) and isinstance(title := one.get("classTitle"), str)
    )
    pictures = label_set.pictures()
    for path, document in label_set.documents(is_supervisely, _EXPECTED):
        try:
            yield _sample(path, document, labelled, pictures, replace(label_set, file=path))
        except DatasetError as error:
            label_set.refuse(error)


def _sample(path: Path, document: Raw, labelled: frozenset[str], pictures: Pictures, label_set: LabelSet) -> Sample:
    name = path.name[: -len(".json")]
    picture = path.parent.parent / "img" / name
    if label_set.images is not None or not is_file(picture):
        picture = pictures.find(name, str(path), has_suffix=is_picture_name(name))
    size = document["size"]
    size_hw = photo_size(size.get("height"), size.get("width"), str(path), "size") or label_set.size_of(picture)
    if size_hw is None:
        raise DatasetError(f"{path}: needs a size; neither the file nor a picture tells it")
    annotations: list[Annotation] = []
    for index, one in enumerate(document["objects"]):
        where = f"{path}: objects[{index}]"
        try:
            annotation = _annotation(one, size_hw, where, label_set)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        if annotation is not None:
            annotations.append(annotation)
    return Sample(
        picture,
        name,
        size_hw,
        tuple(annotations),
        labelled,
        split=label_set.split_of(path),
        labels=tuple(_tags(document)),
        where=str(path),
    )


def _tags(row: Raw) -> Iterator[str]:
    """Words of tags; a tag with a value says both, but for how severe the damage is."""
    for tag in row["tags"] if isinstance(row.get("tags"), list) else []:
        if isinstance(tag, dict) and isinstance(tag.get("name"), str):
            if plain_name(tag["name"]) in SEVERITY_ATTRIBUTES and severity_word(str(tag.get("value"))) is not None:
                yield str(tag["value"])
                continue
            yield tag["name"] if tag.get("value") in (None, "") else f"{tag['name']}: {tag['value']}"


def _annotation(one: Any, size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Annotation | None:
    if not isinstance(one, dict) or not isinstance(one.get("classTitle"), str) or not one["classTitle"]:
        raise DatasetError(f"{where}: needs a classTitle, got {one!r:.60}")
    name, kind = one["classTitle"], one.get("geometryType")
    place = f"{where} ({printable(name)})"
    if kind in _LEFT_OUT:
        label_set.adjust(f"objects of type {kind} are left out: they are no outline", where)
        return None
    tags = [tag for tag in one["tags"] if isinstance(tag, dict)] if isinstance(one.get("tags"), list) else []
    said = said_beside({str(tag.get("name")): True if tag.get("value") in (None, "") else tag["value"] for tag in tags})
    if kind == "bitmap":
        rle = _mask(one.get("bitmap"), size_hw, place, label_set)
        box = rle_to_box(rle)
        assert box is not None
        return Annotation(name, box, rle=rle, attributes=said)
    points = one.get("points")
    exterior = points_of(points.get("exterior") if isinstance(points, dict) else None, place)
    if kind == "rectangle":
        (x_min, y_min), (x_max, y_max) = exterior.min(axis=0).tolist(), exterior.max(axis=0).tolist()
        return Annotation(
            name, check_box((x_min, y_min, x_max, y_max), size_hw, f"{place}: box", label_set.adjust), attributes=said
        )
    if kind == "oriented_bbox":
        angle = to_float(one.get("angle") or 0.0, f"{place}: angle")  # in radians, around its centre
        (x, y), (width, height) = exterior.mean(axis=0).tolist(), np.ptp(exterior, axis=0).tolist()
        if not math.isfinite(angle):
            raise DatasetError(f"{place}: angle must be a number, got {one.get('angle')!r:.40}", kind="not a number")
        turned = check_points(
            turned_rectangle((x, y), (width, height), angle), size_hw, f"{place}: box", label_set.adjust, reach=math.inf
        )
        return Annotation(name, polygons_to_box([turned]), (turned,), attributes=said)
    if kind == "line" and is_line(exterior):
        label_set.adjust("lines are left out: they enclose nothing", where)
        return None
    if kind not in ("polygon", "line"):
        raise DatasetError(f"{place}: geometryType {kind!r:.40} is none of polygon, rectangle, oriented_bbox, bitmap, line")
    if len(exterior) < 3:
        raise DatasetError(f"{place}: needs three points or more, got {len(exterior)}")
    if isinstance(points, dict) and points.get("interior"):
        label_set.adjust("holes of polygons are filled", where)
    polygon = check_points(exterior, size_hw, f"{place}: polygon", label_set.adjust)
    return Annotation(name, polygons_to_box([polygon]), (polygon,), attributes=said)


def _mask(bitmap: object, size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Mask:
    """A mask from its origin on: a PNG, packed by zlib, in base64."""
    data = bitmap.get("data") if isinstance(bitmap, dict) else None
    origin = bitmap.get("origin") if isinstance(bitmap, dict) else None
    x, y = (whole_of(value) for value in origin) if isinstance(origin, list) and len(origin) == 2 else (None, None)
    if not isinstance(data, str) or x is None or y is None:
        raise DatasetError(f"{where}: needs a bitmap with data and origin, got {bitmap!r:.60}")
    check_mask_size(size_hw, where, label_set.settings)
    try:
        unpacker = zlib.decompressobj()
        png = unpacker.decompress(picture_in(data, where, "bitmap"), label_set.settings.max_file_bytes)
        if unpacker.unconsumed_tail:
            raise DatasetError(f"{where}: its bitmap is over the limit of max_file_bytes")
    except zlib.error as error:
        raise DatasetError(f"{where}: bitmap is no PNG packed by zlib") from error
    crop, (left, top), _ = mask_in(png, where, label_set)
    return mask_of(crop, (x + left, y + top), size_hw, where)
