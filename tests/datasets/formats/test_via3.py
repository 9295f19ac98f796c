"""VIA 3's projects as they are, and as they should not be; what VIA 3 wrote itself is tried in `test_written_by_tools.py`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import open_dataset
from dentify.errors import DatasetError

Write = Callable[..., Path]

POLYGON = {"vid": "1", "flg": 0, "z": [], "xy": [7, 2, 2, 8, 2, 8, 8], "av": {"1": "0", "2": "minor"}}
PROJECT: dict[str, Any] = {
    "project": {"pname": "cars", "vid_list": ["1", "2"]},
    "config": {},
    "attribute": {
        "1": {"aname": "type", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"0": "dent", "1": "scratch", "2": "crack"}},
        "2": {"aname": "severity", "anchor_id": "FILE1_Z0_XY1", "type": 1, "options": {}},
        "3": {"aname": "labels", "anchor_id": "FILE1_Z0_XY0", "type": 1, "options": {}},
    },
    "file": {
        "1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""},
        "2": {"fid": "2", "fname": "b.jpg", "type": 2, "loc": 1, "src": ""},
    },
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    "metadata": {"1_polygon": POLYGON, "1_rect": {**POLYGON, "xy": [2, 10, 4, 8, 5], "av": {"1": "1"}}},
}


@pytest.fixture
def via3(tmp_path: Path) -> Write:
    """Writes two photos and a project, changed by functions, and returns its path."""

    def write(*changes: Change) -> Path:
        document = copy.deepcopy(PROJECT)
        for change in changes:
            change(document)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / name)
        path = tmp_path / "via_project.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_regions_and_what_annotators_could_choose_are_read(via3: Write) -> None:
    data = open_dataset(via3())
    assert data.format == "via"
    first, second = data
    assert (first.name, first.size_hw, second.name, second.annotations) == ("a.jpg", (10, 20), "b.jpg", ())
    dent, scratch = first.annotations
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (dent.name, dent.severity, scratch.name, scratch.box_xyxy) == ("dent", "minor", "scratch", (10, 4, 18, 9))
    assert first.labelled == {"dent", "scratch", "crack"}


@pytest.mark.parametrize(
    ("xy", "box"),
    [
        ([2, 10, 4, 8, 5], (10, 4, 18, 9)),
        ([3, 10, 5, 3], (7, 2, 13, 8)),
        ([4, 10, 5, 6, 2], (4, 3, 16, 7)),
        ([6, 2, 2, 8, 2, 8, 8], (2, 2, 8, 8)),
        ([8, 4, 1, 9, 5, 6, 8, 1, 3], (1, 1, 9, 8)),  # a box by its outermost points
        ([9, 7, 5, 13, 5, 10, 8], (7, 2, 13, 8)),  # a circle by three points
    ],
    ids=["rect", "circle", "ellipse", "polyline", "extreme rect", "extreme circle"],
)
def test_every_shape_has_its_box(via3: Write, xy: list[float], box: tuple[float, ...]) -> None:
    sample = next(iter(open_dataset(via3(set_in("metadata", "1_polygon", "xy", value=xy)))))
    assert sample.annotations[0].box_xyxy == pytest.approx(box, abs=0.06)


def test_several_ticked_boxes_are_several_damages(via3: Write) -> None:
    sample = next(iter(open_dataset(via3(set_in("metadata", "1_polygon", "av", value={"1": "0,2"})))))
    assert [one.name for one in sample.annotations] == ["dent", "crack", "scratch"]


def test_what_is_said_of_a_file_labels_the_photo(via3: Write) -> None:
    row = {"vid": "2", "flg": 0, "z": [], "xy": [], "av": {"3": "undamaged"}}
    _, second = open_dataset(via3(set_in("metadata", "2_file", value=row)))
    assert (second.labels, second.damage) == (("undamaged",), False)


def test_videos_and_times_are_left_out_with_a_note(via3: Write) -> None:
    timed = {**POLYGON, "z": [1.5, 2.5]}
    data = open_dataset(via3(set_in("file", "2", "type", value=4), set_in("metadata", "1_timed", value=timed)))
    assert [len(sample.annotations) for sample in data] == [2]
    assert data.adjustments.counts == {
        "videos and sounds are left out": 1,
        "what has a time is left out: it belongs to a video or sound": 1,
    }


WRONG = {
    "no shape of that kind": (set_in("metadata", "1_rect", "xy", value=[12, 1, 1]), "xy must be a shape's kind, 1 to 9"),
    "NaN as a kind": (set_in("metadata", "1_rect", "xy", 0, value=float("nan")), "xy must be a shape's kind, 1 to 9"),
    "too few numbers": (set_in("metadata", "1_rect", "xy", value=[2, 1, 1]), "xy of a rect needs 4 numbers, got 2"),
    "half a point": (set_in("metadata", "1_rect", "xy", value=[7, 1, 1, 2]), "xy of a polygon needs pairs of numbers, got 3"),
    "three points on a line": (set_in("metadata", "1_rect", "xy", value=[9, 1, 1, 2, 2, 3, 3]), "points that lie on no line"),
    "text as a shape": (set_in("metadata", "1_rect", "xy", value="rect"), "xy must be a shape's kind, 1 to 9"),
    "no view of that number": (set_in("metadata", "1_rect", "vid", value="7"), "'1_rect': vid '7' is no view of this file"),
    "no object": (set_in("metadata", "1_rect", value=3), "metadata '1_rect': expected an object, got 3"),
    "a view of nothing": (set_in("view", "1", value={"fid_list": ["9"]}), "view '1': shows no file of this project"),
    "outside": (set_in("metadata", "1_rect", "xy", 1, value=90), r"\(90, 4\) to \(98, 9\) lies outside the photo of 20 × 10"),
    "negative": (set_in("metadata", "1_polygon", "xy", 1, value=-9), r"point \(-9, 2\) lies outside"),
    "NaN": (set_in("metadata", "1_polygon", "xy", 1, value=float("nan")), r"regions\[1_polygon\]: .*not a number"),
    "no area": (set_in("metadata", "1_polygon", "xy", value=[7, 1, 1, 2, 2, 3, 3]), "is degenerate, its area is 0"),
    "missing picture": (set_in("file", "1", "fname", value="c.jpg"), "no picture 'c.jpg' in"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(via3: Write, change: Change, message: str) -> None:
    path = via3(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(via3: Write) -> None:
    errors: list[DatasetError] = []
    samples = list(open_dataset(via3(set_in("metadata", "1_rect", "xy", value=[])), on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [1, 0]
    assert not errors  # nothing was drawn, so it is said of the photo
    list(open_dataset(via3(set_in("metadata", "1_rect", "xy", value=[2])), on_invalid=errors.append))
    assert len(errors) == 1


fields = st.sampled_from(
    [(key,) for key in ("attribute", "file", "view", "metadata")]
    + [("attribute", "1"), ("attribute", "1", "aname"), ("attribute", "1", "options"), ("attribute", "1", "options", "0")]
    + [("file", "1"), ("file", "1", "fname"), ("file", "1", "type"), ("view", "1"), ("view", "1", "fid_list")]
    + [("metadata", "1_polygon"), *(("metadata", "1_polygon", key) for key in POLYGON)]
    + [("metadata", "1_polygon", "xy", 0), ("metadata", "1_polygon", "xy", 3), ("metadata", "1_polygon", "av", "1")]
)


@given(fields, json_values)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "via3"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document = copy.deepcopy(PROJECT)
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="via", check_pictures=False)
