"""Why a person should look at a photo again."""

from __future__ import annotations

from collections.abc import Sequence

from dentify import assessment as told
from dentify.bundle.manifest import ReviewRules
from dentify.report.words import damage_phrase, place_words
from dentify.runtime.instances import Instances
from dentify.taxonomy import damage_word

_OWN_WORDS = ("not_a_photo", "several_photos", "damaged_file")


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
    """
    sure_from = rules.sure_from
    no_vehicle = gates and vehicle is not None and not vehicle.present
    reasons: list[told.ReviewReason] = []

    def add(code: told.ReviewCode, text: str, finding: int | None = None) -> None:
        reasons.append(told.ReviewReason(code=code, finding=finding, text=text))

    if "not_a_photo" in quality.issues:
        add("poor_quality", "This is a blank or single-colour picture, and not a photo.")
    if "several_photos" in quality.issues:
        add("poor_quality", "The picture shows several photos; cut it apart and assess each of them.")
    if "damaged_file" in quality.issues:
        add("poor_quality", "Parts of the photo's file are missing or damaged; copy or export it again.")
    poor = [issue.replace("_", " ") for issue in quality.issues if issue not in _OWN_WORDS]
    if poor:
        add("poor_quality", f"The photo is {' and '.join(poor)}.")
    if vehicle is not None and vehicle.confidence < sure_from:
        add("low_confidence", "It is uncertain whether the photo shows a vehicle.")
    if damage is not None and damage.confidence < sure_from and not no_vehicle:
        add("low_confidence", "It is uncertain whether the vehicle is damaged.")

    strong = strongest is not None and strongest[1] >= sure_from
    seen = (
        f"damage ({damage_word(strongest[0])}) was seen with a confidence of {strongest[1]:.2f}" if strongest is not None else ""
    )
    if vehicle is not None and not vehicle.present:
        if strong and (damage is None or damage.present):
            add("stages_disagree", f"No vehicle was recognised, but {seen}.")
    elif damage is not None and not damage.present:
        if strong:
            add("stages_disagree", f"The photo as a whole looks undamaged, but {seen}.")
    elif (damage is not None or types) and judges_findings and not findings:
        add("stages_disagree", "The photo may show damage, but no single damage was sure enough to be told.")

    if several is not None and not no_vehicle:
        add("several_vehicles", several)
    for finding in findings:
        word = damage_word(finding.type)
        if finding.confidence < sure_from:
            add(
                "low_confidence",
                f"Finding {finding.id} ({word}) is told with a confidence of {finding.confidence:.2f} only.",
                finding.id,
            )
        if finding.type in rules.weak_types:
            add("weak_type", f"Finding {finding.id} ({word}) is of a type that this bundle knows badly.", finding.id)
    found = {finding.type for finding in findings}
    for one in types:
        if one.type in found:
            continue
        shown = damage_phrase(one.type)
        if one.confidence < sure_from:
            add("low_confidence", f"It is uncertain whether the photo as a whole shows {shown}.")
        if one.type in rules.weak_types:
            add("weak_type", f"The photo as a whole shows {shown}, a type that this bundle knows badly.")
    return tuple(reasons)


def several_vehicles(vehicles: Instances | None) -> str | None:
    """What to say where several vehicles stand apart on a photo: which one was judged."""
    if vehicles is None or len(vehicles) < 2:
        return None
    x_min, y_min, x_max, y_max = vehicles.boxes_xyxy[0].tolist()
    where = place_words((x_min, y_min, x_max, y_max), vehicles.photo_hw[::-1])
    return f"Several vehicles are in view: parts are those of the largest one, {where}, and damage may lie on others."
