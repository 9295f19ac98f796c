"""Crops around single annotated damages: photos that show one type, for classifiers of these.

They are written as pictures and a `photos.csv` of file and label, which everything that takes labelled photos reads.
"""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from dentify.arrays import Photo
from dentify.assessment import Box
from dentify.datasets.sample import UNTYPED, Annotation, Sample
from dentify.datasets.sample_picture import decode_picture
from dentify.errors import DatasetError, OutputError, printable
from dentify.in_order import map_in_order
from dentify.settings import Settings
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.writing import check_vacant, locked_folder, part_of, put_in_place, write_whole, writing

_PICTURES = "images"
_COLUMNS = ("file", "label", "source", "group", "split")


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
        DatasetError: the photo cannot be read.
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
    on_invalid: Callable[[DatasetError], object] | None = None,
) -> Counter[str]:
    """Writes the crops of all photos into `images/` of a folder, and `photos.csv` beside it, when all are there.

    Args:
        samples: with annotated damages.
        output: the folder.
        margin: see `iter_crops`.
        least_side: see `iter_crops`.
        workers: photos in work at a time.
        overwrite: replace the crops that are there.
        settings: limits on photos.
        on_photo: called after each photo, for progress.
        on_invalid: is told of a photo that cannot be read, which is then left out; `None`: it is raised.

    Returns:
        How many there are of each type.

    Raises:
        DatasetError: a photo cannot be read, or none has a damage by itself.
        OutputError: the folder holds such files already, or pictures that are no crops, or cannot be written.
    """
    with locked_folder(output):
        check_vacant(output, ["photos.csv", _PICTURES], "crops", overwrite=overwrite)
        images = output / _PICTURES
        if images.is_symlink():
            images = images.resolve()
        _check_ours(output / "photos.csv", images)
        part = part_of(images)
        with writing(part):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        try:
            cut = partial(_cut, margin=margin, least_side=least_side, settings=settings)
            rows = _write_pictures(_not_within(images, samples), part, cut, workers, on_photo, on_invalid)
            if not rows:
                raise DatasetError("no photo has an annotated damage that can be shown by itself")
            with writing(images):
                (output / "photos.csv").unlink(missing_ok=True)  # it lists other pictures
                put_in_place(part, images)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        lines = [(file, *map(safe_cell, cells)) for file, *cells in rows]
        write_whole({output / "photos.csv": csv_bytes(map(csv_line, [_COLUMNS, *lines]))})
    return Counter(label for _, label, *_ in rows)


def _check_ours(listed: Path, images: Path) -> None:
    """Refuses a folder of pictures that are others than those that the list beside it names.

    Raises:
        OutputError: they are.
    """
    names: set[str] = set()
    with suppress(OSError, ValueError, csv.Error), listed.open(encoding="utf-8-sig", newline="") as table:
        names = {PurePosixPath(row["file"] or "").name for row in csv.DictReader(table) if "file" in row}
    with writing(images):
        found = sorted(one.name for one in images.iterdir()) if images.exists() else []
    for name in found:
        if name not in names:
            raise OutputError(
                f"{printable(str(images / name))}: is none of the crops that {listed.name} lists; name another folder"
            )


def _not_within(images: Path, samples: Iterable[Sample]) -> Iterator[Sample]:
    """The same samples; one whose picture the crops are to replace is refused."""
    place = images.resolve()
    for sample in samples:
        if isinstance(sample.image, Path) and sample.image.resolve().is_relative_to(place):
            raise OutputError(f"{printable(str(images))}: holds pictures that are read; name another folder")
        yield sample


def _write_pictures(
    samples: Iterable[Sample],
    folder: Path,
    cut: Callable[[Sample], list[tuple[bytes, Sample]] | DatasetError],
    workers: int,
    on_photo: Callable[[], object],
    on_invalid: Callable[[DatasetError], object] | None,
) -> list[tuple[str, ...]]:
    """The rows of the pictures that are written, as `_COLUMNS` names their cells."""
    rows: list[tuple[str, ...]] = []
    files: set[str] = set()
    with closing(map_in_order(cut, samples, workers=workers)) as done:  # type: ignore[type-var]  # a generator
        for _, crops in done:
            if isinstance(crops, DatasetError):
                if on_invalid is None:
                    raise crops
                on_invalid(crops)
                crops = []
            for data, crop in crops:
                name = crop.name
                while name in files:  # photos of two folders, or kinds of file, may be called alike
                    name = f"{name.removesuffix('.jpg')}_.jpg"
                files.add(name)
                with writing(folder / name):
                    (folder / name).write_bytes(data)
                rows.append((f"{_PICTURES}/{name}", crop.labels[0], crop.source or "", crop.group or "", crop.split or ""))
            on_photo()
    return rows


def _cut(sample: Sample, **how: Any) -> list[tuple[bytes, Sample]] | DatasetError:
    try:
        return [(coded(crop), crop.sample) for crop in iter_crops(sample, **how)]
    except DatasetError as error:
        return error


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
