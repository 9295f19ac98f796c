"""VGG Image Annotator's files as they are, and as they should not be."""

from __future__ import annotations

import base64
import copy
import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import LabelMap, Sample, open_dataset
from dentify.datasets.sample import UNNAMED
from dentify.errors import DatasetError

Write = Callable[..., Path]

POLYGON = {"name": "polygon", "all_points_x": [2, 8, 8], "all_points_y": [2, 2, 8]}
RECTANGLE = {"name": "rect", "x": 10, "y": 4, "width": 8, "height": 5}


def region(shape: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes}


EXPORT: dict[str, Any] = {
    "a.jpg1234": {
        "filename": "a.jpg",
        "size": 1234,
        "regions": [region(POLYGON, type="dent", severity="minor"), region(RECTANGLE, type="scratch")],
        "file_attributes": {},
    },
    "b.jpg99": {"filename": "b.jpg", "size": 99, "regions": [], "file_attributes": {"type": "suv"}},
}
VIA_1 = {
    "a.jpg1234": {
        "fileref": "",
        "size": 1234,
        "filename": "a.jpg",
        "base64_img_data": "",
        "file_attributes": {},
        "regions": {"0": region(POLYGON, name="dent"), "3": region(RECTANGLE, name="scratch")},
    }
}


@pytest.fixture
def via(tmp_path: Path) -> Write:
    """Writes two photos and an export, changed by a function, and returns the JSON's path."""

    def write(change: Change = lambda document: None, document: Any = EXPORT) -> Path:
        document = copy.deepcopy(document)
        change(document)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / name)
        path = tmp_path / "via_region_data.json"
        path.write_text(json.dumps(document))
        return path

    return write


def first_of(path: Path, **options: Any) -> Sample:
    return next(iter(open_dataset(path, **options)))


def names_of(path: Path, **options: Any) -> list[str]:
    return [one.name for sample in open_dataset(path, **options) for one in sample.annotations]


@pytest.mark.parametrize(
    "document",
    [EXPORT, VIA_1, list(EXPORT.values()), {"_via_settings": {}, "_via_img_metadata": EXPORT, "_via_attributes": {}}],
    ids=["version 2", "version 1", "a list", "a project"],
)
def test_every_form_gives_the_same_regions(via: Write, document: Any) -> None:
    data = open_dataset(via(document=document))
    assert data.format == "via"
    sample = next(iter(data))
    assert (sample.name, sample.size_hw, sample.labelled) == ("a.jpg", (10, 20), {"dent", "scratch"})
    dent, scratch = sample.annotations
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (scratch.name, scratch.box_xyxy, scratch.has_mask) == ("scratch", (10, 4, 18, 9), False)


def test_severity_is_an_attribute_of_its_own(via: Write) -> None:
    assert [one.severity for one in first_of(via()).annotations] == ["minor", None]


def test_an_attribute_that_tells_a_state_is_no_type(via: Write) -> None:
    regions = [region(POLYGON, Schaden="dent", Occluded="yes"), region(RECTANGLE, Schaden="", Occluded="yes")]
    assert names_of(via(set_in("a.jpg1234", "regions", value=regions))) == ["dent", UNNAMED]


@pytest.mark.parametrize("key", ["Other Car", "Severity Level"])
def test_what_stands_beside_the_type_is_known_however_it_is_spelled(via: Write, key: str) -> None:
    regions = [region(POLYGON, Schaden="dent", **{key: "yes"}), region(RECTANGLE, Schaden="", **{key: "yes"})]
    assert names_of(via(set_in("a.jpg1234", "regions", value=regions)))[0] == "dent"


