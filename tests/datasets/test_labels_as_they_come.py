"""Label files as people have them, found in public threads: nothing is lost or invented without a word.

One test a situation; what else there is of its kind is tested beside its format.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from dentify.curation.captions import captions_of
from dentify.curation.inspection import inspect_dataset
from dentify.datasets import LabelMap, Sample, open_dataset
from dentify.datasets.convert import names_in, write_dataset
from dentify.datasets.dataset import Dataset
from dentify.errors import DatasetError

WIDTH, HEIGHT = 320, 240
SQUARE = [[10, 10], [70, 10], [70, 70], [10, 70]]


def folder(root: Path, files: Mapping[str, str | bytes | object]) -> Path:
    """Photos, texts, bytes, and whatever else as JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".jpg", ".png"):
            Image.new("RGB", (WIDTH, HEIGHT)).save(path)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root


def read(root: Path, **options: Any) -> tuple[Dataset, dict[str, Sample], list[DatasetError]]:
    """A data set that was read to its end: itself, its photos by name, and what did not hold."""
    problems: list[DatasetError] = []
    data = open_dataset(root, on_invalid=problems.append, **options)
    return data, {sample.name: sample for sample in data}, problems


def told(sample: Sample) -> list[tuple[str, tuple[int, ...], int]]:
    """Each annotation: its name, its box in whole pixels, how many polygons it has."""
    return [(one.name, tuple(round(side) for side in one.box_xyxy), len(one.polygons)) for one in sample.annotations]


def coco(*names: str, photos: int | None = None, **changes: Any) -> dict[str, Any]:
    """COCO with a box of each name, a photo each."""
    row = {"bbox": [10, 10, 60, 60], "area": 3600, "iscrowd": 0, "segmentation": [], **changes}
    return {
        "images": [
            {"id": n, "file_name": f"p{n}.jpg", "width": WIDTH, "height": HEIGHT}
            for n in range(len(names) if photos is None else photos)
        ],
        "annotations": [{"id": n, "image_id": n, "category_id": n, **row} for n in range(len(names))],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
    }


def shape(label: str, points: list[list[int]], kind: str = "polygon") -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {}}


