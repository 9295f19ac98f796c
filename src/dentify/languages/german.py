"""German: its words, and the sentences that are its own.

Names of damages and parts stand without article and in the nominative everywhere, so that a name of a user's own fits as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from dentify.certainty import Certainty
from dentify.languages.meanings import Place, RoughShare, Whole
from dentify.languages.words import Noun, PageWords, Words, as_spelled

_NOTES = (  # those of `dentify.imaging`
    (r"grey photo", "Graustufenfoto"),
    (r"32-bit picture, stretched to 8 bits", "32-Bit-Bild, auf 8 Bit gestreckt"),
    (r"floating-point picture, stretched to 8 bits", "Gleitkommabild, auf 8 Bit gestreckt"),
    (r"transparent areas shown white", "durchsichtige Flächen sind weiß gezeigt"),
    (r"colour profile could not be read and was ignored", "das Farbprofil war nicht lesbar und blieb unbeachtet"),
    (r"first frame of (\d+)", r"erstes von \1 Bildern"),
    (r"first frame of (\d+) or more", r"erstes von \1 oder mehr Bildern"),
    (r"first page of (\d+)", r"erste von \1 Seiten"),
    (r"first page of (\d+) or more", r"erste von \1 oder mehr Seiten"),
    (r"main picture of (\d+)", r"Hauptbild von \1 Bildern"),
    (r"main picture of (\d+) or more", r"Hauptbild von \1 oder mehr Bildern"),
)
"""Those of `dentify.imaging`."""


def _bands(predicate: str) -> dict[Certainty, str]:
    """A predicate as sure as each band is."""
    return {
        "clear": f"eindeutig {predicate}",
        "probable": f"wahrscheinlich {predicate}",
        "possible": f"möglicherweise {predicate}",
    }


class German(Words):
    """See `Words`."""

    DAMAGES = {
        "dent": Noun("Delle", "Dellen", "eine"),
        "scratch": Noun("Kratzer", "Kratzer", "ein"),
        "crack": Noun("Riss", "Risse", "ein"),
        "glass_shatter": Noun("zersplittertes Glas", "zersplitterte Scheiben", ""),
        "lamp_broken": Noun("defekte Leuchte", "defekte Leuchten", "eine"),
        "tire_flat": Noun("platter Reifen", "platte Reifen", "ein"),
        "broken_part": Noun("gebrochenes oder fehlendes Teil", "gebrochene oder fehlende Teile", "ein"),
    }
    PARTS = {
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
    PART = "Teil"
    ACTIONS = {
        "likely_repair": "Reparatur wahrscheinlich",
        "look_closely": "genau hinsehen",
        "nothing_found": "nichts gefunden",
        "nothing_to_judge": "nichts zu beurteilen",
    }
    PLEASE_CHECK = "bitte prüfen"
    CLAUSES = {
        "damage_not_judged": "Schäden wurden nicht beurteilt",
        "looked_all_the_same": "nach Schäden wurde trotzdem gesucht",
        "told_all_the_same": "was zu sehen war, steht trotzdem hier",
        "no_place": "aber keine Stelle gefunden",
        "place_not_judged": "wo, wurde nicht beurteilt",
        "no_type": "keine Schadensart war sicher genug",
        "vehicle_unsure": "vielleicht ein Fahrzeug, aber nicht sicher genug, um Schäden zu beurteilen",
        "nothing_marked": "kein Schaden wurde markiert",
        "badly_known": "diese Schadensart kennt das Modell schlecht",
    }
    CERTAINTIES = {"clear": "eindeutig", "probable": "wahrscheinlich", "possible": "möglich"}
    DAMAGED = _bands("beschädigt")
    UNDAMAGED = _bands("unbeschädigt")
    NO_VEHICLE = _bands("kein Fahrzeug")
    A_VEHICLE = _bands("ein Fahrzeug")
    DOUBTS = {"clear": "", "probable": "wahrscheinlich ", "possible": "vielleicht "}
    LEVELS = {"minor": "leicht", "moderate": "mittelschwer", "severe": "schwer"}
    PLACES = {
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
    NUMBERS = ("kein", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
    AND = "und"
    ISSUES = {
        "not_a_photo": "kein Foto: ein leeres oder einfarbiges Bild, daher wurde nichts beurteilt",
        "several_photos": "das Bild zerschneiden: es zeigt mehrere Fotos und wurde wie eines beurteilt",
        "damaged_file": (
            "das Foto neu kopieren oder ausgeben: Teile der Datei fehlen oder sind beschädigt, dort können Schäden fehlen"
        ),
    }
    VEHICLE_IN_DOUBT = "Es ist unsicher, ob das Foto ein Fahrzeug zeigt."
    DAMAGE_IN_DOUBT = "Es ist unsicher, ob das Fahrzeug beschädigt ist."
    NO_FINDING = "Das Foto zeigt vielleicht einen Schaden, aber kein einzelner war sicher genug."

    PAGE = PageWords(
        photos="{count} Fotos",
        photo="1 Foto",
        damaged="beschädigt",
        to_look_at="zu prüfen",
        failed="fehlgeschlagen",
        show="Anzeigen",
        all="alle",
        others="übrige",
        one_to_look_at="bitte prüfen",
        type="Schadensart",
        part="Teil",
        severity="Schwere",
        any="beliebig",
        more="Filtern und sortieren",
        sort="Sortieren nach",
        sorts={"rank": "Wichtigkeit", "name": "Name", "severity": "Schwere", "findings": "Anzahl der Befunde"},
        search="Name enthält",
        markings="Markierungen",
        shown="{shown} von {total} angezeigt",
        none_shown="Kein Foto passt dazu.",
        show_all="Alle Fotos anzeigen",
        not_assessed="Nicht beurteilt",
        previous="Voriges Foto",
        next="Nächstes Foto",
        close="Schließen",
        json="Antwort (JSON)",
        drawn="Foto mit Markierungen",
        alone="Foto",
        tables="Tabellen",
        legend="Wie sicher ein Befund ist",
        keys="← und → führen zu anderen Fotos, M zeigt und verbirgt Markierungen, Esc schließt.",
        caveat="Was ein Modell sagt, nicht was feststeht. Links und rechts eines Teils sind die des Fahrzeugs.",
        bundle="Bundle",
        made_by="Erstellt von Dentify {version}",
    )

    _QUALITY: ClassVar = {"too_dark": "dunkel", "too_bright": "hell", "blurred": "unscharf", "too_small": "klein"}
    _SHARES: ClassVar[dict[RoughShare, str]] = {
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

    def overall(self, level: str, *, perhaps: bool, if_so: bool) -> str:
        """Such as *insgesamt leicht*, or *wenn ja, leicht*."""
        return f"{'wenn ja,' if if_so else 'insgesamt'} {self.severity(level, perhaps=perhaps)}"

    def poor(self, issues: Sequence[str]) -> str:
        """Such as *besseres Foto machen: dieses ist zu dunkel und zu unscharf, um verlässlich zu sein*."""
        why = self.listed([f"zu {self._QUALITY[issue]}" for issue in issues if issue in self._QUALITY]) or "nicht gut genug"
        return f"besseres Foto machen: dieses ist {why}, um verlässlich zu sein"

    def size(self, share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
        """How much of what a finding covers.

        >>> GERMAN.size("tenth", of="named_part", part_name="hood", by_box=False)
        'etwa ein Zehntel der sichtbaren Fläche (Motorhaube)'
        """
        match of:
            case "part":
                whole = "der sichtbaren Fläche"
            case "named_part":
                whole = f"der sichtbaren Fläche ({self.part(part_name)})"
            case "photo":
                whole = "des Fotos"
            case "place":
                whole = "davon"
        return f"{self._SHARES.get(share) or f'etwa {share} %'} {whole}{' (nach dem Rahmen)' if by_box else ''}"

    def more(self, counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
        """Findings that are not told one by one.

        >>> GERMAN.more([("scratch", 2), ("dent", 1)], "possible", worst="leicht")
        'außerdem: zwei Kratzer und eine Delle, höchstens leicht – möglich'
        """
        return f"außerdem: {self.counted(counts)}{f', höchstens {worst}' if worst else ''} – {self.CERTAINTIES[certainty]}"

    def as_a_whole(self, groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
        """Types of the photo.

        >>> GERMAN.as_a_whole([("clear", ["dent", "scratch"])])
        'im Ganzen: Delle und Kratzer – eindeutig'
        """
        named = [(certainty, [self.damage(name) for name in names]) for certainty, names in groups]
        return f"im Ganzen: {'; '.join(self._by_certainty(named))}"

    def parts_in_view(self, groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
        """Parts by how surely they are seen.

        >>> GERMAN.parts_in_view([("clear", ["hood", "wheel"])], more=1)
        'sichtbare Teile: Motorhaube und Rad – eindeutig; und ein weiteres'
        """
        named = [(certainty, [self.part(name) for name in names]) for certainty, names in groups]
        rest = ["und ein weiteres" if more == 1 else f"und {self.number_word(more)} weitere"] if more else []
        return f"sichtbare Teile: {'; '.join([*self._by_certainty(named), *rest])}"

    def not_judged(self, types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
        """What was not looked at.

        >>> GERMAN.not_judged(["crack", "rost"], vehicle=True, severity=False)
        'nicht beurteilt: Risse, rost und ob es ein Fahrzeug ist'
        """
        clauses = [*(["ob es ein Fahrzeug ist"] if vehicle else []), *(["wie schwer der Schaden ist"] if severity else [])]
        return f"nicht beurteilt: {self.listed([*map(self.damages, types), *clauses])}"

    def note(self, text: str) -> str:
        """One that is not known stays as it is.

        >>> GERMAN.note("first frame of 12"), GERMAN.note("scanned")
        ('Hinweis: erstes von 12 Bildern', 'Hinweis: scanned')
        """
        for known, german in _NOTES:
            match = re.fullmatch(known, text)
            if match:
                return f"Hinweis: {match.expand(german)}"
        return f"Hinweis: {text}"

    def poor_reason(self, issues: Sequence[str]) -> str:
        """Such as *Das Foto ist zu dunkel und zu unscharf*."""
        named = [f"zu {self._QUALITY[issue]}" if issue in self._QUALITY else as_spelled(issue) for issue in issues]
        return f"Das Foto ist {self.listed(named)}."

    def seen_without_vehicle(self, name: str, certainty: Certainty) -> str:
        """The gate sees no vehicle, and yet."""
        seen = f"{self.damage(name)} – {self.CERTAINTIES[certainty]}"
        return f"Kein Fahrzeug wurde erkannt, aber ein Schaden gesehen: {seen}."

    def seen_undamaged(self, name: str, certainty: Certainty) -> str:
        """The gate does not see damage surely, and yet."""
        seen = f"{self.damage(name)} – {self.CERTAINTIES[certainty]}"
        return f"Im Ganzen wurde das Foto nicht als beschädigt beurteilt, aber ein Schaden wurde gesehen: {seen}."

    def several_vehicles(self, place: Place) -> str:
        """Which of several vehicles was judged."""
        where = self.PLACES[place]
        return f"Mehrere Fahrzeuge sind zu sehen: die Teile sind die des größten, {where}, Schäden können an anderen sein."

    def doubtful_finding(self, number: int, name: str, confidence: float) -> str:
        """A finding that is not sure.

        >>> GERMAN.doubtful_finding(1, "dent", 0.3)
        'Befund 1 (Delle) ist nur mit einer Konfidenz von 0,30 genannt.'
        """
        told = f"{confidence:.2f}".replace(".", ",")
        return f"Befund {number} ({self.damage(name)}) ist nur mit einer Konfidenz von {told} genannt."

    def weak_finding(self, number: int, name: str) -> str:
        """A finding of a weak type."""
        return f"Befund {number} ({self.damage(name)}): {self.CLAUSES['badly_known']}."

    def doubtful_type(self, name: str) -> str:
        """A type of the photo that is not sure."""
        return f"Es ist unsicher, ob das Foto im Ganzen diese Schadensart zeigt: {self.damage(name)}."

    def weak_type(self, name: str) -> str:
        """A weak type of the photo."""
        return f"Im Ganzen ist zu sehen: {self.damage(name)}; {self.CLAUSES['badly_known']}."


GERMAN = German()
