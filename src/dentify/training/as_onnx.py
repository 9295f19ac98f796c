"""A network as ONNX, and the proof that ONNX Runtime says what torch says."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import BundleError
from dentify.runtime.session import Session
from dentify.training.heads import Head
from dentify.training.taught import Kept

NETWORK_FILE = "network.onnx"
LARGEST_DIFFERENCE = 1e-3
LEAST_IOU = 0.999
_TOLD = 0.05
"""Score from which a candidate is compared: below, thousands are nearly alike, and which of them stays is chance."""


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's float32 answers lie from torch's."""

    photos: int
    largest_difference: float
    """Of logits; of instances, of boxes as shares of the picture and of scores."""
    least_iou: float | None
    """Of the masks of all photos, the least of any output; `None` without any, or where all are empty."""


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
    with torch.inference_mode():
        names = list(network(example))
    with _quiet_exporter():
        program = torch.onnx.export(network, (example,), dynamo=True, input_names=["image"], output_names=names, verbose=False)
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK_FILE
        program.save(path, external_data=False)
        return path.read_bytes()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keeps to itself what torch's exporter says of its own future, and of constants that are too large to be folded."""
    logger = logging.getLogger("onnxscript")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for kind in (DeprecationWarning, FutureWarning, UserWarning):
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        logger.setLevel(level)


def check_parity(network: nn.Module, session: Session, inputs: Iterable[FloatArray], kept: Mapping[str, Kept]) -> Parity:
    """Runs both on the same photos.

    Masks are compared over all photos together, those of each output for themselves. One cell may change sides however few there
    are: where a logit is nearly 0 any rounding decides.

    Raises:
        BundleError: they differ by more than 1e-3 in any logit, box or score, or the IoU of masks falls under 0.999.
    """
    photos, largest = 0, 0.0
    masks = {name: _Masks() for name, one in kept.items() if _has_masks(one.head)}
    for tensor in inputs:
        photos += 1
        ours = session.run(tensor)
        with torch.inference_mode():
            theirs = {name: value.numpy() for name, value in network(torch.from_numpy(tensor)).items()}
        for name, one in kept.items():
            if one.head.kind == "instances":
                apart, shown = _tables_apart(ours[name][0], theirs[name][0])
                for ones, others in shown:
                    masks[name].add(ones, others)
            else:
                apart = np.abs(ours[name] - theirs[name]).max()
                if name in masks:
                    masks[name].add(ours[name] > 0, theirs[name] > 0)
            largest = float(np.maximum(largest, apart))  # NaN stays
    told = [one for one in masks.values() if one.either]
    least = min((one.iou for one in told), default=None)
    if not (largest <= LARGEST_DIFFERENCE and all(one.agree for one in told)):
        said = "" if least is None else f", masks' IoU down to {least:.4f}"
        raise BundleError(f"the ONNX file differs from torch: logits by up to {largest:.2g}{said}")
    return Parity(photos, largest, least)


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


def _tables_apart(ours: FloatArray, theirs: FloatArray) -> tuple[float, list[tuple[BoolArray, BoolArray]]]:
    """Largest difference of boxes and scores, and pairs of masks, of the candidates of two tables that are told at all.

    Each is held against the nearest of the other: two of nearly the same score may have changed places.
    """
    cells = INSTANCE_MASK**2
    largest, masks = 0.0, []
    for ones, others in ((ours, theirs), (theirs, ours)):
        for row in ones[(ones[:, 4:-cells] >= _TOLD).any(1)]:
            apart = np.abs(others[:, :-cells] - row[:-cells]).max(1)
            nearest = others[int(apart.argmin())]
            largest = float(np.maximum(largest, apart.min()))
            masks.append((row[-cells:] > 0, nearest[-cells:] > 0))
    return largest, masks
