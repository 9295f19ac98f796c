"""The best and the worst photos of an evaluation, of the tiny bundle on painted photos."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dentify
from dentify.evaluation import Overlays, evaluate
from dentify.evaluation.overlays import KINDS
from dentify.testing import tiny_bundle
from painted_samples import mixed_samples, painted


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> dentify.Assessor:
    return dentify.load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


def test_photos_are_ranked_by_the_pixel_iou_of_any_damage(assessor: dentify.Assessor) -> None:
    overlays = Overlays(most=2)
    evaluate(assessor, mixed_samples(), resamples=2, overlays=overlays)
    assert [one.photo for one in overlays.of("best")] == ["sure.png", "two.png"]
    assert [one.text for one in overlays.of("best")] == [
        "IoU 1.00; 1 found, 0 false, 0 missed",
        "IoU 1.00; 2 found, 0 false, 0 missed",
    ]
    worst = overlays.of("worst")
    assert (worst[0].photo, worst[0].text) == ("weak.png", "IoU 0.00; 0 found, 0 false, 1 missed")
    assert len(worst) == 2


def test_of_photos_on_which_nothing_is_found_that_with_the_most_damage_comes_first(assessor: dentify.Assessor) -> None:
    overlays = Overlays(most=2)
    missed = [painted("one.png", [("dent", 0.5)]), painted("three.png", [("dent", 0.5)] * 3)]
    evaluate(assessor, missed, resamples=2, overlays=overlays)
    assert [one.photo for one in overlays.of("worst")] == ["three.png", "one.png"]


def test_photos_without_outlined_damage_are_passed_over(assessor: dentify.Assessor) -> None:
    overlays = Overlays()
    evaluate(
        assessor, [painted("sound.png"), painted("alarm.png", [("dent", 1.0)], annotated=[])], resamples=2, overlays=overlays
    )
    assert not any(overlays.of(kind) for kind in KINDS)


def test_what_is_annotated_is_grey_and_what_was_told_has_its_colour(assessor: dentify.Assessor) -> None:
    overlays = Overlays()
    evaluate(
        assessor, [painted("weak.png", [("dent", 0.57)]), painted("sure.png", [("dent", 1.0)])], resamples=2, overlays=overlays
    )
    told, missed = (
        np.array(Image.open(io.BytesIO(overlays.of(kind)[0].jpeg)).convert("HSV"), int)[..., 1] for kind in ("best", "worst")
    )
    assert told.shape == missed.shape == (320, 320)
    assert told[80:120, 80:120].mean() > missed[80:120, 80:120].mean() + 10  # where the dent is painted


def test_the_page_shows_both(assessor: dentify.Assessor, tmp_path: Path) -> None:
    from dentify.evaluation.page import evaluation_page

    overlays = Overlays()
    page = evaluation_page(evaluate(assessor, mixed_samples(), resamples=2, overlays=overlays), overlays=overlays)
    assert "The best and the worst photos" in page
    assert "sure.png: IoU 1.00; 1 found, 0 false, 0 missed" in page
    assert "The worst photos" in page
