"""Attributes beside a label, such as type, severity and occlusion: what they say, the same for every format.

Readers put what annotators filled in into `Annotation.attributes`; here the one that a label map's `attribute` names becomes the
type, severity is read from those that are called so, and the rest stays, to be listed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from dentify.datasets.labels import severity_word
from dentify.datasets.sample import UNNAMED, Annotation, Attributes
from dentify.errors import printable

TYPE_ATTRIBUTES = ("type", "damage", "damage_type", "class", "label", "category", "name", "object", "object_name", "names")
"""What attributes are called that tell the type, likeliest first."""
SEVERITY_ATTRIBUTES = ("severity", "level", "grade", "damage_severity", "severity_level")
STATE_ATTRIBUTES = ("occluded", "truncated", "difficult", "crowd", "iscrowd", "unsure", "loose", "other_car", "check")
"""What attributes are called that say how a thing lies or was drawn, and never what it is."""
TICKS = frozenset({"1", "true", "yes", "x", "on"})
NOT_TICKED = frozenset({"0", "false", "no", "off"})
_NOTHING = frozenset({"", "undefined", "__undefined__"})  # as VIA and CVAT write what was not filled in
_TECHNICAL = frozenset({"rotation", "track_id", "keyframe", "outside", "z_order", "is_crowd"})  # of tools, not of people
_LONGEST = 200  # characters of a value that are kept


def plain_name(name: str) -> str:
    """An attribute's name without case and separators.

    >>> plain_name(" Damage Type"), plain_name("damage-type")
    ('damage_type', 'damage_type')
    """
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def values_of(value: object) -> list[str]:
    """What an attribute says: text, a number, a choice, or several ticked boxes; nothing where it was not filled in.

    >>> values_of({"dent": True, "scratch": False}), values_of(["a", " b "]), values_of(3), values_of("undefined")
    (['dent'], ['a', 'b'], ['3'], [])
    """
    if isinstance(value, dict):
        words = [str(key) for key, ticked in value.items() if ticked]
    elif isinstance(value, list):
        words = [str(one) for one in value if isinstance(one, str | int | float)]
    else:
        words = [] if value is None else [str(value)]
    return [word.strip() for word in words if word.strip().casefold() not in _NOTHING]


def said_beside(attributes: Mapping[Any, object], leave: Collection[str] = ()) -> Attributes:
    """What annotators said beside a label, without what tools add; a box that is not ticked says nothing.

    >>> said_beside({"damage type": "dent", "occluded": False, "rotation": 0.0, "seen": True})
    (('damage type', 'dent'), ('seen', 'true'))
    """
    return tuple(
        (str(name).strip()[:_LONGEST], "true" if word == "True" else word[:_LONGEST])
        for name, value in attributes.items()
        if plain_name(str(name)) not in _TECHNICAL and name not in leave and value is not False
        for word in values_of(value)
    )


def by_attributes(annotation: Annotation, attribute: str | None) -> list[Annotation]:
    """An annotation as what is said beside its label has it: one for each type that the attribute names.

    Without a value for the attribute it keeps its label. One that has no label is what its only attribute says, or the one that
    is called as if it told the type.

    Args:
        annotation: as it was read.
        attribute: the one that the label map says tells the type.
    """
    said = annotation.attributes
    if not said:
        return [annotation]
    names = list(dict.fromkeys(name for name, _ in said))
    telling = [name for name in names if attribute is not None and plain_name(name) == plain_name(attribute)]
    if not telling and annotation.name == UNNAMED:
        others = [name for name in names if plain_name(name) not in (*SEVERITY_ATTRIBUTES, *STATE_ATTRIBUTES)]
        called = [name for key in TYPE_ATTRIBUTES for name in others if plain_name(name) == key]
        telling = called[:1] or (others if len(others) == 1 else [])
    words = [telling[0] if word.casefold() in TICKS else word for name, word in said if name in telling]
    levels = [(name, word) for name, word in said if name not in telling and plain_name(name) in SEVERITY_ATTRIBUTES]
    severity = annotation.severity or next((level for _, word in levels if (level := severity_word(word)) is not None), None)
    read = {pair for pair in levels if severity_word(pair[1]) is not None}
    rest = tuple(pair for pair in said if pair not in read and pair[0] not in telling)
    return [
        replace(annotation, name=word, severity=severity, attributes=rest) for word in dict.fromkeys(words or [annotation.name])
    ]


def told_missing(attribute: str) -> str:
    """A note that no annotation has the attribute that a label map names."""
    return f"nothing has the attribute {printable(attribute)!r:.60} that the label map names; labels are read instead"


class TypesBeside:
    """Which labels an attribute takes the place of, over all annotations of a source."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        self.found = False
        self.values: set[str] = set()
        self._replaced: set[str] = set()
        self._kept: set[str] = set()

    def add(self, annotations: Iterable[Annotation]) -> None:
        """Takes note of annotations as they were read."""
        for one in annotations:
            self.found |= any(plain_name(name) == plain_name(self.attribute) for name, _ in one.attributes)
            names = {typed.name for typed in by_attributes(one, self.attribute)}
            self._replaced |= {one.name} - names
            self._kept |= {one.name} & names
            self.values |= names - {one.name}

    def labelled(self, names: Collection[str]) -> frozenset[str]:
        """What a source labels, by its labels: the attribute's values in place of those that it always replaces."""
        return frozenset(names) - (self._replaced - self._kept) | (self.values if names else frozenset())
