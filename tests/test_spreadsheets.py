"""What a spreadsheet would take for a formula, and what becomes of it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.spreadsheets import FORMULA_STARTS, cell_text, csv_bytes, csv_line, safe_cell, safe_path_cell
from dentify.summary import summary_columns


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_what_starts_like_a_formula_is_text(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"
    assert safe_path_cell(f"{start}1.jpg") == f"./{start}1.jpg"


@pytest.mark.parametrize("text", ["", "dent", "a=1", "it's", "./=1.jpg", " =1", "a;b", '"quoted"'])
def test_everything_else_stays(text: str) -> None:
    assert safe_cell(text) == safe_path_cell(text) == text


def test_a_type_of_ones_own_heads_a_column_safely() -> None:
    assert "'=1+1" in summary_columns(("dent", "=1+1"))


HOSTILE = st.text(st.sampled_from("ab ü;,\t\r\n\"'=+-@＝")) | st.text()


@given(st.lists(HOSTILE, min_size=1, max_size=5))
def test_every_line_is_read_back_as_it_was_written(cells: list[str]) -> None:
    assert list(csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True)) == [cells]


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=3), st.sampled_from(",;\t"))
def test_no_cell_is_a_formula_whatever_ends_a_cell(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    """A path and texts in each row, read with quotes that count at the start of a cell alone, as Excel reads them."""
    text = "".join(csv_line([safe_path_cell(name), *map(safe_cell, texts), 1]) for name, *texts in rows)
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        assert not [cell for cell in row if cell.startswith(FORMULA_STARTS)]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", ";", "\t", ","])
def test_nothing_begins_a_new_cell_or_row_within_a_name(end: str) -> None:
    line = csv_line([safe_path_cell(f"b{end}=cmd|'/C calc'!A0.jpg"), "true"])
    assert line == f"\"b{end}=cmd|'/C calc'!A0.jpg\",true\n"


@given(HOSTILE)
def test_a_safe_cell_is_read_back_as_it_was(text: str) -> None:
    assert cell_text(safe_cell(text)) == text


@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_a_file_begins_with_a_mark_where_excel_needs_one(cells: list[str]) -> None:
    data = csv_bytes([csv_line(cells)])
    assert data.startswith(b"\xef\xbb\xbf") == (not "".join(cells).isascii())
    if not any(0xD800 <= ord(character) < 0xE000 for character in "".join(cells)):
        assert list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))) == [cells]
