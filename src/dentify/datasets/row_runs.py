"""Masks that are told row by row, as CVAT and Label Studio tell them: cut out of their photo, at the cost of their box alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dentify.arrays import BoolArray, IntArray

Box = tuple[int, int, int, int]
"""Left, top, right and bottom."""


def stretches_of(runs: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Where each stretch of a mask begins and ends, by runs of pixels of 0, then of 1, and so on.

    >>> stretches_of([1, 2, 2, 0, 1, 1])
    (array([1, 6]), array([3, 7]))
    """
    changes = np.cumsum(np.array(runs, np.int64))
    ends = changes[1::2]
    starts = changes[::2][: len(ends)]
    filled = ends > starts
    return starts[filled], ends[filled]


def box_of(starts: IntArray, ends: IntArray, width: int) -> Box | None:
    """The smallest box around stretches of pixels; `None` where there is none.

    Args:
        starts: `(n,)` where each begins, counted along the rows.
        ends: `(n,)` where each ends, behind its start.
        width: of a row.

    >>> box_of(np.array([1, 5]), np.array([3, 6]), 4)
    (1, 0, 3, 2)
    """
    if not len(starts):
        return None
    first, last = starts // width, (ends - 1) // width
    left, right = int((starts % width).min()), int(((ends - 1) % width).max()) + 1
    if (first != last).any():  # a stretch that goes on in the next row touches both edges
        left, right = 0, width
    return left, int(first.min()), right, int(last.max()) + 1


def cut_out(starts: IntArray, ends: IntArray, width: int, box: Box) -> BoolArray:
    """The mask within a box of `box_of`.

    Args:
        starts: `(n,)` in order, and none before the end of the one before it.
        ends: `(n,)` likewise.
        width: of a row.
        box: that of these stretches.

    >>> cut_out(np.array([1, 5]), np.array([3, 6]), 4, (1, 0, 3, 2))
    array([[ True,  True],
           [ True, False]])
    """
    left, top, right, bottom = box
    across = right - left
    first = (starts // width - top) * across + starts % width - left
    changes = np.stack([first, first + ends - starts], axis=1).ravel()
    runs = np.diff(changes, prepend=0, append=across * (bottom - top))
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(bottom - top, across)
