"""CVAT for images 1.1: one XML file with polygons, boxes, masks, ellipses, their attributes, and tags of whole photos.

Read as a stream, an image at a time. Shapes of one image that share `group_id` and label are one thing in several pieces.
Tracks (of videos), points, skeletons and cuboids are left out with a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from dentify.assessment import Box, Mask
from dentify.datasets.attributes import plain_name, said_beside
from dentify.datasets.documents import iterate_xml
from dentify.datasets.label_set import LabelSet, split_in
from dentify.datasets.numbers import number_of, photo_size, to_float
from dentify.datasets.outlines import check_box, check_mask_size, check_points, is_line, mask_of
from dentify.datasets.output import Output, xml_text
from dentify.datasets.pictures import Pictures, is_file
from dentify.datasets.row_runs import box_of, cut_out, stretches_of
from dentify.datasets.sample import Annotation, Sample, join_pieces
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import Kind
from dentify.imaging.masks import rle_to_box, rle_to_crop
from dentify.imaging.polygons import Polygon, ellipse_to_polygon, polygons_to_box, turned_rectangle

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_OWN_ATTRIBUTES = ("original", "confidence", "check")  # beside the severity, by our writer
_SHOWN: tuple[Kind, ...] = (
    "JPEG",
    "PNG",
    "WebP",
    "GIF",
    "BMP",
    "TIFF",
)  # CVAT opens them with Pillow, and sends JPEGs to the browser
_LEFT_OUT = {"points": "points", "cuboid": "cuboids", "skeleton": "skeletons"}


def read(label_set: LabelSet) -> Iterator[Sample]:
    """Photos and their shapes, one by one, in the order of the file."""
    pictures = label_set.pictures()
    named: list[str] = []
    used: set[str] = set()
    root: Element | None = None
    track = tracks = images = False
    if not _has_label_list(label_set):
        used = _used_labels(label_set)
    for event, element in iterate_xml(label_set.path, label_set.settings):
        if root is None:
            root = element
        if event == "start":
            track = track or element.tag == "track"
            continue
        match element.tag:
            case "label" if element.find("name") is not None and element.find("parent") is None:
                if element.findtext("type") != "tag":  # those are of whole photos alone
                    named += [(element.findtext("name") or "").strip(), *_values(element, label_set.attribute)]
            case "track":
                label_set.adjust("tracks are left out: they belong to a video's frames", str(label_set.path))
                track, tracks = False, True
                element.clear()
            case "image" if not track:
                images = True
                try:
                    yield _sample(element, frozenset(named or used), pictures, label_set)
                except DatasetError as error:
                    label_set.refuse(error)
                root.clear()  # what is read is not held
    if tracks and not images:
        told = "holds tracks of a video alone, which are not read; export the task as `CVAT for images 1.1`"
        label_set.refuse(DatasetError(f"{label_set.path}: {told}"))


def _values(label: Element, attribute: str | None) -> Iterator[str]:
    """What a label's attribute that tells the type lets annotators choose from."""
    for one in label.iter("attribute"):
        if attribute is not None and plain_name(one.findtext("name") or "") == plain_name(attribute):
            yield from (value.strip() for value in (one.findtext("values") or "").splitlines() if value.strip())


def _has_label_list(label_set: LabelSet) -> bool:
    for event, element in iterate_xml(label_set.path, label_set.settings):
        if event == "end" and element.tag == "label" and element.find("name") is not None:
            return True
        if event == "start" and element.tag == "image":
            return False
    return False


def _used_labels(label_set: LabelSet) -> set[str]:
    """Every label that the file uses, where it does not list them."""
    used: set[str] = set()
    root: Element | None = None
    for event, element in iterate_xml(label_set.path, label_set.settings):
        root = element if root is None else root
        if event == "end" and element.tag == "image":
            used.update(str(shape.get("label")) for shape in element if shape.get("label") and shape.tag != "tag")
            root.clear()
    return used