def labelme(picture: str, *shapes: dict[str, Any]) -> dict[str, Any]:
    size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    return {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": picture, "imageData": None, **size}


def rectangle(label: str, x: int, y: int, w: int, h: int, photo: str = "image") -> dict[str, Any]:
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": 0, "rectanglelabels": [label]}
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    return {"id": label, "type": "rectanglelabels", "from_name": "label", "to_name": photo, "value": value, **size}


PHOTOS = {"p0.jpg": b"", "p1.jpg": b""}
TWO_BOXES = "0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n"


def test_a_csv_with_boxes_is_boxes_and_several_rows_a_photo_are_no_contradiction(tmp_path: Path) -> None:
    rows = ["p0.jpg,320,240,dent,5,10,55,110", "p0.jpg,320,240,scratch,60,10,90,40", "p1.jpg,320,240,dent,5,10,55,110"]
    table = "\n".join(["filename,width,height,class,xmin,ymin,xmax,ymax", *rows])
    _, samples, problems = read(folder(tmp_path, {**PHOTOS, "labels.csv": table}))
    assert problems == []
    assert told(samples["p0.jpg"]) == [("dent", (5, 10, 55, 110), 0), ("scratch", (60, 10, 90, 40), 0)]
    assert told(samples["p1.jpg"]) == [("dent", (5, 10, 55, 110), 0)]


def test_a_column_of_labels_is_found_whatever_it_is_called(tmp_path: Path) -> None:
    table = ",image,classes\n0,image/0.jpg,dent\n1,image/1.jpg,scratch\n2,image/2.jpg,no damage\n"
    _, samples, _ = read(folder(tmp_path, {f"image/{n}.jpg": b"" for n in range(3)} | {"data.csv": table}))
    assert [sample.labels for sample in samples.values()] == [("dent",), ("scratch",), ("undamaged",)]


def test_key_points_of_yolo_are_left_out_and_are_no_polygon(tmp_path: Path) -> None:
    line = "0 0.50 0.50 0.40 0.30 0.32 0.36 0.68 0.36 0.68 0.63 0.32 0.63\n"
    files = {"images/train/a.jpg": b"", "labels/train/a.txt": line}
    files["data.yaml"] = (
        "path: /home/someone/plates\ntrain: images/train\nval: images/train\nkpt_shape: [4, 2]\nnames: {0: dent}\n"
    )
    data, samples, _ = read(folder(tmp_path, files))
    assert told(samples["a.jpg"]) == [("dent", (96, 84, 224, 156), 0)]
    assert any("points" in note for note in data.notes)


def test_ids_of_tracks_are_no_polygon_and_no_confidence(tmp_path: Path) -> None:
    files = {"images/a.jpg": b"", "images/b.jpg": b"", "classes.txt": "dent\nscratch\n"}
    files["labels/a.txt"] = "1 0.40 0.60 0.20 0.30 1\n1 0.60 0.50 0.10 0.10 2\n"
    files["labels/b.txt"] = "0 0.40 0.60 0.20 0.30 0.91 1\n1 0.60 0.50 0.10 0.10 0.87 2\n"
    _, samples, _ = read(folder(tmp_path, files))
    assert told(samples["a.jpg"]) == [("scratch", (96, 108, 160, 180), 0), ("scratch", (176, 108, 208, 132), 0)]
    assert told(samples["b.jpg"]) == [("dent", (96, 108, 160, 180), 0), ("scratch", (176, 108, 208, 132), 0)]
    assert [one.score for name in ("a.jpg", "b.jpg") for one in samples[name].annotations] == [None, None, 0.91, 0.87]


def test_a_task_of_several_photos_puts_each_region_on_its_own(tmp_path: Path) -> None:
    result = [rectangle("dent", 10, 10, 20, 20, "front"), rectangle("scratch", 50, 50, 30, 30, "rear")]
    task = {
        "id": 1,
        "data": {"front": "/data/upload/1/p0.jpg", "rear": "/data/upload/1/p1.jpg"},
        "annotations": [{"result": result}],
    }
    _, samples, _ = read(folder(tmp_path, {**PHOTOS, "export.json": [task]}))
    assert told(samples["p0.jpg"]) == [("dent", (32, 24, 96, 72), 0)]
    assert told(samples["p1.jpg"]) == [("scratch", (160, 120, 256, 192), 0)]


def test_outlines_of_cars_say_that_a_vehicle_is_there_and_nothing_of_damage(tmp_path: Path) -> None:
    root = folder(tmp_path, {f"p{n}.jpg": b"" for n in range(3)} | {"labels.json": coco("Car", "Truck", "dent")})
    _, samples, _ = read(root)
    assert [(sample.vehicle, sample.damage) for sample in samples.values()] == [(True, None), (True, None), (True, True)]
    assert not any("damage" in text.lower() for name in ("p0.jpg", "p1.jpg") for text in captions_of(samples[name]))


@pytest.mark.parametrize(
    ("pictures", "texts", "train"),
    [("images/p0.jpg", "labels/p0.TXT", "images"), ("Train/Images/p0.jpg", "Train/Labels/p0.txt", "Train/Images")],
    ids=["suffix", "folders"],
)
def test_capital_letters_hide_no_texts_of_yolo(tmp_path: Path, pictures: str, texts: str, train: str) -> None:
    files = {pictures: b"", texts: TWO_BOXES, "data.yaml": f"train: {train}\nnames: [dent, scratch]\n"}
    _, samples, problems = read(folder(tmp_path, files))
    assert problems == []
    assert [name for name, _, _ in told(samples["p0.jpg"])] == ["dent", "scratch"]


def test_texts_of_yolo_lie_beside_their_pictures_with_names_and_without(tmp_path: Path) -> None:
    files = {"images/p0.jpg": b"", "images/p0.txt": TWO_BOXES, "data.yaml": "train: images\nnames: [dent, scratch]\n"}
    _, samples, _ = read(folder(tmp_path / "in_images", files))
    assert [name for name, _, _ in told(samples["p0.jpg"])] == ["dent", "scratch"]
    bare = folder(tmp_path / "no_names", {"p0.jpg": b"", "p0.txt": TWO_BOXES})
    for options in ({}, {"input_format": "yolo"}):
        data, samples, _ = read(bare, **options)
        assert [name for name, _, _ in told(samples["p0.jpg"])] == ["0", "1"]
        assert dict(data.unknown) == {"0": 1, "1": 1}  # which nobody named: no damage


def test_turned_boxes_in_labelTxt_are_polygons(tmp_path: Path) -> None:
    text = "40 40 120 60 110 100 30 80 dent 0\n200 50 260 50 260 90 200 90 scratch 0\n"
    names = "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [dent, scratch]\n"
    files = {"train/images/a.jpg": b"", "train/labelTxt/a.txt": text, "data.yaml": names}
    _, samples, _ = read(folder(tmp_path, files))
    dent, scratch = samples["a.jpg"].annotations
    np.testing.assert_array_equal(dent.polygons[0], [[40, 40], [120, 60], [110, 100], [30, 80]])
    assert (scratch.name, len(scratch.polygons)) == ("scratch", 1)


def test_an_attribute_a_class_in_via_leaves_nothing_unnamed(tmp_path: Path) -> None:
    def region(**attributes: str) -> dict[str, Any]:
        outline = {"name": "polygon", "all_points_x": [50, 110, 110], "all_points_y": [50, 50, 110]}
        return {"shape_attributes": outline, "region_attributes": attributes}

    regions = [region(dent="1", scratch=""), region(dent="", scratch="1")]
    document = {"p0.jpg9": {"filename": "p0.jpg", "size": 9, "regions": regions, "file_attributes": {}}}
    document["p1.jpg9"] = {"filename": "p1.jpg", "size": 9, "regions": regions[:1], "file_attributes": {}}
    _, samples, _ = read(folder(tmp_path, {**PHOTOS, "via.json": document}))
    assert [[name for name, _, _ in told(sample)] for sample in samples.values()] == [["dent", "scratch"], ["dent"]]


def test_a_type_in_an_attribute_of_cvat_is_told_and_read_where_a_map_names_it(tmp_path: Path) -> None:
    outline = '<polygon label="damage" points="{0},10;{1},10;{1},70"><attribute name="damage_type">{2}</attribute></polygon>'
    shapes = outline.format(10, 70, "dent") + outline.format(110, 170, "scratch")
    text = f'<annotations><image id="0" name="p0.jpg" width="320" height="240">{shapes}</image></annotations>'
    root = folder(tmp_path, {"images/p0.jpg": b"", "annotations.xml": text})
    data, samples, _ = read(root)
    assert [name for name, _, _ in told(samples["p0.jpg"])] == ["damage", "damage"]
    assert dict(data.attributes["damage_type"]) == {"dent": 1, "scratch": 1}
    mapped = LabelMap({"damage": "damaged"}, others="refused", attribute="damage_type")
    _, samples, _ = read(root, labels=mapped)
    assert [name for name, _, _ in told(samples["p0.jpg"])] == ["dent", "scratch"]


@pytest.mark.parametrize(
    ("said", "file"),
    [
        (unicodedata.normalize("NFC", "Müller.jpg"), unicodedata.normalize("NFD", "Müller.jpg")),
        ("IMG_0001.jpg", "IMG_0001.JPG"),
    ],
    ids=["a Mac's zip", "Windows"],
)
def test_a_name_that_differs_in_its_form_or_case_finds_the_one_picture(tmp_path: Path, said: str, file: str) -> None:
    document = coco("dent")
    document["images"][0]["file_name"] = said
    data, samples, problems = read(folder(tmp_path, {file: b"", "labels.json": document}))
    assert (problems, len(told(samples[said]))) == ([], 1)
    assert len(data.adjustments.counts) == 1


def test_a_picture_that_was_renamed_with_its_json_is_found(tmp_path: Path) -> None:
    document = labelme("IMG_20240501_101500.jpg", shape("dent", SQUARE))
    _, samples, problems = read(folder(tmp_path, {"claim7_front.jpg": b"", "claim7_front.json": document}))
    assert problems == []
    assert [told(sample) for sample in samples.values()] == [[("dent", (10, 10, 70, 70), 1)]]


@pytest.mark.parametrize("kind", ["rotation", "quadrilateral"])
def test_turned_boxes_and_quadrilaterals_of_x_anylabeling_are_polygons(tmp_path: Path, kind: str) -> None:
    corners = [[50, 30], [100, 50], [90, 80], [40, 60]]
    _, samples, problems = read(folder(tmp_path, {"p0.jpg": b"", "p0.json": labelme("p0.jpg", shape("dent", corners, kind))}))
    assert problems == []
    np.testing.assert_array_equal(samples["p0.jpg"].annotations[0].polygons[0], corners)


def test_a_cuboid_of_x_anylabeling_is_left_out_with_a_note(tmp_path: Path) -> None:
    corners = [[50, 30], [100, 30], [100, 80], [50, 80], [60, 20], [110, 20], [110, 70], [60, 70]]
    document = labelme("p0.jpg", shape("dent", corners, "cuboid"), shape("dent", SQUARE))
    data, samples, problems = read(folder(tmp_path, {"p0.jpg": b"", "p0.json": document}))
    assert (problems, len(samples["p0.jpg"].annotations)) == ([], 1)
    assert any("cuboid" in note for note in data.notes)


@pytest.mark.parametrize(
    "changes",
    [{"segmentation": [np.ravel(SQUARE).tolist(), [20, 20, 30, 30]]}, {"bbox": []}, {"bbox": [0, 0, 0, 0]}],
    ids=["a scrap", "an empty box", "a box of zeros"],
)
def test_a_scrap_beside_a_good_outline_costs_nothing_but_itself(tmp_path: Path, changes: dict[str, Any]) -> None:
    document = coco("dent", **{"segmentation": [np.ravel(SQUARE).tolist()], **changes})
    data, samples, problems = read(folder(tmp_path, {"p0.jpg": b"", "labels.json": document}))
    assert (problems, told(samples["p0.jpg"])) == ([], [("dent", (10, 10, 70, 70), 1)])
    assert data.adjustments.counts.total() == 1


def test_a_project_of_supervisely_is_no_folder_of_a_class_ds(tmp_path: Path) -> None:
    thing = {"classTitle": "dent", "geometryType": "polygon", "points": {"exterior": SQUARE, "interior": []}, "tags": []}
    document = {"description": "", "tags": [], "size": {"height": HEIGHT, "width": WIDTH}, "objects": [thing]}
    meta = {"classes": [{"title": "dent", "shape": "polygon"}], "tags": []}
    data, samples, _ = read(folder(tmp_path, {"ds/img/p0.jpg": b"", "ds/ann/p0.jpg.json": document, "meta.json": meta}))
    assert (data.format, told(samples["p0.jpg"]), samples["p0.jpg"].labels) == (
        "supervisely",
        [("dent", (10, 10, 70, 70), 1)],
        (),
    )


def test_an_asset_of_vott_beside_its_picture_is_read(tmp_path: Path) -> None:
    region = {
        "type": "RECTANGLE",
        "tags": ["dent"],
        "boundingBox": {"height": 60, "width": 60, "left": 10, "top": 10},
        "points": [],
    }
    asset = {"name": "p0.jpg", "path": "file:C:/x/p0.jpg", "size": {"width": WIDTH, "height": HEIGHT}}
    _, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "a-asset.json": {"asset": asset, "regions": [region]}}))
    assert told(samples["p0.jpg"]) == [("dent", (10, 10, 70, 70), 0)]


