"""ONNX Runtime sessions, on the tiny network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
import pytest

from dentify.errors import BundleError
from dentify.runtime.session import Device, Session, cpu_instead, usable_processors
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
