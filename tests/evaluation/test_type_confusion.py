"""What is taken for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from dentify.evaluation.average_precision import best_pairs
from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.tally import tally_photo
from dentify.evaluation.type_confusion import BACKGROUND, MISSED, confusion_of
from drawn_things import things_of

Make = Callable[..., Things]
NAMES = ("dent", "scratch", "crack")
SIZE_HW = (40, 60)
LEFT, MIDDLE, RIGHT = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)


@pytest.fixture
def confused(make_things: Make) -> Callable[..., dict[tuple[str, str], int]]:
    """Counts of one photo, of rows as `make_things` takes them."""

    def count(told: Any, annotated: Any, *, ignored: Any = (), labelled: Any = NAMES) -> dict[tuple[str, str], int]:
        found = make_things(told)
        truth = Truth(tuple(labelled), make_things(annotated), make_things([]), make_things(ignored))
        return dict(tally_photo(found, found, truth, SIZE_HW).confused)

    return count


def test_a_finding_is_right_mistaken_false_or_not_there(confused: Callable[..., Any]) -> None:
    told = [("dent", 0.9, LEFT), ("scratch", 0.8, MIDDLE), ("scratch", 0.7, (0, 20, 10, 30))]
    annotated = [("dent", 1.0, LEFT), ("crack", 1.0, MIDDLE), ("crack", 1.0, RIGHT)]
    assert confused(told, annotated) == {
        ("dent", "dent"): 1,
        ("crack", "scratch"): 1,
        ("crack", MISSED): 1,
        (BACKGROUND, "scratch"): 1,
    }


def test_the_right_name_comes_before_a_better_outline(confused: Callable[..., Any]) -> None:
    """A scratch within a dent: each finds its own, though the scratch told lies better on the dent."""
    told = [("scratch", 0.9, LEFT), ("dent", 0.8, (0, 0, 10, 8))]
    annotated = [("dent", 1.0, LEFT), ("scratch", 1.0, (0, 0, 10, 6))]
    assert confused(told, annotated) == {("dent", "dent"): 1, ("scratch", "scratch"): 1}


def test_an_overlap_below_a_half_is_no_mistake_but_a_miss_and_a_false_finding(confused: Callable[..., Any]) -> None:
    for height, expected in ((4, {("dent", MISSED): 1, (BACKGROUND, "crack"): 1}), (5, {("dent", "crack"): 1})):
        assert confused([("crack", 0.9, (0, 0, 10, height))], [("dent", 1.0, LEFT)]) == expected


def test_types_that_nobody_labelled_and_regions_to_be_ignored_are_left_out(confused: Callable[..., Any]) -> None:
    told = [("crack", 0.9, LEFT), ("scratch", 0.8, RIGHT)]
    annotated, ignored = [("dent", 1.0, LEFT)], [("dent", 1.0, RIGHT)]
    assert confused(told, annotated, ignored=ignored, labelled=("dent", "scratch")) == {("dent", MISSED): 1}


def test_boxes_are_compared_by_boxes(make_things: Make) -> None:
    annotated, nothing = make_things([("dent", 1.0, LEFT)]), make_things([])
    annotated.outlined[0] = False
    thin = make_things([("crack", 0.9, (0, 0, 10, 1))])  # its mask covers a tenth of the box
    thin.boxes_xyxy[0] = LEFT
    assert tally_photo(thin, thin, Truth(NAMES, annotated, nothing, nothing), SIZE_HW).confused == {("dent", "crack"): 1}


def test_best_pairs_are_the_best_first_and_each_in_one() -> None:
    assert best_pairs(np.array([[0.6, 0.9], [0.7, 0.8]]), 0.5) == [(0, 1), (1, 0)]
    assert best_pairs(np.array([[0.49]]), 0.5) == best_pairs(np.zeros((0, 3)), 0.5) == best_pairs(np.zeros((2, 0)), 0.5) == []


@given(st.integers(0, 2**32 - 1))
def test_the_matrix_is_that_of_pairs_and_sums_to_what_was_found_missed_and_false(seed: int) -> None:
    """Pairs are found here one by one, by name first; scikit-learn counts them."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.choice(NAMES, 8)]
    masks = rng.random((8, 4, 3)) < 0.6
    found, annotated = things_of(names[:4], masks[:4]), things_of(names[4:], masks[4:])
    nothing = found.select([])
    tally = tally_photo(found, found, Truth(NAMES, annotated, nothing, nothing), (4, 3))
    result = confusion_of([tally.confused], NAMES)
    matrix = np.array(result.counts)
    for k, name in enumerate(NAMES):
        told = tally.names[name].told
        assert matrix[k, k] == told.right[0].sum()
        assert matrix[k].sum() == annotated.names.count(name)
        assert matrix[:, k].sum() == found.names.count(name)
    true, said = pairs_of(found, annotated)
    expected = confusion_matrix(true, said, labels=[*NAMES, "nothing"])
    np.testing.assert_array_equal(matrix, expected)
    assert (result.rows[-1], result.columns[-1]) == (BACKGROUND, MISSED)


def pairs_of(found: Things, annotated: Things) -> tuple[list[str], list[str]]:
    """What is annotated and what is told, pair by pair; where a place is a tie, as it stands in the arrays."""
    told_masks, true_masks = (np.array([decoded(rle) for rle in things.rles]).reshape(-1, 4, 3) for things in (found, annotated))
    iou = {
        (d, g): (one & other).sum() / (one | other).sum()
        for d, one in enumerate(told_masks)
        for g, other in enumerate(true_masks)
    }
    free_d, free_g = set(range(len(found))), set(range(len(annotated)))
    pairs: list[tuple[str, str]] = []

    def take(d: int, g: int) -> None:
        free_d.discard(d)
        free_g.discard(g)
        pairs.append((annotated.names[g], found.names[d]))

    for d in range(len(found)):  # of the same name: all are as sure, so the first comes first and takes the best
        own = [g for g in sorted(free_g) if annotated.names[g] == found.names[d] and iou[d, g] >= 0.5]
        if own:
            take(d, max(own, key=lambda g: (iou[d, g], g)))
    # As the arrays stand: what is left is told name by name, and of equal pairs the first counts.
    ranked_d = sorted(free_d, key=lambda d: NAMES.index(found.names[d]))
    ranked_g = sorted(free_g, key=lambda g: NAMES.index(annotated.names[g]))
    for d, g in sorted(((d, g) for d in ranked_d for g in ranked_g), key=lambda pair: -iou[pair]):
        if d in free_d and g in free_g and iou[d, g] >= 0.5:
            take(d, g)
    pairs += [("nothing", found.names[d]) for d in free_d] + [(annotated.names[g], "nothing") for g in free_g]
    return [true for true, _ in pairs], [said for _, said in pairs]


def decoded(rle: dict[str, Any]) -> Any:
    from dentify.assessment import Mask
    from dentify.imaging.masks import rle_decode

    return rle_decode(Mask(size=tuple(rle["size"]), counts=rle["counts"]))
