"""A made-up release of CarDD: folders and files as its owner unpacks them, with small drawn pictures in place of photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from dentify.testing import Damage, paint_photo

HW = (96, 144)
CATEGORIES = ("dent", "scratch", "crack", "glass shatter", "lamp broken", "tire flat")
SHORT = {"train": "TR", "val": "VAL", "test": "TE"}
BOX = (0.25, 0.25, 0.5, 0.5)


def write_release(root: Path, photos: dict[str, list[tuple[str, float]]]) -> Path:
    """Writes `CarDD_COCO` and `CarDD_SOD` into a folder.

    Args:
        root: of the release.
        photos: of each split, one a photo: the type that is annotated, and how strongly a dent is painted there.
    """
    number = 0
    for split, damages in photos.items():
        rows: list[dict[str, object]] = []
        images: list[dict[str, object]] = []
        for word, strength in damages:
            number += 1
            name = f"{number:06d}"
            parts = {"hood": (0.125, 0.125, 0.875, 0.875)}
            picture = paint_photo(size_hw=HW, parts=parts, damages=(Damage("dent", BOX, strength),))
            half = root / "CarDD_SOD" / f"CarDD-{SHORT[split]}"
            for folder in (root / "CarDD_COCO" / f"{split}2017", half / f"{half.name}-Image"):
                save(folder / f"{name}.jpg", picture)
            x, y, right, bottom = (round(share * side) for share, side in zip(BOX, HW[::-1] * 2, strict=True))
            mask = np.zeros(HW, np.uint8)
            mask[y:bottom, x:right] = 255
            save(half / f"{half.name}-Mask" / f"{name}.png", mask)
            edge = mask.copy()
            edge[y + 2 : bottom - 2, x + 2 : right - 2] = 0
            save(half / f"{half.name}-Edge" / f"{name}.png", edge)
            images.append({"id": number, "file_name": f"{name}.jpg", "height": HW[0], "width": HW[1], "license": 0})
            rows.append(
                {
                    "id": number,
                    "image_id": number,
                    "category_id": 1 + CATEGORIES.index(word),
                    "segmentation": [[x, y, right, y, right, bottom, x, bottom]],
                    "area": float((right - x) * (bottom - y)),
                    "bbox": [x, y, right - x, bottom - y],
                    "iscrowd": 0,
                    "attributes": {"occluded": False},
                }
            )
        categories = [{"id": place, "name": word, "supercategory": ""} for place, word in enumerate(CATEGORIES, 1)]
        document = {"licenses": [], "info": {}, "categories": categories, "images": images, "annotations": rows}
        file = root / "CarDD_COCO" / "annotations" / f"instances_{split}2017.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))
    (root / "CarDD_COCO" / "annotations" / "image_info.xlsx").write_bytes(b"PK")
    return root


def save(path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)
