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
from typing import NamedTuple

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
from dentify.languages import Language, Words, as_sentence, in_language
from dentify.languages.meanings import Action, Whole, place_in_photo, rough_share
from dentify.taxonomy import SEVERITY_LEVELS

_TOLD_ONE_BY_ONE = 8
_MOST_PARTS = 12
_SHARE_WORTH_NAMING = 0.1  # of a finding's pixels: a part that holds less of it is not named


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

    `types` are those of the photo as a answer, and `judges_findings` is false where the bundle looks for no findings.
    """
    words = in_language(language)
    answer = _Answer(vehicle, damage, findings, types, severity, review, judges_findings)
    blank = "not_a_photo" in quality.issues
    lines = [
        *_quality(quality, words),
        *(() if blank else _verdict(answer, words)),
        *_types(types or (), words),
        *_findings(findings, photo, review, words),
        *_review(answer, quality, words),
        *_parts_in_view(parts, words),
        *(() if blank else _not_judged(answer, not_judged, words)),
        *(_line("note", as_sentence(words.note(note.strip(" ."))), "notes") for note in notes if note.strip(" .")),
    ]
    return tuple(lines)


def as_text(lines: Iterable[ReportLine], *, verbose: bool = False) -> str:
    """Lines as the text that people read, parts in view only where it is `verbose`."""
    return "\n".join(line.text for line in lines if verbose or line.kind != "parts")


@dataclass(frozen=True)
class _Answer:
    """What is told of the photo as a answer, and what of it was judged."""

    vehicle: Presence | None
    damage: Presence | None
    findings: Sequence[Finding]
    types: Sequence[PhotoType] | None
    severity: Severity | None
    review: Review
    judges_findings: bool

    @property
    def told(self) -> list[str]:
        """Which of types and findings hold anything."""
        return [*(["types"] if self.types else []), *(["findings"] if self.findings else [])]

    @property
    def no_vehicle(self) -> bool:
        return self.vehicle is not None and not self.vehicle.present

    @property
    def no_damage(self) -> bool:
        return self.damage is not None and not self.damage.present


def _line(kind: ReportLineKind, text: str, *sources: str, findings: Sequence[int] = ()) -> ReportLine:
    return ReportLine(kind=kind, text=text, sources=sources, findings=tuple(findings))


def _quality(quality: Quality, words: Words) -> Iterator[ReportLine]:
    for issue in quality.issues:
        if issue in words.ISSUES:
            yield _line("quality", as_sentence(words.ISSUES[issue]), "quality")
    poor = [issue for issue in quality.issues if issue not in words.ISSUES]
    if not quality.usable and "not_a_photo" not in quality.issues and (poor or not quality.issues):
        yield _line("quality", as_sentence(words.poor(poor)), "quality")


class _Verdict(NamedTuple):
    """What to do, why, and the fields that it follows from."""

    action: Action
    why: list[str]
    sources: list[str]


def _verdict(answer: _Answer, words: Words) -> Iterator[ReportLine]:
    """What to do, and why; and where that is in doubt, whether there is a vehicle at all."""
    action, why, sources = _without_vehicle(answer, words) if answer.no_vehicle else _with_vehicle(answer, words)
    check = answer.review.needed
    if check and action in ("nothing_found", "nothing_to_judge"):
        action = "look_closely"
    text = words.verdict(action, why, check=check and action == "likely_repair")
    told = [finding.id for finding in answer.findings]
    yield _line("verdict", as_sentence(text), *sources, *(["review"] if check else []), findings=told)
    if answer.vehicle is not None and answer.vehicle.present and certainty_of(answer.vehicle.confidence) != "clear":
        yield _line("vehicle", as_sentence(words.A_VEHICLE[certainty_of(answer.vehicle.confidence)]), "vehicle")


def _without_vehicle(answer: _Answer, words: Words) -> _Verdict:
    assert answer.vehicle is not None
    told = answer.told
    why, sources = [words.NO_VEHICLE[certainty_of(answer.vehicle.confidence)]], ["vehicle", *told]
    is_alone = not told and answer.damage is None
    if answer.vehicle.confidence < PROBABLE_FROM:  # such a gate wants more than an even chance before it says yes
        why = [words.CLAUSES["vehicle_unsure"] if is_alone else words.A_VEHICLE["possible"]]
    elif is_alone:
        why.append(words.CLAUSES["damage_not_judged"])
    if told:
        why.append(words.CLAUSES["looked_all_the_same"])
    elif answer.damage is not None:
        bands = words.DAMAGED if answer.damage.present else words.UNDAMAGED
        why.append(bands[_band(answer.damage.confidence, located=not answer.damage.present)])
        sources.append("damage")
    return _Verdict("look_closely" if told else "nothing_to_judge", why, sources)


def _with_vehicle(answer: _Answer, words: Words) -> _Verdict:
    if answer.no_damage:
        return _undamaged(answer, words)
    if not (answer.judges_findings or answer.damage is not None or answer.types is not None or answer.findings):
        # a bundle that tells vehicles, or how bad it looks, and no more
        why = [words.CLAUSES["damage_not_judged"], *_severity(answer, words, if_so=False)]
        has_level = answer.severity is not None
        return _Verdict("look_closely" if has_level else "nothing_to_judge", why, ["severity" if has_level else "damage"])
    best = _best(answer)
    if best is None:
        if answer.judges_findings:
            return _Verdict("nothing_found", [words.CLAUSES["nothing_marked"]], ["findings"])
        return _Verdict("nothing_found", [words.CLAUSES["no_type"]], ["types"])
    certainty = _band(best, located=bool(answer.findings) or not answer.judges_findings)
    why = [words.DAMAGED[certainty], *_severity(answer, words, if_so=certainty == "possible")]
    sources = [*(["damage"] if answer.damage is not None else []), *answer.told]
    if not answer.findings and answer.judges_findings:
        why.append(words.CLAUSES["no_place"])
    elif not answer.findings and answer.types is not None:
        why.append(words.CLAUSES["place_not_judged" if answer.types else "no_type"])
    sources += ["severity"] if answer.severity is not None else []
    sure = any(certainty_of(finding.confidence) != "possible" for finding in answer.findings)
    return _Verdict("likely_repair" if sure and certainty != "possible" else "look_closely", why, sources)


def _undamaged(answer: _Answer, words: Words) -> _Verdict:
    assert answer.damage is not None
    told = answer.told
    sources = ["damage", *told]
    if answer.damage.confidence < PROBABLE_FROM:  # such a gate wants more than an even chance before it says yes
        return _Verdict("look_closely", [words.DAMAGED["possible"]], sources)
    why = [words.UNDAMAGED[certainty_of(answer.damage.confidence)]]
    if told:
        return _Verdict("look_closely", [*why, words.CLAUSES["told_all_the_same"]], sources)
    return _Verdict("nothing_found", why, sources)


def _best(answer: _Answer) -> float | None:
    """How sure damage is: the gate's confidence, else that of the surest finding or type."""
    if answer.damage is not None:
        return answer.damage.confidence
    return max([one.confidence for one in (answer.findings or answer.types or ())], default=None)


