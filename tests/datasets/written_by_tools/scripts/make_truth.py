"""Three CC0 photos at 320 px and their outlines as plain COCO: `photos/`, `truth.json`, `truth_with_hole.json`.

    python make_truth.py FOLDER

FOLDER holds the CC0 photos: `images/` and `annotations.json` (COCO). Needs Pillow, NumPy and pycocotools.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as mask_utils

HERE = Path(__file__).resolve().parent.parent
WIDTH = 320
CATEGORIES = ["dent", "scratch", "broken_part", "crack"]  # no photo has a crack: a class without an annotation
ROWS = {  # by photo, the ids of the source's annotations; several in one tuple become the polygons of one annotation
    "car_00.jpg": [(1,), (3,), (2, 4)],
    "car_04.jpg": [],
    "car_05.jpg": [(19,), (20,), (21,), (14,), (15,), (18,)],
}


def main(source: Path) -> None:
    document = json.loads((source / "annotations.json").read_text())
    names = {row["id"]: row["name"] for row in document["categories"]}
    rows = {row["id"]: row for row in document["annotations"]}
    truth: dict[str, Any] = {
        "info": {"description": "Car damage, Humans in the Loop", "version": "1"},
        "licenses": [{"id": 1, "name": "CC0-1.0"}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)],
        "images": [],
        "annotations": [],
    }
    (HERE / "photos").mkdir(exist_ok=True)
    for image_id, (name, groups) in enumerate(ROWS.items(), 1):
        with Image.open(source / "images" / name) as photo:
            scale = WIDTH / photo.width
            height = round(photo.height * scale)
            small = photo.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
        small.save(HERE / "photos" / name, quality=80)
        truth["images"].append({"id": image_id, "file_name": name, "width": WIDTH, "height": height, "license": 1})
        for group in groups:
            polygons = [np.array(part, float).reshape(-1, 2) for row in group for part in rows[row]["segmentation"]]
            polygons = [np.round(np.clip(part * scale, 0, [WIDTH, height]), 2) for part in polygons]
            points = np.concatenate(polygons)
            x, y = points.min(axis=0).tolist()
            w, h = np.round(np.ptp(points, axis=0), 2).tolist()
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": CATEGORIES.index(names[rows[group[0]]["category_id"]]) + 1,
                    "segmentation": [part.ravel().tolist() for part in polygons],
                    "bbox": [x, y, w, h],
                    "area": round(sum(area(part) for part in polygons), 2),
                    "iscrowd": 0,
                }
            )
    write("truth.json", truth)
    write("truth_with_hole.json", with_hole(truth))


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def with_hole(truth: dict[str, Any]) -> dict[str, Any]:
    """The same, but the broken grille of car_05 (annotation 5) is an RLE whose middle is cut out."""
    changed = copy.deepcopy(truth)
    row = changed["annotations"][4]
    image = changed["images"][row["image_id"] - 1]
    size = (image["height"], image["width"])
    mask = mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects(row["segmentation"], *size)))
    points = np.array(row["segmentation"][0]).reshape(-1, 2)
    inner = points.mean(axis=0) + (points - points.mean(axis=0)) * 0.4
    mask &= 1 - mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects([inner.ravel().tolist()], *size)))
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels)) + 1
    counts = np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()
    row["segmentation"] = {"size": list(size), "counts": counts if pixels[0] == 0 else [0, *counts]}
    row["area"] = int(mask.sum())
    row["bbox"] = mask_utils.toBbox(mask_utils.encode(np.asfortranarray(mask))).tolist()
    return changed


def write(name: str, document: dict[str, Any]) -> None:
    """One line a row."""
    lists = {key: [json.dumps(row) for row in document[key]] for key in ("categories", "images", "annotations")}
    text = [f'"{key}": [\n  ' + ",\n  ".join(rows) + "\n ]" for key, rows in lists.items()]
    text = [f'"{key}": {json.dumps(document[key])}' for key in ("info", "licenses")] + text
    (HERE / name).write_text("{\n " + ",\n ".join(text) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
