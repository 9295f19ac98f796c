"""Assessments into streams, folders and zips: whole or not at all."""

from __future__ import annotations

import csv
import errno
import inspect
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.assessment import (
    AnswerSettings,
    Assessment,
    BundleIdentity,
    Finding,
    Photo,
    PhotoType,
    Presence,
    Quality,
    ReportLine,
    Review,
    Severity,
)
from dentify.errors import OutputError
from dentify.sinks import (
    Conditions,
    FolderSink,
    Format,
    Result,
    StreamSink,
    ZipSink,
    concerns_one_photo,
    output_stem,
)
from dentify.summary import Timings, summary_cells, summary_columns
from dentify.writing import write_whole

TYPES = ("dent", "scratch", "crack")
SAME = Conditions("b" * 64, AnswerSettings(), "0.1.0")
PIXELS = b"the photo's bytes"


def assessed(name: str, *types: str, photo: bytes = PIXELS, threshold: float | None = None) -> Assessment:
    findings = tuple(
        Finding(id=number, type=one, confidence=0.8, box=(0, 0, 1, 1), mask=None, area_share=0.1, severity=None)
        for number, one in enumerate(types, 1)
    )
    return Assessment(
        photo=Photo(name=name, sha256=sha256(photo).hexdigest(), width=640, height=480, captured_at=None),
        bundle=BundleIdentity(name="tiny", version="1", sha256="b" * 64),
        quality=Quality(usable=True, issues=("blurred",)),
        vehicle=Presence(present=True, confidence=0.9),
        damage=Presence(present=bool(types), confidence=0.9),
        findings=findings,
        severity=Severity(level="minor", confidence=0.5) if types else None,
        review=Review(needed=False),
        not_judged=("crack",),
        report=f"{len(types)} damages.",
        settings=AnswerSettings(score_threshold=threshold),
        dentify_version="0.1.0",
    )


def result(name: str, *types: str) -> Result:
    return Result(assessed(name, *types), b"\xff\xd8 drawn on", Timings(1, 20.25, 3))


def folder_sink(
    *, formats: Sequence[Format] = ("json", "photo"), overwrite: bool = False, resume: Conditions | None = None
) -> FolderSink:
    return FolderSink("out", formats=formats, damage_types=TYPES, overwrite=overwrite, resume=resume)


def zip_sink(*, overwrite: bool = False, resume: Conditions | None = None) -> ZipSink:
    return ZipSink("out.zip", formats=("json", "photo"), damage_types=TYPES, overwrite=overwrite, resume=resume)


def fill(sink: FolderSink | ZipSink, *names: str) -> None:
    with sink:
        for name in names:
            sink.reserve(name, name)
            sink.write(result(name, "dent"))


def break_off(sink: FolderSink | ZipSink) -> None:
    with sink:
        sink.write(result("a.jpg"))
        raise KeyboardInterrupt


def files(folder: str = "out") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def rows() -> list[dict[str, str]]:
    with Path("out/summary.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in messages are as short as what a user types."""
    monkeypatch.chdir(tmp_path)


# Names


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=400))
def test_every_output_fits_a_file_name(name: str) -> None:
    longest = f".{output_stem(name + '.jpg')}.photo.jpg.part"
    assert len(longest.encode()) <= 255


def test_names_that_are_cut_stay_apart() -> None:
    assert output_stem("x" * 300 + "1.jpg") != output_stem("x" * 300 + "2.jpg")


# A stream


def streamed(*results: Result, several: bool, output_format: str) -> str:
    stream = io.StringIO()
    with StreamSink(stream=stream, output_format=output_format, several=several) as sink:  # type: ignore[arg-type]
        for one in results:
            sink.write(one)
    return stream.getvalue()


def test_one_photo_is_its_report_or_one_document() -> None:
    assert streamed(result("a.jpg", "dent"), several=False, output_format="text") == "1 damages.\n"
    document = streamed(result("a.jpg", "dent"), several=False, output_format="json")
    assert document.startswith('{\n  "schema_version"')
    assert Assessment.model_validate_json(document) == assessed("a.jpg", "dent")


def test_several_photos_are_reports_under_their_names_or_json_lines() -> None:
    both = (result("a.jpg", "dent"), result("b\n.jpg"))
    assert streamed(*both, several=True, output_format="text") == "a.jpg\n1 damages.\n\nb\\n.jpg\n0 damages.\n"
    lines = streamed(*both, several=True, output_format="json").splitlines()
    assert [json.loads(line)["photo"]["name"] for line in lines] == ["a.jpg", "b\n.jpg"]


