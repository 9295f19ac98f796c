"""What is asked of a photo, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("onnx", reason="the tiny bundle needs the extra train")

from dentify import Bundle
from dentify.datasets import Sample
from dentify.fitting.seeing import CLOSE_UP_WEIGHT, look_at
from dentify.runtime.networks import Networks
from dentify.settings import Settings
from dentify.testing import tiny_manifest
from painted_cars import bundle_with, damaged, sound, street
from seen_dents import box


def test_close_ups_are_cut_from_sound_vehicles_only(tiny: Bundle) -> None:
    networks = Networks(tiny.manifest, tiny.files, threads=1, where="tiny")

    def asked(sample: Sample, close_ups: int = 2) -> list[tuple[str, bool, float]]:
        seen = look_at(networks, tiny.manifest, sample, seed=0, close_ups=close_ups, settings=Settings())
        return [(one.gate, one.answer, one.weight) for one in seen.asked]

    both = [("vehicle", True, 1.0), ("damage", False, 1.0)]
    close_up = [("vehicle", True, CLOSE_UP_WEIGHT), ("damage", False, CLOSE_UP_WEIGHT)]
    assert asked(sound(0)) == both * 2 + close_up * 2
    assert asked(sound(0), close_ups=0) == both * 2
    assert asked(damaged(0)) == [("vehicle", True, 1.0), ("damage", True, 1.0)] * 2
    assert asked(street(0)) == [("vehicle", False, 1.0)] * 2
    assert asked(replace(sound(0), vehicle=None, damage=None)) == []


def test_gates_are_asked_with_logits(tiny: Bundle) -> None:
    """The tiny network's lie between -6 and 6, and a whole vehicle's is 6."""
    bundle = replace(tiny, manifest=tiny.manifest)
    networks = Networks(bundle.manifest, bundle.files, threads=1, where="tiny")
    seen = look_at(networks, tiny.manifest, sound(0), seed=0, close_ups=0, settings=Settings())
    assert [round(one.logit, 2) for one in seen.asked if one.gate == "vehicle"] == [6.0, 6.0]


def test_a_photos_own_severity_is_asked_for(tiny: Bundle) -> None:
    """The tiny network has none; its answer whether there is a vehicle stands for a single level."""
    document = tiny_manifest()
    level = [{"file": "tiny.onnx", "output": "vehicle", "kind": "labels"}]
    bundle = bundle_with(
        tiny,
        roles=document["roles"] | {"severity": level},
        classes=document["classes"] | {"severity": ["minor"]},
        taxonomy=document["taxonomy"] | {"severity_levels": ["minor"]},
    )
    networks = Networks(bundle.manifest, bundle.files, threads=1, where="tiny")

    def levels(severity: str | None) -> list[tuple[tuple[int, ...], int]]:
        sample = replace(damaged(0), annotations=(replace(box("dent", 24, 0, 24, 16), severity=severity),))
        seen = look_at(networks, bundle.manifest, sample, seed=0, close_ups=0, settings=Settings())
        return [(logits.shape, worst) for logits, worst in seen.levels]

    assert levels("minor") == [((1,), 0)] * 2
    assert levels(None) == []
    assert levels("severe") == []  # this bundle knows no such level


def test_little_is_kept_of_a_photo(tiny: Bundle) -> None:
    """Its pixels take 74 kB, the network's input 49 kB; ten thousand photos must not fill a machine."""
    networks = Networks(tiny.manifest, tiny.files, threads=1, where="tiny")
    for seen in look_at(networks, tiny.manifest, damaged(0), seed=0, close_ups=0, settings=Settings()).evidence:
        squeezed = (seen.probs, seen.instances, seen.candidates.masks)
        assert sum(len(one.data) for one in squeezed) + seen.candidates.features.nbytes < 2000
