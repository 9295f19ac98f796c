"""The tiny network, changed: blind, deaf or with other words, to be a member of an ensemble beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from dentify.bundle import Bundle, Manifest, write_bundle
from dentify.testing import tiny_manifest, tiny_onnx


def changed_onnx(*, photo_types: bool = False, words: str = "", **shifts: tuple[float, float]) -> bytes:
    """The tiny network, some of its constants scaled and shifted: `types_w=(0, 0)` makes it see no type anywhere."""
    model = onnx.load_model_from_string(tiny_onnx(photo_types=photo_types))
    model.doc_string = words
    for tensor in model.graph.initializer:
        times, plus = shifts.get(tensor.name.replace(".", "_"), (1.0, 0.0))
        values = np.asarray(numpy_helper.to_array(tensor) * np.float32(times) + np.float32(plus), np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def changed_bundle(path: str | Path, network: bytes, **changes: Any) -> Bundle:
    """A bundle of that network, of its folder's name."""
    manifest = Manifest.model_validate(tiny_manifest() | {"name": Path(path).name} | changes)
    return Bundle.open(write_bundle(path, manifest, {"tiny.onnx": network}))


BLIND = {"types_w": (0.0, 0.0), "types_b": (0.0, -3.0)}
"""Says of every place that nothing is damaged there."""
MISLED = {"vehicle_from": (-1.0, 0.0), "vehicle_slope": (-1.0, 0.0)}
"""Takes vehicles for something else, and the other way round."""
