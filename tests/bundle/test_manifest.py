"""`bundle.json`: what is refused, and the one line that says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle import Manifest, parse_manifest
from dentify.bundle.manifest import FEATURES
from dentify.errors import BundleError
from dentify.testing import tiny_manifest


def parse(document: Any) -> Manifest:
    return parse_manifest(json.dumps(document).encode(), where="b/bundle.json")


def test_a_manifest_survives_writing_and_reading(document: dict[str, Any]) -> None:
    manifest = parse(document)
    assert parse_manifest(manifest.to_json().encode(), where="again") == manifest


def test_types_that_were_not_taught_are_not_judged(document: dict[str, Any]) -> None:
    assert parse(document).not_judged == ("crack", "glass_shatter", "lamp_broken", "tire_flat")


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change that sets one key, given as a path with dots."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        target: Any = document
        for key in parents:
            target = target[int(key) if key.isdigit() else key]
        target[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(put("licens", "MIT"), "unknown key `licens`; did you mean `licence`?", id="unknown key"),
        pytest.param(
            put("roles.damage.0.wieght", 1),
            "unknown key `roles.damage[0].wieght`; did you mean `weight`?",
            id="unknown key deep inside",
        ),
        pytest.param(
            put("calibration.findings", {"dent": {"x": [0, 1], "y": [0, 1], "z": []}}),
            "unknown key `calibration.findings.dent.z`; known are x, y",
            id="unknown key under a free key",
        ),
        pytest.param(lambda d: d.pop("licence"), "`licence` is missing", id="missing key"),
        pytest.param(
            put("networks.0.preprocessing.std", [5e-324, 1.0, 1.0]),
            "must be 0.000001 or more, got 4.94066e-324",
            id="a deviation that makes infinite numbers of pixels",
        ),
        pytest.param(
            put("networks.0.preprocessing.mean", [1e300, 0.0, 0.0]), "less than or equal to 1000000", id="a mean beyond"
        ),
        pytest.param(put("grouping.radii", []), "grouping.radii: ", id="no radius to group by"),
        pytest.param(
            put("thresholds.vehicle", "0.5"), 'thresholds.vehicle: input should be a valid number, got "0.5"', id="wrong type"
        ),
        pytest.param(
            put("thresholds.vehicle", 1.5), "thresholds.vehicle: input should be less than or equal to 1, got 1.5", id="range"
        ),
        pytest.param(
            put("roles.damage.0.kind", "pickle"), "roles.damage[0].kind: input should be 'maps'", id="kind outside the closed set"
        ),
        pytest.param(
            put("roles.damage.0.kind", "embedding"),
            "roles.damage[0].kind is 'embedding', this Dentify takes maps or instances there: update Dentify",
            id="kind without a decoder yet",
        ),
        pytest.param(
            put("networks.0.preprocessing.resize", "crop"), "networks[0].preprocessing.resize: input should be", id="resize"
        ),
        pytest.param(
            put("networks.0.preprocessing.std", [1, 1, 0]), "std[2]: input should be greater than 0, got 0", id="no division by 0"
        ),
        pytest.param(put("files.0.name", "../tiny.onnx"), "files[0].name: string should match pattern", id="path traversal"),
        pytest.param(put("files.0.name", "/etc/passwd"), "files[0].name: string should match pattern", id="absolute path"),
        pytest.param(put("files.0.name", "model.pkl"), "'model.pkl' is not a kind of file that a bundle may hold", id="pickle"),
        pytest.param(
            put("roles.parts.0.file", "other.onnx"), "roles.parts names 'other.onnx', which is not in networks", id="no network"
        ),
        pytest.param(
            put("networks.0.file", "other.onnx"), "networks names 'other.onnx', which is not in files", id="unlisted network"
        ),
        pytest.param(
            put("classes.damage", ["dent"]), "classes.damage must name broken_part, dent, scratch", id="classes are the taught"
        ),
        pytest.param(
            put("taxonomy.taught", ["hail"]), "taught names 'hail', which is not in damage_types", id="taught but unknown"
        ),
        pytest.param(
            put("thresholds.findings", {"dent": 0.5}), "thresholds.findings has no entry for broken_part, scratch", id="threshold"
        ),
        pytest.param(put("review.weak_types", ["rust"]), "review.weak_types names 'rust'", id="weak type"),
        pytest.param(
            put("calibration.findings", {"dent": {"x": [0, 0.5, 0.5], "y": [0, 0.5, 1]}}),
            "x must rise and y must not fall",
            id="curve",
        ),
        pytest.param(
            put("classes.severity", ["severe", "moderate", "minor"]), "must go from mild to bad", id="levels out of order"
        ),
        pytest.param(put("metrics", {"val": {"AP50": "high"}}), "metrics.val", id="metric that is no number"),
        pytest.param(
            put("schema_version", "2.0"), "written for schema 2.0, this Dentify reads 1.x: update Dentify", id="newer schema"
        ),
        pytest.param(
            put("schema_version", 1), 'schema_version is missing or no text; this Dentify reads "1.2"', id="version no text"
        ),
    ],
)
def test_a_wrong_manifest_is_refused_in_one_line(document: dict[str, Any], change: Callable[[Any], None], message: str) -> None:
    change(document)
    with pytest.raises(BundleError) as caught:
        parse(document)
    text = str(caught.value)
    assert text.startswith("b/bundle.json: ")
    assert message in text
    assert "\n" not in text


def test_an_unknown_key_of_a_newer_minor_schema_says_so(document: dict[str, Any]) -> None:
    assert parse({**document, "schema_version": "1.7"}).schema_version == "1.7"
    with pytest.raises(BundleError, match=r"unknown key `novelty`.*\(written for schema 1\.7: update Dentify\)"):
        parse({**document, "schema_version": "1.7", "novelty": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b'{"name": "x",\n "version"', "not valid JSON at line 2, column 11", id="truncated"),
        pytest.param(b"", "not valid JSON at line 1, column 1", id="empty"),
        pytest.param(b"[]", "must hold a JSON object, got list", id="list"),
        pytest.param(b'{"name": 1, "name": 2}', "holds 'name' twice", id="key twice"),
        pytest.param(b'{"name": NaN}', "NaN is not a number", id="NaN"),
        pytest.param(b'{"name": "\xff"}', "not a manifest: 'utf-8' codec", id="not UTF-8"),
        pytest.param(b"[" * 200_000, "not a manifest", id="absurdly deep"),
    ],
)
def test_text_that_is_no_manifest_is_refused_in_one_line(text: bytes, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(text, where="b/bundle.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_a_bundle_error(data: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(data, where="b")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    )
)
def test_any_value_of_any_key_is_a_manifest_or_a_bundle_error(value: Any) -> None:
    for key in tiny_manifest():
        document = {"schema_version": "1.0", **tiny_manifest(), key: value}
        try:
            parse_manifest(json.dumps(document).encode(), where="b")
        except BundleError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either outcome is right, a line break in it is not


def test_levels_rise(document: dict[str, Any]) -> None:
    document["grouping"] = {"levels": [0.5, 0.3]}
    with pytest.raises(BundleError, match=r"levels must rise, got \[0.5, 0.3\]"):
        parse(document)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": FEATURES[::-1]}, "features are not those that this Dentify tells a scorer, in their order: update Dentify"),
        ({"mean": [0.0] * len(FEATURES)}, "mean, std, weights and biases do not fit each other"),
        ({}, "grouping.scorer must take its features and one number a class of damage"),
    ],
)
def test_a_scorer_is_told_what_it_expects(document: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    width = len(FEATURES) + len(document["classes"]["damage"]) + (0 if changes else 1)
    scorer = {"mean": [0.0] * width, "std": [1.0] * width, "weights": [[[0.0] * width]], "biases": [[0.0]]}
    document["grouping"] = {"scorer": {"features": FEATURES, **scorer, **changes}}
    with pytest.raises(BundleError, match=message):
        parse(document)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": 1e-300}, r"grouping\.scorer\.std\[0\]: must be 0\.000001 or more, got 1e-300"),
        ({"weights": [[1e300]]}, r"grouping\.scorer\.weights\[0\]\[0\]\[0\]: input should be less than or equal to 1000000"),
        ({"mean": -1e300}, r"grouping\.scorer\.mean\[0\]: input should be greater than or equal to -1000000"),
        ({"biases": [1e300]}, r"grouping\.scorer\.biases\[0\]\[0\]: input should be less than or equal to 1000000"),
    ],
    ids=["deviation", "weight", "mean", "bias"],
)
def test_a_scorer_whose_scores_would_be_no_numbers_is_refused(
    document: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    """No finding would ever be told, and nothing would say why."""
    width = len(FEATURES) + len(document["classes"]["damage"])
    scorer: dict[str, Any] = {"mean": [0.0] * width, "std": [1.0] * width, "weights": [[[0.0] * width]], "biases": [[0.0]]}
    for key, value in changes.items():
        scorer[key][0] = [[*value[0], *[0.0] * (width - 1)]] if key == "weights" else value
    document["grouping"] = {"scorer": {"features": FEATURES, **scorer}}
    with pytest.raises(BundleError, match=message):
        parse(document)


def test_members_of_an_ensemble_name_the_same_auxiliary_outputs(document: dict[str, Any]) -> None:
    first = document["roles"]["damage"][0]
    document["roles"]["damage"] = [first, {**first, "auxiliary": {"centres": "parts"}}]
    with pytest.raises(BundleError, match="must name the same auxiliary outputs"):
        parse(document)


# Types of the photo as a whole


@pytest.fixture
def classifier() -> dict[str, Any]:
    """A manifest that tells types of the photo and nothing else."""
    whole = tiny_manifest(photo_types=True)
    return whole | {
        "schema_version": "1.1",
        "roles": {"types": whole["roles"]["types"]},
        "classes": {"types": ["scratch", "dent"]},
        "taxonomy": {"damage_types": ["dent", "scratch", "crack"], "taught": ["dent", "scratch"]},
        "thresholds": {},
        "review": {"weak_types": ["dent"]},
    }


def test_a_bundle_may_tell_types_of_the_photo_and_nothing_else(classifier: dict[str, Any]) -> None:
    manifest = parse(classifier)
    assert (manifest.not_judged, manifest.found_types, manifest.counted_types) == (("crack",), (), ("crack",))
    assert (manifest.thresholds.types, manifest.calibration.types.temperature) == (0.5, 1.0)
    assert manifest.output_shape("types", manifest.roles.types[0]) == (1, 2)
    assert parse_manifest(manifest.to_json().encode(), where="again") == manifest


def test_findings_and_the_photo_may_tell_different_types(document: dict[str, Any]) -> None:
    document["roles"]["types"] = tiny_manifest(photo_types=True)["roles"]["types"]
    document["classes"]["types"] = ["crack", "dent"]
    document["taxonomy"]["taught"] = ["dent", "scratch", "crack", "broken_part"]
    manifest = parse(document)
    assert manifest.not_judged == ("glass_shatter", "lamp_broken", "tire_flat")
    assert manifest.found_types == ("dent", "scratch", "broken_part")
    assert "crack" not in manifest.counted_types
    document["taxonomy"]["taught"] = ["dent", "scratch", "broken_part"]
    with pytest.raises(BundleError, match=r"classes\.types must name dent in the order of the channels, got crack, dent"):
        parse(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("classes.types", ["dent"]), "classes.types must name dent, scratch in the order of the channels, got dent"),
        (put("classes.types", ["dent", "dent"]), "classes.types holds 'dent' twice"),
        (put("taxonomy.taught", []), "classes.types must name nothing in the order of the channels, got dent, scratch"),
        (put("roles.types", []), "classes.types must name nothing in the order of the channels, got dent, scratch"),
        (put("thresholds.types", {"dent": 0.5}), "thresholds.types has no entry for scratch"),
        (put("thresholds.types", {"rust": 0.5}), "thresholds.types names 'rust', which is not in classes.types"),
        (put("thresholds.types", 1.5), "thresholds.types: input should be less than or equal to 1, got 1.5"),
        (put("calibration", {"types": {"temperature": 0}}), "calibration.types.temperature: input should be greater than 0"),
        (put("roles.types.0.kind", "maps"), "roles.types[0].kind is 'maps', this Dentify takes labels there"),
        (put("review.weak_types", ["crack"]), "review.weak_types names 'crack'"),
    ],
)
def test_wrong_types_of_the_photo_are_refused(classifier: dict[str, Any], change: Callable[[Any], None], message: str) -> None:
    change(classifier)
    with pytest.raises(BundleError) as caught:
        parse(classifier)
    assert message in str(caught.value)


def test_exclusive_types_have_one_threshold_and_are_two_at_least(classifier: dict[str, Any]) -> None:
    classifier["calibration"] = {"types": {"exclusive": True}}
    assert parse({**classifier, "thresholds": {"types": 0.4}}).calibration.types.exclusive
    with pytest.raises(BundleError, match=r"thresholds\.types must be one number where calibration\.types\.exclusive is true"):
        parse({**classifier, "thresholds": {"types": {"dent": 0.5, "scratch": 0.5}}})
    one = {"classes": {"types": ["dent"]}, "taxonomy": {"damage_types": ["dent"], "taught": ["dent"]}}
    with pytest.raises(BundleError, match=r"classes\.types must name at least two types that exclude each other"):
        parse({**classifier, **one})


def test_only_a_bundle_that_tells_types_of_the_photo_needs_the_newer_schema() -> None:
    plain = json.loads(Manifest.model_validate(tiny_manifest()).to_json())
    assert plain["schema_version"] == "1.0"
    assert not any("types" in plain[key] for key in ("roles", "classes", "thresholds", "calibration"))
    typed = json.loads(Manifest.model_validate(tiny_manifest(photo_types=True)).to_json())
    assert typed["schema_version"] == "1.1"
    assert typed["classes"]["types"] == ["dent", "scratch", "broken_part"]
    assert json.loads(Manifest.model_validate(tiny_manifest() | {"schema_version": "1.7"}).to_json())["schema_version"] == "1.7"


# How maps of several become one


def two_of(role: str) -> dict[str, Any]:
    """The tiny manifest with the only member of a role twice."""
    roles = tiny_manifest()["roles"]
    return {"roles": roles | {role: roles[role] * 2}}


def test_only_a_bundle_that_says_how_maps_become_one_needs_the_newest_schema() -> None:
    plain = json.loads(Manifest.model_validate(tiny_manifest() | two_of("parts")).to_json())
    assert (plain["schema_version"], "combine" in plain) == ("1.0", False)
    document = tiny_manifest() | two_of("parts") | {"combine": {"parts": "vote"}}
    voted = Manifest.model_validate(document)
    written = json.loads(voted.to_json())
    assert (written["schema_version"], written["combine"]) == ("1.2", {"parts": "vote"})
    assert "types" not in written["roles"]
    assert parse_manifest(voted.to_json().encode(), where="again").combine == voted.combine
    later = Manifest.model_validate(document | {"schema_version": "1.10"}).to_json()
    assert json.loads(later)["schema_version"] == "1.10"


@pytest.mark.parametrize(
    ("combine", "message"),
    [
        ({"damage": "vote"}, "combine.damage says how several maps become one, roles.damage has fewer than two"),
        ({"parts": "median"}, "combine.parts: input should be 'mean' or 'vote'"),
        ({"vehicle_gate": "vote"}, "combine"),
    ],
)
def test_what_maps_cannot_become_is_refused(document: dict[str, Any], combine: dict[str, str], message: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse(document | two_of("parts") | {"combine": combine})
    assert message in str(caught.value)


# How else networks see a photo


def test_instances_are_not_looked_for_in_a_mirror(document: dict[str, Any]) -> None:
    told = [document["roles"]["damage"][0] | {"kind": "instances", "auxiliary": {}}]
    document["roles"] |= {"damage": told}
    with pytest.raises(BundleError, match=r"views\.damage\.mirrored is for maps and labels, roles\.damage has none"):
        parse(document | {"views": {"damage": {"mirrored": True}}})


def test_maps_in_an_ensemble_name_the_same_auxiliary_outputs_and_instances_none(document: dict[str, Any]) -> None:
    maps = document["roles"]["damage"][0] | {"auxiliary": {"centres": "types"}}
    bare = maps | {"auxiliary": {}}
    document["roles"] |= {"damage": [bare | {"kind": "instances"}, maps]}
    assert len(parse(document).roles.damage) == 2
    document["roles"] |= {"damage": [bare, maps]}
    with pytest.raises(BundleError, match="must name the same auxiliary outputs"):
        parse(document)


def test_a_bundle_that_says_how_else_a_photo_is_seen_needs_the_newest_schema(document: dict[str, Any]) -> None:
    manifest = parse(document | {"views": {"damage": {"tiles": "auto", "mirrored": True}, "vehicle_gate": {"mirrored": True}}})
    written = json.loads(manifest.to_json())
    assert written["schema_version"] == "1.2"
    assert written["views"]["damage"] == {"tiles": "auto", "mirrored": True}
    assert parse_manifest(manifest.to_json().encode(), where="again").views == manifest.views
    assert "views" not in json.loads(parse(document).to_json())


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ({"damage": {"tiles": 1}}, "views.damage.tiles: must be auto, or 2 to 8 along the photo's shorter side, got 1"),
        ({"damage": {"tiles": 9}}, "views.damage.tiles: must be auto, or 2 to 8 along the photo's shorter side, got 9"),
        ({"damage": {"tiles": "many"}}, "views.damage.tiles: must be auto, or 2 to 8 along the photo's shorter side, got many"),
        ({"damage": {}}, "views.damage: must name tiles or mirrored; leave the role out"),
        ({"types": {"mirrored": True}}, "views.types says how networks see a photo, roles.types has none"),
        ({"vehicle_gate": {"tiles": 2}}, "views.vehicle_gate.tiles is for maps, roles.vehicle_gate has none"),
        ({"parts": {"mirrored": True}}, "views.parts.mirrored names 'front_right_door', which is not in classes.parts"),
        ({"report": {"mirrored": True}}, "views"),
    ],
)
def test_views_that_cannot_be_are_refused(document: dict[str, Any], views: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse(document | {"views": views})
    assert message in str(caught.value)


def test_a_figure_of_nothing_is_null_in_json() -> None:
    """`NaN` is no JSON, and ends whoever reads it."""
    figures = {"val": {"iou": float("nan"), "dent": 0.1}}
    manifest = Manifest.model_validate(tiny_manifest()).model_copy(update={"metrics": figures})  # as export does
    assert "NaN" not in manifest.to_json()
    assert json.loads(manifest.to_json())["metrics"] == {"val": {"iou": None, "dent": 0.1}}
