"""Reports read like this: fields on one side, the whole text on the other."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dentify.assessment import (
    Finding,
    FoundPart,
    PartOfFinding,
    Photo,
    PhotoType,
    Presence,
    Quality,
    Review,
    ReviewReason,
    Severity,
)
from dentify.report import write_report
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, damage_word, part_word


def test_one_finding_with_all_that_is_known_of_it(report, finding):
    text = report(
        findings=[finding("dent", 0.91, on={"hood": 0.11}, severity=("minor", 0.66))],
        severity=Severity(level="moderate", confidence=0.71),
    )
    assert text == (
        "The photo clearly shows damage to the vehicle. "
        "There is clearly a dent on the hood, covering about 11 % of its visible area; it is probably minor. "
        "Overall, the damage is probably moderate. Parts in view: hood."
    )


def test_a_finding_beside_its_part_is_at_it_and_measured_by_the_photo(report, finding):
    text = report(findings=[finding("dent", on={"hood": 0.01}, split=(0.05,), area_share=0.21, severity=None)])
    assert "There is clearly a dent at the hood, covering about a fifth of the photo." in text
    two = [finding("dent", on={"hood": 0.01}, split=(0.0,), area_share=0.03, number=number) for number in (1, 2)]
    assert "Both dents are at the hood; the largest covers about 3 % of the photo." in report(
        findings=[*two, *(finding("scratch", number=number) for number in range(3, 12))]
    )


def test_a_few_findings_are_told_one_by_one(report, finding):
    text = report(
        findings=[
            finding("scratch", 0.9, on={"front_left_door": 0.004}),
            finding("scratch", 0.4, on={"front_left_door": 0.03}),
            finding("glass_shatter", 0.7, on={"front_glass": 0.5}, sure_of_part=0.6, severity=("severe", 0.9)),
        ]
    )
    assert text == (
        "The photo clearly shows damage to the vehicle: two scratches and shattered glass. "
        "There is clearly a scratch on the front left door, covering less than 1 % of its visible area; it is clearly minor. "
        "There is possibly another scratch on the front left door, covering about 3 % of its visible area; it is clearly minor. "
        "There is probably shattered glass in what is probably the windscreen, covering about half of its visible area; "
        "it is clearly severe. Parts in view: hood."
    )


def test_many_findings_are_grouped_by_type_and_place(report, finding, reasons):
    lower_left = (0, 500, 50, 560)
    scratches = [
        finding("scratch", 0.9, on={"front_bumper": 0.02}, severity=("severe", 0.6)),
        *(finding("scratch", 0.9, on={"front_bumper": 0.02}, area_share=0.001) for _ in range(3)),
        *(finding("scratch", 0.95, on={"hood": 0.1}, area_share=0.05) for _ in range(2)),
        finding("scratch", 0.6, on={"hood": 0.01}, area_share=0.004),
        finding("scratch", 0.6, box=lower_left, area_share=0.004),
        finding("scratch", 0.3, box=lower_left, area_share=0.004, number=9),
    ]
    torn = finding(
        "broken_part", 0.55, on={"front_bumper": 0.2, "hood": 0.02}, split=(0.7, 0.3), severity=("severe", 0.6), number=10
    )
    text = report(
        findings=[*scratches, torn],
        review=reasons(low_confidence=[9, 10], weak_type=[10]),
        not_judged=["crack", "tire_flat"],
        notes=["first frame of 12"],
    )
    assert text == (
        "The photo clearly shows damage to the vehicle: nine scratches and a broken or missing part. "
        "Of the nine scratches, four are on the front bumper, three are on the hood and two are in the lower left of the photo; "
        "the largest covers about a tenth of the visible hood. "
        "Six are clear, two are probable and one is only possible. One looks severe and eight look minor. "
        "There is probably a broken or missing part mostly at the front bumper and partly at the hood, "
        "covering about a fifth of the visible front bumper; it is probably severe. Parts in view: hood. "
        "A person should look again: a scratch and a broken or missing part are uncertain; "
        "and a broken or missing part is of a type that the model knows badly. "
        "Not judged: cracks and flat tyres. Note: first frame of 12."
    )


def test_a_group_on_one_part(report, finding):
    text = report(findings=[finding("dent", on={"trunk": 0.03}) for _ in range(4)])
    assert "All four dents are on the trunk; the largest covers about 3 % of the visible trunk. All are clear." in text
    assert text.count("four") == 2
    pair = [finding("dent", 0.6, on={"trunk": 0.03}), finding("dent", 0.7, on={"trunk": 0.03}, sure_of_part=0.6)]
    text = report(findings=[*pair, finding("scratch"), finding("crack")])
    assert "Both dents are on what is probably the trunk; the largest covers about 3 % of the visible trunk." in text
    assert "Both are probable. Both look minor." in text


def test_places_beyond_a_few_are_counted_together(report, finding):
    parts = ["hood", "trunk", "tailgate", "front_bumper", "back_bumper"]
    text = report(findings=[finding("dent", on={name: 0.05}) for name in ["hood", *parts]])
    assert (
        "Of the six dents, two are on the hood, one is on the trunk, one is on the tailgate and two are in other places;" in text
    )


def test_damage_on_no_named_part_is_placed_in_the_photo(report, finding):
    text = report(findings=[finding("lamp_broken", 0.7, box=(0, 0, 100, 100), severity=None)])
    assert text == (
        "The photo clearly shows damage to the vehicle. "
        "There is probably a broken lamp in the upper left of the photo, covering about 2 % of it, "
        "on no part that could be named. "
        "Parts in view: hood. Not judged: how bad the damage is."
    )


def test_a_bundle_that_knows_neither_vehicles_nor_parts_nor_masks(report, finding):
    text = report(
        vehicle=None,
        damage=None,
        parts=[],
        findings=[finding("dent", 0.3, box=(0, 0, 900, 600), area_share=1.0, mask=None, severity=None)],
    )
    assert text == (
        "A dent was found. No part of the vehicle could be named. "
        "There is possibly a dent across most of the photo, covering nearly all of it by its box. "
        "Not judged: whether this is a vehicle and how bad the damage is."
    )


def test_no_damage(report):
    text = report(damage=Presence(present=False, confidence=0.95), not_judged=["crack"])
    assert text == "The photo clearly shows no damage to the vehicle. Parts in view: hood. Not judged: cracks."


def test_a_no_that_is_less_likely_than_not_is_told_as_a_doubt(report):
    text = report(damage=Presence(present=False, confidence=0.4))
    assert text == "The photo probably shows damage to the vehicle, but not surely enough to be told. Parts in view: hood."
    text = report(vehicle=Presence(present=False, confidence=0.4), damage=None, parts=[])
    assert text == "The photo probably shows a vehicle, but not surely enough to be told, so damage was not judged."


def test_no_vehicle_and_no_damage_without_gates(report):
    text = report(vehicle=Presence(present=False, confidence=0.97), damage=Presence(present=False, confidence=0.6), parts=[])
    assert text == "The photo clearly shows no vehicle; it probably shows no damage."


def test_no_vehicle(report):
    text = report(vehicle=Presence(present=False, confidence=0.97), damage=None, parts=[], not_judged=["crack"])
    assert text == "The photo clearly shows no vehicle, so damage was not judged."


def test_no_vehicle_but_assessed_all_the_same(report, finding):
    text = report(vehicle=Presence(present=False, confidence=0.7), damage=None, parts=[], findings=[finding("dent")])
    assert text.startswith(
        "The photo probably shows no vehicle; damage was looked for all the same, and a dent was marked. "
        "No part of the vehicle could be named. There is clearly a dent in the middle of the photo, covering about 2 % of it"
    )


def test_damage_that_could_not_be_marked(report, reasons):
    text = report(
        vehicle=Presence(present=True, confidence=0.7),
        damage=Presence(present=True, confidence=0.6),
        review=reasons(low_confidence="It is uncertain whether the vehicle is damaged."),
    )
    assert text == (
        "What is shown is probably a vehicle. "
        "The photo probably shows damage to the vehicle, but no single damage could be marked. Parts in view: hood. "
        "A person should look again: it is uncertain whether the vehicle is damaged."
    )


def test_findings_against_the_whole_photo(report, finding, reasons):
    text = report(
        damage=Presence(present=False, confidence=0.6),
        findings=[finding("dent", 0.35, on={"hood": 0.02})],
        review=reasons(stages_disagree="The photo as a whole looks undamaged, but a dent was seen.", low_confidence=[1]),
    )
    assert text == (
        "Taken as a whole the photo probably shows no damage to the vehicle; a dent was marked all the same. "
        "There is possibly a dent on the hood, covering about 2 % of its visible area; it is clearly minor. Parts in view: hood. "
        "A person should look again: the photo as a whole looks undamaged, but a dent was seen; and a dent is uncertain."
    )


def test_a_photo_too_poor_to_trust(report, reasons):
    text = report(
        quality=Quality(usable=False, issues=("too_dark", "blurred")),
        damage=Presence(present=False, confidence=0.6),
        review=reasons(poor_quality="The photo is too dark and blurred."),
    )
    assert text == (
        "The photo is too dark and too blurred to be trusted, so damage may be missed. "
        "The photo probably shows no damage to the vehicle. Parts in view: hood. "
        "A person should look again: the photo is poor."
    )


def test_a_blank_picture(report, reasons):
    blank = {
        "quality": Quality(usable=False, issues=("too_dark", "not_a_photo")),
        "damage": None,
        "parts": [],
        "not_judged": ["crack"],
        "review": reasons(poor_quality="This is a blank or single-colour picture, and not a photo."),
    }
    text = (
        "This is a blank or single-colour picture and not a photo, so nothing was judged. "
        "A person should look again: it is no photo."
    )
    assert report(**blank, vehicle=Presence(present=False, confidence=1.0)) == text
    assert report(**blank, vehicle=None) == text


def test_several_photos_are_told_first_and_judged_all_the_same(report, finding, reasons):
    text = report(
        quality=Quality(usable=False, issues=("blurred", "several_photos")),
        findings=[finding("dent", 0.95, on={"hood": 0.11}, severity=("minor", 0.66))],
        review=reasons(poor_quality="The picture shows several photos; cut it apart and assess each of them."),
    )
    assert text == (
        "The picture shows several photos and was judged as if it were one; cut it apart and assess each of them. "
        "The photo is too blurred to be trusted, so damage may be missed. "
        "The photo clearly shows damage to the vehicle. "
        "There is clearly a dent on the hood, covering about 11 % of its visible area; it is probably minor. "
        "Parts in view: hood. A person should look again: it is not one photo."
    )


def test_a_photo_of_middling_quality(report):
    text = report(quality=Quality(usable=True, issues=("too_bright",)), damage=Presence(present=False, confidence=0.6))
    assert text.startswith("The photo is rather bright, so faint damage may be missed. ")


def test_words_of_a_users_own_taxonomy(report, finding):
    text = report(findings=[finding("hail_mark", on={"left_fender": 0.4}), finding("oil__stain", on={"wheel": 0.4})])
    assert "a hail mark and an oil stain." in text
    assert "There is clearly a hail mark on the left fender, covering about 40 % of its visible area" in text
    assert "There is clearly an oil stain on a wheel" in text


def test_parts_in_view_are_told_as_surely_as_they_are_known(report):
    parts = [
        FoundPart(name=name, confidence=confidence, box=(0, 0, 1, 1), mask=None)
        for name, confidence in [("wheel", 0.9), ("wheel", 0.4), ("hood", 0.95), ("trunk", 0.6), ("left_mirror", 0.2)]
    ]
    text = report(parts=parts, damage=Presence(present=False, confidence=0.9))
    assert text.endswith("Parts in view: hood and wheel; probably trunk; possibly left mirror.")


def test_a_review_without_reasons_is_still_told(report):
    assert report(review=Review(needed=True)).endswith("A person should look again.")


confidences = st.floats(0, 1)
presences = st.none() | st.builds(Presence, present=st.booleans(), confidence=confidences)
severities = st.none() | st.builds(Severity, level=st.sampled_from(["minor", "moderate", "severe"]), confidence=confidences)
type_names = st.sampled_from([*DAMAGE_NAMES, "hail_mark", "unit_loss", "_odd__name_"])
part_names = st.sampled_from([*PART_NAMES, "left_fender"])
corners = st.floats(-10, 1000)
parts_of_findings = st.builds(
    PartOfFinding, name=part_names, confidence=confidences, share_of_finding=confidences, share_of_part=confidences
)
parts_in_view = st.builds(FoundPart, name=part_names, confidence=confidences, box=st.just((0, 0, 1, 1)), mask=st.none())
findings_of_any_kind = st.builds(
    Finding,
    id=st.integers(1, 40),
    type=type_names,
    confidence=confidences,
    box=st.tuples(corners, corners, corners, corners),
    mask=st.none(),
    area_share=confidences,
    parts=st.lists(
        st.builds(
            PartOfFinding, name=part_names, confidence=confidences, share_of_finding=confidences, share_of_part=confidences
        ),
        max_size=3,
    ).map(tuple),
    severity=severities,
)
reviews = st.builds(
    Review,
    needed=st.booleans(),
    reasons=st.lists(
        st.builds(
            ReviewReason,
            code=st.sampled_from(["low_confidence", "stages_disagree", "poor_quality", "weak_type"]),
            finding=st.none() | st.integers(1, 40),
            text=st.just("…"),
        ),
        max_size=6,
    ).map(tuple),
)
answers = st.fixed_dictionaries(
    {
        "photo": st.just(Photo(name="a.jpg", sha256="0" * 64, width=900, height=600)),
        "quality": st.builds(
            Quality,
            usable=st.booleans(),
            issues=st.lists(
                st.sampled_from(["too_dark", "too_bright", "blurred", "too_small", "not_a_photo", "several_photos"]), unique=True
            ).map(tuple),
        ),
        "vehicle": presences,
        "damage": presences,
        "findings": st.lists(findings_of_any_kind, max_size=20),
        "parts": st.lists(
            st.builds(FoundPart, name=part_names, confidence=confidences, box=st.just((0, 0, 1, 1)), mask=st.none())
        ),
        "severity": severities,
        "review": reviews,
        "not_judged": st.lists(type_names, unique=True, max_size=3),
        "notes": st.lists(st.text(max_size=20), max_size=2),
    }
)


def says(text: str, words: str) -> bool:
    """Whether whole words occur in a text."""
    return re.search(rf"\b{re.escape(' '.join(words.split()))}\b", text, re.IGNORECASE) is not None


@given(answers)
def test_every_report_is_well_formed_and_repeatable(fields):
    text = write_report(**fields)
    assert text == write_report(**fields)
    assert text.endswith(".")
    assert "  " not in text
    assert "\n" not in text
    assert not text[0].islower()


@given(answers)
def test_every_type_that_was_found_is_named(fields):
    text = write_report(**fields)
    for finding in fields["findings"]:
        assert says(text, damage_word(finding.type)) or says(text, damage_word(finding.type, 2))


@given(answers)
def test_nothing_is_named_that_the_fields_do_not_hold(fields):
    text = write_report(**(fields | {"notes": []}))
    types = {finding.type for finding in fields["findings"]} | set(fields["not_judged"])
    parts = {part.name for finding in fields["findings"] for part in finding.parts} | {part.name for part in fields["parts"]}
    for name in DAMAGE_NAMES:
        if name not in types:
            assert not says(text, damage_word(name))
            assert not says(text, damage_word(name, 2))
    for name in PART_NAMES:
        if name not in parts:
            assert not says(text, part_word(name))
    numbers = [int(number) for number in re.findall(r"\b(\d+)\b(?! %)", text)]
    assert all(number <= max(len(fields["findings"]), len(fields["parts"])) for number in numbers)


@given(answers)
def test_one_is_never_many(fields):
    text = write_report(**(fields | {"notes": []}))
    plurals = "|".join(re.escape(damage_word(name, 2)) for name in DAMAGE_NAMES)
    assert not re.search(rf"\b(1|one|an?|another) ({plurals})\b", text, re.IGNORECASE)
    assert not re.search(r"\b(two|three|four|\d+) (is|looks|was)\b", text)


def types(**confidences: float) -> list[PhotoType]:
    return [PhotoType(type=name, confidence=confidence) for name, confidence in confidences.items()]


def test_types_of_the_photo_are_told_between_the_whole_and_the_findings(report, finding):
    text = report(types=types(dent=0.95, glass_shatter=0.92, scratch=0.6), findings=[finding("dent", on={"hood": 0.11})])
    assert text.startswith(
        "The photo clearly shows damage to the vehicle. As a whole the photo clearly shows a dent and shattered glass, "
        "probably a scratch. There is clearly a dent on the hood"
    )
    assert report(types=[]) == report(types=None)


def test_where_damage_lies_is_not_judged_by_a_bundle_without_findings(report):
    alone = {"judges_findings": False, "parts": []}
    assert report(types=types(tire_flat=0.8), damage=None, **alone) == (
        "As a whole the photo probably shows a flat tyre; where was not judged. Not judged: how bad the damage is."
    )
    assert report(types=types(tire_flat=0.8), **alone).startswith(
        "The photo clearly shows damage to the vehicle. As a whole the photo probably shows a flat tyre; where was not judged."
    )
    untold = "No type of damage was sure enough to be told, and where damage lies was not judged."
    assert report(types=[], damage=None, **alone) == untold
    assert report(types=[], **alone) == f"The photo clearly shows damage to the vehicle. {untold}"
    sound = Presence(present=False, confidence=0.95)
    assert report(types=[], damage=sound, **alone) == "The photo clearly shows no damage to the vehicle."


def test_types_without_a_finding_do_not_come_after_a_no(report):
    text = report(types=types(dent=0.49), damage=None)
    assert text.startswith("No single damage could be marked. As a whole the photo possibly shows a dent.")
    for judges_findings in (True, False):
        text = report(types=types(dent=0.95), damage=Presence(present=False, confidence=0.95), judges_findings=judges_findings)
        assert text.startswith(
            "The photo clearly shows no damage to the vehicle; types of damage are told all the same. As a whole the photo"
        )
    no_vehicle = Presence(present=False, confidence=0.95)
    text = report(types=types(dent=0.95), vehicle=no_vehicle, damage=None, judges_findings=False)
    assert text.startswith("The photo clearly shows no vehicle; damage was looked for all the same. As a whole the photo clearly")
