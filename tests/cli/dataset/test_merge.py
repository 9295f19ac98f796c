"""`dentify dataset merge`: several data sets in one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from dentify.datasets import open_dataset

from .conftest import SAY, Dentify, files, write


def theirs(folder: str = "theirs") -> Path:
    """Two photos as folders of YOLO, the first of which `write` makes, too."""
    for split, number in (("train", 0), ("val", 9)):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        for kind in ("images", "labels"):
            (Path(folder) / kind / split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(Path(folder) / "images" / split / f"{number}.png")
        (Path(folder) / "labels" / split / f"{number}.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    (Path(folder) / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [bonnet, Dent]\n")
    return Path(folder)


def test_merge_unites_label_spaces_keeps_splits_and_tells_photos_of_several_sources(dentify: Dentify) -> None:
    write("mine", lambda document: document["categories"][1].update(name="scratch"))
    theirs()
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "out")
    assert (result.exit_code, files("out") & {"train.json", "val.json", "annotations.json"}) == (
        0,
        {"train.json", "val.json", "annotations.json"},
    )
    rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
    assert rows == [
        ["source", "photos", "annotations", "none", "train", "val", "does not label"],
        ["mine", "4", "3", "4", "0", "0", "hood"],
        ["theirs", "2", "2", "0", "1", "1", "scratch"],
    ]
    told = "1 photos are in several sources, 1 of them in different splits; all are kept; --drop-duplicates leaves the later out"
    assert told in result.stderr
    assert "  same file: mine: a.png, theirs: images/train/0.png (none and train)" in result.stderr
    merged = {sample.name: sample for sample in open_dataset("out")}
    assert {name: (one.source, one.split, sorted(one.labelled)) for name, one in merged.items()} == {
        **{f"{name}.png": ("mine", None, ["dent", "scratch"]) for name in "abcd"},
        "0.png": ("theirs", "train", ["dent", "hood"]),
        "9.png": ("theirs", "val", ["dent", "hood"]),
    }
    assert [one.name for one in merged["a.png"].annotations] == ["dent", "scratch"]  # gocuk is a dent
    assert [one.name for one in merged["9.png"].annotations] == ["dent"]


def test_merge_leaves_out_the_later_of_duplicates_if_asked(dentify: Dentify) -> None:
    write("mine")
    theirs()
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "out", "--drop-duplicates")
    assert "the later 1 are left out" in result.stderr
    assert sorted(sample.name for sample in open_dataset("out")) == ["9.png", "a.png", "b.png", "c.png", "d.png"]
    assert dentify("dataset", "merge", "theirs", "mine", "-o", "again", "--drop-duplicates").exit_code == 0
    assert sorted(sample.name for sample in open_dataset("again")) == ["0.png", "9.png", "b.png", "c.png", "d.png"]


def test_each_copy_of_a_photo_that_an_earlier_source_holds_is_left_out(dentify: Dentify) -> None:
    write("mine")
    theirs()
    again = Image.open("mine/a.png").convert("RGB")
    for name in ("0", "9"):
        again.save(f"theirs/images/{'train' if name == '0' else 'val'}/{name}.png", compress_level=1)
    copy = Path("theirs/images/train/0.png").read_bytes()
    assert copy == Path("theirs/images/val/9.png").read_bytes() != Path("mine/a.png").read_bytes()
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "out", "--drop-duplicates")
    assert "2 photos are in several sources, 2 of them in different splits; the later 2 are left out" in result.stderr
    assert {sample.source for sample in open_dataset("out")} == {"mine"}


def test_merge_takes_one_map_for_all_and_ends_before_anything_is_written(dentify: Dentify) -> None:
    write("mine")
    theirs()
    Path("map.yaml").write_text("labels: {bonnet: null}")
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "out", "--labels", "map.yaml")
    assert (result.exit_code, Path("out").exists()) == (1, False)
    assert result.stderr == f"error: mine: 1 label that is not mapped: scrtch (1×; did you mean `scratch`?); {SAY}\n"
    Path("map.yaml").write_text("labels: {bonnet: null, scrtch: hail_mark}")
    assert dentify("dataset", "merge", "mine", "theirs", "-o", "out", "--labels", "map.yaml").exit_code == 0
    assert {name for sample in open_dataset("out") for name in sample.labelled} == {"dent", "hail_mark"}


def test_merge_leaves_out_what_does_not_hold_and_lists_it(dentify: Dentify) -> None:
    write("mine")
    theirs()
    Path("mine/b.png").write_bytes(Path("mine/b.png").read_bytes()[:200])
    assert dentify("dataset", "merge", "mine", "theirs", "-o", "out").exit_code == 1
    assert not Path("out").exists()
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "out", "--skip-invalid")
    assert result.exit_code == 0
    assert sum(line.startswith("skipped: mine/labels.json: images[1]") for line in result.stderr.splitlines()) == 1
    assert "b.png" not in {sample.name for sample in open_dataset("out")}


def test_merge_makes_no_folder_that_it_reads(dentify: Dentify) -> None:
    write("mine")
    theirs()
    before = files(".")
    result = dentify("dataset", "merge", "mine", "theirs", "-o", "theirs", "--overwrite")
    assert (result.exit_code, result.stderr) == (1, "error: theirs: holds what is read; name another folder\n")
    assert files(".") == before
