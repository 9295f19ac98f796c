"""Opening a data set: recognised from its files, read photo by photo."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image

from broken_labels import check_samples_or_one_line
from dentify.datasets import LabelMap, open_dataset
from dentify.datasets.formats import FORMATS
from dentify.errors import DatasetError
from dentify.imaging.formats import is_picture_name
from dentify.settings import Settings

# --- recognising ---------------------------------------------------------------------------------------------------------

COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 6, 6]}],
    "categories": [{"id": 1, "name": "dent"}],
}
LABELME: dict[str, Any] = {
    "imagePath": "a.jpg",
    "imageWidth": 20,
    "imageHeight": 10,
    "shapes": [{"label": "dent", "points": [[2, 2], [8, 2], [8, 8]]}],
}
VIA = {"a.jpg9": {"filename": "a.jpg", "regions": []}}
VOC = "<annotation><filename>a.jpg</filename></annotation>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name tells no split, with a photo."""
    folder = tmp_path / "cars"
    folder.mkdir()
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    return folder


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_of_several_formats_the_first_is_read_and_the_others_are_noted(root: Path) -> None:
    for name, content in {
        "z.json": COCO,
        "labelme/a.json": LABELME,
        "a.xml": VOC,
        "photos.csv": "file,label\na.jpg,dent\n",
    }.items():
        write(root / name, content)
    data = open_dataset(root)
    assert data.format == "coco"
    assert {note.partition(" (")[0] for note in data.notes} == {
        "also found: CSV of files and labels",
        "also found: LabelMe JSON",
        "also found: Pascal VOC",
    }
    assert (
        f"also found: CSV of files and labels ({root / 'photos.csv'}); name it, or --input-format table, to read it" in data.notes
    )
    assert open_dataset(root, input_format="voc").format == "voc"


def test_files_of_one_format_are_read_one_after_the_other(root: Path) -> None:
    Image.new("RGB", (20, 10)).save(root / "b.jpg")
    write(root / "train.json", COCO)
    write(root / "val.json", {**COCO, "images": [{**COCO["images"][0], "file_name": "b.jpg"}]})
    assert [(sample.name, sample.split) for sample in open_dataset(root)] == [("a.jpg", "train"), ("b.jpg", "val")]


def test_the_user_may_call_all_of_it_one_split(root: Path) -> None:
    write(root / "train.json", COCO)
    assert [sample.split for sample in open_dataset(root, split="test")] == ["test"]


REFUSED_AT_ONCE: dict[str, tuple[dict[str, object], str, dict[str, Any], str]] = {
    "nothing there": ({}, "none", {}, "none: no such file or folder"),
    "a format that is none": ({}, ".", {"input_format": "coca"}, "'coca' is no format; known are coco, cvat, via"),
    "pictures that are nowhere": ({}, ".", {"images": "nowhere"}, "nowhere: no such folder of pictures"),
    "a folder of photos": ({}, ".", {}, "holds 1 pictures and no labels of a format that is known; --input-format takes coco,"),
    "another format than is wanted": ({"a.json": COCO}, ".", {"input_format": "voc"}, "holds nothing that is Pascal VOC"),
    "a zip": ({"a.zip": "PK"}, "a.zip", {}, "a.zip: not a whole zip archive; download or make it again"),
    "a photo": (
        {},
        "a.jpg",
        {},
        "a.jpg: no annotation format that is known; give a folder, a zip, or a .json, .xml, .csv, .yaml or .manifest file",
    ),
    "JSON of another kind": ({"a.json": {"a": 1}}, "a.json", {}, "a.json: JSON of no annotation format that is known"),
    "XML of another kind": ({"a.xml": "<html/>"}, "a.xml", {}, "a.xml: no annotation format that is known"),
    "YAML of another kind": ({"a.yaml": "a: 1"}, "a.yaml", {}, "a.yaml: no annotation format that is known"),
    "JSON nested without end": ({"a.json": "[" * 200_000}, ".", {}, "a.json: (no annotations: nested too deep|broken JSON)"),
    "a number without end": (
        {"a.json": "9" * 20_000},
        ".",
        {},
        "a.json: no annotations: nested too deep or with a number too long",
    ),
    "an entity bomb": ({"a.xml": f'<!DOCTYPE a [<!ENTITY x "y">]>{VOC}'}, ".", {}, "a.xml: XML that declares entities"),
}


