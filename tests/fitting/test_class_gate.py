"""Classes of a classifier that mean vehicle, learned from a handful of photos."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dentify.arrays import BoolArray, DoubleArray
from dentify.errors import DatasetError, ShapeError
from dentify.fitting.class_gate import ClassGate, choose_classes, gate_logits
from dentify.runtime.probabilities import softmax

CLASSES = 200
CARS = (3, 50, 120, 150)  # a sports car, a minivan, a tow truck, a grille
STREET = 77  # seen with and without a car


def photos(vehicle: BoolArray, seed: int = 0) -> DoubleArray:
    """`(N, 200)` logits: three of four kinds of vehicles lead where there is one, a street sign everywhere, the rest is noise."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(vehicle), CLASSES))
    for row, is_vehicle in zip(logits, vehicle, strict=True):
        row[STREET] = 10
        if is_vehicle:
            row[rng.permutation(CARS)[:3]] = 8
    return logits


HALF = np.arange(24) % 2 == 0


def test_a_dozen_photos_of_either_kind_tell_which_classes_mean_vehicle() -> None:
    gate = choose_classes(photos(HALF), HALF)
    assert gate.vehicle == CARS
    assert sorted((*gate.vehicle, *gate.rest)) == list(range(CLASSES))
    unseen = photos(HALF, seed=1)
    assert ((gate_logits(unseen, gate) > -3) == HALF).all()


def test_vehicles_alone_cannot_tell_what_is_everywhere() -> None:
    vehicles = photos(np.ones(12, np.bool_))
    assert choose_classes(vehicles).vehicle == tuple(sorted((*CARS, STREET)))
    assert choose_classes(vehicles) == choose_classes(vehicles, np.ones(12, np.bool_))


@pytest.mark.parametrize(
    ("hits", "others", "is_chosen"), [(1, 0, False), (2, 0, True), (4, 1, True), (3, 1, False), (8, 3, False)]
)
def test_a_class_counts_by_how_often_it_is_among_the_first_five(hits: int, others: int, is_chosen: bool) -> None:
    """Of ten photos of vehicles and ten others; class 3 is always a vehicle, class 9 is what is asked about."""
    truth = np.arange(20) < 10
    logits = np.tile(-np.arange(1000.0)[::-1], (20, 1))  # 995 to 999 come first
    logits[truth, 3] = 1.0
    logits[np.r_[:hits, 10 : 10 + others], 9] = 2.0
    assert (9 in choose_classes(logits, truth).vehicle) == is_chosen


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_order_of_photos_and_classes_does_not_matter(seed: int, order: int) -> None:
    logits = photos(HALF, seed)
    rng = np.random.default_rng(order)
    rows, columns = rng.permutation(len(HALF)), rng.permutation(CLASSES)
    moved = choose_classes(logits[rows][:, columns], HALF[rows])
    assert sorted(columns[list(moved.vehicle)]) == list(choose_classes(logits, HALF).vehicle)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_height_of_logits_do_not_change_the_choice(seed: int, scale: float, height: float) -> None:
    logits = photos(HALF, seed)
    assert choose_classes(logits * scale + height, HALF) == choose_classes(logits, HALF)


@given(st.integers(0, 2**32 - 1))
def test_more_photos_without_a_vehicle_never_bring_a_class_that_they_show(seed: int) -> None:
    logits = photos(HALF, seed)
    street = np.concatenate([logits, logits[~HALF]])
    more = np.concatenate([HALF, np.zeros((~HALF).sum(), np.bool_)])
    assert STREET not in choose_classes(street, more).vehicle


@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.just(6)), elements=st.floats(-1000, 1000, width=32)),
    st.sets(st.integers(0, 5), min_size=1, max_size=5),
)
def test_the_logit_is_that_of_the_probability_of_the_chosen_classes(logits: np.ndarray, chosen: set[int]) -> None:
    gate = ClassGate(tuple(sorted(chosen)), tuple(sorted(set(range(6)) - chosen)))
    told = gate_logits(logits, gate)
    assert np.isfinite(told).all()
    expected = softmax(logits.astype(np.float64), axis=1)[:, sorted(chosen)].sum(axis=1)
    assert 1 / (1 + np.exp(-np.clip(told, -500, 500))) == pytest.approx(expected, abs=1e-5)
    other = ClassGate(gate.rest, gate.vehicle)
    assert gate_logits(logits, other) == pytest.approx(-told)
    assert gate_logits(logits + np.float32(1), gate) == pytest.approx(told, abs=1e-3)


def test_photos_that_prove_nothing_are_one_line() -> None:
    with pytest.raises(DatasetError, match=r"^no photo of a vehicle to learn from; give a handful$"):
        choose_classes(photos(HALF), np.zeros(24, np.bool_))
    with pytest.raises(
        DatasetError, match=r"^no class is clearly more often among the first 5 of 200 on photos of vehicles \(1\)"
    ):
        choose_classes(photos(np.ones(1, np.bool_)))
    with pytest.raises(DatasetError, match="no class is clearly more often"):  # what is on all photos means nothing
        choose_classes(np.tile(np.arange(100.0), (20, 1)), np.arange(20) < 10)
    with pytest.raises(DatasetError, match="no class is clearly more often"):  # all classes are among the first
        choose_classes(np.zeros((20, 5)))


def test_wrong_arrays_are_told_with_their_shapes() -> None:
    with pytest.raises(ShapeError, match=r"must be \(photos, classes\) of finite numbers, got \(5,\)$"):
        choose_classes(np.zeros(5))
    with pytest.raises(ShapeError, match="finite"):
        choose_classes(np.full((2, 5), np.nan))
    with pytest.raises(ShapeError, match=r"vehicle must be \(24,\) of bool, one a photo, got \(3,\) of bool$"):
        choose_classes(photos(HALF), np.ones(3, np.bool_))
    with pytest.raises(ShapeError, match="of int64"):
        choose_classes(photos(HALF), HALF.astype(np.int64))
