"""One bundle of several: what goes together, what photos teach it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from other_networks import BLIND, MISLED, changed_bundle, changed_onnx
from painted_samples import painted

pytest.importorskip("onnx", reason="the tiny bundle needs the extra train")

import dentify
from dentify import Bundle
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.datasets import Sample
from dentify.errors import BundleError, DatasetError
from dentify.fitting.ensemble import Weights, costs_of, make_ensemble, shared_roles, tune_ensemble, weigh_members
from dentify.fitting.unwritten import unwritten
from dentify.runtime.networks import Answers, Networks
from dentify.settings import Settings
from dentify.testing import TYPES, Damage, paint_photo, tiny_classifier, tiny_manifest
from tiny_tables import table_bundle, table_onnx

DENT = paint_photo(parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5))])
Member = Callable[..., Bundle]


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """`member("a", vehicle_from=(1, 2), …)`: the tiny bundle with a network of its own."""

    def make(name: str, *, manifest: dict[str, Any] | None = None, **shifts: tuple[float, float]) -> Bundle:
        return changed_bundle(tmp_path / name, changed_onnx(words=name, **shifts), **(manifest or {}))

    return make


def roles(*names: str, **changes: Any) -> dict[str, Any]:
    """A manifest of these roles alone."""
    whole = tiny_manifest()
    classes = {key: names_of for key, names_of in whole["classes"].items() if key in names}
    told = "damage" in names
    taxonomy = whole["taxonomy"] | {
        "taught": whole["taxonomy"]["taught"] if told else [],
        "parts": whole["taxonomy"]["parts"] if "parts" in names else [],
        "severity_levels": whole["taxonomy"]["severity_levels"] if "severity" in names else [],
    }
    kept = {"roles": {name: whole["roles"][name] for name in names}, "classes": classes, "taxonomy": taxonomy}
    return kept | ({} if told else {"thresholds": {}, "review": {}}) | changes


def photos() -> list[Sample]:
    """Of dents and scratches, sound cars and streets."""
    damaged = [painted(f"{number}.png", [(("dent", "scratch")[number % 2], 1.0)]) for number in range(30)]
    sound = [painted(f"sound-{number}.png") for number in range(12)]
    return [*damaged, *sound, *(painted(f"street-{number}.png", vehicle=False, labelled=()) for number in range(12))]


def opened(made: Any, where: str = "made") -> Bundle:
    return unwritten(made.manifest, made.files, where=where)


def test_what_several_answer_is_shared_and_the_rest_comes_along(member: Member) -> None:
    several = [member("a"), member("b", manifest=roles("vehicle_gate", "damage")), member("c", manifest=roles("vehicle_gate"))]
    assert shared_roles(several) == {"vehicle_gate": [0, 1, 2], "damage": [0, 1]}
    made = make_ensemble(several, name="abc", version="2.0.0").manifest
    assert (made.name, made.version) == ("abc", "2.0.0")
    counts = {role: [one.weight for one in members] for role, members in made.roles if members}
    assert counts == {
        "vehicle_gate": pytest.approx([1 / 3] * 3),
        "damage": [0.5, 0.5],
        "damage_gate": [1.0],
        "parts": [1.0],
        "severity": [1.0],
    }


def test_answers_are_those_of_all_in_the_mean(member: Member) -> None:
    several = [member("a"), member("b", vehicle_from=(1, 37.0))]
    alone = [Networks(one.manifest, one.files, threads=1, where="b").ask(DENT) for one in several]
    made = make_ensemble(several, name="ab", version="1")
    told = Networks(made.manifest, made.files, threads=1, where="b").ask(DENT)
    likely = [1 / (1 + np.exp(-one.vehicle)) for one in (*alone, told) if one.vehicle is not None]
    assert likely[2] == pytest.approx((likely[0] + likely[1]) / 2, abs=1e-5)
    assert likely[1] < 0.3
    np.testing.assert_allclose(told.types, alone[0].types, atol=1e-5)


def test_maps_vote_where_that_is_asked_for_and_labels_do_not(member: Member) -> None:
    made = make_ensemble([member("a"), member("b"), member("c", **BLIND)], name="abc", version="1", how="vote")
    assert made.manifest.combine == dict.fromkeys(("damage", "parts", "severity"), "vote")
    assert [one.type for one in dentify.load(opened(made)).assess(DENT).findings] == ["dent"]  # two of three see it


def test_weights_decide_and_who_counts_for_nothing_is_left_out(member: Member) -> None:
    several = [member("a"), member("b", **BLIND)]
    weights = Weights({"damage": (1.0, 0.0), "vehicle_gate": (0.25, 0.75)})
    made = make_ensemble(several, name="ab", version="1", how="vote", weights=weights).manifest
    assert len(made.roles.damage) == 1
    assert [one.weight for one in made.roles.vehicle_gate] == [0.25, 0.75]
    assert [one.weight for one in made.roles.parts] == [1.0, 1.0]  # of which nothing was said
    assert "damage" not in made.combine


@pytest.fixture
def teller(tmp_path: Path) -> Member:
    """`teller("a", **BLIND)`: the same, telling damage as instances."""
    return lambda name, **shifts: table_bundle(tmp_path / name, table_onnx(words=name, **shifts))


def test_members_that_tell_instances_are_weighed_and_the_whole_is_fitted(teller: Member) -> None:
    several = [teller("a"), teller("b", **BLIND)]
    tuned = tune_ensemble(several, photos(), name="ab", version="1.0.0", threads=1)
    assert tuned.weights.of["damage"] == (1.0, 0.0)
    assert tuned.fitted.figures["dent/AP50"] == 1.0
    assert set(tuned.fitted.manifest.calibration.findings) == set(TYPES)
    assert not any("damage" in note for note in tuned.weights.notes)


def test_members_that_tell_the_same_instances_count_the_same(teller: Member) -> None:
    weights = weigh_members([teller("a"), teller("b")], photos(), threads=1)
    assert weights.of["damage"] == (0.5, 0.5)
    assert "members count the same in damage: other weights are no better on photos that they were not fitted to" in weights.notes


@pytest.mark.parametrize("maps_first", [True, False])
def test_instances_and_maps_are_weighed_by_the_things_that_they_find(member: Member, teller: Member, maps_first: bool) -> None:
    def weights_of(maps: Bundle, tables: Bundle) -> tuple[float, ...]:
        several = [maps, tables] if maps_first else [tables, maps]
        return weigh_members(several, photos(), threads=1).of["damage"]

    assert weights_of(member("a"), teller("b", **BLIND)) == ((1.0, 0.0) if maps_first else (0.0, 1.0))
    assert weights_of(member("c", **BLIND), teller("d")) == ((0.0, 1.0) if maps_first else (1.0, 0.0))


def test_instances_and_maps_are_fitted_together(member: Member, teller: Member) -> None:
    tuned = tune_ensemble([teller("a"), member("b")], photos(), name="ab", version="1.0.0", threads=1)
    whole = unwritten(tuned.fitted.manifest, tuned.files, where="ab")
    assert {one.kind for one in whole.manifest.roles.damage} == {"instances", "maps"}
    assert tuned.fitted.figures["mean/AP50"] == 1.0
    told = dentify.load(whole).assess(photos()[0].image).findings
    assert [(one.type, one.confidence > 0.9) for one in told] == [("dent", True)]


def test_instances_and_maps_of_other_classes_make_no_ensemble(member: Member, tmp_path: Path) -> None:
    turned = table_bundle(tmp_path / "turned", **OTHERS["turned"])
    with pytest.raises(
        BundleError, match="turned disagree on damage: classes differ: their order is dent, scratch, broken_part and"
    ):
        make_ensemble([member("a"), turned], name="e", version="1")


def test_only_maps_vote(member: Member, teller: Member) -> None:
    def combined(*several: Bundle) -> dict[str, str]:
        return dict(make_ensemble(several, name="e", version="1", how="vote").manifest.combine)

    assert "damage" not in combined(teller("a"), member("b"))
    assert combined(teller("c"), member("d"), member("e"))["damage"] == "vote"


def test_parts_as_instances_are_weighed_by_outlined_parts(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none are outlined they count the same, as of maps."""
    several = [as_instances(member(name), "parts") for name in "ab"]
    hood = np.concatenate([[0, 0, 0.5, 0.5, 0.9, 0, 0], np.full(INSTANCE_MASK**2, 5)]).astype(np.float32)[None]
    told = Answers(0.0, 0.0, np.zeros((len(TYPES), 8, 8), np.float32), {}, None, None, None, part_tables=((1.0, hood),))
    monkeypatch.setattr(Networks, "ask", lambda *_, **__: told)
    weights = weigh_members(several, [painted("sound.png")])
    assert weights.of["parts"] == (0.5, 0.5)
    assert "members count the same in parts: too few photos tell of it (0, it takes 20)" in weights.notes


