"""Answers on standard output."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dentify.assessment import Assessment, ReportLine
from dentify.errors import OutputError
from dentify.sinks import Result, StreamSink
from written_results import assessed, result


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
