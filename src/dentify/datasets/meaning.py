"""What labels mean: a photo's words by the names that a label map gives, and what follows from them for the photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from dentify.datasets.adjustments import OnAdjust
from dentify.datasets.label_set import OnNote
from dentify.datasets.labels import VEHICLE, LabelMap, is_no_label, is_vehicle_word, photo_word, severity_word
from dentify.datasets.sample import PHOTO_WORDS, Annotation, Sample, canonical_name
from dentify.errors import DatasetError, printable
from dentify.taxonomy import DAMAGE_NAMES


def named(
    raw: Sample, labels: LabelMap, labelled: frozenset[str], note: OnNote, adjust: OnAdjust, unknown: Counter[str]
) -> Sample:
    """A sample in the words that the map gives, and what follows from them for the photo as a whole.

    A word that nobody explained says nothing of vehicle and damage; it comes to `unknown`.

    Raises:
        DatasetError: what it says of the photo contradicts itself.
    """
    every, outlined = _meant(raw, labels, adjust, unknown)
    annotations = tuple(one for one in every if not says_sound(one.name, labels))
    unknown.update(word for word in raw.labels if not labels.understands(word) and not is_no_label(word))
    given = [word for word in raw.labels if not is_no_label(word)]
    renamed = [name for word in given if (name := labels.rename_photo(word)) is not None]
    outlined |= any(map(is_vehicle_word, (*renamed, *given)))
    words = tuple(name for name in renamed if name != VEHICLE or labels.others != "refused")
    if len(annotations) < len(every):
        note('annotations such as "undamaged" outline no damage; where a photo has no other, it counts as undamaged')
        if not words and raw.damage is None and all(one.kind == "part" or is_vehicle_word(one.name) for one in annotations):
            words = ("undamaged",)
    levels = {level for word in words if (level := severity_word(word)) is not None}
    levels |= {level for word in given if (level := labels.severity_of(word)) is not None}
    severity = raw.severity or (levels.pop() if len(levels) == 1 else None)
    facts = [(raw.vehicle, raw.damage)]
    if severity is not None or raw.damage:
        facts.append((True, True))
    for word in words:
        known = photo_word(word)
        if known is not None:
            facts.append(PHOTO_WORDS[known])
        elif severity_word(word) is not None or canonical_name(word) in DAMAGE_NAMES:
            facts.append((True, True))
    if outlined:
        facts.append((True, None))
    if any(annotation.kind != "other" for annotation in annotations):
        damaged = any(annotation.kind == "damage" and not annotation.ignored for annotation in annotations)
        facts.append((True, True if damaged else None))
    vehicle, damage = (({fact[index] for fact in facts} - {None}) for index in (0, 1))
    if len(vehicle) > 1 or len(damage) > 1 or (False in vehicle and True in damage):
        told = " and ".join(_claims(raw, annotations, words))
        raise DatasetError(f"{raw.where}: {printable(raw.name)} contradicts itself: {printable(told)}", kind="contradiction")
    return replace(
        raw,
        annotations=annotations,
        labels=words,
        severity=severity,
        labelled=labelled,
        vehicle=next(iter(vehicle), None),
        damage=next(iter(damage), None),
    )


def _meant(raw: Sample, labels: LabelMap, adjust: OnAdjust, unknown: Counter[str]) -> tuple[list[Annotation], bool]:
    """A photo's annotations by the names that the map gives; and whether an outline of a whole vehicle is among its own."""
    meant: list[Annotation] = []
    vehicle = False
    for one in raw.annotations:
        name = labels.rename(one.name)
        if is_no_label(one.name):
            adjust("annotations that say that they are to be ignored, such as __ignore__, are left out", raw.where)
        elif name is not None and labels.others == "refused" and is_vehicle_word(name):
            vehicle = True
            adjust("outlines of whole vehicles say that a vehicle is there, and nothing of damage", raw.where)
        elif not labels.understands(one.name):
            vehicle |= is_vehicle_word(one.name)
            unknown[one.name] += 1
            meant.append(replace(_renamed(one, name or one.name), other=True))
        elif name is None:
            adjust("annotations are left out, as the label map says", raw.where)
        else:
            level = one.severity or labels.severity_of(one.name)
            meant.append(replace(_renamed(one, name), other=is_vehicle_word(name), severity=level))
            vehicle |= is_vehicle_word(name)
    return meant, vehicle


def _claims(raw: Sample, annotations: tuple[Annotation, ...], words: tuple[str, ...]) -> Iterator[str]:
    """What a sample says of vehicle and damage, for the message that it cannot all be true."""
    annotated = sorted({one.name for one in annotations if one.kind == "damage" and not one.ignored})
    if annotated:
        yield f"has annotated damage ({', '.join(annotated)})"
    elif any(one.kind == "part" or one.ignored or is_vehicle_word(one.name) for one in annotations):
        yield "has annotations of a vehicle"
    if raw.severity is not None:
        yield f"tells {raw.severity} damage"
    if raw.damage and not annotated:
        yield "says that it shows damage"
    if words:
        yield f"is labelled {' and '.join(words)}"
    if raw.vehicle is False:
        yield "says that it shows no vehicle"
    elif raw.damage is False:
        yield "says that it shows no damage"


def says_sound(name: str, labels: LabelMap) -> bool:
    """Whether an annotation's name says that there is no damage; not where all words are kept as they are."""
    return labels.others != "kept" and photo_word(name) == "undamaged"


def _renamed(annotation: Annotation, name: str) -> Annotation:
    if name == annotation.name:
        return annotation
    return replace(annotation, name=name, original=annotation.original or annotation.name)
