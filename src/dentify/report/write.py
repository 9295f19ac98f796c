"""`write_report`: what an assessment's fields say, as English sentences.

Every statement follows from a field: nothing is guessed, and what was not judged is said to be so. Up to three findings are told
one by one; more are grouped by type and place. Left and right of a part are the vehicle's own; left and right "of the photo" are
the reader's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dentify.assessment import (
    Finding,
    FoundPart,
    PartOfFinding,
    Photo,
    PhotoType,
    Presence,
    Quality,
    Review,
    ReviewCode,
    Severity,
)
from dentify.report.words import (
    PROBABLY_FROM,
    Certainty,
    as_sentence,
    certainty_word,
    damage_phrase,
    listed,
    number_word,
    place_words,
    share_words,
    with_article,
)
from dentify.taxonomy import SEVERITY_LEVELS, damage_word, part_word

_TOLD_ONE_BY_ONE = 3
_MOST_PLACES = 4
_MOST_PARTS = 12
_SHARE_WORTH_NAMING = 0.1  # of a finding's pixels: a part that holds less of it is not named

_ADJECTIVES: dict[Certainty, str] = {"clearly": "clear", "probably": "probable", "possibly": "only possible"}
_PREPOSITIONS = {"glass_shatter": "in", "lamp_broken": "at", "tire_flat": "at", "broken_part": "at"}
_SEVERAL_ON_A_VEHICLE = frozenset({"wheel"})
_QUALITY_WORDS = {"too_dark": "dark", "too_bright": "bright", "blurred": "blurred", "too_small": "small"}
_NO_PHOTO = frozenset({"not_a_photo", "several_photos"})
_OWN_SENTENCE = _NO_PHOTO | {"damaged_file"}


def write_report(
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
) -> str:
    """One paragraph of English about one photo, the same for the same fields.

    `types` are those of the photo as a whole, and `judges_findings` is false where the bundle looks for no findings.
    """
    blank = "not_a_photo" in quality.issues
    sentences = [
        *_quality(quality),
        *(() if blank else _whole(vehicle, damage, findings, types, judges_findings=judges_findings)),
        *_types(types or (), judges_findings=judges_findings),
        *_findings(findings, photo, any_part=bool(parts)),
        *_overall(severity, damage, findings, types),
        *_parts_in_view(parts),
        *_review(review, findings, quality),
        *(() if blank else _not_judged(vehicle, damage, severity, findings, not_judged, types)),
        *(f"note: {note}" for note in notes if note.strip(" .")),
    ]
    return " ".join(as_sentence(sentence) for sentence in sentences)


def _quality(quality: Quality) -> Iterator[str]:
    if "not_a_photo" in quality.issues:
        yield "this is a blank or single-colour picture and not a photo, so nothing was judged"
        return
    if "several_photos" in quality.issues:
        yield "the picture shows several photos and was judged as if it were one; cut it apart and assess each of them"
    if "damaged_file" in quality.issues:
        yield "parts of the photo's file are missing or damaged, so damage may be missed there; copy or export it again"
    issues = [_QUALITY_WORDS[issue] for issue in quality.issues if issue not in _OWN_SENTENCE]
    if not issues and quality.issues:
        return
    if not quality.usable:
        why = listed([f"too {issue}" for issue in issues]) if issues else "not good enough"
        yield f"the photo is {why} to be trusted, so damage may be missed"
    elif issues:
        yield f"the photo is rather {listed(issues)}, so faint damage may be missed"


def _whole(
    vehicle: Presence | None,
    damage: Presence | None,
    findings: Sequence[Finding],
    types: Sequence[PhotoType] | None,
    *,
    judges_findings: bool,
) -> Iterator[str]:
    counted = _counted(findings)
    were = "was" if len(findings) == 1 else "were"
    if vehicle is not None and not vehicle.present:
        no_vehicle = f"the photo {_shows(vehicle, 'a vehicle', 'no vehicle')}"
        if findings:
            yield f"{no_vehicle}; damage was looked for all the same, and {counted} {were} marked"
        elif damage is None:
            yield f"{no_vehicle}; damage was looked for all the same" if types else f"{no_vehicle}, so damage was not judged"
        else:
            yield f"{no_vehicle}; it {_shows(damage, 'damage', 'no damage')}"
        return

    if vehicle is not None and certainty_word(vehicle.confidence) != "clearly":
        yield f"what is shown is {certainty_word(vehicle.confidence)} a vehicle"
    to_what = "damage" if vehicle is None else "damage to the vehicle"
    all_the_same = "; types of damage are told all the same" if types and damage is not None and not damage.present else ""
    if types is not None and not judges_findings:
        if damage is not None:
            yield f"the photo {_shows(damage, to_what, f'no {to_what}')}{all_the_same}"
        if not types and (damage is None or damage.present):
            yield "no type of damage was sure enough to be told, and where damage lies was not judged"
        return
    if damage is None and types and not findings:
        yield "no single damage could be marked"
        return
    if damage is None:
        yield f"{counted} {were} found" if findings else f"no {to_what} was found"
        return
    shows = _shows(damage, to_what, f"no {to_what}")
    if damage.present and findings:
        yield f"the photo {shows}" + (f": {counted}" if len(findings) > 1 else "")
    elif damage.present:
        yield f"the photo {shows}, but no single damage could be marked"
    elif findings:
        yield f"taken as a whole the photo {shows}; {counted} {were} marked all the same"
    else:
        yield f"the photo {shows}{all_the_same}"


def _types(types: Sequence[PhotoType], *, judges_findings: bool) -> Iterator[str]:
    """The types of the photo as a whole, the clear ones first, and that nobody looked where they are."""
    clauses: list[str] = []
    for band in _ADJECTIVES:
        shown = [damage_phrase(one.type) for one in types if certainty_word(one.confidence) == band]
        if shown:
            clauses.append(f"{band} {'' if clauses else 'shows '}{listed(shown)}")
    if clauses:
        where = "" if judges_findings else "; where was not judged"
        yield f"as a whole the photo {', '.join(clauses)}{where}"


def _shows(answer: Presence, something: str, nothing: str) -> str:
    """A gate's answer after "the photo".

    A gate may want more than an even chance before it says yes; its no is then less likely than not, and told as what it is.
    """
    if answer.present or answer.confidence >= PROBABLY_FROM:
        return f"{certainty_word(answer.confidence)} shows {something if answer.present else nothing}"
    return f"{certainty_word(1 - answer.confidence)} shows {something}, but not surely enough to be told"


def _findings(findings: Sequence[Finding], photo: Photo, *, any_part: bool) -> Iterator[str]:
    if findings and not any_part:
        yield "no part of the vehicle could be named"
    told: Counter[str] = Counter()
    if len(findings) <= _TOLD_ONE_BY_ONE:
        for finding in findings:
            yield _one(finding, photo, any_part=any_part, another=told[finding.type] > 0)
            told[finding.type] += 1
        return
    for name, count in _by_count(finding.type for finding in findings):
        group = [finding for finding in findings if finding.type == name]
        if count == 1:
            yield _one(group[0], photo, any_part=any_part)
        else:
            yield from _several(group, photo)


def _one(finding: Finding, photo: Photo, *, any_part: bool, another: bool = False) -> str:
    what = damage_phrase(finding.type)
    if another:
        counted = what != damage_word(finding.type)  # "shattered glass" is not
        what = f"{'another' if counted else 'more'} {damage_word(finding.type)}"
    where = _where(finding, photo)
    text = f"there is {certainty_word(finding.confidence)} {what} {where}, covering {_size(finding, within_sentence=True)}"
    if any_part and not finding.parts:
        text += ", on no part that could be named"
    if finding.severity is not None:
        text += f"; it is {certainty_word(finding.severity.confidence)} {finding.severity.level}"
    return text


def _several(group: Sequence[Finding], photo: Photo) -> Iterator[str]:
    """Two sentences or three about findings of one type: places and largest, certainty, severity."""
    count = len(group)
    what = f"{number_word(count)} {damage_word(group[0].type, count)}"
    everything = "both" if count == 2 else "all"
    largest = max(group, key=lambda finding: finding.area_share)
    size = f"the largest covers {_size(largest)}"

    places = _places(group, photo)
    if len(places) == 1:
        both_or_all = f"both {damage_word(group[0].type, count)}" if count == 2 else f"all {what}"
        yield f"{both_or_all} are {places[0][0]}; {size}"
    else:
        shown = places if len(places) <= _MOST_PLACES else places[: _MOST_PLACES - 1]
        clauses = [f"{number_word(n)} {'is' if n == 1 else 'are'} {place}" for place, n in shown]
        rest = count - sum(n for _, n in shown)
        if rest:
            clauses.append(f"{number_word(rest)} {'is' if rest == 1 else 'are'} in other places")
        yield f"of the {what}, {listed(clauses)}; {size}"

    certainties = Counter(certainty_word(finding.confidence) for finding in group)
    adjectives = [(_ADJECTIVES[band], certainties[band]) for band in _ADJECTIVES if certainties[band]]
    if len(adjectives) == 1:
        yield f"{everything} are {adjectives[0][0]}"
    else:
        yield listed([f"{number_word(n)} {'is' if n == 1 else 'are'} {adjective}" for adjective, n in adjectives])

    levels: Counter[str] = Counter(finding.severity.level for finding in group if finding.severity is not None)
    looks = [(level, levels[level]) for level in reversed(SEVERITY_LEVELS) if levels[level]]
    if len(looks) == 1 and looks[0][1] == count:
        yield f"{everything} look {looks[0][0]}"
    elif looks:
        yield listed([f"{number_word(n)} {'looks' if n == 1 else 'look'} {level}" for level, n in looks])


def _overall(
    severity: Severity | None, damage: Presence | None, findings: Sequence[Finding], types: Sequence[PhotoType] | None
) -> Iterator[str]:
    if severity is not None and (findings or types or (damage is not None and damage.present)):
        yield f"overall, the damage is {certainty_word(severity.confidence)} {severity.level}"


def _parts_in_view(parts: Sequence[FoundPart]) -> Iterator[str]:
    best: dict[str, float] = {}
    for part in parts:
        best[part.name] = max(part.confidence, best.get(part.name, 0.0))
    names = sorted(best, key=lambda name: (-best[name], name))[:_MOST_PARTS]
    clauses = []
    for band in _ADJECTIVES:
        words = [part_word(name) for name in names if certainty_word(best[name]) == band]
        if words:
            clauses.append(listed(words) if band == "clearly" else f"{band} {listed(words)}")
    if clauses:
        more = len(best) - len(names)
        yield f"parts in view: {'; '.join(clauses)}" + (f"; and {number_word(more)} more" if more else "")


def _review(review: Review, findings: Sequence[Finding], quality: Quality) -> Iterator[str]:
    if not review.needed:
        return
    poor = "the photo is poor"
    if _NO_PHOTO & set(quality.issues):
        poor = "it is no photo" if "not_a_photo" in quality.issues else "it is not one photo"
    by_id = {finding.id: finding for finding in findings}
    about: dict[ReviewCode, list[Finding]] = {}
    why = []
    for reason in review.reasons:
        if reason.finding in by_id:
            about.setdefault(reason.code, []).append(by_id[reason.finding])
        elif reason.code == "poor_quality":
            if poor not in why:  # the opening says in which way
                why.append(poor)
        else:
            why.append(f"{reason.text[:1].lower()}{reason.text[1:].rstrip('. ')}")
    why += [_doubt(code, named) for code, named in about.items()]
    if len(why) > 1:
        why[-1] = f"and {why[-1]}"
    yield f"a person should look again: {'; '.join(why)}" if why else "a person should look again"


def _doubt(code: ReviewCode, named: Sequence[Finding]) -> str:
    """What one code says of the findings that it names."""
    counted = _counted(named)
    is_or_are = "is" if len(named) == 1 else "are"
    match code:
        case "low_confidence":
            return f"{counted} {is_or_are} uncertain"
        case "weak_type":
            types = "a type" if len({finding.type for finding in named}) == 1 else "types"
            return f"{counted} {is_or_are} of {types} that the model knows badly"
        case "stages_disagree":
            return f"the answer for the whole photo speaks against {counted}"
        case "several_vehicles":
            return f"{counted} may be of another vehicle"
        case "poor_quality":
            return f"the photo is poor where {counted} {is_or_are}"


def _not_judged(
    vehicle: Presence | None,
    damage: Presence | None,
    severity: Severity | None,
    findings: Sequence[Finding],
    never_taught: Sequence[str],
    types: Sequence[PhotoType] | None,
) -> Iterator[str]:
    if vehicle is not None and not vehicle.present and not findings and not types and damage is None:
        return  # the opening says that damage was not judged at all
    what = ["whether this is a vehicle"] if vehicle is None else []
    if (findings or types) and severity is None and all(finding.severity is None for finding in findings):
        what.append("how bad the damage is")
    what += [damage_word(name, 2) for name in never_taught]
    if what:
        yield f"not judged: {listed(what)}"


def _counted(findings: Sequence[Finding]) -> str:
    """Findings counted by type: `nine scratches, two dents and shattered glass`; empty for none."""
    clauses = []
    for name, count in _by_count(finding.type for finding in findings):
        if count > 1:
            clauses.append(f"{number_word(count)} {damage_word(name, count)}")
        else:
            clauses.append(damage_phrase(name))
    return listed(clauses)


def _by_count(names: Iterable[str]) -> list[tuple[str, int]]:
    """Names with their counts, most first; equal counts in order of first appearance."""
    return Counter(names).most_common()


def _where(finding: Finding, photo: Photo) -> str:
    """`on the hood`, `mostly on the front bumper and partly on the hood`, or the place in the photo."""
    preposition = _preposition(finding)
    if not finding.parts:
        return place_words(finding.box, (photo.width, photo.height))
    first, *others = finding.parts
    named = [first, *(part for part in others if part.share_of_finding >= _SHARE_WORTH_NAMING)]
    phrases = [f"{preposition} {_the_part(part.name, part.confidence)}" for part in named]
    if len(phrases) == 1:
        return phrases[0]
    mostly = "mostly" if first.share_of_finding >= 0.5 else "partly"
    return f"{mostly} {phrases[0]} and partly {listed(phrases[1:])}"


def _places(group: Sequence[Finding], photo: Photo) -> list[tuple[str, int]]:
    """Where findings of one type lie, with how many each, most first.

    A part is named as uncertainly as the least certain finding on it.
    """
    lowest: dict[str, float] = {}
    for finding in group:
        for part in finding.parts[:1]:
            lowest[part.name] = min(part.confidence, lowest.get(part.name, 1.0))
    return _by_count(
        f"{_preposition(finding)} {_the_part(finding.parts[0].name, lowest[finding.parts[0].name])}"
        if finding.parts
        else place_words(finding.box, (photo.width, photo.height))
        for finding in group
    )


def _is_beside(finding: Finding) -> bool:
    """Whether a finding lies beside the part that it is named by: crushed metal is seldom seen as the part that it was."""
    return bool(finding.parts) and finding.parts[0].share_of_finding < _SHARE_WORTH_NAMING


def _preposition(finding: Finding) -> str:
    return "at" if _is_beside(finding) else _PREPOSITIONS.get(finding.type, "on")


def _the_part(name: str, confidence: float) -> str:
    certainty = certainty_word(confidence)
    part = with_article(part_word(name)) if name in _SEVERAL_ON_A_VEHICLE else f"the {part_word(name)}"
    return part if certainty == "clearly" else f"what is {certainty} {part}"


def _size(finding: Finding, *, within_sentence: bool = False) -> str:
    """How much of its first part, or of the photo, a finding covers; a finding without a mask is told by its box."""
    by_box = " by its box" if finding.mask is None else ""
    if not finding.parts:
        return f"{share_words(finding.area_share)} of {'it' if within_sentence else 'the photo'}{by_box}"
    if _is_beside(finding):  # its share of what is still seen of the part says little
        return f"{share_words(finding.area_share)} of the photo{by_box}"
    first: PartOfFinding = finding.parts[0]
    alone = within_sentence and not any(part.share_of_finding >= _SHARE_WORTH_NAMING for part in finding.parts[1:])
    of_what = "its visible area" if alone else f"the visible {part_word(first.name)}"
    return f"{share_words(first.share_of_part)} of {of_what}{by_box}"
