"""Label Studio's exports as they are, and as they should not be."""

from __future__ import annotations

import base64
import copy
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

import broken_labels
from broken_labels import Change, check_samples_or_one_line, json_values
from dentify.datasets import Sample, open_dataset
from dentify.datasets.label_studio_rle import pack_rle
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode
from dentify.spreadsheets import csv_line

Write = Callable[..., Path]

MASK = np.zeros((10, 20), np.bool_)
MASK[2:5, 3:7] = True


def region(kind: str, value: dict[str, Any], labels: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A result on a photo of 20 × 10 pixels."""
    key = f"{kind}labels"
    size = {"original_width": 20, "original_height": 10}
    return {"id": "r1", "type": key, **size, "value": {**value, key: ["dent"] if labels is None else labels}, **more}


POLYGON = region("polygon", {"points": [[10, 20], [40, 20], [40, 80]]})
RECTANGLE = region("rectangle", {"x": 50, "y": 40, "width": 40, "height": 50, "rotation": 0}, ["scratch"], id="r2")
TASK: dict[str, Any] = {
    "id": 7,
    "data": {"image": "/data/upload/1/0a1b2c3d-a.jpg"},
    "annotations": [{"id": 1, "result": [POLYGON, RECTANGLE], "was_cancelled": False}],
    "predictions": [],
}


def set_in(*path: str | int, value: object) -> Change:
    """A change: puts a value where the path leads, in the first task."""
    return broken_labels.set_in(0, *path, value=value)


def results(*regions: dict[str, Any]) -> Change:
    return set_in("annotations", 0, "result", value=list(regions))


@pytest.fixture
def label_studio(tmp_path: Path) -> Write:
    """Writes two photos and the tasks, changed by a function, and returns the JSON's path."""

    def write(change: Change = lambda tasks: None) -> Path:
        tasks = [copy.deepcopy(TASK), {**copy.deepcopy(TASK), "id": 8, "data": {"image": "/data/upload/1/0a1b2c3e-b.jpg"}}]
        change(tasks)
        for name in ("a.jpg", "b.jpg"):
            Image.new("RGB", (20, 10)).save(tmp_path / name)
        path = tmp_path / "export.json"
        path.write_text(json.dumps(tasks))
        return path

    return write


def first_of(path: Path, **options: Any) -> Sample:
    return next(iter(open_dataset(path, **options)))


def test_percents_become_pixels(label_studio: Write) -> None:
    data = open_dataset(label_studio())
    assert data.format == "label_studio"
    sample, _ = data
    assert (sample.name, sample.size_hw, sample.labelled) == ("a.jpg", (10, 20), {"dent", "scratch"})
    dent, scratch = sample.annotations
    np.testing.assert_allclose(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (scratch.box_xyxy, scratch.has_mask, scratch.id) == ((10, 4, 18, 9), False, "r2")


BOX = {"x": 10, "y": 20, "width": 40, "height": 50, "rotation": 0}


def on(to_name: str | None, label: str, **more: Any) -> dict[str, Any]:
    """A box on one of several pictures."""
    return region("rectangle", BOX, [label], id=f"{to_name}{label}{more}", **({"to_name": to_name} if to_name else {}), **more)


SEVERAL: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {  # data, regions: a dent on a.jpg and a scratch on b.jpg
    "two images": ({"front": "/x/a.jpg", "rear": "/x/b.jpg"}, [on("front", "dent"), on("rear", "scratch")]),
    "images named nearly as their data": (
        {"front_url": "/x/a.jpg", "rear_url": "/x/b.jpg"},
        [on("front", "dent"), on("rear", "scratch")],
    ),
    "pages": ({"pages": ["/x/a.jpg", "/x/b.jpg"]}, [on("img", "dent", item_index=0), on("img", "scratch", item_index=1)]),
    "a repeater": ({"images": [{"url": "/x/a.jpg"}, {"url": "/x/b.jpg"}]}, [on("image_0", "dent"), on("image_1", "scratch")]),
}


@pytest.mark.parametrize(("data", "regions"), SEVERAL.values(), ids=SEVERAL.keys())
def test_a_task_of_several_photos_is_as_many(label_studio: Write, data: dict[str, Any], regions: list[dict[str, Any]]) -> None:
    def change(tasks: list[Any]) -> None:
        tasks[:] = [{"id": 1, "data": data, "annotations": [{"result": regions}]}]

    samples = list(open_dataset(label_studio(change)))
    assert [(sample.name, [one.name for one in sample.annotations]) for sample in samples] == [
        ("a.jpg", ["dent"]),
        ("b.jpg", ["scratch"]),
    ]


def test_a_photo_of_a_task_on_which_nothing_is_has_nothing_on_it(label_studio: Write) -> None:
    def change(tasks: list[Any]) -> None:
        data = {"front": "a.jpg", "rear": "b.jpg"}
        tasks[0] |= {"data": data, "annotations": [{"result": [on("front", "dent")]}]}
        tasks[1] |= {"data": data | {"front": "c.jpg", "rear": "d.jpg"}, "annotations": [{"result": [on("rear", "dent")]}]}

    path = label_studio(change)
    samples = list(open_dataset(path, check_pictures=False))
    assert [(one.name, len(one.annotations), one.labelled) for one in samples] == [
        ("a.jpg", 1, {"dent"}),
        ("b.jpg", 0, {"dent"}),
        ("c.jpg", 0, {"dent"}),
        ("d.jpg", 1, {"dent"}),
    ]


def test_a_thumbnail_is_no_second_photo(label_studio: Write) -> None:
    data = {"thumbnail": "b.jpg", "photo_of_it": "a.jpg"}
    samples = open_dataset(
        label_studio(lambda tasks: tasks[0].update(data=data, annotations=[{"result": [on("photo_of_it", "dent")]}]))
    )
    assert next(iter(samples)).name == "a.jpg"


def test_choices_are_of_the_photo_that_they_are_on(label_studio: Write) -> None:
    choice = {"type": "choices", "to_name": "rear", "id": "c", "value": {"choices": ["undamaged"]}}

    def change(tasks: list[Any]) -> None:
        regions = [on("front", "dent"), choice]
        tasks[:] = [{"id": 1, "data": {"front": "a.jpg", "rear": "b.jpg"}, "annotations": [{"result": regions}]}]

    assert [sample.labels for sample in open_dataset(label_studio(change))] == [(), ("undamaged",)]


@pytest.mark.parametrize("to_name", ["img-1", None])
def test_a_region_on_nobody_knows_which_photo_costs_the_task_and_is_told(label_studio: Write, to_name: str | None) -> None:
    path = label_studio(set_in("data", value={"front": "a.jpg", "rear": "b.jpg"}))
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"][0]["result"] = [on(to_name, "dent"), on(to_name, "scratch")]
    path.write_text(json.dumps(tasks))
    errors: list[DatasetError] = []
    assert [sample.name for sample in open_dataset(path, on_invalid=errors.append)] == ["b.jpg"]
    assert [("nothing tells which of several pictures that is (front, rear)" in str(error)) for error in errors] == [True]


@pytest.mark.parametrize(("width", "height"), [(-40, 50), (40, -50), (-40, -50)])
def test_a_box_may_be_drawn_from_any_corner(label_studio: Write, width: float, height: float) -> None:
    box = {"x": 10 if width > 0 else 50, "y": 20 if height > 0 else 70, "width": width, "height": height, "rotation": 0}
    data = open_dataset(label_studio(results(region("rectangle", box))))
    assert next(iter(data)).annotations[0].box_xyxy == pytest.approx((2, 2, 10, 7))


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/29/0a1b2c3d-a.jpg",
        "/data/local-files/?d=photos%2Fa.jpg",
        "s3://bucket/cars/a.jpg",
        "https://example.org/x/a.jpg?signature=b.png",
        "C:\\photos\\a.jpg",
        "a.jpg",
        "../../../a.jpg",
    ],
)
def test_the_picture_is_found_by_any_kind_of_address(label_studio: Write, address: str) -> None:
    assert first_of(label_studio(set_in("data", value={"image": address}))).name == "a.jpg"


