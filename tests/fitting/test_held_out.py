"""Photos that training never sees."""

from __future__ import annotations

from dentify.datasets import Sample
from dentify.fitting.held_out import hold_out


def test_held_out_photos_are_always_the_same_and_groups_stay_together() -> None:
    photos = [Sample(b"", f"{number}.jpg", source="s", group=str(number // 3)) for number in range(900)]
    train, held_out = hold_out(photos, 0.1)
    assert 40 < len(held_out) < 150
    assert len(train) + len(held_out) == 900
    assert not {photo.group for photo in train} & {photo.group for photo in held_out}
    assert [photo.name for photo in hold_out(photos[::-1], 0.1)[1]] == [photo.name for photo in held_out[::-1]]


def test_photos_without_a_group_are_held_out_by_name_and_source() -> None:
    held_out = [
        {photo.name for photo in hold_out([Sample(b"", str(number), source=source) for number in range(300)], 0.3)[1]}
        for source in ("a", "b")
    ]
    assert all(60 < len(names) < 120 for names in held_out)
    assert held_out[0] != held_out[1]


def test_nothing_may_be_held_out() -> None:
    assert hold_out([Sample(b"", "a.jpg")], 0)[1] == []
