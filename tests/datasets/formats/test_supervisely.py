"""Supervisely's projects as they are, and as they should not be."""

from __future__ import annotations

import base64
import copy
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode

Write = Callable[..., Path]


def packed(mask: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).convert("1").save(stream, "PNG")
    return base64.b64encode(zlib.compress(stream.getvalue())).decode()


MASK = np.array([[1, 1, 0], [0, 1, 1]], bool)
POLYGON = {
    "classTitle": "dent",
    "geometryType": "polygon",
    "points": {"exterior": [[2, 2], [8, 2], [8, 8]], "interior": []},
    "tags": [{"name": "occluded", "value": None}, {"name": "severity", "value": "minor"}],
}
RECTANGLE = {"classTitle": "scratch", "geometryType": "rectangle", "points": {"exterior": [[18, 9], [10, 4]], "interior": []}}
BITMAP = {"classTitle": "hood", "geometryType": "bitmap", "bitmap": {"data": packed(MASK), "origin": [4, 3]}}
DOCUMENT: dict[str, Any] = {
    "description": "",
    "tags": [{"name": "train", "value": None}],
    "size": {"height": 10, "width": 20},
    "objects": [POLYGON, RECTANGLE, BITMAP],
}


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes a project of one picture, changed by a function, and returns its folder."""

    def write(change: Change = lambda document: None) -> Path:
        document = copy.deepcopy(DOCUMENT)
        change(document)
        for folder in ("img", "ann"):
            (tmp_path / "ds" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10)).save(tmp_path / "ds" / "img" / "a.jpg")
        (tmp_path / "meta.json").write_text(json.dumps({"classes": [{"title": "dent", "shape": "polygon"}], "tags": []}))
        (tmp_path / "ds" / "ann" / "a.jpg.json").write_text(json.dumps(document))
        return tmp_path

    return write


def test_polygons_rectangles_and_bitmaps_are_read_and_never_a_class_ds(project: Write) -> None:
    data = open_dataset(project())
    assert (data.format, data.notes) == ("supervisely", [])
    (sample,) = data
    assert (sample.name, sample.size_hw, sample.labels) == ("a.jpg", (10, 20), ("train",))
    dent, scratch, hood = sample.annotations
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (dent.severity, dent.attributes) == ("minor", (("occluded", "true"),))
    assert (scratch.name, scratch.box_xyxy) == ("scratch", (10, 4, 18, 9))
    assert hood.rle is not None
    np.testing.assert_array_equal(rle_decode(hood.rle)[3:5, 4:7], MASK)
    assert sample.labelled == {"dent", "scratch", "hood"}


def test_points_and_cuboids_are_left_out_and_holes_filled_with_a_word(project: Write) -> None:
    hole = {**POLYGON, "points": {"exterior": [[2, 2], [8, 2], [8, 8]], "interior": [[[3, 3], [4, 3], [4, 4]]]}}
    objects = [{"classTitle": "dent", "geometryType": "point", "points": {"exterior": [[2, 2]]}}, hole]
    data = open_dataset(project(set_in("objects", value=objects)))
    assert [one.name for sample in data for one in sample.annotations] == ["dent"]
    assert any(note.startswith("objects of type point are left out") for note in data.notes)
    assert any(note.startswith("holes of polygons are filled") for note in data.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    {
        "size": (set_in("size", "height", value="ten"), "size must be whole numbers above 0"),
        "title": (set_in("objects", 0, "classTitle", value=None), r"objects\[0\]: needs a classTitle"),
        "kind": (set_in("objects", 0, "geometryType", value="blob"), "'blob' is none of polygon"),
        "points": (set_in("objects", 0, "points", value=[]), "points must be numbers"),
        "bitmap": (set_in("objects", 2, "bitmap", "data", value="!"), "bitmap is no base64"),
        "bitmap outside": (set_in("objects", 2, "bitmap", "origin", value=[19, 3]), "does not lie on the photo"),
    }.values(),
    ids=("size", "title", "kind", "points", "bitmap", "bitmap outside"),
)
def test_what_does_not_hold_is_one_line(project: Write, change: Change, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        list(open_dataset(project(change)))


def test_a_bitmap_that_unpacks_to_more_than_a_file_may_hold_is_refused(project: Write) -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * 2**20)).decode()
    from dentify.settings import Settings

    data = open_dataset(project(set_in("objects", 2, "bitmap", "data", value=bomb)), settings=Settings(max_file_bytes=2**16))
    with pytest.raises(DatasetError, match="its bitmap is over the limit"):
        list(data)


@given(json_values)
def test_any_value_gives_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "a.jpg.json"
    document = {**DOCUMENT, "objects": [{**POLYGON, "points": value}, value, {**BITMAP, "bitmap": value}]}
    path.write_text(json.dumps(document))
    check_samples_or_one_line(path, check_pictures=False)


@pytest.mark.parametrize("palette", [[0, 0, 0, 255, 255, 255], None], ids=["as Supervisely writes them", "without a palette"])
def test_bitmaps_with_a_palette_are_their_indices(project: Write, palette: list[int] | None) -> None:
    picture = Image.fromarray(MASK.astype(np.uint8) * (1 if palette else 255))
    if palette:
        picture.putpalette(palette)
    file = io.BytesIO()
    picture.save(file, "PNG", **({"transparency": 0} if palette else {}))
    data = base64.b64encode(zlib.compress(file.getvalue())).decode()
    (sample,) = open_dataset(project(set_in("objects", value=[{**BITMAP, "bitmap": {"data": data, "origin": [4, 3]}}])))
    (one,) = sample.annotations
    assert one.rle is not None
    np.testing.assert_array_equal(rle_decode(one.rle)[3 : 3 + MASK.shape[0], 4 : 4 + MASK.shape[1]], MASK > 0)


def test_a_tag_of_a_photo_that_tells_how_bad_it_is_is_its_severity(project: Write) -> None:
    (sample,) = open_dataset(project(set_in("tags", value=[{"name": "Severity", "value": "severe"}])))
    assert sample.severity == "severe"