def test_the_key_of_the_picture_may_have_any_name(label_studio: Write) -> None:
    data = {"text": "see http://[", "car": "/data/upload/1/0a1b2c3d-a.jpg", "year": 2020}
    assert first_of(label_studio(set_in("data", value=data))).name == "a.jpg"


@pytest.mark.parametrize(("told", "split"), [("Validation", "val"), ("TEST", "test"), ("fold 3", "fold 3")])
def test_a_split_among_the_data_may_be_written_anyhow(label_studio: Write, told: str, split: str) -> None:
    assert first_of(label_studio(set_in("data", "split", value=told))).split == split


def test_a_rectangle_turns_around_its_upper_left_corner(label_studio: Write) -> None:
    turned = region("rectangle", {"x": 50, "y": 20, "width": 20, "height": 20, "rotation": 90})
    sample = first_of(label_studio(results(turned)))
    np.testing.assert_allclose(sample.annotations[0].polygons[0], [[10, 2], [10, 6], [8, 6], [8, 2]], atol=1e-9)


def test_an_ellipse_has_a_centre_and_two_radii(label_studio: Write) -> None:
    ellipse = region("ellipse", {"x": 50, "y": 50, "radiusX": 20, "radiusY": 10, "rotation": 0})
    assert first_of(label_studio(results(ellipse))).annotations[0].box_xyxy == pytest.approx((6, 4, 14, 6), abs=0.1)


