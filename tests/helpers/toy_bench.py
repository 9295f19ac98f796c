"""A network, photos and a recipe so small that a whole training run takes a second; a stranger's network needs no more than this.

python toy_bench.py DATA OUTPUT [KEY=VALUE ...]      # trains, as `dentify train` does with the networks that it knows
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from matplotlib.figure import Figure
from torch import Tensor, nn

from dentify.training.heads import Output
from dentify.training.loop import train
from dentify.training.models.network import NetworkRecipe
from dentify.training.recipe import Recipe, read_recipe

SIDE = 32
LEVELS = ("minor", "moderate", "severe")


class ToyRecipe(NetworkRecipe):
    """A few convolutions without batch norms, so that a batch's pictures do not know of each other."""

    width: int = 8
    dropout: float = 0.0

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> ToyNetwork:
        """The network; it needs no weights from `root`."""
        return ToyNetwork(self, outputs)


class ToyNetwork(nn.Module):
    """See `dentify.training.models.Network`."""

    mean = (0.5, 0.5, 0.5)
    std = (0.25, 0.25, 0.25)

    def __init__(self, recipe: ToyRecipe, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        self.outputs = dict(outputs)
        self.stem = nn.Sequential(nn.Conv2d(3, recipe.width, 3, 2, 1), nn.ReLU(), nn.Dropout(recipe.dropout))
        self.body = nn.Sequential(nn.Conv2d(recipe.width, recipe.width, 3, 1, 1), nn.ReLU())
        self.answers = nn.ModuleDict({name: nn.Conv2d(recipe.width, output.channels, 1) for name, output in outputs.items()})

    def parts(self) -> dict[str, list[nn.Module]]:
        """From the picture to the answers."""
        return {"encoder.0": [self.stem], "encoder.1": [self.body], "answers": [self.answers]}

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """A layer a head."""
        return {name: (f"answers.{name}", 0) for name in self.outputs}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(B, 3, S, S) to logits by name."""
        features = self.body(self.stem(images))
        told = {}
        for name, output in self.outputs.items():
            answer = self.answers[name](features)
            if output.stride is None:
                told[name] = answer.mean((2, 3))
            else:
                told[name] = answer if output.stride == 2 else nn.functional.avg_pool2d(answer, output.stride // 2)
        return told


def toy_heads() -> dict[str, Any]:
    """One head of every kind."""
    return {
        "types": {"kind": "overlapping", "of": "damage", "loss": {"cross_entropy": 4, "dice": 1, "boxes": 0.3}},
        "any": {"kind": "overlapping", "of": "any_damage", "weight": 0.5},
        "centres": {"kind": "centres", "weight": 0.3},
        "offsets": {"kind": "offsets", "weight": 0.02},
        "parts": {"kind": "exclusive", "of": "parts", "weight": 0.7},
        "severity_maps": {"kind": "exclusive", "of": "severity", "loss": {"cross_entropy": 1}, "class_weights": [0.5, 1.5, 4.0]},
        "vehicle": {"kind": "labels", "of": "vehicle"},
        "damage": {"kind": "labels", "of": "damaged"},
        "severity": {"kind": "labels", "of": "severity", "class_weights": [0.5, 1.5, 4.0]},
    }


def toy_document(**changes: Any) -> dict[str, Any]:
    """The recipe as it would stand in YAML, apart from its network; `changes` replace whole keys."""
    document: dict[str, Any] = {
        "name": "toy",
        "description": "A toy network for tests.",
        "model": {"name": "efficientnet_fpn", "encoder": "tf_efficientnet_b0"},
        "classes": {"damage": ["dent", "hail_mark"], "parts": ["hood"]},
        "heads": toy_heads(),
        "data": {
            "serve_size": SIDE,
            "workers": 0,
            "hold_out": 0.3,
            "train": [
                {"dataset": "train.json", "images": ".", "per_batch": 2},
                {"photos": "photos.csv", "per_batch": 1, "vehicle": True, "damage": False},
                {"photos": "photos.csv", "per_batch": 1, "vehicle": False, "damage": False, "leave_out": ["garage"]},
            ],
            "val": [{"dataset": "val.json", "images": "."}],
        },
        "optimizers": [
            {"kind": "adamw", "of": ["encoder"], "rate": 0.002, "schedule": {"warmup": 2}},
            {"kind": "adamw", "rate": 0.004},
        ],
        "phases": [
            {"steps": 6, "size": SIDE, "mosaic": 0.3, "paste": 0.5, "precision": "32"},
            {"steps": 4, "size": SIDE, "rate": "falls", "precision": "32"},
        ],
        "validate_every": 5,
        "checkpoint_every": 2,
        "origins": {name: {"origin": "painted by a test", "licence": "CC0 1.0"} for name in ("painted", "street", "garage")},
    }
    return document | changes


def toy_recipe(*, model: ToyRecipe | None = None, changes: tuple[str, ...] = (), **keys: Any) -> Recipe:
    """The recipe with the toy network, which is none of those that recipes can name."""
    document = toy_document(**keys)
    recipe = Recipe.model_validate(document)
    if changes:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            path = Path(folder) / "toy.yaml"
            path.write_text(yaml.safe_dump(document))
            recipe = read_recipe(path, changes)
    return recipe.model_copy(update={"model": model or ToyRecipe()})


def bare_plot(*told: object) -> Figure:
    """In place of a plot of a run or a study, which takes longer to draw than all else in a toy run."""
    return Figure(figsize=(1, 1))


def paint_photos(root: Path) -> Path:
    """Photos with blue dents and green hail marks, red hoods, and grey ones without anything, with their labels."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    images, annotations = [], []
    names = {"dent": 1, "hail_mark": 2, "hood": 3}
    for number in range(24):
        picture = rng.integers(90, 130, (64, 64, 3)).astype(np.uint8)
        x, y = (int(value) for value in rng.integers(4, 36, 2))
        kind = ("dent", "hail_mark", "hood")[number % 3]
        colour = {"dent": (255, 0, 0), "hail_mark": (0, 255, 0), "hood": (0, 0, 255)}[kind]
        picture[y : y + 20, x : x + 20] = colour
        cv2.imwrite(str(root / f"{number}.png"), picture)
        labelled = ["hood"] if kind == "hood" else ["dent", "hail_mark"]
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": 64, "height": 64, "labelled": labelled, "source": "painted"}
        )
        outline = [[x, y, x + 20, y, x + 20, y + 20, x, y + 20]]
        annotations.append(
            {"id": number, "image_id": number, "category_id": names[kind], "bbox": [x, y, 20, 20], "area": 400, "iscrowd": 0}
            | {"segmentation": outline, "severity": LEVELS[number % 2]}
        )
    document = {"images": images, "annotations": annotations, "categories": [{"id": i, "name": n} for n, i in names.items()]}
    (root / "train.json").write_text(json.dumps(document))
    (root / "val.json").write_text(json.dumps(document))
    rows = ["file,source,split"]
    for number in range(8):
        cv2.imwrite(str(root / f"grey{number}.png"), rng.integers(90, 130, (64, 64, 3)).astype(np.uint8))
        rows.append(f"grey{number}.png,{'street' if number % 2 else 'garage'},{'train' if number < 6 else 'val'}")
    (root / "photos.csv").write_text("\n".join(rows) + "\n")
    return root


if __name__ == "__main__":
    torch.set_num_threads(1)
    resume = "--resume" in sys.argv
    data, output, *changes = (argument for argument in sys.argv[1:] if argument != "--resume")
    train(toy_recipe(changes=tuple(changes)), data=Path(data), output=Path(output), resume=resume)
