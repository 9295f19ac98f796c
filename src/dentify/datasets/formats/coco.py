"""COCO instance annotations: plain, the folders of CarDD's release, Roboflow's exports.

Categories are matched by name, never by id: exports number them as they please. Dentify's own keys are read where they are:
`source`, `group`, `labelled`, `vehicle` and `damage` of an image, `severity` and `original` of an annotation. Without `labelled`
every category of the file counts as labelled.

Reading is strict: the first thing that does not hold ends it with a `DatasetError` that names file and place. With `on_invalid`
each such thing is reported there instead and left out. The JSON is held in memory, pictures are not opened.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import numpy as np

from dentify.assessment import Box, Mask
from dentify.datasets.sample import Annotation, Polygon, Sample, canonical_name
from dentify.errors import DatasetError, ShapeError, printable
from dentify.imaging.files import told_bytes
from dentify.imaging.masks import rle_area, rle_to_box, rle_to_runs, runs_to_rle
from dentify.settings import Settings
from dentify.taxonomy import SEVERITY_LEVELS

OUTSIDE_PX = 2.0
"""How far an outline may reach out of its photo before it counts as wrong; annotation tools round (DSMLR's reach 1.8 px)."""

OnInvalid = Callable[[DatasetError], None]
Raw = Mapping[str, Any]


def read_coco(
    path: Path | str,
    images: Path | str | None = None,
    *,
    split: str | None = None,
    labels: Mapping[str, str] | None = None,
    on_invalid: OnInvalid | None = None,
    settings: Settings | None = None,
) -> Iterator[Sample]:
    """Photos and their labels, one by one, in the order of the file.

    Args:
        path: the JSON file.
        images: folder of the pictures; without it they are looked for beside the file and where CarDD and Roboflow put them.
        split: name of the split; without it `train`, `val` or `test` is taken from the file's or folder's name.
        labels: what to call the file's categories; without it names that the taxonomy knows become its own, others stay.
        on_invalid: is given what does not hold, which is then left out; without it the first raises.
        settings: limits, `max_annotation_bytes` here.

    Raises:
        DatasetError: the file cannot be read, is no COCO JSON, or holds what cannot be. Broken JSON and wrong lists are told at
            the call, the rest when its photo's turn comes.
    """
    path = Path(path)
    document = _load(path, settings or Settings())
    categories = _categories(document["categories"], path, labels)
    rows = _rows_by_image(document, path, on_invalid)
    folder = _folder_of(path, Path(images) if images is not None else None, document["images"])
    return _samples(path, folder, document["images"], rows, categories, split or split_of(path), on_invalid)


def split_of(path: Path) -> str | None:
    """The split that a file's own or its folder's name tells.

    >>> split_of(Path("damage/val.json")), split_of(Path("annotations/instances_train2017.json"))
    ('val', 'train')
    >>> split_of(Path("valid/_annotations.coco.json")), split_of(Path("my/photos.json"))
    ('val', None)
    """
    for text in (path.stem.lower(), path.parent.name.lower()):
        words = text.replace("-", "_").replace(".", "_").split("_")
        for word in words:
            word = word.rstrip("0123456789")
            if word in ("train", "val", "test"):
                return word
            if word == "valid":
                return "val"
    return None


def _load(path: Path, settings: Settings) -> dict[str, list[Any]]:
    """The document, with its three lists checked to be lists of objects."""
    try:
        if path.stat().st_size > settings.max_annotation_bytes:
            limit = told_bytes(settings.max_annotation_bytes)
            raise DatasetError(f"{path}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text at byte {error.start}") from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno} (of {len(text)} characters, {error.pos} are"
            f" readable): {error.msg}; is the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise DatasetError(f"{path}: no annotations: nested too deep or with a number too long") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{path}: not COCO: expected an object with images, annotations and categories")
    for key in ("images", "annotations", "categories"):
        rows = document.get(key)
        if not isinstance(rows, list):
            raise DatasetError(f'{path}: not COCO: "{key}" is {"missing" if rows is None else "not a list"}')
        for index, row in enumerate(rows):
            if not isinstance(row, dict):
                raise DatasetError(f"{path}: {key}[{index}]: expected an object, got {row!r:.40}")
    return document


