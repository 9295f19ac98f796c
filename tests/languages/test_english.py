"""Beyond the doctests: lists, counts and sentences."""

from __future__ import annotations

import pytest

from dentify.languages import ENGLISH, as_sentence


def test_lists_of_any_length() -> None:
    assert [ENGLISH.listed(["a", "b", "c", "d"][:n]) for n in range(5)] == ["", "a", "a and b", "a, b and c", "a, b, c and d"]


def test_counts_above_twelve_are_digits() -> None:
    assert (ENGLISH.number_word(12), ENGLISH.number_word(13)) == ("twelve", "13")


def test_types_are_counted_each_in_its_way() -> None:
    assert ENGLISH.counted([("glass_shatter", 1), ("tire_flat", 1)]) == "shattered glass and one flat tyre"
    assert ENGLISH.counted([("glass_shatter", 2), ("rust", 1), ("rust_spots", 14)]) == (
        "two shattered panes, 1 × rust and 14 × rust spots"
    )


@pytest.mark.parametrize("text", ["first frame of 12", "first frame of 12.", " first  frame\nof 12 . "])
def test_a_sentence_has_one_full_stop_and_single_spaces(text: str) -> None:
    assert as_sentence(text) == "First frame of 12."
