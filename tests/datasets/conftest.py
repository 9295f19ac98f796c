"""A small COCO data set to break on purpose."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

collect_ignore_glob = ["written_by_tools/*"]  # scripts that need the tools

SQUARE = [[2, 2, 8, 2, 8, 8, 2, 8]]
DOCUMENT: dict[str, Any] = {
    "categories": [{"id": 4, "name": "scratch"}, {"id": 1, "name": "dent"}, {"id": 9, "name": "hood"}],
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10, "source": "mine", "group": 7, "labelled": ["dent", "hood"]},
        {"id": 2, "file_name": "b.jpg", "width": 20, "height": 10},
    ],
    "annotations": [
        {"id": 10, "image_id": 1, "category_id": 1, "segmentation": SQUARE, "bbox": [2, 2, 6, 6], "severity": "minor"},
        {"id": 11, "image_id": 1, "category_id": 9, "bbox": [0, 0, 20, 5]},
        {"id": 12, "image_id": 2, "category_id": 4, "segmentation": SQUARE, "original": "cizik"},
    ],
}

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def coco(tmp_path: Path) -> Callable[..., Path]:
    """Writes the data set, changed by a function, and returns its JSON's path."""

    def write(change: Change = lambda document: None) -> Path:
        document = copy.deepcopy(DOCUMENT)
        change(document)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / name)
        path = tmp_path / "val.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name tells no split, with a photo."""
    folder = tmp_path / "cars"
    folder.mkdir()
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    return folder
