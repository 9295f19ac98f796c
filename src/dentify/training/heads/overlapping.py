"""Maps of damage types, which overlap: each its own yes or no. And of damage of whatever type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor

from dentify.bundle.manifest import Kind
from dentify.datasets.sample import UNTYPED, Sample
from dentify.strict import Strict
from dentify.training import losses
from dentify.training.classes import Classes
from dentify.training.heads.head import (
    LEAST_KNOWN,
    Output,
    Role,
    Stride,
    Truth,
    cover_counts,
    has_boxes_only,
    iou_figures,
    known_cells,
    known_types,
)
from dentify.training.scene import Placed, Scene

Loss = Literal["cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary", "boxes"]

FULL = 127
"""Cover from which a cell counts as damaged."""
RARE = -3.0
"""Logit that maps of damage begin with: it is rare."""

_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cross_entropy": losses.binary_cross_entropy,
    "focal": losses.binary_focal,
    "dice": lambda logits, truth, known: losses.dice(logits.sigmoid(), truth, known),
    "tversky": lambda logits, truth, known: losses.tversky(logits.sigmoid(), truth, known),
    "lovasz": lambda logits, truth, known: losses.lovasz(losses.hinge_errors(logits, truth), truth, known),
    "boundary": lambda logits, truth, known: losses.boundary(logits.sigmoid(), truth, known),
}


class OverlappingRecipe(Strict):
    """A map a damage type, or one of damage of any type."""

    kind: Literal["overlapping"]
    of: Literal["damage", "any_damage"]
    stride: Stride = Field(2, description="pixels of the picture a cell")
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")
    loss: dict[Loss, Annotated[float, Field(ge=0)]] = Field(
        {"cross_entropy": 4.0, "dice": 1.0}, description="weights of losses by name", min_length=1
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.of == "any_damage" and "boxes" in self.loss:
            raise ValueError("`boxes` teach types alone: where damages have no outlines, any_damage is unknown")
        return self

    def build(self, name: str, classes: Classes) -> Overlapping:
        """The head."""
        return Overlapping(name, self, classes.damage)


@dataclass(frozen=True)
class Overlapping:
    """See `Head`.

    Truth: `cover` (C, h, w) uint8, 255 for a cell that is damaged so all over; `known` (C, h, w) whether the type is outlined or
    known to be absent there; `boxed` (C,) whether its damages have boxes only, which are then in `cover`.
    """

    name: str
    recipe: OverlappingRecipe
    damage: tuple[str, ...]
    kind: Kind = "maps"
    role: Role = "damage"

    @property
    def auxiliary(self) -> str | None:
        """Damage of any type helps to find the types."""
        return "any" if self.recipe.of == "any_damage" else None

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def names(self) -> tuple[str, ...]:
        """The types; `any` for damage of whatever type."""
        return self.damage if self.auxiliary is None else ("any",)

    @property
    def output(self) -> Output:
        """A logit a type."""
        return Output(len(self.names), self.recipe.stride, RARE)

    def shown(self, sample: Sample) -> Iterable[str]:
        """The types that are outlined, or boxed where a loss learns from boxes; damage of any type takes an outline."""
        told = {damage.name for damage in sample.damages if damage.has_mask or self.recipe.loss.get("boxes")}
        if self.auxiliary is None:
            return told & set(self.damage)
        return {"any"} if told else ()

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """One a type."""
        return [self.names.index(name) for name in self.names if name in taught]

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        side = scene.size // self.recipe.stride
        cover = np.zeros((len(self.names), side, side), np.uint8)
        for damage in scene.damages:
            if self.auxiliary is not None:
                channel = 0
            elif damage.annotation.name in self.damage:
                channel = self.damage.index(damage.annotation.name)
            else:
                continue
            window = cover[(channel, *damage.cells(self.recipe.stride))]
            np.maximum(window, damage.at(self.recipe.stride), out=window)
        boxed = [has_boxes_only(placed) for placed in scene.photos]
        if self.auxiliary is not None:
            told = [np.array([_any_known(placed, self.damage)]) for placed in scene.photos]
            known = known_cells(scene, told, self.recipe.stride, untyped=False)
            return {"cover": cover, "known": known | ((cover > FULL) & (not any(boxed)))}
        told = [known_types(placed, self.damage) for placed in scene.photos]
        all_known = np.logical_and.reduce(told)
        outlined = [of_photo & (not box_only) for of_photo, box_only in zip(told, boxed, strict=True)]
        untyped = UNTYPED not in self.damage
        known = known_cells(scene, outlined, self.recipe.stride, untyped=untyped)
        doubtful = any(placed.ignored or (untyped and placed.untyped) for placed in scene.photos)
        return {
            "cover": cover,
            "known": known | ((cover > FULL) & (not any(boxed))),
            "boxed": all_known & (any(boxed) and not doubtful),
        }

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """The recipe's losses in sum."""
        cover = truth["cover"].float() / 255
        total = outputs.new_zeros(())
        for name, weight in self.recipe.loss.items():
            if name == "boxes":
                total = total + weight * losses.boxes(outputs, cover, truth["boxed"])
            else:
                total = total + weight * _LOSSES[name](outputs, cover, truth["known"])
        return total

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """The head's own losses, with how sure the teacher is of each cell in the place of truth; not 0 where both say the same.

        Damage is rare: in a mean over cells what is next to none of it weighs most, and at a temperature still more.
        """
        there = ~teacher.isnan()
        sure = teacher.nan_to_num().sigmoid()
        weights = {name: weight for name, weight in self.recipe.loss.items() if name != "boxes"} or {"cross_entropy": 1.0}
        total = outputs.new_zeros(())
        for name, weight in weights.items():
            total = total + weight * _LOSSES[name](outputs, sure, there)
        return total

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Pixels at a probability of a half."""
        return cover_counts(outputs, truth)

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Pixel IoU."""
        return iou_figures(counts, self.names)


def _any_known(placed: Placed, damage: tuple[str, ...]) -> bool:
    """Whether a photo's labels say what is not damaged: its source outlines damage of every type, or most types it does."""
    told = UNTYPED in placed.sample.labelled or known_types(placed, damage).sum() >= LEAST_KNOWN * len(damage)
    return bool(told) and not has_boxes_only(placed)
