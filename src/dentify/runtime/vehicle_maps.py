"""From a map of where the vehicle is to vehicles that stand apart."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.runtime.grids import cropped
from dentify.runtime.instances import Instances, instances_of_crops
from dentify.runtime.probabilities import sigmoid

LEAST_OF_LARGEST = 0.08
LEAST_OF_PHOTO = 0.008
"""Shares of the largest vehicle's area, and of the photo's, below which a region is a speck or far away."""
LEAST_SURE = 0.85
"""Mean probability of a further vehicle: the road beside one reaches 0.8 at times."""


def find_vehicles(logits: FloatArray, photo_hw: tuple[int, int]) -> Instances:
    """One instance a region, the largest first. Vehicles that touch in the picture are one: a map does not tell them apart.

    Args:
        logits: `(1, h, w)` float32 over the photo.
        photo_hw: pixels of the upright photo.
    """
    probs = sigmoid(logits)[0]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((probs > 0.5).view(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].tolist()
    order = sorted(range(1, count), key=lambda label: -areas[label])
    least = max(LEAST_OF_LARGEST * areas[order[0]], LEAST_OF_PHOTO * probs.size) if order else 0
    found: list[tuple[float, tuple[int, int, int, BoolArray]]] = []
    for label in order:
        if areas[label] >= least:
            mask = np.asarray(labels == label, np.bool_)
            sure = float(probs[mask].mean())
            if found and sure < LEAST_SURE:
                continue
            x, y, crop = cropped(mask)
            found.append((sure, (0, x, y, crop)))
    height, width = probs.shape
    return instances_of_crops(found, (height, width), photo_hw)
