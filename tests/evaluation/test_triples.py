"""Triples of type, part and severity, matched word for word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.assessment import Assessment, PartOfFinding
from dentify.datasets import Sample
from dentify.evaluation.triples import matched_counts, triples_results, triples_row

Make = Callable[..., Any]
LEFT, RIGHT = (0, 0, 20, 20), (40, 0, 60, 20)
TYPES = ("dent", "scratch")
words = st.lists(st.tuples(st.sampled_from(["dent", "crack"]), st.sampled_from(["hood", None])), max_size=6)


@given(words, words)
def test_each_told_one_takes_an_equal_annotated_one_that_is_free(told: list[Any], annotated: list[Any]) -> None:
    free, matched = list(annotated), 0
    for one in told:
        if one in free:
            free.remove(one)
            matched += 1
    assert matched_counts(told, annotated).tolist() == [matched, len(told), len(annotated)]


@pytest.fixture
def photo(make_sample: Make) -> Sample:
    """A dent on the hood and a scratch on a wheel, both outlined."""
    annotated = [("dent", LEFT, "minor"), ("scratch", RIGHT, "severe"), ("hood", (0, 0, 30, 30)), ("wheel", (35, 0, 60, 25))]
    return make_sample("a", annotated, labelled=[*TYPES, "hood", "wheel"])


@pytest.fixture
def answer(make_assessment: Make) -> Callable[..., Assessment]:
    """An assessment of (type, part, severity) triples, wherever they lie."""

    def make(said: Sequence[tuple[str, str | None, str]]) -> Assessment:
        told = make_assessment("a", [(one, 0.9, LEFT, level) for one, _, level in said])
        findings = [
            finding.model_copy(
                update={
                    "parts": ()
                    if part is None
                    else (PartOfFinding(name=part, confidence=1, share_of_finding=1, share_of_part=1),)
                }
            )
            for finding, (_, part, _) in zip(told.findings, said, strict=True)
        ]
        return told.model_copy(update={"findings": tuple(findings)})

    return make


def row(told: Assessment, sample: Sample, labelled: Sequence[str] = TYPES, *, parts: bool = True, severity: bool = True) -> Any:
    return {key: one.tolist() for key, one in triples_row(told, sample, labelled, parts=parts, severity=severity).items()}


def test_a_triple_matches_where_type_part_and_severity_do(photo: Sample, answer: Callable[..., Assessment]) -> None:
    told = answer([("dent", "hood", "severe"), ("scratch", "wheel", "severe"), ("dent", None, "minor")])
    assert row(told, photo) == {
        "type": [2, 3, 2],
        "type_part": [2, 3, 2],
        "type_severity": [2, 3, 2],
        "type_part_severity": [1, 3, 2],  # the scratch alone: each dent is told of two halves
    }


def test_parts_are_named_by_their_outlines_as_those_of_findings_are(photo: Sample, answer: Callable[..., Assessment]) -> None:
    off = replace(photo, annotations=(photo.annotations[0], *photo.annotations[3:]))  # no hood any more: the dent is on none
    assert row(answer([("dent", None, "minor")]), off)["type_part"] == [1, 1, 1]
    assert row(answer([("dent", "hood", "minor")]), off)["type_part"] == [0, 1, 1]


def test_a_photo_is_judged_by_what_all_its_annotations_tell(photo: Sample, answer: Callable[..., Assessment]) -> None:
    told = answer([("dent", "hood", "minor")])
    without_parts = replace(photo, labelled=frozenset(TYPES))
    assert set(row(told, without_parts)) == {"type", "type_severity"}
    dent, scratch, *parts = photo.annotations
    unclear = replace(photo, annotations=(dent, replace(scratch, severity=None), *parts))
    assert set(row(told, unclear)) == {"type", "type_part"}
    assert set(row(told, photo, severity=False)) == {"type", "type_part"}
    assert set(row(told, photo, parts=False, severity=False)) == {"type"}


def test_findings_of_types_that_nobody_labelled_are_left_out(photo: Sample, answer: Callable[..., Assessment]) -> None:
    told = answer([("dent", "hood", "minor"), ("crack", "hood", "minor")])
    assert row(told, photo)["type_part_severity"] == [1, 1, 2]
    assert row(told, photo, ["dent"])["type_part_severity"] == [1, 1, 1]
    assert row(told, photo, []) == {}


def test_photos_on_which_words_do_not_tell_what_is_meant_are_passed_over(
    photo: Sample, answer: Callable[..., Assessment]
) -> None:
    told = answer([("dent", "hood", "minor")])
    dent, *others = photo.annotations
    for odd in (replace(dent, unsure=True), replace(dent, crowd=True), replace(dent, name="damage")):
        assert row(told, replace(photo, annotations=(odd, *others))) == {}


def test_figures_are_shares_of_all_that_is_said_on_all_photos(photo: Sample, answer: Callable[..., Assessment]) -> None:
    said = [
        [("dent", "hood", "minor"), ("scratch", "hood", "severe")],
        [("dent", "hood", "minor"), ("scratch", "wheel", "severe")],
    ]
    rows = [triples_row(answer(one), photo, TYPES, parts=True, severity=True) for one in said]
    rows.append(triples_row(answer([]), replace(photo, labelled=frozenset(TYPES)), TYPES, parts=True, severity=True))
    results = triples_results(rows, resamples=50, seed=0)
    whole = results["type_part_severity"]
    assert (whole.photos, whole.matched, whole.told, whole.annotated) == (2, 3, 4, 4)
    assert (whole.precision.value, whole.recall.value, whole.f1.value) == (0.75, 0.75, 0.75)
    assert whole.f1.interval == pytest.approx((0.5, 1.0))
    types = results["type"]
    assert (types.photos, types.precision.value, types.recall.value) == (3, 1.0, 4 / 6)
    assert types.f1.value == pytest.approx(2 * 4 / (4 + 6))
    assert triples_results([], resamples=5, seed=0) == {}


def test_what_nobody_told_has_no_precision(photo: Sample, answer: Callable[..., Assessment]) -> None:
    result = triples_results([triples_row(answer([]), photo, TYPES, parts=True, severity=True)], resamples=5, seed=0)["type"]
    assert (result.precision.value, result.precision.interval, result.recall.value, result.f1.value) == (None, None, 0.0, 0.0)
