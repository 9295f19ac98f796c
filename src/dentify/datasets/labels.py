"""Label maps: what a data set's own words mean in Dentify's taxonomy.

labels:            # the source's word: a damage type or part, a word for whole photos, or null for "left out"
  cizik: scratch
  hagel: hail_mark # a name that the taxonomy does not know is a type of one's own
  auto: vehicle    # outlines of the vehicle as a whole
  airbag: null
labelled: [dent]   # only where the source does not tell what it labels at all
attribute: type    # of annotation tools with attributes of one's own (VIA, CVAT): which of them names the type
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from dentify.datasets.documents import read_yaml
from dentify.datasets.sample import PART_PREFIX, PHOTO_WORDS, UNTYPED, canonical_name
from dentify.errors import DatasetError, printable
from dentify.settings import Settings
from dentify.strict import nearest
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS

_PHOTO_SYNONYMS: dict[str, tuple[str, ...]] = {
    "damaged": ("damage", "defect", "defected", "dameged"),
    "undamaged": ("whole", "no_damage", "nodamage", "not_damaged", "intact", "good", "clean", "normal", "undamage"),
    "no_vehicle": ("no_car", "not_car", "non_car", "not_a_car", "background_only"),
}
_VEHICLE: tuple[str, ...] = (
    "vehicle",
    "car",
    "truck",
    "van",
    "bus",
    "suv",
    "sedan",
    "pickup",
    "pickup_truck",
    "automobile",
    "auto",
    "motorcycle",
)
_VEHICLE += ("pick_up", "pkw", "lkw", "taxi", "minibus", "jeep", "coupe", "wagon", "ambulance", "kamyon", "otomobil")
_VEHICLE += (
    "motorbike",
    "lorry",
    "minivan",
    "hatchback",
    "araba",
    "arac",
    "araç",
    "fahrzeug",
    "coche",
    "voiture",
    "vehicles",
    "cars",
)
VEHICLE = "vehicle"
"""What outlines and labels are called that say that a vehicle is there, and nothing of damage."""
NO_LABELS = ("__ignore__", "_background_", "__background__")
"""Words that LabelMe's and other tools leave out themselves: they mark what is to be left alone."""
_MOST_TOLD = 100
"""So many words a message lists; a column of free text may hold a million, and the nearest names of each take time."""
_SLIP = 2
"""So many letters apart a name of one's own is taken for a slip of one that the taxonomy knows."""
_KEYS = ("labels", "labelled", "attribute")


