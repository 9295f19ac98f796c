"""From what several members of an ensemble found to one list: whatever kind each is of, things that lie on each other become one.

Source: Solovyev et al. 2021, "Weighted boxes fusion", of masks and by the share of weight that saw a thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dentify.arrays import BoolArray, FloatArray
from dentify.runtime.grids import cropped, shared_cells
from dentify.runtime.instances import Instances, instances_of_crops, sampled

SAME_IOU = 0.5
"""From which IoU on, things of one class that two members found are one thing."""


@dataclass(frozen=True, eq=False)
class _Thing:
    """What one member found: its crop lies at `(x, y)` of the common grid."""

    member: int
    score: float
    strength: float  # weight × score
    class_id: int
    x: int
    y: int
    mask: BoolArray
    outlined: bool  # False where only its box is known
    box_xyxy: FloatArray

    def window(self, canvas: FloatArray) -> FloatArray:
        return canvas[self.y : self.y + self.mask.shape[0], self.x : self.x + self.mask.shape[1]]


def fuse(found: Sequence[Instances], weights: Sequence[float]) -> Instances:
    """What several members found on one photo, as one; a lone member's own.

    Things of one class that lie on each other (`SAME_IOU`) are one, each member giving one at most, the surest first. Its score
    is the weighted mean of all members' scores, 0 of those that did not find it. Its mask is where those that did and outlined it
    hold half of their strength, weight times score; where none outlines, its box is their mean.

    Args:
        found: by each member, with raw scores; their grids may differ.
        weights: one a member, in any scale.

    Returns:
        Best first, on the finest grid; boxes only where no member outlines.
    """
    return found[0] if len(found) == 1 else fuse_and_tell(found, weights)[0]


def fuse_and_tell(found: Sequence[Instances], weights: Sequence[float]) -> tuple[Instances, FloatArray]:
    """What `fuse` makes of them, and `(N, K)` the score that each of K members gave each thing, 0 where it did not find it."""
    grid_hw = (max(one.grid_hw[0] for one in found), max(one.grid_hw[1] for one in found))
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    things = [
        _thing(one, index, grid_hw, member, share)
        for member, (one, share) in enumerate(zip(found, shares.tolist(), strict=True))
        for index in range(len(one))
    ]
    groups: list[list[_Thing]] = []
    for thing in sorted(things, key=lambda one: -one.strength):
        free = [
            group for group in groups if group[0].class_id == thing.class_id and all(one.member != thing.member for one in group)
        ]
        overlaps = [_iou(thing, group[0]) for group in free]
        if overlaps and max(overlaps) >= SAME_IOU:
            free[int(np.argmax(overlaps))].append(thing)
        else:
            groups.append([thing])
    groups.sort(key=lambda group: -sum(one.strength for one in group))
    told = np.zeros((len(groups), len(found)), np.float32)
    for row, group in enumerate(groups):
        for one in group:
            told[row, one.member] = one.score
    if all(one.masks is None for one in found):
        return _boxes(groups, grid_hw, found[0].photo_hw), told
    fused = [(sum(one.strength for one in group), (group[0].class_id, *_outline(group, grid_hw))) for group in groups]
    return instances_of_crops(fused, grid_hw, found[0].photo_hw), told


def _thing(found: Instances, index: int, grid_hw: tuple[int, int], member: int, share: float) -> _Thing:
    rows, columns, mask = found.cells(index)
    if found.grid_hw != grid_hw:
        on_grid = sampled(found.on_grid(index)[None], grid_hw, slice(0, grid_hw[0]), slice(0, grid_hw[1]))[0]
        x, y, mask = cropped(on_grid)
    else:
        x, y = columns.start, rows.start
    score, class_id = float(found.scores[index]), int(found.class_ids[index])
    return _Thing(member, score, share * score, class_id, x, y, mask, found.masks is not None, found.boxes_xyxy[index])


def _iou(one: _Thing, other: _Thing) -> float:
    both = shared_cells(one.mask, (one.x, one.y), other.mask, (other.x, other.y))
    return both / (int(np.count_nonzero(one.mask)) + int(np.count_nonzero(other.mask)) - both)


def _outline(group: Sequence[_Thing], grid_hw: tuple[int, int]) -> tuple[int, int, BoolArray]:
    """Corner and crop of the cells that hold half of the strength of those that outlined the thing."""
    outlined = [one for one in group if one.outlined] or list(group)
    if len(outlined) == 1:
        return outlined[0].x, outlined[0].y, outlined[0].mask
    held = np.zeros(grid_hw, np.float32)
    for one in outlined:
        window = one.window(held)
        window += one.strength * one.mask
    return cropped(np.asarray(held >= 0.5 * sum(one.strength for one in outlined) * (1 - 1e-6), np.bool_))


def _boxes(groups: Sequence[Sequence[_Thing]], grid_hw: tuple[int, int], photo_hw: tuple[int, int]) -> Instances:
    strengths = [np.array([one.strength for one in group]) for group in groups]
    boxes = [
        np.average([one.box_xyxy for one in group], axis=0, weights=strength if strength.any() else None)
        for group, strength in zip(groups, strengths, strict=True)
    ]
    return Instances(
        boxes_xyxy=np.asarray(boxes, np.float32).reshape(-1, 4),
        scores=np.array([strength.sum() for strength in strengths], np.float32),
        class_ids=np.array([group[0].class_id for group in groups], np.int64),
        masks=None,
        corners_xy=np.zeros((len(groups), 2), np.int64),
        grid_hw=grid_hw,
        photo_hw=photo_hw,
    )
