"""The tiny network, telling damage one by one: a candidate for each of 8 × 8 equal boxes, as sure as its colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dentify.bundle import Bundle, Manifest, write_bundle
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.testing import SIDE, TYPES, tiny_manifest
from other_networks import changed_onnx

ALONG = 8
TABLE = {"file": "tiny.onnx", "output": "table", "kind": "instances"}


def table_onnx(*, words: str = "", **shifts: tuple[float, float]) -> bytes:
    """All outputs of the tiny network, changed as `changed_onnx` does, and `table`; its masks fill their boxes."""
    model = onnx.load_model_from_string(changed_onnx(words=words, **shifts))
    count = ALONG * ALONG
    corners = np.stack(np.meshgrid(np.arange(ALONG), np.arange(ALONG)), axis=-1).reshape(count, 2) / ALONG  # (x, y)
    constants = {
        "table.boxes": np.concatenate([corners, corners + 1 / ALONG], axis=1)[None].astype(np.float32),
        "table.masks": np.full((1, count, INSTANCE_MASK**2), 5, np.float32),
        "table.shape": np.array([1, len(TYPES), count], np.int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in constants.items())
    cells = [SIDE // ALONG] * 2
    model.graph.node.extend(
        [
            helper.make_node("Sigmoid", ["types"], ["table.likely"]),
            helper.make_node("AveragePool", ["table.likely"], ["table.pooled"], kernel_shape=cells, strides=cells),
            helper.make_node("Reshape", ["table.pooled", "table.shape"], ["table.flat"]),
            helper.make_node("Transpose", ["table.flat"], ["table.scores"], perm=[0, 2, 1]),
            helper.make_node("Concat", ["table.boxes", "table.scores", "table.masks"], ["table"], axis=2),
        ]
    )
    width = 4 + len(TYPES) + INSTANCE_MASK**2
    model.graph.output.append(helper.make_tensor_value_info("table", TensorProto.FLOAT, (1, count, width)))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def table_bundle(path: str | Path, network: bytes | None = None, **changes: Any) -> Bundle:
    """A bundle of that network, of its folder's name, that tells damage as instances."""
    manifest = tiny_manifest()
    document = manifest | {"name": Path(path).name, "roles": manifest["roles"] | {"damage": [TABLE]}} | changes
    return Bundle.open(write_bundle(path, Manifest.model_validate(document), {"tiny.onnx": network or table_onnx()}))
