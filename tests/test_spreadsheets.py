"""What a spreadsheet would take for a formula, and what becomes of it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.spreadsheets import FORMULA_STARTS, cell_text, csv_line, safe_cell, safe_path_cell
from dentify.summary import summary_columns


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_what_starts_like_a_formula_is_text(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"
    assert safe_path_cell(f"{start}1.jpg") == f"./{start}1.jpg"


@pytest.mark.parametrize("text", ["", "dent", "a=1", "'=1", "./=1.jpg", " =1"])
def test_everything_else_stays(text: str) -> None:
    assert safe_cell(text) == safe_path_cell(text) == text


def test_a_type_of_ones_own_heads_a_column_safely() -> None:
    assert "'=1+1" in summary_columns(("dent", "=1+1"))


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_line_is_read_back_as_it_was_written(cells: list[str]) -> None:
    """Read as files are: with the ends of lines kept, and with `;` between cells, as Excel does in many languages."""
    line = csv_line(cells)
    assert list(csv.reader(io.StringIO(line, newline=""), strict=True)) == [cells]
    for row in csv.reader(io.StringIO(line, newline=""), delimiter=";"):
        assert len(row) == 1 or line.startswith('"')


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", ";", "\t", ","])
def test_nothing_begins_a_new_cell_or_row_within_a_name(end: str) -> None:
    line = csv_line([safe_path_cell(f"b{end}=cmd|'/C calc'!A0.jpg"), "true"])
    assert line == f"\"b{end}=cmd|'/C calc'!A0.jpg\",true\n"


@given(st.text())
def test_a_safe_cell_is_read_back_as_it_was(text: str) -> None:
    assert cell_text(safe_cell(text)) == text or text.startswith(tuple(f"'{start}" for start in FORMULA_STARTS))
