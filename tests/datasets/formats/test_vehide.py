"""VehiDE's files as they are, and as they should not be."""

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
from dentify.datasets import LabelMap, open_dataset
from dentify.errors import DatasetError

Write = Callable[..., Path]

REGION = {"all_x": [2, 8, 8], "all_y": [2, 2, 8], "class": "tray_son"}
DOCUMENT: dict[str, Any] = {
    "a.jpg": {"name": "whatever", "regions": [REGION, {**REGION, "class": "mop_lom"}]},
    "b.jpg": {"name": "b.jpg", "regions": []},
}


@pytest.fixture
def vehide(tmp_path: Path) -> Write:
    """Writes two photos, in the doubled folder that VehiDE has, and the JSON, changed by a function; returns its path."""

    def write(change: Change = lambda document: None) -> Path:
        document = copy.deepcopy(DOCUMENT)
        change(document)
        (tmp_path / "image" / "image").mkdir(parents=True)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / "image" / "image" / name)
        path = tmp_path / "0Train_via_annos.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_regions_are_read_with_their_vietnamese_classes(vehide: Write) -> None:
    data = open_dataset(vehide(), labels=LabelMap({"tray_son": "scratch", "mop_lom": "dent"}, others="refused"))
    assert data.format == "vehide"
    data.check_labels()
    first, second = data
    assert (first.name, first.size_hw, first.split) == ("a.jpg", (10, 20), "train")
    assert [(one.name, one.original) for one in first.annotations] == [("scratch", "tray_son"), ("dent", "mop_lom")]
    np.testing.assert_array_equal(first.annotations[0].polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (second.annotations, second.labelled) == ((), {"scratch", "dent"})


FIRST = ("a.jpg", "regions", 0)
WRONG = {
    "wholly outside, as one of its regions is": (set_in(*FIRST, "all_x", value=[42, 48, 48]), r"point \(48, 2\) lies outside"),
    "no area, as one of its regions has": (set_in(*FIRST, "all_x", value=[2, 2, 2]), r"regions\[0\] \(tray_son\): is degenerate"),
    "negative": (set_in(*FIRST, "all_x", value=[-9, 8, 8]), r"point \(-9, 2\) lies outside the photo of 20 × 10"),
    "NaN": (set_in(*FIRST, "all_x", value=[float("nan"), 8, 8]), r"\(NaN or infinite\)"),
    "text as a coordinate": (set_in(*FIRST, "all_y", value=["x", 8, 8]), "all_x, all_y: must be a number, got 'x'"),
    "fewer x than y": (set_in(*FIRST, "all_x", value=[2, 8]), "needs all_x and all_y, lists of one length, three or more"),
    "no class": (set_in(*FIRST, "class", value=None), r"regions\[0\]: needs all_x, all_y and a class"),
    "no region": (set_in(*FIRST, value=3), r"regions\[0\]: needs all_x, all_y and a class, got 3"),
    "no regions": (set_in("b.jpg", value={"name": "b.jpg"}), "'b.jpg': expected an object with name and regions"),
    "regions that are a number": (set_in("b.jpg", "regions", value=5), "'b.jpg': expected an object with name and regions"),
    "missing picture": (set_in("c.jpg", value={"name": "a.jpg", "regions": []}), "'c.jpg': no picture 'c.jpg' in "),
    "a picture over two lines": (set_in("c\n/d.jpg", value={"regions": []}), r"no picture 'c\\n/d.jpg' in "),
    "a photo twice": (set_in("image/a.jpg", value={"regions": []}), "'image/a.jpg': image/a.jpg was listed before, at .*'a.jpg'"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(vehide: Write, change: Change, message: str) -> None:
    path = vehide(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: '")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(vehide: Write) -> None:
    errors: list[DatasetError] = []
    samples = list(open_dataset(vehide(set_in(*FIRST, "class", value=None)), on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [1, 0]
    assert len(errors) == 1


def test_another_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"a.json: not VehiDE: expected an object with an entry for each picture"):
        list(open_dataset(tmp_path / "a.json", input_format="vehide"))


fields = st.sampled_from([("a.jpg",), ("a.jpg", "regions"), FIRST, *((*FIRST, key) for key in REGION), (*FIRST, "all_x", 0)])


@given(fields, json_values, st.booleans())
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    field: tuple[str | int, ...],
    value: object,
    there: bool,
) -> None:
    folder = tmp_path_factory.mktemp("vehide", numbered=True)
    if there:
        Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document = copy.deepcopy(DOCUMENT)
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="vehide", check_pictures=False)
