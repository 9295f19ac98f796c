"""The small grammar that a report needs: numbers, articles, lists, shares and certainty in words.

Certainty has three bands, the same for every confidence in a report (`docs/explanation/glossary.md` tells readers of them).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from dentify.assessment import Box
from dentify.taxonomy import damage_word

Certainty = Literal["clearly", "probably", "possibly"]

CLEARLY_FROM = 0.9  # what is called clear is right nine times in ten
PROBABLY_FROM = 0.5

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WITHOUT_ARTICLE = frozenset({"glass_shatter"})  # "shattered glass" is not counted in the singular
_FRACTIONS = (
    (0.1, "a tenth"),
    (0.2, "a fifth"),
    (0.25, "a quarter"),
    (1 / 3, "a third"),
    (0.5, "half"),
    (2 / 3, "two thirds"),
    (0.75, "three quarters"),
)
_FRACTION_TOLERANCE = 0.08
_ACROSS = 2 / 3  # a box that spans this much of the photo both ways has no corner to be named after
_PLACES = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the middle", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)
# "a unit", "a European plate", "an hour": by sound, where the first letter misleads.
_SOUNDS_LIKE_CONSONANT = re.compile(r"(uni|use|eu|one\b|u-)", re.IGNORECASE)
_SOUNDS_LIKE_VOWEL = re.compile(r"([aeiou]|hour|honest)", re.IGNORECASE)


def certainty_word(confidence: float) -> Certainty:
    """The adverb for a calibrated confidence.

    >>> certainty_word(0.9), certainty_word(0.5), certainty_word(0.49)
    ('clearly', 'probably', 'possibly')
    """
    if confidence >= CLEARLY_FROM:
        return "clearly"
    return "probably" if confidence >= PROBABLY_FROM else "possibly"


def number_word(count: int) -> str:
    """A count in words up to twelve, in digits above.

    >>> number_word(0), number_word(9), number_word(13)
    ('no', 'nine', '13')
    """
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def with_article(noun: str) -> str:
    """A noun with `a` or `an`, by sound.

    >>> with_article("dent"), with_article("oil stain"), with_article("unit")
    ('a dent', 'an oil stain', 'a unit')
    """
    vowel = _SOUNDS_LIKE_VOWEL.match(noun) and not _SOUNDS_LIKE_CONSONANT.match(noun)
    return f"{'an' if vowel else 'a'} {noun}"


def damage_phrase(name: str) -> str:
    """A damage type as one speaks of it in a sentence.

    >>> damage_phrase("dent"), damage_phrase("tire_flat"), damage_phrase("glass_shatter")
    ('a dent', 'a flat tyre', 'shattered glass')
    """
    return damage_word(name) if name in _WITHOUT_ARTICLE else with_article(damage_word(name))


def listed(items: Sequence[str]) -> str:
    """Items as a list in a sentence.

    >>> listed(["hood"]), listed(["hood", "trunk"]), listed(["hood", "trunk", "wheel"])
    ('hood', 'hood and trunk', 'hood, trunk and wheel')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def share_words(share: float) -> str:
    """A share in words, as rough as it is known.

    Args:
        share: in [0, 1].

    >>> share_words(0.004), share_words(0.021), share_words(0.104)
    ('less than 1 %', 'about 2 %', 'about a tenth')
    >>> share_words(0.42), share_words(0.66), share_words(0.98)
    ('about 40 %', 'about two thirds', 'nearly all')
    """
    if share < 0.01:
        return "less than 1 %"
    if share >= 0.95:
        return "nearly all"
    for fraction, words in _FRACTIONS:
        if abs(share - fraction) <= _FRACTION_TOLERANCE * fraction:
            return f"about {words}"
    percent = round(100 * share) if share < 0.2 else 5 * round(20 * share)
    return f"about {percent} %"


def place_words(box_xyxy: Box, photo_wh: tuple[int, int]) -> str:
    """The ninth of the photo in which a box's centre lies.

    >>> place_words((0, 0, 20, 20), (100, 100)), place_words((5, 5, 95, 95), (100, 100))
    ('in the upper left of the photo', 'across most of the photo')
    """
    (x_min, y_min, x_max, y_max), (width, height) = box_xyxy, photo_wh
    if x_max - x_min >= _ACROSS * width and y_max - y_min >= _ACROSS * height:
        return "across most of the photo"
    column = min(max(int(1.5 * (x_min + x_max) / width), 0), 2)
    row = min(max(int(1.5 * (y_min + y_max) / height), 0), 2)
    return f"{_PLACES[row][column]} of the photo"


def as_sentence(text: str) -> str:
    """Text with one space between words, a capital in front and a full stop at its end.

    >>> as_sentence("nine  scratches: four on the hood")
    'Nine scratches: four on the hood.'
    """
    text = " ".join(text.split()).rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}."
