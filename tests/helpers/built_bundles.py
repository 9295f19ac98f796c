"""The tiny bundle in other shapes, to be built into one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from dentify.bundle import Bundle, Manifest, write_bundle
from dentify.testing import tiny_manifest, tiny_onnx

Build = Callable[..., Bundle]


def other_onnx(*, vehicle_shift: float = 0.0, half: str | None = None, words: str = "") -> bytes:
    """The tiny network, its vehicle logit shifted, one of its outputs on a grid of half the cells, or with words in it."""
    model = onnx.load_from_string(tiny_onnx())
    model.doc_string = words
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name == "vehicle.from":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) - np.float32(vehicle_shift), tensor.name))
    if half is not None:
        graph.node.append(helper.make_node("AveragePool", [half], [f"{half}.half"], kernel_shape=[2, 2], strides=[2, 2]))
        output = next(output for output in graph.output if output.name == half)
        output.name = f"{half}.half"
        for dimension in output.type.tensor_type.shape.dim[2:]:
            dimension.dim_value //= 2
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def other_bundle(path: str, network: bytes, **changes: Any) -> Path:
    """The tiny bundle with another network of the same name."""
    return write_bundle(path, Manifest.model_validate(tiny_manifest() | changes), {"tiny.onnx": network})


def member(role: str, **changes: Any) -> dict[str, Any]:
    """`roles` of the tiny bundle, the only member of one role changed."""
    roles = tiny_manifest()["roles"]
    return {"roles": roles | {role: [roles[role][0] | changes]}}
