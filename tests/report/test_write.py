"""Reports read like this: fields on one side, the whole text on the other."""

from __future__ import annotations

import re
from typing import get_args

import pytest
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
    QualityIssue,
    Review,
    ReviewReason,
    Severity,
)
from dentify.languages import ENGLISH, LANGUAGES
from dentify.report import as_text, report_lines
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES

NO_DAMAGE = Presence(present=False, confidence=0.95)
NO_VEHICLE = Presence(present=False, confidence=0.97)
MODERATE = Severity(level="moderate", confidence=0.71)


def test_what_to_do_comes_first_and_then_a_line_a_finding(report, finding):
    text = report(
        findings=[
            finding("dent", 0.91, on={"hood": 0.11}, severity=("minor", 0.66)),
            finding("lamp_broken", 0.6, on={"front_left_light": 0.9}, severity=("moderate", 0.9), number=2),
        ],
        severity=MODERATE,
        not_judged=["crack", "tire_flat"],
    )
    assert text == (
        "Likely repair: clearly damaged, moderate overall.\n"
        "1. Hood: dent, about 11 % of its visible area, minor – clear.\n"
        "2. Left headlight: broken lamp, about 90 % of its visible area, moderate – probable.\n"
        "Not judged: cracks and flat tyres."
    )


def test_the_same_in_german(report, finding):
    text = report(
        findings=[finding("dent", 0.91, on={"hood": 0.11}, severity=("minor", 0.66))],
        severity=MODERATE,
        parts=[FoundPart(name="wheel", confidence=0.6, box=(0, 0, 9, 9), mask=None)],
        not_judged=["crack", "tire_flat"],
        notes=["first frame of 12"],
        language="de",
        verbose=True,
    )
    assert text == (
        "Reparatur wahrscheinlich: eindeutig beschädigt, insgesamt mittelschwer.\n"
        "1. Motorhaube: Delle, etwa 11 % der sichtbaren Fläche, leicht – eindeutig.\n"
        "Sichtbare Teile: Rad – wahrscheinlich.\n"
        "Nicht beurteilt: Risse und platte Reifen.\n"
        "Hinweis: erstes von 12 Bildern."
    )


def test_findings_that_are_only_possible_are_to_be_looked_at(report, finding, reasons):
    text = report(findings=[finding("scratch", 0.3, on={"hood": 0.02})], review=reasons(low_confidence=[1]))
    assert text == "Look closely: clearly damaged.\n1. Hood: scratch, about 2 % of its visible area, minor – possible."


def test_a_doubt_is_told_once(report, finding, reasons):
    """On the line of its finding, also where it is a reason to look; the first line only says that there is one."""
    text = report(
        findings=[
            finding("dent", 0.8, on={"hood": 0.1}),
            finding("broken_part", 0.3, on={"trunk": 0.2}, number=2),
        ],
        review=reasons(low_confidence=[2], weak_type=[2]),
    )
    assert text == (
        "Likely repair, please check: clearly damaged.\n"
        "1. Hood: dent, about a tenth of its visible area, minor – probable.\n"
        "2. Trunk: broken or missing part, about a fifth of its visible area, minor – possible; "
        "a type that the model knows badly."
    )


@pytest.mark.parametrize(
    ("of_finding", "of_part", "told"),
    [
        (0.9, 0.4, "1. Perhaps trunk: dent, about 3 % of its visible area, minor – clear."),
        (0.9, 0.5, "1. Probably trunk: dent, about 3 % of its visible area, minor – clear."),
        (0.9, 0.9, "1. Trunk: dent, about 3 % of its visible area, minor – clear."),
        (0.5, 0.4, "1. Perhaps trunk: dent, about 3 % of its visible area, minor – probable."),
        (0.5, 0.5, "1. Trunk: dent, about 3 % of its visible area, minor – probable."),
        (0.4, 0.4, "1. Trunk: dent, about 3 % of its visible area, minor – possible."),
    ],
)
def test_a_part_is_doubted_where_it_is_less_sure_than_its_finding(report, finding, of_finding, of_part, told):
    assert told in report(findings=[finding("dent", of_finding, on={"trunk": 0.03}, sure_of_part=of_part)])


