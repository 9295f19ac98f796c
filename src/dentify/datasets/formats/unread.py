"""Formats that are recognised and not read: what they are called, so that nobody's labels are taken for something else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from dentify.errors import printable
from dentify.imaging.formats import SUFFIXES, is_picture_name

LINES = (".jsonl", ".ndjson", ".manifest")
"""Suffixes of files with a JSON object a line."""
_BINARY = {
    ".parquet": "Parquet table",
    ".arrow": "Arrow table",
    ".h5": "HDF5 file",
    ".hdf5": "HDF5 file",
    ".mat": "MATLAB file",
    ".xlsx": "Excel workbook",
    ".xls": "Excel workbook",
    ".ods": "workbook of LibreOffice",
}
_RECORD = re.compile(r".*\.(tf)?records?(-\d+-of-\d+)?", re.IGNORECASE)
_PROSE = re.compile(r"(readme|licen[cs]e|changelog|notice)\b.*|.*\.(md|py|ipynb|html?|pdf|log|sh|bat|ini)", re.IGNORECASE)
_SPEAKING = (".json", ".xml", *LINES)
_HEAD = 2**16  # bytes of a file that are looked at
_LONGEST_LINE = 2**20  # bytes of its first line: ten thousand boxes
_BRUSHES = "brush export of Label Studio"  # whose JSON holds the same masks, and says of which photos they are
_BRUSH = re.compile(r"task-\d+-annotation-\d+-by-.*\.(png|npy)", re.IGNORECASE)


def _is_all(row: object, *keys: str) -> bool:
    return isinstance(row, dict) and all(key in row for key in keys)


def product_of(document: object, *, line: bool = False) -> str | None:
    """What made a JSON document, or a file of lines that begins with it, that is of no format that is read.

    >>> product_of({"samples": [{"filepath": "data/a.jpg"}]}), product_of({"annotations": []})
    ('FiftyOne dataset', None)
    """
    first = next(iter(document), None) if isinstance(document, list) else document
    samples = document.get("samples") if isinstance(document, dict) else None
    classes = document.get("classes") if isinstance(document, dict) else None
    if isinstance(classes, list) and any(_is_all(one, "title", "shape") for one in classes[:1]):
        return "Supervisely project"
    if _is_all(document, "sample_fields") or (isinstance(samples, list) and any(_is_all(one, "filepath") for one in samples[:1])):
        return "FiftyOne dataset"
    if _is_all(document, "classes", "labels") and isinstance(document, dict) and isinstance(document["labels"], dict):
        return "FiftyOne dataset"
    for product, keys in (
        ("Labelbox export", ("data_row", "projects")),
        ("Labelbox export", ("Labeled Data", "Label")),
        ("V7 Darwin file", ("item", "annotations")),
        ("V7 Darwin file", ("dataset", "image", "annotations")),
        ("SuperAnnotate file", ("metadata", "instances")),
        ("Hasty export", ("images", "label_classes")),
        ("Kili export", ("externalId", "labels")),
        ("Encord export", ("label_hash", "data_units")),
        ("Dataloop file", ("annotations", "filename", "itemId")),
        ("VoTT project", ("sourceConnection", "tags")),
        ("Vertex AI import file", ("imageGcsUri",)),
        ("file of prompts and answers", ("image", "prefix", "suffix")),
        ("file of Scale AI", ("task_id", "response")),
        ("VoTT project of version 1", ("frames", "inputTags")),
        ("file of CVAT's own, as in its backups and of its SDK", ("shapes", "tracks")),
        ("file of MMDetection", ("metainfo", "data_list")),
        ("list of MMDetection", ("filename", "ann")),
        ("data set of Detectron2", ("file_name", "annotations", "image_id")),
        ("NDJSON file of Ultralytics", ("type", "task", "class_names")),
        ("file of Azure ML", ("image_url", "label")),
        ("list of COCO results, which say nothing of their photos", ("image_id", "category_id", "score")),
    ):
        if _is_all(first, *keys):
            return product
    return "Hugging Face image folder" if line and _is_all(first, "file_name") else None


def first_line(path: Path) -> object:
    """The first object of a file of lines; `None` where it is none."""
    try:
        with path.open("rb") as stream:
            line = stream.readline(_LONGEST_LINE)
        return json.loads(line)
    except (OSError, ValueError, RecursionError):
        return None


def is_brush_export(name: str) -> bool:
    """Whether a file is a mask of Label Studio's brush export, whose name tells a task and no photo."""
    return _BRUSH.fullmatch(name) is not None


def told_unread(path: Path, product: str) -> str:
    """What is said of it.

    >>> told_unread(Path("a/samples.json"), "FiftyOne dataset")
    'a/samples.json: this is a FiftyOne dataset, which is not read; export it as COCO'
    """
    article = "an" if product[0] in "AEIO" or product.startswith(("HDF5", "NDJSON")) else "a"
    advice = "export it as JSON" if product == _BRUSHES else "save it as CSV" if "workbook" in product else "export it as COCO"
    return f"{path}: this is {article} {product}, which is not read; {advice}"


def unread_product(path: Path, document: object) -> str | None:
    """What a file is called that is of no format that is read, by its content or its suffix."""
    suffix = path.suffix.lower()
    if suffix in _BINARY:
        return _BINARY[suffix]
    if _RECORD.fullmatch(path.name):
        return "TFRecord"
    if is_brush_export(path.name):
        return _BRUSHES
    if path.name == "gt.txt" and path.parent.name == "gt":
        return "ground truth of the MOT challenge"
    if path.name.endswith("_gtFine_labelIds.png"):
        return "export of Cityscapes"
    return product_of(document, line=suffix in LINES)


def speaks_of_pictures(path: Path, stems: Collection[str], beside: Collection[Path]) -> bool:
    """Whether a file of no known format may hold labels: it is called as a picture, or names one.

    Args:
        path: the file.
        stems: of the pictures that lie about.
        beside: the folders that they lie in.
    """
    called_so = path.stem in stems or is_picture_name(path.stem)
    if path.suffix.lower() == ".txt":  # beside its picture it may be a caption
        return called_so and path.parent not in beside
    if path.suffix.lower() not in _SPEAKING:
        return False
    if called_so:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD).lower()
    except OSError:
        return False
    return any(suffix.encode() in head for suffix in SUFFIXES)


def told_others(files: Iterable[Path]) -> str:
    """What is said of files that are no pictures, where no labels are found; empty where there are none.

    >>> told_others([Path("a.jpg"), Path("README.md"), Path("labels.txt"), Path("b.pkl")])
    ' (labels.txt and 1 more are of none)'
    """
    others = [path for path in files if not is_picture_name(path.name) and not _PROSE.fullmatch(path.name)]
    likely = sorted(others, key=lambda path: path.suffix.lower() not in (*_SPEAKING, ".csv", ".tsv", ".txt"))
    if not likely:
        return ""
    more = f" and {len(likely) - 1} more are" if len(likely) > 1 else " is"
    return f" ({printable(likely[0].name)}{more} of none)"
