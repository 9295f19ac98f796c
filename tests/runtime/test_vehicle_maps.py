"""Vehicles that stand apart."""

from __future__ import annotations

import numpy as np

from dentify.runtime.vehicle_maps import find_vehicles

HW = (300, 400)


def outline(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Logits on 60 × 80 cells, sure within boxes of rows and columns."""
    logits = np.full((1, 60, 80), -4, np.float32)
    for top, left, bottom, right in boxes:
        logits[0, top:bottom, left:right] = 4
    return logits


def test_the_largest_comes_first() -> None:
    found = find_vehicles(outline((0, 0, 20, 20), (20, 30, 60, 80)), HW)
    assert found.boxes_xyxy.tolist() == [[150, 100, 400, 300], [0, 0, 100, 100]]
    assert np.allclose(found.scores, 1 / (1 + np.exp(-4)))


def test_vehicles_that_touch_are_one() -> None:
    assert len(find_vehicles(outline((0, 0, 20, 20), (10, 20, 40, 60)), HW)) == 1


def test_what_is_small_beside_the_largest_or_on_the_photo_is_left_out() -> None:
    assert len(find_vehicles(outline((20, 0, 60, 50), (0, 60, 13, 72)), HW)) == 1  # 156 of 2,000 cells
    assert len(find_vehicles(outline((20, 0, 60, 50), (0, 60, 14, 72)), HW)) == 2  # 168
    assert len(find_vehicles(outline((0, 0, 10, 10), (20, 20, 26, 26)), HW)) == 1  # 36 of 4,800


def test_what_is_hardly_a_vehicle_is_none_beside_one_that_is() -> None:
    road = outline((20, 0, 60, 50), (0, 55, 20, 80))
    road[0, :20, 55:] = np.log(0.84 / 0.16)
    assert len(find_vehicles(road, HW)) == 1
    road[0, :20, 55:] = np.log(0.86 / 0.14)
    assert len(find_vehicles(road, HW)) == 2
    assert len(find_vehicles(road[:, :20], HW)) == 1  # alone it is the largest


def test_a_photo_without_one() -> None:
    assert len(find_vehicles(outline(), HW)) == 0
