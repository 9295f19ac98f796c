"""Every plausible grouping of cells, and how each is described to the scorer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dentify.bundle.manifest import FEATURES, Grouping
from dentify.runtime.candidates import Candidate, _around, damage_probabilities, find_candidates
from drawn_maps import blank, logits_of, probs_of


def test_regions_within_twice_the_radius_are_also_tried_as_one() -> None:
    scratches = blank()
    scratches[4, 2:5] = scratches[4, 8:12] = True
    candidates = list(find_candidates(probs_of(scratches), {}, Grouping(levels=(0.5,), radii=(0, 2))))
    assert sorted(int(candidate.mask.sum()) for candidate in candidates) == [3, 4, 7]


def pointing_at(target_x: np.ndarray | float, target_y: np.ndarray | float, hw: tuple[int, int]) -> np.ndarray:
    """`(2, h, w)` offsets by which each cell votes for a place, in cells."""
    y, x = np.mgrid[: hw[0], : hw[1]]
    return np.stack([(target_x - x) / hw[1], (target_y - y) / hw[0]]).astype(np.float32)


def test_votes_split_a_region_that_touches_another() -> None:
    both = blank(16, 32)
    both[4:12, 2:30] = True
    centres = np.full((1, 16, 32), -6.0, np.float32)
    centres[0, 8, 8] = centres[0, 8, 24] = 3.0
    offsets = pointing_at(np.where(np.arange(32) < 16, 8, 24), 8, (16, 32))
    candidates = list(find_candidates(probs_of(both), {"centres": centres, "offsets": offsets}, Grouping()))
    sizes = sorted(int(candidate.mask.sum()) for candidate in candidates)
    assert sizes == [8 * 14, 8 * 14, 8 * 28]


def test_of_many_middles_the_strongest_24_count() -> None:
    """Thirty, each stronger than the last; the cells of the weakest six go to the nearest that counts."""
    hw = (8, 8 * 30)
    middles = np.arange(30) * 8 + 4
    centres = np.full((1, *hw), -6.0, np.float32)
    centres[0, 4, middles] = np.linspace(0, 3, 30)
    offsets = pointing_at(np.repeat(middles, 8), 4, hw)
    everything = np.full((1, *hw), 0.9, np.float32)
    candidates = find_candidates(everything, {"centres": centres, "offsets": offsets}, Grouping())
    voted = sorted((each.x, each.cells) for each in candidates if feature(each, "radius") == -1)
    assert voted == [(0, 7 * 64), *((number * 64 // 8, 64) for number in range(7, 30))]


def feature(candidate: Candidate, name: str) -> float:
    return float(candidate.features[FEATURES.index(name)])


def test_what_a_scorer_is_told_of_a_candidate() -> None:
    """A block of 2 × 4 cells, one of them doubtful, beside a strip of 9 that may belong to it; as much damage elsewhere."""
    probs = np.full((2, 16, 24), 0.1, np.float32)
    probs[1] = 0.2
    probs[0, 4:6, 4:8] = 0.9
    probs[0, 4, 4] = 0.6
    probs[0, 6, 1:10] = 0.4
    probs[0, 14, 12:20] = 0.9
    found = find_candidates(probs, {}, Grouping(levels=(0.3, 0.5, 0.7)))
    (block,) = (each for each in found if each.level == 0.5 and each.x == 4)
    mean = (7 * 0.9 + 0.6) / 8
    outside = (9 * 0.4 + 63 * 0.1) / 72  # the 8 × 10 cells within three cells of it, without its own
    expected = {
        "log_area": math.log(8 / (16 * 24)),
        "level": 0.5,
        "radius": 0,
        "mean": mean,
        "peak": 0.9,
        "low": 0.6 + 0.7 * 0.3,
        "stability": 7 / 8,  # above the next level
        "growth": 9 / 8,  # of the cells around it, those above the level before
        "contrast": mean - outside,
        "fill": 1,
        "log_elongation": math.log(2),
        "share_of_type": 8 / 16,
        "log_regions": math.log(16 / (16 * 24)),
        "centre": 0,
        "vote_error": 0,
        "vote_spread": 0,
        "any": mean,
        "others": 0.2,
        "photo_any": 0.9,
        "vehicle": 1,
    }
    assert dict(zip(FEATURES, block.features.tolist(), strict=True)) == pytest.approx(expected, abs=1e-6)


def test_a_scorer_is_told_how_much_of_a_candidate_lies_on_the_vehicle() -> None:
    probs = np.full((1, 8, 8), 0.1, np.float32)
    probs[0, 2:4, 2:6] = 0.9
    vehicle = np.full((1, 8, 8), -20, np.float32)
    vehicle[0, :, :4] = 20
    (block,) = find_candidates(probs, {"vehicle": vehicle}, Grouping(levels=(0.5,)))
    assert feature(block, "vehicle") == pytest.approx(0.5)


@pytest.mark.parametrize("turns", range(4))
def test_around_a_candidate_is_within_three_cells_of_its_own(turns: int) -> None:
    """Of an angle, what lies in its bend farther away is not."""
    angle = blank(10, 10)
    angle[:, 0] = angle[9, :] = True
    angle = np.rot90(angle, turns)
    cells, near = np.arange(16 * 24, dtype=np.float32).reshape(16, 24), blank(16, 24)
    for y, x in np.argwhere(angle) + np.array([2, 8]):
        near[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4] = True
    near[2:12, 8:18][angle] = False
    assert sorted(_around(cells, angle, 8, 2, 3)) == cells[near].tolist()


@pytest.mark.parametrize(
    ("votes_x", "votes_y", "error", "spread"),
    [
        pytest.param(7.5, 7.5, 0, 0, id="for its middle"),
        pytest.param(10.5, 3.5, 5 / 4, 0, id="five cells beside it, which is four wide"),
        pytest.param(np.where(np.arange(16) < 8, 5.5, 9.5), 7.5, 0, 2 / 4, id="two cells to either side"),
        pytest.param(99.0, 7.5, 5, 0, id="for somewhere else altogether"),
    ],
)
def test_votes_say_how_much_a_candidate_is_one_thing(
    votes_x: np.ndarray | float, votes_y: float, error: float, spread: float
) -> None:
    block = blank()
    block[6:10, 6:10] = True  # its middle is at 7.5, 7.5
    (found,) = find_candidates(probs_of(block), {"offsets": pointing_at(votes_x, votes_y, (16, 16))}, Grouping())
    assert feature(found, "vote_error") == pytest.approx(error, abs=1e-4)
    assert feature(found, "vote_spread") == pytest.approx(spread, abs=1e-4)


def test_where_there_is_surely_some_damage_each_type_is_likelier() -> None:
    types = logits_of(blank(2, 2))  # 0.018 everywhere
    np.testing.assert_allclose(damage_probabilities(types, {}), probs_of(blank(2, 2)), rtol=1e-5)
    surely = {"any": np.full((1, 2, 2), 50, np.float32)}
    np.testing.assert_allclose(damage_probabilities(types, surely), np.sqrt(probs_of(blank(2, 2))), rtol=1e-5)
