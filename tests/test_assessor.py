"""The stages one by one on arrays, and all of them on painted photos with the tiny bundle."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import dentify
from dentify.assessment import Assessment, Finding, Photo, PhotoType, Presence, Quality
from dentify.assessor import (
    Assessor,
    confident,
    level_of_photo,
    no_worse_than,
    presence,
    tell,
)
from dentify.bundle import Bundle
from dentify.bundle.manifest import ScoreCalibration
from dentify.errors import DentifyError, ImageError, InputError
from dentify.imaging.masks import rle_decode
from dentify.in_order import map_in_order
from dentify.runtime.instances import Instances, means_over_cells
from dentify.runtime.look import Look
from dentify.runtime.probabilities import softmax
from dentify.settings import Settings
from dentify.sources import iter_photos
from dentify.testing import Damage, paint_photo, tiny_bundle, tiny_classifier
from placed_instances import instances

HOOD = {"hood": (8 / 64, 0.25, 0.5, 0.75)}
DENT = Damage("dent", (0.25, 0.375, 0.375, 0.5))
SCRATCH = Damage("scratch", (0.75, 0.75, 0.875, 0.875), strength=0.85)
ON_HOOD = paint_photo(parts=HOOD, damages=[DENT])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture(scope="module")
def assessor(folder: Path) -> Assessor:
    return dentify.load(folder, threads=1)


def with_manifest(folder: Path, tmp_path: Path, **changes: Any) -> Assessor:
    """The tiny bundle with other keys in its manifest."""
    return dentify.load(tiny_bundle(tmp_path / "changed", **changes), threads=1)


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


# What is told of a whole photo


def test_a_dent_on_the_hood_is_told_whole(assessor: Assessor) -> None:
    assessment = assessor.assess(ON_HOOD, name="a/b.png")
    assert assessment.photo.name == "a/b.png"
    assert (assessment.photo.width, assessment.photo.height) == (768, 512)
    assert assessment.bundle == assessor.bundle.identity
    assert assessment.vehicle is not None
    assert assessment.vehicle.present
    assert assessment.damage is not None
    assert assessment.damage.present
    (finding,) = assessment.findings
    assert (finding.id, finding.type, finding.box, finding.confidence) == (1, "dent", (192.0, 192.0, 288.0, 256.0), 1.0)
    assert finding.area_share == pytest.approx(8 * 8 / 64**2, abs=1e-5)
    assert finding.mask is not None
    mask = rle_decode(finding.mask)
    assert mask.shape == (512, 768)
    assert mask[192:256, 192:288].all()
    assert mask.sum() == 64 * 96
    (part,) = finding.parts
    assert (part.name, part.share_of_finding) == ("hood", 1.0)
    assert part.share_of_part == pytest.approx(8 * 8 / (24 * 32), abs=1e-4)
    assert finding.severity is not None
    assert finding.severity.level == "severe"
    assert [part.name for part in assessment.parts] == ["hood"]
    assert assessment.severity == finding.severity
    assert not assessment.review.needed
    assert assessment.not_judged == ("crack", "glass_shatter", "lamp_broken", "tire_flat")
    assert "dent" in assessment.report
    assert assessment.dentify_version == dentify.__version__


def test_the_same_photo_gives_the_same_bytes(folder: Path) -> None:
    first, second = (dentify.load(folder).assess(ON_HOOD).to_json() for _ in range(2))
    assert first == second
    assert Assessment.model_validate_json(first).to_json() == first


def test_findings_are_numbered_from_the_surest(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(damages=[SCRATCH, DENT, Damage("dent", (0.5, 0.0, 0.625, 0.125), strength=0.7)]))
    assert [(finding.id, finding.type) for finding in assessment.findings] == [(1, "dent"), (2, "scratch"), (3, "dent")]
    assert [finding.confidence for finding in assessment.findings] == sorted(
        (f.confidence for f in assessment.findings), reverse=True
    )


def test_no_vehicle_tells_nothing_else(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(body=None, damages=[DENT]))
    assert assessment.vehicle == Presence(present=False, confidence=0.982)
    assert assessment.damage is None
    assert assessment.findings == ()
    assert assessment.parts == ()
    assert assessment.severity is None
    assert "no vehicle" in assessment.report


@pytest.mark.parametrize("colour", [(0, 0, 255), (0, 255, 255)])
@pytest.mark.parametrize("gates", [True, False])
def test_a_picture_of_one_colour_is_no_photo(assessor: Assessor, colour: tuple[int, int, int], gates: bool) -> None:
    file = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(file, "JPEG")
    for judge in (assessor, dentify.load()):
        assessment = judge.assess(file.getvalue(), gates=gates)
        assert "not_a_photo" in assessment.quality.issues
        assert not assessment.quality.usable
        assert assessment.vehicle == Presence(present=False, confidence=1.0)
        assert (assessment.damage, assessment.severity, assessment.findings, assessment.parts) == (None, None, (), ())
        assert [reason.code for reason in assessment.review.reasons][:1] == ["poor_quality"]
        assert assessment.report == "Not a photo: a blank or single-colour picture, so nothing was judged."


def test_a_blank_picture_has_no_vehicle_whatever_was_seen(assessor: Assessor) -> None:
    everywhere = np.zeros((3, 16, 16), np.float32)
    seen = look(
        vehicle=9.0,
        damaged=9.0,
        damage=instances((0.9, 0, (0, 0, 4, 4))),
        parts=instances((0.9, 0, (0, 0, 4, 4))),
        severity_maps=everywhere,
        photo_severity=np.float32([9, 0, 0]),
    )
    blank = replace(seen, quality=Quality(usable=False, issues=("not_a_photo",)))
    for gates in (True, False):
        assert tell(seen, assessor.bundle, gates=gates).findings
        assessment = tell(blank, assessor.bundle, gates=gates)
        assert assessment.vehicle == Presence(present=False, confidence=1.0)
        assert (assessment.damage, assessment.severity, assessment.findings, assessment.parts) == (None, None, (), ())
        assert codes(assessment) == [("poor_quality", None)]
    assert tell(replace(blank, vehicle=None), assessor.bundle).vehicle is None


def test_several_photos_are_judged_and_told(assessor: Assessor) -> None:
    seen = assessor.look(ON_HOOD)
    several = replace(seen, quality=Quality(usable=False, issues=("several_photos",)))
    assessment = tell(several, assessor.bundle)
    assert assessment.findings == tell(seen, assessor.bundle).findings != ()
    (reason,) = assessment.review.reasons
    assert (reason.code, reason.text) == (
        "poor_quality",
        "Cut the picture apart: it shows several photos, and was judged as if it were one.",
    )
    assert assessment.report.startswith(f"{reason.text}\nLikely repair, please check: ")


def test_no_damage_still_tells_the_parts(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(parts=HOOD))
    assert assessment.damage is not None
    assert not assessment.damage.present
    assert assessment.findings == ()
    assert assessment.severity is None
    assert [part.name for part in assessment.parts] == ["hood"]
    assert not assessment.review.needed


def test_without_gates_all_is_told_and_the_gates_still_judge(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(body=None, damages=[DENT]), gates=False)
    assert assessment.vehicle is not None
    assert not assessment.vehicle.present
    assert assessment.damage is not None
    assert assessment.damage.present
    assert [finding.type for finding in assessment.findings] == ["dent"]
    assert assessment.severity is not None
    assert not assessment.settings.gates
    assert [reason.code for reason in assessment.review.reasons] == ["stages_disagree"]


def test_roles_that_a_bundle_lacks_are_null(folder: Path, tmp_path: Path) -> None:
    damage = [{"file": "tiny.onnx", "output": "types", "kind": "maps"}]
    assessor = with_manifest(folder, tmp_path, roles={"damage": damage}, classes={"damage": ["dent", "scratch", "broken_part"]})
    assessment = assessor.assess(ON_HOOD)
    assert assessment.vehicle is None
    assert assessment.damage is None
    assert assessment.severity is None
    assert assessment.parts == ()
    (finding,) = assessment.findings
    assert finding.parts == ()
    assert finding.severity is None


def test_gates_alone_are_a_bundle_that_judges_no_type(folder: Path, tmp_path: Path) -> None:
    gate = [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]
    types = ["dent", "scratch"]
    assessor = with_manifest(
        folder,
        tmp_path,
        taxonomy={"damage_types": types, "taught": []},
        roles={"damage_gate": gate},
        classes={},
        thresholds={},
        review={},
    )
    assessment = assessor.assess(ON_HOOD)
    assert assessment.damage is not None
    assert assessment.damage.present
    assert assessment.not_judged == ("dent", "scratch")
    assert not assessment.review.needed


def test_two_equal_members_answer_as_one(folder: Path, tmp_path: Path, assessor: Assessor) -> None:
    roles = {
        role: [{"file": "tiny.onnx", "output": output, "kind": kind, "weight": weight} for weight in (1.0, 3.0)]
        for role, output, kind in (("damage_gate", "damaged", "labels"), ("damage", "types", "maps"), ("parts", "parts", "maps"))
    }
    whole = assessor.bundle.manifest.model_dump(mode="json")
    ensemble = with_manifest(folder, tmp_path, roles=whole["roles"] | roles)
    one, two = assessor.assess(ON_HOOD), ensemble.assess(ON_HOOD)
    assert one.damage == two.damage
    assert one.findings == two.findings


def test_whole_photo_labels_may_judge_severity(folder: Path, tmp_path: Path, assessor: Assessor) -> None:
    """The parts head stands in: its logits are no severity, but labels of a photo have one dimension less than maps."""
    whole = assessor.bundle.manifest.model_dump(mode="json")
    gate = [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]
    one_level = {
        "taxonomy": whole["taxonomy"] | {"severity_levels": ["severe"]},
        "classes": whole["classes"] | {"severity": ["severe"]},
    }
    assessment = with_manifest(folder, tmp_path, roles=whole["roles"] | {"severity": gate}, **one_level).assess(ON_HOOD)
    assert assessment.severity is not None
    assert assessment.severity.level == "severe"
    assert assessment.findings[0].severity is None


def test_one_look_can_be_told_in_several_ways(assessor: Assessor) -> None:
    photo = paint_photo(body=None, damages=[DENT])
    look = assessor.look(photo, name="a.png")
    assert assessor.tell(look) == assessor.assess(photo, name="a.png")
    assert assessor.tell(look, gates=False) == assessor.assess(photo, name="a.png", gates=False)
    assert assessor.tell(look, score_threshold=0.9).settings.score_threshold == 0.9


def test_a_look_is_neither_calibrated_nor_cut(folder: Path, tmp_path: Path, assessor: Assessor) -> None:
    calibration = {
        "vehicle": {"temperature": 3.0, "bias": -1.0},
        "findings": {"dent": {"x": [0, 1], "y": [0, 0.1]}},
        "severity": {"temperature": 2.0},
    }
    thresholds = {"findings": dict.fromkeys(("dent", "scratch", "broken_part"), 1.0), "parts": 1.0}
    other = with_manifest(folder, tmp_path, calibration=calibration, thresholds=thresholds).look(ON_HOOD)
    look = assessor.look(ON_HOOD)
    assert look.vehicle == other.vehicle == pytest.approx(6, abs=1e-2)
    assert look.damage is not None
    assert other.damage is not None
    assert look.damage.scores.tolist() == other.damage.scores.tolist()
    assert look.parts is not None
    assert other.parts is not None
    assert look.parts.scores.tolist() == other.parts.scores.tolist()
    np.testing.assert_array_equal(look.severity_maps, other.severity_maps)


def test_a_finding_is_no_worse_than_its_photo() -> None:
    """Severe by itself, on a photo that is minor or moderate as a whole."""
    levels = np.float32([[0.1, 0.3, 0.6]])
    assert no_worse_than(np.float32([0.5, 0.5, 0.0]), levels)[0].argmax() == 1
    np.testing.assert_allclose(no_worse_than(np.float32([0.0, 0.0, 1.0]), levels), levels, atol=1e-6)
    surely_apart = no_worse_than(np.float32([1.0, 0.0, 0.0]), np.float32([[0.0, 0.0, 1.0]]))
    assert surely_apart.tolist() == [[0.0, 0.0, 1.0]]  # and not 0/0


# What is told of a look


def look(**seen: Any) -> Look:
    """A look at a photo of 160 × 160 pixels on which just this was seen."""
    return Look(photo=Photo(name="a.jpg", sha256="0" * 64, width=160, height=160), quality=Quality(usable=True), **seen)


def test_a_severe_finding_on_a_photo_that_is_minor_is_told_as_minor(assessor: Assessor) -> None:
    severe_everywhere = np.zeros((3, 16, 16), np.float32)
    severe_everywhere[2] = 3
    seen = look(damage=instances((0.9, 0, (0, 0, 4, 4))), severity_maps=severe_everywhere)
    (alone,) = tell(seen, assessor.bundle).findings
    (beside,) = tell(replace(seen, photo_severity=np.float32([9, 0, -9])), assessor.bundle).findings
    assert alone.severity is not None
    assert beside.severity is not None
    assert (alone.severity.level, beside.severity.level) == ("severe", "minor")


def test_findings_parts_and_gates_are_told_from_the_threshold_on(assessor: Assessor) -> None:
    box = (0, 0, 4, 4)
    seen = look(vehicle=0.0, damaged=0.0, damage=instances((0.75, 0, box)), parts=instances((0.75, 0, box)))
    told = tell(seen, assessor.bundle, score_threshold=0.75)
    assert told.vehicle == told.damage == Presence(present=True, confidence=0.5)  # the bundle's own threshold
    assert [finding.confidence for finding in told.findings] == [0.75]
    assert [part.confidence for part in told.parts] == [0.75]
    stricter = tell(seen, assessor.bundle, score_threshold=0.76)
    assert (stricter.findings, stricter.parts) == ((), ())


def test_gates_are_calibrated_by_temperature_and_bias(folder: Path, tmp_path: Path) -> None:
    calibration = {"vehicle": {"temperature": 2.0, "bias": 1.0}, "damage": {"temperature": 0.5, "bias": -5.0}}
    told = tell(look(vehicle=-4.0, damaged=2.0), with_manifest(folder, tmp_path, calibration=calibration).bundle, gates=False)
    assert told.vehicle == Presence(present=False, confidence=0.731)  # sigmoid(-4 / 2 + 1) = 0.269
    assert told.damage == Presence(present=False, confidence=0.731)  # sigmoid(2 / 0.5 - 5) = 0.269


def test_severity_is_calibrated_of_photos_and_of_findings(folder: Path, tmp_path: Path) -> None:
    bundle = with_manifest(folder, tmp_path, calibration={"severity": {"temperature": 2.0}}).bundle
    minor = np.float32([4, 0, 0])
    (finding,) = tell(
        look(damage=instances((0.9, 0, (0, 0, 4, 4))), severity_maps=np.tile(minor[:, None, None], (1, 16, 16))), bundle
    ).findings
    for severity in (tell(look(damaged=9.0, photo_severity=minor), bundle).severity, finding.severity):
        assert severity is not None
        assert severity.confidence == pytest.approx(np.exp(4 / 2) / (np.exp(4 / 2) + 2), abs=1e-3)


def test_a_finding_just_sure_enough_wants_no_look(assessor: Assessor) -> None:
    """The tiny bundle is sure from 0.7 on."""
    seen = [look(damage=instances((score, 0, (0, 0, 4, 4)))) for score in (0.7, 0.69)]
    assert [codes(tell(each, assessor.bundle)) for each in seen] == [[], [("low_confidence", 1)]]


# Types of the photo as a whole


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Assessor:
    """The tiny bundle, telling types of the photo beside all else."""
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("typed") / "bundle", photo_types=True), threads=1)


def classifier(path: Path, **changes: Any) -> Bundle:
    return Bundle.open(tiny_classifier(path / "classifier", **changes))


def told_types(assessment: Assessment) -> list[tuple[str, float]] | None:
    return None if assessment.types is None else [(one.type, one.confidence) for one in assessment.types]


def test_a_bundle_without_types_of_the_photo_does_not_judge_them(assessor: Assessor) -> None:
    for photo in (ON_HOOD, paint_photo(body=None)):
        assert assessor.assess(photo).types is None


def test_types_of_the_photo_are_told_beside_findings(typed: Assessor, assessor: Assessor) -> None:
    assessment = typed.assess(ON_HOOD)
    assert told_types(assessment) == [("dent", 0.998)]
    assert assessment.findings == assessor.assess(ON_HOOD).findings
    assert not assessment.review.needed
    assert "As a whole: dent – clear.\n1. Hood: dent" in assessment.report


def test_independent_types_are_told_from_their_thresholds_on_surest_first(tmp_path: Path) -> None:
    thresholds = {"types": {"dent": 0.6, "scratch": 0.5, "broken_part": 0.9}}
    bundle = classifier(tmp_path, thresholds=thresholds, calibration={"types": {"temperature": 2.0}})
    seen = look(photo_types=np.float32([1, 2, 4]))  # 0.622, 0.731, 0.881 at temperature 2
    assert told_types(tell(seen, bundle)) == [("scratch", 0.731), ("dent", 0.622)]
    assert told_types(tell(seen, bundle, score_threshold=0.7)) == [("broken_part", 0.881), ("scratch", 0.731)]
    assert told_types(tell(look(photo_types=np.float32([0, 0, 0])), bundle)) == [("scratch", 0.5)]


def test_of_exclusive_types_the_likeliest_is_told_if_it_is_likely_enough(tmp_path: Path) -> None:
    bundle = classifier(tmp_path, exclusive=True, thresholds={"types": 0.6})
    assert told_types(tell(look(photo_types=np.log(np.float32([0.3, 0.7, 1e-9]))), bundle)) == [("scratch", 0.7)]
    unsure = look(photo_types=np.log(np.float32([0.45, 0.55, 1e-9])))
    assert told_types(tell(unsure, bundle)) == []
    assert told_types(tell(unsure, bundle, score_threshold=0.1)) == [("scratch", 0.55)]


def test_gates_hold_types_of_the_photo_back(typed: Assessor) -> None:
    shows_a_dent = np.float32([6, -6, -6])
    for gate in ({"vehicle": -6.0}, {"vehicle": 6.0, "damaged": -6.0}):
        seen = look(photo_types=shows_a_dent, damage=instances(), **gate)
        assert told_types(tell(seen, typed.bundle)) == []
        assert told_types(tell(seen, typed.bundle, gates=False)) == [("dent", 0.998)]
        assert codes(tell(seen, typed.bundle)) == [("stages_disagree", None)]
    blank = replace(look(photo_types=shows_a_dent), quality=Quality(usable=False, issues=("not_a_photo",)))
    assert told_types(tell(blank, typed.bundle, gates=False)) == []


def test_one_of_exclusive_types_is_likely_on_any_photo_and_speaks_against_no_gate(tmp_path: Path) -> None:
    whole = classifier(tmp_path, exclusive=True).manifest.model_dump(mode="json")
    gate = [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]
    bundle = classifier(tmp_path / "gated", exclusive=True, roles=whole["roles"] | {"damage_gate": gate})
    told = tell(look(damaged=-6.0, photo_types=np.float32([6, -6, -6])), bundle)
    assert (told_types(told), codes(told)) == ([], [])


def test_a_type_of_the_photo_without_a_finding_is_at_most_possible(typed: Assessor) -> None:
    seen = look(photo_types=np.float32([6, -6, -6]), damage=instances())
    told = tell(seen, typed.bundle)
    assert told_types(told) == [("dent", 0.49)]
    assert codes(told) == [("stages_disagree", None)]
    assert told.report.startswith("Look closely: possibly damaged, but no place was found.\nAs a whole: dent – possible.")
    assert told_types(tell(seen, typed.bundle, gates=False)) == [("dent", 0.998)]


def test_a_classifier_says_what_but_not_where(tmp_path: Path) -> None:
    bundle = classifier(tmp_path)
    told = tell(look(photo_types=np.float32([6, -6, 0.5])), bundle)
    assert told.types == (PhotoType(type="dent", confidence=0.998), PhotoType(type="broken_part", confidence=0.622))
    assert (told.damage, told.findings) == (None, ())
    assert told.not_judged == ("crack", "glass_shatter", "lamp_broken", "tire_flat")
    assert codes(told) == [("low_confidence", None), ("weak_type", None)]  # both of the broken part
    assert told.report.splitlines()[:3] == [
        "Look closely: clearly damaged, where was not judged.",
        "As a whole: dent – clear; broken or missing part – probable.",
        "The photo as a whole shows a type that the model knows badly: broken or missing part.",
    ]


def test_severity_is_that_of_the_types_told(tmp_path: Path) -> None:
    whole = classifier(tmp_path).manifest.model_dump(mode="json")
    levels = {
        "roles": whole["roles"] | {"severity": [{"file": "tiny.onnx", "output": "damaged", "kind": "labels"}]},
        "classes": whole["classes"] | {"severity": ["severe"]},
        "taxonomy": whole["taxonomy"] | {"severity_levels": ["severe"]},
    }
    bundle = classifier(tmp_path / "levels", **levels)
    for logit, known in ((6, True), (-6, False)):
        told = tell(look(photo_types=np.float32([logit, -6, -6]), photo_severity=np.float32([1])), bundle)
        assert (told.severity is not None) == known


# Thresholds and settings


def test_a_score_threshold_replaces_the_bundles_own(assessor: Assessor) -> None:
    photo = paint_photo(damages=[DENT, Damage("scratch", (0.75, 0.75, 0.875, 0.875), strength=0.65)])
    assert [f.type for f in assessor.assess(photo).findings] == ["dent", "scratch"]
    strict = assessor.assess(photo, score_threshold=0.9)
    assert [f.type for f in strict.findings] == ["dent"]
    assert strict.settings.score_threshold == 0.9


def test_the_bundles_thresholds_are_one_a_type(folder: Path, tmp_path: Path) -> None:
    assessor = with_manifest(folder, tmp_path, thresholds={"findings": {"dent": 1.0, "scratch": 0.5, "broken_part": 0.5}})
    assert [f.type for f in assessor.assess(paint_photo(damages=[DENT, SCRATCH])).findings] == ["scratch"]


def test_confidences_are_calibrated(folder: Path, tmp_path: Path) -> None:
    calibration = {"damage": {"temperature": 6.0}, "findings": {"dent": {"x": [0, 1], "y": [0, 0.6]}}}
    assessment = with_manifest(folder, tmp_path, calibration=calibration).assess(ON_HOOD)
    assert assessment.findings[0].confidence == 0.6
    assert assessment.damage == Presence(present=True, confidence=0.731)  # sigmoid(6 / 6)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_score_threshold_is_within_0_and_1(assessor: Assessor, threshold: float) -> None:
    with pytest.raises(InputError, match="score_threshold must be between 0 and 1"):
        assessor.assess(ON_HOOD, score_threshold=threshold)


# Review


def codes(assessment: Assessment) -> list[tuple[str, int | None]]:
    return [(reason.code, reason.finding) for reason in assessment.review.reasons]


def test_an_unsure_finding_wants_a_look(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(damages=[DENT, Damage("scratch", (0.75, 0.75, 0.875, 0.875), strength=0.62)]))
    assert codes(assessment) == [("low_confidence", 2)]
    assert assessment.review.reasons[0].text.startswith("Finding 2 (scratch) is told with a confidence of 0.")


def test_a_type_that_the_bundle_knows_badly_wants_a_look(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(damages=[Damage("broken_part", DENT.box)]))
    assert codes(assessment) == [("weak_type", 1)]


def test_damage_without_a_finding_is_a_disagreement(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(damages=[SCRATCH]), score_threshold=0.999)
    assert assessment.findings == ()
    assert codes(assessment) == [("stages_disagree", None)]
    assert assessment.severity is None


def test_several_vehicles_are_told_with_the_one_that_was_judged(assessor: Assessor) -> None:
    look = assessor.look(ON_HOOD)
    assert look.vehicles is None
    boxes = np.float32([[0, 0, 700, 500], [720, 400, 768, 512]])
    masks = tuple(np.ones((1, 1), np.bool_) for _ in boxes)
    apart = Instances(boxes, np.float32([1, 1]), np.array([0, 0]), masks, np.zeros((2, 2), np.int64), (1, 1), (512, 768))
    assert ("several_vehicles", None) not in codes(assessor.tell(replace(look, vehicles=apart.select(np.array([0])))))
    told = assessor.tell(replace(look, vehicles=apart))
    assert ("several_vehicles", None) in codes(told)
    assert "Several vehicles are in view: parts are those of the largest one, across most of the photo" in told.report
    turned_away = assessor.look(paint_photo(body=None))
    assert ("several_vehicles", None) not in codes(assessor.tell(replace(turned_away, vehicles=apart)))


def test_damage_that_cannot_be_placed_is_at_most_possible(assessor: Assessor, folder: Path) -> None:
    look = assessor.look(ON_HOOD)
    assert look.damage is not None
    nowhere = replace(look, damage=look.damage.select(np.zeros(0, np.int64)))
    told = assessor.tell(nowhere)
    assert told.damage == Presence(present=True, confidence=0.49)
    assert told.report.startswith("Look closely: possibly damaged, but no place was found.")
    placed = assessor.tell(look).damage
    assert placed is not None
    assert placed.confidence > 0.9
    assert assessor.tell(replace(look, damage=None)).damage == placed  # a bundle that looks for no findings could place none


def test_a_sure_finding_held_back_by_the_damage_gate_is_a_disagreement(assessor: Assessor) -> None:
    assessment = assessor.assess(paint_photo(damages=[Damage("dent", (0.25, 0.25, 0.3125, 0.28125))]))  # 4 × 2 cells
    assert assessment.damage is not None
    assert not assessment.damage.present
    assert assessment.findings == ()
    assert codes(assessment) == [("stages_disagree", None)]
    assert assessment.review.reasons[0].text == (
        "The photo as a whole was not judged damaged, but damage was seen: dent – clear."
    )


# Stages on arrays


def test_no_findings_go_through() -> None:
    nothing = instances()
    assert means_over_cells(nothing, np.zeros((3, 4, 4), np.float32)).shape == (0, 3)
    assert len(confident(nothing, [None], [0.5])) == 0


def test_calibration_can_reorder_findings_and_thresholds_are_on_confidences() -> None:
    found = confident(
        instances((0.9, 0, (0, 0, 2, 2)), (0.8, 1, (4, 0, 2, 2)), (0.4, 1, (8, 0, 2, 2))),
        [ScoreCalibration(x=(0, 1), y=(0, 0.5)), None],
        [0.3, 0.5],
    )
    assert found.class_ids.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [0.8, 0.45], atol=1e-6)
    assert found.corners_xy[:, 0].tolist() == [4, 0]


def test_a_finding_is_told_from_its_threshold_on() -> None:
    found = instances((0.75, 0, (0, 0, 2, 2)))
    assert [len(confident(found, [None], [threshold])) for threshold in (0.75, 0.76)] == [1, 0]


def test_severity_of_a_finding_is_the_mean_over_its_cells() -> None:
    logits = np.full((3, 16, 16), -20, np.float32)
    logits[0] = 0
    logits[:, :, 2:] = np.array([-20, -20, 0], np.float32)[:, None, None]
    levels = means_over_cells(instances((0.7, 0, (0, 0, 4, 4))), softmax(logits))
    np.testing.assert_allclose(levels, [[0.5, 0.0, 0.5]], atol=1e-6)


LEVELS = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(0.01, 1))


@given(LEVELS, st.data())
def test_severity_of_a_photo_is_a_distribution_as_bad_as_its_surest_finding(raw: np.ndarray, data: st.DataObject) -> None:
    levels = (raw / raw.sum(1, keepdims=True)).astype(np.float32)
    confidences = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=len(raw), max_size=len(raw))), np.float32)
    whole = level_of_photo(levels, confidences)
    assert whole.sum() == pytest.approx(1, abs=1e-5)
    assert (whole >= -1e-6).all()
    surest = levels[confidences.argmax()]
    assert whole[2] >= surest[2] - 1e-6
    assert whole[0] <= surest[0] + 1e-6


def test_one_finding_gives_the_photo_its_severity() -> None:
    levels = np.array([[0.2, 0.5, 0.3]], np.float32)
    np.testing.assert_allclose(level_of_photo(levels, np.array([0.3], np.float32)), levels[0], atol=1e-6)


def test_many_mild_findings_do_not_add_up_to_a_bad_one() -> None:
    levels = np.tile(np.array([[0.9, 0.08, 0.02]], np.float32), (50, 1))
    np.testing.assert_allclose(level_of_photo(levels, np.full(50, 0.9, np.float32)), levels[0], atol=1e-6)


@pytest.mark.parametrize(
    ("probability", "threshold", "expected"),
    [(0.5, 0.5, (True, 0.5)), (0.499, 0.5, (False, 0.501)), (0.1, 0.05, (True, 0.1)), (0.9, 0.95, (False, 0.1))],
)
def test_a_gate_says_yes_from_its_threshold_on(probability: float, threshold: float, expected: tuple[bool, float]) -> None:
    found = presence(probability, threshold)
    assert found is not None
    assert (found.present, found.confidence) == expected


# What can be given


def test_path_bytes_picture_and_array_are_assessed_alike(assessor: Assessor, tmp_path: Path) -> None:
    path = tmp_path / "dönt.png"
    path.write_bytes(png(ON_HOOD))
    given = [path, str(path), path.read_bytes(), Image.fromarray(ON_HOOD), ON_HOOD, assessor.decode(path)]
    answers = [assessor.assess(photo, name="same") for photo in given]
    assert all(answer.findings == answers[0].findings for answer in answers)
    assert answers[0] == answers[2] == answers[5]


def test_names_are_paths_or_plain(assessor: Assessor, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(ON_HOOD))
    assert assessor.assess(path).photo.name == path.as_posix()
    assert assessor.assess(path.read_bytes()).photo.name == "photo"
    assert assessor.assess(Image.open(path)).photo.name == "x.png"


def test_a_file_name_that_is_no_text_is_spelled_out(assessor: Assessor) -> None:
    assessment = assessor.assess(ON_HOOD, name="a\udcff.jpg")
    assert assessment.photo.name == "a\\udcff.jpg"
    assert assessment.to_json()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda folder: folder / "none.jpg", "cannot be read: No such file or directory", id="missing"),
        pytest.param(lambda folder: folder, "is a folder, not a photo", id="folder"),
        pytest.param(lambda folder: "a\0b", "cannot be read: embedded null", id="null character"),
        pytest.param(lambda folder: b"", "the file is empty", id="empty"),
        pytest.param(lambda folder: b"just text", "not a picture", id="text"),
    ],
)
def test_what_cannot_be_read_is_one_line(assessor: Assessor, tmp_path: Path, make: Any, message: str) -> None:
    with pytest.raises(ImageError) as caught:
        assessor.assess(make(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_names_a_hostile_file_in_one_line(assessor: Assessor, tmp_path: Path) -> None:
    path = tmp_path / "a\nb\x1b[31m.jpg"
    path.write_bytes(b"text")
    with pytest.raises(ImageError, match=r"a\\nb\\x1b\[31m\.jpg: not a picture"):
        assessor.assess(path)


def test_photos_of_sources_are_assessed_by_their_names(assessor: Assessor, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.png").write_bytes(png(ON_HOOD))
    ((_, assessment),) = assessor.assess_many(iter_photos([tmp_path]))
    assert isinstance(assessment, Assessment)
    assert assessment.photo.name == "deep/x.png"


def test_files_over_the_limit_are_not_read(folder: Path, tmp_path: Path) -> None:
    assessor = dentify.load(folder, settings=Settings(max_file_bytes=1000), threads=1)
    big = tmp_path / "big.jpg"
    with big.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would take all memory
    with pytest.raises(ImageError, match=r"big\.jpg: over the limit of 1000 bytes a file; .*DENTIFY_MAX_FILE_BYTES$"):
        assessor.assess(big)


def test_endless_devices_end_at_the_limit(folder: Path) -> None:
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("this system has no /dev/zero")
    with pytest.raises(ImageError, match="over the limit"):
        dentify.load(folder, settings=Settings(max_file_bytes=1000), threads=1).assess(zero)


def test_what_is_no_photo_at_all(assessor: Assessor) -> None:
    with pytest.raises(InputError, match="cannot assess a int; give a path, bytes, a Pillow picture or an array"):
        assessor.assess(3)  # type: ignore[arg-type]


def test_an_opened_bundle_can_be_loaded(folder: Path) -> None:
    assert dentify.load(Bundle.open(folder), threads=1).assess(ON_HOOD).findings


# Devices


def test_a_gpu_that_is_not_there_is_one_warning_and_the_cpu_answers(
    folder: Path, assessor: Assessor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.warns(RuntimeWarning, match="^there is no CUDA here: pip install onnxruntime-gpu; the CPU is used$") as warned:
        without = dentify.load(folder, threads=1, device="cuda")
    assert len(warned) == 1
    assert without.networks.device == "cpu"
    assert without.assess(ON_HOOD).to_json() == assessor.assess(ON_HOOD).to_json()


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_who_does_not_insist_on_a_gpu_is_told_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch, device: Any) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dentify.load(folder, threads=1, device=device).networks.device == "cpu"


def test_other_devices_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^device must be auto, cpu or cuda, got 'tpu'$"):
        dentify.load(folder, device="tpu")  # type: ignore[arg-type]


# Many photos


class Remembered:
    """A photo that counts how many of its kind were read."""

    read_count = 0

    def __init__(self, name: str) -> None:
        self.name = self.where = name

    def read(self) -> bytes:
        type(self).read_count += 1
        return png(ON_HOOD)


def test_many_come_in_order_each_with_its_answer_or_error(assessor: Assessor) -> None:
    photos = [ON_HOOD, b"text", png(paint_photo(parts=HOOD))]
    results = list(assessor.assess_many(photos, workers=2))
    assert [photo is given for (photo, _), given in zip(results, photos, strict=True)] == [True] * 3
    first, second, third = (result for _, result in results)
    assert isinstance(first, Assessment)
    assert isinstance(second, ImageError)
    assert isinstance(third, Assessment)
    assert [len(first.findings), len(third.findings)] == [1, 0]


def test_many_are_taken_lazily(assessor: Assessor) -> None:
    taken = 0

    def photos() -> Iterator[Remembered]:
        nonlocal taken
        while True:  # no end: only a lazy reader comes back
            taken += 1
            yield Remembered(f"{taken}.png")

    results = assessor.assess_many(photos(), workers=2)
    assert taken == 0
    for number in range(1, 6):
        photo, result = next(results)
        assert isinstance(result, Assessment)
        assert photo.name == result.photo.name == f"{number}.png"
        assert taken <= number + 3
    results.close()  # type: ignore[attr-defined]
    assert Remembered.read_count <= taken


def test_one_assessor_serves_many_threads(assessor: Assessor) -> None:
    photos = [paint_photo(damages=[Damage("dent", (x / 64, 0.0, (x + 8) / 64, 0.25))]) for x in range(8)]
    expected = [assessor.assess(photo).to_json() for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        assert [answer.to_json() for answer in pool.map(assessor.assess, photos)] == expected


class Meeting:
    """A photo whose reading ends only when that of another has begun."""

    def __init__(self, name: str, barrier: threading.Barrier) -> None:
        self.name = self.where = name
        self.barrier = barrier

    def read(self) -> bytes:
        self.barrier.wait(timeout=10)
        return png(ON_HOOD)


def test_many_are_worked_on_at_once(assessor: Assessor) -> None:
    """One after the other, the first would wait for the second for ever."""
    barrier = threading.Barrier(2)
    results = assessor.assess_many([Meeting("a.png", barrier), Meeting("b.png", barrier)], workers=2)
    assert [result.photo.name for _, result in results if isinstance(result, Assessment)] == ["a.png", "b.png"]


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_are_in_work_as_asked_and_never_more(workers: int) -> None:
    lock, running, most = threading.Lock(), 0, 0
    barrier = threading.Barrier(workers)  # nobody goes on before so many are in work

    def work(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait(timeout=10)
        with lock:
            running -= 1
        return item * 2

    assert list(map_in_order(work, range(12), workers=workers)) == [(item, item * 2) for item in range(12)]
    assert most == workers


def test_a_bug_in_the_work_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda item: 1 // item, [1, 0, 2], workers=2))


def test_workers_are_one_or_more() -> None:
    with pytest.raises(InputError, match="workers must be 1 or more, got 0"):
        map_in_order(str, [1], workers=0)


def test_errors_and_findings_are_what_the_face_exports() -> None:
    assert issubclass(ImageError, dentify.DentifyError)
    assert dentify.DentifyError is DentifyError
    assert dentify.Finding is Finding


def test_an_answer_is_told_in_the_language_of_the_settings(folder: Path) -> None:
    """Words change and nothing else does; the answer says which language it speaks."""
    english = dentify.load(folder).assess(ON_HOOD)
    german = dentify.load(folder, settings=Settings(language="de")).assess(ON_HOOD)
    assert german.report.startswith("Reparatur wahrscheinlich: eindeutig beschädigt")
    assert "1. Motorhaube: Delle" in german.report
    assert (english.settings.language, german.settings.language) == ("en", "de")
    spoken = {"report", "report_lines", "review", "settings"}
    assert german.model_dump(exclude=spoken) == english.model_dump(exclude=spoken)


@pytest.mark.parametrize(("tiles", "schema", "named"), [("bundle", "1.1", None), ("off", "1.2", "off"), (2, "1.2", 2)])
def test_an_answer_says_which_tiles_were_asked_for(folder: Path, tiles: Any, schema: str, named: Any) -> None:
    answer = dentify.load(folder, settings=Settings(tiles=tiles)).assess(ON_HOOD)
    assert (answer.schema_version, answer.settings.tiles) == (schema, named)
    plain = dentify.load(folder).assess(ON_HOOD)
    assert [one.type for one in answer.findings] == [one.type for one in plain.findings]
    if tiles != 2:
        assert answer.findings == plain.findings


def test_a_large_photo_is_decoded_as_finely_as_its_tiles_need(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.assessor.MEASURED_SIDE", 1)  # of which the quality check needs more than so small a network
    file = io.BytesIO()
    Image.fromarray(paint_photo(size_hw=(1024, 1024))).save(file, "JPEG")
    whole, tiled = (dentify.load(folder, settings=Settings(tiles=tiles)).decode(file.getvalue()) for tiles in ("off", "auto"))
    assert (whole.image.shape[:2], tiled.image.shape[:2]) == ((128, 128), (256, 256))
    assert whole.photo_hw == tiled.photo_hw == (1024, 1024)


def test_reasons_for_review_are_told_in_that_language(assessor: Assessor) -> None:
    hardly = replace(assessor.look(ON_HOOD), quality=Quality(usable=False, issues=("too_dark",)))
    (reason,) = tell(hardly, assessor.bundle, language="de").review.reasons
    assert reason.text == "Das Foto ist zu dunkel."


def test_the_report_is_its_lines_without_the_parts_in_view(assessor: Assessor) -> None:
    assessment = assessor.assess(ON_HOOD)
    kinds = [line.kind for line in assessment.report_lines]
    assert kinds == ["verdict", "finding", "parts", "not_judged"]
    assert assessment.report.splitlines() == [line.text for line in assessment.report_lines if line.kind != "parts"]
    finding = assessment.report_lines[1]
    assert (finding.sources, finding.findings) == (("findings",), (assessment.findings[0].id,))
