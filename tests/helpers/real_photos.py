"""A recipe for the dozen real photos of `examples/`, so small that a network is trained, exported and asked in some seconds.

Their damages are outlined (`examples.coco.json`, CC0 as the photos are). Their parts are not: the upper half of each stands for a
hood and the lower for a front bumper, which is enough to see whether parts are taught.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from dentify.training.recipe import Recipe

SIDE = 96
TYPES = ("dent", "scratch", "broken_part")
PARTS = ("hood", "front_bumper")


def label_examples(examples: Path, folder: Path) -> Path:
    """Copies the photos into a folder, writes `train.json` beside them, and returns the folder."""
    document = json.loads(Path(__file__).with_name("examples.coco.json").read_text())
    categories = [{"id": 4 + number, "name": name} for number, name in enumerate(PARTS)]
    rows = document["annotations"]
    for image in document["images"]:
        width, height = image["width"], image["height"]
        for number in range(2):
            top, bottom = (height // 2 * number, height // 2 * (number + 1))
            rows.append(
                {"id": len(rows) + 1, "image_id": image["id"], "category_id": 4 + number, "iscrowd": 0}
                | {"segmentation": [[0, top, width, top, width, bottom, 0, bottom]], "bbox": [0, top, width, bottom - top]}
                | {"area": width * (bottom - top)}
            )
        shutil.copy(examples / image["file_name"], folder)
        image["labelled"] = [*image["labelled"], *PARTS]
    document["categories"] += categories
    (folder / "train.json").write_text(json.dumps(document))
    return folder


def real_recipe(model: dict[str, Any], heads: dict[str, Any], **changes: Any) -> Recipe:
    """Three steps on them, with a quarter held out."""
    document: dict[str, Any] = {
        "name": "real",
        "description": "A tiny network for tests.",
        "model": model,
        "classes": {"damage": TYPES, "parts": PARTS},
        "heads": heads,
        "data": {
            "serve_size": SIDE,
            "workers": 0,
            "hold_out": 0.25,
            "train": [{"dataset": "train.json", "per_batch": 4}],
            "val": [{"dataset": "train.json"}],
        },
        "optimizers": [{"of": ["encoder"], "rate": 0.0005}, {"rate": 0.001}],
        "phases": [{"steps": 3, "size": SIDE}],
        "validate_every": 3,
        "origins": {"hitl": {"origin": "Humans in the Loop", "licence": "CC0 1.0"}},
    }
    return Recipe.model_validate(document | changes)
