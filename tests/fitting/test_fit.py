"""The whole fit, on painted photos and the tiny bundle, which knows them by heart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seen_dents import box, evidence

pytest.importorskip("onnx", reason="the tiny bundle needs the extra train")

from dentify import Bundle
from dentify.bundle.manifest import GateCalibration, Member, Roles, SeverityCalibration, TypesCalibration
from dentify.datasets import Annotation, Sample
from dentify.datasets.sample import has_vehicle, is_damaged, worst_severity
from dentify.errors import BundleError, DatasetError
from dentify.fitting.fit import (
    CLOSE_UP_WEIGHT,
    Asked,
    Fitted,
    Gate,
    Seen,
    Types,
    check_fittable,
    check_names,
    fit_bundle,
    fit_gate_of,
    fit_seen,
    fit_types,
    look_at,
    passes,
)
from dentify.runtime.networks import Networks
from dentify.runtime.probabilities import sigmoid
from dentify.settings import Settings
from dentify.testing import Damage, paint_photo, tiny_bundle, tiny_manifest, tiny_onnx

HW = (128, 192)
LABELLED = frozenset({"dent", "scratch", "broken_part"})


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


def bundle_with(bundle: Bundle, **changes: Any) -> Bundle:
    return replace(bundle, manifest=type(bundle.manifest).model_validate(tiny_manifest() | changes))


def photo(number: int, *damages: Damage, annotated: Sequence[Annotation] = (), body: bool = True, **labels: Any) -> Sample:
    image = paint_photo(size_hw=HW, damages=damages, body=(0.0, 0.0, 1.0, 1.0) if body else None)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return Sample(file.getvalue(), f"{number}.png", HW, annotations=tuple(annotated), **labels)


def damaged(number: int, **labels: Any) -> Sample:
    """A sure dent that is annotated, and a doubtful one that is not; left of the middle, so that no mirror image is the photo."""
    row = number % 5
    there = Damage("dent", (0.125, row / 8, 0.25, row / 8 + 0.125), strength=1.0)
    not_there = Damage("dent", (0.25, 0.75, 0.375, 0.875), strength=0.7)
    outline = box("dent", 24, row * 16, 24, 16)
    return photo(number, there, not_there, annotated=[outline], labelled=LABELLED, vehicle=True, **labels)


def sound(number: int) -> Sample:
    return photo(number, vehicle=True, damage=False)


def street(number: int) -> Sample:
    return photo(number, body=False, vehicle=False, damage=False)


def everything() -> list[Sample]:
    return [*map(damaged, range(25)), *map(sound, range(25, 37)), *map(street, range(37, 48))]


@pytest.fixture(scope="session")
def fitted(tiny: Bundle) -> Fitted:
    return fit_bundle(tiny, everything(), seed=0)


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


def test_a_photos_own_severity_is_asked_for(tiny: Bundle) -> None:
    """The tiny network has none; its answer whether there is a vehicle stands for a single level."""
    document = tiny_manifest()
    level = [{"file": "tiny.onnx", "output": "vehicle", "kind": "labels"}]
    bundle = bundle_with(
        tiny,
        roles=document["roles"] | {"severity": level},
        classes=document["classes"] | {"severity": ["minor"]},
        taxonomy=document["taxonomy"] | {"severity_levels": ["minor"]},
    )
    networks = Networks(bundle.manifest, bundle.files, threads=1, where="tiny")

    def levels(severity: str | None) -> list[tuple[tuple[int, ...], int]]:
        sample = replace(damaged(0), annotations=(replace(box("dent", 24, 0, 24, 16), severity=severity),))
        seen = look_at(networks, bundle.manifest, sample, seed=0, close_ups=0, settings=Settings())
        return [(logits.shape, worst) for logits, worst in seen.levels]

    assert levels("minor") == [((1,), 0)] * 2
    assert levels(None) == []
    assert levels("severe") == []  # this bundle knows no such level


def test_little_is_kept_of_a_photo(tiny: Bundle) -> None:
    """Its pixels take 74 kB, the network's input 49 kB; ten thousand photos must not fill a machine."""
    networks = Networks(tiny.manifest, tiny.files, threads=1, where="tiny")
    for seen in look_at(networks, tiny.manifest, damaged(0), seed=0, close_ups=0, settings=Settings()).evidence:
        squeezed = (seen.probs, seen.instances, seen.candidates.masks)
        assert sum(len(one.data) for one in squeezed) + seen.candidates.features.nbytes < 2000


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


