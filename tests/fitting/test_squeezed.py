"""Arrays and candidates, kept small."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.bundle.manifest import FEATURES
from dentify.fitting.squeezed import pack, squeeze
from dentify.runtime.candidates import find_candidates
from dentify.runtime.probabilities import sigmoid
from seen_dents import GROUPING, evidence, logits_of


@pytest.mark.parametrize(
    "array", [np.eye(3, dtype=bool), np.zeros((0, 4, 4), bool), np.arange(6, dtype=np.float32).reshape(1, 2, 3)]
)
def test_an_array_comes_back_as_it_was(array: np.ndarray) -> None:
    back = squeeze(array).array()
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert (back == array).all()


def test_candidates_come_back_as_they_were() -> None:
    candidates = list(find_candidates(sigmoid(logits_of([(8, 8), (40, 40), (44, 2)])), {}, GROUPING))
    assert len(candidates) == 3
    for before, after in zip(candidates, pack(candidates).unpacked(), strict=True):
        assert (before.class_id, before.x, before.y, before.level) == (after.class_id, after.x, after.y, after.level)
        assert (before.mask == after.mask).all()
        assert (before.features == after.features).all()


def test_none_is_a_normal_number() -> None:
    assert pack([]).unpacked() == []
    assert len(pack([])) == 0
    assert pack([]).features.shape == (0, len(FEATURES))


def test_a_photo_takes_little_room() -> None:
    """A map of 32 × 32 cells and two types is 8 kB as it is."""
    photo = evidence(seen=[(8, 8)], annotated=[(8, 8)])
    assert len(photo.probs.data) + len(photo.instances.data) + len(photo.candidates.masks.data) < 1000
