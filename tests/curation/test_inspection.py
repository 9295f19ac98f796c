"""What a data set holds and what is wrong with it, counted and told."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from dentify.curation.inspection import EXAMPLES, Inspected, Inspection, Spread, inspect_dataset
from dentify.curation.inspection_report import inspection_table
from dentify.datasets import open_dataset
from dentify.errors import DatasetError

Change = Callable[[dict[str, Any]], object]
SQUARE = [2, 2, 8, 2, 8, 8, 2, 8]


def noise(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> Path:
    """A picture that is no other's near-duplicate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)).save(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    """Writes three photos in two COCO files, changed by a function, and returns the folder."""

    def write(change: Change = lambda document: None) -> Path:
        categories = [{"id": 1, "name": "dent"}, {"id": 2, "name": "hood"}, {"id": 3, "name": "scratch"}]
        rows = [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [SQUARE], "severity": "minor"},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 15], "severity": "severe"},
            {"id": 3, "image_id": 1, "category_id": 2, "segmentation": {"size": [30, 40], "counts": [600, 120, 480]}},
            {"id": 4, "image_id": 2, "category_id": 1, "segmentation": [SQUARE], "severity": "minor"},
        ]
        document: dict[str, Any] = {
            "categories": categories,
            "images": [
                {"id": 1, "file_name": "a.png", "width": 40, "height": 30, "source": "bilgi"},
                {"id": 2, "file_name": "b.png", "width": 30, "height": 40, "source": "bilgi"},
            ],
            "annotations": rows,
        }
        change(document)
        noise(tmp_path / "a.png", 1)
        noise(tmp_path / "b.png", 2, (30, 40))
        noise(tmp_path / "c.png", 3, (30, 30))
        (tmp_path / "train.json").write_text(json.dumps(document))
        image = {"id": 1, "file_name": "c.png", "width": 30, "height": 30}
        (tmp_path / "val.json").write_text(json.dumps({"categories": categories, "images": [image], "annotations": []}))
        return tmp_path

    return write


def inspected(path: Path, **options: Any) -> Inspected:
    problems: list[DatasetError] = []
    dataset = open_dataset(path, check_pictures=False, on_invalid=problems.append)
    return inspect_dataset(dataset, problems, **options)


def inspect(path: Path, **options: Any) -> Inspection:
    return inspected(path, **options).inspection


def told(inspection: Inspection) -> list[tuple[str, str]]:
    return [(problem.kind, problem.message) for problem in inspection.problems]


# --- counts --------------------------------------------------------------------------------------------------------------


def test_photos_types_and_sizes_are_counted(data: Callable[..., Path]) -> None:
    inspection = inspect(data())
    assert (inspection.format, inspection.title, inspection.photos) == ("coco", "COCO JSON", 3)
    splits = {name: (one.photos, one.labelled, one.annotations) for name, one in inspection.splits.items()}
    assert splits == {"train": (2, 2, 4), "val": (1, 0, 0)}
    assert list(inspection.types) == ["dent", "hood"]  # damages first; a scratch is on none
    dent, hood = inspection.types["dent"], inspection.types["hood"]
    assert (dent.kind, dent.instances, dent.photos, dent.splits) == ("damage", 3, 2, {"train": 3})
    assert (dent.polygons, dent.boxes, dent.masks, dent.crowds) == (2, 1, 0, 0)
    assert dent.area_share == Spread(min=36 / 1200, median=36 / 1200, max=300 / 1200)
    assert (hood.kind, hood.masks, hood.area_share) == ("part", 1, Spread(min=0.1, median=0.1, max=0.1))
    assert inspection.severities == {"minor": 2, "severe": 1}
    assert inspection.sources == {"bilgi": 2}
    assert inspection.sizes is not None
    assert (inspection.sizes.landscape, inspection.sizes.portrait, inspection.sizes.square) == (1, 1, 1)
    assert inspection.sizes.width == Spread(min=30, median=30, max=40)
    assert inspection.problems == ()
    assert inspection.duplicates == ()
    assert inspection.pictures_read


def test_crowds_and_labels_of_whole_photos_are_counted(data: Callable[..., Path], tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][2]["iscrowd"] = 1
        document["images"][1]["labels"] = ["02-moderate"]

    inspection = inspect(data(change))
    assert inspection.types["hood"].crowds == 1
    assert inspection.labels == {"moderate": 1}