@pytest.mark.parametrize(
    ("of_finding", "of_level", "told"),
    [(0.9, 0.49, "perhaps severe – clear."), (0.9, 0.5, "severe – clear."), (0.3, 0.4, "severe – possible.")],
)
def test_a_level_is_doubted_where_another_is_as_likely(report, finding, of_finding, of_level, told):
    text = report(findings=[finding("dent", of_finding, on={"trunk": 0.03}, severity=("severe", of_level))])
    assert f"1. Trunk: dent, about 3 % of its visible area, {told}" in text
    assert report(severity=Severity(level="severe", confidence=of_level), findings=[finding("dent")]).startswith(
        f"Likely repair: clearly damaged, {'perhaps ' if of_level < 0.5 else ''}severe overall."
    )


def test_a_finding_on_two_parts_is_measured_by_the_first(report, finding):
    torn = finding("broken_part", on={"front_bumper": 0.2, "hood": 0.02}, split=(0.7, 0.3), severity=None)
    assert "1. Front bumper and hood: broken or missing part, about a fifth of the visible front bumper – clear." in report(
        findings=[torn]
    )
    touching = finding("broken_part", on={"front_bumper": 0.2, "hood": 0.02}, split=(0.95, 0.05), severity=None)
    assert "1. Front bumper: broken or missing part, about a fifth of its visible area – clear." in report(findings=[touching])


def test_a_finding_beside_its_part_is_measured_by_the_photo(report, finding):
    text = report(findings=[finding("dent", on={"hood": 0.01}, split=(0.05,), area_share=0.21, severity=None)])
    assert "1. Hood: dent, about a fifth of the photo – clear." in text


def test_damage_on_no_named_part_is_placed_in_the_photo(report, finding):
    text = report(findings=[finding("lamp_broken", 0.7, box=(0, 0, 100, 100), severity=None)])
    assert text == (
        "Likely repair: clearly damaged.\n"
        "1. In the upper left of the photo: broken lamp, about 2 % of it – probable.\n"
        "Not judged: how bad the damage is."
    )


def test_many_findings_end_in_counts(report, finding):
    surest = [finding("dent", 0.95, on={"hood": 0.1}, number=number) for number in range(1, 9)]
    others = [
        *(finding("scratch", 0.6, number=number) for number in (9, 10)),
        finding("hail_mark", 0.55, severity=("severe", 0.9), number=11),
        *(finding("hail_mark", 0.2, severity=None, number=number) for number in range(12, 15)),
    ]
    lines = report(findings=[*surest, *others]).splitlines()
    assert lines[8] == "8. Hood: dent, about a tenth of its visible area, minor – clear."
    assert lines[9:] == [
        "More: two scratches and 1 × hail mark, the worst severe – probable.",
        "More: 3 × hail mark – possible.",
    ]


def test_the_worst_of_many_is_told_where_each_has_a_level(report, finding):
    surest = [finding("dent", 0.95, number=number) for number in range(1, 9)]

    def last(*levels: tuple[str, float] | None) -> str:
        others = [finding("scratch", 0.6, severity=level, number=9 + place) for place, level in enumerate(levels)]
        return report(findings=[*surest, *others]).splitlines()[-1]

    assert last(("minor", 0.9), ("severe", 0.4)) == "More: two scratches, the worst perhaps severe – probable."
    assert last(("severe", 0.6), ("severe", 0.4)) == "More: two scratches, the worst severe – probable."
    assert last(("severe", 0.9), None) == "More: two scratches – probable."


