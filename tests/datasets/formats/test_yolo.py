"""YOLO's text files as they are, and as they should not be."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.datasets import Dataset, Sample, open_dataset
from dentify.datasets.label_set import TURNED
from dentify.errors import DatasetError

Write = Callable[..., Path]

BOX = "0 0.5 0.5 0.4 0.6"  # (6, 2) to (14, 8) on a photo of 20 × 10
POLYGON = "1 0.1 0.2 0.4 0.2 0.4 0.8"
YAML = "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['dent', 'scratch']\n"


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10)).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name tells no split."""
    (tmp_path / "cars").mkdir()
    return tmp_path / "cars"


@pytest.fixture
def yolo(root: Path) -> Write:
    """Writes a photo and its lines into Roboflow's folders, and returns the root."""

    def write(text: str = f"{BOX}\n{POLYGON}\n", split: str = "train", name: str = "a", yaml: str = YAML) -> Path:
        picture(root / split / "images" / f"{name}.jpg")
        (root / split / "labels").mkdir(exist_ok=True)
        (root / split / "labels" / f"{name}.txt").write_text(text)
        (root / "data.yaml").write_text(yaml)
        return root

    return write


def only(path: Path, **options: Any) -> Sample:
    (sample,) = open_dataset(path, **options)
    return sample


def test_shares_become_pixels(yolo: Write) -> None:
    data = open_dataset(yolo())
    assert data.format == "yolo"
    (sample,) = data
    assert (sample.name, sample.size_hw, sample.split, sample.labelled) == ("a.jpg", (10, 20), "train", {"dent", "scratch"})
    dent, scratch = sample.annotations
    assert (dent.name, dent.has_mask) == ("dent", False)
    assert dent.box_xyxy == pytest.approx((6, 2, 14, 8))
    assert scratch.name == "scratch"
    np.testing.assert_allclose(scratch.polygons[0], [[2, 2], [8, 2], [8, 8]])


LINES = {
    "box with a confidence": (f"{BOX} 0.75", 0, 0.75),
    "polygon with a confidence": (f"{POLYGON} 0.25", 1, 0.25),
    "four corners of a turned box": ("0 0.3 0.2 0.7 0.2 0.7 0.8 0.3 0.8", 1, None),
    "class as a fraction": (BOX.replace("0 ", "0.0 ", 1), 0, None),
    "tabs and a space at the end": (BOX.replace(" ", "\t") + " ", 0, None),
    "a pixel over the edge": ("0 0.52 0.5 1.0 0.6", 0, None),
}


@pytest.mark.parametrize(("line", "polygons", "score"), LINES.values(), ids=LINES.keys())
def test_lines_come_in_several_forms(yolo: Write, line: str, polygons: int, score: float | None) -> None:
    (annotation,) = only(yolo(line)).annotations
    assert (len(annotation.polygons), annotation.score) == (polygons, score)


def test_windows_line_ends_and_byte_order_marks_do_no_harm(yolo: Write) -> None:
    assert len(only(yolo(f"\ufeff{BOX}\r\n\r\n{POLYGON}\r\n")).annotations) == 2


def test_a_picture_without_a_text_file_has_no_annotations(yolo: Write) -> None:
    root = yolo()
    picture(root / "train/images/b.jpg")
    yolo("", split="valid", name="c")
    assert [(sample.name, sample.split, len(sample.annotations)) for sample in open_dataset(root)] == [
        ("a.jpg", "train", 2),
        ("b.jpg", "train", 0),
        ("c.jpg", "val", 0),
    ]


@pytest.mark.parametrize(
    "names", ["[dent, scratch]", "{0: dent, 1: scratch}", "{'0': dent, '1': scratch}"], ids=["list", "mapping", "mapping of text"]
)
def test_names_are_a_list_or_a_mapping(yolo: Write, names: str) -> None:
    assert [one.name for one in only(yolo(yaml=f"train: train/images\nnames: {names}\n")).annotations] == ["dent", "scratch"]


def test_a_split_without_its_folder_is_noted(yolo: Write) -> None:
    data = open_dataset(yolo())
    list(data)
    assert [note.partition("data.yaml: ")[2] for note in data.notes] == ["val: no folder or list '../valid/images'"]