def test_marks_views_and_severities_of_whole_photos_are_counted(data: Callable[..., Path]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["categories"].append({"id": 4, "name": "damage"})
        document["annotations"][0] |= {"unsure": True}
        document["annotations"][1] |= {"other_car": True, "loose": True}
        document["annotations"].append({"id": 5, "image_id": 2, "category_id": 4, "segmentation": [[1, 1, 5, 1, 5, 5]]})
        document["images"][0] |= {"severity": "severe", "view": "front"}
        document["images"][1] |= {"view": "front"}

    inspection = inspect(data(change))
    assert inspection.marks == {"unsure": 1, "other_car": 1, "loose": 1}
    assert (inspection.types["dent"].ignored, inspection.types["dent"].instances) == (2, 3)
    assert (inspection.types["damage"].ignored, inspection.untyped) == (0, 1)
    assert inspection.photo_severities == {"severe": 1}
    assert inspection.severities == {"minor": 2, "severe": 1}
    assert inspection.views == {"front": 2}
    assert inspection.kinds == {"damaged": 2, "unknown": 1}


def test_what_a_table_says_of_whole_photos_is_counted_and_no_label(tmp_path: Path) -> None:
    for number in range(5):
        noise(tmp_path / f"{number}.png", number)
    rows = ["0.png,train,1,1,severe", "1.png,train,1,0,", "2.png,train,0,,", "3.png,val,1,,", "4.png,val,,,"]
    (tmp_path / "photos.csv").write_text("\n".join(["file,split,vehicle,damage,severity", *rows]))
    inspection = inspect(tmp_path)
    assert inspection.kinds == {"damaged": 1, "undamaged": 1, "no_vehicle": 1, "vehicle": 1, "unknown": 1}
    assert (inspection.labels, inspection.photo_severities, inspection.severities) == ({}, {"severe": 1}, {})
    assert {name: (one.photos, one.labelled) for name, one in inspection.splits.items()} == {"train": (3, 3), "val": (2, 1)}


def test_json_is_read_back_as_it_was(data: Callable[..., Path]) -> None:
    inspection = inspect(data(lambda document: document["annotations"][0].update(category_id=9)))
    assert Inspection.model_validate_json(inspection.model_dump_json()) == inspection
    assert inspection.problems


def test_a_data_set_without_photos_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}')
    inspection = inspect(tmp_path)
    assert (inspection.photos, inspection.types, inspection.sizes, inspection.problems) == (0, {}, None, ())


def test_labels_without_sizes_are_counted(tmp_path: Path) -> None:
    noise(tmp_path / "1.png", 1)
    noise(tmp_path / "2.png", 2)
    (tmp_path / "train.csv").write_text("filename,label\n1.png,1\n2.png,dent\n")
    inspection = inspect(tmp_path)
    assert inspection.format == "table"
    assert (inspection.sizes, inspection.types) == (None, {})
    assert inspection.labels == {"1": 1, "dent": 1}
    assert inspection.splits["train"].labelled == 2


def test_folders_by_class_are_counted(tmp_path: Path) -> None:
    for number, folder in enumerate(("00-damage", "01-whole", "01-whole")):
        noise(tmp_path / "training" / folder / f"{number}.png", number)
    inspection = inspect(tmp_path)
    assert (inspection.format, inspection.photos) == ("folders", 3)
    assert inspection.labels == {"undamaged": 2, "damaged": 1}
    assert not [note for note in inspection.notes if "not in these labels" in note]


def test_words_of_the_source_are_counted_as_the_taxonomy_calls_them(data: Callable[..., Path]) -> None:
    inspection = inspect(data(lambda document: document["categories"][0].update(name="Gocuk")))
    assert list(inspection.types) == ["dent", "hood"]


# --- problems ------------------------------------------------------------------------------------------------------------


def annotation_becomes(**values: object) -> Change:
    return lambda document: document["annotations"][0].update(values)


def image_becomes(**values: object) -> Change:
    return lambda document: document["images"][0].update(values)


def second_image_becomes(**values: object) -> Change:
    return lambda document: document["images"][1].update(values)


def twice(document: dict[str, Any]) -> None:
    document["images"].append({"id": 3, "file_name": "b.png", "width": 30, "height": 40})


