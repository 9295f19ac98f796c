"""From maps of parts to one instance a part."""

from __future__ import annotations

from dentify.bundle.manifest import Grouping
from dentify.runtime.part_maps import find_parts
from drawn_maps import blank, logits_of


def test_each_part_is_one_instance_without_specks() -> None:
    hood, bumper = blank(), blank()
    hood[0:8], bumper[10:14, 3:9] = True, True
    hood[15, 15] = True
    logits = logits_of(hood, bumper, ~(hood | bumper))
    found = find_parts(logits, Grouping(), (16, 16))
    assert sorted(found.class_ids.tolist()) == [0, 1]
    by_class = {int(class_id): found.on_grid(index) for index, class_id in enumerate(found.class_ids)}
    assert by_class[0].sum() == 8 * 16
    assert by_class[1].sum() == 4 * 6


def test_a_region_of_a_tenth_of_the_largest_is_no_speck() -> None:
    hood = blank()
    hood[0:4, 0:10] = True  # 40 cells
    hood[8:10, 0:2] = True  # 4
    hood[12, 0:3] = True  # 3
    found = find_parts(logits_of(hood, ~hood), Grouping(), (16, 16))
    assert found.on_grid(0).sum() == 44
