"""Photos that training never sees, so that something can be fitted to them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from dentify.datasets.sample import Sample


def key_of(sample: Sample) -> str:
    """What near-duplicates share: source and group, or the photo's own name."""
    return f"{sample.source}/{sample.group or sample.name}"


def hold_out(samples: Iterable[Sample], share: float, key: Callable[[Sample], str] = key_of) -> tuple[list[Sample], list[Sample]]:
    """Photos to train on, and those that are kept for fitting scores, thresholds and calibration.

    Near-duplicates (one `key`) stay together, and the choice depends on names alone: the same photos are held out in every run.
    """
    kept: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        kept[hashlib.sha256(key(sample).encode()).digest()[0] < share * 256].append(sample)
    return kept
