"""The truth in labelme: its window, without a screen, is given the shapes and saves them; some are drawn with the mouse.

    python write_labelme.py

Needs labelme 7 (Python 3.12 or newer).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from labelme._app import MainWindow
from labelme._shape import Shape
from loguru import logger
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

HERE = Path(__file__).resolve().parent.parent
LABELS = ["dent", "scratch", "broken_part", "crack"]


def main() -> None:
    logger.remove()
    application = QApplication([])
    truth = json.loads((HERE / "truth.json").read_text())
    holes = json.loads((HERE / "truth_with_hole.json").read_text())
    names = {row["id"]: row["name"] for row in truth["categories"]}

    target = folder("polygons")
    for image in truth["images"]:
        window = opened(image)
        rows = [row for row in truth["annotations"] if row["image_id"] == image["id"]]
        window._load_shapes([shape for row in rows for shape in polygons(row, names)], replace=False)
        saved(window, target, image)

    target = folder("image_data")
    window = opened(truth["images"][2], with_image_data=True)
    window._load_shapes(list(polygons(truth["annotations"][-1], names)), replace=False)
    saved(window, target, truth["images"][2])

    target = folder("masks")
    window = opened(holes["images"][2])
    rows = [row for row in holes["annotations"] if isinstance(row["segmentation"], dict)]
    window._load_shapes([mask(row, names) for row in rows], replace=False)
    saved(window, target, holes["images"][2])

    target = folder("shapes")
    window = opened(truth["images"][0], flags=["night", "wet"])
    window.resize(2400, 1800)
    window.show()
    application.processEvents()
    window._docks.flag_list.item(1).setCheckState(Qt.CheckState.Checked)
    draw(window, "rectangle", "broken_part", [(230.2, 143.7), (217.8, 83.6)])  # from the lower right corner up
    draw(window, "circle", "dent", [(213.0, 121.0), (223.0, 121.0)])
    draw(window, "linestrip", "scratch", [(32.0, 131.0), (40.0, 147.0), (50.0, 151.0)])
    draw(window, "line", "scratch", [(270.0, 64.0), (275.0, 110.0)])
    draw(window, "point", "dent", [(160.0, 120.0)])
    draw(window, "oriented_rectangle", "broken_part", [(60.0, 60.0), (90.0, 75.0), (85.0, 85.0)])
    draw(window, "polygon", "crack", [(100.0, 100.0), (120.0, 100.0), (120.0, 115.0)])
    saved(window, target, truth["images"][0])


def folder(name: str) -> Path:
    target = HERE / f"labelme-{name}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    return target


def opened(image: dict[str, Any], **overrides: object) -> MainWindow:
    settings = {"auto_save": False, "with_image_data": False, "display_label_popup": False, "labels": LABELS, **overrides}
    return MainWindow(config_overrides=settings, file_or_dir=str(HERE / "photos" / image["file_name"]))


def polygons(row: dict[str, Any], names: dict[int, str]) -> Iterable[Shape]:
    """Of several polygons each is a shape, and one group number holds them together."""
    for part in row["segmentation"]:
        group = row["id"] if len(row["segmentation"]) > 1 else None
        yield Shape(label=names[row["category_id"]], group_id=group, points=np.reshape(part, (-1, 2)), closed=True)


def mask(row: dict[str, Any], names: dict[int, str]) -> Shape:
    """A mask is that of its box, whose second corner is its last pixel."""
    counts = row["segmentation"]["counts"]
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(row["segmentation"]["size"], order="F")
    y, x = np.nonzero(pixels)
    corners = np.array([[x.min(), y.min()], [x.max(), y.max()]])
    inner = pixels[y.min() : y.max() + 1, x.min() : x.max() + 1]
    return Shape(label=names[row["category_id"]], shape_type="mask", points=corners, mask=inner, closed=True)


def draw(window: MainWindow, kind: str, label: str, points: list[tuple[float, float]]) -> None:
    """As a person does: choose the class and the kind of shape, click, double-click to end an outline."""
    labels = window._docks.unique_label_list
    labels.setCurrentItem(labels.find_label_item(label=label))
    window._switch_canvas_mode(edit=False, create_mode=kind)
    canvas = window._canvas_widgets.canvas
    for number, point in enumerate(points, 1):
        place = canvas.transform_image_point_to_widget(QPointF(*point), area=None).toPoint()
        QTest.mouseMove(canvas, place)
        ends = number == len(points) and kind == "linestrip"
        modifiers = Qt.KeyboardModifier.ControlModifier if ends else Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, modifiers, place)
    if kind == "polygon":
        QTest.keyClick(canvas, Qt.Key.Key_Return)


def saved(window: MainWindow, target: Path, image: dict[str, Any]) -> None:
    assert window.save_labels(label_path=str(target / f"{Path(image['file_name']).stem}.json"))


if __name__ == "__main__":
    main()
