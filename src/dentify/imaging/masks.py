"""Masks as COCO's compressed run-length encoding, in numpy alone, equal to pycocotools' byte for byte.

A mask is read column by column; `runs` are the lengths of alternating stretches of 0 and 1, the first of 0 and possibly
empty. Everything here works on the runs, never on a bitmap of the photo, except where a bitmap is given or asked for.

Source: `common/maskApi.c` of cocodataset/cocoapi (`rleEncode`, `rleToString`, `rleFrString`, `rleFrPoly`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from dentify.arrays import BoolArray, IntArray
from dentify.assessment import Box, Mask
from dentify.errors import ShapeError

_CHARACTERS = 7  # of one run at most: 7 × 5 bits hold any run of a mask below 2³⁴ pixels
_POLYGON_SCALE = 5  # maskApi.c rasterises polygons on a grid five times as fine
_CELLS_AT_ONCE = 2**22  # of a crop; a large one takes less memory so, and no more time
_FAR_AWAY = 100_000  # pixels from the origin; no photo's outline lies there, and rasterising it would take the memory


def rle_encode(mask: BoolArray) -> Mask:
    """A `(h, w)` boolean mask as RLE.

    >>> rle_encode(np.array([[False, True], [False, True]]))
    Mask(size=(2, 2), counts='22')
    """
    if mask.ndim != 2:
        raise ShapeError(f"expected a mask of shape (h, w), got {mask.shape}")
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.concatenate([[0], edges])
    return _edges_to_rle(edges, (mask.shape[0], mask.shape[1]))


def rle_decode(rle: Mask) -> BoolArray:
    """The `(h, w)` boolean mask of an RLE.

    Raises:
        ShapeError: its runs do not fit its size.

    >>> rle_decode(Mask(size=(2, 2), counts="22"))
    array([[False,  True],
           [False,  True]])
    """
    runs = rle_to_runs(rle)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(rle.size[::-1]).T)


def rle_to_runs(rle: Mask) -> IntArray:
    """The runs of an RLE: pixels of 0, of 1, of 0 …, column by column.

    Raises:
        ShapeError: its runs do not fit its size.

    >>> rle_to_runs(Mask(size=(2, 2), counts="22"))
    array([2, 2])
    """
    runs = _string_to_runs(rle.counts)
    _check_runs(runs, rle.size)
    return runs


def _check_runs(runs: IntArray, mask_hw: tuple[int, int]) -> None:
    height, width = mask_hw
    if min(height, width, int(runs.min(initial=0))) < 0 or int(runs.sum()) != height * width:
        raise ShapeError(f"an RLE of size {mask_hw} needs runs that sum to {height * width}, got {int(runs.sum())}")


def runs_to_rle(runs: ArrayLike, mask_hw: tuple[int, int]) -> Mask:
    """An RLE of runs, such as the uncompressed `counts` in COCO files.

    Raises:
        ShapeError: the runs do not fit the size.

    >>> runs_to_rle([2, 2], (2, 2)).counts
    '22'
    """
    counts = np.asarray(runs, np.int64)
    _check_runs(counts, mask_hw)
    return Mask(size=mask_hw, counts=_runs_to_string(counts))


def rle_area(rle: Mask) -> int:
    """Pixels of a mask.

    >>> rle_area(Mask(size=(2, 2), counts="22"))
    2
    """
    return int(rle_to_runs(rle)[1::2].sum())


def rle_to_box(rle: Mask) -> Box | None:
    """The smallest xyxy box around a mask; `None` when the mask is empty.

    >>> rle_to_box(Mask(size=(2, 2), counts="22"))
    (1.0, 0.0, 2.0, 2.0)
    """
    starts, ends = _intervals(rle_to_runs(rle))
    if not len(starts):
        return None
    height = rle.size[0]
    x_min, x_max = starts[0] // height, (ends[-1] - 1) // height + 1
    if (starts // height != (ends - 1) // height).any():  # a run that goes on in the next column touches both edges
        y_min, y_max = 0, height
    else:
        y_min, y_max = (starts % height).min(), ((ends - 1) % height).max() + 1
    return float(x_min), float(y_min), float(x_max), float(y_max)


def mask_to_box(mask: BoolArray) -> Box | None:
    """The smallest xyxy box around a `(h, w)` boolean mask; `None` when the mask is empty.

    >>> mask_to_box(np.array([[False, True], [False, True]]))
    (1.0, 0.0, 2.0, 2.0)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def crop_to_rle(
    mask_crop: BoolArray,
    corner_xy: tuple[int, int],
    grid_hw: tuple[int, int],
    photo_hw: tuple[int, int],
    *,
    most_runs: int | None = None,
) -> Mask:
    """RLE at the photo's size of a mask that is kept within its box on a coarser (or finer) grid.

    Every pixel takes the cell in which its centre lies. The result equals encoding the scaled bitmap, at the cost of the runs
    alone: a crop of 200 × 300 cells on a photo of 12 megapixels takes about a millisecond instead of a hundred.

    Args:
        mask_crop: `(h, w)` boolean cells.
        corner_xy: column and row of the crop's top left cell on the grid.
        grid_hw: cells of the grid, which covers the photo evenly.
        photo_hw: pixels of the upright photo.
        most_runs: so many stretches of cells down its columns it may have; each takes some hundred bytes for a moment.

    Raises:
        ShapeError: the crop does not lie on the grid, or has more stretches.
    """
    (x, y), (h, w) = corner_xy, mask_crop.shape
    if x < 0 or y < 0 or y + h > grid_hw[0] or x + w > grid_hw[1]:
        raise ShapeError(f"a crop of shape {mask_crop.shape} at column {x}, row {y} does not lie on a grid of {grid_hw} cells")
    height = photo_hw[0]
    pixel_rows = _cell_edges(grid_hw[0], photo_hw[0])[y : y + h + 1]
    pixel_columns = _cell_edges(grid_hw[1], photo_hw[1])[x : x + w + 1]

    # vertical stretches of cells, column by column
    column, first, last = _column_stretches(mask_crop, most_runs)
    tops, bottoms = pixel_rows[first], pixel_rows[last]

    # each stretch, once for each column of pixels that its cells cover
    stretches = np.bincount(column, minlength=w)  # (w,) of each cell column
    cell_of_pixel = np.repeat(np.arange(w), np.diff(pixel_columns))
    repeats = stretches[cell_of_pixel]
    begins = np.cumsum(stretches) - stretches
    within = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    index = np.repeat(begins[cell_of_pixel], repeats) + within
    offset = np.repeat((pixel_columns[0] + np.arange(len(cell_of_pixel))) * height, repeats)
    starts, ends = offset + tops[index], offset + bottoms[index]
    return _edges_to_rle(_joined(starts, ends), photo_hw)