def _band(confidence: float, *, located: bool) -> Certainty:
    """What can be placed nowhere is no more than possible."""
    return certainty_of(confidence) if located else "possible"


def _severity(answer: _Answer, words: Words, *, if_so: bool) -> list[str]:
    severity = answer.severity
    return [] if severity is None else [words.overall(severity.level, perhaps=severity.confidence < PROBABLE_FROM, if_so=if_so)]


def _by_certainty(confidences: dict[str, float], names: Sequence[str]) -> list[tuple[Certainty, list[str]]]:
    groups = [(band, [name for name in names if certainty_of(confidences[name]) == band]) for band in CERTAINTIES]
    return [(band, group) for band, group in groups if group]


def _types(types: Sequence[PhotoType], words: Words) -> Iterator[ReportLine]:
    if types:
        confidences = {one.type: one.confidence for one in types}
        yield _line("types", as_sentence(words.as_a_whole(_by_certainty(confidences, list(confidences)))), "types")


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
        yield _line("finding", as_sentence(text), *sources, findings=[finding.id])
    rest = findings[_TOLD_ONE_BY_ONE:]
    for band in CERTAINTIES:
        group = [finding for finding in rest if certainty_of(finding.confidence) == band]
        if group:
            counts = Counter(finding.type for finding in group).most_common()
            text = words.more(counts, band, worst=_worst(group, words))
            yield _line("finding", as_sentence(text), "findings", findings=[finding.id for finding in group])