def test_a_photo_without_regions_stays(via: Write) -> None:
    for nothing in ([], {}, None):
        path = via(set_in("b.jpg99", "regions", value=nothing))
        assert [len(sample.annotations) for sample in open_dataset(path)] == [2, 0]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ({"name": "circle", "cx": 10, "cy": 5, "r": 3}, (7, 2, 13, 8)),
        ({"name": "circle", "cx": 0, "cy": 5, "r": 3}, (0, 2, 3, 8)),  # which cannot but reach out
        ({"name": "ellipse", "cx": 10, "cy": 5, "rx": 6, "ry": 2}, (4, 3, 16, 7)),  # older files have no theta
        ({"name": "ellipse", "cx": 10, "cy": 5, "rx": 4, "ry": 2, "theta": math.pi / 2}, (8, 1, 12, 9)),
        ({"name": "polyline", "all_points_x": [2, 8, 8], "all_points_y": [2, 2, 8]}, (2, 2, 8, 8)),
        ({"name": "rect", "x": 1.5, "y": 2, "width": 3, "height": 4}, (1.5, 2, 4.5, 6)),
    ],
    ids=["circle", "circle at the edge", "ellipse", "turned ellipse", "polyline", "rectangle"],
)
def test_every_shape_has_its_box(via: Write, shape: dict[str, Any], box: tuple[float, ...]) -> None:
    sample = first_of(via(set_in("a.jpg1234", "regions", value=[region(shape, type="dent")])))
    assert sample.annotations[0].box_xyxy == pytest.approx(box, abs=0.1)


def test_points_and_lines_are_left_out_with_a_note(via: Write) -> None:
    line = {"name": "polyline", "all_points_x": [2, 8], "all_points_y": [2, 8]}
    drawn = [region({"name": "point", "cx": 3, "cy": 3}, type="dent"), region(line, type="dent")]
    data = open_dataset(via(set_in("a.jpg1234", "regions", value=drawn)))
    assert [sample.annotations for sample in data] == [(), ()]
    assert [rule.split(": ")[0] for rule in data.adjustments.counts] == [
        "points are left out",
        "lines are left out",
        "attributes of whole photos are left out",  # the type of `b.jpg`, which is no damage
    ]


ATTRIBUTES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "text": ([{"name": "dent"}], ["dent"]),
    "a choice among others": ([{"quality": "good", "type": "dent", "note": "x"}], ["dent"]),
    "several ticked boxes": ([{"type": {"dent": True, "scratch": True, "crack": False}}], ["dent", "scratch"]),
    "a tick for a name": ([{"damage": "1"}], ["damage"]),
    "a place for a name": ([{"Side": "dent"}, {"Front": "scratch"}], ["dent", "scratch"]),
    "misspelt": ([{"damge": "dent"}], ["dent"]),
    "nothing": ([{}], ["unnamed"]),
    "undefined": ([{"type": "undefined"}, {"type": ""}], ["unnamed", "unnamed"]),
    "a list": ([{"type": ["dent", "scratch"]}], ["dent", "scratch"]),
}