LAYOUTS = {  # pictures, labels and other files of each layout
    "Ultralytics with lists": (
        ["images/train/a.jpg"],
        {"labels/train/a.txt": BOX, "data.yaml": "train: train.txt\nnames: [dent]\n", "train.txt": "./images/train/a.jpg\n"},
    ),
    "lists with backslashes of another machine": (
        ["images/train/a.jpg"],
        {
            "labels/train/a.txt": BOX,
            "data.yaml": "train: train.txt\nnames: [dent]\n",
            "train.txt": "D:\\set\\images\\train\\a.jpg\n",
        },
    ),
    "Darknet": (
        ["obj_train_data/a.jpg"],
        {
            "obj_train_data/a.txt": BOX,
            "obj.names": "dent\n",
            "obj.data": "classes = 1\n",
            "train.txt": "data/obj_train_data/a.jpg\n",
        },
    ),
    "a folder above the images": (
        ["train/images/a.jpg"],
        {"train/labels/a.txt": BOX, "data.yaml": "path: ../cars\ntrain: train\nnames: [dent]\n"},
    ),
    "classes.txt beside the labels": (["train/a.jpg"], {"train/a.txt": BOX, "train/classes.txt": "dent\n"}),
    "classes.txt above": (["images/train/a.jpg"], {"labels/train/a.txt": BOX, "classes.txt": "dent\n"}),
}


