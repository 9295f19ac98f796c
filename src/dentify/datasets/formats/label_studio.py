"""Label Studio's JSON, JSON-MIN and CSV: percent coordinates, brush masks in its own run lengths, choices for whole photos.

A task may be about several photos: of several `<Image>`, of a list in pages, or of a repeater; `to_name` and `item_index` tell
which one a region is on. Where several people labelled a photo, the ground truth is read, else the last annotation that was not
cancelled; a photo without annotations keeps its prediction, with its scores. Key points, relations and texts are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from dentify.assessment import Mask
from dentify.datasets.attributes import values_of
from dentify.datasets.documents import check_cost, json_cost, parse_json, read_csv
from dentify.datasets.label_set import MOST_ANNOTATIONS, LabelSet, split_in
from dentify.datasets.label_studio_rle import pack_rle, unpack_rle
from dentify.datasets.labels import is_photo_word, severity_word
from dentify.datasets.numbers import is_int, is_number, photo_size, to_float
from dentify.datasets.outlines import check_box, check_mask_size, check_points, mask_of, points_of
from dentify.datasets.output import IN_BROWSERS, Fact, JsonList, Output, xml_text
from dentify.datasets.pictures import Pictures, is_file, picture_parts
from dentify.datasets.png_masks import mask_in, picture_in
from dentify.datasets.row_runs import box_of, cut_out
from dentify.datasets.sample import UNNAMED, Annotation, Sample, kind_of
from dentify.errors import DatasetError, ShapeError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.masks import rle_decode, rle_to_box
from dentify.imaging.polygons import Polygon, ellipse_to_polygon, polygons_to_box, turned_rectangle
from dentify.plain_yaml import RepeatedKeyError
from dentify.taxonomy import SEVERITY_LEVELS, damage_colour, part_colour

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # put before a file's name when it is uploaded
_USUAL = ("image", "img", "ocr", "photo", "url")
_COUNTED = re.compile(r".*?(\d+)")
_SHAPES = {"rle": "brush", "points": "polygon", "radiusX": "ellipse", "width": "rectangle"}  # what a region's value tells of it
_OUTLINES = ("polygon", "rectangle", "ellipse", "brush", "bitmask", "vector")
_BESIDE = ("choices", "textarea", "number", "rating", "taxonomy", "datetime")
_MOST_SAID = 100  # answers about one region
_FIRST_TASKS = 100  # of a file that are looked at; those before the first that is labelled may lack all keys
_SHORT_FACTS = (
    "id",
    "annotator",
    "annotation_id",
    "created_at",
    "updated_at",
    "lead_time",
    "agreement",
    "source",
    "group",
    "split",
)
_TURNED = (
    "outlines that were drawn while Label Studio showed the photo turned (image_rotation) are taken for it as it is; check them"
)
_CHECK = "check"  # our writer's choice for what to look at first

Result = Mapping[str, Any]


def is_label_studio(document: object) -> bool:
    """Whether a JSON document is a list of Label Studio's tasks, be it in short, one of them, or an annotation of a storage."""
    rows = document[:_FIRST_TASKS] if isinstance(document, list) else [document]
    return any(_is_task(row) for row in rows if isinstance(row, dict)) or _is_stored(document)


def _is_task(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("data"), dict):
        return any(key in row for key in ("annotations", "completions", "predictions"))
    return "annotation_id" in row or "annotator" in row


def _is_stored(document: object) -> bool:
    """Whether a JSON document is one annotation, as Label Studio puts them into a storage, with its task within."""
    task = document.get("task") if isinstance(document, dict) else None
    return isinstance(document, dict) and isinstance(document.get("result"), list) and isinstance(task, dict) and "data" in task


