"""VehiDE's JSON: by picture, regions with `all_x`, `all_y` and a `class` in Vietnamese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dentify.datasets.label_set import LabelSet
from dentify.datasets.numbers import to_float
from dentify.datasets.outlines import check_points
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.polygons import polygons_to_box


def is_vehide(document: object) -> bool:
    """Whether a JSON document is VehiDE's."""
    first = next(iter(document.values()), None) if isinstance(document, dict) else None
    if not isinstance(first, dict) or not isinstance(first.get("regions"), list):
        return False
    assert isinstance(document, dict)
    region = next(_regions(document), None)
    return region is not None and {"all_x", "all_y", "class"} <= region.keys()


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their regions, one by one, in the order of the file."""
    rows = label_set.document
    if not isinstance(rows, dict):
        raise DatasetError(f"{label_set.path}: not VehiDE: expected an object with an entry for each picture")
    labelled = frozenset(str(region["class"]) for region in _regions(rows) if region.get("class"))
    split = label_set.split_of(label_set.path)
    pictures = label_set.pictures()
    for key, row in rows.items():
        where = f"{label_set.path}: {printable(key)!r:.80}"
        if not isinstance(row, dict) or not isinstance(row.get("regions"), list):
            label_set.refuse(DatasetError(f"{where}: expected an object with name and regions, got {row!r:.60}"))
            continue
        try:
            picture = pictures.find(key, where)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        size_hw = label_set.size_of(picture)
        annotations: list[Annotation] = []
        for index, region in enumerate(row["regions"]):
            try:
                annotations.append(_annotation(region, size_hw, f"{where}: regions[{index}]", label_set))
            except DatasetError as error:
                label_set.refuse(error)
        yield Sample(picture, key, size_hw, tuple(annotations), labelled, split=split, where=where)


def _regions(rows: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every region of the file that is one."""
    for row in rows.values():
        regions = row.get("regions") if isinstance(row, dict) else None
        yield from (one for one in regions if isinstance(one, dict)) if isinstance(regions, list) else ()


def _annotation(region: object, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Annotation:
    if not isinstance(region, dict) or not isinstance(region.get("class"), str) or not region["class"]:
        raise DatasetError(f"{where}: needs all_x, all_y and a class, got {region!r:.60}")
    xs, ys = region.get("all_x"), region.get("all_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys) or len(xs) < 3:
        raise DatasetError(f"{where}: needs all_x and all_y, lists of one length, three or more")
    points = np.array([[to_float(value, f"{where}: all_x, all_y") for value in values] for values in (xs, ys)]).T
    polygon = check_points(points, size_hw, f"{where} ({printable(region['class'])})", label_set.adjust)
    return Annotation(region["class"], polygons_to_box([polygon]), (polygon,))
