"""English: its words, and the sentences that are its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dentify.certainty import Certainty
from dentify.languages.meanings import Place, RoughShare, Whole
from dentify.languages.words import Noun, PageWords, Words, as_spelled


def _bands(predicate: str) -> dict[Certainty, str]:
    """A predicate as sure as each band is."""
    return {"clear": f"clearly {predicate}", "probable": f"probably {predicate}", "possible": f"possibly {predicate}"}


class English(Words):
    """See `Words`."""

    DAMAGES = {
        "dent": Noun("dent", "dents", "one"),
        "scratch": Noun("scratch", "scratches", "one"),
        "crack": Noun("crack", "cracks", "one"),
        "glass_shatter": Noun("shattered glass", "shattered panes", ""),
        "lamp_broken": Noun("broken lamp", "broken lamps", "one"),
        "tire_flat": Noun("flat tyre", "flat tyres", "one"),
        "broken_part": Noun("broken or missing part", "broken or missing parts", "one"),
    }
    PARTS = {
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
    PART = "part"
    ACTIONS = {
        "likely_repair": "likely repair",
        "look_closely": "look closely",
        "nothing_found": "nothing found",
        "nothing_to_judge": "nothing to judge",
    }
    PLEASE_CHECK = "please check"
    CLAUSES = {
        "damage_not_judged": "damage was not judged",
        "looked_all_the_same": "damage was looked for all the same",
        "told_all_the_same": "what was seen is told all the same",
        "no_place": "but no place was found",
        "place_not_judged": "where was not judged",
        "no_type": "no type was sure enough to be told",
        "vehicle_unsure": "perhaps a vehicle, but not surely enough to judge damage",
        "nothing_marked": "no damage was marked",
        "badly_known": "a type that the model knows badly",
    }
    CERTAINTIES = {"clear": "clear", "probable": "probable", "possible": "possible"}
    DAMAGED = _bands("damaged")
    UNDAMAGED = _bands("undamaged")
    NO_VEHICLE = _bands("no vehicle")
    A_VEHICLE = _bands("a vehicle")
    DOUBTS = {"clear": "", "probable": "probably ", "possible": "perhaps "}
    LEVELS = {"minor": "minor", "moderate": "moderate", "severe": "severe"}
    PLACES = {
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
    NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    AND = "and"
    ISSUES = {
        "not_a_photo": "not a photo: a blank or single-colour picture, so nothing was judged",
        "several_photos": "cut the picture apart: it shows several photos, and was judged as if it were one",
        "damaged_file": "copy or export the photo again: parts of its file are missing or damaged, so damage may be missed there",
    }
    VEHICLE_IN_DOUBT = "It is uncertain whether the photo shows a vehicle."
    DAMAGE_IN_DOUBT = "It is uncertain whether the vehicle is damaged."
    NO_FINDING = "The photo may show damage, but no single damage was sure enough to be told."

    PAGE = PageWords(
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

    _QUALITY: ClassVar = {"too_dark": "dark", "too_bright": "bright", "blurred": "blurred", "too_small": "small"}
    _SHARES: ClassVar[dict[RoughShare, str]] = {
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

    def overall(self, level: str, *, perhaps: bool, if_so: bool) -> str:
        """Such as *minor overall*, or *minor if so*."""
        return f"{self.severity(level, perhaps=perhaps)} {'if so' if if_so else 'overall'}"

    def poor(self, issues: Sequence[str]) -> str:
        """Such as *take a better photo: this one is too dark and too blurred to be trusted*."""
        why = self.listed([f"too {self._QUALITY[issue]}" for issue in issues if issue in self._QUALITY]) or "not good enough"
        return f"take a better photo: this one is {why} to be trusted"

    def size(self, share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
        """How much of what a finding covers.

        >>> ENGLISH.size("tenth", of="part", part_name="", by_box=False), ENGLISH.size(2, of="photo", part_name="", by_box=True)
        ('about a tenth of its visible area', 'about 2 % of the photo by its box')
        """
        match of:
            case "part":
                whole = "its visible area"
            case "named_part":
                whole = f"the visible {self.part(part_name)}"
            case "photo":
                whole = "the photo"
            case "place":
                whole = "it"
        return f"{self._SHARES.get(share) or f'about {share} %'} of {whole}{' by its box' if by_box else ''}"

    def more(self, counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
        """Findings that are not told one by one.

        >>> ENGLISH.more([("scratch", 2), ("dent", 1)], "possible", worst="minor")
        'more: two scratches and one dent, the worst minor – possible'
        """
        return f"more: {self.counted(counts)}{f', the worst {worst}' if worst else ''} – {self.CERTAINTIES[certainty]}"

    def as_a_whole(self, groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
        """Types of the photo.

        >>> ENGLISH.as_a_whole([("clear", ["dent", "scratch"]), ("possible", ["hail_mark"])])
        'as a whole: dent and scratch – clear; hail mark – possible'
        """
        named = [(certainty, [self.damage(name) for name in names]) for certainty, names in groups]
        return f"as a whole: {'; '.join(self._by_certainty(named))}"

    def parts_in_view(self, groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
        """Parts by how surely they are seen.

        >>> ENGLISH.parts_in_view([("clear", ["hood", "wheel"]), ("possible", ["trunk"])], more=1)
        'parts in view: hood and wheel – clear; trunk – possible; one more'
        """
        named = [(certainty, [self.part(name) for name in names]) for certainty, names in groups]
        rest = [f"{self.number_word(more)} more"] if more else []
        return f"parts in view: {'; '.join([*self._by_certainty(named), *rest])}"

    def not_judged(self, types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
        """What was not looked at.

        >>> ENGLISH.not_judged(["crack", "rust"], vehicle=True, severity=False)
        'not judged: cracks, rust and whether this is a vehicle'
        """
        clauses = [*(["whether this is a vehicle"] if vehicle else []), *(["how bad the damage is"] if severity else [])]
        return f"not judged: {self.listed([*map(self.damages, types), *clauses])}"

    def note(self, text: str) -> str:
        """Those of `dentify.imaging` are English."""
        return f"note: {text}"

    def poor_reason(self, issues: Sequence[str]) -> str:
        """Such as *The photo is too dark and blurred*."""
        return f"The photo is {self.listed([as_spelled(issue) for issue in issues])}."

    def seen_without_vehicle(self, name: str, certainty: Certainty) -> str:
        """The gate sees no vehicle, and yet.

        >>> ENGLISH.seen_without_vehicle("dent", "probable")
        'No vehicle was recognised, but damage was seen: dent – probable.'
        """
        return f"No vehicle was recognised, but damage was seen: {self.damage(name)} – {self.CERTAINTIES[certainty]}."

    def seen_undamaged(self, name: str, certainty: Certainty) -> str:
        """The gate does not see damage surely, and yet.

        >>> ENGLISH.seen_undamaged("dent", "clear")
        'The photo as a whole was not judged damaged, but damage was seen: dent – clear.'
        """
        seen = f"{self.damage(name)} – {self.CERTAINTIES[certainty]}"
        return f"The photo as a whole was not judged damaged, but damage was seen: {seen}."

    def several_vehicles(self, place: Place) -> str:
        """Which of several vehicles was judged."""
        where = self.PLACES[place]
        return f"Several vehicles are in view: parts are those of the largest one, {where}, and damage may lie on others."

    def doubtful_finding(self, number: int, name: str, confidence: float) -> str:
        """A finding that is not sure."""
        return f"Finding {number} ({self.damage(name)}) is told with a confidence of {confidence:.2f} only."

    def weak_finding(self, number: int, name: str) -> str:
        """A finding of a weak type."""
        return f"Finding {number} ({self.damage(name)}) is of {self.CLAUSES['badly_known']}."

    def doubtful_type(self, name: str) -> str:
        """A type of the photo that is not sure."""
        return f"It is uncertain whether the photo as a whole shows this type: {self.damage(name)}."

    def weak_type(self, name: str) -> str:
        """A weak type of the photo."""
        return f"The photo as a whole shows {self.CLAUSES['badly_known']}: {self.damage(name)}."


ENGLISH = English()