def test_a_brush_is_read_to_the_pixel(label_studio: Write) -> None:
    sample = first_of(label_studio(results(region("brush", {"format": "rle", "rle": pack_rle(MASK)}))))
    assert sample.annotations[0].rle is not None
    np.testing.assert_array_equal(rle_decode(sample.annotations[0].rle), MASK)


def test_two_labels_on_one_region_are_two_damages(label_studio: Write) -> None:
    sample = first_of(label_studio(results(region("polygon", POLYGON["value"], ["dent", "scratch"]))))
    assert [one.name for one in sample.annotations] == ["dent", "scratch"]


def test_labels_may_stand_in_a_result_of_their_own(label_studio: Write) -> None:
    outline = {**POLYGON, "type": "polygon", "value": {"points": POLYGON["value"]["points"]}}
    labels = {"id": "r1", "type": "labels", "value": {"labels": ["crack"]}}
    assert [one.name for one in first_of(label_studio(results(outline, labels))).annotations] == ["crack"]
    assert [one.name for one in first_of(label_studio(results(outline))).annotations] == ["unnamed"]


def test_a_choice_is_the_photos_or_its_regions(label_studio: Write) -> None:
    whole_photo = {"id": "c1", "type": "choices", "value": {"choices": ["damaged"]}}
    of_region = {"id": "r1", "type": "choices", "value": {"choices": ["severe"]}}
    sample = first_of(label_studio(results(POLYGON, of_region, RECTANGLE, whole_photo)))
    assert sample.labels == ("damaged",)
    assert [one.severity for one in sample.annotations] == ["severe", None]


def test_the_ground_truth_counts_else_the_last_annotation(label_studio: Write) -> None:
    def several(truth: bool) -> Change:
        wrong = [{"id": n, "result": [], "was_cancelled": False, "ground_truth": False} for n in (2, 3)]
        right = {"id": 4, "result": [POLYGON], "was_cancelled": False, "ground_truth": truth}
        cancelled = {"id": 5, "result": [RECTANGLE], "was_cancelled": True}
        return set_in("annotations", value=[right, *wrong, cancelled] if truth else [*wrong, right, cancelled])

    for truth in (True, False):
        data = open_dataset(label_studio(several(truth)))
        assert [one.name for one in next(iter(data)).annotations] == ["dent"]
        assert "where several people labelled a photo" in data.notes[0]


def test_a_photo_without_annotations_keeps_its_prediction(label_studio: Write) -> None:
    def predicted(tasks: Any) -> None:
        tasks[0] |= {"annotations": [], "predictions": [{"score": 0.75, "result": [POLYGON, {**RECTANGLE, "score": 0.5}]}]}

    sample = first_of(label_studio(predicted))
    assert [(one.name, one.score) for one in sample.annotations] == [("dent", 0.75), ("scratch", 0.5)]


@pytest.mark.parametrize(
    ("annotations", "known"),
    [([], False), ([{"id": 1, "result": [], "was_cancelled": True}], False), ([{"id": 1, "result": []}], True)],
    ids=["not labelled yet", "skipped", "labelled: nothing there"],
)
def test_nothing_drawn_is_nothing_there_only_where_somebody_looked(
    label_studio: Write,
    annotations: list[Any],
    known: bool,
) -> None:
    sample = first_of(label_studio(set_in("annotations", value=annotations)))
    assert sample.annotations == ()
    assert sample.knows("dent") is known


