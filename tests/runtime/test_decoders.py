"""Whatever kind a bundle's networks are of, what they found comes as `Instances`."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.bundle import Manifest
from dentify.runtime.decoders import damage_instances, part_instances
from dentify.runtime.networks import Answers
from dentify.testing import PARTS, TYPES, tiny_manifest
from drawn_maps import blank, logits_of


def answers(types: np.ndarray | None, parts: np.ndarray | None) -> Answers:
    return Answers(vehicle=None, damaged=None, types=types, auxiliary={}, parts=parts, severity=None, photo_severity=None)


def test_maps_are_grouped_into_instances() -> None:
    block = blank()
    block[4:8, 4:8] = True
    whole = Manifest.model_validate(tiny_manifest())
    maps = answers(logits_of(block, *[blank()] * (len(TYPES) - 1)), logits_of(block, *[blank()] * (len(PARTS) - 1), ~block))
    damage, parts = damage_instances(maps, whole, (160, 160)), part_instances(maps, whole, (160, 160))
    assert damage is not None
    assert parts is not None
    assert damage.boxes_xyxy.tolist() == parts.boxes_xyxy.tolist() == [[40, 40, 80, 80]]
    assert damage.scores[0] == pytest.approx(1 / (1 + np.exp(-4)))  # raw: its mean probability


def test_a_role_that_a_bundle_lacks_is_none_and_not_empty() -> None:
    gate = {"damage_gate": [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]}
    nothing_taught = {"taxonomy": {"damage_types": ["dent"], "taught": []}, "classes": {}, "thresholds": {}, "review": {}}
    gates_alone = Manifest.model_validate(tiny_manifest() | {"roles": gate} | nothing_taught)
    assert damage_instances(answers(None, None), gates_alone, (160, 160)) is None
    assert part_instances(answers(None, None), gates_alone, (160, 160)) is None
