"""`splits.csv` beside labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.datasets import open_dataset
from dentify.errors import DatasetError
from small_labels import COCO, write


def test_splits_and_groups_of_a_csv_beside_the_labels_win(root: Path) -> None:
    write(root / "train.json", COCO)
    write(root / "splits.csv", "file,split,group\na.jpg,val,7\n")
    data = open_dataset(root)
    assert (data.format, data.notes) == ("coco", [])  # it is no table of labels
    assert [(sample.split, sample.group) for sample in data] == [("val", "7")]


def test_splits_without_their_columns_are_refused(root: Path) -> None:
    write(root / "train.json", COCO)
    write(root / "splits.csv", "photo,part\na.jpg,val\n")
    with pytest.raises(DatasetError, match=r"splits.csv: needs the columns file and split, has photo, part"):
        list(open_dataset(root))
