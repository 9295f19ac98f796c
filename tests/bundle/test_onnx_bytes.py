"""The walk over ONNX files against files that the `onnx` package made."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from dentify.bundle.onnx_bytes import inspect_onnx
from dentify.errors import BundleError
from dentify.testing import tiny_onnx


def external(name: str = "w") -> TensorProto:
    """A tensor that lies in another file."""
    tensor = numpy_helper.from_array(np.ones(4, np.float32), name)
    onnx.external_data_helper.set_external_data(tensor, location="../weights.bin")
    tensor.ClearField("raw_data")
    return tensor


def value(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(nodes: list[Any], initializers: list[Any] = [], **more: Any) -> Any:  # noqa: B006 - never changed
    graph = helper.make_graph(nodes, "g", [value("x", 1, 4)], [value("y", 1, 4)], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, **more)


IDENTITY = helper.make_node("Identity", ["x"], ["y"])


def in_initializer() -> Any:
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [external()])


def in_constant() -> Any:
    return model([helper.make_node("Constant", [], ["c"], value=external()), IDENTITY])


def in_sparse_constant() -> Any:
    indices = numpy_helper.from_array(np.arange(4, dtype=np.int64), "i")
    sparse = helper.make_sparse_tensor(external(), indices, [8])
    return model([helper.make_node("Constant", [], ["c"], sparse_value=sparse), IDENTITY])


def in_sparse_initializer() -> Any:
    made = model([IDENTITY])
    indices = numpy_helper.from_array(np.arange(4, dtype=np.int64), "i")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(external(), indices, [8]))
    return made


def in_branch() -> Any:
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["z"])], "b", [], [value("z", 4)], [external()])
    return model([helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch), IDENTITY])


def in_function() -> Any:
    body = [helper.make_node("Constant", [], ["c"], value=external()), helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("mine", "F", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    return model([helper.make_node("F", ["x"], ["y"], domain="mine")], functions=[function])


def in_function_default() -> Any:
    function = helper.make_function(
        "mine",
        "F",
        ["a"],
        ["b"],
        [IDENTITY],
        [helper.make_opsetid("", 17)],
        attribute_protos=[helper.make_attribute("t", external())],
    )
    return model([IDENTITY], functions=[function])


def in_list_of_tensors() -> Any:
    node = helper.make_node("Identity", ["x"], ["y"])
    node.attribute.append(helper.make_attribute("ts", [external()]))
    return model([node])


def in_training_info() -> Any:
    made = model([IDENTITY])
    made.training_info.add().algorithm.CopyFrom(helper.make_graph([], "t", [], [], [external()]))
    return made


@pytest.mark.parametrize(
    "build",
    [
        in_initializer,
        in_constant,
        in_sparse_constant,
        in_sparse_initializer,
        in_branch,
        in_function,
        in_function_default,
        in_list_of_tensors,
        in_training_info,
    ],
)
def test_external_data_is_refused_wherever_it_hides(build: Callable[[], Any]) -> None:
    with pytest.raises(
        BundleError, match=r"^n: keeps tensors in another file \(external data\); export it with its weights inside$"
    ):
        inspect_onnx(build().SerializeToString(), where="n")


def test_a_model_saved_by_onnx_with_external_data_is_refused(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones((1, 4), np.float32), "w")
    path = tmp_path / "m.onnx"
    onnx.save(
        model([helper.make_node("Add", ["x", "w"], ["y"])], [weights]),
        path,
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
    )
    with pytest.raises(BundleError, match="external data"):
        inspect_onnx(path.read_bytes(), where="n")


def test_a_location_flag_without_a_location_is_refused() -> None:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.data_location = TensorProto.EXTERNAL
    with pytest.raises(BundleError, match="external data"):
        inspect_onnx(model([IDENTITY], [tensor]).SerializeToString(), where="n")


def test_weights_inside_are_welcome() -> None:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.data_location = TensorProto.DEFAULT
    facts = inspect_onnx(model([IDENTITY], [tensor]).SerializeToString(), where="n")
    assert facts.inputs == {"x": (1, 4)}


@pytest.mark.parametrize(
    ("domain", "operator"),
    [("ai.onnx.contrib", "PyOp"), ("com.example", "Mine"), ("com.microsoft", "EPContext"), ("com.microsoft", "PythonOp")],
)
def test_foreign_operators_are_refused(domain: str, operator: str) -> None:
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    with pytest.raises(BundleError, match=re.escape(f"not ONNX Runtime's own ({domain}::{operator})")):
        inspect_onnx(model([node]).SerializeToString(), where="n")


def test_what_a_file_calls_its_operators_stays_on_one_line() -> None:
    named = helper.make_node("Mine", ["x"], ["y"], domain="com\n\x1b[31m")
    with pytest.raises(BundleError, match=re.escape(r"(com\n\x1b[31m::Mine)")):
        inspect_onnx(model([named]).SerializeToString(), where="n")
    calling_itself = helper.make_function(
        "com.mine", "a\nb", ["x"], ["y"], [helper.make_node("a\nb", ["x"], ["y"], domain="com.mine")], []
    )
    file = model([helper.make_node("a\nb", ["x"], ["y"], domain="com.mine")])
    file.functions.append(calling_itself)
    with pytest.raises(BundleError, match=re.escape(r"its function a\nb calls itself")):
        inspect_onnx(file.SerializeToString(), where="n")


def test_foreign_operators_within_a_branch_are_refused() -> None:
    branch = helper.make_graph([helper.make_node("PyOp", [], ["z"], domain="ai.onnx.contrib")], "b", [], [value("z", 4)])
    node = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    with pytest.raises(BundleError, match="PyOp"):
        inspect_onnx(model([node, IDENTITY]).SerializeToString(), where="n")


@pytest.mark.parametrize(("domain", "operator"), [("", "Relu"), ("com.microsoft", "QLinearAdd"), ("ai.onnx.ml", "Normalizer")])
def test_onnx_runtimes_own_operators_are_welcome(domain: str, operator: str) -> None:
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    assert inspect_onnx(model([node]).SerializeToString(), where="n").outputs == {"y": (1, 4)}


def test_functions_written_out_in_the_file_are_welcome() -> None:
    function = helper.make_function("mine", "F", ["x"], ["y"], [IDENTITY], [helper.make_opsetid("", 17)])
    made = model([helper.make_node("F", ["x"], ["y"], domain="mine")], functions=[function])
    assert inspect_onnx(made.SerializeToString(), where="n").outputs == {"y": (1, 4)}


def test_shapes_are_those_that_onnx_reads_and_open_where_they_have_a_name() -> None:
    graph = helper.make_graph([IDENTITY], "g", [value("x", "batch", 3, 8, 8)], [value("y", "batch", 3, 8, 8), value("z")], [])
    facts = inspect_onnx(helper.make_model(graph).SerializeToString(), where="n")
    assert facts.inputs == {"x": (None, 3, 8, 8)}
    assert facts.outputs == {"y": (None, 3, 8, 8), "z": ()}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}\x94.", id="pickle"),
        pytest.param(b"PK\x03\x04" + bytes(100), id="zip"),
        pytest.param(b"\x10\x00\x00\x00ORTM" + bytes(100), id="ONNX Runtime's own format"),
        pytest.param(tiny_onnx()[:-20], id="cut off"),
        pytest.param(b"\x3a\x04\x0b\x0b\x0c\x0c", id="groups"),
        pytest.param(b"\xba\x80\x80\x80\x80\x10\x00", id="field number beyond 2**29"),
        pytest.param(b"\x3a" + b"\xff" * 11, id="length without end"),
    ],
)
def test_what_is_not_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"^n: not an ONNX file"):
        inspect_onnx(data, where="n")


def test_nesting_without_end_is_refused() -> None:
    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), bytearray()
        while size >= 0x80:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2]) + bytes([*length, size]) + content

    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))  # a node's attribute that is a graph
    with pytest.raises(BundleError, match="nested more than"):
        inspect_onnx(field(7, graph), where="n")


@given(st.binary(max_size=300))
def test_any_bytes_are_onnx_or_a_bundle_error(data: bytes) -> None:
    try:
        inspect_onnx(data, where="n")
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017


@given(st.integers(0, len(tiny_onnx()) - 1), st.integers(0, 255))
def test_any_changed_byte_is_onnx_or_a_bundle_error(position: int, byte: int) -> None:
    data = bytearray(tiny_onnx())
    data[position] = byte
    try:
        inspect_onnx(bytes(data), where="n")
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        (np.ones((2, 3, 4), np.float32), 24),
        (np.ones((5, 2), np.float16), 10),
        (np.ones(7, np.int8), 7),  # quantised
        (np.ones(7, np.int64), 0),  # a shape, or indices
        (np.float32(1), 1),
        (np.ones((3, 0), np.float32), 0),
    ],
    ids=["floats", "halves", "quantised", "indices", "scalar", "empty"],
)
def test_parameters_are_the_numbers_of_initialisers_but_for_shapes_and_indices(values: Any, parameters: int) -> None:
    made = model([IDENTITY], [numpy_helper.from_array(np.ones(4, np.float32), "w"), numpy_helper.from_array(values, "v")])
    assert inspect_onnx(made.SerializeToString(), where="it").parameters == 4 + parameters


def test_a_tensor_of_a_thousand_dimensions_is_none() -> None:
    made = model([IDENTITY], [TensorProto(dims=[2] * 1000, data_type=TensorProto.FLOAT, name="w")])
    with pytest.raises(BundleError, match="not an ONNX file"):
        inspect_onnx(made.SerializeToString(), where="it")


# Out of all proportion to the file


def graph_within(operator: str, attribute: str) -> Any:
    body = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [value("z", 4)])
    node = helper.make_node(operator, ["n"], ["z"], **{attribute: body})
    return model([node, IDENTITY])


@pytest.mark.parametrize(
    ("operator", "attribute"),
    [("Loop", "body"), ("Scan", "body"), ("If", "then_branch"), ("SequenceMap", "body"), ("Relu", "anything")],
)
def test_a_graph_within_the_graph_is_refused(operator: str, attribute: str) -> None:
    """A loop need not end, and what is not there when a file is opened cannot begin later."""
    with pytest.raises(BundleError, match=r"^n: holds graphs within its graph, as loops and branches have them; export it"):
        inspect_onnx(graph_within(operator, attribute).SerializeToString(), where="n")


def test_a_loop_within_a_function_is_refused() -> None:
    body = [*graph_within("Loop", "body").graph.node]
    function = helper.make_function("mine", "F", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    made = model([helper.make_node("F", ["x"], ["y"], domain="mine")], functions=[function])
    with pytest.raises(BundleError, match="graphs within"):
        inspect_onnx(made.SerializeToString(), where="n")


def functions(*bodies: list[str]) -> Any:
    """A model that calls `f0`; `bodies[i]` are the functions that `f{i}` calls."""
    made = [
        helper.make_function(
            "mine",
            f"f{number}",
            ["x"],
            ["y"],
            [helper.make_node(name, ["x"], ["y"], domain="mine" if name[0] == "f" else "") for name in names],
            [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)],
        )
        for number, names in enumerate(bodies)
    ]
    return model([helper.make_node("f0", ["x"], ["y"], domain="mine")], functions=made)


def test_functions_that_unfold_without_end_are_refused() -> None:
    """Ten calls each, five deep, are a hundred thousand nodes in a file of 3 kB."""
    told = [[f"f{number + 1}"] * 10 for number in range(5)]
    assert inspect_onnx(functions(*told[:2], ["Relu"]).SerializeToString(), where="n").outputs
    with pytest.raises(BundleError, match="more than 50,000 nodes"):
        inspect_onnx(functions(*told, ["Relu"]).SerializeToString(), where="n")


@pytest.mark.parametrize("bodies", [(["f0"],), (["f1"], ["f0"]), (["Relu", "f1"], ["Relu", "f2"], ["f1"])])
def test_functions_that_call_themselves_are_refused(bodies: tuple[list[str], ...]) -> None:
    with pytest.raises(BundleError, match=r"its function f\d calls itself"):
        inspect_onnx(functions(*bodies).SerializeToString(), where="n")


def test_functions_that_call_each_other_too_deep_are_refused() -> None:
    chain = [[f"f{number + 1}"] for number in range(80)]
    with pytest.raises(BundleError, match="more than 60 deep"):
        inspect_onnx(functions(*chain, ["Relu"]).SerializeToString(), where="n")


def test_more_nodes_than_any_network_has_are_refused() -> None:
    made = model([helper.make_node("Relu", ["x"], ["y"])] * 50_001)
    with pytest.raises(BundleError, match="more than 50,000 nodes"):
        inspect_onnx(made.SerializeToString(), where="n")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("as_node", [True, False])
@pytest.mark.parametrize(
    ("operator", "inputs"),
    [("ConstantOfShape", ["s"]), ("Expand", ["x", "s"]), ("Resize", ["x", "", "", "s"]), ("CenterCropPad", ["x", "s"])],
)
def test_a_tensor_as_large_as_the_file_says_is_refused_beyond_a_budget(
    operator: str, inputs: list[str], as_node: bool, packed: bool
) -> None:
    def made(*sizes: int) -> bytes:
        shape = numpy_helper.from_array(np.array(sizes, np.int64), "s")
        if not packed:
            shape = helper.make_tensor("s", TensorProto.INT64, [len(sizes)], sizes)
        node = helper.make_node(operator, inputs, ["y"])
        if as_node:
            return bytes(model([helper.make_node("Constant", [], ["s"], value=shape), node]).SerializeToString())
        return bytes(model([node], [shape]).SerializeToString())

    assert inspect_onnx(made(1, 3, 640, 640), where="n").outputs
    with pytest.raises(BundleError, match=f"its {operator} makes a tensor of 8e\\+08 numbers, over the limit of 268,435,456"):
        inspect_onnx(made(1, 8, 10_000, 10_000), where="n")


def test_what_outputs_hold_is_told() -> None:
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.FLOAT16, "c": TensorProto.STRING, "d": TensorProto.INT64}
    outputs = [helper.make_tensor_value_info(name, kind, (1, 4)) for name, kind in kinds.items()]
    outputs.append(helper.make_tensor_sequence_value_info("e", TensorProto.FLOAT, None))
    graph = helper.make_graph([IDENTITY], "g", [value("x", 1, 4)], outputs, [])
    facts = inspect_onnx(helper.make_model(graph).SerializeToString(), where="n")
    assert (facts.floats, facts.float32) == ({"x", "a", "b"}, {"x", "a"})
