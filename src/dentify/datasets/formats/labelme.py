"""LabelMe (wkentaro/labelme, versions 4 to 7): a JSON file a picture.

A picture that is nowhere to be found is taken from the file itself where it was saved within (`imageData`). Shapes that share
`group_id` and label are one thing in several pieces; ticked flags label the photo as a whole; points and lines are left out with
a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dentify.assessment import Mask
from dentify.datasets.attributes import said_beside
from dentify.datasets.label_set import LabelSet
from dentify.datasets.labels import severity_word
from dentify.datasets.numbers import is_int, photo_size
from dentify.datasets.outlines import check_box, check_mask_size, check_points, is_line, mask_of, points_of
from dentify.datasets.pictures import Pictures, is_file, picture_parts, same_name
from dentify.datasets.png_masks import mask_in, picture_in
from dentify.datasets.sample import Annotation, Sample, join_pieces
from dentify.errors import DatasetError, printable
from dentify.imaging.masks import rle_to_box
from dentify.imaging.polygons import ellipse_to_polygon, polygons_to_box

_DRAWN = ("polygon", "linestrip", "quadrilateral")
_TURNED = ("oriented_rectangle", "rotation", "rotated_rectangle", "rotatedrect")  # as X-AnyLabeling and others spell it
_LEFT_OUT = ("cuboid", "cuboid2", "point_cloud")
_EXPECTED = "LabelMe: expected an object with imagePath and shapes"


def is_labelme(document: object) -> bool:
    """Whether a JSON document is LabelMe's."""
    return isinstance(document, dict) and isinstance(document.get("shapes"), list) and "imagePath" in document


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their shapes, one by one, by the names of the JSON files."""
    # what is not on a photo, but is named by a file, is absent there and not unknown
    labelled = frozenset(name for _, document in label_set.silent().documents(is_labelme, _EXPECTED) for name in _names(document))
    pictures = label_set.pictures()
    for path, document in label_set.documents(is_labelme, _EXPECTED):
        try:
            yield _sample(path, document, labelled, pictures, replace(label_set, file=path))
        except DatasetError as error:
            label_set.refuse(error)


def _names(document: Mapping[str, Any]) -> Iterator[str]:
    """Every label that a file uses."""
    shapes = (one for one in document["shapes"] if isinstance(one, dict))
    yield from (label for one in shapes if isinstance(label := one.get("label"), str) and label)


def _sample(path: Path, document: Mapping[str, Any], labelled: frozenset[str], pictures: Pictures, label_set: LabelSet) -> Sample:
    name = document.get("imagePath")
    if not isinstance(name, str) or not picture_parts(name):
        raise DatasetError(f"{path}: needs an imagePath, got {name!r:.80}")
    picture: Path | bytes = _picture(path, name, pictures, label_set)
    data = document.get("imageData")
    if isinstance(picture, Path) and not is_file(picture) and isinstance(data, str) and data:
        picture = picture_in(data, str(path), "imageData")
    told = photo_size(document.get("imageHeight"), document.get("imageWidth"), str(path), "imageWidth and imageHeight")
    size_hw = told or label_set.size_of(picture)
    annotations: list[Annotation] = []
    groups: list[object] = []
    for index, shape in enumerate(document["shapes"]):
        where = f"{path}: shapes[{index}]"
        try:
            if isinstance(shape, dict) and is_int(shape.get("label")):
                shape["label"] = str(shape["label"])
            if not isinstance(shape, dict) or not isinstance(shape.get("label"), str) or not shape["label"]:
                raise DatasetError(f"{where}: needs a label and points, got {shape!r:.60}")
            kind = shape.get("shape_type") or "polygon"
            line = kind == "linestrip" and is_line(points_of(shape.get("points"), where))
            if line or kind in ("point", "points", "line"):
                label_set.adjust(f"shapes of kind {kind} are left out: they enclose nothing", where)
                continue
            if kind in _LEFT_OUT:
                label_set.adjust(f"shapes of kind {kind} are left out: they are no outline of what is seen", where)
                continue
            annotations.append(_annotation(shape, kind, size_hw, f"{where} ({printable(shape['label'])})", label_set))
        except DatasetError as error:
            label_set.refuse(error)
            continue
        group = shape.get("group_id")
        groups.append(group if isinstance(group, int | str) and group != "" else None)
    flags = document.get("flags")
    return Sample(
        image=picture,
        name=picture_parts(name)[-1],
        size_hw=size_hw,
        annotations=join_pieces(annotations, groups),
        labelled=labelled,
        split=label_set.split_of(path),
        labels=tuple(str(flag) for flag, ticked in flags.items() if ticked) if isinstance(flags, dict) else (),
        where=str(path),
    )


def _picture(path: Path, name: str, pictures: Pictures, label_set: LabelSet) -> Path:
    """The picture that `imagePath` names; where it still has an earlier name, the one that is called as the JSON itself."""
    beside = path.parent / picture_parts(name)[-1]
    if label_set.images is None and is_file(beside):
        return beside
    if label_set.images is None and not same_name(beside.stem, path.stem):
        renamed = [one for one in pictures.of_stem(path.stem) if one.parent == path.parent]
        if len(renamed) > 1:
            told = " or ".join(printable(str(one)) for one in renamed[:2])
            raise DatasetError(f"{path}: no picture {printable(name)!r:.200}, and {told} is meant", kind="ambiguous picture")
        if renamed:
            label_set.adjust("pictures that are called as their label file, and not as it says, are taken", str(path))
            return renamed[0]
    picture = pictures.find(name, str(path))
    if not is_file(picture) and (called := pictures.find_stem(path.stem, str(path))) is not None:
        label_set.adjust("pictures that are called as their label file, and not as it says, are taken", str(path))
        return called
    return picture


def _annotation(
    shape: Mapping[str, Any], kind: str, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet
) -> Annotation:
    points = points_of(shape.get("points"), where)
    flags = shape.get("flags")
    ticked = [str(flag) for flag, on in flags.items() if on] if isinstance(flags, dict) else []
    severity = next((level for flag in ticked if (level := severity_word(flag)) is not None), None)
    attributes = said_beside(
        {
            "flags": [flag for flag in ticked if severity_word(flag) is None],
            **(shape["attributes"] if isinstance(shape.get("attributes"), dict) else {}),  # X-AnyLabeling's
            "difficult": shape.get("difficult") is True,
            "description": shape.get("description"),
        }
    )
    name = shape["label"]
    corners = len(np.unique(points[:, 0])) <= 2 and len(np.unique(points[:, 1])) <= 2
    if kind == "rectangle" and len(points) == 4 and not corners:
        kind = "oriented_rectangle"  # as X-AnyLabeling turns them
    if kind in ("rectangle", "mask"):
        if len(points) not in (2, 4):
            raise DatasetError(f"{where}: a {kind} needs two points, got {len(points)}")
        (x_min, y_min), (x_max, y_max) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        if kind == "rectangle":
            box = check_box((x_min, y_min, x_max, y_max), size_hw, f"{where}: box", label_set.adjust)
            return Annotation(name, box, severity=severity, attributes=attributes)
        rle = _mask(shape.get("mask"), (x_min, y_min), size_hw, where, label_set)
        held = rle_to_box(rle)
        assert held is not None
        return Annotation(name, held, rle=rle, severity=severity, attributes=attributes)
    if kind == "circle":
        if len(points) != 2 or not np.isfinite(points).all():
            raise DatasetError(f"{where}: a circle needs its centre and a point on it")
        radius = math.hypot(*(points[1] - points[0]))
        if not 0 < radius < 1e6:
            raise DatasetError(f"{where}: needs a radius above 0, got {radius:g}")
        points = ellipse_to_polygon((points[0][0], points[0][1]), (radius, radius))
    elif kind not in (*_DRAWN, *_TURNED):
        raise DatasetError(f"{where}: shape_type {kind!r:.40} is none of polygon, rectangle, circle, linestrip, mask")
    if len(points) < 3:
        raise DatasetError(f"{where}: needs three points or more, got {len(points)}")
    polygon = check_points(points, size_hw, where, label_set.adjust, reach=None if kind in _DRAWN else math.inf)
    return Annotation(name, polygons_to_box([polygon]), (polygon,), severity=severity, attributes=attributes)


def _mask(data: object, corner: tuple[float, float], size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Mask:
    """A mask within its box, as a PNG in base64."""
    if not isinstance(data, str) or size_hw is None or not all(math.isfinite(value) for value in corner):
        raise DatasetError(f"{where}: a mask needs its PNG and the photo's size")
    check_mask_size(size_hw, where, label_set.settings)
    crop, (left, top), picture_hw = mask_in(picture_in(data, where), where, label_set)
    x, y = round(corner[0]), round(corner[1])
    if picture_hw == size_hw:  # of the whole photo, and not within its box
        x = y = 0
    x, y = x + left, y + top
    crop, x, y = crop[max(0, -y) :, max(0, -x) :], max(0, x), max(0, y)  # a box that begins before the photo, by a pixel
    return mask_of(crop, (x, y), size_hw, where)
