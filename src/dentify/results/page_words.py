"""What the page of results says by itself, in each language; reports, types and parts are told in `dentify.languages`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dentify.languages import Language


@dataclass(frozen=True)
class PageWords:
    """Every word of the page's own. `{…}` are filled in."""

    photos: str
    photo: str
    damaged: str
    to_look_at: str
    failed: str
    show: str
    all: str
    others: str
    one_to_look_at: str
    type: str
    part: str
    severity: str
    any: str
    more: str
    sort: str
    sorts: Mapping[str, str]
    search: str
    markings: str
    shown: str
    none_shown: str
    show_all: str
    not_assessed: str
    previous: str
    next: str
    close: str
    json: str
    drawn: str
    alone: str
    tables: str
    legend: str
    keys: str
    caveat: str
    bundle: str
    made_by: str


ENGLISH = PageWords(
    photos="{count} photos",
    photo="1 photo",
    damaged="damaged",
    to_look_at="need a look",
    failed="failed",
    show="Show",
    all="all",
    others="others",
    one_to_look_at="needs a look",
    type="Type",
    part="Part",
    severity="Severity",
    any="any",
    more="Filter and sort",
    sort="Sort by",
    sorts={"rank": "what matters most", "name": "name", "severity": "severity", "findings": "number of findings"},
    search="Name contains",
    markings="Markings",
    shown="{shown} of {total} shown",
    none_shown="No photo is like that.",
    show_all="Show all photos",
    not_assessed="Not assessed",
    previous="Previous photo",
    next="Next photo",
    close="Close",
    json="Answer (JSON)",
    drawn="Photo with markings",
    alone="Photo",
    tables="Tables",
    legend="How sure a finding is",
    keys="← and → lead to other photos, M shows and hides markings, Esc closes.",
    caveat="What a model says, not what is certain. Left and right of a part are the vehicle’s own.",
    bundle="bundle",
    made_by="Made by Dentify {version}",
)

GERMAN = PageWords(
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

PAGE_WORDS: Mapping[Language, PageWords] = {"en": ENGLISH, "de": GERMAN}
