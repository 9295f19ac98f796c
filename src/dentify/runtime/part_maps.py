"""From maps of the parts to instances: one a part, where it is likelier than all others."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import Grouping
from dentify.runtime.grids import cropped, upscaled
from dentify.runtime.instances import Instances, instances_of_crops
from dentify.runtime.probabilities import softmax


def find_parts(logits: FloatArray, grouping: Grouping, photo_hw: tuple[int, int]) -> Instances:
    """One instance a part: the cells where it is likelier than every other part and than none.

    Specks are left out: regions of less than a tenth of the part's largest one are where a confident part meets a doubtful
    neighbour.

    Args:
        logits: `(P + 1, h, w)` float32 over the photo; the last channel is none of the parts.
        grouping: `part_upscale` is used here.
        photo_hw: pixels of the upright photo.
    """
    height, width = (side * grouping.part_upscale for side in logits.shape[1:])
    probs = softmax(logits, axis=0)
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


def _without_specks(mask: BoolArray) -> BoolArray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = areas >= 0.1 * areas.max()
    return np.asarray(kept[labels], np.bool_)
