"""Figures of classes, held to scikit-learn's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import calibration, metrics

from dentify.evaluation.calibration import reliability
from dentify.evaluation.classification import (
    UNKNOWN,
    Counts,
    accuracy,
    auroc,
    average_precision,
    balanced_accuracy,
    confusion_matrix,
    count_answers,
    f1,
    macro,
    precision,
    ranking,
    recall,
)

scores_and_truth = st.lists(st.tuples(st.integers(0, 6).map(lambda sixth: sixth / 6), st.booleans()), min_size=1, max_size=40)
"""Few distinct scores, so that there are ties, and at times positives or negatives alone."""


@st.composite
def told_classes(draw: Any) -> tuple[Any, Any, int]:
    """Classes of photos and those told, the number beyond the last for none; classes may be missing from either."""
    classes = draw(st.integers(2, 4))
    n = draw(st.integers(1, 30))
    truth = draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    told = draw(arrays.arrays(np.int64, n, elements=st.integers(0, classes)))
    return truth, told, classes


def counts_of(truth: Any, told: Any, classes: int, weights: Any = None) -> Counts:
    """Of classes that exclude each other."""
    names = np.arange(classes)
    return count_answers((truth[:, None] == names).astype(np.int8), told[:, None] == names, weights)


def test_auroc_is_worked_out_by_hand() -> None:
    """Of six pairs of a positive and a negative, four are in order and one is a tie."""
    assert auroc(np.array([0.9, 0.5, 0.7, 0.5, 0.1]), np.array([True, True, False, False, False])) == pytest.approx(4.5 / 6)


@given(scores_and_truth)
def test_auroc_is_scikit_learns_ties_and_all(pairs: list[tuple[float, bool]]) -> None:
    scores, positive = np.array([score for score, _ in pairs]), np.array([yes for _, yes in pairs])
    if positive.all() or not positive.any():
        assert auroc(scores, positive) is None
    else:
        assert auroc(scores, positive) == pytest.approx(metrics.roc_auc_score(positive, scores))


@given(scores_and_truth)
def test_average_precision_is_scikit_learns_ties_and_all(pairs: list[tuple[float, bool]]) -> None:
    scores, positive = np.array([score for score, _ in pairs]), np.array([yes for _, yes in pairs])
    if not positive.any():
        assert average_precision(scores, positive) is None
    else:
        assert average_precision(scores, positive) == pytest.approx(metrics.average_precision_score(positive, scores))


@given(told_classes())
def test_figures_of_each_class_are_scikit_learns(case: tuple[Any, Any, int]) -> None:
    truth, told, classes = case
    counts = counts_of(truth, told, classes)
    names = list(range(classes))
    for ours, theirs in (
        (precision, metrics.precision_score),
        (recall, metrics.recall_score),
        (f1, metrics.f1_score),
    ):
        expected = theirs(truth, told, labels=names, average=None, zero_division=np.nan)
        np.testing.assert_allclose(ours(counts)[0], expected)


@given(told_classes())
def test_figures_of_all_classes_are_scikit_learns(case: tuple[Any, Any, int]) -> None:
    truth, told, classes = case
    counts = counts_of(truth, told, classes)
    assert accuracy(counts, exclusive=True)[0] == pytest.approx(metrics.accuracy_score(truth, told))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes that are told and occur nowhere
        assert balanced_accuracy(counts, exclusive=True)[0] == pytest.approx(metrics.balanced_accuracy_score(truth, told))
    occurring = np.unique(truth)
    for ours, theirs in ((precision, metrics.precision_score), (recall, metrics.recall_score), (f1, metrics.f1_score)):
        expected = theirs(truth, told, labels=occurring, average="macro", zero_division=0)
        assert macro(ours(counts), counts)[0] == pytest.approx(expected)


@given(told_classes())
def test_the_confusion_matrix_is_scikit_learns(case: tuple[Any, Any, int]) -> None:
    truth, told, classes = case
    expected = metrics.confusion_matrix(truth, told, labels=range(classes + 1))
    np.testing.assert_array_equal(confusion_matrix(truth, told, classes), expected[:-1])


@given(
    st.integers(1, 4).flatmap(
        lambda classes: st.tuples(
            arrays.arrays(np.bool_, (12, classes)), arrays.arrays(np.bool_, (12, classes)), st.integers(1, 12)
        )
    )
)
def test_classes_that_do_not_exclude_each_other_are_scikit_learns_labels(case: tuple[Any, Any, int]) -> None:
    truth, told, n = case[0][: case[2]], case[1][: case[2]], case[2]
    counts = count_answers(truth.astype(np.int8), told)
    matrices = (
        metrics.multilabel_confusion_matrix(truth.astype(int).reshape(n, -1), told.astype(int).reshape(n, -1))
        if (truth.shape[1] > 1)
        else [metrics.confusion_matrix(truth[:, 0], told[:, 0], labels=[False, True])]
    )
    for place, ((tn, fp), (fn, tp)) in enumerate(matrices):
        assert (counts.tp[0, place], counts.fp[0, place], counts.fn[0, place], counts.tn[0, place]) == (tp, fp, fn, tn)
    assert accuracy(counts, exclusive=False)[0] == pytest.approx(1 - metrics.hamming_loss(truth, told))


def test_classes_by_themselves_are_balanced_over_yes_and_no() -> None:
    truth = np.array([[1, 1], [0, 1], [0, 1], [0, 1]], np.int8)
    told = np.array([[True, True], [False, True], [False, True], [True, False]])
    balanced = balanced_accuracy(count_answers(truth, told), exclusive=False)[0]
    assert balanced == pytest.approx((1 + 2 / 3) / 2)  # of the first alone: nothing is without the second


@given(st.integers(1, 5), st.integers(2, 6), st.data())
def test_bins_are_scikit_learns_of_equal_number(bins: int, size: int, data: Any) -> None:
    n = bins * size
    scores = np.array(data.draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n, unique=True))) / 1000
    right = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    shares, means = calibration.calibration_curve(right, scores, n_bins=bins, strategy="quantile", pos_label=True)
    ours = reliability(scores, right, bins, least=size)
    np.testing.assert_allclose([one.right for one in ours], shares)
    np.testing.assert_allclose([one.confidence for one in ours], means)


def test_what_is_unknown_counts_for_nothing() -> None:
    told = np.array([[True], [True], [False]])
    known = count_answers(np.array([[1], [0], [1]], np.int8), told)
    more = count_answers(np.array([[1], [0], [1], [UNKNOWN], [UNKNOWN]], np.int8), np.array([*told, [True], [False]]))
    for key in ("tp", "fp", "fn", "tn"):
        assert getattr(known, key).tolist() == getattr(more, key).tolist()


@given(scores_and_truth, st.data())
def test_a_weight_is_so_many_copies_of_a_photo(pairs: list[tuple[float, bool]], data: Any) -> None:
    scores, positive = np.array([score for score, _ in pairs]), np.array([yes for _, yes in pairs])
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs))))
    copied = np.repeat(np.arange(len(pairs)), weights)
    weighed = [one[0] for one in ranking(scores, positive, weights[None])]
    np.testing.assert_allclose(weighed, [one[0] for one in ranking(scores[copied], positive[copied])])
    truth, told = positive[:, None].astype(np.int8), (scores > 0.5)[:, None]
    np.testing.assert_array_equal(f1(count_answers(truth, told, weights[None])), f1(count_answers(truth[copied], told[copied])))


def test_many_resamples_are_ranked_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 30) / 5, rng.random(30) < 0.4
    weights = rng.integers(0, 3, (150, 30))
    together = ranking(scores, positive, weights)
    alone = [ranking(scores, positive, row[None]) for row in weights]
    for place in (0, 1):
        np.testing.assert_array_equal(together[place], [one[place][0] for one in alone])


def test_no_photos_have_no_figures() -> None:
    nothing = np.zeros(0)
    assert auroc(nothing, nothing.astype(bool)) is None
    assert average_precision(nothing, nothing.astype(bool)) is None
    counts = count_answers(np.zeros((0, 2), np.int8), np.zeros((0, 2), bool))
    for value in (precision(counts), recall(counts), f1(counts), macro(f1(counts), counts), accuracy(counts, exclusive=True)):
        assert np.isnan(value).all()
