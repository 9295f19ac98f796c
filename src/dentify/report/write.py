"""`report_lines`: what an assessment's fields say, a line each: what to do, then one line a finding, then what else matters.

Every line follows from fields and names them; nothing is guessed, and what was not judged is said to be so. A doubt is told once:
that of a finding on its line, that of the whole photo on the first. Parts in view are a line that `as_text` leaves out unless it
is asked for. Words are those of `dentify.languages`. Left and right of a part are the vehicle's own, those of the photo its
reader's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dentify.assessment import (
    Finding,
    FoundPart,
    Photo,
    PhotoType,
    Presence,
    Quality,
    ReportLine,
    ReportLineKind,
    Review,
    ReviewReason,
    Severity,
)
from dentify.certainty import CERTAINTIES, PROBABLE_FROM, Certainty, certainty_of
from dentify.languages import Language, Words, in_language
from dentify.languages.meanings import Action, Whole, place_in_photo, rough_share
from dentify.taxonomy import SEVERITY_LEVELS

_TOLD_ONE_BY_ONE = 8
_MOST_PARTS = 12
_SHARE_WORTH_NAMING = 0.1  # of a finding's pixels: a part that holds less of it is not named
_NO_PHOTO = frozenset({"not_a_photo", "several_photos"})
_OWN_SENTENCE = _NO_PHOTO | {"damaged_file"}


def report_lines(
    *,
    photo: Photo,
    quality: Quality,
    vehicle: Presence | None,
    damage: Presence | None,
    findings: Sequence[Finding],
    parts: Sequence[FoundPart],
    severity: Severity | None,
    review: Review,
    not_judged: Sequence[str],
    notes: Sequence[str],
    types: Sequence[PhotoType] | None = None,
    judges_findings: bool = True,
    language: Language = "en",
) -> tuple[ReportLine, ...]:
    """The report on one photo, the same for the same fields.

    `types` are those of the photo as a whole, and `judges_findings` is false where the bundle looks for no findings.
    """
    words = in_language(language)
    whole = _Whole(vehicle, damage, findings, types, severity, review, judges_findings)
    blank = "not_a_photo" in quality.issues
    lines = [
        *_quality(quality, words),
        *(() if blank else _verdict(whole, words)),
        *_types(types or (), words),
        *_findings(findings, photo, review, words),
        *_review(whole, quality, words),
        *_middling(quality, words),
        *_parts_in_view(parts, words),
        *(() if blank else _not_judged(whole, not_judged, words)),
        *(_line("note", words.sentence(words.note(note.strip(" ."))), "notes") for note in notes if note.strip(" .")),
    ]
    return tuple(lines)


def as_text(lines: Iterable[ReportLine], *, verbose: bool = False) -> str:
    """Lines as the text that people read, parts in view only where it is `verbose`."""
    return "\n".join(line.text for line in lines if verbose or line.kind != "parts")


@dataclass(frozen=True)
class _Whole:
    """What is told of the photo as a whole, and what of it was judged."""

    vehicle: Presence | None
    damage: Presence | None
    findings: Sequence[Finding]
    types: Sequence[PhotoType] | None
    severity: Severity | None
    review: Review
    judges_findings: bool

    @property
    def no_vehicle(self) -> bool:
        return self.vehicle is not None and not self.vehicle.present

    @property
    def no_damage(self) -> bool:
        return self.damage is not None and not self.damage.present


def _line(kind: ReportLineKind, text: str, *sources: str, findings: Sequence[int] = ()) -> ReportLine:
    return ReportLine(kind=kind, text=text, sources=sources, findings=tuple(findings))


def _quality(quality: Quality, words: Words) -> Iterator[ReportLine]:
    if "not_a_photo" in quality.issues:
        yield _line("quality", words.sentence(words.NOT_A_PHOTO), "quality")
        return
    if "several_photos" in quality.issues:
        yield _line("quality", words.sentence(words.SEVERAL_PHOTOS), "quality")
    if "damaged_file" in quality.issues:
        yield _line("quality", words.sentence(words.DAMAGED_FILE), "quality")
    issues = [issue for issue in quality.issues if issue not in _OWN_SENTENCE]
    if not quality.usable and (issues or not quality.issues):
        yield _line("quality", words.sentence(words.poor(issues)), "quality")


def _middling(quality: Quality, words: Words) -> Iterator[ReportLine]:
    text = words.middling([issue for issue in quality.issues if issue not in _OWN_SENTENCE])
    if quality.usable and text:
        yield _line("quality", words.sentence(text), "quality")


def _verdict(whole: _Whole, words: Words) -> Iterator[ReportLine]:
    """What to do, and why; and where that is in doubt, whether there is a vehicle at all."""
    action, why = _without_vehicle(whole, words) if whole.no_vehicle else _with_vehicle(whole, words)
    if action in ("nothing_found", "nothing_to_judge") and whole.review.needed:
        action = "look_closely"
    given = {
        "vehicle": whole.no_vehicle,
        "damage": whole.damage is not None,
        "types": bool(whole.types),
        "findings": bool(whole.findings),
        "severity": whole.severity is not None,
        "review": whole.review.needed,
    }
    text = words.verdict(action, why, check=whole.review.needed and action == "likely_repair")
    yield _line(
        "verdict",
        words.sentence(text),
        *(name for name, counts in given.items() if counts),
        findings=[finding.id for finding in whole.findings],
    )
    if whole.vehicle is not None and whole.vehicle.present and certainty_of(whole.vehicle.confidence) != "clear":
        yield _line("vehicle", words.sentence(words.A_VEHICLE[certainty_of(whole.vehicle.confidence)]), "vehicle")


def _without_vehicle(whole: _Whole, words: Words) -> tuple[Action, list[str]]:
    assert whole.vehicle is not None
    anything = bool(whole.findings or whole.types)
    if whole.vehicle.confidence < PROBABLE_FROM:  # such a gate wants more than an even chance before it says yes
        why = [words.CLAUSES["vehicle_unsure"]]
    else:
        why = [words.NO_VEHICLE[certainty_of(whole.vehicle.confidence)]]
        if not anything and whole.damage is None:
            why.append(words.CLAUSES["damage_not_judged"])
    if anything:
        why.append(words.CLAUSES["looked_all_the_same"])
    elif whole.damage is not None:
        bands = words.DAMAGED if whole.damage.present else words.UNDAMAGED
        why.append(bands[_band(whole.damage.confidence, located=not whole.damage.present)])
    return ("look_closely" if anything else "nothing_to_judge"), why


def _with_vehicle(whole: _Whole, words: Words) -> tuple[Action, list[str]]:
    if whole.no_damage:
        return _undamaged(whole, words)
    looked = whole.judges_findings or whole.damage is not None or whole.types is not None or bool(whole.findings)
    if not looked:  # a bundle that tells vehicles, or how bad it looks, and no more
        clauses = [words.CLAUSES["damage_not_judged"], *_severity(whole, words, if_so=True)]
        return ("look_closely" if whole.severity is not None else "nothing_to_judge"), clauses
    best = _best(whole)
    if best is None:
        clauses = [words.CLAUSES["nothing_marked" if whole.judges_findings else "no_type"]]
        return "nothing_found", clauses
    located = bool(whole.findings) or not whole.judges_findings
    certainty = _band(best, located=located)
    why = [words.DAMAGED[certainty], *_severity(whole, words, if_so=certainty == "possible")]
    if not whole.findings and whole.judges_findings:
        why.append(words.CLAUSES["no_place"])
    elif not whole.findings and whole.types is not None:
        why.append(words.CLAUSES["place_not_judged" if whole.types else "no_type"])
    sure = any(certainty_of(finding.confidence) != "possible" for finding in whole.findings)
    return ("likely_repair" if sure else "look_closely"), why


def _undamaged(whole: _Whole, words: Words) -> tuple[Action, list[str]]:
    assert whole.damage is not None
    certainty = certainty_of(whole.damage.confidence)
    doubted = any(reason.code == "low_confidence" and reason.finding is None for reason in whole.review.reasons)
    if whole.damage.confidence < PROBABLE_FROM:  # such a gate wants more than an even chance before it says yes
        why = [words.CLAUSES["damage_unsure"]]
    elif doubted and certainty != "clear" and not whole.findings and not whole.types:
        why = [words.CLAUSES["nothing_but_unsure"]]
    else:
        why = [words.UNDAMAGED[certainty]]
    if whole.findings or whole.types:
        return "look_closely", [*why, words.CLAUSES["told_all_the_same"]]
    return ("nothing_found" if whole.damage.confidence >= PROBABLE_FROM else "look_closely"), why


def _best(whole: _Whole) -> float | None:
    """How sure damage is: the gate's confidence, else that of the surest finding or type."""
    if whole.damage is not None:
        return whole.damage.confidence
    return max([one.confidence for one in (whole.findings or whole.types or ())], default=None)


