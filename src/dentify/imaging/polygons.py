"""Outlines as polygons: area, round shapes, and the exact outline of a mask's pixels.

A polygon is `(n, 2)` float64, x and y in pixels of the upright photo; pixel `(row, column)` covers the square from
`(column, row)` to `(column + 1, row + 1)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dentify.arrays import BoolArray, DoubleArray
from dentify.assessment import Mask
from dentify.imaging.masks import rle_to_box, rle_to_crop

Polygon = DoubleArray
Corner = tuple[int, int]

ROUNDNESS_PX = 0.05
"""How far a polygon that stands for a circle or an ellipse may lie within it."""


def polygon_area(polygon: Polygon) -> float:
    """Area within a polygon `(n, 2)`, by the shoelace formula.

    >>> polygon_area(np.array([[0, 0], [4, 0], [4, 3]]))
    6.0
    """
    return abs(_signed_area(polygon))


def ellipse_to_polygon(centre_xy: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Polygon:
    """The polygon of an ellipse, never further from it than `ROUNDNESS_PX`.

    Args:
        centre_xy: in pixels.
        radii: along the ellipse's own x and y, in pixels.
        angle: turn of its own x away from the photo's, towards y (clockwise as seen), in radians.

    >>> ellipse_to_polygon((10, 10), (2, 2)).shape
    (16, 2)
    """
    # a chord of a circle of radius r lies r (1 - cos(π / n)) within it at most
    sagitta = min(ROUNDNESS_PX / max(*radii, ROUNDNESS_PX), 1.0)
    points = max(16, math.ceil(math.pi / math.acos(1 - sagitta)))
    t = np.linspace(0, 2 * math.pi, points, endpoint=False)
    own = np.stack([radii[0] * np.cos(t), radii[1] * np.sin(t)], axis=1)
    return own @ _turn(angle).T + np.asarray(centre_xy, np.float64)


def turned_rectangle(centre_xy: tuple[float, float], sides_wh: tuple[float, float], angle: float) -> Polygon:
    """The four corners of a rectangle that is turned around its centre by `angle` radians, clockwise as seen.

    >>> turned_rectangle((5, 5), (4, 2), 0.0).tolist()
    [[3.0, 4.0], [7.0, 4.0], [7.0, 6.0], [3.0, 6.0]]
    """
    half_w, half_h = sides_wh[0] / 2, sides_wh[1] / 2
    own = np.array([[-half_w, -half_h], [half_w, -half_h], [half_w, half_h], [-half_w, half_h]])
    return own @ _turn(angle).T + np.asarray(centre_xy, np.float64)


def box_to_polygon(box_xyxy: tuple[float, float, float, float]) -> Polygon:
    """The four corners of a box.

    >>> box_to_polygon((1, 2, 5, 4)).tolist()
    [[1.0, 2.0], [5.0, 2.0], [5.0, 4.0], [1.0, 4.0]]
    """
    x_min, y_min, x_max, y_max = box_xyxy
    return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]], np.float64)


def polygons_to_box(polygons: Sequence[ArrayLike]) -> tuple[float, float, float, float]:
    """The smallest xyxy box around one or more polygons `(n, 2)`.

    >>> polygons_to_box([[[1, 2], [5, 2], [5, 4]]])
    (1.0, 2.0, 5.0, 4.0)
    """
    points = np.concatenate([np.asarray(polygon, np.float64) for polygon in polygons])
    (x_min, y_min), (x_max, y_max) = points.min(axis=0), points.max(axis=0)
    return float(x_min), float(y_min), float(x_max), float(y_max)


def rle_to_polygons(rle: Mask) -> tuple[list[Polygon], list[Polygon]]:
    """The exact outlines of a mask, along the edges of its pixels: around its pieces, and around the holes in them.

    Pixels that touch at a corner alone are pieces of their own.

    >>> outer, holes = rle_to_polygons(Mask(size=(2, 2), counts="22"))
    >>> outer[0].tolist(), holes
    ([[2.0, 0.0], [2.0, 2.0], [1.0, 2.0], [1.0, 0.0]], [])
    """
    box = rle_to_box(rle)
    if box is None:
        return [], []
    x_min, y_min, x_max, y_max = (int(value) for value in box)
    crop = rle_to_crop(rle, box, (y_max - y_min, x_max - x_min))
    outer: list[Polygon] = []
    holes: list[Polygon] = []
    for loop in _edge_loops(np.pad(crop, 1)):
        polygon = loop + np.array([x_min - 1, y_min - 1], np.float64)
        (outer if _signed_area(polygon) > 0 else holes).append(polygon)
    return outer, holes


def _signed_area(polygon: Polygon) -> float:
    """Positive where the points run clockwise as seen, y pointing down."""
    x, y = (np.asarray(polygon, np.float64) - polygon[0]).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _turn(angle: float) -> DoubleArray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _edge_loops(mask: BoolArray) -> list[Polygon]:
    """The corners of closed ways along the edges of the mask's pixels, mask to the right of the way; the rim is background.

    Where two pixels touch at a corner alone, ways turn right, which keeps the two apart.
    """
    ways: dict[Corner, list[Corner]] = {}  # from a corner: the steps that lead on, two where pixels touch there alone
    top, bottom = mask[1:] & ~mask[:-1], mask[:-1] & ~mask[1:]
    left, right = mask[:, 1:] & ~mask[:, :-1], mask[:, :-1] & ~mask[:, 1:]
    # which edges, where they start from the pixel before them, and which way they go
    for edges, (x, y), step in (
        (top, (0, 1), (1, 0)),
        (bottom, (1, 1), (-1, 0)),
        (left, (1, 1), (0, -1)),
        (right, (1, 0), (0, 1)),
    ):
        rows, columns = np.nonzero(edges)
        for corner in zip((columns + x).tolist(), (rows + y).tolist(), strict=True):
            ways.setdefault(corner, []).append(step)

    loops = []
    while ways:
        start = at = next(iter(ways))
        first = step = ways[start][0]
        corners: list[Corner] = []
        while True:
            ways[at].remove(step)
            if not ways[at]:
                del ways[at]
            at = (at[0] + step[0], at[1] + step[1])
            turned = (-step[1], step[0])
            closed = at == start and (at not in ways or turned == first)
            following = first if closed else turned if turned in ways[at] else ways[at][0]
            if following != step:
                corners.append(at)
            if closed:
                break
            step = following
        loops.append(np.array(corners, np.float64))
    return loops
