"""From logits and raw scores to calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import FloatArray, IntArray
from dentify.bundle.manifest import GateCalibration, ScoreCalibration, TypesCalibration

_SMALLEST = 1e-7  # an ensemble's mean of probabilities is kept this far from 0 and 1 before it becomes a logit again


def sigmoid(logits: NDArray[np.floating]) -> FloatArray:
    """Element-wise `1 / (1 + exp(-x))`, without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    half = np.tanh(0.5 * logits.astype(np.float32, copy=False))
    return np.asarray(0.5 * half + 0.5, np.float32)


def softmax(logits: NDArray[np.floating], axis: int = 0) -> FloatArray:
    """`exp(x)` over its sum along an axis, without overflow.

    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    shifted = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=axis, keepdims=True), np.float32)


def logit_of_mean(logits: Sequence[float], weights: Sequence[float]) -> float:
    """What an ensemble says to a yes-or-no question: the logit of its members' mean probability; one member's own logit.

    Args:
        logits: one a member.
        weights: one a member, in any scale.

    >>> round(logit_of_mean([50.0, 0.0], [1.0, 1.0]), 3)  # of (1 + 0.5) / 2
    1.099
    >>> logit_of_mean([50.0], [1.0])
    50.0
    """
    if len(logits) == 1:
        return float(logits[0])
    mean = float(np.average(sigmoid(np.asarray(logits, np.float64)), weights=weights))
    mean = min(max(mean, _SMALLEST), 1 - _SMALLEST)
    return float(np.log(mean / (1 - mean)))


def logits_of_mean(logits: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """What an ensemble says to several yes-or-no questions, each as in `logit_of_mean`.

    Args:
        logits: `(C,)` a member.
        weights: one a member, in any scale.

    Returns:
        `(C,)` float32.
    """
    return np.array([logit_of_mean(each.tolist(), weights) for each in np.stack(logits, axis=1)], np.float32)


def log_of_mean(logits: Sequence[FloatArray], weights: Sequence[float]) -> FloatArray:
    """What an ensemble says of several levels: the logarithm of its members' mean probabilities; one member's own logits.

    Args:
        logits: `(L,)` a member.
        weights: one a member, in any scale.

    Returns:
        `(L,)` float32, logits of the mean.

    >>> softmax(log_of_mean([np.float32([50, 0]), np.float32([0, 0])], [1.0, 1.0])).round(3).tolist()
    [0.75, 0.25]
    """
    if len(logits) == 1:
        return logits[0]
    mean = np.average(np.stack([softmax(each) for each in logits]), axis=0, weights=weights)
    return np.log(np.maximum(mean, _SMALLEST)).astype(np.float32)


def gate_probability(logit: float, calibration: GateCalibration) -> float:
    """Calibrated probability that a gate's question is answered with yes: `sigmoid(logit / temperature + bias)`.

    >>> round(gate_probability(2.0, GateCalibration(temperature=2.0, bias=0.5)), 3)
    0.818
    """
    return float(sigmoid(np.asarray(logit / calibration.temperature + calibration.bias)))


def type_probabilities(logits: FloatArray, calibration: TypesCalibration) -> FloatArray:
    """Calibrated probabilities that a photo shows each of some damage types.

    Args:
        logits: `(C,)`.
        calibration: says whether the types exclude each other.

    >>> type_probabilities(np.float32([0, 4]), TypesCalibration(temperature=2.0)).round(2).tolist()
    [0.5, 0.8799999952316284]
    >>> type_probabilities(np.float32([4, 4]), TypesCalibration(exclusive=True)).tolist()
    [0.5, 0.5]
    """
    scaled = logits / calibration.temperature
    return softmax(scaled) if calibration.exclusive else sigmoid(scaled)


def calibrated(scores: FloatArray, class_ids: IntArray, curves: Sequence[ScoreCalibration | None]) -> FloatArray:
    """Confidences from raw scores, each by its class's curve.

    Args:
        scores: `(N,)` float32 in [0, 1].
        class_ids: `(N,)` int64, indices into `curves`.
        curves: one a class; `None` keeps the score.

    Returns:
        `(N,)` float32 in [0, 1].

    >>> curve = ScoreCalibration(x=(0.0, 0.5, 1.0), y=(0.0, 0.2, 1.0))
    >>> calibrated(np.float32([0.25, 0.75, 0.75]), np.array([0, 0, 1]), [curve, None]).round(3).tolist()
    [0.10000000149011612, 0.6000000238418579, 0.75]
    """
    confidences = scores.astype(np.float32, copy=True)
    for class_id, curve in enumerate(curves):
        if curve is not None:
            chosen = class_ids == class_id
            confidences[chosen] = np.interp(scores[chosen], curve.x, curve.y)
    return confidences
