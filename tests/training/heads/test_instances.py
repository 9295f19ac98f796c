"""Things one by one: their boxes and covers, what is left out, what is unknown, and how right candidates are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.training.heads.instances import COVER_SIDE, LEFT_OUT, InstancesHead, InstancesRecipe
from scenes import CLASSES, MIRRORED, WHOLE, annotation, mosaic, photo, scene, stacked

DENT, SCRATCH = 1, 2
TYPES = ("dent", "scratch", "glass_shatter", "lamp_broken", "broken_part")


def head(of: str = "damage", **changes: Any) -> InstancesHead:
    return InstancesRecipe.model_validate({"kind": "instances", "of": of, "most": 4} | changes).build("things", CLASSES)


def test_each_damage_is_a_box_a_label_and_what_it_covers_of_the_box() -> None:
    """The photo is twice as wide as its picture; the larger comes first."""
    told = head().truth(scene(photo(annotation("scratch", (96, 96, 112, 128)), annotation("dent", (0, 32, 64, 64)))))
    assert told["labels"].tolist() == [DENT, SCRATCH, 0, 0]
    assert (told["boxes"][:2] * 64).tolist() == [[0, 16, 32, 32], [48, 48, 56, 64]]
    assert told["covers"].shape == (4, COVER_SIDE, COVER_SIDE)
    assert (told["covers"][:2] == 255).all()
    assert told["outlined"].tolist() == [True, True, False, False]


def test_two_damages_of_a_type_are_two() -> None:
    told = head().truth(scene(photo(annotation("dent", (0, 0, 32, 32)), annotation("dent", (16, 16, 64, 64)))))
    assert told["labels"].tolist() == [DENT, DENT, 0, 0]


def test_of_too_many_the_largest_are_learned_from() -> None:
    many = [annotation("dent", (0, 10 * row, 16 + row, 10 * row + 9)) for row in range(6)]
    told = head().truth(scene(photo(*many)))
    assert (told["boxes"][:, 2] * 128).round().tolist() == pytest.approx([21, 20, 19, 18], abs=2)


def test_a_box_without_an_outline_teaches_no_mask() -> None:
    told = head().truth(scene(photo(annotation("dent", (0, 0, 32, 32), outlined=False))))
    assert (told["labels"][0], told["outlined"][0]) == (DENT, False)


def test_what_is_neither_one_of_them_nor_background_is_left_out() -> None:
    sample = photo(
        annotation("dent", (0, 0, 32, 32), crowd=True),
        annotation("damage", (32, 0, 64, 32)),
        annotation("dent", (64, 0, 96, 32), unsure=True),
    )
    assert sorted(head().truth(scene(sample))["labels"].tolist()) == [0, LEFT_OUT, LEFT_OUT, LEFT_OUT]
    other = photo(annotation("rust", (0, 0, 32, 32)))
    assert head().truth(scene(other))["labels"].tolist() == [0, 0, 0, 0]


def test_a_type_that_a_source_does_not_label_is_unknown_on_its_photos_and_on_mosaics_with_one() -> None:
    dents, all_types = photo(labelled=("dent",)), photo(labelled=TYPES)
    assert head().truth(scene(dents))["known"].tolist() == [True, False, False, False, False]
    assert head().truth(mosaic(all_types, all_types, dents, all_types))["known"].tolist() == [True, False, False, False, False]


def test_parts_change_sides_in_a_mirrored_view_and_are_unknown_where_none_is_outlined() -> None:
    car = photo(annotation("left_mirror", (0, 0, 64, 64)))
    told = head("parts").truth(scene(car, MIRRORED))
    assert told["labels"].tolist()[:2] == [1 + CLASSES.parts.index("right_mirror"), 0]
    assert told["known"].all()
    assert not head("parts").truth(scene(photo(vehicle=True)))["known"].any()
    assert head("parts").truth(scene(photo(vehicle=False)))["known"].all()
    mirror, one_side = annotation("left_mirror", (0, 0, 64, 64)), ("left_mirror",)
    for view, name in ((WHOLE, "left_mirror"), (MIRRORED, "right_mirror")):
        known = head("parts").truth(scene(photo(mirror, labelled=one_side), view))["known"]
        assert np.array_equal(known, np.array([one == name for one in CLASSES.parts]))


def test_channels_of_what_was_taught_are_the_box_its_score_and_the_mask() -> None:
    kept = head().channels(("scratch",))
    assert kept[:5] == [0, 1, 2, 3, 5]
    assert len(kept) == 5 + INSTANCE_MASK**2
    assert kept[-1] == head().output.channels - 1
    assert head().channels(()) == []


def test_figures_are_f1_of_boxes_that_are_told() -> None:
    """One dent is found, one missed, and one told where none is; a scratch is told at a score too low to count."""
    things = stacked(
        head(), scene(photo(annotation("dent", (0, 0, 64, 64)), annotation("dent", (64, 64, 128, 128)), labelled=TYPES))
    )
    table = torch.zeros(1, 4, head().output.channels)
    table[0, 0, :4], table[0, 0, 4] = torch.tensor([0, 0, 0.5, 0.45]), 0.9
    table[0, 1, :4], table[0, 1, 4] = torch.tensor([0, 0.5, 0.4, 1]), 0.8
    table[0, 2, :4], table[0, 2, 5] = torch.tensor([0, 0.5, 0.4, 1]), 0.2
    figures = head().figures(head().counts(table, things))
    assert figures["dent"] == pytest.approx(2 * 1 / (2 + 2))
    assert np.isnan(figures["scratch"])
    assert figures["mean"] == figures["dent"]


def test_what_is_unknown_is_not_judged() -> None:
    things = stacked(head(), scene(photo(labelled=("scratch",))))
    table = torch.zeros(1, 4, head().output.channels)
    table[0, 0, :4], table[0, 0, 4] = torch.tensor([0, 0, 0.5, 0.5]), 0.9
    counts = head().counts(table, things)
    assert int(counts["told"].sum()) == 0
