"""COCO instance annotations: plain, the folders of CarDD's release, Roboflow's exports, VIA's.

Categories are matched by name, never by id: exports number them as they please. Dentify's own keys are read where they are:
`source`, `group`, `labelled`, `vehicle`, `damage`, `severity` and `view` of an image, `severity`, `original`, `score`, `unsure`,
`loose` and `other_car` of an annotation. Without `labelled` every category of the file counts as labelled. The JSON is held in
memory.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from dentify.assessment import Box, Mask
from dentify.datasets.attributes import said_beside
from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import Size, coordinates_of, four_numbers, is_int, is_number, number_of, photo_size
from dentify.datasets.outlines import check_box, check_pieces, check_runs, turned_box
from dentify.datasets.output import JsonList, Output
from dentify.datasets.pictures import Pictures, is_inside, picture_parts
from dentify.datasets.sample import Annotation, Sample, canonical_name, kind_of
from dentify.errors import DatasetError, printable
from dentify.imaging.masks import rle_area, rle_to_box
from dentify.imaging.polygons import Polygon, polygon_area, polygons_to_box
from dentify.taxonomy import SEVERITY_LEVELS

Raw = Mapping[str, Any]

_IMAGE_KEYS = ("source", "group", "vehicle", "damage", "severity", "view")
_WHOLE = re.compile(r"(0|[1-9]\d*)(\.0+)?", re.ASCII)
_NEARLY = 0.05  # of a side or an area, which tools round
_ANNOTATION_FLAGS = ("unsure", "loose", "other_car")


def is_coco(document: object) -> bool:
    """Whether a JSON document is COCO's: lists of images and annotations."""
    return isinstance(document, dict) and (
        isinstance(document.get("images"), list) and ("annotations" in document or "categories" in document)
    )


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels, one by one, in the order of the file."""
    path = label_set.path
    document = _checked(label_set.document, path)
    categories = _categories(document["categories"], path)
    rows = _rows_by_image(document, label_set)
    split = label_set.split_of(path)
    pictures = label_set.pictures()
    used = {_id(row.get("category_id")) for row in document["annotations"] if not isinstance(row.get("category_id"), list | dict)}
    above = {_text(row.get("supercategory")) for row in document["categories"] if row.get("supercategory") != row.get("name")}
    # Roboflow's category 0 is the project's name: above all others, and never used
    every = frozenset(name for number, name in categories.items() if number in used or name not in above)
    crowds = 0
    for index, image in enumerate(document["images"]):
        where = f"{path}: images[{index}] (id {image['id']!r:.40})"
        try:
            name, picture = _picture(image, pictures, where)
            size_hw = photo_size(image.get("height"), image.get("width"), where) or label_set.size_of(picture)
            if size_hw is None:
                raise DatasetError(f"{where}: needs width and height; neither the file nor a picture tells them")
            labelled = _labelled(image, categories, every, where)
            vehicle, damage = (_flag(image, key, where) for key in ("vehicle", "damage"))
            severity = _severity(image, where)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        annotations: list[Annotation] = []
        for position, row in rows[_id(image["id"])]:
            crowds += _is_crowd(row)
            place = f"{path}: annotations[{position}] (id {row.get('id')!r:.40}, {printable(name)})"
            try:
                annotations.append(_annotation(row, size_hw, categories, labelled, place, label_set))
            except DatasetError as error:
                label_set.refuse(error)
        yield Sample(
            image=picture,
            name=name,
            size_hw=size_hw,
            annotations=tuple(annotations),
            labelled=labelled,
            vehicle=vehicle,
            damage=damage,
            severity=severity,
            view=_text(image.get("view")),
            source=_text(image.get("source")),
            group=_text(image.get("group")),
            split=split,
            labels=_labels(image.get("labels")),
            where=where,
        )
    if crowds:  # Datumaro marks every mask so
        label_set.on_note(f"{path}: {crowds} annotations are iscrowd, which evaluation passes over")


def _checked(document: Any, path: Path) -> dict[str, list[Any]]:
    """The document, with its three lists checked to be lists of objects."""
    if not isinstance(document, dict):
        raise DatasetError(f"{path}: not COCO: expected an object with images, annotations and categories")
    for key in ("images", "annotations", "categories"):
        rows = document.get(key)
        if not isinstance(rows, list):
            raise DatasetError(f'{path}: not COCO: "{key}" is {"missing" if rows is None else "not a list"}')
        for index, row in enumerate(rows):
            if not isinstance(row, dict):
                raise DatasetError(f"{path}: {key}[{index}]: expected an object, got {row!r:.40}")
    if any("segments_info" in row for row in document["annotations"][:1]):
        raise DatasetError(f"{path}: this is COCO panoptic, with pictures as masks, which is not read; export COCO instances")
    if any(row.get("annotations") for row in document["images"]):
        raise DatasetError(f"{path}: images hold annotations of their own, which is not COCO; put them into its `annotations`")
    return document


def _categories(rows: list[Raw], path: Path) -> dict[int, str]:
    """Names by category id."""
    categories: dict[int, str] = {}
    for index, row in enumerate(rows):
        category_id, name = _id(row.get("id")), _text(row.get("name"))
        if not is_int(category_id) or not name:
            raise DatasetError(f"{path}: categories[{index}]: needs an integer id and a name, got {row!r:.80}")
        if categories.get(category_id, name) != name:
            raise DatasetError(f"{path}: categories[{index}]: id {category_id} was given before, to {categories[category_id]!r}")
        categories[category_id] = name
    return categories


def _rows_by_image(document: Mapping[str, list[Raw]], label_set: LabelSet) -> dict[object, list[tuple[int, Raw]]]:
    """Annotations by image id, each with its position in the file."""
    rows: dict[object, list[tuple[int, Raw]]] = {}
    for index, image in enumerate(document["images"]):
        image_id = _id(image.get("id"))
        if not (is_int(image_id) or isinstance(image_id, str)):
            raise DatasetError(f"{label_set.path}: images[{index}]: needs an id, got {image_id!r:.40}")
        if image_id in rows:
            raise DatasetError(f"{label_set.path}: images[{index}]: id {image_id!r} was given before")
        rows[image_id] = []
    for index, row in enumerate(document["annotations"]):
        image_id = _id(row.get("image_id"))
        if (is_int(image_id) or isinstance(image_id, str)) and image_id in rows:
            rows[image_id].append((index, row))
        else:
            where = f"{label_set.path}: annotations[{index}] (id {row.get('id')!r:.40})"
            label_set.refuse(DatasetError(f"{where}: image_id {image_id!r:.40} is no image of this file"))
    return rows


def _id(value: object) -> object:
    """An id, whole numbers alike whether they are told as such, as text or with a fraction of nothing.

    >>> _id("7"), _id(7.0), _id("7.0"), _id("007"), _id(True)
    (7, 7, 7, '007', True)
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 20 and _WHOLE.fullmatch(value):
        return int(value.partition(".")[0])
    return value