def _sample(image: Element, labelled: frozenset[str], pictures: Pictures, label_set: LabelSet) -> Sample:
    where = f"{label_set.path}: image {image.get('id')!r:.20}"
    name = image.get("name")
    if not name:
        raise DatasetError(f"{where}: needs a name")
    where = f"{where} ({printable(name)})"
    subset = image.get("subset")
    subset = None if subset and subset.casefold() == "default" else subset  # CVAT's word for none
    picture = pictures.find(f"{subset}/{name}" if subset else name, where)
    picture = picture if is_file(picture) or not subset else pictures.find(name, where)
    size_hw = photo_size(image.get("height"), image.get("width"), where) or label_set.size_of(picture)
    if size_hw is None:
        raise DatasetError(f"{where}: needs width and height; neither the file nor a picture tells them")
    annotations: list[Annotation] = []
    groups: list[str | None] = []
    tags: list[str] = []
    for number, shape in enumerate(image):
        place = f"{where}: {shape.tag} {number}"
        if shape.tag in _LEFT_OUT:
            label_set.adjust(f"{_LEFT_OUT[shape.tag]} are left out: they have no outline", place)
            continue
        if shape.get("outside") == "1":
            label_set.adjust("shapes that are marked as outside are left out: what they outline is not seen", place)
            continue
        try:
            label = shape.get("label")
            if not label:
                raise DatasetError(f"{place}: needs a label")
            if shape.tag == "tag":
                tags.append(label)
                continue
            if shape.tag == "polyline" and is_line(_points(shape.get("points") or "", place)):
                label_set.adjust("lines are left out: they enclose nothing", place)
                continue
            annotations.append(_annotation(shape, label, size_hw, place, label_set))
        except DatasetError as error:
            label_set.refuse(error)
            continue
        group = shape.get("group_id")
        groups.append(group if group not in (None, "", "0") else None)
    return Sample(
        image=picture,
        name=name,
        size_hw=size_hw,
        annotations=join_pieces(annotations, groups),
        labelled=labelled,
        split=label_set.split or (split_in(subset) or subset if subset else None) or label_set.split_of(label_set.path),
        labels=tuple(tags),
        where=where,
    )