def test_a_weak_type_among_those_that_are_counted_is_told_by_its_reason(report, finding, reasons):
    findings = [finding("dent", number=number) for number in range(1, 10)]
    assert report(findings=findings, review=reasons(weak_type=[9])).splitlines()[-1] == "…."
    assert "…" not in report(findings=findings, review=reasons(weak_type=[8]))


def test_a_bundle_that_knows_neither_vehicles_nor_parts_nor_masks(report, finding):
    text = report(
        vehicle=None,
        damage=None,
        parts=[],
        findings=[finding("dent", 0.3, box=(0, 0, 900, 600), area_share=1.0, mask=None, severity=None)],
    )
    assert text == (
        "Look closely: possibly damaged.\n"
        "1. Across most of the photo: dent, nearly all of it by its box – possible.\n"
        "Not judged: whether this is a vehicle and how bad the damage is."
    )


def test_no_damage(report):
    assert report(damage=NO_DAMAGE, not_judged=["crack"]) == "Nothing found: clearly undamaged.\nNot judged: cracks."
    assert report(damage=None) == "Nothing found: no damage was marked."


def test_a_no_that_is_in_doubt(report, reasons):
    text = report(
        damage=Presence(present=False, confidence=0.55),
        review=reasons(low_confidence="It is uncertain whether the vehicle is damaged."),
    )
    assert text == "Look closely: probably undamaged."


def test_a_no_that_is_less_likely_than_not_is_told_as_a_doubt(report, finding):
    """Such a gate wants more than an even chance before it says yes."""
    hardly = Presence(present=False, confidence=0.4)
    assert report(damage=hardly) == "Look closely: possibly damaged."
    assert report(damage=hardly, findings=[finding("dent")]).startswith("Look closely: possibly damaged.\n1. In the middle")
    nothing = report(vehicle=hardly, damage=None, parts=[])
    assert nothing == "Nothing to judge: perhaps a vehicle, but not surely enough to judge damage."
    told = report(vehicle=hardly, damage=None, parts=[], findings=[finding("dent")])
    assert told.startswith("Look closely: possibly a vehicle, damage was looked for all the same.\n1. In the middle")
    assert report(vehicle=hardly, damage=NO_DAMAGE, parts=[]) == "Nothing to judge: possibly a vehicle, clearly undamaged."


def test_no_vehicle(report, reasons):
    fields = {"vehicle": NO_VEHICLE, "damage": None, "parts": [], "not_judged": ["crack"]}
    assert report(**fields) == "Nothing to judge: clearly no vehicle, damage was not judged."
    seen = "No vehicle was recognised, but damage was seen: dent – clear."
    assert report(**fields, review=reasons(stages_disagree=seen)) == (
        f"Look closely: clearly no vehicle, damage was not judged.\n{seen}"
    )


def test_no_vehicle_but_assessed_all_the_same(report, finding):
    text = report(vehicle=NO_VEHICLE, damage=None, parts=[], findings=[finding("dent")])
    assert text == (
        "Look closely: clearly no vehicle, damage was looked for all the same.\n"
        "1. In the middle of the photo: dent, about 2 % of it, minor – clear."
    )
    text = report(vehicle=NO_VEHICLE, damage=Presence(present=False, confidence=0.6), parts=[])
    assert text == "Nothing to judge: clearly no vehicle, probably undamaged."


@pytest.mark.parametrize("confidence", [0.2, 0.49, 0.97])
def test_damage_that_can_be_placed_nowhere_is_no_more_than_possible(report, reasons, confidence):
    text = report(
        damage=Presence(present=True, confidence=confidence),
        severity=MODERATE,
        review=reasons(stages_disagree="The photo may show damage, but no single damage was sure enough to be told."),
    )
    assert text == "Look closely: possibly damaged, moderate if so, but no place was found."


def test_a_vehicle_in_doubt_has_a_line_of_its_own(report):
    text = report(vehicle=Presence(present=True, confidence=0.7), damage=NO_DAMAGE)
    assert text == "Nothing found: clearly undamaged.\nProbably a vehicle."