@pytest.mark.parametrize(("files", "path", "options", "message"), REFUSED_AT_ONCE.values(), ids=REFUSED_AT_ONCE.keys())
def test_what_cannot_be_recognised_is_one_line(
    root: Path, files: dict[str, object], path: str, options: dict[str, Any], message: str
) -> None:
    for name, content in files.items():
        write(root / name, content)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(root / path, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("file", ["coco.json", "list.json", "number.json", "voc.xml", "table.csv", "data.yaml", "notes.txt"])
def test_a_file_read_as_a_format_that_it_is_not_is_one_line(root: Path, file: str, name: str) -> None:
    contents = {"coco.json": COCO, "list.json": [1], "number.json": 5, "voc.xml": VOC, "table.csv": "file,label\nb.jpg,dent\n"}
    write(root / file, {**contents, "data.yaml": "names: [dent]\n", "notes.txt": "dent\n"}[file])
    check_samples_or_one_line(root / file, input_format=name, check_pictures=False)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "format_name", "annotated"),
    [
        ("damage", "coco", True),
        ("cc0", "coco", True),
        ("cc0/masks", "masks", True),
        ("undamaged", "table", False),
        ("formats/via_json", "via", True),
        ("formats/yolo_polygons", "yolo", True),
        ("formats/roboflow_coco", "coco", True),
    ],
)
def test_the_shared_photos_are_recognised(shared_data: Path, folder: str, format_name: str, annotated: bool) -> None:
    data = open_dataset(shared_data / folder, check_pictures=False)
    samples = list(data)
    assert data.format == format_name
    beside = shared_data / folder if folder != "cc0/masks" else shared_data / "cc0" / "images"
    assert len(samples) == sum(is_picture_name(path.name) for path in beside.rglob("*")) - (12 if folder == "cc0" else 0)
    assert any(sample.annotations for sample in samples) == annotated


# --- what is said of photos ----------------------------------------------------------------------------------------------


def annotated(*names: str, **image: object) -> dict[str, Any]:
    """COCO of one photo with a box of each of these names."""
    return {
        "images": [{**COCO["images"][0], **image}],
        "annotations": [{"id": n, "image_id": 1, "category_id": n, "bbox": [2, 2, 6, 6]} for n in range(len(names))],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)] + [{"id": 99, "name": "crack"}],
    }


@pytest.mark.parametrize("word", ["Car", "truck", "araba"])
def test_an_outline_of_a_vehicle_says_that_one_is_there_and_nothing_of_damage(root: Path, word: str) -> None:
    data = open_dataset(write(root / "a.json", annotated(word)))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.damages, sample.parts) == (True, None, (), ())
    assert [(one.name, one.kind) for one in sample.annotations] == [(word, "other")]
    assert data.unknown == {word: 1}
    data = open_dataset(data.path, labels=LabelMap({word: "vehicle"}, others="refused"))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.annotations) == (True, None, ())
    assert sum(data.adjustments.counts.values()) == 1


@pytest.mark.parametrize("word", ["license plate", "person", "reflection", "0", "hail_mark", "xyz"])
@pytest.mark.parametrize("others", ["known", "kept", "refused"])
def test_a_word_that_nobody_explained_says_nothing(root: Path, word: str, others: Literal["known", "kept", "refused"]) -> None:
    data = open_dataset(write(root / "a.json", annotated(word)), labels=LabelMap(others=others))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.damages) == (None, None, ())
    assert data.unknown == {word: 1}
    assert "1 label that is not mapped" in str(data.unmapped())


def test_a_bundles_own_names_are_known(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated("hail_mark")), labels=LabelMap(own=frozenset({"hail_mark"})))
    assert (sample.damage, [one.name for one in sample.damages]) == (True, ["hail_mark"])


@pytest.mark.parametrize("word", ["__ignore__", "_background_"])
def test_what_tools_leave_alone_is_left_out_and_told(root: Path, word: str) -> None:
    data = open_dataset(write(root / "a.json", annotated("dent", word)), labels=LabelMap(others="kept"))
    (sample,) = data
    assert [one.name for one in sample.annotations] == ["dent"]
    assert sample.labelled == {"dent", "crack"}
    assert list(data.adjustments.counts.values()) == [1]
    assert data.words() == {"dent": 1}


