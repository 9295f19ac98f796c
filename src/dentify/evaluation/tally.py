"""Counts of one photo: pixels, matches and missed annotations of each name that its source labels."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from dentify.arrays import IntArray
from dentify.evaluation.average_precision import PhotoMatches, match_photo
from dentify.evaluation.outlines import Rle, Things, area, intersection, union

TOLD_IOU = np.array([0.5])


@dataclass(frozen=True, eq=False)
class NameCounts:
    """One name on one photo.

    Attributes:
        instances: annotations, crowds apart.
        pixels: `(3,)` in both, told, annotated; `None` where an annotation is only a box.
        mask: matches of scored findings by mask; `None` where an annotation is only a box.
        box: matches of scored findings by box.
        told: matches of told findings at IoU 0.5, by mask where the annotations have one.
    """

    instances: int
    pixels: IntArray | None
    mask: PhotoMatches | None
    box: PhotoMatches
    told: PhotoMatches


@dataclass(frozen=True, eq=False)
class Tally:
    """One photo. `any_pixels` is `(3,)` of all names together, `None` where an annotation is only a box."""

    names: dict[str, NameCounts]
    any_pixels: IntArray | None

    @property
    def outlined_names(self) -> tuple[str, ...]:
        """Names whose annotations all have outlines."""
        return tuple(name for name, counts in self.names.items() if counts.mask is not None)


def tally_photo(told: Things, scored: Things, annotated: Things, labelled: Collection[str], size_hw: tuple[int, int]) -> Tally:
    """Counts of one photo.

    Args:
        told: findings as a user gets them, of labelled names and others.
        scored: findings that AP is taken from.
        annotated: annotations of labelled names.
        labelled: names that the photo's source labels.
        size_hw: of the upright photo, pixels.
    """
    names = {}
    told_union: dict[str, Rle] = {}
    truth_union: dict[str, Rle] = {}
    for name in labelled:
        truth, found, user = annotated.of(name), scored.of(name), told.of(name)
        outlined = bool((truth.outlined | truth.crowd).all())
        told_union[name], truth_union[name] = union(user.rles, size_hw), union(truth.rles, size_hw)
        names[name] = NameCounts(
            instances=int((~truth.crowd).sum()),
            pixels=_pixels(told_union[name], truth_union[name]) if outlined else None,
            mask=match_photo(found, truth, "segm") if outlined else None,
            box=match_photo(found, truth, "bbox"),
            told=match_photo(user, truth, "segm" if outlined else "bbox", TOLD_IOU),
        )
    if any(counts.pixels is None for counts in names.values()):
        return Tally(names, None)
    truth_any = union([truth_union[name] for name in names], size_hw)
    known = union([told_union[name] for name in names], size_hw)
    others = union([rle for name, rle in zip(told.names, told.rles, strict=True) if name not in names], size_hw)
    # What is told only as an unlabelled type may be right: it counts on true damage and nowhere else.
    return Tally(names, _pixels(union([known, intersection(others, truth_any)], size_hw), truth_any))


def _pixels(told: Rle, truth: Rle) -> IntArray:
    return np.array([area(intersection(told, truth)), area(told), area(truth)], np.int64)
