"""Findings: when a scorer from the photos takes the place of the bundle's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("onnx", reason="the tiny bundle needs the extra train")

from dentify import Bundle
from dentify.errors import DatasetError
from dentify.fitting.fit import Fitted, fit_bundle
from painted_cars import damaged, everything


def test_a_bundles_own_scorer_stays_where_it_scores_types_that_no_photo_labels(tiny: Bundle, fitted: Fitted) -> None:
    bundle = replace(tiny, manifest=fitted.manifest)
    dents = [replace(one, labelled=frozenset({"dent"})) for one in map(damaged, range(40))]
    again = fit_bundle(bundle, dents)
    assert again.manifest.grouping.scorer == fitted.manifest.grouping.scorer
    assert "the scorer stays: it scores scratch, broken_part too, which no photo labels" in again.notes
    curves = again.manifest.calibration.findings
    assert curves["dent"] != fitted.manifest.calibration.findings["dent"]
    assert curves["scratch"] == fitted.manifest.calibration.findings["scratch"]


def test_a_bundles_own_scorer_stays_unless_one_from_the_photos_ranks_better(tiny: Bundle, fitted: Fitted) -> None:
    good = fitted.manifest.grouping.scorer
    assert good is not None
    note = "the scorer stays: one from these photos ranks findings no better"
    again = fit_bundle(replace(tiny, manifest=fitted.manifest), everything())
    assert (again.manifest.grouping.scorer, note in again.notes) == (good, True)
    turned = tuple(tuple(tuple(-value for value in row) for row in matrix) for matrix in good.weights[1:])
    bad = good.model_copy(update={"weights": (good.weights[0], *turned)})  # says right of what is wrong
    grouping = fitted.manifest.grouping.model_copy(update={"scorer": bad})
    mended = fit_bundle(replace(tiny, manifest=fitted.manifest.model_copy(update={"grouping": grouping})), everything())
    assert mended.before["dent/AP50"] < mended.figures["dent/AP50"] == 1.0
    assert note not in mended.notes


def test_near_duplicates_are_one_photo(tiny: Bundle) -> None:
    with pytest.raises(DatasetError, match="findings stay: 1 photo with outlines, it takes 20"):
        fit_bundle(tiny, [damaged(number, group="one car") for number in range(25)])
