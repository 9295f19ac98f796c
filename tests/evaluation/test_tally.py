"""Counts of one photo where regions are to be ignored, or hold damage of no known type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.tally import tally_photo, without_left_out
from drawn_things import things_of

Make = Callable[..., Things]
Bitmaps = NDArray[np.bool_]
NAMES = ("dent", "scratch", "crack")
SIZE_HW = (40, 60)
LEFT, RIGHT = (0, 0, 10, 10), (30, 0, 40, 10)


@pytest.fixture
def truth(make_things: Make) -> Callable[..., Truth]:
    """What labels say, of rows as `make_things` takes them."""

    def make(
        annotated: Any = (), *, untyped: Any = (), ignored: Any = (), labelled: Any = ("dent", "scratch"), **more: Any
    ) -> Truth:
        return Truth(tuple(labelled), make_things(annotated), make_things(untyped), make_things(ignored), **more)

    return make


def test_a_finding_in_an_ignored_region_is_neither_right_nor_wrong(make_things: Make, truth: Callable[..., Truth]) -> None:
    said = truth([("dent", 1.0, LEFT)], ignored=[("dent", 1.0, RIGHT)])
    inside, half, less = (30, 0, 35, 5), (35, 0, 45, 10), (36, 0, 46, 10)
    found = make_things([("dent", 0.9, LEFT), ("scratch", 0.8, inside), ("dent", 0.7, half), ("dent", 0.6, less)])
    tally = tally_photo(found, found, said, SIZE_HW)
    dent, scratch = tally.names["dent"], tally.names["scratch"]
    assert dent.mask is not None
    for matches in (dent.told, dent.mask, dent.box):
        assert matches.right[0].tolist() == [True, False, False]
        assert matches.left_out[0].tolist() == [False, True, False]
    assert scratch.told.left_out[0].tolist() == [True]  # whatever its type
    assert (dent.instances, scratch.instances) == (1, 0)
    assert without_left_out(found, tally).scores.tolist() == [0.9, 0.6]


def test_an_annotation_comes_before_the_region_that_it_lies_in(make_things: Make, truth: Callable[..., Truth]) -> None:
    said = truth([("dent", 1.0, LEFT)], ignored=[("dent", 1.0, (0, 0, 20, 20))])
    found = make_things([("dent", 0.9, LEFT)])
    dent = tally_photo(found, found, said, SIZE_HW).names["dent"]
    assert dent.told.right[0].tolist() == [True]
    assert dent.pixels is not None
    assert dent.pixels.tolist() == [100, 100, 100]


def test_damage_of_no_known_type_is_no_types_and_truth_for_any(make_things: Make, truth: Callable[..., Truth]) -> None:
    said = truth(untyped=[("damage", 1.0, LEFT)], labelled=("dent",), of_any_type=True)
    found = make_things([("dent", 0.9, (0, 0, 10, 5)), ("crack", 0.8, (0, 5, 10, 10)), ("crack", 0.7, RIGHT)])
    tally = tally_photo(found, found, said, SIZE_HW)
    dent = tally.names["dent"]
    assert (dent.told.left_out[0].tolist(), dent.told.missed.tolist(), dent.instances) == ([True], [0], 0)
    assert dent.pixels is not None
    assert dent.pixels.tolist() == [0, 0, 0]
    assert tally.any_pixels is not None
    assert tally.any_pixels.tolist() == [100, 200, 100]  # its source labels all damage: the crack beside it is wrong
    lenient = tally_photo(found, found, truth(untyped=[("damage", 1.0, LEFT)], labelled=("dent",)), SIZE_HW)
    assert lenient.any_pixels is not None
    assert lenient.any_pixels.tolist() == [100, 100, 100]


def test_a_photo_that_labels_any_damage_alone_has_no_types(make_things: Make, truth: Callable[..., Truth]) -> None:
    found = make_things([("dent", 0.9, LEFT)])
    tally = tally_photo(found, found, truth(untyped=[("damage", 1.0, RIGHT)], labelled=(), of_any_type=True), SIZE_HW)
    assert tally.names == {}
    assert tally.any_pixels is not None
    assert tally.any_pixels.tolist() == [0, 100, 100]


def test_a_box_of_damage_of_no_known_type_has_no_pixels(make_things: Make, truth: Callable[..., Truth]) -> None:
    said = truth(untyped=[("damage", 1.0, LEFT)], labelled=("dent",), of_any_type=True)
    said.untyped.outlined[0] = False
    assert tally_photo(make_things([]), make_things([]), said, SIZE_HW).any_pixels is None


@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_pixels_equal_those_of_arrays(seed: int, known: list[bool], of_any_type: bool) -> None:
    rng = np.random.default_rng(seed)
    told, typed = (rng.random((3, 9, 7)) < rng.random((3, 1, 1)) for _ in range(2))
    untyped, ignored = (rng.random((9, 7)) < rng.random() for _ in range(2))
    typed &= np.array(known)[:, None, None]
    labelled = tuple(name for name, one in zip(NAMES, known, strict=True) if one)
    said = Truth(
        labelled, things_of(NAMES, typed), things_of(["damage"], untyped[None]), things_of(["dent"], ignored[None]), of_any_type
    )
    found = things_of(NAMES, told)
    tally = tally_photo(found, found, said, (9, 7))
    for k, name in enumerate(NAMES):
        if known[k]:
            asked = ~(untyped | ignored) | typed[k]
            np.testing.assert_array_equal(tally.names[name].pixels, counts_of(told[k] & asked, typed[k]))
    damaged = typed.any(0) | untyped
    sure = told[known].any(0) | (told.any(0) & (damaged | of_any_type))
    np.testing.assert_array_equal(tally.any_pixels, counts_of(sure & (~ignored | damaged), damaged))


def counts_of(told: Bitmaps, true: Bitmaps) -> list[int]:
    return [int((told & true).sum()), int(told.sum()), int(true.sum())]
