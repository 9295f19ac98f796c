"""From maps of the damage types to instances: grouped into candidates, the likely ones chosen, outlined finely."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import Grouping
from dentify.runtime.candidates import MOST_CANDIDATES, Candidate, connected_regions, damage_probabilities, find_candidates
from dentify.runtime.choosing import choose, score_candidates
from dentify.runtime.grids import cropped, upscaled
from dentify.runtime.instances import Instances, instances_of_crops
from dentify.runtime.probabilities import sigmoid


def find_damage(
    types_logits: FloatArray, auxiliary: Mapping[str, FloatArray], grouping: Grouping, photo_hw: tuple[int, int]
) -> Instances:
    """Candidates of every type, scored, overlapping ones of a type thinned out, those that stay spread.

    Args:
        types_logits: `(C, h, w)` float32 over the photo.
        auxiliary: maps that make grouping better where the network has them: `any` `(1, h, w)`, `centres` `(C, h', w')`,
            `offsets` `(2C, h', w')` in shares of the map's sides; logits, all but the offsets.
        grouping: levels, radii and scorer of the bundle.
        photo_hw: pixels of the upright photo.

    Returns:
        Raw scores, highest first, on a grid `grouping.upscale` times as fine as the maps. Of maps that are noise, with thousands
        of candidates, only the first are looked at, and only the likeliest held against each other.
    """
    probs = damage_probabilities(types_logits, auxiliary)
    candidates = list(islice(find_candidates(probs, auxiliary, grouping), MOST_CANDIDATES))
    height, width = types_logits.shape[1:]
    grid_hw = (height * grouping.upscale, width * grouping.upscale)
    if not candidates:
        return Instances.empty(photo_hw, grid_hw)
    scores = score_candidates(candidates, grouping.scorer, len(probs))
    chosen = choose(candidates, scores, probs, grouping)
    outlined = [(score, refine(candidate, probs, grouping.upscale)) for score, candidate in chosen]
    return instances_of_crops(outlined, grid_hw, photo_hw)


def refine(candidate: Candidate, probs: FloatArray, upscale: int) -> tuple[int, int, int, BoolArray]:
    """The candidate on the finer grid: its map interpolated, cut at its level, and kept to its own cells and their neighbours."""
    if upscale == 1:
        return candidate.class_id, candidate.x, candidate.y, candidate.mask
    top, left = max(0, candidate.y - 1), max(0, candidate.x - 1)
    window = probs[
        candidate.class_id, top : candidate.y + candidate.mask.shape[0] + 1, left : candidate.x + candidate.mask.shape[1] + 1
    ]
    own = np.zeros(window.shape, np.uint8)
    own[candidate.y - top :, candidate.x - left :][: candidate.mask.shape[0], : candidate.mask.shape[1]] = candidate.mask
    own = np.asarray(cv2.dilate(own, np.ones((3, 3), np.uint8)), np.uint8)
    fine = upscaled(window, upscale) > candidate.level
    fine &= np.repeat(np.repeat(own, upscale, 0), upscale, 1).astype(bool)
    if not fine.any():  # a lone cell's peak is flattened by interpolation
        return (
            candidate.class_id,
            candidate.x * upscale,
            candidate.y * upscale,
            np.repeat(np.repeat(candidate.mask, upscale, 0), upscale, 1),
        )
    x, y, mask = cropped(fine)
    return candidate.class_id, x + left * upscale, y + top * upscale, mask


def connected_components(types_logits: FloatArray, level: float, photo_hw: tuple[int, int]) -> Instances:
    """The plain alternative to `find_damage`, kept to be measured against: one instance a connected region above one level."""
    found = []
    for class_id, probs in enumerate(sigmoid(types_logits)):
        for _, x, y, mask in connected_regions((probs > level).view(np.uint8), (0,), 1):
            crop = probs[y : y + mask.shape[0], x : x + mask.shape[1]]
            found.append((float(crop[mask].mean()), (class_id, x, y, mask)))
    height, width = types_logits.shape[1:]
    return instances_of_crops(sorted(found, key=lambda item: -item[0]), (height, width), photo_hw)
