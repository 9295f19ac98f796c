"""Which photos are kept from training."""

from __future__ import annotations

from dentify.datasets import Sample
from dentify.fitting.held_out import hold_out

PHOTOS = [Sample(b"", f"{number}.jpg", source="lot", group=f"car{number // 2}") for number in range(1000)]


def test_about_the_share_is_kept_and_groups_stay_together() -> None:
    train, held_out = hold_out(PHOTOS, 0.1)
    assert len(train) + len(held_out) == 1000
    assert 40 < len(held_out) < 150
    assert not {photo.group for photo in train} & {photo.group for photo in held_out}


def test_the_same_are_kept_in_any_order() -> None:
    assert hold_out(PHOTOS[::-1], 0.1)[1] == hold_out(PHOTOS, 0.1)[1][::-1]


def test_names_of_different_sources_are_different_photos() -> None:
    other = [Sample(b"", photo.name, source="road", group=photo.group) for photo in PHOTOS]
    assert [photo.name for photo in hold_out(other, 0.1)[1]] != [photo.name for photo in hold_out(PHOTOS, 0.1)[1]]


def test_none_or_all() -> None:
    assert hold_out(PHOTOS, 0.0) == (PHOTOS, [])
    assert hold_out(PHOTOS, 1.0) == ([], PHOTOS)
    assert hold_out([], 0.1) == ([], [])