def test_verbose_texts_tell_parts_in_view_where_an_answer_has_lines() -> None:
    lines = (
        ReportLine(kind="verdict", text="Nothing found.", sources=("damage",)),
        ReportLine(kind="parts", text="Parts in view: hood.", sources=("parts",)),
    )
    of_today = assessed("a.jpg").model_copy(update={"report": "Nothing found.", "report_lines": lines})
    of_before = assessed("a.jpg")
    texts = {}
    for verbose in (False, True):
        stream = io.StringIO()
        with StreamSink(stream=stream, several=False, verbose=verbose) as sink:
            sink.write(Result(of_today))
            sink.write(Result(of_before))
        texts[verbose] = stream.getvalue()
    assert texts[False] == "Nothing found.\n0 damages.\n"
    assert texts[True] == "Nothing found.\nParts in view: hood.\n0 damages.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_standard_output_is_told() -> None:
    stream = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails too
    with pytest.raises(OutputError, match="standard output: cannot be written: No space left on device"):
        StreamSink(stream=stream).write(result("a.jpg"))
    with pytest.raises(OSError, match="No space left"):
        stream.close()


# A folder


def test_a_photo_becomes_a_file_of_each_format() -> None:
    with folder_sink(formats=("text", "photo", "json")) as sink:
        sink.write(result("a/b.jpg", "dent"))
    assert files() == ["a/b.json", "a/b.photo.jpg", "a/b.txt", "errors.jsonl", "findings.csv", "summary.csv"]
    assert Assessment.model_validate_json(Path("out/a/b.json").read_bytes()) == assessed("a/b.jpg", "dent")
    assert Path("out/a/b.txt").read_text() == "1 damages.\n"
    assert Path("out/a/b.photo.jpg").read_bytes() == b"\xff\xd8 drawn on"


def test_the_summary_has_a_row_a_photo_and_tells_unknown_from_none() -> None:
    with folder_sink() as sink:
        sink.write(result("a.jpg", "dent", "dent", "scratch"))
        sink.write(result("b, c.jpg"))
    header, first, second = Path("out/summary.csv").read_text().splitlines()
    assert header == (
        "name,vehicle,damage,types,findings,dent,scratch,crack,severity,review_needed,quality_issues,read_ms,assess_ms,draw_ms"
    )
    assert first == "a.jpg,true,true,,3,2,1,,minor,false,blurred,1.0,20.2,3.0"
    assert second == '"b, c.jpg",true,false,,0,0,0,,,false,blurred,1.0,20.2,3.0'


@pytest.mark.parametrize(
    ("types", "told"), [(None, ""), ((), "none"), ((("dent", 0.9), ("=hail", 0.5)), "dent; =hail"), ((("=hail", 0.5),), "'=hail")]
)
def test_the_summary_tells_types_of_the_photo(types: tuple[tuple[str, float], ...] | None, told: str) -> None:
    of_photo = None if types is None else tuple(PhotoType(type=name, confidence=sure) for name, sure in types)
    plain = result("a.jpg").assessment
    assessment = plain.model_copy(update={"types": of_photo, "not_judged": ("crack",)})
    row = dict(zip(summary_columns(TYPES), summary_cells(assessment, TYPES), strict=False))
    assert (row["types"], row["findings"], row["dent"], row["crack"]) == (told, "0", "0", "")
    alone = dict(zip(summary_columns(["crack"]), summary_cells(assessment, ["crack"]), strict=False))
    assert alone["findings"] == ("0" if types is None else "")  # none of the types is one that findings are told of


def test_a_name_is_no_formula_for_a_spreadsheet() -> None:
    with folder_sink() as sink:
        sink.write(result("=1+1.jpg"))
    assert rows()[0]["name"] == "./=1+1.jpg"


def test_failed_photos_are_lines_of_errors_jsonl() -> None:
    with folder_sink() as sink:
        sink.fail("a/é.jpg", "ImageError", "a/é.jpg: the file is empty")
    assert Path("out/errors.jsonl").read_text(encoding="utf-8") == (
        '{"name": "a/é.jpg", "error": "ImageError", "message": "a/é.jpg: the file is empty"}\n'
    )


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


