"""Data sets that the tests of `dentify dataset` are about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Dentify = Callable[..., Any]
Paint = Callable[..., Path]
Change = Callable[[dict[str, Any]], object]

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
SAY = "say in a label map (--labels, or `labels` in a recipe) what each becomes, or null to leave it out"


def write(folder: str = "data", change: Change = lambda document: None) -> Path:
    """Four photos in COCO, two of which hold damages."""
    path = Path(folder)
    path.mkdir(exist_ok=True)
    for number, name in enumerate("abcd"):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{name}.png")
    document: dict[str, Any] = {
        "categories": [{"id": 1, "name": "gocuk"}, {"id": 2, "name": "scrtch"}],
        "images": [{"id": n, "file_name": f"{name}.png", "width": 60, "height": 40} for n, name in enumerate("abcd")],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [SQUARE]},
            {"id": 2, "image_id": 0, "category_id": 2, "segmentation": [SQUARE[:6]]},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]},
        ],
    }
    change(document)
    (path / "labels.json").write_text(json.dumps(document))
    return path


def spoiled(document: dict[str, Any]) -> None:
    """Two things that do not hold, on two photos."""
    document["annotations"][0]["category_id"] = 7
    document["images"][3]["file_name"] = "none.png"


def files(folder: str | Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}
