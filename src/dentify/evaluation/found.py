"""What a bundle found, as figures: each photo's counts summed up, for damages and for parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from dentify.arrays import DoubleArray, IntArray
from dentify.datasets.sample import Kind
from dentify.evaluation.average_precision import AveragePrecision, PhotoMatches, Precisions, resampled_precision
from dentify.evaluation.bootstrap import photo_weights
from dentify.evaluation.boundaries import TRUE_EDGE, boundary_f
from dentify.evaluation.calibration import error_by_chance, expected_calibration_error, reliability
from dentify.evaluation.classification import auroc, mean_of_known
from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.pixels import f1_from_counts, iou_from_counts, precision_from_counts, recall_from_counts
from dentify.evaluation.questions import Figure, told_mean
from dentify.evaluation.results import (
    AnyDamage,
    AveragePrecisions,
    CalibrationResult,
    Found,
    NameResult,
    PixelFigures,
    ReliabilityBin,
    ToldFigures,
)
from dentify.evaluation.tally import NameCounts, Tally
from dentify.evaluation.type_confusion import confusion_of

COMMON_TYPES = ("dent", "scratch", "broken_part")
"""Types with enough annotations in few photos for their mean to hold still."""

FOUND_FIGURES = {
    "mask_AP50": "mask AP50",
    "mask_AP": "mask AP",
    "box_AP50": "box AP50",
    "pixel_iou": "pixel IoU",
    "boundary_f": "boundary F",
}
"""Means that bundles are compared by."""


@dataclass(eq=False)
class Sums:
    """Counts of all photos whose source labels damages, or parts.

    `photos` is how many these are, also where the bundle tells nothing of them and there is no tally.
    """

    kind: Kind
    names: tuple[str, ...]
    tallies: list[Tally] = field(default_factory=list)
    photos: int = 0
    masks: bool = True
    """Whether all found things have masks: a bundle that knows boxes only has no mask AP."""

    def __post_init__(self) -> None:
        self.mask_ap = AveragePrecision(self.names, "segm")
        self.box_ap = AveragePrecision(self.names, "bbox")

    def add(self, tally: Tally, scored: Things, truth: Truth, size_hw: tuple[int, int]) -> None:
        """One photo, whose source labels some of the names."""
        for evaluator, names in ((self.mask_ap, tally.outlined_names), (self.box_ap, truth.labelled)):
            evaluator.add(scored, truth.of_all(names), size_hw, names)
        self.masks = self.masks and bool(scored.outlined.all())
        self.tallies.append(tally)

    def tells_something(self, taught: Sequence[str]) -> bool:
        """Whether there is a photo to judge by: labelled with what was taught, or with something of the kind on it."""
        return any(count.instances or name in taught for tally in self.tallies for name, count in tally.names.items()) or any(
            tally.any_pixels is not None and tally.any_pixels.any() for tally in self.tallies
        )


@dataclass(frozen=True, eq=False)
class FoundFigures:
    """Figures of damages or of parts: results of each name, what means are taken of, pixel IoU and boundary F of any damage."""

    results: dict[str, NameResult]
    resampled: dict[str, dict[str, Figure]]
    """Name, figure, and its value with resampled ones; of taught names that occur."""
    any_iou: Figure
    any_boundary: Figure


def found_figures(sums: Sums, taught: Sequence[str], resamples: int, seed: int) -> FoundFigures | None:
    """Figures of damages or of parts, from the counts of each photo; `None` without photos. Ends the counting.

    Args:
        sums: of the photos.
        taught: the names that means are taken over.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    if not sums.tallies:
        return None
    box_aps, mask_aps = sums.box_ap.results(), sums.mask_ap.results()
    weights = photo_weights(len(sums.tallies), resamples, seed)
    results: dict[str, NameResult] = {}
    resampled: dict[str, dict[str, Figure]] = {}
    for name in sums.names:
        counts = [tally.names.get(name) for tally in sums.tallies]
        labelled = [count for count in counts if count is not None]
        instances = sum(count.instances for count in labelled)
        if not labelled or not (instances or name in taught):
            continue
        mask_ap = mask_aps[name] if sums.masks and any(count.mask is not None for count in labelled) else None
        results[name] = _name_result(labelled, instances, mask_ap, box_aps[name], taught=name in taught)
        if name in taught and instances:
            resampled[name] = _figures(results[name], counts, weights)
    pixels = _pooled_pixels([tally.any_pixels for tally in sums.tallies])
    edges = _counts([tally.any_boundary for tally in sums.tallies], 4)
    any_iou: Figure = None, np.full(resamples, np.nan)
    any_boundary: Figure = any_iou
    if pixels is not None:
        any_iou = (_or_none(iou_from_counts(pixels.sum(0))), iou_from_counts(weights @ pixels))
        any_boundary = (_or_none(boundary_f(edges.sum(0))), boundary_f(weights @ edges))
    return FoundFigures(results, resampled, any_iou, any_boundary)


