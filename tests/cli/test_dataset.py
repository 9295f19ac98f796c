"""`dentify dataset …`: what is printed where, exit codes, and one line for everything that goes wrong."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentify.curation.inspection import Inspection
from dentify.datasets import open_dataset
from dentify.testing import Damage, paint_photo

Dentify = Callable[..., Any]
Paint = Callable[..., Path]
Change = Callable[[dict[str, Any]], object]

COMMANDS = ("inspect", "convert", "merge", "split", "normalize", "captions", "prelabel", "collect")
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def write(folder: str = "data", change: Change = lambda document: None) -> Path:
    """Four photos in COCO, two of which hold damages."""
    path = Path(folder)
    path.mkdir(exist_ok=True)
    for number, name in enumerate("abcd"):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{name}.png")
    document: dict[str, Any] = {
        "categories": [{"id": 1, "name": "gocuk"}, {"id": 2, "name": "scrtch"}],
        "images": [{"id": n, "file_name": f"{name}.png", "width": 60, "height": 40} for n, name in enumerate("abcd")],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [SQUARE]},
            {"id": 2, "image_id": 0, "category_id": 2, "segmentation": [SQUARE[:6]]},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]},
        ],
    }
    change(document)
    (path / "labels.json").write_text(json.dumps(document))
    return path


def spoiled(document: dict[str, Any]) -> None:
    """Two things that do not hold, on two photos."""
    document["annotations"][0]["category_id"] = 7
    document["images"][3]["file_name"] = "none.png"


def files(folder: str | Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


# --- help and usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("collect", "flickr")])
def test_each_command_has_help_with_an_example(dentify: Dentify, command: tuple[str, ...]) -> None:
    result = dentify("dataset", *command, "--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    if not command or command == ("collect",):
        for name in COMMANDS if not command else ("flickr",):
            assert re.search(rf"\b{name}\b", text)
    else:
        assert f"dentify dataset {' '.join(command)} " in text.partition("Example")[2]
        assert "--debug" in text


def test_without_a_command_help_is_shown(dentify: Dentify) -> None:
    assert "Commands" in dentify("dataset").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect"], "Missing argument 'PATH'"),
        (["inspect", "data", "--overwrite"], "--overwrite needs -o: standard output keeps nothing"),
        (
            ["inspect", "data", "--input-format", "cocos"],
            "'cocos' is no format; known are coco, cvat, via, label_studio, datumaro,",
        ),
        (["inspect", "data", "--workers", "0"], "--workers"),
        (["convert", "data", "out"], "Missing option '--to'"),
        (["convert", "data", "out", "--to", "voc"], "--to 'voc' is none of coco, cvat, via, label_studio, yolo, masks"),
        (["convert", "data", "out", "--to", "\x1b[31m"], r"--to '\x1b[31m' is none of coco"),
        (["convert", "data", "out", "--to", "coco", "--input-format", "cocos"], "'cocos' is no format; known are coco, cvat,"),
        (["convert", "data", "out", "--to", "coco", "--pictures", "move"], "--pictures"),
        (["split", "data", "--ratios", "70"], "--ratios '70': give two ratios (train, val) or three (train, val, test)"),
        (["split", "data", "--ratios", "70,a"], "--ratios '70,a': ratios must be numbers with commas between, as 70,15,15"),
        (["split", "data", "--ratios", "70,nan"], "--ratios '70,nan': give two ratios"),
        (["split", "data", "--seed", "-1"], "--seed"),
        (["split", "data", "--group-by", "("], "--group-by '(': is none of group, source, folder, and no regular expression"),
        (["captions", "data", "--overwrite"], "--overwrite needs -o"),
        (["captions", "data", "-n", "0"], "--count"),
        (["merge", "data", "out"], "give two data sets or more and, last, the folder to make"),
        (["merge", "data", "data", "out", "--to", "voc"], "--to 'voc' is none of coco, cvat"),
        (["prelabel", "out", "--to", "cvat"], "give photos and, last, the folder to make"),
        (["prelabel", "data", "out", "--to", "masks"], "--to 'masks' is none of cvat, via, coco, label_studio, yolo"),
        (["prelabel", "data", "out", "--to", "cvat", "--check-below", "2"], "--check-below"),
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


def test_a_name_of_a_format_may_be_spelled_as_its_tool_spells_it(dentify: Dentify) -> None:
    write()
    assert dentify("dataset", "convert", "data", "out", "--to", "LabelStudio").exit_code == 0
    result = dentify("dataset", "inspect", "out", "--input-format", "labelstudio", "--format", "json")
    assert Inspection.model_validate_json(result.stdout).format == "label_studio"


# --- inspect -------------------------------------------------------------------------------------------------------------


def test_inspect_prints_a_table_and_exits_0_whatever_is_wrong_with_photos(dentify: Dentify) -> None:
    write(change=spoiled)
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("data: COCO JSON, 4 photos, 2 annotations\n")
    assert "2 problems: " in result.stdout
    assert "  invalid label: data/labels.json: annotations[0] (id 1, a.png): category_id 7 is no category" in result.stdout
    assert "  missing picture: data/labels.json: images[3] (id 3): no picture 'none.png' in data" in result.stdout
    assert "note: 1 pictures below data are not in these labels, data/d.png for one" in result.stdout


def test_inspect_prints_json_alone(dentify: Dentify) -> None:
    write(change=spoiled)
    result = dentify("dataset", "inspect", "data", "--format", "json", "--no-pictures")
    inspection = Inspection.model_validate_json(result.stdout)
    assert (inspection.photos, len(inspection.problems), inspection.pictures_read) == (4, 2, False)


def test_inspect_takes_a_label_map(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {gocuk: dent, scrtch: scratch}")
    result = dentify("dataset", "inspect", "data", "--labels", "map.yaml", "--format", "json")
    assert set(json.loads(result.stdout)["types"]) == {"dent", "scratch"}


UNMAPPED = "2 labels that are not mapped: Car (2×; did you mean `vehicle`?), scrtch (1×; did you mean `scratch`?)"
SAY = "say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out"


def test_inspect_tells_words_that_the_map_leaves_out_in_the_words_of_all_commands(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="Car"))
    Path("map.yaml").write_text("labels: {}")
    result = dentify("dataset", "inspect", "data", "--labels", "map.yaml", "--no-pictures")
    assert result.exit_code == 0
    assert f"unmapped label: data: {UNMAPPED}" in result.stdout
    for command in (
        ["dataset", "convert", "data", "out", "--to", "coco"],
        ["dataset", "captions", "data"],
        ["dataset", "crops", "data", "-o", "crops", "--least-side", "1"],
    ):
        result = dentify(*command, "--labels", "map.yaml")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"error: data: {UNMAPPED}; {SAY}")


def test_the_draft_of_inspect_is_a_map_that_every_command_takes(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="Car"))
    assert dentify("dataset", "inspect", "data", "--no-pictures", "-o", "out").exit_code == 0
    assert "scrtch" in Path("out/labels.yaml").read_text()
    result = dentify("dataset", "inspect", "data", "--no-pictures", "--labels", "out/labels.yaml")
    assert "no problems" in result.stdout
    assert "not mapped" not in result.stdout
    assert dentify("dataset", "convert", "data", "coco", "--to", "coco", "--labels", "out/labels.yaml").exit_code == 0


def test_a_map_with_types_of_ones_own_is_taken_by_every_command(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {scrtch: hail_mark}")
    for command in (
        ["inspect", "data"],
        ["captions", "data"],
        ["convert", "data", "out", "--to", "coco"],
        ["crops", "data", "-o", "crops", "--least-side", "1"],
    ):
        assert dentify("dataset", *command, "--labels", "map.yaml").exit_code == 0
    result = dentify("dataset", "inspect", "out", "--labels", "map.yaml", "--no-pictures", "--format", "json")
    assert json.loads(result.stdout)["types"]["hail_mark"]["kind"] == "damage"


def test_inspect_writes_files_and_does_not_replace_them_unasked(dentify: Dentify) -> None:
    write()
    assert dentify("dataset", "inspect", "data", "-o", "out").exit_code == 0
    assert files("out") == {"inspection.json", "inspection.html", "labels.yaml"}
    Path("out/inspection.json").write_text("mine")
    result = dentify("dataset", "inspect", "data", "-o", "out")
    assert (result.exit_code, result.stdout) == (1, "")  # before the work is done
    assert result.stderr == "error: out/inspection.json: is there already; --overwrite replaces it\n"
    assert Path("out/inspection.json").read_text() == "mine"
    assert dentify("dataset", "inspect", "data", "-o", "out", "--overwrite").exit_code == 0
    assert Inspection.model_validate_json(Path("out/inspection.json").read_text()).photos == 4


def test_inspect_of_labels_without_one_photo_that_holds_tells_all_and_exits_1(dentify: Dentify) -> None:
    write(change=lambda document: [image.update(width=0) for image in document["images"]])
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 1
    assert "4 problems: 4 invalid label" in result.stdout


def test_inspect_of_an_empty_data_set_is_no_failure(dentify: Dentify) -> None:
    Path("data").mkdir()
    Path("data/labels.json").write_text('{"images": [], "annotations": [], "categories": []}')
    result = dentify("dataset", "inspect", "data")
    assert result.exit_code == 0
    assert result.stdout.startswith("data: COCO JSON, 0 photos, 0 annotations\n")


# --- convert -------------------------------------------------------------------------------------------------------------


def test_convert_keeps_words_without_a_map(dentify: Dentify) -> None:
    write()
    result = dentify("dataset", "convert", "data", "out", "--to", "coco")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\n", "")
    categories = json.loads(Path("out/annotations.json").read_text())["categories"]
    assert [row["name"] for row in categories] == ["gocuk", "scrtch"]
    assert files("out") == {"annotations.json", *(f"images/{name}.png" for name in "abcd")}


def test_convert_with_a_map_renames(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {scrtch: scratch}")  # gocuk is the taxonomy's own synonym
    assert dentify("dataset", "convert", "data", "out", "--to", "cvat", "--labels", "map.yaml").exit_code == 0
    annotations = [one for sample in open_dataset("out") for one in sample.annotations]
    assert [(one.name, one.original) for one in annotations] == [("dent", "gocuk"), ("scratch", "scrtch"), ("dent", "gocuk")]


def test_convert_lists_all_labels_that_a_map_leaves_out(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][0].update(name="dnt"))
    Path("map.yaml").write_text("labels: {}")
    before = files(".")
    result = dentify("dataset", "convert", "data", "out", "--to", "coco", "--labels", "map.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: data: 2 labels that are not mapped: dnt (2×; did you mean `dent`?), scrtch (1×; did you mean `scratch`?);"
        " say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out\n"
    )
    assert files(".") == before


def test_convert_is_strict_and_with_skip_invalid_goes_on_and_lists(dentify: Dentify) -> None:
    write(change=spoiled)
    before = files(".")
    result = dentify("dataset", "convert", "data", "out", "--to", "yolo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: data/labels.json: annotations[0] (id 1, a.png): category_id 7 is no category of this file (ids 1, 2)\n"
    )
    assert files(".") == before
    result = dentify("dataset", "convert", "data", "out", "--to", "yolo", "--skip-invalid")
    assert (result.exit_code, result.stdout) == (0, "out\n")
    skipped = [line for line in result.stderr.splitlines() if line.startswith("skipped: ")]
    assert [line.partition("(id")[0] for line in skipped] == [
        "skipped: data/labels.json: annotations[0] ",
        "skipped: data/labels.json: images[3] ",
    ]
    assert [sample.name for sample in open_dataset("out")] == ["a.png", "b.png", "c.png"]


def test_convert_tells_what_the_format_cannot_hold(dentify: Dentify) -> None:
    write(change=lambda document: document["annotations"][0].update(severity="minor"))
    result = dentify("dataset", "convert", "data", "out", "--to", "yolo")
    notes = set(result.stderr.splitlines())
    assert notes == {
        "note: yolo cannot hold everything: severities were left out (1)",
        "note: yolo cannot hold everything: photos without a split became part of train (4)",
    }


def test_convert_does_not_replace_unasked_nor_what_it_reads(dentify: Dentify) -> None:
    write()
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    result = dentify("dataset", "convert", "data", "out", "--to", "coco")
    assert (result.exit_code, result.stderr) == (1, "error: out: is there already; --overwrite replaces all of it\n")
    before = files("data")
    for out in ("data", "../" + Path.cwd().name):
        for pictures in ("copy", "link", "none"):
            result = dentify("dataset", "convert", "data/labels.json", out, "--to", "coco", "--overwrite", "--pictures", pictures)
            assert (result.exit_code, result.stderr) == (1, f"error: {out}: holds what is read; name another folder\n")
    shutil.copytree("data", "photos")
    Path("data/labels.json").rename("labels.json")
    result = dentify("dataset", "convert", "labels.json", "photos", "--to", "coco", "--overwrite", "--images", "photos")
    assert result.stderr == "error: photos: holds what is read; name another folder\n"
    assert files("photos") == before
    assert dentify("dataset", "convert", "labels.json", "out", "--to", "coco", "--images", "photos", "--overwrite").exit_code == 0
    assert "mine.txt" not in files("out")


def test_convert_of_a_broken_picture_without_a_known_size_can_be_skipped(dentify: Dentify) -> None:
    Path("data").mkdir()
    Image.new("RGB", (60, 40)).save("data/a.png")
    Path("data/b.png").write_bytes(b"no picture")
    Path("data/train.csv").write_text("file,label\na.png,dent\nb.png,dent\n")
    result = dentify("dataset", "convert", "data", "out", "--to", "cvat")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: data/train.csv: line 3: not a picture: starts like text; give JPEG, ")
    assert result.stderr.count("\n") == 1
    result = dentify("dataset", "convert", "data", "out", "--to", "cvat", "--skip-invalid")
    assert result.exit_code == 0
    assert "skipped: data/train.csv: line 3: not a picture" in result.stderr
    assert [sample.name for sample in open_dataset("out")] == ["a.png"]


# --- split ---------------------------------------------------------------------------------------------------------------


def test_split_writes_what_all_commands_read(dentify: Dentify) -> None:
    write()
    result = dentify("dataset", "split", "data", "--ratios", "50,50")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("photos with")
    assert result.stdout.endswith("0 groups of 0 photos stay together\n")
    told = "note: val holds no photo with scrtch; another --seed may do, or more photos\n"
    assert result.stderr == told + "data/splits.csv\n"
    inspection = json.loads(dentify("dataset", "inspect", "data", "--format", "json").stdout)
    assert {name: one["photos"] for name, one in inspection["splits"].items()} == {"train": 2, "val": 2}


def test_split_is_repeatable_and_does_not_replace_unasked(dentify: Dentify) -> None:
    write()
    dentify("dataset", "split", "data", "--seed", "3")
    first = Path("data/splits.csv").read_bytes()
    again = dentify("dataset", "split", "data", "--seed", "3")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "error: data/splits.csv: is there already; --overwrite replaces it\n"
    assert dentify("dataset", "split", "data", "--group-by", "[ab]", "--overwrite").exit_code == 0
    assert dentify("dataset", "split", "data", "--seed", "3", "--overwrite").exit_code == 0
    assert Path("data/splits.csv").read_bytes() == first


def test_split_ends_at_a_broken_picture_or_leaves_it_out(dentify: Dentify) -> None:
    write()
    Path("data/c.png").write_bytes(Path("data/c.png").read_bytes()[:2000])
    result = dentify("dataset", "split", "data")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: data/labels.json: images[2] (id 2): c.png: this PNG is cut off")
    assert result.stderr.count("\n") == 1
    assert not Path("data/splits.csv").exists()
    result = dentify("dataset", "split", "data", "--skip-invalid")
    assert result.exit_code == 0
    assert "skipped: data/labels.json: images[2] (id 2): c.png: this PNG is cut off" in result.stderr
    assert "c.png" not in Path("data/splits.csv").read_text()
    assert dentify("dataset", "split", "data", "--no-pictures", "--overwrite").exit_code == 0  # which opens none
    assert "c.png" in Path("data/splits.csv").read_text()


# --- normalize -----------------------------------------------------------------------------------------------------------


def test_normalize_prints_json_of_the_train_split(dentify: Dentify) -> None:
    write()
    everything = json.loads(dentify("dataset", "normalize", "data").stdout)
    assert (everything["split"], everything["photos"]) == ("", 4)
    Path("data/splits.csv").write_text("file,split\na.png,train\nb.png,val\nc.png,val\nd.png,val\n")
    train = json.loads(dentify("dataset", "normalize", "data").stdout)
    pixels = np.asarray(Image.open("data/a.png")).reshape(-1, 3) / 255
    assert (train["split"], train["photos"]) == ("train", 1)
    assert train["mean"] == pytest.approx(pixels.mean(axis=0), abs=1e-6)
    assert train["std"] == pytest.approx(pixels.std(axis=0), abs=1e-6)
    result = dentify("dataset", "normalize", "data", "--split", "test")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: no photo of split 'test' that can be read; the data set has train, val\n"


def test_normalize_leaves_out_broken_pictures_when_told_to(dentify: Dentify) -> None:
    write()
    Path("data/c.png").write_bytes(Path("data/c.png").read_bytes()[:2000])
    assert dentify("dataset", "normalize", "data").exit_code == 1
    result = dentify("dataset", "normalize", "data", "--skip-invalid")
    assert json.loads(result.stdout)["photos"] == 3
    assert result.stderr.startswith("skipped: data/labels.json: images[2] (id 2): c.png: this PNG is cut off")


# --- captions ------------------------------------------------------------------------------------------------------------


def test_captions_are_lines_of_json(dentify: Dentify) -> None:
    write()
    Path("data/splits.csv").write_text("file,split\na.png,train\n")
    result = dentify("dataset", "captions", "data", "-n", "3")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["file_name"], row["split"]) for row in rows] == [("a.png", "train")] * 3 + [("b.png", None)] * 3
    assert all("dent" in row["text"].lower() for row in rows)
    assert dentify("dataset", "captions", "data", "-n", "3").stdout == result.stdout
    assert dentify("dataset", "captions", "data", "-n", "3", "--seed", "1").stdout != result.stdout


def test_captions_go_to_a_file_whole_and_not_over_another(dentify: Dentify) -> None:
    write(change=lambda document: document["categories"][1].update(name="hail \ud800"))
    result = dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl")
    told = f"note: data: 1 label that is not mapped: hail \\ud800 (1×); {SAY}"
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"out/metadata.jsonl\n{told}; until then they are neither damage nor parts\n"
    rows = [json.loads(line) for line in Path("out/metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["file_name"] for row in rows] == ["a.png", "b.png"]
    again = dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl")
    assert (again.exit_code, again.stderr) == (1, "error: out/metadata.jsonl: is there already; --overwrite replaces it\n")
    assert dentify("dataset", "captions", "data", "-o", "out/metadata.jsonl", "--overwrite").exit_code == 0
    write("bad", spoiled)
    assert dentify("dataset", "captions", "bad", "-o", "bad.jsonl").exit_code == 1
    assert not Path("bad.jsonl").exists()


def test_captions_need_every_word_of_a_map(dentify: Dentify) -> None:
    write()
    Path("map.yaml").write_text("labels: {}")
    result = dentify("dataset", "captions", "data", "--labels", "map.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "1 label that is not mapped: scrtch (1×; did you mean `scratch`?); say" in result.stderr


# --- merge ---------------------------------------------------------------------------------------------------------------


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
    result = dentify("dataset", "merge", "mine", "theirs", "out")
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
    result = dentify("dataset", "merge", "mine", "theirs", "out", "--drop-duplicates")
    assert "the later 1 are left out" in result.stderr
    assert sorted(sample.name for sample in open_dataset("out")) == ["9.png", "a.png", "b.png", "c.png", "d.png"]
    assert dentify("dataset", "merge", "theirs", "mine", "again", "--drop-duplicates").exit_code == 0
    assert sorted(sample.name for sample in open_dataset("again")) == ["0.png", "9.png", "b.png", "c.png", "d.png"]


def test_merge_takes_one_map_for_all_and_ends_before_anything_is_written(dentify: Dentify) -> None:
    write("mine")
    theirs()
    Path("map.yaml").write_text("labels: {bonnet: null}")
    result = dentify("dataset", "merge", "mine", "theirs", "out", "--labels", "map.yaml")
    assert (result.exit_code, Path("out").exists()) == (1, False)
    assert result.stderr == f"error: mine: 1 label that is not mapped: scrtch (1×; did you mean `scratch`?); {SAY}\n"
    Path("map.yaml").write_text("labels: {bonnet: null, scrtch: hail_mark}")
    assert dentify("dataset", "merge", "mine", "theirs", "out", "--labels", "map.yaml").exit_code == 0
    assert {name for sample in open_dataset("out") for name in sample.labelled} == {"dent", "hail_mark"}


def test_merge_leaves_out_what_does_not_hold_and_lists_it(dentify: Dentify) -> None:
    write("mine")
    theirs()
    Path("mine/b.png").write_bytes(Path("mine/b.png").read_bytes()[:200])
    assert dentify("dataset", "merge", "mine", "theirs", "out").exit_code == 1
    assert not Path("out").exists()
    result = dentify("dataset", "merge", "mine", "theirs", "out", "--skip-invalid")
    assert result.exit_code == 0
    assert sum(line.startswith("skipped: mine/labels.json: images[1]") for line in result.stderr.splitlines()) == 1
    assert "b.png" not in {sample.name for sample in open_dataset("out")}


def test_merge_makes_no_folder_that_it_reads(dentify: Dentify) -> None:
    write("mine")
    theirs()
    before = files(".")
    result = dentify("dataset", "merge", "mine", "theirs", "theirs", "--overwrite")
    assert (result.exit_code, result.stderr) == (1, "error: theirs: holds what is read; name another folder\n")
    assert files(".") == before


# --- prelabel ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["cvat", "via", "coco", "labelstudio", "yolo"])
def test_prelabel_drafts_what_it_can_read(dentify: Dentify, bundle: Path, paint: Paint, to: str) -> None:
    paint("photos/a.png", "dent", "scratch")
    paint("photos/sub/a.png", "dent")
    Path("photos/b.png").write_bytes(b"no picture")
    result = dentify("dataset", "prelabel", "photos", "out", "--to", to, "--bundle", bundle)
    assert (result.exit_code, result.stdout) == (1, "out\n")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: photos/b.png: not a picture")
    back = {sample.name: sorted(one.name for one in sample.annotations) for sample in open_dataset("out")}
    assert back == {"a.png": ["dent", "scratch"], "sub-a.png": ["dent"]}


def test_prelabel_marks_what_is_below_a_confidence_and_drafts_parts(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    damages = [Damage("dent", (0.25, 0.25, 0.375, 0.375)), Damage("scratch", (0.5, 0.5, 0.625, 0.625), 0.67)]
    Image.fromarray(paint_photo(size_hw=(128, 192), parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=damages)).save("a.png")

    def drafted(*options: str) -> dict[str, bool]:
        result = dentify("dataset", "prelabel", "a.png", "out", "--to", "coco", "--bundle", bundle, "--overwrite", *options)
        assert result.exit_code == 0, result.output
        return {one.name: one.check for sample in open_dataset("out") for one in sample.annotations}

    assert drafted() == {"dent": False, "scratch": False}
    assert drafted("--check-below", "0.9") == {"dent": False, "scratch": True}
    assert drafted("--parts") == {"dent": False, "scratch": False, "hood": False}
    assert drafted("--score-threshold", "0.9") == {"dent": False}


@pytest.mark.parametrize("out", ["photos", "../{here}"])
def test_prelabel_does_not_replace_the_photos_it_reads(dentify: Dentify, bundle: Path, paint: Paint, out: str) -> None:
    paint("photos/a.png", "dent")
    out = out.format(here=Path.cwd().name)
    for given in ("photos", "photos/a.png", "photos/*.png"):
        result = dentify("dataset", "prelabel", given, out, "--to", "coco", "--bundle", bundle, "--overwrite")
        assert (result.exit_code, result.stderr) == (1, f"error: {out}: holds what is read; name another folder\n")
    assert files("photos") == {"a.png"}


def test_prelabel_without_one_photo_writes_and_replaces_nothing(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    dentify("dataset", "prelabel", "photos", "out", "--to", "coco", "--bundle", bundle)
    before = files("out")
    for target in ("out", "new"):
        result = dentify("dataset", "prelabel", "fotos", target, "--to", "coco", "--bundle", bundle, "--overwrite")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == ("error: fotos: no such file or folder\nerror: no photo could be drafted; nothing was written\n")
    assert files("out") == before
    assert not Path("new").exists()


def test_prelabel_does_not_replace_unasked(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    paint("out/mine.png")
    result = dentify("dataset", "prelabel", "photos", "out", "--to", "cvat", "--bundle", bundle)
    assert (result.exit_code, result.stderr) == (1, "error: out: is there already; --overwrite replaces all of it\n")
    assert files("out") == {"mine.png"}


# --- pictures that EXIF turns --------------------------------------------------------------------------------------------


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
        ("convert", "data", "out", "--to", "coco"),
        ("merge", "data", "more", "out"),
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
