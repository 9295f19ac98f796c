"""Things one by one: a box, a type and a mask each. Damages, or parts of the vehicle.

A network of this kind proposes boxes and learns from what lies under them, so it brings its losses itself; see `mask_rcnn`. What
is answered is a table with a row a candidate, best first (`INSTANCE_MASK` of the manifest says how it is laid out).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dentify.arrays import BoolArray
from dentify.bundle.manifest import INSTANCE_MASK, Kind
from dentify.datasets.sample import UNTYPED, Sample
from dentify.strict import Strict
from dentify.taxonomy import mirrored_part
from dentify.training.classes import Classes
from dentify.training.heads.head import Output, Role, Truth, known_parts, known_types
from dentify.training.scene import Placed, Region, Scene

COVER_SIDE = 56
"""Cells along each side of a box on which its mask is kept for learning."""
_NEARBY = 0.5
"""Share of a box in a region that is left out from which it is no background."""
LEFT_OUT = 255
"""Label of what is neither one of the things nor background."""
TOLD_FROM = 0.3
"""Score from which a candidate counts in the figures."""
RIGHT_IOU = 0.5


class InstancesRecipe(Strict):
    """A box, a type and a mask for every thing."""

    kind: Literal["instances"]
    of: Literal["damage", "parts"]
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")
    most: int = Field(64, gt=0, le=256, description="things of a picture that are learned from at most, the largest")
    candidates: int = Field(100, gt=0, le=300, description="things that are answered for a photo at most")

    def build(self, name: str, classes: Classes) -> InstancesHead:
        """The head."""
        return InstancesHead(name, self, classes.damage if self.of == "damage" else classes.parts)


@dataclass(frozen=True)
class InstancesHead:
    """See `Head`.

    Truth: of each of so many things, fewer are filled up with label 0: `boxes` (M, 4) float32, shares of the picture; `labels`
    (M,) uint8, 1 and up, `LEFT_OUT`, or 0; `covers` (M, K, K) uint8 within the box; `outlined` (M,) bool, whether more than the
    box is known. And `known` (C,) bool: of which types the labels say where they are and where not.
    """

    name: str
    recipe: InstancesRecipe
    names: tuple[str, ...]
    kind: Kind = "instances"
    auxiliary: str | None = None

    @property
    def role(self) -> Role:
        """Damage, or parts."""
        return self.recipe.of

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def output(self) -> Output:
        """A table of candidates."""
        return Output(4 + len(self.names) + INSTANCE_MASK**2, candidates=self.recipe.candidates)

    def shown(self, sample: Sample) -> Iterable[str]:
        """The types that are annotated; of parts those of the mirrored photo, too."""
        if self.recipe.of == "damage":
            return {damage.name for damage in sample.damages} & set(self.names)
        names = {part.name for part in sample.parts}
        return (names | {mirrored_part(name) for name in names}) & set(self.names)

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """Those of the box, of the scores of what was taught, and of the mask."""
        known = [4 + place for place, name in enumerate(self.names) if name in taught]
        masks = range(4 + len(self.names), self.output.channels)
        return [*range(4), *known, *masks] if known else []

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        most = self.recipe.most
        boxes, labels = np.zeros((most, 4), np.float32), np.zeros(most, np.uint8)
        covers, outlined = np.zeros((most, COVER_SIDE, COVER_SIDE), np.uint8), np.zeros(most, np.bool_)
        things = sorted(self._things(scene), key=lambda thing: -thing[1].visible)[:most]
        for row, (label, region) in enumerate(things):
            box, cover = _boxed(region)
            boxes[row], labels[row], outlined[row] = box, label, region.annotation.has_mask
            covers[row] = cv2.resize(cover, (COVER_SIDE, COVER_SIDE), interpolation=cv2.INTER_LINEAR)
        known = np.logical_and.reduce([self._known(placed) for placed in scene.photos])
        return {"boxes": boxes / scene.size, "labels": labels, "covers": covers, "outlined": outlined, "known": known}

    def _things(self, scene: Scene) -> Iterator[tuple[int, Region]]:
        """Label and region of what can be seen."""
        if self.recipe.of == "damage":
            regions = list(scene.damages)
        else:
            regions = [part for placed in scene.photos for part in placed.parts]
        for region in regions:
            one = region.annotation
            if not region.cover.any():
                continue
            if one.name in self.names and not one.crowd:
                yield 1 + self.names.index(one.name), region
            elif one.crowd or one.name == UNTYPED:
                yield LEFT_OUT, region
        for placed in scene.photos:
            yield from ((LEFT_OUT, region) for region in placed.ignored if region.cover.any())

    def _known(self, placed: Placed) -> BoolArray:
        """(C,): types, or parts, that its source labels."""
        return (known_types if self.recipe.of == "damage" else known_parts)(placed, self.names)

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """What the network brings."""
        return outputs.sum()

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """None: a network learns instances from its own proposals."""
        return outputs.sum() * 0

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of each type: things, candidates that are told, and how many of either have their like; boxes decide."""
        shape = (len(self.names),)
        counts = {key: torch.zeros(shape, dtype=torch.int64, device=outputs.device) for key in ("there", "told", "hit", "right")}
        for rows, boxes, labels, known in zip(outputs, truth["boxes"], truth["labels"].long(), truth["known"], strict=True):
            score, of = rows[:, 4 : 4 + len(self.names)].max(1)
            for place in range(len(self.names)):
                if not known[place]:
                    continue
                there = boxes[labels == place + 1]
                told = rows[(score >= TOLD_FROM) & (of == place), :4]
                like = _ious(there, told) >= RIGHT_IOU
                counts["there"][place] += len(there)
                counts["told"][place] += len(told)
                counts["hit"][place] += like.any(1).sum()
                counts["right"][place] += like.any(0).sum()
        return counts

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """F1 of each type at a score of 0.3, and their mean over those that are there."""
        right = 2.0 * torch.minimum(counts["hit"], counts["right"]).double()
        values = (right / (counts["there"] + counts["told"]).double()).tolist()  # 0/0 is NaN: not judged
        judged = [value for value, there in zip(values, counts["there"].tolist(), strict=True) if there]
        return {"mean": float(np.mean(judged)) if judged else float("nan"), **dict(zip(self.names, values, strict=True))}


def _boxed(region: Region) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """Its box in pixels of the picture, and what it covers of it; where it is hardly seen, of its most visible pixels."""
    full = region.cover > 127
    if not full.any():
        full = region.cover == region.cover.max()
    rows, columns = np.flatnonzero(full.any(1)), np.flatnonzero(full.any(0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    x, y = region.window[:2]
    return (x + left, y + top, x + right, y + bottom), np.ascontiguousarray(region.cover[top:bottom, left:right])


def _ious(ones: Tensor, others: Tensor) -> Tensor:
    from torchvision.ops import box_iou

    ious: Tensor = box_iou(ones, others)
    return ious


def lies_in(boxes: Tensor, regions: Tensor) -> Tensor:
    """Which boxes are no background, as they may be what a region that is left out holds: at least half of each is in one.

    Args:
        boxes: (N, 4) xyxy, in shares of the picture or in pixels.
        regions: (R, 4) likewise.

    Returns:
        (N,) boolean.
    """
    if not len(regions):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    low = torch.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(2)
    own = (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp(min=1e-9)
    inside: Tensor = (shared / own[:, None]).amax(1) >= _NEARBY
    return inside