def test_overwriting_one_photo_keeps_the_rows_of_the_others() -> None:
    fill(folder_sink(), "a.jpg", "b.jpg", "c.jpg")
    Path("out/c.json").unlink()
    Path("out/c.photo.jpg").unlink()
    with folder_sink(overwrite=True) as sink:
        sink.reserve("a.jpg", "a.jpg")
        sink.write(result("a.jpg"))
    assert [(row["name"], row["findings"], row["read_ms"]) for row in rows()] == [("a.jpg", "0", "1.0"), ("b.jpg", "1", "1.0")]


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 kB; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def write_many(sink: FolderSink | ZipSink) -> None:
    with sink:
        for number in range(100):
            sink.write(Result(assessed(f"{number}.jpg"), os.urandom(5000)))


def fill_the_disk(sink: FolderSink | ZipSink) -> str:
    with pytest.raises(OutputError) as told:
        write_many(sink)
    assert not concerns_one_photo(told.value)
    assert isinstance(told.value.__cause__, OSError)
    assert told.value.__cause__.errno == errno.ENOSPC
    return str(told.value)


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


def test_a_full_disk_leaves_no_zip_and_keeps_what_is_done(small_disk: Path) -> None:
    message = fill_the_disk(ZipSink(small_disk / "out.zip", formats=("photo", "json"), damage_types=TYPES))
    assert message.endswith(": cannot be written: No space left on device; make room, then run again")
    names = files(str(small_disk))
    assert ".out.zip.part/0.json" in names
    assert all(name.startswith(".out.zip.part/") and name.endswith((".json", ".photo.jpg")) for name in names)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_file_over_the_systems_limit_is_not_left_in_part() -> None:
    """Works without root: the system refuses to let a file grow over 1000 bytes."""
    code = """
import resource, signal, sys
from pathlib import Path
from dentify.errors import OutputError
from dentify.writing import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole({Path("out/a.json"): b"small", Path("out/a.photo.jpg"): bytes(2000)})
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "out/a.photo.jpg: cannot be written: File too large; make room, then run again\n"
    assert files() == []


def test_files_are_replaced_together_or_not_at_all() -> None:
    write_whole({Path("a"): b"old"})
    Path("b").mkdir()
    with pytest.raises(OutputError):
        write_whole({Path("b"): b"new", Path("a"): b"new"})
    assert Path("a").read_bytes() == b"old"
    assert files(".") == ["a"]


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


def test_what_a_killed_run_left_is_taken_up() -> None:
    """Its summary never got its name; the timings in it still count, a row cut off in the middle does not."""
    fill(folder_sink(), "a.jpg")
    Path("out/summary.csv").rename("out/.summary.csv.part")
    with Path("out/.summary.csv.part").open("a") as stream:
        stream.write('b.jpg,true,"')
    Path("out/.b.json.part").write_text("{")
    with pytest.raises(OutputError, match="holds results already"), folder_sink():
        pass
    with folder_sink(resume=SAME) as sink:
        earlier = sink.earlier("a.jpg", PIXELS)
        assert earlier is not None
        sink.keep(earlier)
        assert sink.earlier("b.jpg", PIXELS) is None
        sink.write(result("b.jpg"))
    assert [(row["name"], row["assess_ms"]) for row in rows()] == [("a.jpg", "20.2"), ("b.jpg", "20.2")]
    assert files() == ["a.json", "a.photo.jpg", "b.json", "b.photo.jpg", "errors.jsonl", "findings.csv", "summary.csv"]


@pytest.mark.parametrize("text", ["", "no,such,columns\n1,2,3\n", "name\n\0\n", "name\n" + "x" * 200_000])
def test_a_summary_of_someone_elses_is_no_obstacle(text: str) -> None:
    Path("out").mkdir()
    Path("out/summary.csv").write_text(text)
    fill(folder_sink(overwrite=True), "a.jpg")
    assert [row["name"] for row in rows()] == ["a.jpg"]


# A zip


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
    assert files(".") == [".out.zip.part/a.json", ".out.zip.part/a.photo.jpg", "out.zip"]
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


def test_a_folder_in_the_way_of_one_file_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    (tmp_path / "a.photo.jpg").mkdir()
    with pytest.raises(OutputError):
        write_whole({tmp_path / "a.json": b"new", tmp_path / "a.photo.jpg": b"new"})
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.photo.jpg"]
