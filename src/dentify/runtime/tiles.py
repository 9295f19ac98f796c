"""A photo in overlapping tiles, which a network sees larger than the whole, and the maps of tiles as one.

Tiles overlap by a quarter, and where they do, one fades out as the other fades in, so that no tile's edge shows. A map of all
tiles has the cells of the whole photo's map: what is finer in a tile is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import DoubleArray, FloatArray
from dentify.bundle.manifest import Tiles

OVERLAP = 0.25
"""Share of a tile that it has in common with the next."""

Span = tuple[float, float]
"""From where to where a tile reaches along one side of the photo, as shares of it."""


def tile_grid(photo_hw: tuple[int, int], tiles: Tiles | None, *, sees: int, most: int) -> tuple[int, int]:
    """How many tiles a photo is cut into, down and across; (1, 1) where it is seen as a whole alone.

    Args:
        photo_hw: pixels of the photo.
        tiles: so many along its shorter side, and as many along the longer one as keeps them about square. `auto` leaves photos
            whole whose shorter side is no more than twice what the network sees, and cuts others so that tiles are at most that.
        sees: pixels of the network's input.
        most: tiles in all; where there would be more, they are larger. A photo that is so long that two rows of them are too many
            is left whole.

    >>> tile_grid((3024, 4032), "auto", sees=416, most=12), tile_grid((832, 4032), "auto", sees=416, most=12)
    ((3, 4), (1, 1))
    >>> tile_grid((640, 640), 2, sees=416, most=12), tile_grid((480, 640), 3, sees=416, most=64)
    ((2, 2), (3, 4))
    """
    short, long = min(photo_hw), max(photo_hw)
    if tiles is None or (tiles == "auto" and short <= 2 * sees):
        return 1, 1
    along_short = int(np.ceil(_count(short / (2 * sees)))) if tiles == "auto" else tiles
    for count in range(along_short, 1, -1):
        along_long = round(_count(long / short * _reach(count)))
        if count * along_long <= most:
            return (count, along_long) if photo_hw[0] <= photo_hw[1] else (along_long, count)
    return 1, 1


def _reach(count: int) -> float:
    """How many times as long as one tile so many in a row are.

    >>> _reach(1), _reach(2)
    (1.0, 1.75)
    """
    return count - (count - 1) * OVERLAP


def _count(times: float) -> float:
    """How many tiles in a row reach so many times as far as one.

    >>> _count(1.0), _count(1.75), _count(2.125)
    (1.0, 2.0, 2.5)
    """
    return (times - OVERLAP) / (1 - OVERLAP)


def enough_side(tiles: Tiles | None, *, sees: int, most: int) -> int:
    """Pixels that a photo's shorter side needs so that no tile is seen enlarged.

    >>> enough_side("auto", sees=416, most=12), enough_side(2, sees=416, most=12), enough_side(None, sees=416, most=12)
    (1040, 728, 416)
    """
    most_along = int(np.sqrt(most))
    count = 1 if tiles is None else most_along if tiles == "auto" else min(tiles, most_along)
    return int(np.ceil(sees * _reach(max(count, 1))))


def spans(count: int) -> list[Span]:
    """Where so many tiles in a row lie.

    >>> spans(1), [(round(start, 3), round(stop, 3)) for start, stop in spans(2)]
    ([(0.0, 1.0)], [(0.0, 0.571), (0.429, 1.0)])
    """
    share = 1 / _reach(count)
    return [(place * share * (1 - OVERLAP), min(1.0, place * share * (1 - OVERLAP) + share)) for place in range(count)]


def in_pixels(down: Sequence[Span], across: Sequence[Span], image_hw: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Rows and columns of each tile, from left to right and then down."""

    def pixels(span: Span, side: int) -> slice:
        start = min(round(span[0] * side), side - 1)
        return slice(start, max(round(span[1] * side), start + 1))

    return [(pixels(rows, image_hw[0]), pixels(columns, image_hw[1])) for rows in down for columns in across]


def merge_tiles(
    maps: Sequence[FloatArray], windows: Sequence[tuple[slice, slice]], image_hw: tuple[int, int], grid_hw: tuple[int, int]
) -> FloatArray:
    """Maps of tiles as one map of the photo.

    Args:
        maps: `(C, h, w)` a tile.
        windows: of the tiles, in pixels of the image; together they cover it.
        image_hw: pixels of the image.
        grid_hw: cells wanted.

    Returns:
        `(C, H, W)` float32.
    """
    total = np.zeros((len(maps[0]), *grid_hw), np.float64)
    weights = np.zeros(grid_hw, np.float64)
    for one, window in zip(maps, windows, strict=True):
        (rows, down, fade_down), (columns, across, fade_across) = (
            _onto(window[axis], one.shape[axis + 1], image_hw[axis], grid_hw[axis]) for axis in (0, 1)
        )
        weight = np.outer(fade_down, fade_across)
        total[:, rows, columns] += weight * _means(_means(one, down, axis=1), across, axis=2)
        weights[rows, columns] += weight
    return np.asarray(total / weights, np.float32)


def _onto(window: slice, cells: int, side: int, wanted: int) -> tuple[slice, DoubleArray, DoubleArray]:
    """One axis of a tile on the photo's map.

    Returns:
        Which n of the map's cells it reaches, `(n + 1,)` their edges in cells of the tile, and `(n,)` how much the tile counts
        there: 1 in its middle, less and less where another takes over.
    """
    start, stop = window.start / side * wanted, window.stop / side * wanted  # in cells of the photo's map
    first, last = int(np.floor(start + 1e-9)), int(np.ceil(stop - 1e-9))
    edges = np.clip(np.arange(first, last + 1, dtype=np.float64), start, stop)
    middles = (edges[:-1] + edges[1:]) / 2
    fading = OVERLAP * (stop - start)
    fade = np.ones(len(middles))
    if window.start > 0:
        fade = np.minimum(fade, (middles - start) / fading)
    if window.stop < side:
        fade = np.minimum(fade, (stop - middles) / fading)
    return slice(first, last), (edges - start) / (stop - start) * cells, np.maximum(fade, 1e-6) * np.diff(edges)


def _means(maps: NDArray[np.floating], edges: DoubleArray, axis: int) -> DoubleArray:
    """Means of maps between so many edges along an axis, in cells."""
    cells = maps.shape[axis]
    sums = np.insert(np.cumsum(maps, axis=axis, dtype=np.float64), 0, 0.0, axis=axis)
    below = np.minimum(edges.astype(np.int64), cells - 1)
    along = tuple(-1 if each == axis else 1 for each in range(maps.ndim))
    share = (edges - below).reshape(along)
    until = sums.take(below, axis=axis) * (1 - share) + sums.take(below + 1, axis=axis) * share
    return np.asarray(np.diff(until, axis=axis) / np.diff(edges).reshape(along), np.float64)