def logits_and_answers(count: int, *, of: float = 1.0) -> list[tuple[np.ndarray, tuple[bool | None, ...]]]:
    """Views of two types: logits are right three times of four, and `of` times too large."""
    rng = np.random.default_rng(0)
    seen: list[tuple[np.ndarray, tuple[bool | None, ...]]] = []
    for number in range(count):
        shown = number % 2 == 0
        sign = (1 if shown else -1) * (1 if rng.random() < 0.75 else -1)
        seen.append((np.float32([sign * of, -sign * of]), (shown, not shown)))
    return seen


class TestTypes:
    """Of photos as a whole."""

    @pytest.mark.parametrize("of", [1.0, 10.0])
    def test_of_independent_ones_confidences_are_as_often_right_as_they_say(self, of: float) -> None:
        own = Types(TypesCalibration(), {"dent": 0.5, "scratch": 0.5})
        notes: list[str] = []
        fitted = fit_types(logits_and_answers(400, of=of), own, ("dent", "scratch"), notes)
        assert sigmoid(np.array(of / fitted.calibration.temperature)) == pytest.approx(0.75, abs=0.05)
        assert notes == []

    def test_of_exclusive_ones_too(self) -> None:
        own = Types(TypesCalibration(exclusive=True), 0.5)
        fitted = fit_types(logits_and_answers(400, of=5.0), own, ("dent", "scratch"), [])
        assert fitted.calibration.exclusive
        assert fitted.thresholds == 0.5
        assert sigmoid(np.array(2 * 5.0 / fitted.calibration.temperature)) == pytest.approx(0.75, abs=0.05)

    @pytest.mark.parametrize(("exclusive", "told"), [(True, "types stay: 5 photos"), (False, "dent of a photo as a whole keeps")])
    def test_too_few_photos_change_nothing_and_it_is_said(self, exclusive: bool, told: str) -> None:
        own = Types(TypesCalibration(exclusive=exclusive), 0.5 if exclusive else {"dent": 0.5, "scratch": 0.5})
        notes: list[str] = []
        assert fit_types(logits_and_answers(10), own, ("dent", "scratch"), notes) is own
        assert notes[0].startswith(told)

    def test_what_nobody_said_teaches_nothing(self) -> None:
        own = Types(TypesCalibration(exclusive=True), 0.5)
        unknown: list[tuple[np.ndarray, tuple[bool | None, ...]]] = [(np.float32([9, 0]), (True, None))] * 100
        assert fit_types(unknown, own, ("dent", "scratch"), []) is own


def test_photos_without_outlines_fit_gates_and_leave_findings(tiny: Bundle) -> None:
    boxed = [replace(one, annotations=(Annotation("dent", (24, 0, 48, 16)),)) for one in everything()[:25]]
    fitted = fit_bundle(tiny, [*boxed, *everything()[25:]])
    assert fitted.manifest.calibration.damage != GateCalibration()
    assert fitted.manifest.thresholds.findings == tiny.manifest.thresholds.findings
    assert "findings stay: 0 photos with outlines, it takes 20" in fitted.notes


def test_a_bundles_own_scorer_stays_where_it_scores_types_that_no_photo_labels(tiny: Bundle, fitted: Fitted) -> None:
    bundle = replace(tiny, manifest=fitted.manifest)
    dents = [replace(one, labelled=frozenset({"dent"})) for one in map(damaged, range(40))]
    again = fit_bundle(bundle, dents)
    assert again.manifest.grouping.scorer == fitted.manifest.grouping.scorer
    assert "the scorer stays: it scores scratch, broken_part too, which no photo labels" in again.notes
    curves = again.manifest.calibration.findings
    assert curves["dent"] != fitted.manifest.calibration.findings["dent"]
    assert curves["scratch"] == fitted.manifest.calibration.findings["scratch"]


