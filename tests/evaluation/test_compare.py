"""Bundles on the same photos, with paired intervals."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dentify
from dentify.errors import DatasetError, InputError
from dentify.evaluation import Comparison, compare, comparison_table, evaluate
from dentify.evaluation.results import ComparedFigure
from dentify.testing import TYPES, tiny_bundle, tiny_classifier, tiny_manifest
from painted_samples import mixed_samples, painted

Open = Callable[..., dentify.Assessor]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def whole(folder: Path) -> dentify.Assessor:
    return dentify.load(tiny_bundle(folder / "whole", photo_types=True), threads=1)


@pytest.fixture(scope="module")
def strict(folder: Path) -> dentify.Assessor:
    """Another that tells less."""
    thresholds = {"findings": dict.fromkeys(TYPES, 0.99), "damage": 0.99, "types": 0.99}
    return dentify.load(tiny_bundle(folder / "strict", photo_types=True, thresholds=thresholds, version="2.0.0"), threads=1)


@pytest.fixture(scope="module")
def gate(folder: Path) -> dentify.Assessor:
    """One that tells vehicles from other things, and nothing else."""
    return dentify.load(only(folder / "gate", "vehicle_gate"), threads=1)


def only(path: Path, role: str) -> Path:
    known = {"damage_types": ["dent"], "taught": []}
    roles = {role: tiny_manifest()["roles"][role]}
    return tiny_bundle(path, roles=roles, classes={}, taxonomy=known, thresholds={}, review={})


def figure(comparison: Comparison, question: str, name: str, of: str = "") -> ComparedFigure:
    (found,) = [one for one in comparison.figures if (one.question, one.figure, one.of) == (question, name, of)]
    return found


def test_a_bundle_and_itself_differ_by_nothing(whole: dentify.Assessor) -> None:
    comparison = compare([whole, whole], mixed_samples(), resamples=100)
    assert {one.question for one in comparison.figures} == {"vehicle", "damage", "types", "findings"}
    for one in comparison.figures:
        assert one.values[0] == one.values[1]
        assert one.differences[0] is None
        difference = one.differences[1]
        if one.values[0] is not None:
            assert difference is not None
            assert difference.value == 0.0
            assert difference.interval in ((0.0, 0.0), None)
    spread = figure(comparison, "damage", "accuracy").values[0]
    assert spread is not None
    assert spread.interval is not None
    assert spread.interval[0] < spread.interval[1]  # the figure itself is unsure, its difference is not


def test_figures_are_those_of_an_evaluation(whole: dentify.Assessor, strict: dentify.Assessor) -> None:
    comparison = compare([whole, strict], mixed_samples(), resamples=50)
    for place, assessor in enumerate((whole, strict)):
        alone = evaluate(assessor, mixed_samples(), resamples=50)
        assert alone.damage is not None
        assert alone.damage.any_damage is not None
        damage = alone.classification["damage"]
        for name, mean in (
            ("accuracy", damage.accuracy),
            ("AUROC", damage.auroc),
            ("F1 of damaged", damage.per_class["damaged"].f1),
        ):
            told = figure(comparison, "damage", name).values[place]
            assert told is not None
            assert (told.value, told.interval) == (mean.value, mean.interval)
        for name, mean in (
            ("pixel IoU", alone.damage.means["pixel_iou"]["taught"]),
            ("mask AP50", alone.damage.means["mask_AP50"]["taught"]),
            ("pixel IoU of any damage", alone.damage.any_damage.iou),
        ):
            told = figure(comparison, "findings", name).values[place]
            assert told is not None
            assert (told.value, told.interval) == (mean.value, mean.interval)


def test_differences_are_of_the_same_resampled_photos(whole: dentify.Assessor, strict: dentify.Assessor) -> None:
    """Each photo that one gets right and the other wrong counts by itself; the photos that both get wrong widen nothing."""
    samples = [*mixed_samples(), *(painted(f"hard{n}.png", [("dent", 1.0)], annotated=[]) for n in range(12))]
    comparison = compare([whole, strict], samples, resamples=400)
    accuracy = figure(comparison, "damage", "accuracy")
    one, other, difference = accuracy.values[0], accuracy.values[1], accuracy.differences[1]
    assert one is not None
    assert other is not None
    assert difference is not None
    assert difference.value == pytest.approx(other.value - one.value)  # type: ignore[operator]
    assert difference.interval is not None
    assert one.interval is not None
    width, unpaired = np.ptp(difference.interval), np.ptp(one.interval)
    assert 0 < width < unpaired


def test_what_only_one_judges_stands_beside_nothing(whole: dentify.Assessor, gate: dentify.Assessor) -> None:
    comparison = compare([gate, whole], mixed_samples(), resamples=5)
    vehicle, damage = figure(comparison, "vehicle", "AUROC"), figure(comparison, "damage", "AUROC")
    assert vehicle.values[0] == vehicle.values[1]
    assert damage.values[0] is None
    assert damage.values[1] is not None
    assert damage.differences == (None, None)
    assert figure(comparison, "findings", "mask AP50", "dent").values[1] is not None
    assert comparison.photos.annotated == 9
    assert [one.letter for one in comparison.bundles] == ["A", "B"]
    assert all(one.size is not None and one.latency is not None for one in comparison.bundles)


def test_exclusive_types_and_others_are_compared_type_by_type(folder: Path) -> None:
    loose = dentify.load(tiny_classifier(folder / "loose"), threads=1)
    exclusive = dentify.load(tiny_classifier(folder / "exclusive", exclusive=True), threads=1)
    mixed = compare([exclusive, loose], mixed_samples(), resamples=5)
    assert figure(mixed, "types", "AUROC", "dent").differences[1] is not None
    assert mixed.notes == ()
    alike = compare([exclusive, exclusive], mixed_samples(), resamples=5)
    assert alike.notes == ("types: 4 photos do not tell which of the types they show",)
    accuracy = figure(alike, "types", "accuracy").values[0]
    assert accuracy is not None
    assert accuracy.value == pytest.approx(5 / 6)  # the odd one is wrong


def test_means_are_over_the_types_that_all_were_taught(folder: Path, whole: dentify.Assessor) -> None:
    document: dict[str, Any] = tiny_manifest()
    renamed = ["dent", "scratch", "hail_mark"]
    changes = {
        "classes": document["classes"] | {"damage": renamed},
        "taxonomy": document["taxonomy"] | {"damage_types": renamed, "taught": renamed},
        "thresholds": {"findings": dict.fromkeys(renamed, 0.5)},
        "review": {},
    }
    other = dentify.load(tiny_bundle(folder / "other", **changes), threads=1)
    comparison = compare([other, whole], mixed_samples(), resamples=5)
    assert {one.of for one in comparison.figures if one.question == "findings"} == {"", "dent", "scratch"}
    (one, two) = figure(comparison, "findings", "mask AP50").values
    assert one == two


def test_workers_change_no_figure(whole: dentify.Assessor, strict: dentify.Assessor) -> None:
    one, several = (compare([whole, strict], mixed_samples(), resamples=5, workers=workers) for workers in (1, 3))
    assert one.figures == several.figures


def test_bundles_look_first_in_turn(whole: dentify.Assessor, strict: dentify.Assessor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks second finds file and caches warm: that must not make one bundle seem the faster."""
    looks: list[str] = []
    for letter, assessor in (("A", whole), ("B", strict)):
        look = assessor.look

        def noted(*given: Any, letter: str = letter, look: Any = look, **more: Any) -> Any:
            looks.append(letter)
            return look(*given, **more)

        monkeypatch.setattr(assessor, "look", noted)
    compare([whole, strict], mixed_samples()[:4], resamples=2)
    assert "".join(looks) == "ABBAABBA"


