"""Random views: pictures and outlines go through the same matrix. Distortions, and the dial for all of them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dentify.imaging.views import is_mirrored, transform_points, warp
from dentify.training.augment import Augment, degrade, random_view

SIZE = 96
NONE = Augment(strength=0)
SEEDS = range(200)


def painted(hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A dark photo with a white blob, and the blob's outline."""
    outline = np.array([[0.3, 0.3], [0.7, 0.35], [0.65, 0.7], [0.35, 0.6]]) * (hw[1], hw[0])
    image = np.zeros((*hw, 3), np.uint8)
    cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], (255, 255, 255))
    return image, outline


def coloured() -> np.ndarray:
    """Noise in three colours."""
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)


@given(st.integers(0, 10_000), st.sampled_from([(160, 240), (240, 160), (200, 200)]))
def test_outlines_stay_on_what_they_outline(seed: int, hw: tuple[int, int]) -> None:
    image, outline = painted(hw)
    view = random_view(np.random.default_rng(seed), hw, SIZE, share=(0.3, 1.0))
    picture = warp(image, view, (SIZE, SIZE))[..., 0] > 127
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(drawn, [np.rint((transform_points(outline, view) - 0.5) * 16).astype(np.int32)], 1, shift=4)
    inside = np.zeros((SIZE, SIZE), np.uint8)
    corners = np.array([[0, 0], [hw[1], 0], [hw[1], hw[0]], [0, hw[0]]], np.float64)
    cv2.fillPoly(inside, [np.rint(transform_points(corners, view)).astype(np.int32)], 1)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8)).astype(bool)
    either = ((drawn > 0) | picture) & inside
    if either.sum() > 200:
        assert ((drawn > 0) & picture & inside).sum() / either.sum() > 0.85


def test_views_follow_from_the_seed_alone() -> None:
    first, second = (random_view(np.random.default_rng(7), (100, 100), SIZE) for _ in range(2))
    assert np.array_equal(first, second)


def test_mirrored_views_are_about_half_of_all() -> None:
    views = [random_view(np.random.default_rng(seed), (100, 100), SIZE) for seed in SEEDS]
    assert 70 < sum(is_mirrored(view) for view in views) < 130


def test_a_focus_is_usually_in_the_window() -> None:
    focus = np.array([[20.0, 80.0]])
    views = [random_view(np.random.default_rng(seed), (100, 100), SIZE, focus_xy=focus, share=(0.1, 0.2)) for seed in range(100)]
    seen = [((transform_points(focus, view) >= 0) & (transform_points(focus, view) < SIZE)).all() for view in views]
    assert sum(seen) > 60


def shares(share: tuple[float, float]) -> list[float]:
    """How much of a photo the windows hold."""
    views = [random_view(np.random.default_rng(seed), (80, 120), SIZE, share=share) for seed in SEEDS]
    return [SIZE * SIZE / (abs(np.linalg.det(view[:, :2])) * 80 * 120) for view in views]


def test_a_window_holds_a_share_of_the_photo_or_all_of_it() -> None:
    held = shares((0.1, 0.4))
    whole = [share for share in held if share == pytest.approx(1)]
    others = [share for share in held if share != pytest.approx(1)]
    assert 0.05 < len(whole) / len(held) < 0.25
    assert 0.1 <= min(others) < 0.12
    assert 0.35 < max(others) <= 0.4
    assert sum(share < 0.2 for share in others) / len(others) == pytest.approx(0.5, abs=0.12)  # log-uniform


def test_windows_stay_on_the_photo() -> None:
    corners = np.array([[0, 0], [120, 0], [120, 80], [0, 80]], np.float64)
    for seed in SEEDS:
        view = random_view(np.random.default_rng(seed), (80, 120), SIZE, share=(0.1, 0.4), rotate=False)
        moved = transform_points(corners, view)
        assert (moved.min(0) < 1e-6).all()
        assert (moved.max(0) > SIZE - 1e-6).all()


