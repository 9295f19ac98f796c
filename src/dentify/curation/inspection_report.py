"""An `Inspection` for people: a table for the terminal, and one HTML page with plots and photos that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from dentify.arrays import Photo
from dentify.curation.inspection import Inspected, Inspection, Problem, Spread
from dentify.datasets.sample import UNTYPED, Annotation, Sample, kind_of
from dentify.errors import DatasetError, ImageError, MissingExtraError, printable
from dentify.imaging.decode import decode_photo
from dentify.imaging.draw import encode_jpeg
from dentify.imaging.masks import rle_to_crop
from dentify.imaging.polygons import box_to_polygon, rle_to_polygons
from dentify.report.columns import Cells, aligned
from dentify.settings import Settings
from dentify.taxonomy import RGB, damage_colour, part_colour
from dentify.writing import check_vacant, write_whole

MOST_LINES = 20
"""Problems and duplicates that the table tells one by one; the JSON holds all."""
MOST_TYPES = 40
"""Types that the page plots and shows photos of."""

_KINDS = {"no_vehicle": "no vehicle", "vehicle": "vehicle (damaged or not: unknown)", "unknown": "nothing"}
_MARKS = {"unsure": "unsure", "other_car": "of another vehicle", "loose": "of loose parts"}
_IGNORED_COLOUR: RGB = (150, 150, 150)
_PICTURE_SIDE, _PICTURE_QUALITY = 420, 80
_MOST_PAIRS = 12
_LONGEST_CELL = 60  # characters of a name
_FAR_AWAY = 2**18  # pixels from a drawing; OpenCV's fixed point numbers reach not much further


def inspection_table(inspection: Inspection) -> str:
    """What an inspection found, for a terminal, without a trailing newline."""
    sections = [_head(inspection), _splits(inspection), _types(inspection), _labels(inspection)]
    sections += [_problems(inspection), _duplicates(inspection)]
    sections.append("\n".join(f"note: {note}" for note in inspection.notes))
    return "\n\n".join(section for section in sections if section)


def write_inspection(
    inspected: Inspected, folder: Path | str, *, overwrite: bool = False, settings: Settings | None = None
) -> list[Path]:
    """Writes `inspection.json` and `inspection.html` into a folder, neither of them in part.

    Raises:
        OutputError: the folder cannot be written, or holds an inspection and `overwrite` is off.
        MissingExtraError: matplotlib is not installed.
    """
    folder = Path(folder)
    check_folder(folder, overwrite=overwrite)
    page = inspection_page(inspected, settings=settings)
    files = {
        folder / "inspection.json": f"{inspected.inspection.model_dump_json(indent=2)}\n".encode(),
        folder / "inspection.html": page.encode(errors="backslashreplace"),
    }
    write_whole(files)
    return list(files)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that an inspection must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds an inspection and `overwrite` is off.
    """
    check_vacant(folder, ("inspection.json", "inspection.html"), "the inspection", overwrite=overwrite)


def inspection_page(inspected: Inspected, *, settings: Settings | None = None) -> str:
    """One HTML page: figures, plots, photos of each type with their outlines, near-duplicates side by side, problems."""
    settings = settings or Settings()
    inspection = inspected.inspection
    body = [
        f"<h1>{_text(inspection.path)}</h1>",
        f"<p>{_text(_head(inspection))}</p>",
        *(f"<p class=note>{_text(note)}</p>" for note in inspection.notes),
    ]
    for title, text in (("Splits", _splits(inspection)), ("Types", _types(inspection)), ("Labels", _labels(inspection))):
        if text:
            body.append(f"<h2>{title}</h2><pre>{_text(text)}</pre>")
    body += [f'<img class=plot alt="{_text(name)}" src="{source}">' for name, source in _plots(inspection)]
    body += _example_rows(inspected, settings)
    body += _pair_rows(inspected, settings)
    if inspection.problems:
        body.append("<h2>Problems</h2>")
        for kind, problems in _by_kind(inspection.problems).items():
            lines = "\n".join(problem.message for problem in problems)
            body.append(f"<details><summary>{_text(kind)}: {len(problems)}</summary><pre>{_text(lines)}</pre></details>")
    return _PAGE.format(title=_text(inspection.path), body="\n".join(body))


def draw_sample(sample: Sample, *, side: int = _PICTURE_SIDE, settings: Settings | None = None) -> Photo:
    """A photo with the outlines of its annotations; grey is what is to be ignored.

    Args:
        sample: of a photo that can be read.
        side: pixels of the drawing's longer side.
        settings: the limits.

    Returns:
        `(h, w, 3)` uint8 RGB.

    Raises:
        DatasetError, ImageError: the picture cannot be read.
    """
    settings = settings or Settings()
    decoded = decode_photo(sample.read(settings), where=sample.name, settings=settings, enough_side=side)
    height, width = decoded.photo_hw
    scale = side / max(height, width)
    canvas_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.ascontiguousarray(cv2.resize(decoded.image, canvas_wh, interpolation=cv2.INTER_AREA), np.uint8)
    for annotation in sample.annotations:
        _draw_annotation(canvas, annotation, (height, width))
    return canvas