def _picture(image: Raw, pictures: Pictures, where: str) -> tuple[str, Path]:
    """Name and path of the picture."""
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: needs a file_name, got {name!r:.80}")
    if not is_inside(name):  # Label Studio exports ways to its own uploads
        name = "/".join(picture_parts(name)[-1:])
        if not name:
            raise DatasetError(f"{where}: needs a file_name, got {image['file_name']!r:.80}")
    return name, pictures.find(name, where)


@lru_cache(maxsize=4)
def _canonical(names: frozenset[str]) -> frozenset[str]:
    return frozenset(canonical_name(one) or one for one in names)


def _labelled(image: Raw, categories: Mapping[int, str], every: frozenset[str], where: str) -> frozenset[str]:
    given = image.get("labelled")
    if given is None:
        return every
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise DatasetError(f"{where}: labelled must be a list of names, got {given!r:.80}")
    for name in given:
        if name not in categories.values() and canonical_name(name) is None:
            raise DatasetError(f"{where}: labelled names {name!r:.40}, which is no category of this file")
    return frozenset(given)


def _labels(given: object) -> tuple[str, ...]:
    return tuple(str(label) for label in given) if isinstance(given, list) else ()


def _flag(image: Raw, key: str, where: str) -> bool | None:
    value = image.get(key)
    if value is not None and not isinstance(value, bool):
        raise DatasetError(f"{where}: {key} must be true, false or null, got {value!r:.40}")
    return value


def _severity(row: Raw, where: str) -> str | None:
    severity = row.get("severity")
    level = severity.strip().casefold() if isinstance(severity, str) else severity
    if level is not None and level not in SEVERITY_LEVELS:
        raise DatasetError(f"{where}: severity {severity!r:.40} is none of {', '.join(SEVERITY_LEVELS)}")
    return level


