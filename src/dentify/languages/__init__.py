"""The languages that people are told in: one file each, holding every word that a report, a reason for review or a drawing says.

A language is a module with the data and functions that `Words` lists. Fields decide what is said; a language only says it, so it
knows no threshold and no bundle. A further language is one more file, one more `Language` and one more line in `in_language`.

Names of a user's own are told as they are spelled, `_` as a space, and no grammar is guessed at: sentences are built so that a
name needs neither article nor gender nor plural. Several of one such type are `3 × hail mark`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, get_args

from dentify.certainty import Certainty
from dentify.languages import english, german
from dentify.languages.meanings import Action, Clause, Place, RoughShare, Whole

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Words(Protocol):
    """What every language says."""

    ACTIONS: Mapping[Action, str]
    """What to do."""
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
    PLACES: Mapping[Place, str]
    """Where in the photo."""
    NOT_A_PHOTO: str
    """A blank picture."""
    SEVERAL_PHOTOS: str
    """Several photos on one picture."""
    DAMAGED_FILE: str
    """A file of which parts are missing."""
    VEHICLE_IN_DOUBT: str
    """A reason for review."""
    DAMAGE_IN_DOUBT: str
    """A reason for review."""
    NO_FINDING: str
    """A reason for review: the photo may show damage, and none is told."""
    PARTS: str
    """What the legend calls parts."""

    def damage(self, name: str) -> str:
        """A type of damage, one of it."""

    def part(self, name: str) -> str:
        """A part of the vehicle."""

    def counted(self, counts: Sequence[tuple[str, int]]) -> str:
        """Types of damage with how many of each, as a list."""

    def sentence(self, text: str) -> str:
        """A text as a line of its own: a capital in front, a full stop at its end."""

    def verdict(self, action: Action, why: Sequence[str], *, check: bool) -> str:
        """The first line."""

    def overall(self, level: str, *, perhaps: bool, if_so: bool) -> str:
        """Severity of the whole photo, as a clause of the first line; `if_so`: where damage is in doubt itself."""

    def poor(self, issues: Sequence[str]) -> str:
        """The photo is too poor to be trusted."""

    def middling(self, issues: Sequence[str]) -> str:
        """The photo is not good, and was judged."""

    def on_parts(self, names: Sequence[tuple[str, Certainty]]) -> str:
        """Parts that a finding is at, each with how sure that is; `clear` is not said."""

    def size(self, share: RoughShare, *, of: Whole, part_name: str, by_box: bool) -> str:
        """How much a finding covers of a part or the photo. `by_box`: nothing finer than its box is known."""

    def finding(
        self, *, number: int, where: str, damage: str, size: str, severity: str | None, certainty: Certainty, weak: bool
    ) -> str:
        """One finding. `weak`: of a type that the model knows badly."""

    def severity(self, level: str, *, perhaps: bool) -> str:
        """How bad a finding is."""

    def more(self, counts: Sequence[tuple[str, int]], certainty: Certainty, *, worst: str | None) -> str:
        """Findings that are not told one by one."""

    def as_a_whole(self, groups: Sequence[tuple[Certainty, Sequence[str]]]) -> str:
        """Types that the photo shows as a whole, by how sure that is."""

    def parts_in_view(self, groups: Sequence[tuple[Certainty, Sequence[str]]], *, more: int) -> str:
        """Parts by how surely they are seen; `more` are not named."""

    def not_judged(self, types: Sequence[str], *, vehicle: bool, severity: bool) -> str:
        """What was not looked at: types, whether it is a vehicle, how bad damage is."""

    def note(self, text: str) -> str:
        """A note on what was done to the photo, of `dentify.imaging`."""

    def poor_reason(self, issues: Sequence[str]) -> str:
        """A reason for review: in which way the photo is poor."""

    def seen_without_vehicle(self, name: str, certainty: Certainty) -> str:
        """A reason for review: the gate sees no vehicle, and damage was seen."""

    def seen_undamaged(self, name: str, certainty: Certainty) -> str:
        """A reason for review: the gate sees no damage, and damage was seen."""

    def several_vehicles(self, place: Place) -> str:
        """A reason for review: which of several vehicles was judged."""

    def doubtful_finding(self, number: int, name: str, confidence: float) -> str:
        """A reason for review."""

    def weak_finding(self, number: int, name: str) -> str:
        """A reason for review."""

    def doubtful_type(self, name: str) -> str:
        """A reason for review, of the photo as a whole."""

    def weak_type(self, name: str) -> str:
        """A reason for review, of the photo as a whole."""

    def label(self, number: int, name: str, certainty: Certainty) -> str:
        """What a drawing writes beside a finding."""


def in_language(language: Language) -> Words:
    """The words of a language.

    >>> in_language("en").damage("tire_flat"), in_language("de").damage("tire_flat")
    ('flat tyre', 'platter Reifen')
    """
    match language:
        case "en":
            return english
        case "de":
            return german
