"""Where instances have their middles, and where these lie from each of their cells: what tells damages of a type apart.

Source: Cheng et al. 2020, "Panoptic-DeepLab"; middles as in Zhou et al. 2019, "Objects as Points".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dentify.bundle.manifest import Kind
from dentify.datasets.sample import UNTYPED, Sample
from dentify.strict import Strict
from dentify.training import losses
from dentify.training.classes import Classes
from dentify.training.heads.head import Output, Role, Stride, Truth, has_boxes_only, known_cells, known_types
from dentify.training.scene import Region, Scene

RARE = -4.0
"""Logit that maps of middles begin with."""


class MiddlesRecipe(Strict):
    """A map a type of how likely a cell is the middle of an instance; or two of the way there from each of its cells."""

    kind: Literal["centres", "offsets"]
    of: Literal["damage"] = "damage"
    stride: Stride = Field(4, description="pixels of the picture a cell")
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")

    def build(self, name: str, classes: Classes) -> Centres | Offsets:
        """The head."""
        return (Centres if self.kind == "centres" else Offsets)(name, self, classes.damage)


@dataclass(frozen=True)
class _Middles:
    """What both have in common."""

    name: str
    recipe: MiddlesRecipe
    damage: tuple[str, ...]
    kind: Kind = "maps"
    role: Role = "damage"

    @property
    def auxiliary(self) -> str | None:
        return self.recipe.kind

    @property
    def weight(self) -> float:
        return self.recipe.weight

    @property
    def names(self) -> tuple[str, ...]:
        return self.damage

    def shown(self, sample: Sample) -> Iterable[str]:
        return {damage.name for damage in sample.damages if damage.has_mask} & set(self.damage)

    def _instances(self, scene: Scene) -> Iterator[tuple[int, Region, NDArray[np.uint8]]]:
        """Channel, region and cover in cells of each outlined damage of a taught type; a crowd is many, and has no middle."""
        for damage in scene.damages:
            if damage.annotation.has_mask and not damage.annotation.crowd and damage.annotation.name in self.damage:
                yield self.damage.index(damage.annotation.name), damage, damage.at(self.recipe.stride)


@dataclass(frozen=True)
class Centres(_Middles):
    """See `Head`.

    Truth: `heat` (C, h, w) uint8, a bump around each middle, 255 at the cell that counts as a hit; `known` (C, h, w).
    """

    @property
    def output(self) -> Output:
        """A logit a type."""
        return Output(len(self.damage), self.recipe.stride, RARE)

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """One a type."""
        return [place for place, name in enumerate(self.damage) if name in taught]

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        side = scene.size // self.recipe.stride
        heat = np.zeros((len(self.damage), side, side), np.uint8)
        for channel, damage, cover in self._instances(scene):
            y, x = _instance_cells(cover)
            middle_x, middle_y = x.mean(), y.mean()
            sigma = float(np.clip(0.12 * math.sqrt(len(x)), 1.0, 6.0))
            rows, columns = (
                np.exp(-((np.arange(n) - m) ** 2) / (2 * sigma**2))
                for n, m in zip(cover.shape, (middle_y, middle_x), strict=True)
            )
            bump = columns[None] * rows[:, None]
            bump[round(middle_y), round(middle_x)] = 1.0  # the cell that counts as a hit
            window = heat[(channel, *damage.cells(self.recipe.stride))]
            np.maximum(window, np.rint(bump * 255).astype(np.uint8), out=window)
        told = [known_types(placed, self.damage) & (not has_boxes_only(placed)) for placed in scene.photos]
        return {"heat": heat, "known": known_cells(scene, told, self.recipe.stride, untyped=UNTYPED not in self.damage)}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """The focal loss of middles."""
        return losses.centres(outputs, truth["heat"].float() / 255, truth["known"])

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Of each cell, middle or not."""
        return losses.binary_distance(outputs, teacher, temperature)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Middles that are told with a probability over a tenth, which candidates are grouped from, and all."""
        hit = (truth["heat"] == 255) & truth["known"]
        return {"hits": (hit & (outputs.sigmoid() > 0.1)).sum(), "middles": hit.sum()}

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Their share."""
        return {"recall": (counts["hits"].double() / counts["middles"].double()).item()}


@dataclass(frozen=True)
class Offsets(_Middles):
    """See `Head`.

    Truth: `offsets` (2C, h, w) float16, x and y from a cell to the middle of its instance in shares of the picture's side; NaN
    off the instances.
    """

    @property
    def output(self) -> Output:
        """Two numbers a type."""
        return Output(2 * len(self.damage), self.recipe.stride)

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """Two a type."""
        return [2 * place + axis for place, name in enumerate(self.damage) if name in taught for axis in (0, 1)]

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        side = scene.size // self.recipe.stride
        offsets = np.full((2 * len(self.damage), side, side), np.nan, np.float16)
        for channel, damage, cover in self._instances(scene):
            y, x = _instance_cells(cover)
            rows, columns = damage.cells(self.recipe.stride)
            window: NDArray[Any] = offsets[2 * channel : 2 * channel + 2, rows, columns]
            window[0, y, x] = (x.mean() - x) / side
            window[1, y, x] = (y.mean() - y) / side
        return {"offsets": offsets}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Mean error in hundredths of the side."""
        return losses.offsets(outputs, truth["offsets"].float())

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Mean difference in hundredths of the side; numbers know no temperature."""
        return losses.offsets(outputs, teacher)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Numbers that are off by less than a fiftieth of the side, and all."""
        there = ~truth["offsets"].isnan()
        return {"near": (there & ((outputs - truth["offsets"].float()).abs() < 0.02)).sum(), "all": there.sum()}

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Their share."""
        return {"near": (counts["near"].double() / counts["all"].double()).item()}


def _instance_cells(cover: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of the cells of an instance; of the fullest, where it fills none."""
    y, x = np.nonzero(cover > 100)
    if not len(x):
        y, x = np.nonzero(cover == cover.max())
    return y, x
