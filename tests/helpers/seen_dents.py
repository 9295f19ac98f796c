"""Photos of 64 × 64 on which a network sees dents at some corners, and annotators saw them at others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dentify.arrays import FloatArray
from dentify.bundle.manifest import Grouping
from dentify.datasets import Annotation, Sample
from dentify.fitting.evidence import Evidence, Matched, gather, match
from dentify.imaging.views import whole_view

NAMES = ("dent", "scratch")
GROUPING = Grouping(levels=(0.5,), radii=(0,), min_cells=4, upscale=2)
SIZE = 64

Corners = Sequence[tuple[int, int]]


def box(name: str, x: float, y: float, w: float = 16, h: float = 16) -> Annotation:
    """A rectangle, outlined."""
    outline = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64)
    return Annotation(name, (x, y, x + w, y + h), polygons=(outline,))


def logits_of(seen: Corners, *, hw: tuple[int, int] = (SIZE // 2, SIZE // 2), strength: float = 4.0) -> FloatArray:
    """`(2, h, w)`: dents of 16 × 16 photo pixels, two to a cell, and no scratch."""
    types = np.full((2, *hw), -4.0, np.float32)
    for x, y in seen:
        types[0, y // 2 : y // 2 + 8, x // 2 : x // 2 + 8] = strength
    return types


def evidence(
    photo: int = 0, *, seen: Corners = (), annotated: Corners = (), labelled: Sequence[str] = NAMES, strength: float = 4.0
) -> Evidence:
    """A photo, seen as it is."""
    damages = tuple(box("dent", x, y) for x, y in annotated)
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=damages, labelled=frozenset(labelled))
    gathered = gather(
        sample, logits_of(seen, strength=strength), {}, lambda hw: whole_view((SIZE, SIZE), hw), NAMES, GROUPING, photo=photo
    )
    return replace(gathered, gates={"vehicle": 3.0, "damage": 3.0})


def matched(photo: int = 0, *, seen: Corners = (), annotated: Corners = (), scores: Sequence[float] | None = None) -> Matched:
    """The same, matched; with other scores, best first, where they are given."""
    found = match(evidence(photo, seen=seen, annotated=annotated), GROUPING, None)
    return found if scores is None else replace(found, scores=np.array(scores, np.float32))


def scored(right: Sequence[bool], scores: Sequence[float], class_id: int = 0) -> Matched:
    """Findings of which only this is known, on a photo of which nothing is."""
    one = matched(seen=[(8, 8)], annotated=[(8, 8)])
    findings = replace(one.findings, class_ids=np.full(len(right), class_id, np.int64))
    return replace(one, findings=findings, scores=np.array(scores, np.float32), right=np.array(right, np.bool_))