def contradiction(document: dict[str, Any]) -> None:
    document["images"][0] |= {"damage": False, "vehicle": True}


def same_outline(document: dict[str, Any]) -> None:
    document["annotations"].append({"id": 5, "image_id": 1, "category_id": 1, "segmentation": [SQUARE]})


def other_type(document: dict[str, Any]) -> None:
    document["annotations"].append({"id": 5, "image_id": 1, "category_id": 3, "segmentation": [SQUARE]})


def same_mask(document: dict[str, Any]) -> None:
    document["annotations"].append({**document["annotations"][2], "id": 5})


def same_box(document: dict[str, Any]) -> None:
    document["annotations"].append({**document["annotations"][1], "id": 5})


PROBLEMS: dict[str, tuple[Change, str, str]] = {
    "missing": (image_becomes(file_name="none.png"), "missing picture", r"images[0] (id 1): no picture 'none.png' in "),
    "wrong size": (second_image_becomes(width=31), "wrong size", "b.png is 30 × 40 pixels, its labels are for 31 × 40"),
    "turned": (second_image_becomes(width=40, height=30), "wrong size", "30 × 40 pixels, its labels are for 40 × 30"),
    "outside": (annotation_becomes(segmentation=[[2, 2, 90, 2, 8, 8]]), "outside the photo", "point (90, 2) lies outside"),
    "degenerate": (annotation_becomes(segmentation=[[2, 2, 4, 4, 6, 6]]), "degenerate outline", "its area is 0"),
    "NaN": (annotation_becomes(segmentation=[[2, 2, float("nan"), 2, 8, 8]]), "not a number", "(NaN or infinite)"),
    "class": (annotation_becomes(category_id=7), "invalid label", "category_id 7 is no category of this file"),
    "twice": (twice, "listed twice", "b.png was listed before"),
    "contradiction": (contradiction, "contradiction", "has annotated damage (dent)"),
    "same outline": (same_outline, "same outline twice", "a.png holds one outline twice, of 'dent'"),
    "same mask": (same_mask, "same outline twice", "a.png holds one outline twice, of 'hood'"),
    "same box": (same_box, "same outline twice", "a.png holds one outline twice, of 'dent'"),
    "two types": (other_type, "one outline, two types", "a.png holds one outline twice, of 'dent' and 'scratch'"),
}


