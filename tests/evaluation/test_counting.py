"""Numbers of findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dentify.assessment import Assessment
from dentify.datasets import Sample
from dentify.evaluation import component_counts, found_counts, mean_count_error
from dentify.evaluation.counting import annotated_counts
from dentify.evaluation.outlines import Things
from dentify.runtime.instances import Instances


def test_touching_instances_are_one_component_and_strokes_are_several(make_things: Callable[..., Things]) -> None:
    strokes = np.zeros((40, 60), np.bool_)
    strokes[5, 0:10] = strokes[5, 12:20] = True
    found = make_things([("dent", 0.9, (0, 10, 10, 20)), ("dent", 0.9, (10, 20, 20, 30)), ("scratch", 0.9, strokes)])
    assert component_counts(found) == {"dent": 1, "scratch": 2}
    assert component_counts(make_things([])) == {}


def test_assessments_and_instances_are_counted_alike(make_assessment: Callable[..., Assessment]) -> None:
    assessment = make_assessment(
        "a", [("dent", 0.9, (0, 0, 5, 5)), ("scratch", 0.8, (9, 9, 15, 15)), ("dent", 0.7, (20, 20, 30, 30))]
    )
    instances = Instances(
        boxes_xyxy=np.zeros((3, 4), np.float32),
        scores=np.ones(3, np.float32),
        class_ids=np.array([0, 1, 0]),
        masks=None,
        corners_xy=np.zeros((3, 2), np.int64),
        grid_hw=(4, 4),
        photo_hw=(40, 60),
    )
    assert found_counts(assessment) == found_counts(instances, ["dent", "scratch"]) == {"dent": 2, "scratch": 1}


def test_only_labelled_types_count_and_photos_weigh_equally(make_sample: Callable[..., Sample]) -> None:
    one = make_sample("a", [("dent", (0, 0, 5, 5)), ("dent", (9, 9, 15, 15))], labelled=["dent"])
    none = make_sample("b", labelled=["dent", "scratch"])
    assert annotated_counts(none) == {"dent": 0, "scratch": 0}
    assert mean_count_error([({"dent": 1, "scratch": 9}, one), ({"scratch": 2}, none)]) == 1.5
    assert mean_count_error([]) is None


def test_damage_of_no_known_type_and_ignored_regions_are_not_counted(make_sample: Callable[..., Sample]) -> None:
    untyped = make_sample("a", [("damage", (0, 0, 5, 5)), ("dent", (9, 9, 15, 15))], labelled=["dent", "damage"])
    assert annotated_counts(untyped) == {"dent": 1}
    plain = make_sample("b", [("dent", (0, 0, 5, 5))], labelled=["dent"])
    unsure = replace(plain, annotations=tuple(replace(one, unsure=True) for one in plain.annotations))
    assert annotated_counts(unsure) == {"dent": 0}
    assert mean_count_error([({"dent": 9}, untyped), ({"dent": 9}, unsure), ({"dent": 3}, plain)]) == 2.0
