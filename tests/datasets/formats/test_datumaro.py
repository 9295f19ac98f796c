"""Datumaro's own JSON as it is, and as it should not be; what Datumaro wrote itself is tried in `test_written_by_tools.py`."""

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
from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode

Write = Callable[..., Path]

POLYGON: dict[str, Any] = {
    "id": 1, "type": "polygon", "attributes": {"is_crowd": False, "severity": "minor"}, "group": 1, "label_id": 0,
    "points": [2.0, 2.0, 8.0, 2.0, 8.0, 8.0], "z_order": 0,
}  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "dm_format_version": "1.0",
    "media_type": 2,
    "infos": {},
    "categories": {"label": {"labels": [{"name": "dent", "parent": ""}, {"name": "scratch", "parent": ""}]}},
    "items": [
        {
            "id": "a",
            "annotations": [
                POLYGON,
                {**POLYGON, "points": [12, 2, 18, 2, 18, 8]},
                {"type": "bbox", "group": 1, "label_id": 0, "bbox": [2, 2, 16, 6]},
                {"type": "bbox", "group": 0, "label_id": 1, "bbox": [10, 4, 8, 5]},
            ],
            "image": {"path": "a.jpg", "size": [10, 20]},
        },
        {"id": "b", "annotations": []},
    ],
}


@pytest.fixture
def datumaro(tmp_path: Path) -> Write:
    """Writes two photos where Datumaro puts them and `annotations/train.json`, changed by a function; returns its path."""

    def write(change: Change = lambda document: None) -> Path:
        document = copy.deepcopy(DOCUMENT)
        change(document)
        for folder in ("images/train", "annotations"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / "images" / "train" / name)
        path = tmp_path / "annotations" / "train.json"
        path.write_text(json.dumps(document))
        return path

    return write


def first_of(path: Path) -> Sample:
    return next(iter(open_dataset(path)))


def only(**row: Any) -> Change:
    """The first photo has this one annotation."""
    return set_in("items", 0, "annotations", value=[{"label_id": 0, **row}])


def test_pieces_of_a_group_are_one_thing_and_their_box_is_none(datumaro: Write) -> None:
    data = open_dataset(datumaro().parent.parent)
    assert data.format == "datumaro"
    first, second = data
    assert (first.name, first.size_hw, first.split, first.labelled) == ("a.jpg", (10, 20), "train", {"dent", "scratch"})
    dent, scratch = first.annotations
    assert (dent.name, dent.severity, len(dent.polygons), dent.box_xyxy) == ("dent", "minor", 2, (2, 2, 18, 8))
    assert (scratch.name, scratch.box_xyxy, scratch.has_mask) == ("scratch", (10, 4, 18, 9), False)
    assert (Path(str(second.image)).name, second.size_hw, second.annotations) == ("b.jpg", (10, 20), ())  # found by its id


def test_a_box_of_a_group_that_lies_elsewhere_is_another_thing(datumaro: Write) -> None:
    elsewhere = [POLYGON, {"type": "bbox", "group": 1, "label_id": 0, "bbox": [12, 1, 6, 6]}]
    sample = first_of(datumaro(set_in("items", 0, "annotations", value=elsewhere)))
    assert [one.box_xyxy for one in sample.annotations] == [(2, 2, 8, 8), (12, 1, 18, 7)]


def test_masks_and_ellipses_are_read(datumaro: Write) -> None:
    (mask,) = first_of(datumaro(only(type="mask", rle={"size": [10, 20], "counts": [43, 3, 7, 3, 144]}))).annotations
    assert mask.rle is not None
    expected = np.zeros((10, 20), bool)
    expected[3:6, 4:6] = True
    np.testing.assert_array_equal(rle_decode(mask.rle), expected)
    (ellipse,) = first_of(datumaro(only(type="ellipse", points=[4, 2, 16, 8]))).annotations
    assert ellipse.box_xyxy == pytest.approx((4, 2, 16, 8), abs=0.1)


