"""From the maps of several networks to one: resampled to the finest of their grids, then averaged or voted on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentify.arrays import FloatArray
from dentify.bundle.manifest import Combine
from dentify.runtime.grids import resized

DOUBT = 0.02
"""What a vote leaves open: where all members say yes, as likely as 0.99 and not 1, whose logit would be no number."""


def merge_maps(maps: Sequence[FloatArray], weights: Sequence[float], *, how: Combine, exclusive: bool) -> FloatArray:
    """What several networks say of each place of a photo, as one map of logits; one network's own map.

    Args:
        maps: `(C, h, w)` logits over the photo a member; grids may differ.
        weights: one a member, in any scale.
        how: the mean of logits, or the share of members that say yes; see `votes`.
        exclusive: whether each place is of one class, so that a vote goes to the likeliest.

    Returns:
        `(C, H, W)` float32 on the finest grid.
    """
    if len(maps) == 1:
        return maps[0]
    stacked = np.stack(on_finest_grid(maps))
    if how == "mean":
        return np.asarray(np.average(stacked, axis=0, weights=weights), np.float32)
    share = np.average(votes(stacked, exclusive=exclusive), axis=0, weights=weights)
    return logits_of_share(share, exclusive=exclusive)


def on_finest_grid(maps: Sequence[FloatArray]) -> list[FloatArray]:
    """Maps `(C, h, w)` that cover one photo, each interpolated to as many rows and columns as any of them has."""
    height, width = finest_grid(maps)
    return [one if one.shape[1:] == (height, width) else np.stack([resized(each, height, width) for each in one]) for one in maps]


def finest_grid(maps: Sequence[FloatArray]) -> tuple[int, int]:
    """Rows and columns, as many as any of some maps `(C, h, w)` has."""
    return max(one.shape[1] for one in maps), max(one.shape[2] for one in maps)


def votes(logits: FloatArray, *, exclusive: bool) -> FloatArray:
    """`(K, C, …)` of members' logits: 1 where one says yes, or where a class is its likeliest, and 0 elsewhere.

    >>> votes(np.float32([[2, -1, 1]]), exclusive=False).tolist(), votes(np.float32([[2, -1, 1]]), exclusive=True).tolist()
    ([[1.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    """
    if not exclusive:
        return (logits > 0).astype(np.float32)
    told = np.zeros(logits.shape, np.float32)
    np.put_along_axis(told, logits.argmax(axis=1, keepdims=True), 1.0, axis=1)
    return told


def probability_of_share(share: FloatArray, classes: int) -> FloatArray:
    """How likely is what a share of members says, of so many answers: `DOUBT` is spread evenly over them.

    >>> probability_of_share(np.float32([0, 0.5, 1]), 2).round(3).tolist()
    [0.009999999776482582, 0.5, 0.9900000095367432]
    """
    return np.asarray((share + DOUBT / classes) / (1 + DOUBT), np.float32)


def logits_of_share(share: FloatArray, *, exclusive: bool) -> FloatArray:
    """`(C, h, w)` logits whose sigmoid, or softmax over C where classes exclude each other, is as likely as the share says."""
    probability = probability_of_share(share, len(share) if exclusive else 2)
    return np.asarray(np.log(probability if exclusive else probability / (1 - probability)), np.float32)