def is_label_studio_csv(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a CSV that begins with these rows is Label Studio's: the short form, whose cells are JSON."""
    return bool(rows) and {"annotation_id", "annotator"} <= {column.strip() for column in rows[0]}


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their regions, one by one, in the order of the file."""
    tasks = list(_csv_tasks(label_set)) if label_set.path.suffix.lower() in (".csv", ".tsv") else _json_tasks(label_set)
    labelled = frozenset(label for _, task in tasks if isinstance(task, dict) for label in _labels_of(_results(task, None)))
    split = label_set.split_of(label_set.path)
    pictures = label_set.pictures()
    keys = {place.key for _, task in tasks if isinstance(task, dict) for place in _places_in_use(task)}
    for where, task in tasks:
        if not isinstance(task, dict):
            label_set.refuse(DatasetError(f"{where}: expected a task, got {task!r:.40}"))
            continue
        where = f"{where} (id {task.get('id')!r:.20})"
        results = _results(task, label_set)
        for photo, on_it in _by_photo(task, results, keys, where, label_set):
            try:
                yield _sample(task, photo, on_it, where, labelled, split, pictures, label_set)
            except DatasetError as error:
                label_set.refuse(error)


class _Photo(NamedTuple):
    """Where a task's data hold a picture: by key, and in a list by number; and the file's name that stands there."""

    key: str
    number: int | None
    name: str


def _photos(task: Mapping[str, Any]) -> list[_Photo]:
    """Every picture that a task's data hold."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    found: list[_Photo] = []
    for key, value in data.items():
        rows = value if isinstance(value, list) else [value]
        for number, row in enumerate(rows):
            texts = [text for text in row.values() if isinstance(text, str)] if isinstance(row, dict) and rows is value else [row]
            name = next((name for text in texts if isinstance(text, str) and is_picture_name(name := _file_name(text))), "")
            if name:
                found.append(_Photo(key, number if rows is value else None, name))
    return found


def _photo_of(result: Result, photos: Sequence[_Photo]) -> _Photo | None:
    """Which of several pictures a region is on; `None` where nothing tells."""
    to_name, number = result.get("to_name"), result.get("item_index")
    name = to_name if isinstance(to_name, str) else ""
    keys = list(dict.fromkeys(photo.key for photo in photos))
    counted = _COUNTED.fullmatch(name)  # `page_0`, as repeaters name them
    if name in keys:
        keys = [name]
    elif len(keys) > 1 and name:
        near = [key for key in keys if key.casefold() in name.casefold() or name.casefold() in key.casefold()]
        keys = near if len(near) == 1 else keys
    if not is_int(number):
        number = int(counted[1]) if counted is not None and name not in keys else None
    on_it = [photo for photo in photos if photo.key in keys and photo.number in (None, number)]
    return on_it[0] if len(on_it) == 1 else None


def _places_in_use(task: Mapping[str, Any]) -> Iterator[_Photo]:
    """The pictures of a task of several on which something is labelled."""
    photos = _photos(task)
    if len(photos) > 1:
        yield from (photo for one in _results(task, None) if (photo := _photo_of(one, photos)) is not None)


def _by_photo(
    task: Mapping[str, Any], results: list[Result], keys: Collection[str], where: str, label_set: LabelSet
) -> Iterator[tuple[_Photo | None, list[Result]]]:
    """The photos that a task is about, each with its regions; `None` for the only one that its data tell.

    Args:
        task: of the file.
        results: its regions.
        keys: of data whose pictures are labelled anywhere in the file; others are thumbnails and the like.
        where: what to begin messages with.
        label_set: is told what is on no photo.
    """
    every = _photos(task)
    photos = [photo for photo in every if photo.key in keys] if keys else every
    outlined = any(_kind(one) in _OUTLINES for one in results)
    usual = not keys and len({one.get("to_name") for one in results}) <= 1 and any(one.key in _USUAL for one in every)
    if len(photos) <= 1 or usual or not (keys or outlined):
        yield (photos[0] if len(photos) == 1 and len(every) > 1 else None), results
        return
    on: dict[_Photo, list[Result]] = {photo: [] for photo in photos}
    ids: dict[str, _Photo] = {}
    for number, result in enumerate(results):
        photo = _photo_of(result, photos)
        if photo is None and (same := _id(result)) in ids and same is not None:
            photo = ids[same]
        if photo is None:
            if _kind(result) in (*_OUTLINES, "", "choices"):
                held = ", ".join(dict.fromkeys(printable(one.key) for one in photos))
                told = f"result[{number}] is on {printable(str(result.get('to_name')))!r:.40}"
                label_set.refuse(DatasetError(f"{where}: {told}, and nothing tells which of several pictures that is ({held})"))
                return
            continue
        on[photo].append(result)
        if (own := _id(result)) is not None:
            ids[own] = photo
    yield from on.items()


def _json_tasks(label_set: LabelSet) -> list[tuple[str, Any]]:
    document = label_set.document
    if isinstance(document, dict) and _is_stored(document):
        document = {**document["task"], "annotations": [document]}
    if isinstance(document, dict) and _is_task(document):
        return [(str(label_set.path), document)]
    if not isinstance(document, list):
        raise DatasetError(f"{label_set.path}: not Label Studio: expected a list of tasks")
    return [(f"{label_set.path}: [{index}]", task) for index, task in enumerate(document)]


def _csv_tasks(label_set: LabelSet) -> Iterator[tuple[str, dict[str, Any]]]:
    size, cost = label_set.path.stat().st_size, 0
    for line, row in read_csv(label_set.path, label_set.settings, label_set.refuse, label_set.adjust):
        where = f"{label_set.path}: line {line}"
        cost += sum(map(json_cost, row.values()))
        check_cost(label_set.path, size, cost)
        try:
            yield where, {key: parse_json(cell) if cell.startswith(("[", "{")) else cell for key, cell in row.items()}
        except RepeatedKeyError as error:
            label_set.refuse(DatasetError(f"{where}: {error}"))
        except (ValueError, RecursionError):
            label_set.refuse(DatasetError(f"{where}: a cell is no JSON: {next(c for c in row.values() if c[:1] in '[{')!r:.60}"))


def _sample(
    task: Mapping[str, Any],
    photo: _Photo | None,
    results: Sequence[Result],
    where: str,
    labelled: frozenset[str],
    split: str | None,
    pictures: Pictures,
    label_set: LabelSet,
) -> Sample:
    picture = _picture(task, photo, where, pictures)
    size_hw = _size_hw(results, where) or label_set.size_of(picture)
    annotations: list[Annotation] = []
    choices: list[str] = []
    outlined_ids = {_id(result) for result in results if _kind(result) in _OUTLINES} - {None}
    named = {_id(result): _labels(result) for result in results if _kind(result) == ""}
    chosen: dict[str | None, list[str]] = {}
    said: dict[str | None, list[tuple[str, str]]] = {}
    for result in results:
        if _kind(result) == "choices":
            chosen.setdefault(_id(result), []).extend(_choices(result))
        if _id(result) is not None:
            said.setdefault(_id(result), []).extend(_said(result))
    beside = {key: tuple(pairs[:_MOST_SAID]) for key, pairs in said.items()}
    checked = {key for key, words in chosen.items() if _CHECK in words}
    levels = {key: next((level for word in words if (level := severity_word(word))), None) for key, words in chosen.items()}
    for number, result in enumerate(results):
        place = f"{where}: result[{number}] (id {result.get('id')!r:.20})"
        value, kind = result.get("value"), _kind(result)
        if kind in _BESIDE and _id(result) not in outlined_ids:  # else they are of that region alone
            choices += _photo_words(result, kind, place, label_set)
        if kind not in _OUTLINES:
            if kind not in ("", "choices", *_BESIDE):
                label_set.adjust(f"regions of kind {printable(kind)[:40]} are left out: they are no outline that is read", place)
            continue
        if kind == "vector" and isinstance(value, dict) and value.get("closed") is not True:
            label_set.adjust("lines are left out: they enclose nothing", place)
            continue
        try:
            if not isinstance(value, dict):
                raise DatasetError(f"{place}: needs a value, got {value!r:.40}")
            labels = _labels(result) or named.get(_id(result)) or [UNNAMED]
            outlined = _outlined(kind, value, size_hw, place, label_set)
            if is_number(result.get("image_rotation")) and result["image_rotation"] % 360:
                label_set.adjust(_TURNED, place)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        if len(annotations) > MOST_ANNOTATIONS:  # several regions may share the labels of another
            raise DatasetError(f"{where}: over the limit of {MOST_ANNOTATIONS:,} annotations of one photo")
        score, own = result.get("score"), _id(result)
        severity = next((level for word in labels if (level := severity_word(word))), levels.get(own))
        check = own in checked or _CHECK in labels
        annotations += [
            Annotation(
                name=label,
                box_xyxy=outlined.box_xyxy,
                polygons=outlined.polygons,
                rle=outlined.rle,
                id=own,
                score=float(score) if is_number(score) and 0 <= score <= 1 and result.get("_predicted") else None,
                severity=severity,
                check=check,
                attributes=beside.get(own, ()),
            )
            for label in labels
        ]
    told = _column(task, "split")
    return Sample(
        image=picture,
        name=picture.name,
        size_hw=size_hw,
        annotations=tuple(annotations),
        labelled=labelled if _is_labelled(task) else frozenset(),
        source=_column(task, "source"),
        group=_column(task, "group"),
        split=(split_in(told) or told) if told else split,
        labels=tuple(choices),
        where=f"{where} ({printable(picture.name)})",
    )


def _picture(task: Mapping[str, Any], photo: _Photo | None, where: str, pictures: Pictures) -> Path:
    """The picture that a task is about: an address, an upload, a file of its storage."""
    data = task.get("data") if isinstance(task.get("data"), dict) else task
    assert isinstance(data, dict)
    texts = [data[key] for key in _USUAL if isinstance(data.get(key), str)]
    names = [_file_name(text) for text in texts]
    names += [name for value in data.values() if isinstance(value, str) and is_picture_name(name := _file_name(value))]
    name = next((name for name in names if name), "") if photo is None else photo.name
    if not name:
        raise DatasetError(f"{where}: names no picture, its data hold {', '.join(map(str, data)) or 'nothing'}")
    for candidate in (name, _UPLOAD_PREFIX.sub("", picture_parts(name)[-1])):
        if is_file(picture := pictures.find(candidate, where)):
            return picture
    return pictures.find(picture_parts(name)[-1], where)


def _column(task: Mapping[str, Any], key: str) -> str | None:
    data = task.get("data")
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) and value else None


