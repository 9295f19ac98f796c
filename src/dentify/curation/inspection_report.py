"""An `Inspection` for people: a table for the terminal, and one HTML page with plots and photos that needs nothing else."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from dentify.curation.inspection import Inspected, Inspection, Problem, Spread
from dentify.datasets.drawing import draw_sample, name_colour
from dentify.datasets.labels import draft_label_map, nearest_names
from dentify.datasets.sample import UNTYPED, Sample
from dentify.errors import DatasetError, ImageError, MissingExtraError, printable
from dentify.imaging.draw import encode_jpeg
from dentify.pages import picture_address, render_page
from dentify.report.columns import Cells, aligned
from dentify.settings import Settings
from dentify.writing import check_apart, check_vacant, write_whole

MOST_LINES = 20
"""Problems and duplicates that the table tells one by one; the JSON holds all."""
MOST_TYPES = 40
"""Types that the page plots and shows photos of."""
FILES = ("inspection.json", "inspection.html", "labels.yaml")
"""What may be written; the last where there are words that nobody explained."""

_KINDS = {"no_vehicle": "no vehicle", "vehicle": "vehicle (damaged or not: unknown)", "unknown": "nothing"}
_MARKS = {"unsure": "unsure", "other_car": "of another vehicle", "loose": "of loose parts"}
_PAGE = "The page of an inspection"
_PICTURE_SIDE, _PICTURE_QUALITY = 420, 80
_MOST_PAIRS = 12
_MOST_VALUES = 8  # of an attribute
_LONGEST_CELL = 60  # characters of a name


def inspection_table(inspection: Inspection) -> str:
    """What an inspection found, for a terminal, without a trailing newline."""
    sections = [_head(inspection), "\n".join(f"note: {note}" for note in inspection.notes)]
    sections += [_splits(inspection), _types(inspection), _labels(inspection), _unknown(inspection), _attributes(inspection)]
    sections += [_problems(inspection), _duplicates(inspection)]
    return "\n\n".join(section for section in sections if section)


def write_inspection(
    inspected: Inspected, folder: Path | str, *, overwrite: bool = False, settings: Settings | None = None
) -> list[Path]:
    """Writes `inspection.json` and `inspection.html` into a folder, none of them in part.

    Where there are words that nobody explained, a draft of a label map comes with them, `labels.yaml`.

    Raises:
        OutputError: the folder cannot be written, or holds an inspection and `overwrite` is off.
        MissingExtraError: matplotlib is not installed.
    """
    folder = Path(folder)
    check_folder(folder, overwrite=overwrite)
    page = inspection_page(inspected, settings=settings)
    files = {
        folder / FILES[0]: f"{inspected.inspection.model_dump_json(indent=2)}\n".encode(),
        folder / FILES[1]: page.encode(errors="backslashreplace"),
    }
    if inspected.inspection.unknown:
        files[folder / FILES[2]] = draft_label_map(inspected.inspection.unknown).encode(errors="backslashreplace")
    write_whole(files)
    return list(files)


def check_folder(folder: Path, *, overwrite: bool, read: Iterable[Path] = ()) -> None:
    """Refuses a folder that an inspection must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds an inspection and `overwrite` is off; or what would be replaced is read.
    """
    check_vacant(folder, FILES, "the inspection", overwrite=overwrite)
    check_apart((folder / name for name in FILES), read)


def inspection_page(inspected: Inspected, *, settings: Settings | None = None) -> str:
    """One HTML page: figures, plots, photos of each type with their outlines, near-duplicates side by side, problems."""
    settings = settings or Settings()
    inspection = inspected.inspection
    tables = (("Splits", _splits(inspection)), ("Types", _types(inspection)), ("Labels", _labels(inspection)))
    others = (("Words that are not mapped", _unknown(inspection)), ("Attributes that are not read", _attributes(inspection)))

    return render_page(
        "inspection.html",
        title=inspection.path,
        head=_head(inspection),
        notes=inspection.notes,
        tables=[(heading, text) for heading, text in (*tables, *others) if text],
        plots=_plots(inspection),
        examples=_examples(inspected, settings),
        more_types=max(0, len(inspection.types) - MOST_TYPES),
        duplicates=_duplicates(inspection).splitlines()[0] if inspection.duplicates else "",
        pairs=_pairs(inspected, settings),
        problems=[(kind, [one.message for one in problems]) for kind, problems in _by_kind(inspection.problems).items()],
    )


def _head(inspection: Inspection) -> str:
    total = sum(split.annotations for split in inspection.splits.values())
    lines = [f"{printable(inspection.path)}: {inspection.title}, {inspection.photos} photos, {total} annotations"]
    if inspection.sizes is not None:
        sizes = inspection.sizes
        shapes = {"landscape": sizes.landscape, "portrait": sizes.portrait, "square": sizes.square}
        told = ", ".join(f"{count} {shape}" for shape, count in shapes.items() if count)
        lines.append(f"width {_whole(sizes.width)}, height {_whole(sizes.height)} pixels (least, median, most): {told}")
    marks = {_MARKS[mark]: count for mark, count in inspection.marks.items()}
    kinds = {_KINDS.get(kind, kind): count for kind, count in inspection.kinds.items()}
    for title, counts in (
        ("photos known as", kinds),
        ("sources", inspection.sources),
        ("severity of annotations", inspection.severities),
        ("severity of whole photos", inspection.photo_severities),
        ("views", inspection.views),
        ("annotations marked", marks),
    ):
        if counts:
            lines.append(f"{title}: {', '.join(f'{_cell(name)} {count}' for name, count in counts.items())}")
    if inspection.untyped:
        lines.append(f"damage of a type that nobody told: {inspection.untyped} annotations ({UNTYPED!r})")
    return "\n".join(lines)


def _splits(inspection: Inspection) -> str:
    rows: list[Cells] = [("split", "photos", "labelled", "annotations")]
    rows += [(_cell(name), str(one.photos), str(one.labelled), str(one.annotations)) for name, one in inspection.splits.items()]
    return aligned(rows)


def _types(inspection: Inspection) -> str:
    if not inspection.types:
        return ""
    splits = list(inspection.splits) if len(inspection.splits) > 1 else []
    head = ("type", "kind", "instances", "photos", "outlines", "area of the photo, median")
    ignored = any(one.ignored for one in inspection.types.values())
    rows: list[Cells] = [(*head, *(["to ignore"] if ignored else []), *map(_cell, splits))]
    for name, one in inspection.types.items():
        outlines = {"polygons": one.polygons, "masks": one.masks, "boxes": one.boxes}
        told = ", ".join(f"{count} {what}" for what, count in outlines.items() if count)
        area = "–" if one.area_share is None else _percent(100 * one.area_share.median)
        counts = [str(one.splits.get(split, 0)) for split in splits]
        counts = [*([str(one.ignored)] if ignored else []), *counts]
        rows.append((_cell(name), one.kind, str(one.instances), str(one.photos), told, area, *counts))
    return aligned(rows)


def _labels(inspection: Inspection) -> str:
    if not inspection.labels:
        return ""
    rows: list[Cells] = [("label of whole photos", "photos")]
    return aligned([*rows, *((_cell(name), str(count)) for name, count in inspection.labels.items())])


def _unknown(inspection: Inspection) -> str:
    """Words that nobody explained, with the names that may be meant."""
    if not inspection.unknown:
        return ""
    rows: list[Cells] = [("word that is not mapped", "times", "nearest names")]
    rows += [
        (_cell(word) or "(empty)", str(count), nearest_names(word).removeprefix("; did you mean ").removesuffix("?") or "–")
        for word, count in list(inspection.unknown.items())[:MOST_TYPES]
    ]
    more = f" … and {len(inspection.unknown) - MOST_TYPES} more." if len(inspection.unknown) > MOST_TYPES else ""
    told = f"They are neither damage nor parts until --labels says what each becomes; -o writes a draft of it, labels.yaml.{more}"
    return f"{aligned(rows)}\n{told}"


def _attributes(inspection: Inspection) -> str:
    """What was said beside labels, with the values that came most often."""
    if not inspection.attributes:
        return ""
    rows: list[Cells] = [("attribute that is not read", "times", "values")]
    for name, values in list(inspection.attributes.items())[:MOST_TYPES]:
        told = ", ".join(f"{_cell(value)} {count}" for value, count in list(values.items())[:_MOST_VALUES])
        more = f", {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
        rows.append((_cell(name), str(sum(values.values())), f"{told}{more}"))
    return aligned(rows)


def _problems(inspection: Inspection) -> str:
    if not inspection.problems:
        return "no problems" if inspection.pictures_read else "no problems (pictures were not opened)"
    counts = Counter(problem.kind for problem in inspection.problems)
    count = len(inspection.problems)
    lines = [f"{count} problem{'s' if count > 1 else ''}: {', '.join(f'{of} {kind}' for kind, of in counts.most_common())}"]
    lines += [f"  {problem.kind}: {problem.message}" for problem in inspection.problems[:MOST_LINES]]
    return "\n".join([*lines, *_more(count)])


def _duplicates(inspection: Inspection) -> str:
    if not inspection.pictures_read:
        return ""
    pairs = inspection.duplicates
    across = sum(pair.across for pair in pairs)
    lines = [f"{len(pairs)} pairs of duplicates and near-duplicates, {across} of them across splits"]
    for pair in pairs[:MOST_LINES]:
        what = "same file" if pair.exact else "near-duplicates"
        splits = f" ({', '.join(map(_cell, pair.splits))})" if pair.across else ""
        lines.append(f"  {what}: {printable(pair.first)}, {printable(pair.second)}{splits}")
    return "\n".join([*lines, *_more(len(pairs))])


def _more(count: int) -> list[str]:
    return [f"  … and {count - MOST_LINES} more; -o writes all of them"] if count > MOST_LINES else []


def _cell(name: str) -> str:
    """A name that someone else chose, fit for a column."""
    plain = printable(name)
    return plain if len(plain) <= _LONGEST_CELL else f"{plain[: _LONGEST_CELL - 1]}…"


def _percent(value: float) -> str:
    """Two digits of it, or 100."""
    return f"{value:.2g} %" if value < 99.5 else f"{value:.0f} %"


def _whole(spread: Spread) -> str:
    return f"{spread.min:.0f}, {spread.median:.0f}, {spread.max:.0f}"


def _by_kind(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    return kinds


def _plots(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Instances by split, and areas, of each type: alternative text and the picture as a data address."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(what=_PAGE, extra="data") from error
    if not inspection.types:
        return
    names = list(inspection.types)[:MOST_TYPES]
    figure = Figure(figsize=(11, 1.2 + 0.32 * max(len(names), 3)), layout="constrained")
    counts, areas = figure.subplots(1, 2, sharey=True)
    left = np.zeros(len(names))
    shades = np.linspace(0.25, 0.8, max(2, len(inspection.splits)))
    for split, shade in zip(inspection.splits, shades, strict=False):
        width = np.array([inspection.types[name].splits.get(split, 0) for name in names], float)
        counts.barh(range(len(names)), width, left=left, color=str(shade), label=_plain_label(split))
        left += width
    for place, total in enumerate(left):
        counts.text(total, place, f" {total:.0f}", va="center", fontsize="small")
    counts.set(xlabel="instances", title="Instances by split")
    counts.set_yticks(range(len(names)), [_plain_label(name) for name in names])
    counts.invert_yaxis()
    counts.margins(x=0.12)
    counts.legend(fontsize="small")
    for place, name in enumerate(names):
        share = inspection.types[name].area_share
        if share is not None:
            low, middle, high = (max(100 * value, 1e-4) for value in (share.min, share.median, share.max))
            areas.plot([low, high], [place, place], color="0.7", linewidth=3, solid_capstyle="butt")
            areas.plot([middle], [place], marker="o", color="black")
            areas.text(middle, place - 0.25, _percent(middle), ha="center", fontsize="small")
    areas.set(xscale="log", xlabel="% of the photo", title="Area: least, median, most")
    for axes in (counts, areas):
        axes.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that its font lacks is drawn as a box; the table has the name
        figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
    yield "Instances by split, and areas, of each type", picture_address(data.getvalue(), "png")


def _plain_label(name: str) -> str:
    """A name in which matplotlib finds no formula."""
    return _cell(name).replace("$", r"\$")


def _examples(inspected: Inspected, settings: Settings) -> Iterator[dict[str, Any]]:
    """Each type that has photos to show: its name, the colour of its outlines and the photos."""
    for name in list(inspected.inspection.types)[:MOST_TYPES]:
        if pictures := _pictures(((sample, sample.name) for sample in inspected.examples.get(name, [])), settings):
            yield {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*name_colour(name)), "pictures": pictures}


def _pairs(inspected: Inspected, settings: Settings) -> Iterator[list[tuple[str, str]]]:
    """Both photos of the first pairs of duplicates."""
    for pair in inspected.inspection.duplicates[:_MOST_PAIRS]:
        both = [(pair.first, pair.splits[0]), (pair.second, pair.splits[1])]
        known = [(inspected.photos[name], f"{name} ({split})") for name, split in both if name in inspected.photos]
        yield _pictures(known, settings)


def _pictures(photos: Iterable[tuple[Sample, str]], settings: Settings) -> list[tuple[str, str]]:
    """Photos as addresses that hold them, with their captions; those that cannot be read are left out."""
    drawn = []
    for sample, caption in photos:
        with suppress(DatasetError, ImageError):
            picture = encode_jpeg(draw_sample(sample, side=_PICTURE_SIDE, settings=settings), _PICTURE_QUALITY)
            drawn.append((picture_address(picture, "jpeg"), caption))
    return drawn
