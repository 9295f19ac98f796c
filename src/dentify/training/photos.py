"""The photos of a recipe, as `Sample`s."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dentify.datasets import LabelMap, Sample, open_dataset, read_label_map, read_photos
from dentify.datasets.photos import LIST_NAME
from dentify.datasets.sample import UNTYPED
from dentify.datasets.splits import photo_key, read_splits
from dentify.errors import ConfigError, DatasetError
from dentify.fitting.held_out import hold_out, key_of
from dentify.planning.looking import of_split
from dentify.settings import Settings
from dentify.strict import nearest
from dentify.training.classes import Classes
from dentify.training.recipe import PhotoSet, Recipe


def read_photo_set(
    photos: PhotoSet, root: Path, split: str, classes: Classes, *, settings: Settings | None = None
) -> list[Sample]:
    """The photos of one set; without a `source` of their own they have the file's name.

    Of a folder or a list those of `split` are taken: a photo that has none is of `train`, or of every split where no other has
    one. A JSON file is taken whole, and so is a folder of pictures of which nothing is known.

    Args:
        photos: of the recipe.
        root: folder that its paths are relative to.
        split: `train` or `val`.
        classes: what the recipe teaches.
        settings: limits on labels and photos.

    Raises:
        DatasetError: a file is missing, a label is neither one of the recipe's classes nor mapped to one, or nothing is left.
    """
    if photos.dataset is not None:
        own = (*classes.damage, *classes.parts, UNTYPED)
        kept = LabelMap({name: name for name in own}, others="refused")
        labels = read_label_map(root / photos.labels, settings, own=own) if photos.labels else kept
        path = root / photos.dataset
        dataset = open_dataset(
            path,
            images=root / photos.images if photos.images else None,
            split=split if path.suffix.lower() == ".json" and photos.splits is None else None,
            labels=labels,
            frame=photos.frame,
            settings=settings,
        )
        dataset.check_labels()
        if photos.splits is None:
            samples = of_split(list(dataset), split)
        else:
            placed = read_splits(root / photos.splits, settings)
            told = ((sample, placed.get(photo_key(sample, dataset.path), ("", ""))) for sample in dataset.without_splits())
            samples = [replace(sample, split=split, group=group or sample.group) for sample, (of, group) in told if of == split]
    else:
        assert photos.photos is not None
        path = root / photos.photos
        details = root / photos.details if photos.details else None
        has_list = path.is_file() or (path / LIST_NAME).is_file()
        samples = list(
            read_photos(
                path,
                vehicle=photos.vehicle,
                damage=photos.damage,
                split=split if has_list or not photos.is_unlabelled else None,
                details=details,
            )
        )
    unnamed = Path(photos.file).stem
    samples = [replace(sample, source=sample.source or unnamed) for sample in samples]
    sources = {sample.source or "" for sample in samples}
    for name in photos.leave_out:
        if samples and name not in sources:
            raise DatasetError(f"{root / photos.file}: no photo is from {name!r}, which leave_out names{nearest(name, sources)}")
    samples = [sample for sample in samples if sample.source not in photos.leave_out]
    if not samples:
        raise DatasetError(f"{root / photos.file}: no photo of split `{split}`")
    return samples


@dataclass(frozen=True)
class RunPhotos:
    """The photos of a recipe's sets, in their order.

    Attributes:
        every: all of each.
        taught: those to train on.
        held_out: those that are kept for comparing and fitting, of all sets.
    """

    every: list[list[Sample]]
    taught: list[list[Sample]]
    held_out: list[Sample]


def read_run_photos(recipe: Recipe, root: Path, *, settings: Settings | None = None) -> RunPhotos:
    """The photos that a recipe trains on, and those that it holds out.

    Args:
        recipe: of the run.
        root: folder that its paths are relative to.
        settings: limits on labels and photos.

    Raises:
        ConfigError: nothing of a set is left to train on.
        DatasetError: photos or labels cannot be read.
    """
    every = [read_photo_set(photos, root, "train", recipe.classes, settings=settings) for photos in recipe.data.train]
    sources = {sample.source or "" for samples in every for sample in samples}
    for name in recipe.data.leave_out:
        if name not in sources:
            raise ConfigError(f"data.leave_out names {name!r}, which no photo is from{nearest(name, sources)}")
    every = [[sample for sample in samples if sample.source not in recipe.data.leave_out] for samples in every]
    # A photo may be in several sets, with other labels in each, and its group told by one of them alone.
    grouped = {sample.image: key_of(sample) for samples in every for sample in samples if sample.group is not None}

    def key(sample: Sample) -> str:
        if sample.image in grouped:
            return grouped[sample.image]
        if isinstance(sample.image, Path) and sample.image.is_relative_to(root):
            return sample.image.relative_to(root).as_posix()
        return key_of(sample)

    dealt = [hold_out(samples, recipe.data.hold_out, key) for samples in every]
    taught = [photos for photos, _ in dealt]
    for photos, samples, left in zip(recipe.data.train, every, taught, strict=True):
        if samples and not left:
            raise ConfigError(f"{root / photos.file}: hold_out keeps all its photos from training; lower it, or add photos")
    if not any(taught):
        raise ConfigError("data.leave_out leaves no photo to train on")
    return RunPhotos(every, taught, [sample for _, held_out in dealt for sample in held_out])


def check_origins(recipe: Recipe, samples: Iterable[Sample]) -> None:
    """A bundle names origin and licence of all its photos.

    Raises:
        ConfigError: the recipe says nothing of a source of theirs.
    """
    missing = sorted({sample.source or "" for sample in samples} - set(recipe.origins))
    if missing:
        raise ConfigError(
            f"recipe {recipe.name}: `origins` says nothing of {', '.join(missing)}; a bundle names origin and licence of photos"
        )
