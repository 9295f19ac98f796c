"""Lines and cells of CSV files that no spreadsheet takes for a formula, and that every reader reads as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterable

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula. Source: OWASP, CSV Injection."""

MARK = "\ufeff"
"""Where a CSV file begins with it, Excel reads UTF-8; where not, the bytes are taken for those of Windows' own characters."""

# Places of a text where a formula would stand at the start of a cell: its own, or one that begins behind what some reader ends a
# cell or row at. There quotes must not stand either, nor the one that ends the text: they would open what the next one closes.
_FORMULA = f"[{re.escape(''.join(FORMULA_STARTS))}]"
_STARTS = re.compile(rf"""\A(?='*{_FORMULA})|(?<=[;\t\r\n])(?='*(?:{_FORMULA}|"|\Z))""")
_MARKED_STARTS = re.compile(_STARTS.pattern.replace("(?='", "'(?='"))
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


def csv_bytes(lines: Iterable[str]) -> bytes:
    r"""A CSV file of such lines. It begins with a mark where it holds more than ASCII, which all readers read alike.

    >>> csv_bytes(["file\n", "a.jpg\n"]), csv_bytes(["file\n", "ü.jpg\n"])
    (b'file\na.jpg\n', b'\xef\xbb\xbffile\n\xc3\xbc.jpg\n')
    """
    text = "".join(lines)
    return (text if text.isascii() else MARK + text).encode(errors="backslashreplace")


def safe_cell(text: str) -> str:
    """A text, with an apostrophe before what would be a formula.

    Excel takes `;` for the end of a cell in many languages, and quotes count at the start of its cells alone: so it is one behind
    a `;`, too.

    >>> safe_cell("Dent in door"), safe_cell("=HYPERLINK(1)"), safe_cell("a;=1")
    ('Dent in door', "'=HYPERLINK(1)", "a;'=1")
    """
    return _STARTS.sub("'", text)


def cell_text(cell: str) -> str:
    """The reverse of `safe_cell`.

    >>> cell_text("'=HYPERLINK(1)"), cell_text("'quoted'"), cell_text("a;'=1")
    ('=HYPERLINK(1)', "'quoted'", 'a;=1')
    """
    return _MARKED_STARTS.sub("", cell)


def safe_path_cell(name: str) -> str:
    """A relative path, which stays one. It stands first in its row: then quotes keep all of it together, whatever ends a cell.

    >>> safe_path_cell("a/b.jpg"), safe_path_cell("=HYPERLINK(1).jpg")
    ('a/b.jpg', './=HYPERLINK(1).jpg')
    """
    return f"./{name}" if name.startswith(FORMULA_STARTS) else name
