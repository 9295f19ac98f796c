"""The picture that a sample names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.datasets import open_dataset
from dentify.errors import DatasetError
from small_labels import COCO, write


def test_pictures_need_not_be_there_where_nobody_asks(root: Path) -> None:
    (root / "a.jpg").unlink()
    path = write(root / "a.json", COCO)
    assert len(list(open_dataset(path, check_pictures=False))) == 1
    with pytest.raises(DatasetError, match=r"a.json: images\[0\] \(id 1\): no picture 'a.jpg' in "):
        list(open_dataset(path))


def test_a_picture_that_is_none_is_told(root: Path) -> None:
    (root / "a.jpg").write_text("not a picture")
    with pytest.raises(DatasetError, match=r"images\[0\] \(id 1\): .*a.jpg: not a "):
        list(open_dataset(write(root / "a.json", COCO)))