@dataclass(frozen=True)
class LabelMap:
    """What the words of a source become.

    Attributes:
        labels: by the source's word: the name, or `None` for what is left out.
        others: words that are not in `labels`: `known` ones become the taxonomy's and the rest stays, all are `kept` as they
            are, or those that the taxonomy does not know are `refused`.
        labelled: names that the source labels at all, where it does not tell; else what it lists or holds.
        attribute: which attribute of an annotation names its type.
        own: names beside the taxonomy's that are known: those of a bundle or a recipe.
    """

    labels: Mapping[str, str | None] = field(default_factory=dict)
    others: Literal["known", "kept", "refused"] = "known"
    labelled: frozenset[str] | None = None
    attribute: str | None = None
    own: frozenset[str] = frozenset()

    def knows(self, word: str) -> bool:
        """Whether it is said what becomes of a word, on an annotation or on a whole photo."""
        return self.others != "refused" or self.understands(word)

    def understands(self, word: str) -> bool:
        """Whether it is known what a word means: by the map, as what a word of it becomes, or by the taxonomy.

        >>> LabelMap({"hagel": "hail_mark"}).understands("hail_mark"), LabelMap().understands("reflection")
        (True, False)
        """
        if self._row(word) is not None or word in self.own or word.startswith(PART_PREFIX):
            return True
        return _known(word) is not None or graded_word(word) is not None or word in self.labels.values()

    def _row(self, word: str) -> tuple[str, str | None] | None:
        """What the map says of a word: of this very one, else of the only one that differs in case and Unicode form alone."""
        if word in self.labels:
            return word, self.labels[word]
        alike = self._alike.get(_folded(word), ()) if self.labels else ()
        return (alike[0], self.labels[alike[0]]) if len(alike) == 1 else None

    @cached_property
    def _alike(self) -> Mapping[str, list[str]]:
        """Its words by what is left of them without case and Unicode form."""
        alike: dict[str, list[str]] = {}
        for word in self.labels:
            alike.setdefault(_folded(word), []).append(word)
        return alike

    def rename(self, word: str) -> str | None:
        """What becomes of an annotation's word: a name, or `None` where it is left out.

        What a map calls damaged, or knows as a word for that alone, is damage of a type that nobody told; so is what
        tells how bad it is and no more.
        """
        untyped = UNTYPED if self.others == "refused" and photo_word(word) == "damaged" else None
        graded = self._graded(word)
        name = self._renamed(word, canonical_name(word) or (graded[0] if graded is not None else untyped))
        if graded is not None and name in SEVERITY_LEVELS:
            return UNTYPED
        return _of_an_annotation(name) if word != name else name

    def severity_of(self, word: str) -> str | None:
        """How bad a word says that the damage is, by itself or beside a type; `None` where it does not."""
        graded = self._graded(word)
        return graded[1] if graded is not None else None

    def _graded(self, word: str) -> tuple[str, str] | None:
        """`graded_word` of a word, or of what a map makes of it; nothing of names that are somebody's own."""
        row = self._row(word)
        if row is not None:
            became = row[1]
            return graded_word(became) if became is not None and became != row[0] and became not in self.own else None
        return None if self.others == "kept" or word in self.own else graded_word(word)

    def rename_photo(self, word: str) -> str | None:
        """What becomes of a word for a whole photo: a name, one of `PHOTO_WORDS`, or `None` where it is left out."""
        graded = self._graded(word)
        return self._renamed(word, graded[0] if graded is not None and graded[0] in DAMAGE_NAMES else _known(word))

    def _renamed(self, word: str, known: str | None) -> str | None:
        if (row := self._row(word)) is not None:
            graded = self._graded(word) if row[1] not in SEVERITY_LEVELS else None
            return graded[0] if graded is not None else row[1]
        if self.others == "kept" or word in self.own:
            return word
        if known is not None:
            return known
        return None if self.others == "refused" and not self.understands(word) else word


def read_label_map(path: Path | str, settings: Settings | None = None, *, own: Collection[str] = ()) -> LabelMap:
    """A label map in YAML; a word that it leaves out must be the taxonomy's own or one of its synonyms.

    What a word becomes may be a name of one's own, but none that looks like a slip of one that the taxonomy knows.

    Args:
        path: of the file.
        settings: the limits.
        own: names beside the taxonomy's that words may become; a word that is one of them needs no row.

    Raises:
        DatasetError: it cannot be read, has a key that is none, or names what is nearly a name of the taxonomy.
        MissingExtraError: pyyaml is not installed.
    """
    path = Path(path)
    document = read_yaml(path, settings or Settings())
    for key in document:
        if key not in _KEYS:
            advice = nearest(str(key), _KEYS) or f"; known are {', '.join(_KEYS)}"
            raise DatasetError(f"{path}: no such key: {printable(repr(key))}{advice}")
    labels = document.get("labels") or {}
    if not isinstance(labels, dict):
        raise DatasetError(f"{path}: labels must be words and what they mean, as `cizik: scratch`")
    for word in labels:
        if not isinstance(word, str | int | float) or isinstance(word, bool):
            raise DatasetError(
                f'{path}: labels: {word!r:.40} is no word; put words such as "no", which YAML reads as false, in quotes'
            )
    named = {str(word): _target(name, f"{path}: labels: {printable(str(word))}", own) for word, name in labels.items()}
    labelled = document.get("labelled")
    if labelled is not None and not (isinstance(labelled, list) and all(isinstance(name, str) for name in labelled)):
        raise DatasetError(f"{path}: labelled must be a list of names")
    attribute = document.get("attribute")
    if attribute is not None and not isinstance(attribute, str):
        raise DatasetError(f"{path}: attribute must be the name of one, got {_told(attribute)}")
    return LabelMap(
        named,
        others="refused",
        labelled=frozenset(
            name for one in labelled if (name := _labelled(_target(one, f"{path}: labelled", own), own)) is not None
        )
        if labelled is not None
        else None,
        attribute=attribute,
        own=frozenset(own),
    )


