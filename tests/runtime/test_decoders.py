"""Whatever kind a bundle's networks are of, what they found comes as `Instances`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentify.bundle import Manifest
from dentify.bundle.manifest import INSTANCE_MASK
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


def test_candidates_of_a_table_are_instances() -> None:
    document = tiny_manifest()
    for role, output in (("damage", "types"), ("parts", "parts")):
        document["roles"][role] = [{"file": "tiny.onnx", "output": output, "kind": "instances"}]
    table = np.zeros((3, 4 + len(TYPES) + INSTANCE_MASK**2), np.float32)
    table[0, :4], table[0, 5] = (0.25, 0.25, 0.5, 0.5), 0.8
    table[0, 4 + len(TYPES) :] = 1
    told = replace(answers(None, None), damage_tables=((1.0, table),), part_tables=((1.0, table),))
    whole = Manifest.model_validate(document)
    for found in (damage_instances(told, whole, (160, 160)), part_instances(told, whole, (160, 160))):
        assert found is not None
        assert found.boxes_xyxy.tolist() == [[40, 40, 80, 80]]
        assert found.class_ids.tolist() == [1]
        assert found.scores.tolist() == [np.float32(0.8)]  # as it was told


def test_members_that_tell_instances_are_fused_by_their_weights_also_beside_maps() -> None:
    document = tiny_manifest()
    maps = document["roles"]["damage"][0] | {"weight": 2.0}
    told_whole = {"file": "tiny.onnx", "output": "types", "kind": "instances"}
    block = blank()
    block[4:8, 4:8] = True
    there = np.zeros((1, 4 + len(TYPES) + INSTANCE_MASK**2), np.float32)
    there[0, :4], there[0, 4], there[0, 4 + len(TYPES) :] = (0.25, 0.25, 0.5, 0.5), 0.8, 1
    nothing = np.zeros_like(there)
    tables = ((1.0, there), (3.0, nothing))
    for members, types, score in (
        ([told_whole, told_whole | {"weight": 3.0}], None, 0.8 / 4),
        (
            [maps, told_whole, told_whole | {"weight": 3.0}],
            logits_of(block, *[blank()] * (len(TYPES) - 1)),
            (2 / (1 + np.exp(-4)) + 0.8) / 6,
        ),
    ):
        document["roles"]["damage"] = members
        found = damage_instances(
            replace(answers(types, None), damage_tables=tables), Manifest.model_validate(document), (160, 160)
        )
        assert found is not None
        assert found.boxes_xyxy.tolist() == [[40, 40, 80, 80]]
        assert found.scores.tolist() == pytest.approx([score])


def test_a_role_that_a_bundle_lacks_is_none_and_not_empty() -> None:
    gate = {"damage_gate": [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]}
    nothing_taught = {"taxonomy": {"damage_types": ["dent"], "taught": []}, "classes": {}, "thresholds": {}, "review": {}}
    gates_alone = Manifest.model_validate(tiny_manifest() | {"roles": gate} | nothing_taught)
    assert damage_instances(answers(None, None), gates_alone, (160, 160)) is None
    assert part_instances(answers(None, None), gates_alone, (160, 160)) is None
