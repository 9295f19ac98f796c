"""The boxes of the truth in labelImg: its `LabelFile` saves them as Pascal VOC, YOLO and CreateML.

    python write_labelimg.py

Needs labelImg.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from libs.labelFile import LabelFile
from PyQt5.QtGui import QGuiApplication, QImage

HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    application = QGuiApplication([])
    truth = json.loads((HERE / "truth.json").read_text())
    names = {row["id"]: row["name"] for row in truth["categories"]}
    voc, yolo, create_ml = (folder(name) for name in ("voc", "yolo", "createml"))
    for image in truth["images"]:
        photo = QImage(str(HERE / "photos" / image["file_name"]))
        path = f"/home/annotator/photos/{image['file_name']}"  # labelImg writes down where the photo was
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        shapes = [
            {"label": names[row["category_id"]], "points": corners(row), "difficult": number == 1}
            for number, row in enumerate(rows)
        ]
        file = LabelFile()
        file.verified = image["id"] == 1
        stem = Path(path).stem
        file.save_pascal_voc_format(str(voc / f"{stem}.xml"), shapes, path, photo)
        file.save_yolo_format(str(yolo / f"{stem}.txt"), shapes, path, photo, list(names.values()))
        file.save_create_ml_format(str(create_ml / "annotations.json"), shapes, path, None, list(names.values()))
    application.quit()


def folder(name: str) -> Path:
    target = HERE / f"labelimg-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return target


def corners(row: dict[str, Any]) -> list[tuple[float, float]]:
    x, y, w, h = row["bbox"]
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


if __name__ == "__main__":
    main()
