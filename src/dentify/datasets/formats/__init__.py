"""Annotation formats, one file each, and the table of them.

A reader is given a `LabelSet` and yields `Sample`s in the source's own words, pictures unopened or by their header alone; a
writer is given samples and a folder. Recognising, label maps and the check of pictures are `datasets/dataset.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dentify.datasets.formats import (
    aihub,
    coco,
    createml,
    cvat,
    datumaro,
    folders,
    ground_truth,
    label_studio,
    labelme,
    masks,
    supervisely,
    tables,
    vehide,
    via,
    voc,
    vott,
    yolo,
)
from dentify.datasets.label_set import LabelSet
from dentify.datasets.output import Output
from dentify.datasets.sample import Sample
from dentify.settings import Settings


@dataclass(frozen=True)
class Format:
    """What there is to a format: how to read it and how to tell it from others.

    Attributes:
        title: for people.
        read: its samples.
        is_json: whether a parsed JSON file is of it.
        is_line: whether a file with a JSON object a line, of which this is the first, is of it.
        is_csv: whether a CSV that begins with these rows, the one of its names first, is of it.
        is_yaml: whether a YAML file is of it.
        xml_roots: outermost elements of its XML files.
        one_a_picture: whether each picture has a label file of its own.
        reads_attribute: whether its reader itself takes the attribute that a label map names for the type.
        in_folder: what there is of it in a folder with these files, where folders and not label files tell.
        write: samples into an output; what it cannot hold is told there.
    """

    title: str
    read: Callable[[LabelSet], Iterator[Sample]]
    is_json: Callable[[Any], bool] | None = None
    is_line: Callable[[Any], bool] | None = None
    is_csv: Callable[[Sequence[Sequence[str]]], bool] | None = None
    is_yaml: Callable[[Path, Settings], bool] | None = None
    xml_roots: tuple[str, ...] = ()
    one_a_picture: bool = False
    reads_attribute: bool = False
    in_folder: Callable[[Path, Sequence[Path]], list[LabelSet]] | None = None
    write: Callable[[Iterable[Sample], Output], None] | None = None


# The first of several that a folder holds is read: whole formats before plain ones.
FORMATS: dict[str, Format] = {
    "coco": Format("COCO JSON", coco.read, is_json=coco.is_coco, write=coco.write),
    "cvat": Format("CVAT for images 1.1", cvat.read, xml_roots=("annotations",), write=cvat.write),
    "via": Format(
        "VGG Image Annotator", via.read, is_json=via.is_via, is_csv=via.is_via_csv, reads_attribute=True, write=via.write
    ),
    "label_studio": Format(
        "Label Studio JSON",
        label_studio.read,
        is_json=label_studio.is_label_studio,
        is_csv=label_studio.is_label_studio_csv,
        write=label_studio.write,
    ),
    "datumaro": Format("Datumaro JSON", datumaro.read, is_json=datumaro.is_datumaro),
    "vehide": Format("VehiDE JSON", vehide.read, is_json=vehide.is_vehide),
    "aihub": Format("AI Hub JSON", aihub.read, is_json=aihub.is_aihub, one_a_picture=True),
    "supervisely": Format("Supervisely project", supervisely.read, is_json=supervisely.is_supervisely, one_a_picture=True),
    "vott": Format("VoTT export", vott.read, is_json=vott.is_vott),
    "vott_asset": Format("VoTT assets", vott.read, is_json=vott.is_vott_asset, one_a_picture=True),
    "ground_truth": Format("Ground Truth manifest", ground_truth.read, is_line=ground_truth.is_ground_truth),
    "labelme": Format("LabelMe JSON", labelme.read, is_json=labelme.is_labelme, one_a_picture=True),
    "createml": Format("Create ML JSON", createml.read, is_json=createml.is_createml),
    "yolo": Format("YOLO", yolo.read, is_yaml=yolo.is_yolo_yaml, in_folder=yolo.in_folder, write=yolo.write),
    "voc": Format("Pascal VOC", voc.read, xml_roots=("annotation",), one_a_picture=True),
    "masks": Format("mask PNGs", masks.read, in_folder=masks.in_folder, write=masks.write),
    "table": Format("CSV of files and labels", tables.read, is_csv=tables.is_table, reads_attribute=True),
    "folders": Format("folders by class", folders.read, in_folder=folders.in_folder),
}
