"""`dentify dataset convert`: words, what is lost, and what is never replaced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from PIL import Image

from dentify.datasets import open_dataset

from .conftest import Dentify, files, spoiled, write


def test_convert_keeps_words_without_a_map(dentify: Dentify) -> None:
    write()
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "coco")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\n", "")
    categories = json.loads(Path("out/annotations.json").read_text())["categories"]
    assert [row["name"] for row in categories] == ["gocuk", "scrtch"]
    assert files("out") == {"annotations.json", *(f"images/{name}.png" for name in "abcd")}


def test_convert_with_a_map_renames(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {scrtch: scratch}")  # gocuk is the taxonomy's own synonym
    assert dentify("dataset", "convert", "data", "-o", "out", "--to", "cvat", "--labels", "map.yaml").exit_code == 0
    annotations = [one for sample in open_dataset("out") for one in sample.annotations]
    assert [(one.name, one.original) for one in annotations] == [("dent", "gocuk"), ("scratch", "scrtch"), ("dent", "gocuk")]


def test_convert_lists_all_labels_that_a_map_leaves_out(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="dnt"))
    Path("map.yaml").write_text("labels: {}")
    before = files(".")
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "coco", "--labels", "map.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: data: 2 labels that are not mapped: dnt (2×; did you mean `dent`?), scrtch (1×; did you mean `scratch`?);"
        " say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out\n"
    )
    assert files(".") == before


def test_convert_is_strict_and_with_skip_invalid_goes_on_and_lists(dentify: Dentify) -> None:
    write(change=spoiled)
    before = files(".")
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "yolo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: data/labels.json: annotations[0] (id 1, a.png): category_id 7 is no category of this file (ids 1, 2)\n"
    )
    assert files(".") == before
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "yolo", "--skip-invalid")
    assert (result.exit_code, result.stdout) == (0, "out\n")
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert [line.partition("(id")[0] for line in skipped] == [
        "skipped: data/labels.json: annotations[0] ",
        "skipped: data/labels.json: images[3] ",
    ]
    assert [sample.name for sample in open_dataset("out")] == ["a.png", "b.png", "c.png"]


def test_convert_tells_what_the_format_cannot_hold(dentify: Dentify) -> None:
    write(change=lambda document: document["annotations"][0].update(severity="minor"))
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "yolo")
    notes = set(result.stderr.splitlines())
    assert notes == {
        "note: yolo cannot hold everything: severities were left out (1)",
        "note: yolo cannot hold everything: photos without a split became part of train (4)",
    }


def test_convert_does_not_replace_unasked_nor_what_it_reads(dentify: Dentify) -> None:
    write()
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "coco")
    assert (result.exit_code, result.stderr) == (1, "error: out: is there already; --overwrite replaces all of it\n")
    before = files("data")
    over = ("--to", "coco", "--overwrite")
    for out in ("data", "../" + Path.cwd().name):
        for pictures in ("copy", "link", "none"):
            result = dentify("dataset", "convert", "data/labels.json", "-o", out, *over, "--pictures", pictures)
            assert (result.exit_code, result.stderr) == (1, f"error: {out}: holds what is read; name another folder\n")
    shutil.copytree("data", "photos")
    Path("data/labels.json").rename("labels.json")
    result = dentify("dataset", "convert", "labels.json", "-o", "photos", "--to", "coco", "--overwrite", "--images", "photos")
    assert result.stderr == "error: photos: holds what is read; name another folder\n"
    assert files("photos") == before
    assert dentify("dataset", "convert", "labels.json", "-o", "out", *over, "--images", "photos").exit_code == 0
    assert "mine.txt" not in files("out")


def test_convert_of_a_broken_picture_without_a_known_size_can_be_skipped(dentify: Dentify) -> None:
    Path("data").mkdir()
    Image.new("RGB", (60, 40)).save("data/a.png")
    Path("data/b.png").write_bytes(b"no picture")
    Path("data/train.csv").write_text("file,label\na.png,dent\nb.png,dent\n")
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "cvat")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: data/train.csv: line 3: not a picture: starts like text; give JPEG, ")
    assert result.stderr.count("\n") == 1
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "cvat", "--skip-invalid")
    assert result.exit_code == 0
    assert "skipped: data/train.csv: line 3: not a picture" in result.stderr
    assert [sample.name for sample in open_dataset("out")] == ["a.png"]
