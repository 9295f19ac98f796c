"""A vehicle gate out of a classifier's own classes, without training: which of them mean vehicle follows from a few photos.

    gate = choose_classes(logits, vehicle)      # of a handful of photos
    gate_logits(other_logits, gate)             # of any

A classifier of ImageNet knows some thirty kinds of vehicles, and parts of them, but none of its classes is *vehicle*; a wrecked
car is a minivan, a tow truck or a grille to it. A class that often stands among its first five answers on photos of vehicles, and
not on others, means vehicle here. The gate's logit is that of the probability that all such classes have together:

    logit = logsumexp(logits of the chosen classes) - logsumexp(logits of the rest)

which is two Gather, two ReduceLogSumExp and a Sub in ONNX. It is calibrated like any gate's (`fit_gate`).

Source: the first gate of neokt/car-damage-detective (`01-first_gate-car_or_not.ipynb`), where a photo shows a car if one of the
first five classes of VGG16 is among the most frequent ones on photos of cars. Here chance and other photos say which classes are
taken, and the answer is a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, DoubleArray
from dentify.errors import DatasetError, ShapeError

TOP = 5
"""Of how many first answers of the classifier a class must be one."""
CHANCE = 0.01
"""How likely a class may be among them as often by chance: a class of 1,000 must be so on two photos of ten."""
LIFT = 3.0
"""How many times as often a class must be among them on photos of vehicles as on others."""


@dataclass(frozen=True)
class ClassGate:
    """Which classes mean vehicle, as indices into a classifier's logits, rising; neither set is empty."""

    vehicle: tuple[int, ...]
    rest: tuple[int, ...]


def choose_classes(logits: NDArray[np.floating], vehicle: BoolArray | None = None, *, top: int = TOP) -> ClassGate:
    """The classes that mean vehicle.

    A class is one of them where both hold:

    - it is among the first `top` on so many photos of vehicles that chance alone (`top` of all classes, drawn blindly on each
      photo) gives as many with a probability of at most `CHANCE`;
    - where there are photos without a vehicle, its share of those of vehicles is at least `LIFT` times that of the others. Both
      shares count half a photo more with it and half a photo more without, so that few photos prove little.

    Args:
        logits: `(N, K)` of photos, one row each.
        vehicle: `(N,)` whether each shows a vehicle; all of them where not given.
        top: how many first answers count; equal logits count in the order of the classes.

    Raises:
        ShapeError: the arrays have other shapes, or logits are no numbers.
        DatasetError: no photo shows a vehicle, or no class is clearly more frequent on those that do.
    """
    if logits.ndim != 2 or not np.isfinite(logits).all():
        raise ShapeError(f"logits must be (photos, classes) of finite numbers, got {logits.shape}")
    truth = np.ones(len(logits), np.bool_) if vehicle is None else vehicle
    if truth.shape != (len(logits),) or truth.dtype != np.bool_:
        raise ShapeError(f"vehicle must be ({len(logits)},) of bool, one a photo, got {truth.shape} of {truth.dtype}")
    if not truth.any():
        raise DatasetError("no photo of a vehicle to learn from; give a handful")
    classes = logits.shape[1]
    first = np.argsort(-logits, axis=1, kind="stable")[:, :top]  # (N, top)
    among = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(among, first, values=True, axis=1)
    hits, others = among[truth].sum(axis=0), among[~truth].sum(axis=0)  # (K,)
    photos = int(truth.sum())
    chosen = hits >= _least_hits(photos, min(top / classes, 1.0))
    if not truth.all():
        chosen &= _share(hits, photos) >= LIFT * _share(others, len(truth) - photos)
    if not chosen.any():
        raise DatasetError(
            f"no class is clearly more often among the first {top} of {classes} on photos of vehicles ({photos}) than elsewhere; "
            "give more photos, or a classifier that knows vehicles"
        )
    return ClassGate(tuple(np.flatnonzero(chosen).tolist()), tuple(np.flatnonzero(~chosen).tolist()))


def gate_logits(logits: NDArray[np.floating], gate: ClassGate) -> DoubleArray:
    """`(N,)` how likely each photo shows a vehicle, as the logit of what softmax gives the chosen classes together.

    Args:
        logits: `(N, K)`.
        gate: of the same classifier.

    >>> gate_logits(np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), ClassGate(vehicle=(0, 1), rest=(2,))).round(3).tolist()
    [1.099, -1.386]
    """
    wide = logits.astype(np.float64)
    return _logsumexp(wide[:, list(gate.vehicle)]) - _logsumexp(wide[:, list(gate.rest)])


def _logsumexp(values: DoubleArray) -> DoubleArray:
    """`(N,)` of `(N, M)`, without overflow."""
    most = values.max(axis=1, keepdims=True)
    return np.asarray(most[:, 0] + np.log(np.exp(values - most).sum(axis=1)), np.float64)


def _least_hits(photos: int, probability: float) -> int:
    """From how many hits on chance gives as many with a probability of at most `CHANCE`; one more than there are photos if never.

    >>> _least_hits(10, 5 / 1000), _least_hits(3, 5 / 1000), _least_hits(4, 0.5)
    (2, 2, 5)
    """
    tail = 0.0
    for hits in range(photos, -1, -1):
        tail += comb(photos, hits) * probability**hits * (1 - probability) ** (photos - hits)
        if tail > CHANCE:
            return hits + 1
    return 0


def _share(hits: NDArray[np.int64], photos: int) -> DoubleArray:
    """Shares of photos, drawn to a half by one photo more."""
    return np.asarray((hits + 0.5) / (photos + 1), np.float64)
