"""`Instances`: what a model found on one photo, as arrays. Pydantic begins only at the `Assessment`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from dentify.assessment import Mask
from dentify.errors import ShapeError
from dentify.imaging.masks import crop_to_rle

_BESIDE_SIDE = 208  # cells along the photo's longer side on which what lies beside what is looked up


@dataclass(frozen=True)
class Instances:
    """N things found on one photo, most confident first.

    Masks are kept within their boxes on a *grid*: the photo, evenly shrunk or stretched to `grid_hw` cells. The grid is fine
    enough for what the model knows and coarse enough to be cheap on a 12-megapixel photo.

    Attributes:
        boxes_xyxy: `(N, 4)` float32, pixels of the upright photo; `(0, 4)` when nothing was found.
        scores: `(N,)` float32 in [0, 1]: a decoder's own, or calibrated.
        class_ids: `(N,)` int64, indices into the class names of the model's role.
        masks: N boolean crops `(h, w)` on the grid, or `None` for models that know boxes only.
        corners_xy: `(N, 2)` int64, where each crop's top left cell lies on the grid.
        grid_hw: cells of the grid.
        photo_hw: pixels of the upright photo.
    """

    boxes_xyxy: FloatArray
    scores: FloatArray
    class_ids: IntArray
    masks: tuple[BoolArray, ...] | None
    corners_xy: IntArray
    grid_hw: tuple[int, int]
    photo_hw: tuple[int, int]

    def __post_init__(self) -> None:
        n = len(self.scores)
        for name, expected in (("boxes_xyxy", (n, 4)), ("class_ids", (n,)), ("corners_xy", (n, 2))):
            shape = getattr(self, name).shape
            if shape != expected:
                raise ShapeError(f"Instances.{name} must have shape {expected}, got {shape}")
        if self.masks is not None and len(self.masks) != n:
            raise ShapeError(f"Instances.masks must hold {n} masks, got {len(self.masks)}")

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls, photo_hw: tuple[int, int], grid_hw: tuple[int, int]) -> Self:
        """Nothing found."""
        return cls(
            boxes_xyxy=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            class_ids=np.zeros(0, np.int64),
            masks=(),
            corners_xy=np.zeros((0, 2), np.int64),
            grid_hw=grid_hw,
            photo_hw=photo_hw,
        )

    def select(self, keep: BoolArray | IntArray) -> Self:
        """The instances that a boolean mask or an index array names, in that order."""
        indices = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep
        masks = None if self.masks is None else tuple(self.masks[int(index)] for index in indices)
        return type(self)(
            boxes_xyxy=self.boxes_xyxy[indices],
            scores=self.scores[indices],
            class_ids=self.class_ids[indices],
            masks=masks,
            corners_xy=self.corners_xy[indices],
            grid_hw=self.grid_hw,
            photo_hw=self.photo_hw,
        )

    @property
    def area_shares(self) -> DoubleArray:
        """`(N,)`: how much of the photo each covers."""
        cells = [np.count_nonzero(self.cells(index)[2]) for index in range(len(self))]
        return np.array(cells, np.float64) / (self.grid_hw[0] * self.grid_hw[1])

    def rle(self, index: int) -> Mask | None:
        """The mask of one instance at the photo's size; `None` where the model gave none."""
        if self.masks is None:
            return None
        x, y = (int(value) for value in self.corners_xy[index])
        return crop_to_rle(self.masks[index], (x, y), self.grid_hw, self.photo_hw)

    def cells(self, index: int) -> tuple[slice, slice, BoolArray]:
        """Where one instance lies on the grid: rows, columns, and which cells of that crop; its box where it has no mask."""
        if self.masks is None:
            mask = self.on_grid(index)
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else mask[:0, :0]
            x, y = (int(columns[0]), int(rows[0])) if len(rows) else (0, 0)
        else:
            crop = self.masks[index]
            x, y = (int(value) for value in self.corners_xy[index])
        return slice(y, y + crop.shape[0]), slice(x, x + crop.shape[1]), crop

    def on_grid(self, index: int) -> BoolArray:
        """`grid_hw` boolean mask of one instance, its box filled where the model gave no mask."""
        canvas = np.zeros(self.grid_hw, np.bool_)
        if self.masks is None:
            scale = np.array([self.grid_hw[1] / self.photo_hw[1], self.grid_hw[0] / self.photo_hw[0]] * 2)
            x_min, y_min, x_max, y_max = np.rint(self.boxes_xyxy[index] * scale).astype(int)
            canvas[y_min : max(y_max, y_min + 1), x_min : max(x_max, x_min + 1)] = True
            return canvas
        x, y = (int(value) for value in self.corners_xy[index])
        crop = self.masks[index]
        canvas[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        return canvas


def shared_areas(ones: Instances, others: Instances) -> DoubleArray:
    """`(N, M)`: how much of the photo each of N instances covers together with each of M, whose grid may be another."""
    shared = np.zeros((len(ones), len(others)), np.float64)
    if not shared.size:
        return shared
    on_grid = np.stack([others.on_grid(index) for index in range(len(others))])  # (M, h, w)
    for index in range(len(ones)):
        rows, columns, crop = ones.cells(index)
        shared[index] = [np.count_nonzero(mask & crop) for mask in sampled(on_grid, ones.grid_hw, rows, columns)]
    return shared / (ones.grid_hw[0] * ones.grid_hw[1])


def areas_beside(ones: Instances, others: Instances, reaching: BoolArray) -> DoubleArray:
    """`(N, M)`: how much of the photo each of N instances covers beside M others, each cell counted for the nearest of them.

    A cell lies beside another where it is on none and no farther away than half the side of a square as large as the instance. An
    instance in a gap between others lies beside them whatever its size, one that touches them with an edge does so by half.

    Args:
        ones: N of them.
        others: M of them, on any grid over the same photo.
        reaching: `(M,)`, which of them a cell may lie beside.
    """
    beside = np.zeros((len(ones), len(others)), np.float64)
    if not len(ones) or not reaching.any():
        return beside
    photo_h, photo_w = ones.photo_hw
    scale = _BESIDE_SIDE / max(photo_h, photo_w)  # cells of the photo's own shape, so that distances are the same along both
    grid_hw = (max(1, round(photo_h * scale)), max(1, round(photo_w * scale)))
    everywhere = slice(0, grid_hw[0]), slice(0, grid_hw[1])
    occupied = np.zeros(grid_hw, np.bool_)
    owner = np.full(grid_hw, -1)
    for index in range(len(others)):
        mask = sampled(others.on_grid(index)[None], grid_hw, *everywhere)[0]
        occupied |= mask
        if reaching[index]:
            owner[mask & (owner < 0)] = index
    if not (owner >= 0).any():
        return beside
    distances, labels = cv2.distanceTransformWithLabels(
        (owner < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner_of = np.zeros(labels.max() + 1, np.int64)
    owner_of[labels[owner >= 0]] = owner[owner >= 0]
    nearest = owner_of[labels]
    distances[occupied] = np.inf
    for index, share in enumerate(ones.area_shares):
        rows, columns, crop = ones.cells(index)
        near = sampled(distances[None], ones.grid_hw, rows, columns)[0] <= 0.5 * np.sqrt(share * distances.size)
        which = sampled(nearest[None], ones.grid_hw, rows, columns)[0][crop & near]
        beside[index] = np.bincount(which, minlength=len(others))
    return beside / (ones.grid_hw[0] * ones.grid_hw[1])


def means_over_cells(instances: Instances, maps: FloatArray) -> FloatArray:
    """`(N, C)`: the mean of each of some maps over the cells of each instance.

    Args:
        instances: N of them.
        maps: `(C, h, w)` over the photo, on any grid.
    """
    means = np.zeros((len(instances), len(maps)), np.float32)
    for index in range(len(instances)):
        rows, columns, crop = instances.cells(index)
        means[index] = sampled(maps, instances.grid_hw, rows, columns)[:, crop].mean(axis=1)
    return means


def sampled(maps: NDArray[Any], grid_hw: tuple[int, int], rows: slice, columns: slice) -> NDArray[Any]:
    """A window of maps `(C, h, w)` as another grid over the same photo sees it, each cell from the one that holds its centre.

    Args:
        maps: over the photo.
        grid_hw: height and width of the other grid.
        rows: of the window, in cells of the other grid.
        columns: likewise.

    >>> sampled(np.array([[[1, 2], [3, 4]]]), (2, 4), slice(0, 2), slice(1, 4)).tolist()
    [[[1, 2, 2], [3, 4, 4]]]
    """
    y, x = (
        ((np.arange(window.start, window.stop) + 0.5) * source / size).astype(np.int64)
        for window, size, source in zip((rows, columns), grid_hw, maps.shape[1:], strict=True)
    )
    window: NDArray[Any] = maps.take(y, axis=1).take(x, axis=2)  # twice as fast as indexing with both
    return window


def instances_of_crops(
    found: list[tuple[float, tuple[int, int, int, BoolArray]]], grid_hw: tuple[int, int], photo_hw: tuple[int, int]
) -> Instances:
    """Scored crops on a grid, in the order given, as instances with boxes in pixels of the photo."""
    if not found:
        return Instances.empty(photo_hw, grid_hw)
    corners = np.array([[x, y] for _, (_, x, y, _) in found], np.int64)
    sizes = np.array([mask.shape[::-1] for _, (_, _, _, mask) in found], np.int64)
    scale = np.array([photo_hw[1] / grid_hw[1], photo_hw[0] / grid_hw[0]])
    return Instances(
        boxes_xyxy=np.concatenate([corners * scale, (corners + sizes) * scale], 1).astype(np.float32),
        scores=np.array([score for score, _ in found], np.float32),
        class_ids=np.array([class_id for _, (class_id, *_) in found], np.int64),
        masks=tuple(mask for _, (*_, mask) in found),
        corners_xy=corners,
        grid_hw=grid_hw,
        photo_hw=photo_hw,
    )
