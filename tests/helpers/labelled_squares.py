"""Photos of noise with squares that are labelled, for plans of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dentify.planning import Decided, decide, look

SIDE = 48


def noise(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)


def write_labelled(folder: Path, words: list[list[str]], *, outlined: bool = True, splits: list[str] | None = None) -> None:
    """COCO with a square for each word."""
    folder.mkdir(parents=True)
    names = list(dict.fromkeys(word for of_photo in words for word in of_photo))
    images, annotations = [], []
    for number, of_photo in enumerate(words):
        cv2.imwrite(str(folder / f"{number}.png"), noise(number))
        split = {"split": splits[number]} if splits else {}
        images.append({"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE, **split})
        for place, word in enumerate(of_photo):
            x = 4 + 20 * place
            outline = {"segmentation": [[x, 4, x + 16, 4, x + 16, 20, x, 20]]} if outlined else {}
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": names.index(word), "bbox": [x, 4, 16, 16]} | outline
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    (folder / "labels.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def decided(paths: list[Path], root: Path, **how: Any) -> Decided:
    labels = how.pop("labels", None)
    return decide(look(paths, labels=labels), output=root / "run", data=root, labels=labels, **how)
