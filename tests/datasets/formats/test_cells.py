"""What stands in the cells of tables: numbers of both halves of the world, lists, outlines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.formats.cells import Spelling, box_in, leaves_holes, number_in, outlines_in, runs_in, spelling_of, words_in
from dentify.imaging.masks import rle_decode, rle_encode, rle_to_runs, runs_to_rle


def spelled(value: float, decimals: int, thousands: str, decimal: str) -> str:
    """A number as programs of a country write it."""
    return f"{value:,.{decimals}f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


WAYS = {"English": (",", ".", ","), "German": (".", ",", ";"), "French": ("\u202f", ",", ";"), "Swiss": ("’", ".", ";")}


@given(
    st.lists(st.floats(0, 99_999_999).map(lambda value: round(value, 2)), min_size=1, max_size=5),
    st.sampled_from(sorted(WAYS)),
    st.sampled_from([",", ";", "\t"]),
)
def test_numbers_with_two_decimals_are_read_whatever_ends_cells(values: list[float], way: str, delimiter: str) -> None:
    thousands, decimal, _ = WAYS[way]
    cells = [spelled(value, 2, thousands, decimal) for value in values]
    spelling = spelling_of(cells, delimiter)
    assert [number_in(cell, spelling) for cell in cells] == values


@given(st.lists(st.integers(0, 99_999_999), max_size=5), st.sampled_from(sorted(WAYS)))
def test_whole_numbers_are_read_as_what_ends_cells_says(values: list[int], way: str) -> None:
    """`1,050` alone says nothing, and neither does `17`; beside it German numbers without a point are whole."""
    thousands, decimal, delimiter = WAYS[way]
    cells = [spelled(value, 0, thousands, decimal) for value in [17, *values]]
    spelling = spelling_of(cells, delimiter)
    assert [number_in(cell, spelling) for cell in cells] == [17, *values]


@given(st.lists(st.floats(0, 999).map(lambda value: round(value, 3)), min_size=1, max_size=5), st.sampled_from([",", ";"]))
def test_three_decimals_of_every_number_are_decimals(values: list[float], delimiter: str) -> None:
    cells = [f"{value:.3f}" for value in values]
    assert [number_in(cell, spelling_of(cells, delimiter)) for cell in cells] == values


def test_what_was_told_by_the_end_of_cells_alone_is_unsure() -> None:
    assert spelling_of(["1,050", "10"], ",") == Spelling(thousands=",", unsure="1,050")
    assert spelling_of(["1,050", "10"], ";") == Spelling(unsure="1,050")
    assert spelling_of(["1,050", "10.5"], ",") == Spelling(thousands=",")
    assert spelling_of(["0,105", "0,125"], ",") == Spelling()


def test_numbers_that_contradict_each_other_are_read_where_they_are_plain() -> None:
    spelling = spelling_of(["1,050", "10,5", "10.5"], ",")
    assert spelling.contrary
    assert [number_in(cell, spelling) for cell in ("1,050", "10,5", "10.5", "17")] == [None, 10.5, 10.5, 17]


@pytest.mark.parametrize("cell", ["", "a", "1,2,3", "1.2.3", "12,34,567", "1,0500,000", "1 2", "1e", "--1", "9" * 5000, "1_000"])
def test_what_is_no_number_is_none(cell: str) -> None:
    assert number_in(cell, Spelling()) is None


@pytest.mark.parametrize(
    "cell",
    [
        "[10, 10, 70, 10, 70, 70]",
        "[[10, 10, 70, 10, 70, 70]]",
        "[[10, 10], [70, 10], [70, 70]]",
        "[(10, 10), (70, 10), (70, 70)]",
        "[{'x': 10, 'y': 10}, {'x': 70, 'y': 10}, {'x': 70, 'y': 70}]",
        "POLYGON((10 10, 70 10, 70 70))",
        "MULTIPOLYGON (((10 10, 70 10, 70 70), (20 20, 21 20, 21 21)))",
        "10,10;70,10;70,70",
        "10 10 70 10 70 70",
    ],
)
def test_outlines_come_in_many_forms(cell: str) -> None:
    assert outlines_in(cell) == [[10, 10, 70, 10, 70, 70]]
    assert leaves_holes(cell) is cell.startswith("MULTI")


def test_several_polygons_are_several() -> None:
    ring = [1, 1, 9, 1, 9, 9]
    assert outlines_in("MULTIPOLYGON (((1 1, 9 1, 9 9)), ((1 1, 9 1, 9 9)))") == [ring, ring]
    assert outlines_in(f"[{ring}, {ring}]") == [ring, ring]


@given(st.text(alphabet="[](){}POLYGN0123456789.,; -'\"xye", max_size=60))
def test_any_cell_is_asked_without_an_error(cell: str) -> None:
    for found in (outlines_in(cell), box_in(cell, Spelling()), number_in(cell, Spelling()), runs_in(cell, 100), words_in(cell)):
        assert found is None or isinstance(found, float | list | tuple)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_runs_of_kaggle_are_those_of_coco(pixels: list[bool]) -> None:
    mask = np.array(pixels)[:, None]
    runs = rle_to_runs(rle_encode(mask)).tolist()
    starts = [sum(runs[: index + 1]) + 1 for index in range(0, len(runs) - 1, 2)]
    cell = " ".join(f"{start} {length}" for start, length in zip(starts, runs[1::2], strict=False) if length)
    counts = runs_in(cell, len(pixels))
    if cell:
        assert counts is not None
        np.testing.assert_array_equal(rle_decode(runs_to_rle(counts, (len(pixels), 1))), mask)
