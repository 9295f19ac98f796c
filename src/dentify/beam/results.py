"""What is written beside the pictures: annotations, manifest, sidecar, splits and errors, all in the order of the photos' names.

| file | holds |
| --- | --- |
| `annotations.json` | COCO with Dentify's keys, in pixels of the pictures; only where the input has labels |
| `splits.csv` | split and group of each picture; only where the input has splits |
| `manifest.parquet` | one row a readable photo, those that were dropped as duplicates, too |
| `sidecar.jsonl` | author, copyright, licence and data set of each picture |
| `errors.jsonl` | one line for each photo or label that could not be used; only where there is one |

No file holds a time or a place of the run, so a second run writes the same bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dentify.beam.annotations import Row, category_names
from dentify.beam.credits import Credits
from dentify.beam.prepare import Placement
from dentify.datasets.sample import kind_of
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell, safe_path_cell

ANNOTATIONS, MANIFEST, SIDECAR, ERRORS, SPLITS = (
    "annotations.json",
    "manifest.parquet",
    "sidecar.jsonl",
    "errors.jsonl",
    "splits.csv",
)
RESULTS = (ANNOTATIONS, SPLITS, SIDECAR, ERRORS, MANIFEST)


@dataclass(frozen=True, eq=False)
class Written:
    """One photo that could be read, and what became of it.

    Attributes:
        name: of the photo, within the input.
        picture: path of the picture within `images/` or within its shard; empty where it is a duplicate.
        shard: name of the shard; empty where there is none.
        sha256: of the photo's file.
        picture_sha256: of the picture's bytes.
        placement: where the photo lies in its picture.
        facts: what its labels say of it as a whole.
        annotations: rows in pixels of the picture.
        credits: who made it.
        notes: what was done to the photo.
        duplicate_of: name of the photo that was kept in its stead; empty where it was kept itself.
        exact: whether that one's file is the same.
    """

    name: str
    picture: str
    shard: str
    sha256: str
    picture_sha256: str
    placement: Placement
    facts: Row
    annotations: list[Row]
    credits: Credits
    notes: tuple[str, ...] = ()
    duplicate_of: str = ""
    exact: bool = False


@dataclass(frozen=True)
class Failed:
    """One photo or label that could not be used."""

    name: str
    kind: str
    message: str


@dataclass(frozen=True, eq=False)
class Results:
    """All photos of a run, sorted by name."""

    written: Sequence[Written]
    failed: Sequence[Failed]
    labelled: bool
    kept: Sequence[Written] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", [one for one in self.written if not one.duplicate_of])

    def files(self) -> dict[str, bytes]:
        """Names and contents of the files; none is empty, which Beam cannot write to S3."""
        files = {MANIFEST: manifest_parquet(self.written)}
        if self.kept:
            files[SIDECAR] = sidecar_lines(self.kept)
        if self.failed:
            files[ERRORS] = error_lines(self.failed)
        if self.labelled:
            files[ANNOTATIONS] = coco_json(self.kept)
        if any(one.facts["split"] for one in self.kept):
            files[SPLITS] = splits_csv(self.kept)
        return files


def coco_json(kept: Sequence[Written]) -> bytes:
    """COCO of the pictures."""
    names = category_names([one.facts for one in kept])
    numbers = {name: number for number, name in enumerate(names, 1)}
    images: list[Row] = []
    rows: list[Row] = []
    for image_id, one in enumerate(kept, 1):
        height, width = one.placement.picture_hw
        image = {"id": image_id, "file_name": one.picture, "width": width, "height": height}
        images.append(image | picture_facts(one))
        for row in one.annotations:
            rest = {key: value for key, value in row.items() if key != "category"}
            rows.append({"id": len(rows) + 1, "image_id": image_id, "category_id": numbers[row["category"]], **rest})
    categories = [{"id": number, "name": name, "supercategory": kind_of(name)} for name, number in numbers.items()]
    return _json({"images": images, "annotations": rows, "categories": categories})


def picture_facts(one: Written) -> Row:
    """What labels say of a photo as a whole, without what they do not say."""
    return {key: value for key, value in one.facts.items() if key != "split" and (key == "labelled" or value not in (None, []))}


def member_json(one: Written) -> bytes:
    """What stands beside a picture in a shard."""
    height, width = one.placement.picture_hw
    document = {"name": one.name, "width": width, "height": height, "split": one.facts["split"]}
    document |= picture_facts(one) | {"annotations": one.annotations}
    return _json(document | {key: value for key, value in _credits(one).items() if value is not None})


def splits_csv(kept: Sequence[Written]) -> bytes:
    """Split and group of each picture, as `dentify.datasets` reads them beside the annotations."""
    lines = [csv_line(("file", "split", "group"))]
    for one in kept:
        place = f"images/{one.picture}" if not one.shard else one.picture
        cells = (one.facts["split"] or "", one.facts["group"] or "")
        lines.append(csv_line((safe_path_cell(place), *map(safe_cell, cells))))
    return csv_bytes(lines)


def sidecar_lines(kept: Sequence[Written]) -> bytes:
    """Who made each picture's photo, a line each."""
    return b"".join(
        _json({"picture": one.picture, "name": one.name, "data_set": one.facts["source"], **_credits(one)}) for one in kept
    )