def _annotation(
    row: Raw,
    size_hw: tuple[int, int],
    categories: Mapping[int, str],
    labelled: frozenset[str],
    where: str,
    label_set: LabelSet,
) -> Annotation:
    category_id = _id(row.get("category_id"))
    if not is_int(category_id) or category_id not in categories:
        raise DatasetError(f"{where}: category_id {category_id!r:.40} is no category of this file ({_ids(categories)})")
    name = categories[category_id]
    if name not in labelled and canonical_name(name) not in _canonical(labelled):
        raise DatasetError(f"{where}: is {name!r}, which its image's labelled leaves out")
    score = number_of(row.get("score"))
    if row.get("score") is not None and not (score is not None and 0 <= score <= 1):
        raise DatasetError(f"{where}: score {row['score']!r:.40} is no number from 0 to 1")
    polygons, rle = _outline(row, size_hw, where, label_set)
    if row.get("keypoints"):
        label_set.adjust("key points are left out: they have no outline", where)
    original = row.get("original")
    said = _attributes(row.get("attributes"))
    turned = turned_box(row.get("bbox"), said.get("rotation"), size_hw, where) if not polygons and rle is None else None
    if turned is not None:
        polygons = (turned[0],)
    row_id = row.get("id")
    return Annotation(
        name=name,
        box_xyxy=turned[1]
        if turned is not None
        else _box(row.get("bbox"), polygons, rle, size_hw, row.get("area"), where, label_set),
        polygons=polygons,
        rle=rle,
        severity=_severity(row, where),
        original=original if isinstance(original, str) else None,
        crowd=_is_crowd(row),
        **{key: bool(_flag(row, key, where)) for key in _ANNOTATION_FLAGS},
        id=row_id if isinstance(row_id, int | str) else None,
        score=score,
        check=row.get("check") is True,
        attributes=said_beside(said),
    )


def _is_crowd(row: Raw) -> bool:
    return row.get("iscrowd") is True or number_of(row.get("iscrowd")) == 1


def _attributes(said: object) -> Mapping[Any, object]:
    """What is said beside a label: by name, or as a list of names and values."""
    if isinstance(said, list):
        return {str(one["name"]): one.get("value", True) for one in said if isinstance(one, dict) and "name" in one}
    return said if isinstance(said, dict) else {}


def _outline(row: Raw, size_hw: Size, where: str, label_set: LabelSet) -> tuple[tuple[Polygon, ...], Mask | None]:
    """Polygons or RLE of an annotation; neither where only a box is given, or beside one encloses nothing."""
    segmentation = _as_json(row.get("segmentation"))
    if isinstance(segmentation, list):
        segmentation = [piece for piece in segmentation if piece not in (None, [], {})]
        if len(segmentation) == 1 and isinstance(segmentation[0], dict) and "counts" in segmentation[0]:
            segmentation = segmentation[0]
    if not segmentation and segmentation in (None, [], {}, ""):
        return (), None
    if isinstance(segmentation, list):
        if _is_one_polygon(segmentation):  # without the list around it, as VIA's
            segmentation = [segmentation]
        try:
            return check_pieces(segmentation, size_hw, where, label_set), None
        except DatasetError as error:
            if error.kind != "degenerate outline" or four_numbers(_as_json(row.get("bbox"))) is None:
                raise
            label_set.adjust("outlines that enclose nothing, beside a box, are left out: the box is taken", where)
            return (), None
    if isinstance(segmentation, dict):
        given = segmentation.get("size")
        height, width = given if isinstance(given, list) and len(given) == 2 else (None, None)
        size = photo_size(height, width, f"{where}: RLE", "size")
        if size != size_hw:
            raise DatasetError(f"{where}: RLE is of size {given!r:.40}, its photo of {list(size_hw)} (height, width)")
        return (), check_runs(segmentation.get("counts"), size_hw, where)
    raise DatasetError(f"{where}: segmentation must be polygons or RLE, got {segmentation!r:.40}")


def _is_one_polygon(pieces: list[Any]) -> bool:
    """Whether what should be a list of polygons is one: of numbers, or of three points or more."""
    if not isinstance(pieces[0], list | dict):
        return True
    numbers = coordinates_of(pieces)
    return numbers is not None and len(numbers) >= 6


def _as_json(value: object) -> object:
    """A list or an object, where it stands there as the text of one."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _box(
    bbox: object,
    polygons: tuple[Polygon, ...],
    rle: Mask | None,
    size_hw: tuple[int, int],
    area: object,
    where: str,
    label_set: LabelSet,
) -> Box:
    """The box as `xyxy`: the file's where it gives one, else the outline's.

    Beside an outline a box that reaches out is its tool's rounding, and one that says nothing costs nothing.
    """
    outlined = polygons_to_box(polygons) if polygons else rle_to_box(rle) if rle is not None else None
    if outlined is not None and bbox in (None, [None] * 4):
        return outlined
    try:
        given = four_numbers(_as_json(bbox))
        if given is None:
            raise DatasetError(f"{where}: needs polygons, RLE or a bbox of four numbers, got bbox {bbox!r:.60}")
        x, y, w, h = given
        corners = (x, y, x + w, y + h)
        if _are_corners(given, outlined, area):
            label_set.adjust("boxes that tell two corners and no size, as their outline or area shows, are read so", where)
            corners = (x, y, w, h)
        return check_box(corners, size_hw, f"{where}: bbox", label_set.adjust, reach=None if outlined is None else math.inf)
    except DatasetError:
        if outlined is None:
            raise
        label_set.adjust("boxes that say nothing, beside an outline, are left out: the outline's is taken", where)
        return outlined


def _are_corners(bbox: Box, outlined: Box | None, area: object) -> bool:
    """Whether a box is told by two corners, which COCO's never are: only so it fits its outline, or else its area."""
    x, y, w, h = bbox
    if w <= x or h <= y:
        return False
    if outlined is not None:
        return _fits((x, y, w, h), outlined) and not _fits((x, y, x + w, y + h), outlined)
    if not is_number(area) or area <= 0:
        return False
    return abs((w - x) * (h - y) - area) <= _NEARLY * area < abs(w * h - area)