def test_what_a_map_leaves_out_is_counted(root: Path) -> None:
    data = open_dataset(write(root / "a.json", annotated("dent", "airbag")), labels=LabelMap({"airbag": None}))
    assert [len(sample.annotations) for sample in data] == [1]
    assert data.adjustments.counts == {"annotations are left out, as the label map says": 1}


@pytest.mark.parametrize(
    ("names", "vehicle", "damage"),
    [(["dent"], True, True), (["hood"], True, None), (["hood", "scrape"], True, True), ([], None, None)],
)
def test_annotations_tell_of_vehicle_and_damage(root: Path, names: list[str], vehicle: bool | None, damage: bool | None) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated(*names)))
    assert (sample.vehicle, sample.damage) == (vehicle, damage)


@pytest.mark.parametrize("mark", ["unsure", "other_car"])
def test_what_is_to_be_ignored_tells_of_no_damage(root: Path, mark: str) -> None:
    document = annotated("dent")
    document["annotations"][0][mark] = True
    (sample,) = open_dataset(write(root / "a.json", document))
    assert (sample.vehicle, sample.damage) == (True, None)
    document["images"][0]["damage"] = False  # what is unsure does not contradict it
    (sample,) = open_dataset(write(root / "a.json", document))
    assert (sample.vehicle, sample.damage, len(sample.ignored)) == (True, False, 1)


def test_severity_of_a_photo_tells_of_damage_and_is_told_by_labels(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated(severity="minor")))
    assert (sample.severity, sample.vehicle, sample.damage) == ("minor", True, True)
    (sample,) = open_dataset(write(root / "a.json", annotated(labels=["02-moderate"])))
    assert (sample.severity, sample.damage, sample.labels) == ("moderate", True, ("moderate",))
    (sample,) = open_dataset(write(root / "a.json", annotated(labels=["minor", "severe"])))
    assert (sample.severity, sample.damage) == (None, True)  # which of them is it?


def test_a_type_without_a_box_is_absent_only_where_it_is_labelled(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated("dent")))
    assert [sample.knows(name) for name in ("dent", "crack", "scratch")] == [True, True, False]


def test_a_label_map_may_say_what_its_source_labels(root: Path) -> None:
    labels = LabelMap(labelled=frozenset({"scratch"}))
    (sample,) = open_dataset(write(root / "a.json", annotated("dent")), labels=labels)
    assert sample.labelled == {"scratch"}


def test_what_a_map_leaves_out_is_gone_and_unknown(root: Path) -> None:
    labels = LabelMap({"airbag": None, "Gocuk": "dent"}, others="refused")
    data = open_dataset(write(root / "a.json", annotated("airbag", "Gocuk")), labels=labels)
    data.check_labels()
    (sample,) = data
    assert [(one.name, one.original) for one in sample.annotations] == [("dent", "Gocuk")]
    assert sample.labelled == {"dent", "crack"}


def test_all_unmapped_words_of_a_data_set_are_told_at_once(root: Path) -> None:
    data = open_dataset(write(root / "a.json", annotated("zebra", "scrtch", "dent")), labels=LabelMap(others="refused"))
    with pytest.raises(
        DatasetError, match=r"a.json: 2 labels that are not mapped: scrtch \(1×; did you mean `scratch`\?\), zebra \(1×\);"
    ):
        data.check_labels()
    assert data.words() == {"zebra": 1, "scrtch": 1, "dent": 1}


CONTRADICTIONS = {
    "damage on an undamaged photo": ("whole", ["dent"], r"has annotated damage \(dent\) and is labelled undamaged"),
    "parts of no vehicle": ("no_car", ["hood"], "has annotations of a vehicle and is labelled no_vehicle"),
    "damage without a vehicle": ("no_car", ["dent"], r"has annotated damage \(dent\) and is labelled no_vehicle"),
    "both at once": ("whole damaged", [], "is labelled undamaged and damaged"),
    "severity of nothing": ("whole 02-moderate", [], "is labelled undamaged and moderate"),
    "a type of nothing": ("whole scratch", [], "is labelled undamaged and scratch"),
}


