"""VGG Image Annotator, version 3: its projects, in the form of version 2, which `via.py` reads.

A project holds `file`, `view` (which files are shown together), `attribute` and `metadata`: each thing that was drawn or said,
its shape as `[kind, numbers …]`, its attributes by their ids. Source: `_via_data.js` and `_via_util.js` of VIA 3.0.13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dentify.datasets.numbers import is_number
from dentify.errors import DatasetError, printable

_IMAGE = 2  # of a file's type; 4 is a video, 8 a sound
_KINDS = {  # what version 2 calls a shape, and how many numbers it has
    1: ("point", 2),
    2: ("rect", 4),
    3: ("circle", 3),
    4: ("ellipse", 4),
    5: ("polyline", 4),
    6: ("polyline", 0),
    7: ("polygon", 0),
    8: ("rectangle around four points", 8),
    9: ("circle through three points", 6),
}

Json = Mapping[str, Any]


def is_via3(document: object) -> bool:
    """Whether a JSON document is a project of version 3."""
    return isinstance(document, dict) and all(isinstance(document.get(key), dict) for key in ("file", "view", "metadata"))


def to_version_2(document: Json, refuse: Callable[[str, DatasetError], None], note: Callable[[str], None]) -> dict[str, Any]:
    """A project in the form of version 2; what does not hold is refused, by the key of its metadata, and left out.

    Args:
        document: the project.
        refuse: is given the place of what does not hold, and what is wrong with it.
        note: is given what else is left out.
    """
    attributes = {key: one for key, one in _objects(document.get("attribute")).items() if isinstance(one.get("aname"), str)}
    files = _files(document, refuse, note)
    for key, row in document["metadata"].items():
        try:
            if not isinstance(row, dict):
                raise DatasetError(f"expected an object, got {row!r:.60}")
            vid = str(row.get("vid"))
            if vid not in files:
                if vid not in document["view"]:
                    raise DatasetError(f"vid {vid!r:.40} is no view of this file")
                continue  # of a video, which was noted
            if row.get("z"):
                note("what has a time is left out: it belongs to a video or sound")
                continue
            said = _said(row.get("av"), attributes)
            if row.get("xy"):
                files[vid]["regions"][key] = {"shape_attributes": _shape(row["xy"]), "region_attributes": said}
            else:  # said of the whole photo
                files[vid]["file_attributes"] |= said
        except DatasetError as error:
            refuse(f"metadata {printable(key)!r:.60}", error)
    region = {one["aname"]: {"options": dict.fromkeys(_options(one).values(), "")} for one in attributes.values()}
    named = {f"{file['filename']} (view {vid})": file for vid, file in files.items()}
    return {"_via_img_metadata": named, "_via_attributes": {"region": region}}


def _objects(value: object) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in value.items() if isinstance(one, dict)} if isinstance(value, dict) else {}


def _files(document: Json, refuse: Callable[[str, DatasetError], None], note: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """By view: the photo that it shows, without regions yet."""
    files = _objects(document["file"])
    photos: dict[str, dict[str, Any]] = {}
    for vid, view in document["view"].items():
        fids = view.get("fid_list") if isinstance(view, dict) else None
        shown = [files.get(str(fid)) for fid in fids] if isinstance(fids, list) else []
        if len(shown) != 1 or shown[0] is None or not isinstance(shown[0].get("fname"), str) or not shown[0]["fname"]:
            if len(shown) > 1:
                note("views of several files side by side are left out")
            else:
                refuse(f"view {printable(vid)!r:.40}", DatasetError(f"shows no file of this project, got {view!r:.60}"))
        elif shown[0].get("type", _IMAGE) != _IMAGE:
            note("videos and sounds are left out")
        else:
            photos[vid] = {"filename": shown[0]["fname"], "regions": {}, "file_attributes": {}}
    return photos


def _options(attribute: Json) -> dict[str, str]:
    options = attribute.get("options")
    return {key: str(word) for key, word in options.items()} if isinstance(options, dict) else {}


def _said(values: object, attributes: Mapping[str, Json]) -> dict[str, Any]:
    """Attributes by name; of a choice the word, of several ticked boxes `{word: True}`, which are kept as `0,2`."""
    said: dict[str, Any] = {}
    for key, value in _pairs(values):
        attribute = attributes.get(key)
        if attribute is None:
            continue
        options = _options(attribute)
        chosen = [options[one] for one in value.split(",") if one in options]
        said[attribute["aname"]] = dict.fromkeys(chosen, True) if len(chosen) > 1 else chosen[0] if chosen else value
    return said


def _pairs(values: object) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in values.items()] if isinstance(values, dict) else []


def _shape(xy: object) -> dict[str, Any]:
    """A shape as version 2 has it.

    >>> _shape([2, 10, 20, 50, 80])
    {'name': 'rect', 'x': 10, 'y': 20, 'width': 50, 'height': 80}
    """
    if not isinstance(xy, list) or not all(is_number(value) for value in xy) or not xy or xy[0] not in _KINDS:
        raise DatasetError(f"xy must be a shape's kind, 1 to 9, and numbers, got {xy!r:.60}")
    name, count = _KINDS[xy[0]]
    numbers = xy[1:]
    if len(numbers) != count if count else len(numbers) % 2:
        raise DatasetError(f"xy of a {name} needs {count or 'pairs of'} numbers, got {len(numbers)}")
    xs, ys = numbers[::2], numbers[1::2]
    match name:
        case "point":
            return {"name": name, "cx": xs[0], "cy": ys[0]}
        case "rect":
            return {"name": name, "x": xs[0], "y": ys[0], "width": xs[1], "height": ys[1]}
        case "circle":
            return {"name": name, "cx": xs[0], "cy": ys[0], "r": xs[1]}
        case "ellipse":
            return {"name": name, "cx": xs[0], "cy": ys[0], "rx": xs[1], "ry": ys[1]}
        case "rectangle around four points":
            return {"name": "rect", "x": min(xs), "y": min(ys), "width": max(xs) - min(xs), "height": max(ys) - min(ys)}
        case "circle through three points":
            return _circle_through(xs, ys)
    return {"name": name, "all_points_x": xs, "all_points_y": ys}


def _circle_through(xs: Sequence[float], ys: Sequence[float]) -> dict[str, Any]:
    """The circle through three points."""
    points = np.column_stack([xs, ys]).astype(np.float64)
    sides = 2 * (points[1:] - points[0])
    if abs(np.linalg.det(sides)) < 1e-9:
        raise DatasetError("a circle needs three points that lie on no line")
    centre = np.linalg.solve(sides, (points[1:] ** 2).sum(axis=1) - (points[0] ** 2).sum())
    radius = float(np.linalg.norm(points[0] - centre))
    return {"name": "circle", "cx": float(centre[0]), "cy": float(centre[1]), "r": radius}
