"""What a sample says, and what it leaves unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dentify.datasets import Annotation, Sample, canonical_name, kind_of
from dentify.datasets.sample import PHOTO_WORDS, has_vehicle, is_damaged, join_pieces, photo_kind, worst_severity
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES


def test_a_type_that_the_source_does_not_label_is_unknown() -> None:
    sample = Sample(b"", "a.jpg", labelled=frozenset({"dent"}), vehicle=True, damage=True)
    assert sample.knows("dent")
    assert not sample.knows("scratch")


def test_an_undamaged_photo_knows_that_each_damage_is_absent() -> None:
    sample = Sample(b"", "a.jpg", vehicle=True, damage=False)
    assert all(sample.knows(name) for name in DAMAGE_NAMES)
    assert not any(sample.knows(name) for name in PART_NAMES)


def test_a_photo_without_a_vehicle_knows_that_everything_is_absent() -> None:
    sample = Sample(b"", "a.jpg", vehicle=False)
    assert all(sample.knows(name) for name in DAMAGE_NAMES + PART_NAMES)


def test_damages_and_parts_of_one_photo_are_told_apart_by_name() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    sample = Sample(b"", "a.jpg", annotations=(Annotation("dent", box), Annotation("hood", box), Annotation("airbag", box)))
    assert [annotation.name for annotation in sample.damages] == ["dent", "airbag"]
    assert [annotation.name for annotation in sample.parts] == ["hood"]


def test_what_is_to_be_ignored_is_no_damage_of_the_photo() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    marks = [{}, {"unsure": True}, {"other_car": True}, {"loose": True}]
    sample = Sample(b"", "a.jpg", annotations=tuple(Annotation("dent", box, severity="severe", **mark) for mark in marks))
    assert [one.loose for one in sample.damages] == [False, True]  # a loose part is damage, too
    assert [one.unsure for one in sample.ignored] == [True, False]
    only = Sample(b"", "a.jpg", annotations=sample.annotations[1:3])
    assert (has_vehicle(only), is_damaged(only), worst_severity(only)) == (None, None, None)


def test_names_of_the_taxonomy_stay_and_others_are_found_by_synonym() -> None:
    for name in DAMAGE_NAMES + PART_NAMES:
        assert canonical_name(name) == name
    assert canonical_name("tire flat") == "tire_flat"
    assert canonical_name("ÇIZIK".lower()) == canonical_name("çizik") == "scratch"
    assert canonical_name("car") is None
    assert kind_of("wheel") == "part"


def test_the_picture_is_read_from_bytes_or_path(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    assert Sample(tmp_path / "a.jpg", "a.jpg").read() == Sample(b"picture", "a.jpg").read() == b"picture"


def test_what_is_known_of_a_photo_as_a_whole() -> None:
    for word, (vehicle, damage) in PHOTO_WORDS.items():
        assert photo_kind(Sample(b"", "a", vehicle=vehicle, damage=damage)) == word
    assert photo_kind(Sample(b"", "a", vehicle=True)) == "vehicle"
    assert photo_kind(Sample(b"", "a")) is None


def test_a_photo_is_as_bad_as_it_is_called_else_as_its_worst_damage() -> None:
    box = (0.0, 0.0, 1.0, 1.0)
    levels = [Annotation("dent", box, severity=level) for level in ("minor", "severe", None)]
    assert worst_severity(Sample(b"", "a", annotations=tuple(levels), severity="moderate")) == "moderate"
    assert worst_severity(Sample(b"", "a", annotations=tuple(levels))) == "severe"
    assert worst_severity(Sample(b"", "a", annotations=tuple(levels[2:]))) is None
    assert worst_severity(Sample(b"", "a", annotations=(Annotation("hood", box, severity="minor"),))) is None


def test_pieces_of_one_group_that_say_different_types_are_two_things() -> None:
    def piece(x: float, *said: tuple[str, str]) -> Annotation:
        return Annotation("damage", (x, 0, x + 1, 1), (np.array([[x, 0.0], [x + 1, 0.0], [x + 1, 1.0]]),), attributes=said)

    one, other = join_pieces([piece(0, ("kind", "dent")), piece(2, ("kind", "scratch"))], ["1", "1"])
    assert (len(one.polygons), len(other.polygons)) == (1, 1)
    # that one piece is hidden in part makes it no thing of its own
    (both,) = join_pieces([piece(0, ("kind", "dent")), piece(2, ("kind", "dent"), ("occluded", "true"))], ["1", "1"])
    assert (len(both.polygons), both.attributes) == (2, (("kind", "dent"), ("occluded", "true")))


def test_what_labels_say_of_a_photo() -> None:
    dent = Annotation("dent", (0, 0, 16, 16), severity="moderate")
    hood = Annotation("hood", (0, 0, 16, 16))
    assert has_vehicle(Sample(b"", "a.jpg", annotations=(hood,))) is True
    assert is_damaged(Sample(b"", "a.jpg", annotations=(hood,))) is None
    assert is_damaged(Sample(b"", "a.jpg", annotations=(dent,))) is True
    assert worst_severity(Sample(b"", "a.jpg", annotations=(dent, replace(dent, severity="minor"), hood))) == "moderate"
    assert worst_severity(Sample(b"", "a.jpg", annotations=(hood,))) is None
