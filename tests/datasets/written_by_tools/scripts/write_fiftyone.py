"""The truth in the formats of FiftyOne, by its exporters, one photo at a time: so they need none of its database.

    python write_fiftyone.py

Pictures are written beside the labels, as FiftyOne does, and taken away again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["FIFTYONE_DO_NOT_TRACK"] = "1"

import fiftyone as fo
import fiftyone.utils.coco as fouc
import fiftyone.utils.cvat as foucv
import fiftyone.utils.data as foud
import fiftyone.utils.voc as fouv
import fiftyone.utils.yolo as fouy

HERE = Path(__file__).resolve().parent.parent
TRUTH = json.loads((HERE / "truth.json").read_text())
NAMES = {row["id"]: row["name"] for row in TRUTH["categories"]}
CLASSES = list(NAMES.values())


def main() -> None:
    export("coco", fouc.COCODetectionDatasetExporter(folder("coco"), classes=CLASSES), polylines)
    export("coco_boxes", fouc.COCODetectionDatasetExporter(folder("coco_boxes"), classes=CLASSES), detections)
    export("cvat", foucv.CVATImageDatasetExporter(folder("cvat")), polylines)
    export("voc", fouv.VOCDetectionDatasetExporter(folder("voc")), detections)
    export("yolo4", fouy.YOLOv4DatasetExporter(folder("yolo4"), classes=CLASSES), detections)
    for split, photos in (("train", TRUTH["images"][:2]), ("val", TRUTH["images"][2:])):
        target = folder("yolo5") if split == "train" else str(HERE / "fiftyone-yolo5")
        export("yolo5", fouy.YOLOv5DatasetExporter(target, split=split, classes=CLASSES, include_path=False), polylines, photos)
    export("own", foud.FiftyOneImageDetectionDatasetExporter(folder("own"), classes=CLASSES), detections)


def export(name: str, exporter: Any, shapes: Any, photos: Any = TRUTH["images"]) -> None:
    with exporter:
        for image in photos:
            width, height = image["width"], image["height"]
            size = fo.ImageMetadata(width=width, height=height, num_channels=3, mime_type="image/jpeg")
            exporter.export_sample(str(HERE / "photos" / image["file_name"]), shapes(image), metadata=size)
    for picture in [*(HERE / f"fiftyone-{name}").rglob("*.jpg")]:
        picture.unlink()
    for place in sorted((HERE / f"fiftyone-{name}").rglob("*"), reverse=True):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
        if place.suffix == ".xml":
            place.write_text(place.read_text().replace(str(HERE), "/home/annotator"))


def rows(image: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (row for row in TRUTH["annotations"] if row["image_id"] == image["id"])


def polylines(image: dict[str, Any]) -> fo.Polylines:
    width, height = image["width"], image["height"]

    def shares(numbers: list[float]) -> list[tuple[float, float]]:
        return [(x / width, y / height) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]

    shapes = [(NAMES[row["category_id"]], [shares(piece) for piece in row["segmentation"]]) for row in rows(image)]
    return fo.Polylines(polylines=[fo.Polyline(label=name, points=points, closed=True, filled=True) for name, points in shapes])


def detections(image: dict[str, Any]) -> fo.Detections:
    width, height = image["width"], image["height"]
    shapes = [(NAMES[row["category_id"]], row["bbox"]) for row in rows(image)]
    return fo.Detections(
        detections=[
            fo.Detection(label=name, bounding_box=[x / width, y / height, w / width, h / height]) for name, (x, y, w, h) in shapes
        ]
    )


def folder(name: str) -> str:
    target = HERE / f"fiftyone-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return str(target)


if __name__ == "__main__":
    main()
