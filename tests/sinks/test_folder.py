"""Results in a folder: each photo whole or not at all, and kept by the next run while it still holds."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dentify.assessment import AnswerSettings, Assessment
from dentify.errors import OutputError
from dentify.sinks import Conditions, FolderSink, concerns_one_photo, output_stem
from written_results import (
    PIXELS,
    SAME,
    TYPES,
    assessed,
    break_off,
    files,
    fill,
    fill_the_disk,
    folder_sink,
    result,
    rows,
)


def test_a_photo_becomes_a_file_of_each_format() -> None:
    with folder_sink(formats=("text", "photo", "json")) as sink:
        sink.write(result("a/b.jpg", "dent"))
    assert files() == ["a/b.json", "a/b.photo.jpg", "a/b.txt", "errors.jsonl", "findings.csv", "summary.csv"]
    assert Assessment.model_validate_json(Path("out/a/b.json").read_bytes()) == assessed("a/b.jpg", "dent")
    assert Path("out/a/b.txt").read_text() == "1 damages.\n"
    assert Path("out/a/b.photo.jpg").read_bytes() == b"\xff\xd8 drawn on"


@pytest.mark.parametrize("name", ["çizik 凹み ☂.jpg", "x" * 251 + ".jpg", "a\nb.jpg"])
def test_any_name_can_be_written(name: str) -> None:
    with folder_sink() as sink:
        sink.reserve(name, name)
        sink.write(result(name))
    assert json.loads(Path("out", output_stem(name) + ".json").read_bytes())["photo"]["name"] == name


def test_a_photo_may_lie_deeper_than_recursion_goes() -> None:
    name = "/".join("d" * 400) + "/a.jpg"
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)
    try:
        with folder_sink() as sink:
            sink.write(result(name))
    finally:
        sys.setrecursionlimit(limit)
    assert Path("out", output_stem(name) + ".json").exists()


def test_two_photos_that_would_be_one_file_are_told() -> None:
    with folder_sink() as sink:
        sink.reserve("x.jpg", "a/x.jpg")
        with pytest.raises(OutputError) as told:
            sink.reserve("x.png", "b/x.png")
    assert str(told.value) == (
        "b/x.png: would be written to the same place as a/x.jpg (x.json); rename one, or assess them into two places"
    )


def test_a_zips_folder_cannot_take_the_summarys_place() -> None:
    with folder_sink() as sink, pytest.raises(OutputError, match=r"would take the place of summary\.csv"):
        sink.reserve("summary.csv/a.jpg", "a.zip: summary.csv/a.jpg")


def test_pictures_of_findings_that_are_no_more_go_and_their_folder_is_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_crops(*findings: int) -> None:
        with folder_sink(formats=("json", "crops"), overwrite=True) as sink:
            for number in range(20):
                sink.write(replace(result(f"{number}.jpg"), crops=dict.fromkeys(findings, b"picture")))

    def crops() -> list[str]:
        return sorted(path.name for path in Path("out/findings_crops").glob("*"))

    fill_crops(1, 2)
    Path("out/findings_crops/notes.txt").touch()
    assert len(crops()) == 41
    listed: list[Path] = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterdir(path))
    fill_crops(2)
    assert listed == [Path("out/findings_crops")]  # for every photo it would be quadratic
    assert crops() == sorted([*(f"{number}.2.jpg" for number in range(20)), "notes.txt"])


def test_earlier_results_are_not_overwritten() -> None:
    fill(folder_sink(), "a.jpg")
    with pytest.raises(OutputError) as told, folder_sink():
        pass
    assert str(told.value) == "out: holds results already; --resume finishes them, --overwrite replaces them"
    Path("out/summary.csv").unlink()
    with folder_sink() as sink, pytest.raises(OutputError) as told:
        sink.reserve("a.jpg", "a.jpg")
    assert str(told.value) == "out/a.json: is there already; --overwrite replaces it"
    fill(folder_sink(overwrite=True), "a.jpg")


def test_a_run_that_breaks_off_leaves_whole_photos_and_nothing_that_looks_finished() -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(folder_sink())
    assert files() == ["a.json", "a.photo.jpg"]


def test_a_file_in_the_folders_place_is_told() -> None:
    Path("out").write_text("")
    with pytest.raises(OutputError) as told, folder_sink():
        pass
    assert str(told.value) == "out: is a file, results need a folder or a name that ends in .zip"


def test_a_file_in_a_parents_place_is_told() -> None:
    Path("file").write_text("")
    with pytest.raises(OutputError) as told, FolderSink("file/out", formats=("json",), damage_types=TYPES):
        pass
    assert str(told.value) == "file/out: cannot be written: Not a directory"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where even root cannot write")
def test_a_folder_that_cannot_be_made_is_told() -> None:
    with pytest.raises(OutputError) as told, FolderSink("/proc/out", formats=("json",), damage_types=TYPES):
        pass
    assert str(told.value) == "/proc/out: cannot be written: No such file or directory"


@pytest.mark.usefixtures("no_root")
def test_a_folder_without_rights_is_told() -> None:
    Path("out").mkdir(mode=0o500)
    with pytest.raises(OutputError) as told, folder_sink():
        pass
    assert str(told.value) == "out: cannot be written: Permission denied"


def test_a_folder_in_a_files_place_concerns_one_photo_and_leaves_nothing() -> None:
    Path("out/a.photo.jpg").mkdir(parents=True)
    with folder_sink(overwrite=True) as sink, pytest.raises(OutputError) as told:
        sink.write(result("a.jpg"))
    assert concerns_one_photo(told.value)
    assert not list(Path("out").glob(".*"))


# A disk that fills up


def test_a_full_disk_ends_the_run_and_leaves_nothing_half(small_disk: Path) -> None:
    message = fill_the_disk(FolderSink(small_disk, formats=("photo", "json"), damage_types=TYPES))
    assert message.endswith(": cannot be written: No space left on device; make room, then run again")
    names = files(str(small_disk))
    assert names
    for name in names:
        data = (small_disk / name).read_bytes()
        if name.endswith(".json"):
            Assessment.model_validate_json(data)
            assert name.replace(".json", ".photo.jpg") in names
        else:
            assert name.endswith(".photo.jpg")
            assert len(data) == 5000


# Resuming


def resumed(name: str = "a.jpg", photo: bytes = PIXELS, conditions: Conditions = SAME) -> Assessment | None:
    with folder_sink(resume=conditions) as sink:
        sink.reserve(name, name)
        earlier = sink.earlier(name, photo)
        if earlier is None:
            sink.write(result(name))
        else:
            sink.keep(earlier)
        return earlier


def test_a_finished_photo_is_kept_with_its_row_and_timings() -> None:
    fill(folder_sink(), "a.jpg", "b.jpg")
    before = Path("out/summary.csv").read_text()
    with folder_sink(resume=SAME) as sink:
        for name in ("a.jpg", "b.jpg"):
            sink.reserve(name, name)
            earlier = sink.earlier(name, PIXELS)
            assert earlier == assessed(name, "dent")
            sink.keep(earlier)
    assert Path("out/summary.csv").read_text() == before


@pytest.mark.parametrize(
    ("photo", "conditions"),
    [
        (b"another photo", SAME),
        (PIXELS, Conditions("c" * 64, AnswerSettings(), "0.1.0")),
        (PIXELS, Conditions("b" * 64, AnswerSettings(score_threshold=0.2), "0.1.0")),
        (PIXELS, Conditions("b" * 64, AnswerSettings(gates=False), "0.1.0")),
        (PIXELS, Conditions("b" * 64, AnswerSettings(), "0.2.0")),
    ],
    ids=["photo", "bundle", "threshold", "gates", "version"],
)
def test_a_photo_is_done_again_when_what_it_depends_on_has_changed(photo: bytes, conditions: Conditions) -> None:
    fill(folder_sink(), "a.jpg")
    assert resumed(photo=photo, conditions=conditions) is None
    assert [row["findings"] for row in rows()] == ["0"]


def test_a_photo_is_done_again_when_one_of_its_files_is_missing() -> None:
    fill(folder_sink(), "a.jpg")
    Path("out/a.photo.jpg").unlink()
    assert resumed() is None
    assert files() == ["a.json", "a.photo.jpg", "errors.jsonl", "findings.csv", "summary.csv"]


def test_a_photo_is_done_again_when_another_one_had_its_place() -> None:
    fill(folder_sink(), "a.jpg")
    assert resumed(name="a.png") is None
    assert [row["name"] for row in rows()] == ["a.png"]


@pytest.mark.parametrize("text", ["", '{"dentify_version": "0.0.1", "schema_version": "0.9"}'], ids=["empty", "older schema"])
def test_an_older_answer_is_done_again(text: str) -> None:
    fill(folder_sink(), "a.jpg")
    Path("out/a.json").write_text(text)
    assert resumed() is None


@pytest.mark.parametrize("text", ['{"shapes": []}', "[]", "not JSON", '{"a": ' * 10**5])
def test_resuming_does_not_replace_someone_elses_file(text: str) -> None:
    Path("out").mkdir()
    Path("out/a.json").write_text(text)
    with pytest.raises(OutputError) as told:
        resumed()
    assert str(told.value) == "out/a.json: is no assessment; --overwrite replaces it"
    assert Path("out/a.json").read_text() == text


def test_resuming_does_not_replace_someone_elses_text_without_json() -> None:
    Path("out").mkdir()
    Path("out/a.txt").write_text("0 0.5 0.5 0.1 0.1")
    with folder_sink(formats=("json", "text"), resume=SAME) as sink, pytest.raises(OutputError) as told:
        sink.reserve("a.jpg", "a.jpg")
    assert str(told.value) == "out/a.txt: is there already; --overwrite replaces it"