def as_instances(bundle: Bundle, role: str) -> Bundle:
    """As if its network told a role as instances; it cannot be asked."""
    members = tuple(one.model_copy(update={"kind": "instances", "auxiliary": {}}) for one in getattr(bundle.manifest.roles, role))
    told = bundle.manifest.roles.model_copy(update={role: members})
    return replace(bundle, manifest=bundle.manifest.model_copy(update={"roles": told}))


WHOLE = tiny_manifest()
PARTS_OF_OTHERS = ["hood", "front_bumper", "roof"]
OTHERS: dict[str, dict[str, Any]] = {
    "gate": roles("vehicle_gate"),
    "turned": {"classes": WHOLE["classes"] | {"damage": ["scratch", "dent", "broken_part"]}},
    "roofs": {
        "classes": WHOLE["classes"] | {"parts": PARTS_OF_OTHERS},
        "taxonomy": WHOLE["taxonomy"] | {"parts": PARTS_OF_OTHERS},
    },
}
DIFFERENT_QUESTIONS = (
    "c answers no question that another bundle does (a answers vehicle_gate, damage_gate, damage, parts, severity; gate answers "
    "vehicle_gate; c answers types); an ensemble is of bundles that answer the same, and `dentify bundle build` makes one of "
    "bundles that answer different questions"
)
ANOTHER_ORDER = (
    "a and turned disagree on damage: classes differ: their order is dent, scratch, broken_part and scratch, dent, broken_part; "
    "leave one out, or say in a plan for `dentify bundle build` which of them answers damage"
)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "an ensemble takes two bundles or more"),
        (["a"], "a is a again; name each bundle once"),
        (["gate", "c"], DIFFERENT_QUESTIONS),
        (["turned"], ANOTHER_ORDER),
        (["roofs"], "a and roofs disagree on parts: classes differ: only a names front_left_door and only roofs names roof;"),
    ],
)
def test_what_makes_no_ensemble_is_one_line(
    others: list[str], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    first = changed_bundle("a", changed_onnx(words="a"))
    given = [first]
    for name in others:
        if name == "c":
            given.append(Bundle.open(tiny_classifier("c")))
        else:
            given.append(first if name == "a" else changed_bundle(name, changed_onnx(words=name), **OTHERS[name]))
    with pytest.raises(BundleError) as caught:
        make_ensemble(given, name="e", version="1")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bundles_of_the_same_networks_make_none(member: Member, tmp_path: Path) -> None:
    """As one that was fitted, and one before."""
    one = member("a")
    fitted = changed_bundle(tmp_path / "b", one.files["tiny.onnx"], calibration={"vehicle": {"bias": 1.0}})
    with pytest.raises(
        BundleError, match=r"b and .*a have the same networks, so together they say what one says; name one of them"
    ):
        make_ensemble([one, fitted], name="e", version="1")


def test_photos_say_who_counts_question_by_question(member: Member) -> None:
    """One sees no damage, the other takes cars for streets."""
    blind, misled = member("blind", **BLIND), member("misled", **MISLED)
    seen: list[None] = []
    weights = weigh_members([blind, misled], photos(), threads=1, on_photo=lambda: seen.append(None))
    assert len(seen) == len(photos())
    assert weights.of["damage"] == (0.0, 1.0)
    assert weights.of["vehicle_gate"] == (1.0, 0.0)
    assert weights.of["parts"] == weights.of["severity"] == (0.5, 0.5)
    assert weights.notes == (
        "members count the same in parts: too few photos tell of it (0, it takes 20)",
        "members count the same in severity: too few photos tell of it (0, it takes 20)",
    )


def test_too_few_photos_change_no_weight(member: Member) -> None:
    few = photos()[:19]
    weights = weigh_members([member("a"), member("b", **BLIND)], few, threads=1)
    assert set(weights.of.values()) == {(0.5, 0.5)}
    assert (
        weights.notes[0]
        == "members count the same in vehicle_gate: too few photos (19 of yes and 0 of no, it takes 10 of either)"
    )
    assert "members count the same in damage: too few photos tell of it (19, it takes 20)" in weights.notes
    alike = [painted(f"{number}.png", [("dent", 1.0)], group="one") for number in range(25)]
    assert "damage: too few photos tell of it (1," in " ".join(
        weigh_members([member("c"), member("d", **BLIND)], alike, threads=1).notes
    )


def test_members_that_are_as_good_count_the_same(member: Member) -> None:
    weights = weigh_members([member("a"), member("b")], photos(), threads=1)
    assert weights.of["damage"] == (0.5, 0.5)
    assert "members count the same in damage: other weights are no better on photos that they were not fitted to" in weights.notes


def test_a_vote_is_weighed_as_it_is_cast(member: Member) -> None:
    several = [member("a"), member("b", types_b=(1, 12.0)), member("c", **BLIND)]  # b sees damage everywhere
    weights = weigh_members(several, photos(), how="vote", threads=1)
    assert weights.of["damage"][0] > 0.9


def test_severity_is_weighed_by_what_is_told_of_damages(member: Member) -> None:
    labelled = []
    for number in range(24):
        one = painted(f"{number}.png", [("dent", (0.7, 1.0)[number % 2])])
        (dent,) = one.annotations
        labelled.append(replace(one, annotations=(replace(dent, severity=("minor", "severe")[number % 2]),)))
    turned = member("turned", severity_w=(-1, 0.0), severity_b=(-1, 0.0))
    assert weigh_members([member("a"), turned], labelled, threads=1).of["severity"] == (1.0, 0.0)


def test_the_whole_is_fitted_and_says_who_answers(member: Member) -> None:
    several = [member("a"), member("b", **BLIND)]
    tuned = tune_ensemble(several, photos(), name="ab", version="1.0.0", threads=1)
    manifest = tuned.fitted.manifest
    assert tuned.weights.of["damage"] == (1.0, 0.0)
    assert tuned.fitted.figures["dent/AP50"] == 1.0
    assert manifest.calibration.vehicle.temperature != 1.0
    assert "damage is answered by a 1.0.0 (1.00); weights are of 54 photos of its user's." in manifest.notes
    assert "In that, members count the same in parts: too few photos tell of it (0, it takes 20)." in manifest.notes
    assert not any("run `dentify bundle fit`" in note for note in manifest.notes)
    assert tuned.notes == (*tuned.weights.notes, *tuned.fitted.notes)
    assert [one.type for one in dentify.load(unwritten(manifest, tuned.files, where="ab")).assess(DENT).findings] == ["dent"]


def test_the_same_photos_and_seed_give_the_same_bundle(member: Member) -> None:
    several = [member("a"), member("b", types_b=(1, 0.5))]
    first, again = (
        tune_ensemble(several, photos(), name="ab", version="1", seed=3, threads=1, workers=workers) for workers in (1, 3)
    )
    assert first.weights == again.weights
    assert first.fitted.manifest == again.fitted.manifest


def test_parts_alone_are_weighed_and_nothing_else_is_fitted(member: Member) -> None:
    several = [member("a", manifest=roles("parts")), member("b", manifest=roles("parts"))]
    tuned = tune_ensemble(several, photos()[:3], name="ab", version="1", threads=1)
    assert tuned.fitted.figures == {}
    assert tuned.fitted.manifest.roles.parts[0].weight == 0.5


def test_without_photos_there_is_nothing_to_fit(member: Member) -> None:
    with pytest.raises(DatasetError, match=r"^no photo to fit weights to$"):
        weigh_members([member("a"), member("b")], [])


def test_costs_are_those_of_all(member: Member, tmp_path: Path) -> None:
    several = [member("a"), member("b")]
    made = make_ensemble(several, name="ab", version="1")
    whole = changed_bundle(tmp_path / "ab", changed_onnx())
    costs = costs_of([*several, whole], photos()[:1], settings=Settings(), threads=1)
    assert [one.where for one in costs] == [str(tmp_path / name) for name in ("a", "b", "ab")]
    assert costs[0].size_bytes == len(several[0].files["tiny.onnx"])
    assert all(one.latency_ms > 0 for one in costs)
    assert sum(map(len, made.files.values())) == sum(one.size_bytes for one in costs[:2])
