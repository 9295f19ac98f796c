"""How a run goes, in words."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.training.telling import told_look
from toy_bench import toy_recipe

FIGURES = {"any/iou": 0.414, "types/mean": 0.2, "types/dent": 0.2, "vehicle/yes": 1.0, "vehicle/no": math.nan, "parts/mean": 0.5}


def test_a_look_says_loss_figures_and_time_left() -> None:
    recipe = toy_recipe()
    told = told_look(recipe, step=4, loss=1.912, before=2.3, figures=FIGURES, judged=40, left_s=370)
    assert told == (
        "step 4 of 10: loss 1.91 (was 2.30); types IoU 0.20, any damage IoU 0.41, vehicle right: yes 1.00 on 40 photos;"
        " 6 minutes left"
    )


def test_what_is_not_judged_and_not_left_is_not_told() -> None:
    figures = dict.fromkeys(FIGURES, math.nan)
    assert (
        told_look(toy_recipe(), step=10, loss=1.0, before=None, figures=figures, judged=1, left_s=0) == "step 10 of 10: loss 1.00"
    )
