"""The pipeline, from end to end, on Beam's runner in this process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dentify.beam import Recipe, Summary, preprocess
from dentify.datasets import open_dataset
from dentify.errors import ConfigError, InputError, OutputError
from dentify.settings import Settings
from dentify.writing import LOCK

from .conftest import BOX, Photo, coco, encoded, exif_of, lines, texture, tree

SMALL = Recipe((100, 100))


def run(source: Path | str, output: Path | str, **options: Any) -> Summary:
    options.setdefault("recipe", SMALL)
    summary = preprocess(source, output, **options)
    assert summary is not None
    return summary


def rows(output: Path) -> list[dict[str, Any]]:
    return pq.read_table(output / "manifest.parquet").to_pylist()


def test_a_folder_becomes_pictures_and_a_manifest(photo: Photo, tmp_path: Path) -> None:
    photo("b.jpg", 1, exif=exif_of())
    photo("sub/a.png", 2)
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "in" / "cut.jpg").write_bytes(encoded(texture(3), "cut.jpg")[:2000])
    out = tmp_path / "out"
    summary = run(tmp_path / "in", out, pictures_only=True)
    assert (summary.photos, summary.written, summary.failed) == (4, 2, 2)
    assert sorted(tree(out)) == [
        "_SUCCESS",
        "errors.jsonl",
        "images/b.jpg",
        "images/sub/a.jpg",
        "manifest.parquet",
        "sidecar.jsonl",
    ]
    first, second = rows(out)
    assert (first["name"], first["picture"], first["width"], first["height"]) == ("b.jpg", "b.jpg", 200, 120)
    assert (first["content_width"], first["content_height"], first["scale_x"]) == (100, 60, 0.5)
    assert first["author"] == "Ayse Fotograf"
    assert second["author"] is None
    failed = lines((out / "errors.jsonl").read_bytes())
    assert [(row["name"], row["error"]) for row in failed] == [("bad.jpg", "ImageError"), ("cut.jpg", "ImageError")]
    assert "cut off" in failed[1]["message"]


def test_places_are_gone_and_authors_stay(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1, exif=exif_of())
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    assert lines((out / "sidecar.jsonl").read_bytes()) == [
        {
            "picture": "a.jpg",
            "name": "a.jpg",
            "data_set": None,
            "author": "Ayse Fotograf",
            "copyright": "CC BY",
            "licence": None,
        }
    ]
    with Image.open(out / "images/a.jpg") as picture:
        assert len(picture.getexif()) == 0
    assert not any(b"Secretphone" in data or b"GPS" in data for data in tree(out).values())


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_annotations_follow_their_photos(fit: str, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = run(dataset, out, recipe=Recipe((100, 90), fit, quality=100))  # type: ignore[arg-type]
    assert summary.failed == 0
    scale_y = 0.5 if fit == "letterbox" else 0.75
    samples = list(open_dataset(out))
    assert [sample.name for sample in samples] == ["train/a.jpg", "train/b.jpg", "val/c.jpg"]
    assert [sample.split for sample in samples] == ["train", "train", "val"]
    assert [sample.group for sample in samples] == ["car 1", "car 1", None]
    for sample in samples:
        assert sample.size_hw == (90, 100)
        assert sample.source == "yard"
        dent, scratch = sample.annotations
        x, y, w, h = BOX
        expected = (x * 0.5, y * scale_y, (x + w) * 0.5, (y + h) * scale_y)
        assert (dent.name, dent.severity, dent.box_xyxy) == ("dent", "minor", pytest.approx(expected))
        assert (scratch.name, scratch.has_mask) == ("scratch", False)
        with Image.open(out / "images" / sample.name) as picture:
            white = np.asarray(picture).min(axis=2) > 240
        inside = np.zeros_like(white)
        inside[round(expected[1]) : round(expected[3]), round(expected[0]) : round(expected[2])] = True
        assert (white & inside).sum() / (white | inside).sum() > 0.85


def test_marks_and_what_is_said_of_whole_photos_come_with_them(dataset: Path, tmp_path: Path) -> None:
    document = json.loads((dataset / "train.json").read_text())
    document["images"][0] |= {"severity": "severe", "view": "front_left"}
    document["annotations"][0] |= {"unsure": True, "loose": True}
    (dataset / "train.json").write_text(json.dumps(document))
    out = tmp_path / "out"
    run(dataset, out)
    first, second, _ = open_dataset(out)
    assert (first.severity, first.view, second.severity, second.view) == ("severe", "front_left", None, None)
    assert [(one.unsure, one.loose, one.other_car) for one in first.annotations] == [(True, True, False), (False, False, False)]
    assert [(row["severity"], row["view"]) for row in rows(out)[:2]] == [("severe", "front_left"), (None, None)]


def test_turned_photos_keep_annotations_in_place(dataset: Path, tmp_path: Path) -> None:
    lying = texture(0).transpose(Image.Transpose.ROTATE_90)
    (dataset / "train" / "a.jpg").write_bytes(encoded(lying, "a.jpg", exif=exif_of(orientation=6)))
    out = tmp_path / "out"
    assert run(dataset, out).failed == 0
    with Image.open(out / "images/train/a.jpg") as picture:
        assert np.asarray(picture)[21, 35].min() > 240


def test_labels_for_another_size_are_an_error_of_that_photo(dataset: Path, tmp_path: Path) -> None:
    texture(0, (100, 60)).save(dataset / "train" / "a.jpg")
    (dataset / "val" / "c.jpg").unlink()
    out = tmp_path / "out"
    summary = run(dataset, out)
    assert (summary.written, summary.failed) == (1, 2)
    missing, wrong_size = lines((out / "errors.jsonl").read_bytes())
    assert "is 100 × 60 pixels, its labels are for 200 × 120" in wrong_size["message"]
    assert missing["message"].endswith("c.jpg: cannot be read: No such file or directory")


def test_duplicates_are_left_out_and_told(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1, (400, 240))
    photo("b.jpg", 1, (400, 240))
    photo("c.jpg", 1, (400, 240), exif=exif_of())  # other bytes, same pixels
    photo("d.jpg", 2, (400, 240))
    out = tmp_path / "out"
    summary = run(tmp_path / "in", out)
    assert (summary.written, summary.exact_duplicates, summary.near_duplicates) == (2, 1, 1)
    told = [(row["name"], row["picture"], row["duplicate_of"], row["duplicate"]) for row in rows(out)]
    assert told == [
        ("a.jpg", "a.jpg", None, None),
        ("b.jpg", None, "a.jpg", "exact"),
        ("c.jpg", None, "a.jpg", "near"),
        ("d.jpg", "d.jpg", None, None),
    ]
    assert run(tmp_path / "in", out, drop="exact", overwrite=True).written == 3
    assert run(tmp_path / "in", out, drop="none", overwrite=True).written == 4


def test_shards_hold_pictures_with_their_annotations(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = run(dataset, out, write="shards", shard_size=2)
    assert summary.shards == 2
    assert sorted(path.name for path in (out / "shards").iterdir()) == ["00000-of-00002.tar", "00001-of-00002.tar"]
    with tarfile.open(out / "shards/00000-of-00002.tar") as tar:
        assert tar.getnames() == ["train/a.jpg", "train/a.json", "train/b.jpg", "train/b.json"]
        document = json.loads(tar.extractfile("train/a.json").read())  # type: ignore[union-attr]
        picture = tar.extractfile("train/a.jpg").read()  # type: ignore[union-attr]
    with Image.open(io.BytesIO(picture)) as opened:
        assert opened.size == (document["width"], document["height"]) == (100, 100)
    assert document["split"] == "train"
    assert document["annotations"][0]["bbox"] == [20, 15, 30, 12]
    assert [row["shard"] for row in rows(out)] == ["00000-of-00002.tar"] * 2 + ["00001-of-00002.tar"]


@pytest.mark.parametrize("write", ["pictures", "shards"])
def test_a_second_run_writes_the_same_bytes(write: str, dataset: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(dataset, one, write=write, shard_size=2, threads=1)
    run(dataset, two, write=write, shard_size=2, threads=4)
    assert tree(one) == tree(two)
    (one / "images" / "left_over.jpg").parent.mkdir(exist_ok=True)
    (one / "images" / "left_over.jpg").write_bytes(b"of an earlier run")
    run(dataset, one, write=write, shard_size=2, overwrite=True)
    assert tree(one) == tree(two)


def test_results_are_not_replaced_unasked(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    before = tree(out)
    with pytest.raises(OutputError, match="--overwrite replaces them"):
        run(tmp_path / "in", out)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="choose an empty place"):
        run(tmp_path / "in", other, overwrite=True)
    assert tree(out) == before
    assert tree(other) == {"thesis.txt": b"mine"}


def test_a_run_that_finds_nothing_leaves_earlier_results_alone(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    before = tree(out)
    with pytest.raises(InputError, match="no such file or folder"):
        run(tmp_path / "nix", out, overwrite=True)
    assert tree(out) == before


def test_a_place_for_results_is_no_pattern(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    with pytest.raises(OutputError, match=r"out\[1\]: results need one place, without \* \? \["):
        run(tmp_path / "in", tmp_path / "out[1]")
    assert not (tmp_path / "out[1]").exists()


@pytest.mark.parametrize(("source", "output"), [("in", "in/out"), ("in", "in"), ("in/sub", "in"), ("in/**/*.jpg", "in/out")])
def test_results_and_photos_need_places_apart(source: str, output: str, photo: Photo, tmp_path: Path) -> None:
    photo("sub/a.jpg", 1)
    with pytest.raises(OutputError, match="places apart"):
        run(tmp_path / source, tmp_path / output)


def test_what_a_killed_run_had_put_in_place_is_replaced(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    out = tmp_path / "out"
    for left in (".unfinished/pictures/00000007.jpg", "images/of_then.jpg", "annotations.json"):
        (out / left).parent.mkdir(parents=True, exist_ok=True)
        (out / left).write_bytes(b"cut off")
    with pytest.raises(InputError):
        run(tmp_path / "nix", out)
    run(tmp_path / "in", out)
    assert sorted(tree(out)) == ["_SUCCESS", "images/a.jpg", "manifest.parquet", "sidecar.jsonl"]


def test_labels_that_are_no_valid_text_do_not_stop_a_run(dataset: Path, tmp_path: Path) -> None:
    text = coco(["a.jpg", "b.png"], source="yard").replace('"source": "yard"', r'"source": "\ud800", "group": "\ud801"')
    (dataset / "train.json").write_text(text.replace('"name": "dent"', r'"name": "hail\ud802"'))
    out = tmp_path / "out"
    assert run(dataset, out).written == 3
    assert rows(out)[0]["data_set"] == "\ufffd"
    assert [sample.annotations[0].name for sample in open_dataset(out)] == ["hail\ufffd", "hail\ufffd", "dent"]


def test_limits_travel_to_the_workers(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    photo("b.jpg", 2, (50, 30))
    summary = run(tmp_path / "in", tmp_path / "out", settings=Settings(max_pixels=10_000))
    assert (summary.written, summary.failed) == (1, 1)


def test_all_photos_failing_is_no_failure_of_the_run(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1).write_bytes(b"no picture")
    summary = run(tmp_path / "in", tmp_path / "out", write="shards")
    assert (summary.written, summary.failed, summary.shards) == (0, 1, 0)
    assert (tmp_path / "out" / "_SUCCESS").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runner": "NoSuchRunner"}, "no such runner"),
        ({"beam_options": ["--direct_num_wokers=2"]}, "did you mean `--direct_num_workers`"),
    ],
)
def test_wrong_options_of_beam_are_told(options: dict[str, Any], message: str, photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "in", tmp_path / "out", **options)


@pytest.mark.skipif(os.name != "posix" or (os.geteuid() == 0 and not Path("/dev/full").exists()), reason="needs /dev/full")
def test_a_disk_that_cannot_be_written_is_one_line(photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo("a.jpg", 1)
    out = tmp_path / "out"

    def stage_on_a_full_disk(total: int, folder: str) -> None:
        Path(folder).mkdir(parents=True)
        (Path(folder) / "00000000.jpg").symlink_to("/dev/full")

    with pytest.raises(OutputError, match="No space left on device") as caught:
        run(tmp_path / "in", out, on_start=stage_on_a_full_disk)
    assert "\n" not in str(caught.value)
    assert not (out / "_SUCCESS").exists()


def test_a_killed_run_leaves_nothing_that_looks_finished(dataset: Path, tmp_path: Path) -> None:
    for seed in range(10, 60):
        (dataset / "train" / f"{seed}.jpg").write_bytes(encoded(texture(seed, (1600, 960)), "a.jpg"))
    arguments = ["--size", "100", "--pictures-only", "--threads", "1", "--quiet"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, "-c", COMMAND, str(dataset)]
    subprocess.run([*command, "-o", str(whole), *arguments], check=True)
    process = subprocess.Popen([*command, "-o", str(killed), *arguments])
    staged = killed / ".unfinished" / "pictures"
    deadline = time.monotonic() + 60
    while not (staged.is_dir() and len(list(staged.iterdir())) > 3):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {path.name for path in killed.iterdir()} == {".unfinished", LOCK}
    subprocess.run([*command, "-o", str(killed), *arguments], check=True)
    assert tree(killed) == tree(whole)


def test_what_a_run_left_that_was_killed_after_its_last_step_is_taken_away(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    out = tmp_path / "out"
    run(tmp_path / "in", out)
    whole = tree(out)
    (out / ".unfinished" / "pictures").mkdir(parents=True)
    (out / ".unfinished" / "pictures" / "00000000.jpg").write_bytes(b"x")
    with pytest.raises(OutputError, match="out: holds results; --overwrite replaces them"):
        run(tmp_path / "in", out)
    assert tree(out) == whole
    assert not (out / ".unfinished").exists()


COMMAND = (
    "import typer, sys; from dentify.cli.dataset.preprocess import CONTEXT, preprocess; app = typer.Typer();"
    " app.command(context_settings=CONTEXT)(preprocess); app()"
)
