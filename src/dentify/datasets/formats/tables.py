"""CSV of files and labels of whole photos: a column of labels, or one column of 0 and 1 for each label.

Ripik's files number the types of CarDD from 1 in an order of their own. Columns `source`, `group` and `split` are read where they
are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dentify.datasets.documents import csv_columns, read_csv
from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, printable

RIPIK = {"1": "crack", "2": "scratch", "3": "tire flat", "4": "dent", "5": "glass shatter", "6": "lamp broken"}
"""What the labels of Ripik's CSV (`image_id,filename,label`) stand for."""

_FILES = ("file", "filename", "file_name", "image", "image_path", "filepath", "path", "photo", "img", "name", "image_name")
_LABELS = ("label", "labels", "class", "class_name", "type", "category", "damage_type", "damage", "target", "y")
_OTHERS = ("source", "group", "split", "image_id", "id", "subset", "severity", "width", "height")


def is_table(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns lists pictures."""
    return _column(columns, _FILES) is not None


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels, row by row; the rows of a photo that is listed twice must agree."""
    columns = csv_columns(label_set.path)
    file, label = _column(columns, _FILES), _column(columns, _LABELS)
    if file is None:
        raise DatasetError(f"{label_set.path}: needs a column of file names, as `file`; has {', '.join(columns) or 'none'}")
    ripik = {column.lower() for column in columns} == {"image_id", "filename", "label"}
    ticked = _ticked_columns(label_set, columns, file) if label is None else []
    pictures = label_set.pictures()
    seen: dict[str, tuple[tuple[str, ...], int]] = {}
    for line, row in read_csv(label_set.path, label_set.settings, label_set.refuse):
        where = f"{label_set.path}: line {line}"
        name = row[file].strip()
        try:
            if not name:
                raise DatasetError(f"{where}: needs a file name")
            labels = _labels(row, label, ticked, where, ripik=ripik)
            if name in seen:
                earlier, first = seen[name]
                if earlier != labels:
                    told = f"{' and '.join(earlier) or 'nothing'} at line {first}, {' and '.join(labels) or 'nothing'} here"
                    raise DatasetError(
                        f"{where}: {printable(name)} is labelled {printable(told)}; which is right?", kind="contradiction"
                    )
                continue
            seen[name] = (labels, line)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        split = (row.get("split") or row.get("subset") or "").strip()
        yield Sample(
            image=pictures.find(name),
            name=name,
            source=row.get("source") or None,
            group=row.get("group") or None,
            split=label_set.split or split_in(split) or split or label_set.split_of(label_set.path),
            labels=labels,
            where=where,
        )


def _column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[name] for name in names if name in lower), None)


def _ticked_columns(label_set: LabelSet, columns: Sequence[str], file: str) -> list[str]:
    """Columns of 0 and 1 alone, each a label."""
    ticked = [column for column in columns if column != file and column.lower() not in _OTHERS]
    for _, row in read_csv(label_set.path, label_set.settings, lambda error: None):  # told when they are read
        ticked = [column for column in ticked if row[column].strip() in ("0", "1", "0.0", "1.0")]
    return ticked


def _labels(row: Mapping[str, str], label: str | None, ticked: Sequence[str], where: str, *, ripik: bool) -> tuple[str, ...]:
    if label is None:
        return tuple(column for column in ticked if float(row[column]))
    words = [word.strip() for word in row[label].replace("|", ";").split(";") if word.strip()]
    if ripik:
        for word in words:
            if word.isdecimal() and word not in RIPIK:
                raise DatasetError(f"{where}: label {word} is none of Ripik's 1 to 6")
        words = [RIPIK.get(word, word) for word in words]
    return tuple(words)