def _file_name(text: str) -> str:
    r"""The path of a picture in an address.

    >>> _file_name("/data/local-files/?d=photos%2Fa.jpg"), _file_name("s3://bucket/x/b.jpg"), _file_name("C:\\\\x\\\\c#1.jpg")
    ('photos/a.jpg', 'x/b.jpg', 'x/c#1.jpg')
    """
    if "://" in text or text.startswith("/"):
        try:
            address = urlsplit(text)
        except ValueError:  # of an address with a bracket that is never closed
            return ""
        local = parse_qs(address.query).get("d")
        text = local[0] if local else unquote(address.path)
    return "/".join(picture_parts(text))


def _results(task: Mapping[str, Any], label_set: LabelSet | None) -> list[Result]:
    """The regions of a task: of the annotation that counts, else of the last prediction."""
    if not isinstance(task.get("data"), dict):  # the short form: regions without `value` and `type`
        regions = [one for value in task.values() if isinstance(value, list) for one in value if isinstance(one, dict)]
        return [*map(_from_short, regions), *_short_choices(task, label_set)]
    annotations = _given(task, "annotations") or _given(task, "completions")
    whole = [one for one in annotations if not one.get("was_cancelled")]
    truth = [one for one in whole if one.get("ground_truth")]
    if len(whole) > 1 and label_set is not None:
        rule = "where several people labelled a photo, the ground truth or the last one's labels are read"
        label_set.adjust(rule, str(label_set.path))
    chosen = (truth or whole)[-1:]
    if chosen:
        return _with_shapes(_given(chosen[0], "result"))
    if label_set is not None and any(_given(draft, "result") for draft in _given(task, "drafts")):
        label_set.adjust("drafts that nobody submitted are left out", str(label_set.path))
    for prediction in reversed(_given(task, "predictions")):
        score = prediction.get("score")
        return _with_shapes([{"score": score, **one, "_predicted": True} for one in _given(prediction, "result")])
    return []


