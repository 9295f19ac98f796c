"""From scores and logits to confidences: one curve a type, two numbers a gate, one for severity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import logsumexp

from dentify.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from dentify.bundle.manifest import GateCalibration, ScoreCalibration, SeverityCalibration
from dentify.fitting.evidence import Matched
from dentify.runtime.probabilities import calibrated, sigmoid

_GATE_BOUNDS = ((-5.0, 5.0), (-50.0, 50.0))  # of the logarithm of a gate's scale, and of its bias
LEAST_LEVELS = 25
"""Photos of known severity without which its temperature is not fitted."""


def fit_curves(
    matched: Sequence[Matched], names: Sequence[str], *, least: int = 25, bins: int = 10
) -> dict[str, ScoreCalibration]:
    """From scores to the share of findings that are right: isotonic over bins of equal count, one curve a type.

    A type with too few right findings for a curve of its own shares the curve of all; where all findings are too few, too, there
    is none.
    """
    if not matched:
        return {}
    scores = np.concatenate([photo.scores for photo in matched])
    right = np.concatenate([photo.right for photo in matched]).astype(np.float64)
    class_ids = np.concatenate([photo.class_ids for photo in matched])
    if len(scores) < 2 * least:
        return {}
    shared = curve_of(scores, right, least, bins)
    curves = {}
    for class_id, name in enumerate(names):
        mine = class_ids == class_id
        enough = right[mine].sum() >= least
        curves[name] = curve_of(scores[mine], right[mine], least, bins) if enough else shared
    return curves


def curve_of(scores: FloatArray, right: DoubleArray, least: int, bins: int) -> ScoreCalibration:
    """Bins with at least `least` findings each and, since right ones are rare, about as many right ones each."""
    order = np.argsort(scores, kind="stable")
    scores, right = scores[order].astype(np.float64), right[order]
    weight = np.cumsum(right + 0.02)
    edges = np.searchsorted(weight, np.linspace(0, weight[-1], bins + 1)[1:-1])
    groups = [group for group in np.split(np.arange(len(scores)), np.unique(edges)) if len(group)]
    merged: list[IntArray] = []
    for group in groups:
        if merged and (len(merged[-1]) < least):
            merged[-1] = np.concatenate([merged[-1], group])
        else:
            merged.append(group)
    if len(merged) > 1 and len(merged[-1]) < least:  # the surest findings, of which most is said
        merged[-2:] = [np.concatenate(merged[-2:])]
    x = np.array([scores[group].mean() for group in merged])
    # One imagined wrong and one imagined right finding a bin keep confidences off 0 and 1.
    y = np.array([(right[group].sum() + 0.5) / (len(group) + 1) for group in merged])
    y = isotonic_regression(y, weights=[len(group) for group in merged]).x
    x, keep = np.unique(np.round(x, 4), return_index=True)
    y = y[keep]
    if x[0] > 0:
        x, y = np.append(0.0, x), np.append(0.5 * y[0], y)
    if x[-1] < 1:
        x, y = np.append(x, 1.0), np.append(y, y[-1] + 0.5 * (1 - y[-1]) * (1 - x[-1]))
    return ScoreCalibration(x=tuple(x.tolist()), y=tuple(float(value) for value in np.round(y, 4)))


def calibrate(matched: Sequence[Matched], curves: Mapping[str, ScoreCalibration], names: Sequence[str]) -> list[Matched]:
    """The same findings with confidences in place of scores."""
    ordered = [curves.get(name) for name in names]
    return [replace(photo, scores=calibrated(photo.scores, photo.class_ids, ordered)) for photo in matched]


def fit_gate(logits: NDArray[np.floating], truth: BoolArray, weights: NDArray[np.floating] | None = None) -> GateCalibration:
    """Temperature and bias with which yes and no are about equally likely beforehand (Platt's scaling, classes balanced).

    Args:
        logits: `(N,)`.
        truth: `(N,)` right answers.
        weights: `(N,)`, equal when left out.
    """
    if truth.all() or not truth.any():
        return GateCalibration()
    weighed = balanced(truth, weights) / 2
    goal = np.where(truth, 0.98, 0.02)

    def loss(parameters: DoubleArray) -> float:
        z = logits * np.exp(parameters[0]) + parameters[1]
        return float((weighed * (np.logaddexp(0, z) - goal * z)).sum())

    # Where logits say nothing of the truth, or its opposite, the best temperature is without end.
    scale, bias = minimize(loss, np.zeros(2), method="Nelder-Mead", bounds=_GATE_BOUNDS).x
    return GateCalibration(temperature=round(float(np.exp(-scale)), 4), bias=round(float(bias), 4))


def gate_probabilities(logits: NDArray[np.floating], calibration: GateCalibration) -> FloatArray:
    """Calibrated probabilities of yes."""
    return sigmoid(logits / calibration.temperature + calibration.bias)


def balanced(truth: BoolArray, weights: NDArray[np.floating] | None) -> DoubleArray:
    """Weights that sum to 1 for either answer.

    >>> balanced(np.array([True, False, False]), np.array([1.0, 3.0, 1.0])).tolist()
    [1.0, 0.75, 0.25]
    """
    given = np.ones(len(truth)) if weights is None else weights.astype(np.float64)
    return np.asarray(np.where(truth, given / given[truth].sum(), given / given[~truth].sum()), np.float64)


def fit_yes_temperature(logits: NDArray[np.floating], truth: BoolArray) -> float:
    """The temperature with which answers of yes or no were likeliest, yes and no balanced.

    Args:
        logits: `(N,)` of yes.
        truth: `(N,)` right answers, both among them.
    """
    weighed = balanced(truth, None)

    def loss(log_temperature: float) -> float:
        z = logits / math.exp(log_temperature)
        return float((weighed * (np.logaddexp(0, z) - truth * z)).sum())

    return round(math.exp(minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x), 4)


def fit_temperature(logits: Sequence[FloatArray], truth: Sequence[int], *, least: int = LEAST_LEVELS) -> SeverityCalibration:
    """The temperature with which the annotated levels were likeliest.

    Args:
        logits: `(L,)` a photo.
        truth: level of each photo.
        least: photos without which nothing is fitted.
    """
    if len(truth) < least:
        return SeverityCalibration()
    scores, answers = np.stack(logits).astype(np.float64), np.asarray(truth)

    def loss(log_temperature: float) -> float:
        z = scores / math.exp(log_temperature)
        return float(np.mean(logsumexp(z, axis=1) - z[np.arange(len(z)), answers]))

    best = minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x
    return SeverityCalibration(temperature=round(math.exp(best), 4))
