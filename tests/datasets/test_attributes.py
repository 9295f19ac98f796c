"""Type, severity and occlusion beside a label: one rule for every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import json_values
from dentify.datasets import LabelMap, open_dataset
from dentify.datasets.attributes import TICKS, by_attributes, said_beside, values_of
from dentify.datasets.sample import UNNAMED, Annotation
from dentify.errors import DatasetError
from dentify.taxonomy import SEVERITY_LEVELS

SQUARES = ([2, 2, 8, 2, 8, 8, 2, 8], [10, 2, 16, 2, 16, 8, 10, 8])
SAID: tuple[dict[str, Any], ...] = (
    {"Damage Type": "dent", "severity": "minor", "occluded": True},
    {"Damage Type": "scratch", "severity": "minor", "occluded": False},
)


def cvat() -> dict[str, str]:
    shapes = ""
    for square, said in zip(SQUARES, SAID, strict=True):
        points = ";".join(f"{x},{y}" for x, y in zip(square[::2], square[1::2], strict=True))
        inside = "".join(f'<attribute name="{key}">{said[key]}</attribute>' for key in ("Damage Type", "severity"))
        shapes += f'<polygon label="damage" occluded="{int(said["occluded"])}" points="{points}">{inside}</polygon>'
    return {
        "a.xml": f'<annotations><image id="0" name="a.jpg" width="20" height="10">{shapes}</image></annotations>',
    }


def coco() -> dict[str, str]:
    rows = [
        {"id": index, "image_id": 1, "category_id": 1, "segmentation": [square], "attributes": said}
        for index, (square, said) in enumerate(zip(SQUARES, SAID, strict=True))
    ]
    image = {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}
    return {"a.json": json.dumps({"images": [image], "annotations": rows, "categories": [{"id": 1, "name": "damage"}]})}


def datumaro() -> dict[str, str]:
    rows = [
        {"type": "polygon", "label_id": 0, "points": square, "attributes": said}
        for square, said in zip(SQUARES, SAID, strict=True)
    ]
    item = {"id": "a", "image": {"path": "a.jpg", "size": [10, 20]}, "annotations": rows}
    return {"a.json": json.dumps({"categories": {"label": {"labels": [{"name": "damage"}]}}, "items": [item]})}


def label_studio() -> dict[str, str]:
    results: list[dict[str, Any]] = []
    for index, (square, said) in enumerate(zip(SQUARES, SAID, strict=True)):
        points = (np.array(square, float).reshape(-1, 2) * (5, 10)).tolist()
        region = {"id": f"r{index}", "to_name": "image", "original_width": 20, "original_height": 10}
        results.append({**region, "type": "polygonlabels", "value": {"points": points, "polygonlabels": ["damage"]}})
        results += [
            {**region, "type": "choices", "from_name": key, "value": {"points": points, "choices": [said[key]]}}
            for key in ("Damage Type", "severity")
        ]
        if said["occluded"]:
            results.append({**region, "type": "choices", "from_name": "occluded", "value": {"choices": ["true"]}})
    return {"a.json": json.dumps([{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": results}]}])}


def via() -> dict[str, str]:
    regions = [
        {
            "shape_attributes": {"name": "polygon", "all_points_x": square[::2], "all_points_y": square[1::2]},
            "region_attributes": {"type": "damage", **{key: "" if value is False else value for key, value in said.items()}},
        }
        for square, said in zip(SQUARES, SAID, strict=True)
    ]
    return {"a.json": json.dumps({"a.jpg1": {"filename": "a.jpg", "size": 1, "regions": regions, "file_attributes": {}}})}


def x_anylabeling() -> dict[str, str]:
    shapes = [
        {"label": "damage", "shape_type": "polygon", "points": np.reshape(square, (-1, 2)).tolist(), "attributes": said}
        for square, said in zip(SQUARES, SAID, strict=True)
    ]
    return {"a.json": json.dumps({"imagePath": "a.jpg", "imageHeight": 10, "imageWidth": 20, "shapes": shapes})}


def voc() -> dict[str, str]:
    objects = ""
    for square, said in zip(SQUARES, SAID, strict=True):
        polygon = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in zip(square[::2], square[1::2], strict=True))
        inside = "".join(
            f"<attribute><name>{key}</name><value>{said[key]}</value></attribute>" for key in ("Damage Type", "severity")
        )
        occluded = f"<occluded>{int(said['occluded'])}</occluded>"
        objects += f"<object><name>damage</name>{occluded}<attributes>{inside}</attributes><polygon>{polygon}</polygon></object>"
    return {"a.xml": f"<annotation><filename>a.jpg</filename>{objects}</annotation>"}


FORMATS = (cvat, coco, datumaro, label_studio, via, x_anylabeling, voc)


@pytest.fixture(params=FORMATS, ids=[one.__name__ for one in FORMATS])
def labels(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder of a photo and two outlines that are called `damage`, in each format in turn."""
    make: Callable[[], dict[str, str]] = request.param
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    for name, text in make().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_said_beside_labels_is_told_with_its_values_and_severity_is_read(labels: Path) -> None:
    data = open_dataset(labels)
    (sample,) = data
    assert [(one.name, one.severity) for one in sample.annotations] == [("damage", "minor")] * 2
    assert {name: dict(values) for name, values in data.attributes.items()} == {
        "Damage Type": {"dent": 1, "scratch": 1},
        "occluded": {"true": 1},
    }
    told = "attributes beside the labels that are not read: Damage Type (2×), occluded (1×)"
    assert any(note.startswith(told) for note in data.notes)


