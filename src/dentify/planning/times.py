"""How long a run will roughly take on this machine, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass

from dentify.runtime.session import usable_processors

_PICTURE_S = 0.17
"""Seconds of one core that a step takes a picture of 320 pixels where all of the network learns (docs: the tutorial's table)."""
_HEAD_START = 0.6
"""Share of it where the encoder's first stages do not learn."""


def told_time(seconds: float) -> str:
    """A time in the unit that fits.

    >>> told_time(40), told_time(360), told_time(5400)
    ('1 minute', '6 minutes', '1.5 hours')
    """
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{seconds / 3600:.1f} hours"


def seconds_of(pictures: int, looked_at: int, *, from_bundle: bool) -> float:
    """Of a run, on all processors of this machine; a look at val is a third of learning, at more pixels.

    Args:
        pictures: of 320 pixels that it learns from, over all its steps.
        looked_at: photos of val, over all its looks.
        from_bundle: whether it begins with a bundle's weights, of which the first layers do not learn.
    """
    learning = pictures * _PICTURE_S * (_HEAD_START if from_bundle else 1.0)
    looking = looked_at * _PICTURE_S * 0.6
    return (learning + looking) / usable_processors()


@dataclass(frozen=True)
class Stretch:
    """A phase of a run, counted.

    Attributes:
        steps: that it takes.
        pictures: of a step.
        size: side of each in pixels.
    """

    steps: int
    pictures: int
    size: int


def told_processors(count: int) -> str:
    """How many there are, in words."""
    return "one processor" if count == 1 else f"{count} processors"
