"""A photo in overlapping tiles, and their maps as one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.runtime.tiles import OVERLAP, enough_side, in_pixels, merge_tiles, spans, tile_grid

SIDES = st.integers(1, 5000)


def windows_of(grid: tuple[int, int], image_hw: tuple[int, int]) -> list[tuple[slice, slice]]:
    return in_pixels(spans(grid[0]), spans(grid[1]), image_hw)


@pytest.mark.parametrize(
    ("photo_hw", "grid"),
    [
        ((832, 4032), (1, 1)),  # no more than twice what the network sees
        ((833, 1000), (2, 2)),
        ((900, 1200), (2, 3)),
        ((3024, 4032), (3, 4)),
        ((4032, 3024), (4, 3)),
        ((1000, 4000), (1, 1)),  # so long that even two along its shorter side are too many
    ],
)
def test_only_photos_of_many_pixels_are_worth_tiles(photo_hw: tuple[int, int], grid: tuple[int, int]) -> None:
    assert tile_grid(photo_hw, "auto", sees=416, most=12) == grid


@given(SIDES, SIDES, st.one_of(st.just("auto"), st.integers(2, 8)), st.integers(8, 1024), st.integers(1, 64))
def test_there_are_no_more_tiles_than_allowed_and_they_are_about_square(
    height: int, width: int, tiles: int, sees: int, most: int
) -> None:
    down, across = tile_grid((height, width), tiles, sees=sees, most=most)
    assert 1 <= down * across <= max(1, most)
    if down * across > 1:
        tall, wide = height * (spans(down)[0][1]), width * (spans(across)[0][1])
        assert 0.6 < tall / wide < 1.7


@given(SIDES, SIDES, st.integers(8, 1024), st.integers(4, 64), st.one_of(st.just("auto"), st.integers(2, 8)))
def test_a_photo_that_was_decoded_as_asked_has_tiles_that_are_not_enlarged(
    height: int, width: int, sees: int, most: int, tiles: int
) -> None:
    """Decoding leaves a larger photo's shorter side at least as many pixels as are enough."""
    enough = enough_side(tiles, sees=sees, most=most)
    shrink = max(1, min(height, width) // enough)
    decoded = height / shrink, width / shrink
    down, across = tile_grid((height, width), tiles, sees=sees, most=most)
    if min(height, width) >= enough and down * across > 1:
        assert min(decoded[0] * spans(down)[0][1], decoded[1] * spans(across)[0][1]) >= 0.8 * sees


@given(st.integers(1, 9), st.integers(1, 3000))
def test_tiles_cover_a_side_and_overlap_by_a_quarter(count: int, side: int) -> None:
    where = spans(count)
    assert (where[0][0], where[-1][1]) == (0, pytest.approx(1))
    assert len({round(stop - start, 9) for start, stop in where}) == 1
    for (start, stop), (following, _) in pairwise(where):
        assert stop - following == pytest.approx(OVERLAP * (stop - start))
    covered = np.zeros((side, 1), np.bool_)
    for window in windows_of((count, 1), (side, 1)):
        covered[window] = True
    assert covered.all()


GRIDS = st.tuples(st.integers(1, 5), st.integers(1, 5))
SIZES = st.tuples(st.integers(24, 300), st.integers(24, 300))


@given(GRIDS, SIZES, st.integers(3, 40), SIZES, st.floats(-20, 20, width=32))
def test_what_is_the_same_everywhere_is_so_in_tiles(
    grid: tuple[int, int], image_hw: tuple[int, int], cells: int, wanted: tuple[int, int], value: float
) -> None:
    windows = windows_of(grid, image_hw)
    maps = [np.full((2, cells, cells + 1), value, np.float32) for _ in windows]
    merged = merge_tiles(maps, windows, image_hw, wanted)
    assert merged.shape == (2, *wanted)
    np.testing.assert_allclose(merged, value, atol=1e-4)


def averaged(image: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """What a network that looks at one pixel at a time makes of a picture: `(1, h, w)` means over cells."""
    rows, columns = (np.linspace(0, side, cells + 1) for side, cells in zip(image.shape, hw, strict=True))
    sums = np.pad(image.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    y, x = (np.arange(side + 1) for side in image.shape)
    by_rows = np.stack([np.interp(rows, y, column) for column in sums.T], axis=1)
    integral = np.stack([np.interp(columns, x, row) for row in by_rows])
    areas = np.outer(np.diff(rows), np.diff(columns))
    means = np.diff(np.diff(integral, axis=0), axis=1) / areas
    return means[None].astype(np.float32)


@given(GRIDS, SIZES, st.integers(0, 10_000))
def test_tiles_of_what_looks_at_one_pixel_at_a_time_say_what_the_whole_says(
    grid: tuple[int, int], image_hw: tuple[int, int], seed: int
) -> None:
    """Wherever tiles lie, each as finely seen as the whole: no edge shows, and nothing moves."""
    rng = np.random.default_rng(seed)
    y, x = (
        np.arange(side)[(slice(None), None) if axis == 0 else (None, slice(None))] / side for axis, side in enumerate(image_hw)
    )
    waves = rng.normal(0, 1, (4, 3))
    image = sum(a * np.sin(2 * np.pi * (b * y + c * x)) for a, b, c in waves)
    assert isinstance(image, np.ndarray)
    windows = windows_of(grid, image_hw)
    whole = averaged(image, (32, 32))
    merged = merge_tiles([averaged(image[window], (32, 32)) for window in windows], windows, image_hw, (32, 32))
    steepest = max(np.abs(np.diff(whole[0], axis=axis)).max() for axis in (0, 1))
    assert np.abs(merged - whole).max() <= 0.25 * steepest + 1e-4


def test_where_tiles_disagree_one_fades_into_the_other() -> None:
    """The largest step is that of a slope over the whole overlap."""
    windows = windows_of((1, 2), (64, 128))
    left, right = np.zeros((1, 16, 16), np.float32), np.ones((1, 16, 16), np.float32)
    merged = merge_tiles([left, right], windows, (64, 128), (64, 128))[0, 0]
    assert (merged[0], merged[-1]) == (0, 1)
    steps = np.diff(merged)
    overlap = windows[0][1].stop - windows[1][1].start
    assert (steps >= 0).all()
    assert steps.max() <= 1.6 / overlap
