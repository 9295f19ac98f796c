"""`dentify assess`, in this process: what it writes, what it says, how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import Result

import dentify as dentify_package
from dentify.assessment import Assessment
from dentify.testing import tiny_classifier

Dentify = Callable[..., Result]
Paint = Callable[..., Path]


TREE = [
    *("a/b.json", "a/b.photo.jpg", "c.json", "c.photo.jpg", "errors.jsonl", "findings.csv", "index.html"),
    *("index_files/large/a/b.jpg", "index_files/large/c.jpg", "index_files/small/a/b.webp", "index_files/small/c.webp"),
    "summary.csv",
]
"""What the folder `photos` becomes."""


def files(folder: str = "out") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def usage_error(result: Result) -> str:
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


@pytest.fixture
def photos(paint: Paint) -> Path:
    """A folder as people have them: photos, other files, a broken one."""
    paint("photos/a/b.png", "dent")
    paint("photos/c.png")
    Path("photos/notes.txt").write_text("hello")
    return Path("photos")


# Standard output


def test_a_photo_alone_is_its_report(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    result = dentify("assess", paint("a.png", "dent"), "--bundle", bundle)
    assert result.exit_code == 0
    expected = dentify_package.load(bundle).assess("a.png").report
    assert result.stdout == expected + "\n"
    assert "dent" in result.stdout
    assert result.stderr == "1 photo: 1 damaged, 1 needs a look, 0 failed\n"


def test_several_photos_are_reports_under_their_names(dentify: Dentify, bundle: Path, photos: Path) -> None:
    result = dentify("assess", photos, "--bundle", bundle)
    assert result.exit_code == 0
    first, second = result.stdout.split("\n\nc.png\n")
    assert first.startswith("a/b.png\n")
    assert "dent" in first
    assert second.strip()
    assert result.stderr == "2 photos: 1 damaged, 2 need a look, 0 failed (1 other file skipped)\n"


def test_a_photo_alone_is_one_json_document(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    result = dentify("assess", paint("photos/a.png", "dent"), "--format", "json", "--bundle", bundle)
    assert len(result.stdout.splitlines()) > 10
    assessment = Assessment.model_validate_json(result.stdout)
    assert assessment.photo.name == "a.png"
    assert [finding.type for finding in assessment.findings] == ["dent"]


def test_several_photos_are_json_lines(dentify: Dentify, bundle: Path, photos: Path) -> None:
    result = dentify("assess", photos, "--format", "json", "--bundle", bundle)
    assert [json.loads(line)["photo"]["name"] for line in result.stdout.splitlines()] == ["a/b.png", "c.png"]


def test_a_photo_on_standard_input(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    data = paint("a.png", "dent").read_bytes()
    result = dentify("assess", "-", "--format", "json", "--bundle", bundle, stdin=data)
    assert json.loads(result.stdout)["photo"]["name"] == "stdin"


def test_tiles_are_told_in_the_answer_and_others_make_it_anew(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    asked = dentify("assess", "photos/a.png", "--tiles", "2", "--format", "json", "--bundle", bundle)
    assert json.loads(asked.stdout)["settings"]["tiles"] == 2
    arguments = ("assess", "photos", "-o", "out", "--format", "json", "--bundle", bundle)
    assert dentify(*arguments, "--tiles", "auto").exit_code == 0
    assert "1 done before" in dentify(*arguments, "--tiles", "auto", "--resume").stderr
    assert "done before" not in dentify(*arguments, "--resume").stderr
    assert json.loads(Path("out/a.json").read_text())["schema_version"] == "1.1"


@pytest.mark.parametrize("tiles", ["1", "9", "many", "-2"])
def test_tiles_that_cannot_be_are_wrong_usage(dentify: Dentify, bundle: Path, paint: Paint, tiles: str) -> None:
    error = usage_error(dentify("assess", paint("a.png"), f"--tiles={tiles}", "--bundle", bundle))
    assert f"--tiles '{tiles}' is none of auto, off, and 2 to 8" in error


def test_quiet_leaves_errors_alone(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a.png")
    result = dentify("assess", "a.png", "gone.png", "--quiet", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.stderr == "error: gone.png: no such file or folder\n"


def test_a_report_in_german(dentify: Dentify, bundle: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    paint("a.png", "dent")
    asked = dentify("assess", "a.png", "--language", "de", "--bundle", bundle)
    assert ": Delle, " in asked.stdout
    monkeypatch.setenv("DENTIFY_LANGUAGE", "de")
    assert dentify("assess", "a.png", "--bundle", bundle).stdout == asked.stdout
    assert "dent" in dentify("assess", "a.png", "--language", "en", "--bundle", bundle).stdout


def test_an_unknown_language_is_told_the_known_ones(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    error = usage_error(dentify("assess", paint("a.png"), "--language", "fr", "--bundle", bundle))
    assert "--language 'fr' is none of en, de" in error


def test_parts_in_view_are_told_on_request(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a.png", "dent")
    brief, verbose = (dentify("assess", "a.png", *more, "--bundle", bundle).stdout for more in ([], ["--verbose"]))
    assert "Parts in view:" not in brief
    (parts,) = set(verbose.splitlines()) - set(brief.splitlines())
    assert parts.startswith("Parts in view: ")


# Folders


def test_parts_are_drawn_on_request(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent")
    dentify("assess", "photos", "-o", "plain", "--bundle", bundle)
    dentify("assess", "photos", "-o", "outlined", "--draw-parts", "--bundle", bundle)
    assert Path("plain/a.json").read_bytes() == Path("outlined/a.json").read_bytes()
    assert Path("plain/a.photo.jpg").read_bytes() != Path("outlined/a.photo.jpg").read_bytes()


def test_texts_in_files_tell_parts_on_request(dentify: Dentify, bundle: Path, photos: Path) -> None:
    for output in ("out", "out.zip"):
        dentify("assess", photos, "-o", output, "--format", "text", "--verbose", "--bundle", bundle)
    told = Path("out/a/b.txt").read_text()
    assert "\nParts in view: " in told
    with zipfile.ZipFile("out.zip") as archive:
        assert archive.read("a/b.txt").decode() == told


def test_a_folder_becomes_a_tree_of_results(dentify: Dentify, bundle: Path, photos: Path) -> None:
    result = dentify("assess", photos, "-o", "out", "--bundle", bundle)
    assert (result.exit_code, result.stdout) == (0, "")
    assert files() == TREE
    assert Assessment.model_validate_json(Path("out/a/b.json").read_bytes()).photo.name == "a/b.png"
    with Image.open("out/a/b.photo.jpg") as drawn:
        assert drawn.format == "JPEG"
    with Path("out/summary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["dent"]) for row in rows] == [("a/b.png", "1"), ("c.png", "0")]
    assert all(float(row["assess_ms"]) > 0 for row in rows)
    assert Path("out/errors.jsonl").read_text() == ""


def test_a_classifier_counts_no_findings_of_what_it_tells_of_the_photo(dentify: Dentify, photos: Path) -> None:
    assert dentify("assess", "--bundle", tiny_classifier("classifier"), photos, "-o", "out").exit_code == 0
    rows = list(csv.DictReader(Path("out/summary.csv").read_text().splitlines()))
    assert {row["types"] for row in rows} == {"dent", "none"}
    assert {row["findings"] for row in rows} == {""}
    assert "dent" not in rows[0]


def test_the_formats_are_chosen(dentify: Dentify, bundle: Path, photos: Path) -> None:
    dentify("assess", photos, "-o", "out", "--format", "text,json", "--bundle", bundle)
    assert files() == ["a/b.json", "a/b.txt", "c.json", "c.txt", "errors.jsonl", "findings.csv", "summary.csv"]


def test_results_do_not_depend_on_workers_formats_or_the_time(dentify: Dentify, bundle: Path, photos: Path) -> None:
    """Timings stand in summary.csv alone."""
    dentify("assess", photos, "-o", "one", "--workers", "1", "--bundle", bundle)
    dentify("assess", photos, "-o", "four", "--workers", "4", "--format", "json,photo,text,page", "--bundle", bundle)
    for name in files("one"):
        if name != "summary.csv":
            assert Path("one", name).read_bytes() == Path("four", name).read_bytes()


def test_what_fails_does_not_stop_the_others(dentify: Dentify, bundle: Path, photos: Path) -> None:
    Path("photos/b.jpg").write_text("this is text")
    result = dentify("assess", photos, "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    error, closing, where = result.stderr.splitlines()
    assert error.startswith("error: photos/b.jpg: not a picture")
    assert closing == "3 photos: 1 damaged, 2 need a look, 1 failed (1 other file skipped)"
    assert where == "results in out: index.html shows them, findings.csv and summary.csv list them"
    assert "photos/b.jpg: not a picture" in Path("out/index.html").read_text()
    entry = json.loads(Path("out/errors.jsonl").read_text())
    assert entry == {"name": "b.jpg", "error": "ImageError", "message": error.removeprefix("error: ")}


def test_results_within_the_photos_folder_are_not_assessed_later(dentify: Dentify, bundle: Path, photos: Path) -> None:
    for _ in range(2):
        result = dentify("assess", photos, "-o", "photos/out", "--resume", "--bundle", bundle)
        assert result.exit_code == 0
    assert " (2 done before, 2 other files skipped)\n" in result.stderr
    for _ in range(2):
        result = dentify("assess", photos, "-o", photos, "--resume", "--save-crops", "--bundle", bundle)
        assert result.exit_code == 0
    assert result.stderr.startswith("2 photos: ")


def test_results_of_earlier_runs_among_the_photos_are_no_photos(dentify: Dentify, bundle: Path, photos: Path) -> None:
    for output in ("photos/first", "photos/second", "apart"):
        result = dentify("assess", photos, "-o", output, "--save-crops", "--bundle", bundle)
        assert result.stderr.startswith("2 photos: ")
    assert [name for name in files("apart") if name.endswith(".photo.jpg")] == ["a/b.photo.jpg", "c.photo.jpg"]


def test_gates_and_threshold_reach_the_answer(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a.png", "dent")
    result = dentify("assess", "a.png", "--format", "json", "--no-gates", "--score-threshold", "0.25", "--bundle", bundle)
    assert json.loads(result.stdout)["settings"] == {"score_threshold": 0.25, "gates": False, "language": "en"}


# Zips


def test_a_zip_becomes_a_zip_with_the_same_tree(dentify: Dentify, bundle: Path, photos: Path) -> None:
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for name in files("photos"):
            archive.write(Path("photos", name), name)
    for output in ("once.zip", "twice.zip"):
        result = dentify("assess", "photos.zip", "-o", output, "--bundle", bundle)
        assert result.exit_code == 0
        assert result.stderr.startswith("2 photos: 1 damaged, 2 need a look, 0 failed (1 other file skipped)\n")
    with zipfile.ZipFile("once.zip") as archive:
        assert sorted(archive.namelist()) == TREE
        assert Assessment.model_validate_json(archive.read("a/b.json")).photo.name == "a/b.png"
    assert Path("once.zip").read_bytes() == Path("twice.zip").read_bytes()
    assert files(".").count(".once.zip.part") == 0


def test_a_zip_in_gives_the_files_that_its_folder_would(dentify: Dentify, bundle: Path, photos: Path) -> None:
    with zipfile.ZipFile("photos.zip", "w") as archive:
        archive.write("photos/a/b.png", "a/b.png")
        archive.write("photos/c.png", "c.png")
    dentify("assess", photos, "-o", "one", "--bundle", bundle)
    dentify("assess", "photos.zip", "-o", "two", "--bundle", bundle)
    assert files("one") == files("two")
    assert Path("one/a/b.json").read_bytes() == Path("two/a/b.json").read_bytes()


# One file


def test_one_photo_becomes_the_one_file_that_is_named(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a.png", "dent")
    dentify("assess", "a.png", "-o", "out", "--format", "json,photo,text", "--bundle", bundle)
    for name, twin in (("answer.json", "a.json"), ("drawn.jpg", "a.photo.jpg"), ("told.txt", "a.txt")):
        result = dentify("assess", "a.png", "-o", name, "--bundle", bundle)
        assert result.stderr == f"1 photo: 1 damaged, 1 needs a look, 0 failed\nwritten: {name}\n"
        assert Path(name).read_bytes() == Path("out", twin).read_bytes()


def test_a_file_of_ones_own_is_not_replaced_unasked_and_the_photo_never(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    before = paint("a.png", "dent").rename("a.jpg").read_bytes()
    Path("mine.jpg").write_text("mine")
    refused = dentify("assess", "a.jpg", "-o", "mine.jpg", "--bundle", bundle)
    assert (refused.exit_code, refused.stderr) == (1, "error: mine.jpg: is there already; --overwrite replaces it\n")
    assert Path("mine.jpg").read_text() == "mine"
    assert dentify("assess", "a.jpg", "-o", "mine.jpg", "--overwrite", "--bundle", bundle).exit_code == 0
    assert dentify("assess", "a.jpg", "-o", "a.jpg", "--overwrite", "--bundle", bundle).exit_code == 2
    assert Path("a.jpg").read_bytes() == before
    Path("b.jpg").hardlink_to("a.jpg")
    assert dentify("assess", "a.jpg", "-o", "b.jpg", "--overwrite", "--bundle", bundle).exit_code == 2


def test_a_photo_that_fails_leaves_the_file_as_it_was(dentify: Dentify, bundle: Path) -> None:
    Path("bad.png").write_text("text")
    Path("out.json").write_text("{}")
    result = dentify("assess", "bad.png", "-o", "out.json", "--overwrite", "--bundle", bundle)
    assert result.exit_code == 1
    assert "written" not in result.stderr
    assert Path("out.json").read_text() == "{}"


# Tables, crops and the page


def test_findings_are_rows_that_lead_to_their_crops(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent", "scratch")
    dentify("assess", "photos", "-o", "out", "--save-crops", "--format", "json,coco", "--bundle", bundle)
    rows = list(csv.DictReader(Path("out/findings.csv").read_text().splitlines()))
    assert sorted(row["type"] for row in rows) == ["dent", "scratch"]
    for row in rows:
        with Image.open(Path("out", row["crop"])) as crop:
            assert crop.format == "JPEG"
            assert crop.width >= float(row["x_max"]) - float(row["x_min"])
    assert len(json.loads(Path("out/results.coco.json").read_text())["annotations"]) == 2


def test_crops_of_an_answer_that_is_no_more_are_taken_away(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("photos/a.png", "dent", "scratch")
    paint("photos/a.1.png", "dent")
    dentify("assess", "photos", "-o", "out", "--save-crops", "--bundle", bundle)
    assert [name for name in files() if "crops" in name] == [f"findings_crops/{name}.jpg" for name in ("a.1.1", "a.1", "a.2")]
    paint("photos/a.png", "dent")
    dentify("assess", "photos", "-o", "out", "--save-crops", "--bundle", bundle, "--resume")
    assert [name for name in files() if "crops" in name] == [f"findings_crops/{name}.jpg" for name in ("a.1.1", "a.1")]


def test_the_page_tells_of_all_results_in_the_folder_in_the_language_asked_for(
    dentify: Dentify, bundle: Path, paint: Paint
) -> None:
    paint("first/a.png", "dent")
    paint("second/b.png")
    dentify("assess", "first", "-o", "out", "--bundle", bundle)
    all_of_them = ("--resume", "--format", "json,photo,page,coco", "--language", "de")
    dentify("assess", "second", "-o", "out", *all_of_them, "--bundle", bundle)
    page = Path("out/index.html").read_text()
    assert "<h1>2 Fotos</h1>" in page
    assert page.index("a.png") < page.index("b.png")  # damaged first
    assert len(json.loads(Path("out/results.coco.json").read_text())["images"]) == 2
    assert [row["name"] for row in csv.DictReader(Path("out/findings.csv").read_text().splitlines())] == ["a.png"]


def test_the_page_opens_in_a_browser_where_there_is_one(
    dentify: Dentify, bundle: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint("a.png", "dent")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or len(opened) == 1)
    arguments = ("assess", "a.png", "-o", "out", "--open", "--bundle", bundle)
    assert "note" not in dentify(*arguments).stderr
    assert opened == [Path("out/index.html").resolve().as_uri()]
    assert dentify(*arguments, "--overwrite").stderr.splitlines()[-1] == "note: no browser was found; open out/index.html"


# Resuming and overwriting


def test_a_second_run_needs_to_be_told_what_to_do(dentify: Dentify, bundle: Path, photos: Path) -> None:
    dentify("assess", photos, "-o", "out", "--bundle", bundle)
    result = dentify("assess", photos, "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.stderr == "error: out: holds results already; --resume finishes them, --overwrite replaces them\n"
    assert dentify("assess", photos, "-o", "out", "--overwrite", "--bundle", bundle).exit_code == 0


def test_resume_does_what_is_new_or_changed(dentify: Dentify, bundle: Path, photos: Path, paint: Paint) -> None:
    dentify("assess", photos, "-o", "out", "--bundle", bundle)
    paint("photos/c.png", "scratch")
    paint("photos/d.png")
    result = dentify("assess", photos, "-o", "out", "--resume", "--bundle", bundle)
    assert result.stderr.startswith("3 photos: 2 damaged, 3 need a look, 0 failed (1 done before, 1 other file skipped)\n")
    result = dentify("assess", photos, "-o", "out", "--resume", "--score-threshold", "0.4", "--bundle", bundle)
    assert result.stderr.startswith("3 photos: 2 damaged, 3 need a look, 0 failed (1 other file skipped)\n")
    result = dentify(
        "assess", photos, "-o", "out", "--resume", "--score-threshold", "0.4", "--language", "de", "--bundle", bundle
    )
    assert result.stderr.startswith("3 photos: 2 damaged, 3 need a look, 0 failed (1 other file skipped)\n")
    dentify("assess", photos, "-o", "out", "--resume", "--score-threshold", "0.4", "--bundle", bundle)
    dentify("assess", photos, "-o", "fresh", "--score-threshold", "0.4", "--bundle", bundle)
    for name in files("fresh"):
        if name != "summary.csv":
            assert Path("out", name).read_bytes() == Path("fresh", name).read_bytes()


# Bad input: one line each


def truncated() -> None:
    Image.effect_noise((300, 200), 50).save("whole.jpg")
    Path("bad.jpg").write_bytes(Path("whole.jpg").read_bytes()[:3000])


def huge() -> None:
    """60,000 × 60,000 pixels, in the header alone."""
    Image.new("L", (1, 1)).save("bad.jpg", "PNG")
    data = bytearray(Path("bad.jpg").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = __import__("zlib").crc32(bytes(data[12:29])).to_bytes(4, "big")
    Path("bad.jpg").write_bytes(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Path("bad.jpg").write_bytes(b""), "bad.jpg: the file is empty"),
        (lambda: Path("bad.jpg").write_text("Dear customer,"), "bad.jpg: not a picture"),
        (truncated, "bad.jpg: this JPEG is cut off"),
        (huge, "bad.jpg: 60000 × 60000 pixels are over the limit of 100 megapixels"),
        (lambda: Path("bad.jpg").symlink_to("bad.jpg"), "bad.jpg: cannot be read: "),
        (lambda: Path("bad.jpg").mkdir(), "bad.jpg: no photos in this folder"),
        (lambda: None, "bad.jpg: no such file or folder"),
    ],
    ids=["empty", "text", "truncated", "huge", "unreadable", "empty folder", "missing"],
)
def test_a_bad_photo_is_one_line(make: Callable[[], None], message: str, dentify: Dentify, bundle: Path, paint: Paint) -> None:
    make()
    paint("good.png")
    result = dentify("assess", "bad.jpg", "good.png", "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    error, closing, _ = result.stderr.splitlines()
    assert error.startswith(f"error: {message}")
    assert closing == "2 photos: 0 damaged, 1 needs a look, 1 failed"
    tables = ["errors.jsonl", "findings.csv", "good.json", "good.photo.jpg", "index.html"]
    assert files() == [*tables, "index_files/large/good.jpg", "index_files/small/good.webp", "summary.csv"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_is_its_first_frame_and_says_so(kind: str, dentify: Dentify, bundle: Path, paint: Paint) -> None:
    with Image.open(paint("a.png", "dent")) as first:
        first.load()
    others = [Image.new("RGB", first.size, colour) for colour in ("black", "white")]
    first.save("a.gif", kind, save_all=True, append_images=others, lossless=True)
    result = dentify("assess", "a.gif", "--format", "json", "--bundle", bundle)
    assert "first frame of 3" in json.loads(result.stdout)["notes"]


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    ("add", "message", "assessed"),
    [
        (lambda archive: archive.writestr("../x.jpg", b""), "refused: its entry ../x.jpg points outside the archive", 0),
        (
            lambda archive: archive.writestr("x.jpg", bytes(4 * 2**20), zipfile.ZIP_DEFLATED),
            "refused as a zip bomb: x.jpg unpacks to more than 100 times its size",
            0,
        ),
        (
            lambda archive: archive.writestr("x.zip", b"PK"),
            "x.zip: is a zip within a zip, which is not opened; unpack it first",
            1,
        ),
        (link, "link.jpg: is a symbolic link, which is not followed; put the file itself into the zip", 1),
    ],
    ids=["traversal", "bomb", "nested", "link"],
)
def test_a_hostile_zip_is_one_line(
    add: Callable[[zipfile.ZipFile], None], message: str, assessed: int, dentify: Dentify, bundle: Path, paint: Paint
) -> None:
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write(paint("a.png"), "a.png")
        add(archive)
    result = dentify("assess", "a.zip", "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: a.zip: {message}\n{'2 photos' if assessed else '1 photo'}: 0 damaged, ")
    assert ", 1 failed" in result.stderr
    assert Path("out/a.json").exists() == bool(assessed)
    assert not Path("x.jpg").exists()


def test_two_photos_for_one_output_are_one_line(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a/x.png", "dent")
    paint("b/x.png")
    result = dentify("assess", "a/x.png", "b/x.png", "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "error: b/x.png: would be written to the same place as a/x.png (x.json); rename one, or assess them into two places"
    )
    assert Assessment.model_validate_json(Path("out/x.json").read_bytes()).findings
    assert dentify("assess", "a/x.png", "b/x.png", "--bundle", bundle).exit_code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", ["çizik 凹み ☂.png", "x" * 251 + ".png", os.fsdecode(b"caf\xe9\n.png")])
def test_any_name_works(name: str, dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint(Path("photos", name))
    Path("photos/bad" + name[:200]).write_text("text")
    result = dentify("assess", "photos", "-o", "out", "--bundle", bundle)
    assert re.match("[12] photos?: 0 damaged, 1 needs a look", result.stderr.splitlines()[-2])
    (document,) = Path("out").glob("*.json")
    assert Assessment.model_validate_json(document.read_bytes()).photo.name


def test_a_place_that_cannot_be_written_is_one_line(dentify: Dentify, bundle: Path, paint: Paint) -> None:
    paint("a.png")
    Path("out").write_text("mine")
    result = dentify("assess", "a.png", "-o", "out", "--bundle", bundle)
    assert result.exit_code == 1
    assert result.stderr == "error: out: is a file, results need a folder or a name that ends in .zip\n"


def test_a_missing_bundle_is_one_line(dentify: Dentify, paint: Paint) -> None:
    result = dentify("assess", paint("a.png"), "--bundle", "nope")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: nope: no such bundle\n"


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "photo"], "--format photo needs -o: say where the annotated photos go"),
        (["--format", "jsn"], "--format 'jsn' is none of text, json, photo, page, coco"),
        (["--format", "coco"], "--format coco needs -o: say with it where files go"),
        (["-o", "out", "--format", "page"], "page and coco are made of the answers: add json to --format"),
        (["-o", "out.json"], "-o out.json takes one photo; name a folder or a .zip for several"),
        (["-o", "out.png"], "-o out.png: an annotated photo is a .jpg; name one, or a folder"),
        (["-o", "out.jpg", "--format", "json"], "-o out.jpg is photo; leave --format out, or name a folder"),
        (["-o", "out.jpg", "--resume"], "--resume needs a folder or a .zip: one photo is done or not"),
        (["--save-crops"], "--save-crops needs -o with a folder or a .zip: say where they go"),
        (["--open"], "--open shows the page of a folder: name one with -o, and leave page among the formats"),
        (
            ["--format", "text,json"],
            "standard output takes one format: choose text or json, or say with -o where files go",
        ),
        (["--draw-parts"], "--draw-parts is for annotated photos: write with -o, and leave photo among the formats"),
        (["-o", "out", "--verbose"], "--verbose is for texts: add text to --format"),
        (["--resume"], "--resume needs -o: standard output keeps nothing"),
        (["--overwrite"], "--overwrite needs -o: standard output keeps nothing"),
        (["-o", "out", "--resume", "--overwrite"], "--resume keeps what is done, --overwrite replaces it: choose one"),
        (
            ["-o", "out", "--resume", "--format", "photo"],
            "--resume needs json among the formats: it tells what is done already",
        ),
        (["-o", "a.zip", "--overwrite"], "-o names one of the inputs: choose another name"),
        (["--score-threshold", "0.001"], "Invalid value for '--score-threshold'"),
        (["--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_wrong_usage_says_what_to_type(arguments: list[str], message: str, dentify: Dentify) -> None:
    Path("a.zip").write_bytes(b"")
    assert message in usage_error(dentify("assess", "a.zip", *arguments))


def test_nothing_to_assess_is_wrong_usage(dentify: Dentify) -> None:
    assert "Missing argument 'PATH" in usage_error(dentify("assess"))


def test_a_wrong_setting_is_wrong_usage(dentify: Dentify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENTIFY_MAX_PIXELS", "many")
    assert 'DENTIFY_MAX_PIXELS: input should be a valid integer, unable to parse string as an integer, got "many"' in usage_error(
        dentify("assess", "a.png")
    )
    assert 'DENTIFY_MAX_PIXELS: input should be a valid integer, unable to parse string as an integer, got "many"' in usage_error(
        dentify("bundle", "verify")
    )


def test_a_setting_that_is_none_is_wrong_usage(dentify: Dentify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENTIFY_MAX_PIXEL", "1000")
    assert "DENTIFY_MAX_PIXEL: no such setting; did you mean `DENTIFY_MAX_PIXELS`?" in usage_error(dentify("assess", "a.png"))


def test_a_setting_from_the_environment_counts(
    dentify: Dentify, bundle: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENTIFY_MAX_PIXELS", "1000")
    result = dentify("assess", paint("a.png"), "--bundle", bundle)
    assert result.stderr.startswith("error: a.png: 192 × 128 pixels are over the limit")


def test_a_gpu_that_is_not_there_is_one_note(
    dentify: Dentify, bundle: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    arguments = ("assess", paint("a.png", "dent"), "--bundle", bundle, "--format", "json")
    insisting, auto = dentify(*arguments, "--device", "cuda"), dentify(*arguments)
    assert insisting.stderr.splitlines()[0] == "note: there is no CUDA here: pip install onnxruntime-gpu; the CPU is used"
    assert insisting.stderr.splitlines()[1:] == auto.stderr.splitlines()
    assert insisting.stdout == auto.stdout
    assert dentify(*arguments, "--device", "cuda", "--quiet").stderr == ""
    assert "'tpu' is none of auto, cpu, cuda" in dentify(*arguments, "--device", "tpu").stderr


@pytest.mark.parametrize("given", ["in/*.zip", "**/*.zip", "in/claim.zip"])
def test_an_output_that_is_an_input_is_refused_and_stays(dentify: Dentify, bundle: Path, paint: Paint, given: str) -> None:
    paint("a.png", "dent")
    Path("in").mkdir()
    with zipfile.ZipFile("in/claim.zip", "w") as archive:
        archive.write("a.png")
    before = Path("in/claim.zip").read_bytes()
    told = dentify("assess", given, "-o", "in/claim.zip", "--overwrite", "--bundle", bundle)
    assert told.exit_code == 2
    assert "-o names one of the inputs: choose another name" in told.output
    assert Path("in/claim.zip").read_bytes() == before


# What Excel reads


@pytest.mark.parametrize("name", ["Dellen/ü.png", "事故.png", "b\r=cmd|'/C calc'!A0.png", "a\nb;c.png", "-1.png"])
def test_a_summary_survives_any_name(
    dentify: Dentify, paint: Paint, bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row a photo, found again by a later run, and marked as UTF-8 where Excel would take it for something else."""
    monkeypatch.setattr("dentify.sinks.growing._PIECE", 7)
    for photo in (name, "zz.png"):
        paint(f"photos/{photo}", "dent")
    assert dentify("assess", "photos", "-o", "out", "--bundle", bundle, "-q").exit_code == 0
    first = Path("out/summary.csv").read_bytes()
    assert first.startswith(b"\xef\xbb\xbf") == (not name.isascii())
    rows = list(csv.DictReader(io.StringIO(first.decode("utf-8-sig"), newline=""), strict=True))
    assert [row["name"].removeprefix("./") for row in rows] == sorted([name, "zz.png"])
    paint("more/x.png", "dent")
    assert dentify("assess", "photos", "more", "-o", "out", "--bundle", bundle, "-q", "--resume").exit_code == 0
    again = list(csv.DictReader(io.StringIO(Path("out/summary.csv").read_bytes().decode("utf-8-sig"), newline="")))
    assert [row for row in again if row["name"] != "x.png"] == rows
    assert len(again) == 3
    assert dentify("assess", "photos", "-o", "out.zip", "--bundle", bundle, "-q").exit_code == 0
    with zipfile.ZipFile("out.zip") as archive:
        packed = archive.read("summary.csv")
    assert packed.startswith(b"\xef\xbb\xbf") == (not name.isascii())