def test_a_bundles_own_scorer_stays_unless_one_from_the_photos_ranks_better(tiny: Bundle, fitted: Fitted) -> None:
    good = fitted.manifest.grouping.scorer
    assert good is not None
    note = "the scorer stays: one from these photos ranks findings no better"
    again = fit_bundle(replace(tiny, manifest=fitted.manifest), everything())
    assert (again.manifest.grouping.scorer, note in again.notes) == (good, True)
    turned = tuple(tuple(tuple(-value for value in row) for row in matrix) for matrix in good.weights[1:])
    bad = good.model_copy(update={"weights": (good.weights[0], *turned)})  # says right of what is wrong
    grouping = fitted.manifest.grouping.model_copy(update={"scorer": bad})
    mended = fit_bundle(replace(tiny, manifest=fitted.manifest.model_copy(update={"grouping": grouping})), everything())
    assert mended.before["dent/AP50"] < mended.figures["dent/AP50"] == 1.0
    assert note not in mended.notes


def test_near_duplicates_are_one_photo(tiny: Bundle) -> None:
    with pytest.raises(DatasetError, match="findings stay: 1 photo with outlines, it takes 20"):
        fit_bundle(tiny, [damaged(number, group="one car") for number in range(25)])


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
    instances = Roles(damage=(Member(file="tiny.onnx", output="types", kind="instances"),))
    with pytest.raises(BundleError, match="tells damage as instances; only bundles that tell it as maps can be fitted"):
        check_fittable(replace(tiny, manifest=tiny.manifest.model_copy(update={"roles": instances})))


def test_close_ups_are_cut_from_sound_vehicles_only(tiny: Bundle) -> None:
    networks = Networks(tiny.manifest, tiny.files, threads=1, where="tiny")

    def asked(sample: Sample, close_ups: int = 2) -> list[tuple[str, bool, float]]:
        seen = look_at(networks, tiny.manifest, sample, seed=0, close_ups=close_ups, settings=Settings())
        return [(one.gate, one.answer, one.weight) for one in seen.asked]

    both = [("vehicle", True, 1.0), ("damage", False, 1.0)]
    close_up = [("vehicle", True, CLOSE_UP_WEIGHT), ("damage", False, CLOSE_UP_WEIGHT)]
    assert asked(sound(0)) == both * 2 + close_up * 2
    assert asked(sound(0), close_ups=0) == both * 2
    assert asked(damaged(0)) == [("vehicle", True, 1.0), ("damage", True, 1.0)] * 2
    assert asked(street(0)) == [("vehicle", False, 1.0)] * 2
    assert asked(replace(sound(0), vehicle=None, damage=None)) == []


def test_gates_are_asked_with_logits(tiny: Bundle) -> None:
    """The tiny network's lie between -6 and 6, and a whole vehicle's is 6."""
    bundle = replace(tiny, manifest=tiny.manifest)
    networks = Networks(bundle.manifest, bundle.files, threads=1, where="tiny")
    seen = look_at(networks, tiny.manifest, sound(0), seed=0, close_ups=0, settings=Settings())
    assert [round(one.logit, 2) for one in seen.asked if one.gate == "vehicle"] == [6.0, 6.0]


def answers(yes: int, no: int, *, weight: float = 1.0) -> list[Asked]:
    """Photos, each seen twice."""
    return [Asked("damage", 2.0, True, weight)] * 2 * yes + [Asked("damage", -1.0, False, weight)] * 2 * no


def test_a_gate_needs_both_answers_from_whole_photos() -> None:
    own = Gate(GateCalibration(temperature=2.0), 0.3)
    notes: list[str] = []
    assert fit_gate_of("damage", own, answers(10, 9) + answers(0, 9, weight=0.25), notes) is own
    assert notes == ["the damage gate stays: 10 photos with damage and 9 without, it takes 10 of either"]
    assert fit_gate_of("damage", own, answers(10, 10), notes) != own
    assert len(notes) == 1


def test_of_good_thresholds_the_vehicle_gate_takes_the_strictest_and_the_damage_gate_the_middle() -> None:
    def threshold(gate: str) -> float:
        asked = [replace(one, gate=gate) for one in answers(20, 20)]
        return fit_gate_of(gate, Gate(GateCalibration(), 0.5), asked, []).threshold

    assert threshold("vehicle") == 0.95  # photos of either answer are far apart, so everything between is as good
    assert 0.4 < threshold("damage") < 0.6


def test_a_gate_that_guesses_is_not_fitted_to_turn_all_away() -> None:
    own = Gate(GateCalibration(), 0.5)
    guesses = [Asked("damage", 2.0, answer, 1.0) for answer in (True, False)] * 20
    notes: list[str] = []
    assert fit_gate_of("damage", own, guesses, notes) is own
    assert notes == ["the damage gate stays: it tells these photos apart hardly better than chance"]