def test_the_attribute_of_a_label_map_tells_types_whatever_the_format(labels: Path) -> None:
    mapped = LabelMap({"damage": "damaged"}, others="refused", attribute="damage_type")
    data = open_dataset(labels, labels=mapped)
    data.check_labels()
    (sample,) = data
    assert [(one.name, one.severity) for one in sample.annotations] == [("dent", "minor"), ("scratch", "minor")]
    assert sample.labelled == {"dent", "scratch"}
    assert [name for name in data.attributes if name != "type"] == ["occluded"]  # VIA's labels are an attribute, too
    (again,) = data  # a second reading is the same
    assert [one.name for one in again.annotations] == ["dent", "scratch"]


def test_words_of_an_attribute_must_be_mapped_as_labels_must(labels: Path) -> None:
    mapped = LabelMap({"dent": "dent", "scratch": "scratch"}, others="refused", attribute="occluded")
    with pytest.raises(DatasetError, match=r"1 label that is not mapped: occluded \(1×\)"):
        open_dataset(labels, labels=mapped).check_labels()


def test_an_attribute_that_nothing_has_is_told(labels: Path) -> None:
    data = open_dataset(labels, labels=LabelMap(attribute="defect"))
    assert [one.name for sample in data for one in sample.annotations] == ["damage"] * 2
    assert "nothing has the attribute 'defect' that the label map names; labels are read instead" in data.notes


