"""`captions_of`: what a photo's labels say, as sentences for image-text training.

Sentences differ in what they mention and how, by a seed and the photo's name alone. They never say more than the labels do: what
a source does not label is neither named nor denied.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dentify.assessment import Mask
from dentify.datasets.sample import PART_PREFIX, UNNAMED, UNTYPED, Annotation, Sample, canonical_name
from dentify.imaging.masks import polygons_to_rle, rle_area, rle_to_box, rle_to_crop
from dentify.imaging.polygons import box_to_polygon
from dentify.languages import ENGLISH, as_sentence, as_spelled
from dentify.languages.meanings import place_in_photo
from dentify.taxonomy import DAMAGE_NAMES, SEVERITY_LEVELS

_TINY, _SMALL, _LARGE = 0.003, 0.02, 0.10  # of the photo
_ON_PART = 0.5  # of a damage: a part that holds so much of it is named
_SEVERAL = 4  # from here on "several" may stand for the number
_NO_TYPES = frozenset({UNNAMED, UNTYPED})
_UNCOUNTED = frozenset(name for name, noun in ENGLISH.DAMAGES.items() if not noun.single)
_SOUNDS_LIKE_VOWEL = re.compile(r"([aeiou]|hour|honest)", re.IGNORECASE)
_SOUNDS_LIKE_CONSONANT = re.compile(r"(uni|use|eu|one\b|u-)", re.IGNORECASE)

_DAMAGED = (
    "a photo of a vehicle with {damages}",
    "a damaged vehicle with {damages}",
    "{damages} on a vehicle",
    "vehicle damage: {damages}",
    "the photo shows {damages} on a vehicle",
    "there {are} {damages} on the vehicle",
)
_SOUND = ("a photo of an undamaged vehicle", "a vehicle without damage", "an undamaged vehicle", "the vehicle has no damage")
_NO_VEHICLE = ("a photo without a vehicle", "there is no vehicle on the photo", "no vehicle is seen")
_WITHOUT = ("a vehicle without {absent}", "a photo of a vehicle with no {absent}", "there are no {absent} on the vehicle")


@dataclass(frozen=True)
class _Group:
    """Damages of one type on one photo, the largest first."""

    name: str
    damages: tuple[Annotation, ...]


def captions_of(sample: Sample, count: int = 1, *, seed: int = 0) -> list[str]:
    """So many different sentences about a photo, or fewer where its labels give no more; none where they say nothing.

    Args:
        sample: with labels in the taxonomy's words.
        count: how many at most.
        seed: of what is mentioned and how.

    >>> captions_of(Sample(b"", "a.jpg", labels=("dent",)), 1)
    ['A dent on a vehicle.']
    """
    chance = random.Random(f"{seed}/{sample.name}")  # noqa: S311 - nothing secret
    captions: dict[str, None] = {}
    for _ in range(4 * count):
        text = _caption(sample, chance)
        if text is None:
            return []
        captions[as_sentence(text)] = None
        if len(captions) == count:
            break
    return list(captions)


def _caption(sample: Sample, chance: random.Random) -> str | None:
    if sample.vehicle is False:
        return chance.choice(_NO_VEHICLE)
    groups = _groups(sample)
    if groups:
        clauses = [_clause(group, sample, chance) for group in groups]
        are = "is" if len(groups[0].damages) == 1 or groups[0].name in _UNCOUNTED else "are"
        return chance.choice(_DAMAGED).format(damages=ENGLISH.listed(clauses), are=are)
    types = list(dict.fromkeys(name for label in sample.labels if (name := canonical_name(label)) in DAMAGE_NAMES))
    if types:
        are = "is" if len(types) == 1 else "are"
        return chance.choice(_DAMAGED).format(damages=ENGLISH.listed([_counted(name, 1) for name in types]), are=are)
    seen = _parts_seen(sample, chance)
    if sample.damage is False:
        return f"{chance.choice(_SOUND[:3])}{seen}" if seen else chance.choice(_SOUND)
    annotated = {one.name for one in sample.annotations}  # also what is not told of: it may be there
    absent = [
        ENGLISH.damages(name)
        for name in DAMAGE_NAMES
        if name in sample.labelled and not annotated & {name, *_NO_TYPES} and name not in _UNCOUNTED
    ]
    if absent and sample.vehicle:
        named = sorted(chance.sample(absent, chance.randint(1, min(3, len(absent)))), key=absent.index)
        return chance.choice(_WITHOUT).format(absent=" or ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named))
    if sample.damage:
        return _with_severity(sample, chance)
    return f"a photo of a vehicle{seen}" if seen else None


def _with_severity(sample: Sample, chance: random.Random) -> str:
    level = sample.severity or next((label for label in sample.labels if label in SEVERITY_LEVELS), None)
    if level is None:
        return chance.choice(("a damaged vehicle", "a photo of a damaged vehicle", "the vehicle is damaged"))
    return chance.choice(
        (f"a vehicle with {level} damage", f"a photo of a vehicle, damage {level}", f"{level} damage to a vehicle")
    )


def _groups(sample: Sample) -> list[_Group]:
    """Damages of the vehicle by type, without regions of many, what came off it, and those of which nobody told the type."""
    told = [one for one in sample.damages if not one.crowd and not one.loose and one.name not in _NO_TYPES]
    groups = []
    for name in sorted({one.name for one in told}):
        largest_first = sorted((one for one in told if one.name == name), key=lambda one: one.area, reverse=True)
        groups.append(_Group(name, tuple(largest_first)))
    return sorted(groups, key=lambda group: -group.damages[0].area)


def _clause(group: _Group, sample: Sample, chance: random.Random) -> str:
    """Such as *two small scratches on the hood*, with more or less said of them."""
    largest = group.damages[0]
    words: list[str] = []
    levels = {one.severity for one in group.damages}
    if len(levels) == 1 and None not in levels and chance.random() < 0.7:
        words += [str(level) for level in levels]
    size = _size_word(largest, sample)
    if size and chance.random() < 0.6 and len({_size_word(one, sample) for one in group.damages}) == 1:
        words.append(size)
    text = _counted(group.name, len(group.damages), " ".join(words), several=chance.random() < 0.3)
    place = _place(group, sample) if chance.random() < 0.8 else ""
    return f"{text} {place}".strip()


def _counted(name: str, count: int, adjectives: str = "", *, several: bool = False) -> str:
    noun = f"{adjectives} {ENGLISH.damage(name) if count == 1 or name in _UNCOUNTED else _several(name)}".strip()
    if name in _UNCOUNTED:
        return noun
    if count == 1:
        return _with_article(noun)
    return f"{'several' if several and count >= _SEVERAL else ENGLISH.number_word(count)} {noun}"


def _with_article(noun: str) -> str:
    """A noun with `a` or `an`, by sound."""
    vowel = _SOUNDS_LIKE_VOWEL.match(noun) and not _SOUNDS_LIKE_CONSONANT.match(noun)
    return f"{'an' if vowel else 'a'} {noun}"


def _size_word(annotation: Annotation, sample: Sample) -> str:
    if sample.size_hw is None or not annotation.has_mask:
        return ""
    share = annotation.area / (sample.size_hw[0] * sample.size_hw[1])
    return "tiny" if share < _TINY else "small" if share < _SMALL else "large" if share >= _LARGE else ""


def _place(group: _Group, sample: Sample) -> str:
    """The part that holds all of a group, else the ninth of the photo; nothing where they lie apart."""
    if sample.size_hw is None:
        return ""
    parts = {_part_of(one, sample) for one in group.damages}
    if len(parts) == 1 and (part := next(iter(parts))):
        return f"on the {_part_word(part)}"
    wh = (sample.size_hw[1], sample.size_hw[0])
    places = {ENGLISH.PLACES[place_in_photo(one.box_xyxy, wh)] for one in group.damages}
    return next(iter(places)) if len(places) == 1 else ""


def _part_of(damage: Annotation, sample: Sample) -> str:
    """The annotated part that holds most of a damage, where it holds half."""
    if not sample.parts or sample.size_hw is None:
        return ""
    rle = _mask(damage, sample.size_hw)
    box = rle_to_box(rle)
    if box is None:
        return ""
    crop_hw = (int(box[3] - box[1]), int(box[2] - box[0]))
    mine = rle_to_crop(rle, box, crop_hw)
    shares: dict[str, float] = {}
    for part in sample.parts:
        share = float((rle_to_crop(_mask(part, sample.size_hw), box, crop_hw) & mine).sum()) / rle_area(rle)
        shares[part.name] = max(share, shares.get(part.name, 0.0))
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _ON_PART else ""


def _mask(annotation: Annotation, size_hw: tuple[int, int]) -> Mask:
    if annotation.rle is not None:
        return annotation.rle
    return polygons_to_rle(annotation.polygons or [box_to_polygon(annotation.box_xyxy)], size_hw)


def _parts_seen(sample: Sample, chance: random.Random) -> str:
    names = list(dict.fromkeys(_part_word(part.name) for part in sample.parts))
    if not names:
        return ""
    named = chance.sample(names, min(len(names), chance.randint(1, 3)))
    return f", {chance.choice(('showing', 'with'))} {ENGLISH.listed([f'the {name}' for name in named])}"


def _several(name: str) -> str:
    """Several of a type; the plural of one's own names is guessed."""
    return ENGLISH.damages(name) if name in DAMAGE_NAMES else f"{as_spelled(name)}s"


def _part_word(name: str) -> str:
    return ENGLISH.part(name.removeprefix(PART_PREFIX))


def iter_captions(
    samples: Iterable[Sample], count: int = 1, *, seed: int = 0, unknown: Counter[str] | None = None
) -> Iterator[tuple[Sample, str]]:
    """The captions of many photos; those whose labels say nothing are passed over.

    Args:
        samples: with labels in the taxonomy's words, or one's own.
        count: how many at most for each.
        seed: of what is mentioned and how.
        unknown: counts damages whose names the taxonomy does not know, so that they are told as they are.
    """
    for sample in samples:
        if unknown is not None:
            unknown.update(one.name for one in sample.damages if one.name not in (*DAMAGE_NAMES, *_NO_TYPES))
        for caption in captions_of(sample, count, seed=seed):
            yield sample, caption
