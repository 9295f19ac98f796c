"""Boundary F, held to what scipy's exact distances say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dentify.evaluation.boundaries import boundary_counts, boundary_f, boundary_of
from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.tally import tally_photo

Bitmap = Any
blobs = st.tuples(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
"""A seed, and how much of the picture is mask: nothing and everything, too."""


def blob(seed: int, share: float, size_hw: tuple[int, int] = (31, 44)) -> Bitmap:
    """A smooth shape, often of several pieces that touch the border."""
    ground = cv2.GaussianBlur(np.random.default_rng(seed).random(size_hw), (0, 0), 3)
    return ground > np.quantile(ground, 1 - share) if share < 1 else np.ones(size_hw, np.bool_)


def edges(mask: Bitmap) -> Bitmap:
    return mask & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1), border_value=1)


def near(edge: Bitmap, reach: float) -> Bitmap:
    return ndimage.distance_transform_edt(~edge) <= reach if edge.any() else np.zeros_like(edge)


@given(blobs, blobs, st.floats(0.0, 0.1))
def test_counts_are_those_of_scipys_distances(told: Any, true: Any, tolerance: float) -> None:
    one, other = edges(blob(*told)), edges(blob(*true))
    reach = tolerance * math.hypot(31, 44)
    expected = [(one & near(other, reach)).sum(), one.sum(), (other & near(one, reach)).sum(), other.sum()]
    assert boundary_counts(blob(*told), blob(*true), tolerance=tolerance).tolist() == expected


def test_the_photos_own_border_is_no_boundary() -> None:
    assert not boundary_of(np.ones((5, 7), np.bool_)).any()
    left = np.zeros((5, 7), np.bool_)
    left[:, :3] = True
    assert np.flatnonzero(boundary_of(left).any(0)).tolist() == [2]


@given(blobs)
def test_a_mask_and_itself_agree_wholly(seed: Any) -> None:
    mask = blob(*seed)
    counts = boundary_counts(mask, mask, tolerance=0.0)
    assert counts[0] == counts[1] == counts[2] == counts[3]
    assert np.isnan(boundary_f(counts)) if not counts[3] else boundary_f(counts) == 1.0


def test_a_shift_within_the_tolerance_costs_nothing_and_one_beyond_it_everything() -> None:
    """The diagonal of 300 × 400 pixels is 500, and three quarters of a percent of it are 3.75 pixels."""
    true = np.zeros((300, 400), np.bool_)
    true[100:200, 150] = True
    for shift, f in ((3, 1.0), (4, 0.0)):
        assert boundary_f(boundary_counts(np.roll(true, shift, 1), true)) == f


def test_precision_and_recall_are_of_their_own_boundary_each() -> None:
    true, told = np.zeros((2, 100, 100), np.bool_)
    true[10:20, 10:20] = True
    told[10:20, 10:20] = told[60:80, 60:80] = True
    right, every = 36, 36 + 76
    counts = boundary_counts(told, true)
    assert counts.tolist() == [right, every, right, right]
    assert boundary_f(counts) == pytest.approx(2 * (right / every) / (1 + right / every))


def test_what_is_told_where_nothing_is_right_or_wrong_is_left_out() -> None:
    true, told, ignored = np.zeros((3, 50, 50), np.bool_)
    true[5:15, 5:15] = told[5:15, 5:15] = told[30:40, 30:40] = ignored[:, 8:] = True
    assert boundary_counts(told, true, ignored).tolist() == [36, 36, 36, 36]  # within the truth it counts


def test_a_photo_tells_boundaries_of_each_name_and_of_any(make_things: Callable[..., Things]) -> None:
    annotated = make_things([("dent", 1.0, (10, 10, 20, 20)), ("scratch", 1.0, (30, 10, 40, 20))])
    found, nothing = make_things([("dent", 0.9, (10, 10, 20, 20)), ("dent", 0.8, (30, 10, 40, 20))]), make_things([])
    truth = Truth(("dent", "scratch", "crack"), annotated, nothing, nothing)
    tally = tally_photo(found, found, truth, (40, 60))
    boundaries = {name: counts.boundary for name, counts in tally.names.items()}
    assert {name: None if one is None else one.tolist() for name, one in boundaries.items()} == {
        "dent": [36, 72, 36, 36],
        "scratch": [0, 0, 0, 36],
        "crack": [0, 0, 0, 0],
    }
    assert tally.any_boundary is not None
    assert tally.any_boundary.tolist() == [72, 72, 72, 72]
    annotated.outlined[0] = False
    boxes = tally_photo(found, found, truth, (40, 60))
    assert (boxes.names["dent"].boundary, boxes.any_boundary) == (None, None)
