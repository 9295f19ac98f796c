"""A zip of results: whole or not at all, and the same for the same results."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dentify.errors import OutputError
from dentify.sinks import Result, ZipSink
from dentify.summary import Timings
from written_results import PIXELS, SAME, TYPES, assessed, break_off, files, fill, fill_the_disk, folder_sink, result, zip_sink


def test_a_zip_holds_what_a_folder_would() -> None:
    fill(folder_sink(), "a/b.jpg", "ç.jpg")
    fill(zip_sink(), "a/b.jpg", "ç.jpg")
    with zipfile.ZipFile("out.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == files()
        for name in ("a/b.json", "a/b.photo.jpg", "ç.json", "errors.jsonl"):
            assert archive.read(name) == Path("out", name).read_bytes()
        header = archive.read("summary.csv").decode().splitlines()[0]
    assert "_ms" not in header


def test_the_same_results_give_the_same_zip() -> None:
    fill(zip_sink(), "a.jpg")
    first = Path("out.zip").read_bytes()
    fill(zip_sink(overwrite=True), "a.jpg")
    assert Path("out.zip").read_bytes() == first


def test_a_zip_is_not_overwritten() -> None:
    Path("out.zip").write_text("mine")
    with pytest.raises(OutputError) as told, zip_sink():
        pass
    assert str(told.value) == "out.zip: is there already; --overwrite replaces it"
    assert Path("out.zip").read_text() == "mine"


def test_a_run_that_breaks_off_makes_no_zip_and_keeps_the_earlier_one() -> None:
    Path("out.zip").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        break_off(zip_sink(overwrite=True))
    assert files(".") == [".out.zip.new/a.json", ".out.zip.new/a.photo.jpg", "out.zip"]
    assert Path("out.zip").read_text() == "mine"


def test_a_zip_goes_on_where_it_was_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(zip_sink())
    with pytest.raises(OutputError) as told, zip_sink():
        pass
    assert str(told.value) == "out.zip: an earlier run was interrupted; --resume finishes it, --overwrite begins anew"
    with zip_sink(resume=SAME) as sink:
        for name in ("a.jpg", "b.jpg"):
            sink.reserve(name, name)
        earlier = sink.earlier("a.jpg", PIXELS)
        assert earlier == assessed("a.jpg")
        sink.keep(earlier)
        sink.write(result("b.jpg", "dent"))
    assert files(".") == ["out.zip"]
    resumed_zip = Path("out.zip").read_bytes()
    with zip_sink(overwrite=True) as sink:
        sink.write(result("a.jpg"))
        sink.write(result("b.jpg", "dent"))
    assert Path("out.zip").read_bytes() == resumed_zip


def test_an_interrupted_run_that_replaces_a_zip_goes_on_and_replaces_it() -> None:
    Path("out.zip").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        break_off(zip_sink(overwrite=True))
    with pytest.raises(OutputError, match=r"^out\.zip: an earlier run was interrupted; --resume finishes it, --overwrite begins"):
        fill(zip_sink())
    with zip_sink(resume=SAME) as sink:
        sink.reserve("a.jpg", "a.jpg")
        earlier = sink.earlier("a.jpg", PIXELS)
        assert earlier == assessed("a.jpg")
        sink.keep(earlier)
    with zipfile.ZipFile("out.zip") as archive:
        assert "a.json" in archive.namelist()
    assert files(".") == ["out.zip"]


def test_a_zip_that_came_beside_an_interrupted_run_is_not_replaced_by_going_on() -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(zip_sink())
    Path("out.zip").write_text("mine")
    with pytest.raises(OutputError, match=r"^out\.zip: is there already; --overwrite replaces it$"):
        fill(zip_sink(resume=SAME))
    assert Path("out.zip").read_text() == "mine"


def test_a_name_as_long_as_files_may_have_is_no_trouble_in_the_end() -> None:
    name = "x" * (255 - len(".zip") - len("..part")) + ".zip"  # of which the folder beside it takes all
    with ZipSink(name, formats=("json",), damage_types=TYPES) as sink:
        sink.write(result("a.jpg"))
    assert [path.name for path in Path().iterdir()] == [name]


def test_overwriting_begins_an_interrupted_zip_anew() -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(zip_sink())
    fill(zip_sink(overwrite=True), "b.jpg")
    with zipfile.ZipFile("out.zip") as archive:
        assert sorted(archive.namelist()) == ["b.json", "b.photo.jpg", "errors.jsonl", "findings.csv", "summary.csv"]


def test_two_photos_of_one_name_are_told_for_a_zip_too() -> None:
    with zip_sink() as sink:
        sink.reserve("x.jpg", "a/x.jpg")
        with pytest.raises(OutputError, match=r"would be written to the same place as a/x\.jpg"):
            sink.reserve("x.png", "b/x.png")


def test_a_name_that_no_zip_can_hold_fails_alone(tmp_path: Path) -> None:
    with ZipSink(tmp_path / "out.zip", formats=("json",), damage_types=TYPES) as sink:
        with pytest.raises(OutputError, match=r"^there: its name is too long for an entry of a zip; rename it$"):
            sink.reserve("a/" * 40_000 + "x.jpg", "there")
        sink.write(Result(assessed("a.jpg"), None, Timings(0, 0, None)))
    assert "a.json" in zipfile.ZipFile(tmp_path / "out.zip").namelist()


def test_a_full_disk_leaves_no_zip_and_keeps_what_is_done(small_disk: Path) -> None:
    message = fill_the_disk(ZipSink(small_disk / "out.zip", formats=("photo", "json"), damage_types=TYPES))
    assert message.endswith(": cannot be written: No space left on device; make room, then run again")
    names = files(str(small_disk))
    assert ".out.zip.part/0.json" in names
    assert all(name.startswith(".out.zip.part/") and name.endswith((".json", ".photo.jpg")) for name in names)
