"""Average precision as COCO has it, by hotcoco, and its bootstrap.

The figures come from hotcoco's streaming evaluator, which equals pycocotools (a test holds it to 1e-6). hotcoco keeps its matches
to itself, so the resampled curves come from matches of our own, made once a photo and weighted in each resample; a test holds
that their unweighted AP is hotcoco's.

`maxDets` is 100 a photo and type. Sizes are CarDD's: small below 128², medium below 256² pixels of the annotation's mask.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hotcoco import Params, StreamingEval
from hotcoco import mask as coco_mask

from dentify.arrays import BoolArray, DoubleArray, IntArray
from dentify.evaluation.outlines import Rle, Things, area
from dentify.imaging.boxes import xyxy_to_xywh

IouType = Literal["segm", "bbox"]

MAX_DETS = 100
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)
CARDD_AREAS = {"all": (0.0, 1e10), "small": (0.0, 128.0**2), "medium": (128.0**2, 256.0**2), "large": (256.0**2, 1e10)}
"""Size bins of CarDD's table (Wang et al. 2023), in pixels of the annotation; COCO's own are 32² and 96²."""


@dataclass(frozen=True)
class Precisions:
    """AP of one type. `None` where no annotation of that size counts, never a silent 0."""

    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_small: float | None
    AP_medium: float | None
    AP_large: float | None
    curve: tuple[float, ...]
    """Precision at IoU 0.5 at the recalls 0, 0.01, …, 1; empty where AP is `None`."""


@dataclass(frozen=True, eq=False)
class PhotoMatches:
    """What became of one type's findings on one photo.

    Attributes:
        scores: `(D,)`, falling.
        right: `(T, D)` matched to an annotation, at each IoU threshold.
        left_out: `(T, D)` neither right nor wrong (matched to a crowd).
        unmatched: `(T, G)` annotations that nothing was matched to, in their order, crowds never.
        annotated: how many annotations count, crowds apart.
    """

    scores: DoubleArray
    right: BoolArray
    left_out: BoolArray
    unmatched: BoolArray
    annotated: int

    @property
    def missed(self) -> IntArray:
        """`(T,)` annotations that nothing was matched to."""
        return np.asarray(self.unmatched.sum(1), np.int64)


def pairwise_iou(found: Things, annotated: Things, iou_type: IouType) -> DoubleArray:
    """IoU of each found with each annotated thing, `(D, G)`; with a crowd the share of what was found."""
    if not len(found) or not len(annotated):
        return np.zeros((len(found), len(annotated)))
    crowd = annotated.crowd.tolist()
    if iou_type == "segm":
        return coco_mask.iou(list(found.rles), list(annotated.rles), crowd)
    return coco_mask.bbox_iou(xyxy_to_xywh(found.boxes_xyxy), xyxy_to_xywh(annotated.boxes_xyxy), crowd)


def match_photo(
    found: Things, annotated: Things, iou_type: IouType, iou_thresholds: DoubleArray = IOU_THRESHOLDS, *, max_dets: int = MAX_DETS
) -> PhotoMatches:
    """Matches one type's findings with its annotations on one photo, most confident first.

    Each finding takes, of the annotations still free, that of the highest IoU at or above the threshold; a crowd may be taken
    many times and only when nothing else fits.

    Source: `evaluateImg` in cocodataset/cocoapi `PythonAPI/pycocotools/cocoeval.py`, without area ranges.
    """
    order = np.argsort(-found.scores, kind="stable")[:max_dets]
    truth = np.argsort(annotated.crowd, kind="stable")
    crowd = annotated.crowd[truth]
    iou = pairwise_iou(found, annotated, iou_type)[order][:, truth]
    n_thresholds, n_found, n_truth = len(iou_thresholds), len(order), len(truth)
    limits = np.minimum(iou_thresholds, 1 - 1e-10)[:, None]
    free = np.ones((n_thresholds, n_truth), np.bool_)
    right = np.zeros((n_thresholds, n_found), np.bool_)
    left_out = np.zeros((n_thresholds, n_found), np.bool_)
    rows = np.arange(n_thresholds)
    for d in np.flatnonzero((iou >= limits.min()).any(1)).tolist():  # the others fit nothing at any threshold
        fits = free & (iou[d] >= limits)  # (T, G)
        fits &= ~(crowd & (fits & ~crowd).any(1, keepdims=True))
        value = np.where(fits, iou[d], -1.0)
        best = n_truth - 1 - np.argmax(value[:, ::-1], axis=1)  # the last of equals, as COCO takes it
        taken = fits[rows, best]
        left_out[:, d] = taken & crowd[best]
        right[:, d] = taken & ~crowd[best]
        free[rows[right[:, d]], best[right[:, d]]] = False
    return PhotoMatches(
        scores=found.scores[order],
        right=right,
        left_out=left_out,
        unmatched=(free & ~crowd)[:, np.argsort(truth)],
        annotated=int((~crowd).sum()),
    )


def best_pairs(iou: DoubleArray, least: float) -> list[tuple[int, int]]:
    """Found and annotated things that lie on each other, each in one pair at most, the best pairs first.

    Args:
        iou: `(D, G)`.
        least: IoU of a pair.

    >>> best_pairs(np.array([[0.9, 0.8], [0.7, 0.2], [0.1, 0.6]]), 0.5)
    [(0, 0), (2, 1)]
    """
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-iou, axis=None, kind="stable").tolist():
        d, g = divmod(flat, iou.shape[1])
        if iou[d, g] < least:
            break
        if all(d != one and g != other for one, other in pairs):
            pairs.append((d, g))
    return pairs


class AveragePrecision:
    """COCO's AP over photos that come one by one. Only what the photo's source labels may be given to it."""

    def __init__(self, names: Sequence[str], iou_type: IouType) -> None:
        self.names = tuple(names)
        self.iou_type: IouType = iou_type
        self._ids = {name: number for number, name in enumerate(self.names, start=1)}
        params = Params(iou_type)
        params.max_dets = [1, 10, MAX_DETS]
        params.area_rng = [list(bounds) for bounds in CARDD_AREAS.values()]
        params.area_rng_lbl = list(CARDD_AREAS)
        self._streaming = StreamingEval(
            [{"id": number, "name": name} for name, number in self._ids.items()], iou_type, params=params
        )
        self._photos = 0
        self._annotations = 0

    def add(self, found: Things, annotated: Things, size_hw: tuple[int, int], names: Collection[str]) -> None:
        """One photo's findings and annotations of the given names; other things are passed over."""
        self._photos += 1
        image = {"id": self._photos, "height": size_hw[0], "width": size_hw[1]}
        truth: list[dict[str, Any]] = []
        boxes_xywh, crowds = xyxy_to_xywh(annotated.boxes_xyxy).tolist(), annotated.crowd.tolist()
        for name, rle, bbox, crowd in zip(annotated.names, annotated.rles, boxes_xywh, crowds, strict=True):
            if name not in names:
                continue
            self._annotations += 1
            row: dict[str, Any] = {"id": self._annotations, "image_id": self._photos, "category_id": self._ids[name]}
            row |= {"area": float(area(rle)), "iscrowd": int(crowd), "bbox": bbox}
            truth.append(row | {"segmentation": _text(rle)} if self.iou_type == "segm" else row)
        outlines: list[Any]  # of masks never with a bbox beside it: sizes would then be those of the box
        if self.iou_type == "segm":
            key, outlines = "segmentation", [_text(rle) for rle in found.rles]
        else:
            key, outlines = "bbox", xyxy_to_xywh(found.boxes_xyxy).tolist()
        results = [
            {"image_id": self._photos, "category_id": self._ids[name], "score": score, key: outline}
            for name, score, outline in zip(found.names, found.scores.tolist(), outlines, strict=True)
            if name in names
        ]
        self._streaming.update([image], truth, results)

    def results(self) -> dict[str, Precisions]:
        """AP by type. Ends the evaluation: nothing can be added after it."""
        nothing = Precisions(None, None, None, None, None, None, ())
        if self._photos == 0:
            return dict.fromkeys(self.names, nothing)
        evaluator = self._streaming.finalize()
        evaluator.accumulate()
        assert evaluator.eval is not None
        precision = np.asarray(evaluator.eval["precision"])[..., -1]  # (T, R, K, A) at 100 detections
        results = {}
        for k, name in enumerate(self.names):
            sizes = {size: precision[:, :, k, a] for a, size in enumerate(CARDD_AREAS)}
            values = sizes["all"]
            results[name] = Precisions(
                AP=_mean(values),
                AP50=_mean(values[0]),
                AP75=_mean(values[5]),
                AP_small=_mean(sizes["small"]),
                AP_medium=_mean(sizes["medium"]),
                AP_large=_mean(sizes["large"]),
                curve=tuple(values[0].tolist()) if _mean(values) is not None else (),
            )
        return results


