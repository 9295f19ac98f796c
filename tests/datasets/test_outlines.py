"""What counts as an outline, and what is said of what does not."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.label_set import LabelSet
from dentify.datasets.outlines import (
    CUT,
    OUTSIDE_PX,
    SORTED,
    check_box,
    check_mask_size,
    check_pieces,
    check_points,
    check_polygon,
    check_runs,
    is_line,
)
from dentify.errors import DatasetError
from dentify.imaging.masks import polygons_to_rle, rle_decode
from dentify.settings import Settings

HW = (10, 20)
numbers = st.floats() | st.integers() | st.sampled_from([1e308, -1e308, 2.0**53, 1e9])


def test_a_polygon_inside_the_photo_stays_as_it_is() -> None:
    np.testing.assert_array_equal(check_polygon([2, 2, 8, 2, 8, 8.5], HW, "here"), [[2, 2], [8, 2], [8, 8.5]])


def test_what_tools_round_over_the_edge_is_cut_there() -> None:
    np.testing.assert_array_equal(check_polygon([-2, 0, 22, 0, 10, 12], HW, "here"), [[0, 0], [20, 0], [10, 10]])
    assert check_box((-2, -2, 22, 12), HW, "here") == (0, 0, 20, 10)


@pytest.mark.parametrize("size_hw", [(10, 20), (480, 640), (3024, 4032)])
def test_a_hair_is_so_much_of_the_photo_and_is_told(size_hw: tuple[int, int]) -> None:
    told: list[str] = []
    height, width = size_hw
    box = (-0.009 * width, 0, width * 1.009, height)
    assert check_box(box, size_hw, "here", lambda rule, where: told.append(rule)) == (0, 0, width, height)
    check_polygon([0, 0, width, 0, width, height * 1.009], size_hw, "there", lambda rule, where: told.append(rule))
    assert told == [CUT, CUT]
    with pytest.raises(DatasetError, match="lies outside the photo"):
        check_box((0, 0, width * 1.02 + OUTSIDE_PX, height), size_hw, "here")


@given(st.permutations([2.0, 9.0]), st.permutations([1.0, 7.0]))
def test_a_box_is_the_same_whichever_corner_comes_first(across: list[float], down: list[float]) -> None:
    told: list[str] = []
    box = check_box((across[0], down[0], across[1], down[1]), HW, "here", lambda rule, where: told.append(rule))
    assert box == (2, 1, 9, 7)
    assert told == ([SORTED] if across[0] > across[1] or down[0] > down[1] else [])


GOOD, SCRAP, FLAT, OUTSIDE = [2, 2, 8, 2, 8, 8], [2, 2, 3, 3], [1, 1, 2, 2, 3, 3], [2, 2, 80, 2, 8, 8]


@pytest.mark.parametrize("pieces", [[GOOD, SCRAP], [FLAT, GOOD], [[], GOOD, SCRAP]])
def test_scraps_of_an_outline_do_not_cost_its_good_pieces(pieces: list[list[int]]) -> None:
    told: list[str] = []
    labels = LabelSet(Path("a.json"), Path(), adjust=lambda rule, where: told.append(where))
    (polygon,) = check_pieces(pieces, HW, "here", labels)
    np.testing.assert_array_equal(polygon, [[2, 2], [8, 2], [8, 8]])
    assert told == [f"here: polygon {index}" for index, piece in enumerate(pieces) if piece is not GOOD]


def test_a_piece_that_is_wrong_is_refused_and_the_others_stay() -> None:
    errors: list[DatasetError] = []
    assert len(check_pieces([GOOD, OUTSIDE, "x"], HW, "here", LabelSet(Path("a.json"), Path(), on_invalid=errors.append))) == 1
    assert [error.kind for error in errors] == ["outside the photo", "invalid label"]
    with pytest.raises(DatasetError, match="here: polygon 1: point"):
        check_pieces([GOOD, OUTSIDE], HW, "here", LabelSet(Path("a.json"), Path()))


def test_an_outline_of_scraps_alone_is_none() -> None:
    with pytest.raises(DatasetError, match="here: polygon 0: needs three points or more"):
        check_pieces([SCRAP, FLAT], HW, "here", LabelSet(Path("a.json"), Path()))


def test_a_circle_may_reach_out_as_far_as_it_likes() -> None:
    points = np.array([[-50.0, 5.0], [10.0, -50.0], [70.0, 5.0]])
    assert check_points(points, HW, "here", reach=math.inf).max() == 20


def test_without_the_photos_size_only_what_is_nowhere_is_refused() -> None:
    assert check_box((0, 0, 5000, 4000), None, "here") == (0, 0, 5000, 4000)
    with pytest.raises(DatasetError, match=r"here: point \(-9, 0\) lies outside any photo"):
        check_polygon([-9, 0, 5, 0, 5, 5], None, "here")
    with pytest.raises(DatasetError, match=r"point \(1e\+300, 0\) lies outside any photo"):
        check_polygon([0, 0, 1e300, 0, 5, 5], None, "here")


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "text": (lambda: check_polygon(["a", 1], HW, "here"), r"here: must be a list of numbers, got \['a', 1\]"),
    "truth value": (lambda: check_polygon([True] * 6, HW, "here"), "must be a list of numbers"),
    "two points": (lambda: check_polygon([1, 1, 5, 5], HW, "here"), "needs three points or more as x, y, x, y …, got 4 numbers"),
    "half a point": (lambda: check_polygon([1, 1, 5, 5, 9, 9, 9], HW, "here"), "got 7 numbers"),
    "NaN": (lambda: check_polygon([1, 1, 5, 5, 9, math.nan], HW, "here"), r"not a number \(NaN or infinite\)"),
    "infinite": (lambda: check_polygon([1, 1, 5, 5, math.inf, 9], HW, "here"), r"not a number \(NaN or infinite\)"),
    "negative": (lambda: check_polygon([-9, 1, 5, 5, 9, 1], HW, "here"), r"point \(-9, 1\) lies outside the photo of 20 × 10"),
    "the furthest of two": (lambda: check_polygon([23, 1, 5, 90, 9, 1], HW, "here"), r"point \(5, 90\) lies outside"),
    "a line": (lambda: check_polygon([1, 1, 5, 5, 9, 9], HW, "here"), "is degenerate, its area is 0"),
    "beside the photo": (lambda: check_polygon([21, 1, 22, 5, 21, 9], HW, "here"), "is degenerate, its area is 0"),
    "box outside": (lambda: check_box((0, 0, 23, 5), HW, "box"), r"box \(0, 0\) to \(23, 5\) lies outside the photo of 20 × 10"),
    "flat box": (lambda: check_box((3, 4, 9, 4), HW, "box"), "box is degenerate: 6 wide, 0 high"),
    "NaN box": (lambda: check_box((0, 0, math.nan, 4), HW, "box"), "box holds a coordinate that is not a number"),
    "runs of another size": (lambda: check_runs([100], HW, "here"), "here: .*sum to 200, got 100"),
    "runs of nothing": (lambda: check_runs([200], HW, "here"), "RLE is degenerate, it holds no pixel"),
    "runs of text": (lambda: check_runs("what?", HW, "here"), "here: an RLE"),
    "runs of text that is none": (lambda: check_runs("\ud800", HW, "here"), "here: "),
    "no runs": (lambda: check_runs(None, HW, "here"), "must be a string or a list of whole numbers, got None"),
    "halves of runs": (lambda: check_runs([99.5, 100.5], HW, "here"), "must be a string or a list of whole numbers"),
    "a run beyond any number": (lambda: check_runs([10**30, 1], HW, "here"), "here: "),
    "a negative run": (lambda: check_runs([201, -1], HW, "here"), "here: "),
    "a mask of 100,000 × 100,000": (
        lambda: check_mask_size((100_000, 100_000), "here", Settings()),
        "here: 100000 × 100000 pixels are over the limit of 100 megapixels",
    ),
}


@pytest.mark.parametrize(("check", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_outline_is_one_line(check: Callable[[], object], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        check()
    assert "\n" not in str(caught.value)


@given(st.lists(numbers, max_size=8), st.sampled_from([HW, None]))
def test_any_numbers_are_a_polygon_inside_or_refused(values: list[float], size_hw: tuple[int, int] | None) -> None:
    told = ""
    try:
        polygon = check_polygon(values, size_hw, "here")
    except DatasetError as error:
        told = str(error)
    else:
        assert (polygon >= 0).all()
        assert size_hw is None or (polygon <= (20, 10)).all()
    assert "\n" not in told


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=3, max_size=6), st.sampled_from([OUTSIDE_PX, math.inf]))
def test_any_points_are_inside_or_refused_however_far_they_may_reach(points: list[tuple[float, float]], reach: float) -> None:
    told = ""
    try:
        polygon = check_points(np.array(points), HW, "here", reach=reach)
    except DatasetError as error:
        told = str(error)
    else:
        assert (polygon >= 0).all()
        assert (polygon <= (20, 10)).all()
    assert "\n" not in told


@given(st.tuples(st.floats(), st.floats(), st.floats(), st.floats()), st.sampled_from([HW, None]))
def test_any_box_is_inside_or_refused(box: tuple[float, float, float, float], size_hw: tuple[int, int] | None) -> None:
    told = ""
    try:
        x_min, y_min, x_max, y_max = check_box(box, size_hw, "here")
    except DatasetError as error:
        told = str(error)
    else:
        assert 0 <= x_min < x_max
        assert 0 <= y_min < y_max
    assert "\n" not in told


def test_runs_are_read_column_by_column_beginning_with_zeros() -> None:
    mask = rle_decode(check_runs([11, 2, 187], HW, "here"))
    assert mask.sum() == 2
    assert mask[1:3, 1].all()


@given(st.lists(st.integers(-5, 250), max_size=6) | st.text(max_size=8) | st.none())
def test_any_runs_are_a_mask_or_refused(counts: object) -> None:
    told = ""
    try:
        rle = check_runs(counts, HW, "here")
    except DatasetError as error:
        told = str(error)
    else:
        assert rle.size == HW
    assert "\n" not in told


@pytest.mark.parametrize(
    ("points", "line"),
    [
        ([[0, 0], [5, 5]], True),
        ([[0, 0], [5, 5], [9, 9]], True),
        ([[0, 0], [5, 5], [9, 8]], False),
        ([[0, 0], [5, 5], [math.nan, 8]], False),  # told as what it is by `check_points`
        ([[0, 0], [1e308, 5], [5, 1e308]], False),
    ],
)
def test_a_line_encloses_nothing(points: list[list[float]], line: bool) -> None:
    assert is_line(np.array(points, np.float64)) is line


def zigzag(points: int, side: int) -> np.ndarray:
    return np.stack([np.linspace(0, side, points), np.where(np.arange(points) % 2, side, 0.0)], axis=1)


@pytest.mark.parametrize("size_hw", [(10_000, 10_000), None])
def test_an_outline_without_end_is_refused(size_hw: tuple[int, int] | None) -> None:
    """Tracing it takes its length: 300 bytes and a microsecond a pixel, which ten thousand points can make gigabytes."""
    with pytest.raises(DatasetError, match=r"^here: is 100,000,000 pixels long, over the limit of 500,000; no damage has"):
        check_points(zigzag(10_000, 10_000), size_hw, "here")


def test_outlines_of_many_points_are_read_in_time_and_memory() -> None:
    """A ragged one, ten times around a photo of 100 megapixels, and one of 100,000 points."""
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    radius = 4_000 + rng.normal(0, 2, len(turn))
    ragged = np.stack([5_000 + radius * np.cos(turn), 5_000 + radius * np.sin(turn)], axis=1)
    for outline in (ragged, zigzag(39, 10_000)):
        kept = check_points(outline, (10_000, 10_000), "here")
        tracemalloc.start()
        started = time.process_time()
        polygons_to_rle([kept], (10_000, 10_000))
        assert time.process_time() - started < 5
        assert tracemalloc.get_traced_memory()[1] < 300 * 2**20
        tracemalloc.stop()


@pytest.mark.parametrize("counts", [[1] * 1_000_001, "1" * 1_000_001], ids=["list", "text"])
def test_a_mask_of_runs_without_end_is_refused(counts: object) -> None:
    with pytest.raises(DatasetError, match=r"^here: RLE of 1,000,001 counts, over the limit of 1,000,000; no damage has such an"):
        check_runs(counts, (10_000, 10_000), "here")