def found_result(sums: Sums, taught: Sequence[str], resamples: int, seed: int, *, with_damage: bool) -> Found | None:
    """`found_figures` as an evaluation tells them; the means of common types and any damage `with_damage` only."""
    found = found_figures(sums, taught, resamples, seed)
    if found is None:
        return None
    figures = found.resampled
    groups = {"taught": list(figures)} | ({"common": [name for name in COMMON_TYPES if name in figures]} if with_damage else {})
    keys = dict.fromkeys(key for of_name in figures.values() for key in of_name)
    return Found(
        names=found.results,
        means={key: {group: told_mean(*mean_over(figures, members, key)) for group, members in groups.items()} for key in keys},
        any_damage=_any_damage(sums.tallies, found) if with_damage else None,
        confusion=confusion_of([tally.confused for tally in sums.tallies], list(found.results)) if found.results else None,
    )


def _name_result(
    counts: list[NameCounts], instances: int, mask_ap: Precisions | None, box_ap: Precisions, *, taught: bool
) -> NameResult:
    right, wrong, missed = (
        sum(int(values[0]) for values in column)
        for column in zip(
            *((m.right.sum(1), (~m.right & ~m.left_out).sum(1), m.missed) for m in (c.told for c in counts)), strict=True
        )
    )
    best = mask_ap or box_ap
    return NameResult(
        taught=taught,
        photos=len(counts),
        instances=instances,
        mask=_precisions(mask_ap) if mask_ap is not None else None,
        box=_precisions(box_ap),
        pixels=_pixel_figures(counts),
        told=ToldFigures(
            right=right,
            wrong=wrong,
            missed=missed,
            precision=right / (right + wrong) if right + wrong else None,
            recall=right / (right + missed) if right + missed else None,
            f1=2 * right / (2 * right + wrong + missed) if right + wrong + missed else None,
        ),
        curve=best.curve,
    )


def _pixel_figures(counts: Sequence[NameCounts]) -> PixelFigures:
    pixels = _pooled_pixels([count.pixels for count in counts])
    photos = sum(count.pixels is not None for count in counts)
    if pixels is None:
        return PixelFigures(iou=None, precision=None, recall=None, photos=photos, f1=None, boundary_f=None)
    pooled, edges = pixels.sum(0), _counts([count.boundary for count in counts], 4).sum(0)
    return PixelFigures(
        iou=_or_none(iou_from_counts(pooled)),
        precision=_or_none(precision_from_counts(pooled)),
        recall=_or_none(recall_from_counts(pooled)),
        photos=photos,
        f1=_or_none(f1_from_counts(pooled)),
        boundary_f=_or_none(boundary_f(edges)),
    )


def _pooled_pixels(of_photos: Sequence[IntArray | None]) -> IntArray | None:
    """`(P, 3)` counts of each photo; `None` where all that is annotated is known by boxes alone.

    Then pixels cannot be judged on the other photos either: they could be wrong there, and right nowhere.
    """
    counts = _counts(of_photos, 3)
    boxes = any(one is None for one in of_photos)
    return None if boxes and not counts[:, 2].any() else counts


