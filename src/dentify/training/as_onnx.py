"""A network as ONNX, and the proof that ONNX Runtime says what torch says."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import BundleError
from dentify.runtime.session import Session
from dentify.training.heads import Head
from dentify.training.quiet import silent
from dentify.training.taught import Kept

NETWORK_FILE = "network.onnx"
LARGEST_DIFFERENCE = 1e-3
LEAST_IOU = 0.999
LEAST_ALIKE = 0.98
"""Share of the candidates that both tell: what is suppressed, and what has room, may hang on a last digit."""
_TOLD = 0.05
"""Score from which a candidate is compared: below, thousands are nearly alike, and which of them stays is chance."""
_ANOTHER = 0.01
"""Difference of boxes, as shares of the picture, or scores from which on two candidates are not the same."""


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's float32 answers lie from torch's."""

    photos: int
    largest_difference: float
    """Of logits; of instances, of boxes as shares of the picture and of scores."""
    least_iou: float | None
    """Of the masks of all photos, the least of any output; `None` without any, or where all are empty."""
    least_alike: float | None = None
    """Share of the candidates of all photos that both tell, the least of any output; `None` without any."""


class Exported(nn.Module):
    """A network that answers what it was taught, and nothing else."""

    def __init__(self, network: nn.Module, kept: Mapping[str, Kept]) -> None:
        super().__init__()
        self.network = network
        self.tables = {name for name, one in kept.items() if one.head.kind == "instances"}
        self.channels = {
            name: None if len(one.channels) == one.head.output.channels else one.channels for name, one in kept.items()
        }

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised photos to the taught channels of each output."""
        outputs = self.network(images)
        told = {}
        for name, channels in self.channels.items():
            at = -1 if name in self.tables else 1
            told[name] = outputs[name] if channels is None else outputs[name].index_select(at, torch.tensor(channels))
        return told


def to_onnx(network: nn.Module, size: int) -> bytes:
    """A network as ONNX with one photo a run: input `image` (1, 3, S, S), outputs by name."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros(1, 3, size, size)
    with silent("onnxscript", "onnx_ir"), warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, UserWarning):  # of torch's own future
            warnings.simplefilter("ignore", kind)
        with torch.inference_mode():
            names = list(network(example))
        program = torch.onnx.export(network, (example,), dynamo=True, input_names=["image"], output_names=names, verbose=False)
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK_FILE
        program.save(path, external_data=False)
        return _without_traces(path.read_bytes())


def _without_traces(content: bytes) -> bytes:
    """A network without what the exporter notes at its nodes: from which lines of which files of this machine they come."""
    model = onnx.load_from_string(content)
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def check_parity(network: nn.Module, session: Session, inputs: Iterable[FloatArray], kept: Mapping[str, Kept]) -> Parity:
    """Runs both on the same photos.

    Masks are compared over all photos together, those of each output for themselves. One cell may change sides however few there
    are: where a logit is nearly 0 any rounding decides. So may one candidate, which each then tells another of; boxes and scores
    are compared of those that both tell.

    Raises:
        BundleError: they differ by more than 1e-3 in any logit, box or score, the IoU of masks falls under 0.999, or more than
            one in fifty candidates is told by one alone.
    """
    photos, largest = 0, 0.0
    candidates = {name: _Candidates() for name, one in kept.items() if one.head.kind == "instances"}
    masks = {name: _Masks() for name, one in kept.items() if _has_masks(one.head)}
    for tensor in inputs:
        photos += 1
        ours = session.run(tensor)
        with torch.inference_mode():
            theirs = {name: value.numpy() for name, value in network(torch.from_numpy(tensor)).items()}
        for name, one in kept.items():
            if one.head.kind == "instances":
                apart = candidates[name].add(ours[name][0], theirs[name][0], masks[name])
            else:
                apart = np.abs(ours[name] - theirs[name]).max()
                if name in masks:
                    masks[name].add(ours[name] > 0, theirs[name] > 0)
            largest = float(np.maximum(largest, apart))  # NaN stays
    told = [one for one in masks.values() if one.either]
    least = min((one.iou for one in told), default=None)
    alike = min((one.alike for one in candidates.values() if one.told), default=None)
    if not (largest <= LARGEST_DIFFERENCE and all(one.agree for one in told) and all(one.agree for one in candidates.values())):
        said = "" if least is None else f", masks' IoU down to {least:.4f}"
        said += "" if alike is None else f", of the candidates {alike:.1%} alike"
        raise BundleError(f"the ONNX file differs from torch: logits by up to {largest:.2g}{said}")
    return Parity(photos, largest, least, alike)


def _has_masks(head: Head) -> bool:
    """Whether it tells where something is by yes and no: damage on maps, and all that is told one by one."""
    return head.kind == "instances" or (head.kind == "maps" and head.role == "damage" and head.auxiliary in (None, "any"))


@dataclass
class _Masks:
    """Cells that are in two masks both, and in either."""

    both: int = 0
    either: int = 0

    def add(self, ours: BoolArray, theirs: BoolArray) -> None:
        self.both += int((ours & theirs).sum())
        self.either += int((ours | theirs).sum())

    @property
    def iou(self) -> float:
        return self.both / self.either

    @property
    def agree(self) -> bool:
        return self.either - self.both <= 1 or self.iou >= LEAST_IOU


@dataclass
class _Candidates:
    """Candidates that are told at all, in two tables of each photo, and those of them that both tell."""

    told: int = 0
    both: int = 0

    def add(self, ours: FloatArray, theirs: FloatArray, masks: _Masks) -> float:
        """Largest difference of boxes and scores of those that both tell, whose masks are added to others.

        Each is held against the nearest of the other table: two of nearly the same score may have changed places. A number that
        is none differs from any.
        """
        cells = INSTANCE_MASK**2
        largest = 0.0
        for ones, others in ((ours, theirs), (theirs, ours)):
            for row in ones[(ones[:, 4:-cells] >= _TOLD).any(1)]:
                apart = np.abs(others[:, :-cells] - row[:-cells]).max(1)
                nearest = int(apart.argmin())
                self.told += 1
                if apart[nearest] > _ANOTHER:
                    continue
                self.both += 1
                largest = float(np.maximum(largest, apart[nearest]))  # NaN stays
                masks.add(row[-cells:] > 0, others[nearest, -cells:] > 0)
        return largest

    @property
    def alike(self) -> float:
        return self.both / self.told

    @property
    def agree(self) -> bool:
        return self.told - self.both <= 2 or self.alike >= LEAST_ALIKE
