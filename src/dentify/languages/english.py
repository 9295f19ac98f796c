"""English: every word that people are told, and the little grammar that needs. `Words` in `dentify.languages` lists it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dentify.certainty import Certainty
from dentify.languages.meanings import Action, Clause, Place, RoughShare, Whole


class Noun(NamedTuple):
    """A type of damage: one, and several."""

    one: str
    many: str


DAMAGES: Mapping[str, Noun] = {
    "dent": Noun("dent", "dents"),
    "scratch": Noun("scratch", "scratches"),
    "crack": Noun("crack", "cracks"),
    "glass_shatter": Noun("shattered glass", "shattered panes"),
    "lamp_broken": Noun("broken lamp", "broken lamps"),
    "tire_flat": Noun("flat tyre", "flat tyres"),
    "broken_part": Noun("broken or missing part", "broken or missing parts"),
}
_UNCOUNTED = frozenset({"glass_shatter"})  # nobody says "one shattered glass"

PART_NAMES: Mapping[str, str] = {
    "back_bumper": "rear bumper",
    "back_glass": "rear window",
    "back_left_door": "rear left door",
    "back_left_light": "left tail light",
    "back_right_door": "rear right door",
    "back_right_light": "right tail light",
    "front_bumper": "front bumper",
    "front_glass": "windscreen",
    "front_left_door": "front left door",
    "front_left_light": "left headlight",
    "front_right_door": "front right door",
    "front_right_light": "right headlight",
    "hood": "hood",
    "left_mirror": "left mirror",
    "right_mirror": "right mirror",
    "tailgate": "tailgate",
    "trunk": "trunk",
    "wheel": "wheel",
    "front_left_fender": "front left fender",
    "front_right_fender": "front right fender",
    "rear_left_quarter_panel": "rear left quarter panel",
    "rear_right_quarter_panel": "rear right quarter panel",
    "roof": "roof",
    "grille": "grille",
    "left_rocker_panel": "left rocker panel",
    "right_rocker_panel": "right rocker panel",
}

ACTIONS: Mapping[Action, str] = {
    "likely_repair": "likely repair",
    "look_closely": "look closely",
    "nothing_found": "nothing found",
    "nothing_to_judge": "nothing to judge",
}
_PLEASE_CHECK = "please check"
CLAUSES: Mapping[Clause, str] = {
    "damage_not_judged": "damage was not judged",
    "looked_all_the_same": "damage was looked for all the same",
    "told_all_the_same": "what was seen is told all the same",
    "no_place": "but no place was found",
    "place_not_judged": "where was not judged",
    "no_type": "no type was sure enough to be told",
    "nothing_but_unsure": "no damage found, but that is uncertain",
    "damage_unsure": "possibly damaged, but nothing is sure enough to be marked",
    "vehicle_unsure": "perhaps a vehicle, but not surely enough to judge damage",
    "nothing_marked": "no damage was marked",
}
CERTAINTIES: Mapping[Certainty, str] = {"clear": "clear", "probable": "probable", "possible": "possible"}
DAMAGED: Mapping[Certainty, str] = {
    "clear": "clearly damaged",
    "probable": "probably damaged",
    "possible": "possibly damaged",
}
UNDAMAGED: Mapping[Certainty, str] = {
    "clear": "clearly undamaged",
    "probable": "probably undamaged",
    "possible": "possibly undamaged",
}
NO_VEHICLE: Mapping[Certainty, str] = {
    "clear": "clearly no vehicle",
    "probable": "probably no vehicle",
    "possible": "possibly no vehicle",
}
A_VEHICLE: Mapping[Certainty, str] = {
    "clear": "clearly a vehicle",
    "probable": "probably a vehicle",
    "possible": "possibly a vehicle",
}
PLACES: Mapping[Place, str] = {
    "upper_left": "in the upper left of the photo",
    "top": "at the top of the photo",
    "upper_right": "in the upper right of the photo",
    "left": "on the left of the photo",
    "middle": "in the middle of the photo",
    "right": "on the right of the photo",
    "lower_left": "in the lower left of the photo",
    "bottom": "at the bottom of the photo",
    "lower_right": "in the lower right of the photo",
    "across": "across most of the photo",
}
NOT_A_PHOTO = "not a photo: a blank or single-colour picture, so nothing was judged"
SEVERAL_PHOTOS = "cut the picture apart: it shows several photos, and was judged as if it were one"
DAMAGED_FILE = "copy or export the photo again: parts of its file are missing or damaged, so damage may be missed there"
VEHICLE_IN_DOUBT = "It is uncertain whether the photo shows a vehicle."
DAMAGE_IN_DOUBT = "It is uncertain whether the vehicle is damaged."
NO_FINDING = "The photo may show damage, but no single damage was sure enough to be told."
PARTS = "part"

_DOUBTS: Mapping[Certainty, str] = {"clear": "", "probable": "probably ", "possible": "perhaps "}
_QUALITY = {"too_dark": "dark", "too_bright": "bright", "blurred": "blurred", "too_small": "small"}
_LEVELS = {"minor": "minor", "moderate": "moderate", "severe": "severe"}
_SHARES: Mapping[RoughShare, str] = {
    "trace": "less than 1 %",
    "tenth": "about a tenth",
    "fifth": "about a fifth",
    "quarter": "about a quarter",
    "third": "about a third",
    "half": "about half",
    "two_thirds": "about two thirds",
    "three_quarters": "about three quarters",
    "nearly_all": "nearly all",
}
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# "a unit", "a European plate", "an hour": by sound, where the first letter misleads.
_SOUNDS_LIKE_CONSONANT = re.compile(r"(uni|use|eu|one\b|u-)", re.IGNORECASE)
_SOUNDS_LIKE_VOWEL = re.compile(r"([aeiou]|hour|honest)", re.IGNORECASE)


def damage(name: str) -> str:
    """A type of damage in plain words.

    >>> damage("tire_flat"), damage("hail_mark")
    ('flat tyre', 'hail mark')
    """
    return DAMAGES[name].one if name in DAMAGES else as_spelled(name)


def damages(name: str) -> str:
    """Several of a known type in plain words; one of a user's own stays as it is, since nobody knows its plural.

    >>> damages("scratch"), damages("rust")
    ('scratches', 'rust')
    """
    return DAMAGES[name].many if name in DAMAGES else as_spelled(name)


def part(name: str) -> str:
    """A part in plain words.

    >>> part("back_left_light"), part("left_fender")
    ('left tail light', 'left fender')
    """
    return PART_NAMES.get(name) or as_spelled(name)


def as_spelled(name: str) -> str:
    """A name of a user's own: `_` as a space, and no more than one space at a time.

    >>> as_spelled("oil__stain "), as_spelled("_")
    ('oil stain', '_')
    """
    return " ".join(name.replace("_", " ").split()) or name


def counted(counts: Sequence[tuple[str, int]]) -> str:
    """Types with how many of each.

    >>> counted([("scratch", 9), ("glass_shatter", 1), ("hail_mark", 3)])
    'nine scratches, shattered glass and 3 × hail mark'
    """
    return listed([_counted(name, count) for name, count in counts])


def _counted(name: str, count: int) -> str:
    if name not in DAMAGES:
        return f"{count} × {as_spelled(name)}"
    if count == 1:
        return damage(name) if name in _UNCOUNTED else f"one {damage(name)}"
    return f"{number_word(count)} {damages(name)}"


def number_word(count: int) -> str:
    """A count in words up to twelve, in digits above.

    >>> number_word(0), number_word(9), number_word(13)
    ('no', 'nine', '13')
    """
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def with_article(noun: str) -> str:
    """A noun with `a` or `an`, by sound.

    >>> with_article("dent"), with_article("oil stain"), with_article("unit")
    ('a dent', 'an oil stain', 'a unit')
    """
    vowel = _SOUNDS_LIKE_VOWEL.match(noun) and not _SOUNDS_LIKE_CONSONANT.match(noun)
    return f"{'an' if vowel else 'a'} {noun}"


def listed(items: Sequence[str]) -> str:
    """Items as a list in a sentence.

    >>> listed(["hood"]), listed(["hood", "trunk"]), listed(["hood", "trunk", "wheel"])
    ('hood', 'hood and trunk', 'hood, trunk and wheel')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(text: str) -> str:
    """Text with one space between words, a capital in front and a full stop at its end.

    >>> sentence("nine  scratches: four on the hood")
    'Nine scratches: four on the hood.'
    """
    text = " ".join(text.split()).rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}."