def _with_shapes(results: list[dict[str, Any]]) -> list[Result]:
    """Regions, of which those that are labels and hold an outline themselves are of that outline's kind."""
    outlined = {_id(one) for one in results if _kind(one) in _OUTLINES} - {None}
    shaped: list[Result] = []
    for one in results:
        value = one.get("value")
        if _kind(one) == "" and isinstance(value, dict) and _id(one) not in outlined:
            kind = next((kind for key, kind in _SHAPES.items() if key in value), "")
            if kind:
                one = {**one, "type": f"{kind}labels", "value": {**value, f"{kind}labels": _labels(one)}}
        shaped.append(one)
    return shaped


def _is_labelled(task: Mapping[str, Any]) -> bool:
    """Whether somebody, or a model, said what is on the photo, be it nothing; else all of it is unknown."""
    if not isinstance(task.get("data"), dict):
        return True
    annotations = _given(task, "annotations") or _given(task, "completions")
    return any(not one.get("was_cancelled") for one in annotations) or bool(_given(task, "predictions"))


def _given(task: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rows = task.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _short_choices(task: Mapping[str, Any], label_set: LabelSet | None) -> Iterator[Result]:
    """What the short form says of a photo as a whole, in a column for each question; columns of a task's data look alike."""
    for key, value in task.items():
        told = value.get("choices") if isinstance(value, dict) else value
        words = [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, str) and one.strip()]
        if not words or key in _SHORT_FACTS or any(is_picture_name(_file_name(word)) for word in words):
            continue
        asked = isinstance(value, dict) or any(name in key.casefold() for name in ("choice", "label", "class"))
        if asked or all(map(is_photo_word, words)):
            yield {"type": "choices", "from_name": key, "value": {"choices": words}}
        elif label_set is not None:
            label_set.adjust(f"columns of the short form are left out: {printable(key)[:40]}", str(label_set.path))