@pytest.mark.parametrize(("words", "names", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_photo_that_contradicts_itself_is_told(root: Path, words: str, names: list[str], message: str) -> None:
    shapes = [{**LABELME["shapes"][0], "label": name} for name in names]
    flags = dict.fromkeys(words.split(), True)
    write(root / "a.json", {**LABELME, "shapes": shapes, "flags": flags})
    with pytest.raises(DatasetError, match=rf"a.json: a.jpg contradicts itself: {message}$"):
        list(open_dataset(root))
    errors: list[DatasetError] = []
    assert list(open_dataset(root, on_invalid=errors.append)) == []
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("names", "annotated", "damage"),
    [(["undamaged"], [], False), (["No Damage", "hood"], ["hood"], False), (["undamaged", "dent"], ["dent"], True)],
    ids=["alone", "beside a part", "beside a damaged car"],
)
def test_an_outline_that_is_called_undamaged_is_no_damage(
    root: Path, names: list[str], annotated: list[str], damage: bool
) -> None:
    write(root / "a.json", {**LABELME, "shapes": [{**LABELME["shapes"][0], "label": name} for name in names]})
    data = open_dataset(root)
    (sample,) = data
    assert ([one.name for one in sample.annotations], sample.vehicle, sample.damage) == (annotated, True, damage)
    assert sample.labelled == frozenset(annotated)
    assert data.notes == ['annotations such as "undamaged" outline no damage; where a photo has no other, it counts as undamaged']
    (kept,) = open_dataset(root, labels=LabelMap(others="kept"))
    assert [one.name for one in kept.annotations] == names


def test_an_undamaged_photo_may_show_parts(root: Path) -> None:
    shapes = [{**LABELME["shapes"][0], "label": "hood"}]
    write(root / "a.json", {**LABELME, "shapes": shapes, "flags": {"whole": True}})
    (sample,) = open_dataset(root)
    assert (sample.vehicle, sample.damage) == (True, False)


def test_splits_and_groups_of_a_csv_beside_the_labels_win(root: Path) -> None:
    write(root / "train.json", COCO)
    write(root / "splits.csv", "file,split,group\na.jpg,val,7\n")
    data = open_dataset(root)
    assert (data.format, data.notes) == ("coco", [])  # it is no table of labels
    assert [(sample.split, sample.group) for sample in data] == [("val", "7")]


def test_splits_without_their_columns_are_refused(root: Path) -> None:
    write(root / "train.json", COCO)
    write(root / "splits.csv", "photo,part\na.jpg,val\n")
    with pytest.raises(DatasetError, match=r"splits.csv: needs the columns file and split, has photo, part"):
        list(open_dataset(root))


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


def test_pictures_need_not_be_there_where_nobody_asks(root: Path) -> None:
    (root / "a.jpg").unlink()
    path = write(root / "a.json", COCO)
    assert len(list(open_dataset(path, check_pictures=False))) == 1
    with pytest.raises(DatasetError, match=r"a.json: images\[0\] \(id 1\): no picture 'a.jpg' in "):
        list(open_dataset(path))


def test_a_picture_that_is_none_is_told(root: Path) -> None:
    (root / "a.jpg").write_text("not a picture")
    with pytest.raises(DatasetError, match=r"images\[0\] \(id 1\): .*a.jpg: not a "):
        list(open_dataset(write(root / "a.json", COCO)))


# --- one photo at a time -------------------------------------------------------------------------------------------------


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


def coco_of(folder: Path, name: str) -> Path:
    """A data set in COCO of one picture, 64 × 48, that bears a name."""
    document = {"images": [{"id": 1, "file_name": name, "width": 64, "height": 48}], "annotations": []}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(document | {"categories": [{"id": 1, "name": "dent"}]}))
    return folder


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


def test_a_label_file_that_is_a_link_out_is_not_read(tmp_path: Path) -> None:
    coco_of(tmp_path / "private", "p.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/labels.json").symlink_to(tmp_path / "private/labels.json")
    with pytest.raises(DatasetError, match="holds neither labels nor pictures"):
        open_dataset(tmp_path / "set")


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
