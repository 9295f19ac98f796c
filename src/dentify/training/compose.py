"""One picture of several photos: mosaics, and damages pasted onto sound vehicles.

Photos of damage are mostly close-ups, photos of whole vehicles mostly sound. A network that sees only these learns to tell the
two views apart, and finds nothing on a whole car with a small dent. So damages are also shown small (mosaics of four views;
Bochkovskiy et al. 2020, "YOLOv4") and on whole vehicles (Ghiasi et al. 2021, "Simple Copy-Paste", with gradients blended as in
Pérez et al. 2003, "Poisson Image Editing").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from dentify.arrays import DoubleArray
from dentify.datasets import Annotation
from dentify.training.augment import Image, Matrix, warp

MAPS = ("types", "any", "centres", "offsets", "parts", "severity_maps")


def mosaic(tiles: Sequence[tuple[Image, Mapping[str, Tensor]]]) -> tuple[Image, dict[str, Tensor]]:
    """Four views of side S/2 as one of side S, with their truth.

    A type is known where all four know it. What the picture as a whole shows is left unknown: nobody photographs mosaics.

    Args:
        tiles: pictures and targets (see `dentify.training.data.draw_targets`), left to right, top to bottom.
    """
    pictures, targets = zip(*tiles, strict=True)
    whole = np.vstack([np.hstack(pictures[:2]), np.hstack(pictures[2:])])
    maps = {
        name: torch.cat([torch.cat([one[name] for one in row], -1) for row in (targets[:2], targets[2:])], -2) for name in MAPS
    }
    maps["offsets"] = maps["offsets"] / 2  # they are shares of the side
    return whole, {
        **maps,
        "types_known": torch.stack([one["types_known"] for one in targets]).all(0),
        "box_only": torch.stack([one["box_only"] for one in targets]).any(),
        "any_known": torch.stack([one["any_known"] for one in targets]).all(),
        "vehicle": torch.tensor(1.0 if any(one["vehicle"] == 1 for one in targets) else math.nan),
        "damage": torch.tensor(math.nan),
        "severity": torch.tensor(-1),
    }


@dataclass(frozen=True, eq=False)
class Pasted:
    """A damage in its new place.

    Attributes:
        picture: `(S, S, 3)` uint8, the damage blended in.
        view: from the pixels of the damage's own photo to those of the picture.
    """

    picture: Image
    view: Matrix


def paste(
    rng: np.random.Generator, picture: Image, donor: Image, damage: Annotation, *, side: float, centre_xy: tuple[float, float]
) -> Pasted | None:
    """Blends one damage of another photo into a picture; `None` where it does not fit in or is too thin to be seen.

    Args:
        rng: decides whether the damage is mirrored.
        picture: `(S, S, 3)` uint8 RGB; not written to.
        donor: the damage's own photo.
        damage: with polygons, in pixels of its photo.
        side: pixels of the picture that the longer side of the damage's box shall measure.
        centre_xy: where its box shall have its middle, in pixels of the picture.
    """
    size = picture.shape[0]
    x_min, y_min, x_max, y_max = damage.box_xyxy
    scale = min(side / max(x_max - x_min, y_max - y_min, 1.0), 1.0)
    mirror = -scale if rng.random() < 0.5 else scale
    view = np.array([[mirror, 0.0, 0.0], [0.0, scale, 0.0]])
    view[:, 2] = np.array(centre_xy) - view[:, :2] @ ((x_min + x_max) / 2, (y_min + y_max) / 2)
    outline = np.zeros((size, size), np.uint8)
    polygons = [np.rint(polygon @ view[:, :2].T + view[:, 2]).astype(np.int32) for polygon in damage.polygons]
    cv2.fillPoly(outline, polygons, 255)
    if np.count_nonzero(outline) < 12:
        return None
    region = cv2.dilate(outline, np.ones((5, 5), np.uint8))  # blending needs a rim of sound paint
    x, y, w, h = cv2.boundingRect(region)
    if x < 2 or y < 2 or x + w > size - 2 or y + h > size - 2:
        return None
    moved = warp(donor, view, size)
    blended = cv2.seamlessClone(moved, picture, region, (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    return Pasted(np.asarray(blended, np.uint8), view)


def place_on_vehicle(rng: np.random.Generator, view: Matrix, photo_hw: tuple[int, int]) -> tuple[float, float]:
    """A point of the picture where a photo that shows a whole vehicle likely shows its body: around the middle, rather low."""
    height, width = photo_hw
    point: DoubleArray = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.4, 0.75) * height])
    x, y = view[:, :2] @ point + view[:, 2]
    return float(x), float(y)
