"""Folders by class: the folder that a picture lies in says what the photo as a whole shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.pictures import walk
from dentify.datasets.sample import Sample
from dentify.imaging.formats import is_picture_name

_NO_CLASSES = ("images", "image", "imgs", "img", "photos", "pictures", "masks", "labels")


def in_folder(root: Path, files: Sequence[Path]) -> list[LabelSet]:
    """The root, where every picture lies in a folder of its class."""
    pictures = [path for path in files if is_picture_name(path.name)]
    return [LabelSet(root, root)] if pictures and all(_class_of(path, root) for path in pictures) else []


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos by the names of their folders and files."""
    root = label_set.images or label_set.root
    for path in walk(root):
        label = _class_of(path, root)
        if is_picture_name(path.name) and label:
            name = path.relative_to(root).as_posix()
            yield Sample(path, name, split=label_set.split_of(path), labels=(label,), where=str(path))


def _class_of(path: Path, root: Path) -> str:
    """The nearest folder below the root that is neither a split nor a mere place for pictures; empty where there is none."""
    for folder in path.relative_to(root).parts[-2::-1]:
        if split_in(folder) is None and folder.lower() not in _NO_CLASSES:
            return folder
    return ""
