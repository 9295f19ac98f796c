"""Whether confidences can be believed: expected calibration error. A constant is calibrated too, so AUROC stands beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dentify.arrays import BoolArray, DoubleArray

BINS = 10
LEAST_IN_BIN = 50


@dataclass(frozen=True)
class Bin:
    """Findings of like confidence: how sure they were, and how many were right."""

    confidence: float
    right: float
    count: int


def reliability(confidences: DoubleArray, right: BoolArray, bins: int = BINS, least: int = LEAST_IN_BIN) -> tuple[Bin, ...]:
    """Findings in bins of equal number, least confident first.

    Equal number, not equal width: confidences crowd together, and a bin of three findings between 0.9 and 1 would show noise
    as a gap. And few findings have few bins: in one of 20, chance alone is a gap of about 0.09.

    Args:
        confidences: `(N,)` in [0, 1].
        right: `(N,)`.
        bins: most bins.
        least: findings that each bin holds, where there is more than one.

    >>> reliability(np.array([0.1, 0.3, 0.8, 0.9]), np.array([False, False, True, True]), least=2)
    (Bin(confidence=0.2, right=0.0, count=2), Bin(confidence=0.85, right=1.0, count=2))
    """
    order = np.argsort(confidences, kind="stable")
    parts = [part for part in np.array_split(order, max(1, min(bins, len(order) // least))) if part.size]
    return tuple(Bin(round(float(confidences[part].mean()), 12), float(right[part].mean()), int(part.size)) for part in parts)


def expected_calibration_error(bins: tuple[Bin, ...]) -> float | None:
    """Mean gap between confidence and share right, findings weighing equally; `None` without findings.

    >>> expected_calibration_error((Bin(0.5, 0.25, 2), Bin(1.0, 1.0, 2)))
    0.125
    """
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.right) for one in bins) / total if total else None


def error_by_chance(bins: tuple[Bin, ...]) -> float | None:
    """The error that perfectly calibrated confidences would show on as many findings, on average; `None` without findings.

    In a bin of n findings of confidence p the share that is right is off by √(2 p (1 - p) / (π n)), the mean deviation of a
    normal distribution. An error near this figure says nothing against the confidences.

    >>> round(error_by_chance((Bin(0.5, 0.4, 50), Bin(0.9, 0.9, 50))), 3)
    0.045
    """
    total = sum(one.count for one in bins)
    gaps = (math.sqrt(2 / math.pi * one.count * one.confidence * (1 - one.confidence)) for one in bins)
    return sum(gaps) / total if total else None
