"""`Head`: one output of a network, with its truth, its loss, its counts and what it means in a bundle.

A network is models × heads: the default one answers twelve, a gate one. Training, validation and export know no head by name;
they ask each for what they need. A new kind of head is one file with a config and a class that has these members, and one line in
`heads/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dentify.arrays import BoolArray
from dentify.bundle.manifest import Kind
from dentify.datasets.sample import Sample
from dentify.imaging.views import is_mirrored
from dentify.taxonomy import mirrored_part
from dentify.training.scene import Placed, Scene, cells_of
from dentify.visibility import is_close

Role = Literal["vehicle_gate", "damage_gate", "types", "damage", "parts", "severity"]
Stride = Literal[1, 2, 4, 8, 16, 32]
"""Pixels of the picture a cell; sizes of pictures are multiples of 32."""
LEAST_FILLED = 0.12
"""Share of a picture that a vehicle covers at the least where it fills the photo; most cover more than a quarter."""
MOST_OF_PHOTO = 0.6
"""Share of a photo that a view must show for what is known of the photo alone to hold for it."""
LEAST_KNOWN = 0.5
"""Share of the types, or parts, that a source must label for what none of them is to be nothing: where it leaves out few, what it
did not label is rare enough to teach "nothing here"."""
Truth = dict[str, NDArray[Any]]
"""What is true of one scene, as arrays of fixed shape: batches stack them. Unknown is a value of it, or an array beside it."""


@dataclass(frozen=True)
class Output:
    """What a head asks of a network.

    Attributes:
        channels: of the output.
        stride: pixels of the picture a cell; `None` for one answer a picture.
        prior: logit that the output shall begin with, where its answer is mostly no.
        features: of an answer for the whole picture: whether features of all of it may count.
        pooled: likewise: names of maps whose strongest places count.
        within: the map that says where these places may lie.
        candidates: of instances, how many are answered; each is a row of so many channels.
    """

    channels: int
    stride: int | None = None
    prior: float | None = None
    features: bool = True
    pooled: tuple[str, ...] = ()
    within: str | None = None
    candidates: int | None = None


class Head(Protocol):
    """See the module. `outputs` are float32 logits of a batch, `truth` what `truth` made of its scenes, stacked."""

    @property
    def name(self) -> str:
        """Of its output, in the network and in the ONNX file."""

    @property
    def kind(self) -> Kind:
        """How the runtime decodes it."""

    @property
    def role(self) -> Role:
        """Which question of a bundle it answers."""

    @property
    def auxiliary(self) -> str | None:
        """What the role's decoder calls it, where it only helps the role's main head; see `AUXILIARY` of the manifest."""

    @property
    def weight(self) -> float:
        """Of its loss; 0 leaves it out of the teaching."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it can tell apart: damage types, parts, levels; or the answers of a gate."""

    @property
    def output(self) -> Output:
        """What it asks of the network."""

    def shown(self, sample: Sample) -> Iterable[str]:
        """Which of its names a photo teaches by example. A name that no photo teaches is never told."""

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """The channels of the output that are left when it tells these names alone; none where they are too few to tell."""

    def truth(self, scene: Scene) -> Truth:
        """What is true of a scene."""

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """How wrong the outputs are; without its weight."""

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """How wrong the outputs are by a teacher's, NaN where it says nothing; only of heads that a teacher can answer."""

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole numbers that say how right they are, and add over batches and processes."""

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """What the counts come to; NaN where nothing was there to be judged."""


def is_filled(scene: Scene) -> bool:
    """Whether a picture shows most of a photo that a vehicle fills, as far as its view tells: no close-up, and from some side."""
    one = scene.whole
    if one is None or one.sample.vehicle is False or one.sample.view is None or is_close(one.sample.view):
        return False
    return one.shown > MOST_OF_PHOTO


def iou_counts(told: Tensor, truth: Tensor, known: Tensor) -> dict[str, Tensor]:
    """Cells that two boolean maps (B, C, H, W) share, and cells of either, for each class, where `known`."""
    return {"both": (told & truth & known).sum((0, 2, 3)), "either": ((told | truth) & known).sum((0, 2, 3))}


def cover_counts(outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of maps of yes and no whose truth is `cover` and `known`: cells at a probability of a half."""
    return iou_counts(outputs > 0, truth["cover"] > 127, truth["known"])


def iou_figures(counts: Mapping[str, Tensor], names: tuple[str, ...]) -> dict[str, float]:
    """The pixel IoU of each class, and their mean over those that occur."""
    ious = (counts["both"].double() / counts["either"].double()).tolist()  # 0/0 is NaN: not judged
    figures = dict(zip(names, ious, strict=True))
    judged = [iou for iou in ious if not np.isnan(iou)]
    return {"mean": float(np.mean(judged)) if judged else float("nan"), **figures} if len(names) > 1 else {"iou": ious[0]}


def known_types(placed: Placed, names: tuple[str, ...]) -> BoolArray:
    """`(C,)` of each type, whether a photo's labels say where it is and where it is not.

    A type that it holds as a crowd, a region that nobody split into instances, is unknown there.
    """
    crowds = {annotation.name for annotation in placed.sample.annotations if annotation.crowd}
    return np.array([placed.sample.knows(name) and name not in crowds for name in names], np.bool_)


def known_parts(placed: Placed, names: tuple[str, ...]) -> BoolArray:
    """`(P,)` of each part, called as it is in this view, whether a photo's labels say where it is and where it is not."""
    mirrored = is_mirrored(placed.view)
    return np.array([placed.sample.knows(mirrored_part(name) if mirrored else name) for name in names], np.bool_)


def known_cells(scene: Scene, known: Sequence[BoolArray], stride: int, *, untyped: bool) -> BoolArray:
    """`(C, h, w)` where it is known what a cell shows of each class.

    Args:
        scene: the picture.
        known: `(C,)` for each of its photos: of which classes the labels say where they are and where they are not.
        stride: pixels a cell.
        untyped: whether damage of no known type is unknown: to types it is, to damage of any type it is not.
    """
    side = scene.size // stride
    cells = np.zeros((len(known[0]), side, side), np.bool_)
    for placed, of_photo in zip(scene.photos, known, strict=True):
        cells[(slice(None), *cells_of(placed.window, stride))] = of_photo[:, None, None]
        for region in placed.ignored if not untyped else (*placed.ignored, *placed.untyped):
            cells[(slice(None), *region.cells(stride))] &= region.at(stride) == 0
    return cells


def has_boxes_only(placed: Placed) -> bool:
    """Whether some damage of a photo has no outline."""
    return any(not damage.has_mask for damage in placed.sample.damages)
