"""Numbers as label files spell them: plain or as texts, one after the other, in pairs or as objects; sizes of photos among them.

Tools write `[x, y, x, y]`, `[[x, y], [x, y]]`, `[{"x": x, "y": y}]` and texts of all three for the same outline, and a photo's
side as `640`, `640.0` or `"640"`. All of them are read, and nothing that is not plainly a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from dentify.errors import DatasetError

FAR_AWAY = 1e9
"""Pixels: further out than any photo reaches, and near enough to reckon with."""
_LONGEST_TEXT = 40  # characters of a number
_UNSAID = (None, "", 0, -1, "0", "-1")  # of a side, by tools that do not know it

Size = tuple[int, int]


def is_int(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_side(value: object) -> TypeGuard[int]:
    """Whether it can be a photo's height or width in pixels."""
    return is_int(value) and 0 < value < FAR_AWAY


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number that fits a float, and no truth value."""
    if isinstance(value, bool):
        return False
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53)


def number_of(value: object) -> float | None:
    """A number, or what the text of one says; `None` of anything else.

    >>> number_of(3), number_of(" 1.5e1 "), number_of("1_0"), number_of("1,5"), number_of(True)
    (3.0, 15.0, None, None, None)
    """
    if is_number(value):
        return float(value)
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT and "_" not in value:
        try:
            return float(value)
        except ValueError:
            pass
    return None


def to_float(value: object, where: str) -> float:
    """A number, or the text of one.

    Raises:
        DatasetError: it is neither. NaN and infinity pass; the outline they are of is checked as a whole.
    """
    number = number_of(value)
    if number is None:
        raise DatasetError(f"{where}: must be a number, got {value!r:.40}")
    return number


def whole_of(value: object) -> int | None:
    """A whole number, or what the text of one says, a fraction of nothing behind it or not; `None` of anything else.

    >>> whole_of(7), whole_of("7"), whole_of("7.0"), whole_of(7.5), whole_of("seven"), whole_of(False)
    (7, 7, 7, None, None, None)
    """
    number = number_of(value)
    return int(number) if number is not None and number.is_integer() else None


def coordinates_of(points: object) -> list[float] | None:
    """Numbers `x, y, x, y …`, told so, in pairs or as objects of `x` and `y`; `None` of anything else.

    >>> coordinates_of([1, 2, "3", 4.5]), coordinates_of([["1", 2], {"x": 3, "y": 4.5}]), coordinates_of([1, [2, 3]])
    ([1.0, 2.0, 3.0, 4.5], [1.0, 2.0, 3.0, 4.5], None)
    """
    if not isinstance(points, list | tuple):
        return None
    if points and isinstance(points[0], list | tuple | dict):
        pairs = [_pair(one) for one in points]
        flat: list[object] = [value for pair in pairs for value in pair]
        if None in pairs or len(flat) != 2 * len(pairs):
            return None
    else:
        flat = list(points)
    numbers = [float(value) if is_number(value) else number_of(value) for value in flat]
    known = [number for number in numbers if number is not None]
    return known if len(known) == len(numbers) else None


def _pair(point: object) -> Sequence[object]:
    """A point's two values; none where it is no point."""
    if isinstance(point, dict):
        return (point["x"], point["y"]) if "x" in point and "y" in point else ()
    return point if isinstance(point, list | tuple) and len(point) == 2 else ()


def four_numbers(values: object) -> tuple[float, float, float, float] | None:
    """The four numbers of a box; `None` of anything else.

    >>> four_numbers([1, "2", 3.0, 4]), four_numbers([1, 2, 3]), four_numbers(None)
    ((1.0, 2.0, 3.0, 4.0), None, None)
    """
    if not isinstance(values, list | tuple) or len(values) != 4:
        return None
    a, b, c, d = (number_of(value) for value in values)
    return None if a is None or b is None or c is None or d is None else (a, b, c, d)


def photo_size(height: object, width: object, where: str, keys: str = "width and height") -> Size | None:
    """A photo's height and width as a label file tells them; `None` where it says nothing, or 0 or -1, as tools do.

    Args:
        height: as the file has it.
        width: likewise.
        where: what to begin the message with.
        keys: what the file calls them, width first.

    Raises:
        DatasetError: they are no whole numbers above 0.
    """
    if all(isinstance(side, str | int | float | None) and side in _UNSAID for side in (height, width)):
        return None
    sides = whole_of(height), whole_of(width)
    if not (is_side(sides[0]) and is_side(sides[1])):
        raise DatasetError(f"{where}: {keys} must be whole numbers above 0, got {width!r:.20} × {height!r:.20}")
    return sides[0], sides[1]
