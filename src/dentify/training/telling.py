"""How a run goes, in words for a terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from dentify.planning import told_time
from dentify.training.recipe import Recipe


class Looks:
    """What is told of each look at val: how the losses since the last one were, and how long the run will go on.

    Args:
        recipe: of the run.
        judged: how many photos val has.
        step: from which the run goes on.
    """

    def __init__(self, recipe: Recipe, *, judged: int, step: int) -> None:
        self._recipe = recipe
        self._judged = judged
        self._first_step, self._began = step, time.monotonic()
        self._losses: list[float] = []
        self._before: float | None = None

    def add(self, loss: float) -> None:
        """Takes note of a step's loss."""
        self._losses.append(loss)

    def told(self, step: int, figures: Mapping[str, float]) -> str:
        """A look after so many steps, in a line."""
        loss = sum(self._losses) / len(self._losses)
        pace_s = (time.monotonic() - self._began) / (step - self._first_step)
        told = told_look(
            self._recipe,
            step=step,
            loss=loss,
            before=self._before,
            figures=figures,
            judged=self._judged,
            left_s=pace_s * (self._recipe.steps - step),
        )
        self._losses, self._before = [], loss
        return told


def told_look(
    recipe: Recipe, *, step: int, loss: float, before: float | None, figures: Mapping[str, float], judged: int, left_s: float
) -> str:
    """A look at val, in a line.

    Args:
        recipe: of the run.
        step: how many were taken.
        loss: mean of the steps since the last look.
        before: that of the look before; `None` at the first.
        figures: on the photos of val.
        judged: how many these are.
        left_s: seconds that the run will roughly go on.
    """
    was = f" (was {before:.2f})" if before is not None else ""
    told = [f"step {step:,} of {recipe.steps:,}: loss {loss:.2f}{was}"]
    figured = [text for name in recipe.heads if (text := _told_head(recipe, name, figures))]
    if figured:
        told.append(f"{', '.join(figured)} on {judged} photo{'s' if judged != 1 else ''}")
    if step < recipe.steps:
        told.append(f"{told_time(left_s)} left")
    return "; ".join(told)


def _told_head(recipe: Recipe, name: str, figures: Mapping[str, float]) -> str:
    """What a person wants to know of a head: of maps of damage their IoU, of a gate how often it is right."""
    head = recipe.heads[name]
    if head.kind == "overlapping":
        value = figures.get(f"{name}/mean", figures.get(f"{name}/iou", math.nan))
        what = "any damage IoU" if head.of == "any_damage" else f"{name} IoU"
        return "" if math.isnan(value) else f"{what} {value:.2f}"
    if head.kind == "labels":
        told = {key: figures.get(f"{name}/{key}", math.nan) for key in ("yes", "no")}
        right = [f"{key} {value:.2f}" for key, value in told.items() if not math.isnan(value)]
        if right:
            return f"{name} right: {', '.join(right)}"
        mean = figures.get(f"{name}/mean", math.nan)
        return "" if math.isnan(mean) else f"{name} {mean:.2f}"
    return ""
