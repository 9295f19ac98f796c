"""One bundle of members of several: what goes together, what comes along, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import dentify
from built_bundles import Build, member, other_bundle, other_onnx
from dentify.bundle import Bundle, Manifest, build_bundle, write_bundle
from dentify.bundle.manifest import Views
from dentify.errors import BundleError, ConfigError
from dentify.settings import Settings
from dentify.testing import TYPES, Damage, paint_photo, tiny_bundle, tiny_classifier, tiny_manifest
from tiny_tables import table_bundle

DENT = paint_photo(parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=[Damage("dent", (0.25, 0.25, 0.5, 0.5), 0.7)])


def test_each_role_answers_as_in_its_own_bundle_and_what_is_left_out_is_null(build: Build) -> None:
    tiny_bundle("a", thresholds={"vehicle": 0.9, "findings": dict.fromkeys(("dent", "scratch", "broken_part"), 0.5)})
    tiny_bundle("b.zip", calibration={"damage": {"bias": -1.0}, "findings": {"dent": {"x": [0, 1], "y": [0, 0.7]}}})
    bundle = build(vehicle_gate=["a"], damage=["b.zip"], parts=["a"])
    ours = dentify.load(bundle).assess(DENT)
    assert ours.vehicle == dentify.load("a").assess(DENT).vehicle
    assert ours.findings[0].confidence == dentify.load("b.zip").assess(DENT).findings[0].confidence
    assert [part.name for part in ours.parts] == ["hood"]
    assert (ours.damage, ours.severity, ours.types) == (None, None, None)
    manifest = bundle.manifest
    assert manifest.thresholds.vehicle == 0.9
    assert manifest.calibration.damage.bias == 0.0  # of a role that is left out
    assert set(manifest.calibration.findings) == {"dent"}
    assert (manifest.classes.severity, manifest.taxonomy.severity_levels) == ((), ())


def test_all_of_one_bundle_is_that_bundle(build: Build) -> None:
    own = Bundle.open(tiny_bundle("a", grouping={"part_upscale": 2, "min_cells": 2}, limits=["Knows no cars."])).manifest
    manifest = build(**{role: ["a"] for role, members in own.roles if members}).manifest
    told = {"name", "version", "description", "notes", "metrics"}
    assert manifest.model_dump(exclude=told) == own.model_dump(exclude=told)


def test_the_default_bundle_gives_members_too(build: Build) -> None:
    own = Bundle.open("default").manifest
    tiny_bundle("a")
    manifest = build(vehicle_gate=["default"], damage=["default"], parts=["a"]).manifest
    assert manifest.thresholds.findings == own.thresholds.findings
    assert manifest.grouping == own.grouping.model_copy(update={"part_upscale": 1})
    assert manifest.networks[0] == own.networks[0]
    assert manifest.weights == own.weights
    assert len(manifest.data) == len(own.data) + 1


def test_several_bundles_in_a_role_are_an_ensemble_by_weight(build: Build) -> None:
    tiny_bundle("a")
    other_bundle("b", other_onnx(vehicle_shift=-36.5), name="b")
    answers = [dentify.load(name).assess(DENT).vehicle for name in ("a", "b")]
    sure, unsure = (one.confidence if one.present else 1 - one.confidence for one in answers if one is not None)
    built = build(vehicle_gate=[{"bundle": "a", "weight": 3}, "b"], damage=["a"])
    told = dentify.load(built).assess(DENT).vehicle
    assert told is not None
    assert unsure < 0.5 < sure
    assert told.confidence == pytest.approx(0.75 * sure + 0.25 * unsure, abs=1e-3)  # told to three digits


def test_all_members_of_a_bundle_weigh_what_the_plan_says(build: Build) -> None:
    gates = tiny_manifest()["roles"]["vehicle_gate"]
    roles = tiny_manifest()["roles"] | {"vehicle_gate": [gates[0] | {"weight": 1.0}, gates[0] | {"weight": 3.0}]}
    tiny_bundle("a", roles=roles)
    tiny_bundle("b", name="b")
    members = build(vehicle_gate=[{"bundle": "a", "weight": 2}, "b"]).manifest.roles.vehicle_gate
    assert [one.weight for one in members] == [0.5, 1.5, 1.0]
    assert [one.weight for one in build(vehicle_gate=["a"]).manifest.roles.vehicle_gate] == [1.0, 3.0]


def test_the_same_network_twice_answers_as_once(build: Build) -> None:
    tiny_bundle("a")
    tiny_bundle("b", name="b")
    roles = [role for role, members in Bundle.open("a").manifest.roles if members]
    built = build(**{role: ["a", {"bundle": "b", "weight": 0.3}] for role in roles})
    ours, alone = dentify.load(built).assess(DENT), dentify.load("a").assess(DENT)
    assert ours.findings == alone.findings
    assert (ours.parts, ours.severity) == (alone.parts, alone.severity)


def test_what_was_made_for_one_alone_is_kept_from_the_heaviest_and_told(build: Build) -> None:
    findings = dict.fromkeys(("dent", "scratch", "broken_part"), 0.25)
    tiny_bundle("a")
    tiny_bundle("b", name="b", thresholds={"vehicle": 0.75, "findings": findings}, review={"sure_from": 0.5})
    even = build(vehicle_gate=["a", "b"], damage=["a"]).manifest
    assert even.thresholds.vehicle == 0.5
    of_gate, of_damage = even.notes[-2:]
    assert of_gate == (
        "vehicle_gate is answered by tiny 1.0.0 and b 1.0.0 together, whose thresholds and calibration were made for each alone: "
        "those of tiny 1.0.0 are kept; run `dentify bundle fit` on your own photos."
    )
    assert of_damage == (
        "Confidences and thresholds of damage are those of tiny 1.0.0 behind its own vehicle_gate and damage_gate, "
        "which are not the same here; run `dentify bundle fit` on your own photos."
    )
    heavier = build(vehicle_gate=["a", {"bundle": "b", "weight": 1.5}], damage=["b", "a"]).manifest
    assert heavier.thresholds.vehicle == 0.75
    assert heavier.thresholds.findings == findings
    assert (heavier.review.sure_from, heavier.review.weak_types) == (0.7, ("broken_part",))  # as careful as the most careful


def test_damage_behind_its_own_gates_needs_no_note(build: Build) -> None:
    tiny_bundle("a")
    tiny_bundle("b", name="b")
    Path("roles.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "built",
                "version": "1",
                "roles": {"vehicle_gate": ["a"], "damage_gate": ["a"], "damage": ["a"], "parts": ["b"]},
            }
        )
    )
    assert build_bundle(Path("roles.yaml")).notes == ()


def test_files_come_once_and_clashing_names_get_their_bundles(build: Build) -> None:
    tiny_bundle("a")
    tiny_bundle("twin", name="twin")
    other_bundle("b", other_onnx(vehicle_shift=1.0), name="B, the other!")
    tiny_classifier("c", name="tiny")
    built = build(vehicle_gate=["a"], damage_gate=["twin"], parts=["b"], types=["c"])
    assert sorted(built.files) == ["B-the-other-tiny.onnx", "tiny-tiny-2.onnx", "tiny-tiny.onnx"]
    roles = built.manifest.roles
    assert roles.vehicle_gate[0].file == roles.damage_gate[0].file == "tiny-tiny.onnx"
    assert built.files[roles.parts[0].file] == Bundle.open("b").files["tiny.onnx"]
    assert built.files[roles.types[0].file] == Bundle.open("c").files["tiny.onnx"]


def test_names_that_some_disks_take_for_one_get_their_bundles_too(build: Build) -> None:
    """On a Mac or Windows the folder would hold one of the two."""
    tiny_bundle("a", name="a")
    shifted = other_onnx(vehicle_shift=1.0)
    document = json.dumps(tiny_manifest() | {"name": "b"}).replace("tiny.onnx", "Tiny.onnx")
    write_bundle("b", Manifest.model_validate_json(document), {"Tiny.onnx": shifted})
    assert sorted(build(vehicle_gate=["a"], damage_gate=["b"]).files) == ["a-tiny.onnx", "b-Tiny.onnx"]


def test_one_network_that_is_shown_photos_in_two_ways_has_two_files(build: Build) -> None:
    tiny_bundle("a")
    network = tiny_manifest()["networks"][0]
    shown = network | {"preprocessing": network["preprocessing"] | {"resize": "letterbox"}}
    tiny_bundle("b", name="b", networks=[shown])
    built = build(vehicle_gate=["a"], damage_gate=["b"])
    assert {network.file: network.preprocessing.resize for network in built.manifest.networks} == {
        "tiny.onnx": "stretch",
        "tiny-2.onnx": "letterbox",
    }


def test_licences_data_limits_and_figures_come_along_and_the_card_tells_them(build: Build) -> None:
    tiny_bundle("a", limits=["Knows no cars."], metrics={"val": {"AP50": 0.5}})
    origin = {"name": "vgg16", "origin": "Keras", "licence": "CC BY 4.0"}
    other = other_bundle(
        "b", other_onnx(vehicle_shift=1.0), name="b", licence="CC-BY-4.0", weights=[origin], notes=["Made once."]
    )
    files = {**Bundle.open(other).files, "LICENSE.txt": b"as you like"}
    write_bundle("b", Bundle.open(other).manifest, files, overwrite=True)
    built = build({"licence": "MIT", "description": "Ours."}, damage=["a"], vehicle_gate=["b"])
    manifest = built.manifest
    assert manifest.licence == "MIT and CC-BY-4.0 and Apache-2.0"
    assert built.files["LICENSE.txt"] == b"as you like"
    assert manifest.data == Bundle.open("a").manifest.data  # the same row of both, once
    card = (Path("built") / "MODEL_CARD.md").read_text().splitlines()
    for line in (
        "Ours.",
        "Licence: MIT and CC-BY-4.0 and Apache-2.0.",
        "### tiny 1.0.0 alone, val",
        "- tiny 1.0.0: Knows no cars.",
        "- b 1.0.0: Made once.",
        "| vgg16 | CC BY 4.0 | Keras |",
        "- b-tiny.onnx comes from b 1.0.0 (licence: CC-BY-4.0).",
        "- tiny-tiny.onnx comes from tiny 1.0.0 (licence: Apache-2.0).",
        "- LICENSE.txt comes from b 1.0.0 (licence: CC-BY-4.0).",
    ):
        assert line in card, line
    assert (
        build(damage=["a"], vehicle_gate=["b"]).manifest.description == "Built of b 1.0.0 (vehicle_gate) and tiny 1.0.0 (damage)."
    )


def test_types_of_the_photo_beside_findings_are_taught_too(build: Build) -> None:
    two = tiny_manifest()["taxonomy"] | {"damage_types": ["dent", "scratch", "broken_part", "hail_mark"]}
    tiny_bundle("a", taxonomy=two)
    tiny_classifier("c", exclusive=True)
    built = build(damage=["a"], types=["c"])
    assert built.manifest.taxonomy.taught == ("dent", "scratch", "broken_part")
    assert built.manifest.not_judged == ("hail_mark", "crack", "glass_shatter", "lamp_broken", "tire_flat")
    assert built.manifest.calibration.types.exclusive
    told = dentify.load(built).assess(DENT).types
    assert told is not None
    assert [one.type for one in told] == ["dent"]


def letterboxed(**changes: Any) -> list[dict[str, Any]]:
    """`networks` of the tiny bundle, which keeps a photo's proportions."""
    network = tiny_manifest()["networks"][0]
    return [network | {"preprocessing": network["preprocessing"] | {"resize": "letterbox"} | changes}]