def _photo_words(result: Result, kind: str, where: str, label_set: LabelSet) -> list[str]:
    """What is said of a photo as a whole: choices, and the last steps of ways through a tree; other answers are told."""
    value = result.get("value")
    if kind == "choices":
        return _choices(result)
    if kind == "taxonomy" and isinstance(value, dict) and isinstance(value.get(kind), list):
        return [str(way[-1]) for way in value[kind] if isinstance(way, list) and way]
    label_set.adjust(f"answers about whole photos are left out: {kind}", where)
    return []


def _from_short(region: Mapping[str, Any]) -> Result:
    kind = next((key for key in region if key.endswith("labels")), "")
    return {**region, "value": region, "type": kind}


def _kind(result: Result) -> str:
    """What a region is: `polygon` of `polygonlabels` and `polygon`, empty for labels that another region carries."""
    kind = result.get("type")
    return kind.removesuffix("labels") if isinstance(kind, str) else ""


def _id(result: Result) -> str | None:
    value = result.get("id")
    return value if isinstance(value, str) else None


def _choices(result: Result) -> list[str]:
    value = result.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    return [str(choice) for choice in choices] if isinstance(choices, list) else []


def _said(result: Result) -> list[tuple[str, str]]:
    """What is said of a region beside its label: choices, texts, numbers, stars, by the name of their control."""
    value, kind = result.get("value"), _kind(result)
    if not isinstance(value, dict) or kind not in _BESIDE:
        return []
    given = value.get("text") if kind == "textarea" else value.get(kind)
    if kind == "taxonomy" and isinstance(given, list):  # ways through a tree
        given = [" / ".join(map(str, way)) if isinstance(way, list) else way for way in given]
    name = result.get("from_name")
    words = [word for word in values_of(given) if severity_word(word) is None and word != _CHECK]
    return [(name if isinstance(name, str) and name else kind, word) for word in words]


def _labels(result: Result) -> list[str]:
    value = result.get("value")
    if not isinstance(value, dict):
        return []
    for key in (result.get("type"), *(key for key in value if str(key).endswith("labels"))):
        if isinstance(key, str) and isinstance(value.get(key), list) and key.endswith("labels"):
            return [str(label) for label in value[key]]
    return []


