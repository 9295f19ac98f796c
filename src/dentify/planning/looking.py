"""A look at labelled photos: what they show, counted, and whether that is enough to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dentify.datasets.dataset import Dataset, open_dataset
from dentify.datasets.formats import FORMATS
from dentify.datasets.labels import LabelMap, read_label_map
from dentify.datasets.sample import Sample, has_vehicle, is_damaged
from dentify.errors import DatasetError, DentifyError
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES

LEAST_PHOTOS = 12
"""With fewer damaged photos there is nothing to learn, to judge and to fit by."""


@dataclass(frozen=True)
class Seen:
    """One labelled data set, and all of its photos that hold."""

    path: Path
    dataset: Dataset
    samples: Sequence[Sample]


@dataclass
class Counts:
    """What photos show; `of_photos` are those that are labelled with a type as a whole."""

    photos: int = 0
    damaged: int = 0
    sound: int = 0
    no_vehicle: int = 0
    of_photos: int = 0
    types: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    outlined: int = 0
    boxes: int = 0


def raise_fault(fault: DentifyError) -> None:
    """What `look` and `check_enough` do with a fault where nobody collects them."""
    raise fault


def look(
    paths: Sequence[Path],
    *,
    labels: Path | None = None,
    settings: Settings | None = None,
    on_fault: Callable[[DentifyError], None] = raise_fault,
    on_note: Callable[[str], object] = lambda note: None,
) -> list[Seen]:
    """Labelled data sets with all their photos.

    Args:
        paths: of label files, folders or zips, in any format.
        labels: a label map.
        settings: the limits.
        on_fault: is given what does not hold; what it lets pass is left out.
        on_note: is given what a user should know of how data sets are read.
    """
    settings = settings or Settings()
    seen = []
    try:
        label_map = read_label_map(labels, settings) if labels is not None else LabelMap(others="refused")
    except DentifyError as fault:
        on_fault(fault)
        label_map = LabelMap()
    for path in paths:
        try:
            dataset = open_dataset(path, labels=label_map, settings=settings, on_invalid=on_fault)
        except DentifyError as fault:
            on_fault(fault)
            continue
        try:
            dataset.check_labels()
        except DentifyError as fault:
            on_fault(fault)
        samples = list(dataset)
        if not samples:
            on_fault(DatasetError(f"{path}: holds no photo that can be read"))
        for note in dataset.notes:
            on_note(note)
        seen.append(Seen(path, dataset, samples))
    return seen


def of_split(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The photos of a split; one that has none is of `train` where others have one, and of every split where none has."""
    if not any(sample.split for sample in samples):
        return list(samples)
    return [sample for sample in samples if (sample.split or "train") == split]


def check_enough(seen: Sequence[Seen], *, on_fault: Callable[[DentifyError], None] = raise_fault) -> None:
    """Makes sure that photos can teach where damage is."""
    counts = count(sample for one in seen for sample in one.samples)
    paths = ", ".join(str(one.path) for one in seen)
    if not counts.damaged:
        told = "tell types of whole photos, and not where damage is" if counts.of_photos else "show no damage"
        on_fault(
            DatasetError(
                f"{paths}: {counts.photos} photos {told}; outline it, or train a classifier of photos:"
                " `dentify recipe show convnext_atto`"
            )
        )
    elif counts.damaged < LEAST_PHOTOS:
        on_fault(
            DatasetError(f"{paths}: {counts.damaged} damaged photos are too few to learn from; label {LEAST_PHOTOS} or more")
        )


def count(samples: Iterable[Sample]) -> Counts:
    """What photos show."""
    counts = Counts()
    for sample in samples:
        counts.photos += 1
        counts.damaged += bool(sample.damages)
        counts.sound += is_damaged(sample) is False
        counts.no_vehicle += has_vehicle(sample) is False
        counts.types.update(one.name for one in sample.damages)
        counts.of_photos += not sample.damages and any(name in DAMAGE_NAMES for name in sample.labels)
        counts.parts.update({one.name for one in sample.parts if one.has_mask})
        counts.levels.update(one.severity for one in sample.damages if one.severity is not None)
        counts.outlined += sum(one.has_mask for one in sample.damages)
        counts.boxes += sum(not one.has_mask for one in sample.damages)
    return counts


def told_set(seen: Seen) -> str:
    """What a data set holds, in a line."""
    counts = count(seen.samples)
    kinds = [f"{counts.damaged} with {counts.types.total()} damages"]
    kinds += [f"{counts.sound} of sound vehicles"] if counts.sound else []
    kinds += [f"{counts.no_vehicle} without a vehicle"] if counts.no_vehicle else []
    return f"{seen.path}: {FORMATS[seen.dataset.format].title}, {counts.photos} photos: {', '.join(kinds)}"
