"""Files that have their name when they are whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.sinks import growing
from dentify.sinks.growing import GrowingFile


def test_a_line_is_there_at_once_and_the_name_in_the_end() -> None:
    file = GrowingFile(Path("a.csv"))
    file.open()
    file.write("name\n")
    assert Path(".a.csv.part").read_text() == "name\n"
    assert not Path("a.csv").exists()
    file.finish()
    file.discard()
    assert [path.name for path in Path().iterdir()] == ["a.csv"]


def test_what_is_not_finished_goes_and_the_earlier_file_stays() -> None:
    Path("a.csv").write_text("mine")
    file = GrowingFile(Path("a.csv"))
    file.open()
    file.write("name\n")
    file.discard()
    assert [path.name for path in Path().iterdir()] == ["a.csv"]
    assert Path("a.csv").read_text() == "mine"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_table_of_more_than_ascii_is_marked_for_excel(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growing, "_PIECE", 7)  # the mark is put before a file that may be long, piece by piece
        file = GrowingFile(Path("a.csv"))
        file.open()
        file.write(text)
        file.finish()
    assert Path("a.csv").read_bytes() == (b"" if text.isascii() else b"\xef\xbb\xbf") + text.encode()