def _labels_of(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        if _kind(result) in (*_OUTLINES, ""):
            yield from _labels(result)


def _size_hw(results: Iterable[Result], where: str) -> tuple[int, int] | None:
    for result in results:
        height, width = result.get("original_height"), result.get("original_width")
        size_hw = photo_size(height, width, where, "original_width and original_height")
        if size_hw is not None:
            return size_hw
    return None


def _outlined(
    kind: str, value: Mapping[str, Any], size_hw: tuple[int, int] | None, where: str, label_set: LabelSet
) -> Annotation:
    """The outline of a region, as an annotation without a name."""
    if size_hw is None:
        raise DatasetError(f"{where}: needs original_width and original_height; without them percents are no pixels")
    scale = np.array([size_hw[1], size_hw[0]], np.float64) / 100

    def pair(x: str, y: str) -> tuple[float, float]:
        across, down = np.array([to_float(value.get(key), f"{where}: {key}") for key in (x, y)]) * scale
        return float(across), float(down)

    if kind == "brush":
        check_mask_size(size_hw, where, label_set.settings)
        return _brush(value, size_hw, where, label_set)
    if kind == "bitmask":
        crop, corner_xy, picture_hw = mask_in(picture_in(value.get("imageDataURL"), where, "imageDataURL"), where, label_set)
        if picture_hw != size_hw:
            told = f"{picture_hw[1]} × {picture_hw[0]}, its photo {size_hw[1]} × {size_hw[0]}"
            raise DatasetError(f"{where}: its mask is {told}", kind="wrong size")
        return _masked(mask_of(crop, corner_xy, size_hw, where))
    if kind in ("polygon", "vector"):
        points = value.get("points")
        corners = value.get("vertices")
        if kind == "vector" and isinstance(corners, list):  # whose curves are told by their corners
            points = corners
        polygon = points_of(points, where) * scale
        if len(polygon) < 3:
            raise DatasetError(f"{where}: needs three points or more as [x, y], got {points!r:.60}")
        return _polygon_annotation(polygon, size_hw, where, label_set)
    turn = math.radians(to_float(value.get("rotation") or 0.0, f"{where}: rotation"))
    if not math.isfinite(turn):
        raise DatasetError(f"{where}: rotation must be a number of degrees, got {value.get('rotation')!r:.40}")
    if kind == "ellipse":
        radii = pair("radiusX", "radiusY")
        if not (min(radii) > 0 and max(radii) < 1e6):
            raise DatasetError(f"{where}: needs radii above 0, got {radii[0]:g} and {radii[1]:g}")
        return _polygon_annotation(ellipse_to_polygon(pair("x", "y"), radii, turn), size_hw, where, label_set, reach=math.inf)
    (x, y), (w, h) = pair("x", "y"), pair("width", "height")
    if turn == 0.0:
        return Annotation("", check_box((x, y, x + w, y + h), size_hw, f"{where}: rectangle", label_set.adjust))
    # turned around its top left corner
    centre = (x + w / 2 * math.cos(turn) - h / 2 * math.sin(turn), y + w / 2 * math.sin(turn) + h / 2 * math.cos(turn))
    return _polygon_annotation(turned_rectangle(centre, (w, h), turn), size_hw, where, label_set, reach=math.inf)


def _polygon_annotation(
    polygon: Polygon, size_hw: tuple[int, int], where: str, label_set: LabelSet, *, reach: float | None = None
) -> Annotation:
    polygon = check_points(polygon, size_hw, where, label_set.adjust, reach=reach)
    return Annotation("", polygons_to_box([polygon]), (polygon,))


def _brush(value: Mapping[str, Any], size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Annotation:
    packed = value.get("rle")
    if not isinstance(packed, list) or not all(is_int(byte) and 0 <= byte <= 255 for byte in packed):
        raise DatasetError(f"{where}: needs rle, a list of bytes, got {packed!r:.40}")
    try:
        starts, ends = unpack_rle(bytes(packed), size_hw)
    except ShapeError as error:
        raise DatasetError(f"{where}: {error}") from error
    box = box_of(starts, ends, size_hw[1])
    if box is None:
        raise DatasetError(f"{where}: is degenerate, it holds no pixel", kind="degenerate outline")
    label_set.check_unpacked((box[2] - box[0]) * (box[3] - box[1]), where)
    return _masked(mask_of(cut_out(starts, ends, size_hw[1], box), box[:2], size_hw, where))


def _masked(rle: Mask) -> Annotation:
    box = rle_to_box(rle)
    assert box is not None
    return Annotation("", box, rle=rle)


_CONTROLS = (("polygon", "PolygonLabels"), ("rectangle", "RectangleLabels"), ("brush", "BrushLabels"))


def write(samples: Iterable[Sample], output: Output) -> None:
    """`tasks.json`, `labels.xml` (the labelling configuration) and `images/`.

    A photo that a model alone drafted has a prediction with confidences, any other an annotation, and one that nobody labelled
    neither. Pictures are named as files of a local storage whose root is the output's folder.
    """
    photo_labels: dict[str, None] = {}
    looked_for: set[str] = set()
    used: set[str] = set()
    with output.stream("tasks.json") as stream:
        tasks = JsonList(stream)
        for number, sample in enumerate(samples, 1):
            size_hw = output.size_hw(sample)
            name = output.picture(sample, shown=IN_BROWSERS)
            result = [
                region
                for index, annotation in enumerate(sample.annotations)
                for region in _regions(annotation, index, size_hw, output)
            ]
            if sample.labels:
                photo_labels |= dict.fromkeys(sample.labels)
                result.append(_photo_choices(sample.labels))
            looked_for |= sample.labelled
            used |= {annotation.name for annotation in sample.annotations}
            facts = {key: value for key in ("source", "group", "split") if (value := getattr(sample, key)) is not None}
            task: dict[str, Any] = {"id": number, "data": {"image": f"/data/local-files/?d=images/{quote(name)}", **facts}}
            scores = [annotation.score for annotation in sample.annotations if annotation.score is not None]
            drafted = bool(scores) and len(scores) == len(sample.annotations)
            labelled = bool(result or sample.labelled)
            task["annotations"] = [{"result": result, "was_cancelled": False}] if labelled and not drafted else []
            task["predictions"] = (
                [{"model_version": "dentify", "score": round(min(scores), 4), "result": result}] if drafted else []
            )
            tasks.add(task)
            held: list[Fact] = ["severity", "check", "labels", "source"]
            held += ["score"] if drafted else []
            held += [] if labelled else ["labelled"]
            output.lose_all_but(sample, *held)
        tasks.close()
    output.lose("types that were looked for and not found count as not labelled", len(looked_for - used))
    output.text("labels.xml", _configuration(output.names, tuple(photo_labels)))


def _photo_choices(labels: Sequence[str]) -> dict[str, Any]:
    return {"id": "photo", "from_name": "photo", "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}


def _regions(annotation: Annotation, index: int, size_hw: tuple[int, int], output: Output) -> Iterator[dict[str, Any]]:
    """The regions of one annotation: its outline, and what is said of it."""
    height, width = size_hw
    percent = 100 / np.array([width, height], np.float64)
    values: list[tuple[str, dict[str, Any]]] = []
    if annotation.polygons:
        output.lose("things in several pieces became one a piece", int(len(annotation.polygons) > 1))
        values = [("polygon", {"points": (polygon * percent).tolist(), "closed": True}) for polygon in annotation.polygons]
    elif annotation.rle is not None:
        values = [("brush", {"format": "rle", "rle": pack_rle(rle_decode(annotation.rle))})]
    else:
        (x_min, y_min), (x_max, y_max) = (np.array(annotation.box_xyxy).reshape(2, 2) * percent).tolist()
        values = [("rectangle", {"x": x_min, "y": y_min, "width": x_max - x_min, "height": y_max - y_min, "rotation": 0})]
    for piece, (kind, value) in enumerate(values):
        region: dict[str, Any] = {"id": f"r{index}-{piece}", "to_name": "image", "image_rotation": 0}
        region |= {"original_width": width, "original_height": height}
        outline = {"from_name": kind, "type": f"{kind}labels", "value": {**value, f"{kind}labels": [annotation.name]}}
        score = {} if annotation.score is None else {"score": round(annotation.score, 4)}
        yield {**region, **outline, **score}
        if annotation.severity is not None:
            choices = {"from_name": "severity", "type": "choices", "value": {**value, "choices": [annotation.severity]}}
            yield {**region, **choices}
        if annotation.check:
            yield {**region, "from_name": _CHECK, "type": "choices", "value": {**value, "choices": [_CHECK]}}


def _configuration(names: Sequence[str], photo_labels: Sequence[str]) -> str:
    """The labelling configuration that shows the tasks."""
    lines = ["<View>", '  <Image name="image" value="$image" zoom="true"/>']
    for name, control in _CONTROLS:
        lines.append(f'  <{control} name="{name}" toName="image">')
        for label in names:
            colour = "#{:02x}{:02x}{:02x}".format(*(part_colour(label) if kind_of(label) == "part" else damage_colour(label)))
            lines.append(f'    <Label value={quoteattr(xml_text(label))} background="{colour}"/>')
        lines.append(f"  </{control}>")
    choices = (("severity", SEVERITY_LEVELS, True), (_CHECK, (_CHECK,), True), ("photo", photo_labels, False))
    for name, options, of_region in choices:
        if options:
            region = ' perRegion="true"' if of_region else ' choice="multiple"'
            lines.append(f'  <Choices name="{name}" toName="image"{region}>')
            lines += [f"    <Choice value={quoteattr(xml_text(option))}/>" for option in options]
            lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])
