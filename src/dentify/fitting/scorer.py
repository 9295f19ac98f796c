"""The small network that scores candidates (`bundle.manifest.Scorer`), fitted with numpy and scipy's L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from dentify.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from dentify.bundle.manifest import FEATURES, Scorer
from dentify.fitting.evidence import RIGHT_IOU, Evidence
from dentify.runtime.choosing import scorer_inputs

LEAST_CANDIDATES = 50
LEAST_OF_EITHER = 10
"""Right and wrong candidates without which there is nothing to tell apart."""
HIDDEN = 16
DECAY = 0.003
"""Of 0.001 to 0.04 what scored candidates of other photos best; see docs/explanation/training-log.md."""

_ONE_THREAD = 2**16  # multiplications; OpenBLAS starts threads above 2**18


def fit_scorer(evidence: Sequence[Evidence], num_types: int, *, seed: int, steps: int = 400) -> Scorer | None:
    """A small network that says how likely a candidate's IoU with an annotated instance is at least 0.5.

    `None` where there are too few candidates to learn from: findings then score their mean probability.

    Args:
        evidence: of the photos to learn from.
        num_types: that the bundle was taught.
        seed: of the weights that it starts from.
        steps: of L-BFGS, at most.
    """
    features, class_ids, best = candidates_of(evidence)
    right = best >= RIGHT_IOU
    if len(right) < LEAST_CANDIDATES or not LEAST_OF_EITHER <= right.sum() <= len(right) - LEAST_OF_EITHER:
        return None
    inputs = scorer_inputs(features, class_ids, num_types).astype(np.float64)
    mean, deviation = inputs.mean(0), inputs.std(0)
    # What never varies, such as a type that is never seen, weighs nothing; divided by next to nothing it would drown the rest.
    std = np.where(deviation > 1e-6, deviation + 1e-3, 1.0)
    goal = _goal(best)
    width = inputs.shape[1]
    # Products this small stay in one thread: shared among two busy processors, a fit took 31 s in place of 2.
    rows = max(1, _ONE_THREAD // (width * HIDDEN))
    data = [_blocks(values, rows) for values in ((inputs - mean) / std, goal, np.full(len(goal), 1 / len(goal)))]
    found = minimize(_loss, _start(width, seed), args=tuple(data), jac=True, method="L-BFGS-B", options={"maxiter": steps})
    (first, first_bias), (second, second_bias) = _layers(found.x, width)
    return Scorer(
        features=FEATURES,
        mean=_rounded(mean),
        std=_rounded(std),
        weights=(tuple(_rounded(row) for row in first), (_rounded(second),)),
        biases=(_rounded(first_bias), _rounded(second_bias)),
    )


def candidates_of(evidence: Sequence[Evidence]) -> tuple[FloatArray, IntArray, FloatArray]:
    """All candidates of some photos: `(N, F)` features, `(N,)` types and `(N,)` best IoU with an annotated instance."""
    features = np.concatenate([np.zeros((0, len(FEATURES)), np.float32), *(photo.candidates.features for photo in evidence)])
    class_ids = np.concatenate([np.zeros(0, np.int64), *(photo.candidates.class_ids for photo in evidence)])
    best = np.concatenate([np.zeros(0, np.float32), *(photo.ious.max(1, initial=0.0) for photo in evidence)])
    return features, class_ids, best


def _goal(best: FloatArray) -> DoubleArray:
    """Half the weight on the question itself, half on a slope around it: near misses teach, too."""
    right: BoolArray = best >= RIGHT_IOU
    return 0.5 * right + 0.5 * np.clip((best.astype(np.float64) - 0.3) / 0.4, 0, 1)


def _start(width: int, seed: int) -> DoubleArray:
    rng = np.random.default_rng(seed)
    first = rng.uniform(-1, 1, HIDDEN * width + HIDDEN) / np.sqrt(width)
    second = rng.uniform(-1, 1, HIDDEN + 1) / np.sqrt(HIDDEN)
    return np.concatenate([first, second])


Layer = tuple[DoubleArray, DoubleArray]


def _layers(parameters: DoubleArray, width: int) -> tuple[Layer, Layer]:
    """Weights and biases of both layers, views: `(HIDDEN, width)`, `(HIDDEN,)` and `(HIDDEN,)`, `(1,)`."""
    first = parameters[: HIDDEN * width].reshape(HIDDEN, width)
    rest = parameters[HIDDEN * width :]
    return (first, rest[:HIDDEN]), (rest[HIDDEN : 2 * HIDDEN], rest[2 * HIDDEN :])


def _loss(parameters: DoubleArray, x: DoubleArray, goal: DoubleArray, weight: DoubleArray) -> tuple[float, DoubleArray]:
    """Weighed cross-entropy with half the decay of the squared weights, and its gradient.

    Args:
        parameters: see `_layers`.
        x: `(B, R, F)` inputs, see `_blocks`.
        goal: `(B, R)` in [0, 1].
        weight: `(B, R)`, 1 in sum.
    """
    (first, first_bias), (second, second_bias) = _layers(parameters, x.shape[2])
    before = x @ first.T + first_bias
    hidden = np.maximum(before, 0)
    z = hidden @ second + second_bias[0]
    loss = np.sum(weight * (np.logaddexp(0, z) - goal * z)) + 0.5 * DECAY * (np.sum(first**2) + np.sum(second**2))
    slope = weight * (expit(z) - goal)
    back = slope[..., None] * second * (before > 0)
    gradients = (
        (back.transpose(0, 2, 1) @ x).sum(0) + DECAY * first,
        back.sum((0, 1)),
        (slope[:, None] @ hidden).sum((0, 1)) + DECAY * second,
        slope.sum(),
    )
    return float(loss), np.concatenate([np.ravel(gradient) for gradient in gradients])


def _blocks(values: DoubleArray, rows: int) -> DoubleArray:
    """`(N, …)` values as `(B, rows, …)`, the last block filled with zeros."""
    blocks = -(-len(values) // rows)
    filled = np.zeros((blocks * rows, *values.shape[1:]))
    filled[: len(values)] = values
    return filled.reshape(blocks, rows, *values.shape[1:])


def _rounded(values: DoubleArray) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values.tolist())
