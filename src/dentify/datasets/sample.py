"""`Sample`: one labelled photo, whatever format its labels came in. Readers make them, training and evaluation read them.

*Unknown is not absent.* `labelled` names what a photo's source labels at all; a type that is not in it may well be on the photo.
No picture is read to make a `Sample`: `image` is a path (or the file's bytes), and decoding is `dentify.imaging`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dentify.assessment import Box, Mask
from dentify.errors import DatasetError, ImageError
from dentify.imaging.files import read_photo_file
from dentify.imaging.masks import rle_area
from dentify.imaging.polygons import Polygon, polygon_area, polygons_to_box
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_TYPES, PART_NAMES, PARTS, SEVERITY_LEVELS

Kind = Literal["damage", "part", "other"]
Attributes = tuple[tuple[str, str], ...]
"""What annotators said beside a label: names and values."""
PART_PREFIX = "part:"
"""Before the name of a part that the taxonomy does not know, by readers that can tell it from a damage."""
UNTYPED = "damage"
"""What is called damage of a type that nobody told. It is damage of *some* type: no type's, and no type's background either."""
UNNAMED = "unnamed"
"""What is called an annotation to which nobody gave a type: files that label one thing alone often name none."""
PHOTO_WORDS: dict[str, tuple[bool, bool | None]] = {
    "damaged": (True, True),
    "undamaged": (True, False),
    "no_vehicle": (False, None),
}
"""What Dentify's words for a whole photo say: is there a vehicle, is it damaged."""

_PARTS = frozenset(PART_NAMES)