def test_a_box_that_was_drawn_upwards_is_the_box_with_its_corners_sorted(tmp_path: Path) -> None:
    task = {
        "id": 1,
        "data": {"image": "/data/upload/1/p0.jpg"},
        "annotations": [{"result": [rectangle("dent", 30, 70, 20, -20)]}],
    }
    data, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "export.json": [task]}))
    assert told(samples["p0.jpg"]) == [("dent", (96, 120, 160, 168), 0)]
    assert data.adjustments.counts.total() == 1


def test_a_box_of_cvat_whose_corners_are_swapped_is_the_same_box(tmp_path: Path) -> None:
    box = '<box label="dent" xtl="70" ytl="70" xbr="10" ybr="10"/>'
    text = f'<annotations><image id="0" name="p0.jpg" width="320" height="240">{box}</image></annotations>'
    _, samples, _ = read(folder(tmp_path, {"images/p0.jpg": b"", "annotations.xml": text}))
    assert told(samples["p0.jpg"]) == [("dent", (10, 10, 70, 70), 0)]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_csv_of_excel_is_read_in_its_encoding(tmp_path: Path, encoding: str) -> None:
    table = "file;label\np0.jpg;dent\np1.jpg;Türdelle\n".encode(encoding)
    data, samples, problems = read(folder(tmp_path, {**PHOTOS, "labels.csv": table}))
    assert problems == []
    assert [sample.labels for sample in samples.values()] == [("dent",), ("Türdelle",)]
    assert dict(data.unknown) == {"Türdelle": 1}