def test_the_table_marks_what_lies_outside_chance(whole: dentify.Assessor, strict: dentify.Assessor) -> None:
    samples = [painted(f"{n}.png", [("dent", 0.6)]) for n in range(20)]
    lines = comparison_table(compare([whole, strict], samples, resamples=20)).splitlines()
    assert lines[0].startswith("A: ")
    assert any(re.fullmatch(r"accuracy +1\.000 +0\.000 +-1\.000 \[-1\.000, -1\.000\] \*", line) for line in lines)
    assert any(line.startswith("parameters ") for line in lines)
    assert "note: damage: no photo is known as undamaged: not all can be measured" in lines


def test_bundles_without_a_role_in_common_are_refused(folder: Path, gate: dentify.Assessor) -> None:
    types = dentify.load(tiny_classifier(folder / "types"), threads=1)
    with pytest.raises(InputError) as caught:
        compare([gate, types], mixed_samples(), paths=["a", "b"])
    assert str(caught.value) == "b judges types, a vehicle gate: they have nothing in common to compare"
    with pytest.raises(InputError, match="compare takes 2 to 26 bundles, got 1"):
        compare([gate], mixed_samples())


def test_photos_that_say_nothing_of_what_is_judged_are_refused(gate: dentify.Assessor) -> None:
    with pytest.raises(DatasetError, match="no photo to compare on"):
        compare([gate, gate], [])
    nothing = painted("a.png", vehicle=True, labelled=())
    unknown = [type(nothing)(nothing.image, "a.png")]
    with pytest.raises(DatasetError, match="nothing to compare by: no photo is labelled with anything that these bundles judge"):
        compare([gate, gate], unknown)