def _band(confidence: float, *, located: bool) -> Certainty:
    """What can be placed nowhere is no more than possible."""
    return certainty_of(confidence) if located else "possible"


def _severity(whole: _Whole, words: Words, *, if_so: bool) -> list[str]:
    severity = whole.severity
    return [] if severity is None else [words.overall(severity.level, perhaps=severity.confidence < PROBABLE_FROM, if_so=if_so)]


def _by_certainty(confidences: dict[str, float], names: Sequence[str]) -> list[tuple[Certainty, list[str]]]:
    groups = [(band, [name for name in names if certainty_of(confidences[name]) == band]) for band in CERTAINTIES]
    return [(band, group) for band, group in groups if group]


def _types(types: Sequence[PhotoType], words: Words) -> Iterator[ReportLine]:
    if types:
        confidences = {one.type: one.confidence for one in types}
        yield _line("types", words.sentence(words.as_a_whole(_by_certainty(confidences, list(confidences)))), "types")


def _findings(findings: Sequence[Finding], photo: Photo, review: Review, words: Words) -> Iterator[ReportLine]:
    """A line each, the first of them; those beyond by how sure they are, counted by type."""
    weak = {reason.finding for reason in review.reasons if reason.code == "weak_type"}
    for finding in findings[:_TOLD_ONE_BY_ONE]:
        level, certainty = finding.severity, certainty_of(finding.confidence)
        perhaps = level is not None and level.confidence < PROBABLE_FROM and certainty != "possible"
        text = words.finding(
            number=finding.id,
            where=_where(finding, photo, words),
            damage=words.damage(finding.type),
            size=_size(finding, words),
            severity=None if level is None else words.severity(level.level, perhaps=perhaps),
            certainty=certainty,
            weak=finding.id in weak,
        )
        sources = ("findings", "review") if finding.id in weak else ("findings",)
        yield _line("finding", words.sentence(text), *sources, findings=[finding.id])
    rest = findings[_TOLD_ONE_BY_ONE:]
    for band in CERTAINTIES:
        group = [finding for finding in rest if certainty_of(finding.confidence) == band]
        if group:
            levels = [finding.severity.level for finding in group if finding.severity is not None]
            worst = max(levels, key=SEVERITY_LEVELS.index, default=None)
            counts = Counter(finding.type for finding in group).most_common()
            text = words.more(counts, band, worst=worst)
            yield _line("finding", words.sentence(text), "findings", findings=[finding.id for finding in group])