def test_inspecting_tells_words_that_the_map_leaves_out(tmp_path: Path) -> None:
    root = folder(tmp_path, {f"p{n}.jpg": b"" for n in range(3)} | {"labels.json": coco("delle", "kratzer", "dent")})
    mapped = LabelMap({"delle": "dent"}, others="refused")
    data = open_dataset(root, labels=mapped, check_pictures=False)
    with pytest.raises(DatasetError, match=r"1 label that is not mapped: kratzer \(1×"):
        data.check_labels()
    inspection = inspect_dataset(data, [], pictures=False).inspection
    assert inspection.unknown == {"kratzer": 1}
    assert inspection.types["kratzer"].kind == "other"
    assert sum(split.annotations for split in inspection.splits.values()) == 3


def test_what_labelme_ignores_is_no_type_no_damage_and_no_category(tmp_path: Path) -> None:
    left_alone = shape("__ignore__", [[100, 100], [160, 100], [160, 160]])
    files = {"p0.json": labelme("p0.jpg", shape("dent", SQUARE), left_alone), "p1.json": labelme("p1.jpg", left_alone)}
    root = folder(tmp_path / "data", {**PHOTOS, **files})
    data, samples, _ = read(root)
    assert [told(samples[name]) for name in ("p0.jpg", "p1.jpg")] == [[("dent", (10, 10, 70, 70), 1)], []]
    assert samples["p1.jpg"].damage is None
    write_dataset(data, tmp_path / "out", "coco", names=names_in(data))
    categories = json.loads((tmp_path / "out" / "annotations.json").read_text())["categories"]
    assert [category["name"] for category in categories] == ["dent"]


