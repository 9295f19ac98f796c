"""Salient-object scores, held to references that follow the papers word for word, and to figures of PySODMetrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.saliency import (
    damage_map,
    f_measures,
    mean_absolute_error,
    s_measure,
    saliency,
    saliency_result,
    saliency_scores,
    stretched,
    threshold_counts,
    weighted_f_measure,
)

Make = Callable[..., Things]
Bitmap = Any
LEFT, RIGHT = (0, 0, 10, 10), (30, 0, 40, 10)
SIZE_HW = (40, 60)
seeds = st.integers(0, 2**32 - 1)


def pictures(seed: int, size_hw: tuple[int, int] = (17, 23)) -> tuple[Bitmap, Bitmap]:
    """A grey map of 8 bits from 0 to 1, and a truth that it resembles more or less; never all of the picture."""
    rng = np.random.default_rng(seed)
    ground, noise = (cv2.GaussianBlur(rng.random(size_hw), (0, 0), 2) for _ in range(2))
    truth = ground > np.quantile(ground, rng.uniform(0.3, 0.98))
    grey = stretched(stretched(noise) + rng.uniform(0, 2) * truth)
    return np.round(grey * 255) / 255, truth


def binary(grey: Bitmap, level: int) -> Bitmap:
    return np.round(grey * 255) >= level


@given(seeds)
@settings(max_examples=25)
def test_f_is_that_of_precision_and_recall_at_each_threshold(seed: int) -> None:
    grey, truth = pictures(seed)
    ours = f_measures(threshold_counts(grey, truth))
    for level in range(0, 256, 5):
        told = binary(grey, level)
        right = (told & truth).sum()
        precision, recall = right / max(told.sum(), 1), right / truth.sum()
        expected = 1.3 * precision * recall / (0.3 * precision + recall) if right else 0.0
        assert ours[level] == pytest.approx(expected)


@given(seeds)
@settings(max_examples=25)
def test_e_is_the_mean_of_the_enhanced_alignment_of_all_pixels(seed: int) -> None:
    grey, truth = pictures(seed)
    ours = saliency_scores(grey, truth).e
    for level in range(0, 256, 15):
        told = binary(grey, level).astype(float)
        a, b = told - told.mean(), truth - truth.mean()
        with np.errstate(invalid="ignore"):
            alignment = np.where(a * a + b * b > 0, 2 * a * b / (a * a + b * b), 0.0)
        assert ours[level] == pytest.approx(((1 + alignment) ** 2 / 4).sum() / (truth.size - 1))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_weighted_f_is_margolins(seed: int) -> None:
    """Of several nearest pixels of the truth any may stand for one outside it, so figures differ a little."""
    grey, truth = pictures(seed)
    error = np.abs(grey - truth)
    true_places = np.argwhere(truth)
    dependent, importance = error.copy(), np.ones(truth.shape)
    for place in np.argwhere(~truth):
        distances = np.hypot(*(true_places - place).T)
        dependent[tuple(place)] = error[tuple(true_places[distances.argmin()])]
        importance[tuple(place)] = 2 - math.exp(math.log(0.5) / 5 * distances.min())
    y, x = np.mgrid[-3:4, -3:4]
    kernel = np.exp(-(x * x + y * y) / 50)
    kernel /= kernel.sum()
    padded = np.pad(dependent, 3)
    smooth = np.array(
        [[(padded[r : r + 7, c : c + 7] * kernel).sum() for c in range(truth.shape[1])] for r in range(truth.shape[0])]
    )
    weighted = np.where(truth, np.minimum(error, smooth), error) * importance
    right, wrong = truth.sum() - weighted[truth].sum(), weighted[~truth].sum()
    precision, recall = right / (right + wrong), 1 - weighted[truth].mean()
    assert weighted_f_measure(grey, truth) == pytest.approx(2 * precision * recall / (precision + recall), abs=0.01)


@given(seeds)
@settings(max_examples=25)
def test_s_is_half_that_of_objects_and_half_that_of_regions(seed: int) -> None:
    grey, truth = pictures(seed)
    share = truth.mean()

    def of_object(values: Bitmap) -> float:
        deviation = values.std(ddof=1) if len(values) > 1 else 0.0
        return float(2 * values.mean() / (values.mean() ** 2 + 1 + deviation))

    objects = share * of_object(grey[truth]) + (1 - share) * of_object(1 - grey[~truth])
    rows, columns = np.nonzero(truth)
    y, x = round(rows.mean()) + 1, round(columns.mean()) + 1
    regions = 0.0
    for part in (np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:]):
        a, b = grey[part].ravel(), truth[part].ravel().astype(float)
        if not a.size:
            continue
        if a.size > 1:
            (aa, ab), (_, bb) = np.cov(a, b)
        else:
            aa = ab = bb = 0.0
        above, below = 4 * a.mean() * b.mean() * ab, (a.mean() ** 2 + b.mean() ** 2) * (aa + bb)
        likeness = above / below if abs(above) > 1e-15 else float(below < 1e-15)
        regions += likeness * a.size / grey.size
    assert s_measure(grey, truth) == pytest.approx(max(0.0, (objects + regions) / 2), abs=1e-6)


@pytest.mark.parametrize(
    ("seed", "f_max", "f_mean", "weighted_f", "s", "e_max", "e_mean", "mae"),
    [
        (1, 0.9993277, 0.4364892, 0.0913582, 0.4978758, 1.0000161, 0.5226109, 0.3228315),
        (2, 1.0, 0.6249184, 0.4636469, 0.7762131, 1.0000926, 0.6441442, 0.2576249),
        (3, 1.0, 0.6011725, 0.4855547, 0.8099207, 1.0000926, 0.6313008, 0.2235763),
    ],
)
def test_scores_are_pysodmetrics(
    seed: int, f_max: float, f_mean: float, weighted_f: float, s: float, e_max: float, e_mean: float, mae: float
) -> None:
    """Figures of `py_sod_metrics` 1.6.2 for the same pictures of 90 × 120 pixels."""
    scores = saliency_scores(*pictures(seed, (90, 120)))
    ours = (scores.f.max(), scores.f.mean(), scores.s, scores.e.max(), scores.e.mean(), scores.mae)
    assert ours == pytest.approx((f_max, f_mean, s, e_max, e_mean, mae), abs=1e-6)
    assert scores.weighted_f == pytest.approx(weighted_f, abs=2e-4)


def test_a_perfect_map_has_full_marks() -> None:
    truth = pictures(0, (90, 120))[1]
    scores = saliency_scores(truth.astype(float), truth)
    assert (scores.f[1:].min(), scores.weighted_f, scores.s, scores.mae) == pytest.approx((1.0, 1.0, 1.0, 0.0), abs=1e-9)
    assert scores.e[1:] == pytest.approx(1.0, abs=1e-3)


def test_where_all_is_damage_brightness_is_what_counts() -> None:
    everywhere = np.ones((10, 10), np.bool_)
    scores = saliency_scores(np.full((10, 10), 0.25), everywhere)
    assert (scores.s, scores.mae) == (0.25, 0.75)
    assert scores.e[:64] == pytest.approx(100 / 99)
    assert scores.e[64:].max() == 0.0
    assert s_measure(np.full((10, 10), 0.25), ~everywhere) == 0.75
    assert mean_absolute_error(np.full((10, 10), 0.25), ~everywhere) == 0.25


def test_a_map_is_stretched_from_its_darkest_to_its_brightest() -> None:
    assert stretched(np.array([[0.0, 0.2, 0.4]])).tolist() == [[0.0, 0.5, 1.0]]
    assert stretched(np.full((1, 2), 0.3)).tolist() == [[0.3, 0.3]]


# --- of findings -------------------------------------------------------------------------------------------------------


@pytest.fixture
def truth(make_things: Make) -> Callable[..., Truth]:
    def make(annotated: Any, *, untyped: Any = (), ignored: Any = (), labelled: Any = ("dent",), **more: Any) -> Truth:
        return Truth(tuple(labelled), make_things(annotated), make_things(untyped), make_things(ignored), **more)

    return make


def test_a_pixel_is_as_bright_as_the_surest_finding_on_it(make_things: Make, truth: Callable[..., Truth]) -> None:
    found = make_things([("dent", 0.9, LEFT), ("dent", 0.5, (5, 0, 20, 10))])
    grey = damage_map(found, truth([("dent", 1.0, LEFT)]), np.zeros(SIZE_HW, np.bool_), SIZE_HW)
    assert grey[0, [0, 7, 15, 25]].tolist() == [0.9, 0.9, 0.5, 0.0]


def test_types_that_nobody_labelled_count_on_true_damage_alone_and_ignored_regions_nowhere(
    make_things: Make, truth: Callable[..., Truth]
) -> None:
    found = make_things([("scratch", 0.9, (5, 0, 20, 10)), ("dent", 0.8, RIGHT)])
    said = truth([("dent", 1.0, LEFT)], ignored=[("dent", 1.0, (35, 0, 40, 10))])
    true = np.zeros(SIZE_HW, np.bool_)
    true[:10, :10] = True
    assert damage_map(found, said, true, SIZE_HW)[0, [7, 15, 32, 37]].tolist() == [0.9, 0.0, 0.8, 0.0]
    every = replace(said, of_any_type=True)
    assert damage_map(found, every, true, SIZE_HW)[0, [7, 15]].tolist() == [0.9, 0.9]


def test_photos_without_damage_or_with_boxes_alone_have_no_scores(make_things: Make, truth: Callable[..., Truth]) -> None:
    found = make_things([("dent", 0.9, LEFT)])
    assert saliency(found, truth([]), SIZE_HW) is None
    said = truth([("dent", 1.0, LEFT)], untyped=[("damage", 1.0, RIGHT)])
    scores = saliency(found, said, SIZE_HW)
    assert scores is not None
    assert scores.mae == pytest.approx(100 / 2400)
    said.untyped.outlined[0] = False
    assert saliency(found, said, SIZE_HW) is None


def test_the_best_threshold_is_one_for_all_photos(make_things: Make, truth: Callable[..., Truth]) -> None:
    """One photo is best told from 0.5 on, the other from 1 on: there is no threshold at which both are."""
    said = truth([("dent", 1.0, LEFT)])
    rows = [
        saliency(make_things([("dent", 0.8, RIGHT), ("dent", 0.4, LEFT)]), said, SIZE_HW),
        saliency(make_things([("dent", 0.8, LEFT), ("dent", 0.4, RIGHT)]), said, SIZE_HW),
    ]
    kept = [row for row in rows if row is not None]
    assert [row.f.max() for row in kept] == pytest.approx([1.3 / 2.3, 1.0])
    result = saliency_result(kept, resamples=50, seed=0)
    assert result is not None
    assert result.f_max.value == pytest.approx(1.3 / 2.3)  # at 0.5: half of what both tell is right
    assert result.photos == 2
    assert result.mae.value == pytest.approx((100 + 50 + 50) / 2400 / 2)
    assert result.mae.interval is not None
    assert result.mae.interval[0] < result.mae.value < result.mae.interval[1]
    assert saliency_result([], resamples=5, seed=0) is None
