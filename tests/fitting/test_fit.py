"""The whole fit, on painted photos and the tiny bundle, which knows them by heart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the tiny bundle needs the extra train")

import dentify
from dentify import Bundle
from dentify.bundle.manifest import GateCalibration, Roles, SeverityCalibration
from dentify.datasets import Annotation, Sample
from dentify.errors import BundleError, DatasetError
from dentify.fitting.fit import Fitted, check_fittable, check_names, fit_bundle, fit_seen
from dentify.fitting.seeing import Seen, look_at
from dentify.runtime.networks import Networks
from dentify.settings import Settings
from dentify.testing import tiny_manifest, tiny_onnx
from painted_cars import bundle_with, damaged, everything
from tiny_tables import TABLE, table_bundle


def test_findings_that_are_never_right_are_told_no_more(fitted: Fitted) -> None:
    assert (fitted.before["told"], fitted.figures["told"]) == (pytest.approx(50 / 48, abs=0.01), pytest.approx(25 / 48, abs=0.01))
    assert fitted.figures["dent/AP50"] == 1.0
    assert fitted.figures["any/iou"] > 0.9 > fitted.before["any/iou"]


def test_a_mirrored_photo_counts_as_much(fitted: Fitted) -> None:
    """Half of the views are mirrored: with the truth on the wrong side no more than half of all dents would be found."""
    assert fitted.before["dent/AP50"] == 1.0


def test_what_is_fitted_stands_in_the_manifest(tiny: Bundle, fitted: Fitted) -> None:
    manifest = fitted.manifest
    assert manifest.grouping.scorer is not None
    assert set(manifest.calibration.findings) == set(tiny.manifest.classes.damage)
    assert manifest.calibration.vehicle != GateCalibration()
    assert manifest.calibration.damage != GateCalibration()
    same = {"grouping", "calibration", "thresholds"}
    assert manifest.model_dump(exclude=same) == tiny.manifest.model_dump(exclude=same)
    assert fitted.photos == 48


def test_what_the_photos_tell_nothing_of_stays_and_a_note_says_so(tiny: Bundle, fitted: Fitted) -> None:
    assert fitted.notes == (
        "severity stays: 0 photos of known severity, it takes 13",
        "thresholds of scratch, broken_part stay: fewer than 5 are annotated",
    )
    assert fitted.manifest.thresholds.findings["scratch"] == 0.5
    assert fitted.manifest.calibration.severity == tiny.manifest.calibration.severity


def test_the_same_photos_give_the_same_fit(tiny: Bundle, fitted: Fitted) -> None:
    assert fit_bundle(tiny, everything(), seed=0, workers=3) == fitted


def test_each_photo_is_reported(tiny: Bundle) -> None:
    seen: list[str] = []
    fit_bundle(tiny, everything(), on_photo=lambda sample: seen.append(sample.name))
    assert seen == [f"{number}.png" for number in range(48)]


def test_damage_alone_is_enough(tiny: Bundle) -> None:
    roles = {"damage": tiny_manifest()["roles"]["damage"]}
    classes = {"damage": tiny_manifest()["classes"]["damage"]}
    taxonomy = tiny_manifest()["taxonomy"] | {"parts": [], "severity_levels": []}
    bundle = bundle_with(tiny, roles=roles, classes=classes, taxonomy=taxonomy)
    fitted = fit_bundle(bundle, map(damaged, range(25)))
    assert fitted.figures["told"] == 1.0
    assert fitted.manifest.calibration.vehicle == GateCalibration()
    assert fitted.notes == ("thresholds of scratch, broken_part stay: fewer than 5 are annotated",)


def test_a_letterbox_leaves_a_grid_that_is_not_square(tiny: Bundle, fitted: Fitted) -> None:
    """A photo of 192 × 128 fills 64 × 43 cells; its findings are the same as when it is stretched.

    The tiny network takes the filling below for a vehicle.
    """
    (network,) = tiny_manifest()["networks"]
    boxed = bundle_with(tiny, networks=[network | {"preprocessing": network["preprocessing"] | {"resize": "letterbox"}}])
    networks = Networks(boxed.manifest, boxed.files, threads=1, where="tiny")
    as_it_is, mirrored = look_at(networks, boxed.manifest, damaged(0), seed=0, close_ups=0, settings=Settings()).evidence
    assert as_it_is.truth.shape == mirrored.truth.shape == (3, 43, 64)
    assert (as_it_is.truth[0, :, ::-1] == mirrored.truth[0]).all()
    for seen in (as_it_is, mirrored):
        assert sorted((seen.ious.max(1) > 0.8).tolist()) == [False, True]
    again = fit_bundle(boxed, everything())
    assert again.figures["dent/AP50"] == 1.0
    assert again.figures["told"] == fitted.figures["told"]
    assert again.notes[0] == "the vehicle gate stays: it tells these photos apart hardly better than chance"


def test_gates_alone_are_enough(tiny: Bundle) -> None:
    document = tiny_manifest()
    gates = {gate: document["roles"][gate] for gate in ("vehicle_gate", "damage_gate")}
    taxonomy = document["taxonomy"] | {"taught": [], "parts": [], "severity_levels": []}
    bundle = bundle_with(tiny, roles=gates, classes={}, taxonomy=taxonomy, thresholds={}, review={})
    fitted = fit_bundle(bundle, everything())
    assert fitted.manifest.calibration.vehicle != GateCalibration()
    assert (fitted.figures, fitted.before, fitted.notes) == ({}, {}, ())


def whole_types(tiny: Bundle) -> Bundle:
    """A bundle of gates and types of the photo as a whole."""
    document = tiny_manifest(photo_types=True)
    roles = {role: document["roles"][role] for role in ("vehicle_gate", "damage_gate", "types")}
    types = document["classes"]["types"]
    return bundle_with(
        Bundle(tiny.manifest, "", {"tiny.onnx": tiny_onnx(photo_types=True)}, "tiny"),
        roles=roles,
        classes={"types": types},
        taxonomy=document["taxonomy"] | {"parts": [], "severity_levels": []},
        thresholds={"types": dict.fromkeys(types, 0.3)},
        calibration={"types": {"temperature": 3.0}},
    )


def test_types_of_the_photo_are_fitted_where_photos_show_and_do_not_show_them(tiny: Bundle) -> None:
    bundle = whole_types(tiny)
    fitted = fit_bundle(bundle, everything())
    before, after = bundle.manifest.thresholds.types, fitted.manifest.thresholds.types
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    kept = {note.partition(" ")[0] for note in fitted.notes if "of a photo as a whole keeps its threshold" in note}
    assert {name for name in after if after[name] == before[name]} == kept
    assert 0 < len(kept) < len(after)
    assert fitted.manifest.calibration.types.temperature != 3.0


def test_photos_without_outlines_fit_gates_and_leave_findings(tiny: Bundle) -> None:
    boxed = [replace(one, annotations=(Annotation("dent", (24, 0, 48, 16)),)) for one in everything()[:25]]
    fitted = fit_bundle(tiny, [*boxed, *everything()[25:]])
    assert fitted.manifest.calibration.damage != GateCalibration()
    assert fitted.manifest.thresholds.findings == tiny.manifest.thresholds.findings
    assert "findings stay: 0 photos with outlines, it takes 20" in fitted.notes


def test_nothing_to_fit_is_one_line(tiny: Bundle) -> None:
    with pytest.raises(DatasetError, match="no photo to fit to"):
        fit_bundle(tiny, [])
    with pytest.raises(DatasetError, match=r"^nothing can be fitted to 1 photo: the vehicle gate stays: 1 photo with a vehicle"):
        fit_bundle(tiny, [damaged(0)])


def test_labels_of_other_types_are_refused_with_the_nearest(tiny: Bundle) -> None:
    odd = [replace(one, annotations=(replace(one.annotations[0], name="dnt"),)) for one in map(damaged, range(2))]
    with pytest.raises(DatasetError, match=r"the labels name dnt; the bundle was taught dent, scratch.*; did you mean `dent`\?"):
        fit_bundle(tiny, odd)
    check_names(["hail_mark", "dent"], ["dent"])
    check_names([], ["dent"])


def test_a_bundle_without_anything_to_fit_is_refused(tiny: Bundle) -> None:
    with pytest.raises(BundleError, match="has no gate, damage or severity, so nothing can be fitted"):
        check_fittable(replace(tiny, manifest=tiny.manifest.model_copy(update={"roles": Roles()})))
    parts = Roles(parts=tiny.manifest.roles.parts)  # their one threshold is no type's
    with pytest.raises(BundleError, match="has no gate, damage or severity, so nothing can be fitted"):
        check_fittable(replace(tiny, manifest=tiny.manifest.model_copy(update={"roles": parts})))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return table_bundle(tmp_path_factory.mktemp("table") / "table")


NO_SCORER = "no scorer is fitted: what networks tell as instances comes with scores of its own"


def test_instances_are_fitted_as_findings_of_maps_are(table: Bundle, fitted: Fitted) -> None:
    """The doubtful dent has a score of 0.88 and is never right; what is told as it is, is as sure as it was right."""
    whole = fit_bundle(table, everything(), seed=0)
    assert (whole.before["told"], whole.figures["told"]) == (fitted.before["told"], fitted.figures["told"])
    assert whole.figures["dent/AP50"] == 1.0
    assert whole.figures["any/iou"] > 0.95 > 0.6 > whole.before["any/iou"]
    dent = whole.manifest.calibration.findings["dent"]
    assert np.interp([0.88, 1.0], dent.x, dent.y).round(1).tolist() == [0.1, 1.0]
    assert whole.manifest.grouping.scorer is None
    assert whole.notes == (
        "severity stays: 0 photos of known severity, it takes 13",
        NO_SCORER,
        "thresholds of scratch, broken_part stay: fewer than 5 are annotated",
    )


def test_fitted_instances_are_told_so(table: Bundle) -> None:
    whole = fit_bundle(table, everything(), seed=0)
    photo = damaged(0).image
    told = [
        [(one.type, round(one.confidence, 1)) for one in dentify.load(bundle).assess(photo).findings]
        for bundle in (table, replace(table, manifest=whole.manifest))
    ]
    assert told == [[("dent", 1.0), ("dent", 0.9)], [("dent", 1.0)]]


def test_damage_as_instances_alone_is_fitted_and_its_photos_are_judged_by_no_gate(table: Bundle) -> None:
    """Whether a photo shows damage at all is a gate's to say; without one it is null, as with maps."""
    document = tiny_manifest()
    alone = bundle_with(
        table,
        roles={"damage": [TABLE]},
        classes={"damage": document["classes"]["damage"]},
        taxonomy=document["taxonomy"] | {"parts": [], "severity_levels": []},
    )
    whole = fit_bundle(alone, map(damaged, range(25)))
    assert whole.figures["told"] == 1.0
    assert (whole.manifest.thresholds.damage, whole.manifest.calibration.damage) == (0.5, GateCalibration())
    assert dentify.load(replace(alone, manifest=whole.manifest)).assess(damaged(0).image).damage is None


