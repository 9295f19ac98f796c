"""Which parts of a vehicle can be seen from which side."""

from __future__ import annotations

import pytest

from dentify.taxonomy import PART_NAMES, mirrored_part
from dentify.visibility import VIEWS, seen_from


def mirrored_view(view: str) -> str:
    return view.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")


@pytest.mark.parametrize("part", PART_NAMES)
def test_a_mirrored_photo_shows_the_mirrored_part(part: str) -> None:
    assert {mirrored_view(view) for view in seen_from(part)} == set(seen_from(mirrored_part(part)))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("front_bumper", "back_bumper", {"left", "right"}),
        ("hood", "tailgate", {"left", "right"}),
        ("front_left_door", "back_right_door", set()),
        ("front_left_door", "front_right_fender", set()),
        ("front_bumper", "front_left_door", {"front_left", "left"}),
        ("front_left_light", "back_right_light", {"rear_left", "front_right"}),
        ("wheel", "roof", set(VIEWS)),
        ("back_bumper", "ladder", set(seen_from("back_bumper"))),  # a part of a user's own is seen from everywhere
    ],
)
def test_two_parts_are_seen_together_from(one: str, other: str, both: set[str]) -> None:
    assert set(seen_from(one)) & set(seen_from(other)) == both


def test_every_view_shows_something_that_another_cannot() -> None:
    shown = [{part for part in PART_NAMES if view in seen_from(part)} for view in VIEWS]
    assert len({frozenset(parts) for parts in shown}) == len(VIEWS)
