"""VGG Image Annotator, versions 1 to 3: projects, and exports as JSON or CSV.

Regions come as a list or, from version 1, as a dict; files as a dict by name and size or, from other tools, as a list. Which of
the annotators' own attributes names the type is told by the label map's `attribute`, else by the likeliest name. A file without a
value for it has `unnamed` regions. What our own writer says beside the type is read back. A polyline is read as the outline that
it closes to, circles and ellipses become polygons.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from dentify.assessment import Box
from dentify.datasets.attributes import (
    NOT_TICKED,
    SEVERITY_ATTRIBUTES,
    STATE_ATTRIBUTES,
    TICKS,
    TYPE_ATTRIBUTES,
    plain_name,
    said_beside,
    told_missing,
    values_of,
)
from dentify.datasets.documents import check_cost, json_cost, parse_json, read_csv
from dentify.datasets.formats.via3 import is_via3, to_version_2
from dentify.datasets.label_set import LabelSet
from dentify.datasets.labels import is_photo_word, severity_word
from dentify.datasets.numbers import to_float
from dentify.datasets.outlines import check_box, check_points, is_line
from dentify.datasets.output import IN_BROWSERS, Output, outline_polygons
from dentify.datasets.sample import UNNAMED, Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.polygons import Polygon, ellipse_to_polygon, polygons_to_box
from dentify.plain_yaml import RepeatedKeyError
from dentify.taxonomy import SEVERITY_LEVELS

_GENERAL_ATTRIBUTES = tuple(name for name in TYPE_ATTRIBUTES if name != "damage")  # too general to be a type themselves
_OWN_ATTRIBUTES = ("original", "confidence", "check")  # beside the type and severity, by our writer
_DAMAGED, _OF_DAMAGE = ("damage", "damaged", "is_damaged", "has_damage"), ("damage", "damages", "damage_type")  # of files
_CSV_COLUMNS = {"region_shape_attributes", "region_attributes"}
_CHECK, _BETWEEN_LABELS = "yes", ", "
_UNDEFINED = re.compile(r":\s*undefined\s*(?=[,}])")  # which version 2 writes for what was not filled in


@dataclass
class _File:
    """One entry: a photo and its regions, each with its place in the file."""

    name: str
    where: str
    regions: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    embedded: str = ""


def is_via(document: object) -> bool:
    """Whether a JSON document is VIA's: a project, or files with regions."""
    if is_via3(document) or (isinstance(document, dict) and isinstance(document.get("_via_img_metadata"), dict | list)):
        return True
    rows = _rows(document)
    first = next((row for _, row in rows if isinstance(row, dict)), None)
    return first is not None and "filename" in first and "regions" in first


