"""A whole evaluation, its figures worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import dentify
from dentify.assessment import Assessment
from dentify.datasets import Sample
from dentify.errors import DatasetError
from dentify.evaluation import Evaluation, evaluate, evaluation_table
from dentify.testing import tiny_bundle, tiny_classifier, tiny_manifest
from painted_samples import mixed_samples, painted

Make = Callable[..., Any]
TAUGHT = ("dent", "scratch", "broken_part")
LEFT, RIGHT = (0, 0, 10, 10), (30, 0, 40, 10)


@pytest.fixture
def two_photos(make_sample: Make, make_assessment: Make) -> tuple[list[Sample], list[Assessment]]:
    """A dent found and one missed; a scratch told twice, once beside it; each photo with its own labels."""
    samples = [
        make_sample("a", [("dent", LEFT, "minor"), ("dent", RIGHT, "severe")], labelled=["dent", "scratch"], source="x"),
        make_sample("b", [("scratch", LEFT)], labelled=["scratch"]),
    ]
    assessments = [
        make_assessment("a", [("dent", 0.8, LEFT, "minor"), ("dent", 0.1, RIGHT, "moderate")], severity="minor"),
        make_assessment("b", [("scratch", 0.9, (20, 20, 30, 30)), ("scratch", 0.6, LEFT), ("dent", 0.7, (45, 5, 50, 10))]),
    ]
    return samples, assessments


@pytest.fixture
def run(two_photos: tuple[list[Sample], list[Assessment]], scripted: Make) -> Callable[..., Evaluation]:
    """Evaluates the two photos and more."""

    def evaluated(samples: list[Sample] | None = None, assessments: list[Assessment] | None = None, **how: Any) -> Evaluation:
        samples, assessments = [*two_photos[0], *(samples or [])], [*two_photos[1], *(assessments or [])]
        return evaluate(scripted(assessments), iter(samples), **{"taught": TAUGHT, "resamples": 50} | how)

    return evaluated


def test_ap_is_taken_from_low_confidences_and_the_rest_from_what_is_told(run: Callable[..., Evaluation]) -> None:
    result = run()
    assert result.damage is not None
    dent, scratch = result.damage.names["dent"], result.damage.names["scratch"]
    assert dent.mask is not None
    assert pytest.approx(1.0) == dent.mask.AP50  # the second dent is told at 0.1 only
    assert (dent.told.right, dent.told.wrong, dent.told.missed) == (1, 0, 1)
    assert dent.pixels.iou == pytest.approx(0.5)
    assert scratch.mask is not None
    assert pytest.approx(0.5) == scratch.mask.AP50  # right in the second place: precision ½ at all recalls
    assert (scratch.told.right, scratch.told.wrong, scratch.told.missed) == (1, 1, 0)
    assert scratch.pixels.iou == pytest.approx(100 / 200)
    assert scratch.pixels.precision == pytest.approx(0.5)
    assert scratch.pixels.recall == pytest.approx(1.0)
    assert (dent.photos, scratch.photos) == (1, 2)


def test_given_a_threshold_everything_is_taken_from_that_pass(run: Callable[..., Evaluation]) -> None:
    result = run(score_threshold=0.01, gates=False, scoring_threshold=None)
    assert result.settings.told == result.settings.scored
    assert result.damage is not None
    assert result.damage.names["dent"].told.right == 2
    told_only = run(scoring_threshold=None)
    assert told_only.damage is not None
    assert told_only.damage.names["dent"].mask is not None
    assert pytest.approx(51 / 101) == told_only.damage.names["dent"].mask.AP50


def test_photos_are_looked_at_once_and_annotated_ones_told_twice(
    two_photos: tuple[list[Sample], list[Assessment]], scripted: Make, make_assessment: Make
) -> None:
    assessor = scripted([*two_photos[1], make_assessment("c")])
    evaluate(assessor, [*two_photos[0], Sample(b"", "c", vehicle=True, damage=False)], taught=TAUGHT, resamples=2)
    assert assessor.seen == ["a", "b", "c"]
    assert assessor.told == [
        ("a", None, True),
        ("a", 0.01, False),
        ("b", None, True),
        ("b", 0.01, False),
        ("c", None, True),
        ("c", None, False),  # damaged, but nowhere: its gate's own confidence, which the report does not tell
    ]


def test_close_ups_are_cut_from_photos_of_undamaged_vehicles_alone(
    two_photos: tuple[list[Sample], list[Assessment]], scripted: Make, make_assessment: Make
) -> None:
    grey = cv2.imencode(".png", np.full((96, 96, 3), 128, np.uint8))[1].tobytes()
    answers = [make_assessment(name, damage=0.2) for name in ("c", "c#crop1", "c#crop2")]
    assessor = scripted([*two_photos[1], *answers])
    samples = [*two_photos[0], Sample(grey, "c", vehicle=True, damage=False)]
    result = evaluate(assessor, samples, taught=TAUGHT, resamples=2, crops=2)
    assert assessor.seen == ["a", "b", "c", "c#crop1", "c#crop2"]
    assert (result.photos.undamaged, result.photos.undamaged_crops) == (1, 2)


def test_types_that_a_photo_does_not_label_are_left_out(run: Callable[..., Evaluation]) -> None:
    result = run()
    assert result.damage is not None
    assert result.damage.names["dent"].told.wrong == 0  # the dent told on b, where dents are unknown
    whole = result.damage.any_damage
    assert whole is not None
    # a: 100 of 200 found; b: 100 of 100 found and 100 beside it; b's dent lies on no true damage and is left out
    assert whole.iou.value == pytest.approx(200 / 400)
    assert whole.precision == pytest.approx(200 / 300)
    assert result.counting is not None
    assert result.counting.findings.value == 1.0  # a: 1 of 2; b: 2 scratches of 1, its dent not counted


def test_means_are_over_taught_types_that_occur(run: Callable[..., Evaluation]) -> None:
    result = run()
    assert result.damage is not None
    means = result.damage.means
    assert means["mask_AP50"]["taught"].over == ("dent", "scratch")
    assert means["mask_AP50"]["taught"].value == pytest.approx(0.75)
    assert means["pixel_iou"]["common"].value == pytest.approx(0.5)
    only_dents = run(taught=("dent",)).damage
    assert only_dents is not None
    assert only_dents.means["mask_AP50"]["taught"].over == ("dent",)
    assert not only_dents.names["scratch"].taught


def test_means_hold_their_value_within_the_interval(run: Callable[..., Evaluation]) -> None:
    result = run(resamples=400)
    assert result.damage is not None
    for groups in result.damage.means.values():
        for mean in groups.values():
            assert mean.value is not None
            assert mean.interval is not None
            assert mean.interval[0] <= mean.value <= mean.interval[1]
    assert result == run(resamples=400)


def test_undamaged_photos_move_gates_alone(run: Callable[..., Evaluation], make_assessment: Make) -> None:
    extra = [Sample(b"", "c", vehicle=True, damage=False, source="yard"), Sample(b"", "d", vehicle=False)]
    answers = [make_assessment("c", [("dent", 0.9, LEFT)]), make_assessment("d", vehicle=0.1, damage=None)]
    before, after = run(), run(extra, answers)
    assert after.damage == before.damage
    assert after.calibration == before.calibration
    assert (after.photos.undamaged, after.photos.no_vehicle, after.photos.annotated) == (1, 1, 2)
    assert after.gates.kinds["undamaged"].damage.share == 1.0
    assert after.gates.kinds["no_vehicle"].vehicle.share == 0.0
    assert after.gates.kinds["damaged"].damage.share == 1.0
    assert set(after.gates.sources["undamaged"]) == {"yard"}


def test_a_labelled_photo_without_damage_counts_for_ap(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make
) -> None:
    clean = make_sample("c", labelled=["dent"], damage=False)
    result = run([clean], [make_assessment("c", [("dent", 0.95, LEFT)])])
    assert result.damage is not None
    assert result.damage.names["dent"].mask is not None
    assert pytest.approx(2 / 3) == result.damage.names["dent"].mask.AP50  # ½ and ⅔ at the two right ones, envelope ⅔
    assert result.photos.undamaged == 1


def test_parts_have_their_own_figures(run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make) -> None:
    sample = make_sample("p", [("hood", LEFT), ("wheel", RIGHT)], labelled=["hood", "wheel"])
    answer = make_assessment("p", [("hood", 0.9, LEFT), ("wheel", 0.8, (50, 30, 55, 35)), ("dent", 0.9, LEFT)])
    before, result = run(), run([sample], [answer])
    assert before.parts is None
    assert result.damage == before.damage
    assert result.parts is not None
    assert result.parts.means["mask_AP50"]["taught"].value == pytest.approx(0.5)
    assert result.parts.means["pixel_iou"]["taught"].value == pytest.approx(0.5)
    assert result.parts.any_damage is None
    assert result.photos.vehicle == 1


def test_severity_of_photos_and_of_findings(run: Callable[..., Evaluation]) -> None:
    severity = run().severity
    assert severity is not None
    assert severity.photos.confusion == ((0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 0, 0))  # severe, told minor
    assert severity.photos.macro_recall == 0.0
    assert severity.findings.confusion == ((1, 0, 0, 0), (0, 0, 0, 0), (0, 1, 0, 0))
    assert severity.findings.macro_recall == pytest.approx(0.5)
    assert (severity.findings.judged, severity.findings.of) == (2, 2)


def test_a_photo_whose_severity_alone_is_known_is_judged_by_it(
    run: Callable[..., Evaluation], make_assessment: Make, scripted: Make
) -> None:
    extra = [
        Sample(b"", name, vehicle=True, damage=True, severity=level) for name, level in zip("cde", ("minor",) * 3, strict=True)
    ]
    answers = [make_assessment("c", severity="minor"), make_assessment("d"), make_assessment("e", damage=0.1)]
    before, after = run(), run(extra, answers)
    assert after.severity is not None
    assert after.severity.photos.confusion == ((1, 0, 0, 2), (0, 0, 0, 0), (1, 0, 0, 0))  # untold is wrong
    assert after.severity.photos.macro_recall == pytest.approx((1 / 3 + 0) / 2)
    assert (after.damage, after.calibration, after.counting) == (before.damage, before.calibration, before.counting)
    assert after.gates.kinds["damaged"].damage.of == 5
    alone = evaluate(scripted(answers[:1]), extra[:1], taught=TAUGHT, resamples=5)
    assert alone.damage is None
    assert alone.severity is not None
    assert alone.severity.photos.macro_recall == 1.0


def test_a_labelled_photo_is_as_bad_as_it_is_called(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make
) -> None:
    sample = make_sample("c", [("dent", LEFT, "minor")], labelled=["dent"], severity="severe")
    result = run([sample], [make_assessment("c", severity="severe")]).severity
    assert result is not None
    assert result.photos.confusion[2] == (1, 0, 1, 0)


def test_regions_to_be_ignored_move_no_figure(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make, two_photos: Any, scripted: Make
) -> None:
    samples, assessments = two_photos
    far = (20, 20, 40, 40)
    unsure = make_sample("a", [("dent", far)], labelled=[]).annotations[0]
    marked = [replace(samples[0], annotations=(*samples[0].annotations, replace(unsure, other_car=True))), samples[1]]
    extra = make_assessment("a", [("dent", 0.95, far), ("scratch", 0.9, (25, 25, 35, 35)), ("dent", 0.4, (20, 20, 30, 30))])
    more = [finding.model_copy(update={"id": number}) for number, finding in enumerate(extra.findings, 3)]
    told = assessments[0].model_copy(update={"findings": (*assessments[0].findings, *more)})
    before = run()
    after = evaluate(scripted([told, assessments[1]]), marked, taught=TAUGHT, resamples=50)
    assert (after.damage, after.calibration, after.counting) == (before.damage, before.calibration, before.counting)
    wrong = evaluate(scripted([told, assessments[1]]), samples, taught=TAUGHT, resamples=50)
    assert wrong.damage != before.damage
    assert wrong.counting != before.counting


def test_damage_of_no_known_type_is_judged_as_any_damage_alone(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make, scripted: Make
) -> None:
    sample = make_sample("c", [("damage", LEFT, "minor")], labelled=["damage"])
    answer = make_assessment("c", [("dent", 0.9, LEFT, "moderate"), ("dent", 0.5, RIGHT)])
    before, after = run(), run([sample], [answer])
    assert before.damage is not None
    assert after.damage is not None
    assert after.damage.names == before.damage.names
    assert (after.calibration, after.counting, after.notes) == (before.calibration, before.counting, ())
    assert after.photos.annotated == 3
    assert before.damage.any_damage is not None
    assert after.damage.any_damage is not None
    assert after.damage.any_damage.iou.value == pytest.approx((200 + 100) / (400 + 200))
    assert after.severity is not None
    assert after.severity.findings.confusion[0] == (1, 1, 0, 0)  # of the dent that lies on it
    alone = evaluate(scripted([answer]), [sample], taught=TAUGHT, resamples=5)
    assert alone.damage is not None
    assert (alone.damage.names, alone.damage.means, alone.counting) == ({}, {}, None)
    assert alone.damage.any_damage is not None
    assert alone.damage.any_damage.iou.value == pytest.approx(0.5)


def test_photos_of_which_nothing_is_known_are_no_evaluation(make_assessment: Make, scripted: Make) -> None:
    with pytest.raises(DatasetError, match="nothing is known of these photos"):
        evaluate(scripted([make_assessment("a")]), [Sample(b"", "a")])


def test_the_naming_of_parts_is_of_all_photos_and_null_without_parts(
    run: Callable[..., Evaluation], make_assessment: Make
) -> None:
    naming = run([Sample(b"", "c", vehicle=True)], [make_assessment("c", [("hood", 0.9, LEFT)])], parts=("hood",)).naming
    assert naming is not None
    assert (naming.findings.count, naming.findings.of) == (0, 4)
    assert (naming.no_part.count, naming.no_part.of) == (2, 3)
    assert run(parts=()).naming is None


def test_calibration_is_of_told_and_of_scored_findings(run: Callable[..., Evaluation]) -> None:
    calibration = run().calibration
    assert calibration["told"].findings == 3
    assert calibration["told"].right == pytest.approx(2 / 3)
    assert calibration["scored"].findings == 4
    assert calibration["told"].ece == pytest.approx((0.8 + 0.6 + 0.9) / 3 - 2 / 3)  # one bin
    assert calibration["told"].ece_by_chance == pytest.approx(math.sqrt(2 / math.pi * (2.3 / 3) * (0.7 / 3) / 3), rel=1e-6)
    assert calibration["told"].auroc == pytest.approx(0.0)


def test_names_that_nothing_knows_are_left_out_and_noted(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make
) -> None:
    sample = make_sample("c", [("airbag", RIGHT)], labelled=["airbag", "scratch"])
    result = run([sample], [make_assessment("c", vehicle=0.9)])
    assert result.notes == ("annotations left out, as nothing knows their names: airbag",)
    assert result.damage is not None
    assert "airbag" not in result.damage.names


def test_boxes_without_masks_give_box_ap_alone(run: Callable[..., Evaluation], two_photos: Any, scripted: Make) -> None:
    samples, assessments = two_photos
    stripped = [
        answer.model_copy(update={"findings": tuple(finding.model_copy(update={"mask": None}) for finding in answer.findings)})
        for answer in assessments
    ]
    result = evaluate(scripted(stripped), samples, taught=TAUGHT, resamples=5)
    assert result.damage is not None
    assert result.damage.names["dent"].mask is None
    assert pytest.approx(1.0) == result.damage.names["dent"].box.AP50
    assert "mask_AP50" not in result.damage.means
    assert "boxes without masks" in result.notes[0]
    assert run().notes == ()


def test_what_is_labelled_by_boxes_alone_has_no_pixels_right_or_wrong(
    make_sample: Make, make_assessment: Make, scripted: Make
) -> None:
    """On the photos without any of it, too: findings there could be wrong, and nowhere right."""

    def boxed(sample: Sample) -> Sample:
        return replace(sample, annotations=tuple(replace(one, rle=None) for one in sample.annotations))

    labelled = ["dent", "scratch"]
    samples = [make_sample("a", [("dent", LEFT)], labelled=labelled), make_sample("b", [], labelled=labelled)]
    found = [make_assessment("a", [("dent", 0.9, LEFT)]), make_assessment("b", [("dent", 0.8, RIGHT)])]
    damage = evaluate(scripted(found), map(boxed, samples), taught=TAUGHT, resamples=20).damage
    assert damage is not None
    assert damage.any_damage is not None
    dent = damage.names["dent"]
    assert pytest.approx(1.0) == dent.box.AP50
    assert (dent.pixels.iou, dent.pixels.precision, dent.pixels.f1, dent.pixels.boundary_f) == (None,) * 4
    assert (damage.any_damage.iou.value, damage.any_damage.precision, damage.any_damage.f1) == (None,) * 3
    assert damage.any_damage.boundary_f is not None
    assert damage.any_damage.boundary_f.value is None
    assert damage.means["pixel_iou"]["taught"].value is None
    samples.append(make_sample("c", [("dent", LEFT)], labelled=labelled))
    found.append(make_assessment("c", [("dent", 0.9, LEFT)]))
    mixed = evaluate(scripted(found), [boxed(samples[0]), *samples[1:]], taught=TAUGHT, resamples=20).damage
    assert mixed is not None
    assert mixed.names["dent"].pixels.iou == pytest.approx(0.5), "one photo with outlines, and one without a dent"


def test_a_mean_over_fewer_types_than_its_column_says_so(make_sample: Make, make_assessment: Make, scripted: Make) -> None:
    dent, scratch = (
        make_sample("a", [("dent", LEFT)], labelled=["dent"]),
        make_sample("b", [("scratch", LEFT)], labelled=["scratch"]),
    )
    scratch = replace(scratch, annotations=tuple(replace(one, rle=None) for one in scratch.annotations))
    found = [make_assessment("a", [("dent", 0.9, LEFT)]), make_assessment("b", [("scratch", 0.9, LEFT)])]
    lines = evaluation_table(evaluate(scripted(found), [dent, scratch], taught=TAUGHT, resamples=20)).splitlines()
    (head,) = (line for line in lines if "mean of" in line)
    (box,) = (line for line in lines if line.startswith("box AP50"))
    (mask,) = (line for line in lines if line.startswith("mask AP50"))
    assert "mean of 2" in head
    assert " of " not in box
    assert " of 1" in mask


def test_labels_of_another_size_and_no_photos_are_refused(
    run: Callable[..., Evaluation], make_sample: Make, scripted: Make
) -> None:
    wrong = make_sample("a", [("dent", LEFT)], labelled=["dent"], size_hw=(60, 40))
    with pytest.raises(DatasetError, match="a: labels are for a photo of 40 × 60, the upright picture is 60 × 40"):
        run([wrong], [])
    with pytest.raises(DatasetError, match="no photo to evaluate on"):
        evaluate(scripted([]), [])


def test_workers_change_nothing(run: Callable[..., Evaluation]) -> None:
    assert run(workers=3) == run()


def test_the_document_survives_json(run: Callable[..., Evaluation]) -> None:
    result = run(data=["val.json"])
    assert Evaluation.model_validate_json(result.to_json()) == result
    assert result.schema_version == "1.2"
    assert result.bundle.sha256 == "f" * 64
    assert not np.isnan([mean.value or 0.0 for groups in result.damage.means.values() for mean in groups.values()]).any()  # type: ignore[union-attr]
    assert "NaN" not in result.to_json()
    assert result.to_json().startswith('{\n  "schema_version": "1.2",\n')  # for people, too
    assert "\n" not in result.to_json(indent=None)


# --- bundles that judge some of it ----------------------------------------------------------------------------------------


def of_roles(folder: Path, *roles: str) -> dentify.Assessor:
    """The tiny bundle with some of its roles alone."""
    whole = tiny_manifest()
    changes: dict[str, Any] = {
        "roles": {role: whole["roles"][role] for role in roles},
        "classes": {key: whole["classes"][key] for key in roles if key in whole["classes"]},
        "taxonomy": whole["taxonomy"] if "damage" in roles else whole["taxonomy"] | {"taught": []},
        "thresholds": whole["thresholds"] if "damage" in roles else {},
        "review": {},
    }
    return dentify.load(tiny_bundle(folder / "-".join(roles), **changes), threads=1)


def test_a_gate_alone_is_judged_by_its_answers_and_by_nothing_else(tmp_path: Path) -> None:
    result = evaluate(of_roles(tmp_path, "vehicle_gate"), mixed_samples(), resamples=10)
    assert set(result.classification) == {"vehicle"}
    vehicle = result.classification["vehicle"]
    assert (vehicle.photos, vehicle.accuracy.value, vehicle.auroc.value) == (10, 1.0, 1.0)
    assert vehicle.confusion == ((1, 0, 0), (0, 9, 0))
    assert (result.damage, result.parts, result.naming, result.severity, result.counting) == (None,) * 5
    assert result.calibration == {}
    undamaged = result.gates.kinds["undamaged"]
    assert (undamaged.vehicle.of, undamaged.damage.share, undamaged.with_findings.share) == (2, None, None)
    assert undamaged.findings_per_photo is None
    assert (result.photos.annotated, result.photos.undamaged, result.photos.no_vehicle) == (9, 2, 1)


def test_a_damage_gate_alone_is_asked_of_vehicles(tmp_path: Path) -> None:
    damage = evaluate(of_roles(tmp_path, "damage_gate"), mixed_samples(), resamples=10).classification["damage"]
    assert damage.photos == 9
    assert damage.confusion == ((1, 1, 0), (1, 6, 0))
    assert damage.per_class["damaged"].precision.value == pytest.approx(6 / 7)
    assert damage.per_class["damaged"].recall.value == pytest.approx(6 / 7)


@pytest.mark.parametrize("exclusive", [False, True])
def test_types_of_photos_alone_are_judged(tmp_path: Path, exclusive: bool) -> None:
    assessor = dentify.load(tiny_classifier(tmp_path / "types", exclusive=exclusive), threads=1)
    result = evaluate(assessor, mixed_samples(), resamples=10)
    assert set(result.classification) == {"types"}
    types = result.classification["types"]
    assert types.exclusive == exclusive
    assert result.damage is None
    if exclusive:
        assert types.photos == 6  # that show one type: two show none, one shows two, and the one of the street none
        assert types.confusion == ((2, 1, 0, 0), (0, 1, 0, 0), (0, 0, 2, 0))
        assert result.notes == ("types: 4 photos do not tell which of the types they show",)
    else:
        assert types.photos == 10
        assert types.confusion == ((2, 1, 2, 5), (2, 1, 0, 7), (2, 0, 0, 8))
        assert types.accuracy.value == pytest.approx(26 / 30)


def test_types_that_a_source_does_not_label_are_unknown_and_not_absent(tmp_path: Path) -> None:
    assessor = dentify.load(tiny_classifier(tmp_path / "types"), threads=1)
    samples = [painted("a.png", [("dent", 1.0), ("scratch", 1.0)], annotated=["dent"], labelled=["dent"])]
    types = evaluate(assessor, samples, resamples=2).classification["types"]
    assert types.confusion == ((1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))
    assert types.per_class["scratch"].recall.value is None
    assert types.per_class["scratch"].told == 0


def test_of_a_plain_surface_no_type_is_told(tmp_path: Path) -> None:
    """A picture that is one dent all over is no photo: nothing is told of it, which is wrong where it shows one."""
    assessor = dentify.load(tiny_classifier(tmp_path / "types"), threads=1)
    red = painted("red.png", [("dent", 1.0)])
    plain = cv2.imencode(".png", np.full((64, 64, 3), (51, 200, 255), np.uint8))[1].tobytes()
    types = evaluate(assessor, [replace(red, image=plain)], resamples=2).classification["types"]
    assert types.confusion[0] == (0, 0, 1, 0)
    assert types.bins[0].confidence == 0.0


def test_the_damage_gate_counts_where_the_vehicle_gate_turned_the_photo_away(tmp_path: Path) -> None:
    assessor = dentify.load(tiny_bundle(tmp_path / "picky", thresholds=tiny_manifest()["thresholds"] | {"vehicle": 1.0}))
    result = evaluate(assessor, mixed_samples(), resamples=2)
    assert result.gates.kinds["damaged"].damage.count == 0  # what a user sees
    assert result.classification["damage"].confusion == ((1, 1, 0), (1, 6, 0))
    assert result.gates.damage_auroc is None


def test_size_and_latency_are_told_of_a_bundle(tmp_path: Path, run: Callable[..., Evaluation]) -> None:
    assessor = dentify.load(tiny_bundle(tmp_path / "tiny"), threads=1, device="cpu")
    result = evaluate(assessor, mixed_samples(), resamples=2, workers=2)
    assert result.size is not None
    assert (result.size.bytes, result.size.parameters) == (len(assessor.bundle.files["tiny.onnx"]), 102)
    latency = result.latency
    assert latency is not None
    assert (latency.photos, latency.workers, latency.threads, latency.device) == (10, 2, 1, "cpu")
    assert 0 < latency.p50_ms <= latency.p95_ms
    assert (run().size, run().latency) == (None, None)


def test_photos_that_say_nothing_of_what_a_bundle_judges_are_refused(tmp_path: Path) -> None:
    assessor = dentify.load(tiny_classifier(tmp_path / "types", exclusive=True), threads=1)
    with pytest.raises(DatasetError) as caught:
        evaluate(assessor, [painted("sound.png")], resamples=2)
    assert str(caught.value) == "nothing to judge tiny by: it tells types, and no photo is labelled with that"


def test_documents_of_before_are_read_as_well(run: Callable[..., Evaluation]) -> None:
    document = json.loads(run().to_json())
    for key in ("saliency", "triples", "benchmark"):
        del document[key]
    found = document["damage"]
    del found["confusion"], found["any_damage"]["f1"], found["any_damage"]["boundary_f"], found["means"]["boundary_f"]
    for one in found["names"].values():
        del one["pixels"]["f1"], one["pixels"]["boundary_f"]
    read = Evaluation.model_validate_json(json.dumps(document | {"schema_version": "1.1"}))
    assert (read.saliency, read.triples, read.benchmark) == (None, {}, None)
    assert "boundary F" not in evaluation_table(read)
    for key in ("classification", "latency", "size"):
        del document[key]
    read = Evaluation.model_validate_json(json.dumps(document | {"schema_version": "1.0"}))
    assert (read.schema_version, read.classification, read.latency, read.size) == ("1.0", {}, None, None)


# --- pixels, boundaries, maps and words -------------------------------------------------------------------------------------


def test_pixels_have_an_f1_and_boundaries_an_f_of_each_type_and_of_any(run: Callable[..., Evaluation]) -> None:
    damage = run().damage
    assert damage is not None
    dent, scratch = damage.names["dent"].pixels, damage.names["scratch"].pixels
    assert (dent.f1, scratch.f1) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    edge = 19  # of a square of 10 in the corner
    right = 28  # of one on the upper border
    assert dent.boundary_f == pytest.approx(2 * edge / (2 * edge + right))  # all told is right, the other square is not found
    assert scratch.boundary_f == pytest.approx(2 * edge / (2 * edge + 36))
    means = damage.means["boundary_f"]["taught"]
    assert means.value == pytest.approx((dent.boundary_f + scratch.boundary_f) / 2)
    assert means.interval is not None
    assert damage.any_damage is not None
    assert damage.any_damage.f1 == pytest.approx(2 * 200 / (300 + 300))
    assert damage.any_damage.boundary_f is not None
    told, true = 2 * edge + 36, 2 * edge + right
    assert damage.any_damage.boundary_f.value == pytest.approx(2 * 2 * edge / (told + true))


def test_a_resample_without_a_type_says_nothing_of_its_pixels_and_boundaries(
    make_sample: Make, make_assessment: Make, scripted: Make
) -> None:
    """Of two photos a quarter of the resamples holds the second alone, on which a dent is told and none is annotated."""
    samples = [make_sample("a", [("dent", LEFT)], labelled=["dent"]), make_sample("b", labelled=["dent"])]
    answers = [make_assessment(name, [("dent", 0.9, LEFT)]) for name in "ab"]
    damage = evaluate(scripted(answers), samples, taught=TAUGHT, resamples=200).damage
    assert damage is not None
    for key, value in (("pixel_iou", 0.5), ("boundary_f", 2 / 3)):
        mean = damage.means[key]["taught"]
        assert mean.value == pytest.approx(value)
        assert mean.interval == pytest.approx((value, 1.0))


def test_what_is_taken_for_what_is_counted_over_photos(
    run: Callable[..., Evaluation], make_sample: Make, make_assessment: Make
) -> None:
    sample = make_sample("c", [("dent", LEFT)], labelled=["dent", "scratch"])
    damage = run([sample], [make_assessment("c", [("scratch", 0.9, LEFT)])]).damage
    assert damage is not None
    assert damage.confusion is not None
    assert damage.confusion.rows == ("dent", "scratch", "background")
    assert damage.confusion.columns == ("dent", "scratch", "missed")
    assert damage.confusion.counts == ((1, 1, 1), (0, 1, 0), (0, 1, 0))


def test_the_map_of_any_damage_is_scored_and_what_is_said_is_matched(run: Callable[..., Evaluation]) -> None:
    result = run()
    assert result.saliency is not None
    assert result.saliency.photos == 2
    # a: the second dent is told at 0.1, an eighth of the first; b: what is told beside the scratch is brighter than what is on it
    stretched = ((1 - 0.1 / 0.8) * 100 / 2400, (100 + (1 - 0.6 / 0.9) * 100) / 2400)
    assert result.saliency.mae.value == pytest.approx(sum(stretched) / 2, abs=1e-3)
    assert set(result.triples) == {"type", "type_severity"}
    types, levels = result.triples["type"], result.triples["type_severity"]
    assert (types.photos, types.matched, types.told, types.annotated) == (2, 2, 3, 3)
    assert (levels.photos, levels.matched, levels.told, levels.annotated) == (1, 1, 1, 2)  # b's scratch has no severity


def test_a_bundle_that_finds_nothing_has_no_map_and_says_nothing(tmp_path: Path) -> None:
    result = evaluate(of_roles(tmp_path, "damage_gate"), mixed_samples(), resamples=2)
    assert (result.saliency, result.triples) == (None, {})


def test_labels_of_a_type_that_was_never_taught_and_is_on_no_photo_say_nothing(scripted: Make, make_assessment: Make) -> None:
    """As a label map leaves them that drops all that there is: figures of nothing would look like full marks."""
    sample = Sample(b"", "a", (40, 60), labelled=frozenset({"crack"}))
    with pytest.raises(DatasetError, match=r"nothing to judge scripted by: it tells .*, and no photo is labelled with that"):
        evaluate(scripted([make_assessment("a")]), [sample], taught=TAUGHT, resamples=2)
    known = evaluate(
        scripted([make_assessment("a")]), [replace(sample, labelled=frozenset({"dent"}))], taught=TAUGHT, resamples=2
    )
    assert known.damage is not None
    assert known.damage.names["dent"].told.precision is None
