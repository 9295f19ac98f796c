"""German: every word that people are told. `Words` in `dentify.languages` lists it.

Names of damages and parts stand without article and in the nominative everywhere, so that a name of a user's own fits as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dentify.certainty import Certainty
from dentify.languages.meanings import Action, Clause, Place, RoughShare, Whole


class Noun(NamedTuple):
    """A type of damage: one, several, and the word for a single one (empty where it is not counted)."""

    one: str
    many: str
    single: str


DAMAGES: Mapping[str, Noun] = {
    "dent": Noun("Delle", "Dellen", "eine"),
    "scratch": Noun("Kratzer", "Kratzer", "ein"),
    "crack": Noun("Riss", "Risse", "ein"),
    "glass_shatter": Noun("zersplittertes Glas", "zersplitterte Scheiben", ""),
    "lamp_broken": Noun("defekte Leuchte", "defekte Leuchten", "eine"),
    "tire_flat": Noun("platter Reifen", "platte Reifen", "ein"),
    "broken_part": Noun("gebrochenes oder fehlendes Teil", "gebrochene oder fehlende Teile", "ein"),
}

PART_NAMES: Mapping[str, str] = {
    "back_bumper": "Stoßfänger hinten",
    "back_glass": "Heckscheibe",
    "back_left_door": "Tür hinten links",
    "back_left_light": "Rückleuchte links",
    "back_right_door": "Tür hinten rechts",
    "back_right_light": "Rückleuchte rechts",
    "front_bumper": "Stoßfänger vorn",
    "front_glass": "Windschutzscheibe",
    "front_left_door": "Tür vorn links",
    "front_left_light": "Scheinwerfer links",
    "front_right_door": "Tür vorn rechts",
    "front_right_light": "Scheinwerfer rechts",
    "hood": "Motorhaube",
    "left_mirror": "Außenspiegel links",
    "right_mirror": "Außenspiegel rechts",
    "tailgate": "Heckklappe",
    "trunk": "Kofferraumdeckel",
    "wheel": "Rad",
    "front_left_fender": "Kotflügel vorn links",
    "front_right_fender": "Kotflügel vorn rechts",
    "rear_left_quarter_panel": "Seitenteil hinten links",
    "rear_right_quarter_panel": "Seitenteil hinten rechts",
    "roof": "Dach",
    "grille": "Kühlergrill",
    "left_rocker_panel": "Schweller links",
    "right_rocker_panel": "Schweller rechts",
}

ACTIONS: Mapping[Action, str] = {
    "likely_repair": "Reparatur wahrscheinlich",
    "look_closely": "genau hinsehen",
    "nothing_found": "nichts gefunden",
    "nothing_to_judge": "nichts zu beurteilen",
}
_PLEASE_CHECK = "bitte prüfen"
CLAUSES: Mapping[Clause, str] = {
    "damage_not_judged": "Schäden wurden nicht beurteilt",
    "looked_all_the_same": "nach Schäden wurde trotzdem gesucht",
    "told_all_the_same": "was zu sehen war, steht trotzdem hier",
    "no_place": "aber keine Stelle gefunden",
    "place_not_judged": "wo, wurde nicht beurteilt",
    "no_type": "keine Schadensart war sicher genug",
    "nothing_but_unsure": "kein Schaden gefunden, aber das ist unsicher",
    "damage_unsure": "möglicherweise beschädigt, aber nichts ist sicher genug, um es zu markieren",
    "vehicle_unsure": "vielleicht ein Fahrzeug, aber nicht sicher genug, um Schäden zu beurteilen",
    "nothing_marked": "kein Schaden wurde markiert",
}
CERTAINTIES: Mapping[Certainty, str] = {"clear": "eindeutig", "probable": "wahrscheinlich", "possible": "möglich"}
DAMAGED: Mapping[Certainty, str] = {
    "clear": "eindeutig beschädigt",
    "probable": "wahrscheinlich beschädigt",
    "possible": "möglicherweise beschädigt",
}
UNDAMAGED: Mapping[Certainty, str] = {
    "clear": "eindeutig unbeschädigt",
    "probable": "wahrscheinlich unbeschädigt",
    "possible": "möglicherweise unbeschädigt",
}
NO_VEHICLE: Mapping[Certainty, str] = {
    "clear": "eindeutig kein Fahrzeug",
    "probable": "wahrscheinlich kein Fahrzeug",
    "possible": "möglicherweise kein Fahrzeug",
}
A_VEHICLE: Mapping[Certainty, str] = {
    "clear": "eindeutig ein Fahrzeug",
    "probable": "wahrscheinlich ein Fahrzeug",
    "possible": "möglicherweise ein Fahrzeug",
}
PLACES: Mapping[Place, str] = {
    "upper_left": "oben links im Foto",
    "top": "oben im Foto",
    "upper_right": "oben rechts im Foto",
    "left": "links im Foto",
    "middle": "in der Mitte des Fotos",
    "right": "rechts im Foto",
    "lower_left": "unten links im Foto",
    "bottom": "unten im Foto",
    "lower_right": "unten rechts im Foto",
    "across": "über den größten Teil des Fotos",
}
NOT_A_PHOTO = "kein Foto: ein leeres oder einfarbiges Bild, daher wurde nichts beurteilt"
SEVERAL_PHOTOS = "das Bild zerschneiden: es zeigt mehrere Fotos und wurde wie eines beurteilt"
DAMAGED_FILE = "das Foto neu kopieren oder ausgeben: Teile der Datei fehlen oder sind beschädigt, dort können Schäden fehlen"
VEHICLE_IN_DOUBT = "Es ist unsicher, ob das Foto ein Fahrzeug zeigt."
DAMAGE_IN_DOUBT = "Es ist unsicher, ob das Fahrzeug beschädigt ist."
NO_FINDING = "Das Foto zeigt vielleicht einen Schaden, aber kein einzelner war sicher genug."
PARTS = "Teil"

_DOUBTS: Mapping[Certainty, str] = {"clear": "", "probable": "wahrscheinlich ", "possible": "vielleicht "}
_QUALITY = {"too_dark": "dunkel", "too_bright": "hell", "blurred": "unscharf", "too_small": "klein"}
_LEVELS = {"minor": "leicht", "moderate": "mittelschwer", "severe": "schwer"}
_SHARES: Mapping[RoughShare, str] = {
    "trace": "weniger als 1 %",
    "tenth": "etwa ein Zehntel",
    "fifth": "etwa ein Fünftel",
    "quarter": "etwa ein Viertel",
    "third": "etwa ein Drittel",
    "half": "etwa die Hälfte",
    "two_thirds": "etwa zwei Drittel",
    "three_quarters": "etwa drei Viertel",
    "nearly_all": "fast 100 %",  # "fast alles" would need another case
}
_NUMBERS = ("kein", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_NOTES = (  # those of `dentify.imaging`
    (r"grey photo", "Graustufenfoto"),
    (
        r"parts of the file are missing or damaged, and grey or wrong in the photo",
        "Teile der Datei fehlen oder sind beschädigt und im Foto grau oder falsch",
    ),
    (r"transparent areas shown white", "durchsichtige Flächen sind weiß gezeigt"),
    (r"colour profile could not be read and was ignored", "das Farbprofil war nicht lesbar und blieb unbeachtet"),
    (r"first frame of (\d+)", r"erstes von \1 Bildern"),
    (r"first frame of (\d+) or more", r"erstes von \1 oder mehr Bildern"),
    (r"first page of (\d+)", r"erste von \1 Seiten"),
    (r"first page of (\d+) or more", r"erste von \1 oder mehr Seiten"),
    (r"main picture of (\d+)", r"Hauptbild von \1 Bildern"),
    (r"main picture of (\d+) or more", r"Hauptbild von \1 oder mehr Bildern"),
)


def damage(name: str) -> str:
    """A type of damage in plain words.

    >>> damage("tire_flat"), damage("hagelschlag_dach")
    ('platter Reifen', 'hagelschlag dach')
    """
    return DAMAGES[name].one if name in DAMAGES else as_spelled(name)


def damages(name: str) -> str:
    """Several of a known type in plain words; one of a user's own stays as it is, since nobody knows its plural.

    >>> damages("dent"), damages("rost")
    ('Dellen', 'rost')
    """
    return DAMAGES[name].many if name in DAMAGES else as_spelled(name)


def part(name: str) -> str:
    """A part in plain words.

    >>> part("back_left_light"), part("leiter_links")
    ('Rückleuchte links', 'leiter links')
    """
    return PART_NAMES.get(name) or as_spelled(name)


def as_spelled(name: str) -> str:
    """A name of a user's own: `_` as a space, and no more than one space at a time."""
    return " ".join(name.replace("_", " ").split()) or name