def _figures(result: NameResult, counts: list[NameCounts | None], weights: IntArray) -> dict[str, Figure]:
    """Each figure of one name that means are taken of, with its resampled values `(B,)`."""
    figures: dict[str, Figure] = {}
    for kind, value, matches in (
        ("mask", result.mask, [None if count is None else count.mask for count in counts]),
        ("box", result.box, [None if count is None else count.box for count in counts]),
    ):
        if value is not None:
            resampled = resampled_precision(matches, weights)  # (B, T)
            figures[f"{kind}_AP"] = (value.AP, resampled.mean(1))
            figures[f"{kind}_AP50"] = (value.AP50, resampled[:, 0])
            figures[f"{kind}_AP75"] = (value.AP75, resampled[:, 5])
    pooled = weights @ _counts([None if count is None else count.pixels for count in counts], 3)
    figures["pixel_iou"] = (result.pixels.iou, np.where(pooled[:, 2] > 0, iou_from_counts(pooled), np.nan))
    edges = weights @ _counts([None if count is None else count.boundary for count in counts], 4)
    figures["boundary_f"] = (result.pixels.boundary_f, np.where(edges[:, TRUE_EDGE] > 0, boundary_f(edges), np.nan))
    return figures


def mean_over(figures: Mapping[str, Mapping[str, Figure]], names: Sequence[str], key: str) -> tuple[Figure, tuple[str, ...]]:
    """Mean of one figure over names, and over which; a resample takes the mean over those that occur in it."""
    having = tuple(name for name in names if key in figures[name] and figures[name][key][0] is not None)
    if not having:
        return (None, np.zeros(0)), ()
    resampled = mean_of_known(np.stack([figures[name][key][1] for name in having], axis=1))
    return (float(np.mean([figures[name][key][0] for name in having])), resampled), having


def _counts(of_photos: Sequence[IntArray | None], columns: int) -> IntArray:
    """`(P, columns)` counts of each photo; zeros where an annotation is only a box, or the name is not labelled."""
    return np.array([np.zeros(columns, np.int64) if counts is None else counts for counts in of_photos]).reshape(-1, columns)


def _any_damage(tallies: list[Tally], found: FoundFigures) -> AnyDamage:
    pixels = _pooled_pixels([tally.any_pixels for tally in tallies])
    pooled = None if pixels is None else pixels.sum(0)
    return AnyDamage(
        iou=told_mean(found.any_iou, ("any",)),
        precision=None if pooled is None else _or_none(precision_from_counts(pooled)),
        recall=None if pooled is None else _or_none(recall_from_counts(pooled)),
        photos=sum(tally.any_pixels is not None for tally in tallies),
        f1=None if pooled is None else _or_none(f1_from_counts(pooled)),
        boundary_f=told_mean(found.any_boundary, ("any",)),
    )


def calibration_results(tallies: list[Tally]) -> dict[str, CalibrationResult]:
    """Whether confidences of what was told, and of all that was scored, can be believed."""
    counts = [count for tally in tallies for count in tally.names.values()]
    if not counts:
        return {}
    scored = [count.mask if count.mask is not None else count.box for count in counts]
    return {"told": _calibration([count.told for count in counts]), "scored": _calibration(scored)}


def _calibration(matches: list[PhotoMatches]) -> CalibrationResult:
    counted = np.concatenate([~match.left_out[0] for match in matches])
    confidences = np.concatenate([match.scores for match in matches])[counted]
    right = np.concatenate([match.right[0] for match in matches])[counted]
    bins = reliability(confidences, right)
    return CalibrationResult(
        ece=expected_calibration_error(bins),
        ece_by_chance=error_by_chance(bins),
        auroc=auroc(confidences, right),
        findings=len(right),
        right=float(right.mean()) if len(right) else None,
        bins=tuple(ReliabilityBin(**asdict(part)) for part in bins),
    )


def _precisions(precisions: Precisions) -> AveragePrecisions:
    return AveragePrecisions(**{key: getattr(precisions, key) for key in AveragePrecisions.model_fields})


def _or_none(value: DoubleArray) -> float | None:
    return float(value) if np.isfinite(value) else None
