"""What a spreadsheet would take for a formula, and what becomes of it."""

from __future__ import annotations

import pytest

from dentify.spreadsheets import FORMULA_STARTS, safe_cell, safe_path_cell
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