def test_what_is_written_as_yolo_names_train_and_val_and_default_is_no_split(tmp_path: Path) -> None:
    box = '<box label="dent" xtl="10" ytl="10" xbr="70" ybr="70"/>'
    text = f'<annotations><image id="0" name="p0.jpg" subset="default" width="320" height="240">{box}</image></annotations>'
    data, samples, _ = read(folder(tmp_path / "data", {"images/p0.jpg": b"", "annotations.xml": text}))
    assert samples["p0.jpg"].split is None
    write_dataset(data, tmp_path / "out", "yolo", names=names_in(data))
    written = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert (written["train"], written["val"], "default" in written) == ("images/train", "images/train", False)


@pytest.mark.parametrize("as_id", [str, float, int])
def test_ids_of_coco_are_the_same_as_numbers_as_texts_and_with_a_fraction_of_nothing(tmp_path: Path, as_id: Any) -> None:
    document = coco("dent")
    document["images"][0]["id"] = as_id(3)
    document["annotations"][0] |= {"image_id": 3, "category_id": 0}
    document["categories"][0]["id"] = as_id(0)
    _, samples, problems = read(folder(tmp_path, {"p0.jpg": b"", "_annotations.coco.json": document}))
    assert told(samples["p0.jpg"]) == [("dent", (10, 10, 70, 70), 0)]
    assert problems == []


@pytest.mark.parametrize(
    ("changes", "box", "corners"),
    [
        ({"bbox": [10, 10, 70, 70]}, (10, 10, 70, 70), 1),  # only so of the area that is told
        ({"bbox": [20, 30, 80, 90], "segmentation": [[20, 30, 80, 30, 80, 90, 20, 90]]}, (20, 30, 80, 90), 1),
        ({"bbox": [10, 10, 70, 70], "area": 4900}, (10, 10, 80, 80), 0),
        ({"bbox": [10, 10, 60, 60], "area": 0}, (10, 10, 70, 70), 0),
    ],
)
def test_boxes_of_coco_are_corners_where_outline_or_area_show_it(
    tmp_path: Path, changes: dict[str, Any], box: tuple[int, ...], corners: int
) -> None:
    data, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "a.json": coco("dent", **changes)}))
    assert [one[1] for one in told(samples["p0.jpg"])] == [box]
    assert sum("tell two corners and no size" in rule for rule in data.adjustments.counts) == corners


SHARES = {
    "COCO": {"a.json": coco("dent", bbox=[0.1, 0.2, 0.3, 0.4])},
    "LabelMe": {"p0.json": labelme("p0.jpg", shape("dent", [[0.1, 0.1], [0.5, 0.1], [0.5, 0.6]]))},  # type: ignore[list-item]
    "a row of a table": {
        "a.csv": "file,label,xmin,ymin,xmax,ymax\np0.jpg,dent,0.1,0.2,0.4,0.6\np1.jpg,dent,5,10,55,110\n",
    },
}


@pytest.mark.parametrize("files", SHARES.values(), ids=SHARES.keys())
def test_shares_where_pixels_should_be_are_no_outlines_of_half_a_pixel(tmp_path: Path, files: dict[str, Any]) -> None:
    _, samples, problems = read(folder(tmp_path, {**PHOTOS, **files}))
    assert told(samples["p0.jpg"]) == []
    assert [str(one) for one in problems if "are its numbers shares of the photo, and not pixels?" in str(one)] != []


