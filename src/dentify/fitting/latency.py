"""How long bundles take for a photo, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from dentify.imaging.decode import DecodedPhoto
from dentify.runtime.networks import Networks

PHOTOS, ROUNDS = 10, 5


def latencies_ms(several: Sequence[Networks], photos: Sequence[DecodedPhoto], *, rounds: int = ROUNDS) -> list[float]:
    """Median time of a photo in all networks of each bundle, in milliseconds; bundles take turns, so that all meet the same load.

    Args:
        several: each bundle's networks.
        photos: as finely decoded as assessing them does.
        rounds: how often each photo is shown to each.
    """
    taken: list[list[float]] = [[] for _ in several]
    for networks in several:
        networks.ask(photos[0].image, photo_hw=photos[0].photo_hw)  # the first run of a session is slower
    for turn in range(rounds):
        for photo in photos:
            for which in range(len(several)) if turn % 2 == 0 else reversed(range(len(several))):
                start = time.perf_counter()
                several[which].ask(photo.image, photo_hw=photo.photo_hw)
                taken[which].append(time.perf_counter() - start)
    return [1000 * float(np.median(times)) for times in taken]