def _categories(rows: list[Raw], path: Path, labels: Mapping[str, str] | None) -> dict[int, tuple[str, str]]:
    """By category id: the name that Dentify uses, and the file's own."""
    categories: dict[int, tuple[str, str]] = {}
    for index, row in enumerate(rows):
        category_id, name = row.get("id"), row.get("name")
        if not _is_int(category_id) or not isinstance(name, str) or not name:
            raise DatasetError(f"{path}: categories[{index}]: needs an integer id and a name, got {row!r:.80}")
        if category_id in categories:
            raise DatasetError(
                f"{path}: categories[{index}]: id {category_id} was given before, to {categories[category_id][1]!r}"
            )
        known = labels.get(name, name) if labels is not None else canonical_name(name)
        categories[category_id] = (known or name, name)
    return categories


def _rows_by_image(
    document: Mapping[str, list[Raw]], path: Path, on_invalid: OnInvalid | None
) -> dict[object, list[tuple[int, Raw]]]:
    """Annotations by image id, each with its position in the file."""
    rows: dict[object, list[tuple[int, Raw]]] = {}
    for index, image in enumerate(document["images"]):
        image_id = image.get("id")
        if not (_is_int(image_id) or isinstance(image_id, str)):
            raise DatasetError(f"{path}: images[{index}]: needs an id, got {image_id!r:.40}")
        if image_id in rows:
            raise DatasetError(f"{path}: images[{index}]: id {image_id!r} was given before")
        rows[image_id] = []
    for index, row in enumerate(document["annotations"]):
        image_id = row.get("image_id")
        if (_is_int(image_id) or isinstance(image_id, str)) and image_id in rows:
            rows[image_id].append((index, row))
        else:
            where = f"{path}: annotations[{index}] (id {row.get('id')!r:.40})"
            _refuse(DatasetError(f"{where}: image_id {image_id!r:.40} is no image of this file"), on_invalid)
    return rows


def _folder_of(path: Path, images: Path | None, rows: list[Raw]) -> Path:
    """Where the pictures are: the first likely folder that holds the first picture, else the first."""
    if images is not None:
        if not images.is_dir():
            raise DatasetError(f"{images}: no such folder of pictures")
        return images
    beside = path.parent
    stem = path.stem.removeprefix("instances_")  # CarDD: annotations/instances_train2017.json, train2017/
    folders = [beside, beside / "images", beside / stem, beside.parent, beside.parent / stem, beside.parent / "images"]
    folders.append(beside.parent / "images" / stem)
    first = rows[0].get("file_name") if rows else None
    if isinstance(first, str) and _is_inside(first):
        for folder in folders:
            if (folder / first).is_file():
                return folder
    return beside / "images" if (beside / "images").is_dir() else beside


def _samples(
    path: Path,
    folder: Path,
    images: list[Raw],
    rows: Mapping[object, list[tuple[int, Raw]]],
    categories: Mapping[int, tuple[str, str]],
    split: str | None,
    on_invalid: OnInvalid | None,
) -> Iterator[Sample]:
    every = frozenset(name for name, _ in categories.values())
    seen: set[str] = set()
    for index, image in enumerate(images):
        where = f"{path}: images[{index}] (id {image['id']!r:.40})"
        try:
            name, picture = _picture(image, folder, where)
            if name in seen:
                raise DatasetError(
                    f"{where}: {printable(name)} was listed before; give a photo one entry with all its annotations"
                )
            seen.add(name)
            size_hw = _size_hw(image, where)
            labelled = _labelled(image, every, where)
            vehicle, damage = (_flag(image, key, where) for key in ("vehicle", "damage"))
        except DatasetError as error:
            _refuse(error, on_invalid)
            continue
        annotations: list[Annotation] = []
        for position, row in rows[image["id"]]:
            place = f"{path}: annotations[{position}] (id {row.get('id')!r:.40}, {printable(name)})"
            try:
                annotations.append(_annotation(row, size_hw, categories, labelled, place))
            except DatasetError as error:
                _refuse(error, on_invalid)
        damaged = any(annotation.kind == "damage" for annotation in annotations)
        if damaged and (damage is False or vehicle is False):
            contradiction = DatasetError(f"{where}: {printable(name)} has annotated damage and says that it has none")
            _refuse(contradiction, on_invalid)
            continue
        yield Sample(
            image=picture,
            name=name,
            size_hw=size_hw,
            annotations=tuple(annotations),
            labelled=labelled,
            vehicle=True if annotations else vehicle,
            damage=True if damaged else damage,
            source=_text(image.get("source")),
            group=_text(image.get("group")),
            split=split,
        )


