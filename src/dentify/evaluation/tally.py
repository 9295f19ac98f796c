"""Counts of one photo: pixels, boundaries, matches and missed annotations of each name that its source labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dentify.arrays import IntArray
from dentify.evaluation.average_precision import PhotoMatches, match_photo
from dentify.evaluation.bitmaps import bitmap, bitmap_of, frame_of
from dentify.evaluation.boundaries import boundary_counts
from dentify.evaluation.outlines import Rle, Things, Truth, area, intersection, union
from dentify.evaluation.type_confusion import Confused, confused_things

TOLD_IOU = np.array([0.5])


@dataclass(frozen=True, eq=False)
class NameCounts:
    """One name on one photo.

    Attributes:
        instances: annotations, crowds and regions to leave out apart.
        pixels: `(3,)` in both, told, annotated; `None` where an annotation is only a box.
        boundary: `(4,)` counts of `boundary_counts`; likewise.
        mask: matches of scored findings by mask; `None` where an annotation is only a box.
        box: matches of scored findings by box.
        told: matches of told findings at IoU 0.5, by mask where the annotations have one.
    """

    instances: int
    pixels: IntArray | None
    boundary: IntArray | None
    mask: PhotoMatches | None
    box: PhotoMatches
    told: PhotoMatches


@dataclass(frozen=True, eq=False)
class Tally:
    """One photo.

    Attributes:
        names: counts of each name.
        any_pixels: `(3,)` of all names together; `None` where an annotation is only a box.
        any_boundary: `(4,)` likewise.
        confused: how often what is annotated was told as what.
    """

    names: dict[str, NameCounts]
    any_pixels: IntArray | None
    any_boundary: IntArray | None
    confused: Counter[Confused] = field(default_factory=Counter)

    @property
    def outlined_names(self) -> tuple[str, ...]:
        """Names whose annotations all have outlines."""
        return tuple(name for name, counts in self.names.items() if counts.mask is not None)


def tally_photo(told: Things, scored: Things, truth: Truth, size_hw: tuple[int, int]) -> Tally:
    """Counts of one photo.

    Where something is to be ignored, pixels count neither as right nor as wrong, but for those that are surely damaged.

    Args:
        told: findings as a user gets them, of labelled names and others, most confident first.
        scored: findings that AP is taken from.
        truth: what its labels say.
        size_hw: of the upright photo, pixels.
    """
    names = {}
    told_union: dict[str, Rle] = {}
    truth_union: dict[str, Rle] = {}
    left_out = truth.left_out.rles
    for name in truth.labelled:
        annotated, found, user = truth.of(name), scored.of(name), told.of(name)
        outlined = bool((annotated.outlined | annotated.crowd).all())
        told_union[name], truth_union[name] = union(user.rles, size_hw), union(truth.annotated.of(name).rles, size_hw)
        names[name] = NameCounts(
            instances=int((~annotated.crowd).sum()),
            pixels=_pixels(told_union[name], truth_union[name], left_out) if outlined else None,
            boundary=_boundary(told_union[name], truth_union[name], left_out, size_hw) if outlined else None,
            mask=match_photo(found, annotated, "segm") if outlined else None,
            box=match_photo(found, annotated, "bbox"),
            told=match_photo(user, annotated, "segm" if outlined else "bbox", TOLD_IOU),
        )
    confused = confused_things(told, truth, {name: counts.told for name, counts in names.items()})
    if any(counts.pixels is None for counts in names.values()) or not truth.untyped.outlined.all():
        return Tally(names, None, None, confused)
    truth_any = union([*(truth_union[name] for name in names), *truth.untyped.rles], size_hw)
    known = union([rle for name, rle in zip(told.names, told.rles, strict=True) if truth.of_any_type or name in names], size_hw)
    others = union([rle for name, rle in zip(told.names, told.rles, strict=True) if name not in names], size_hw)
    # What is told only as an unlabelled type may be right: it counts on true damage and nowhere else.
    told_any = union([known, intersection(others, truth_any)], size_hw)
    return Tally(
        names,
        _pixels(told_any, truth_any, truth.ignored.rles),
        _boundary(told_any, truth_any, truth.ignored.rles, size_hw),
        confused,
    )


def without_left_out(told: Things, tally: Tally) -> Things:
    """Findings as a user gets them, most confident first, without those that are neither right nor wrong."""
    dropped: set[int] = set()
    for name, counts in tally.names.items():
        places = [place for place, other in enumerate(told.names) if other == name]
        dropped |= {place for place, out in zip(places, counts.told.left_out[0].tolist(), strict=False) if out}
    return told.select([place for place in range(len(told)) if place not in dropped])


def _pixels(told: Rle, truth: Rle, left_out: Sequence[Rle]) -> IntArray:
    both, predicted = intersection(told, truth), area(told)
    if left_out:
        passed_over = intersection(told, union(left_out, told["size"]))
        predicted -= area(passed_over) - area(intersection(passed_over, truth))
    return np.array([area(both), predicted, area(truth)], np.int64)


def _boundary(told: Rle, truth: Rle, left_out: Sequence[Rle], size_hw: tuple[int, int]) -> IntArray:
    if not (area(told) or area(truth)):
        return np.zeros(4, np.int64)
    frame_hw = frame_of(size_hw)
    ignored = bitmap_of(left_out, frame_hw) if left_out else None
    return boundary_counts(bitmap(told, frame_hw), bitmap(truth, frame_hw), ignored)
