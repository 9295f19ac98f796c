"""Pictures of a run: what it learns from, and truth above answers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from torch import Tensor

from dentify.training import pictures
from dentify.training.photos import read_photo_set
from dentify.training.pictures import PICTURES, RunPictures
from toy_bench import SIDE, toy_recipe


def drawn(painted: Path, folder: Path, logit: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    recipe = toy_recipe()
    judges = read_photo_set(recipe.data.val[0], painted, "val", recipe.classes)
    run = RunPictures(folder, lambda count: [], judges, SIDE, recipe.build_heads())

    def answers(images: Tensor) -> dict[str, Tensor]:
        return {"types": torch.full((len(images), 2, SIDE // 2, SIDE // 2), logit)}

    run.draw(answers)
    sheet = cv2.imread(str(folder / PICTURES))
    assert sheet is not None
    return sheet


def test_answers_stand_below_the_truth(painted: Path, tmp_path: Path) -> None:
    """Three rows, of which the last alone depends on what the network says."""
    nothing, all_over = drawn(painted, tmp_path, -5.0), drawn(painted, tmp_path, 5.0)
    rows = np.abs(nothing.astype(int) - all_over).sum((1, 2)) > 0
    assert rows.any()
    assert np.flatnonzero(rows).min() > 2 * len(rows) // 3


def test_the_first_comes_after_a_minute_and_later_ones_cost_little(
    painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(pictures.time, "monotonic", lambda: now[0])
    run = RunPictures(tmp_path, lambda count: [], [], SIDE, toy_recipe().build_heads())
    now[0] = 159.0
    assert not run.is_due()
    now[0] = 161.0
    assert run.is_due()

    def slow(path: object) -> None:
        now[0] += 10

    monkeypatch.setattr(pictures, "write_whole", slow)
    run.draw(lambda images: {})
    now[0] += 299
    assert not run.is_due()
    now[0] += 2
    assert run.is_due()
