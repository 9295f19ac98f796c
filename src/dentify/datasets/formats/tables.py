"""CSV of files and labels of whole photos: a column of labels, or one column of 0 and 1 for each label.

Ripik's files number the types of CarDD from 1 in an order of their own. Columns `source`, `group` and `split` are read where they
are; so are `severity`, and `vehicle` and `damage` where they say yes and no alone: of the photo as a whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from dentify.datasets.documents import csv_columns, read_csv
from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.labels import severity_word
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, printable
from dentify.taxonomy import SEVERITY_LEVELS

RIPIK = {"1": "crack", "2": "scratch", "3": "tire flat", "4": "dent", "5": "glass shatter", "6": "lamp broken"}
"""What the labels of Ripik's CSV (`image_id,filename,label`) stand for."""

_FILES = ("file", "filename", "file_name", "image", "image_path", "filepath", "path", "photo", "img", "name", "image_name")
_LABELS = ("label", "labels", "class", "class_name", "type", "category", "damage_type", "damage", "target", "y")
_OTHERS = ("source", "group", "split", "image_id", "id", "subset", "severity", "width", "height")
_TOLD = {True: "yes", False: "no", None: "unknown"}
_ANSWERS: dict[str, bool | None] = dict.fromkeys(("1", "1.0", "yes", "true"), True)
_ANSWERS |= {**dict.fromkeys(("0", "0.0", "no", "false"), False), "": None}  # with gaps, pandas writes 1 as 1.0


def is_table(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns lists pictures."""
    return _column(columns, _FILES) is not None


def needs_names(columns: Sequence[str]) -> str:
    """What to say of a CSV that lists no pictures, such as one of numbers and labels."""
    return f"needs a column of file names, as `file`; has {printable(', '.join(columns)) or 'none'}"


def tells_labels(columns: Sequence[str]) -> bool:
    """Whether a CSV with these columns may say something of its pictures beside their names, sources and splits."""
    file = _column(columns, _FILES)
    return any(column != file and (column.lower() == "severity" or column.lower() not in _OTHERS) for column in columns)


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels, row by row; the rows of a photo that is listed twice must agree."""
    columns = csv_columns(label_set.path)
    file, severity = _column(columns, _FILES), _column(columns, ("severity",))
    if file is None:
        raise DatasetError(f"{label_set.path}: {needs_names(columns)}")
    answers = _columns_of(label_set, [column for column in columns if column.lower() in ("vehicle", "damage")], _ANSWERS)
    label = _column([column for column in columns if column not in answers], _LABELS)
    ripik = {column.lower() for column in columns} == {"image_id", "filename", "label"}
    ticked: list[str] = []
    if label is None:
        others = [one for one in columns if one not in (file, *answers) and one.lower() not in _OTHERS]
        ticked = _columns_of(label_set, others, ("0", "1", "0.0", "1.0"))
    pictures = label_set.pictures()
    seen: dict[str, tuple[tuple[str, ...], int]] = {}
    for line, row in read_csv(label_set.path, label_set.settings, label_set.refuse):
        where = f"{label_set.path}: line {line}"
        name = row[file].strip()
        try:
            if not name:
                raise DatasetError(f"{where}: needs a file name")
            labels = _labels(row, label, ticked, where, ripik=ripik)
            level = row[severity].strip() if severity is not None else ""
            said = {column.lower(): _ANSWERS[row[column].strip().lower()] for column in answers}
            if level and severity_word(level) is None:
                raise DatasetError(f"{where}: severity {printable(level)!r:.40} is none of {', '.join(SEVERITY_LEVELS)}")
            words = (*labels, *([level] if level else []), *(f"{key}: {_TOLD[value]}" for key, value in said.items()))
            if name in seen:
                earlier, first = seen[name]
                if earlier != words:
                    told = f"{' and '.join(earlier) or 'nothing'} at line {first}, {' and '.join(words) or 'nothing'} here"
                    raise DatasetError(
                        f"{where}: {printable(name)} is labelled {printable(told)}; which is right?", kind="contradiction"
                    )
                continue
            seen[name] = (words, line)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        split = (row.get("split") or row.get("subset") or "").strip()
        yield Sample(
            image=pictures.find(name),
            name=name,
            vehicle=said.get("vehicle"),
            damage=said.get("damage"),
            severity=severity_word(level),
            source=row.get("source") or None,
            group=row.get("group") or None,
            split=label_set.split or split_in(split) or split or label_set.split_of(label_set.path),
            labels=labels,
            where=where,
        )


def _column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[name] for name in names if name in lower), None)


def _columns_of(label_set: LabelSet, columns: Sequence[str], values: Collection[str]) -> list[str]:
    """Those of some columns that hold these values alone, in any case, and not only empty ones."""
    kept, filled = list(columns), set()
    for _, row in read_csv(label_set.path, label_set.settings, lambda error: None):  # told when they are read
        kept = [column for column in kept if row[column].strip().lower() in values]
        filled |= {column for column in kept if row[column].strip()}
    return [column for column in kept if column in filled]


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
