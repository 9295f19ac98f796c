"""How much each member of an ensemble counts, from what all of them say of the same photos.

    weights, better = weigh(judged)

Weights are not negative and 1 in sum; best are those with which the right answers are likeliest (least cross-entropy). Both ways
that answers become one are convex in the weights, so that there is one best, whatever one starts from:

- the mean of logits (maps): `log(1 + Σ exp(Σ w · against))` over the wrong answers;
- the mean of probabilities (gates, labels, votes): `-log(Σ w · probability of the right answer)`.

Few photos prove little: weights that are fitted to some of them must do better on the others than equal ones do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from dentify.arrays import DoubleArray
from dentify.fitting.evidence import FOLDS
from dentify.fitting.judged import Judged

_LEAST_LIKELY = 1e-7
"""What the probability of a right answer counts as at least: one that is sure of the wrong one must not decide alone."""


def weigh(judged: Sequence[Judged]) -> tuple[DoubleArray, bool]:
    """`(K,)` weights with which the right answers are likeliest, and whether such weights beat equal ones on other photos.

    Args:
        judged: of all photos, K members each.
    """
    members = max(max(one.against.shape[1], one.right.shape[1]) for one in judged)
    everything = _stacked(judged, members)
    equal = np.full(members, 1 / members)
    fitted = alike = 0.0
    for fold in range(FOLDS):
        mine = [one for one in judged if one.photo % FOLDS == fold]
        others = [one for one in judged if one.photo % FOLDS != fold]
        if mine and others:
            asked = _stacked(mine, members)
            fitted += _loss(_best(_stacked(others, members)), asked)[0]
            alike += _loss(equal, asked)[0]
    return _best(everything), fitted < alike


@dataclass(frozen=True, eq=False)
class _Questions:
    """Those of some photos: see `Judged`."""

    against: DoubleArray
    right: DoubleArray
    against_weights: DoubleArray
    right_weights: DoubleArray


def _stacked(judged: Sequence[Judged], members: int) -> _Questions:
    with_against, with_right = ([one for one in judged if len(getattr(one, kind))] for kind in ("against", "right"))
    return _Questions(
        against=np.concatenate([one.against for one in with_against] or [np.zeros((0, members, 1), np.float32)]).astype(
            np.float64
        ),
        right=np.concatenate([one.right for one in with_right] or [np.zeros((0, members), np.float32)]).astype(np.float64),
        against_weights=np.repeat([one.weight for one in with_against], [len(one.against) for one in with_against]),
        right_weights=np.repeat([one.weight for one in with_right], [len(one.right) for one in with_right]),
    )


def _best(asked: _Questions) -> DoubleArray:
    members = asked.right.shape[1]
    scale = asked.against_weights.sum() + asked.right_weights.sum()

    def loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        value, gradient = _loss(weights, asked)
        return value / scale, gradient / scale

    found = minimize(
        loss,
        np.full(members, 1 / members),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * members,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-9, "maxiter": 200},
    )
    weights = np.maximum(found.x, 0)
    return np.asarray(weights / weights.sum(), np.float64)


def _loss(weights: DoubleArray, asked: _Questions) -> tuple[float, DoubleArray]:
    """Cross-entropy of all questions in sum, and its gradient."""
    behind = np.einsum("nkc,k->nc", asked.against, weights)
    total = np.logaddexp.reduce(behind, axis=1, initial=0.0)  # of the wrong answers and the right one, whose logit counts as 0
    shares = asked.against_weights[:, None] * np.exp(behind - total[:, None])
    likely = np.maximum(asked.right @ weights, _LEAST_LIKELY)
    gradient = np.einsum("nkc,nc->k", asked.against, shares) - (asked.right_weights / likely) @ asked.right
    return float(asked.against_weights @ total - asked.right_weights @ np.log(likely)), gradient