@pytest.mark.parametrize("gate", [0.6, 0.95])
def test_findings_against_the_whole_photo(report, finding, reasons, gate):
    """Told by the first line, and not once more by its reason."""
    text = report(
        damage=Presence(present=False, confidence=gate),
        findings=[finding("dent", 0.35, on={"hood": 0.02})],
        review=reasons(stages_disagree="…", low_confidence=[1]),
    )
    assert text == (
        f"Look closely: {'clearly' if gate == 0.95 else 'probably'} undamaged, what was seen is told all the same.\n"
        "1. Hood: dent, about 2 % of its visible area, minor – possible."
    )


def test_a_repair_is_likely_only_where_damage_is(report, finding):
    text = report(damage=Presence(present=True, confidence=0.4), findings=[finding("dent", 0.95)])
    assert text.startswith("Look closely: possibly damaged.")


def test_several_vehicles_are_told(report, finding, reasons):
    which = "Several vehicles are in view: parts are those of the largest one, on the left of the photo."
    text = report(findings=[finding("dent", on={"hood": 0.1})], review=reasons(several_vehicles=which))
    assert text.splitlines()[0] == "Likely repair, please check: clearly damaged."
    assert text.splitlines()[-1] == which


def test_a_photo_too_poor_to_trust(report, reasons):
    text = report(
        quality=Quality(usable=False, issues=("too_dark", "blurred")),
        damage=Presence(present=False, confidence=0.6),
        review=reasons(poor_quality="The photo is too dark and blurred."),
    )
    assert text == ("Take a better photo: this one is too dark and too blurred to be trusted.\nLook closely: probably undamaged.")


def test_a_blank_picture(report, reasons):
    blank = {
        "quality": Quality(usable=False, issues=("too_dark", "not_a_photo")),
        "damage": None,
        "parts": [],
        "not_judged": ["crack"],
        "review": reasons(poor_quality="This is a blank or single-colour picture, and not a photo."),
    }
    text = "Not a photo: a blank or single-colour picture, so nothing was judged."
    assert report(**blank, vehicle=Presence(present=False, confidence=1.0)) == text
    assert report(**blank, vehicle=None) == text


def test_several_photos_are_told_first_and_judged_all_the_same(report, finding, reasons):
    text = report(
        quality=Quality(usable=False, issues=("blurred", "several_photos")),
        findings=[finding("dent", 0.95, on={"hood": 0.11}, severity=("minor", 0.66))],
        review=reasons(poor_quality="The picture shows several photos."),
    )
    assert text == (
        "Cut the picture apart: it shows several photos, and was judged as if it were one.\n"
        "Take a better photo: this one is too blurred to be trusted.\n"
        "Likely repair, please check: clearly damaged.\n"
        "1. Hood: dent, about 11 % of its visible area, minor – clear."
    )


def test_a_damaged_file_is_told_first(report):
    text = report(quality=Quality(usable=False, issues=("damaged_file",)), damage=NO_DAMAGE)
    first = "Copy or export the photo again: parts of its file are missing or damaged, so damage may be missed there."
    assert text == f"{first}\nNothing found: clearly undamaged."


def test_words_of_a_users_own_taxonomy(report, finding):
    text = report(
        findings=[finding("hail_mark", on={"left_fender": 0.4}), finding("oil__stain", on={"wheel": 0.4}, number=2)],
        not_judged=["rust"],
    )
    assert "1. Left fender: hail mark, about 40 % of its visible area, minor – clear." in text
    assert "2. Wheel: oil stain, about 40 % of its visible area, minor – clear." in text
    assert "Not judged: rust." in text


