"""What tells of all photos: tables and errors, of this run and of those before."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from dentify.errors import OutputError
from written_results import PIXELS, SAME, files, fill, folder_sink, result, rows


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


def test_a_name_is_no_formula_for_a_spreadsheet() -> None:
    with folder_sink() as sink:
        sink.write(result("=1+1.jpg"))
    assert rows()[0]["name"] == "./=1+1.jpg"


def test_findings_lead_to_their_pictures_where_there_are_some() -> None:
    """Whichever run made them, and whether this one makes any."""
    with folder_sink(formats=("json", "crops")) as sink:
        sink.write(replace(result("a.jpg", "dent"), crops={1: b"picture"}))
    with folder_sink(formats=("json",), resume=SAME) as sink:
        sink.write(result("b.jpg", "dent"))
    assert crops() == {"b.jpg": "", "a.jpg": "findings_crops/a.1.jpg"}
    with folder_sink(formats=("json", "crops"), resume=SAME) as sink:
        sink.write(replace(result("c.jpg", "dent"), crops={1: b"picture"}))
    assert crops() == {"c.jpg": "findings_crops/c.1.jpg", "b.jpg": "", "a.jpg": "findings_crops/a.1.jpg"}


def crops() -> dict[str, str]:
    with Path("out/findings.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row["crop"] for row in csv.DictReader(stream)}


def test_failed_photos_are_lines_of_errors_jsonl() -> None:
    with folder_sink() as sink:
        sink.fail("a/é.jpg", "ImageError", "a/é.jpg: the file is empty")
    assert Path("out/errors.jsonl").read_text(encoding="utf-8") == (
        '{"name": "a/é.jpg", "error": "ImageError", "message": "a/é.jpg: the file is empty"}\n'
    )


def test_overwriting_one_photo_keeps_the_rows_of_the_others() -> None:
    fill(folder_sink(), "a.jpg", "b.jpg", "c.jpg")
    Path("out/c.json").unlink()
    Path("out/c.photo.jpg").unlink()
    with folder_sink(overwrite=True) as sink:
        sink.reserve("a.jpg", "a.jpg")
        sink.write(result("a.jpg"))
    assert [(row["name"], row["findings"], row["read_ms"]) for row in rows()] == [("a.jpg", "0", "1.0"), ("b.jpg", "1", "1.0")]


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


def test_photos_of_a_killed_run_are_told_by_the_next_one_whatever_that_is_of() -> None:
    fill(folder_sink(), "a.jpg")
    Path("out/summary.csv").rename("kept")
    fill(folder_sink(), "b.jpg")
    Path("out/summary.csv").rename("out/.summary.csv.part")
    Path("kept").rename("out/summary.csv")
    with folder_sink(formats=("json", "photo", "page"), resume=SAME) as sink:
        sink.write(result("c.jpg"))
    assert [(row["name"], row["assess_ms"]) for row in rows()] == [(f"{name}.jpg", "20.2") for name in "cab"]
    assert "b.jpg" in Path("out/index.html").read_text()


@pytest.mark.parametrize("text", ["", "no,such,columns\n1,2,3\n", "name\n\0\n", "name\n" + "x" * 200_000])
def test_a_summary_of_someone_elses_is_no_obstacle(text: str) -> None:
    Path("out").mkdir()
    Path("out/summary.csv").write_text(text)
    fill(folder_sink(overwrite=True), "a.jpg")
    assert [row["name"] for row in rows()] == ["a.jpg"]