@pytest.mark.parametrize("which", ["grid", "letterbox"])
def test_maps_of_different_grids_meet_on_the_finest(build: Build, which: str) -> None:
    """And the manifest says so, or a Dentify that cannot do it would fail at the first photo."""
    tiny_bundle("a")
    if which == "grid":
        other_bundle("b", other_onnx(half="types"), name="b", **member("damage", output="types.half"))
    else:
        tiny_bundle("b", name="b", networks=letterboxed())
    built = build(damage=["a", "b"])
    assert built.manifest.combine == {"damage": "mean"}
    assert '"schema_version": "1.2"' in (Path("built") / "bundle.json").read_text()
    told, alone = (dentify.load(one).assess(DENT).findings for one in (built, "a"))
    assert [one.type for one in told] == ["dent"]
    np.testing.assert_allclose(told[0].box, alone[0].box, atol=2 * 768 / 64)
    again = build(damage=["built"])  # an ensemble comes along whole
    assert again.manifest.combine == {"damage": "mean"}


def test_maps_of_one_grid_need_no_newer_dentify(build: Build) -> None:
    tiny_bundle("a")
    other_bundle("b", other_onnx(vehicle_shift=1.0), name="b")
    assert build(damage=["a", "b"], parts=["a"]).manifest.combine == {}
    assert '"schema_version": "1.0"' in (Path("built") / "bundle.json").read_text()


