"""How much members count: against what is known of cross-entropy, and where nothing is to be learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.fitting.judged import Judged, of_one_class, of_yes_or_no
from dentify.fitting.weights import weigh
from dentify.runtime.probabilities import sigmoid

SEEDS = st.integers(0, 10_000)


def photos(logits: np.ndarray, truth: np.ndarray, *, as_probabilities: bool = False) -> list[Judged]:
    """`(N, K)` logits of yes, dealt to forty photos."""
    if as_probabilities:
        right = np.where(truth[:, None], sigmoid(logits), 1 - sigmoid(logits))
        return [Judged(photo, right=right[photo::40]) for photo in range(40)]
    against = of_yes_or_no(logits.astype(np.float32), truth.astype(np.float32))
    return [Judged(photo, against=against[photo::40]) for photo in range(40)]


def members(seed: int, *noise: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """What members say that are right but for noise of their own; one of infinite noise knows nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, count) > 0
    signal = np.where(truth, 1.0, -1.0)
    logits = [rng.normal(0, 2, count) if np.isinf(one) else signal + rng.normal(0, one, count) for one in noise]
    return np.stack(logits, axis=1), truth


@pytest.mark.parametrize("as_probabilities", [False, True])
def test_the_better_member_counts_more_and_one_that_knows_nothing_not_at_all(as_probabilities: bool) -> None:
    weights, better = weigh(photos(*members(0, 1.0, 2.0, np.inf), as_probabilities=as_probabilities))
    assert better
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.7 > weights[1]
    assert weights[2] == pytest.approx(0, abs=1e-3)


@given(SEEDS)
def test_no_other_weights_make_the_answers_likelier(seed: int) -> None:
    """Convex: a step from the best towards any other weights never gains."""
    logits, truth = members(seed, 1.0, 1.5, 3.0, count=400)

    def loss(weights: np.ndarray) -> float:
        return float(np.logaddexp(0, np.where(truth, -1, 1) * (logits @ weights)).mean())

    best, _ = weigh(photos(logits, truth))
    for other in np.random.default_rng(seed).dirichlet(np.ones(3), 8):
        assert loss(best) <= loss(0.9 * best + 0.1 * other) + 1e-6


def test_questions_of_both_ways_are_weighed_together() -> None:
    logits, truth = members(1, 1.0, 3.0)
    of_logits, of_probabilities = photos(logits, truth), photos(logits, truth, as_probabilities=True)
    both = [Judged(one.photo, one.against, other.right) for one, other in zip(of_logits, of_probabilities, strict=True)]
    found = [weigh(judged)[0][0] for judged in (of_logits, of_probabilities, both)]
    assert min(found[:2]) - 1e-6 <= found[2] <= max(found[:2]) + 1e-6


def test_photos_that_weigh_nothing_change_nothing() -> None:
    logits, truth = members(2, 1.0, 2.0)
    judged = photos(logits, truth)
    wrong = [Judged(one.photo, -one.against, weight=0.0) for one in judged]
    np.testing.assert_allclose(weigh([*judged, *wrong])[0], weigh(judged)[0], atol=1e-4)


def test_weights_that_gain_nothing_on_other_photos_are_told() -> None:
    """Members that say the same, and labels that nothing can tell."""
    logits, truth = members(3, 1.0)
    assert not weigh(photos(np.repeat(logits, 2, axis=1), truth))[1]
    _, blind = members(4, np.inf, np.inf, count=80)
    noise = np.random.default_rng(4).normal(0, 1, (80, 2))
    assert not weigh(photos(np.concatenate([noise, noise]), np.concatenate([blind, ~blind])))[1]


def test_one_photo_alone_proves_nothing() -> None:
    logits, truth = members(5, 1.0, 2.0)
    assert not weigh([Judged(0, against=of_yes_or_no(logits.astype(np.float32), truth.astype(np.float32)))])[1]


def test_a_member_that_is_sure_of_what_is_wrong_does_not_end_the_reckoning() -> None:
    right = np.tile(np.float32([[0.0, 0.0], [1.0, 0.6]]), (40, 1))
    weights, _ = weigh([Judged(photo, right=right) for photo in range(10)])
    assert np.isfinite(weights).all()


@given(SEEDS, st.integers(2, 5), st.integers(1, 4))
def test_what_is_held_against_the_right_class_gives_its_cross_entropy(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (20, count, classes)).astype(np.float32)
    truth = rng.integers(0, classes, 20)
    weights = rng.dirichlet(np.ones(count))
    mean = np.einsum("nkc,k->nc", logits, weights)
    expected = np.log(np.exp(mean).sum(1)) - mean[np.arange(20), truth]
    against = np.einsum("nkc,k->nc", of_one_class(logits, truth), weights)
    np.testing.assert_allclose(np.log1p(np.exp(against).sum(1)), expected, atol=1e-4)
