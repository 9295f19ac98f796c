"""`Instances`: what a model found on one photo, as arrays. Pydantic begins only at the `Assessment`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dentify.errors import ShapeError

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Instances:
    """N things found on one photo, most confident first.

    Masks are kept within their boxes on a *grid*: the photo, evenly shrunk or stretched to `grid_hw` cells. The grid is fine
    enough for what the model knows and coarse enough to be cheap on a 12-megapixel photo.

    Attributes:
        boxes_xyxy: `(N, 4)` float32, pixels of the upright photo; `(0, 4)` when nothing was found.
        scores: `(N,)` float32 in [0, 1], calibrated.
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
