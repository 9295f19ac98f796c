"""Pixel figures, from arrays and from RLEs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from dentify.evaluation import any_iou_counts, iou_from_counts, pixel_iou_counts
from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.pixels import f1_from_counts, precision_from_counts, recall_from_counts
from dentify.evaluation.tally import tally_photo
from drawn_things import things_of


def test_counts_and_their_shares_by_hand() -> None:
    pred = np.zeros((2, 4, 4), np.bool_)
    truth = np.zeros((2, 4, 4), np.bool_)
    pred[0, :2], truth[0, 1:] = True, True  # 8 told, 12 true, 4 in both
    counts = pixel_iou_counts(pred, truth, np.array([True, True]))
    assert counts.tolist() == [[4, 8, 12], [0, 0, 0]]
    assert iou_from_counts(counts)[0] == pytest.approx(4 / 16)
    assert precision_from_counts(counts)[0] == pytest.approx(4 / 8)
    assert recall_from_counts(counts)[0] == pytest.approx(4 / 12)
    assert np.isnan(iou_from_counts(counts)[1])


@given(st.integers(0, 2**32 - 1))
def test_pooled_figures_are_scikit_learns_of_all_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pred, truth = (rng.random((4, 3, 5, 6)) < rng.random((1, 3, 1, 1)) for _ in range(2))  # (P, C, h, w)
    counts = np.sum([pixel_iou_counts(one, other, np.ones(3, np.bool_)) for one, other in zip(pred, truth, strict=True)], axis=0)
    for ours, theirs in (
        (iou_from_counts, metrics.jaccard_score),
        (precision_from_counts, metrics.precision_score),
        (recall_from_counts, metrics.recall_score),
        (f1_from_counts, metrics.f1_score),
    ):
        for k in range(3):
            true, told = truth[:, k].ravel(), pred[:, k].ravel()
            assert np.nan_to_num(ours(counts)[k]) == pytest.approx(theirs(true, told, zero_division=0.0, pos_label=True))


def test_photos_are_pooled_by_adding_their_counts() -> None:
    photos = np.array([[[1, 1, 1]], [[0, 99, 0]]])
    assert iou_from_counts(photos.sum(0))[0] == pytest.approx(0.01)


def test_what_is_told_as_an_unlabelled_type_counts_on_true_damage_only() -> None:
    truth = np.zeros((2, 1, 10), np.bool_)
    pred = np.zeros((2, 1, 10), np.bool_)
    truth[0, 0, :4] = True
    pred[1, 0, 2:8] = True  # of a type that the source does not label: pixels 2, 3 hit, 4 to 7 left out
    assert any_iou_counts(pred, truth, np.array([True, False])).tolist() == [2, 2, 4]
    assert any_iou_counts(pred, truth, np.array([True, True])).tolist() == [2, 6, 4]


@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=3, max_size=3))
def test_counts_of_rles_equal_counts_of_arrays(seed: int, known: list[bool]) -> None:
    rng = np.random.default_rng(seed)
    names = ("dent", "scratch", "crack")
    pred = rng.random((3, 9, 7)) < rng.random((3, 1, 1))
    truth = (rng.random((3, 9, 7)) < rng.random((3, 1, 1))) & np.array(known)[:, None, None]
    labelled = [name for name, one in zip(names, known, strict=True) if one]
    found = things_of(names, pred)
    nothing = found.select([])
    tally = tally_photo(found, found, Truth(tuple(labelled), things_of(names, truth), nothing, nothing), (9, 7))
    counts = pixel_iou_counts(pred, truth, np.array(known))
    for k, name in enumerate(names):
        if known[k]:
            np.testing.assert_array_equal(tally.names[name].pixels, counts[k])
    np.testing.assert_array_equal(tally.any_pixels, any_iou_counts(pred, truth, np.array(known)))


def test_a_box_without_an_outline_has_no_pixels_to_count(make_things: Callable[..., Things]) -> None:
    annotated, nothing = make_things([("dent", 1.0, (0, 0, 10, 10)), ("scratch", 1.0, (20, 20, 30, 30))]), make_things([])
    annotated.outlined[0] = False
    tally = tally_photo(nothing, nothing, Truth(("dent", "scratch"), annotated, nothing, nothing), (40, 60))
    assert tally.names["dent"].pixels is None
    assert tally.names["dent"].mask is None
    assert tally.names["dent"].box.annotated == 1
    assert tally.names["scratch"].pixels is not None
    assert tally.any_pixels is None
    assert tally.outlined_names == ("scratch",)