@pytest.mark.parametrize(("attributes", "names"), ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_the_attribute_that_names_the_type_is_found(via: Write, attributes: list[dict[str, Any]], names: list[str]) -> None:
    regions = [region(POLYGON, **one) for one in attributes]
    assert names_of(via(set_in("a.jpg1234", "regions", value=regions))) == names


def test_a_label_map_says_which_attribute_names_the_type(via: Write) -> None:
    path = via(set_in("a.jpg1234", "regions", value=[region(POLYGON, type="car", what="dent")]))
    assert names_of(path) == ["car"]
    assert names_of(path, labels=LabelMap(attribute="what")) == ["dent"]


def test_what_a_project_offers_to_choose_is_labelled(via: Write) -> None:
    attributes = {"region": {"type": {"type": "dropdown", "options": {"dent": "", "scratch": "", "crack": ""}}}}
    project = {"_via_settings": {}, "_via_img_metadata": EXPORT, "_via_attributes": attributes}
    assert first_of(via(document=project)).labelled == {"dent", "scratch", "crack"}


def write_csv(path: Path, *rows: tuple[str, str, str], header: str = "filename") -> Path:
    Image.new("RGB", (20, 10)).save(path.parent / "a.jpg")
    columns = [
        header,
        "file_size",
        "file_attributes",
        "region_count",
        "region_id",
        "region_shape_attributes",
        "region_attributes",
    ]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([name, "9", "{}", "1", "0", shape, attributes] for name, shape, attributes in rows)
    return path


@pytest.mark.parametrize("header", ["filename", "#filename"])
def test_csv_is_read_as_json_is(tmp_path: Path, header: str) -> None:
    path = write_csv(
        tmp_path / "via.csv",
        ("a.jpg", json.dumps(POLYGON), '{"type":"dent","note":undefined}'),  # as version 2 writes what was left open
        ("a.jpg", json.dumps(RECTANGLE), '{"type":"scratch"}'),
        header=header,
    )
    data = open_dataset(path)
    assert data.format == "via"
    (sample,) = data
    assert [(one.name, one.has_mask) for one in sample.annotations] == [("dent", True), ("scratch", False)]


def test_a_photo_without_regions_has_one_row_in_a_csv(tmp_path: Path) -> None:
    (sample,) = open_dataset(write_csv(tmp_path / "via.csv", ("a.jpg", "{}", "{}")))
    assert sample.annotations == ()


@pytest.mark.parametrize(("cell", "group"), [('{"group":"car 7"}', "car 7"), ("{'caption': 1", None), ("", None)])
def test_attributes_of_a_file_are_read_where_they_are_ours(tmp_path: Path, cell: str, group: str | None) -> None:
    path = tmp_path / "via.csv"
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["filename", "file_attributes", "region_shape_attributes", "region_attributes"])
        writer.writerow(["a.jpg", cell, json.dumps(POLYGON), '{"type":"dent"}'])
    (sample,) = open_dataset(path)
    assert (sample.group, [one.name for one in sample.annotations]) == (group, ["dent"])


WRONG_ROWS = {
    "no JSON": (("a.jpg", "{name: polygon}", "{}"), "line 2: region_shape_attributes: must be JSON"),
    "a list": (("a.jpg", "{}", "[1]"), "line 2: region_attributes: must be an object"),
    "a number of 5,000 digits": (("a.jpg", "9" * 5000, "{}"), "line 2: region_shape_attributes: must be JSON"),
    "nested deep": (("a.jpg", "[" * 100_000, "{}"), "line 2: region_shape_attributes: must be JSON"),
    "no name": (("", "{}", "{}"), "line 2: needs a filename"),
    "negative": (("a.jpg", json.dumps({**POLYGON, "all_points_x": [-9, 8, 8]}), "{}"), r"line 2: polygon: point \(-9, 2\)"),
}


@pytest.mark.parametrize(("row", "message"), WRONG_ROWS.values(), ids=WRONG_ROWS.keys())
def test_a_row_that_does_not_hold_is_told_by_its_line(tmp_path: Path, row: tuple[str, str, str], message: str) -> None:
    path = write_csv(tmp_path / "via.csv", row)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert "\n" not in str(caught.value)


def test_a_row_shifted_by_a_comma_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "via.csv", ("b, c.jpg", "{}", "{}"), ("a.jpg", json.dumps(POLYGON), "{}"))
    path.write_text(path.read_text().replace('"b, c.jpg"', "b, c.jpg"))  # version 2 never quotes names
    errors: list[DatasetError] = []
    assert [sample.name for sample in open_dataset(path, on_invalid=errors.append)] == ["a.jpg"]
    assert "line 2: needs 7 fields" in str(errors[0])


def test_a_picture_that_is_nowhere_is_taken_from_the_file(via: Write) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(stream, "JPEG")
    text = f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
    path = via(lambda document: document["a.jpg1234"].update(filename="c.jpg", base64_img_data=text))
    assert first_of(path).read() == stream.getvalue()


