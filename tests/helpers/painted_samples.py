"""Labelled photos that the tiny bundles understand, held in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL import Image

from dentify.datasets import Annotation, Sample
from dentify.imaging.polygons import box_to_polygon
from dentify.testing import TYPES, Damage, Shares, paint_photo

HW = (64, 64)
BOXES: tuple[Shares, ...] = ((0.25, 0.25, 0.375, 0.375), (0.5, 0.5, 0.625, 0.625), (0.125, 0.625, 0.25, 0.75))
PARTS: dict[str, Shares] = {"hood": (0.125, 0.125, 0.875, 0.875)}
"""Without one a sound photo would be a plain surface, which counts as no photo."""


@cache
def png_of(damages: tuple[Damage, ...], body: Shares | None) -> bytes:
    file = io.BytesIO()
    Image.fromarray(paint_photo(size_hw=HW, body=body, parts=PARTS if body else None, damages=damages)).save(file, "PNG")
    return file.getvalue()


def painted(
    name: str,
    shows: Sequence[tuple[str, float]] = (),
    *,
    annotated: Sequence[str] | None = None,
    labelled: Sequence[str] = TYPES,
    vehicle: bool = True,
    **facts: Any,
) -> Sample:
    """A photo with damages of some types and strengths, annotated as they are or as told, one a place."""
    damages = tuple(Damage(one, box, strength) for (one, strength), box in zip(shows, BOXES, strict=False))
    types = [one for one, _ in shows] if annotated is None else annotated
    height, width = HW
    annotations = tuple(
        Annotation(one, box, (box_to_polygon(box),))
        for one, (x_min, y_min, x_max, y_max) in zip(types, BOXES, strict=False)
        for box in [(x_min * width, y_min * height, x_max * width, y_max * height)]
    )
    known = {"vehicle": vehicle, "damage": bool(types) if vehicle else None} | facts
    image = png_of(damages, (0.0, 0.0, 1.0, 1.0) if vehicle else None)
    return Sample(image, name, HW, annotations, frozenset(labelled), **known)


def mixed_samples() -> list[Sample]:
    """Some that the tiny bundles get right and some that they get wrong: weak damages are missed, and one is not annotated."""
    return [
        painted("sure.png", [("dent", 1.0)]),
        painted("weak.png", [("dent", 0.57)]),
        painted("two.png", [("dent", 0.95), ("scratch", 1.0)]),
        painted("scratch.png", [("scratch", 0.9)]),
        painted("odd.png", [("scratch", 0.9)], annotated=["dent"]),
        painted("broken.png", [("broken_part", 1.0)]),
        painted("sound.png"),
        painted("alarm.png", [("dent", 1.0)], annotated=[]),
        painted("street.png", vehicle=False, labelled=()),
        painted("unclear.png", [("broken_part", 0.81)]),
    ]
