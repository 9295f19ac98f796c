"""From maps of parts to one instance a part, and none that the others say cannot be seen."""

from __future__ import annotations

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.bundle.manifest import Grouping
from dentify.runtime.part_maps import find_parts, likeliest_view
from dentify.runtime.probabilities import softmax
from dentify.taxonomy import PART_NAMES, mirrored_part
from dentify.visibility import VIEWS, seen_from
from drawn_maps import blank, logits_of

HOOD, BUMPER, DOOR = (slice(0, 4), slice(0, 10)), (slice(10, 14), slice(0, 10)), (slice(4, 10), slice(10, 16))


def drawn(**places: tuple[slice, slice] | list[tuple[slice, slice]]) -> tuple[np.ndarray, list[str]]:
    """Maps that are sure of each part at its places, and their names."""
    masks = []
    for where in places.values():
        mask = blank()
        for place in where if isinstance(where, list) else [where]:
            mask[place] = True
        masks.append(mask)
    return logits_of(*masks, ~np.any(masks, axis=0)), list(places)


def told(logits: np.ndarray, names: list[str]) -> dict[str, int]:
    """The parts that are found, with their cells."""
    found = find_parts(logits, names, Grouping(), (16, 16))
    return {names[int(class_id)]: int(found.on_grid(index).sum()) for index, class_id in enumerate(found.class_ids)}


def test_each_part_is_one_instance_without_specks() -> None:
    hood, bumper = blank(), blank()
    hood[0:8], bumper[10:14, 3:9] = True, True
    hood[15, 15] = True
    assert told(logits_of(hood, bumper, ~(hood | bumper)), ["hood", "front_bumper"]) == {"hood": 8 * 16, "front_bumper": 4 * 6}


def test_a_region_of_a_tenth_of_the_largest_is_no_speck() -> None:
    hood = blank()
    hood[0:4, 0:10] = True  # 40 cells
    hood[8:10, 0:2] = True  # 4
    hood[12, 0:3] = True  # 3
    assert told(logits_of(hood, ~hood), ["hood"]) == {"hood": 44}


def test_a_front_bumper_taken_for_a_rear_one_is_a_front_bumper() -> None:
    logits, names = drawn(hood=HOOD, front_bumper=BUMPER, back_bumper=BUMPER, front_left_door=DOOR)
    logits[names.index("front_bumper")] -= 1  # second best there
    assert told(logits, names) == {"hood": 40, "front_bumper": 40, "front_left_door": 36}


def test_what_cannot_be_seen_and_is_nothing_else_is_no_part() -> None:
    logits, names = drawn(hood=HOOD, front_bumper=BUMPER, tailgate=DOOR)
    assert told(logits, names) == {"hood": 40, "front_bumper": 40}


def test_doors_of_one_side_only() -> None:
    logits, names = drawn(front_left_door=DOOR, back_left_door=HOOD, front_right_door=BUMPER, back_right_door=BUMPER)
    logits[names.index("front_right_door")] -= 2
    assert set(told(logits, names)) == {"front_left_door", "back_left_door"}


def test_straight_from_its_side_a_car_shows_both_bumpers() -> None:
    ends = slice(6, 10)
    logits, names = drawn(
        front_left_door=(slice(4, 12), slice(3, 8)),
        back_left_door=(slice(4, 12), slice(8, 13)),
        front_bumper=(ends, slice(0, 2)),
        back_bumper=(ends, slice(14, 16)),
    )
    assert set(told(logits, names)) == set(names)


def test_parts_with_names_of_a_users_own_are_all_told() -> None:
    logits, names = drawn(bow=HOOD, stern=BUMPER, mast=DOOR)
    assert told(logits, names) == {"bow": 40, "stern": 40, "mast": 36}
    with_one_that_is_known, names = drawn(hood=HOOD, stern=BUMPER, mast=DOOR)
    assert set(told(with_one_that_is_known, names)) == set(names)


@pytest.mark.parametrize(
    ("places", "view"),
    [
        ({"front_bumper": BUMPER, "hood": HOOD, "front_left_door": DOOR}, "front_left"),
        ({"front_bumper": BUMPER, "hood": HOOD, "front_right_door": DOOR}, "front_right"),
        ({"back_bumper": BUMPER, "trunk": HOOD, "back_left_door": DOOR}, "rear_left"),
        ({"back_bumper": BUMPER, "trunk": HOOD, "back_right_door": DOOR}, "rear_right"),
        ({"front_bumper": BUMPER, "front_left_fender": HOOD, "front_right_fender": DOOR}, "front"),
        ({"back_bumper": BUMPER, "rear_left_quarter_panel": HOOD, "rear_right_quarter_panel": DOOR}, "rear"),
        (
            {"front_bumper": (slice(6, 9), slice(0, 2)), "back_bumper": (slice(6, 9), slice(14, 16)), "back_left_door": HOOD},
            "left",
        ),
        (
            {"front_bumper": (slice(6, 9), slice(0, 2)), "back_bumper": (slice(6, 9), slice(14, 16)), "back_right_door": HOOD},
            "right",
        ),
    ],
)
def test_the_view_that_forbids_least(places: dict[str, tuple[slice, slice]], view: str) -> None:
    logits, names = drawn(**places)
    assert likeliest_view(softmax(logits), names) == view


maps_of_all_parts = npst.arrays(np.float32, (len(PART_NAMES) + 1, 4, 4), elements=st.floats(-8, 8, width=32))


@given(maps_of_all_parts)
def test_parts_that_are_told_can_be_seen_together(logits: np.ndarray) -> None:
    parts = told(logits, list(PART_NAMES))
    assert any(all(view in seen_from(part) for part in parts) for view in VIEWS)


@given(maps_of_all_parts)
def test_without_known_names_every_cell_goes_to_its_likeliest(logits: np.ndarray) -> None:
    names = [f"plank {number}" for number in range(len(PART_NAMES))]
    best = logits.argmax(0)
    assert set(told(logits, names)) <= {names[number] for number in np.unique(best).tolist() if number < len(names)}
    view = likeliest_view(softmax(logits), names)
    assert view in VIEWS


@given(npst.arrays(np.float32, len(PART_NAMES), elements=st.integers(0, 100).map(float)))
def test_a_mirrored_map_is_seen_from_no_worse_a_view(areas: np.ndarray) -> None:
    """The mirrored view, or one that forbids as much."""
    probs = np.append(areas, 1)[:, None, None]
    mirror = [PART_NAMES.index(mirrored_part(name)) for name in PART_NAMES]
    mirrored = np.append(areas[mirror], 1)[:, None, None]
    view, other = likeliest_view(probs, PART_NAMES), likeliest_view(mirrored, PART_NAMES)

    def forbidden(seen: str, values: np.ndarray) -> float:
        return sum(float(values[index]) for index, name in enumerate(PART_NAMES) if seen not in seen_from(name))

    assert forbidden(view, areas) == pytest.approx(forbidden(other, areas[mirror]), rel=1e-9)
