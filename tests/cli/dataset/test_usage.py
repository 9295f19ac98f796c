"""What all commands of `dentify dataset` have in common: help, usage, one line for what cannot be read, `--frame`."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dentify.curation.inspection import Inspection

from .conftest import Dentify, files, write


def test_without_a_command_help_is_shown(dentify: Dentify) -> None:
    assert "Commands" in dentify("dataset").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect"], "Missing argument 'PATH'"),
        (["inspect", "data", "--overwrite"], "--overwrite needs -o: standard output keeps nothing"),
        (
            ["inspect", "data", "--input-format", "cocos"],
            "Invalid value for '--input-format': 'cocos' is none of coco, cvat, via, label_studio, datumaro,",
        ),
        (["inspect", "data", "--workers", "0"], "--workers"),
        (["inspect", "data", "--format", "jsn"], "'--format': 'jsn' is none of table, json; did you mean `json`?"),
        (["convert", "data", "out"], "Missing option '--to'"),
        (["convert", "data", "-o", "out", "--to", "voc"], "'--to': 'voc' is none of coco, cvat, via, label_studio, yolo, masks"),
        (["convert", "data", "-o", "out", "--to", "\x1b[31m"], r"'--to': '\x1b[31m' is none of coco"),
        (
            ["convert", "data", "-o", "out", "--to", "coco", "--input-format", "cocos"],
            "table, folders; did you mean `coco`?",
        ),
        (["convert", "data", "-o", "out", "--to", "label-studio"], "masks; did you mean `label_studio`?"),
        (["convert", "data", "-o", "out", "--to", "coco", "--pictures", "move"], "--pictures"),
        (["split", "data", "--ratios", "70"], "--ratios '70': give two ratios (train, val) or three (train, val, test)"),
        (["split", "data", "--ratios", "70,a"], "--ratios '70,a': ratios must be numbers with commas between, as 70,15,15"),
        (["split", "data", "--ratios", "70,nan"], "--ratios '70,nan': give two ratios"),
        (["split", "data", "--seed", "-1"], "--seed"),
        (["split", "data", "--group-by", "("], "--group-by '(': is none of group, source, folder, and no regular expression"),
        (["captions", "data", "--overwrite"], "--overwrite needs -o"),
        (["captions", "data", "-n", "0"], "--count"),
        (["merge", "data", "-o", "out"], "give two data sets or more"),
        (["merge", "data", "data", "-o", "out", "--to", "voc"], "'--to': 'voc' is none of coco, cvat"),
        (["prelabel", "data", "-o", "out", "--to", "masks"], "'--to': 'masks' is none of coco, cvat, via, label_studio, yolo"),
        (["prelabel", "data", "-o", "out", "--to", "cvat", "--check-below", "2"], "--check-below"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_written(dentify: Dentify, arguments: list[str], message: str) -> None:
    write()
    before = files(".")
    result = dentify("dataset", *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert message in " ".join(result.stderr.split())
    assert files(".") == before


@pytest.mark.parametrize("command", ["inspect", "split", "normalize", "captions"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "nowhere: no such file or folder"),
        ("empty", "empty: holds neither labels nor pictures of a format that is known"),
        ("cut/labels.json", "cut/labels.json: broken JSON at line 1, column "),
        ("cut", "cut/labels.json: broken JSON at line 1, column "),
    ],
)
def test_what_cannot_be_read_is_one_line(dentify: Dentify, command: str, path: str, message: str) -> None:
    Path("empty").mkdir()
    write("cut")
    text = Path("cut/labels.json").read_text()
    Path("cut/labels.json").write_text(text[: len(text) // 2])
    before = files(".")
    result = dentify("dataset", command, path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {message}")
    assert result.stderr.count("\n") == 1
    assert files(".") == before


def test_a_format_may_be_written_in_capitals(dentify: Dentify) -> None:
    write()
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", "Label_Studio")
    assert (result.exit_code, result.stderr) == (0, "")
    result = dentify("dataset", "inspect", "out", "--input-format", "LABEL_STUDIO", "--format", "JSON")
    assert Inspection.model_validate_json(result.stdout).format == "label_studio"


@pytest.mark.parametrize("spelled", ["labelstudio", "LabelStudio"])
def test_an_earlier_spelling_is_taken_with_a_note(dentify: Dentify, spelled: str) -> None:
    write()
    note = f"note: {spelled} is called label_studio; the next version knows no other name\n"
    result = dentify("dataset", "convert", "data", "-o", "out", "--to", spelled)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\n", note)
    result = dentify("dataset", "inspect", "out", "--input-format", spelled, "--format", "json")
    assert Inspection.model_validate_json(result.stdout).format == "label_studio"
    assert result.stderr == note


def turned(folder: str) -> Path:
    """A data set whose labels are for its pictures as they are stored, before EXIF turns them."""
    path = write(folder, lambda document: document["categories"][1].update(name="scratch"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for picture in path.glob("*.png"):
        with Image.open(picture) as stored:
            stored.copy().save(picture, exif=exif)
    return path


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "data", "-o", "out", "--to", "coco"),
        ("merge", "data", "more", "-o", "out"),
        ("split", "data"),
        ("normalize", "data"),
        ("captions", "data"),
        ("crops", "data", "-o", "out", "--least-side", "1"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_reads_labels_of_stored_pictures_if_told_so(dentify: Dentify, command: tuple[str, ...]) -> None:
    turned("data")
    turned("more")
    refused = dentify("dataset", *command, "-q") if command[0] != "captions" else dentify("dataset", *command)
    assert refused.exit_code == 1
    assert "`--frame stored` turns them" in refused.stderr
    quiet = () if command[0] == "captions" else ("-q",)
    assert dentify("dataset", *command, "--frame", "stored", *quiet).exit_code == 0
