"""Painted photos of damaged and sound cars and of streets, which the tiny bundle knows by heart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from dentify import Bundle
from dentify.datasets import Annotation, Sample
from dentify.testing import Damage, paint_photo, tiny_manifest
from seen_dents import box

HW = (128, 192)
LABELLED = frozenset({"dent", "scratch", "broken_part"})


def bundle_with(bundle: Bundle, **changes: Any) -> Bundle:
    return replace(bundle, manifest=type(bundle.manifest).model_validate(tiny_manifest() | changes))


def photo(number: int, *damages: Damage, annotated: Sequence[Annotation] = (), body: bool = True, **labels: Any) -> Sample:
    image = paint_photo(size_hw=HW, damages=damages, body=(0.0, 0.0, 1.0, 1.0) if body else None)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return Sample(file.getvalue(), f"{number}.png", HW, annotations=tuple(annotated), **labels)


def damaged(number: int, **labels: Any) -> Sample:
    """A sure dent that is annotated, and a doubtful one that is not; left of the middle, so that no mirror image is the photo."""
    row = number % 5
    there = Damage("dent", (0.125, row / 8, 0.25, row / 8 + 0.125), strength=1.0)
    not_there = Damage("dent", (0.25, 0.75, 0.375, 0.875), strength=0.7)
    outline = box("dent", 24, row * 16, 24, 16)
    return photo(number, there, not_there, annotated=[outline], labelled=LABELLED, vehicle=True, **labels)


def sound(number: int) -> Sample:
    return photo(number, vehicle=True, damage=False)


def street(number: int) -> Sample:
    return photo(number, body=False, vehicle=False, damage=False)


def everything() -> list[Sample]:
    return [*map(damaged, range(25)), *map(sound, range(25, 37)), *map(street, range(37, 48))]