def test_a_plan_may_let_maps_vote(build: Build) -> None:
    for name in "abc":
        other_bundle(name, other_onnx(words=name), name=name)
    voted = build({"combine": {"damage": "vote"}}, damage=["a", "b"], parts=["a", "b"])
    assert voted.manifest.combine == {"damage": "vote"}
    with pytest.raises(BundleError, match=r"roles\.damage: built is an ensemble by vote itself; name what it is made of$"):
        build(damage=["built", "c"])
    with pytest.raises(ConfigError, match=r"combine\.damage says how several maps become one; roles\.damage has fewer than two"):
        build({"combine": {"damage": "vote"}}, damage=["a"], vehicle_gate=["a", "b"])


def test_views_come_with_the_bundle_that_weighs_most_and_a_plan_may_name_its_own(build: Build) -> None:
    tiny_bundle("a", views={"damage": {"tiles": 2}, "vehicle_gate": {"mirrored": True}})
    tiny_bundle("b", name="b", views={"damage": {"tiles": 3}})
    heavier = {"bundle": "b", "weight": 2}
    assert build(damage=["a", "b"], parts=["a"]).manifest.views == {"damage": Views(tiles=2)}
    assert build(damage=["a", heavier], vehicle_gate=["a", "b"]).manifest.views == {
        "damage": Views(tiles=3),
        "vehicle_gate": Views(mirrored=True),
    }
    named = {"views": {"damage": {"tiles": "auto", "mirrored": True}}}
    assert build(named, damage=["a"]).manifest.views == {"damage": Views(tiles="auto", mirrored=True)}
    with pytest.raises(BundleError, match=r"views\.parts says how networks see a photo, roles\.parts has none"):
        build({"views": {"parts": {"tiles": 2}}}, damage=["a"])


