"""Pascal VOC: an XML file a picture, with boxes; polygons as Roboflow and the old LabelMe write them are read, too.

Coordinates are taken as they stand, from 0: all current tools write them so. The devkit of 2012 counted from 1, so its own files
come out one pixel to the right and below. Splits are the lists in `ImageSets/`, else what names of folders tell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dentify.datasets.attributes import said_beside
from dentify.datasets.documents import iterate_xml, read_text
from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.numbers import photo_size, to_float
from dentify.datasets.outlines import check_box, check_points
from dentify.datasets.pictures import Pictures, is_file, picture_parts, same_name
from dentify.datasets.sample import Annotation, Sample
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.imaging.polygons import Polygon, polygons_to_box, turned_rectangle

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MARK = re.compile(r"\s+(-1|0|1)$")  # whether a photo shows a class, behind its name in a list
_FLAGS = ("occluded", "truncated", "difficult")
_CALLED_SO = "pictures that are called as their label file, and not as it says, are taken"


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their objects, one by one, by the names of the XML files."""
    labelled = frozenset(_names(label_set))
    splits = _image_sets(label_set)
    pictures = label_set.pictures()
    for path in label_set.files:
        try:
            root = _document(path, label_set)
            yield _sample(path, root, splits.get(path.stem) or label_set.split_of(path), labelled, pictures, label_set)
        except DatasetError as error:
            label_set.refuse(error)


def _document(path: Path, label_set: LabelSet) -> Element:
    root = None
    for _, element in iterate_xml(path, label_set.settings):
        root = element if root is None else root
    if root is None or root.tag != "annotation":
        raise DatasetError(f"{path}: not VOC: expected <annotation>, got <{'' if root is None else root.tag}>")
    return root


def _names(label_set: LabelSet) -> set[str]:
    """Every name that the files use: what is not on a photo then is absent, not unknown."""
    names: set[str] = set()
    for path in label_set.files:
        try:
            names.update(element.findtext("name", "").strip() for element in _document(path, label_set).iter("object"))
        except DatasetError:
            continue  # told when its turn comes
    return names - {""}


def _image_sets(label_set: LabelSet) -> dict[str, str]:
    """Splits by the pictures' stems."""
    splits: dict[str, str] = {}
    stems = {path.stem for path in label_set.files}
    beside = dict.fromkeys((label_set.root, label_set.root.parent, *(path.parent.parent for path in label_set.files)))
    for folder in (parent / "ImageSets" for parent in beside if any(map(parent.is_relative_to, label_set.bounds))):
        for path in sorted(folder.glob("*/*.txt")):
            split = split_in(path.stem)
            if split is not None and path.stem in ("train", "val", "valid", "test"):
                for line in read_text(label_set.check_inside(path), label_set.settings).splitlines():
                    name = line.strip()
                    if name:
                        splits.setdefault(name if name in stems else _listed(_MARK.sub("", name)), split)
    return splits


def _listed(name: str) -> str:
    """The stem of a picture in a list, where names have no suffix, and whose dots are their own."""
    name = name.rsplit("/", 1)[-1]
    return Path(name).stem if is_picture_name(name) else name


def _sample(
    path: Path, root: Element, split: str | None, labelled: frozenset[str], pictures: Pictures, label_set: LabelSet
) -> Sample:
    parts = picture_parts((root.findtext("filename") or "").strip()) or (path.stem,)
    name = "/".join(parts)
    size_hw = _size_hw(root, path)
    beside = [path.parent, path.parent.parent / "images", path.parent.parent / "JPEGImages"]
    candidates = [folder / other for folder in beside for other in (name, f"{path.stem}{Path(name).suffix}")]
    picture = next((one for one in candidates if is_file(one)), None) if label_set.images is None else None
    if picture is None:
        picture = pictures.find(name, str(path))
        if not is_file(picture):  # tools copy the photo's file under the XML's name, or leave its suffix away
            picture = pictures.find_stem(path.stem, str(path)) or picture
    if is_file(picture) and picture.stem == path.stem and not same_name(Path(parts[-1]).stem, path.stem):
        label_set.adjust(_CALLED_SO, str(path))
    if size_hw is None:
        size_hw = label_set.size_of(picture)
    annotations: list[Annotation] = []
    for number, element in enumerate(root.iter("object")):
        where = f"{path}: object {number}"
        if (element.findtext("deleted") or "0").strip() == "1":
            continue
        try:
            annotations.append(_annotation(element, size_hw, where, label_set))
        except DatasetError as error:
            label_set.refuse(error)
    return Sample(picture, parts[-1], size_hw, tuple(annotations), labelled, split=split, where=str(path))


