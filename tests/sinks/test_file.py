"""One photo's answer in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.assessment import Assessment
from dentify.errors import OutputError
from dentify.sinks import FileSink, Format
from written_results import assessed, result


def write(path: str, output_format: Format, *, overwrite: bool = False) -> bytes:
    with FileSink(path, output_format=output_format, overwrite=overwrite) as sink:
        sink.reserve("a/b.jpg", "a/b.jpg")
        sink.write(result("a/b.jpg", "dent"))
    return Path(path).read_bytes()


def test_the_answer_is_the_file() -> None:
    assert write("answer.txt", "text") == b"1 damages.\n"
    assert write("drawn.jpg", "photo") == b"\xff\xd8 drawn on"
    assert Assessment.model_validate_json(write("answer.json", "json")) == assessed("a/b.jpg", "dent")
    assert sorted(path.name for path in Path().iterdir()) == ["answer.json", "answer.txt", "drawn.jpg"]


def test_a_file_is_not_replaced_unless_asked_for() -> None:
    Path("answer.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"^answer\.txt: is there already; --overwrite replaces it$"):
        write("answer.txt", "text")
    assert Path("answer.txt").read_text() == "mine"
    assert write("answer.txt", "text", overwrite=True) == b"1 damages.\n"


def test_one_file_takes_one_photo() -> None:
    with FileSink("answer.txt", output_format="text") as sink:
        sink.reserve("a.jpg", "a.jpg")
        with pytest.raises(OutputError, match=r"^b\.jpg: answer\.txt takes one photo; name a folder for several$"):
            sink.reserve("b.jpg", "b.jpg")


def test_two_runs_at_once_do_not_write_into_each_others_halves() -> None:
    """Neither has a lock: the last wins, and what it puts in place is its own."""
    Path(".answer.txt.part").write_text("half of another run's")
    assert write("answer.txt", "text") == b"1 damages.\n"
    assert Path(".answer.txt.part").read_text() == "half of another run's"