def _parts_of(finding: Finding) -> list[tuple[str, Certainty]]:
    """The parts that a finding is told at, each once. One that is as sure as the finding itself has no doubt of its own."""
    first, *others = finding.parts
    named = [first, *(part for part in others if part.share_of_finding >= _SHARE_WORTH_NAMING)]
    surest: dict[str, float] = {}
    for part in named:
        surest[part.name] = max(part.confidence, surest.get(part.name, 0.0))
    own = CERTAINTIES.index(certainty_of(finding.confidence))
    bands = {name: certainty_of(confidence) for name, confidence in surest.items()}
    return [(name, band if CERTAINTIES.index(band) > own else "clear") for name, band in bands.items()]


def _where(finding: Finding, photo: Photo, words: Words) -> str:
    """The parts that it is at, or the place in the photo."""
    if finding.parts:
        return words.on_parts(_parts_of(finding))
    return words.PLACES[place_in_photo(finding.box, (photo.width, photo.height))]


def _size(finding: Finding, words: Words) -> str:
    """How much of its first part, or of the photo, a finding covers; a finding without a mask is told by its box."""
    by_box = finding.mask is None
    if not finding.parts:
        return words.size(rough_share(finding.area_share), of="place", part_name="", by_box=by_box)
    first = finding.parts[0]
    # Crushed metal is seldom seen as the part that it was: what lies beside a part is no share of what is still seen of it.
    if first.share_of_finding < _SHARE_WORTH_NAMING:
        return words.size(rough_share(finding.area_share), of="photo", part_name="", by_box=by_box)
    of_what: Whole = "part" if len(_parts_of(finding)) == 1 else "named_part"
    return words.size(rough_share(first.share_of_part), of=of_what, part_name=first.name, by_box=by_box)


