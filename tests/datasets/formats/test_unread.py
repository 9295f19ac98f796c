"""Formats that are recognised and not read are refused by name, and never taken for folders by class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from PIL import Image

from broken_labels import json_values
from dentify.datasets import open_dataset
from dentify.datasets.formats.unread import product_of, told_unread
from dentify.errors import DatasetError

DOCUMENTS: dict[str, tuple[str, Any, str]] = {
    "fiftyone": ("samples.json", {"samples": [{"filepath": "data/a.jpg", "ground_truth": None}]}, "a FiftyOne dataset"),
    "labelbox": ("export.ndjson", {"data_row": {"external_id": "a.jpg"}, "projects": {}}, "a Labelbox export"),
    "darwin": ("a.json", {"version": "2.0", "item": {"name": "a.jpg"}, "annotations": []}, "a V7 Darwin file"),
    "superannotate": ("a.jpg.json", {"metadata": {"name": "a.jpg"}, "instances": []}, "a SuperAnnotate file"),
    "encord": ("export.json", [{"label_hash": "1", "data_units": {}}], "an Encord export"),
    "vertex": ("import.jsonl", {"imageGcsUri": "gs://x/a.jpg", "boundingBoxAnnotations": []}, "a Vertex AI import file"),
    "image folder": ("metadata.jsonl", {"file_name": "a.jpg", "objects": {}}, "a Hugging Face image folder"),
    "meta of supervisely": ("meta.json", {"classes": [{"title": "dent", "shape": "polygon"}]}, "a Supervisely project"),
}


def photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10)).save(path)
    return path


@pytest.mark.parametrize(("name", "document", "told"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_what_is_not_read_is_refused_by_name_alone_and_in_its_folder(tmp_path: Path, name: str, document: Any, told: str) -> None:
    photo(tmp_path / "ds" / "a.jpg")
    (tmp_path / name).write_text(json.dumps(document))
    for place in (tmp_path / name, tmp_path):
        with pytest.raises(DatasetError, match=rf"{name}: this is {told}, which is not read; export it as COCO$"):
            open_dataset(place)


def test_tables_and_records_are_refused_by_their_suffix(tmp_path: Path) -> None:
    photo(tmp_path / "ds" / "a.jpg")
    (tmp_path / "train.tfrecord").write_bytes(b"\0" * 20)
    for place in (tmp_path / "train.tfrecord", tmp_path):
        with pytest.raises(DatasetError, match=r"train.tfrecord: this is a TFRecord, which is not read"):
            open_dataset(place)


def test_label_studios_brush_masks_are_refused_by_name(tmp_path: Path) -> None:
    photo(tmp_path / "task-1-annotation-2-by-3-tag-dent-0.png")
    with pytest.raises(DatasetError, match=r"this is a brush export of Label Studio, which is not read; export it as JSON$"):
        open_dataset(tmp_path)


def test_a_datumaro_project_is_refused_by_name(tmp_path: Path) -> None:
    photo(tmp_path / "source" / "a.jpg")
    (tmp_path / ".datumaro").mkdir()
    with pytest.raises(DatasetError, match="this is a Datumaro project, which is not read; export it with `datum"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "called as a picture": ("ds/ann/a.jpg.json", "{}"),
        "called as a picture without suffix": ("ds/a.json", "[]"),
        "names a picture": ("notes/all.json", '{"x": [{"pic": "A.JPG"}]}'),
        "xml": ("notes/all.xml", "<x><pic>a.jpg</pic></x>"),
        "texts of KITTI in a folder of their own": ("label_2/a.txt", "Car 0.00 0 1.5 1 2 3 4 5 6 7 8 9 10 11"),
    }.values(),
    ids=("called as a picture", "called as a picture without suffix", "names a picture", "xml", "texts"),
)
def test_folders_are_no_classes_where_a_file_of_no_known_format_speaks_of_pictures(tmp_path: Path, name: str, text: str) -> None:
    photo(tmp_path / "ds" / "a.jpg")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=rf"{name}: may hold labels, and is of no annotation format that is known"):
        open_dataset(tmp_path)
    assert [sample.labels for sample in open_dataset(tmp_path, input_format="folders")] == [("ds",)]


def test_folders_are_classes_beside_files_that_say_nothing_of_pictures(tmp_path: Path) -> None:
    photo(tmp_path / "dent" / "a.jpg")
    (tmp_path / "class_indices.json").write_text('{"dent": 0}')
    (tmp_path / "dent" / "a.txt").write_text("a photo of a dent")  # a caption
    (tmp_path / "README.txt").write_text("a.jpg is mine")
    data = open_dataset(tmp_path)
    assert (data.format, [sample.labels for sample in data]) == ("folders", [("dent",)])


def test_labels_that_are_read_come_with_a_note_of_what_is_not(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "labels.csv").write_text("file,label\na.jpg,dent\n")
    (tmp_path / "samples.json").write_text('{"samples": [{"filepath": "a.jpg"}]}')
    data = open_dataset(tmp_path)
    assert data.format == "table"
    assert told_unread(tmp_path / "samples.json", "FiftyOne dataset") in data.notes


@given(json_values)
def test_any_document_is_asked_without_an_error(document: Any) -> None:
    assert product_of(document) is None or isinstance(product_of(document), str)


MORE: dict[str, tuple[str, str, str]] = {
    "a shard of records": ("damage.tfrecord-00000-of-00002", "", "a TFRecord, which is not read; export it as COCO"),
    "a record": ("train.record", "", "a TFRecord, which is not read; export it as COCO"),
    "excel": ("labels.xlsx", "PK", "an Excel workbook, which is not read; save it as CSV"),
    "cvat's own": ("annotations.json", '[{"version": 0, "tags": [], "shapes": [], "tracks": []}]', "a file of CVAT's own"),
    "vott 1": ("a.json", '{"frames": {"a.jpg": []}, "inputTags": "dent"}', "a VoTT project of version 1"),
    "mmdetection": ("a.json", '{"metainfo": {}, "data_list": []}', "a file of MMDetection"),
    "detectron2": ("a.json", '[{"file_name": "a.jpg", "image_id": 1, "annotations": []}]', "a data set of Detectron2"),
    "ultralytics": ("a.ndjson", '{"type": "dataset", "task": "detect", "class_names": {}}', "an NDJSON file of Ultralytics"),
    "coco's results": ("a.json", '[{"image_id": 1, "category_id": 1, "score": 0.5, "bbox": []}]', "a list of COCO results"),
    "mot": ("gt/gt.txt", "1,1,2,3,4,5,1,1,1", "a ground truth of the MOT challenge"),
}


@pytest.mark.parametrize(("name", "text", "told"), MORE.values(), ids=MORE.keys())
def test_more_of_what_is_not_read_is_refused_by_name(tmp_path: Path, name: str, text: str, told: str) -> None:
    photo(tmp_path / "ds" / "a.jpg")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=rf"{name}: this is {told}"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["labels.txt", "labels.pkl", "all.json.gz", "x.sqlite", "odd.json"])
def test_where_no_labels_are_found_the_file_that_lies_there_is_named(tmp_path: Path, name: str) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "README.md").write_text("a.jpg")
    (tmp_path / name).write_text("{}")
    with pytest.raises(DatasetError, match=rf"holds 1 pictures and no labels of a format that is known \({name} is of none\)"):
        open_dataset(tmp_path)
