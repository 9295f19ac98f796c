"""The truth in the formats of supervision: its COCO reader reads `truth.json`, its writers write.

    python write_supervision.py

Needs supervision, and opencv-python-headless, without which it finds outlines in a way of its own. Pictures are left out.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import supervision as sv

HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    photos = str(HERE / "photos")
    masks = sv.DetectionDataset.from_coco(photos, str(HERE / "truth.json"), force_masks=True)
    holes = without("car_00", sv.DetectionDataset.from_coco(photos, str(HERE / "truth_with_hole.json"), force_masks=True))
    boxes = sv.DetectionDataset.from_coco(photos, str(HERE / "truth.json"))
    for path, found in boxes.annotations.items():
        found.mask = None
        boxes.annotations[path] = found

    holes.as_coco(annotations_path=str(folder("coco") / "annotations.json"))
    target = folder("yolo")
    boxes.as_yolo(annotations_directory_path=str(target / "labels"), data_yaml_path=str(target / "data.yaml"))
    target = folder("yolo_polygons")
    masks.as_yolo(annotations_directory_path=str(target / "labels"), data_yaml_path=str(target / "data.yaml"))
    boxes.as_pascal_voc(annotations_directory_path=str(folder("voc")))
    without("car_05", masks).as_pascal_voc(annotations_directory_path=str(folder("voc_polygons")))
    boxes.as_createml(annotations_path=str(folder("createml") / "annotations.json"))


def without(stem: str, dataset: sv.DetectionDataset) -> sv.DetectionDataset:
    """Less one photo: these files are long."""
    kept = [path for path in dataset.image_paths if Path(path).stem != stem]
    return sv.DetectionDataset(dataset.classes, kept, {path: dataset.annotations[path] for path in kept})


def folder(name: str) -> Path:
    target = HERE / f"supervision-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return target


if __name__ == "__main__":
    main()