def verdict(action: Action, why: Sequence[str], *, check: bool) -> str:
    """The first line.

    >>> verdict("likely_repair", ["clearly damaged", "minor overall"], check=True)
    'likely repair, please check: clearly damaged, minor overall'
    """
    return f"{ACTIONS[action]}{f', {_PLEASE_CHECK}' if check else ''}: {', '.join(why)}"


def overall(level: str, *, perhaps: bool, if_so: bool) -> str:
    """Severity of the whole photo; `if_so`: where damage is in doubt itself.

    >>> overall("minor", perhaps=False, if_so=False), overall("minor", perhaps=False, if_so=True)
    ('minor overall', 'minor if so')
    """
    return f"{severity(level, perhaps=perhaps)} {'if so' if if_so else 'overall'}"


def severity(level: str, *, perhaps: bool) -> str:
    """How bad a finding is.

    >>> severity("severe", perhaps=True)
    'perhaps severe'
    """
    return f"{_DOUBTS['possible'] if perhaps else ''}{_LEVELS[level]}"


def poor(issues: Sequence[str]) -> str:
    """What to do about a photo that is too poor.

    >>> poor(["too_dark", "blurred"])
    'take a better photo: this one is too dark and too blurred to be trusted'
    """
    why = listed([f"too {_QUALITY[issue]}" for issue in issues if issue in _QUALITY]) or "not good enough"
    return f"take a better photo: this one is {why} to be trusted"


