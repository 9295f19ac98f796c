"""`evaluate`: an assessor over labelled photos, from counts of each photo to an `Evaluation`.

Photos go through one by one and are dropped; what stays of each is counts. Photos with outlines or boxes give AP, pixel figures,
severity, counting and calibration; photos that only say *damaged*, *undamaged* or *no vehicle* count for the gates and for the
naming of parts, those that say how bad the damage is for the severity of photos too, so that adding them moves no other figure.
`labelled` is honoured throughout: on each photo, findings of types that its source does not label are left out. So are findings
in regions that are to be ignored, those of single types on damage of a type that nobody told, and annotations of names that
neither the bundle nor the taxonomy knows; a note says so of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

import numpy as np

import dentify
from dentify.arrays import DoubleArray, IntArray
from dentify.assessment import Assessment
from dentify.datasets.crops import crops_of
from dentify.datasets.sample import UNTYPED, Kind, Sample, photo_kind, worst_severity
from dentify.errors import DatasetError
from dentify.evaluation.alike import Alike, made_alike
from dentify.evaluation.average_precision import AveragePrecision, PhotoMatches, Precisions, resampled_precision
from dentify.evaluation.bootstrap import interval, photo_weights
from dentify.evaluation.calibration import error_by_chance, expected_calibration_error, reliability
from dentify.evaluation.classification import auroc
from dentify.evaluation.counting import annotated_counts, component_counts, count_error
from dentify.evaluation.gates import GateRow, gate_row, gates_result
from dentify.evaluation.outlines import Things, Truth, check_size, found_things, joined, truth_of
from dentify.evaluation.parts import PartRow, part_row, parts_result
from dentify.evaluation.pixels import iou_from_counts, precision_from_counts, recall_from_counts
from dentify.evaluation.results import (
    AnyDamage,
    AveragePrecisions,
    CalibrationResult,
    CountingResult,
    Evaluation,
    EvaluationSettings,
    Found,
    Mean,
    NameResult,
    Pass,
    Photos,
    PixelFigures,
    ReliabilityBin,
    SeverityFigures,
    SeverityResult,
    ToldFigures,
)
from dentify.evaluation.severity import Judged, confusion, judged_findings, macro_recall
from dentify.evaluation.tally import NameCounts, Tally, tally_photo, without_left_out
from dentify.in_order import map_in_order
from dentify.runtime.look import Look
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS

COMMON_TYPES = ("dent", "scratch", "broken_part")
"""Types with enough annotations in few photos for their mean to hold still."""

SCORING_THRESHOLD = 0.01

Weights = IntArray
Figure = tuple[float | None, DoubleArray]
"""A figure of one name, and its resampled values `(B,)`."""


class AssessorLike(Protocol):
    """What `evaluate` needs of an assessor."""

    def look(self, photo: bytes, *, name: str | None = None) -> Look:
        """What is seen on one photo."""
        ...

    def tell(self, look: Look, *, score_threshold: float | None = None, gates: bool = True) -> Assessment:
        """What is said of it."""
        ...


@dataclass(frozen=True, eq=False)
class _Assessed:
    """What an assessor said of one sample, its picture dropped."""

    sample: Sample
    told: Assessment
    scored: Assessment | None
    gates: tuple[GateRow, ...]


@dataclass(eq=False)
class _Sums:
    """Counts of all photos whose source labels damages, or parts."""

    kind: Kind
    names: tuple[str, ...]
    tallies: list[Tally] = field(default_factory=list)
    masks: bool = True
    """Whether all found things have masks: a bundle that knows boxes only has no mask AP."""

    def __post_init__(self) -> None:
        self.mask_ap = AveragePrecision(self.names, "segm")
        self.box_ap = AveragePrecision(self.names, "bbox")

    def add(self, told: Things, scored: Things, truth: Truth, size_hw: tuple[int, int]) -> Tally:
        """One photo, whose source labels some of the names."""
        tally = tally_photo(told, scored, truth, size_hw)
        for evaluator, names in ((self.mask_ap, tally.outlined_names), (self.box_ap, truth.labelled)):
            evaluator.add(scored, truth.of_all(names), size_hw, names)
        self.masks = self.masks and bool(scored.outlined.all())
        self.tallies.append(tally)
        return tally


def evaluate(
    assessor: AssessorLike,
    samples: Iterable[Sample],
    *,
    taught: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
    score_threshold: float | None = None,
    gates: bool = True,
    scoring_threshold: float | None = SCORING_THRESHOLD,
    alike: Alike | None = None,
    crops: int = 0,
    seed: int = 0,
    resamples: int = 1000,
    workers: int = 1,
    data: Sequence[str] = (),
    settings: Settings | None = None,
) -> Evaluation:
    """What an assessor reaches on labelled photos.

    Args:
        assessor: assesses each photo.
        samples: labelled photos; taken one by one, never held together.
        taught: damage types that the assessor was taught, over which means go; without it Dentify's that it does not call
            *not judged*.
        parts: parts that it was taught; Dentify's without it.
        score_threshold: from which confidence on findings are told; the bundle's own thresholds without it.
        gates: whether photos are turned away as no vehicle or not damaged.
        scoring_threshold: AP is taken from what annotated photos tell down to this confidence and without gates; `None` takes it
            from what is told.
        alike: how to make photos alike before.
        crops: close-ups to cut from each photo of an undamaged vehicle, judged beside it.
        seed: of bootstrap and crops.
        resamples: of the bootstrap.
        workers: threads.
        data: what the samples came from, for the record.
        settings: limits on photos.

    Raises:
        DatasetError: there is no sample, or one contradicts its picture.
        DentifyError: a photo cannot be assessed.
    """
    told_pass = Pass(score_threshold=score_threshold, gates=gates)
    scored_pass = told_pass if scoring_threshold is None else Pass(score_threshold=scoring_threshold, gates=False)
    making = alike or Alike()
    limits = settings or Settings()

    def assess(sample: Sample) -> _Assessed:
        return _assess(assessor, sample, told_pass, scored_pass, making, crops, seed, limits)

    damage = _Sums("damage", tuple(dict.fromkeys([*DAMAGE_NAMES, *(taught or ())])))
    part = _Sums("part", tuple(dict.fromkeys([*PART_NAMES, *(parts or ())])))
    rows: list[GateRow] = []
    naming: list[PartRow] = []
    photo_severities: list[Judged] = []
    finding_severities: list[Judged] = []
    count_errors: list[list[int]] = []
    unknown: set[str] = set()
    first: Assessment | None = None
    for _, assessed in map_in_order(assess, samples, workers=workers):
        sample, told, scored = assessed.sample, assessed.told, assessed.scored
        first = first or told
        rows += assessed.gates
        naming.append(part_row(told, sample))
        if (worst := worst_severity(sample)) is not None:
            photo_severities.append((worst, None if told.severity is None else told.severity.level))
        if scored is None:
            continue
        unknown |= {annotation.name for annotation in sample.annotations} - {*damage.names, *part.names, UNTYPED}
        for sums in (damage, part):
            truth = truth_of(sample, sums.names, sums.kind)
            if not truth:
                continue
            things = [found_things(assessment, sums.names) for assessment in (told, scored)]
            tally = sums.add(things[0], things[1], truth, (told.photo.height, told.photo.width))
            if sums is damage:
                finding_severities += judged_findings(things[1], joined(truth.annotated, truth.untyped))
                if truth.labelled:
                    counted = without_left_out(things[0], tally)
                    counts = (Counter(counted.names), component_counts(counted))
                    annotated = annotated_counts(sample)
                    count_errors.append([count_error(count, annotated, truth.labelled) for count in counts])
    if first is None:
        raise DatasetError("no photo to evaluate on")
    if not (rows or damage.tallies or part.tallies or photo_severities):
        raise DatasetError("nothing is known of these photos: no outlines, and not whether they show a vehicle or damage")
    known = [name for name in damage.names if name not in first.not_judged] if taught is None else list(taught)
    part_names = list(part.names) if parts is None else list(parts)
    notes = [f"annotations left out, as nothing knows their names: {', '.join(sorted(unknown))}"] if unknown else []
    if not (damage.masks and part.masks):
        notes.append("this bundle tells boxes without masks: mask AP is left out, pixel figures are of filled boxes")
    return Evaluation(
        dentify_version=dentify.__version__,
        bundle=first.bundle,
        data=tuple(data),
        settings=EvaluationSettings(
            told=told_pass, scored=scored_pass, **asdict(making), crops=crops, seed=seed, resamples=resamples
        ),
        photos=_photos(rows, damage, part),
        damage=_found(damage, known, resamples, seed, with_damage=True),
        parts=_found(part, part_names, resamples, seed, with_damage=False),
        naming=parts_result(naming) if part_names else None,
        severity=_severity(photo_severities, finding_severities),
        gates=gates_result(rows),
        counting=_counting(np.array(count_errors), resamples, seed) if count_errors else None,
        calibration=_calibrations(damage.tallies),
        notes=tuple(notes),
    )


def _assess(
    assessor: AssessorLike, sample: Sample, told: Pass, scored: Pass, alike: Alike, crops: int, seed: int, settings: Settings
) -> _Assessed:
    def look_at(shown: Sample) -> Look:
        return assessor.look(shown.read(settings), name=shown.name)

    def tell(look: Look, how: Pass) -> Assessment:
        return assessor.tell(look, score_threshold=how.score_threshold, gates=how.gates)

    shown = made_alike(sample, alike, settings)
    look = look_at(shown)
    answer = tell(look, told)
    size_hw = (answer.photo.height, answer.photo.width)
    check_size(shown, size_hw)
    scoring = None
    if sample.labelled:
        scoring = answer if scored == told else tell(look, scored)
    kind = photo_kind(sample)
    rows = []
    if kind:
        capped = answer.damage is not None and answer.damage.present and not answer.findings
        ungated = tell(look, told.model_copy(update={"gates": False})) if capped and told.gates else None
        rows = [gate_row(answer, kind, sample.source, ungated=ungated)]
    if kind == "undamaged" and crops:
        close_ups = (made_alike(crop, alike, settings) for crop in crops_of(sample, crops, seed=seed, settings=settings))
        rows += [gate_row(tell(look_at(close_up), told), "undamaged_crops", sample.source) for close_up in close_ups]
    kept = replace(shown, image=b"", size_hw=size_hw)
    return _Assessed(kept, answer, scoring, tuple(rows))


def _photos(rows: list[GateRow], damage: _Sums, part: _Sums) -> Photos:
    kinds = [row.kind for row in rows]
    return Photos(
        annotated=len(damage.tallies),
        parts=len(part.tallies),
        damaged=kinds.count("damaged"),
        undamaged=kinds.count("undamaged"),
        no_vehicle=kinds.count("no_vehicle"),
        vehicle=kinds.count("vehicle"),
        undamaged_crops=kinds.count("undamaged_crops"),
    )


def _found(sums: _Sums, taught: list[str], resamples: int, seed: int, *, with_damage: bool) -> Found | None:
    """Figures of damages or of parts, from the counts of each photo."""
    if not sums.tallies:
        return None
    box_aps, mask_aps = sums.box_ap.results(), sums.mask_ap.results()
    weights = photo_weights(len(sums.tallies), resamples, seed)
    names: dict[str, NameResult] = {}
    figures: dict[str, dict[str, Figure]] = {}  # name → figure → value, resampled (B,)
    for name in sums.names:
        counts = [tally.names.get(name) for tally in sums.tallies]
        labelled = [count for count in counts if count is not None]
        instances = sum(count.instances for count in labelled)
        if not labelled or not (instances or name in taught):
            continue
        mask_ap = mask_aps[name] if sums.masks and any(count.mask is not None for count in labelled) else None
        names[name] = _name_result(labelled, instances, mask_ap, box_aps[name], taught=name in taught)
        if name in taught and instances:
            figures[name] = _figures(names[name], counts, weights)
    groups = {"taught": list(figures)} | ({"common": [name for name in COMMON_TYPES if name in figures]} if with_damage else {})
    keys = dict.fromkeys(key for of_name in figures.values() for key in of_name)
    return Found(
        names=names,
        means={key: {group: _mean(figures, members, key) for group, members in groups.items()} for key in keys},
        any_damage=_any_damage(sums.tallies, weights) if with_damage else None,
    )


def _name_result(
    counts: list[NameCounts], instances: int, mask_ap: Precisions | None, box_ap: Precisions, *, taught: bool
) -> NameResult:
    pixels = [count.pixels for count in counts if count.pixels is not None]
    pooled = np.sum(pixels, axis=0) if pixels else np.zeros(3, np.int64)
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
        pixels=PixelFigures(
            iou=_or_none(iou_from_counts(pooled)),
            precision=_or_none(precision_from_counts(pooled)),
            recall=_or_none(recall_from_counts(pooled)),
            photos=len(pixels),
        ),
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


def _figures(result: NameResult, counts: list[NameCounts | None], weights: Weights) -> dict[str, Figure]:
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
    pixels = np.array([np.zeros(3, np.int64) if count is None or count.pixels is None else count.pixels for count in counts])
    pooled = weights @ pixels
    figures["pixel_iou"] = (result.pixels.iou, np.where(pooled[:, 2] > 0, iou_from_counts(pooled), np.nan))
    return figures


def _mean(figures: dict[str, dict[str, Figure]], names: list[str], key: str) -> Mean:
    """Mean of one figure over names; a resample takes the mean over those that occur in it."""
    having = [name for name in names if key in figures[name] and figures[name][key][0] is not None]
    if not having:
        return Mean(value=None, interval=None, over=())
    resampled = np.stack([figures[name][key][1] for name in having])
    occurs = np.isfinite(resampled)
    sums = np.where(occurs, resampled, 0.0).sum(0)
    means = np.where(occurs.any(0), sums / np.maximum(occurs.sum(0), 1), np.nan)
    value = float(np.mean([figures[name][key][0] for name in having]))
    return Mean(value=value, interval=interval(means), over=tuple(having))


def _any_damage(tallies: list[Tally], weights: Weights) -> AnyDamage:
    counted = [tally.any_pixels is not None for tally in tallies]
    pixels = np.array([np.zeros(3, np.int64) if tally.any_pixels is None else tally.any_pixels for tally in tallies])
    pooled = pixels.sum(0)
    iou = Mean(value=_or_none(iou_from_counts(pooled)), interval=interval(iou_from_counts(weights @ pixels)), over=("any",))
    return AnyDamage(
        iou=iou,
        precision=_or_none(precision_from_counts(pooled)),
        recall=_or_none(recall_from_counts(pooled)),
        photos=sum(counted),
    )


def _severity(photos: list[Judged], findings: list[Judged]) -> SeverityResult | None:
    if not photos:
        return None
    on_finding = [pair for pair in findings if pair[1] is not None]
    return SeverityResult(
        photos=_severity_figures(photos, len(photos)),
        findings=_severity_figures(on_finding, len(findings)),
        chance=1 / len(SEVERITY_LEVELS),
    )


def _severity_figures(judged: list[Judged], of: int) -> SeverityFigures:
    counts = confusion(judged)
    told = sum(level is not None for _, level in judged)
    return SeverityFigures(
        levels=SEVERITY_LEVELS,
        confusion=tuple(tuple(row) for row in counts.tolist()),
        macro_recall=macro_recall(counts),
        judged=told,
        of=of,
    )


def _counting(errors: IntArray, resamples: int, seed: int) -> CountingResult:
    weights = photo_weights(len(errors), resamples, seed)
    resampled = weights @ errors / len(errors)  # (B, 2)
    findings, components = (
        Mean(value=float(errors[:, column].mean()), interval=interval(resampled[:, column]), over=("photos",))
        for column in (0, 1)
    )
    return CountingResult(findings=findings, components=components, photos=len(errors))


def _calibrations(tallies: list[Tally]) -> dict[str, CalibrationResult]:
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