def _annotation(shape: Element, label: str, size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Annotation:
    attributes = {one.get("name", ""): (one.text or "").strip() for one in shape.iter("attribute")}

    def number(key: str) -> float:
        return to_float(shape.get(key), f"{where}: {key}")

    turn = math.radians(to_float(shape.get("rotation") or 0.0, f"{where}: rotation"))
    if not math.isfinite(turn):
        raise DatasetError(f"{where}: rotation must be a number of degrees, got {shape.get('rotation')!r:.40}")
    polygon: Polygon | None = None
    rle: Mask | None = None
    match shape.tag:
        case "box":
            x_min, y_min, x_max, y_max = (number(key) for key in ("xtl", "ytl", "xbr", "ybr"))
            if turn == 0.0:
                box = check_box((x_min, y_min, x_max, y_max), size_hw, f"{where}:", label_set.adjust)
            else:
                polygon = turned_rectangle(((x_min + x_max) / 2, (y_min + y_max) / 2), (x_max - x_min, y_max - y_min), turn)
        case "ellipse":
            radii = (number("rx"), number("ry"))
            if not (min(radii) > 0 and max(radii) < 1e6):
                raise DatasetError(f"{where}: needs radii above 0, got {radii[0]:g} and {radii[1]:g}")
            polygon = ellipse_to_polygon((number("cx"), number("cy")), radii, turn)
        case "polygon" | "polyline":
            polygon = _points(shape.get("points") or "", where)
            if len(polygon) < 3:
                raise DatasetError(f"{where}: needs three points or more, got {len(polygon)}")
        case "mask":
            check_mask_size(size_hw, where, label_set.settings)
            rle = _mask(shape, size_hw, where, label_set)
            box = _box_of(rle)
        case _:
            raise DatasetError(f"{where}: is none of polygon, box, mask, ellipse, polyline, tag")
    if polygon is not None:
        drawn = shape.tag in ("polygon", "polyline")
        polygon = check_points(polygon, size_hw, where, label_set.adjust, reach=None if drawn else math.inf)
        box = polygons_to_box([polygon])
    score = number_of(attributes.get("confidence"))
    score = score if score is not None and 0 <= score <= 1 else None
    read = [key for key in _OWN_ATTRIBUTES if key != "confidence" or score is not None]
    return Annotation(
        name=label,
        box_xyxy=box,
        polygons=() if polygon is None else (polygon,),
        rle=rle,
        original=attributes.get("original") or None,
        score=score,
        check=attributes.get("check") == "true",
        attributes=said_beside({**attributes, "occluded": shape.get("occluded") == "1"}, leave=read),
    )


def _points(text: str, where: str) -> Polygon:
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise DatasetError(f"{where}: needs points as x,y;x,y;…, got {text!r:.60}")
    return np.array([[to_float(value, where) for value in pair] for pair in pairs])


def _mask(shape: Element, size_hw: tuple[int, int], where: str, label_set: LabelSet) -> Mask:
    """CVAT's own run lengths: row by row within a box, beginning with zeros."""
    keys = ("left", "top", "width", "height")
    values = [to_float(shape.get(key), f"{where}: {key}") for key in keys]
    runs = [to_float(count, f"{where}: rle") for count in (shape.get("rle") or "").split(",") if count.strip()]
    whole = all(math.isfinite(value) and value == int(value) for value in (*values, *runs))
    if not whole or min((*values, *runs), default=-1) < 0:
        raise DatasetError(f"{where}: left, top, width, height and rle must be whole numbers from 0 on")
    left, top, width, height = (int(value) for value in values)
    if left + width > size_hw[1] or top + height > size_hw[0] or not width * height:
        raise DatasetError(
            f"{where}: a mask of {width} × {height} at ({left}, {top}) is empty or lies outside the photo of"
            f" {size_hw[1]} × {size_hw[0]}"
        )
    if sum(runs) != width * height:
        raise DatasetError(f"{where}: rle sums to {sum(runs):.15g}, the mask has {width * height} pixels")
    starts, ends = stretches_of([int(run) for run in runs])
    box = box_of(starts, ends, width)
    if box is None:
        raise DatasetError(f"{where}: is degenerate, it holds no pixel", kind="degenerate outline")
    label_set.check_unpacked((box[2] - box[0]) * (box[3] - box[1]), where)
    return mask_of(cut_out(starts, ends, width, box), (left + box[0], top + box[1]), size_hw, where)


def _box_of(rle: Mask) -> Box:
    box = rle_to_box(rle)
    assert box is not None
    return box


def write(samples: Iterable[Sample], output: Output) -> None:
    """`annotations.xml` and `images/`: polygons, boxes and masks; the pieces of one thing share a group."""
    photo_labels: dict[str, None] = {}
    images = 0
    with output.stream("images.part") as body:
        for sample in samples:
            height, width = output.size_hw(sample)
            name = output.picture(sample, shown=_SHOWN)
            subset = f" subset={_quoted(sample.split)}" if sample.split else ""
            body.write(f'  <image id="{images}" name={quoteattr(name)}{subset} width="{width}" height="{height}">\n')
            for label in sample.labels:
                photo_labels[label] = None
                body.write(f'    <tag label={_quoted(label)} source="manual"></tag>\n')
            for number, annotation in enumerate(sample.annotations, 1):
                for shape in _shapes(annotation, number):
                    body.write(f"    {shape}\n")
            body.write("  </image>\n")
            images += 1
            output.lose_all_but(sample, "severity", "score", "check", "original", "labels")
    odd = sum(xml_text(label) != label for label in {*output.names, *photo_labels})
    output.lose("control characters in labels were escaped", odd)
    with output.stream("annotations.xml") as whole:
        whole.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        whole.write(f"  <meta>\n    <task>\n      <size>{images}</size>\n      <mode>annotation</mode>\n      <labels>\n")
        for label in (*output.names, *(label for label in photo_labels if label not in output.names)):
            whole.write(_label(label, "any" if label in output.names else "tag"))
        whole.write("      </labels>\n    </task>\n  </meta>\n")
        output.append_to(whole, "images.part")
        whole.write("</annotations>\n")


def _label(name: str, kind: str) -> str:
    attributes = "".join(
        f"<attribute><name>{attribute}</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for attribute in ("severity", "original", "confidence", "check")
    )
    inside = attributes if kind == "any" else ""
    return f"        <label><name>{escape(xml_text(name))}</name><type>{kind}</type><attributes>{inside}</attributes></label>\n"


def _quoted(text: str) -> str:
    return quoteattr(xml_text(text))


def _shapes(annotation: Annotation, number: int) -> Iterator[str]:
    """The elements of one annotation."""
    facts = {"severity": annotation.severity, "original": annotation.original}
    facts["confidence"] = None if annotation.score is None else f"{annotation.score:.4f}"
    facts["check"] = "true" if annotation.check else None
    inside = "".join(f'<attribute name="{key}">{escape(xml_text(value))}</attribute>' for key, value in facts.items() if value)
    label_set = "manual" if annotation.score is None else "auto"
    common = f'label={_quoted(annotation.name)} source="{label_set}" occluded="0"'
    for polygon in annotation.polygons:
        points = ";".join(f"{x:.8g},{y:.8g}" for x, y in polygon)
        group = f' group_id="{number}"' if len(annotation.polygons) > 1 else ""
        yield f'<polygon {common} points="{points}" z_order="0"{group}>{inside}</polygon>'
    if annotation.polygons:
        return
    if annotation.rle is None:
        x_min, y_min, x_max, y_max = annotation.box_xyxy
        yield f'<box {common} xtl="{x_min:.8g}" ytl="{y_min:.8g}" xbr="{x_max:.8g}" ybr="{y_max:.8g}" z_order="0">{inside}</box>'
        return
    box = _box_of(annotation.rle)
    left, top, right, bottom = (int(value) for value in box)
    crop = rle_to_crop(annotation.rle, box, (bottom - top, right - left)).ravel()
    edges = np.flatnonzero(crop[1:] != crop[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [crop.size]])).tolist()
    counts = ", ".join(str(run) for run in ([0, *runs] if crop[0] else runs))
    yield (
        f'<mask {common} rle="{counts}" left="{left}" top="{top}" width="{right - left}" height="{bottom - top}"'
        f' z_order="0">{inside}</mask>'
    )