def resampled_precision(matches: Sequence[PhotoMatches | None], weights: IntArray) -> DoubleArray:
    """AP of one type at each IoU threshold in each resample, `(B, T)`; NaN where a resample holds no annotation.

    Args:
        matches: of P photos; `None` where the photo's source does not label the type.
        weights: `(B, P)`, how often each photo is in each resample.

    A photo drawn twice counts as two photos with the same findings (equal scores within one photo apart, whose copies COCO would
    interleave). Precision is read at right findings only, where recall rises
    and COCO's envelope has its corners, so that a resample costs one running sum over all findings.
    """
    kept = [(photo, match) for photo, match in enumerate(matches) if match is not None]
    n_thresholds = next((match.right.shape[0] for _, match in kept), len(IOU_THRESHOLDS))
    result = np.full((len(weights), n_thresholds), np.nan)
    if not kept:
        return result
    photos = np.array([photo for photo, _ in kept])
    annotated = weights[:, photos] @ np.array([match.annotated for _, match in kept])
    scores = np.concatenate([match.scores for _, match in kept])
    order = np.argsort(-scores, kind="stable")
    of_photo = np.concatenate([np.full(len(match.scores), photo) for photo, match in kept])[order].astype(np.int64)
    right = np.concatenate([match.right for _, match in kept], axis=1)[:, order]
    left_out = np.concatenate([match.left_out for _, match in kept], axis=1)[:, order]
    corners = [np.flatnonzero(row) for row in right]
    for b in np.flatnonzero(annotated):
        weight = weights[b, of_photo]
        told = np.cumsum(weight)
        for t, corner in enumerate(corners):
            told_here = told if not left_out[t].any() else np.cumsum(weight * ~left_out[t])
            hits = np.cumsum(weight[corner])
            precision = hits / np.maximum(told_here[corner], 1)
            envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            places = np.searchsorted(hits / annotated[b], RECALL_THRESHOLDS, side="left")
            result[b, t] = envelope[places].mean()
    return result


def _mean(precision: DoubleArray) -> float | None:
    counted = precision[precision > -1]  # COCO's mark for "no annotation of this kind"
    return float(counted.mean()) if counted.size else None


def _text(rle: Rle) -> Rle:
    """The mask as hotcoco reads it in rows: with text, where its own functions answer bytes."""
    return rle | {"counts": rle["counts"].decode()} if isinstance(rle["counts"], bytes) else rle
