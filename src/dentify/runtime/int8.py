"""A network whose convolutions compute in 8 bits, by ONNX Runtime's static quantization.

Weights are rounded a channel at a time; for what flows between layers, photos show how large it gets (calibration). Inputs and
outputs stay floats: QuantizeLinear and DequantizeLinear nodes stand around each layer that is chosen, and ONNX Runtime makes one
8-bit layer of the three. Whether that is faster depends on the processor, and what it costs on the network: measure both
(`dentify.fitting.int8`).

Two kinds of layers are never chosen: the first, which sees the picture, and the last before each output.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

from dentify.arrays import FloatArray
from dentify.errors import BundleError, MissingExtraError, printable
from dentify.runtime.session import import_onnxruntime

Calibration = Literal["percentile", "minmax"]
"""How far the 8 bits reach: to all but the largest ten-thousandth of the values seen, or to all of them."""

Layers = Literal["windows", "all"]
"""Which layers are chosen: ungrouped convolutions that see more than one pixel, or every convolution and matrix product.

The first do most work a value that has to be rounded; those with one group a channel, and those of a network's attention to
channels, do little and suffer much: with them the default bundle's network is slower and much worse (see the training log).
"""

_PERCENTILE = 99.99
_LAYERS = ("Conv", "Gemm", "MatMul")


def to_int8(
    model: bytes,
    inputs: Sequence[Callable[[], FloatArray]],
    *,
    input_name: str,
    where: str,
    calibration: Calibration = "percentile",
    layers: Layers = "windows",
) -> bytes | None:
    """The network with 8-bit layers; `None` where it has no such layer.

    Args:
        model: the ONNX file's bytes, verified.
        inputs: makes the input of one photo each, `(1, 3, H, W)` float32 as `network_input` does; called when its turn comes.
        input_name: the network's input.
        where: what error messages call the file.
        calibration: how far the 8 bits reach.
        layers: which layers are chosen.

    Raises:
        BundleError: ONNX Runtime cannot do it with this network.
        MissingExtraError: the `onnx` package is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(what="8-bit networks", extra="quantize") from error
    import_onnxruntime()
    from onnxruntime import quantization
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Photos(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        """One photo at a time, so that what flows between layers is never held for two."""

        def __init__(self) -> None:
            self._turns: Iterator[Callable[[], FloatArray]] = iter(())

        def __len__(self) -> int:
            return len(inputs)

        def set_range(self, start_index: int, end_index: int) -> None:
            self._turns = iter(inputs[start_index:end_index])

        def get_next(self) -> Mapping[str, FloatArray] | None:
            turn = next(self._turns, None)
            return None if turn is None else {input_name: turn()}

    loaded = onnx.load_from_string(model)
    if not all(node.name for node in loaded.graph.node):  # layers are chosen by name, and a file need not name its nodes
        for number, node in enumerate(loaded.graph.node):
            node.name = f"node_{number}"
    chosen = chosen_layers(loaded.graph, layers)
    if not chosen:
        return None
    add_pre_process_metadata(loaded)  # or it advises to merge batch norms first, as exports have done
    with tempfile.TemporaryDirectory(prefix="dentify-int8-") as scratch:
        before, after = Path(scratch) / "before.onnx", Path(scratch) / "after.onnx"
        before.write_bytes(loaded.SerializeToString(deterministic=True))
        try:
            with redirect_stdout(io.StringIO()):  # it tells its progress there
                quantization.quantize_static(
                    before,
                    after,
                    Photos(),
                    quant_format=quantization.QuantFormat.QDQ,
                    op_types_to_quantize=list(_LAYERS),
                    nodes_to_quantize=list(chosen),
                    per_channel=True,
                    activation_type=quantization.QuantType.QUInt8,
                    weight_type=quantization.QuantType.QInt8,
                    calibrate_method=quantization.CalibrationMethod[
                        {"percentile": "Percentile", "minmax": "MinMax"}[calibration]
                    ],
                    extra_options={"CalibStridedMinMax": 1, "CalibPercentile": _PERCENTILE},
                )
        except (BundleError, MemoryError):
            raise
        except Exception as error:  # its exceptions share no base below this one
            told = printable(next(iter(str(error).splitlines()), type(error).__name__))
            raise BundleError(f"{where}: cannot be made to compute in 8 bits ({told}); leave its bundle as it is") from error
        return after.read_bytes()


def chosen_layers(graph: Any, layers: Layers) -> tuple[str, ...]:
    """Names of the nodes that compute in 8 bits, in the order of the file.

    Args:
        graph: an `onnx.GraphProto`.
        layers: which are chosen.
    """
    producers = {output: node for node in graph.node for output in node.output}
    windows = {tensor.name: tuple(tensor.dims)[2:] for tensor in graph.initializer}  # of a convolution's weights
    last = {made for output in graph.output for made in _layers_before(output.name, producers)}

    def is_chosen(node: Any) -> bool:
        if node.op_type not in _LAYERS or node.output[0] in last or not _layers_before(node.input[0], producers):
            return False
        if layers == "all":
            return True
        groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        return node.op_type == "Conv" and groups == 1 and max(windows.get(node.input[1], ()), default=1) > 1

    return tuple(node.name for node in graph.node if is_chosen(node))


def _layers_before(tensor: str, producers: Mapping[str, Any]) -> set[str]:
    """What the nearest layers make that a tensor is made of; nothing where it is made of the picture without any."""
    found: set[str] = set()
    seen, pending = set(), [tensor]
    while pending:
        name = pending.pop()
        node = producers.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if node.op_type in _LAYERS:
            found.add(name)
        else:
            pending += node.input
    return found