def error_lines(failed: Sequence[Failed]) -> bytes:
    """What could not be used, a line each, as `dentify assess` writes them."""
    return b"".join(_json({"name": one.name, "error": one.kind, "message": one.message}) for one in failed)


MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),  # of the photo, within the input
        pa.field("picture", pa.string()),  # null where it was dropped
        pa.field("shard", pa.string()),
        pa.field("sha256", pa.string(), nullable=False),  # of the photo's file
        pa.field("picture_sha256", pa.string()),
        pa.field("width", pa.int32(), nullable=False),  # of the upright photo
        pa.field("height", pa.int32(), nullable=False),
        pa.field("picture_width", pa.int32(), nullable=False),
        pa.field("picture_height", pa.int32(), nullable=False),
        pa.field("content_width", pa.int32(), nullable=False),  # what the photo takes up in the picture, from the top left
        pa.field("content_height", pa.int32(), nullable=False),
        pa.field("scale_x", pa.float64(), nullable=False),  # x in the picture = x in the photo × scale_x
        pa.field("scale_y", pa.float64(), nullable=False),
        pa.field("duplicate_of", pa.string()),  # name of the photo that was kept
        pa.field("duplicate", pa.string()),  # exact or near
        pa.field("annotations", pa.int32(), nullable=False),
        pa.field("data_set", pa.string()),
        pa.field("group", pa.string()),
        pa.field("split", pa.string()),
        pa.field("vehicle", pa.bool_()),
        pa.field("damage", pa.bool_()),
        pa.field("severity", pa.string()),  # of the photo as a whole
        pa.field("view", pa.string()),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("author", pa.string()),
        pa.field("copyright", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("notes", pa.list_(pa.string()), nullable=False),
    ]
)
"""Columns of `manifest.parquet`."""


def manifest_parquet(written: Sequence[Written]) -> bytes:
    """One row a readable photo, as Parquet."""
    table = pa.Table.from_pylist([_manifest_row(one) for one in written], schema=MANIFEST_SCHEMA)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", version="2.6")
    return stream.getvalue()


def _manifest_row(one: Written) -> Row:
    (height, width), (content_height, content_width) = one.placement.photo_hw, one.placement.content_hw
    scale_x, scale_y = one.placement.scale_xy
    return {
        "name": one.name,
        "picture": one.picture or None,
        "shard": one.shard or None,
        "sha256": one.sha256,
        "picture_sha256": one.picture_sha256 if one.picture else None,
        "width": width,
        "height": height,
        "picture_width": one.placement.picture_hw[1],
        "picture_height": one.placement.picture_hw[0],
        "content_width": content_width,
        "content_height": content_height,
        "scale_x": scale_x,
        "scale_y": scale_y,
        "duplicate_of": one.duplicate_of or None,
        "duplicate": None if not one.duplicate_of else "exact" if one.exact else "near",
        "annotations": len(one.annotations),
        "data_set": one.facts["source"],
        "group": one.facts["group"],
        "split": one.facts["split"],
        "vehicle": one.facts["vehicle"],
        "damage": one.facts["damage"],
        "severity": one.facts["severity"],
        "view": one.facts["view"],
        "labels": one.facts["labels"],
        **_credits(one),
        "notes": list(one.notes),
    }


def _credits(one: Written) -> Row:
    return {"author": one.credits.author, "copyright": one.credits.copyright, "licence": one.credits.licence}


def _json(document: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "backslashreplace")