@pytest.mark.parametrize(("pictures", "files"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_is_recognised(root: Path, pictures: list[str], files: dict[str, str]) -> None:
    for name in pictures:
        picture(root / name)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    data = open_dataset(root)
    assert data.format == "yolo"
    assert [(sample.split, [one.name for one in sample.annotations]) for sample in data] == [("train", ["dent"])]


def test_without_names_class_ids_are_the_words(root: Path) -> None:
    picture(root / "images/train/a.jpg")
    (root / "labels/train").mkdir(parents=True)
    (root / "labels/train/a.txt").write_text(f"{BOX}\n{POLYGON}\n")
    assert [one.name for one in only(root).annotations] == ["0", "1"]


def test_labels_are_found_behind_any_number_of_pictures(root: Path) -> None:
    (root / "images").mkdir()
    (root / "labels").mkdir()
    for number in range(1100):
        (root / "images" / f"{number}.jpg").touch()
    (root / "labels/5.txt").write_text(BOX)
    assert open_dataset(root).format == "yolo"


def test_masks_with_a_list_of_classes_are_not_taken_for_yolo(root: Path) -> None:
    picture(root / "images/a.jpg")
    (root / "masks").mkdir()
    Image.new("L", (20, 10)).save(root / "masks/a.png")
    (root / "classes.txt").write_text("dent\n")
    assert open_dataset(root).format == "masks"


def test_labels_are_matched_by_name_where_the_pictures_are_elsewhere(yolo: Write, tmp_path: Path) -> None:
    root = yolo()
    (root / "train/images/a.jpg").rename(picture(tmp_path / "photos/a.jpg"))
    sample = only(root, images=tmp_path / "photos")
    assert (sample.split, len(sample.annotations)) == ("train", 2)


@pytest.mark.parametrize("labels", ["labels/{}", "{}/labels"])
def test_of_texts_of_one_name_each_is_its_folders_where_the_pictures_are_elsewhere(
    root: Path, tmp_path: Path, labels: str
) -> None:
    for split, line in (("train", BOX), ("val", POLYGON)):
        picture(tmp_path / "photos" / split / "a.jpg")
        text = root / labels.format(split) / "a.txt"
        text.parent.mkdir(parents=True)
        text.write_text(line)
    samples = {sample.split: sample for sample in open_dataset(root, images=tmp_path / "photos", input_format="yolo")}
    assert {split: [one.name for one in sample.annotations] for split, sample in samples.items()} == {
        "train": ["0"],
        "val": ["1"],
    }


def test_texts_of_one_name_of_which_none_is_nearer_are_refused(root: Path, tmp_path: Path) -> None:
    picture(tmp_path / "photos/a.jpg")
    picture(tmp_path / "photos/b.jpg")
    for name in ("train/a", "val/a", "train/b"):
        (root / "labels" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "labels" / f"{name}.txt").write_text(BOX)
    errors: list[DatasetError] = []
    data = open_dataset(root, images=tmp_path / "photos", on_invalid=errors.append)
    assert [sample.name for sample in data] == ["b.jpg"]
    (error,) = errors
    assert re.search(r"photos/a\.jpg: its labels may be .*labels/train/a\.txt or .*labels/val/a\.txt; put it into", str(error))


@pytest.mark.parametrize("yaml", ["", "train: train\nval: val\nnames: [dent]\n"], ids=["folders", "data.yaml"])
def test_one_text_is_not_taken_for_two_pictures(root: Path, yaml: str) -> None:
    for split in ("train", "val"):
        picture(root / split / "a.jpg")
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text(BOX)
    if yaml:
        (root / "data.yaml").write_text(yaml)
    told = r"labels/a\.txt: is taken for the labels of two pictures of one name, .*val/a\.jpg and one in another folder"
    with pytest.raises(DatasetError, match=told):
        list(open_dataset(root))


def test_a_label_file_without_its_picture_is_told(yolo: Write, tmp_path: Path) -> None:
    root = yolo()
    picture(tmp_path / "photos/b.jpg")
    with pytest.raises(DatasetError, match=r"labels/a.txt: the picture .*photos/a.jpg is missing; without its size"):
        list(open_dataset(root, images=tmp_path / "photos"))
    (root / "train/images/a.jpg").unlink()  # and no picture is left
    with pytest.raises(DatasetError, match=r"labels/a.txt: the picture .*a.jpg is missing"):
        list(open_dataset(root))


def test_a_listed_picture_that_is_missing_is_told(yolo: Write) -> None:
    root = yolo(yaml="train: train.txt\nnames: [dent, scratch]\n")
    (root / "train.txt").write_text("train/images/a.jpg\ntrain/images/b.jpg\n")
    with pytest.raises(DatasetError, match=r"b.txt: no picture 'b.jpg' in "):
        list(open_dataset(root))


def told(data: Dataset) -> list[str]:
    return [rule.partition(" are left out")[0] for rule in data.adjustments.counts]


KEY_POINTS = {
    "four of two numbers": ("[4, 2]", f"{BOX} 0.32 0.36 0.68 0.36 0.68 0.63 0.32 0.63", None),
    "two of three numbers": ("[2, 3]", f"{BOX} 0.3 0.3 2 0.6 0.6 1", None),
    "one of two numbers": ("[1, 2]", f"{BOX} 0.3 0.3", None),
    "with a confidence": ("[2, 3]", f"{BOX} 0.3 0.3 2 0.6 0.6 1 0.75", 0.75),
    "with a confidence and a track": ("[1, 2]", f"{BOX} 0.3 0.3 0.75 12", 0.75),
    "with a track": ("[1, 2]", f"{BOX} 0.3 0.3 12", None),
}


@pytest.mark.parametrize(("shape", "line", "score"), KEY_POINTS.values(), ids=KEY_POINTS.keys())
def test_key_points_are_left_out_and_the_box_stays(yolo: Write, shape: str, line: str, score: float | None) -> None:
    data = open_dataset(yolo(line, yaml=f"{YAML}kpt_shape: {shape}\n"))
    (annotation,) = next(iter(data)).annotations
    assert annotation.box_xyxy == pytest.approx((6, 2, 14, 8))
    assert (annotation.polygons, annotation.score) == ((), score)
    assert "key points" in told(data)


TRACKED = {
    "box and track": (f"{BOX} 1\n{BOX} 2\n", [None, None]),
    "box, confidence and track": (f"{BOX} 0.91 1\n{BOX} 0.87 2\n", [0.91, 0.87]),
    "one track alone": (f"{BOX} 17\n", [None]),
    "tracks that were lost": (f"{BOX} -1\n", [None]),
    "polygon, confidence and track": (f"{POLYGON} 0.5 3\n", [0.5]),
    "polygon and track": (f"{POLYGON} 3\n", [None]),
}


@pytest.mark.parametrize(("text", "scores"), TRACKED.values(), ids=TRACKED.keys())
def test_ids_of_tracks_are_neither_confidences_nor_corners(yolo: Write, text: str, scores: list[float | None]) -> None:
    data = open_dataset(yolo(text))
    annotations = next(iter(data)).annotations
    assert [one.score for one in annotations] == scores
    assert [sum(map(len, one.polygons)) for one in annotations] == [3 if text.startswith("1") else 0] * len(annotations)
    assert told(data) == ["ids of tracks"]


def test_other_files_tell_whether_a_last_number_is_a_track(yolo: Write) -> None:
    yolo(f"{BOX} 1")
    data = open_dataset(yolo(f"{BOX} 2", name="b"))
    assert [[one.score for one in sample.annotations] for sample in data] == [[None], [None]]
    data = open_dataset(yolo(f"{BOX} 0.5", name="b"))
    assert [[one.score for one in sample.annotations] for sample in data] == [[1.0], [0.5]]


@pytest.mark.parametrize(
    ("line", "message"), [(f"{BOX} 1", "1 may be a confidence or the id"), (f"{BOX} 0.9 1", "may be a polygon")]
)
def test_where_nothing_tells_a_track_from_a_confidence_nothing_is_guessed(yolo: Write, line: str, message: str) -> None:
    with pytest.raises(DatasetError, match=f"a.txt: line 1: {message}"):
        list(open_dataset(yolo(line)))


def test_polygons_that_end_at_the_edge_stay_polygons(yolo: Write) -> None:
    polygon, triangle = only(yolo("1 0.1 0.2 0.4 0.2 0.4 0.8 0.2 1\n1 0.5 0.5 1 0.2 0.9 1\n")).annotations
    assert [len(one.polygons[0]) for one in (polygon, triangle)] == [4, 3]
    assert [len(one.polygons[0]) for one in only(yolo("1 0.5 0.5 0.8 0.2 0.9 0\n")).annotations] == [3]


BESIDE = {  # pictures, their texts
    "capital suffix": ("images/a.jpg", "labels/a.TXT"),
    "capital folders": ("Train/Images/a.jpg", "Train/Labels/a.txt"),
    "all capital": ("TRAIN/IMAGES/A.JPG", "TRAIN/LABELS/A.TXT"),
    "small labels for capital images": ("Images/train/a.jpg", "labels/train/a.txt"),
    "beside the picture": ("images/a.jpg", "images/a.txt"),
    "beside, without folders": ("a.jpg", "a.txt"),
    "decomposed": ("images/M\u00fc.jpg", "labels/Mu\u0308.txt"),
}


@pytest.mark.parametrize(("photo", "text"), BESIDE.values(), ids=BESIDE.keys())
@pytest.mark.parametrize("names", ["data.yaml", "classes.txt", "nothing"])
def test_texts_are_found_whatever_their_case_and_place_with_names_and_without(
    root: Path, photo: str, text: str, names: str
) -> None:
    picture(root / photo)
    (root / text).parent.mkdir(parents=True, exist_ok=True)
    (root / text).write_text(f"{BOX}\n")
    if names == "data.yaml":
        (root / names).write_text(f"train: {Path(photo).parent.as_posix()}\nnames: [dent]\n")
    elif names == "classes.txt":
        (root / names).write_text("dent\n")
    data = open_dataset(root)
    assert data.format == "yolo"
    assert [[one.name for one in sample.annotations] for sample in data] == [["0" if names == "nothing" else "dent"]]


def test_a_split_is_found_whatever_its_case(root: Path) -> None:
    picture(root / "Train/Images/a.jpg")
    (root / "data.yaml").write_text("train: ./train/images\nnames: [dent]\n")
    assert [sample.split for sample in open_dataset(root)] == ["train"]


def test_of_two_texts_the_one_in_labels_is_read_and_the_other_is_told(root: Path) -> None:
    picture(root / "images/a.jpg")
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "a.txt").write_text(BOX if folder == "labels" else f"{BOX}\n{BOX}\n")
    (root / "data.yaml").write_text("train: images\nnames: [dent]\n")
    data = open_dataset(root)
    assert [len(sample.annotations) for sample in data] == [1]
    assert told(data) == ["texts beside pictures"]


@pytest.mark.parametrize("folder", ["labelTxt", "LabelTxt", "labels"])
@pytest.mark.parametrize("yaml", [YAML, None])
def test_turned_boxes_of_dota_are_polygons_in_pixels(yolo: Write, folder: str, yaml: str | None) -> None:
    root = yolo("")
    (root / "train/labels/a.txt").unlink()
    (root / "train" / folder).mkdir(exist_ok=True)
    text = "imagesource:GoogleEarth\ngsd:0.1\n4 1 12 3 11 8 3 6 dent 0\n2 2 8 2 8 8 2 8 broken lamp 1\n"
    (root / "train" / folder / "a.txt").write_text(text)
    if yaml is None:
        (root / "data.yaml").unlink()
    data = open_dataset(root)
    first, second = next(iter(data)).annotations
    np.testing.assert_array_equal(first.polygons[0], [[4, 1], [12, 3], [11, 8], [3, 6]])
    assert (first.name, second.name) == ("dent", "lamp_broken")
    assert told(data) == ["marks of what is difficult"]


@pytest.mark.parametrize("size_wh", [(20, 10), (640, 480), (4032, 3024)])
def test_a_hair_out_of_bounds_is_cut_and_told_at_any_size(yolo: Write, size_wh: tuple[int, int]) -> None:
    root = yolo("0 0.5 0.5 1.004 1.002\n1 0.1 0.2 1.005 0.2 0.4 0.8\n")
    Image.new("1", size_wh).save(root / "train/images/a.jpg")
    data = open_dataset(root)
    box, polygon = next(iter(data)).annotations
    assert box.box_xyxy == pytest.approx((0, 0, *size_wh))
    assert polygon.box_xyxy[2] == size_wh[0]
    assert list(data.adjustments.counts.values()) == [2]


def test_it_is_said_whose_frame_shares_are_of(yolo: Write) -> None:
    root = yolo()
    exif = Image.Exif()
    exif[274] = 6  # turned to the right
    Image.new("RGB", (10, 20)).save(root / "train/images/a.jpg", exif=exif)
    data = open_dataset(root)
    (sample,) = data
    assert sample.size_hw == (10, 20)
    assert list(data.adjustments.counts) == [TURNED]


@pytest.mark.parametrize("shape", ["[4]", "x", "[a, 2]", "[-1, 2]", "[1000000000, 1000000000]"])
def test_key_points_that_are_none_are_one_line(yolo: Write, shape: str) -> None:
    with pytest.raises(DatasetError, match=r"data.yaml: kpt_shape must be two whole numbers"):
        list(open_dataset(yolo(yaml=f"{YAML}kpt_shape: {shape}\n")))


WRONG = {
    "class out of range": ("2 0.5 0.5 0.4 0.6", r"line 1: class 2 is none of the 2 names \(0 to 1\)"),
    "negative class": ("-1 0.5 0.5 0.4 0.6", "line 1: class -1 is none of the 2 names"),
    "half a class": ("0.5 0.5 0.5 0.4 0.6", "line 1: must be a class id and numbers, got '0.5 0.5"),
    "class by name": ("dent 0.5 0.5 0.4 0.6", "line 1: must be a class id and numbers, got 'dent 0.5"),
    "NaN": ("0 nan 0.5 0.4 0.6", r"line 1: box holds a coordinate that is not a number \(NaN or infinite\)"),
    "NaN in a polygon": ("0 0.1 0.2 nan 0.2 0.4 0.8", r"line 1: polygon: .*\(NaN or infinite\)"),
    "negative": ("0 -0.5 0.5 0.4 0.6", r"line 1: box \(-14, 2\) to \(-6, 8\) lies outside the photo of 20 × 10"),
    "beyond the photo": ("0 0.1 0.2 1.4 0.2 0.4 0.8", r"line 1: polygon: point \(28, 2\) lies outside"),
    "pixels, not shares": ("0 10 5 8 6", "line 1: must be shares of the photo, from 0 to 1, got 10; are they pixels"),
    "no area": ("0 0.5 0.5 0 0.6", "line 1: box is degenerate: 0 wide, 6 high"),
    "flat polygon": ("0 0.1 0.1 0.2 0.2 0.3 0.3", "line 1: polygon: is degenerate, its area is 0"),
    "text": ("0 a b c d", "line 1: must be a class id and numbers"),
    "commas": ("0,0.5,0.5,0.4,0.6", "line 1: must be a class id and numbers"),
    "cut off in the second line": (f"{BOX}\n0 0.5 0.5 0.", "line 2: needs a box of four numbers or a polygon .*, got 3 numbers"),
    "a class alone": ("0", "line 1: needs a box of four numbers"),
    "a confidence that is none": (f"{BOX} 5.5", "line 1: confidence 5.5 is no number from 0 to 1"),
    "a confidence of NaN": (f"{BOX} nan", "line 1: confidence nan is no number from 0 to 1"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_line(yolo: Write, text: str, message: str) -> None:
    root = yolo(text)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(root))
    assert str(caught.value).startswith(f"{root / 'train/labels/a.txt'}: line ")
    assert "\n" not in str(caught.value)


WRONG_YAML = {
    "names of another kind": ("train: train/images\nnames: {a: dent}\n", "data.yaml: names must be a list, or names by class id"),
    "names of lists": ("train: train/images\nnames: [[dent]]\n", "data.yaml: names must be a list, or names by class id"),
    "no names": ("train: train/images\nnames: []\n", "line 1: class 0 is none of the 0 names$"),
    "broken": ("train: [", "data.yaml: broken YAML"),
    "names that are a bomb": (
        "nc: 1\nnames:\n- &a [x, x]\n" + "".join(f"- &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)),
        "aliases make more than",
    ),
}


@pytest.mark.parametrize(("yaml", "message"), WRONG_YAML.values(), ids=WRONG_YAML.keys())
def test_a_yaml_that_does_not_hold_is_one_line(yolo: Write, yaml: str, message: str) -> None:
    root = yolo(yaml=yaml)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(root))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", ["../../../../etc", "/etc", "C:\\Windows"])
def test_a_split_never_leads_out_of_the_folder(yolo: Write, entry: str) -> None:
    data = open_dataset(yolo(yaml=f"train: {entry}\npath: {entry}\nnames: [dent, scratch]\n"))
    assert [sample.name for sample in data] == ["a.jpg"]  # found by itself
    assert "train: no folder or list" in data.notes[0]


def test_what_does_not_hold_can_be_listed_and_left_out(yolo: Write) -> None:
    yolo(f"7 0.5 0.5 0.1 0.1\n{BOX}\n")
    root = yolo(name="b")
    (root / "train/images/b.jpg").write_bytes(b"no picture")
    errors: list[DatasetError] = []
    (sample,) = open_dataset(root, on_invalid=errors.append)
    assert (sample.name, len(sample.annotations)) == ("a.jpg", 1)
    assert ["class 7" in str(errors[0]), "b.jpg cannot be read" in str(errors[1])] == [True, True]


def test_a_split_that_is_another_again_is_read_once(yolo: Write) -> None:
    root = yolo(yaml="train: train/images\nval: train/images\nnames: [dent, scratch]\n")  # as COCO128's is
    data = open_dataset(root)
    assert [sample.split for sample in data] == ["train"]
    assert "val is the pictures of another split again" in data.notes[0]


@given(st.text(st.sampled_from("0123456789.-+e naif\t\n"), max_size=60) | st.text(max_size=20))
def test_any_text_gives_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp() / "yolo"
    picture(root / "images/a.jpg")
    (root / "labels").mkdir(exist_ok=True)
    (root / "data.yaml").write_text("train: images\nnames: [dent]\n")
    (root / "labels/a.txt").write_text(text, encoding="utf-8", errors="replace")
    told = ""
    try:
        samples = list(open_dataset(root))
    except DatasetError as error:
        told = str(error)
    else:
        assert [sample.name for sample in samples] == ["a.jpg"]
    assert "\n" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="links as on Unix")
@pytest.mark.parametrize("name", ["labels/a.txt", "train.txt"])
def test_texts_that_are_links_out_are_not_read(tmp_path: Path, name: str) -> None:
    """A message would tell what stands in them."""
    (tmp_path / "secret").write_text("secret words of somebody else here\n")
    root = tmp_path / "set"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(root / "images/a.png")
    (root / "labels/a.txt").write_text("0 .5 .5 .2 .2\n")
    (root / "train.txt").write_text("images/a.png\n")
    (root / "data.yaml").write_text("names: [dent]\ntrain: train.txt\n")
    assert len(list(open_dataset(root / "data.yaml"))) == 1
    (root / name).unlink()
    (root / name).symlink_to(tmp_path / "secret")
    with pytest.raises(DatasetError, match="is a link that leads out of the data set") as told:
        list(open_dataset(root))
    assert "words" not in str(told.value)
    assert list(open_dataset(root, on_invalid=lambda error: None)) == []


def test_comments_are_no_lines_and_a_wrong_count_of_names_is_told(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "images/a.jpg")
    (tmp_path / "labels/a.txt").write_text("# by hand\n0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text("names: [dent]\nnc: 3\ntrain: images\n")
    data = open_dataset(tmp_path)
    assert [len(sample.annotations) for sample in data] == [1]
    assert any(note.endswith("data.yaml: nc says 3, names are 1") for note in data.notes)


@pytest.mark.parametrize("names", ["[no, yes]", "{0: null}", "[on]"])
def test_names_that_yaml_reads_as_something_else_are_no_words(tmp_path: Path, names: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "data.yaml").write_text(f"names: {names}\ntrain: images\n")
    with pytest.raises(DatasetError, match=r"data\.yaml: names: put words such as no, on and null in quotes"):
        list(open_dataset(tmp_path))
