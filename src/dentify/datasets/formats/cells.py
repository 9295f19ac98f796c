"""What stands in the cells of a table: numbers as half the world writes them, lists, and outlines as text.

`1,050` is a thousand and fifty in one table and one and a bit in another. The other numbers of the table tell, and where they do
not, what separates its cells: programs that end cells with a comma write decimals with a point, those that end them with a
semicolon or a tab often the other way round.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dentify.datasets.numbers import coordinates_of, four_numbers

NOTHING = frozenset({"", "nan", "none", "null", "n/a", "na"})
"""What programs write where a number is missing, in small letters."""
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_GROUP_MARKS = " '\u00a0\u2009\u202f\u2019"  # between thousands, and nothing else
_GROUPED = re.compile(rf"([-+]?\d{{1,3}})((?:[{_GROUP_MARKS}]\d{{3}})+)(?=[.,]|\Z)")
_MARKS = re.compile(f"[{_GROUP_MARKS}]")
_MAY_BE_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}")
_LONGEST_NUMBER = 40  # characters
_LONGEST_BOX = 1_000  # characters of a cell with four numbers
_WKT = re.compile(r"\s*(MULTI)?POLYGON\s*(?:ZM?|M)?\s*\(", re.IGNORECASE)
_RING, _OUTER_RING = re.compile(r"\([^()]*\)"), re.compile(r"\(\s*\(([^()]*)\)")  # holes stand behind a comma


@dataclass(frozen=True)
class Spelling:
    """How the numbers of a table are written.

    Attributes:
        thousands: what stands between thousands and is left out, `,` or `.`; empty where neither does.
        unsure: a number that may be read in two ways, of which the cells' separator told one.
        contrary: whether some numbers say one thing and others the opposite, so that `1,050` may be either.
    """

    thousands: str = ""
    unsure: str = ""
    contrary: bool = False


def spelling_of(cells: Iterable[str], delimiter: str) -> Spelling:
    """How the numbers of a table are written, by all of them, else by what separates its cells.

    >>> spelling_of(["1,050", "17.5"], ";").thousands, spelling_of(["1,050", "17,5"], ",").thousands
    (',', '')
    >>> spelling_of(["1,050", "17"], ",")
    Spelling(thousands=',', unsure='1,050', contrary=False)
    >>> spelling_of(["1.050", "17"], ";").thousands, spelling_of(["1.050", "1.5"], ";").thousands
    ('.', '')
    """
    decimal = {",": False, ".": False}  # whether it is surely one
    grouped = {",": "", ".": ""}  # a number in which it may stand between thousands
    whole = False
    for cell in cells:
        comma, point = cell.rfind(","), cell.rfind(".")
        if comma < 0 and point < 0:
            whole = whole or cell.isdecimal()
        elif comma >= 0 and point >= 0:
            decimal["," if comma > point else "."] = True
        elif cell.count(",") > 1 or cell.count(".") > 1:
            decimal["." if comma >= 0 else ","] = True
        else:
            mark = "," if comma >= 0 else "."
            if _MAY_BE_GROUPED.fullmatch(cell):
                grouped[mark] = grouped[mark] or cell
            else:
                decimal[mark] = True
    for mark, other in ((",", "."), (".", ",")):
        if grouped[mark] and decimal[mark] and decimal[other]:
            return Spelling(contrary=True, unsure=grouped[mark])
        if grouped[mark] and not decimal[mark]:
            by_cells = delimiter == "," if mark == "," else delimiter != "," and whole
            if decimal[other] or by_cells:
                return Spelling(thousands=mark, unsure="" if decimal[other] else grouped[mark])
            if mark == ",":
                return Spelling(unsure=grouped[mark])
    return Spelling()


def number_in(cell: str, spelling: Spelling) -> float | None:
    """The number in a cell; `None` where it is none, or may be either of two.

    >>> number_in("1,050", Spelling(thousands=",")), number_in("1,050", Spelling()), number_in("1'050.5", Spelling())
    (1050.0, 1.05, 1050.5)
    >>> number_in("1.050,5", Spelling()), number_in("1,050", Spelling(contrary=True)), number_in("12 5", Spelling())
    (1050.5, None, None)
    """
    text = cell
    if len(text) > _LONGEST_NUMBER:
        return None
    if not text.isdecimal():
        text = _GROUPED.sub(lambda found: found[1] + _MARKS.sub("", found[2]), text)
        comma, point = text.rfind(","), text.rfind(".")
        if comma >= 0 and point >= 0:  # the last of them is of the fraction
            mark = "," if comma < point else "."
        elif text.count(",") > 1 or text.count(".") > 1:
            mark = "," if comma >= 0 else "."
        else:
            mark = spelling.thousands if _MAY_BE_GROUPED.fullmatch(text) else ""
            if spelling.contrary and _MAY_BE_GROUPED.fullmatch(text):
                return None
        if mark:
            groups = text[: max(comma, point)].split(mark) if comma >= 0 and point >= 0 else text.split(mark)
            if any(len(group) != 3 for group in groups[1:]) or not 0 < len(groups[0].lstrip("+-")) <= 3:
                return None
            text = text.replace(mark, "")
        text = text.replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def box_in(cell: str, spelling: Spelling) -> tuple[float, float, float, float] | None:
    """The four numbers that a cell lists; `None` where it lists anything else.

    >>> box_in("[5, 10, 50, 100]", Spelling()), box_in("(5 10 50.5 100)", Spelling()), box_in("5 10", Spelling())
    ((5.0, 10.0, 50.0, 100.0), (5.0, 10.0, 50.5, 100.0), None)
    """
    if len(cell) > _LONGEST_BOX:
        return None
    listed = _listed(cell)
    if listed is not None:
        return four_numbers(listed)
    return four_numbers([number_in(part, spelling) for part in re.split(r"[\s,;]+", cell.strip("[]() "))])


def words_in(cell: str) -> list[str]:
    """The words of a cell: one, or several behind `;` or `|`, or a list as Python and JSON write it.

    >>> words_in("dent; scratch"), words_in("['dent', 'scratch']"), words_in("[]"), words_in("dent, deep")
    (['dent', 'scratch'], ['dent', 'scratch'], [], ['dent, deep'])
    """
    if cell.startswith("[") and cell.endswith("]"):
        parts = [part.strip().strip("\"'") for part in cell[1:-1].split(",")]
    else:
        parts = cell.replace("|", ";").split(";")
    return [part.strip() for part in parts if part.strip()]


def outlines_in(cell: str) -> list[list[float]] | None:
    """The polygons in a cell, each as numbers `x, y, x, y …`, without their holes; `None` where it holds none.

    Lists as JSON and Python write them, of numbers, points or polygons; WKT; `x1,y1;x2,y2;…`, and mere numbers.

    >>> outlines_in("[[10, 10, 70, 10, 70, 70]]"), outlines_in("POLYGON ((1 1, 9 1, 9 9, 1 1), (2 2, 3 2, 3 3, 2 2))")
    ([[10.0, 10.0, 70.0, 10.0, 70.0, 70.0]], [[1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 1.0]])
    >>> outlines_in("1,1;9,1;9,9"), outlines_in("48.1, 11.5"), outlines_in("dent")
    ([[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]], None, None)
    """
    if _WKT.match(cell):
        rings = [_mere_numbers(ring) for ring in _OUTER_RING.findall(cell)]
    else:
        listed = _listed(cell)
        if listed is None:
            rings = [_mere_numbers(cell)]
        else:
            one = coordinates_of(listed)
            rings = [one] if one is not None and len(one) >= 6 else [coordinates_of(piece) for piece in listed]
    whole = [ring for ring in rings if ring is not None and len(ring) >= 6 and len(ring) % 2 == 0]
    return whole if whole and len(whole) == len(rings) else None


def leaves_holes(cell: str) -> bool:
    """Whether an outline in WKT has holes, which `outlines_in` leaves out."""
    return bool(_WKT.match(cell)) and len(_RING.findall(cell)) > len(_OUTER_RING.findall(cell))


def runs_in(cell: str, pixels: int) -> list[int] | None:
    """The runs of a mask as Kaggle writes them, as COCO counts them; `None` where they are none or reach out of the photo.

    Pairs of a start, counted from 1 down the columns, and a length.

    >>> runs_in("2 3 7 1", 10), runs_in("2 3 1 1", 10), runs_in("a b", 10)
    ([1, 3, 2, 1, 3], None, None)
    """
    parts = cell.split()
    if len(parts) % 2 or not parts or not all(part.isdecimal() and len(part) < 12 for part in parts):
        return None
    counts: list[int] = []
    at = 0
    for start, length in zip(map(int, parts[::2]), map(int, parts[1::2]), strict=True):
        if start - 1 < at or start - 1 + length > pixels:
            return None
        counts += [start - 1 - at, length]
        at = start - 1 + length
    return [*counts, pixels - at]


def _mere_numbers(text: str) -> list[float] | None:
    return coordinates_of(re.split(r"[\s,;]+", text.strip("[]() ,;\n")))


def _listed(cell: str) -> list[Any] | None:
    """A list, as JSON or Python write it; `None` where there is none."""
    text = cell.strip()
    if text.startswith(("[", "(")):
        with suppress(ValueError, RecursionError):
            listed = json.loads(text.replace("(", "[").replace(")", "]").replace("'", '"'))
            return listed if isinstance(listed, list) else None
    return None
