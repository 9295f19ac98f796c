"""AI Hub's files as they are, and as they should not be."""

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

RING = [[2, 2], [8, 2], [8, 8], [2, 2]]  # which ends where it began
DOCUMENT: dict[str, Any] = {  # one image and one category, as objects; `category_id` is the case's, not a class
    "images": {"id": 1, "file_name": "0000001_sc-1.jpg", "width": 20, "height": 10},
    "categories": {"id": "sc-1", "supercategory_name": "Compact car"},
    "annotations": [
        {"id": 1, "category_id": "sc-1", "damage": "Scratched", "part": None, "segmentation": [[[RING]]], "bbox": [2, 2, 6, 6]},
        {"id": 2, "category_id": "sc-1", "damage": "", "part": "Front bumper", "segmentation": [], "bbox": [10, 4, 8, 5]},
        {"id": 3, "category_id": "sc-1", "damage": None, "part": "Rocker panel", "segmentation": [], "bbox": [0, 0, 5, 5]},
    ],
}


@pytest.fixture
def aihub(tmp_path: Path) -> Write:
    """Writes a photo and its file, changed by a function, and returns the folder."""

    def write(change: Change = lambda document: None, name: str = "0000001_sc-1") -> Path:
        document = copy.deepcopy(DOCUMENT)
        document["images"]["file_name"] = f"{name}.jpg"
        change(document)
        Image.new("RGB", (20, 10)).save(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8-sig")
        return tmp_path

    return write


def test_damages_and_parts_are_told_apart(aihub: Write) -> None:
    data = open_dataset(aihub())
    assert data.format == "aihub"
    (sample,) = data
    assert (sample.name, sample.size_hw, sample.damage) == ("0000001_sc-1.jpg", (10, 20), True)
    assert [(one.name, one.kind) for one in sample.annotations] == [
        ("scratch", "damage"),
        ("front_bumper", "part"),
        ("part:Rocker panel", "part"),  # no damage, though the taxonomy does not know it
    ]
    np.testing.assert_array_equal(sample.annotations[0].polygons[0], RING)
    assert sample.annotations[1].box_xyxy == (10, 4, 18, 9)


@pytest.mark.parametrize("segmentation", [[[[RING]]], [[RING]], [RING], RING], ids=["4 deep", "3 deep", "2 deep", "1 deep"])
def test_points_are_found_however_deep_they_are_nested(aihub: Write, segmentation: object) -> None:
    (sample,) = open_dataset(aihub(set_in("annotations", 0, "segmentation", value=segmentation)))
    assert [polygon.shape for polygon in sample.annotations[0].polygons] == [(4, 2)]


def test_a_photo_of_parts_alone_says_nothing_of_damage(aihub: Write) -> None:
    (sample,) = open_dataset(aihub(lambda document: document["annotations"].pop(0)))
    assert (sample.vehicle, sample.damage) == (True, None)


def test_its_words_can_be_mapped(aihub: Write) -> None:
    path = aihub(set_in("annotations", 0, "damage", value="Separated"))
    data = open_dataset(path, labels=LabelMap({"Separated": "broken_part", "part:Rocker panel": None}, others="refused"))
    data.check_labels()
    assert [one.name for sample in data for one in sample.annotations] == ["broken_part", "front_bumper"]


FIRST = ("annotations", 0)
WRONG = {
    "negative": (set_in(*FIRST, "segmentation", value=[[[-9, 2], [8, 2], [8, 8]]]), r"\(Scratched\): polygon 0: point \(-9, 2\)"),
    "NaN": (set_in(*FIRST, "segmentation", value=[[[2, float("nan")], [8, 2], [8, 8]]]), r"polygon 0: .*\(NaN or infinite\)"),
    "no area": (set_in(*FIRST, "segmentation", value=[[[2, 2], [4, 4], [6, 6]]]), "polygon 0: is degenerate"),
    "two points": (set_in(*FIRST, "segmentation", value=[[[2, 2], [4, 4]]]), "needs three points or more"),
    "text as a coordinate": (set_in(*FIRST, "segmentation", value=[[["two", 2]]]), "polygon 0: must be a list of numbers"),
    "text as points": (
        set_in(*FIRST, "segmentation", value="here"),
        r"segmentation must be nested lists of \[x, y\], got 'here'",
    ),
    "nested without end": (set_in(*FIRST, "segmentation", value=[[[[[[[[[[[RING]]]]]]]]]]]), "segmentation must be nested lists"),
    "flat box": (set_in("annotations", 1, "bbox", value=[3, 3, 0, 5]), r"annotations\[1\]: bbox is degenerate: 0 wide, 5 high"),
    "neither outline nor box": (set_in("annotations", 1, "bbox", value=None), "needs a segmentation or a bbox of four numbers"),
    "neither damage nor part": (set_in("annotations", 1, "part", value=""), r"annotations\[1\]: needs a damage or a part"),
    "no object": (set_in("annotations", 1, value=5), r"annotations\[1\]: needs a damage or a part, got 5"),
    "a word over two lines": (
        lambda document: document["annotations"][0].update(damage="a\nb", segmentation=[[[2, 2], [4, 4], [6, 6]]]),
        r"annotations\[0\] \(a\\nb\): polygon 0: is degenerate",
    ),
    "another size": (set_in("images", "width", value=40), "is 20 × 10 pixels, its labels are for 40 × 10"),
    "size 0": (set_in("images", "height", value=0), "width and height must be whole numbers above 0, got 20 × 0"),
    "size of 400 digits": (set_in("images", "height", value=10**400), "width and height must be whole numbers above 0"),
    "no name": (set_in("images", "file_name", value=None), "images: needs a file_name, got None"),
    "missing picture": (set_in("images", "file_name", value="../c.jpg"), "no picture 'c.jpg' in "),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(aihub: Write, change: Change, message: str) -> None:
    folder = aihub(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(folder))
    assert str(caught.value).startswith(str(folder / "0000001_sc-1.json"))
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(aihub: Write) -> None:
    aihub(set_in(*FIRST, "segmentation", value="here"))
    folder = aihub(name="0000002_as-2")
    (folder / "0000003_as-3.json").write_text('{"images": {"file_')  # cut off
    errors: list[DatasetError] = []
    samples = list(open_dataset(folder, on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [2, 3]
    assert len(errors) == 2


def test_two_files_for_one_photo_are_told(aihub: Write) -> None:
    aihub()
    folder = aihub(set_in("images", "file_name", value="0000001_sc-1.jpg"), name="0000002_as-2")
    with pytest.raises(DatasetError, match=r"0000002_as-2.json: 0000001_sc-1.jpg was listed before, at .*0000001_sc-1.json"):
        list(open_dataset(folder))


def test_another_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"a.json: not AI Hub's: expected an image as an object and a list of annotations"):
        list(open_dataset(tmp_path / "a.json", input_format="aihub"))


fields = st.sampled_from(
    [("images",), ("annotations",), FIRST, (*FIRST, "segmentation", 0), (*FIRST, "segmentation", 0, 0, 0, 1)]
    + [("images", key) for key in ("file_name", "width", "height")]
    + [("annotations", row, key) for key in ("damage", "part", "segmentation", "bbox", "id") for row in (0, 1)]
)


@given(fields, json_values)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "aihub"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "0000001_sc-1.jpg")
    document = copy.deepcopy(DOCUMENT)
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="aihub")
