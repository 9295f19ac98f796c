"""A bundle's networks as one thing to ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from dentify.bundle import Manifest
from dentify.errors import BundleError
from dentify.runtime.networks import Networks
from dentify.runtime.probabilities import logits_of_mean, sigmoid, softmax
from dentify.testing import PARTS, TYPES, Damage, paint_photo, tiny_manifest, tiny_onnx

DENT = paint_photo(damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))])


def networks(data: bytes | None = None, **changes: Any) -> Networks:
    manifest = Manifest.model_validate(tiny_manifest() | changes)
    return Networks(manifest, {"tiny.onnx": data or tiny_onnx()}, threads=1, where="b")


def roles(**changes: Any) -> dict[str, Any]:
    return tiny_manifest()["roles"] | changes


def test_every_role_is_answered() -> None:
    answers = networks().ask(DENT)
    assert answers.vehicle == pytest.approx(6, abs=1e-2)
    assert answers.damaged == pytest.approx(6, abs=1e-2)
    assert answers.types is not None
    assert answers.types.shape == (len(TYPES), 64, 64)
    assert (answers.types[0] > 0).sum() == 16 * 16
    assert answers.parts is not None
    assert answers.parts.shape == (len(PARTS) + 1, 64, 64)
    assert answers.severity is not None
    assert answers.photo_severity is None
    assert answers.auxiliary == {}


def test_a_photo_needs_no_more_pixels_than_the_largest_input() -> None:
    assert networks().enough_side == 64


def test_auxiliary_maps_come_by_their_keys() -> None:
    member = {"file": "tiny.onnx", "output": "types", "kind": "maps", "auxiliary": {"centres": "severity"}}
    answers = networks(roles=roles(damage=[member])).ask(DENT)
    assert {key: values.shape for key, values in answers.auxiliary.items()} == {"centres": (3, 64, 64)}


def test_calibration_is_no_business_of_theirs() -> None:
    calibration = {gate: {"temperature": 3.0, "bias": 1.0} for gate in ("vehicle", "damage")}
    plain, other = networks().ask(DENT), networks(calibration=calibration).ask(DENT)
    assert (plain.vehicle, plain.damaged) == (other.vehicle, other.damaged)


def test_gates_of_an_ensemble_are_one_logit() -> None:
    """One member is sure of yes, the other of no: together they are in between."""
    members = [{"file": "tiny.onnx", "output": output, "kind": "labels"} for output in ("vehicle", "damaged")]
    undamaged = paint_photo()
    yes, no = (networks().ask(undamaged).vehicle, networks().ask(undamaged).damaged)
    assert yes is not None
    assert no is not None
    both = networks(roles=roles(vehicle_gate=members)).ask(undamaged).vehicle
    assert both is not None
    assert sigmoid(np.array(both)) == pytest.approx(sigmoid(np.array([yes, no])).mean(), abs=1e-6)


def test_an_ensemble_is_a_weighted_mean_of_logits() -> None:
    """Two files, the second of which is the first with its dents moved to the scratches' channel."""
    model = onnx.load_model_from_string(tiny_onnx())
    (weights,) = (tensor for tensor in model.graph.initializer if tensor.name == "types.w")
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights)[[1, 0, 2]], "types.w"))
    whole = tiny_manifest()
    manifest = Manifest.model_validate(
        whole
        | {
            "networks": [network | {"file": file} for network in whole["networks"] for file in ("a.onnx", "b.onnx")],
            "roles": {
                "damage": [
                    {"file": "a.onnx", "output": "types", "kind": "maps", "weight": 3},
                    {"file": "b.onnx", "output": "types", "kind": "maps", "weight": 1},
                ]
            },
            "classes": {"damage": list(TYPES)},
        }
    )
    files = {"a.onnx": tiny_onnx(), "b.onnx": model.SerializeToString()}
    types = Networks(manifest, files, threads=1, where="b").ask(DENT).types
    alone = networks().ask(DENT).types
    assert types is not None
    assert alone is not None
    np.testing.assert_allclose(types[0], 0.75 * alone[0] + 0.25 * alone[1], atol=1e-4)


def test_a_letterboxs_filling_is_no_part_of_the_answer() -> None:
    network = tiny_manifest()["networks"][0]
    letterbox = network | {"preprocessing": network["preprocessing"] | {"resize": "letterbox"}}
    types = networks(networks=[letterbox]).ask(paint_photo(size_hw=(256, 512))).types
    assert types is not None
    assert types.shape == (3, 32, 64)


def open_shapes() -> Any:
    """The tiny network with the shape of its outputs left open."""
    model = onnx.load_model_from_string(tiny_onnx())
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim:
            dimension.dim_param = "any"
    return model


def test_channels_that_no_file_promised_are_checked_when_they_come() -> None:
    whole = tiny_manifest()
    parts = {"parts": list(PARTS[:2])}
    with pytest.raises(
        BundleError, match=r"^b/tiny\.onnx: output 'parts' is \(1, 4, 64, 64\), the classes of parts need \(1, 3, None, None\)"
    ):
        networks(open_shapes().SerializeToString(), taxonomy=whole["taxonomy"] | parts, classes=whole["classes"] | parts).ask(
            DENT
        )


def test_a_network_that_gives_no_numbers_is_broken() -> None:
    model = onnx.load_model_from_string(tiny_onnx())
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "types.b")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), "types.b"))
    with pytest.raises(BundleError, match=r"^b/tiny\.onnx: output '\w+' holds values that are no numbers"):
        networks(model.SerializeToString()).ask(DENT)


def types_of(*members: dict[str, Any], exclusive: bool) -> np.ndarray:
    whole = tiny_manifest(photo_types=True)
    made = [{"file": "tiny.onnx", "kind": "labels"} | member for member in members]
    changes = {"roles": whole["roles"] | {"types": made}, "calibration": {"types": {"exclusive": exclusive}}}
    manifest = Manifest.model_validate(whole | changes)
    told = Networks(manifest, {"tiny.onnx": tiny_onnx(photo_types=True)}, threads=1, where="b").ask(DENT).photo_types
    assert told is not None
    return told


def test_types_of_the_photo_are_logits_one_a_type() -> None:
    assert networks().ask(DENT).photo_types is None
    told = types_of({"output": "photo_types"}, exclusive=False)
    assert told[0] == pytest.approx(6, abs=1e-2)
    assert told[1:] == pytest.approx([-5.8, -5.8], abs=0.3)


@pytest.mark.parametrize("exclusive", [False, True])
def test_an_ensemble_tells_mean_probabilities_of_types(exclusive: bool) -> None:
    """Twice the same member changes nothing: not its probabilities, whatever the weights."""
    alone = types_of({"output": "photo_types"}, exclusive=exclusive)
    twice = types_of({"output": "photo_types"}, {"output": "photo_types", "weight": 3}, exclusive=exclusive)
    probabilities = softmax if exclusive else sigmoid
    np.testing.assert_allclose(probabilities(twice), probabilities(alone), atol=1e-5)


def test_means_of_independent_types_are_taken_type_by_type() -> None:
    first, second = np.float32([4, -4, 0]), np.float32([-4, -4, 0])
    mean = sigmoid(logits_of_mean([first, second], [3, 1]))
    np.testing.assert_allclose(mean, 0.75 * sigmoid(first) + 0.25 * sigmoid(second), atol=1e-6)
    assert logits_of_mean([first], [1]).tolist() == first.tolist()
