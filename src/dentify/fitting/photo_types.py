"""Damage types of photos as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dentify.arrays import FloatArray
from dentify.bundle.manifest import TypesCalibration
from dentify.fitting.confidence import LEAST_LEVELS, fit_temperature, fit_yes_temperature
from dentify.fitting.gates import LEAST_ANSWERS
from dentify.fitting.seeing import told_photos
from dentify.fitting.thresholds import gate_threshold
from dentify.runtime.probabilities import sigmoid


@dataclass(frozen=True)
class Types:
    """How the types of a photo as a whole are told."""

    calibration: TypesCalibration
    thresholds: float | dict[str, float]


def fit_types(
    seen: Sequence[tuple[FloatArray, tuple[bool | None, ...]]], own: Types, names: Sequence[str], notes: list[str]
) -> Types:
    """Temperature and thresholds for the types of photos as a whole; their own where too few photos are labelled with these.

    Args:
        seen: of each view `(C,)` logits, and of each type whether the photo shows it.
        own: as the bundle has them.
        names: of the types.
        notes: is told what stays.
    """
    if own.calibration.exclusive:
        one = [(logits, shown.index(True)) for logits, shown in seen if shown.count(True) == 1 and None not in shown]
        if len(one) < LEAST_LEVELS:
            notes.append(f"types stay: {told_photos(len(one) // 2)} of one known type, it takes {-(-LEAST_LEVELS // 2)}")
            return own
        temperature = fit_temperature([logits for logits, _ in one], [place for _, place in one]).temperature
        return Types(TypesCalibration(temperature=temperature, exclusive=True), own.thresholds)
    asked = {}
    for place, name in enumerate(names):
        known = [(logits[place], shown[place]) for logits, shown in seen if shown[place] is not None]
        truth = np.array([answer for _, answer in known], np.bool_)
        if min(truth.sum(), (~truth).sum()) >= 2 * LEAST_ANSWERS:  # seen twice
            asked[name] = np.array([logit for logit, _ in known], np.float64), truth
        else:
            notes.append(f"{name} of a photo as a whole keeps its threshold: it takes {LEAST_ANSWERS} photos with and without")
    if not asked:
        return own
    logits, truth = (np.concatenate(parts) for parts in zip(*asked.values(), strict=True))
    calibration = TypesCalibration(temperature=fit_yes_temperature(logits, truth))
    before = own.thresholds if isinstance(own.thresholds, dict) else dict.fromkeys(names, own.thresholds)
    thresholds = {name: gate_threshold(sigmoid(z / calibration.temperature), right) for name, (z, right) in asked.items()}
    return Types(calibration, before | thresholds)