def _spelling(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


_CANONICAL = {_spelling(word): part.name for part in PARTS for word in (part.name, *part.synonyms)}
_CANONICAL |= {_spelling(word): damage.name for damage in DAMAGE_TYPES for word in (damage.name, *damage.synonyms)}


def canonical_name(name: str) -> str | None:
    """The taxonomy's name for what a data set calls a type or part; `None` where it knows none.

    >>> canonical_name("Glass shatter"), canonical_name("kirik-kayip"), canonical_name("bonnet"), canonical_name("airbag")
    ('glass_shatter', 'broken_part', 'hood', None)
    """
    return _CANONICAL.get(_spelling(name))


def kind_of(name: str) -> Kind:
    """Whether a name is a part of the vehicle; everything else that is known to be a type counts as damage.

    >>> kind_of("hood"), kind_of("part:rear fender"), kind_of("dent"), kind_of("hail_mark")
    ('part', 'part', 'damage', 'damage')
    """
    return "part" if name in _PARTS or name.startswith(PART_PREFIX) else "damage"


@dataclass(frozen=True, eq=False)
class Annotation:
    """One annotated thing: a damage or a part.

    Its outline is one of three: `polygons`, `rle`, or neither, when only the box is known.

    Attributes:
        name: damage type or part, as the taxonomy spells it where it knows it.
        box_xyxy: pixels of the upright photo.
        polygons: arrays `(n, 2)` of x and y in pixels, n ≥ 3; the thing is their union.
        rle: its mask at the photo's size, where the source gave pixels and not an outline.
        severity: `minor`, `moderate` or `severe`, where the source tells.
        original: what the publisher called it.
        crowd: COCO's `iscrowd`: a region of many things, which evaluation neither asks for nor counts as a miss.
        unsure: whether its annotator was unsure that this is damage at all.
        other_car: whether it is of a vehicle in the background, not of the one that the photo is about.
        loose: whether it is of a part that came off and lies on the ground.
        id: the annotation's own id in its file, for messages.
        score: confidence of the model that drafted it, 0 to 1; `None` where a person drew it.
        check: whether it is a draft of low confidence, for a person to look at first.
        other: whether it is neither damage nor a part: the vehicle as a whole, a person, or a word that nobody explained.
        attributes: what its annotator said beside the label and is read nowhere else.
    """

    name: str
    box_xyxy: Box
    polygons: tuple[Polygon, ...] = ()
    rle: Mask | None = None
    severity: str | None = None
    original: str | None = None
    crowd: bool = False
    unsure: bool = False
    other_car: bool = False
    loose: bool = False
    id: int | str | None = None
    score: float | None = None
    check: bool = False
    other: bool = False
    attributes: Attributes = ()

    @property
    def kind(self) -> Kind:
        """Damage, part, or something else."""
        return "other" if self.other else kind_of(self.name)

    @property
    def ignored(self) -> bool:
        """Whether its region is neither damaged nor sound to who learns or judges by the photo: unsure, or another vehicle's."""
        return self.unsure or self.other_car

    @property
    def area(self) -> float:
        """Pixels of the photo within its outline, within its box where no more is known."""
        if self.rle is not None:
            return float(rle_area(self.rle))
        return sum(polygon_area(polygon) for polygon in self.polygons) or self.box_area

    @property
    def box_area(self) -> float:
        """Pixels of the photo within its box."""
        x_min, y_min, x_max, y_max = self.box_xyxy
        return (x_max - x_min) * (y_max - y_min)

    @property
    def has_mask(self) -> bool:
        """Whether more than the box is known."""
        return bool(self.polygons) or self.rle is not None


def join_pieces(annotations: Sequence[Annotation], groups: Sequence[object]) -> tuple[Annotation, ...]:
    """Annotations in which those of one group, name and attributes but ticked boxes are one, with all polygons.

    Pieces of which two severities are told are two things; of a piece that tells none the others do.

    Args:
        annotations: in the order of the file.
        groups: the group of each, or `None` where it is a thing of its own; what has no polygon stays so.
    """
    things: list[list[Annotation]] = []
    places: dict[tuple[object, str, Attributes], list[list[Annotation]]] = {}
    for annotation, group in zip(annotations, groups, strict=True):
        key = (
            group,
            annotation.name,
            tuple(pair for pair in annotation.attributes if "true" not in pair and "flags" not in pair),
        )
        alike = places.setdefault(key, []) if group is not None and annotation.polygons else []
        whole = next(
            (thing for thing in alike if annotation.severity in (None, *_severities(thing)) or not _severities(thing)), []
        )
        whole.append(annotation)
        if len(whole) == 1:
            things.append(whole)
            alike.append(whole)
    return tuple(thing[0] if len(thing) == 1 else _joined(thing) for thing in things)


def _severities(pieces: Sequence[Annotation]) -> set[str]:
    return {piece.severity for piece in pieces if piece.severity is not None}


def _joined(pieces: Sequence[Annotation]) -> Annotation:
    polygons = tuple(polygon for piece in pieces for polygon in piece.polygons)
    said = tuple(dict.fromkeys(pair for piece in pieces for pair in piece.attributes))
    severity = next(iter(_severities(pieces)), None)
    return replace(pieces[0], polygons=polygons, box_xyxy=polygons_to_box(polygons), attributes=said, severity=severity)


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled photo.

    Attributes:
        image: the picture's path, or the bytes of its file.
        name: the photo's name within its data set, posix.
        size_hw: height and width of the upright photo, or `None` where the labels do not tell.
        annotations: damages and parts, in the order of the file.
        labelled: names of the types and parts that the source labels; what is not in it is unknown here.
        vehicle: whether a vehicle is on the photo, `None` where nobody said.
        damage: whether a vehicle on it is damaged, `None` where nobody said.
        severity: how bad the vehicle's damage is as a whole: `minor`, `moderate` or `severe`; `None` where nobody said.
        view: the side from which the vehicle is seen, in the words of its source; left and right are the vehicle's own.
        source: which data set or annotator it came from.
        group: photos that share it are near-duplicates or of one car, and stay on one side of a split.
        split: `train`, `val`, `test` or a name of one's own.
        labels: what the photo as a whole is labelled with, in the words of its source: `scratch`, `whole`, `02-moderate`.
        where: file and position of its labels, for messages.
    """

    image: Path | bytes
    name: str
    size_hw: tuple[int, int] | None = None
    annotations: tuple[Annotation, ...] = ()
    labelled: frozenset[str] = frozenset()
    vehicle: bool | None = None
    damage: bool | None = None
    severity: str | None = None
    view: str | None = None
    source: str | None = None
    group: str | None = None
    split: str | None = None
    labels: tuple[str, ...] = ()
    where: str = ""

    @property
    def damages(self) -> tuple[Annotation, ...]:
        """The annotated damages, but for what is to be ignored."""
        return tuple(one for one in self.annotations if one.kind == "damage" and not one.ignored)

    @property
    def ignored(self) -> tuple[Annotation, ...]:
        """Annotations that are neither asked for nor wrong."""
        return tuple(one for one in self.annotations if one.ignored)

    @property
    def parts(self) -> tuple[Annotation, ...]:
        """The annotated parts of the vehicle, but for what is to be ignored."""
        return tuple(one for one in self.annotations if one.kind == "part" and not one.ignored)

    def knows(self, name: str) -> bool:
        """Whether the labels say where `name` is and where it is not.

        An undamaged photo knows that each damage is absent, and one without a vehicle knows that everything is.

        >>> Sample(b"", "a.jpg", labelled=frozenset({"dent"})).knows("scratch")
        False
        >>> Sample(b"", "b.jpg", damage=False).knows("scratch"), Sample(b"", "b.jpg", damage=False).knows("hood")
        (True, False)
        """
        if name in self.labelled or self.vehicle is False:
            return True
        return self.damage is False and kind_of(name) == "damage"

    def read(self, settings: Settings | None = None) -> bytes:
        """The bytes of the picture's file.

        Args:
            settings: the limits; `Settings()` when left out.

        Raises:
            DatasetError: it cannot be read, or is over a limit.
        """
        if isinstance(self.image, bytes):
            return self.image
        try:
            return read_photo_file(self.image, where=str(self.image), settings=settings or Settings())
        except ImageError as error:
            raise DatasetError(str(error), kind="broken picture") from error


def photo_kind(sample: Sample) -> str | None:
    """What is known of a photo as a whole: one of `PHOTO_WORDS`, `vehicle` where nobody said whether it is damaged, or nothing.

    >>> photo_kind(Sample(b"", "a.jpg", vehicle=True, damage=False)), photo_kind(Sample(b"", "b.jpg", vehicle=False))
    ('undamaged', 'no_vehicle')
    """
    if sample.vehicle is False:
        return "no_vehicle"
    if sample.damage is not None:
        return "damaged" if sample.damage else "undamaged"
    return "vehicle" if sample.vehicle else None


def has_vehicle(sample: Sample) -> bool | None:
    """Whether a photo shows a vehicle; `None` where nobody said.

    >>> has_vehicle(Sample(b"", "a.jpg")), has_vehicle(Sample(b"", "b.jpg", vehicle=False))
    (None, False)
    """
    return True if sample.damages or sample.parts else sample.vehicle


def is_damaged(sample: Sample) -> bool | None:
    """Whether a photo shows damage; `None` where nobody said, and without a vehicle: such photos never come to this gate.

    >>> is_damaged(Sample(b"", "a.jpg", vehicle=True, damage=False)), is_damaged(Sample(b"", "b.jpg", vehicle=False))
    (False, None)
    """
    return None if sample.vehicle is False else True if sample.damages else sample.damage


def shown_types(sample: Sample) -> frozenset[str]:
    """The damage that a photo is known to show, by type: as annotated, else in the words that it is labelled with as a whole.

    >>> sorted(shown_types(Sample(b"", "a.jpg", labels=("scratch", "dent"))))
    ['dent', 'scratch']
    """
    if sample.damages:
        return frozenset(damage.name for damage in sample.damages) - {UNTYPED}
    return frozenset() if sample.damage is False or sample.vehicle is False else frozenset(sample.labels)


def types_shown(sample: Sample, names: Sequence[str]) -> tuple[bool | None, ...]:
    """Of each type of damage whether a photo shows it; `None` where nobody said.

    What a photo is labelled with as a whole is all that it shows, where any of it is among the names.

    >>> types_shown(Sample(b"", "a.jpg", labels=("scratch",)), ("dent", "scratch"))
    (False, True)
    >>> types_shown(Sample(b"", "b.jpg", labelled=frozenset({"dent"})), ("dent", "scratch"))
    (False, None)
    >>> types_shown(Sample(b"", "c.jpg", labels=("undamaged",), damage=False), ("dent", "scratch"))
    (False, False)
    """
    shown = shown_types(sample)
    if shown and not sample.damages:
        told = bool(shown & set(names))
        return tuple(name in shown if told else None for name in names)
    doubtful = bool(sample.ignored) or any(damage.name == UNTYPED for damage in sample.damages)
    return tuple(True if name in shown else None if doubtful or not sample.knows(name) else False for name in names)


def worst_severity(sample: Sample) -> str | None:
    """How bad a photo's damage is: as labelled for the whole photo, else the worst annotated level; `None` without either."""
    if sample.severity is not None:
        return sample.severity
    levels = [annotation.severity for annotation in sample.damages if annotation.severity is not None]
    return max(levels, key=SEVERITY_LEVELS.index) if levels else None


def spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many samples, or all that there are, from the first to the last at even distances.

    >>> [sample.name for sample in spread([Sample(b"", name) for name in "abcdefg"], 3)]
    ['a', 'd', 'g']
    """
    most = min(count, len(samples))
    return [samples[round(place * (len(samples) - 1) / max(most - 1, 1))] for place in range(most)]
