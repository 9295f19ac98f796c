"""Fitting on held-out photos: candidates beside the truth, scorer, curves, thresholds, gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dentify.bundle.manifest import Grouping
from dentify.datasets import Annotation, Sample
from dentify.runtime.probabilities import sigmoid
from dentify.training.augment import whole_view
from dentify.training.fit import (
    Evidence,
    average_precision50,
    choose_thresholds,
    cross_told,
    fit_curves,
    fit_gate,
    fit_scorer,
    fit_temperature,
    gate_threshold,
    gather,
    pixel_counts,
    tell,
)

NAMES = ("dent", "scratch")
GROUPING = Grouping(levels=(0.5,), radii=(0,), min_cells=4, upscale=2)
SIZE = 64


def evidence(photo: int, *, seen: list[tuple[int, int]], annotated: list[tuple[int, int]]) -> Evidence:
    """A photo of 64 × 64 on which the network sees dents of 16 × 16 at some corners, and annotators saw them at others."""
    types = np.full((2, SIZE // 2, SIZE // 2), -4.0, np.float32)
    for x, y in seen:
        types[0, y // 2 : y // 2 + 8, x // 2 : x // 2 + 8] = 4.0
    damages = tuple(
        Annotation(
            "dent", (x, y, x + 16, y + 16), polygons=(np.array([[x, y], [x + 16, y], [x + 16, y + 16], [x, y + 16]], float),)
        )
        for x, y in annotated
    )
    outputs = {
        "types": types,
        "any": types[:1],
        "centres": np.full((2, 16, 16), -6.0, np.float32),
        "offsets": np.zeros((4, 16, 16), np.float32),
        "vehicle": np.float32([3.0]),
        "damage": np.float32([3.0]),
    }
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), annotations=damages, labelled=frozenset(NAMES))
    return gather(photo, sample, outputs, whole_view((SIZE, SIZE), SIZE), NAMES, GROUPING)


def test_candidates_are_compared_with_annotations_in_the_same_frame() -> None:
    both = evidence(0, seen=[(8, 8), (40, 40)], annotated=[(8, 8)])
    assert sorted(round(float(iou), 1) for iou in both.ious.max(1)) == [0.0, pytest.approx(0.9, abs=0.11)]
    assert both.truth[0].sum() == pytest.approx(16 * 16, rel=0.15)


def test_only_types_that_the_source_labels_are_gathered() -> None:
    outputs = {name: np.full((2, 32, 32), 4.0, np.float32) for name in ("types", "any", "centres")} | {
        "offsets": np.zeros((4, 32, 32), np.float32),
        "vehicle": np.float32([3.0]),
        "damage": np.float32([3.0]),
    }
    sample = Sample(b"", "a.jpg", (SIZE, SIZE), labelled=frozenset({"scratch"}))
    gathered = gather(0, sample, outputs, whole_view((SIZE, SIZE), SIZE), NAMES, GROUPING)
    assert {candidate.class_id for candidate in gathered.candidates} == {1}


def test_one_annotation_makes_one_finding_right_and_the_rest_wrong() -> None:
    told = tell(evidence(0, seen=[(8, 8), (40, 40)], annotated=[(8, 8)]), GROUPING, None, 2)
    assert sorted(told.right.tolist()) == [False, True]


def test_a_finding_is_judged_as_it_is_told() -> None:
    """Cut above 0.9 the candidate is a quarter of the dent; spread to 0.3 it is all of it."""
    photo = evidence(0, seen=[(8, 8)], annotated=[(8, 8)])
    photo.probs[0, 4:8, 4:8] = 0.95
    tight = replace(photo.candidates[0], mask=np.ones((4, 4), bool), x=4, y=4, level=0.9)
    photo = replace(photo, candidates=[tight])
    assert not tell(photo, GROUPING, None, 2).right.any()
    assert tell(photo, GROUPING.model_copy(update={"spread_to": 0.3}), None, 2).right.all()


def test_average_precision_by_hand() -> None:
    photos = [
        tell(evidence(0, seen=[(8, 8)], annotated=[(8, 8)]), GROUPING, None, 2),
        tell(evidence(1, seen=[], annotated=[(8, 8)]), GROUPING, None, 2),
    ]
    assert average_precision50(photos, 0) == pytest.approx(51 / 101)  # recall 0.5 at precision 1: 51 of COCO's 101 points
    assert np.isnan(average_precision50(photos, 1))


def test_pixels_count_what_is_told_from_the_threshold_on() -> None:
    told = tell(evidence(0, seen=[(8, 8), (40, 40)], annotated=[(8, 8)]), GROUPING, None, 2)
    dent, scratch, of_any = pixel_counts(told, np.float32([0.5, 0.5]), GROUPING.upscale)
    assert dent[0] / dent[1] == pytest.approx(0.5, abs=0.1)
    assert scratch.tolist() == [0, 0]
    assert of_any.tolist() == dent.tolist()
    # nothing told: the annotated 16 × 16 pixels, on a grid of their size
    assert pixel_counts(told, np.float32([1.1, 1.1]), GROUPING.upscale)[0].tolist() == [0, 16 * 16]


def test_a_scorer_learns_what_tells_right_from_wrong() -> None:
    """Dents in the upper half are right, those in the lower half were never annotated; their size tells them apart."""
    rng = np.random.default_rng(0)
    photos = []
    for number in range(60):
        x, y = (int(value) * 2 for value in rng.integers(0, 8, 2))
        photo = evidence(number, seen=[(x, y), (x, 44)], annotated=[(x, y)])
        for candidate in photo.candidates:
            candidate.features[0] += 3.0 if candidate.y > 16 else 0.0
        photos.append(photo)
    scorer = fit_scorer(photos, 2, seed=0, steps=300)
    assert scorer is not None
    told = [tell(photo, GROUPING, scorer, 2) for photo in photos]
    assert average_precision50(told, 0) > 0.99
    assert fit_scorer(photos[:3], 2, seed=0) is None


def test_curves_rise_and_say_how_often_scores_are_right() -> None:
    rng = np.random.default_rng(0)
    photos = []
    for number in range(400):
        right = bool(rng.random() < 0.5)
        told = tell(evidence(number, seen=[(8, 8)], annotated=[(8, 8)] if right else [(40, 40)]), GROUPING, None, 2)
        told.scores[:] = rng.uniform(0.5, 1.0) if right else rng.uniform(0.3, 0.8)
        photos.append(told)
    curve = fit_curves(photos, NAMES)["dent"]
    assert np.interp(0.9, curve.x, curve.y) > 0.9
    assert np.interp(0.4, curve.x, curve.y) < 0.15
    assert np.interp(0.65, curve.x, curve.y) == pytest.approx(0.5, abs=0.15)
    assert fit_curves(photos[:5], NAMES) == {}


def test_thresholds_keep_what_helps_the_pixels() -> None:
    photos = []
    for number in range(20):
        told = tell(evidence(number, seen=[(8, 8), (40, 40)], annotated=[(8, 8)]), GROUPING, None, 2)
        told.scores[:] = np.where(told.right, 0.5, 0.2)
        photos.append(told)
    assert choose_thresholds(photos, NAMES)["dent"] == pytest.approx(0.225)  # the lowest of those that keep the wrong ones out
    assert choose_thresholds(photos, NAMES, tolerance=2.0)["dent"] == pytest.approx(0.1)


def test_only_photos_that_teach_make_the_scorer_of_others() -> None:
    """A hundred photos on which no dent is right would halve all scores; held back by a gate they teach nothing."""
    right = [evidence(number, seen=[(8, 8)], annotated=[(8, 8)]) for number in range(100)]
    wrong = [evidence(number, seen=[(8, 8)], annotated=[]) for number in range(100, 200)]
    told = cross_told([*right, *wrong], GROUPING, 2, seed=0, teaches=lambda photo: photo.photo < 100)
    assert np.mean([photo.scores[0] for photo in told if photo.evidence.photo < 100]) > 0.9


def test_a_gate_is_sure_where_its_logits_part_and_even_where_they_mix() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(2000) < 0.9  # many more yes than no
    logits = (np.where(truth, 5.0, 1.0) + rng.normal(0, 1, 2000)).astype(np.float32)
    gate = fit_gate(logits, truth)

    def probability(logit: float) -> float:
        return float(sigmoid(np.float32([logit / gate.temperature + gate.bias]))[0])

    assert probability(3.0) == pytest.approx(0.5, abs=0.1)
    assert probability(6.0) > 0.9
    assert probability(0.0) < 0.1
    probabilities = sigmoid(logits / gate.temperature + gate.bias)
    assert gate_threshold(probabilities, truth) == pytest.approx(0.5, abs=0.15)
    assert gate_threshold(probabilities[truth], truth[truth]) == 0.5


def test_of_thresholds_that_are_about_as_good_one_may_ask_for_the_strictest() -> None:
    """One of 200 cars at 0.4, the rest at 0.8: turning it away is half a per cent of the cars, and tells nothing."""
    truth = np.array([True] * 200 + [False] * 100)
    probabilities = np.concatenate([np.full(1, 0.4), np.full(199, 0.8), np.full(100, 0.2)]).astype(np.float32)
    assert gate_threshold(probabilities, truth, strictness=0.0) == 0.21
    assert gate_threshold(probabilities, truth, strictness=1.0) == 0.8
    assert gate_threshold(probabilities, truth, strictness=1.0, tolerance=0.0) == 0.4


def test_a_temperature_makes_the_overconfident_modest() -> None:
    """Logits of 6 against 0 and 0 say 99.5 %; the level is right on two of three photos."""
    logits = [np.float32([6.0, 0.0, 0.0])] * 300
    truth = [0 if number % 3 else 1 for number in range(300)]
    surest = np.exp(6 / fit_temperature(logits, truth).temperature)
    assert surest / (surest + 2) == pytest.approx(2 / 3, abs=0.01)
    assert fit_temperature(logits[:10], truth[:10]).temperature == 1.0


def test_a_gate_may_weigh_some_photos_less() -> None:
    """One in three vehicles is a close-up with a low probability; counted in full they would pull the threshold down."""
    truth = np.array([True] * 300 + [False] * 300)
    probabilities = np.concatenate([np.full(200, 0.9), np.full(100, 0.3), np.full(240, 0.1), np.full(60, 0.5)]).astype(np.float32)
    weights = np.where(np.arange(600) // 100 == 2, 0.1, 1.0)
    assert gate_threshold(probabilities, truth) < 0.3
    assert gate_threshold(probabilities, truth, weights) > 0.5
    logits = np.log(probabilities / (1 - probabilities))
    assert fit_gate(logits, truth, weights) != fit_gate(logits, truth)
