"""What a network says of a mirrored photo, turned back."""

from __future__ import annotations

import numpy as np

from dentify.runtime.mirroring import unmirrored, unmirrored_offsets, unmirrored_parts


def test_maps_are_turned_back() -> None:
    maps = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    assert unmirrored(maps)[0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert unmirrored(unmirrored(maps)).tolist() == maps.tolist()


def test_left_is_right_in_a_mirror_and_the_last_map_is_none_of_the_parts() -> None:
    names = ("hood", "left_mirror", "right_mirror")
    maps = np.zeros((4, 1, 2), np.float32)
    maps[1, 0, 0], maps[3, 0, 1] = 5, 7  # what looks like a left mirror on the left
    turned = unmirrored_parts(maps, names)
    assert turned[2, 0].tolist() == [0, 5]
    assert turned[3, 0].tolist() == [7, 0]


def test_what_a_cell_points_at_lies_on_the_other_side() -> None:
    maps = np.float32([[[0.25, 0.0]], [[0.5, 0.0]]])  # (x, y) of one type
    turned = unmirrored_offsets(maps)
    assert turned.tolist() == [[[0.0, -0.25]], [[0.0, 0.5]]]
    assert maps[0, 0, 0] == 0.25  # the given ones stay