def is_via_csv(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a CSV that begins with these rows is VIA's."""
    return bool(rows) and {column.strip() for column in rows[0]} >= _CSV_COLUMNS


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their regions, one by one, in the order of the file."""
    document = _of_version_2(label_set)
    project = document if isinstance(document, dict) else {}
    files = _csv_files(label_set) if document is None else _json_files(document, label_set)
    options = _options(project)
    for file in files:
        file.regions = [(where, shape, _described(said, options)) for where, shape, said in file.regions]
    choices = {key: list(words.values()) for key, words in options.items()}
    regions = [said for file in files for _, _, said in file.regions]
    attribute = _named_attribute(regions, label_set) or _type_attribute(regions, choices)
    classes = () if attribute == label_set.attribute else _class_attributes(regions, attribute)
    used = {word for attributes in regions for word in _words_of(attributes, attribute, classes)}
    leave = frozenset((*classes, *_OWN_ATTRIBUTES))
    labelled = frozenset(classes or choices.get(attribute) or used)
    split = label_set.split_of(label_set.path)
    pictures = label_set.pictures()
    for file in files:
        try:
            picture: Path | bytes = pictures.find(file.name, file.where)
        except DatasetError as error:
            label_set.refuse(error)
            continue
        size_hw = label_set.size_of(picture)
        if size_hw is None and file.embedded:
            try:
                picture = _embedded(file)
            except DatasetError as error:
                label_set.refuse(error)
                continue
        annotations: list[Annotation] = []
        for where, shape, attributes in file.regions:
            if shape.get("name") == "point":
                label_set.adjust("points are left out: they have no outline", where)
                continue
            try:
                if shape.get("name") == "polyline" and is_line(_points(shape, where)):
                    label_set.adjust("lines are left out: they enclose nothing", where)
                    continue
                box, polygon = _outline(shape, size_hw, where, label_set)
            except DatasetError as error:
                label_set.refuse(error)
                continue
            said = said_beside(attributes, leave=leave.union(_read(attributes, attribute)))
            annotations += [
                Annotation(
                    name=word,
                    box_xyxy=box,
                    polygons=() if polygon is None else (polygon,),
                    severity=_severity(attributes, attribute) or _level(attributes, word, classes),
                    **_own_facts(attributes, attribute),
                    attributes=said,
                )
                for word in _words_of(attributes, attribute, classes)
            ]
        yield Sample(
            image=picture,
            name=file.name,
            size_hw=size_hw,
            annotations=tuple(annotations),
            labelled=labelled,
            source=_text(file.attributes, "source"),
            group=_text(file.attributes, "group"),
            split=split,
            labels=_photo_labels(file, label_set),
            where=file.where,
        )


def _photo_labels(file: _File, label_set: LabelSet) -> tuple[str, ...]:
    """What is said of a photo as a whole: by attributes of damage, and by known words; others are told."""
    labels = [label for label in (_text(file.attributes, "labels") or "").split(_BETWEEN_LABELS) if label]
    for key, value in file.attributes.items():
        words = values_of(value)
        if key in ("source", "group", "labels") or not words:
            continue
        ticks = {word.casefold() for word in words}
        if plain_name(key) in _DAMAGED and ticks <= TICKS | NOT_TICKED:
            labels.append("damaged" if ticks & TICKS else "undamaged")
        elif plain_name(key) in _OF_DAMAGE or all(map(is_photo_word, words)):
            labels += words
        else:
            label_set.adjust(f"attributes of whole photos are left out: {printable(key)[:40]}", file.where)
    return tuple(dict.fromkeys(labels))


def _of_version_2(label_set: LabelSet) -> Any:
    """The document as versions 1 and 2 have it; `None` of a CSV."""
    if not is_via3(label_set.document):
        return label_set.document

    def refuse(place: str, error: DatasetError) -> None:
        label_set.refuse(DatasetError(f"{label_set.path}: {place}: {error}", kind=error.kind))

    return to_version_2(label_set.document, refuse, lambda text: label_set.adjust(text, str(label_set.path)))


def _rows(document: object) -> Iterator[tuple[str, Any]]:
    """The entries of an export, each with its key."""
    if isinstance(document, dict):
        metadata = document.get("_via_img_metadata")
        if isinstance(metadata, dict | list):
            yield from _rows(metadata)
        else:
            yield from ((f"{key!r:.80}", row) for key, row in document.items())
    elif isinstance(document, list):
        yield from ((f"[{index}]", row) for index, row in enumerate(document))


def _json_files(document: object, label_set: LabelSet) -> list[_File]:
    files = []
    for key, row in _rows(document):
        where = f"{label_set.path}: {printable(key)}"
        try:
            files.append(_json_file(row, where, label_set))
        except DatasetError as error:
            label_set.refuse(error)
    return files


def _json_file(row: object, where: str, label_set: LabelSet) -> _File:
    if not isinstance(row, dict) or not isinstance(row.get("filename"), str) or not row["filename"]:
        raise DatasetError(f"{where}: expected an object with filename and regions, got {row!r:.60}")
    regions = row.get("regions") or []
    if not isinstance(regions, list | dict):
        raise DatasetError(f"{where}: regions must be a list or an object, got {regions!r:.40}")
    embedded, said = row.get("base64_img_data"), row.get("file_attributes")
    file = _File(row["filename"], where, embedded=embedded if isinstance(embedded, str) else "")
    file.attributes = said if isinstance(said, dict) else {}
    for index, region in regions.items() if isinstance(regions, dict) else enumerate(regions):
        place = f"{where}: regions[{printable(str(index)):.40}]"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        attributes = (region.get("region_attributes") or {}) if isinstance(region, dict) else None
        if not isinstance(shape, dict) or not isinstance(attributes, dict):
            label_set.refuse(DatasetError(f"{place}: needs shape_attributes and region_attributes, got {region!r:.60}"))
            continue
        file.regions.append((place, shape, attributes))
    return file


def _csv_files(label_set: LabelSet) -> list[_File]:
    files: dict[str, _File] = {}
    size, cost = label_set.path.stat().st_size, 0
    for line, row in read_csv(label_set.path, label_set.settings, label_set.refuse, label_set.adjust):
        where = f"{label_set.path}: line {line}"
        name = row.get("filename") or row.get("#filename") or ""
        if not name:
            label_set.refuse(DatasetError(f"{where}: needs a filename"))
            continue
        cost += sum(json_cost(row.get(column) or "") for column in (*_CSV_COLUMNS, "file_attributes"))
        check_cost(label_set.path, size, cost)
        file = files.setdefault(name, _File(name, where))
        try:
            shape, attributes = (_json_cell(row[column], f"{where}: {column}") for column in sorted(_CSV_COLUMNS, reverse=True))
        except DatasetError as error:
            label_set.refuse(error)
            continue
        with suppress(DatasetError):  # ours are JSON; another's say nothing here, and may be anything
            file.attributes = _json_cell(row.get("file_attributes") or "", where)
        if shape:  # a photo without regions has one row with an empty shape
            file.regions.append((where, shape, attributes))
    return list(files.values())


def _json_cell(cell: str, where: str) -> dict[str, Any]:
    try:
        value = parse_json(_UNDEFINED.sub(":null", cell) or "{}")
    except RepeatedKeyError as error:
        raise DatasetError(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: must be JSON, got {cell!r:.60}") from error
    if not isinstance(value, dict):
        raise DatasetError(f"{where}: must be an object, got {cell!r:.60}")
    return value


def _type_attribute(regions: Iterable[Mapping[str, Any]], choices: Iterable[str]) -> str:
    """The attribute that most likely names the type: one with a telling name, else the one that is filled in most often."""
    filled: Counter[str] = Counter()
    for attributes in regions:
        filled.update(key for key, value in attributes.items() if _words(value) != [UNNAMED])
    for name in TYPE_ATTRIBUTES:
        for key in (*filled, *(choices if not filled else ())):
            if plain_name(key) == name:
                return key
    beside = (*SEVERITY_ATTRIBUTES, *_OWN_ATTRIBUTES, *STATE_ATTRIBUTES)
    others = {key: count for key, count in filled.items() if plain_name(key) not in beside}
    return max(others, key=lambda key: others[key], default="")


def _named_attribute(regions: Iterable[Mapping[str, Any]], label_set: LabelSet) -> str | None:
    """The attribute that a label map names, as the file spells it."""
    wanted = label_set.attribute
    if wanted is None:
        return None
    found = next((key for attributes in regions for key in attributes if plain_name(key) == plain_name(wanted)), None)
    if found is None:
        label_set.on_note(told_missing(wanted))
    return found


def _class_attributes(regions: Sequence[Mapping[str, Any]], likely: str) -> tuple[str, ...]:
    """The attributes that are a class each: ticked, or graded, where it holds, and empty elsewhere; none where one names types.

    Args:
        regions: what is said of each.
        likely: the attribute that would name types otherwise.
    """
    beside = (*SEVERITY_ATTRIBUTES, *_OWN_ATTRIBUTES, *STATE_ATTRIBUTES)
    marks: dict[str, set[str]] = {}
    for attributes in regions:
        for key, value in attributes.items():
            if plain_name(key) not in beside:
                marks.setdefault(key, set()).update(word.casefold() for word in values_of(value))
    ticked = {
        key: words
        for key, words in marks.items()
        if all(word in TICKS | NOT_TICKED or word == key.casefold() or severity_word(word) is not None for word in words)
        and plain_name(key) not in _GENERAL_ATTRIBUTES
    }
    if len(ticked) < 2 or not any(ticked.values()) or (likely and likely not in ticked):
        return ()
    return tuple(ticked)


def _options(project: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """By attribute of regions: what a project lets annotators choose from, where it does, with the word that each stands for.

    That is the option itself, as files have it, or, where that is but a number, what the project calls it.
    """
    attributes = project.get("_via_attributes")
    region = attributes.get("region") if isinstance(attributes, dict) else None
    given = {key: one.get("options") for key, one in region.items() if isinstance(one, dict)} if isinstance(region, dict) else {}
    return {
        key: {
            option: told.strip() if option.isdecimal() and isinstance(told, str) and told.strip() else option
            for option, told in options.items()
            if option
        }
        for key, options in given.items()
        if isinstance(options, dict)
    }


def _described(said: Mapping[str, Any], options: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    """What is said of a region, with words in place of the numbers of options."""
    if not any(key in options for key in said):
        return said

    def word(key: str, value: Any) -> Any:
        words = options.get(key, {})
        if isinstance(value, dict):
            return {words.get(option, option): ticked for option, ticked in value.items()}
        return words.get(value, value) if isinstance(value, str) else value

    return {key: word(key, value) for key, value in said.items()}


def _words(value: object) -> list[str]:
    """What an attribute says: text, a choice, or several ticked boxes."""
    return values_of(value) or [UNNAMED]


def _words_of(attributes: Mapping[str, Any], attribute: str, classes: Sequence[str] = ()) -> list[str]:
    """What a region is: the value of the attribute that names types, of its only one, or the name of one that is merely ticked.

    >>> _words_of({"type": "dent", "severity": "minor"}, "type"), _words_of({"Front": "dent"}, "Side")
    (['dent'], ['dent'])
    >>> _words_of({"dent": "1"}, "dent"), _words_of({"dent": "", "scratch": "1"}, "dent", classes=["dent", "scratch"])
    (['dent'], ['scratch'])
    """
    if classes:
        return [key for key in classes if any(word.casefold() not in NOT_TICKED for word in values_of(attributes.get(key)))] or [
            UNNAMED
        ]
    (attribute,) = _read(attributes, attribute) or ("",)
    words = _words(attributes.get(attribute))
    ticked = len(words) == 1 and words[0].casefold() in TICKS and attribute.casefold() not in _GENERAL_ATTRIBUTES
    return [attribute] if ticked else words


def _read(attributes: Mapping[str, Any], attribute: str) -> tuple[str, ...]:
    """The attribute that tells what a region is: the one that names types, else its only one."""
    if attribute not in attributes and len(attributes) == 1:
        return tuple(attributes)
    return (attribute,) if attribute in attributes else ()


def _severity(attributes: Mapping[str, Any], type_attribute: str) -> str | None:
    for key, value in attributes.items():
        if key != type_attribute and plain_name(key) in SEVERITY_ATTRIBUTES and isinstance(value, str):
            return severity_word(value)
    return None


def _level(attributes: Mapping[str, Any], name: str, classes: Sequence[str]) -> str | None:
    """How bad a region is whose class is graded instead of ticked."""
    words = values_of(attributes.get(name)) if name in classes else []
    return next((level for word in words if (level := severity_word(word)) is not None), None)


def _own_facts(attributes: Mapping[str, Any], type_attribute: str) -> dict[str, Any]:
    """What our writer says beside type and severity; another's `confidence` may be no number, and says nothing then."""
    said = {key: text for key in _OWN_ATTRIBUTES if key != type_attribute and (text := _text(attributes, key))}
    try:
        score = float(said.get("confidence", "nan"))
    except ValueError:
        score = math.nan
    return {
        "original": said.get("original"),
        "score": score if 0 <= score <= 1 else None,
        "check": said.get("check") == _CHECK,
    }


def _text(attributes: Mapping[str, Any], key: str) -> str | None:
    value = attributes.get(key)
    return value if isinstance(value, str) and value else None


def _outline(
    shape: Mapping[str, Any], size_hw: tuple[int, int] | None, where: str, label_set: LabelSet
) -> tuple[Box, Polygon | None]:
    """Box and, for all but rectangles, polygon of a region."""
    kind = shape.get("name")

    def number(key: str) -> float:
        return to_float(shape.get(key), f"{where}: {key}")

    match kind:
        case "rect" | "rectangle":
            x, y = number("x"), number("y")
            corners = (x, y, x + number("width"), y + number("height"))
            return check_box(corners, size_hw, f"{where}: rect", label_set.adjust), None
        case "circle":
            radius = number("r")
            polygon = _round(where, (number("cx"), number("cy")), (radius, radius), 0.0)
        case "ellipse":
            angle = to_float(shape.get("theta") or 0.0, f"{where}: theta")
            polygon = _round(where, (number("cx"), number("cy")), (number("rx"), number("ry")), angle)
        case "polygon" | "polyline":
            polygon = _points(shape, where)
            if len(polygon) < 3:
                raise DatasetError(f"{where}: needs three points or more, got {len(polygon)}")
        case _:
            raise DatasetError(f"{where}: shape {kind!r:.40} is none of polygon, polyline, rect, circle, ellipse")
    round_shape = kind in ("circle", "ellipse")
    polygon = check_points(polygon, size_hw, f"{where}: {kind}", label_set.adjust, reach=math.inf if round_shape else None)
    return polygons_to_box([polygon]), polygon


def _round(where: str, centre: tuple[float, float], radii: tuple[float, float], angle: float) -> Polygon:
    if not (np.isfinite([*centre, *radii, angle]).all() and min(radii) > 0 and max(radii) < 1e6):
        raise DatasetError(f"{where}: needs finite coordinates and radii above 0, got {radii[0]:g} and {radii[1]:g}")
    return ellipse_to_polygon(centre, radii, angle)


def _points(shape: Mapping[str, Any], where: str) -> Polygon:
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise DatasetError(f"{where}: needs all_points_x and all_points_y, lists of one length")
    rows = [[to_float(value, f"{where}: all_points") for value in values] for values in (xs, ys)]
    return np.array(rows, np.float64).T.reshape(-1, 2)


def _embedded(file: _File) -> bytes:
    data = file.embedded.partition("base64,")[2] or file.embedded
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DatasetError(f"{file.where}: base64_img_data is no base64") from error


def write(samples: Iterable[Sample], output: Output) -> None:
    """A project of version 2 a split (`via_project.json` without splits) and `images/`, to be opened in `via.html`."""
    projects: dict[str, tuple[TextIO, list[str]]] = {}
    with ExitStack() as stack:

        def open_project(stem: str) -> tuple[TextIO, list[str]]:
            stream = stack.enter_context(output.stream(f"{stem}.json"))
            stream.write('{"_via_img_metadata":{')
            return stream, []

        for sample in samples:
            stem = "via_project" if sample.split is None else output.split_name(sample.split, taken=("via_project",))
            if stem not in projects:
                projects[stem] = open_project(stem)
            stream, keys = projects[stem]
            name = output.picture(sample, shown=IN_BROWSERS)
            regions = [region for annotation in sample.annotations for region in _regions(annotation, output)]
            file_attributes = {key: value for key in ("source", "group") if (value := getattr(sample, key)) is not None}
            if sample.labels:
                file_attributes["labels"] = _BETWEEN_LABELS.join(sample.labels)
            size = output.file_size(f"images/{name}")
            entry = {"filename": name, "size": size, "regions": regions, "file_attributes": file_attributes}
            stream.write(",\n" if keys else "\n")
            stream.write(f"{_json(f'{name}{size}')}:{_json(entry)}")
            keys.append(f"{name}{size}")
            output.lose_all_but(sample, "severity", "score", "check", "original", "labels", "source")
        for stream, keys in projects.values() or [open_project("via_project")]:
            rest = _project(output) | {"_via_image_id_list": keys}
            stream.write(f"\n}},{_json(rest).removeprefix('{')}\n")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _project(output: Output) -> dict[str, Any]:
    """Settings and attributes, without which version 2 shows no project."""

    def choice(options: Iterable[str]) -> dict[str, Any]:
        return {"type": "dropdown", "description": "", "options": dict.fromkeys(options, ""), "default_options": {}}

    def text() -> dict[str, Any]:
        return {"type": "text", "description": "", "default_value": ""}

    region = {"type": choice(output.names), "severity": choice(SEVERITY_LEVELS)}
    region |= {key: text() for key in _OWN_ATTRIBUTES}
    shown = {"region_label": "type", "region_color": "type", "on_image_annotation_editor_placement": "NEAR_REGION"}
    core = {"buffer_size": 18, "filepath": {}, "default_filepath": "images/"}
    return {
        "_via_settings": {
            "ui": {"annotation_editor_height": 25, "annotation_editor_fontsize": 0.8, "image": shown},
            "core": core,
            "project": {"name": "dentify"},
        },
        "_via_attributes": {"region": region, "file": {key: text() for key in ("source", "group", "labels")}},
        "_via_data_format_version": "2.0.10",
    }


def _regions(annotation: Annotation, output: Output) -> Iterator[dict[str, Any]]:
    """The regions of one annotation."""
    attributes = {"type": annotation.name}
    attributes |= {key: value for key in ("severity", "original") if (value := getattr(annotation, key)) is not None}
    if annotation.score is not None:
        attributes["confidence"] = f"{annotation.score:.4f}"
    if annotation.check:
        attributes["check"] = _CHECK
    if not annotation.has_mask:
        x_min, y_min, x_max, y_max = annotation.box_xyxy
        shape: dict[str, Any] = {"name": "rect", "x": x_min, "y": y_min, "width": x_max - x_min, "height": y_max - y_min}
        yield {"shape_attributes": shape, "region_attributes": attributes}
        return
    polygons, holes = outline_polygons(annotation)
    output.lose("holes in masks were filled", holes)
    output.lose("things in several pieces became one a piece", int(len(polygons) > 1))
    for polygon in polygons:
        xs, ys = polygon.T.tolist()
        yield {"shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys}, "region_attributes": attributes}
