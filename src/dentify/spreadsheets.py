"""Lines and cells of CSV files that no spreadsheet takes for a formula, and that every reader reads as they were written."""

from __future__ import annotations

from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula. Source: OWASP, CSV Injection."""

_QUOTED = frozenset(',;\t\r\n"')  # what some reader ends a cell or row at; Excel takes ; for , in half of Europe


def csv_line(cells: Iterable[object]) -> str:
    r"""One line of a CSV file, its end included; `None` is an empty cell.

    Python's own writer leaves a lone carriage return bare (before 3.13), at which readers begin a new row, and a semicolon, at
    which Excel begins a new cell in many languages: what stands behind would be one that nobody checked.

    >>> csv_line(["a.jpg", 1, None, 0.5, "b;=1"])
    'a.jpg,1,,0.5,"b;=1"\n'
    """
    told = ["" if cell is None else str(cell) for cell in cells]
    quoted = ['"' + cell.replace('"', '""') + '"' if _QUOTED.intersection(cell) else cell for cell in told]
    return ('""' if quoted == [""] else ",".join(quoted)) + "\n"


def safe_cell(text: str) -> str:
    """A text, with an apostrophe before what would be a formula.

    >>> safe_cell("Dent in door"), safe_cell("=HYPERLINK(1)")
    ('Dent in door', "'=HYPERLINK(1)")
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def cell_text(cell: str) -> str:
    """The reverse of `safe_cell`.

    >>> cell_text("'=HYPERLINK(1)"), cell_text("'quoted'")
    ('=HYPERLINK(1)', "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def safe_path_cell(name: str) -> str:
    """A relative path, which stays one.

    >>> safe_path_cell("a/b.jpg"), safe_path_cell("=HYPERLINK(1).jpg")
    ('a/b.jpg', './=HYPERLINK(1).jpg')
    """
    return f"./{name}" if name.startswith(FORMULA_STARTS) else name
