"""How good findings are on the photos that they were fitted on, scored by scorers that did not see the photo.

Quick figures beside the fit: AP50 and pixel IoU on the maps' grid, photos seen as they are and mirrored. What a bundle reaches on
photos of their own, at the photo's pixels, is `dentify.evaluation`'s to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dentify.arrays import FloatArray, IntArray
from dentify.fitting.evidence import Matched
from dentify.runtime.damage_maps import refine


def average_precision50(matched: Sequence[Matched], class_id: int) -> float:
    """COCO's AP at IoU 0.5 of one type, from matches that are made already; NaN without annotated instances."""
    total = sum(int((photo.evidence.types == class_id).sum()) for photo in matched)
    if total == 0:
        return float("nan")
    scores = np.concatenate([photo.scores[photo.class_ids == class_id] for photo in matched])
    right = np.concatenate([photo.right[photo.class_ids == class_id] for photo in matched])
    order = np.argsort(-scores, kind="stable")
    tp = np.cumsum(right[order])
    precision = tp / np.arange(1, len(order) + 1)
    recall = tp / total
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.mean([envelope[place] if place < len(envelope) else 0.0 for place in at]))


def mean_precision50(matched: Sequence[Matched], num_types: int) -> float:
    """Mean AP50 of the types that are annotated; NaN where none is."""
    return _mean([average_precision50(matched, class_id) for class_id in range(num_types)])


def pixel_counts(photo: Matched, thresholds: FloatArray) -> IntArray:
    """`(C + 1, 2)`: cells that told findings and truth share, and cells of either, for each type and for damage of any.

    Types that the source does not label count nothing.

    Args:
        photo: its findings.
        thresholds: `(C,)` scores from which on findings are told.
    """
    evidence = photo.evidence
    truth = evidence.truth & evidence.known[:, None, None]
    drawn = np.zeros_like(truth)
    probs = evidence.probs.array()
    for found, score in zip(photo.findings.unpacked(), photo.scores, strict=True):
        if score >= thresholds[found.class_id]:
            _, x, y, crop = refine(found, probs, evidence.upscale)
            drawn[found.class_id, y : y + crop.shape[0], x : x + crop.shape[1]] |= crop
    both = [*np.count_nonzero(drawn & truth, axis=(1, 2)), np.count_nonzero(drawn.any(axis=0) & truth.any(axis=0))]
    either = [*np.count_nonzero(drawn | truth, axis=(1, 2)), np.count_nonzero(drawn.any(axis=0) | truth.any(axis=0))]
    return np.array([both, either], np.int64).T


def figures_of(
    scored: Sequence[Matched], told: Sequence[Matched], names: Sequence[str], thresholds: Mapping[str, float]
) -> dict[str, float]:
    """AP50 (of all that was scored) and pixel IoU (of what is told) of each type, and how many findings a photo is told.

    Args:
        scored: calibrated findings of all photos.
        told: the same without those that a gate holds back.
        names: of the types.
        thresholds: from which confidence on each is told.
    """
    cuts = np.array([thresholds[name] for name in names], np.float32)
    both, either = np.sum([pixel_counts(photo, cuts) for photo in told], axis=0).T
    ious = np.where(either > 0, both / np.maximum(either, 1), np.nan).round(4).tolist()
    precisions = {name: average_precision50(scored, class_id) for class_id, name in enumerate(names)}
    figures = {f"{name}/AP50": round(value, 4) for name, value in precisions.items()}
    figures |= {f"{name}/iou": iou for name, iou in zip((*names, "any"), ious, strict=True)}
    figures["mean/AP50"] = mean_precision50(scored, len(names))
    figures["mean/iou"] = _mean(ious[:-1])
    figures["told"] = round(sum(int((photo.scores >= cuts[photo.class_ids]).sum()) for photo in told) / len(told), 2)
    return {name: value for name, value in figures.items() if not math.isnan(value)}  # no photo shows that type


def _mean(values: Sequence[float]) -> float:
    """Mean of what could be told; NaN of nothing."""
    judged = [value for value in values if not math.isnan(value)]
    return round(sum(judged) / len(judged), 4) if judged else math.nan
