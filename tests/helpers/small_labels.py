"""Labels of one photo `a.jpg`, 20 × 10 pixels, in a few formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 20, "height": 10}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 6, 6]}],
    "categories": [{"id": 1, "name": "dent"}],
}
LABELME: dict[str, Any] = {
    "imagePath": "a.jpg",
    "imageWidth": 20,
    "imageHeight": 10,
    "shapes": [{"label": "dent", "points": [[2, 2], [8, 2], [8, 8]]}],
}
VOC = "<annotation><filename>a.jpg</filename></annotation>"


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def annotated(*names: str, **image: object) -> dict[str, Any]:
    """COCO of one photo with a box of each of these names."""
    return {
        "images": [{**COCO["images"][0], **image}],
        "annotations": [{"id": n, "image_id": 1, "category_id": n, "bbox": [2, 2, 6, 6]} for n in range(len(names))],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)] + [{"id": 99, "name": "crack"}],
    }


def coco_of(folder: Path, name: str) -> Path:
    """A data set in COCO of one picture, 64 × 48, that bears a name."""
    document = {"images": [{"id": 1, "file_name": name, "width": 64, "height": 48}], "annotations": []}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.json").write_text(json.dumps(document | {"categories": [{"id": 1, "name": "dent"}]}))
    return folder
