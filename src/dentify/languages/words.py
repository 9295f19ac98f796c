"""`Words`: what every language says. What is alike in all is here: names, counts, lists and how a line is put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dentify.certainty import Certainty
from dentify.languages.meanings import Action, Clause, Place, RoughShare, Whole


class Noun(NamedTuple):
    """A type of damage: one, several, and the word for a single one (empty where it is not counted)."""

    one: str
    many: str
    single: str


@dataclass(frozen=True)
class PageWords:
    """What the page of a run's results says by itself; `{…}` are filled in."""

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


class Words(ABC):
    """A language: its tables, and the sentences that are its own. It knows no threshold and no bundle."""

    DAMAGES: Mapping[str, Noun]
    PARTS: Mapping[str, str]
    PART: str
    """What the legend calls parts."""
    ACTIONS: Mapping[Action, str]
    """What to do."""
    PLEASE_CHECK: str
    CLAUSES: Mapping[Clause, str]
    """Why."""
    CERTAINTIES: Mapping[Certainty, str]
    """Of a finding, and in the legend."""
    DAMAGED: Mapping[Certainty, str]
    """The vehicle is damaged."""
    UNDAMAGED: Mapping[Certainty, str]
    """It is not."""
    NO_VEHICLE: Mapping[Certainty, str]
    """There is none."""
    A_VEHICLE: Mapping[Certainty, str]
    """There is one, where that is in doubt."""
    DOUBTS: Mapping[Certainty, str]
    """In front of a part or a level."""
    LEVELS: Mapping[str, str]
    """Of severity."""
    PLACES: Mapping[Place, str]
    """Where in the photo."""
    NUMBERS: Sequence[str]
    """From none on; higher ones are digits."""
    AND: str
    ISSUES: Mapping[str, str]
    """Issues of quality that say what to do themselves; of the others `poor` does."""
    VEHICLE_IN_DOUBT: str
    """A reason for review."""
    DAMAGE_IN_DOUBT: str
    """A reason for review."""
    NO_FINDING: str
    """A reason for review: the photo may show damage, and none is told."""
    PAGE: PageWords
    """What the page of results says by itself."""

    def damage(self, name: str) -> str:
        """A type of damage in plain words."""
        return self.DAMAGES[name].one if name in self.DAMAGES else as_spelled(name)

    def damages(self, name: str) -> str:
        """Several of a known type in plain words; one of a user's own stays as it is, since nobody knows its plural."""
        return self.DAMAGES[name].many if name in self.DAMAGES else as_spelled(name)

    def part(self, name: str) -> str:
        """A part of the vehicle in plain words."""
        return self.PARTS.get(name) or as_spelled(name)

    def counted(self, counts: Sequence[tuple[str, int]]) -> str:
        """Types of damage with how many of each, as a list."""
        return self.listed([self._counted(name, count) for name, count in counts])

    def _counted(self, name: str, count: int) -> str:
        if name not in self.DAMAGES:
            return f"{count} × {as_spelled(name)}"
        if count == 1:
            return f"{self.DAMAGES[name].single} {self.damage(name)}".strip()
        return f"{self.number_word(count)} {self.damages(name)}"

    def number_word(self, count: int) -> str:
        """A count in words as far as there are words, in digits above."""
        return self.NUMBERS[count] if count < len(self.NUMBERS) else str(count)

    def listed(self, items: Sequence[str]) -> str:
        """Items as a list in a sentence."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self.AND} {items[-1]}"

    def verdict(self, action: Action, why: Sequence[str], *, check: bool) -> str:
        """The first line."""
        return f"{self.ACTIONS[action]}{f', {self.PLEASE_CHECK}' if check else ''}: {', '.join(why)}"

    def severity(self, level: str, *, perhaps: bool) -> str:
        """How bad a finding is."""
        return f"{self.DOUBTS['possible'] if perhaps else ''}{self.LEVELS[level]}"

    def on_parts(self, names: Sequence[tuple[str, Certainty]]) -> str:
        """Parts that a finding is at, each with how sure that is; `clear` is not said."""
        return self.listed([f"{self.DOUBTS[certainty]}{self.part(name)}" for name, certainty in names])

    def finding(
        self, *, number: int, where: str, damage: str, size: str, severity: str | None, certainty: Certainty, weak: bool
    ) -> str:
        """One finding on a line. `weak`: of a type that the model knows badly."""
        told = ", ".join([damage, size, *([severity] if severity else [])])
        badly = f"; {self.CLAUSES['badly_known']}" if weak else ""
        return f"{number}. {where[:1].upper()}{where[1:]}: {told} – {self.CERTAINTIES[certainty]}{badly}"

    def label(self, number: int, name: str, certainty: Certainty) -> str:
        """What a drawing writes beside a finding."""
        return f"{number} · {self.damage(name)}, {self.CERTAINTIES[certainty]}"

    def _by_certainty(self, groups: Sequence[tuple[Certainty, Sequence[str]]]) -> list[str]:
        return [f"{self.listed(names)} – {self.CERTAINTIES[certainty]}" for certainty, names in groups]

    @abstractmethod
    def overall(self, level: str, *, perhaps: bool, if_so: bool) -> str:
        """Severity of the whole photo, as a clause of the first line; `if_so`: where damage is in doubt itself."""

    @abstractmethod
    def poor(self, issues: Sequence[str]) -> str:
        """The photo is too poor to be trusted."""

    @abstractmethod
    def size(self, share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
        """How much a finding covers of a part or the photo. `by_box`: nothing finer than its box is known."""

    @abstractmethod
    def more(self, counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
        """Findings that are not told one by one, and how bad the worst of them is, as `severity` says it."""

    @abstractmethod
    def as_a_whole(self, groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
        """Types that the photo shows as a whole, by how sure that is."""

    @abstractmethod
    def parts_in_view(self, groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
        """Parts by how surely they are seen; `more` are not named."""

    @abstractmethod
    def not_judged(self, types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
        """What was not looked at: types, whether it is a vehicle, how bad damage is."""

    @abstractmethod
    def note(self, text: str) -> str:
        """A note on what was done to the photo, of `dentify.imaging`."""

    @abstractmethod
    def poor_reason(self, issues: Sequence[str]) -> str:
        """A reason for review: in which way the photo is poor."""

    @abstractmethod
    def seen_without_vehicle(self, name: str, certainty: Certainty) -> str:
        """A reason for review: the gate sees no vehicle, and damage was seen."""

    @abstractmethod
    def seen_undamaged(self, name: str, certainty: Certainty) -> str:
        """A reason for review: the gate does not say that there is damage, and damage was seen."""

    @abstractmethod
    def several_vehicles(self, place: Place) -> str:
        """A reason for review: which of several vehicles was judged."""

    @abstractmethod
    def doubtful_finding(self, number: int, name: str, confidence: float) -> str:
        """A reason for review."""

    @abstractmethod
    def weak_finding(self, number: int, name: str) -> str:
        """A reason for review."""

    @abstractmethod
    def doubtful_type(self, name: str) -> str:
        """A reason for review, of the photo as a whole."""

    @abstractmethod
    def weak_type(self, name: str) -> str:
        """A reason for review, of the photo as a whole."""


def as_spelled(name: str) -> str:
    """A name of a user's own: `_` as a space, and no more than one space at a time.

    >>> as_spelled("oil__stain "), as_spelled("_")
    ('oil stain', '_')
    """
    return " ".join(name.replace("_", " ").split()) or "_"


def as_sentence(text: str) -> str:
    """A text as a line of its own: one space between words, a capital in front and a full stop at its end.

    >>> as_sentence("nine  scratches: four on the hood")
    'Nine scratches: four on the hood.'
    """
    text = " ".join(text.split()).rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}."
