"""ONNX Runtime sessions, on the tiny network."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dentify.errors import BundleError
from dentify.runtime.session import Device, Session, cpu_instead, usable_processors
from dentify.settings import Settings
from dentify.testing import tiny_onnx


def open_tiny(*, outputs: tuple[str, ...] = ("vehicle", "types"), threads: int | None = 1, device: Device = "cpu") -> Session:
    return Session(tiny_onnx(), input_name="image", output_names=outputs, threads=threads, where="b/tiny.onnx", device=device)


def test_outputs_come_by_name_as_float32() -> None:
    outputs = open_tiny().run(np.zeros((1, 3, 64, 64), np.float32))
    assert {name: (values.shape, values.dtype) for name, values in outputs.items()} == {
        "vehicle": ((1, 1), np.float32),
        "types": ((1, 3, 64, 64), np.float32),
    }


@pytest.mark.parametrize("threads", [1, 2, None])
def test_threads_do_not_change_the_answer(threads: int | None) -> None:
    tensor = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    expected = open_tiny(threads=1).run(tensor)["types"]
    np.testing.assert_array_equal(open_tiny(threads=threads).run(tensor)["types"], expected)


def test_many_threads_may_run_one_session() -> None:
    session = open_tiny()
    tensors = [np.full((1, 3, 64, 64), value, np.float32) for value in np.linspace(-1, 1, 16)]
    expected = [session.run(tensor)["types"] for tensor in tensors]
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(session.run, tensors), expected, strict=True):
            np.testing.assert_array_equal(found["types"], right)


def test_what_onnx_runtime_cannot_open_is_one_line() -> None:
    with pytest.raises(BundleError, match=r"^b/x\.onnx: ONNX Runtime [\d.]+ cannot open it \(.+\)$") as caught:
        Session(b"text", input_name="image", output_names=["types"], where="b/x.onnx")
    assert "\n" not in str(caught.value)


def test_onnx_runtimes_own_format_is_not_opened() -> None:
    """Its files are told by these bytes, and what was checked is how the file reads as ONNX."""
    with pytest.raises(BundleError, match="cannot open it"):
        Session(b"\x10\x00\x00\x00ORTM" + bytes(64), input_name="image", output_names=["types"], where="b")


def test_a_wrong_input_is_one_line() -> None:
    with pytest.raises(BundleError, match=r"^b/tiny\.onnx: the network failed on an input of shape \(1, 3, 32, 32\)") as caught:
        open_tiny().run(np.zeros((1, 3, 32, 32), np.float32))
    assert "\n" not in str(caught.value)


def test_processors_are_those_that_the_process_may_use() -> None:
    assert usable_processors() >= 1


# Networks of strangers


def network(*nodes: Any, kind: int = TensorProto.FLOAT, constants: dict[str, Any] | None = None) -> bytes:
    """A network from `image` (1, 3, 8, 8) to `out`."""
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 8, 8))]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "g", inputs, [helper.make_tensor_value_info("out", kind, None)], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def run(model: bytes, **limits: Any) -> Any:
    session = Session(model, input_name="image", output_names=["out"], threads=1, where="n.onnx", settings=Settings(**limits))
    return session.run(np.zeros((1, 3, 8, 8), np.float32))["out"]


def outer_product(side: int) -> bytes:
    """`(side, side)`, of two constants: nothing in the file says how large that is."""
    nodes = (
        helper.make_node("MatMul", ["a", "b"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["most"], keepdims=0),
        helper.make_node("Add", ["image", "most"], ["out"]),
    )
    return network(*nodes, constants={"a": np.ones((side, 1), np.float32), "b": np.ones((1, side), np.float32)})


def test_a_run_takes_no_more_memory_than_is_set() -> None:
    assert run(outer_product(500), max_run_bytes=2**24).max() == 1
    message = r"^n\.onnx: the network failed .+ \(needs more than 16 MiB; raise DENTIFY_MAX_RUN_BYTES where that is too little\)$"
    with pytest.raises(BundleError, match=message):
        run(outer_product(5_000), max_run_bytes=2**24)


def test_one_network_out_of_memory_leaves_the_others_alone() -> None:
    session = open_tiny()
    with pytest.raises(BundleError, match="needs more than"):
        run(outer_product(5_000), max_run_bytes=2**24)
    assert session.run(np.zeros((1, 3, 64, 64), np.float32))["types"].shape == (1, 3, 64, 64)


def test_opening_makes_nothing_of_constants() -> None:
    """What a graph makes of constants alone would be made at opening, where no limit holds."""
    limited = Settings(max_run_bytes=2**24)
    Session(outer_product(20_000), input_name="image", output_names=["out"], threads=1, where="n", settings=limited)


def test_a_run_takes_no_longer_than_is_set() -> None:
    nodes = [helper.make_node("MatMul", ["a", "b"], ["c0"])]
    nodes += [helper.make_node("MatMul", [f"c{number}", "b"], [f"c{number + 1}"]) for number in range(2_000)]
    nodes += [helper.make_node("ReduceMax", ["c2000"], ["m"], keepdims=0), helper.make_node("Add", ["image", "m"], ["out"])]
    square = np.eye(400, dtype=np.float32)
    started = time.monotonic()
    message = r"\(stopped after 0\.2 seconds; raise DENTIFY_MAX_RUN_SECONDS where that is too short\)$"
    with pytest.raises(BundleError, match=message):
        run(network(*nodes, constants={"a": square, "b": square}), max_run_seconds=0.2)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("nodes", "kind", "message"),
    [
        ([helper.make_node("Cast", ["image"], ["out"], to=TensorProto.STRING)], TensorProto.STRING, "no floating-point numbers"),
        ([helper.make_node("Cast", ["image"], ["out"], to=TensorProto.INT64)], TensorProto.INT64, "no floating-point numbers"),
        ([helper.make_node("SequenceConstruct", ["image"], ["out"])], TensorProto.FLOAT, "no floating-point numbers"),
        ([helper.make_node("Log", ["image"], ["out"])], TensorProto.FLOAT, "values that are no numbers"),
        ([helper.make_node("Slice", ["image", "from", "from"], ["out"])], TensorProto.FLOAT, "is empty"),
    ],
    ids=["strings", "whole numbers", "a sequence", "infinity", "nothing"],
)
def test_answers_that_are_no_numbers_are_refused(nodes: list[Any], kind: int, message: str) -> None:
    model = network(*nodes, kind=kind, constants={"from": np.zeros(4, np.int64)})
    if nodes[0].op_type == "SequenceConstruct":
        whole = onnx.load_from_string(model)
        whole.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("out", TensorProto.FLOAT, None))
        model = whole.SerializeToString()
    with pytest.raises(BundleError, match=rf"^n\.onnx: output 'out' .*{message}"):
        run(model)


def test_values_beyond_any_logit_are_cut() -> None:
    node = helper.make_node("Add", ["image", "far"], ["out"])
    assert np.unique(run(network(node, constants={"far": np.float32(-3e38)}))).tolist() == [-1e6]


def test_onnx_runtime_prints_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BundleError):
        run(outer_product(5_000), max_run_bytes=2**24)
    assert capfd.readouterr() == ("", "")


# A GPU, played by the CPU

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
Opened = list[list[Any]]
"""The providers that each session was asked to use."""


@pytest.fixture
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """ONNX Runtime as if CUDA were installed, and what sessions were opened on; CUDA `starts`, `falls back` or `fails`."""
    providers_of: Opened = []

    class Played(onnxruntime.InferenceSession):  # type: ignore[misc]  # has no types
        def __init__(self, model: bytes, options: Any, *, providers: list[Any], **more: Any) -> None:
            providers_of.append([provider if isinstance(provider, str) else provider[0] for provider in providers])
            if request.param == "fails" and CUDA in providers_of[-1]:
                raise RuntimeError("CUDA failure 2: out of memory")
            super().__init__(model, options, providers=[CPU], **more)

        def get_providers(self) -> list[str]:
            return providers_of[-1] if request.param == "starts" else [CPU]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Played)
    return providers_of


def test_without_cuda_auto_and_cuda_are_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    assert not open_tiny(device="auto").on_cuda
    assert not open_tiny(device="cuda").on_cuda
    assert cpu_instead() == "there is no CUDA here: pip install onnxruntime-gpu; the CPU is used"


@pytest.mark.parametrize("opened", ["starts"], indirect=True)
@pytest.mark.parametrize(("device", "providers"), [("auto", [CUDA, CPU]), ("cuda", [CUDA, CPU]), ("cpu", [CPU])])
def test_where_there_is_cuda_all_but_cpu_use_it(opened: Opened, device: Device, providers: list[str]) -> None:
    assert open_tiny(device=device).on_cuda == (CUDA in providers)
    assert opened == [providers]


@pytest.mark.parametrize("opened", ["falls back", "fails"], indirect=True)
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_where_cuda_does_not_start_the_cpu_answers(opened: Opened, device: Device, capfd: pytest.CaptureFixture[str]) -> None:
    session = open_tiny(device=device)
    assert opened == [[CUDA, CPU], [CPU]]
    assert not session.on_cuda
    assert session.run(np.zeros((1, 3, 64, 64), np.float32))["types"].shape == (1, 3, 64, 64)
    assert cpu_instead().startswith("CUDA does not start without a driver, CUDA and cuDNN")
    assert capfd.readouterr() == ("", "")
