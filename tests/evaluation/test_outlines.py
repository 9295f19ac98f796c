"""What a sample's labels say, as evaluation takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dentify.datasets import Sample
from dentify.evaluation.outlines import truth_of

Make = Callable[..., Sample]
LEFT, RIGHT = (0, 0, 10, 10), (30, 0, 40, 10)


@pytest.fixture
def sample(make_sample: Make) -> Sample:
    """A dent, damage of no known type, an unsure scratch, a dent of another car, and an unsure hood."""
    rows = [("dent", LEFT), ("damage", RIGHT), ("scratch", LEFT), ("dent", RIGHT), ("hood", LEFT)]
    made = make_sample("a", rows, labelled=["dent", "scratch", "damage", "hood"])
    flags = [{}, {}, {"unsure": True}, {"other_car": True}, {"unsure": True}]
    return replace(made, annotations=tuple(replace(one, **flag) for one, flag in zip(made.annotations, flags, strict=True)))


def test_what_is_to_be_ignored_and_what_has_no_type_stand_apart(sample: Sample) -> None:
    truth = truth_of(sample, ("dent", "scratch", "crack"))
    assert truth.labelled == ("dent", "scratch")
    assert truth.annotated.names == ("dent",)
    assert truth.untyped.names == ("damage",)
    assert truth.ignored.names == ("scratch", "dent")
    assert truth.of_any_type
    assert truth.left_out.crowd.tolist() == [True, True, True]
    assert not truth.annotated.crowd.any()


def test_of_a_type_come_its_things_and_the_regions_to_leave_out(sample: Sample) -> None:
    truth = truth_of(sample, ("dent", "scratch"))
    assert truth.of("dent").names == ("dent",) * 4
    assert truth.of("dent").crowd.tolist() == [False, True, True, True]
    assert truth.of("scratch").crowd.tolist() == [True, True, True]
    assert truth.of_all(["dent", "scratch"]).names == ("dent",) * 4 + ("scratch",) * 3
    assert len(truth.of_all([])) == 0


def test_parts_are_left_out_where_they_are_to_be_ignored_and_damages_do_not_matter(sample: Sample) -> None:
    truth = truth_of(sample, ("hood", "wheel"), "part")
    assert truth.labelled == ("hood",)
    assert (len(truth.annotated), truth.ignored.names, len(truth.untyped)) == (0, ("hood",), 0)
    assert not truth.of_any_type


def test_a_bundle_that_was_taught_damage_is_judged_by_it(sample: Sample) -> None:
    truth = truth_of(sample, ("damage",))
    assert truth.labelled == ("damage",)
    assert truth.annotated.names == ("damage",)
    assert (len(truth.untyped), truth.of_any_type) == (0, False)


def test_a_source_that_labels_none_of_the_names_says_nothing(make_sample: Make) -> None:
    assert not truth_of(make_sample("a", labelled=["hood"]), ("dent",))
    assert truth_of(make_sample("a", labelled=["damage"]), ("dent",))
