"""Random views: pictures and outlines go through the same matrix."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.training.augment import degrade, is_mirrored, random_view, transform_points, warp, whole_view

SIZE = 96


def painted(hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A dark photo with a white blob, and the blob's outline."""
    outline = np.array([[0.3, 0.3], [0.7, 0.35], [0.65, 0.7], [0.35, 0.6]]) * (hw[1], hw[0])
    image = np.zeros((*hw, 3), np.uint8)
    cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], (255, 255, 255))
    return image, outline


@given(st.integers(0, 10_000), st.sampled_from([(160, 240), (240, 160), (200, 200)]))
def test_outlines_stay_on_what_they_outline(seed: int, hw: tuple[int, int]) -> None:
    image, outline = painted(hw)
    view = random_view(np.random.default_rng(seed), hw, SIZE, share=(0.3, 1.0))
    picture = warp(image, view, SIZE)[..., 0] > 127
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(drawn, [np.rint((transform_points(outline, view) - 0.5) * 16).astype(np.int32)], 1, shift=4)
    inside = np.zeros((SIZE, SIZE), np.uint8)
    corners = np.array([[0, 0], [hw[1], 0], [hw[1], hw[0]], [0, hw[0]]], np.float64)
    cv2.fillPoly(inside, [np.rint(transform_points(corners, view)).astype(np.int32)], 1)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8)).astype(bool)
    either = ((drawn > 0) | picture) & inside
    if either.sum() > 200:
        assert ((drawn > 0) & picture & inside).sum() / either.sum() > 0.85


def test_the_whole_view_is_what_serving_sees() -> None:
    image, _ = painted((120, 180))
    served = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(warp(image, whole_view((120, 180), SIZE), SIZE).astype(int) - served).mean() < 1.5


def test_views_follow_from_the_seed_alone() -> None:
    first, second = (random_view(np.random.default_rng(7), (100, 100), SIZE) for _ in range(2))
    assert np.array_equal(first, second)


def test_mirrored_views_are_about_half_of_all() -> None:
    views = [random_view(np.random.default_rng(seed), (100, 100), SIZE) for seed in range(200)]
    assert 70 < sum(is_mirrored(view) for view in views) < 130


def test_a_focus_is_usually_in_the_window() -> None:
    focus = np.array([[20.0, 80.0]])
    views = [random_view(np.random.default_rng(seed), (100, 100), SIZE, focus_xy=focus, share=(0.1, 0.2)) for seed in range(100)]
    seen = [((transform_points(focus, view) >= 0) & (transform_points(focus, view) < SIZE)).all() for view in views]
    assert sum(seen) > 60


@pytest.mark.parametrize("seed", range(20))
def test_distortions_keep_shape_and_type_and_leave_the_original_alone(seed: int) -> None:
    image, _ = painted((SIZE, SIZE))
    before = image.copy()
    changed = degrade(np.random.default_rng(seed), image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(image, before)