def test_parts_in_view_are_told_on_request_as_surely_as_they_are_known(report):
    parts = [
        FoundPart(name=name, confidence=confidence, box=(0, 0, 1, 1), mask=None)
        for name, confidence in [("wheel", 0.9), ("wheel", 0.4), ("hood", 0.95), ("trunk", 0.6), ("left_mirror", 0.2)]
    ]
    line = "\nParts in view: hood and wheel – clear; trunk – probable; left mirror – possible."
    assert report(parts=parts, damage=NO_DAMAGE, verbose=True).endswith(line)
    assert line not in report(parts=parts, damage=NO_DAMAGE)


def test_a_review_without_reasons_is_still_told(report, finding):
    assert report(review=Review(needed=True), damage=NO_DAMAGE) == "Look closely: clearly undamaged."
    text = report(review=Review(needed=True), findings=[finding("dent")])
    assert text.startswith("Likely repair, please check: ")


confidences = st.floats(0, 1)
presences = st.none() | st.builds(Presence, present=st.booleans(), confidence=confidences)
severities = st.none() | st.builds(Severity, level=st.sampled_from(["minor", "moderate", "severe"]), confidence=confidences)
type_names = st.sampled_from([*DAMAGE_NAMES, "hail_mark", "unit_loss", "_odd__name_"])
part_names = st.sampled_from([*PART_NAMES, "left_fender"])
corners = st.floats(-10, 1000)
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
            code=st.sampled_from(["low_confidence", "stages_disagree", "poor_quality", "weak_type", "several_vehicles"]),
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
            issues=st.lists(st.sampled_from(get_args(QualityIssue)), unique=True).map(tuple),
        ),
        "vehicle": presences,
        "damage": presences,
        "findings": st.lists(findings_of_any_kind, max_size=20),
        "parts": st.lists(
            st.builds(FoundPart, name=part_names, confidence=confidences, box=st.just((0, 0, 1, 1)), mask=st.none())
        ),
        "types": st.none() | st.lists(st.builds(PhotoType, type=type_names, confidence=confidences), max_size=3),
        "judges_findings": st.booleans(),
        "severity": severities,
        "review": reviews,
        "not_judged": st.lists(type_names, unique=True, max_size=3),
        "notes": st.lists(st.text(max_size=20), max_size=2),
    }
)


def says(text: str, words: str) -> bool:
    """Whether whole words occur in a text."""
    return re.search(rf"\b{re.escape(' '.join(words.split()))}\b", text, re.IGNORECASE) is not None


@pytest.mark.parametrize("language", LANGUAGES)
@given(fields=answers)
def test_every_report_is_well_formed_and_repeatable(language, fields):
    lines = report_lines(**fields, language=language)
    assert lines == report_lines(**fields, language=language)
    text = as_text(lines)
    assert text
    for line in text.splitlines():
        assert line.endswith(".")
        assert "  " not in line
        assert not line[0].islower()


@given(answers)
def test_every_finding_is_told_and_every_line_knows_of_which_it_tells(fields):
    lines = [line for line in report_lines(**fields) if line.kind == "finding"]
    told = [number for line in lines for number in line.findings]
    assert sorted(told) == sorted(finding.id for finding in fields["findings"])
    text = as_text(lines)
    for finding in fields["findings"]:
        assert says(text, ENGLISH.damage(finding.type)) or says(text, ENGLISH.damages(finding.type))


ABSENT = {
    "quality": Quality(usable=True),
    "vehicle": None,
    "damage": None,
    "findings": [],
    "parts": [],
    "severity": None,
    "review": Review(needed=False),
    "types": None,
    "not_judged": [],
    "notes": [],
}
"""What each field is where it says nothing."""


@given(answers)
def test_a_line_follows_from_the_fields_that_it_names(fields):
    """Without its sources it is not there, or reads otherwise. (What names several may stay the same without one of them.)"""
    for line in report_lines(**fields):
        without = report_lines(**(fields | {name: ABSENT[name] for name in line.sources}))
        if line.kind not in ("verdict", "not_judged"):
            assert line.text not in [other.text for other in without if other.kind == line.kind]
        assert line.sources
        assert set(line.sources) <= set(ABSENT)


