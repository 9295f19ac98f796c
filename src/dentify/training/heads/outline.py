"""Where the vehicle is: a map of yes and no. What else on a photo looks like damage is none of its business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from dentify.bundle.manifest import Kind
from dentify.datasets.sample import Sample
from dentify.strict import Strict
from dentify.taxonomy import PART_NAMES
from dentify.training import losses
from dentify.training.classes import Classes
from dentify.training.heads.head import (
    LEAST_FILLED,
    LEAST_KNOWN,
    Output,
    Role,
    Stride,
    Truth,
    cover_counts,
    iou_figures,
    is_filled,
    known_parts,
)
from dentify.training.scene import Placed, Scene, cells_of


class OutlineRecipe(Strict):
    """One map of where the vehicle is."""

    kind: Literal["outline"]
    of: Literal["vehicle"] = "vehicle"
    stride: Stride = Field(4, description="pixels of the picture a cell")
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")

    def build(self, name: str, classes: Classes) -> Outline:
        """The head."""
        return Outline(name, self)


@dataclass(frozen=True)
class Outline:
    """See `Head`.

    Nobody outlined vehicles as such. Parts are on them, and so is damage; where most parts are labelled, and all of these
    outlined, they are nowhere else; and what shows no vehicle has none anywhere.

    Truth: `cover` (1, h, w) uint8, 255 on the vehicle; `known` (1, h, w); `filled` () bool, whether a vehicle fills the picture.
    """

    name: str
    recipe: OutlineRecipe
    kind: Kind = "maps"
    role: Role = "damage"
    auxiliary: str | None = "vehicle"
    names: tuple[str, ...] = ("vehicle",)

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def output(self) -> Output:
        """The logit of the vehicle."""
        return Output(1, self.recipe.stride)

    def shown(self, sample: Sample) -> Iterable[str]:
        """Whether its parts are outlined."""
        return {"vehicle"} if any(part.has_mask for part in sample.parts) else ()

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """The one."""
        return [0] if taught else []

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        stride = self.recipe.stride
        cover = np.zeros((1, scene.size // stride, scene.size // stride), np.uint8)
        known = np.zeros(cover.shape, np.bool_)
        for placed in scene.photos:
            window = (0, *cells_of(placed.window, stride))
            cover[window], known[window] = _vehicle(placed, stride)
        return {"cover": cover, "known": known, "filled": np.array(is_filled(scene))}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy and Dice; and that it covers enough where a vehicle fills the picture, of which more is not known."""
        cover, known, probs = truth["cover"].float() / 255, truth["known"], outputs.sigmoid()
        told = losses.binary_cross_entropy(outputs, cover, known) + losses.dice(probs, cover, known)
        return told + losses.too_small(probs[:, 0], truth["filled"], LEAST_FILLED)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Yes or no."""
        return losses.binary_distance(outputs, teacher, temperature)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cells at a probability of a half."""
        return cover_counts(outputs, truth)

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Pixel IoU, where it is known."""
        return iou_figures(counts, self.names)


def _vehicle(placed: Placed, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Cover and what is known of it on the window of one photo."""
    cover = np.zeros([side // stride for side in placed.window_hw], np.uint8)
    if placed.sample.vehicle is False:
        return cover, np.ones(cover.shape, np.bool_)
    damages = [damage for damage in placed.damages if damage.annotation.has_mask and not damage.annotation.loose]
    parts = [part for part in placed.parts if part.annotation.has_mask]
    for region in (*parts, *damages):
        np.maximum(cover, region.at(stride), out=cover)
    labelled = known_parts(placed, PART_NAMES).mean()
    if not parts or len(parts) < len(placed.parts) or labelled < LEAST_KNOWN:
        return cover, cover > 127
    known = ~placed.outside[stride // 2 :: stride, stride // 2 :: stride]
    for region in placed.ignored:
        known &= region.at(stride) == 0
    return cover, known | (cover > 127)