def _column_stretches(mask_crop: BoolArray, most: int | None) -> tuple[IntArray, IntArray, IntArray]:
    """Of each stretch of ones down a column: that column, its first row and the row behind its last; in order."""
    h, w = mask_crop.shape
    at_once = max(1, _CELLS_AT_ONCE // max(1, h))
    found = np.zeros((3, 0), np.int64)
    for left in range(0, w, at_once):
        some = mask_crop[:, left : left + at_once]
        padded = np.zeros((some.shape[1], h + 2), np.bool_)
        padded[:, 1:-1] = some.T
        changes = np.flatnonzero(padded.ravel()[1:] != padded.ravel()[:-1])  # each stretch begins and ends within its column
        if most is not None and found.shape[1] + len(changes) // 2 > most:
            raise ShapeError(f"a mask of more than {most:,} stretches")
        column, first = np.divmod(changes[::2], h + 2)
        found = np.concatenate([found, [left + column, first, changes[1::2] % (h + 2)]], axis=1)
    return found[0], found[1], found[2]


def rle_to_crop(rle: Mask, box_xyxy: Box, crop_hw: tuple[int, int]) -> BoolArray:
    """`(h, w)` boolean mask of what lies in a box, at any scale: the mask's pixel at the centre of each of the crop's.

    The reverse of `crop_to_rle`, and as cheap: nothing of the photo's size is made. What lies outside the photo is not mask.

    >>> rle_to_crop(Mask(size=(2, 2), counts="22"), (0, 0, 2, 2), (1, 4))
    array([[False, False,  True,  True]])
    """
    (x_min, y_min, x_max, y_max), (h, w) = box_xyxy, crop_hw
    rows = np.floor(y_min + (np.arange(h) + 0.5) * ((y_max - y_min) / h)).astype(np.int64)
    columns = np.floor(x_min + (np.arange(w) + 0.5) * ((x_max - x_min) / w)).astype(np.int64)
    inside = ((columns >= 0) & (columns < rle.size[1]))[:, None] & ((rows >= 0) & (rows < rle.size[0]))
    run = np.searchsorted(np.cumsum(rle_to_runs(rle)), columns[:, None] * rle.size[0] + rows, side="right")  # (w, h)
    return np.ascontiguousarray(((run % 2 == 1) & inside).T)


def polygons_to_rle(polygons: Sequence[ArrayLike], mask_hw: tuple[int, int]) -> Mask:
    """RLE of the union of polygons, equal to pycocotools' `merge(frPyObjects(…))`.

    Args:
        polygons: each flat `(x0, y0, x1, y1, …)` as in COCO files, or `(N, 2)`; pixels, at least three points.
        mask_hw: size of the mask.

    Raises:
        ShapeError: a polygon has fewer than three points, half a point, or points that are no place near a photo.
    """
    stretches = [_polygon_edges(polygon, mask_hw).reshape(-1, 2) for polygon in polygons]
    if not stretches:
        return _edges_to_rle(np.zeros(0, np.int64), mask_hw)
    joined = np.concatenate(stretches)
    return _edges_to_rle(_union(joined[:, 0], joined[:, 1]), mask_hw)


def polygons_to_mask(polygons: Sequence[ArrayLike], mask_hw: tuple[int, int]) -> BoolArray:
    """The `(h, w)` boolean mask of the union of polygons; see `polygons_to_rle`.

    OpenCV's `fillPoly` is not used: it draws the outline, too, and makes thin scratches a pixel wider on each side.

    >>> polygons_to_mask([[1, 0, 3, 0, 3, 2, 1, 2]], (3, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    return rle_decode(polygons_to_rle(polygons, mask_hw))


def _cell_edges(cells: int, pixels: int) -> IntArray:
    """`(cells + 1,)`: the first pixel whose centre lies in each cell, and the number of pixels."""
    return -((cells - 2 * pixels * np.arange(cells + 1, dtype=np.int64)) // (2 * cells))


def _intervals(runs: IntArray) -> tuple[IntArray, IntArray]:
    """First pixel and pixel after the last of every stretch of ones that is not empty."""
    edges = np.cumsum(runs)
    starts, ends = edges[:-1:2], edges[1::2]
    some = ends > starts
    return starts[some], ends[some]


def _joined(starts: IntArray, ends: IntArray) -> IntArray:
    """Edges of ordered, disjoint intervals: empty ones left out, those that touch made one."""
    some = ends > starts
    starts, ends = starts[some], ends[some]
    apart = np.concatenate([[True], starts[1:] != ends[:-1]])
    return np.stack([starts[apart[: len(starts)]], ends[np.roll(apart, -1)[: len(ends)]]], axis=1).ravel()


def _union(starts: IntArray, ends: IntArray) -> IntArray:
    """Edges of the union of intervals in any order."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    if not len(starts):
        return starts
    apart = np.concatenate([[True], starts[1:] > ends[:-1]])
    return np.stack([starts[apart], ends[np.concatenate([apart[1:], [True]])]], axis=1).ravel()


def _polygon_edges(polygon: ArrayLike, mask_hw: tuple[int, int]) -> IntArray:
    """Where a polygon's mask begins and ends, flat positions column by column: `rleFrPoly`, vectorised.

    The outline is traced on a grid five times as fine; where it steps from one column of pixels to the next, it toggles the
    column below that point.
    """
    points = np.asarray(polygon, np.float64).ravel()
    if len(points) < 6 or len(points) % 2:
        raise ShapeError(f"a polygon needs pairs of x and y, three or more, got {len(points)} numbers")
    if not (np.abs(points) < _FAR_AWAY).all():  # NaN, too
        raise ShapeError(f"a polygon's points must lie within {_FAR_AWAY} pixels of the photo's corner")
    height, width = mask_hw
    xy = np.trunc(_POLYGON_SCALE * points.reshape(-1, 2) + 0.5).astype(np.int64)
    u, v = _outline(xy, np.roll(xy, -1, axis=0))

    step = np.flatnonzero(u[1:] != u[:-1]) + 1
    x = (np.where(u[step] < u[step - 1], u[step], u[step] - 1) + 0.5) / _POLYGON_SCALE - 0.5
    y = (np.minimum(v[step], v[step - 1]) + 0.5) / _POLYGON_SCALE - 0.5
    inside = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    toggles = x[inside].astype(np.int64) * height + np.ceil(np.clip(y[inside], 0, height)).astype(np.int64)
    places, times = np.unique(toggles, return_counts=True)
    places = places[times % 2 == 1]
    # a toggle at the picture's very end opens a stretch of nothing
    return places if len(places) % 2 == 0 else np.append(places, height * width)


def _outline(start: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Points of a closed outline on the fine grid, edge after edge, one a step along the longer axis of the edge.

    Args:
        start: `(N, 2)` where each edge begins.
        end: `(N, 2)` where each edge ends.
    """
    length = np.abs(end - start)
    along_x = length[:, 0] >= length[:, 1]
    flip = np.where(along_x, start[:, 0] > end[:, 0], start[:, 1] > end[:, 1])
    low = np.where(flip[:, None], end, start)
    high = np.where(flip[:, None], start, end)
    steps = length.max(axis=1)
    main, other = np.where(along_x, 0, 1), np.where(along_x, 1, 0)
    rows = np.arange(len(start))
    rise = high[rows, other] - low[rows, other]
    slope = np.divide(rise, steps, out=np.zeros(len(steps)), where=steps > 0)

    edge = np.repeat(rows, steps + 1)
    count = np.arange(len(edge)) - np.repeat(np.cumsum(steps + 1) - (steps + 1), steps + 1)
    t = np.where(flip[edge], steps[edge] - count, count)
    on_main = low[edge, main[edge]] + t
    on_other = np.trunc(low[edge, other[edge]] + slope[edge] * t + 0.5).astype(np.int64)
    u = np.where(along_x[edge], on_main, on_other)
    v = np.where(along_x[edge], on_other, on_main)
    return u, v


def _edges_to_rle(edges: IntArray, mask_hw: tuple[int, int]) -> Mask:
    """RLE of where stretches of ones begin and end: even in number, or odd when the last goes on to the end."""
    pixels = mask_hw[0] * mask_hw[1]
    if not len(edges) or edges[-1] != pixels:
        edges = np.append(edges, pixels)
    return Mask(size=mask_hw, counts=_runs_to_string(np.diff(edges, prepend=0)))


def _runs_to_string(runs: IntArray) -> str:
    """COCO's compression: each run less the one before the previous, in groups of 5 bits, lowest first, as characters from 48.

    >>> _runs_to_string(np.array([0, 100, 20, 90, 40]))
    '0T3d0Fd0'
    """
    values = runs.copy()
    values[3:] -= runs[1:-2]
    length = np.ones(len(values), np.int64)
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0)) - 1)
    for groups in range(1, _CHARACTERS):  # a value needs one more when it does not fit `groups` × 5 signed bits
        limit = 1 << (5 * groups - 1)
        if largest < limit:
            break
        length += (values < -limit) | (values >= limit)
    place = np.arange(int(length.max(initial=1)))
    characters = (values[:, None] >> (5 * place)) & 0x1F  # (runs, groups)
    characters |= (place < length[:, None] - 1) * 0x20
    return bytes((characters + 48)[place < length[:, None]].astype(np.uint8)).decode("ascii")


def _string_to_runs(counts: str) -> IntArray:
    """The reverse of `_runs_to_string`.

    >>> _string_to_runs("0T3d0Fd0")
    array([  0, 100,  20,  90,  40])
    """
    characters = np.frombuffer(counts.encode("utf-8"), np.uint8).astype(np.int64) - 48
    if not len(characters) or characters.min() < 0 or characters.max() > 0x3F or characters[-1] & 0x20:
        raise ShapeError(f"an RLE's counts must be COCO's compressed text, got {counts[:20]!r}")
    ends = np.flatnonzero((characters & 0x20) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts + 1
    if length.max() > _CHARACTERS:
        raise ShapeError("an RLE's counts hold a run longer than any mask")
    place = np.arange(len(characters)) - np.repeat(starts, length)
    values: IntArray = np.add.reduceat((characters & 0x1F) << (5 * place), starts)
    values -= np.where(characters[ends] & 0x10, 1 << (5 * length), 0)
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs
