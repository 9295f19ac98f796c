"""Outlines as sources give them, checked against their photo: polygons, boxes and run lengths.

What reaches out of the photo by no more than `OUTSIDE_PX` is cut at its edge; anything else that cannot be is a `DatasetError`
that begins with `where`. Where the photo's size is not known, only what lies before its corner is found out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from dentify.assessment import Box, Mask
from dentify.errors import DatasetError, ShapeError
from dentify.imaging.masks import rle_area, rle_to_runs, runs_to_rle
from dentify.imaging.polygons import Polygon, polygon_area
from dentify.settings import Settings

OUTSIDE_PX = 2.0
"""How far an outline may reach out of its photo before it counts as wrong; annotation tools round (DSMLR's reach 1.8 px)."""

_LONGEST = 500_000  # pixels: 12 times around the largest photo; an outline takes 300 bytes and a microsecond for each
_MOST_RUNS = 1_000_000  # of a mask, or characters of its text; each run takes 120 bytes for a moment
_FAR_AWAY = 1e9  # pixels: further out than any photo reaches, and near enough to reckon with

Size = tuple[int, int]


def check_polygon(points: Sequence[object], size_hw: Size | None, where: str) -> Polygon:
    """A polygon of numbers `x, y, x, y …`.

    Raises:
        DatasetError: not numbers, fewer than three points, NaN or infinite, outside the photo, or without area.
    """
    if not all(is_number(value) for value in points):
        raise DatasetError(f"{where}: must be a list of numbers, got {list(points)!r:.60}")
    if len(points) < 6 or len(points) % 2:
        raise DatasetError(f"{where}: needs three points or more as x, y, x, y …, got {len(points)} numbers")
    return check_points(np.array(points, np.float64).reshape(-1, 2), size_hw, where)


def check_points(polygon: Polygon, size_hw: Size | None, where: str, *, reach: float = OUTSIDE_PX) -> Polygon:
    """A polygon `(n, 2)`, cut at the photo's edge.

    Args:
        polygon: in pixels.
        size_hw: the photo's, where it is known.
        where: what to begin the message with.
        reach: how far it may reach out; circles and turned rectangles cannot but do so near an edge.

    Raises:
        DatasetError: NaN or infinite, outside the photo, or without area.
    """
    if not np.isfinite(polygon).all():
        raise DatasetError(f"{where}: holds a coordinate that is not a number (NaN or infinite)", kind="not a number")
    limit = np.array([size_hw[1], size_hw[0]] if size_hw else [_FAR_AWAY, _FAR_AWAY])
    if polygon.min() < -reach or (polygon > limit + reach).any():
        x, y = polygon[np.argmax(np.maximum(-polygon, polygon - limit).max(axis=1))]
        raise DatasetError(f"{where}: point ({x:g}, {y:g}) lies outside {_told_photo(size_hw)}", kind="outside the photo")
    polygon = np.clip(polygon, 0.0, limit)
    length = float(np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1).sum())
    if length > _LONGEST:
        told = f"is {length:,.0f} pixels long, over the limit of {_LONGEST:,}"
        raise DatasetError(f"{where}: {told}; no damage has such an outline", kind="endless outline")
    if polygon_area(polygon) <= 0.0:
        raise DatasetError(f"{where}: is degenerate, its area is 0", kind="degenerate outline")
    return polygon


def check_box(box_xyxy: Box, size_hw: Size | None, where: str, *, reach: float = OUTSIDE_PX) -> Box:
    """A box, cut at the photo's edge; `reach` is how far it may reach out.

    Raises:
        DatasetError: NaN or infinite, outside the photo, or without area.
    """
    if not all(math.isfinite(value) for value in box_xyxy):
        raise DatasetError(f"{where} holds a coordinate that is not a number (NaN or infinite)", kind="not a number")
    height, width = size_hw or (_FAR_AWAY, _FAR_AWAY)
    x_min, y_min, x_max, y_max = box_xyxy
    if x_min < -reach or y_min < -reach or x_max > width + reach or y_max > height + reach:
        told = f"({x_min:g}, {y_min:g}) to ({x_max:g}, {y_max:g})"
        raise DatasetError(f"{where} {told} lies outside {_told_photo(size_hw)}", kind="outside the photo")
    x_min, y_min, x_max, y_max = max(x_min, 0.0), max(y_min, 0.0), min(x_max, float(width)), min(y_max, float(height))
    if x_max <= x_min or y_max <= y_min:
        raise DatasetError(f"{where} is degenerate: {x_max - x_min:g} wide, {y_max - y_min:g} high", kind="degenerate outline")
    return x_min, y_min, x_max, y_max


def check_runs(counts: object, size_hw: Size, where: str) -> Mask:
    """A mask of COCO's run lengths: its compressed text, or a list of whole numbers.

    Raises:
        DatasetError: neither, not of the photo's size, or without a pixel.
    """
    if isinstance(counts, str | list) and len(counts) > _MOST_RUNS:
        raise DatasetError(
            f"{where}: RLE of {len(counts):,} counts, over the limit of {_MOST_RUNS:,}; no damage has such an outline"
        )
    try:
        if isinstance(counts, str):
            rle = runs_to_rle(rle_to_runs(Mask(size=size_hw, counts=counts)), size_hw)
        elif isinstance(counts, list) and all(is_int(count) for count in counts):
            rle = runs_to_rle(counts, size_hw)
        else:
            raise DatasetError(f"{where}: RLE counts must be a string or a list of whole numbers, got {counts!r:.40}")
    except (ShapeError, OverflowError, UnicodeError) as error:
        raise DatasetError(f"{where}: {error}") from error
    if rle_area(rle) == 0:
        raise DatasetError(f"{where}: RLE is degenerate, it holds no pixel", kind="degenerate outline")
    return rle


def check_mask_size(size_hw: Size, where: str, settings: Settings) -> None:
    """Refuses a photo's size that a file tells, before pixels of a mask are made for it.

    Raises:
        DatasetError: it is over `max_pixels`.
    """
    height, width = size_hw
    if height * width > settings.max_pixels:
        raise DatasetError(f"{where}: {width} × {height} pixels are over the limit of {settings.max_pixels / 1e6:g} megapixels")


def is_line(points: Polygon) -> bool:
    """Whether points enclose nothing: fewer than three, or all in a row."""
    return len(points) < 3 or (bool((np.abs(points) < _FAR_AWAY).all()) and polygon_area(points) == 0.0)


def to_float(value: object, where: str) -> float:
    """A number, or the text of one.

    Raises:
        DatasetError: it is neither. NaN and infinity pass; the outline they are of is checked as a whole.
    """
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise DatasetError(f"{where}: must be a number, got {value!r:.40}")


def is_int(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_side(value: object) -> TypeGuard[int]:
    """Whether it can be a photo's height or width in pixels."""
    return is_int(value) and 0 < value < _FAR_AWAY


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that fits a float, and no truth value."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53)


def _told_photo(size_hw: Size | None) -> str:
    return f"the photo of {size_hw[1]} × {size_hw[0]}" if size_hw else "any photo"
