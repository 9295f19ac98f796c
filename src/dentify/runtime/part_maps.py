"""From maps of the parts to instances: one a part, where it is likelier than all others that the same side of a vehicle shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import Grouping
from dentify.runtime.grids import cropped, upscaled
from dentify.runtime.instances import Instances, instances_of_crops
from dentify.runtime.probabilities import softmax
from dentify.visibility import VIEWS, View, seen_from

STRAIGHT_FROM = 1.5  # a vehicle is seen straight from its side where its sides outweigh its ends by this much


def find_parts(logits: FloatArray, names: Sequence[str], grouping: Grouping, photo_hw: tuple[int, int]) -> Instances:
    """One instance a part: the cells where it is likelier than every other part in view and than none.

    A network judges a part by what lies around it, and takes a front bumper for a rear one now and then. The map as a whole
    knows better from which side the vehicle is seen; what cannot be seen from there is left out, and the next likely takes its
    place.

    Specks are left out, too: regions of less than a tenth of the part's largest one are where a confident part meets a doubtful
    neighbour.

    Args:
        logits: `(P + 1, h, w)` float32 over the photo; the last channel is none of the parts.
        names: of the P parts.
        grouping: `part_upscale` is used here.
        photo_hw: pixels of the upright photo.
    """
    probs = softmax(logits, axis=0)
    in_view = visible_parts(tuple(names))[VIEWS.index(likeliest_view(probs, names))]
    if not in_view.all():
        probs = softmax(np.where(np.append(in_view, True)[:, None, None], logits, -np.inf), axis=0)
    height, width = (side * grouping.part_upscale for side in logits.shape[1:])
    best, likeliest = probs.argmax(0), probs.max(0)
    without = probs.copy()
    np.put_along_axis(without, best[None], 0, 0)
    second = without.max(0)
    found = []
    for class_id in np.unique(best).tolist():
        if class_id == len(logits) - 1:
            continue
        x, y, w, h = cv2.boundingRect((best == class_id).view(np.uint8))
        top, left = max(0, y - 1), max(0, x - 1)
        window = (slice(top, y + h + 1), slice(left, x + w + 1))
        rivals = np.where(best[window] == class_id, second[window], likeliest[window])
        fine = [upscaled(values, grouping.part_upscale) for values in (probs[class_id][window], rivals)]
        mask = _without_specks(fine[0] > fine[1])
        if mask.any():
            score = float(fine[0][mask].mean())
            x, y, crop = cropped(mask)
            found.append((score, (class_id, x + left * grouping.part_upscale, y + top * grouping.part_upscale, crop)))
    return instances_of_crops(sorted(found, key=lambda item: -item[0]), (height, width), photo_hw)


def likeliest_view(probs: FloatArray, names: Sequence[str]) -> View:
    """The side from which a vehicle is seen: the view that forbids least of what a map of its parts shows.

    A view forbids a part's area, each cell weighed by how likely the part is there. Straight from its left, a vehicle may show
    all that it shows from front left and from rear left; by what is forbidden alone, that view would always win. It counts only
    where the sides outweigh the ends.

    Args:
        probs: `(P + 1, h, w)` over the photo; the last channel is none of the parts.
        names: of the P parts.
    """
    visible = visible_parts(tuple(names))
    front, right, rear, left = (visible[VIEWS.index(view)] for view in ("front", "right", "rear", "left"))
    areas = probs[:-1].sum(axis=(1, 2), dtype=np.float64)
    forbidden = (~visible) @ areas
    if areas[left != right].sum() < STRAIGHT_FROM * areas[front != rear].sum():
        forbidden[[VIEWS.index("left"), VIEWS.index("right")]] = np.inf
    return VIEWS[int(forbidden.argmin())]


@cache
def visible_parts(names: tuple[str, ...]) -> BoolArray:
    """`(V, P)`: which parts each of `VIEWS` can show."""
    return np.array([[view in seen_from(name) for name in names] for view in VIEWS], np.bool_)


def _without_specks(mask: BoolArray) -> BoolArray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = areas >= 0.1 * areas.max()
    return np.asarray(kept[labels], np.bool_)