def test_instances_beside_maps_are_fitted_as_they_are_fused(table: Bundle) -> None:
    """A lone dent of the table has half of a score; both of a photo are there from both."""
    maps = tiny_manifest()["roles"]["damage"][0]
    both = bundle_with(table, roles=tiny_manifest()["roles"] | {"damage": [maps, TABLE]})
    whole = fit_bundle(both, everything(), seed=0)
    assert whole.figures["dent/AP50"] == 1.0
    assert whole.figures["told"] == pytest.approx(25 / 48, abs=0.01)
    assert NO_SCORER in whole.notes


def test_few_outlines_leave_instances_as_they_are(table: Bundle) -> None:
    few = [*map(damaged, range(19)), *everything()[25:]]
    whole = fit_bundle(table, few)
    assert whole.manifest.thresholds.findings == table.manifest.thresholds.findings
    assert whole.manifest.calibration.findings == {}
    assert "findings stay: 19 photos with outlines, it takes 20" in whole.notes
    assert NO_SCORER not in whole.notes


def test_severity_takes_a_temperature_from_photos_that_tell_it(tiny: Bundle) -> None:
    levels = [(np.float32([6.0, 0.0, 0.0]), 0 if number % 3 else 1) for number in range(30)]
    fitted = fit_seen(Seen(levels=levels), tiny.manifest, photos=15, seed=0)
    assert fitted.manifest.calibration.severity.temperature > 2
    assert fitted.manifest.calibration.severity != SeverityCalibration()


def test_a_broken_picture_ends_it_with_its_name(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.png"):
        fit_bundle(tiny, [Sample(b"no picture", "a.png", vehicle=True, where="labels.json")])