def middling(issues: Sequence[str]) -> str:
    """What a middling photo means; empty where its issues have no words.

    >>> middling(["too_bright"])
    'the photo is rather bright, so faint damage may be missed'
    """
    named = listed([_QUALITY[issue] for issue in issues if issue in _QUALITY])
    return named and f"the photo is rather {named}, so faint damage may be missed"


def on_parts(names: Sequence[tuple[str, Certainty]]) -> str:
    """Parts with how sure each is; `clear` is not said.

    >>> on_parts([("hood", "clear"), ("wheel", "possible")])
    'hood and perhaps wheel'
    """
    return listed([f"{_DOUBTS[certainty]}{part(name)}" for name, certainty in names])


def size(share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
    """How much of what a finding covers.

    >>> size("tenth", of="part", part_name="hood", by_box=False), size(2, of="photo", part_name="", by_box=True)
    ('about a tenth of its visible area', 'about 2 % of the photo by its box')
    """
    match of:
        case "part":
            whole = "its visible area"
        case "named_part":
            whole = f"the visible {part(part_name)}"
        case "photo":
            whole = "the photo"
        case "place":
            whole = "it"
    return f"{_SHARES.get(share) or f'about {share} %'} of {whole}{' by its box' if by_box else ''}"


def finding(*, number: int, where: str, damage: str, size: str, severity: str | None, certainty: Certainty, weak: bool) -> str:
    """One finding on a line.

    >>> finding(number=1, where="hood", damage="dent", size="about half", severity="minor", certainty="clear", weak=False)
    '1. Hood: dent, about half, minor – clear'
    """
    told = ", ".join([damage, size, *([severity] if severity else [])])
    badly = "; a type that the model knows badly" if weak else ""
    return f"{number}. {where[:1].upper()}{where[1:]}: {told} – {CERTAINTIES[certainty]}{badly}"


def more(counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
    """Findings that are not told one by one.

    >>> more([("scratch", 2), ("dent", 1)], "possible", worst="minor")
    'more: two scratches and one dent, the worst minor – possible'
    """
    return f"more: {counted(counts)}{f', the worst {_LEVELS[worst]}' if worst else ''} – {CERTAINTIES[certainty]}"


def as_a_whole(groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
    """Types of the photo.

    >>> as_a_whole([("clear", ["dent", "scratch"]), ("possible", ["hail_mark"])])
    'as a whole: dent and scratch – clear; hail mark – possible'
    """
    told = [f"{listed([damage(name) for name in names])} – {CERTAINTIES[certainty]}" for certainty, names in groups]
    return f"as a whole: {'; '.join(told)}"


def parts_in_view(groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
    """Parts by how surely they are seen.

    >>> parts_in_view([("clear", ["hood", "wheel"]), ("possible", ["trunk"])], more=1)
    'parts in view: hood and wheel – clear; trunk – possible; one more'
    """
    told = [f"{listed([part(name) for name in names])} – {CERTAINTIES[certainty]}" for certainty, names in groups]
    return f"parts in view: {'; '.join([*told, *([f'{number_word(more)} more'] if more else [])])}"


def not_judged(types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
    """What was not looked at.

    >>> not_judged(["crack", "rust"], vehicle=True, severity=False)
    'not judged: whether this is a vehicle, cracks and rust'
    """
    what = [*(["whether this is a vehicle"] if vehicle else []), *(["how bad the damage is"] if severity else [])]
    return f"not judged: {listed([*what, *(damages(name) for name in types)])}"


def note(text: str) -> str:
    """A note; those of `dentify.imaging` are English.

    >>> note("first frame of 12")
    'note: first frame of 12'
    """
    return f"note: {text}"


def poor_reason(issues: Sequence[str]) -> str:
    """In which way a photo is poor.

    >>> poor_reason(["too_dark", "blurred"])
    'The photo is too dark and blurred.'
    """
    return f"The photo is {listed([as_spelled(issue) for issue in issues])}."


def seen_without_vehicle(name: str, certainty: Certainty) -> str:
    """The gate sees no vehicle, and yet.

    >>> seen_without_vehicle("dent", "probable")
    'No vehicle was recognised, but damage was seen: dent – probable.'
    """
    return f"No vehicle was recognised, but damage was seen: {damage(name)} – {CERTAINTIES[certainty]}."


def seen_undamaged(name: str, certainty: Certainty) -> str:
    """The gate sees no damage, and yet.

    >>> seen_undamaged("dent", "clear")
    'The photo as a whole looks undamaged, but damage was seen: dent – clear.'
    """
    return f"The photo as a whole looks undamaged, but damage was seen: {damage(name)} – {CERTAINTIES[certainty]}."


def several_vehicles(place: Place) -> str:
    """Which of several vehicles was judged."""
    return f"Several vehicles are in view: parts are those of the largest one, {PLACES[place]}, and damage may lie on others."


def doubtful_finding(number: int, name: str, confidence: float) -> str:
    """A finding that is not sure."""
    return f"Finding {number} ({damage(name)}) is told with a confidence of {confidence:.2f} only."


def weak_finding(number: int, name: str) -> str:
    """A finding of a weak type."""
    return f"Finding {number} ({damage(name)}) is of a type that this bundle knows badly."


def doubtful_type(name: str) -> str:
    """A type of the photo that is not sure."""
    return f"It is uncertain whether the photo as a whole shows this type: {damage(name)}."


def weak_type(name: str) -> str:
    """A weak type of the photo."""
    return f"The photo as a whole shows a type that this bundle knows badly: {damage(name)}."


def label(number: int, name: str, certainty: Certainty) -> str:
    """Beside a finding in a drawing.

    >>> label(2, "scratch", "possible")
    '2 · scratch, possible'
    """
    return f"{number} · {damage(name)}, {CERTAINTIES[certainty]}"
