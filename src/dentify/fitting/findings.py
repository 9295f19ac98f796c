"""Findings: how candidates are scored, how sure that is, and from where on they are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dentify.arrays import BoolArray, IntArray
from dentify.bundle.manifest import Manifest, ScoreCalibration, Scorer
from dentify.fitting.confidence import calibrate, fit_curves
from dentify.fitting.evidence import Evidence, Matched, cross_match, match
from dentify.fitting.figures import figures_of, mean_precision50
from dentify.fitting.gates import Gate, passes, through
from dentify.fitting.scorer import fit_scorer
from dentify.fitting.seeing import told_photos
from dentify.fitting.thresholds import choose_thresholds

LEAST_INSTANCES = 5
"""Annotated instances without which a type keeps its threshold."""
LEAST_OUTLINED = 20
"""Photos with outlines of damage without which nothing is fitted to findings; near-duplicates count as one."""


@dataclass(frozen=True)
class Findings:
    """How findings are scored and told, and how good they are so."""

    scorer: Scorer | None
    curves: Mapping[str, ScoreCalibration]
    thresholds: Mapping[str, float]
    figures: dict[str, float]
    before: dict[str, float]
    fitted: bool


def fit_findings(
    evidence: Sequence[Evidence],
    manifest: Manifest,
    gates_before: Mapping[str, Gate],
    gates: Mapping[str, Gate],
    notes: list[str],
    *,
    seed: int,
) -> Findings:
    """Scorer, curves and thresholds of findings; the bundle's own where photos tell too little.

    Args:
        evidence: of all photos, each seen twice.
        manifest: of the bundle.
        gates_before: as the bundle has them.
        gates: as they were fitted.
        notes: is told what stays.
        seed: of the scorer.
    """
    names, grouping = manifest.classes.damage, manifest.grouping
    own = Findings(grouping.scorer, manifest.calibration.findings, manifest.thresholds.findings, {}, {}, fitted=False)
    outlined = len({photo.photo for photo in evidence if len(photo.types)})
    if not evidence:
        notes.append(f"findings stay: {told_photos(outlined)} with outlines, it takes {LEAST_OUTLINED}")
        return own
    matched = [match(photo, grouping, own.scorer) for photo in evidence]
    before = _figures(matched, gates_before, own.curves, own.thresholds, manifest)
    own = replace(own, figures=_figures(matched, gates, own.curves, own.thresholds, manifest), before=before)
    if outlined < LEAST_OUTLINED:
        notes.append(f"findings stay: {told_photos(outlined)} with outlines, it takes {LEAST_OUTLINED}")
        return own

    # What a gate holds back is never told, so scorer, confidences and thresholds need not guard against it.
    def fit(some: Sequence[Evidence]) -> Scorer | None:
        return fit_scorer([photo for photo in some if passes(photo, gates)], len(names), seed=seed)

    labelled: BoolArray = np.any([photo.known for photo in evidence], axis=0)
    unlabelled = [name for name, is_known in zip(names, labelled, strict=True) if not is_known]
    scorer = own.scorer
    crossed = None
    if any(photo.scores is not None for photo in evidence):
        notes.append("no scorer is fitted: what networks tell as instances comes with scores of its own")
    elif unlabelled and scorer is not None:
        notes.append(f"the scorer stays: it scores {', '.join(unlabelled)} too, which no photo labels")
    else:
        crossed = cross_match(evidence, grouping, fit)
        if crossed is None:
            notes.append("the scorer stays: too few right and wrong candidates to tell them apart by")
        elif scorer is not None and mean_precision50(crossed, len(names)) <= mean_precision50(matched, len(names)):
            notes.append("the scorer stays: one from these photos ranks findings no better")
            crossed = None
        else:
            scorer, matched = fit(evidence), crossed
    fitted = fit_curves([photo for photo in matched if passes(photo.evidence, gates)], names)
    if not fitted:
        notes.append(
            "confidences stay: too few findings" if crossed is None else "confidences are the scorer's: too few findings"
        )
    curves = {} if crossed is not None else dict(own.curves)
    curves |= {name: curve for name, curve in fitted.items() if crossed is not None or name not in unlabelled}
    instances = _instances(evidence, len(names))
    few = [name for name, count in zip(names, instances.tolist(), strict=True) if count < LEAST_INSTANCES]
    if few:
        notes.append(f"thresholds of {', '.join(few)} stay: fewer than {LEAST_INSTANCES} are annotated")
    told = through(calibrate(matched, curves, names), gates)
    thresholds = choose_thresholds(told, names, kept={name: own.thresholds[name] for name in few})
    figures = _figures(matched, gates, curves, thresholds, manifest)
    return Findings(scorer, curves, thresholds, figures, before, fitted=True)


def _figures(
    matched: Sequence[Matched],
    gates: Mapping[str, Gate],
    curves: Mapping[str, ScoreCalibration],
    thresholds: Mapping[str, float],
    manifest: Manifest,
) -> dict[str, float]:
    names = manifest.classes.damage
    scored = calibrate(matched, curves, names)
    return figures_of(scored, through(scored, gates), names, thresholds)


def _instances(evidence: Sequence[Evidence], num_types: int) -> IntArray:
    """`(C,)` how many instances of each type are annotated; each photo was seen twice."""
    types = np.concatenate([np.zeros(0, np.int64), *(photo.types for photo in evidence)])
    return np.asarray(np.bincount(types, minlength=num_types) // 2, np.int64)
