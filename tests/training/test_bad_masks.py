"""Masks that hold something else than the recipe asks for: a run ends before its first step, in one line that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dentify.errors import DatasetError, DentifyError
from dentify.training import train
from dentify.training.models.mask_rcnn import MaskRCNNRecipe
from toy_bench import SIDE, toy_recipe

PHOTOS = 8
HEADS: dict[str, Any] = {"types": {"kind": "overlapping", "of": "damage"}, "parts": {"kind": "exclusive", "of": "parts"}}


def paint(root: Path, mask_of: Callable[[int], np.ndarray], names: str = "background\ndent\nhail_mark\n") -> Path:
    """Grey photos, each with a mask of class indices."""
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for number in range(PHOTOS):
        cv2.imwrite(str(root / "images" / f"{number}.png"), np.full((32, 40, 3), 90 + number, np.uint8))
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask_of(number))
    (root / "classes.txt").write_text(names)
    return root


def mask(index: int = 1, hw: tuple[int, int] = (32, 40)) -> np.ndarray:
    pixels = np.zeros(hw, np.uint8)
    pixels[4:16, 4:20] = index
    return pixels


MODELS: dict[str, dict[str, Any]] = {
    "maps": {"heads": {"types": HEADS["types"]}},
    "instances": {
        "model": MaskRCNNRecipe(name="mask_rcnn", encoder="test_resnet", weights=None, width=8, hidden=16, layers=1),
        "heads": {"types": {"kind": "instances", "of": "damage"}},
    },
}


def run(root: Path, folder: Path, *, dataset: str = ".", told_as: str = "maps") -> Path:
    recipe = toy_recipe(
        **MODELS[told_as],
        data={"serve_size": SIDE, "workers": 0, "hold_out": 0.2, "train": [{"dataset": dataset, "per_batch": 2}]},
        phases=[{"steps": 1, "size": SIDE, "precision": "32"}],
        origins={name: {"origin": "painted", "licence": "CC0 1.0"} for name in (root.name, "train", "")},
    )
    return train(recipe, data=root, output=folder)


def refused(root: Path, folder: Path, **options: Any) -> str:
    """What is told; nothing of a run is left behind."""
    with pytest.raises(DentifyError) as caught:
        run(root, folder, **options)
    assert "\n" not in str(caught.value)
    assert not (folder / "last.ckpt").exists()
    return str(caught.value)


def test_masks_of_indices_are_trained_on(tmp_path: Path) -> None:
    (tmp_path / "cars").mkdir()
    assert run(paint(tmp_path / "cars", lambda number: mask(1 + number % 2)), tmp_path / "run").is_file()


@pytest.mark.parametrize(
    ("mask_of", "names", "told"),
    [
        (lambda number: mask(hw=(32, 32) if number == 3 else (32, 40)), "background\ndent\n", r"3.png is 40 × 32 pixels"),
        (lambda number: mask(9 if number == 3 else 1), "background\ndent\n", r"class index 9 is none of the 2"),
        (lambda number: mask(2), "background\ndent\nrust\n", "rust"),
        (lambda number: mask(0), "background\ndent\n", "teach nothing that a bundle could tell"),
    ],
    ids=["another size than its photo", "an index that no name has", "a class that the recipe has not", "all are empty"],
)
@pytest.mark.parametrize("told_as", ["maps", "instances"])
def test_masks_that_do_not_fit_are_one_line(
    mask_of: Callable[[int], np.ndarray], names: str, told: str, told_as: str, tmp_path: Path
) -> None:
    (tmp_path / "cars").mkdir()
    assert told in refused(paint(tmp_path / "cars", mask_of, names), tmp_path / "run", told_as=told_as)


@pytest.mark.parametrize("told_as", ["maps", "instances"])
def test_an_empty_mask_among_others_is_a_photo_without_damage(told_as: str, tmp_path: Path) -> None:
    (tmp_path / "cars").mkdir()
    assert run(paint(tmp_path / "cars", lambda number: mask(int(number > 0))), tmp_path / "run", told_as=told_as).is_file()


def test_one_outline_that_is_two_parts_is_told(painted: Path, tmp_path: Path) -> None:
    """Smaller parts are drawn on top of larger ones; of two that are alike one would be lost."""
    document = json.loads((painted / "train.json").read_text())
    hoods = [row for row in document["annotations"] if row["category_id"] == 3]
    document["images"] = [image | {"labelled": [*image["labelled"], "roof"]} for image in document["images"]]
    document["categories"].append({"id": 4, "name": "roof"})
    document["annotations"] += [hood | {"id": 100 + hood["id"], "category_id": 4} for hood in hoods]
    (painted / "twice.json").write_text(json.dumps(document))
    recipe = toy_recipe(heads=HEADS, classes={"damage": ["dent", "hail_mark"], "parts": ["hood", "roof"]})
    data = recipe.data.model_copy(update={"train": (recipe.data.train[0].model_copy(update={"dataset": "twice.json"}),)})
    with pytest.raises(DatasetError, match=r"calls one outline hood and roof, and heads.parts tells one class a place") as caught:
        train(recipe.model_copy(update={"data": data}), data=painted, output=tmp_path / "run")
    assert "\n" not in str(caught.value)
