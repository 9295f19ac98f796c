"""The truth as X-AnyLabeling writes it: its `LabelFile`, and what its `LabelConverter` makes of that.

    python write_x_anylabeling.py

Needs PyQt6, opencv-python-headless, jsonlines, json_repair, PyYAML, termcolor and no screen: of the package these two modules are
loaded, and not the whole application. `classes.txt` is what a user hands to its export, and stays beside the labels.
"""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

found = importlib.util.find_spec("anylabeling")
assert found is not None
assert found.submodule_search_locations is not None
for place in (
    "",
    "views",
    "views/labeling",
    "views/labeling/utils",
    "views/labeling/widgets",
):  # whose `__init__.py` would start everything
    package = ModuleType(".".join(["anylabeling", *place.split("/")] if place else ["anylabeling"]))
    package.__path__ = [str(Path(found.submodule_search_locations[0], place))]
    sys.modules[package.__name__] = package

from anylabeling.views.labeling.label_converter import LabelConverter  # noqa: E402
from anylabeling.views.labeling.label_file import LabelFile  # noqa: E402

HERE = Path(__file__).resolve().parent.parent
TRUTH = json.loads((HERE / "truth.json").read_text())
NAMES = {row["id"]: row["name"] for row in TRUTH["categories"]}


def main() -> None:
    for name, shapes in (("polygons", polygons), ("boxes", boxes), ("turned", turned)):
        target = folder(name)
        for image in TRUTH["images"]:
            rows = [row for row in TRUTH["annotations"] if row["image_id"] == image["id"]]
            LabelFile().save(
                filename=str(target / image["file_name"].replace(".jpg", ".json")),
                shapes=[shape for row in rows for shape in shapes(row)],
                image_path="../photos/" + image["file_name"],
                image_height=image["height"],
                image_width=image["width"],
                flags={},
                other_data={"checked": True},
            )
    classes = HERE / "x_anylabeling-classes.txt"
    classes.write_text("".join(f"{name}\n" for name in NAMES.values()))
    photos = sorted(str(path) for path in (HERE / "photos").glob("*.jpg"))
    for shape, mode in (("polygons", "polygon"), ("boxes", "rectangle")):
        source = HERE / f"x_anylabeling-{shape}"
        target = folder(f"coco_{shape}")
        LabelConverter(str(classes)).custom_to_coco(photos, str(source), str(target), mode)
        yolo = folder(f"yolo_{shape}")
        shutil.copy(classes, yolo / "classes.txt")
        for path in sorted(source.glob("*.json")):
            LabelConverter(str(classes)).custom_to_yolo(str(path), str(yolo / f"{path.stem}.txt"), yolo_mode(mode))
    voc, dota = folder("voc"), folder("dota")
    for path in sorted((HERE / "x_anylabeling-boxes").glob("*.json")):
        made = voc / f"{path.stem}.xml"
        LabelConverter().custom_to_voc(str(HERE / "photos" / f"{path.stem}.jpg"), str(path), str(made), "rectangle")
        made.write_text(made.read_text().replace(str(HERE), "/home/annotator"))
    for path in sorted((HERE / "x_anylabeling-turned").glob("*.json")):
        LabelConverter().custom_to_dota(str(path), str(dota / f"{path.stem}.txt"))
    classes.unlink()


def yolo_mode(mode: str) -> str:
    return {"polygon": "seg", "rectangle": "hbb"}[mode]


def shape(row: dict[str, Any], kind: str, points: list[list[float]], **more: Any) -> dict[str, Any]:
    return {
        "label": NAMES[row["category_id"]],
        "score": None,
        "points": points,
        "group_id": row["id"] if len(row["segmentation"]) > 1 else None,
        "description": "",
        "difficult": False,
        "shape_type": kind,
        "flags": {},
        "attributes": {},
        "kie_linking": [],
        **more,
    }


def polygons(row: dict[str, Any]) -> list[dict[str, Any]]:
    pieces = [[[x, y] for x, y in zip(one[::2], one[1::2], strict=True)] for one in row["segmentation"]]
    return [shape(row, "polygon", piece) for piece in pieces]


def boxes(row: dict[str, Any]) -> list[dict[str, Any]]:
    x, y, w, h = row["bbox"]
    return [shape(row, "rectangle", [[x, y], [x + w, y], [x + w, y + h], [x, y + h]], group_id=None)]


def turned(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Boxes as rotations by nothing, so that the truth is known."""
    x, y, w, h = row["bbox"]
    corners = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
    return [shape(row, "rotation", corners, group_id=None, direction=math.tau)]


def folder(name: str) -> Path:
    target = HERE / f"x_anylabeling-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return target


if __name__ == "__main__":
    main()