FIRST = ("a.jpg1234", "regions", 0)
SHAPE = (*FIRST, "shape_attributes")
WRONG = {
    "NaN": (set_in(*SHAPE, "all_points_x", 0, value=math.nan), r"'a.jpg1234': regions\[0\]: polygon: .*\(NaN or infinite\)"),
    "negative": (set_in(*SHAPE, "all_points_x", 0, value=-9), r"polygon: point \(-9, 2\) lies outside the photo of 20 × 10"),
    "beyond the photo": (set_in(*SHAPE, "all_points_y", 1, value=90), r"point \(8, 90\) lies outside"),
    "no area": (
        lambda document: document["a.jpg1234"]["regions"][0]["shape_attributes"].update(
            all_points_x=[1, 2, 3], all_points_y=[1, 2, 3]
        ),
        "polygon: is degenerate, its area is 0",
    ),
    "two points": (
        lambda document: document["a.jpg1234"]["regions"][0]["shape_attributes"].update(all_points_x=[1, 2], all_points_y=[1, 2]),
        "needs three points or more, got 2",
    ),
    "fewer x than y": (set_in(*SHAPE, "all_points_x", value=[1, 2]), "needs all_points_x and all_points_y, lists of one length"),
    "no points at all": (set_in(*SHAPE, value={"name": "polygon"}), "needs all_points_x and all_points_y"),
    "text as a coordinate": (set_in(*SHAPE, "all_points_x", 0, value="left"), "all_points: must be a number, got 'left'"),
    "a shape of another kind": (set_in(*SHAPE, "name", value="star"), "shape 'star' is none of polygon, polyline, rect, circle"),
    "flat rectangle": (set_in("a.jpg1234", "regions", 1, "shape_attributes", "width", value=0), "rect is degenerate: 0 wide"),
    "rectangle without a corner": (
        set_in("a.jpg1234", "regions", 1, "shape_attributes", "x", value=None),
        "x: must be a number, got None",
    ),
    "circle of no size": (set_in(*SHAPE, value={"name": "circle", "cx": 1, "cy": 1, "r": 0}), "radii above 0, got 0 and 0"),
    "ellipse turned without end": (
        set_in(*SHAPE, value={"name": "ellipse", "cx": 5, "cy": 5, "rx": 2, "ry": 2, "theta": math.inf}),
        "needs finite coordinates and radii above 0",
    ),
    "a region without a shape": (set_in(*FIRST, value={}), r"regions\[0\]: needs shape_attributes and region_attributes, got {}"),
    "regions of another kind": (set_in("a.jpg1234", "regions", value="none"), "regions must be a list or an object, got 'none'"),
    "an entry of another kind": (set_in("b.jpg99", value=3), "'b.jpg99': expected an object with filename and regions, got 3"),
    "no name": (set_in("b.jpg99", "filename", value=""), "'b.jpg99': expected an object with filename and regions"),
    "missing picture": (set_in("b.jpg99", "filename", value="c.jpg"), "'b.jpg99': no picture 'c.jpg' in "),
    "picture outside": (set_in("b.jpg99", "filename", value="../../etc/passwd"), "no picture"),
    "embedded picture that is none": (
        lambda document: document["b.jpg99"].update(filename="c.jpg", base64_img_data="?"),
        "'b.jpg99': base64_img_data is no base64",
    ),
    "a photo twice": (set_in("b.jpg99", "filename", value="a.jpg"), "'b.jpg99': a.jpg was listed before, at .*'a.jpg1234'"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(via: Write, change: Change, message: str) -> None:
    path = via(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(via: Write) -> None:
    def spoil(document: Any) -> None:
        document["a.jpg1234"]["regions"][0] = {}
        document["b.jpg99"] |= {"filename": "c.jpg", "base64_img_data": "?"}
        document["d"] = {**EXPORT["b.jpg99"], "filename": "b.jpg"}

    errors: list[DatasetError] = []
    samples = list(open_dataset(via(spoil), on_invalid=errors.append))
    assert [(sample.name, len(sample.annotations)) for sample in samples] == [("a.jpg", 1), ("b.jpg", 0)]
    assert len(errors) == 2


@pytest.mark.parametrize(
    "text",
    ['{"a.png": {"image_type": 3}}', '{"_via_attributes": {"region": {}}}', "<html></html>"],
    ids=["another schema", "the export of attributes", "a saved page"],
)
def test_what_is_named_as_vias_but_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "via_region_data.json").write_text(text)
    with pytest.raises(DatasetError, match=r"via_region_data.json: (JSON of no annotation format that is known|broken JSON)"):
        open_dataset(tmp_path / "via_region_data.json")


fields = st.sampled_from(
    [("a.jpg",)]
    + [("a.jpg", key) for key in ("filename", "regions", "base64_img_data")]
    + [
        ("a.jpg", "regions", 0),
        ("a.jpg", "regions", 0, "region_attributes"),
        ("a.jpg", "regions", 0, "region_attributes", "type"),
    ]
    + [("a.jpg", "regions", 0, "shape_attributes")]
    + [
        ("a.jpg", "regions", 0, "shape_attributes", key)
        for key in ("name", "all_points_x", "x", "width", "cx", "r", "rx", "theta")
    ]
    + [("a.jpg", "regions", 0, "shape_attributes", "all_points_x", 1)]
)
kinds = st.sampled_from(["polygon", "polyline", "rect", "circle", "ellipse"])


@given(fields, json_values, kinds, st.booleans())
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    field: tuple[str | int, ...],
    value: object,
    kind: str,
    there: bool,
) -> None:
    folder = tmp_path_factory.mktemp("via", numbered=True)
    if there:
        Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    shape = {**copy.deepcopy(POLYGON), **RECTANGLE, "cx": 9, "cy": 5, "r": 2, "rx": 2, "ry": 3, "theta": 1, "name": kind}
    document = {"a.jpg": {"filename": "a.jpg", "regions": [region(shape, type="dent")], "base64_img_data": ""}}
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="via", check_pictures=False)