def test_the_short_form_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    short = {**POLYGON["value"], "original_width": 20, "original_height": 10}
    task = {"image": "\\/data\\/upload\\/1\\/0a1b2c3d-a.jpg", "id": 1, "label": [short], "annotator": 1, "annotation_id": 3}
    (tmp_path / "export.json").write_text(json.dumps([task]).replace("\\\\/", "\\/"))
    sample = first_of(tmp_path / "export.json")
    assert [(one.name, one.box_xyxy) for one in sample.annotations] == [("dent", (2, 2, 8, 8))]


RESULT = ("annotations", 0, "result", 0)
WRONG = {
    "NaN": (set_in(*RESULT, "value", "points", 0, value=[math.nan, 1]), r"result\[0\] \(id 'r1'\): .*\(NaN or infinite\)"),
    "negative": (set_in(*RESULT, "value", "points", 0, value=[-60, 20]), r"point \(-12, 2\) lies outside the photo of 20 × 10"),
    "beyond 100 percent": (set_in(*RESULT, "value", "points", 0, value=[20, 160]), r"point \(4, 16\) lies outside"),
    "no area": (set_in(*RESULT, "value", "points", value=[[1, 1], [2, 2], [3, 3]]), "is degenerate, its area is 0"),
    "two points": (set_in(*RESULT, "value", "points", value=[[1, 1], [2, 2]]), r"needs three points or more as \[x, y\]"),
    "text as points": (set_in(*RESULT, "value", "points", value="here"), r"points must be numbers as \[x, y\], got 'here'"),
    "text as a coordinate": (
        set_in(*RESULT, "value", "points", 0, value=["left", 1]),
        r"points must be numbers as \[x, y\], got \[\['left', 1\]",
    ),
    "no value": (set_in(*RESULT, "value", value=None), r"result\[0\] \(id 'r1'\): needs a value, got None"),
    "flat rectangle": (
        set_in("annotations", 0, "result", 1, "value", "height", value=0),
        "rectangle is degenerate: 8 wide, 0 high",
    ),
    "rectangle without a side": (
        set_in("annotations", 0, "result", 1, "value", "width", value=None),
        r"result\[1\] \(id 'r2'\): width: must be a number, got None",
    ),
    "turned without end": (
        set_in("annotations", 0, "result", 1, "value", "rotation", value="inf"),
        "rotation must be a number of degrees, got 'inf'",
    ),
    "ellipse without size": (
        results(region("ellipse", {"x": 50, "y": 50, "radiusX": 0, "radiusY": 10})),
        "needs radii above 0, got 0 and 1",
    ),
    "brush of no bytes": (results(region("brush", {"rle": [1, 256]})), r"needs rle, a list of bytes, got \[1, 256\]"),
    "brush that is cut off": (results(region("brush", {"rle": pack_rle(MASK)[:12]})), "RLE ends early, after 12 bytes"),
    "brush of another photo": (
        results(region("brush", {"rle": pack_rle(MASK[:5])})),
        "is of 400 values, 20 × 10 pixels have 800",
    ),
    "brush of nothing": (results(region("brush", {"rle": pack_rle(MASK & False)})), "is degenerate, it holds no pixel"),
    "brush on 10¹⁶ pixels": (
        results(region("brush", {"rle": [1]}, original_width=10**8, original_height=10**8)),
        "100000000 × 100000000 pixels are over the limit of 100 megapixels",
    ),
    "another size": (
        results(*({**one, "original_width": 40} for one in (POLYGON, RECTANGLE))),
        "a.jpg is 20 × 10 pixels, its labels are for 40 × 10",
    ),
    "size 0": (set_in(*RESULT, "original_width", value=0), "must be whole numbers above 0, got 0 × 10"),
    "missing picture": (set_in("data", "image", value="/data/c.jpg"), r"\[0\] \(id 7\) \(c.jpg\): no picture 'c.jpg' in "),
    "no picture": (
        set_in("data", value={"text": "hello", "year": 3}),
        r"\[0\] \(id 7\): names no picture, its data hold text, year",
    ),
    "a task that is none": (lambda tasks: tasks.insert(1, 5), r"\[1\]: expected a task, got 5"),
    "a photo in two tasks": (
        lambda tasks: tasks[1].update(data=tasks[0]["data"]),
        r"\[1\] \(id 8\) \(a.jpg\): a.jpg was listed before, at .*\[0\]",
    ),
    "damage on an undamaged photo": (
        results(POLYGON, {"id": "c1", "type": "choices", "value": {"choices": ["whole"]}}),
        r"a.jpg contradicts itself: has annotated damage \(dent\) and is labelled undamaged",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(label_studio: Write, change: Change, message: str) -> None:
    path = label_studio(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: [")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(label_studio: Write) -> None:
    errors: list[DatasetError] = []
    samples = list(open_dataset(label_studio(set_in(*RESULT, "value", value=None)), on_invalid=errors.append))
    assert [len(sample.annotations) for sample in samples] == [1, 2]
    assert len(errors) == 1


def test_a_file_that_is_cut_off_says_where(label_studio: Write) -> None:
    path = label_studio()
    path.write_text(path.read_text()[:300])
    with pytest.raises(DatasetError, match=r"export.json: broken JSON at line 1, column \d+ .*cut off\?"):
        open_dataset(path)


def test_a_cell_of_a_csv_that_is_no_json_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("annotation_id,annotator,id,image,label\n1,1,1,a.jpg,\n2,1,2,b.jpg,[1\n")
    with pytest.raises(DatasetError, match=r"labels.csv: line 3: a cell is no JSON: '\[1'$"):
        list(open_dataset(path, check_pictures=False))
    errors: list[DatasetError] = []
    (sample,) = open_dataset(path, check_pictures=False, on_invalid=errors.append)
    assert (sample.name, sample.annotations, len(errors)) == ("a.jpg", (), 1)


def test_another_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"a.json: not Label Studio: expected a list of tasks"):
        list(open_dataset(tmp_path / "a.json", input_format="label_studio"))


fields = st.sampled_from(
    [(key,) for key in TASK]
    + [("data", "image"), ("annotations", 0), ("annotations", 0, "result"), ("annotations", 0, "was_cancelled"), RESULT]
    + [(*RESULT, key) for key in POLYGON]
    + [(*RESULT, "value", key) for key in ("points", "x", "width", "rotation", "radiusX", "rle", "polygonlabels", "brushlabels")]
)
kinds = st.sampled_from(["polygon", "rectangle", "ellipse", "brush"])


@given(fields, json_values, kinds)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "label_studio"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    every = {
        "points": [[1, 1], [9, 1], [9, 9]],
        "x": 5,
        "y": 5,
        "width": 9,
        "height": 9,
        "radiusX": 3,
        "radiusY": 2,
        "rotation": 1,
    }
    task = copy.deepcopy(TASK)
    task["annotations"][0]["result"][0] = region(kind, {**every, "rle": pack_rle(MASK)})
    set_in(*field, value=value)([task])
    (folder / "a.json").write_text(json.dumps([task]))
    check_samples_or_one_line(folder / "a.json", input_format="label_studio")


def test_regions_that_share_labels_and_answers_cost_what_they_hold(tmp_path: Path) -> None:
    """A thousand outlines of one id with a thousand labels would be a million annotations, and as many answers each."""
    common = {"id": "r", "to_name": "image", "original_width": 20, "original_height": 10}
    value = {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0}
    outline = {**common, "from_name": "box", "type": "rectangle", "value": value}
    names = {**common, "from_name": "names", "type": "labels", "value": {**value, "labels": [f"type {n}" for n in range(1000)]}}
    answers = {**common, "from_name": "say", "type": "textarea", "value": {"text": [f"word {n}" for n in range(1000)]}}
    task = {"data": {"image": "a.jpg"}, "annotations": [{"result": [names, answers, *[outline] * 1000]}]}
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    (tmp_path / "export.json").write_text(json.dumps([task]))
    with pytest.raises(DatasetError, match="over the limit of 20,000 annotations of one photo"):
        list(open_dataset(tmp_path))


def test_labels_that_hold_an_outline_themselves_are_regions_of_its_kind(label_studio: Write) -> None:
    value = {"x": 10, "y": 20, "width": 30, "height": 60, "labels": ["dent"]}
    size = {"original_width": 20, "original_height": 10}
    sample = first_of(label_studio(results({"id": "r", "type": "labels", "value": value, **size})))
    assert [(one.name, one.box_xyxy) for one in sample.annotations] == [("dent", (2, 2, 8, 8))]


def test_a_bitmask_is_what_is_opaque_of_its_picture(label_studio: Write) -> None:
    picture = Image.new("RGBA", (20, 10))
    picture.paste((255, 0, 0, 255), (3, 2, 7, 5))
    file = io.BytesIO()
    picture.save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    (one,) = first_of(label_studio(results(region("bitmask", {"imageDataURL": address})))).annotations
    assert one.rle is not None
    np.testing.assert_array_equal(rle_decode(one.rle), MASK)


def test_what_is_said_of_a_photo_beside_choices_is_told(label_studio: Write) -> None:
    def answer(kind: str, value: object) -> dict[str, Any]:
        return {"id": kind, "type": kind, "from_name": kind, "to_name": "image", "value": {kind: value}}

    taxonomy = answer("taxonomy", [["Damage", "Scratch"]])
    data = open_dataset(label_studio(results(taxonomy, answer("rating", 4), answer("number", 7))))
    assert next(iter(data)).labels == ("scratch",)
    list(data)
    assert data.adjustments.counts == {
        "answers about whole photos are left out: rating": 1,
        "answers about whole photos are left out: number": 1,
    }


def test_drafts_and_photos_that_were_turned_are_told(label_studio: Write) -> None:
    def change(tasks: list[dict[str, Any]]) -> None:
        tasks[0] |= {"annotations": [], "drafts": [{"result": [POLYGON]}]}
        tasks[1]["annotations"][0]["result"] = [{**POLYGON, "image_rotation": 90}, {**RECTANGLE, "image_rotation": 0}]

    data = open_dataset(label_studio(change))
    assert [len(sample.annotations) for sample in data] == [0, 2]
    assert sorted(data.adjustments.counts.values()) == [1, 1]
    assert any(rule.startswith("drafts that nobody submitted are left out") for rule in data.adjustments.counts)
    assert any("(image_rotation) are taken for it" in rule for rule in data.adjustments.counts)


@pytest.mark.parametrize(
    ("row", "labels"),
    [
        ({"choice": "Damaged"}, ("damaged",)),
        ({"choice": {"choices": ["dent", "scratch"]}}, ("dent", "scratch")),
        ({"quality": "no damage"}, ("undamaged",)),
        ({"claim": "A-17"}, ()),
    ],
)
@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_the_short_form_tells_choices_of_whole_photos(
    tmp_path: Path, row: dict[str, Any], labels: tuple[str, ...], suffix: str
) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    whole = {"image": "/data/upload/1/a.jpg", "id": 1, "annotator": 1, "annotation_id": 2, "created_at": "2026", **row}
    if suffix == "json":
        text = json.dumps([whole])
    else:
        cells = [json.dumps(value) if isinstance(value, dict) else str(value) for value in whole.values()]
        text = csv_line(whole) + csv_line(cells)
    (tmp_path / f"export.{suffix}").write_text(text)
    data = open_dataset(tmp_path)
    assert [sample.labels for sample in data] == [labels]
    told = {"columns of the short form are left out: claim": 1} if "claim" in row else {}
    assert data.adjustments.counts == told


@pytest.mark.parametrize("stored", [False, True], ids=["one task", "an annotation of a storage"])
def test_a_task_may_have_a_file_of_its_own(tmp_path: Path, stored: bool) -> None:
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    task = {"id": 7, "data": TASK["data"]}
    document = {"id": 1, "result": [POLYGON], "task": task} if stored else {**task, "annotations": [{"result": [POLYGON]}]}
    (tmp_path / "7.json").write_text(json.dumps(document))
    (sample,) = open_dataset(tmp_path)
    assert [one.name for one in sample.annotations] == ["dent"]


def test_tasks_before_the_first_that_is_labelled_do_not_hide_the_format(label_studio: Write) -> None:
    def change(tasks: list[dict[str, Any]]) -> None:
        for key in ("annotations", "predictions"):
            del tasks[0][key]

    assert [len(sample.annotations) for sample in open_dataset(label_studio(change))] == [0, 2]