def test_what_an_attribute_lets_choose_from_is_labelled_in_cvat(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    offered = "<attribute><name>kind</name><values>dent\nscratch\ncrack</values></attribute>"
    meta = f"<meta><task><labels><label><name>damage</name><attributes>{offered}</attributes></label></labels></task></meta>"
    box = '<box label="damage" xtl="1" ytl="1" xbr="5" ybr="5"><attribute name="kind">dent</attribute></box>'
    (tmp_path / "a.xml").write_text(
        f'<annotations>{meta}<image id="0" name="a.jpg" width="20" height="10">{box}</image></annotations>'
    )
    (sample,) = open_dataset(tmp_path, labels=LabelMap(attribute="kind"))
    assert sample.labelled == {"dent", "scratch", "crack"}


def test_a_label_stays_where_the_attribute_says_nothing() -> None:
    bare = Annotation("damage", (0, 0, 1, 1), attributes=(("note", "seen twice"),))
    assert [one.name for one in by_attributes(bare, "kind")] == ["damage"]


def test_a_thing_without_a_label_is_what_its_attribute_says() -> None:
    def names(*attributes: tuple[str, str]) -> list[str]:
        return [one.name for one in by_attributes(Annotation(UNNAMED, (0, 0, 1, 1), attributes=attributes), None)]

    assert names(("choice", "dent")) == ["dent"]
    assert names(("choice", "dent"), ("severity", "minor")) == ["dent"]
    assert names(("colour", "red"), ("type", "dent")) == ["dent"]
    assert names(("colour", "red"), ("size", "big")) == [UNNAMED]  # nothing tells which


def test_several_values_are_several_things() -> None:
    both = Annotation("damage", (0, 0, 1, 1), attributes=(("kind", "dent"), ("kind", "scratch"), ("kind", "dent")))
    assert [one.name for one in by_attributes(both, "kind")] == ["dent", "scratch"]


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(["severity", "type"]), json_values, max_size=5), st.text(max_size=8))
def test_nothing_that_is_said_is_lost(said: dict[str, Any], attribute: str) -> None:
    annotation = Annotation("damage", (0, 0, 1, 1), attributes=said_beside(said))
    typed = by_attributes(annotation, attribute)
    assert typed
    names = {one.name for one in typed}
    for name, value in annotation.attributes:
        read_as_type = value in names or (value.casefold() in TICKS and name in names)
        read_as_severity = typed[0].severity in SEVERITY_LEVELS and (name, value) not in typed[0].attributes
        assert read_as_type or read_as_severity or (name, value) in typed[0].attributes


@given(json_values)
def test_any_value_is_words(value: object) -> None:
    assert all(word and word == word.strip() for word in values_of(value))


def test_boxes_of_cvat_that_an_attribute_turns_are_turned_in_coco_and_datumaro(tmp_path: Path) -> None:
    # (8, 4) to (12, 6), turned by 90 degrees around its centre
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    attributes = {"occluded": False, "rotation": 90.0}
    image = {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 4, 4, 2], "segmentation": [], "attributes": attributes}
    item = {"type": "bbox", "label_id": 0, "bbox": [8, 4, 4, 2], "attributes": attributes}
    documents: list[dict[str, Any]] = [
        {"images": [image], "annotations": [row], "categories": [{"id": 1, "name": "dent"}]},
        {
            "categories": {"label": {"labels": [{"name": "dent"}]}},
            "items": [{"id": "a", "image": {"path": "a.jpg", "size": [10, 20]}, "annotations": [item]}],
        },
    ]
    for document in documents:
        (tmp_path / "a.json").write_text(json.dumps(document))
        (sample,) = open_dataset(tmp_path / "a.json")
        (turned,) = sample.annotations
        np.testing.assert_allclose(turned.box_xyxy, (9, 3, 11, 7))
        assert turned.polygons


def ticked(folder: Path, regions: int, types: int) -> Path:
    """VIA's regions of one photo, whose checkboxes tick several types each."""
    square = {"name": "rect", "x": 2, "y": 2, "width": 6, "height": 6}
    ticks = {"type": {f"type {number}": True for number in range(types)}}
    row = {"filename": "a.jpg", "size": 1, "regions": [{"shape_attributes": square, "region_attributes": ticks}] * regions}
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    (folder / "via.json").write_text(json.dumps({"a.jpg1": {**row, "file_attributes": {}}}))
    return folder


def test_annotations_of_several_types_each_are_within_the_limits_of_a_photo(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="20,100 annotations, over the limit of 20,000 of one photo"):
        list(open_dataset(ticked(tmp_path, 201, 100)))


def test_values_of_an_attribute_are_within_the_limits_of_names(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}
    rows = [
        {"id": number, "image_id": 1, "category_id": 1, "bbox": [2, 2, 6, 6], "attributes": {"type": f"type {number}"}}
        for number in range(10_001)
    ]
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    categories = [{"id": 1, "name": "damage"}]
    (tmp_path / "a.json").write_text(json.dumps({"images": [image], "annotations": rows, "categories": categories}))
    assert len(list(open_dataset(tmp_path))) == 1
    with pytest.raises(DatasetError, match="more than 10,000 values of the attribute 'type' that names types"):
        list(open_dataset(tmp_path, labels=LabelMap(attribute="type")))
