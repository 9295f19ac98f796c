"""CSV of files and labels, told by its content and by the names that people give to columns.

Of whole photos: a column of labels, one column of 0 and 1 (yes and no, True and False, or crosses) for each label, or `vehicle`,
`damage` and `severity` of the photo. With boxes: a row a box, as TensorFlow's, Kaggle's, Roboflow's, VoTT's, makesense.ai's, Open
Images' and AutoML's tables have them, by corners or by corner and size, in pixels or in shares; also without a line of names, as
AutoML's and Keras RetinaNet's come. With outlines: a row a thing, as lists, WKT, or Kaggle's run lengths. Columns `source`,
`group` and `split` are read where they are. Ripik's files number the types of CarDD from 1 in an order of their own. A table in
which no column can be read as labels is refused.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from dentify.assessment import Box, Mask
from dentify.datasets.attributes import told_missing
from dentify.datasets.documents import check_cost, csv_delimiter, read_rows, wrong_width
from dentify.datasets.formats.cells import (
    NOTHING,
    Spelling,
    box_in,
    leaves_holes,
    number_in,
    outlines_in,
    runs_in,
    spelling_of,
    words_in,
)
from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.labels import photo_word, severity_word
from dentify.datasets.numbers import Size, four_numbers, photo_size
from dentify.datasets.outlines import check_box, check_mask_size, check_pieces, check_runs
from dentify.datasets.pictures import Pictures, is_file
from dentify.datasets.sample import UNNAMED, Annotation, Sample, canonical_name
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.masks import rle_to_box
from dentify.imaging.polygons import polygons_to_box
from dentify.spreadsheets import cell_text
from dentify.taxonomy import SEVERITY_LEVELS

RIPIK = {"1": "crack", "2": "scratch", "3": "tire flat", "4": "dent", "5": "glass shatter", "6": "lamp broken"}
"""What the labels of Ripik's CSV (`image_id,filename,label`) stand for."""

