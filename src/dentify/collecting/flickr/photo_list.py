"""`photos.csv`: where each photo in a folder came from."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dentify.datasets.photos import LIST_NAME
from dentify.errors import DatasetError, printable
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell

COLUMNS = (
    *("file", "source", "group", "photo_id", "owner", "owner_name", "title", "licence", "licence_url"),
    *("url", "source_url", "tags", "taken", "width", "height", "query"),
)

_LONGEST_CELL = 10_000  # characters; Python's CSV reader takes 131,072
_LEFTOVER = re.compile(r"\.(?:[0-9]+\.[a-z]+|photos\.csv)\.part")

Row = dict[str, str]


def cell_of(text: str) -> str:
    r"""A cell of the list: one line, which no spreadsheet takes for a formula.

    >>> cell_of("Dent\n in  door"), cell_of("=HYPERLINK(1)")
    ('Dent in door', "'=HYPERLINK(1)")
    """
    return safe_cell(re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()[:_LONGEST_CELL])


def read_list(out: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows of the list in a folder, without rows whose photo is gone. Columns that a user added are kept.

    Raises:
        DatasetError: it is no list of this module's.
    """
    path = out / LIST_NAME
    where = printable(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns, rows = list(reader.fieldnames or ()), list(reader)
    except FileNotFoundError:
        return list(COLUMNS), []
    except OSError as error:
        raise DatasetError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{where}: broken CSV ({error}); mend it, or collect into another folder") from error
    absent = [column for column in COLUMNS if column not in columns]
    if absent or any(None in row or None in row.values() for row in rows):
        fault = f"no column {absent[0]}" if absent else "rows of another length than its first line"
        raise DatasetError(f"{where}: is not the list of an earlier run ({fault}); collect into another folder")
    return columns, [row for row in rows if picture_of(out, row) is not None]


def picture_of(out: Path, row: Row) -> Path | None:
    """Where the photo of a row is: beside the list or in `images/`, as for `read_photos`; `None` where it is gone."""
    return next((path for path in (out / row["file"], out / "images" / row["file"]) if path.is_file()), None)


def list_bytes(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    """The file of the list."""
    return csv_bytes([csv_line(columns), *(csv_line(row.get(column, "") for column in columns) for row in rows)])


def remove_leftovers(out: Path) -> None:
    """Takes away what a killed run left half-written."""
    for path in out.glob(".*.part"):
        if _LEFTOVER.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()