def check_words(words: Mapping[str, int], labels: LabelMap, where: str) -> None:
    """Makes sure that it is said of every word what becomes of it.

    Args:
        words: how often each word of the source occurs.
        labels: the map.
        where: what to name in the message: the data set.

    Raises:
        DatasetError: some are unmapped; the one message lists all of them with the nearest names.
    """
    unmapped = {word: count for word, count in words.items() if not labels.knows(word)}
    if unmapped:
        raise DatasetError(told_unmapped(unmapped, where), kind="unmapped label")


def check_some_match(words: Mapping[str, int], labels: LabelMap, where: str) -> None:
    """Makes sure that a source speaks of something that is known, where words that nobody explained are left aside.

    Args:
        words: how often each word of the source occurs; none where it tells what it knows in columns of its own.
        labels: the map.
        where: what to name in the message: the data set.

    Raises:
        DatasetError: none of them is known; the message is that of `check_words`.
    """
    if words and not any(labels.understands(word) or is_vehicle_word(word) for word in words):
        raise DatasetError(told_unmapped(words, where), kind="unmapped label")


def told_unmapped(words: Mapping[str, int], where: str) -> str:
    """What every command says of words that nobody explained: all of them, how often they occur, and the nearest names."""
    told = ", ".join(
        f"{printable(word) or '(empty)'} ({words[word]}×{nearest_names(word)})" for word in sorted(words)[:_MOST_TOLD]
    )
    told += f" and {len(words) - _MOST_TOLD} more" if len(words) > _MOST_TOLD else ""
    plural = "label that is" if len(words) == 1 else "labels that are"
    return (
        f"{where}: {len(words)} {plural} not mapped: {told};"
        " say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out"
    )


def draft_label_map(words: Mapping[str, int]) -> str:
    """A label map to be filled in: each word that nobody explained, left out for now, with the nearest names beside it."""
    lines = [
        "# A draft: say what each word becomes, or leave null to leave it out.",
        f"# Damage types: {', '.join(DAMAGE_NAMES)}; `damage` where nobody told the type; or a type of your own.",
        f"# Parts: {', '.join(PART_NAMES)}.",
        f"# Whole photos: {', '.join(PHOTO_WORDS)}; outlines of the whole vehicle: {VEHICLE}.",
        "labels:",
    ]
    for number, word in enumerate(sorted(words)):
        became = VEHICLE if is_vehicle_word(word) else "null"
        key = json.dumps(printable(word) if not word.isprintable() else word, ensure_ascii=False)
        lines.append(f"  {key}: {became}  # {words[word]}×{nearest_names(word) if number < _MOST_TOLD else ''}")
    return "\n".join([*lines, ""])


def is_vehicle_word(word: str) -> bool:
    """Whether a word says that a vehicle is there, and nothing of damage.

    >>> is_vehicle_word("Car"), is_vehicle_word("pickup truck"), is_vehicle_word("license plate")
    (True, True, False)
    """
    return _plain(word) in _VEHICLE


def is_no_label(word: str) -> bool:
    """Whether a word marks what is to be left alone, as LabelMe's `__ignore__` does."""
    return word.strip().casefold() in NO_LABELS


def photo_word(word: str) -> str | None:
    """Dentify's word for what a label says of a whole photo; `None` where it says nothing of the kind.

    >>> photo_word("01-whole"), photo_word("No Damage"), photo_word("dent")
    ('undamaged', 'undamaged', None)
    """
    return _PHOTO.get(_plain(word))


@lru_cache(maxsize=1024)
def graded_word(word: str) -> tuple[str, str] | None:
    """The type and the severity of damage that an annotation's word tells in one; `None` where it does not.

    >>> graded_word("severe scratch"), graded_word("Dent-Minor"), graded_word("02-moderate"), graded_word("dent")
    (('scratch', 'severe'), ('dent', 'minor'), ('damage', 'moderate'), None)
    """
    parts = [part for part in _plain(word).split("_") if part]
    for level, rest in ((parts[:1], parts[1:]), (parts[-1:], parts[:-1])):
        if level and level[0] in SEVERITY_LEVELS:
            known = canonical_name("_".join(rest)) if rest else UNTYPED
            if known in DAMAGE_NAMES or known == UNTYPED or photo_word("_".join(rest)) == "damaged":
                return known or UNTYPED, level[0]
    return None


