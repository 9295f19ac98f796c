"""Which photos are kept from training to fit with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from dentify.datasets.sample import Sample


def hold_out(samples: Iterable[Sample], share: float) -> tuple[list[Sample], list[Sample]]:
    """Photos to train on, and those that are kept for fitting scores, thresholds and calibration.

    Near-duplicates (one `group`) stay together, and the choice depends on names alone: the same photos are held out in every run.
    """
    kept: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        key = f"{sample.source}/{sample.group or sample.name}".encode()
        kept[hashlib.sha256(key).digest()[0] < share * 256].append(sample)
    return kept
