"""Which photos a step shows, and the truth that goes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets import Annotation, Sample
from dentify.training.batches import MixedBatches, TrainingPictures, WholePhotos, deck_of
from dentify.training.compose import Composer, Draw
from dentify.training.photos import read_photo_set
from dentify.training.recipe import Recipe
from toy_bench import SIDE, toy_document, toy_recipe

SETS = [[Sample(b"", f"{place}-{number}") for number in range(7)] for place in range(3)]


def recipe(**keys: Any) -> Recipe:
    return toy_recipe(**keys)


def batches(steps: range, sets: list[list[Sample]] = SETS, *, rank: int = 0, processes: int = 1, **keys: Any) -> list[list[Draw]]:
    return list(MixedBatches(sets, recipe(**keys), steps=steps, rank=rank, processes=processes))


def test_a_batch_holds_as_many_photos_of_each_set_as_the_recipe_says() -> None:
    for batch in batches(range(10)):
        assert [draw.photos for draw in batch] == [0, 0, 1, 2]


@given(st.integers(0, 9))
def test_a_resumed_run_sees_what_it_would_have_seen(step: int) -> None:
    assert batches(range(step, 10)) == batches(range(10))[step:]


def test_every_showing_has_a_number_of_its_own() -> None:
    numbers = [draw.number for batch in batches(range(10)) for draw in batch]
    assert numbers == list(range(40))


def test_a_set_is_used_up_before_a_photo_comes_again() -> None:
    shown = [draw.photo for batch in batches(range(7)) for draw in batch if draw.photos == 0]  # two a batch
    assert sorted(shown[:7]) == sorted(shown[7:]) == list(range(7))
    assert shown[:7] != shown[7:]


def test_a_phase_has_its_own_size_mosaics_and_counts() -> None:
    phases = [
        {"steps": 2, "size": 64, "mosaic": 0.5, "paste": 0.25},
        {"steps": 2, "size": 96, "per_batch": [1, 3, 1]},
        {"steps": 2, "size": 64},
    ]
    told = batches(range(6), phases=phases)
    assert [{(draw.size, draw.mosaic, draw.paste) for draw in batch} for batch in told] == [
        *[{(64, 0.5, 0.25)}] * 2,
        *[{(96, 0.0, 0.0)}] * 2,
        *[{(64, 0.0, 0.0)}] * 2,
    ]
    assert [[draw.photos for draw in batch] for batch in told[2:]] == [*[[0, 1, 1, 1, 2]] * 2, *[[0, 0, 1, 2]] * 2]
    assert [draw.number for batch in told for draw in batch] == list(range(8 + 10 + 8))
    shown = [draw.photo for batch in told for draw in batch if draw.photos == 1]  # 2 + 6 + 2: one lap and three more
    assert sorted(shown[:7]) == list(range(7))


def test_processes_share_the_same_batches() -> None:
    whole = batches(range(5))
    shares = [batches(range(5), rank=rank, processes=2) for rank in (0, 1)]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted([*first, *second], key=lambda draw: draw.number) == batch
        assert len(first) == len(second) == 2


def test_photos_with_rare_types_are_shown_more_often() -> None:
    outline = np.array([[0, 0], [9, 0], [9, 9]], np.float64)
    rare = Sample(b"", "rare", annotations=(Annotation("dent", (0, 0, 9, 9), polygons=(outline,)),))
    data = toy_document()["data"]
    data["train"][0]["repeat"] = {"dent": 3}
    sets = [[rare, *SETS[0][:4]], *SETS[1:]]
    shown = [draw.photo for batch in batches(range(7), sets, data=data) for draw in batch if draw.photos == 0]
    assert [shown.count(photo) for photo in range(5)] == [6, 2, 2, 2, 2]


def test_half_a_time_more_is_every_second_photo_twice() -> None:
    dent = Sample(b"", "a", annotations=(Annotation("dent", (0, 0, 9, 9)),))
    (photos, *_) = recipe(data=toy_document()["data"]).data.train
    deck = deck_of(photos.model_copy(update={"repeat": {"dent": 1.5}}), [dent] * 10)
    assert len(deck) == 15
    assert set(deck) == set(range(10))


def test_another_seed_shows_other_photos() -> None:
    assert batches(range(5), seed=0) != batches(range(5), seed=1)


def test_a_picture_comes_with_the_truth_of_every_head(painted: Path) -> None:
    plan = recipe()
    sets = [read_photo_set(photos, painted, "train", plan.classes) for photos in plan.data.train]
    heads = plan.build_heads()
    pictures = TrainingPictures(Composer(sets, plan.augment, seed=0, pasteable=plan.classes.damage), heads)
    shown = pictures[Draw(0, 0, 0, SIDE)]
    assert list(shown) == ["image", *heads]
    assert (shown["image"].dtype, tuple(shown["image"].shape)) == (torch.uint8, (SIDE, SIDE, 3))
    assert {name: tuple(one.shape) for name, one in shown["types"].items()} == {
        "cover": (2, SIDE // 2, SIDE // 2),
        "known": (2, SIDE // 2, SIDE // 2),
        "boxed": (2,),
    }


def test_photos_to_judge_by_are_shown_whole(painted: Path) -> None:
    plan = recipe()
    samples = read_photo_set(plan.data.val[0], painted, "val", plan.classes)
    photos = WholePhotos(samples, 64, plan.build_heads())
    assert len(photos) == 24
    assert torch.equal(photos[0]["image"], photos[0]["image"])
    assert photos[0]["types"]["cover"][0].sum() == pytest.approx(255 * 100, rel=0.01)  # 20 × 20 pixels at stride 2
    assert photos[0]["damage"]["answer"] == 1
