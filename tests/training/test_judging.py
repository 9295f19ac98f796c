"""Figures on the photos of val."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dentify.training import train
from dentify.training.judging import figure_names, read_judges
from one_number import one_number
from toy_bench import ToyNetwork, ToyRecipe, toy_recipe
from toy_runs import rows


class Seer(ToyNetwork):
    """Knows the painted colours from the start: blue is a dent."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        told = super().forward(images)
        colours = nn.functional.avg_pool2d(images * 0.25 + 0.5, 2)
        dent = 20 * (colours[:, 2:] - colours[:, :1]) - 6
        return told | {"types": torch.cat([dent, dent * 0 - 9], 1) + 0 * told["types"]}


class SeerRecipe(ToyRecipe):
    """Builds it."""

    def build(self, outputs: Any, root: Path | None) -> Seer:
        return Seer(self, outputs)


def test_figures_are_of_the_photos_of_val(painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(model=SeerRecipe()), data=painted, output=tmp_path)
    (_, last) = rows(tmp_path, "figures.csv")
    assert float(last["types/dent"]) > 0.8  # cells at the edges of a dent are half damaged
    assert float(last["types/hail_mark"]) == 0
    assert float(last["types/mean"]) == pytest.approx(float(last["types/dent"]) / 2, abs=1e-4)


@pytest.mark.usefixtures("one_answer")
def test_figures_are_of_the_averaged_weights(painted: Path, tmp_path: Path) -> None:
    """Photos of val show vehicles: the last weights deny it, their average does not yet."""
    state = one_number(painted, tmp_path, 1e-6, 20.0, level=18.0)
    assert state.weights["level"] < -1
    assert state.average["level"] > 1
    assert float(rows(tmp_path, "figures.csv")[-1]["vehicle/yes"]) == 1


def test_what_figures_will_be_called_is_known_before_a_run(run: Path, painted: Path) -> None:
    recipe = toy_recipe()
    assert ("step", *figure_names(recipe, read_judges(recipe, painted)[0])) == tuple(rows(run, "figures.csv")[0])
