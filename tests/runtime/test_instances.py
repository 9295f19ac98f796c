"""Instances on grids: areas, overlaps, masks at the photo's size, shapes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.errors import ShapeError
from dentify.imaging.masks import rle_decode
from dentify.runtime.instances import Instances, areas_beside, means_over_cells, sampled, shared_areas

PHOTO_HW = (80, 160)


def rectangles(*corners_xywh: tuple[int, int, int, int], grid_hw: tuple[int, int], masks: bool = True) -> Instances:
    """Instances that fill rectangles of a grid's cells."""
    scale = np.array([PHOTO_HW[1] / grid_hw[1], PHOTO_HW[0] / grid_hw[0]] * 2)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners_xywh], float).reshape(-1, 4) * scale
    return Instances(
        boxes_xyxy=boxes.astype(np.float32),
        scores=np.ones(len(corners_xywh), np.float32),
        class_ids=np.zeros(len(corners_xywh), np.int64),
        masks=tuple(np.ones((h, w), bool) for _, _, w, h in corners_xywh) if masks else None,
        corners_xy=np.array([corner[:2] for corner in corners_xywh], np.int64).reshape(-1, 2),
        grid_hw=grid_hw,
        photo_hw=PHOTO_HW,
    )


@pytest.mark.parametrize("masks", [True, False])
def test_areas_are_shares_of_the_photo_with_masks_or_boxes(masks: bool) -> None:
    assert rectangles((0, 0, 4, 4), (2, 0, 2, 1), grid_hw=(4, 8), masks=masks).area_shares.tolist() == [0.5, 2 / 32]


def test_overlaps_are_counted_across_grids() -> None:
    left_half_and_right_quarter = rectangles((0, 0, 8, 8), (12, 0, 4, 8), grid_hw=(8, 16))
    right_half = rectangles((2, 0, 2, 4), grid_hw=(4, 4))
    assert shared_areas(left_half_and_right_quarter, right_half).tolist() == [[0.0], [0.25]]
    assert shared_areas(right_half, Instances.empty(PHOTO_HW, (4, 4))).shape == (1, 0)


ALL = np.ones(2, bool)


def test_cells_on_none_count_for_the_nearest_across_grids() -> None:
    """A gap of 4 × 8 cells between two others."""
    between = rectangles((4, 0, 4, 8), grid_hw=(8, 16))
    left_and_right = rectangles((0, 0, 4, 8), (8, 0, 8, 8), grid_hw=(8, 16))
    assert areas_beside(between, left_and_right, ALL).tolist() == [[0.125, 0.125]]
    assert areas_beside(between, left_and_right, np.array([False, True])).tolist() == [[0.0, 0.1875]]  # not as far as the other
    coarse = rectangles((0, 0, 1, 2), (2, 0, 2, 2), grid_hw=(2, 4))
    assert areas_beside(between, coarse, ALL).tolist() == [[0.125, 0.125]]


def test_what_is_on_another_is_beside_none() -> None:
    one, others = rectangles((0, 0, 8, 8), grid_hw=(8, 16)), rectangles((0, 0, 8, 4), (0, 4, 8, 4), grid_hw=(8, 16))
    assert areas_beside(one, others, np.array([True, False])).tolist() == [[0.0, 0.0]]


def test_how_far_beside_goes_grows_with_the_instance() -> None:
    """Two cells away from a wall: all of a large one's near half, nothing of a small one."""
    wall = rectangles((0, 0, 2, 8), grid_hw=(8, 16))
    large, small = rectangles((4, 0, 8, 8), grid_hw=(8, 16)), rectangles((4, 0, 2, 2), grid_hw=(8, 16))
    assert areas_beside(large, wall, ALL[:1])[0, 0] == pytest.approx(2 * 8 / 128)  # to 4 cells from the wall: half of 8
    assert areas_beside(small, wall, ALL[:1]).tolist() == [[0.0]]


@pytest.mark.parametrize("masks", [True, False])
def test_nothing_is_beside_nothing(masks: bool) -> None:
    one, none = rectangles((0, 0, 4, 4), grid_hw=(4, 8), masks=masks), Instances.empty(PHOTO_HW, (4, 4))
    assert areas_beside(one, none, ALL[:0]).shape == (1, 0)
    assert areas_beside(none, one, ALL[:1]).shape == (0, 1)
    assert areas_beside(one, one, ~ALL[:1]).tolist() == [[0.0]]


rectangle = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 8), st.integers(1, 8))


@given(st.lists(rectangle, min_size=1, max_size=3), st.lists(rectangle, min_size=1, max_size=3), st.data())
def test_on_and_beside_are_no_more_than_an_instance_is(ones: list, others: list, data: st.DataObject) -> None:
    them = rectangles(*others, grid_hw=(16, 32))
    reaching = np.array(data.draw(st.lists(st.booleans(), min_size=len(others), max_size=len(others))))
    beside = areas_beside(some := rectangles(*ones, grid_hw=(16, 16)), them, reaching)
    assert not beside[:, ~reaching].any()
    on_any = np.maximum.reduce(shared_areas(some, them), axis=1)
    assert (beside.sum(axis=1) + on_any <= some.area_shares + 1e-9).all()


def test_a_mean_is_taken_over_the_cells_of_an_instance_alone() -> None:
    maps = np.zeros((2, 2, 4), np.float32)
    maps[0, :, :2], maps[1, 0, 0] = 1.0, 1.0
    found = rectangles((0, 0, 4, 4), (4, 0, 4, 4), grid_hw=(4, 8))
    assert means_over_cells(found, maps).tolist() == [[1.0, 0.25], [0.0, 0.0]]


def test_a_mask_covers_the_photo_as_its_cells_do() -> None:
    mask = rectangles((2, 1, 2, 1), grid_hw=(4, 8)).rle(0)
    assert mask is not None
    rows, columns = np.nonzero(rle_decode(mask))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 39, 40, 79)
    assert rectangles((2, 1, 2, 1), grid_hw=(4, 8), masks=False).rle(0) is None


@given(st.integers(1, 40), st.integers(1, 40))
def test_maps_on_another_grid_keep_their_values(h: int, w: int) -> None:
    maps = np.arange(12.0).reshape(1, 3, 4)
    moved = sampled(maps, (h, w), slice(0, h), slice(0, w))
    assert moved.shape == (1, h, w)
    assert set(moved.ravel()) <= set(maps.ravel())


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"boxes_xyxy must have shape \(1, 4\)"):
        Instances(
            boxes_xyxy=np.zeros((2, 4), np.float32),
            scores=np.zeros(1, np.float32),
            class_ids=np.zeros(1, np.int64),
            masks=None,
            corners_xy=np.zeros((1, 2), np.int64),
            grid_hw=(1, 1),
            photo_hw=(1, 1),
        )
