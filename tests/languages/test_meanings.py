"""Beyond the doctests: every share is rounded to what a reader can picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.languages.meanings import RoughShare, place_in_photo, rough_share


@pytest.mark.parametrize(
    ("share", "rough"),
    [
        (0.0, "trace"),
        (0.0099, "trace"),
        (0.01, 1),
        (0.1, "tenth"),
        (0.14, 14),
        (0.2, "fifth"),
        (0.26, "quarter"),
        (0.33, "third"),
        (0.5, "half"),
        (0.6, 60),
        (0.74, "three_quarters"),
        (0.92, 90),
        (1.0, "nearly_all"),
    ],
)
def test_shares_are_rounded_to_what_a_reader_can_picture(share: float, rough: RoughShare) -> None:
    assert rough_share(share) == rough


@given(st.floats(0.01, 0.94))
def test_a_share_in_per_cent_is_off_by_no_more_than_its_rounding(share: float) -> None:
    rough = rough_share(share)
    if isinstance(rough, int):
        assert abs(rough - 100 * share) <= (0.5 if share < 0.2 else 2.5) + 1e-9


def test_a_photo_has_nine_places() -> None:
    centres = [(x, y) for y in (50, 150, 250) for x in (50, 150, 250)]
    places = [place_in_photo((x - 9, y - 9, x + 9, y + 9), (300, 300)) for x, y in centres]
    assert places == [
        *("upper_left", "top", "upper_right"),
        *("left", "middle", "right"),
        *("lower_left", "bottom", "lower_right"),
    ]