@pytest.mark.parametrize(("strength", "rotate", "turned"), [(1.0, True, 0.5), (2.0, True, 1.0), (1.0, False, 0), (0, True, 0)])
def test_turns_are_small_and_can_be_left_out(strength: float, rotate: bool, turned: float) -> None:
    angles = []
    for seed in SEEDS:
        rng, augment = np.random.default_rng(seed), Augment(strength=strength)
        (a, b), (c, d) = random_view(rng, (100, 100), SIZE, rotate=rotate, augment=augment)[:, :2]
        angles.append(math.degrees(math.atan(math.sqrt(abs(b * c / (a * d))))))  # whatever the window's own sides are
    assert np.mean([angle > 0 for angle in angles]) == pytest.approx(turned, abs=0.1)
    assert max(angles) == pytest.approx(12 * strength * bool(turned), rel=0.1)


def test_without_strength_views_are_neither_stretched_nor_turned() -> None:
    for seed in SEEDS:
        view = random_view(np.random.default_rng(seed), (80, 120), SIZE, augment=NONE)
        assert view[0, 1] == view[1, 0] == 0
        assert abs(view[0, 0]) * 120 == pytest.approx(view[1, 1] * 80)


def test_views_are_stretched_more_the_greater_the_strength() -> None:
    def stretch(strength: float) -> list[float]:
        how = Augment(strength=strength)
        views = [random_view(np.random.default_rng(seed), (100, 100), SIZE, rotate=False, augment=how) for seed in SEEDS]
        return [abs(math.log(abs(view[0, 0]) / view[1, 1])) for view in views]

    assert 0.4 < max(stretch(1.0)) <= 0.45
    assert 0.8 < max(stretch(2.0)) <= 0.9


@pytest.mark.parametrize("seed", range(20))
def test_distortions_keep_shape_and_type_and_leave_the_original_alone(seed: int) -> None:
    image, _ = painted((SIZE, SIZE))
    before = image.copy()
    changed = degrade(np.random.default_rng(seed), image, Augment(strength=2))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert np.array_equal(image, before)


def test_without_strength_nothing_is_distorted() -> None:
    image = coloured()
    for seed in range(20):
        assert np.array_equal(degrade(np.random.default_rng(seed), image, NONE), image)


DISTORTIONS = ("tone", "tint", "grey", "soften", "noise", "jpeg")


@pytest.mark.parametrize("name", DISTORTIONS)
def test_each_distortion_has_its_own_likelihood(name: str) -> None:
    image = coloured()
    never = dict.fromkeys(DISTORTIONS, 0.0)
    always = Augment(**(never | {name: 1.0}))
    assert all(np.array_equal(degrade(np.random.default_rng(seed), image, Augment(**never)), image) for seed in range(5))
    changed = [not np.array_equal(degrade(np.random.default_rng(seed), image, always), image) for seed in range(10)]
    assert sum(changed) >= 9  # a tint of nothing at all is possible


def test_grey_pictures_have_no_colour() -> None:
    grey = degrade(np.random.default_rng(0), coloured(), Augment(tone=0, tint=0, grey=1, soften=0, noise=0, jpeg=0))
    assert (grey == grey[..., :1]).all()


def test_a_tint_colours_nothing_that_is_grey() -> None:
    shades = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    tinted = Augment(strength=2, tone=0, tint=1, grey=0, soften=0, noise=0, jpeg=0)
    for seed in range(10):
        assert np.array_equal(degrade(np.random.default_rng(seed), shades, tinted), shades)


def test_the_dial_makes_distortions_likelier_up_to_certainty() -> None:
    assert [Augment(strength=strength).often(0.8) for strength in (0, 0.5, 1, 2)] == [0, 0.4, 0.8, 1.0]
    with pytest.raises(ValidationError, match="less than or equal to 2"):
        Augment(strength=3)
