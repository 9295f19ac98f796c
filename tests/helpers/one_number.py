"""A network of one number, whose steps can be worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dentify.training import train
from dentify.training.checkpoints import Checkpoint, read_checkpoint
from toy_bench import ToyRecipe, toy_document, toy_recipe
from toy_runs import GATE, PHASE


class OneNumber(nn.Module):
    """Answers every photo with one number, `level`, behind a batch norm: what a step does to a network can be worked by hand."""

    mean = std = (0.5, 0.5, 0.5)

    def __init__(self, level: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.level = nn.Parameter(torch.tensor(level))

    def parts(self) -> dict[str, list[nn.Module]]:
        return {"norm": [self.norm], "level": [nn.ParameterList([self.level])]}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"vehicle": (self.level + 0 * self.norm(images).mean((1, 2, 3)))[:, None]}


class OneNumberRecipe(ToyRecipe):
    """Builds it."""

    level: float = 0.0

    def build(self, outputs: Any, root: Path | None) -> OneNumber:  # type: ignore[override]
        return OneNumber(self.level)


def one_number(painted: Path, folder: Path, *rates: float, level: float = 0.0, phase: Any = (), **keys: Any) -> Checkpoint:
    """After a step of each rate on photos without a vehicle, which want the number to fall; AdamW's first steps are the rate."""
    photos = [{"photos": "photos.csv", "per_batch": 2, "vehicle": False, "damage": False}]
    data = toy_document()["data"] | {"train": photos, "hold_out": 0.0}
    phases = [
        {"steps": 1, **PHASE, "optimizers": [{"kind": "adamw", "rate": rate, "weight_decay": 0}], **dict(phase)} for rate in rates
    ]
    keys["optimizers"] = [{"kind": "adamw", "rate": 1.0}]  # replaced by each phase
    recipe = toy_recipe(model=OneNumberRecipe(level=level), heads=GATE, data=data, phases=phases, **keys)
    return read_checkpoint(train(recipe, data=painted, output=folder))
