"""Bootstrap over photos, and the interval of a share."""

from __future__ import annotations

import math

import numpy as np

from dentify.arrays import DoubleArray, IntArray


def photo_weights(n_photos: int, resamples: int, seed: int) -> IntArray:
    """`(resamples, n_photos)`: how often each photo is drawn in each resample, with replacement.

    >>> photo_weights(4, 3, seed=0).sum(axis=1).tolist()
    [4, 4, 4]
    """
    if n_photos == 0:
        return np.zeros((resamples, 0), np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_photos, np.full(n_photos, 1 / n_photos), size=resamples).astype(np.int64)


def interval(values: DoubleArray) -> tuple[float, float] | None:
    """The middle 95 % of resampled figures `(B,)`; NaNs (a resample without any such thing) are left out.

    >>> interval(np.linspace(0, 1, 1001))
    (0.025, 0.975)
    """
    counted = values[np.isfinite(values)]
    if not counted.size:
        return None
    low, high = np.quantile(counted, [0.025, 0.975])
    return float(low), float(high)


def wilson(count: int, of: int) -> tuple[float, float] | None:
    """95 % interval of a share, Wilson's score interval (1927): it stays sensible at 0, at 1 and for few photos.

    >>> [round(end, 3) for end in wilson(2, 100)]
    [0.006, 0.07]
    """
    if of == 0:
        return None
    z = 1.959964
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)
