"""Crops around single annotated damages: photos that show one type, for classifiers of these.

They are written as pictures and a `photos.csv` of file and label, which everything that takes labelled photos reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dentify.arrays import Photo
from dentify.assessment import Box
from dentify.datasets.sample import UNTYPED, Annotation, Sample
from dentify.datasets.sample_picture import decode_picture
from dentify.errors import DatasetError
from dentify.in_order import map_in_order
from dentify.settings import Settings
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.writing import check_vacant, locked_folder, write_whole


@dataclass(frozen=True)
class Crop:
    """A photo of one damage.

    Attributes:
        image: `(h, w, 3)` uint8 RGB.
        sample: as what it is listed: its name, the type as its label, source, split and group (the photo where it has
            none).
    """

    image: Photo
    sample: Sample


def single_damages(sample: Sample) -> list[Annotation]:
    """The damages of a photo of a known type that no damage of another type lies on or in: what a crop around them shows is one.

    Regions of many things, and what is to be ignored, are no single damage.
    """
    damages = [damage for damage in sample.damages if not damage.crowd]

    def is_alone(damage: Annotation) -> bool:
        return damage.name != UNTYPED and not any(
            other.name != damage.name and _overlap(damage.box_xyxy, other.box_xyxy) > 0
            for other in sample.annotations
            if other.kind == "damage"
        )

    return [damage for damage in damages if is_alone(damage)]


def iter_crops(sample: Sample, *, margin: float = 0.25, least_side: int = 48, settings: Settings | None = None) -> Iterator[Crop]:
    """The crops of one photo, in the order of its damages.

    Args:
        sample: with annotated damages.
        margin: of its box's longer side that is shown around a damage, on each side, as far as the photo and damages of other
            types leave room.
        least_side: pixels of a crop's shorter side below which it is left out.
        settings: limits on photos.

    Raises:
        DatasetError, ImageError: the photo cannot be read.
    """
    settings = settings or Settings()
    singles = single_damages(sample)
    if not singles:
        return
    image = decode_picture(sample, settings).image
    height, width = image.shape[:2]
    for number, damage in enumerate(singles, 1):
        others = [one.box_xyxy for one in sample.annotations if one.kind == "damage" and one.name != damage.name]
        left, top, right, bottom = _widened(damage.box_xyxy, margin, (height, width), others)
        if min(right - left, bottom - top) < least_side:
            continue
        stem = sample.name.rpartition(".")[0] or sample.name
        crop = replace(
            sample,
            image=b"",
            name=f"{stem.replace('/', '_')}_{number}.jpg",
            size_hw=(bottom - top, right - left),
            annotations=(),
            labels=(damage.name,),
            severity=damage.severity,
            group=sample.group or sample.name,  # crops of one photo show each other's surroundings
            vehicle=None,
            damage=None,
            view=None,
        )
        yield Crop(np.ascontiguousarray(image[top:bottom, left:right]), crop)


def coded(crop: Crop) -> bytes:
    """A crop as a JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(crop.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done
    return bytes(data)


def write_crops(
    samples: Iterable[Sample],
    output: Path,
    *,
    margin: float = 0.25,
    least_side: int = 48,
    workers: int = 2,
    overwrite: bool = False,
    settings: Settings | None = None,
    on_photo: Callable[[], object] = lambda: None,
) -> Counter[str]:
    """Writes the crops of all photos into `images/` of a folder, and `photos.csv` when all are there.

    Returns:
        How many there are of each type.

    Raises:
        DatasetError: a photo cannot be read, or none has a damage by itself.
        OutputError: the folder holds such files already, or cannot be written.
    """
    with locked_folder(output):
        check_vacant(output, ["photos.csv", "images"], "crops", overwrite=overwrite)
        return _write_crops(samples, output, margin, least_side, workers, settings, on_photo)


def _write_crops(
    samples: Iterable[Sample],
    output: Path,
    margin: float,
    least_side: int,
    workers: int,
    settings: Settings | None,
    on_photo: Callable[[], object],
) -> Counter[str]:
    rows: list[tuple[str, ...]] = [("file", "label", "source", "group", "split")]
    counts: Counter[str] = Counter()
    files: set[str] = set()
    cut = partial(_cut, margin=margin, least_side=least_side, settings=settings)
    for _, crops in map_in_order(cut, samples, workers=workers):
        for name, data, crop in crops:
            file = f"images/{name}"
            while file in files:  # photos of two folders, or kinds of file, may be called alike
                file = f"{file.removesuffix('.jpg')}_.jpg"
            files.add(file)
            write_whole({output / file: data})
            cells = (crop.labels[0], crop.source or "", crop.group or "", crop.split or "")
            rows.append((file, *map(safe_cell, cells)))
            counts[crop.labels[0]] += 1
        on_photo()
    if not counts:
        raise DatasetError("no photo has an annotated damage that can be shown by itself")
    write_whole({output / "photos.csv": csv_bytes(map(csv_line, rows))})
    return counts


def _cut(sample: Sample, **how: Any) -> list[tuple[str, bytes, Sample]]:
    return [(crop.sample.name, coded(crop), crop.sample) for crop in iter_crops(sample, **how)]


def _widened(box: Box, margin: float, photo_hw: tuple[int, int], others: list[Box]) -> tuple[int, int, int, int]:
    """A box with a margin that shrinks until no other box reaches in."""
    height, width = photo_hw
    x_min, y_min, x_max, y_max = box
    for share in (margin, margin / 2, margin / 4, 0.0):
        rim = share * max(x_max - x_min, y_max - y_min)
        wide = (max(0.0, x_min - rim), max(0.0, y_min - rim), min(float(width), x_max + rim), min(float(height), y_max + rim))
        if not any(_overlap(wide, other) > 0 for other in others):
            break
    return round(wide[0]), round(wide[1]), round(wide[2]), round(wide[3])


def _overlap(a: Box, b: Box) -> float:
    """Pixels that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
