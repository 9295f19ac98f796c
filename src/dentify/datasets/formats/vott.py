"""VoTT, version 2: a JSON file a picture (`…-asset.json`), or one export of all assets; boxes and polygons with tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import four_numbers, photo_size
from dentify.datasets.outlines import check_box, check_points, points_of
from dentify.datasets.pictures import Pictures, picture_parts
from dentify.datasets.sample import UNNAMED, Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.polygons import polygons_to_box

Raw = Mapping[str, Any]
_EXPECTED = "VoTT: expected an object with asset and regions"


def is_vott_asset(document: object) -> bool:
    """Whether a JSON document is of one picture."""
    return isinstance(document, dict) and isinstance(document.get("asset"), dict) and isinstance(document.get("regions"), list)


def is_vott(document: object) -> bool:
    """Whether a JSON document is an export of all."""
    assets = document.get("assets") if isinstance(document, dict) else None
    return isinstance(assets, dict) and any(map(is_vott_asset, assets.values()))


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their regions."""
    labelled = frozenset(tag for _, asset in _assets(label_set.silent()) for tag in _tags_of(asset))
    pictures = label_set.pictures()
    for where, asset in _assets(label_set):
        try:
            yield _sample(asset, where, labelled, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _assets(label_set: LabelSet) -> Iterator[tuple[str, Any]]:
    """Every picture's entry, each with its place."""
    if label_set.files:
        yield from ((str(path), document) for path, document in label_set.documents(is_vott_asset, _EXPECTED))
        return
    if not is_vott(label_set.document):
        raise DatasetError(f"{label_set.path}: not {_EXPECTED}")
    for key, asset in label_set.document["assets"].items():
        where = f"{label_set.path}: assets.{printable(str(key)):.40}"
        if is_vott_asset(asset):
            yield where, asset
        else:
            label_set.refuse(DatasetError(f"{where}: not {_EXPECTED}"))


def _tags_of(asset: Raw) -> Iterator[str]:
    for region in asset["regions"]:
        yield from _tags(region) if isinstance(region, dict) else ()


def _tags(region: Raw) -> list[str]:
    tags = region.get("tags")
    return [tag for tag in tags if isinstance(tag, str) and tag] if isinstance(tags, list) else []


def _sample(asset: Raw, where: str, labelled: frozenset[str], pictures: Pictures, label_set: LabelSet) -> Sample:
    about = asset["asset"]
    texts = [unquote(about[key]) for key in ("path", "name") if isinstance(about.get(key), str) and picture_parts(about[key])]
    if not texts:
        raise DatasetError(f"{where}: needs the name of its picture")
    name = "/".join(picture_parts(texts[-1].removeprefix("file:")))
    picture = pictures.find(texts[0].removeprefix("file:"), where)
    size = about.get("size")
    size_hw: tuple[int, int] | None = None
    if isinstance(size, dict):
        size_hw = photo_size(size.get("height"), size.get("width"), where, "size")
    size_hw = size_hw or label_set.size_of(picture)
    annotations: list[Annotation] = []
    for index, region in enumerate(asset["regions"]):
        place = f"{where}: regions[{index}]"
        try:
            outline = _outline(region, size_hw, place, label_set)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        annotations += [Annotation(tag, outline.box_xyxy, outline.polygons) for tag in _tags(region) or [UNNAMED]]
    return Sample(
        picture,
        name,
        size_hw,
        tuple(annotations),
        labelled,
        split=label_set.split_of(picture if label_set.files else label_set.path),
        where=where,
    )


def _outline(region: Any, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Annotation:
    """A region's outline, as an annotation without a name."""
    if not isinstance(region, dict):
        raise DatasetError(f"{where}: expected an object, got {region!r:.40}")
    points, box = region.get("points"), region.get("boundingBox")
    if region.get("type") == "POLYGON" and isinstance(points, list) and len(points) >= 3:
        polygon = check_points(points_of(points, where), size_hw, f"{where}: polygon", label_set.adjust)
        return Annotation("", polygons_to_box([polygon]), (polygon,))
    values = four_numbers([box.get(key) for key in ("left", "top", "width", "height")] if isinstance(box, dict) else None)
    if values is None:
        raise DatasetError(f"{where}: needs a boundingBox of left, top, width and height, got {box!r:.60}")
    x, y, w, h = values
    return Annotation("", check_box((x, y, x + w, y + h), size_hw, f"{where}: boundingBox", label_set.adjust))