# Names of columns without case and marks, likeliest first.
_FILES: tuple[str, ...] = (
    "file",
    "filename",
    "image",
    "imagepath",
    "filepath",
    "path",
    "photo",
    "img",
    "imagename",
    "imagefile",
    "imagefilename",
)
_FILES += ("imgname", "imgpath", "imgfile", "imgfilename", "picture", "picturename", "photoname", "photopath", "photofile")
_FILES += ("imageurl", "imageuri", "url", "uri", "gcsuri", "gcspath", "name", "imageid", "id")
_LABELS: tuple[str, ...] = (
    "label",
    "labels",
    "class",
    "classes",
    "classname",
    "labelname",
    "classlabel",
    "type",
    "category",
    "categories",
)
_LABELS += ("categoryname", "damagetype", "damageclass", "damage", "damages", "damaged", "isdamaged", "hasdamage", "target", "y")
_LABELS += ("condition", "tag", "tags", "annotation", "object", "objectname", "defect", "defecttype", "groundtruth", "status")
_LABELS += ("state", "result", "name", "klasse", "clase", "classe", "schaden", "schadensart", "beschädigt", "dommage", "hasar")
_NUMBERED = ("classid", "categoryid", "labelid")  # labels where nothing else tells them
_VEHICLE = ("vehicle", "isvehicle", "hasvehicle", "iscar", "hascar", "vehiclepresent")
_DAMAGE: tuple[str, ...] = ("damage", "damaged", "isdamaged", "isdamage", "hasdamage", "damagepresent")
_DAMAGE += ("schaden", "beschädigt", "dommage", "hasar")
_SEVERITY = ("severity", "damageseverity", "severitylevel")
_SPLIT, _SOURCE, _GROUP = ("split", "subset", "set", "fold", "usage", "partition", "mluse"), ("source",), ("group",)
_FOLDER = ("folder", "foldername", "dir", "directory", "subfolder", "imagefolder", "imagedir")
_SCORE = ("score", "confidence", "conf", "probability")
_WIDTH, _HEIGHT = ("width", "imagewidth", "imgwidth", "imgw"), ("height", "imageheight", "imgheight", "imgh")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("x1", "y1", "x2", "y2"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
    ("x0", "y0", "x1", "y1"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("left", "top", "right", "bottom"),
    ("xstart", "ystart", "xend", "yend"),
)
_SIZED = (
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("bboxx", "bboxy", "bboxw", "bboxh"),
    ("boxx", "boxy", "boxwidth", "boxheight"),
    ("bboxleft", "bboxtop", "bboxwidth", "bboxheight"),
    ("x", "y", "w", "h"),
    ("x", "y", "bw", "bh"),
    ("xmin", "ymin", "w", "h"),
    ("xmin", "ymin", "boxwidth", "boxheight"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
    ("x", "y", "width", "height"),
)
_CENTRED = (
    ("xcenter", "ycenter", "width", "height"),
    ("xcenter", "ycenter", "w", "h"),
    ("xcentre", "ycentre", "width", "height"),
    ("centerx", "centery", "width", "height"),
    ("cx", "cy", "w", "h"),
    ("cx", "cy", "width", "height"),
)
_LISTED = ("bbox", "boundingbox", "box", "bboxes")
_OUTLINES = ("segmentation", "polygon", "polygons", "outline", "points", "coordinates", "vertices", "wkt", "geometry")
_RUNS = ("encodedpixels", "rle", "rlemask", "maskrle")
_OTHERS: tuple[str, ...] = (
    "",
    "index",
    "unnamed0",
    "imageid",
    "id",
    "source",
    "group",
    "width",
    "height",
    "depth",
    "difficult",
    "truncated",
)
_OTHERS += ("pose", "classid", "categoryid", "labelid", "area", "iscrowd", "occluded", "license", "licence", "author", "title")
_OTHERS += ("view", "url", "sha256", "md5")
_ANSWERS: dict[str, bool | None] = dict.fromkeys(("1", "1.0", "yes", "true", "y", "t"), True)
_ANSWERS |= {**dict.fromkeys(("0", "0.0", "no", "false", "n", "f"), False), "": None}  # with gaps, pandas writes 1 as 1.0
_ANSWERS |= dict.fromkeys(("ja", "wahr", "oui", "vrai", "si", "sí", "verdadero", "evet"), True)  # Excel writes its own language
_ANSWERS |= dict.fromkeys(("nein", "falsch", "non", "faux", "falso", "hayır"), False)
_CROSSES = ("x", "✓", "✔", "")
_TOLD = {True: "yes", False: "no", None: "unknown"}
_SETS = ("train", "training", "validation", "validate", "val", "test", "unassigned")  # of AutoML
_OURS = (("name", "finding", "type", "certainty"), ("name", "vehicle", "damage", "types", "findings"))
_FIRST_ROWS = 20  # by which it is told what columns are
_MOST_TOLD, _LONGEST_NAME = 40, 80  # columns in a message, and characters of each
_MOST_UNNAMED = 1_000  # columns of a table that does not name them
_MOST_WORDS = 1000  # of cells that are kept once, as those of labels are
_ROW_COST, _CELL_COST = 64, 49  # bytes in CPython, beside a row's mapping and a cell's characters; short ones are shared
_SHARE = 1.02  # up to which numbers may be shares

Row = Mapping[str, str]


def is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a CSV that begins with these rows lists pictures."""
    return _columns(rows).file is not None


def needs_names(columns: Sequence[str]) -> str:
    """What to say of a CSV that lists no pictures, such as one of numbers and labels."""
    if columns and columns[0].startswith("# Exported using VGG Image Annotator"):
        return "is a CSV of VIA 3, which is not read; save its project, as JSON"
    if _is_ours(columns):
        return "lists what Dentify found, which is no label; for drafts to correct there is `dentify dataset prelabel`"
    return f"needs a column of file names, as `file`; has {_told(columns)}"


def _is_ours(columns: Sequence[str]) -> bool:
    """Whether these are the columns of `findings.csv` or `summary.csv`: answers are no truth."""
    return any(tuple(columns[: len(ours)]) == ours for ours in _OURS)


def _told(columns: Sequence[str]) -> str:
    """Names of columns for a message, of which there may be a million."""
    told = ", ".join(printable(column)[:_LONGEST_NAME] or "(no name)" for column in columns[:_MOST_TOLD]) or "none"
    return told + (f" and {len(columns) - _MOST_TOLD:,} more" if len(columns) > _MOST_TOLD else "")


def tells_labels(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a CSV that begins with these rows may say something of its pictures beside their names, sources and splits."""
    table = _columns(rows)
    return table.boxed or bool(table.rest or table.told)


@dataclass
class _Columns:
    """What the columns of a table are.

    Attributes:
        names: of the columns; made up where the first line holds none.
        named: whether the first line names them.
        file: of the pictures' names.
        box: of the four numbers of a box, or of one that lists them; and how they are meant.
        form: `corners`, `sized`, `centred`, or empty without boxes.
        outline: of outlines, or of run lengths, as text.
        spelling: how its numbers are written.
        known: others by role: split, source, group, severity, score, width, height, folder.
        told: those that are called as what they tell: labels, vehicle, damage, severity.
        rest: those of which names say nothing.
    """

    names: list[str]
    named: bool = True
    file: str | None = None
    box: tuple[str, ...] = ()
    form: str = ""
    outline: str | None = None
    spelling: Spelling = field(default_factory=Spelling)
    known: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    @property
    def boxed(self) -> bool:
        return bool(self.box) or self.outline is not None


def _plain(column: str) -> str:
    """A column's name without case and marks.

    >>> _plain("Image Path"), _plain("bbox_x1"), _plain("is damaged?")
    ('imagepath', 'bboxx1', 'isdamaged')
    """
    return "".join(char for char in column.casefold() if char.isalnum())


def _columns(rows: Sequence[Sequence[str]]) -> _Columns:
    """What the columns of a table are by their names and first rows."""
    first = [cell_text(column.strip()) for column in rows[0]] if rows else []
    if any(_is_picture(cell) for cell in first):
        return _unnamed_columns(_filled(rows))
    table = _Columns(_distinct(first))
    if _is_ours(first):
        return table
    plain = {_plain(name): name for name in reversed(table.names)}
    body = [row for row in rows[1:] if len(row) == len(first)]
    pictures = {
        name
        for index, name in enumerate(table.names)
        if body and 2 * sum(_is_picture(row[index]) for row in body) >= sum(bool(row[index].strip()) for row in body) > 0
    }
    called = [plain[name] for name in _FILES if name in plain]
    likely = [name for name in called if name in pictures] or [name for name in table.names if name in pictures]
    table.file = next(iter([*likely, *(name for name in called if _plain(name) not in ("id",))]), None)
    for form, several in (("corners", _CORNERS), ("sized", _SIZED), ("centred", _CENTRED)):
        found = next((keys for keys in several if all(key in plain for key in keys)), None)
        if found and not table.box:
            table.box, table.form = tuple(plain[key] for key in found), form
    listed = next((plain[name] for name in _LISTED if name in plain), None)
    if not table.box and listed is not None:
        table.box, table.form = (listed,), "sized"
    drawn = (plain[key] for key in (*_OUTLINES, *_RUNS) if key in plain)
    table.outline = next((name for name in drawn if _is_outlines(name, table, body)), None)
    roles = {"split": _SPLIT, "source": _SOURCE, "group": _GROUP, "severity": _SEVERITY, "score": _SCORE, "folder": _FOLDER}
    for role, names in (roles | {"width": _WIDTH, "height": _HEIGHT}).items():
        column = next((plain[name] for name in names if name in plain and plain[name] not in table.box), None)
        if column is not None and column != table.file:
            table.known[role] = column
    used = {table.file, *table.box, table.outline, *table.known.values()}
    for name in table.names:
        if _plain(name) in _SEVERITY or (name not in used and _plain(name) in (*_LABELS, *_VEHICLE)):
            table.told.append(name)
        elif name not in used and _plain(name) not in _OTHERS:
            table.rest.append(name)
    return table


def _is_outlines(name: str, table: _Columns, body: Sequence[Sequence[str]]) -> bool:
    """Whether a column that is called as outlines are holds such; a place on a map is none."""
    index = table.names.index(name)
    cells = [cell for row in body if (cell := row[index].strip()).casefold() not in NOTHING]
    if _plain(name) in _RUNS:
        return any(runs_in(cell, sys.maxsize) is not None for cell in cells)
    return 2 * sum(outlines_in(cell) is not None for cell in cells) >= len(cells) > 0


def _filled(rows: Iterable[Sequence[str]]) -> list[str]:
    """A row that stands for all: of each column the first cell that holds something."""
    filled: list[str] = []
    for row in rows:
        filled += [""] * (len(row) - len(filled))
        for index, cell in enumerate(row):
            if not filled[index]:
                filled[index] = cell.strip()
    return filled


def _unnamed_columns(first: Sequence[str]) -> _Columns:
    """The columns of a table whose first line is a row: a picture, perhaps a set, labels, perhaps four numbers of a box."""
    if len(first) > _MOST_UNNAMED:
        return _Columns([], named=False)
    names = [f"column {number}" for number in range(1, len(first) + 1)]
    table = _Columns(names, named=False)
    numbers: list[str] = []
    for name, cell in zip(names, first, strict=True):
        if _is_picture(cell) and table.file is None:
            table.file = name
        elif cell.strip().casefold() in _SETS and "split" not in table.known:
            table.known["split"] = name
        elif number_in(cell.strip(), table.spelling) is not None:
            numbers.append(name)
        elif cell.strip():
            (table.rest if table.told else table.told).append(name)
    if len(numbers) in (4, 8) and len(first) >= 6:  # AutoML's may tell all four corners: first and third are enough
        table.box, table.form = tuple(numbers[:4] if len(numbers) == 4 else (*numbers[:2], *numbers[4:6])), "corners"
    elif len(numbers) == 6 and table.file is not None:  # makesense.ai: label, x, y, w, h, picture, its width and height
        table.box, table.form = tuple(numbers[:4]), "sized"
        table.known |= {"width": numbers[4], "height": numbers[5]}
    elif len(numbers) == 1 and not table.told:
        table.told.append(numbers[0])
    return table


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of columns, each once: of several that are called the same the later ones are numbered."""
    counts: Counter[str] = Counter()
    distinct = []
    for name in names:
        counts[name] += 1
        distinct.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return distinct


def _is_picture(cell: str) -> bool:
    return is_picture_name(cell.strip().partition("?")[0]) and not cell.strip().startswith(("{", "["))


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their labels: row by row, or, where rows are boxes, photo by photo."""
    unsaid = partial(read_rows, label_set.path, label_set.settings, lambda rule, where: None)
    table = _columns([row for _, row in islice(unsaid(), _FIRST_ROWS)])
    if table.file is None:
        raise DatasetError(f"{label_set.path}: {needs_names(table.names)}")
    if not table.named:
        label_set.on_note(f"{label_set.path}: the first line names no columns; what they are is told by their content")
        table = _unnamed_columns(_filled(row for _, row in unsaid()))
    rows = _rows(table, label_set)
    table.spelling = _spelling(table, rows, label_set)
    yield from (_boxes if table.boxed else _whole_photos)(table, rows, label_set)


def _rows(table: _Columns, label_set: LabelSet) -> list[tuple[int, Row]]:
    """The rows of a table by the names of its columns; cells that were quoted for spreadsheets are as they were before."""
    rows: list[tuple[int, Row]] = []
    size = label_set.path.stat().st_size
    cost = 0  # in bytes of memory
    words: dict[str, str] = {}  # that many cells hold, once
    place = table.names.index(table.file) if table.file is not None else None
    folder = table.names.index(table.known["folder"]) if "folder" in table.known else None
    lines = read_rows(label_set.path, label_set.settings, label_set.adjust)
    first: list[str] | None = None
    for line, cells in lines:
        if first is None:
            first = cells
            if table.named:
                continue
        elif table.named and cells == first:
            label_set.adjust("lines that repeat the names of columns are left out", f"{label_set.path}: line {line}")
            continue
        if len(cells) > len(table.names) and not any(cell.strip() for cell in cells[len(table.names) :]):
            cells = cells[: len(table.names)]
        elif not table.named:  # AutoML's rows end with the last label
            cells = [*cells, *[""] * (len(table.names) - len(cells))]
        if len(cells) != len(table.names):
            label_set.refuse(wrong_width(label_set.path, line, len(table.names)))
            continue
        texts = [cell_text(text) if "'" in (text := cell.strip()) else text for cell in cells]
        if place is not None:  # names of files are never quoted so
            texts[place] = cells[place].strip().removeprefix("./")
            if folder is not None and texts[folder] and texts[place] and not set("/\\") & set(texts[place]):
                texts[place] = f"{texts[folder].rstrip('/')}/{texts[place]}"
        row = {name: words.get(text, text) for name, text in zip(table.names, texts, strict=True)}
        if len(words) < _MOST_WORDS:
            words |= zip(texts, texts, strict=True)
        cost += _ROW_COST + sys.getsizeof(row) + sum(_CELL_COST + len(cell) for cell in cells if len(cell) > 1)
        check_cost(label_set.path, size, cost)
        rows.append((line, row))
    return rows


def _spelling(table: _Columns, rows: Sequence[tuple[int, Row]], label_set: LabelSet) -> Spelling:
    """How the numbers of boxes and sizes are written."""
    sizes = (table.known[key] for key in ("width", "height") if key in table.known)
    columns = (*(table.box if len(table.box) == 4 else ()), *sizes)
    delimiter = csv_delimiter(label_set.path)
    spelling = spelling_of((row[column] for _, row in rows for column in columns), delimiter)
    if spelling.unsure and not spelling.contrary:
        number = number_in(spelling.unsure, spelling)
        told = {"\t": "a tab"}.get(delimiter, f"`{delimiter}`")
        label_set.on_note(
            f"{label_set.path}: {spelling.unsure} is read as {number:.10g}, as cells end with {told}; where that is wrong, write"
            " numbers without marks between thousands"
        )
    return spelling


def _whole_photos(table: _Columns, rows: list[tuple[int, Row]], label_set: LabelSet) -> Iterator[Sample]:
    """Photos by their labels as a whole; the rows of a photo that is listed twice must agree."""
    assert table.file is not None
    severity = table.known.get("severity")
    answers = [name for name in table.told if _plain(name) in (*_VEHICLE, *_DAMAGE) and _holds(rows, name, _ANSWERS)]
    label = _label_column(table, rows, answers, label_set)
    ripik = {_plain(name) for name in table.names} == {"imageid", "filename", "label"}
    ticked: list[str] = []
    if label is None:
        ticked = [name for name in table.rest if _holds(rows, name, _ANSWERS) or _holds(rows, name, _CROSSES)]
    more = table.rest if label is not None and not table.named else []  # AutoML's further labels
    _check_read(table, [*answers, *ticked, *more, *([label] if label else []), *([severity] if severity else [])], label_set)
    pictures = label_set.pictures()
    seen: dict[str, tuple[tuple[str, ...], int]] = {}
    said_before: dict[tuple[str, ...], tuple[str, ...]] = {}  # of the same words one tuple is enough
    for line, row in rows:
        where = f"{label_set.path}: line {line}"
        name = row[table.file]
        try:
            if not name:
                raise DatasetError(f"{where}: needs a file name")
            labels = _labels(row, label, ticked, where, label_set, ripik=ripik)
            labels += tuple(row[name] for name in more if row[name])
            level = row[severity] if severity is not None else ""
            said = {"vehicle" if _plain(column) in _VEHICLE else "damage": _ANSWERS[row[column].lower()] for column in answers}
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
            seen[name] = (said_before.setdefault(words, words), line)
            picture = pictures.find(name, where)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        yield Sample(
            image=picture,
            name=name,
            vehicle=said.get("vehicle"),
            damage=said.get("damage"),
            severity=severity_word(level),
            source=_cell(row, table, "source"),
            group=_cell(row, table, "group"),
            split=_split(row, table, label_set),
            labels=labels,
            where=where,
        )


def _label_column(table: _Columns, rows: Sequence[tuple[int, Row]], answers: Collection[str], label_set: LabelSet) -> str | None:
    """The column of labels: the one that the label map's `attribute` names, else one with a telling name, else by its content.

    Of several with a telling name one that holds words goes before one of numbers.
    """
    if label_set.attribute is not None:
        wanted = [name for name in table.names if _plain(name) == _plain(label_set.attribute)]
        if wanted:
            return wanted[0]
        label_set.on_note(told_missing(label_set.attribute))
    of_severity = [name for name in table.told if _plain(name) in _SEVERITY]
    called = [name for name in table.told if name not in (*answers, *of_severity)]
    called = [name for key in _LABELS for name in called if _plain(name) == key]
    worded = [name for name in called if any(row[name] and number_in(row[name], table.spelling) is None for _, row in rows)]
    if called:
        return (worded or called)[0]
    if not table.named and table.told:
        return table.told[0]
    for name in table.names if table.boxed else ():
        if _plain(name) in _NUMBERED and any(row[name] for _, row in rows):
            label_set.on_note(f"{label_set.path}: no column names labels; the numbers of {printable(name)!r} are the words")
            return name
    for name in table.rest:
        filled = [row[name] for _, row in rows if row[name]]
        if filled and 2 * sum(canonical_name(word) is not None or photo_word(word) is not None for word in filled) >= len(filled):
            label_set.on_note(f"{label_set.path}: labels are read from the column {printable(name)!r}, as its words are known")
            return name
    return None


def _check_read(table: _Columns, read_columns: Collection[str], label_set: LabelSet) -> None:
    """Tells which columns are not read, and refuses a table of which none is.

    Raises:
        DatasetError: no column can be read as labels.
    """
    if not read_columns and not table.told and not table.rest:
        label_set.on_note(f"{label_set.path}: lists photos and says nothing of them; it has {_told(table.names)}")
        return
    if not read_columns:
        raise DatasetError(
            f"{label_set.path}: no column can be read as labels; it has {_told(table.names)}; call the one that holds them"
            " `label`, or name it as `attribute` in --labels"
        )
    known = {*read_columns, *table.known.values()}  # there may be ten thousands of columns
    unread = [name for name in (*table.told, *table.rest) if name not in known]
    if unread:
        label_set.on_note(f"{label_set.path}: columns that are not read: {_told(unread)}")


def _holds(rows: Sequence[tuple[int, Row]], name: str, values: Collection[str]) -> bool:
    """Whether a column holds these values alone, in any case, and not only empty ones."""
    return all(row[name].lower() in values for _, row in rows) and any(row[name] for _, row in rows)


def _labels(
    row: Row, label: str | None, ticked: Sequence[str], where: str, label_set: LabelSet, *, ripik: bool
) -> tuple[str, ...]:
    if label is None:
        if ticked and any(not row[name] for name in ticked) and not all(row[name] in _CROSSES for name in ticked):
            label_set.adjust("empty cells in columns of 0 and 1 are read as 0", where)
        return tuple(name for name in ticked if row[name].lower() in _CROSSES[:-1] or _ANSWERS.get(row[name].lower()))
    words = words_in(row[label])
    for word in words:
        several = [one.strip() for one in word.split(",")]
        if len(several) > 1 and all(canonical_name(one) is not None or photo_word(one) is not None for one in several):
            words = [*(other for other in words if other != word), *several]
    if ripik:
        for word in words:
            if word.isdecimal() and word not in RIPIK:
                raise DatasetError(f"{where}: label {word} is none of Ripik's 1 to 6")
        words = [RIPIK.get(word, word) for word in words]
    return tuple(dict.fromkeys(words))


def _boxes(table: _Columns, rows: list[tuple[int, Row]], label_set: LabelSet) -> Iterator[Sample]:
    """Photos by their boxes, a row each, in the order in which the table names them first."""
    assert table.file is not None
    label = _label_column(table, rows, (), label_set)
    severity = table.known.get("severity")
    read_columns = [label] if label is not None else []
    if label is None:
        what = "boxes" if table.outline is None else "outlines"
        label_set.on_note(f"{label_set.path}: no column names what the {what} are of; they are {UNNAMED!r}")
    unread = [name for name in (*table.told, *table.rest) if name not in (*read_columns, severity)]
    if unread:
        label_set.on_note(f"{label_set.path}: columns that are not read: {_told(unread)}")
    by_photo: dict[str, list[tuple[int, Row]]] = {}
    for line, row in rows:
        if row[table.file]:
            by_photo.setdefault(row[table.file], []).append((line, row))
        else:
            label_set.refuse(DatasetError(f"{label_set.path}: line {line}: needs a file name"))
    if len(table.box) == 1:
        table.form = _form_of_listed(by_photo, table, label_set)
        told = "two corners" if table.form == "corners" else "a corner and a size"
        label_set.on_note(f"{label_set.path}: {printable(table.box[0])} is read as {told}, of pixels or shares")
    shares = _are_shares(table, rows)
    if shares:
        label_set.on_note(f"{label_set.path}: boxes are read as shares of the photo, as no number is above 1")
    labelled = frozenset(row[label] for _, row in rows if label and row[label]) or frozenset({UNNAMED})
    pictures = label_set.pictures()
    for name, of_photo in by_photo.items():
        where = f"{label_set.path}: line {of_photo[0][0]}"
        try:
            yield _boxed_photo(name, of_photo, table, label, labelled, pictures, where, label_set, shares=shares)
        except DatasetError as error:
            label_set.refuse(error)


def _form_of_listed(by_photo: Mapping[str, Sequence[tuple[int, Row]]], table: _Columns, label_set: LabelSet) -> str:
    """How four numbers in one cell are meant: corner and size, as COCO's, unless only two corners fit all photos.

    That can only be where the second pair is beyond the first in every row.
    """
    boxes = {
        name: [numbers for _, row in rows if (numbers := _numbers(row, table)) is not None] for name, rows in by_photo.items()
    }
    every = [box for of_photo in boxes.values() for box in of_photo]
    if not every or not all(c > a and d > b for a, b, c, d in every):
        return "sized"
    pictures, silent = label_set.pictures(), label_set.silent()
    shares = max(map(max, every)) <= _SHARE
    sized = corners = True
    for name, of_photo in boxes.items():
        where = f"{label_set.path}: line {by_photo[name][0][0]}"
        size_hw = None
        with suppress(DatasetError):  # told when its turn comes
            size_hw = _size_hw(by_photo[name][0][1], table, where) or silent.size_of(pictures.find(name, where))
        height, width = (1.0, 1.0) if shares else size_hw or (math.inf, math.inf)
        sized &= all(a + c <= width * _SHARE and b + d <= height * _SHARE for a, b, c, d in of_photo)
        corners &= all(c <= width * _SHARE and d <= height * _SHARE for a, b, c, d in of_photo)
    return "corners" if corners and not sized else "sized"


def _boxed_photo(
    name: str,
    rows: Sequence[tuple[int, Row]],
    table: _Columns,
    label: str | None,
    labelled: frozenset[str],
    pictures: Pictures,
    where: str,
    label_set: LabelSet,
    *,
    shares: bool,
) -> Sample:
    picture = pictures.find(name, where)
    size_hw = _size_hw(rows[0][1], table, where) or label_set.size_of(picture)
    if shares and size_hw is None:
        fault = "cannot be read" if is_file(picture) else "is missing"
        raise DatasetError(f"{where}: the picture {picture} {fault}; without its size shares of it are no pixels")
    annotations: list[Annotation] = []
    words: list[str] = []
    severity = table.known.get("severity")
    for line, row in rows:
        place = f"{label_set.path}: line {line}"
        word = row[label] if label is not None else UNNAMED
        try:
            drawn = table.outline is not None and row[table.outline].casefold() not in (*NOTHING, "-1")
            if not drawn and all(row[column].casefold() in NOTHING for column in table.box):  # a photo without boxes
                words += words_in(word) if word and label is not None else []
                continue
            if not word:
                raise DatasetError(f"{place}: needs a label")
            score = row[table.known["score"]] if "score" in table.known else ""
            level = severity_word(row[severity]) if severity is not None else None
            if level is None and severity is not None and row[severity].casefold() not in NOTHING:
                label_set.adjust(f"severities of boxes other than {', '.join(SEVERITY_LEVELS)} are left out", place)
            if drawn:
                outlined = _outline(word, row, table, size_hw, place, label_set)
            else:
                outlined = Annotation(word, _box(row, table, size_hw, place, label_set, shares=shares))
            score_of = _score(score, table, place) if score else None
            annotations.append(replace(outlined, severity=level, score=score_of))
        except DatasetError as error:
            label_set.refuse(error)
    first = rows[0][1]
    return Sample(
        image=picture,
        name=name,
        size_hw=size_hw,
        annotations=tuple(annotations),
        labelled=labelled,
        source=_cell(first, table, "source"),
        group=_cell(first, table, "group"),
        split=_split(first, table, label_set),
        labels=tuple(dict.fromkeys(words)),
        where=where,
    )


def _numbers(row: Row, table: _Columns) -> tuple[float, float, float, float] | None:
    """The four numbers of a box; `None` where they are not such."""
    if len(table.box) == 1:
        return box_in(row[table.box[0]], table.spelling)
    return four_numbers([number_in(row[column], table.spelling) for column in table.box])


def _outline(word: str, row: Row, table: _Columns, size_hw: Size | None, where: str, label_set: LabelSet) -> Annotation:
    """The thing that a row outlines, by polygons or by Kaggle's run lengths."""
    assert table.outline is not None
    cell = row[table.outline]
    if _plain(table.outline) in _RUNS:
        rle = _runs(cell, size_hw, where, label_set)
        box = rle_to_box(rle)
        assert box is not None
        return Annotation(word, box, rle=rle)
    pieces = outlines_in(cell)
    if pieces is None:
        raise DatasetError(f"{where}: needs an outline as x, y, x, y …, got {printable(cell)!r:.60}")
    if leaves_holes(cell):
        label_set.adjust("holes of polygons are filled", where)
    polygons = check_pieces(pieces, size_hw, where, label_set)
    return Annotation(word, polygons_to_box(polygons), polygons)


def _runs(cell: str, size_hw: Size | None, where: str, label_set: LabelSet) -> Mask:
    if size_hw is None:
        raise DatasetError(f"{where}: run lengths need the size of their photo, and neither the table nor a picture tells it")
    check_mask_size(size_hw, where, label_set.settings)
    counts = runs_in(cell, size_hw[0] * size_hw[1])
    if counts is None:
        told = f"needs run lengths as pairs of a start and a length on its photo, got {printable(cell)!r:.60}"
        raise DatasetError(f"{where}: {told}")
    return check_runs(counts, size_hw, where)


def _are_shares(table: _Columns, rows: Sequence[tuple[int, Row]]) -> bool:
    """Whether all boxes are told in shares of their photo: no number is above 1, and some are no whole ones."""
    boxes = [numbers for _, row in rows if (numbers := _numbers(row, table)) is not None]
    return bool(boxes) and max(map(max, boxes)) <= _SHARE and any(value % 1 for box in boxes for value in box)


def _box(row: Row, table: _Columns, size_hw: Size | None, where: str, label_set: LabelSet, *, shares: bool) -> Box:
    numbers = _numbers(row, table)
    if numbers is None:
        told = ", ".join(row[column] for column in table.box)
        raise DatasetError(f"{where}: a box needs four numbers, got {printable(told)!r:.60}")
    a, b, c, d = numbers
    if shares and size_hw is not None:
        (a, c), (b, d) = (a * size_hw[1], c * size_hw[1]), (b * size_hw[0], d * size_hw[0])
    corners = {"corners": (a, b, c, d), "sized": (a, b, a + c, b + d), "centred": (a - c / 2, b - d / 2, a + c / 2, b + d / 2)}
    return check_box(corners[table.form], size_hw, f"{where}: box", label_set.adjust)


def _score(cell: str, table: _Columns, where: str) -> float:
    score = number_in(cell, table.spelling)
    if score is None or not 0 <= score <= 1:
        raise DatasetError(f"{where}: confidence {printable(cell)!r:.40} is no number from 0 to 1")
    return score


def _size_hw(row: Row, table: _Columns, where: str) -> Size | None:
    """The photo's size, where the table tells it."""
    if not {"height", "width"} <= set(table.known):
        return None
    cells = [row[table.known[key]] for key in ("height", "width")]
    height, width = (number_in(cell, table.spelling) for cell in cells)
    return photo_size(cells[0] if height is None else height, cells[1] if width is None else width, where)


def _cell(row: Row, table: _Columns, role: str) -> str | None:
    return (row[table.known[role]] or None) if role in table.known else None


def _split(row: Row, table: _Columns, label_set: LabelSet) -> str | None:
    told = _cell(row, table, "split") or ""
    told = "" if told.casefold() in ("unassigned", "default") else told
    return label_set.split or split_in(told) or told or label_set.split_of(label_set.path)
