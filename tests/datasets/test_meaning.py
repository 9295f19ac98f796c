"""What labels say of a photo: vehicle, damage, types, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from dentify.datasets import LabelMap, open_dataset
from dentify.errors import DatasetError
from small_labels import LABELME, annotated, write


@pytest.mark.parametrize("word", ["Car", "truck", "araba"])
def test_an_outline_of_a_vehicle_says_that_one_is_there_and_nothing_of_damage(root: Path, word: str) -> None:
    data = open_dataset(write(root / "a.json", annotated(word)))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.damages, sample.parts) == (True, None, (), ())
    assert [(one.name, one.kind) for one in sample.annotations] == [(word, "other")]
    assert data.unknown == {word: 1}
    data = open_dataset(data.path, labels=LabelMap({word: "vehicle"}, others="refused"))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.annotations) == (True, None, ())
    assert sum(data.adjustments.counts.values()) == 1


@pytest.mark.parametrize("word", ["license plate", "person", "reflection", "0", "hail_mark", "xyz"])
@pytest.mark.parametrize("others", ["known", "kept", "refused"])
def test_a_word_that_nobody_explained_says_nothing(root: Path, word: str, others: Literal["known", "kept", "refused"]) -> None:
    data = open_dataset(write(root / "a.json", annotated(word)), labels=LabelMap(others=others))
    (sample,) = data
    assert (sample.vehicle, sample.damage, sample.damages) == (None, None, ())
    assert data.unknown == {word: 1}
    assert "1 label that is not mapped" in str(data.unmapped())


def test_a_bundles_own_names_are_known(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated("hail_mark")), labels=LabelMap(own=frozenset({"hail_mark"})))
    assert (sample.damage, [one.name for one in sample.damages]) == (True, ["hail_mark"])


@pytest.mark.parametrize("word", ["__ignore__", "_background_"])
def test_what_tools_leave_alone_is_left_out_and_told(root: Path, word: str) -> None:
    data = open_dataset(write(root / "a.json", annotated("dent", word)), labels=LabelMap(others="kept"))
    (sample,) = data
    assert [one.name for one in sample.annotations] == ["dent"]
    assert sample.labelled == {"dent", "crack"}
    assert list(data.adjustments.counts.values()) == [1]
    assert data.words() == {"dent": 1}


def test_what_a_map_leaves_out_is_counted(root: Path) -> None:
    data = open_dataset(write(root / "a.json", annotated("dent", "airbag")), labels=LabelMap({"airbag": None}))
    assert [len(sample.annotations) for sample in data] == [1]
    assert data.adjustments.counts == {"annotations are left out, as the label map says": 1}


@pytest.mark.parametrize(
    ("names", "vehicle", "damage"),
    [(["dent"], True, True), (["hood"], True, None), (["hood", "scrape"], True, True), ([], None, None)],
)
def test_annotations_tell_of_vehicle_and_damage(root: Path, names: list[str], vehicle: bool | None, damage: bool | None) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated(*names)))
    assert (sample.vehicle, sample.damage) == (vehicle, damage)


@pytest.mark.parametrize("mark", ["unsure", "other_car"])
def test_what_is_to_be_ignored_tells_of_no_damage(root: Path, mark: str) -> None:
    document = annotated("dent")
    document["annotations"][0][mark] = True
    (sample,) = open_dataset(write(root / "a.json", document))
    assert (sample.vehicle, sample.damage) == (True, None)
    document["images"][0]["damage"] = False  # what is unsure does not contradict it
    (sample,) = open_dataset(write(root / "a.json", document))
    assert (sample.vehicle, sample.damage, len(sample.ignored)) == (True, False, 1)


def test_severity_of_a_photo_tells_of_damage_and_is_told_by_labels(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated(severity="minor")))
    assert (sample.severity, sample.vehicle, sample.damage) == ("minor", True, True)
    (sample,) = open_dataset(write(root / "a.json", annotated(labels=["02-moderate"])))
    assert (sample.severity, sample.damage, sample.labels) == ("moderate", True, ("moderate",))
    (sample,) = open_dataset(write(root / "a.json", annotated(labels=["minor", "severe"])))
    assert (sample.severity, sample.damage) == (None, True)  # which of them is it?


def test_a_type_without_a_box_is_absent_only_where_it_is_labelled(root: Path) -> None:
    (sample,) = open_dataset(write(root / "a.json", annotated("dent")))
    assert [sample.knows(name) for name in ("dent", "crack", "scratch")] == [True, True, False]


def test_a_label_map_may_say_what_its_source_labels(root: Path) -> None:
    labels = LabelMap(labelled=frozenset({"scratch"}))
    (sample,) = open_dataset(write(root / "a.json", annotated("dent")), labels=labels)
    assert sample.labelled == {"scratch"}


def test_what_a_map_leaves_out_is_gone_and_unknown(root: Path) -> None:
    labels = LabelMap({"airbag": None, "Gocuk": "dent"}, others="refused")
    data = open_dataset(write(root / "a.json", annotated("airbag", "Gocuk")), labels=labels)
    data.check_labels()
    (sample,) = data
    assert [(one.name, one.original) for one in sample.annotations] == [("dent", "Gocuk")]
    assert sample.labelled == {"dent", "crack"}


CONTRADICTIONS = {
    "damage on an undamaged photo": ("whole", ["dent"], r"has annotated damage \(dent\) and is labelled undamaged"),
    "parts of no vehicle": ("no_car", ["hood"], "has annotations of a vehicle and is labelled no_vehicle"),
    "damage without a vehicle": ("no_car", ["dent"], r"has annotated damage \(dent\) and is labelled no_vehicle"),
    "both at once": ("whole damaged", [], "is labelled undamaged and damaged"),
    "severity of nothing": ("whole 02-moderate", [], "is labelled undamaged and moderate"),
    "a type of nothing": ("whole scratch", [], "is labelled undamaged and scratch"),
}


@pytest.mark.parametrize(("words", "names", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_photo_that_contradicts_itself_is_told(root: Path, words: str, names: list[str], message: str) -> None:
    shapes = [{**LABELME["shapes"][0], "label": name} for name in names]
    flags = dict.fromkeys(words.split(), True)
    write(root / "a.json", {**LABELME, "shapes": shapes, "flags": flags})
    with pytest.raises(DatasetError, match=rf"a.json: a.jpg contradicts itself: {message}$"):
        list(open_dataset(root))
    errors: list[DatasetError] = []
    assert list(open_dataset(root, on_invalid=errors.append)) == []
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("names", "annotated", "damage"),
    [(["undamaged"], [], False), (["No Damage", "hood"], ["hood"], False), (["undamaged", "dent"], ["dent"], True)],
    ids=["alone", "beside a part", "beside a damaged car"],
)
def test_an_outline_that_is_called_undamaged_is_no_damage(
    root: Path, names: list[str], annotated: list[str], damage: bool
) -> None:
    write(root / "a.json", {**LABELME, "shapes": [{**LABELME["shapes"][0], "label": name} for name in names]})
    data = open_dataset(root)
    (sample,) = data
    assert ([one.name for one in sample.annotations], sample.vehicle, sample.damage) == (annotated, True, damage)
    assert sample.labelled == frozenset(annotated)
    assert data.notes == ['annotations such as "undamaged" outline no damage; where a photo has no other, it counts as undamaged']
    (kept,) = open_dataset(root, labels=LabelMap(others="kept"))
    assert [one.name for one in kept.annotations] == names


def test_an_undamaged_photo_may_show_parts(root: Path) -> None:
    shapes = [{**LABELME["shapes"][0], "label": "hood"}]
    write(root / "a.json", {**LABELME, "shapes": shapes, "flags": {"whole": True}})
    (sample,) = open_dataset(root)
    assert (sample.vehicle, sample.damage) == (True, False)
