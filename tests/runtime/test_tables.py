"""Candidates with a box, scores and a mask each become instances on a grid over the photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.runtime.tables import find_in_table

FULL = np.full((INSTANCE_MASK, INSTANCE_MASK), 5, np.float32)


def row(box: tuple[float, ...], scores: tuple[float, ...], mask: np.ndarray = FULL) -> np.ndarray:
    return np.concatenate([np.float32(box), np.float32(scores), mask.ravel()]).astype(np.float32)


def test_a_full_mask_is_its_box_in_pixels_of_the_photo() -> None:
    table = np.stack([row((0.25, 0.25, 0.5, 0.75), (0.1, 0.9))])
    found = find_in_table(table, (1000, 2000))
    assert found.boxes_xyxy.tolist() == [[500, 250, 1000, 750]]
    assert found.class_ids.tolist() == [1]
    assert found.scores.tolist() == [np.float32(0.9)]
    assert found.area_shares.tolist() == pytest.approx([0.125])
    assert found.grid_hw == (256, 512)


def test_the_best_come_first_and_what_is_hardly_likely_is_left_out() -> None:
    box = (0.1, 0.1, 0.2, 0.2)
    table = np.stack([row(box, (0.3, 0.0)), row(box, (0.0, 0.0)), row(box, (0.0, 0.8)), row(box, (0.005, 0.0))])
    found = find_in_table(table, (512, 512))
    assert (found.scores.tolist(), found.class_ids.tolist()) == ([np.float32(0.8), np.float32(0.3)], [1, 0])


def test_a_mask_fills_the_half_of_its_box_that_it_says() -> None:
    """Left half of a box of 64 × 64 cells: half of these, up to the cells at the edge."""
    mask = np.where(np.arange(INSTANCE_MASK) < INSTANCE_MASK // 2, 5.0, -5.0).astype(np.float32)
    found = find_in_table(np.stack([row((0, 0, 0.125, 0.125), (0.9,), np.tile(mask, (INSTANCE_MASK, 1)))]), (512, 512))
    assert found.masks is not None
    assert found.masks[0].shape == (64, 32)
    assert found.boxes_xyxy.tolist() == [[0, 0, 32, 64]]


def test_an_empty_mask_and_a_box_beside_the_photo_are_none() -> None:
    table = np.stack([row((0.1, 0.1, 0.5, 0.5), (0.9,), -FULL), row((1.2, 0.1, 1.5, 0.5), (0.9,))])
    assert len(find_in_table(table, (512, 512))) == 0


def test_a_table_of_zeros_is_nothing_found() -> None:
    found = find_in_table(np.zeros((5, 4 + 3 + INSTANCE_MASK**2), np.float32), (480, 640))
    assert found.boxes_xyxy.shape == (0, 4)


@given(first=st.floats(0, 500), length=st.floats(1.1, 100))
def test_a_box_covers_the_cells_whose_middle_it_covers(first: float, length: float) -> None:
    last = min(first + length, 512.0)
    found = find_in_table(np.stack([row((first / 512, 0.25, last / 512, 0.5), (0.9,))]), (512, 512))
    ((left, top, right, bottom),) = found.boxes_xyxy.tolist()
    assert (top, bottom) == (128, 256)
    assert abs(left - first) <= 0.51
    assert abs(right - last) <= 0.51


def test_a_box_within_one_cell_is_that_cell() -> None:
    found = find_in_table(np.stack([row((100.6 / 512, 100.1 / 512, 100.9 / 512, 100.4 / 512), (0.9,))]), (512, 512))
    assert found.boxes_xyxy.tolist() == [[100, 100, 101, 101]]


@given(
    box=st.tuples(*[st.floats(-2, 3, width=32)] * 4),
    hw=st.tuples(st.integers(16, 5000), st.integers(16, 5000)),
    seed=st.integers(0, 9),
)
def test_whatever_the_box_masks_lie_on_the_photo(box: tuple[float, ...], hw: tuple[int, int], seed: int) -> None:
    mask = np.random.default_rng(seed).normal(0, 3, (INSTANCE_MASK, INSTANCE_MASK)).astype(np.float32)
    found = find_in_table(np.stack([row(box, (0.7, 0.2), mask)]), hw)
    for index in range(len(found)):
        rows, columns, crop = found.cells(index)
        assert crop.any()
        assert rows.stop <= found.grid_hw[0]
        assert columns.stop <= found.grid_hw[1]
        assert found.rle(index) is not None
