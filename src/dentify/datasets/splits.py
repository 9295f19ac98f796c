"""`splits.csv`: which photos of a data set are for training, for judging and for the test."""

from __future__ import annotations

import os
from pathlib import Path

from dentify.datasets.documents import csv_columns, read_csv
from dentify.datasets.pictures import is_file
from dentify.datasets.sample import Sample
from dentify.datasets.zipped import ZippedPath, is_zipped
from dentify.errors import DatasetError
from dentify.names import clean_name
from dentify.settings import Settings
from dentify.spreadsheets import cell_text

SPLITS = "splits.csv"
"""Written by `dentify dataset split` beside the labels: columns `file`, `split`, `group`."""


def photo_key(sample: Sample, root: Path) -> str:
    """What a photo is called in `splits.csv`: its picture's path below the data set's folder, else its name; always UTF-8."""
    if isinstance(sample.image, Path) and str(sample.image).startswith(within := f"{root}{os.sep}"):
        return clean_name(str(sample.image)[len(within) :].replace(os.sep, "/"))
    folder = root if root.is_dir() else root.parent
    if isinstance(sample.image, Path) and sample.image.is_relative_to(folder):
        return clean_name(sample.image.relative_to(folder).as_posix())
    return clean_name(sample.name)


def splits_path(root: Path) -> Path:
    """Where the splits of a data set are kept; of a zip, where they are read if they are there."""
    root = ZippedPath(root) if is_zipped(root) else root
    return (root if root.is_dir() else root.parent) / SPLITS


def read_splits(path: Path, settings: Settings | None = None) -> dict[str, tuple[str, str]]:
    """By photo (see `photo_key`): its split and group, as `dentify dataset split` wrote them; none where there is no such file.

    Raises:
        DatasetError: it cannot be read, or lacks a column.
    """
    if not is_file(path):
        return {}
    columns = csv_columns(path)
    if not {"file", "split"} <= set(columns):
        raise DatasetError(f"{path}: needs the columns file and split, has {', '.join(columns) or 'none'}")
    rows = (row for _, row in read_csv(path, settings or Settings()))
    return {row["file"].removeprefix("./"): (cell_text(row["split"]), cell_text(row.get("group", ""))) for row in rows}
