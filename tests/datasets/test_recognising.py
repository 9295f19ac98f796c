"""Formats are recognised from their files, and what is none is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broken_labels import check_samples_or_one_line
from dentify.datasets import open_dataset
from dentify.datasets.formats import FORMATS
from dentify.errors import DatasetError
from dentify.imaging.formats import is_picture_name
from small_labels import COCO, LABELME, VOC, coco_of, write


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


REFUSED_AT_ONCE: dict[str, tuple[dict[str, object], str, dict[str, Any], str]] = {
    "nothing there": ({}, "none", {}, "none: no such file or folder"),
    "a format that is none": ({}, ".", {"input_format": "coca"}, "'coca' is no format; known are coco, cvat, via"),
    "pictures that are nowhere": ({}, ".", {"images": "nowhere"}, "nowhere: no such folder of pictures"),
    "a folder of photos": ({}, ".", {}, "holds 1 pictures and no labels of a format that is known; known are coco,"),
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


def test_files_that_cannot_be_read_are_told_in_their_order(root: Path) -> None:
    for name in ("a.json", "b.json", "c.xml"):
        write(root / name, "{")
    write(root / "z.csv", "file,label\na.jpg,dent\n")
    told: list[str] = []
    open_dataset(root, on_invalid=lambda fault: told.append(str(fault)))
    assert [line.partition(": ")[0] for line in told] == [str(root / name) for name in ("a.json", "b.json", "c.xml")]
    write(root / "y.json", LABELME)  # one a picture: the broken ones before it are told with it
    told.clear()
    assert len(list(open_dataset(root, input_format="labelme", on_invalid=lambda fault: told.append(str(fault))))) == 1
    assert [line.partition(": ")[0] for line in told] == [str(root / name) for name in ("c.xml", "a.json", "b.json")]


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


def test_a_label_file_that_is_a_link_out_is_not_read(tmp_path: Path) -> None:
    coco_of(tmp_path / "private", "p.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/labels.json").symlink_to(tmp_path / "private/labels.json")
    with pytest.raises(DatasetError, match="holds neither labels nor pictures"):
        open_dataset(tmp_path / "set")
