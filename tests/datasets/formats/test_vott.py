"""VoTT's assets and exports as they are, and as they should not be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError

BOX = {"type": "RECTANGLE", "tags": ["dent"], "boundingBox": {"left": 10, "top": 4, "width": 8, "height": 5}, "points": []}
POLYGON = {
    "type": "POLYGON",
    "tags": ["scratch", "dent"],
    "boundingBox": {"left": 2, "top": 2, "width": 6, "height": 6},
    "points": [{"x": 2, "y": 2}, {"x": 8, "y": 2}, {"x": 8, "y": 8}],
}
ASSET: dict[str, Any] = {
    "asset": {"name": "my%20a.jpg", "path": "file:C:/x/my%20a.jpg", "size": {"width": 20, "height": 10}},
    "regions": [BOX, POLYGON],
    "version": "2.2.0",
}


def sample_of(folder: Path, document: Any, name: str = "a-asset.json", **options: Any) -> Sample:
    Image.new("RGB", (20, 10)).save(folder / "my a.jpg")
    (folder / name).write_text(json.dumps(document))
    (sample,) = open_dataset(folder, **options)
    return sample


@pytest.mark.parametrize("document", [ASSET, {"name": "p", "assets": {"a": ASSET}}], ids=["asset", "export"])
def test_assets_and_exports_say_the_same(tmp_path: Path, document: Any) -> None:
    sample = sample_of(tmp_path, document)
    assert (sample.name, sample.size_hw, sample.labelled) == ("my a.jpg", (10, 20), {"dent", "scratch"})
    assert [(one.name, one.box_xyxy) for one in sample.annotations] == [
        ("dent", (10, 4, 18, 9)),
        ("scratch", (2, 2, 8, 8)),
        ("dent", (2, 2, 8, 8)),
    ]
    np.testing.assert_array_equal(sample.annotations[1].polygons[0], [[2, 2], [8, 2], [8, 8]])


@pytest.mark.parametrize(
    ("change", "message"),
    {
        "name": (set_in("asset", value={}), "needs the name of its picture"),
        "size": (set_in("asset", "size", "width", value=0), "size must be whole numbers above 0"),
        "box": (set_in("regions", 0, "boundingBox", value={"left": 1}), r"regions\[0\]: needs a boundingBox"),
        "points": (set_in("regions", 1, "points", 0, value={"x": "2"}), "points must be numbers as"),
    }.values(),
    ids=("name", "size", "box", "points"),
)
def test_what_does_not_hold_is_one_line(tmp_path: Path, change: Change, message: str) -> None:
    document = copy.deepcopy(ASSET)
    change(document)
    with pytest.raises(DatasetError, match=message):
        sample_of(tmp_path, document)


@given(json_values)
def test_any_value_gives_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "a-asset.json"
    asset = {
        "asset": {**ASSET["asset"], "size": value},
        "regions": [{**POLYGON, "points": value}, {**BOX, "boundingBox": value}, value],
    }
    path.write_text(json.dumps(asset))
    check_samples_or_one_line(path, check_pictures=False)