def _review(whole: _Whole, quality: Quality, words: Words) -> Iterator[ReportLine]:
    """Reasons that nothing above has told."""
    told_one_by_one = {finding.id for finding in whole.findings[:_TOLD_ONE_BY_ONE]}
    told: set[str] = set()
    for reason in whole.review.reasons if whole.review.needed else ():
        text = words.sentence(reason.text)
        if text in told or _is_told_above(reason, whole, quality, told_one_by_one):
            continue
        told.add(text)
        yield _line("review", text, "review", findings=[] if reason.finding is None else [reason.finding])


def _is_told_above(reason: ReviewReason, whole: _Whole, quality: Quality, told_one_by_one: set[int]) -> bool:
    if reason.finding is not None:
        is_told = reason.finding in {finding.id for finding in whole.findings}
        return is_told if reason.code == "low_confidence" else reason.code == "weak_type" and reason.finding in told_one_by_one
    match reason.code:
        case "low_confidence":  # every answer for the whole photo is told with its certainty
            return True
        case "poor_quality":
            return bool(quality.issues) or not quality.usable
        case "stages_disagree":  # damaged, and no place was found
            return not whole.no_vehicle and not whole.no_damage and not whole.findings
        case _:
            return False


def _parts_in_view(parts: Sequence[FoundPart], words: Words) -> Iterator[ReportLine]:
    best: dict[str, float] = {}
    for part in parts:
        best[part.name] = max(part.confidence, best.get(part.name, 0.0))
    if best:
        names = sorted(best, key=lambda name: (-best[name], name))[:_MOST_PARTS]
        text = words.parts_in_view(_by_certainty(best, names), more=len(best) - len(names))
        yield _line("parts", words.sentence(text), "parts")


def _not_judged(whole: _Whole, never_taught: Sequence[str], words: Words) -> Iterator[ReportLine]:
    anything = bool(whole.findings or whole.types)
    if whole.no_vehicle and not anything and whole.damage is None:
        return  # the first line says that damage was not judged at all
    no_vehicle_judged = whole.vehicle is None
    no_severity = anything and whole.severity is None and all(finding.severity is None for finding in whole.findings)
    if never_taught or no_vehicle_judged or no_severity:
        text = words.not_judged(never_taught, vehicle=no_vehicle_judged, severity=no_severity)
        unjudged = {"not_judged": bool(never_taught), "vehicle": no_vehicle_judged, "severity": no_severity}
        yield _line("not_judged", words.sentence(text), *(name for name, counts in unjudged.items() if counts))
