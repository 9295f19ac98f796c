"""Numbers as label files spell them, and sizes of photos."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.numbers import (
    coordinates_of,
    four_numbers,
    is_int,
    is_number,
    is_side,
    number_of,
    photo_size,
    to_float,
    whole_of,
)
from dentify.errors import DatasetError

SPELLINGS = [
    lambda xy: [value for point in xy for value in point],
    lambda xy: [str(value) for point in xy for value in point],
    lambda xy: [list(point) for point in xy],
    lambda xy: [[str(value) for value in point] for point in xy],
    lambda xy: [{"x": x, "y": y} for x, y in xy],
    lambda xy: [{"y": str(y), "x": f" {x} "} for x, y in xy],
]


def test_truth_values_and_numbers_beyond_a_float_are_no_numbers() -> None:
    assert is_int(3)
    assert is_number(2.5)
    assert not is_int(True)
    assert not is_number(True)
    assert not is_number(10**400)
    assert to_float(" 18.5 ", "xmin") == 18.5


@pytest.mark.parametrize("side", [0, -1, 2.0, True, "20", None, 10**12])
def test_a_side_is_a_whole_number_of_pixels(side: object) -> None:
    assert not is_side(side)
    assert is_side(4000)


@pytest.mark.parametrize("text", ["", "1,5", "1_000", "1 000", "0x10", "one", "1" * 5000, [1], None, True])
def test_what_is_not_plainly_a_number_is_none(text: object) -> None:
    assert number_of(text) is None
    with pytest.raises(DatasetError, match=r"^here: must be a number, got "):
        to_float(text, "here")


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(-9999, 9999)), min_size=1), st.sampled_from(SPELLINGS))
def test_points_are_the_same_however_they_are_spelled(points: list[tuple[float, int]], spell: Any) -> None:
    assert coordinates_of(spell(points)) == [float(value) for point in points for value in point]


@pytest.mark.parametrize(
    "points",
    [
        None,
        "1 2",
        {"x": 1},
        [1, [2, 3]],
        [[1, 2], 3],
        [[1, 2, 3]],
        [[1]],
        [{"x": 1}],
        [[1, None]],
        ["a", 1],
        [True, 1],
        [[[1, 2]]],
    ],
)
def test_what_are_no_points_are_none(points: object) -> None:
    assert coordinates_of(points) is None


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_anything_else_is_told_from_numbers(value: Any) -> None:
    numbers = coordinates_of(value)
    assert numbers is None or all(isinstance(one, float) for one in numbers)
    assert four_numbers(value) is None or len(value) == 4
    assert whole_of(value) is None or isinstance(whole_of(value), int)


@pytest.mark.parametrize(("height", "width"), [(240, 320), ("240", "320"), (240.0, "320.0"), (" 240 ", 320)])
def test_a_photos_size_is_the_same_however_it_is_spelled(height: object, width: object) -> None:
    assert photo_size(height, width, "here") == (240, 320)


@pytest.mark.parametrize("side", [None, 0, -1, "", "0", 0.0])
def test_a_size_that_tools_do_not_know_is_none(side: object) -> None:
    assert photo_size(side, side, "here") is None


@pytest.mark.parametrize("side", [0, -5, 2.5, "wide", math.inf, math.nan, True, [240], 10**12])
def test_a_size_that_is_none_is_one_line(side: object) -> None:
    with pytest.raises(DatasetError, match=r"^here: w and h must be whole numbers above 0, got 320 × ") as told:
        photo_size(side, 320, "here", "w and h")
    assert "\n" not in str(told.value)
