"""8-bit layers: which are chosen, and that a network says nearly what it said before."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from dentify.arrays import FloatArray
from dentify.bundle.onnx_bytes import inspect_onnx
from dentify.errors import BundleError, MissingExtraError
from dentify.runtime.int8 import Calibration, Layers, chosen_layers, to_int8
from dentify.runtime.session import Session
from dentify.testing import tiny_onnx

onnx = pytest.importorskip("onnx", reason="needs the extra quantize")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

SIDE = 16


def network(*, names: bool = True) -> bytes:
    """Five convolutions and a gate's product, of which `middle` alone is ungrouped, sees 3 × 3 pixels and is in between."""
    rng = np.random.default_rng(0)
    nodes, constants = [], []

    def layer(name: str, source: str, shape: tuple[int, ...], output: str, groups: int = 1) -> None:
        weights = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
        constants.append(numpy_helper.from_array(weights.astype(np.float32), f"{name}.w"))
        pads = [shape[2] // 2] * 4
        nodes.append(
            helper.make_node("Conv", [source, f"{name}.w"], [output], name=name if names else "", group=groups, pads=pads)
        )

    layer("first", "image", (8, 3, 3, 3), "a")
    nodes.append(helper.make_node("Relu", ["a"], ["b"]))
    layer("middle", "b", (8, 8, 3, 3), "c")
    layer("one_group_a_channel", "c", (8, 1, 3, 3), "d", groups=8)
    layer("one_pixel", "d", (8, 8, 1, 1), "e")
    nodes.append(helper.make_node("Relu", ["e"], ["f"]))
    layer("last", "f", (2, 8, 3, 3), "g")
    nodes.append(helper.make_node("Sigmoid", ["g"], ["maps"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["e"], ["h"]))
    nodes.append(helper.make_node("Flatten", ["h"], ["i"]))
    constants.append(numpy_helper.from_array(rng.normal(size=(8, 8)).astype(np.float32), "product.w"))
    nodes.append(helper.make_node("Gemm", ["i", "product.w"], ["j"], name="product"))
    constants.append(numpy_helper.from_array(rng.normal(size=(8, 1)).astype(np.float32), "gate.w"))
    nodes.append(helper.make_node("Gemm", ["j", "gate.w"], ["gate"], name="last_product"))
    outputs = [
        helper.make_tensor_value_info("maps", TensorProto.FLOAT, (1, 2, SIDE, SIDE)),
        helper.make_tensor_value_info("gate", TensorProto.FLOAT, (1, 1)),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    graph = helper.make_graph(nodes, "small", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def photo(seed: int, scale: float = 1.0) -> FloatArray:
    return (np.random.default_rng(seed).normal(size=(1, 3, SIDE, SIDE)) * scale).astype(np.float32)


PHOTOS: list[Callable[[], FloatArray]] = [partial(photo, seed) for seed in range(8)]


def run(model: bytes, tensor: FloatArray) -> dict[str, FloatArray]:
    session = Session(model, input_name="image", output_names=["maps", "gate"], threads=1, where="small")
    return dict(session.run(tensor))


def test_the_first_and_the_last_layers_stay_floats() -> None:
    graph = onnx.load_from_string(network()).graph
    assert chosen_layers(graph, "windows") == ("middle",)
    assert chosen_layers(graph, "all") == ("middle", "one_group_a_channel", "one_pixel", "product")


@pytest.mark.parametrize("layers", ["windows", "all"])
@pytest.mark.parametrize("calibration", ["percentile", "minmax"])
@pytest.mark.parametrize("names", [True, False])
def test_it_says_nearly_the_same_in_8_bits(layers: Layers, calibration: Calibration, names: bool) -> None:
    model = network(names=names)
    made = to_int8(model, PHOTOS, input_name="image", where="small", layers=layers, calibration=calibration)
    assert made is not None
    facts, before_facts = inspect_onnx(made, where="small"), inspect_onnx(model, where="small")
    assert (facts.inputs, facts.outputs) == (before_facts.inputs, before_facts.outputs)
    assert facts.parameters > before_facts.parameters  # scales and zero points come to them
    kinds = [tensor.data_type for tensor in onnx.load_from_string(made).graph.initializer]
    assert kinds.count(TensorProto.INT8) >= 1
    for seed in (100, 101):
        before, after = run(model, photo(seed)), run(made, photo(seed))
        for name in before:
            assert after[name] == pytest.approx(before[name], abs=0.1)
            assert (after[name] != before[name]).any()


def test_minmax_reaches_to_what_is_rare_and_percentiles_do_not() -> None:
    rare = [*(PHOTOS * 40), lambda: photo(9) * (np.arange(SIDE * SIDE).reshape(SIDE, SIDE) == 0) * np.float32(500)]
    model = network()
    far, near = (
        to_int8(model, rare, input_name="image", where="small", calibration=calibration)
        for calibration in ("minmax", "percentile")
    )
    assert far is not None
    assert near is not None
    errors = [np.abs(run(made, photo(100))["maps"] - run(model, photo(100))["maps"]).mean() for made in (far, near)]
    assert errors[0] > 2 * errors[1]  # the 256 steps of the first are spent on what hardly ever comes


def test_each_photo_is_made_once_when_its_turn_comes() -> None:
    turns: list[int] = []

    def turn(seed: int) -> FloatArray:
        turns.append(seed)
        return photo(seed)

    to_int8(network(), [partial(turn, seed) for seed in range(5)], input_name="image", where="small")
    assert turns == list(range(5))


def test_it_is_silent_and_gives_the_same_bytes_again(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = list(logging.root.handlers)
    made = [to_int8(network(), PHOTOS, input_name="image", where="small") for _ in range(2)]
    assert made[0] == made[1]
    assert capfd.readouterr() == ("", "")
    assert logging.root.handlers == handlers


def test_a_network_without_such_layers_stays_as_it_is() -> None:
    assert to_int8(tiny_onnx(), PHOTOS, input_name="image", where="tiny") is None


def test_a_photo_that_does_not_fit_the_network_is_one_line() -> None:
    wrong = [lambda: np.zeros((1, 3, 5, 5), np.float32)]
    with pytest.raises(BundleError, match=r"^small: cannot be made to compute in 8 bits \(.*\); leave its bundle as it is$"):
        to_int8(network(), wrong, input_name="image", where="small")


def test_without_the_onnx_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'8-bit networks needs more packages: pip install "dentify\[quantize\]"'):
        to_int8(b"", PHOTOS, input_name="image", where="small")
