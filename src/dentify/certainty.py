"""Three bands of certainty, the same for every confidence that people are told of. `docs/explanation/glossary.md` has them."""

from __future__ import annotations

from typing import Literal, get_args

Certainty = Literal["clear", "probable", "possible"]
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)

CLEAR_FROM = 0.9  # what is called clear is right nine times in ten
PROBABLE_FROM = 0.5


def certainty_of(confidence: float) -> Certainty:
    """The band of a calibrated confidence.

    >>> certainty_of(0.9), certainty_of(0.5), certainty_of(0.49)
    ('clear', 'probable', 'possible')
    """
    if confidence >= CLEAR_FROM:
        return "clear"
    return "probable" if confidence >= PROBABLE_FROM else "possible"
