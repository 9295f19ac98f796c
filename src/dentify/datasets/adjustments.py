"""`Adjustments`: what reading normalised, ignored or left out, counted by rule, so that nothing changes without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock

OnAdjust = Callable[[str, str], None]
"""Is given a rule, which says what was done to what (`boxes without area are left out`), and the place: file and position."""


class Adjustments:
    """How often each rule was applied, and where first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._lock = Lock()

    def add(self, rule: str, where: str) -> None:
        """Takes note of one time; several threads may."""
        with self._lock:
            self.counts[rule] += 1
            self._first.setdefault(rule, where.rstrip(": "))

    def clear(self) -> None:
        """Forgets all: the labels are about to be read again."""
        self.counts.clear()
        self._first.clear()

    def told(self) -> list[str]:
        """A line a rule: what was done, how often, and one place.

        >>> adjustments = Adjustments()
        >>> adjustments.add("points are left out", "a.json: shapes[2]")
        >>> adjustments.told()
        ['points are left out (1×; a.json: shapes[2])']
        """
        return [f"{rule} ({count}×; {self._first[rule]})" for rule, count in self.counts.items()]
