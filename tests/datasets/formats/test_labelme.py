"""LabelMe files as they are, and as they should not be."""

from __future__ import annotations

import base64
import copy
import io
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
from dentify.imaging.masks import rle_decode

Write = Callable[..., Path]


def shape(label: str, kind: str, points: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


def png(mask: list[list[int]]) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.array(mask, np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


DOCUMENT: dict[str, Any] = {
    "version": "5.5.0",
    "flags": {"night": False, "damaged": True},
    "shapes": [
        shape("dent", "polygon", [[2, 2], [8, 2], [8, 8]], flags={"severe": True}),
        shape("scratch", "rectangle", [[18, 9], [10, 4]]),
    ],
    "imagePath": "a.jpg",
    "imageData": None,
    "imageHeight": 10,
    "imageWidth": 20,
}


@pytest.fixture
def labelme(tmp_path: Path) -> Write:
    """Writes a photo and its file, changed by a function, and returns the folder."""

    def write(change: Change = lambda document: None, name: str = "a") -> Path:
        document = copy.deepcopy({**DOCUMENT, "imagePath": f"{name}.jpg"})
        change(document)
        Image.new("RGB", (20, 10)).save(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
        return tmp_path

    return write


def test_json_of_another_kind_in_between_is_told(labelme: Write) -> None:
    folder = labelme()
    (folder / "b.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    (folder / "meta.json").write_text("{}")
    data = open_dataset(folder)
    assert [sample.name for sample in data] == ["a.jpg"]
    (note,) = (note for note in data.notes if "of another kind" in note)
    assert note == f"JSON files of another kind among the labels are passed over (1×; {folder / 'b.json'})"


def test_shapes_and_ticked_flags_are_read(labelme: Write) -> None:
    (sample,) = open_dataset(labelme())
    assert (sample.name, sample.size_hw, sample.labels, sample.damage) == ("a.jpg", (10, 20), ("damaged",), True)
    dent, scratch = sample.annotations
    assert (dent.name, dent.severity) == ("dent", "severe")
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (scratch.has_mask, scratch.box_xyxy) == (False, (10.0, 4.0, 18.0, 9.0))  # from whichever corner it was drawn


def test_files_of_version_3_have_fewer_fields(labelme: Write) -> None:
    def older(document: dict[str, Any]) -> None:
        for key in ("version", "imageHeight", "imageWidth", "flags"):
            del document[key]
        document["shapes"] = [{"label": "dent", "line_color": None, "points": [[2, 2], [8, 2], [8, 8]], "fill_color": None}]

    (sample,) = open_dataset(labelme(older))
    assert sample.size_hw == (10, 20)  # of the picture
    assert [one.name for one in sample.annotations] == ["dent"]


@pytest.mark.parametrize(
    ("drawn", "box"),
    [
        (shape("dent", "circle", [[10, 5], [13, 5]]), (7, 2, 13, 8)),
        (shape("dent", "circle", [[0, 5], [3, 5]]), (0, 2, 3, 8)),  # which cannot but reach out
        (shape("dent", "linestrip", [[2, 2], [8, 2], [5, 6]]), (2, 2, 8, 6)),
        (shape("dent", "oriented_rectangle", [[4, 1], [8, 5], [6, 7], [2, 3]]), (2, 1, 8, 7)),
        (shape("dent", "rectangle", [[4, 1], [8, 1], [8, 5], [4, 5]]), (4, 1, 8, 5)),  # X-AnyLabeling's, of four points
        (shape("dent", "rectangle", [[4, 1], [8, 5], [6, 7], [2, 3]]), (2, 1, 8, 7)),  # and turned
        (shape("dent", "mask", [[4, 2], [6, 3]], mask=png([[0, 1, 1], [0, 1, 0]])), (5, 2, 7, 4)),
        (shape("dent", "mask", [[-1, 2], [1, 3]], mask=png([[1, 1, 1], [1, 1, 0]])), (0, 2, 2, 4)),  # begins before the photo
    ],
    ids=["circle", "circle at the edge", "linestrip", "oriented rectangle", "four corners", "turned", "mask", "mask at the edge"],
)
def test_every_shape_has_its_box(labelme: Write, drawn: dict[str, Any], box: tuple[float, ...]) -> None:
    (sample,) = open_dataset(labelme(set_in("shapes", value=[drawn])))
    assert sample.annotations[0].box_xyxy == pytest.approx(box, abs=0.1)


def test_a_mask_is_read_to_the_pixel(labelme: Write) -> None:
    drawn = shape("dent", "mask", [[4, 2], [6, 3]], mask=png([[0, 1, 1], [0, 1, 0]]))  # 0 and 1, as LabelMe writes them
    (sample,) = open_dataset(labelme(set_in("shapes", value=[drawn])))
    rle = sample.annotations[0].rle
    assert rle is not None
    assert np.argwhere(rle_decode(rle)).tolist() == [[2, 5], [2, 6], [3, 5]]


def test_pieces_of_one_group_and_label_are_one_thing(labelme: Write) -> None:
    def grouped(document: dict[str, Any]) -> None:
        far = [[12, 2], [18, 2], [18, 8]]
        pieces = [shape("dent", "polygon", [[2, 2], [8, 2], [8, 8]], group_id=1), shape("dent", "polygon", far, group_id=1)]
        document["shapes"] = [*pieces, shape("scratch", "polygon", far, group_id=1), shape("dent", "polygon", far, group_id=2)]

    (sample,) = open_dataset(labelme(grouped))
    assert [(one.name, len(one.polygons)) for one in sample.annotations] == [("dent", 2), ("scratch", 1), ("dent", 1)]
    assert sample.annotations[0].box_xyxy == (2, 2, 18, 8)


def test_an_empty_group_is_none(labelme: Write) -> None:
    pieces = [shape("dent", "polygon", [[x, 2], [x + 4, 2], [x + 4, 8]], group_id="") for x in (2, 12)]
    (sample,) = open_dataset(labelme(set_in("shapes", value=pieces)))
    assert [len(one.polygons) for one in sample.annotations] == [1, 1]


@pytest.mark.parametrize(
    ("levels", "things"),
    [
        (("minor", "severe", "severe"), [("minor", 1), ("severe", 2)]),
        (("", "severe", ""), [("severe", 3)]),
        (("", "minor", "severe"), [("minor", 2), ("severe", 1)]),
    ],
)
def test_pieces_that_are_called_two_severities_are_two_things(
    labelme: Write, levels: tuple[str, ...], things: list[tuple[str, int]]
) -> None:
    pieces = [
        shape("dent", "polygon", [[x, 2], [x + 4, 2], [x + 4, 8]], group_id=1, flags={level: True} if level else {})
        for x, level in zip((2, 8, 14), levels, strict=True)
    ]
    (sample,) = open_dataset(labelme(set_in("shapes", value=pieces)))
    assert [(one.severity, len(one.polygons)) for one in sample.annotations] == things


def test_points_and_lines_are_left_out_with_a_note(labelme: Write) -> None:
    drawn = [
        shape("dent", "point", [[5, 5]]),
        shape("dent", "line", [[1, 1], [9, 9]]),
        shape("dent", "linestrip", [[1, 1], [5, 5]]),
    ]
    data = open_dataset(labelme(set_in("shapes", value=drawn)))
    assert [sample.annotations for sample in data] == [()]
    assert [note.split(" kind ")[1].split()[0] for note in data.notes] == ["point", "line", "linestrip"]


def test_what_any_file_labels_is_absent_from_the_others(labelme: Write) -> None:
    labelme()
    folder = labelme(set_in("shapes", value=[]), name="b")
    assert [sample.labelled for sample in open_dataset(folder)] == [{"dent", "scratch"}] * 2


@pytest.mark.parametrize("path", ["..\\images\\a.jpg", "/home/annotator/a.jpg", "C:\\photos\\a.jpg", "../../../a.jpg"])
def test_the_path_of_another_machine_does_no_harm(labelme: Write, path: str) -> None:
    (sample,) = open_dataset(labelme(set_in("imagePath", value=path)))
    assert sample.name == "a.jpg"


def test_a_picture_that_is_nowhere_is_taken_from_the_file(labelme: Write) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(stream, "JPEG")
    folder = labelme(set_in("imageData", value=base64.b64encode(stream.getvalue()).decode()))
    (folder / "a.jpg").unlink()
    (sample,) = open_dataset(folder)
    assert sample.read() == stream.getvalue()


def test_other_json_between_the_files_is_passed_over(labelme: Write) -> None:
    folder = labelme()
    (folder / "b.json").write_text('{"settings": 1}')
    assert len(list(open_dataset(folder))) == 1
    with pytest.raises(DatasetError, match=r"b.json: not LabelMe: expected an object with imagePath and shapes"):
        list(open_dataset(folder / "b.json", input_format="labelme"))


FIRST = ("shapes", 0)
WRONG = {
    "NaN": (set_in(*FIRST, "points", value=[[2, 2], [8, float("nan")], [8, 8]]), r"shapes\[0\] \(dent\): .*\(NaN or infinite\)"),
    "negative": (set_in(*FIRST, "points", value=[[-9, 2], [8, 2], [8, 8]]), r"point \(-9, 2\) lies outside the photo of 20 × 10"),
    "beyond the photo": (set_in(*FIRST, "points", value=[[2, 2], [88, 2], [8, 8]]), r"point \(88, 2\) lies outside"),
    "no area": (set_in(*FIRST, "points", value=[[2, 2], [4, 4], [6, 6]]), r"shapes\[0\] \(dent\): is degenerate, its area is 0"),
    "two points": (set_in(*FIRST, "points", value=[[2, 2], [4, 4]]), "needs three points or more, got 2"),
    "no points": (set_in(*FIRST, "points", value=[]), r"points must be numbers as \[x, y\], got \[\]"),
    "text as points": (set_in(*FIRST, "points", value=[["two", 2]]), "points must be numbers"),
    "no label": (set_in(*FIRST, "label", value=""), r"shapes\[0\]: needs a label and points"),
    "a label of another kind": (set_in(*FIRST, "label", value=["dent"]), r"shapes\[0\]: needs a label and points"),
    "a shape that is none": (set_in("shapes", 0, value=[1]), r"shapes\[0\]: needs a label and points, got \[1\]"),
    "a shape of another kind": (
        set_in(*FIRST, "shape_type", value="star"),
        "shape_type 'star' is none of polygon, rectangle, circle",
    ),
    "flat rectangle": (set_in("shapes", 1, "points", value=[[2, 2], [8, 2]]), "box is degenerate: 6 wide, 0 high"),
    "rectangle of three points": (
        set_in("shapes", 1, "points", value=[[2, 2], [8, 2], [9, 9]]),
        "a rectangle needs two points, got 3",
    ),
    "circle of no size": (set_in("shapes", 1, value=shape("dent", "circle", [[5, 5], [5, 5]])), "needs a radius above 0, got 0"),
    "circle of one point": (set_in("shapes", 1, value=shape("dent", "circle", [[5, 5]])), "needs its centre and a point on it"),
    "mask without pixels": (
        set_in("shapes", 1, value=shape("dent", "mask", [[1, 1], [2, 2]], mask=png([[0, 0], [0, 0]]))),
        "is degenerate, it holds no pixel",
    ),
    "mask without a PNG": (set_in("shapes", 1, value=shape("dent", "mask", [[1, 1], [2, 2]])), "a mask needs its PNG"),
    "mask of no base64": (set_in("shapes", 1, value=shape("dent", "mask", [[1, 1], [2, 2]], mask="?")), "mask is no base64"),
    "mask of no picture": (set_in("shapes", 1, value=shape("dent", "mask", [[1, 1], [2, 2]], mask="aGFsbG8=")), "not a picture"),
    "mask beyond the photo": (
        set_in("shapes", 1, value=shape("dent", "mask", [[19, 9], [21, 10]], mask=png([[1, 1, 1], [1, 1, 1]]))),
        "does not lie on the photo",
    ),
    "mask on a photo of 10¹⁷ pixels": (
        lambda document: document.update(
            imageHeight=10**8, imageWidth=10**8, shapes=[shape("dent", "mask", [[1, 1], [1, 1]], mask=png([[1]]))]
        ),
        "pixels are over the limit of 100 megapixels",
    ),
    "another size": (set_in("imageWidth", value=40), "a.jpg is 20 × 10 pixels, its labels are for 40 × 10"),
    "size 0": (set_in("imageWidth", value=0), "imageWidth and imageHeight must be whole numbers above 0, got 0 × 10"),
    "size of 400 digits": (set_in("imageWidth", value=10**400), "must be whole numbers above 0"),
    "no picture": (set_in("imagePath", value=".."), r"a.json: needs an imagePath, got '\.\.'"),
    "damage on an undamaged photo": (
        set_in("flags", value={"whole": True}),
        r"a.jpg contradicts itself: has annotated damage \(dent, scratch\) and is labelled undamaged",
    ),
    "two words for the photo": (
        set_in("flags", value={"whole": True, "damaged": True}),
        "contradicts itself: .*is labelled undamaged and damaged",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(labelme: Write, change: Change, message: str) -> None:
    folder = labelme(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(folder))
    assert str(caught.value).startswith(str(folder / "a.json"))
    assert "\n" not in str(caught.value)


def test_a_picture_that_is_nowhere_is_told(labelme: Write) -> None:
    folder = labelme(set_in("imagePath", value="b.jpg"))
    (folder / "a.jpg").unlink()
    with pytest.raises(DatasetError, match=r"a.json: no picture 'b.jpg' in "):
        list(open_dataset(folder))


def test_an_embedded_picture_that_is_none_is_told(labelme: Write) -> None:
    folder = labelme(set_in("imageData", value="?"))
    (folder / "a.jpg").unlink()
    with pytest.raises(DatasetError, match=r"a.json: imageData is no base64"):
        list(open_dataset(folder))


def test_a_picture_that_was_renamed_with_its_file_is_found_and_that_is_told(labelme: Write) -> None:
    data = open_dataset(labelme(set_in("imagePath", value="IMG_1.jpg")))
    assert [sample.image for sample in data] == [data.path / "a.jpg"]
    assert list(data.adjustments.counts) == ["pictures that are called as their label file, and not as it says, are taken"]


def test_of_two_pictures_called_as_their_file_neither_is_guessed(labelme: Write) -> None:
    folder = labelme(set_in("imagePath", value="IMG_1.jpg"))
    Image.new("RGB", (20, 10)).save(folder / "a.png")
    with pytest.raises(DatasetError, match=r"a.json: .*a.jpg or .*a.png"):
        list(open_dataset(folder))


CORNERS: list[list[float]] = [[5, 3], [10, 5], [9, 8], [4, 6]]


@pytest.mark.parametrize("kind", ["rotation", "quadrilateral", "oriented_rectangle", "rotated_rectangle"])
def test_four_corners_are_a_polygon_whatever_a_tool_calls_them(labelme: Write, kind: str) -> None:
    (sample,) = open_dataset(labelme(set_in("shapes", value=[shape("dent", kind, CORNERS)])))
    np.testing.assert_array_equal(sample.annotations[0].polygons[0], CORNERS)


def test_a_cuboid_is_left_out_with_a_note_and_the_rest_stays(labelme: Write) -> None:
    data = open_dataset(labelme(set_in("shapes", 0, value=shape("dent", "cuboid", CORNERS * 2))))
    assert [[one.name for one in sample.annotations] for sample in data] == [["scratch"]]
    assert [rule.split(":")[0] for rule in data.adjustments.counts] == ["shapes of kind cuboid are left out"]


def test_what_does_not_hold_can_be_listed_and_left_out(labelme: Write) -> None:
    (labelme(set_in("imagePath", value="c.jpg")) / "a.jpg").unlink()
    labelme(set_in(*FIRST, "label", value=""), name="b")
    errors: list[DatasetError] = []
    sample, _ = open_dataset(labelme(name="d"), on_invalid=errors.append)
    assert [one.name for one in sample.annotations] == ["scratch"]
    assert len(errors) == 2


@pytest.mark.parametrize("cut", ["a", "b"])
def test_a_file_that_is_cut_off_is_told_and_the_rest_goes_on(labelme: Write, cut: str) -> None:
    for name in "abc":
        folder = labelme(name=name)
    text = (folder / f"{cut}.json").read_text()
    (folder / f"{cut}.json").write_text(text[: len(text) // 2])
    with pytest.raises(DatasetError, match=rf"{cut}.json: broken JSON at line 1, column \d+"):
        list(open_dataset(folder))
    errors: list[DatasetError] = []
    assert len(list(open_dataset(folder, on_invalid=errors.append))) == 2
    assert [f"{cut}.json" in str(error) for error in errors] == [True]


def test_two_files_for_one_photo_are_told(labelme: Write) -> None:
    labelme()
    folder = labelme(set_in("imagePath", value="a.jpg"), name="b")
    with pytest.raises(DatasetError, match=r"b.json: a.jpg was listed before, at .*a.json; give a photo one entry"):
        list(open_dataset(folder))


fields = st.sampled_from(
    [(key,) for key in DOCUMENT]
    + [("shapes", 0)]
    + [("shapes", 0, key) for key in ("label", "points", "group_id", "shape_type", "flags", "mask")]
    + [("shapes", 0, "points", 0), ("shapes", 0, "points", 0, 1)]
)
kinds = st.sampled_from(["polygon", "rectangle", "circle", "mask", "linestrip", "oriented_rectangle", "line"])


@given(fields, json_values, kinds)
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str | int, ...], value: object, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "labelme"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document = copy.deepcopy(DOCUMENT)
    document["shapes"][0] |= {"shape_type": kind, "mask": png([[1]])}
    set_in(*field, value=value)(document)
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="labelme")


def test_ticked_flags_of_a_shape_tell_its_type_where_a_map_says_so(tmp_path: Path) -> None:
    flags = ({"dent": True, "scratch": False, "occluded": True}, {"dent": False, "scratch": True, "minor": True})
    shapes = [
        {"label": "damage", "shape_type": "rectangle", "points": [[1 + 8 * n, 1], [5 + 8 * n, 5]], "flags": one}
        for n, one in enumerate(flags)
    ]
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
    document = {"imagePath": "a.jpg", "imageHeight": 10, "imageWidth": 20, "shapes": shapes}
    (tmp_path / "a.json").write_text(json.dumps(document))
    data = open_dataset(tmp_path)
    assert [one.severity for sample in data for one in sample.annotations] == [None, "minor"]
    assert dict(data.attributes["flags"]) == {"dent": 1, "occluded": 1, "scratch": 1}
    mapped = LabelMap({"damage": "damaged", "occluded": None}, others="refused", attribute="flags")
    assert [one.name for sample in open_dataset(tmp_path, labels=mapped) for one in sample.annotations] == ["dent", "scratch"]