def _worst(findings: Sequence[Finding], words: Words) -> str | None:
    """The worst level of some, where each has one."""
    levels = [finding.severity for finding in findings if finding.severity is not None]
    if len(levels) < len(findings):
        return None
    worst = max(levels, key=lambda one: (SEVERITY_LEVELS.index(one.level), one.confidence))
    return words.severity(worst.level, perhaps=worst.confidence < PROBABLE_FROM)


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


def _review(answer: _Answer, quality: Quality, words: Words) -> Iterator[ReportLine]:
    """Reasons that nothing above has told."""
    told_one_by_one = {finding.id for finding in answer.findings[:_TOLD_ONE_BY_ONE]}
    told: set[str] = set()
    for reason in answer.review.reasons if answer.review.needed else ():
        text = as_sentence(reason.text)
        if text in told or _is_told_above(reason, answer, quality, told_one_by_one):
            continue
        told.add(text)
        yield _line("review", text, "review", findings=[] if reason.finding is None else [reason.finding])


def _is_told_above(reason: ReviewReason, answer: _Answer, quality: Quality, told_one_by_one: set[int]) -> bool:
    if reason.finding is not None:
        is_told = reason.finding in {finding.id for finding in answer.findings}
        return is_told if reason.code == "low_confidence" else reason.code == "weak_type" and reason.finding in told_one_by_one
    match reason.code:
        case "low_confidence":  # every answer for the whole photo is told with its certainty
            return True
        case "poor_quality":
            return bool(quality.issues) or not quality.usable
        case "stages_disagree":  # the first line says that no place was found, or that something was seen all the same
            return bool(answer.told) or not (answer.no_vehicle or answer.no_damage)
        case _:
            return False


def _parts_in_view(parts: Sequence[FoundPart], words: Words) -> Iterator[ReportLine]:
    best: dict[str, float] = {}
    for part in parts:
        best[part.name] = max(part.confidence, best.get(part.name, 0.0))
    if best:
        names = sorted(best, key=lambda name: (-best[name], name))[:_MOST_PARTS]
        text = words.parts_in_view(_by_certainty(best, names), more=len(best) - len(names))
        yield _line("parts", as_sentence(text), "parts")


def _not_judged(answer: _Answer, never_taught: Sequence[str], words: Words) -> Iterator[ReportLine]:
    anything = bool(answer.told)
    if answer.no_vehicle and not anything and answer.damage is None:
        return  # the first line says that damage was not judged at all
    no_vehicle_judged = answer.vehicle is None
    no_severity = anything and answer.severity is None and all(finding.severity is None for finding in answer.findings)
    if never_taught or no_vehicle_judged or no_severity:
        text = words.not_judged(never_taught, vehicle=no_vehicle_judged, severity=no_severity)
        unjudged = {"not_judged": bool(never_taught), "vehicle": no_vehicle_judged, "severity": no_severity}
        yield _line("not_judged", as_sentence(text), *(name for name, counts in unjudged.items() if counts))