def test_close_ups_weigh_less_in_a_gate() -> None:
    own = Gate(GateCalibration(), 0.5)
    hard = [Asked("damage", 1.5, False, 1.0)] * 30
    light = [replace(one, weight=CLOSE_UP_WEIGHT) for one in hard]
    heavy_gate, light_gate = (fit_gate_of("damage", own, answers(20, 20) + some, []) for some in (hard, light))
    assert light_gate.calibration.bias > heavy_gate.calibration.bias


def test_close_ups_move_a_gates_threshold_by_their_weight_only() -> None:
    """Sixty sound close-ups look damaged; in full they would outweigh a tenth of the damaged photos."""
    own = Gate(GateCalibration(), 0.5)
    faint = [Asked("damage", 0.5, True, 1.0)] * 6
    whole = answers(20, 20) + faint

    def turned_away(weight: float) -> bool:
        close_ups = [Asked("damage", 0.5, False, weight)] * 12
        return not fit_gate_of("damage", own, whole + close_ups, []).lets_through(0.5)

    assert turned_away(1.0)
    assert not turned_away(CLOSE_UP_WEIGHT)


def test_a_source_with_most_photos_does_not_decide_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 900 sound photos of one yard all are told apart from damaged ones at 0; of 100 of streets none is below 1."""
    monkeypatch.setattr("dentify.fitting.fit.EVEN_CHANCE", 1.0)
    damaged = [Asked("damage", 2.0, True, 1.0, "garage")] * 100 + [Asked("damage", 0.5, True, 1.0, "garage")] * 20
    yard = [Asked("damage", -2.0, False, 1.0, "yard")] * 900
    street = [Asked("damage", 1.0, False, 1.0, "street")] * 100
    own = Gate(GateCalibration(), 0.5)
    asked = [*damaged, *yard, *street]
    by_source = fit_gate_of("damage", own, asked, [])
    together = fit_gate_of("damage", own, [replace(one, source="one") for one in asked], [])
    assert not by_source.lets_through(1.0)
    assert together.lets_through(1.0)


def test_what_is_likelier_than_not_is_told_as_damaged() -> None:
    """Whatever threshold would make fewer mistakes on these photos, of which the sound ones reach far up."""
    damaged = [Asked("damage", 3.0, True, 1.0, "garage")] * 100
    sound = [Asked("damage", logit, False, 1.0, "street") for logit in (-3.0, -2.0, 1.5, 1.9) for _ in range(25)]
    gate = fit_gate_of("damage", Gate(GateCalibration(), 0.9), [*damaged, *sound], [])
    assert gate.threshold == 0.5


def test_a_photo_passes_where_every_gate_that_there_is_lets_it() -> None:
    seen = evidence(seen=[(8, 8)])  # logits of 3
    low, high = Gate(GateCalibration(), 0.9), Gate(GateCalibration(), 0.99)
    assert passes(seen, {"vehicle": low, "damage": low})
    assert not passes(seen, {"vehicle": low, "damage": high})
    assert passes(replace(seen, gates={}), {})


def test_severity_takes_a_temperature_from_photos_that_tell_it(tiny: Bundle) -> None:
    levels = [(np.float32([6.0, 0.0, 0.0]), 0 if number % 3 else 1) for number in range(30)]
    fitted = fit_seen(Seen(levels=levels), tiny.manifest, photos=15, seed=0)
    assert fitted.manifest.calibration.severity.temperature > 2
    assert fitted.manifest.calibration.severity != SeverityCalibration()


def test_what_labels_say_of_a_photo() -> None:
    dent = replace(box("dent", 0, 0), severity="moderate")
    hood = box("hood", 0, 0)
    assert has_vehicle(Sample(b"", "a.jpg", annotations=(hood,))) is True
    assert is_damaged(Sample(b"", "a.jpg", annotations=(hood,))) is None
    assert is_damaged(Sample(b"", "a.jpg", annotations=(dent,))) is True
    assert worst_severity(Sample(b"", "a.jpg", annotations=(dent, replace(dent, severity="minor"), hood))) == "moderate"
    assert worst_severity(Sample(b"", "a.jpg", annotations=(hood,))) is None


def test_a_broken_picture_ends_it_with_its_name(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.png"):
        fit_bundle(tiny, [Sample(b"no picture", "a.png", vehicle=True, where="labels.json")])
