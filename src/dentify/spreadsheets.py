"""Cells of CSV files that no spreadsheet takes for a formula, whoever chose what stands in them."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula. Source: OWASP, CSV Injection."""


def safe_cell(text: str) -> str:
    """A text, with an apostrophe before what would be a formula.

    >>> safe_cell("Dent in door"), safe_cell("=HYPERLINK(1)")
    ('Dent in door', "'=HYPERLINK(1)")
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def safe_path_cell(name: str) -> str:
    """A relative path, which stays one.

    >>> safe_path_cell("a/b.jpg"), safe_path_cell("=HYPERLINK(1).jpg")
    ('a/b.jpg', './=HYPERLINK(1).jpg')
    """
    return f"./{name}" if name.startswith(FORMULA_STARTS) else name
