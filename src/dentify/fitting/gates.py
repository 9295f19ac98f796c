"""Gates: whether a photo shows a vehicle, and whether that is damaged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dentify.arrays import DoubleArray
from dentify.bundle.manifest import GateCalibration
from dentify.fitting.confidence import balanced, fit_gate, gate_probabilities
from dentify.fitting.evidence import Evidence, Matched, silenced
from dentify.fitting.seeing import Asked, told_photos
from dentify.fitting.thresholds import gate_threshold

STRICTNESS = {"vehicle": 1.0, "damage": 0.5}
"""Which of the thresholds that are about as good: other things vary more than the few held-out photos of them show."""
EVEN_CHANCE = 0.5
"""The damage gate says yes to what is likelier than not: they are calibrated, and a person looks at what is unsure."""
LEAST_ANSWERS = 10
"""Photos of either answer without which a gate is not fitted."""
MOST_MISTAKES = 0.5
"""Shares of either kind of mistake, in sum, above which a gate is not fitted: chance makes 1, by turning all or none away."""


@dataclass(frozen=True)
class Gate:
    """How a gate decides."""

    calibration: GateCalibration
    threshold: float

    def lets_through(self, logit: float) -> bool:
        """Whether a photo with this logit passes."""
        return bool(gate_probabilities(np.array([logit]), self.calibration)[0] >= self.threshold)


def fit_gate_of(gate: str, own: Gate, asked: Sequence[Asked], notes: list[str]) -> Gate:
    """A gate's calibration and threshold; its own where the photos do not show both answers often enough."""
    mine = [one for one in asked if one.gate == gate]
    truth = np.array([one.answer for one in mine], np.bool_)
    weights = np.array([one.weight for one in mine])
    yes, no = (round(float(weights[(truth == answer) & (weights == 1.0)].sum())) // 2 for answer in (True, False))  # seen twice
    if min(yes, no) < LEAST_ANSWERS:
        of = {"vehicle": "with a vehicle", "damage": "with damage"}[gate]
        notes.append(f"the {gate} gate stays: {told_photos(yes)} {of} and {no} without, it takes {LEAST_ANSWERS} of either")
        return own
    weights = weights * source_weights(mine)
    logits = np.array([one.logit for one in mine])
    calibration = fit_gate(logits, truth, weights)
    probabilities = gate_probabilities(logits, calibration)
    threshold = gate_threshold(probabilities, truth, weights, strictness=STRICTNESS[gate])
    if gate == "damage":
        threshold = min(threshold, EVEN_CHANCE)
    mistakes = balanced(truth, weights)[truth != (probabilities >= threshold)].sum()
    if mistakes > MOST_MISTAKES:
        notes.append(f"the {gate} gate stays: it tells these photos apart hardly better than chance")
        return own
    return Gate(calibration, threshold)


def source_weights(asked: Sequence[Asked]) -> DoubleArray:
    """`(N,)`: a source counts by the square root of its photos of an answer.

    People's photos are of sources that are not here: one that happens to have most photos must not decide alone, and one of
    three photos must not either.

    >>> source_weights([Asked("damage", 0.0, True, 1.0, source) for source in "aaaab"]).tolist()
    [0.5, 0.5, 0.5, 0.5, 1.0]
    """
    counts: dict[tuple[bool, str | None], float] = defaultdict(float)
    for one in asked:
        counts[one.answer, one.source] += one.weight
    return np.array([1 / np.sqrt(counts[one.answer, one.source]) for one in asked])


def passes(photo: Evidence, gates: Mapping[str, Gate]) -> bool:
    """Whether every gate lets a photo through."""
    return all(gates[gate].lets_through(logit) for gate, logit in photo.gates.items())


def through(matched: Sequence[Matched], gates: Mapping[str, Gate]) -> list[Matched]:
    """Candidates as they are told behind the gates: of a photo that is turned away none is."""
    return [photo if passes(photo.evidence, gates) else silenced(photo) for photo in matched]