@pytest.mark.parametrize(("change", "kind", "message"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_each_problem_is_told_once_by_kind_with_its_place(
    data: Callable[..., Path], change: Change, kind: str, message: str
) -> None:
    folder = data(change)
    for pictures in (True, False):
        inspection = inspect(folder, pictures=pictures)
        assert [one for one, _ in told(inspection)] == [kind]
        line = told(inspection)[0][1]
        assert message in line
        assert line.startswith(str(folder / "train.json"))
        assert "\n" not in line
        assert inspection.splits["val"].photos == 1  # and the rest is counted


@pytest.mark.parametrize(
    ("data_of", "message"),
    [
        (lambda data: data[: len(data) // 2], "this PNG is cut off"),
        (lambda data: b"no picture at all", "not a picture: starts like text"),
        (lambda data: b"", "not a picture: starts like "),
    ],
    ids=["cut off", "text", "empty"],
)
def test_broken_pictures_are_found_where_pictures_are_opened(
    data: Callable[..., Path], data_of: Callable[[bytes], bytes], message: str
) -> None:
    folder = data()
    (folder / "b.png").write_bytes(data_of((folder / "b.png").read_bytes()))
    ((kind, line),) = told(inspect(folder))
    assert kind == "broken picture"
    assert line.startswith(f"{folder / 'train.json'}: images[1] (id 2): ")
    assert "b.png" in line
    assert message in line
    assert inspect(folder).types["dent"].photos == 2  # its labels count all the same


def test_a_picture_over_a_limit_is_told_as_broken(data: Callable[..., Path]) -> None:
    from dentify.settings import Settings

    kinds = [kind for kind, _ in told(inspect(data(), settings=Settings(max_file_bytes=3000)))]
    assert kinds == ["broken picture"] * 2  # c.png is smaller


def test_pictures_that_no_label_names_are_noted(data: Callable[..., Path]) -> None:
    folder = data()
    noise(folder / "more" / "d.png", 4)
    noise(folder / "more" / "e.png", 5)
    (note,) = inspect(folder, pictures=False).notes
    assert note == f"2 pictures below {folder} are not in these labels, {folder}/more/d.png for one"
    assert inspect(folder / "train.json", pictures=False).notes == ()  # a file says nothing of a folder


# --- duplicates ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path: Path, examples: Path) -> Path:
    """CC0 photos in train, val and test: one is in val mirrored, one in test as it is, one in train twice."""
    photos = sorted(examples.glob("*.jpg"))[:6]
    rows = ["file,split"]
    for number, path in enumerate(photos):
        shutil.copy(path, tmp_path / path.name)
        rows.append(f"{path.name},{('train', 'val')[number % 2]}")
    with Image.open(photos[0]) as image:
        w, h = image.size
        ImageOps.mirror(image.crop((0, 0, w - w // 20, h))).save(tmp_path / "mirrored.jpg", quality=70)
    shutil.copy(photos[1], tmp_path / "copied.jpg")
    with Image.open(photos[2]) as image:
        image.resize((w // 2, h // 2)).save(tmp_path / "small.png")
    rows += ["mirrored.jpg,val", "copied.jpg,test", "small.png,train"]
    (tmp_path / "splits.csv").write_text("\n".join(rows) + "\n")
    images = [{"id": n, "file_name": row.split(",")[0], "width": 8, "height": 8} for n, row in enumerate(rows[1:])]
    for image in images:
        with Image.open(tmp_path / str(image["file_name"])) as picture:
            image["width"], image["height"] = picture.size
    (tmp_path / "labels.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    return tmp_path


def test_planted_duplicates_are_told_those_across_splits_first(planted: Path) -> None:
    result = inspected(planted)
    pairs = [(one.first, one.second, one.exact, one.splits, one.across) for one in result.inspection.duplicates]
    first, second, third = sorted(path.name for path in planted.glob("car_*.jpg"))[:3]
    assert pairs == [
        (second, "copied.jpg", True, ("val", "test"), True),
        (first, "mirrored.jpg", False, ("train", "val"), True),
        (third, "small.png", False, ("train", "train"), False),
    ]
    assert set(result.photos) == {first, second, third, "copied.jpg", "mirrored.jpg", "small.png"}
    assert result.inspection.problems == ()


def test_without_pictures_no_duplicates_are_looked_for(planted: Path) -> None:
    inspection = inspect(planted, pictures=False)
    assert (inspection.duplicates, inspection.pictures_read) == ((), False)


def test_problems_are_not_told_twice_where_duplicates_are_shown(planted: Path) -> None:
    document = json.loads((planted / "labels.json").read_text())
    document["images"].append({"id": 99, "file_name": "", "width": 1, "height": 1})
    (planted / "labels.json").write_text(json.dumps(document))
    problems: list[DatasetError] = []
    dataset = open_dataset(planted, check_pictures=False, on_invalid=problems.append)
    result = inspect_dataset(dataset, problems)
    assert len(result.photos) == 6
    assert len(problems) == len(result.inspection.problems) == 1


# --- examples, progress, hostile names -----------------------------------------------------------------------------------


def test_examples_are_few_and_do_not_depend_on_the_order(tmp_path: Path) -> None:
    def names(order: list[int]) -> list[str]:
        images = [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in order]
        rows = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 5, 5]} for n in order]
        document = {"categories": [{"id": 1, "name": "dent"}], "images": images, "annotations": rows}
        (tmp_path / "a.json").write_text(json.dumps(document))
        return [one.name for one in inspected(tmp_path, pictures=False).examples["dent"]]

    forwards = names(list(range(1, 30)))
    assert len(forwards) == EXAMPLES
    assert names(list(range(29, 0, -1))) == forwards


def test_each_photo_is_told_to_the_progress_bar(data: Callable[..., Path]) -> None:
    calls: list[None] = []
    inspect(data(image_becomes(file_name="none.png")), on_photo=lambda: calls.append(None))
    assert len(calls) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_nothing(planted: Path, workers: int) -> None:
    assert inspect(planted, workers=workers) == inspect(planted)


def test_names_that_no_file_can_hold_still_make_json(data: Callable[..., Path]) -> None:
    def change(document: dict[str, Any]) -> None:
        document["categories"][0]["name"] = "de\ud800nt"
        document["images"][0] |= {"source": "\udce9", "labels": ["\ud800"], "file_name": "\ud800.png"}

    inspection = inspect(data(change))
    assert Inspection.model_validate_json(inspection.model_dump_json().encode()) == inspection
    assert "de\ufffdnt" in inspection.types


def test_file_names_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (40, 30)).save(data, "PNG")
    for name in ("caf\udce9.png", "d.png"):
        (tmp_path / "whole").mkdir(exist_ok=True)
        (tmp_path / "whole" / name).write_bytes(data.getvalue())
    inspection = inspect(tmp_path)
    (pair,) = inspection.duplicates
    assert (pair.first, pair.second) == ("whole/caf%E9.png", "whole/d.png")
    assert inspection.model_dump_json().encode()


@pytest.mark.shared_data
def test_all_that_a_shared_file_lists_is_counted_and_called_as_its_page_calls_it(shared_data: Path) -> None:
    document = json.loads((shared_data / "damage" / "val.json").read_text())
    inspection = inspect(shared_data / "damage" / "val.json", pictures=False)
    counted = {name: (one.photos, one.annotations) for name, one in inspection.splits.items()}
    assert counted == {"val": (len(document["images"]), len(document["annotations"]))}
    names = {row["id"]: row["name"] for row in document["categories"]}
    assert set(inspection.types) == {names[row["category_id"]] for row in document["annotations"]}
    assert {"same outline twice", "one outline, two types"} >= {kind for kind, _ in told(inspection)}


def test_attributes_that_are_not_read_are_listed_with_their_values(data: Callable[..., Path]) -> None:
    def change(document: dict[str, Any]) -> None:
        for row, kind in zip(document["annotations"], ("hail", "hail", "stone", ""), strict=True):
            row["attributes"] = {"cause": kind, "occluded": kind == "stone"}

    inspected = inspect_dataset(open_dataset(data(change)), [], pictures=False)
    assert inspected.inspection.attributes == {"cause": {"hail": 2, "stone": 1}, "occluded": {"true": 1}}
    table = inspection_table(inspected.inspection)
    assert "attribute that is not read" in table
    assert "hail 2, stone 1" in table
    told = [note for note in inspected.inspection.notes if note.startswith("attributes beside the labels that are not read")]
    assert len(told) == 1


def test_a_flood_of_missing_pictures_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kilobyte each: a list of 600,000 names would take hours to be told."""
    monkeypatch.setattr("dentify.datasets.faults._FAULTS_FREE", 200)
    (tmp_path / "a.csv").write_text("file,label\n" + "".join(f"{number}.jpg,dent\n" for number in range(400)))
    problems: list[DatasetError] = []
    dataset = open_dataset(tmp_path, check_pictures=False, on_invalid=problems.append)
    with pytest.raises(
        DatasetError, match=r"more than 2\d\d photos and labels do not hold.* pictures there, as --images may say"
    ):
        inspect_dataset(dataset, problems)
    assert 200 < len(problems) < 300


def test_missing_pictures_in_proportion_to_their_labels_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.datasets.faults._FAULTS_FREE", 200)
    (tmp_path / "a.csv").write_text("file,label\n" + "".join(f"{'x' * 120}{number}.jpg,dent\n" for number in range(300)))
    problems: list[DatasetError] = []
    inspected = inspect_dataset(open_dataset(tmp_path, check_pictures=False, on_invalid=problems.append), problems)
    assert {error.kind for error in problems} == {"missing picture"}
    assert len(problems) == inspected.inspection.photos == 300


def test_labels_of_which_all_were_left_out_are_a_problem(data: Callable[..., Path], tmp_path: Path) -> None:
    root = tmp_path / "points"
    root.mkdir()
    Image.new("RGB", (40, 30)).save(root / "a.jpg")
    shapes = [{"label": "dent", "shape_type": "point", "points": [[3, 3]]}]
    (root / "a.json").write_text(json.dumps({"imagePath": "a.jpg", "imageHeight": 30, "imageWidth": 40, "shapes": shapes}))
    problems: list[DatasetError] = []
    inspect_dataset(open_dataset(root, check_pictures=False, on_invalid=problems.append), problems, pictures=False)
    (told,) = problems
    assert str(told) == (f"{root}: nothing was read of what it labels: shapes of kind point are left out: they enclose nothing")
