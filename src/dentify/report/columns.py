"""Figures as aligned columns of text, for terminals."""

from __future__ import annotations

from collections.abc import Sequence

Cells = Sequence[str]


def aligned(rows: Sequence[Cells]) -> str:
    """Rows as text columns: the first flush left, the others flush right.

    >>> print(aligned([("type", "AP"), ("dent", "0.5")]))
    type   AP
    dent  0.5
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
