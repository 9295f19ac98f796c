"""The rows of `summary.csv`: one photo each, and how long it took. Timings stand here and nowhere else."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from dentify.assessment import Assessment
from dentify.spreadsheets import safe_cell, safe_path_cell

SUMMARY = "summary.csv"


@dataclass(frozen=True)
class Timings:
    """How long one photo took, in milliseconds: reading the file, assessing it, drawing on it. `None`: not known."""

    read_ms: float | None = None
    assess_ms: float | None = None
    draw_ms: float | None = None


TIMING_COLUMNS = tuple(column.name for column in fields(Timings))


def summary_columns(damage_types: Sequence[str], *, timings: bool = True) -> tuple[str, ...]:
    """The header: one column of counts of findings a type; the last ones are those of `Timings`."""
    start = (
        "name",
        "vehicle",
        "damage",
        "types",
        "findings",
        *map(safe_cell, damage_types),
        "severity",
        "review_needed",
        "quality_issues",
    )
    return start + TIMING_COLUMNS if timings else start


def summary_cells(assessment: Assessment, damage_types: Sequence[str]) -> list[str]:
    """A row without its timings. Empty is *not judged*, as for a type that the bundle was never taught.

    `types` are those of the photo as a whole, `none` where it shows none of them.
    """
    found = [finding.type for finding in assessment.findings]
    counts = ["" if name in assessment.not_judged else str(found.count(name)) for name in damage_types]
    return [
        safe_path_cell(assessment.photo.name),
        "" if assessment.vehicle is None else _told(assessment.vehicle.present),
        "" if assessment.damage is None else _told(assessment.damage.present),
        "" if assessment.types is None else safe_cell("; ".join(one.type for one in assessment.types) or "none"),
        "" if assessment.types is not None and not found and not any(counts) else str(len(found)),
        *counts,
        "" if assessment.severity is None else assessment.severity.level,
        _told(assessment.review.needed),
        " ".join(assessment.quality.issues),
    ]


def _told(value: bool) -> str:
    return "true" if value else "false"


def timing_cells(timings: Timings) -> list[str]:
    """The rest of a row; empty is *not known*."""
    values = (timings.read_ms, timings.assess_ms, timings.draw_ms)
    return ["" if value is None else f"{value:.1f}" for value in values]


def earlier_rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a summary that an earlier run wrote, or began to write; none where there is no such file."""
    with suppress(OSError, csv.Error), path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.DictReader(stream)
        if "name" in (reader.fieldnames or ()):
            yield from reader