def _picture(image: Raw, folder: Path, where: str) -> tuple[str, Path]:
    """Name and path of the picture, which must be there."""
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise DatasetError(f"{where}: needs a file_name, got {name!r:.80}")
    if not _is_inside(name):
        raise DatasetError(f"{where}: file_name {name!r:.200} leads out of the folder of pictures")
    try:
        there = (folder / name).is_file()
    except OSError:  # a name longer than the file system takes
        there = False
    if not there:
        raise DatasetError(f"{where}: no picture {name!r:.200} in {folder}")
    return name, folder / name


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        bool(parts) and "\0" not in name and ".." not in parts and not PurePosixPath(name).is_absolute() and ":" not in parts[0]
    )


def _size_hw(image: Raw, where: str) -> tuple[int, int]:
    height, width = image.get("height"), image.get("width")
    if not (_is_int(height) and _is_int(width)) or height <= 0 or width <= 0:
        raise DatasetError(f"{where}: width and height must be whole numbers above 0, got {width!r:.20} × {height!r:.20}")
    return int(height), int(width)


def _labelled(image: Raw, every: frozenset[str], where: str) -> frozenset[str]:
    given = image.get("labelled")
    if given is None:
        return every
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise DatasetError(f"{where}: labelled must be a list of names, got {given!r:.80}")
    names = [canonical_name(name) or name for name in given]
    for name in names:
        if name not in every and canonical_name(name) is None:
            raise DatasetError(f"{where}: labelled names {name!r:.40}, which is no category of this file")
    return frozenset(names)


def _flag(image: Raw, key: str, where: str) -> bool | None:
    value = image.get(key)
    if value is not None and not isinstance(value, bool):
        raise DatasetError(f"{where}: {key} must be true, false or null, got {value!r:.40}")
    return value


def _annotation(
    row: Raw, size_hw: tuple[int, int], categories: Mapping[int, tuple[str, str]], labelled: frozenset[str], where: str
) -> Annotation:
    category_id = row.get("category_id")
    if not _is_int(category_id) or category_id not in categories:
        raise DatasetError(f"{where}: category_id {category_id!r:.40} is no category of this file ({_ids(categories)})")
    name, published = categories[category_id]
    if name not in labelled:
        raise DatasetError(f"{where}: is {name!r}, which its image's labelled leaves out")
    severity = row.get("severity")
    if severity is not None and severity not in SEVERITY_LEVELS:
        raise DatasetError(f"{where}: severity {severity!r:.40} is none of {', '.join(SEVERITY_LEVELS)}")
    polygons, rle = _outline(row.get("segmentation"), size_hw, where)
    original = row.get("original")
    row_id = row.get("id")
    return Annotation(
        name=name,
        box_xyxy=_box(row.get("bbox"), polygons, rle, size_hw, where),
        polygons=polygons,
        rle=rle,
        severity=severity,
        original=original if isinstance(original, str) else published if published != name else None,
        crowd=bool(row.get("iscrowd")),
        id=row_id if isinstance(row_id, int | str) else None,
    )


def _outline(segmentation: object, size_hw: tuple[int, int], where: str) -> tuple[tuple[Polygon, ...], Mask | None]:
    """Polygons or RLE of an annotation; neither where only a box is given."""
    if segmentation is None or segmentation == []:
        return (), None
    if isinstance(segmentation, list):
        return tuple(_polygon(points, size_hw, f"{where}: polygon {index}") for index, points in enumerate(segmentation)), None
    if isinstance(segmentation, dict):
        return (), _rle(segmentation, size_hw, where)
    raise DatasetError(f"{where}: segmentation must be polygons or RLE, got {segmentation!r:.40}")