def test_instances_beside_maps_leave_grouping_and_views_to_the_maps(build: Build) -> None:
    """They weigh more, so confidences and thresholds are theirs; of how maps become findings they say nothing."""
    tiny_bundle("maps", name="maps", grouping={"min_cells": 2, "upscale": 2}, views={"damage": {"tiles": 2}})
    table_bundle("table", thresholds={"findings": dict.fromkeys(TYPES, 0.25)})
    both = build(damage=["maps", {"bundle": "table", "weight": 2}]).manifest
    assert [(one.kind, one.weight) for one in both.roles.damage] == [("maps", 1), ("instances", 2)]
    assert (both.grouping.min_cells, both.grouping.upscale, both.views) == (2, 2, {"damage": Views(tiles=2)})
    assert set(both.thresholds.findings.values()) == {0.25}
    assert dentify.load("built").assess(DENT).findings


def test_bundles_lie_beside_the_plan_and_one_that_is_missing_is_named(build: Build) -> None:
    tiny_bundle("deep/er/a")
    Path("deep/roles.yaml").write_text("{name: n, version: '1', roles: {parts: [er/a]}}")
    assert build_bundle(Path("deep/roles.yaml")).manifest.roles.parts
    with pytest.raises(ConfigError, match=r"^none.yaml: cannot be read: No such file or directory$"):
        build_bundle(Path("none.yaml"))


def test_a_bundle_that_would_be_too_large_is_not_made() -> None:
    for number, name in enumerate("ab"):
        other_bundle(name, other_onnx(vehicle_shift=number, words="x" * 50_000), name=name)
    Path("roles.yaml").write_text("{name: n, version: '1', roles: {parts: [a, b]}}")
    with pytest.raises(
        BundleError, match=r"^roles.yaml: 10\d,\d{3} bytes, over the limit of 90,000; raise DENTIFY_MAX_BUNDLE_BYTES$"
    ):
        build_bundle(Path("roles.yaml"), settings=Settings(max_bundle_bytes=90_000))


def test_names_within_bundles_cannot_break_a_line(build: Build) -> None:
    tiny_bundle("a", name="evil\n\x1b[31m")
    tiny_bundle("b", name="b")
    built = build(parts=["a", "b"])
    assert "evil-31m-tiny.onnx" not in built.files  # the same network as b's: no clash
    other_bundle("c", other_onnx(vehicle_shift=1.0), name="../../x")
    assert sorted(build(parts=["a", "c"]).files) == ["evil-31m-tiny.onnx", "x-tiny.onnx"]
