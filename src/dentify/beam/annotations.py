"""Annotations as rows of COCO's JSON, and their way with the photo into the small picture.

Rows are plain JSON from the first step of a pipeline to the last; `category` holds the name until all photos are known and
categories get their numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dentify.assessment import Box, Mask
from dentify.beam.prepare import Placement
from dentify.datasets.sample import Annotation, Sample
from dentify.imaging.masks import crop_to_rle, rle_area, rle_to_box, rle_to_crop, rle_to_runs
from dentify.imaging.polygons import Polygon, polygon_area
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES

Row = dict[str, Any]

_DECIMALS = 3  # of a pixel of the picture


def sample_to_rows(sample: Sample) -> tuple[Row, list[Row]]:
    """What a sample says of its photo, and its annotations in pixels of the photo."""
    labelled = sample.labelled | {annotation.name for annotation in sample.annotations}
    facts: Row = {
        "source": sample.source,
        "group": sample.group,
        "split": sample.split,
        "labelled": sorted(labelled),
        "vehicle": sample.vehicle,
        "damage": sample.damage,
        "severity": sample.severity,
        "view": sample.view,
        "labels": list(sample.labels),
    }
    return facts, [_annotation_to_row(annotation) for annotation in sample.annotations]


def place_annotations(rows: Iterable[Row], placement: Placement) -> list[Row]:
    """Annotations in pixels of the picture, with their areas. None is lost: a mask too thin for the picture keeps its pixels."""
    return [_placed(row, placement) for row in rows]


def category_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All names that photos' facts say are labelled: the taxonomy's damages and parts in its order, then others.

    >>> category_names([{"labelled": ["hail", "hood", "dent"]}])
    ['dent', 'hood', 'hail']
    """
    names = {name for row in rows for name in row["labelled"]}
    known = [name for name in (*DAMAGE_NAMES, *PART_NAMES) if name in names]
    return [*known, *sorted(names.difference(known))]


def _annotation_to_row(annotation: Annotation) -> Row:
    x_min, y_min, x_max, y_max = (float(value) for value in annotation.box_xyxy)
    row: Row = {"category": annotation.name, "bbox": [x_min, y_min, x_max - x_min, y_max - y_min], "segmentation": []}
    if annotation.polygons:
        row["segmentation"] = [polygon.ravel().tolist() for polygon in annotation.polygons]
    elif annotation.rle is not None:
        row["segmentation"] = {"size": list(annotation.rle.size), "counts": annotation.rle.counts}
    row["iscrowd"] = int(annotation.crowd)
    for key in ("severity", "original", "score"):
        if getattr(annotation, key) is not None:
            row[key] = getattr(annotation, key)
    return row | {key: True for key in ("check", "unsure", "loose", "other_car") if getattr(annotation, key)}


def _placed(row: Row, placement: Placement) -> Row:
    scale_x, scale_y = placement.scale_xy
    x, y, w, h = row["bbox"]
    placed = {**row, "bbox": _rounded([x * scale_x, y * scale_y, w * scale_x, h * scale_y])}
    segmentation = row["segmentation"]
    if isinstance(segmentation, dict):
        rle = place_mask(Mask(size=tuple(segmentation["size"]), counts=segmentation["counts"]), placement)
        placed["segmentation"] = {"size": list(rle.size), "counts": rle.counts}
        placed["area"] = rle_area(rle)
    elif segmentation:
        polygons = [np.asarray(points, np.float64).reshape(-1, 2) * (scale_x, scale_y) for points in segmentation]
        placed["segmentation"] = [_rounded_polygon(polygon) for polygon in polygons]
        placed["area"] = round(sum(polygon_area(polygon) for polygon in polygons), _DECIMALS)
    else:
        placed["area"] = round(w * scale_x * h * scale_y, _DECIMALS)
    return placed


def place_mask(rle: Mask, placement: Placement) -> Mask:
    """A mask of the photo as a mask of the picture: each pixel takes what lies at its centre.

    A mask that is so thin that it lies under no centre keeps all pixels that it touches instead of vanishing.
    """
    box = rle_to_box(rle)
    if box is None:
        return crop_to_rle(np.zeros((0, 0), np.bool_), (0, 0), placement.picture_hw, placement.picture_hw)
    left, top, right, bottom = _touched(box, placement)
    scale_x, scale_y = placement.scale_xy
    around = (left / scale_x, top / scale_y, right / scale_x, bottom / scale_y)
    crop = rle_to_crop(rle, around, (bottom - top, right - left))
    if not crop.any():
        crop = _touched_pixels(rle, placement)[top:bottom, left:right]
    return crop_to_rle(crop, (left, top), placement.picture_hw, placement.picture_hw)


def _touched(box_xyxy: Box, placement: Placement) -> tuple[int, int, int, int]:
    """The pixels of the picture that a box of the photo touches: left, top, and beyond right and bottom."""
    (scale_x, scale_y), (height, width) = placement.scale_xy, placement.content_hw
    left, top = min(int(box_xyxy[0] * scale_x), width - 1), min(int(box_xyxy[1] * scale_y), height - 1)
    right, bottom = int(np.ceil(box_xyxy[2] * scale_x)), int(np.ceil(box_xyxy[3] * scale_y))
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def _touched_pixels(rle: Mask, placement: Placement) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """`(H, W)`: the pixels of the picture in which the centre of a pixel of the mask comes to lie."""
    ends = np.cumsum(rle_to_runs(rle))  # of pixels of 0, of 1, of 0 …, column by column
    columns, rows = np.divmod(
        np.concatenate([np.arange(*stretch) for stretch in zip(ends[:-1:2], ends[1::2], strict=True)]), rle.size[0]
    )
    scale_x, scale_y = placement.scale_xy
    touched = np.zeros(placement.picture_hw, np.bool_)
    touched[((rows + 0.5) * scale_y).astype(np.int64), ((columns + 0.5) * scale_x).astype(np.int64)] = True
    return touched


def _rounded(values: Sequence[float]) -> list[float]:
    short = [round(float(value), _DECIMALS) for value in values]
    return short if short[2] > 0 and short[3] > 0 else [float(value) for value in values]


def _rounded_polygon(polygon: Polygon) -> list[float]:
    """Its points to a thousandth of a pixel, unless it is so small that nothing would be left of it."""
    short: Polygon = polygon.round(_DECIMALS)
    values: list[float] = (short if polygon_area(short) > 0 else polygon).ravel().tolist()
    return values
