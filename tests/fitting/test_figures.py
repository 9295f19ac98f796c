"""AP50, pixels and counts on the photos that were fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from dentify.fitting.evidence import match, silenced
from dentify.fitting.figures import average_precision50, figures_of, mean_precision50, pixel_counts
from seen_dents import GROUPING, NAMES, evidence, matched

HALVES = {"dent": 0.5, "scratch": 0.5}


def test_average_precision_by_hand() -> None:
    photos = [matched(0, seen=[(8, 8)], annotated=[(8, 8)]), matched(1, annotated=[(8, 8)])]
    assert average_precision50(photos, 0) == pytest.approx(51 / 101)  # recall 0.5 at precision 1: 51 of COCO's 101 points
    assert np.isnan(average_precision50(photos, 1))


def test_findings_of_all_photos_are_ranked_together() -> None:
    """Right at 0.9 and 0.3, wrong at 0.6: precision 1 up to recall 0.5 and 2/3 beyond, in whatever order photos come."""
    photos = [
        matched(0, seen=[(8, 8)], annotated=[(8, 8)], scores=[0.3]),
        matched(1, seen=[(8, 8)], scores=[0.6]),
        matched(2, seen=[(8, 8)], annotated=[(8, 8)], scores=[0.9]),
    ]
    expected = (51 + 50 * 2 / 3) / 101
    assert average_precision50(photos, 0) == pytest.approx(expected)
    assert average_precision50(photos[::-1], 0) == pytest.approx(expected)


def test_findings_as_sure_as_each_other_are_ranked_as_they_come() -> None:
    """On every machine alike. Of twenty at 0.9 and twenty at 0.5 the first ten are right: 2/3 are, down to the last right one."""
    right = [matched(seen=[(8, 8)], annotated=[(8, 8)], scores=[score]) for score in (0.9, 0.5)]
    wrong = [matched(seen=[(8, 8)], scores=[score]) for score in (0.9, 0.5)]
    assert average_precision50([*right * 10, *wrong * 10], 0) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_the_mean_is_over_types_that_are_annotated() -> None:
    photos = [matched(0, seen=[(8, 8)], annotated=[(8, 8)]), matched(1, annotated=[(8, 8)])]
    assert mean_precision50(photos, 2) == round(51 / 101, 4)
    assert np.isnan(mean_precision50([matched()], 2))


def test_pixels_count_what_is_told_from_the_threshold_on() -> None:
    found = matched(seen=[(8, 8), (40, 40)], annotated=[(8, 8)])
    dent, scratch, of_any = pixel_counts(found, np.float32([0.5, 0.5]))
    assert dent[0] / dent[1] == pytest.approx(0.5, abs=0.1)
    assert scratch.tolist() == [0, 0]
    assert of_any.tolist() == dent.tolist()
    # nothing told: the annotated 16 × 16 pixels, on a grid of their size
    assert pixel_counts(found, np.float32([1.1, 1.1]))[0].tolist() == [0, 16 * 16]


def test_types_that_the_source_does_not_label_count_nothing() -> None:
    found = match(evidence(seen=[(8, 8)], annotated=[(8, 8)], labelled=("scratch",)), GROUPING, None)
    assert not pixel_counts(found, np.float32([0.5, 0.5])).any()


def test_figures_of_a_good_and_a_silenced_photo() -> None:
    photos = [matched(number, seen=[(8, 8)], annotated=[(8, 8)]) for number in range(2)]
    all_told = figures_of(photos, photos, NAMES, HALVES)
    half_told = figures_of(photos, [photos[0], silenced(photos[1])], NAMES, HALVES)
    assert (all_told["dent/AP50"], all_told["mean/AP50"], all_told["told"]) == (1.0, 1.0, 1.0)
    assert half_told["dent/AP50"] == 1.0  # AP is of all that was scored
    assert half_told["told"] == 0.5
    assert half_told["any/iou"] == pytest.approx(all_told["any/iou"] / 2, abs=0.03)


def test_a_type_that_no_photo_shows_has_no_figure() -> None:
    photos = [matched(seen=[(8, 8)], annotated=[(8, 8)])]
    figures = figures_of(photos, photos, NAMES, HALVES)
    assert not {"scratch/AP50", "scratch/iou"} & set(figures)
    assert figures["mean/iou"] == figures["dent/iou"]


def test_sound_photos_alone_have_counts_only() -> None:
    photos = [matched(), matched(seen=[(8, 8)])]
    figures = figures_of(photos, photos, NAMES, HALVES)
    assert figures == {"dent/iou": 0.0, "any/iou": 0.0, "mean/iou": 0.0, "told": 0.5}
