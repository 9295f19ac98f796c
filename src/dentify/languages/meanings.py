"""What can be said, before a language has words for it: what to do, why, and, roughly, how much and where."""

from __future__ import annotations

from typing import Literal

Action = Literal["likely_repair", "look_closely", "nothing_found", "nothing_to_judge"]
"""What to do about a photo."""

Clause = Literal[
    "damage_not_judged",
    "looked_all_the_same",
    "told_all_the_same",
    "no_place",
    "place_not_judged",
    "no_type",
    "vehicle_unsure",
    "nothing_marked",
    "badly_known",
]
"""Why, beside what the gates say."""

RoughShare = Literal["trace", "tenth", "fifth", "quarter", "third", "half", "two_thirds", "three_quarters", "nearly_all"] | int
"""A share in a word, or in per cent."""

Place = Literal[
    "upper_left", "top", "upper_right", "left", "middle", "right", "lower_left", "bottom", "lower_right", "across"
]  # fmt: skip
"""A ninth of the photo, as its reader sees it, or (`across`) most of it."""

Whole = Literal["part", "named_part", "photo", "place"]
"""What a share is one of: the part named before, that of several which has to be named, the photo, the photo named before."""

_FRACTIONS: tuple[tuple[float, RoughShare], ...] = (
    (0.1, "tenth"),
    (0.2, "fifth"),
    (0.25, "quarter"),
    (1 / 3, "third"),
    (0.5, "half"),
    (2 / 3, "two_thirds"),
    (0.75, "three_quarters"),
)
_FRACTION_TOLERANCE = 0.08
_NINTHS: tuple[tuple[Place, Place, Place], ...] = (
    ("upper_left", "top", "upper_right"),
    ("left", "middle", "right"),
    ("lower_left", "bottom", "lower_right"),
)
_ACROSS = 2 / 3  # a box that spans this much of the photo both ways has no corner to be named after


def rough_share(share: float) -> RoughShare:
    """A share in [0, 1] as a fraction where one is near, else in per cent.

    >>> [rough_share(share) for share in (0.004, 0.021, 0.104, 0.42, 0.66, 0.98)]
    ['trace', 2, 'tenth', 40, 'two_thirds', 'nearly_all']
    """
    if share < 0.01:
        return "trace"
    if share >= 0.95:
        return "nearly_all"
    for fraction, rough in _FRACTIONS:
        if abs(share - fraction) <= _FRACTION_TOLERANCE * fraction:
            return rough
    return round(100 * share) if share < 0.2 else 5 * round(20 * share)


def place_in_photo(box_xyxy: tuple[float, float, float, float], photo_wh: tuple[int, int]) -> Place:
    """The ninth of the photo in which a box's centre lies.

    >>> place_in_photo((0, 0, 20, 20), (100, 100)), place_in_photo((5, 5, 95, 95), (100, 100))
    ('upper_left', 'across')
    """
    (x_min, y_min, x_max, y_max), (width, height) = box_xyxy, photo_wh
    if x_max - x_min >= _ACROSS * width and y_max - y_min >= _ACROSS * height:
        return "across"
    column = min(max(int(1.5 * (x_min + x_max) / width), 0), 2)
    row = min(max(int(1.5 * (y_min + y_max) / height), 0), 2)
    return _NINTHS[row][column]
