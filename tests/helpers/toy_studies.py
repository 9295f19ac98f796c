"""Studies of a recipe so small that a trial takes a moment, or none at all where its figures follow a script."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dentify.training import Recipe
from toy_bench import toy_document

SMALL = {"name": "efficientnet_fpn", "encoder": "test_efficientnet", "width": 8, "fine_width": 8}
HEADS = {"types": {"kind": "overlapping", "of": "damage"}, "vehicle": {"kind": "labels", "of": "vehicle"}}
PHASE = {"size": 32, "precision": "32"}
SEARCH = {"optimizers.0.rate": [0.0001, 0.1, "log"], "model.width": {"any_of": [8, 16]}, "phases.0.steps": [2, 3]}


def document(**changes: Any) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "model": SMALL,
        "heads": HEADS,
        "phases": [{"steps": 3, **PHASE}],
        "validate_every": 1,
        "search": SEARCH,
        "tune": {"figures": ["types/mean"]},
    }
    return toy_document(**(keys | changes))


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate(document(**changes))


def rows(study: Path) -> list[dict[str, str]]:
    with (study / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def states(study: Path) -> list[str]:
    return [row["state"] for row in rows(study)]


Script = Callable[[Recipe], list[float]]


def rate(recipe: Recipe) -> float:
    return recipe.optimizers[0].rate