@given(answers)
def test_what_no_line_names_does_not_matter_to_it(fields):
    """Lines of findings, types, parts, quality and notes read the same whatever the other fields say."""
    for line in report_lines(**fields):
        if line.kind in ("finding", "types", "parts", "quality", "note"):
            alone = ABSENT | {name: fields[name] for name in line.sources} | {"photo": fields["photo"]}
            assert line in report_lines(**alone)


@given(answers)
def test_nothing_is_named_that_the_fields_do_not_hold(fields):
    text = as_text(report_lines(**(fields | {"notes": []})), verbose=True)
    types = {finding.type for finding in fields["findings"]} | set(fields["not_judged"])
    types |= {one.type for one in fields["types"] or ()}
    parts = {part.name for finding in fields["findings"] for part in finding.parts} | {part.name for part in fields["parts"]}
    for name in DAMAGE_NAMES:
        if name not in types:
            assert not says(text, ENGLISH.damage(name))
            assert not says(text, ENGLISH.damages(name))
    for name in PART_NAMES:
        if name not in parts:
            assert not says(text, ENGLISH.part(name))


@given(answers)
def test_without_a_place_damage_is_never_more_than_possible(fields):
    """The rule of the house, whatever a gate says."""
    text = as_text(report_lines(**(fields | {"findings": [], "judges_findings": True, "types": None, "notes": []})))
    assert not says(text, "likely repair")
    assert not says(text, "clearly damaged")
    assert not says(text, "probably damaged")


def types(**confidences: float) -> list[PhotoType]:
    return [PhotoType(type=name, confidence=confidence) for name, confidence in confidences.items()]


def test_types_of_the_photo_are_told_between_the_whole_and_the_findings(report, finding):
    text = report(types=types(dent=0.95, glass_shatter=0.92, scratch=0.6), findings=[finding("dent", on={"hood": 0.11})])
    assert text.startswith(
        "Likely repair: clearly damaged.\nAs a whole: dent and shattered glass – clear; scratch – probable.\n1. Hood: dent"
    )
    assert report(types=[]) == report(types=None)


def test_where_damage_lies_is_not_judged_by_a_bundle_without_findings(report):
    alone = {"judges_findings": False, "parts": []}
    assert report(types=types(tire_flat=0.8), damage=None, **alone) == (
        "Look closely: probably damaged, where was not judged.\n"
        "As a whole: flat tyre – probable.\n"
        "Not judged: how bad the damage is."
    )
    assert report(types=types(tire_flat=0.8), **alone).startswith("Look closely: clearly damaged, where was not judged.\nAs a")
    assert report(types=[], damage=None, **alone) == "Nothing found: no type was sure enough to be told."
    assert report(types=[], **alone) == "Look closely: clearly damaged, no type was sure enough to be told."
    assert report(types=[], damage=NO_DAMAGE, **alone) == "Nothing found: clearly undamaged."


def test_a_bundle_that_judges_no_damage_says_so(report):
    alone = {"judges_findings": False, "damage": None, "parts": []}
    assert report(**alone) == "Nothing to judge: damage was not judged."
    assert report(**alone, severity=MODERATE) == "Look closely: damage was not judged, moderate overall."


def test_types_without_a_finding_do_not_come_after_a_no(report):
    text = report(types=types(dent=0.49), damage=None)
    assert text.startswith("Look closely: possibly damaged, but no place was found.\nAs a whole: dent – possible.")
    for judges_findings in (True, False):
        text = report(types=types(dent=0.95), damage=NO_DAMAGE, judges_findings=judges_findings)
        assert text.startswith("Look closely: clearly undamaged, what was seen is told all the same.\nAs a whole: dent – clear.")
    text = report(types=types(dent=0.95), vehicle=NO_VEHICLE, damage=None, judges_findings=False)
    assert text.startswith("Look closely: clearly no vehicle, damage was looked for all the same.\nAs a whole: dent – clear.")