def _size_hw(root: Element, path: Path) -> tuple[int, int] | None:
    """The photo's size; `None` where tools wrote none, or 0."""
    for height, width in (("size/height", "size/width"), ("imagesize/nrows", "imagesize/ncols")):
        high, wide = ((root.findtext(key) or "").strip() for key in (height, width))
        if high or wide:
            return photo_size(high, wide, str(path), "size")
    return None


def _annotation(element: Element, size_hw: tuple[int, int] | None, where: str, label_set: LabelSet) -> Annotation:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise DatasetError(f"{where}: needs a name")
    said: dict[str, object] = {one.findtext("name", ""): one.findtext("value", "") for one in element.iter("attribute")}
    said |= {flag: (element.findtext(flag) or "").strip() in ("1", "yes") for flag in _FLAGS}
    attributes = said_beside(said)
    if element.find("part") is not None:
        label_set.adjust("parts of objects are left out: what they outline lies within their object", where)
    outline, box, turned = (element.find(key) for key in ("polygon", "bndbox", "robndbox"))
    place = f"{where} ({printable(name)})"
    if outline is not None:
        points = _points(outline, where)
        if len(points) >= 3 or box is None:
            polygon = check_points(_enough(points, where), size_hw, f"{place}: polygon", label_set.adjust)
            return Annotation(name, polygons_to_box([polygon]), (polygon,), attributes=attributes)
        label_set.adjust("outlines that enclose nothing, beside a box, are left out: the box is taken", where)
    if box is None and turned is not None:
        polygon = check_points(_turned(turned, where), size_hw, f"{place}: robndbox", label_set.adjust, reach=math.inf)
        return Annotation(name, polygons_to_box([polygon]), (polygon,), attributes=attributes)
    if box is None:
        raise DatasetError(f"{where}: needs a bndbox or a polygon")
    x_min, y_min, x_max, y_max = (
        to_float((box.findtext(key) or "").strip(), f"{where}: {key}") for key in ("xmin", "ymin", "xmax", "ymax")
    )
    box_xyxy = check_box((x_min, y_min, x_max, y_max), size_hw, f"{place}: bndbox", label_set.adjust)
    return Annotation(name, box_xyxy, attributes=attributes)


def _points(outline: Element, where: str) -> Polygon:
    """The old LabelMe's `<pt><x/><y/></pt>`, or Roboflow's `<x1/><y1/><x2/><y2/>`."""
    points = outline.findall("pt")
    if points:
        texts = [(point.findtext("x") or "", point.findtext("y") or "") for point in points]
    else:
        texts = []
        while (x := outline.findtext(f"x{len(texts) + 1}")) is not None:
            texts.append((x, outline.findtext(f"y{len(texts) + 1}") or ""))
    rows = [[to_float(value.strip(), f"{where}: polygon") for value in pair] for pair in texts]
    return np.array(rows, np.float64).reshape(-1, 2)


def _enough(points: Polygon, where: str) -> Polygon:
    if len(points) < 3:
        raise DatasetError(f"{where}: polygon: needs three points or more, got {len(points)}", kind="degenerate outline")
    return points


def _turned(box: Element, where: str) -> Polygon:
    """A turned box of roLabelImg: its centre, its sides, and an angle in radians."""
    keys = ("cx", "cy", "w", "h", "angle")
    x, y, width, height, angle = (to_float((box.findtext(key) or "").strip(), f"{where}: {key}") for key in keys)
    if not np.isfinite([x, y, width, height, angle]).all():
        raise DatasetError(f"{where}: holds a coordinate that is not a number (NaN or infinite)", kind="not a number")
    return turned_rectangle((x, y), (width, height), angle)