def test_a_label_without_a_place_is_of_the_whole_photo(datumaro: Write) -> None:
    sample = first_of(datumaro(only(type="label")))
    assert (sample.labels, sample.annotations, sample.damage) == (("dent",), (), True)


def test_what_has_no_outline_is_left_out_with_a_note(datumaro: Write) -> None:
    data = open_dataset(datumaro(only(type="points", points=[1, 1])))
    assert [sample.annotations for sample in data] == [(), ()]
    assert data.adjustments.counts == {"annotations of type points are left out": 1}


FIRST = ("items", 0, "annotations", 0)
WRONG = {
    "label out of range": (set_in(*FIRST, "label_id", value=9), "label_id 9 is none of the file's 2 labels"),
    "no type": (set_in(*FIRST, value={"label_id": 0}), r"annotations\[0\]: needs a type"),
    "another type": (set_in(*FIRST, "type", value="cube"), "type 'cube' is none of bbox, ellipse, label, mask, polygon"),
    "negative": (set_in(*FIRST, "points", 0, value=-9), r"point \(-9, 2\) lies outside the photo of 20 × 10"),
    "NaN": (set_in(*FIRST, "points", 0, value=float("nan")), r"\(NaN or infinite\)"),
    "no area": (set_in(*FIRST, "points", value=[1, 1, 2, 2, 3, 3]), "is degenerate, its area is 0"),
    "an odd number": (set_in(*FIRST, "points", value=[1, 1, 2]), "points must be numbers as"),
    "two points": (set_in(*FIRST, "points", value=[1, 1, 2, 2]), "needs three points or more, got 2"),
    "a box of three": (only(type="bbox", bbox=[1, 2, 3]), "needs a bbox of four numbers"),
    "an ellipse without height": (only(type="ellipse", points=[1, 9, 9, 9]), "an ellipse needs the corners"),
    "a mask of another size": (only(type="mask", rle={"size": [5, 5], "counts": [0, 25]}), "an rle of its photo's size"),
    "an empty mask": (only(type="mask", rle={"size": [10, 20], "counts": [200]}), "it holds no pixel"),
    "no id": (set_in("items", 1, value={"annotations": []}), r"items\[1\]: needs an id and annotations"),
    "a size of one side": (set_in("items", 0, "image", "size", value=[10]), "size must be height and width"),
    "wrong size": (set_in("items", 0, "image", "size", value=[20, 40]), "a.jpg is 20 × 10 pixels, its labels are for 40 × 20"),
    "missing picture": (set_in("items", 0, "image", "path", value="c.jpg"), "no picture 'c.jpg' in"),
    "a label without a name": (set_in("categories", "label", "labels", 0, value={}), r"labels\[0\]: needs a name, got None"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(datumaro: Write, change: Change, message: str) -> None:
    path = datumaro(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(datumaro: Write) -> None:
    errors: list[DatasetError] = []
    samples = list(open_dataset(datumaro(set_in(*FIRST, "label_id", value=9)), on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [2, 0]
    assert len(errors) == 1


def test_another_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"a.json: not Datumaro: expected an object with categories and items"):
        list(open_dataset(tmp_path / "a.json", input_format="datumaro"))


fields = st.sampled_from(
    [("items",), ("categories",), ("categories", "label"), ("categories", "label", "labels"), ("items", 0)]
    + [("items", 0, key) for key in ("id", "annotations", "image")]
    + [("items", 0, "image", "path"), ("items", 0, "image", "size"), FIRST, *((*FIRST, key) for key in POLYGON)]
    + [(*FIRST, "points", 1), (*FIRST, "bbox"), (*FIRST, "rle"), (*FIRST, "rle", "counts"), (*FIRST, "rle", "size")]
)
kinds = st.sampled_from(["polygon", "polyline", "bbox", "mask", "ellipse", "label"])


@given(fields, json_values, kinds)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "datumaro"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document = copy.deepcopy(DOCUMENT)
    document["items"][0]["annotations"][0] |= {"type": kind, "bbox": [1, 1, 5, 5], "rle": {"size": [10, 20], "counts": [5, 195]}}
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="datumaro", check_pictures=False)
