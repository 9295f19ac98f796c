"""The masks of `truth_with_hole.json` as pycocotools encodes them: counts as a string and, the same, as a list of runs.

    python write_pycocotools.py

Needs pycocotools and NumPy.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO

HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    coco = COCO(str(HERE / "truth_with_hole.json"))
    strings, runs, crowds = [], [], []
    for row in coco.dataset["annotations"]:
        rle = coco.annToRLE(row)
        measured = {"area": int(mask_utils.area(rle)), "bbox": mask_utils.toBbox(rle).tolist()}
        text = {**rle, "counts": rle["counts"].decode("ascii")}
        strings.append({**row, **measured, "segmentation": text})
        runs.append({**row, **measured, "segmentation": {"size": rle["size"], "counts": counted(mask_utils.decode(rle))}})
        crowds.append({**strings[-1], "iscrowd": int(row["id"] == 6)})
    for name, rows in (("rle_strings", strings), ("rle_runs", runs), ("crowd", crowds)):
        target = HERE / f"pycocotools-{name}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        (target / "annotations.json").write_text(json.dumps({**coco.dataset, "annotations": rows}))


def counted(mask: np.ndarray) -> list[int]:
    """Runs of 0 and 1 in turn, down the columns, the first of 0."""
    pixels = np.concatenate([[0], mask.ravel(order="F"), [2]])
    changes: Any = np.flatnonzero(np.diff(pixels))
    return np.diff(np.concatenate([[0], changes])).tolist()


if __name__ == "__main__":
    main()
