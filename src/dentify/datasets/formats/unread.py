"""Formats that are recognised and not read: what they are called, so that nobody's labels are taken for something else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from dentify.imaging.formats import SUFFIXES, is_picture_name

LINES = (".jsonl", ".ndjson", ".manifest")
"""Suffixes of files with a JSON object a line."""
_BINARY = {
    ".tfrecord": "TFRecord",
    ".tfrecords": "TFRecord",
    ".parquet": "Parquet table",
    ".h5": "HDF5 file",
    ".mat": "MATLAB file",
}
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
    article = "an" if product[0] in "AEIO" or product.startswith("HDF5") else "a"
    whole = "JSON" if product == _BRUSHES else "COCO"
    return f"{path}: this is {article} {product}, which is not read; export it as {whole}"


def unread_product(path: Path, document: object) -> str | None:
    """What a file is called that is of no format that is read, by its content or its suffix."""
    suffix = path.suffix.lower()
    if suffix in _BINARY:
        return _BINARY[suffix]
    if is_brush_export(path.name):
        return _BRUSHES
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