def severity_word(word: str) -> str | None:
    """The severity level that a label tells.

    >>> severity_word("02-moderate"), severity_word("Severe damage"), severity_word("dent")
    ('moderate', 'severe', None)
    """
    first = _plain(word).partition("_")[0]
    return first if first in SEVERITY_LEVELS else None


def is_photo_word(word: str) -> bool:
    """Whether it is known what a word says of a photo as a whole.

    >>> is_photo_word("Damaged"), is_photo_word("dent"), is_photo_word("blue")
    (True, True, False)
    """
    return canonical_name(word) in DAMAGE_NAMES or photo_word(word) is not None or severity_word(word) is not None


def _folded(word: str) -> str:
    """A word without case, Unicode form and space around it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).strip().casefold())


def _plain(word: str) -> str:
    """A word without case, separators and a number that sorts it."""
    return word.strip().casefold().replace(" ", "_").replace("-", "_").lstrip("0123456789_.")


_PHOTO = {_plain(word): name for name, words in _PHOTO_SYNONYMS.items() for word in (name, *words)}


def _known(word: str) -> str | None:
    return canonical_name(word) or photo_word(word) or severity_word(word)


def _of_an_annotation(name: str | None) -> str | None:
    """What a word for a whole photo means on an annotation: damaged is damage of a type that nobody told."""
    return UNTYPED if name == "damaged" else name


def nearest_names(word: str) -> str:
    """The names that a word may mean, for the end of a message; empty where none is near."""
    if is_vehicle_word(word):
        return nearest(VEHICLE, (VEHICLE,))
    return nearest(word.casefold(), (*DAMAGE_NAMES, *PART_NAMES, *PHOTO_WORDS, VEHICLE), most=2)


def _target(name: object, where: str, own: Collection[str]) -> str | None:
    if name is None:
        return None
    if isinstance(name, str) and name in own:
        return name
    known = _known_target(name) if isinstance(name, str) else None
    if known is None and isinstance(name, str) and name.strip() and not _is_slip(name):
        return name.strip()
    if known is None:
        near = nearest_names(name) if isinstance(name, str) else ""
        raise DatasetError(
            f"{where}: {_told(name)} is no name of the taxonomy, whose damage types are {', '.join(DAMAGE_NAMES)}{near}"
        )
    return known


def _labelled(name: str | None, own: Collection[str]) -> str | None:
    """The type that is looked for where one is listed, whatever severity stands beside it."""
    graded = graded_word(name) if name is not None and name not in (*own, *SEVERITY_LEVELS) else None
    return graded[0] if graded is not None else _of_an_annotation(name)


def _known_target(name: str) -> str | None:
    """What a target is called that is known; a type with its severity stays both, and `severe_x` may be a type of one's own."""
    graded = graded_word(name)
    if graded is None:
        return canonical_name(name) or photo_word(name)
    return graded[1] if graded[0] == UNTYPED else name.strip()


def _is_slip(name: str) -> bool:
    """Whether a name is but for a letter or two one that is known."""
    plain = _plain(name)
    if plain == VEHICLE:
        return False
    known = (*_PHOTO, VEHICLE, *DAMAGE_NAMES, *PART_NAMES)
    return any(abs(len(plain) - len(one)) <= _SLIP and _letters_apart(plain, one) <= min(_SLIP, len(one) // 3) for one in known)


def _letters_apart(word: str, other: str) -> int:
    """How many letters must be put in, taken out or changed to make one word of another. Source: Levenshtein (1966)."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        above, row[0] = row[0], i
        for j, letter_of_other in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (letter != letter_of_other))
    return row[-1]


def _told(value: object) -> str:
    """A value for a message; not the inside of a list or mapping, which YAML's aliases may make endless."""
    return printable(repr(value))[:60] if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def names_of(words: Iterable[str], labels: LabelMap) -> frozenset[str]:
    """What the words of a source become, without those that are left out."""
    return frozenset(name for word in words if (name := labels.rename(word)) is not None)
