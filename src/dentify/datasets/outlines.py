"""Outlines as sources give them, checked against their photo: polygons, boxes and run lengths.

What reaches out of the photo by a hair is cut at its edge, and boxes whose corners come in another order are sorted; both are
told to `adjust`. Anything else that cannot be is a `DatasetError` that begins with `where`. Where the photo's size is not known,
only what lies before its corner is found out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dentify.arrays import BoolArray, DoubleArray
from dentify.assessment import Box, Mask
from dentify.datasets.adjustments import OnAdjust
from dentify.datasets.numbers import FAR_AWAY, Size, coordinates_of, four_numbers, number_of, whole_of
from dentify.errors import DatasetError, ShapeError
from dentify.imaging.masks import crop_to_rle, rle_area, rle_to_runs, runs_to_rle
from dentify.imaging.polygons import Polygon, polygon_area, polygons_to_box, turned_rectangle
from dentify.settings import Settings

if TYPE_CHECKING:
    from dentify.datasets.label_set import LabelSet

OUTSIDE_PX, OUTSIDE_SHARE = 2.0, 0.01
"""How far an outline may reach out of its photo before it counts as wrong: in pixels, or in shares of the photo's side where that
is more. Annotation tools round (DSMLR's reach 1.8 px); of shares, Ultralytics takes up to 1.01."""

CUT = "outlines that reach out of their photo by a hair are cut at its edge"
SORTED = "boxes whose corners come in another order are sorted"

_SHARES = "lies within the photo's first pixel; are its numbers shares of the photo, and not pixels?"
_LEAST_SIDE = 100  # pixels of a photo on which nothing is labelled that is smaller than one
_NOISE_PX = 0.01  # which numbers as text leave behind

_LONGEST = 500_000  # pixels: 12 times around the largest photo; an outline takes 300 bytes and a microsecond for each
_MOST_RUNS = 1_000_000  # of a mask, or characters of its text; each run takes 120 bytes for a moment


def _unsaid(rule: str, where: str) -> None:
    """Where nobody asks what was done to an outline."""


def check_polygon(points: object, size_hw: Size | None, where: str, adjust: OnAdjust = _unsaid) -> Polygon:
    """A polygon of numbers `x, y, x, y …`, or of points; see `coordinates_of`.

    Raises:
        DatasetError: not numbers, fewer than three points, NaN or infinite, outside the photo, or without area.
    """
    numbers = coordinates_of(points)
    if numbers is None:
        raise DatasetError(f"{where}: must be a list of numbers, got {points!r:.60}")
    if len(numbers) < 6 or len(numbers) % 2:
        told = f"needs three points or more as x, y, x, y …, got {len(numbers)} numbers"
        raise DatasetError(f"{where}: {told}", kind="invalid label" if len(numbers) % 2 else "degenerate outline")
    return check_points(np.array(numbers, np.float64).reshape(-1, 2), size_hw, where, adjust)


def points_of(points: object, where: str) -> Polygon:
    """Points `(n, 2)` of a label file, unchecked; see `coordinates_of`.

    Raises:
        DatasetError: they are none.
    """
    numbers = coordinates_of(points)
    if not numbers or len(numbers) % 2:
        raise DatasetError(f"{where}: points must be numbers as [x, y], got {points!r:.60}")
    return np.array(numbers, np.float64).reshape(-1, 2)


def check_pieces(pieces: Sequence[object], size_hw: Size | None, where: str, label_set: LabelSet) -> tuple[Polygon, ...]:
    """The polygons of one thing; one bad piece does not cost the good ones.

    Scraps that enclose nothing, which converters leave behind, are left out, and told to `adjust`; other pieces that do not hold
    are refused, and the others stay. The first polygon that holds makes the thing.

    Args:
        pieces: each a list of numbers `x, y, x, y …`, or of points.
        size_hw: the photo's, where it is known.
        where: what to begin messages with.
        label_set: is told.

    Raises:
        DatasetError: no piece holds; what is wrong with the first.
    """
    good: list[Polygon] = []
    scraps: list[tuple[str, DatasetError]] = []
    wrong: list[DatasetError] = []
    for index, points in enumerate(pieces):
        place = f"{where}: polygon {index}"
        try:
            good.append(check_polygon(points, size_hw, place, label_set.adjust))
        except DatasetError as error:
            if error.kind == "degenerate outline":
                scraps.append((place, error))
            else:
                wrong.append(error)
    if pieces and not good:
        raise [*wrong, *(fault for _, fault in scraps)][0]
    for place, _ in scraps:
        label_set.adjust("scraps of outlines that enclose nothing are left out, the rest of the outline stays", place)
    for fault in wrong:
        label_set.refuse(fault)
    return tuple(good)


def check_points(
    polygon: Polygon, size_hw: Size | None, where: str, adjust: OnAdjust = _unsaid, *, reach: float | None = None
) -> Polygon:
    """A polygon `(n, 2)`, cut at the photo's edge.

    Args:
        polygon: in pixels.
        size_hw: the photo's, where it is known.
        where: what to begin the message with.
        adjust: is told when something is cut.
        reach: how far it may reach out in pixels, if not by a hair; circles and turned rectangles cannot but do so near an edge.

    Raises:
        DatasetError: NaN or infinite, outside the photo, or without area.
    """
    if not np.isfinite(polygon).all():
        raise DatasetError(f"{where}: holds a coordinate that is not a number (NaN or infinite)", kind="not a number")
    limit = np.array([size_hw[1], size_hw[0]] if size_hw else [FAR_AWAY, FAR_AWAY])
    hair = _hair(size_hw) if reach is None else np.full(2, reach)
    if (polygon < -hair).any() or (polygon > limit + hair).any():
        x, y = polygon[np.argmax(np.maximum(-polygon, polygon - limit).max(axis=1))]
        raise DatasetError(f"{where}: point ({x:g}, {y:g}) lies outside {_told_photo(size_hw)}", kind="outside the photo")
    if reach is None and polygon.max(initial=0.0) <= 1.0 and _are_shares(polygon.ravel().tolist(), size_hw):
        raise DatasetError(f"{where}: {_SHARES}")
    inside = np.clip(polygon, 0.0, limit)
    if reach is None and np.abs(inside - polygon).max() > _NOISE_PX:
        adjust(CUT, where)
    polygon = inside
    length = float(np.abs(polygon - np.roll(polygon, 1, axis=0)).max(axis=1).sum())
    if length > _LONGEST:
        told = f"is {length:,.0f} pixels long, over the limit of {_LONGEST:,}"
        raise DatasetError(f"{where}: {told}; no damage has such an outline", kind="endless outline")
    if polygon_area(polygon) <= 0.0:
        raise DatasetError(f"{where}: is degenerate, its area is 0", kind="degenerate outline")
    return polygon


def check_box(box_xyxy: Box, size_hw: Size | None, where: str, adjust: OnAdjust = _unsaid, *, reach: float | None = None) -> Box:
    """A box, its corners sorted, cut at the photo's edge.

    Args:
        box_xyxy: in pixels; the corners may come in any order, as they do of boxes that are drawn upwards.
        size_hw: the photo's, where it is known.
        where: what to begin the message with.
        adjust: is told when corners are sorted and when something is cut.
        reach: how far it may reach out in pixels, if not by a hair.

    Raises:
        DatasetError: NaN or infinite, outside the photo, or without area.
    """
    if not all(math.isfinite(value) for value in box_xyxy):
        raise DatasetError(f"{where} holds a coordinate that is not a number (NaN or infinite)", kind="not a number")
    height, width = size_hw or (FAR_AWAY, FAR_AWAY)
    (x_min, x_max), (y_min, y_max) = sorted(box_xyxy[::2]), sorted(box_xyxy[1::2])
    across, down = _hair(size_hw).tolist() if reach is None else (reach, reach)
    if x_min < -across or y_min < -down or x_max > width + across or y_max > height + down:
        told = f"({x_min:g}, {y_min:g}) to ({x_max:g}, {y_max:g})"
        raise DatasetError(f"{where} {told} lies outside {_told_photo(size_hw)}", kind="outside the photo")
    if reach is None and _are_shares(box_xyxy, size_hw):
        raise DatasetError(f"{where} {_SHARES}")
    over = max(-x_min, -y_min, x_max - width, y_max - height)
    x_min, y_min, x_max, y_max = max(x_min, 0.0), max(y_min, 0.0), min(x_max, float(width)), min(y_max, float(height))
    if x_max <= x_min or y_max <= y_min:
        raise DatasetError(f"{where} is degenerate: {x_max - x_min:g} wide, {y_max - y_min:g} high", kind="degenerate outline")
    if box_xyxy[2] < box_xyxy[0] or box_xyxy[3] < box_xyxy[1]:
        adjust(SORTED, where)
    if reach is None and over > _NOISE_PX:
        adjust(CUT, where)
    return x_min, y_min, x_max, y_max


def turned_box(
    bbox: object, rotation: object, size_hw: Size | None, where: str, adjust: OnAdjust = _unsaid
) -> tuple[Polygon, Box] | None:
    """A box `x, y, width, height` that an attribute turns by so many degrees around its centre, as CVAT's exports say it.

    Returns:
        Its polygon and the box around that; `None` where it is not turned, or no box.

    Raises:
        DatasetError: it lies outside the photo, or is without area.
    """
    turn, box = number_of(rotation), four_numbers(bbox)
    if box is None or turn is None or not math.isfinite(turn) or not turn % 360:
        return None
    x, y, w, h = box
    polygon = turned_rectangle((x + w / 2, y + h / 2), (w, h), math.radians(turn))
    polygon = check_points(polygon, size_hw, f"{where}: turned bbox", adjust, reach=math.inf)
    return polygon, polygons_to_box([polygon])


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
            counted = rle_to_runs(Mask(size=size_hw, counts=counts))
            rle, area = runs_to_rle(counted, size_hw), int(counted[1::2].sum())
        elif isinstance(counts, list) and len(runs := [run for one in counts if (run := whole_of(one)) is not None]) == len(
            counts
        ):
            rle, area = runs_to_rle(runs, size_hw), sum(runs[1::2])
        else:
            raise DatasetError(f"{where}: RLE counts must be a string or a list of whole numbers, got {counts!r:.40}")
    except (ShapeError, OverflowError, UnicodeError) as error:
        raise DatasetError(f"{where}: {error}") from error
    if area == 0:
        raise DatasetError(f"{where}: RLE is degenerate, it holds no pixel", kind="degenerate outline")
    return rle


def mask_of(crop: BoolArray, corner_xy: tuple[int, int], size_hw: Size, where: str) -> Mask:
    """A mask that is told within its box.

    Args:
        crop: `(h, w)` boolean.
        corner_xy: column and row of its upper left pixel on the photo.
        size_hw: the photo's.
        where: what to begin the message with.

    Raises:
        DatasetError: it does not lie on the photo, holds no pixel, or more stretches than any damage.
    """
    (x, y), (h, w) = corner_xy, crop.shape
    if min(x, y) < 0 or x + w > size_hw[1] or y + h > size_hw[0]:
        raise DatasetError(
            f"{where}: a mask of {w} × {h} at ({x}, {y}) does not lie on the photo of {size_hw[1]} × {size_hw[0]}",
            kind="outside the photo",
        )
    try:
        rle = crop_to_rle(crop, (x, y), size_hw, size_hw, most_runs=_MOST_RUNS)
    except ShapeError as error:
        raise DatasetError(f"{where}: {error}; no damage has such an outline", kind="endless outline") from error
    if rle_area(rle) == 0:
        raise DatasetError(f"{where}: is degenerate, it holds no pixel", kind="degenerate outline")
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
    return len(points) < 3 or (bool((np.abs(points) < FAR_AWAY).all()) and polygon_area(points) == 0.0)


def _are_shares(numbers: Sequence[float], size_hw: Size | None) -> bool:
    """Whether coordinates look like shares of the photo among pixels: all within its first pixel, and not on its corners."""
    return (
        size_hw is not None
        and min(size_hw) >= _LEAST_SIDE
        and all(0 <= value <= 1 for value in numbers)
        and any(value % 1 for value in numbers)
    )


def _hair(size_hw: Size | None) -> DoubleArray:
    """How far something may reach out to the sides, and above and below."""
    return np.maximum(OUTSIDE_PX, OUTSIDE_SHARE * np.array(size_hw[::-1] if size_hw else (0, 0), np.float64))


def _told_photo(size_hw: Size | None) -> str:
    return f"the photo of {size_hw[1]} × {size_hw[0]}" if size_hw else "any photo"


def _whole_numbers(values: Sequence[object]) -> list[int]:
    """Those among some values that are whole numbers, however they are spelled."""
    return [number for value in values if (number := whole_of(value)) is not None]
