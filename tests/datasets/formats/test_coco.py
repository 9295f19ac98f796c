"""COCO files as they are, and as they should not be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as reference

from broken_labels import Change, check_samples_or_one_line, json_values, set_in
from dentify.datasets import LabelMap, Sample, open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode
from dentify.settings import Settings

Write = Callable[..., Path]


def read_coco(path: Path, images: Path | None = None, **options: Any) -> Iterator[Sample]:
    return iter(open_dataset(path, images=images, input_format="coco", **options))


def test_photos_come_with_labels_matched_by_name(coco: Write) -> None:
    first = next(read_coco(coco()))
    assert (first.name, first.size_hw, first.source, first.group, first.split) == ("a.jpg", (10, 20), "mine", "7", "val")
    assert first.labelled == {"dent", "hood"}
    assert (first.vehicle, first.damage) == (True, True)
    dent, hood = first.annotations
    assert (dent.name, dent.box_xyxy, dent.severity, dent.has_mask) == ("dent", (2.0, 2.0, 8.0, 8.0), "minor", True)
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8], [2, 8]])
    assert (hood.name, hood.kind, hood.has_mask, hood.box_xyxy) == ("hood", "part", False, (0.0, 0.0, 20.0, 5.0))


def test_without_labelled_every_category_of_the_file_counts(coco: Write) -> None:
    second = list(read_coco(coco()))[1]
    assert second.labelled == {"scratch", "dent", "hood"}
    assert second.annotations[0].box_xyxy == (2.0, 2.0, 8.0, 8.0)  # from the polygon: the file gives none
    assert second.annotations[0].original == "cizik"


def test_known_names_become_the_taxonomys_and_a_map_overrides_it(coco: Write) -> None:
    def rename(document: dict[str, Any]) -> None:
        document["categories"][1]["name"] = "Gocuk"
        document["categories"][0]["name"] = "airbag"
        document["images"][0]["labelled"] = ["gocuk", "hood"]

    path = coco(rename)
    samples = list(read_coco(path))
    assert samples[0].annotations[0].name == "dent"
    assert samples[0].annotations[0].original == "Gocuk"
    assert samples[1].annotations[0].name == "airbag"
    mapped = list(read_coco(path, labels=LabelMap({"Gocuk": "dent", "airbag": "broken_part"})))
    assert mapped[1].annotations[0].name == "broken_part"


def test_a_photo_without_annotations_says_nothing_of_damage_unless_the_file_does(coco: Write) -> None:
    def empty(document: dict[str, Any]) -> None:
        document["annotations"] = []
        document["images"][1] |= {"vehicle": True, "damage": False}

    first, second = read_coco(coco(empty))
    assert (first.vehicle, first.damage) == (None, None)
    assert (second.vehicle, second.damage) == (True, False)


def test_dentifys_own_keys_are_read_where_they_are(coco: Write) -> None:
    def mark(document: dict[str, Any]) -> None:
        document["images"][0] |= {"severity": "severe", "view": "front_left"}
        document["annotations"][0] |= {"unsure": True, "loose": False}
        document["annotations"][2] |= {"loose": True, "other_car": True}

    first, second = read_coco(coco(mark))
    assert (first.severity, first.view, first.damage) == ("severe", "front_left", True)
    assert (second.severity, second.view, second.damage) == (None, None, None)
    told = [(one.unsure, one.other_car, one.loose, one.ignored) for one in (first.annotations[0], second.annotations[0])]
    assert told == [(True, False, False, True), (False, True, True, True)]


@pytest.mark.parametrize("compressed", [False, True])
def test_rle_is_read_in_both_its_forms(coco: Write, *, compressed: bool) -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[3:6, 4:9] = 1
    rle = reference.encode(np.asfortranarray(mask))
    counts: Any = rle["counts"].decode() if compressed else [43, 3, 7, 3, 7, 3, 7, 3, 7, 3, 114]

    def change(document: dict[str, Any]) -> None:
        document["annotations"][0] |= {"segmentation": {"size": [10, 20], "counts": counts}, "iscrowd": 1}
        del document["annotations"][0]["bbox"]

    annotation = next(read_coco(coco(change))).annotations[0]
    assert annotation.rle is not None
    np.testing.assert_array_equal(rle_decode(annotation.rle), mask.astype(bool))
    assert annotation.box_xyxy == (4.0, 3.0, 9.0, 6.0)
    assert annotation.crowd


@pytest.mark.parametrize(
    ("value", "crowd"), [("0", False), (0, False), (False, False), (None, False), ("1", True), (1.0, True), (True, True)]
)
def test_a_crowd_is_marked_by_one_however_it_is_written(coco: Write, value: object, *, crowd: bool) -> None:
    data = open_dataset(coco(set_in("annotations", 0, "iscrowd", value=value)))
    first, _ = data
    assert first.annotations[0].crowd == crowd
    assert any("1 annotations are iscrowd" in note for note in data.notes) == crowd


def test_a_category_that_is_its_own_supercategory_is_labelled_though_nobody_used_it(coco: Write) -> None:
    def above(document: dict[str, Any]) -> None:
        document["categories"] = [{**row, "supercategory": row["name"]} for row in document["categories"]]
        document["categories"] += [{"id": 5, "name": "crack", "supercategory": "crack"}]
        document["categories"] += [{"id": 0, "name": "cars", "supercategory": "none"}]
        document["categories"] += [{"id": 6, "name": "lamp_broken", "supercategory": "cars"}]

    labelled = list(read_coco(coco(above), labels=LabelMap(others="kept")))[1].labelled
    assert labelled == {"scratch", "dent", "hood", "crack", "lamp_broken"}


def rle(size: object, counts: object) -> dict[str, object]:
    return {"size": size, "counts": counts}


def without_box(segmentation: object) -> Change:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0] |= {"segmentation": segmentation, "bbox": []}

    return change


ANNOTATION = ("annotations", 0)
WRONG = {
    "category out of range": (
        set_in(*ANNOTATION, "category_id", value=5),
        r"annotations\[0\] \(id 10, a.jpg\): category_id 5 is no category of this file \(ids 1, 4, 9\)",
    ),
    "category of another kind": (set_in(*ANNOTATION, "category_id", value="dent"), r"category_id 'dent' is no category"),
    "NaN": (set_in(*ANNOTATION, "segmentation", value=[[2, 2, float("nan"), 2, 8, 8]]), r"polygon 0: .*\(NaN or infinite\)"),
    "negative": (set_in(*ANNOTATION, "segmentation", value=[[-5, 2, 8, 2, 8, 8]]), r"polygon 0: point \(-5, 2\) lies outside"),
    "beyond the photo": (set_in(*ANNOTATION, "segmentation", value=[[2, 2, 90, 2, 8, 8]]), r"\(90, 2\) .* photo of 20 × 10"),
    "no area": (without_box([[2, 2, 4, 4, 6, 6]]), r"polygon 0: is degenerate, its area is 0"),
    "two points": (without_box([[2, 2, 8, 2]]), r"needs three points or more"),
    "half a point": (set_in(*ANNOTATION, "segmentation", value=[[2, 2, 8, 2, 8, 8, 1]]), r"needs three points or more"),
    "text as points": (set_in(*ANNOTATION, "segmentation", value=[["2", "two"]]), r"must be a list of numbers"),
    "text as outline": (set_in(*ANNOTATION, "segmentation", value="here"), r"segmentation must be polygons or RLE"),
    "RLE of another size": (set_in(*ANNOTATION, "segmentation", value=rle([20, 10], [200])), r"RLE is of size \[20, 10\]"),
    "RLE too short": (set_in(*ANNOTATION, "segmentation", value=rle([10, 20], [3, 4])), r"sum to 200, got 7"),
    "RLE of nothing": (set_in(*ANNOTATION, "segmentation", value=rle([10, 20], [200])), r"degenerate, it holds no pixel"),
    "RLE cut off": (set_in(*ANNOTATION, "segmentation", value=rle([10, 20], "Xo")), r"annotations\[0\] \(id 10, a.jpg\): an RLE"),
    "RLE of text": (set_in(*ANNOTATION, "segmentation", value=rle([10, 20], ["a"])), r"RLE counts must be"),
    "flat box": (set_in("annotations", 1, "bbox", value=[0, 0, 20, 0]), r"bbox is degenerate: 20 wide, 0 high"),
    "box outside": (
        set_in("annotations", 1, "bbox", value=[-9, 0, 20, 5]),
        r"bbox \(-9, 0\) to \(11, 5\) lies outside the photo of 20 × 10",
    ),
    "NaN box": (set_in("annotations", 1, "bbox", value=[0, 0, float("nan"), 5]), r"bbox holds a coordinate that is not a number"),
    "neither box nor outline": (set_in("annotations", 1, "bbox", value=None), r"needs polygons, RLE or a bbox"),
    "severity": (set_in(*ANNOTATION, "severity", value="bad"), r"severity 'bad' is none of minor, moderate, severe"),
    "severity of a photo": (set_in("images", 0, "severity", value=3), r"images\[0\] \(id 1\): severity 3 is none of minor"),
    "a mark as text": (set_in(*ANNOTATION, "unsure", value="yes"), r"annotations\[0\] .*: unsure must be true, false or null"),
    "type left out of labelled": (set_in("images", 0, "labelled", value=["hood"]), r"is 'dent', which its image's labelled"),
    "unknown labelled": (set_in("images", 0, "labelled", value=["dent", "hod"]), r"labelled names 'hod'"),
    "labelled as text": (set_in("images", 0, "labelled", value="dent"), r"labelled must be a list of names"),
    "image of no annotation": (set_in(*ANNOTATION, "image_id", value=3), r"annotations\[0\] \(id 10\): image_id 3 is no image"),
    "box beside the photo": (set_in("annotations", 1, "bbox", value=[-1.5, 5, 1, 5]), r"bbox is degenerate: -0.5 wide, 5 high"),
    "number of 400 digits": (
        set_in("annotations", 1, "bbox", value=[0, 0, 10**400, 1]),
        r"needs polygons, RLE or a bbox of four numbers",
    ),
    "RLE that is no text": (
        set_in(*ANNOTATION, "segmentation", value={"size": [10, 20], "counts": "\ud800"}),
        r"annotations\[0\]",
    ),
    "a folder for a picture": (set_in("images", 1, "file_name", value="."), r"needs a file_name, got '.'"),
    "missing picture": (set_in("images", 1, "file_name", value="c.jpg"), r"images\[1\] \(id 2\): no picture 'c.jpg' in "),
    "picture outside": (set_in("images", 1, "file_name", value="../../c.jpg"), r"no picture 'c.jpg' in "),
    "absolute picture": (set_in("images", 1, "file_name", value="/etc/passwd"), r"no picture"),
    "a picture twice": (
        set_in("images", 1, "file_name", value="a.jpg"),
        r"images\[1\] \(id 2\): a.jpg was listed before, at .*images\[0\]",
    ),
    "no name": (set_in("images", 1, "file_name", value=""), r"needs a file_name"),
    "size 0": (set_in("images", 1, "width", value=0), r"images\[1\] \(id 2\): width and height must be whole numbers above 0"),
    "size as text": (set_in("images", 1, "width", value="wide"), r"got 'wide' × 10"),
    "an id twice": (set_in("images", 1, "id", value=1), r"images\[1\]: id 1 was given before"),
    "a category twice": (set_in("categories", 1, "id", value=4), r"categories\[1\]: id 4 was given before, to 'scratch'"),
    "category without a name": (set_in("categories", 1, "name", value=None), r"categories\[1\]: needs an integer id and a name"),
    "damage on an undamaged photo": (
        set_in("images", 0, "damage", value=False),
        r"images\[0\] .* contradicts itself: has annotated damage",
    ),
    "damage flag as text": (set_in("images", 0, "damage", value="no"), r"damage must be true, false or null"),
    "no list": (set_in("annotations", value={}), r'"annotations" is not a list'),
    "a row that is no object": (set_in("images", 0, value=3), r"images\[0\]: expected an object, got 3"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(coco: Write, change: Any, message: str) -> None:
    path = coco(change)
    with pytest.raises(DatasetError, match=message) as caught:
        list(read_coco(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_that_is_cut_off_says_where(coco: Write) -> None:
    path = coco()
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(DatasetError, match=r"val.json: broken JSON at line 1, column \d+ .*cut off\?"):
        list(read_coco(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "not COCO: expected an object"),
        (b'{"images": []}', '"annotations" is missing'),
        (b"\xff\xff", "not UTF-8 text at byte 0"),
        (b"[" * 100_000, "nested too deep|broken JSON"),
    ],
)
def test_a_file_that_is_no_coco_is_refused_at_the_call(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        list(read_coco(path))


def test_a_missing_or_too_large_file_is_refused(coco: Write, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none.json: no such file or folder"):
        read_coco(tmp_path / "none.json")
    with pytest.raises(DatasetError, match=r"val\.json: over the limit of 10 bytes; .*DENTIFY_MAX_ANNOTATION_BYTES$"):
        read_coco(coco(), settings=Settings(max_annotation_bytes=10))
    with pytest.raises(DatasetError, match="no such folder of pictures"):
        read_coco(coco(), tmp_path / "nowhere")


def test_what_does_not_hold_can_be_listed_and_left_out(coco: Write) -> None:
    errors: list[DatasetError] = []

    def spoil(document: dict[str, Any]) -> None:
        document["annotations"][0]["category_id"] = 5
        document["images"][1]["file_name"] = "c.jpg"

    (sample,) = read_coco(coco(spoil), on_invalid=errors.append)
    assert [annotation.name for annotation in sample.annotations] == ["hood"]
    assert len(errors) == 2


@pytest.mark.parametrize(
    ("json_at", "pictures_at"),
    [
        ("val.json", "images"),  # ours
        ("valid/_annotations.coco.json", "valid"),  # Roboflow
        ("annotations/instances_val2017.json", "val2017"),  # CarDD
    ],
)
def test_pictures_are_found_where_tools_put_them(coco: Write, tmp_path: Path, json_at: str, pictures_at: str) -> None:
    text = coco().read_text()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / pictures_at).mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / pictures_at / name)
    (tmp_path / json_at).parent.mkdir(exist_ok=True)
    (tmp_path / json_at).write_text(text)
    samples = list(read_coco(tmp_path / json_at))
    assert [sample.image for sample in samples] == [tmp_path / pictures_at / name for name in ("a.jpg", "b.jpg")]
    assert {sample.split for sample in samples} == {"val"}


def test_an_outline_that_reaches_a_pixel_out_is_rounding_and_is_cut(coco: Write) -> None:
    sample = next(read_coco(coco(set_in(*ANNOTATION, "segmentation", value=[[-0.8, 2, 21, 2, 8, 8]]))))
    np.testing.assert_array_equal(sample.annotations[0].polygons[0], [[0, 2], [20, 2], [8, 8]])


keys = ["id", "image_id", "category_id", "segmentation", "bbox", "file_name", "width", "height", "labelled", "severity", "name"]


@given(
    st.sampled_from(["images", "annotations", "categories"]),
    st.sampled_from([*keys, "source", "iscrowd", "original"]),
    json_values,
)
def test_whatever_stands_in_a_key_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, where: str, key: str, value: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    document: dict[str, list[dict[str, Any]]] = {
        "categories": [{"id": 1, "name": "dent"}],
        "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}],
    }
    document[where][0][key] = value
    (folder / "a.json").write_text(json.dumps(document))
    check_samples_or_one_line(folder / "a.json", input_format="coco")


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("damage/train.json", "damage"),
        ("damage/val.json", "damage"),
        ("damage_boxes/train.json", "damage"),
        ("parts/val.json", "part"),
        ("cc0/annotations.json", "damage"),
        ("formats/roboflow_coco/valid/_annotations.coco.json", "damage"),
    ],
)
def test_the_shared_photos_open_whole(shared_data: Path, file: str, kind: str) -> None:
    document = json.loads((shared_data / file).read_text())
    samples = list(read_coco(shared_data / file))
    assert len(samples) == len(document["images"]) > 0
    assert sum(len(sample.annotations) for sample in samples) == len(document["annotations"])
    assert {annotation.kind for sample in samples for annotation in sample.annotations} == {kind}


def test_annotations_within_their_image_are_refused_and_not_passed_over(coco: Write) -> None:
    def nest(document: dict[str, Any]) -> None:
        document["images"][0]["annotations"], document["annotations"] = document["annotations"], []

    with pytest.raises(
        DatasetError, match="images hold annotations of their own, which is not COCO; put them into its `annotations`"
    ):
        list(read_coco(coco(nest)))


def test_panoptic_is_refused_by_name(coco: Write) -> None:
    panoptic = [{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 4}]}]
    with pytest.raises(
        DatasetError, match="this is COCO panoptic, with pictures as masks, which is not read; export COCO instances"
    ):
        list(read_coco(coco(set_in("annotations", value=panoptic))))


def test_key_points_are_told(coco: Write) -> None:
    data = open_dataset(coco(set_in(*ANNOTATION, "keypoints", value=[3, 3, 2])))
    list(data)
    assert data.adjustments.counts == {"key points are left out: they have no outline": 1}


@pytest.mark.parametrize("outline", [[[2, 2, 8, 2]], [[2, 2, 4, 4, 6, 6]]], ids=["two points", "a line"])
def test_an_outline_of_nothing_does_not_cost_the_box(coco: Write, outline: object) -> None:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0] |= {"segmentation": outline, "bbox": [2, 3, 4, 5]}

    data = open_dataset(coco(change))
    first = next(iter(data)).annotations[0]
    assert (first.box_xyxy, first.polygons) == ((2, 3, 6, 8), ())
    list(data)
    assert data.adjustments.counts == {"outlines that enclose nothing, beside a box, are left out: the box is taken": 1}


@pytest.mark.parametrize("nothing", [{}, [None], [[], {}], ""], ids=str)
def test_an_outline_that_is_not_there_leaves_the_box(coco: Write, nothing: object) -> None:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0] |= {"segmentation": nothing, "bbox": [2, 3, 4, 5]}

    assert next(read_coco(coco(change))).annotations[0].box_xyxy == (2, 3, 6, 8)


def test_attributes_may_be_a_list_of_names_and_values(coco: Write) -> None:
    said = [{"name": "metal", "value": "steel"}, {"name": "old", "value": True}]
    first = next(read_coco(coco(set_in(*ANNOTATION, "attributes", value=said)))).annotations[0]
    assert first.attributes == (("metal", "steel"), ("old", "true"))


def test_the_same_category_may_be_told_twice(coco: Write) -> None:
    def change(document: dict[str, Any]) -> None:
        document["categories"].append(document["categories"][0])

    assert len(list(read_coco(coco(change)))) == len(list(read_coco(coco())))