def _fits(box: Box, outlined: Box) -> bool:
    return all(
        abs(a - b) <= _NEARLY * max(outlined[2] - outlined[0], outlined[3] - outlined[1])
        for a, b in zip(box, outlined, strict=True)
    )


def _ids(categories: Mapping[int, str]) -> str:
    known = sorted(categories)
    return f"ids {', '.join(map(str, known[:20]))}{' …' if len(known) > 20 else ''}"


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def write(samples: Iterable[Sample], output: Output) -> None:
    """One file a split (`annotations.json` without splits) and `images/`, with Dentify's own keys; nothing is lost."""
    ids = {name: number for number, name in enumerate(output.names, 1)}
    categories = [
        {"id": number, "name": name, "supercategory": "part" if kind_of(name) == "part" else "damage"}
        for name, number in ids.items()
    ]
    lists: dict[str, tuple[JsonList, JsonList, JsonList]] = {}
    images = annotations = 0
    with ExitStack() as stack:
        for sample in samples:
            stem = "annotations" if sample.split is None else output.split_name(sample.split, taken=("annotations",))
            if stem not in lists:
                lists[stem] = _open_lists(stack, output, stem)
            image_list, annotation_list, _ = lists[stem]
            images += 1
            height, width = output.size_hw(sample)
            image: dict[str, Any] = {"id": images, "file_name": output.picture(sample), "width": width, "height": height}
            image |= {key: value for key in _IMAGE_KEYS if (value := getattr(sample, key)) is not None}
            if sample.labels:
                image["labels"] = list(sample.labels)
            named = sample.labelled | {annotation.name for annotation in sample.annotations}
            image_list.add(image | {"labelled": [name for name in output.names if name in named]})
            for annotation in sample.annotations:
                annotations += 1
                annotation_list.add(_row(annotation, annotations, images, ids[annotation.name]))
        if not lists:
            lists["annotations"] = _open_lists(stack, output, "annotations")
        for image_list, annotation_list, category_list in lists.values():
            image_list.close()
            annotation_list.close()
            for category in categories:
                category_list.add(category)
            category_list.close()
    for stem in lists:
        _join_lists(output, stem)


def _open_lists(stack: ExitStack, output: Output, stem: str) -> tuple[JsonList, JsonList, JsonList]:
    keys = ("images", "annotations", "categories")
    images, annotations, categories = (JsonList(stack.enter_context(output.stream(f"{stem}.{key}.part"))) for key in keys)
    return images, annotations, categories


def _join_lists(output: Output, stem: str) -> None:
    """One file of the three lists, which were written apart."""
    with output.stream(f"{stem}.json") as whole:
        for number, key in enumerate(("images", "annotations", "categories")):
            whole.write(f'{"{" if number == 0 else ","}"{key}":')
            output.append_to(whole, f"{stem}.{key}.part")
        whole.write("}\n")


def _row(annotation: Annotation, number: int, image: int, category: int) -> dict[str, Any]:
    """An annotation as COCO has it."""
    x_min, y_min, x_max, y_max = annotation.box_xyxy
    row: dict[str, Any] = {"id": number, "image_id": image, "category_id": category}
    row["bbox"] = [x_min, y_min, x_max - x_min, y_max - y_min]
    row["area"] = (x_max - x_min) * (y_max - y_min)
    row["segmentation"] = []
    if annotation.polygons:
        row["segmentation"] = [polygon.ravel().tolist() for polygon in annotation.polygons]
        row["area"] = sum(polygon_area(polygon) for polygon in annotation.polygons)
    elif annotation.rle is not None:
        row["segmentation"] = {"size": list(annotation.rle.size), "counts": annotation.rle.counts}
        row["area"] = rle_area(annotation.rle)
    row["iscrowd"] = int(annotation.crowd)
    row |= {key: value for key in ("severity", "original", "score") if (value := getattr(annotation, key)) is not None}
    return row | {key: True for key in ("check", *_ANNOTATION_FLAGS) if getattr(annotation, key)}
