"""Photos and scenes for tests of what networks are taught: a photo is 128 pixels wide and high, its picture 64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dentify.arrays import Matrix
from dentify.datasets import Annotation, Sample
from dentify.imaging.polygons import box_to_polygon
from dentify.imaging.views import moved_view, whole_view
from dentify.taxonomy import PART_NAMES
from dentify.training.classes import Classes
from dentify.training.scene import Placed, Scene

HW = (128, 128)
SIZE = 64
WHOLE = whole_view(HW, (SIZE, SIZE))
MIRRORED = np.array([[-0.5, 0, SIZE], [0, 0.5, 0]])
CLASSES = Classes(
    damage=("dent", "scratch", "glass_shatter", "lamp_broken", "broken_part"),
    parts=("hood", "left_mirror", "right_mirror", "front_left_door"),
)
Corners = tuple[float, float, float, float]


def annotation(name: str, corners: Corners, *, outlined: bool = True, **facts: Any) -> Annotation:
    """A rectangle, outlined or as a box alone."""
    return Annotation(name, corners, polygons=(box_to_polygon(corners),) if outlined else (), **facts)


def photo(*annotations: Annotation, labelled: tuple[str, ...] | None = None, **facts: Any) -> Sample:
    """A photo that says nothing else; where a part of it is annotated, its source labels parts."""
    if labelled is None:
        labelled = PART_NAMES if any(one.kind == "part" for one in annotations) else ()
    return Sample(b"", "a.jpg", HW, annotations=annotations, labelled=frozenset(labelled), **facts)


def placed(sample: Sample, view: Matrix = WHOLE, *, corner_xy: tuple[int, int] = (0, 0), side: int = SIZE) -> Placed:
    """A photo in a square window of a picture; its view is onto the window."""
    x, y = corner_xy
    return Placed.photo(sample, moved_view(view, (-x, -y)), (x, y, x + side, y + side), HW)


def scene(sample: Sample, view: Matrix = WHOLE) -> Scene:
    """A picture of one photo."""
    return Scene(np.zeros((SIZE, SIZE, 3), np.uint8), (placed(sample, view),))


def mosaic(*samples: Sample, views: tuple[Matrix, ...] = (WHOLE,) * 4) -> Scene:
    """A picture of twice the side of four photos, left to right and top to bottom."""
    tiles = zip(samples, views, ((0, 0), (SIZE, 0), (0, SIZE), (SIZE, SIZE)), strict=True)
    photos = tuple(placed(sample, view, corner_xy=corner_xy) for sample, view, corner_xy in tiles)
    return Scene(np.zeros((2 * SIZE, 2 * SIZE, 3), np.uint8), photos)


def pasted(sample: Sample, donor: Sample, view: Matrix) -> Scene:
    """A picture of one photo with all damages of another on it."""
    onto = Placed(donor, view, (0, 0, SIZE, SIZE), HW, donor.damages)
    return Scene(np.zeros((SIZE, SIZE, 3), np.uint8), (placed(sample),), (onto,))


def stacked(head: Any, *scenes: Scene) -> dict[str, torch.Tensor]:
    """The truth of a batch."""
    truths = [head.truth(one) for one in scenes]
    return {key: torch.from_numpy(np.stack([truth[key] for truth in truths])) for key in truths[0]}
