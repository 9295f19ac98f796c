"""Which parts a finding is named by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dentify.part_naming import parts_of_findings
from dentify.runtime.instances import Instances
from placed_instances import instances


def named(parts: tuple[Any, ...]) -> list[tuple[str, float]]:
    return [(part.name, part.share_of_finding) for part in parts]


def at_parts(findings: Instances, parts: Instances, names: list[str], damage: str = "dent") -> list[tuple[Any, ...]]:
    return parts_of_findings(findings, parts, types=[damage], names=names)


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        pytest.param((0, 0, 4, 4), [("hood", 1.0)], id="wholly on one"),
        pytest.param((6, 0, 4, 4), [("hood", 0.5), ("door", 0.5)], id="half on each"),
        pytest.param((5, 0, 4, 4), [("hood", 0.75), ("door", 0.25)], id="most first"),
        pytest.param((0, 0, 9, 1), [("hood", 0.889), ("door", 0.111)], id="a tenth is named"),
        pytest.param((0, 0, 1, 10), [("hood", 0.8)], id="the rest lies on none"),
        pytest.param((0, 8, 4, 4), [("hood", 0.0)], id="beside one"),
        pytest.param((7, 8, 8, 6), [("door", 0.0)], id="beside two, nearer to one by most"),
        pytest.param((0, 6, 4, 6), [("hood", 0.333)], id="a third on it, the rest beside it"),
        pytest.param((0, 12, 4, 4), [], id="beside none"),
    ],
)
def test_parts_of_a_finding(finding: tuple[int, int, int, int], expected: list[tuple[str, float]]) -> None:
    parts = instances((0.9, 0, (0, 0, 8, 8)), (0.8, 1, (8, 0, 8, 8)))
    (found,) = at_parts(instances((0.7, 0, finding)), parts, ["hood", "door"])
    assert named(found) == expected


def test_what_a_crash_leaves_nothing_of_is_at_the_part_around_it() -> None:
    """The hood is made out around the finding only, a sixth of it as large."""
    around = np.ones((10, 10), np.bool_)
    around[1:-1, 1:-1] = False
    hood = replace(instances((0.9, 0, (3, 3, 10, 10))), masks=(around,))
    (found,) = at_parts(instances((0.7, 0, (4, 4, 8, 8))), hood, ["hood"])
    assert named(found) == [("hood", 0.0)]
    assert found[0].share_of_part == 0


@pytest.mark.parametrize("fitting", ["wheel", "left_mirror", "front_left_light", "front_glass"])
def test_crushed_metal_is_at_the_panel_and_not_at_the_fitting_beside_it(fitting: str) -> None:
    parts = instances((0.9, 0, (4, 4, 2, 2)), (0.8, 1, (4, 10, 8, 4)))
    crushed = instances((0.7, 0, (4, 6, 6, 4)))  # it touches both
    (found,) = at_parts(crushed, parts, [fitting, "front_bumper"])
    assert named(found) == [("front_bumper", 0.0)]
    assert at_parts(crushed, parts.select(np.array([0])), [fitting, "front_bumper"]) == [()]


@pytest.mark.parametrize(
    ("damage", "own", "other"),
    [
        ("lamp_broken", "back_left_light", "back_bumper"),
        ("tire_flat", "wheel", "front_left_door"),
        ("glass_shatter", "front_glass", "hood"),
    ],
)
def test_a_damage_that_only_some_parts_have_is_at_one_of_these(damage: str, own: str, other: str) -> None:
    parts = instances((0.9, 0, (0, 0, 4, 4)), (0.8, 1, (4, 0, 8, 8)))
    beside = instances((0.7, 0, (4, 0, 4, 4)))  # wholly on the other
    (found,) = at_parts(beside, parts, [own, other], damage)
    assert named(found) == [(own, 0.0)]
    (far_away,) = at_parts(instances((0.7, 0, (9, 0, 3, 3))), parts, [own, other], damage)
    assert named(far_away) == []
    (unseen,) = at_parts(beside, parts.select(np.array([1])), [own, other], damage)
    assert named(unseen) == []
    (any_part,) = at_parts(beside, parts, [own, other], "dent")
    assert named(any_part) == [(other, 1.0)]


def test_a_bundle_without_such_parts_names_what_it_has() -> None:
    (found,) = at_parts(instances((0.7, 0, (0, 0, 4, 4))), instances((0.9, 0, (0, 0, 8, 8))), ["windscreen"], "glass_shatter")
    assert named(found) == [("windscreen", 1.0)]


def test_findings_of_several_types_are_told_apart() -> None:
    parts = instances((0.9, 0, (0, 0, 4, 4)), (0.8, 1, (4, 0, 8, 8)))
    findings = instances((0.7, 0, (4, 0, 4, 4)), (0.6, 1, (4, 0, 4, 4)), (0.5, 2, (12, 12, 2, 2)))
    told = parts_of_findings(findings, parts, types=["dent", "lamp_broken", "tire_flat"], names=["front_left_light", "hood"])
    assert [named(parts) for parts in told] == [[("hood", 1.0)], [("front_left_light", 0.0)], []]


def test_shares_of_a_part_are_of_its_visible_cells() -> None:
    parts = instances((0.9, 0, (0, 0, 8, 8)))
    (found,) = at_parts(instances((0.7, 0, (0, 0, 4, 4))), parts, ["hood"])
    assert found[0].share_of_part == 0.25


def test_parts_on_a_coarser_grid_are_the_same_place() -> None:
    coarse = instances((0.9, 0, (0, 0, 4, 4)), grid_hw=(8, 8))
    (found,) = at_parts(instances((0.7, 0, (6, 0, 4, 4))), coarse, ["hood"])
    assert named(found) == [("hood", 0.5)]


def test_findings_without_masks_lie_where_their_boxes_do() -> None:
    masked = instances((0.7, 0, (5, 0, 4, 4)))
    boxed = Instances(
        masked.boxes_xyxy, masked.scores, masked.class_ids, None, masked.corners_xy, masked.grid_hw, masked.photo_hw
    )
    parts = instances((0.9, 0, (0, 0, 8, 8)))
    assert at_parts(boxed, parts, ["hood"]) == at_parts(masked, parts, ["hood"])


def test_no_findings_and_no_parts_go_through() -> None:
    nothing = instances()
    assert at_parts(nothing, instances((0.9, 0, (0, 0, 8, 8))), ["hood"]) == []
    assert at_parts(instances((0.7, 0, (0, 0, 2, 2))), nothing, ["hood"]) == [()]
