"""The small network that scores candidates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from dentify.bundle.manifest import FEATURES
from dentify.fitting import scorer as rooms
from dentify.fitting.evidence import Evidence, match
from dentify.fitting.figures import average_precision50
from dentify.fitting.scorer import candidates_of, fit_scorer
from dentify.runtime.choosing import score_candidates
from seen_dents import GROUPING, evidence


def told_apart(photos: int = 60) -> list[Evidence]:
    """Dents in the upper half are right, those in the lower half were never annotated; a feature tells them apart."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(photos):
        x, y = (int(value) * 2 for value in rng.integers(0, 8, 2))
        photo = evidence(number, seen=[(x, y), (x, 44)], annotated=[(x, y)])
        photo.candidates.features[photo.candidates.boxes_xywh[:, 1] > 16, 0] += 3.0
        found.append(photo)
    return found


def test_it_learns_what_tells_right_from_wrong() -> None:
    photos = told_apart()
    scorer = fit_scorer(photos, 2, seed=0)
    assert scorer is not None
    found = [match(photo, GROUPING, scorer) for photo in photos]
    assert average_precision50(found, 0) > 0.99
    right, wrong = (np.mean([photo.scores[photo.right == answer].mean() for photo in found]) for answer in (True, False))
    assert right > 0.8
    assert wrong < 0.2


def test_the_same_seed_gives_the_same_scorer() -> None:
    photos = told_apart()
    assert fit_scorer(photos, 2, seed=3) == fit_scorer(photos, 2, seed=3)
    assert fit_scorer(photos, 2, seed=3) != fit_scorer(photos, 2, seed=4)


def test_too_few_candidates_or_only_right_ones_teach_nothing() -> None:
    assert fit_scorer(told_apart(3), 2, seed=0) is None
    assert fit_scorer([evidence(number, seen=[(8, 8)], annotated=[(8, 8)]) for number in range(80)], 2, seed=0) is None
    assert fit_scorer([evidence(number, seen=[(8, 8)]) for number in range(80)], 2, seed=0) is None
    assert fit_scorer([], 2, seed=0) is None


def test_a_type_that_was_never_seen_is_scored_by_what_all_types_share() -> None:
    """Its column of the input never varied; divided by next to nothing it would drown all others."""
    photos = told_apart()
    scorer = fit_scorer(photos, 2, seed=0)
    assert scorer is not None
    assert scorer.std[-1] == 1.0
    candidates = photos[0].candidates.unpacked()
    as_scratches = [type(one)(1, one.mask, one.x, one.y, one.level, one.features) for one in candidates]
    assert score_candidates(as_scratches, scorer, 2) == pytest.approx(score_candidates(candidates, scorer, 2), abs=0.1)


def test_its_shape_is_that_of_the_manifest() -> None:
    scorer = fit_scorer(told_apart(), 2, seed=0)
    assert scorer is not None
    assert (scorer.features, len(scorer.mean)) == (FEATURES, len(FEATURES) + 2)
    assert [(len(matrix), len(matrix[0])) for matrix in scorer.weights] == [(16, len(FEATURES) + 2), (1, 16)]


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    x, goal = rooms._blocks(rng.normal(size=(7, 3)), 4), rooms._blocks(rng.uniform(size=7), 4)
    weight = rooms._blocks(np.full(7, 1 / 7), 4)
    parameters = rng.normal(size=rooms.HIDDEN * (3 + 2) + 1)

    def part(which: int):
        return lambda values: rooms._loss(values, x, goal, weight)[which]

    assert check_grad(part(0), part(1), parameters) < 1e-5


def test_weights_are_held_small_and_biases_are_not() -> None:
    parameters = np.ones(rooms.HIDDEN * (3 + 2) + 1)
    nothing = np.zeros((1, 2))
    loss, gradient = rooms._loss(parameters, np.zeros((1, 2, 3)), nothing, nothing)
    weights = rooms.HIDDEN * (3 + 1)
    assert loss == pytest.approx(0.5 * 0.003 * weights)
    assert np.count_nonzero(gradient) == weights


def test_blocks_hold_all_rows_and_zeros_after_them() -> None:
    blocks = rooms._blocks(np.arange(1.0, 6.0), 2)
    assert blocks.tolist() == [[1, 2], [3, 4], [5, 0]]


def test_near_misses_teach_a_little() -> None:
    goals = rooms._goal(np.float32([0.2, 0.4, 0.5, 0.8])).round(3).tolist()
    assert goals == [0.0, 0.125, 0.75, 1.0]


def test_candidates_of_no_photo_are_none() -> None:
    features, class_ids, best = candidates_of([])
    assert (features.shape, class_ids.shape, best.shape) == ((0, len(FEATURES)), (0,), (0,))
    assert candidates_of([evidence(seen=[(8, 8)])])[2].tolist() == [0.0]  # nothing annotated
