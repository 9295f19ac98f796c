"""Captions say what the labels say, in many ways, and never more."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.curation.captions import captions_of, iter_captions
from dentify.datasets import Annotation, Sample
from dentify.imaging.masks import rle_encode
from dentify.imaging.polygons import box_to_polygon
from dentify.languages import ENGLISH
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS

SIZE_HW = (100, 200)
MANY = 40  # captions, of which nearly all ways to say it come


def annotation(name: str, box: tuple[float, float, float, float] = (10, 10, 30, 30), **facts: Any) -> Annotation:
    facts = {"polygons": (box_to_polygon(box),)} | facts
    return Annotation(name, box, **facts)


def sample(*annotations: Annotation, **facts: Any) -> Sample:
    """A photo whose flags follow from its annotations, as readers tell them."""
    damage = True if any(one.kind == "damage" for one in annotations) else None
    facts = {"vehicle": True if annotations else None, "damage": damage, "size_hw": SIZE_HW} | facts
    return Sample(b"", facts.pop("name", "a.jpg"), annotations=annotations, **facts)


def said(one: Sample, count: int = MANY) -> str:
    """All that is said of a photo, in one text."""
    return "\n".join(captions_of(one, count))


# --- seeds ---------------------------------------------------------------------------------------------------------------

RICH = sample(
    annotation("dent", severity="minor"), annotation("scratch", (150, 60, 190, 90)), annotation("hood", (0, 0, 100, 50))
)


def test_captions_differ_and_are_the_same_for_a_seed_and_name() -> None:
    captions = captions_of(RICH, 10)
    assert len(set(captions)) == len(captions) == 10
    assert captions_of(RICH, 10) == captions
    assert captions_of(RICH, 3) == captions[:3]
    assert captions_of(RICH, 10, seed=1) != captions
    assert captions_of(sample(*RICH.annotations, name="b.jpg"), 10) != captions


def test_there_are_fewer_where_the_labels_give_no_more_and_none_where_they_say_nothing() -> None:
    assert sorted(captions_of(sample(vehicle=False), 10)) == [
        "A photo without a vehicle.",
        "No vehicle is seen.",
        "There is no vehicle on the photo.",
    ]
    assert captions_of(sample(), 10) == []
    assert captions_of(sample(labelled=frozenset({"dent"})), 10) == []  # no dent; but on what?


def test_samples_come_with_their_captions_in_order() -> None:
    told = [(one.name, text) for one, text in iter_captions([RICH, sample(), sample(vehicle=False, name="c.jpg")], 2)]
    assert [name for name, _ in told] == ["a.jpg", "a.jpg", "c.jpg", "c.jpg"]
    assert [text for _, text in told[:2]] == captions_of(RICH, 2)


@pytest.mark.parametrize("one", [RICH, sample(vehicle=False), sample(labels=("dent",)), sample(vehicle=True, damage=False)])
def test_each_caption_is_one_sentence(one: Sample) -> None:
    for caption in captions_of(one, MANY):
        assert re.fullmatch(r"[A-Z][^\n]*[^ .]\.", caption), caption
        assert "  " not in caption
        assert "{" not in caption


# --- what is said --------------------------------------------------------------------------------------------------------


def test_types_are_counted() -> None:
    two = said(sample(annotation("dent", (10, 10, 30, 30)), annotation("dent", (150, 60, 190, 90)), annotation("scratch")))
    assert "two" in two
    assert "dents" in two
    assert "a scratch" in two.lower()
    five = said(sample(*(annotation("dent", (n, n, n + 20.0, n + 20)) for n in range(5))))
    assert "five" in five.lower()
    assert "several" in five.lower()
    glass = said(sample(annotation("glass_shatter"), annotation("glass_shatter")))
    assert "shattered glass" in glass.lower()
    assert "two" not in glass.lower()


@pytest.mark.parametrize(
    ("box", "word"),
    [((10, 10, 14, 14), "tiny"), ((10, 10, 20, 20), "small"), ((10, 10, 40, 50), ""), ((0, 0, 100, 50), "large")],
)
def test_sizes_are_told_as_shares_of_the_photo(box: tuple[float, float, float, float], word: str) -> None:
    text = said(sample(annotation("dent", box)))
    assert {one for one in ("tiny", "small", "large") if one in text} == ({word} if word else set())


def test_the_size_of_a_box_is_not_told_for_its_thing_may_be_smaller() -> None:
    assert "large" not in said(sample(annotation("dent", (0, 0, 100, 50), polygons=())))


def test_sizes_and_severities_are_told_only_where_all_of_a_type_share_them() -> None:
    small, large = annotation("dent", (10, 10, 20, 20), severity="minor"), annotation("dent", (0, 0, 100, 50), severity="severe")
    text = said(sample(small, large))
    assert not [word for word in ("small", "large", "minor", "severe") if word in text]
    assert "severe" in said(sample(large))
    assert "minor" not in said(sample(small, annotation("dent", (10, 10, 20, 20))))  # of one it is not known


@pytest.mark.parametrize(
    ("box", "words"),
    [((10, 10, 20, 20), "in the upper left"), ((90, 45, 110, 55), "in the middle"), ((180, 80, 190, 90), "in the lower right")],
)
def test_places_are_told_by_ninths_of_the_photo(box: tuple[float, float, float, float], words: str) -> None:
    text = said(sample(annotation("dent", box)))
    assert f"{words} of the photo" in text
    assert len(set(re.findall(r"(?:in|at|on) the [a-z ]+ of the photo", text))) == 1


def test_places_are_not_told_where_damages_lie_apart_or_the_size_is_unknown() -> None:
    apart = sample(annotation("dent", (10, 10, 20, 20)), annotation("dent", (180, 80, 190, 90)))
    assert "of the photo" not in said(apart)
    assert "of the photo" not in said(sample(annotation("dent"), size_hw=None))


def test_a_part_is_named_where_it_holds_half_of_the_damage() -> None:
    hood = annotation("hood", (0, 0, 100, 100))
    assert "on the hood" in said(sample(annotation("dent", (10, 10, 30, 30)), hood))
    assert "on the hood" in said(sample(annotation("dent", (80, 10, 115, 30)), hood))
    assert "hood" not in said(sample(annotation("dent", (80, 10, 130, 30)), hood))
    assert "hood" not in said(sample(annotation("dent", (150, 10, 170, 30)), hood))


def test_parts_may_be_there_twice_have_masks_or_names_of_their_source() -> None:
    mask = np.zeros(SIZE_HW, bool)
    mask[:50, :50] = True
    wheels = [annotation("wheel", (0, 0, 50, 50), polygons=(), rle=rle_encode(mask)), annotation("wheel", (150, 50, 200, 100))]
    assert "on the wheel" in said(sample(annotation("dent", (10, 10, 30, 30)), *wheels))
    text = said(sample(annotation("dent", (10, 10, 30, 30)), annotation("part:rear fender", (0, 0, 100, 100))))
    assert "on the rear fender" in text
    assert "part:" not in text


def test_labels_of_whole_photos_are_told() -> None:
    text = said(sample(labels=("dent", "scratch", "Dent"), vehicle=True, damage=True))
    assert "a dent and a scratch" in text.lower()
    assert text.lower().count("dent") == len(text.splitlines())
    assert "moderate damage" in said(sample(labels=("moderate",), vehicle=True, damage=True))
    assert "damaged vehicle" in said(sample(labels=("damaged",), vehicle=True, damage=True))


def test_the_severity_of_a_photo_is_told_where_no_type_is() -> None:
    untyped = sample(annotation("damage"), labelled=frozenset({"damage", "dent"}), vehicle=True, damage=True, severity="severe")
    assert "severe damage" in said(untyped)
    assert "a damage " not in said(untyped).lower()


def test_undamaged_vehicles_and_their_parts_are_told() -> None:
    assert "undamaged vehicle" in said(sample(vehicle=True, damage=False))
    text = said(sample(annotation("hood"), annotation("wheel"), damage=False))
    assert "undamaged vehicle" in text
    assert "the hood" in text
    assert "the wheel" in text


def test_absence_is_told_of_types_that_were_looked_for_alone() -> None:
    text = said(sample(vehicle=True, labelled=frozenset({"dent", "scratch", "hood"})))
    assert "without dents" in text
    assert "scratches" in text
    assert "cracks" not in text
    assert "undamaged" not in text  # it may be cracked


@pytest.mark.parametrize(
    "hidden",
    [
        annotation("dent", crowd=True),
        annotation("unnamed"),
        annotation("damage"),
        annotation("dent", unsure=True),
        annotation("dent", other_car=True),
        annotation("dent", loose=True),
    ],
    ids=["crowd", "unnamed", "damage of no known type", "unsure", "another car's", "loose"],
)
def test_what_is_annotated_and_cannot_be_told_is_not_denied(hidden: Annotation) -> None:
    text = said(sample(hidden, labelled=frozenset({"dent", "scratch", "unnamed"})))
    assert "dent" not in text
    assert "unnamed" not in text
    assert "undamaged" not in text
    assert text


# --- never more ----------------------------------------------------------------------------------------------------------

boxes = st.tuples(st.integers(0, 150), st.integers(0, 70), st.integers(1, 50), st.integers(1, 30)).map(
    lambda box: (float(box[0]), float(box[1]), float(box[0] + box[2]), float(box[1] + box[3]))
)
annotations = st.builds(
    lambda name, box, severity, crowd, outlined: annotation(
        name, box, severity=severity, crowd=crowd, **({} if outlined else {"polygons": ()})
    ),
    st.sampled_from([*DAMAGE_NAMES, *PART_NAMES]),
    boxes,
    st.none() | st.sampled_from(SEVERITY_LEVELS),
    st.booleans(),
    st.booleans(),
)


def has(text: str, words: str) -> bool:
    return re.search(rf"\b{words}\b", text.lower()) is not None


@given(st.lists(annotations, max_size=6), st.frozensets(st.sampled_from([*DAMAGE_NAMES, *PART_NAMES])), st.integers(0, 99))
def test_every_word_is_the_labels(several: list[Annotation], labelled: frozenset[str], seed: int) -> None:
    named = {one.name for one in several}
    for text in captions_of(sample(*several, labelled=labelled | named), 4, seed=seed):
        denies = re.search(r"\bwithout\b|\bno\b", text) is not None
        for name in DAMAGE_NAMES:
            if has(text, ENGLISH.damage(name)) or has(text, ENGLISH.damages(name)):
                assert (name in labelled - named) if denies else (name in named), text
        for part in PART_NAMES:
            if has(text, ENGLISH.part(part)):
                assert part in named, text
        for level in SEVERITY_LEVELS:
            if has(text, level):
                assert any(one.severity == level for one in several), text
        assert not has(text, "undamaged"), text
        assert not has(text, "no vehicle"), text
        assert not denies or not [one for one in several if one.kind == "damage" and not one.crowd], text


def test_names_that_mean_something_to_formats_are_told_as_they_are() -> None:
    text = said(sample(annotation("{are} {0}"), annotation("hail_mark", (150, 60, 190, 90))))
    assert "{are} {0}" in text
    assert "a hail mark" in text.lower()


@pytest.mark.parametrize("noun", ["a scratch", "an oil_stain", "a unit", "an hour_mark", "an uneven_gap"])
def test_the_article_follows_the_sound(noun: str) -> None:
    article, name = noun.split()
    assert has(said(sample(annotation(name))), f"{article} {name.replace('_', ' ')}")
