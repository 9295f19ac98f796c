"""Candidates scored, thinned out and spread."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.bundle.manifest import FEATURES, Grouping, Scorer
from dentify.runtime.candidates import find_candidates
from dentify.runtime.choosing import choose, score_candidates, spread, thin_out
from drawn_maps import blank, probs_of


def test_a_scorer_is_a_plain_network_over_the_features() -> None:
    width = len(FEATURES) + 1
    row = [0.0] * width
    row[FEATURES.index("mean")] = 1.0
    scorer = Scorer(features=FEATURES, mean=(0.0,) * width, std=(1.0,) * width, weights=((tuple(row),),), biases=((0.0,),))
    dent = blank()
    dent[4:8, 2:10] = True
    candidates = list(find_candidates(probs_of(dent), {}, Grouping()))
    mean = candidates[0].features[FEATURES.index("mean")]
    assert score_candidates(candidates, scorer, 1)[0] == pytest.approx(1 / (1 + np.exp(-mean)), abs=1e-6)


def test_a_scorer_of_fewer_features_is_told_those() -> None:
    """As bundles are that were made before there were more."""
    scorer = Scorer(features=("level", "mean"), mean=(0.0,) * 3, std=(1.0,) * 3, weights=(((0.0, 1.0, 0.0),),), biases=((0.0,),))
    dent = blank()
    dent[4:8, 2:10] = True
    candidates = list(find_candidates(probs_of(dent), {}, Grouping()))
    mean = candidates[0].features[FEATURES.index("mean")]
    assert score_candidates(candidates, scorer, 1)[0] == pytest.approx(1 / (1 + np.exp(-mean)), abs=1e-6)


def test_of_overlapping_candidates_the_likeliest_stays() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    candidates = list(find_candidates(probs_of(scratches), {}, Grouping(levels=(0.5,), radii=(0, 2))))
    whole = max(range(3), key=lambda index: int(candidates[index].mask.sum()))
    prefers_whole = np.array([0.9 if index == whole else 0.5 for index in range(3)], np.float32)
    assert thin_out(candidates, prefers_whole, 0.5) == [whole]
    prefers_pieces = np.array([0.2 if index == whole else 0.5 for index in range(3)], np.float32)
    assert whole not in thin_out(candidates, prefers_pieces, 0.5)


def test_what_was_cut_tightly_spreads_to_all_that_connects_above_the_level() -> None:
    probs = np.full((1, 8, 24), 0.1, np.float32)
    probs[0, 2:6, 2:12] = 0.6
    probs[0, 3:5, 4:8] = 0.9
    probs[0, 2:6, 16:20] = 0.6  # does not connect
    tight = next(find_candidates(probs, {}, Grouping(levels=(0.8,))))
    (wide,) = spread([tight], np.float32([0.7]), probs, 0.5)
    assert (wide.x, wide.y, wide.mask.shape, wide.cells) == (2, 2, (4, 10), 40)
    assert wide.level == 0.5
    assert spread([tight], np.float32([0.7]), probs, 0.8) == [tight]


def two_peaks() -> np.ndarray:
    probs = np.full((1, 8, 24), 0.1, np.float32)
    probs[0, 2:6, 2:22] = 0.6
    probs[0, 3:5, 4:8] = probs[0, 3:5, 16:20] = 0.9
    return probs


def test_between_two_likely_neighbours_each_cell_goes_to_the_nearer() -> None:
    left, right = find_candidates(two_peaks(), {}, Grouping(levels=(0.8,)))
    found = spread([left, right], np.float32([0.7, 0.6]), two_peaks(), 0.5)
    assert [(each.x, each.mask.shape[1], each.cells) for each in found] == [(2, 10, 40), (12, 10, 40)]


def test_a_neighbour_that_does_not_connect_takes_nothing() -> None:
    probs = two_peaks()
    probs[0, :, 15] = 0.1  # between them, nearer to the right one
    left, right = find_candidates(probs, {}, Grouping(levels=(0.8,)))
    found = spread([left, right], np.float32([0.7, 0.6]), probs, 0.5)
    assert [(each.x, each.mask.shape[1], each.cells) for each in found] == [(2, 13, 52), (16, 6, 24)]


def test_an_unlikely_neighbour_gives_way() -> None:
    left, right = find_candidates(two_peaks(), {}, Grouping(levels=(0.8,)))
    told = choose([left, right], np.float32([0.7, 0.2]), two_peaks(), Grouping(levels=(0.8,), spread_to=0.5))
    assert [(score, each.cells) for score, each in told] == [(pytest.approx(0.7), 80)]