def _draw_annotation(canvas: Photo, annotation: Annotation, photo_hw: tuple[int, int]) -> None:
    colour = _IGNORED_COLOUR if annotation.ignored else _colour(annotation.name)
    rims = list(annotation.polygons)
    if annotation.rle is not None and annotation.rle.size == photo_hw:
        outer, holes = rle_to_polygons(annotation.rle)
        rims = [*outer, *holes]
        inside = rle_to_crop(annotation.rle, (0, 0, photo_hw[1], photo_hw[0]), canvas.shape[:2])
        canvas[inside] = (0.7 * canvas[inside] + 0.3 * np.array(colour)).astype(np.uint8)
    stretch = np.array([canvas.shape[1] / photo_hw[1], canvas.shape[0] / photo_hw[0]])
    rims = rims or [box_to_polygon(annotation.box_xyxy)]
    points = [np.round(np.minimum(rim * stretch, _FAR_AWAY) * 8).astype(np.int32) for rim in rims]
    cv2.polylines(canvas, points, True, (0, 0, 0), 3, cv2.LINE_AA, 3)
    cv2.polylines(canvas, points, True, colour, 1, cv2.LINE_AA, 3)


def _colour(name: str) -> RGB:
    return part_colour(name) if kind_of(name) == "part" else damage_colour(name)


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
        area = "–" if one.area_share is None else f"{100 * one.area_share.median:.2g} %"
        counts = [str(one.splits.get(split, 0)) for split in splits]
        counts = [*([str(one.ignored)] if ignored else []), *counts]
        rows.append((_cell(name), one.kind, str(one.instances), str(one.photos), told, area, *counts))
    return aligned(rows)


def _labels(inspection: Inspection) -> str:
    if not inspection.labels:
        return ""
    rows: list[Cells] = [("label of whole photos", "photos")]
    return aligned([*rows, *((_cell(name), str(count)) for name, count in inspection.labels.items())])


def _problems(inspection: Inspection) -> str:
    if not inspection.problems:
        return "no problems" if inspection.pictures_read else "no problems (pictures were not opened)"
    counts = Counter(problem.kind for problem in inspection.problems)
    lines = [f"{len(inspection.problems)} problems: {', '.join(f'{count} {kind}' for kind, count in counts.most_common())}"]
    lines += [f"  {problem.kind}: {problem.message}" for problem in inspection.problems[:MOST_LINES]]
    return "\n".join([*lines, *_more(len(inspection.problems))])


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
        raise MissingExtraError(what="The page of an inspection", extra="data") from error
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
            areas.text(middle, place - 0.25, f"{middle:.2g} %", ha="center", fontsize="small")
    areas.set(xscale="log", xlabel="% of the photo", title="Area: least, median, most")
    for axes in (counts, areas):
        axes.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that its font lacks is drawn as a box; the table has the name
        figure.savefig(data, format="png", dpi=110, metadata={"Software": None})
    yield "Instances by split, and areas, of each type", _address(data.getvalue(), "png")


def _plain_label(name: str) -> str:
    """A name in which matplotlib finds no formula."""
    return _cell(name).replace("$", r"\$")


def _example_rows(inspected: Inspected, settings: Settings) -> Iterator[str]:
    names = list(inspected.inspection.types)
    for name in names[:MOST_TYPES]:
        pictures = "".join(_figure(sample, sample.name, settings) for sample in inspected.examples.get(name, []))
        if pictures:
            colour = "#{:02x}{:02x}{:02x}".format(*_colour(name))  # of its outlines
            yield f'<h2 class=type style="border-color: {colour}">{_text(name)}</h2><div class=row>{pictures}</div>'
    if len(names) > MOST_TYPES:
        yield f"<p class=note>… and {len(names) - MOST_TYPES} more types, which neither plots nor photos show</p>"


def _pair_rows(inspected: Inspected, settings: Settings) -> Iterator[str]:
    pairs = inspected.inspection.duplicates
    if not pairs:
        return
    yield f"<h2>Duplicates and near-duplicates</h2><p>{_text(_duplicates(inspected.inspection).splitlines()[0])}</p>"
    for pair in pairs[:_MOST_PAIRS]:
        both = [(pair.first, pair.splits[0]), (pair.second, pair.splits[1])]
        known = [(inspected.photos[name], f"{name} ({split})") for name, split in both if name in inspected.photos]
        shown = "".join(_figure(sample, caption, settings) for sample, caption in known)
        yield f"<div class=row>{shown}</div>"


def _figure(sample: Sample, caption: str, settings: Settings) -> str:
    try:
        address = _address(encode_jpeg(draw_sample(sample, settings=settings), _PICTURE_QUALITY), "jpeg")
    except (DatasetError, ImageError):
        return ""
    return f'<figure><img loading=lazy alt="" src="{address}"><figcaption>{_text(caption)}</figcaption></figure>'


def _address(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _text(text: str) -> str:
    return html.escape(text, quote=True)


_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; color: #1c1f24; }}
h1 {{ font-size: 1.3rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
pre {{ background: #f4f5f7; padding: .8rem; overflow-x: auto; font-size: 13px; }}
.type {{ border-left: .6rem solid; padding-left: .5rem; }}
.note {{ color: #6b4e00; }}
.row {{ display: flex; flex-wrap: wrap; gap: .6rem; }}
figure {{ margin: 0; max-width: 280px; }}
figure img {{ width: 100%; display: block; }}
figcaption {{ font-size: 12px; overflow-wrap: anywhere; color: #555; }}
.plot {{ max-width: 100%; }}
p {{ white-space: pre-line; }}
summary {{ cursor: pointer; }}
</style>
<body>
{body}
</body>
</html>
"""
