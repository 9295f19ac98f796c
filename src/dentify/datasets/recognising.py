"""Which annotation format a file or folder is of, and which of its files there are to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dentify.datasets.documents import csv_columns, csv_head, read_json, xml_root
from dentify.datasets.formats import FORMATS
from dentify.datasets.formats.tables import needs_names
from dentify.datasets.formats.unread import LINES, first_line, speaks_of_pictures, told_others, told_unread, unread_product
from dentify.datasets.label_set import LabelSet, OnInvalid, OnNote
from dentify.datasets.pictures import leads_out, walk
from dentify.datasets.splits import SPLITS
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.settings import Settings

_MOST_LOOKED_AT = 1000  # files of no known format whose text is looked at
_LABEL_SUFFIXES = ".json, .xml, .csv, .yaml or .manifest"


def recognise(path: Path, wanted: str | None, settings: Settings, note: OnNote, refuse: OnInvalid) -> tuple[str, list[LabelSet]]:
    """The format of a file or folder, and what there is to read."""
    if path.is_file():
        name, label_set = _recognise_file(path, wanted, settings)
        return name, [label_set]
    if not path.is_dir():
        raise DatasetError(f"{path}: no such file or folder")
    files = [file for file in walk(path) if settings.follow_links or not leads_out(file, [path])]
    found: dict[str, list[LabelSet]] = {}
    faults: list[DatasetError] = []

    def keep(fault: DatasetError) -> None:
        faults.append(fault)
        refuse(fault)

    unknown: list[tuple[Path, str | None]] = []
    for name, label_set in _in_folder(path, files, wanted, settings, keep, unknown):
        found.setdefault(name, []).append(label_set)
    products = [told_unread(file, product) for file, product in unknown if product is not None]
    if list(found) == ["folders"] and wanted is None and (told := _may_be_labels(path, files, unknown)):
        raise DatasetError(told)
    if not found and faults:
        raise faults[0]
    if not found:
        raise DatasetError(_may_be_labels(path, files, unknown) or f"{path}: {_nothing_found(files, wanted)}")
    name = min(found, key=list(FORMATS).index)
    if name != "supervisely":  # whose `meta.json` is a project's
        for told in products[:3]:
            note(told)
    for other in found:
        if other not in (name, "folders"):  # those are a guess, where nothing else is there
            places = ", ".join(str(label_set.path) for label_set in found[other][:3])
            note(f"also found: {FORMATS[other].title} ({places}); name it, or --input-format {other}, to read it")
    return name, found[name]


def _recognise_file(path: Path, wanted: str | None, settings: Settings) -> tuple[str, LabelSet]:
    label_set = LabelSet(path, path.parent)
    suffix = path.suffix.lower()
    if suffix == ".json":
        document = read_json(path, settings)
        name = wanted or _format_of_json(document)
        label_set = replace(label_set, document=document)  # for the first reading, which then need not parse it again
        if name is None and (product := unread_product(path, document)) is not None:
            raise DatasetError(told_unread(path, product))
        if name is None:
            raise DatasetError(f"{path}: JSON of no annotation format that is known; known are {', '.join(FORMATS)}")
    else:
        name = wanted or _format_of_text(path, suffix, settings)
        if name is None and (product := unread_product(path, first_line(path) if suffix in LINES else None)) is not None:
            raise DatasetError(told_unread(path, product))
        if name is None:
            advice = f"give a folder, a zip, or a {_LABEL_SUFFIXES} file of labels"
            raise DatasetError(f"{path}: {_without_names(path) or f'no annotation format that is known; {advice}'}")
    return name, replace(label_set, files=(path,)) if FORMATS[name].one_a_picture else label_set


def _format_of_json(document: object) -> str | None:
    """The format of a JSON file."""
    return next((name for name, one in FORMATS.items() if one.is_json is not None and one.is_json(document)), None)


def _format_of_text(path: Path, suffix: str, settings: Settings) -> str | None:
    """The format of a file of labels that is no JSON."""
    match suffix:
        case ".xml":
            root = xml_root(path, settings)
            return next((name for name, one in FORMATS.items() if root in one.xml_roots), None)
        case ".csv" | ".tsv":
            rows = csv_head(path)
            return next((name for name, one in FORMATS.items() if one.is_csv is not None and one.is_csv(rows)), None)
        case _ if suffix in LINES:
            first = first_line(path)
            return next((name for name, one in FORMATS.items() if one.is_line is not None and one.is_line(first)), None)
        case ".yaml" | ".yml":
            return next((name for name, one in FORMATS.items() if one.is_yaml is not None and one.is_yaml(path, settings)), None)
    return None


def _in_folder(
    root: Path,
    files: list[Path],
    wanted: str | None,
    settings: Settings,
    refuse: OnInvalid,
    unknown: list[tuple[Path, str | None]],
) -> Iterator[tuple[str, LabelSet]]:
    """Everything below a folder that holds labels, by format; others that may do so come to `unknown`, with their product."""
    one_a_picture: dict[str, list[Path]] = {}
    unread: list[tuple[Path, DatasetError]] = []
    by_file: set[str] = set()
    single_json = sum(path.suffix.lower() == ".json" for path in files) == 1
    for path in files:
        suffix = path.suffix.lower()
        if suffix not in (".json", ".xml", ".csv", ".tsv", ".yaml", ".yml", *LINES) or path.name == SPLITS:
            if (product := unread_product(path, None)) is not None:
                unknown.append((path, product))
            continue
        known = next((name for name, paths in one_a_picture.items() if paths[0].suffix.lower() == suffix), None)
        if known is not None:  # a hundred thousand of them are not all opened
            one_a_picture[known].append(path)
            continue
        try:
            document = read_json(path, settings) if suffix == ".json" else None
            name = _format_of_json(document) if suffix == ".json" else _format_of_text(path, suffix, settings)
        except DatasetError as error:
            if suffix not in (".yaml", ".yml") or path.stem == "data":  # settings of other programs lie about
                unread.append((path, error))
            continue
        if name is None:
            unknown.append((path, unread_product(path, first_line(path) if suffix in LINES else document)))
        if name is None or wanted not in (None, name):
            continue
        if FORMATS[name].one_a_picture:
            one_a_picture.setdefault(name, []).append(path)
        else:
            by_file.add(name)
            yield name, LabelSet(path, root, document=document if single_json else None)
    by_suffix = {paths[0].suffix.lower(): paths for paths in one_a_picture.values()}
    later: dict[str, list[Path]] = {}  # told when their turn comes
    for path, fault in unread:
        suffix = path.suffix.lower()
        if suffix in by_suffix:
            later.setdefault(suffix, []).append(path)
        else:
            refuse(fault)
    for suffix, broken in later.items():
        by_suffix[suffix][:0] = broken
    for name, paths in one_a_picture.items():
        yield name, LabelSet(root, root, files=tuple(paths))
    for name, one in FORMATS.items():
        if one.in_folder is not None and wanted in (None, name) and name not in by_file:
            for label_set in one.in_folder(root, files):
                yield name, label_set


def _may_be_labels(root: Path, files: list[Path], unknown: list[tuple[Path, str | None]]) -> str:
    """What to say of files of no format that is read that may hold the labels of a folder; empty where there is none."""
    for path, product in unknown:
        if product is not None:
            return told_unread(path, product)
    if (root / ".datumaro").exists():
        return f"{root}: this is a Datumaro project, which is not read; export it with `datum project export -f coco`"
    stems = {name for path in files if is_picture_name(path.name) for name in (path.name, path.stem)}
    beside = {path.parent for path in files if is_picture_name(path.name)}
    texts = [path for path in files if path.suffix.lower() == ".txt"]
    others = [*(path for path, _ in unknown), *texts]
    speaking = [path for path in others[:_MOST_LOOKED_AT] if speaks_of_pictures(path, stems, beside)]
    if not speaking:
        return ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (
        f"{speaking[0]}{more}: may hold labels, and is of no annotation format that is known; export it as COCO,"
        " or read what else there is by --input-format (`folders`: pictures in folders by class)"
    )


def _nothing_found(files: list[Path], wanted: str | None) -> str:
    pictures = sum(is_picture_name(path.name) for path in files)
    held = f"holds {pictures} pictures and no labels" if pictures else "holds neither labels nor pictures"
    if wanted is not None:
        return f"holds nothing that is {FORMATS[wanted].title}"
    zips = [path.name for path in files if path.suffix.lower() == ".zip"]
    if zips and not pictures:
        return f"holds zips, {printable(zips[0])} for one; name it, as each is a data set of its own"
    for path in files:
        if path.name != SPLITS and (told := _without_names(path)):
            return f"{path.name} {told}"
    return f"{held} of a format that is known{told_others(files)}; known are {', '.join(FORMATS)}"


def _without_names(path: Path) -> str:
    """What a CSV lacks, which is of no format; empty where it is another file."""
    columns = csv_columns(path) if path.suffix.lower() in (".csv", ".tsv") else ()
    return needs_names(columns) if columns else ""
