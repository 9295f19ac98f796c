"""Why a person should look at a photo again."""

from __future__ import annotations

from collections.abc import Sequence

from dentify import assessment as told
from dentify.bundle.manifest import ReviewRules
from dentify.certainty import certainty_of
from dentify.languages import Words, as_sentence, in_language
from dentify.languages.meanings import place_in_photo
from dentify.runtime.instances import Instances


def review_reasons(
    *,
    quality: told.Quality,
    vehicle: told.Presence | None,
    damage: told.Presence | None,
    findings: Sequence[told.Finding],
    strongest: tuple[str, float] | None,
    rules: ReviewRules,
    types: Sequence[told.PhotoType] = (),
    several: str | None = None,
    judges_findings: bool = True,
    gates: bool = True,
    words: Words | None = None,
) -> tuple[told.ReviewReason, ...]:
    """Why a person should look, a sentence each; empty where nobody needs to.

    Args:
        quality: of the photo.
        vehicle: the vehicle gate's answer.
        damage: the damage gate's answer, also where it is not told for want of a vehicle.
        findings: those told.
        strongest: type and confidence of the surest finding, told or held back by a gate; where there is none, of the surest type
            of the photo as a whole. It speaks against a gate's no where it is sure enough by itself.
        several: which of several vehicles was judged, where there are several.
        rules: from which confidence on the bundle is sure, and its weak types.
        types: of the photo as a whole, those told. What is wrong with a type is said once, of its findings where there are any.
        judges_findings: whether the bundle looks for findings at all.
        gates: whether the gates hold findings back.
        words: of the language to tell them in; English where not given.
    """
    words = words or in_language("en")
    sure_from = rules.sure_from
    no_vehicle = gates and vehicle is not None and not vehicle.present
    reasons: list[told.ReviewReason] = []

    def add(code: told.ReviewCode, text: str, finding: int | None = None) -> None:
        reasons.append(told.ReviewReason(code=code, finding=finding, text=text))

    for issue in quality.issues:
        if issue in words.ISSUES:
            add("poor_quality", as_sentence(words.ISSUES[issue]))
    poor = [issue for issue in quality.issues if issue not in words.ISSUES]
    if poor:
        add("poor_quality", words.poor_reason(poor))
    if vehicle is not None and vehicle.confidence < sure_from:
        add("low_confidence", words.VEHICLE_IN_DOUBT)
    if damage is not None and damage.confidence < sure_from and not no_vehicle:
        add("low_confidence", words.DAMAGE_IN_DOUBT)

    strong = strongest if strongest is not None and strongest[1] >= sure_from else None
    if vehicle is not None and not vehicle.present:
        if strong is not None and (damage is None or damage.present):
            add("stages_disagree", words.seen_without_vehicle(strong[0], certainty_of(strong[1])))
    elif damage is not None and not damage.present:
        if strong is not None:
            add("stages_disagree", words.seen_undamaged(strong[0], certainty_of(strong[1])))
    elif (damage is not None or types) and judges_findings and not findings:
        add("stages_disagree", words.NO_FINDING)

    if several is not None and not no_vehicle:
        add("several_vehicles", several)
    for finding in findings:
        if finding.confidence < sure_from:
            add("low_confidence", words.doubtful_finding(finding.id, finding.type, finding.confidence), finding.id)
        if finding.type in rules.weak_types:
            add("weak_type", words.weak_finding(finding.id, finding.type), finding.id)
    found = {finding.type for finding in findings}
    for one in types:
        if one.type in found:
            continue
        if one.confidence < sure_from:
            add("low_confidence", words.doubtful_type(one.type))
        if one.type in rules.weak_types:
            add("weak_type", words.weak_type(one.type))
    return tuple(reasons)


def several_vehicles(vehicles: Instances | None, words: Words) -> str | None:
    """What to say where several vehicles stand apart on a photo: which one was judged."""
    if vehicles is None or len(vehicles) < 2:
        return None
    x_min, y_min, x_max, y_max = vehicles.boxes_xyxy[0].tolist()
    return words.several_vehicles(place_in_photo((x_min, y_min, x_max, y_max), vehicles.photo_hw[::-1]))
