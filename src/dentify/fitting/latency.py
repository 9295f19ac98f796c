"""How long bundles take for a photo, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dentify.runtime.networks import Networks

PHOTOS, ROUNDS = 10, 5


def latencies_ms(several: Sequence[Networks], images: Sequence[NDArray[np.uint8]], *, rounds: int = ROUNDS) -> list[float]:
    """Median time of a photo in all networks of each bundle, in milliseconds; bundles take turns, so that all meet the same load.

    Args:
        several: each bundle's networks.
        images: `(h, w, 3)` uint8 RGB each.
        rounds: how often each photo is shown to each.
    """
    taken: list[list[float]] = [[] for _ in several]
    for networks in several:
        networks.ask(images[0])  # the first run of a session is slower
    for turn in range(rounds):
        for image in images:
            for which in range(len(several)) if turn % 2 == 0 else reversed(range(len(several))):
                start = time.perf_counter()
                several[which].ask(image)
                taken[which].append(time.perf_counter() - start)
    return [1000 * float(np.median(times)) for times in taken]
