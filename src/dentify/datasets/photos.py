"""Photos that share one label and have no outlines: undamaged vehicles, photos without a vehicle.

They come as a CSV with a column `file` (and, where known, `source`, `group`, `view`, `split`), whose pictures lie beside it or in
`images/`, or as a folder: its `photos.csv` where it has one, else all pictures below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dentify.datasets.documents import csv_columns, read_csv
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError
from dentify.imaging.formats import is_picture_name
from dentify.settings import Settings
from dentify.spreadsheets import cell_text

LIST_NAME = "photos.csv"


def read_photos(
    path: Path | str,
    *,
    vehicle: bool | None,
    damage: bool | None = None,
    split: str | None = None,
    details: Path | str | None = None,
) -> Iterator[Sample]:
    """Photos of a CSV or a folder, each with the same photo labels.

    Args:
        path: a CSV file, or a folder.
        vehicle: whether a vehicle is on them; `None` where nobody said.
        damage: whether it is damaged; `None` where there is none, or nobody said.
        split: take only rows of this split (column `split`).
        details: a CSV that tells more of the same files: `group` and `view`.

    Raises:
        DatasetError: there is no such file or folder, a column or picture is missing, or nothing is left to read.
    """
    path = Path(path)
    if path.is_dir() and (path / LIST_NAME).is_file():
        path = path / LIST_NAME
    if path.is_dir():
        if split is not None:
            raise DatasetError(f"{path}: a folder without {LIST_NAME} has no splits; leave :{split} away")
        rows = _folder_rows(path)
    elif path.is_file():
        rows = _csv_rows(path, split)
    else:
        raise DatasetError(f"{path}: no such CSV or folder of photos")
    more = _details(Path(details)) if details is not None else {}
    found = matched = False
    for picture, name, row in rows:
        found = True
        row |= more.get(name, {})
        yield Sample(
            image=picture,
            name=name,
            vehicle=vehicle,
            damage=damage,
            source=row.get("source") or None,
            group=row.get("group") or None,
            view=row.get("view") or None,
            split=row.get("split") or None,
        )
        matched |= name in more
    if more and not matched:
        raise DatasetError(f"{details}: tells of no file of {path}; its `file` must be spelled alike")
    if not found:
        raise DatasetError(f"{path}: holds no photo" + (f" of split {split!r}" if split else ""))


def _details(path: Path) -> dict[str, dict[str, str]]:
    """By file: its group and view."""
    columns = csv_columns(path)
    if "file" not in columns:
        raise DatasetError(f'{path}: needs a column "file", has {", ".join(columns) or "none"}')
    rows = read_csv(path, Settings())
    return {_file(row): {key: cell_text(row[key]) for key in ("group", "view") if row.get(key)} for _, row in rows}


def _file(row: dict[str, str]) -> str:
    """A row's file, without what keeps its name from being a formula."""
    return row["file"].removeprefix("./")


Row = tuple[Path, str, dict[str, str]]


def _folder_rows(folder: Path) -> Iterator[Row]:
    for picture in sorted(folder.rglob("*")):
        if is_picture_name(picture.name) and picture.is_file():
            yield picture, picture.relative_to(folder).as_posix(), {}


def _csv_rows(path: Path, split: str | None) -> Iterator[Row]:
    folders = (path.parent / "images", path.parent)
    columns = csv_columns(path)
    for column in ("file", "split") if split is not None else ("file",):
        if column not in columns:
            raise DatasetError(f'{path}: needs a column "{column}", has {", ".join(columns) or "none"}')
    for line, row in read_csv(path, Settings()):
        where = f"{path}: line {line}"
        name = _file(row)
        row = {key: cell_text(cell) for key, cell in row.items()}
        if split is not None and row["split"] != split:
            continue
        if not name or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name:
            raise DatasetError(f"{where}: {name!r:.200} is no file name below {path.parent}")
        picture = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if picture is None:
            raise DatasetError(f"{where}: no picture {name!r:.200} in {folders[0]} or {folders[1]}")
        yield picture, name, row