def test_regions_of_label_studio_that_are_not_read_are_told_and_closed_vectors_are_outlines(tmp_path: Path) -> None:
    size = {"original_width": WIDTH, "original_height": HEIGHT, "from_name": "label", "to_name": "image"}
    corners = [{"x": x, "y": y} for x, y in ((10, 10), (50, 10), (50, 50))]
    closed, line = ({"vertices": corners, "closed": way, "vectorlabels": ["dent"]} for way in (True, False))
    regions = [
        {"id": "a", "type": "vectorlabels", "value": closed, **size},
        {"id": "b", "type": "vectorlabels", "value": line, **size},
        {"id": "c", "type": "magicwandlabels", "value": {"magicwandlabels": ["dent"]}, **size},
        {"id": "d", "type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["dent"]}, **size},
    ]
    tasks = [{"id": 1, "data": {"image": "/data/upload/1/p0.jpg"}, "annotations": [{"result": regions}]}]
    data, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "tasks.json": tasks}))
    assert told(samples["p0.jpg"]) == [("dent", (32, 24, 160, 120), 1)]
    assert data.adjustments.counts == {
        "lines are left out: they enclose nothing": 1,
        "regions of kind magicwand are left out: they are no outline that is read": 1,
        "regions of kind keypoint are left out: they are no outline that is read": 1,
    }


@pytest.mark.parametrize(
    ("attributes", "labels", "damage"),
    [
        ({"damage": "dent"}, ("dent",), True),
        ({"damaged": "no"}, ("undamaged",), False),
        ({"quality": {"minor": True, "severe": False}}, ("minor",), True),
        ({"caption": "", "public_domain": "no", "year": "2019"}, (), None),
    ],
)
def test_what_via_says_of_a_photo_as_a_whole_is_read_or_told(
    tmp_path: Path, attributes: dict[str, Any], labels: tuple[str, ...], damage: bool | None
) -> None:
    document = {"p0.jpg1": {"filename": "p0.jpg", "size": 1, "regions": [], "file_attributes": attributes}}
    data, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "via.json": document}))
    assert (samples["p0.jpg"].labels, samples["p0.jpg"].damage) == (labels, damage)
    left_out = {} if labels else {f"attributes of whole photos are left out: {key}": 1 for key in ("public_domain", "year")}
    assert data.adjustments.counts == left_out


def test_a_shape_of_cvat_that_is_outside_is_not_seen(tmp_path: Path) -> None:
    boxes = "".join(f'<box label="dent" outside="{one}" xtl="10" ytl="10" xbr="70" ybr="{70 + one}"/>' for one in (0, 1))
    text = f'<annotations><image id="0" name="p0.jpg" width="320" height="240">{boxes}</image></annotations>'
    data, samples, _ = read(folder(tmp_path, {"p0.jpg": b"", "annotations.xml": text}))
    assert told(samples["p0.jpg"]) == [("dent", (10, 10, 70, 70), 0)]
    assert [rule.partition(":")[0] for rule in data.adjustments.counts] == ["shapes that are marked as outside are left out"]


def test_two_lists_of_yolos_names_that_differ_are_no_one_list(tmp_path: Path) -> None:
    files = {}
    for number, names in enumerate(("dent\nscratch\n", "scratch\ndent\n")):
        files |= {f"{number}/images/p{number}.jpg": b"", f"{number}/labels/p{number}.txt": "0 0.5 0.5 0.2 0.2\n"}
        files[f"{number}/classes.txt"] = names
    _, samples, problems = read(folder(tmp_path, files))
    assert samples == {}
    assert "name other classes, or in another order; open the folder of each by itself" in str(problems[0])
    (tmp_path / "1" / "classes.txt").write_bytes(b"\xef\xbb\xbfdent\r\nscratch\r\n\r\n")
    _, samples, problems = read(tmp_path)
    assert [told(one)[0][0] for one in samples.values()] == ["dent", "dent"]


def test_names_of_yolo_that_are_no_list_are_told_and_not_passed_over(tmp_path: Path) -> None:
    files = {"images/p0.jpg": b"", "labels/p0.txt": TWO_BOXES, "data.yaml": "train: images\nnames: dent, scratch\nnc: 2\n"}
    _, samples, problems = read(folder(tmp_path, files))
    assert samples == {}
    assert "names must be a list, or names by class id" in str(problems[0])