def _polygon(points: object, size_hw: tuple[int, int], where: str) -> Polygon:
    if not isinstance(points, list) or not all(_is_number(value) for value in points):
        raise DatasetError(f"{where}: must be a list of numbers, got {points!r:.60}")
    if len(points) < 6 or len(points) % 2:
        raise DatasetError(f"{where}: needs three points or more as x, y, x, y …, got {len(points)} numbers")
    polygon = np.array(points, np.float64).reshape(-1, 2)
    if not np.isfinite(polygon).all():
        raise DatasetError(f"{where}: holds a coordinate that is not a number (NaN or infinite)")
    limit = np.array([size_hw[1], size_hw[0]], np.float64)
    if polygon.min() < -OUTSIDE_PX or (polygon > limit + OUTSIDE_PX).any():
        worst = polygon[np.argmax(np.maximum(-polygon, polygon - limit).max(axis=1))]
        raise DatasetError(f"{where}: point ({worst[0]:g}, {worst[1]:g}) lies outside the photo of {size_hw[1]} × {size_hw[0]}")
    polygon = np.clip(polygon, 0.0, limit)
    if polygon_area(polygon) <= 0.0:
        raise DatasetError(f"{where}: is degenerate, its area is 0")
    return polygon


def polygon_area(polygon: Polygon) -> float:
    """Area within a polygon `(n, 2)`, by the shoelace formula.

    >>> polygon_area(np.array([[0, 0], [4, 0], [4, 3]]))
    6.0
    """
    x, y = (polygon - polygon[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _rle(segmentation: Raw, size_hw: tuple[int, int], where: str) -> Mask:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or tuple(size) != size_hw:
        raise DatasetError(f"{where}: RLE is of size {size!r:.40}, its photo of {list(size_hw)} (height, width)")
    try:
        if isinstance(counts, str):
            rle = runs_to_rle(rle_to_runs(Mask(size=size_hw, counts=counts)), size_hw)
        elif isinstance(counts, list) and all(_is_int(count) for count in counts):
            rle = runs_to_rle(counts, size_hw)
        else:
            raise DatasetError(f"{where}: RLE counts must be a string or a list of whole numbers, got {counts!r:.40}")
    except (ShapeError, OverflowError, UnicodeError) as error:
        raise DatasetError(f"{where}: {error}") from error
    if rle_area(rle) == 0:
        raise DatasetError(f"{where}: RLE is degenerate, it holds no pixel")
    return rle


def _box(bbox: object, polygons: tuple[Polygon, ...], rle: Mask | None, size_hw: tuple[int, int], where: str) -> Box:
    """The box as `xyxy`: the file's where it gives one, else the outline's."""
    if bbox is None and polygons:
        points = np.concatenate(polygons)
        (x_min, y_min), (x_max, y_max) = points.min(axis=0), points.max(axis=0)
        return float(x_min), float(y_min), float(x_max), float(y_max)
    if bbox is None and rle is not None:
        box = rle_to_box(rle)
        assert box is not None
        return box
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(value) for value in bbox):
        raise DatasetError(f"{where}: needs polygons, RLE or a bbox of four numbers, got bbox {bbox!r:.60}")
    x, y, w, h = (float(value) for value in bbox)
    if not all(math.isfinite(value) for value in (x, y, w, h)):
        raise DatasetError(f"{where}: bbox holds a coordinate that is not a number (NaN or infinite)")
    height, width = size_hw
    if x < -OUTSIDE_PX or y < -OUTSIDE_PX or x + w > width + OUTSIDE_PX or y + h > height + OUTSIDE_PX:
        raise DatasetError(f"{where}: bbox {bbox} (x, y, width, height) lies outside the photo of {width} × {height}")
    x_min, y_min, x_max, y_max = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x_max <= x_min or y_max <= y_min:
        raise DatasetError(f"{where}: bbox is degenerate: {x_max - x_min:g} wide, {y_max - y_min:g} high")
    return x_min, y_min, x_max, y_max


def _refuse(error: DatasetError, on_invalid: OnInvalid | None) -> None:
    if on_invalid is None:
        raise error
    on_invalid(error)


def _ids(categories: Mapping[int, tuple[str, str]]) -> str:
    known = sorted(categories)
    return f"ids {', '.join(map(str, known[:20]))}{' …' if len(known) > 20 else ''}"


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53)