def counted(counts: Sequence[tuple[str, int]]) -> str:
    """Types with how many of each.

    >>> counted([("scratch", 9), ("dent", 1), ("hagelschlag", 3)])
    'neun Kratzer, eine Delle und 3 × hagelschlag'
    """
    return listed([_counted(name, count) for name, count in counts])


def _counted(name: str, count: int) -> str:
    if name not in DAMAGES:
        return f"{count} × {as_spelled(name)}"
    if count == 1:
        return f"{DAMAGES[name].single} {damage(name)}".strip()
    return f"{number_word(count)} {damages(name)}"


def number_word(count: int) -> str:
    """A count in words up to twelve, in digits above.

    >>> number_word(9), number_word(13)
    ('neun', '13')
    """
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def listed(items: Sequence[str]) -> str:
    """Items as a list in a sentence.

    >>> listed(["Dach"]), listed(["Dach", "Rad", "Kühlergrill"])
    ('Dach', 'Dach, Rad und Kühlergrill')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} und {items[-1]}"


def sentence(text: str) -> str:
    """Text with one space between words, a capital in front and a full stop at its end.

    >>> sentence("nichts  gefunden")
    'Nichts gefunden.'
    """
    text = " ".join(text.split()).rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}."


def verdict(action: Action, why: Sequence[str], *, check: bool) -> str:
    """The first line.

    >>> verdict("likely_repair", ["eindeutig beschädigt", "insgesamt leicht"], check=True)
    'Reparatur wahrscheinlich, bitte prüfen: eindeutig beschädigt, insgesamt leicht'
    """
    return f"{ACTIONS[action]}{f', {_PLEASE_CHECK}' if check else ''}: {', '.join(why)}"


def overall(level: str, *, perhaps: bool, if_so: bool) -> str:
    """Severity of the whole photo; `if_so`: where damage is in doubt itself.

    >>> overall("minor", perhaps=True, if_so=False), overall("minor", perhaps=False, if_so=True)
    ('insgesamt vielleicht leicht', 'wenn ja, leicht')
    """
    return f"{'wenn ja,' if if_so else 'insgesamt'} {severity(level, perhaps=perhaps)}"


def severity(level: str, *, perhaps: bool) -> str:
    """How bad a finding is.

    >>> severity("severe", perhaps=False)
    'schwer'
    """
    return f"{_DOUBTS['possible'] if perhaps else ''}{_LEVELS[level]}"


def poor(issues: Sequence[str]) -> str:
    """What to do about a photo that is too poor.

    >>> poor(["too_dark", "blurred"])
    'besseres Foto machen: dieses ist zu dunkel und zu unscharf, um verlässlich zu sein'
    """
    why = listed([f"zu {_QUALITY[issue]}" for issue in issues if issue in _QUALITY]) or "nicht gut genug"
    return f"besseres Foto machen: dieses ist {why}, um verlässlich zu sein"


def middling(issues: Sequence[str]) -> str:
    """What a middling photo means; empty where its issues have no words.

    >>> middling(["too_bright"])
    'das Foto ist recht hell, schwache Schäden können fehlen'
    """
    named = listed([_QUALITY[issue] for issue in issues if issue in _QUALITY])
    return named and f"das Foto ist recht {named}, schwache Schäden können fehlen"


def on_parts(names: Sequence[tuple[str, Certainty]]) -> str:
    """Parts with how sure each is; `clear` is not said.

    >>> on_parts([("hood", "clear"), ("wheel", "possible")])
    'Motorhaube und vielleicht Rad'
    """
    return listed([f"{_DOUBTS[certainty]}{part(name)}" for name, certainty in names])


def size(share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
    """How much of what a finding covers.

    >>> size("tenth", of="named_part", part_name="hood", by_box=False), size(2, of="photo", part_name="", by_box=True)
    ('etwa ein Zehntel der sichtbaren Fläche (Motorhaube)', 'etwa 2 % des Fotos nach seinem Rahmen')
    """
    match of:
        case "part":
            whole = "der sichtbaren Fläche"
        case "named_part":
            whole = f"der sichtbaren Fläche ({part(part_name)})"
        case "photo":
            whole = "des Fotos"
        case "place":
            whole = "davon"
    return f"{_SHARES.get(share) or f'etwa {share} %'} {whole}{' nach seinem Rahmen' if by_box else ''}"


def finding(*, number: int, where: str, damage: str, size: str, severity: str | None, certainty: Certainty, weak: bool) -> str:
    """One finding on a line.

    >>> finding(number=1, where="Dach", damage="Delle", size="etwa 3 %", severity="leicht", certainty="clear", weak=False)
    '1. Dach: Delle, etwa 3 %, leicht – eindeutig'
    """
    told = ", ".join([damage, size, *([severity] if severity else [])])
    badly = "; diese Schadensart kennt das Modell schlecht" if weak else ""
    return f"{number}. {where[:1].upper()}{where[1:]}: {told} – {CERTAINTIES[certainty]}{badly}"


def more(counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
    """Findings that are not told one by one.

    >>> more([("scratch", 2), ("dent", 1)], "possible", worst="minor")
    'außerdem: zwei Kratzer und eine Delle, höchstens leicht – möglich'
    """
    return f"außerdem: {counted(counts)}{f', höchstens {_LEVELS[worst]}' if worst else ''} – {CERTAINTIES[certainty]}"


def as_a_whole(groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
    """Types of the photo.

    >>> as_a_whole([("clear", ["dent", "scratch"])])
    'im Ganzen: Delle und Kratzer – eindeutig'
    """
    told = [f"{listed([damage(name) for name in names])} – {CERTAINTIES[certainty]}" for certainty, names in groups]
    return f"im Ganzen: {'; '.join(told)}"


def parts_in_view(groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
    """Parts by how surely they are seen.

    >>> parts_in_view([("clear", ["hood", "wheel"])], more=1)
    'sichtbare Teile: Motorhaube und Rad – eindeutig; und ein weiteres'
    """
    told = [f"{listed([part(name) for name in names])} – {CERTAINTIES[certainty]}" for certainty, names in groups]
    rest = ["und ein weiteres" if more == 1 else f"und {number_word(more)} weitere"] if more else []
    return f"sichtbare Teile: {'; '.join([*told, *rest])}"


def not_judged(types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
    """What was not looked at.

    >>> not_judged(["crack", "rost"], vehicle=True, severity=False)
    'nicht beurteilt: ob es ein Fahrzeug ist, Risse und rost'
    """
    what = [*(["ob es ein Fahrzeug ist"] if vehicle else []), *(["wie schwer der Schaden ist"] if severity else [])]
    return f"nicht beurteilt: {listed([*what, *(damages(name) for name in types)])}"


def note(text: str) -> str:
    """A note; one that is not known stays as it is.

    >>> note("first frame of 12"), note("scanned")
    ('Hinweis: erstes von 12 Bildern', 'Hinweis: scanned')
    """
    for known, german in _NOTES:
        match = re.fullmatch(known, text)
        if match:
            return f"Hinweis: {match.expand(german)}"
    return f"Hinweis: {text}"


def poor_reason(issues: Sequence[str]) -> str:
    """In which way a photo is poor.

    >>> poor_reason(["too_dark", "blurred"])
    'Das Foto ist zu dunkel und zu unscharf.'
    """
    named = [f"zu {_QUALITY[issue]}" if issue in _QUALITY else as_spelled(issue) for issue in issues]
    return f"Das Foto ist {listed(named)}."


def seen_without_vehicle(name: str, certainty: Certainty) -> str:
    """The gate sees no vehicle, and yet."""
    return f"Kein Fahrzeug wurde erkannt, aber ein Schaden gesehen: {damage(name)} – {CERTAINTIES[certainty]}."


def seen_undamaged(name: str, certainty: Certainty) -> str:
    """The gate sees no damage, and yet."""
    return (
        f"Im Ganzen wirkt das Fahrzeug unbeschädigt, aber ein Schaden wurde gesehen: {damage(name)} – {CERTAINTIES[certainty]}."
    )


def several_vehicles(place: Place) -> str:
    """Which of several vehicles was judged."""
    return f"Mehrere Fahrzeuge sind zu sehen: die Teile sind die des größten, {PLACES[place]}, Schäden können an anderen sein."


def doubtful_finding(number: int, name: str, confidence: float) -> str:
    """A finding that is not sure.

    >>> doubtful_finding(1, "dent", 0.3)
    'Befund 1 (Delle) ist nur mit einer Konfidenz von 0,30 genannt.'
    """
    told = f"{confidence:.2f}".replace(".", ",")
    return f"Befund {number} ({damage(name)}) ist nur mit einer Konfidenz von {told} genannt."


def weak_finding(number: int, name: str) -> str:
    """A finding of a weak type."""
    return f"Befund {number} ({damage(name)}) ist von einer Art, die dieses Modell schlecht kennt."


def doubtful_type(name: str) -> str:
    """A type of the photo that is not sure."""
    return f"Es ist unsicher, ob das Foto im Ganzen diese Schadensart zeigt: {damage(name)}."


def weak_type(name: str) -> str:
    """A weak type of the photo."""
    return f"Das Foto zeigt im Ganzen eine Schadensart, die dieses Modell schlecht kennt: {damage(name)}."


def label(number: int, name: str, certainty: Certainty) -> str:
    """Beside a finding in a drawing.

    >>> label(2, "scratch", "possible")
    '2 · Kratzer, möglich'
    """
    return f"{number} · {damage(name)}, {CERTAINTIES[certainty]}"