def test_an_attribute_a_class_is_the_class_where_it_is_ticked_or_graded(via: Write) -> None:
    # version 2 writes every attribute of the project to every region
    regions = [
        region(POLYGON, dent="1", scratch="", occluded="1"),
        region(RECTANGLE, dent="", scratch="severe", occluded=""),
        region({**RECTANGLE, "x": 1}, dent="yes", scratch="0", occluded=""),
    ]
    data = open_dataset(via(set_in("a.jpg1234", "regions", value=regions)))
    sample = next(iter(data))
    assert [(one.name, one.severity) for one in sample.annotations] == [("dent", None), ("scratch", "severe"), ("dent", None)]
    assert sample.labelled == {"dent", "scratch"}
    assert {name: dict(values) for name, values in data.attributes.items()} == {"occluded": {"1": 1}}


def test_a_text_beside_ticked_attributes_names_the_type(via: Write) -> None:
    regions = [region(POLYGON, what="dent", occluded="1", seen="1"), region(RECTANGLE, what="scratch", occluded="", seen="1")]
    assert names_of(via(set_in("a.jpg1234", "regions", value=regions))) == ["dent", "scratch"]


def test_numbers_of_options_are_the_words_that_the_project_has_for_them(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    rect = {"name": "rect", "x": 1, "y": 1, "width": 5, "height": 5}
    regions = [
        {"shape_attributes": rect, "region_attributes": {"type": "1"}},
        {"shape_attributes": {**rect, "x": 9}, "region_attributes": {"type": {"2": True}}},
        {"shape_attributes": {**rect, "x": 14}, "region_attributes": {"type": "d"}},
    ]
    options = {"1": "dent", "2": "scratch", "d": "what is bent"}
    project = {
        "_via_img_metadata": {"a.jpg1": {"filename": "a.jpg", "size": 1, "regions": regions, "file_attributes": {}}},
        "_via_attributes": {"region": {"type": {"type": "dropdown", "options": options}}, "file": {}},
    }
    (tmp_path / "via.json").write_text(json.dumps(project))
    (sample,) = open_dataset(tmp_path)
    assert [one.name for one in sample.annotations] == ["dent", "scratch", "d"]
