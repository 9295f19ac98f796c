"""A data set that is open: read photo by photo, file by file, within limits."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from dentify.datasets import LabelMap, open_dataset
from dentify.errors import DatasetError
from dentify.settings import Settings
from small_labels import COCO, LABELME, annotated, coco_of, write


def test_files_of_one_format_are_read_one_after_the_other(root: Path) -> None:
    Image.new("RGB", (20, 10)).save(root / "b.jpg")
    write(root / "train.json", COCO)
    write(root / "val.json", {**COCO, "images": [{**COCO["images"][0], "file_name": "b.jpg"}]})
    assert [(sample.name, sample.split) for sample in open_dataset(root)] == [("a.jpg", "train"), ("b.jpg", "val")]


def test_the_user_may_call_all_of_it_one_split(root: Path) -> None:
    write(root / "train.json", COCO)
    assert [sample.split for sample in open_dataset(root, split="test")] == ["test"]


def test_all_unmapped_words_of_a_data_set_are_told_at_once(root: Path) -> None:
    data = open_dataset(write(root / "a.json", annotated("zebra", "scrtch", "dent")), labels=LabelMap(others="refused"))
    with pytest.raises(
        DatasetError, match=r"a.json: 2 labels that are not mapped: scrtch \(1×; did you mean `scratch`\?\), zebra \(1×\);"
    ):
        data.check_labels()
    assert data.words() == {"zebra": 1, "scrtch": 1, "dent": 1}


def test_a_photo_in_two_label_files_is_told(root: Path) -> None:
    for name in ("train.json", "val.json"):
        write(root / name, COCO)
    with pytest.raises(
        DatasetError, match=r"val.json: images\[0\] \(id 1\): a.jpg was listed before, at .*train.json: images\[0\]"
    ):
        list(open_dataset(root))


def test_a_file_that_is_cut_off_is_told_and_the_others_are_read(root: Path) -> None:
    write(root / "val.json", COCO)
    write(root / "train.json", json.dumps(COCO)[:50])
    with pytest.raises(DatasetError, match=r"train.json: broken JSON at line 1, column \d+"):
        open_dataset(root)
    errors: list[DatasetError] = []
    assert [sample.split for sample in open_dataset(root, on_invalid=errors.append)] == ["val"]
    assert len(errors) == 1


def test_a_file_that_breaks_later_is_told_and_the_others_are_read(root: Path) -> None:
    write(root / "train.json", {**COCO, "annotations": {}})
    write(root / "val.json", COCO)
    errors: list[DatasetError] = []
    assert [sample.split for sample in open_dataset(root, on_invalid=errors.append)] == ["val"]
    assert 'train.json: not COCO: "annotations" is not a list' in str(errors[0])


def test_a_picture_is_looked_at_when_its_turn_comes(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 20, "height": 10} for n in range(2000)]
    path = write(tmp_path / "cars/a.json", {"images": images, "annotations": [], "categories": []})
    data = open_dataset(path)  # though no picture is there
    data.check_labels()
    for n in range(2):
        Image.new("RGB", (20, 10)).save(tmp_path / f"cars/{n}.jpg")
    samples = iter(data)
    assert [next(samples).name, next(samples).name] == ["0.jpg", "1.jpg"]
    with pytest.raises(DatasetError, match=r"images\[2\] \(id 2\): no picture '2.jpg'"):
        next(samples)
    assert sum(1 for _ in open_dataset(path, check_pictures=False)) == 2000


def test_iterating_again_reads_anew(root: Path) -> None:
    path = write(root / "a.json", COCO)
    data = open_dataset(path)
    assert isinstance(iter(data), Iterator)
    assert len(list(data)) == 1
    write(path, {**COCO, "images": [], "annotations": []})
    assert list(data) == []


@pytest.mark.parametrize("kind", ["labelme", "voc", "yolo"])
def test_memory_stays_flat_over_many_label_files(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "cars"
    folder.mkdir()
    filler = "x" * 10_000
    for n in range(600):
        if kind == "labelme":
            (folder / f"{n}.json").write_text(json.dumps({**LABELME, "imagePath": f"{n}.jpg", "shapes": [], "note": filler}))
        elif kind == "voc":
            (folder / f"{n}.xml").write_text(f"<annotation><filename>{n}.jpg</filename><note>{filler}</note></annotation>")
        else:
            (folder / f"{n}.jpg").touch()
    if kind == "yolo":
        (folder / "0.txt").touch()
        (folder / "classes.txt").write_text("dent\n")
    data = open_dataset(folder, check_pictures=False)
    assert data.format == kind
    tracemalloc.start()
    try:
        assert sum(1 for _ in data) == 600
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20  # the files hold 6 MiB; the photos' names stay, to find one that is listed twice


@pytest.mark.parametrize("check_pictures", [True, False])
def test_pixels_that_labels_claim_are_checked_like_a_photos(tmp_path: Path, check_pictures: bool) -> None:
    """Masks would be made as large as they say."""
    image = {"id": 1, "file_name": "a.png", "width": 30_000, "height": 30_000}
    outline = {"size": [30_000, 30_000], "counts": [0, 9 * 10**8]}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": outline}
    document = {"images": [image], "annotations": [annotation], "categories": [{"id": 1, "name": "dent"}]}
    (tmp_path / "labels.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=r"images\[0\] \(id 1\): 30000 × 30000 pixels are over the limit of 100 megapixels$"):
        list(open_dataset(tmp_path, check_pictures=check_pictures))


# What lies outside


@pytest.mark.parametrize(
    "name",
    ["private/p.png", "../private/p.png", "{root}/private/p.png", "file://{root}/private/p.png", "../p.png", "{root}/p.png"],
)
def test_a_picture_beside_the_folder_that_was_opened_is_not_opened(tmp_path: Path, name: str) -> None:
    for place in ("private/p.png", "p.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 48)).save(tmp_path / place)
    opened = open_dataset(coco_of(tmp_path / "set", name.format(root=tmp_path)))
    with pytest.raises(DatasetError, match="no picture"):
        list(opened)


@pytest.mark.parametrize("suffix", ["labels", "annotations"])
def test_pictures_beside_a_folder_of_labels_are_found(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images/p.png")
    (one,) = open_dataset(coco_of(tmp_path / suffix, "p.png"))
    assert one.image == tmp_path / "images/p.png"


@pytest.mark.parametrize("whole", [True, False])
def test_a_link_that_leads_out_is_followed_where_it_was_asked_for(tmp_path: Path, whole: bool) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "p.png")
    folder = coco_of(tmp_path / "set", "p.png")
    (folder / "p.png").symlink_to(tmp_path / "p.png" if whole else "../p.png")
    with pytest.raises(
        DatasetError, match=r"p\.png is a link that leads out of the data set; put the picture itself there, or set"
    ):
        list(open_dataset(folder))
    assert len(list(open_dataset(folder, settings=Settings(follow_links=True)))) == 1


def test_more_names_than_anybody_tells_apart_are_refused(tmp_path: Path) -> None:
    """What is known of each photo is told by them, so that photos times names is the work."""
    folder = coco_of(tmp_path, "p.png")
    document = json.loads((folder / "labels.json").read_text())
    document["categories"] = [{"id": number, "name": f"type {number}"} for number in range(10_001)]
    (folder / "labels.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="10,001 names of types and parts, over the limit of 10,000"):
        list(open_dataset(folder, check_pictures=False))


def test_what_is_labelled_is_told_in_time_for_many_photos_of_many_types(tmp_path: Path) -> None:
    document = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 48} for number in range(3_000)],
        "annotations": [],
        "categories": [{"id": number, "name": f"type {number}"} for number in range(9_000)],
    }
    (tmp_path / "labels.json").write_text(json.dumps(document))
    started = time.monotonic()
    assert len(list(open_dataset(tmp_path, check_pictures=False))) == 3_000
    assert time.monotonic() - started < 10  # minutes, where each photo's were told anew


def test_more_annotations_of_a_photo_than_anybody_draws_are_refused(tmp_path: Path) -> None:
    """They are all in memory at a time; the photos beside it are read."""
    Image.new("RGB", (64, 48)).save(tmp_path / "p.png")
    Image.new("RGB", (64, 48)).save(tmp_path / "q.png")
    box = {"category_id": 1, "bbox": [1, 1, 9, 9]}
    images = [{"id": one, "file_name": f"{'pq'[one]}.png", "width": 64, "height": 48} for one in range(2)]
    rows = [{"id": number, "image_id": int(number == 0), **box} for number in range(20_002)]
    document = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "dent"}]}
    (tmp_path / "labels.json").write_text(json.dumps(document))
    refused: list[DatasetError] = []
    (one,) = open_dataset(tmp_path, on_invalid=refused.append)
    assert one.name == "q.png"
    assert [str(error).partition(": ")[2] for error in refused] == [
        "images[0] (id 0): 20,001 annotations, over the limit of 20,000 of one photo"
    ]


def test_more_lines_of_a_photo_than_anybody_draws_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "p.png")
    (tmp_path / "classes.txt").write_text("dent\n")
    (tmp_path / "p.txt").write_text("0 .5 .5 .2 .2\n" * 20_001)
    with pytest.raises(DatasetError, match=r"p\.txt: 20,001 lines, over the limit of 20,000 of one photo$"):
        list(open_dataset(tmp_path))


def test_annotations_that_cover_their_photo_again_and_again_are_refused(tmp_path: Path) -> None:
    """Drawn as masks, 8,000 outlines of 100 megapixels take hours; as many of a plain photo take a moment."""
    for side, wrong in ((10_000, 1), (200, 0)):
        document = {
            "images": [{"id": 1, "file_name": "a.jpg", "width": side, "height": side}],
            "annotations": [{"id": n, "image_id": 1, "category_id": 1, "bbox": [0, 0, side, side]} for n in range(100)],
            "categories": [{"id": 1, "name": "dent"}],
        }
        (tmp_path / "a.json").write_text(json.dumps(document))
        problems: list[DatasetError] = []
        assert len(list(open_dataset(tmp_path, check_pictures=False, on_invalid=problems.append))) == 1 - wrong
        assert ["100 annotations whose boxes cover the photo 100 times" in str(one) for one in problems] == [True] * wrong
