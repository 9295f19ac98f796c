"""What photos taught, and so what may be told: names of heads by example, and the channels that are left of each.

What was never taught is never told: a type that no photo showed and no teacher saw on one, a gate that saw one answer alone, a
head whose loss weighs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dentify.datasets.sample import Sample
from dentify.errors import ConfigError
from dentify.training.heads import Head
from dentify.training.recipe import Recipe

_LISTED = 7  # names that a note holds


def taught_names(recipe: Recipe, heads: Mapping[str, Head], sets: Sequence[Sequence[Sample]]) -> dict[str, list[str]]:
    """Which of its names the photos teach each head by example; none where its loss weighs nothing."""
    drawn = shown_sets(recipe, sets)
    return {
        name: sorted({shown for samples in drawn for sample in samples for shown in head.shown(sample)}) if head.weight else []
        for name, head in heads.items()
    }


def shown_sets(recipe: Recipe, sets: Sequence[Sequence[Sample]]) -> list[Sequence[Sample]]:
    """The sets of photos that some phase shows."""
    counts = [phase.per_batch or tuple(photos.per_batch for photos in recipe.data.train) for phase in recipe.phases]
    return [samples for samples, of_phases in zip(sets, zip(*counts, strict=True), strict=True) if any(of_phases)]


def with_teacher(
    heads: Mapping[str, Head], taught: Mapping[str, list[str]], told: Mapping[str, Collection[str]]
) -> dict[str, list[str]]:
    """By head, the names that photos taught or that a teacher tells of some; none where the head's loss weighs nothing."""
    return {name: sorted({*taught[name], *(told.get(name, ()) if head.weight else ())}) for name, head in heads.items()}


def untold(heads: Mapping[str, Head], taught: Mapping[str, list[str]], judges: Sequence[Sample]) -> list[str]:
    """What a user should know before a run: names that no photo teaches, and those that none is judged by.

    Args:
        heads: of the recipe; those that only help another are passed over.
        taught: by head, as `taught_names` tells.
        judges: the photos of val.
    """
    notes = []
    for name, head in heads.items():
        if head.auxiliary is not None or not head.weight:
            continue
        own = tuple(one for one in head.names if one in taught[name])
        missing = [one for one in head.names if one not in own]
        if not head.channels(own):
            notes.append(f"heads.{name}: photos to train on show {_listed(own)}, too little to tell anything: it is left out")
        elif missing:
            notes.append(f"heads.{name}: no photo to train on shows {_listed(missing)}, so that is never told")
        if judges:
            judged = {shown for sample in judges for shown in head.shown(sample)}
            unseen = [one for one in own if one not in judged]
            if unseen:
                told = "any of its names" if len(unseen) == len(own) > _LISTED else _listed(unseen)
                notes.append(f"heads.{name}: no photo of val shows {told}, so figures say nothing of it")
    return notes


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


@dataclass(frozen=True)
class Kept:
    """A head that goes into the bundle, the names that it was taught, and their channels."""

    head: Head
    names: tuple[str, ...]
    channels: list[int]


def taught_heads(heads: Mapping[str, Head], taught: Mapping[str, list[str]]) -> dict[str, Kept]:
    """The heads that were taught, each with the names that photos showed, in the order of its channels.

    Heads of one role must tell the same names: main ones are cut to those that all of them were taught, and one that only helps
    is left out unless it was taught all of these.
    """
    own = {name: [one for one in head.names if one in taught.get(name, [])] for name, head in heads.items()}
    common: dict[str, list[str]] = {}
    for name, head in heads.items():
        if head.auxiliary is None and head.channels(tuple(own[name])):
            common[head.role] = [one for one in common.get(head.role, own[name]) if one in own[name]]
    kept = {}
    for name, head in heads.items():
        names = tuple(common.get(head.role, ()))
        if head.auxiliary is not None and not set(head.names) & set(names):  # it tells none of the role's names
            names = tuple(own[name]) if names else ()
        channels = head.channels(names) if set(names) <= set(own[name]) else []
        if channels:
            kept[name] = Kept(head, names, channels)
    return kept


def check_taught(heads: Mapping[str, Head], taught: Mapping[str, list[str]], notes: Sequence[str]) -> None:
    """A run whose bundle could tell nothing is not worth its time.

    Raises:
        ConfigError: no head is taught as much as it takes to tell something.
    """
    if not any(one.head.auxiliary is None for one in taught_heads(heads, taught).values()):
        raise ConfigError(f"data.train: the photos teach nothing that a bundle could tell: {'; '.join(notes)}")
