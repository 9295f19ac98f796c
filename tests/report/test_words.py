"""Beyond the doctests: every count, share and confidence has its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.report.words import as_sentence, certainty_word, listed, number_word, share_words, with_article


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "less than 1 %"),
        (0.0099, "less than 1 %"),
        (0.01, "about 1 %"),
        (0.1, "about a tenth"),
        (0.14, "about 14 %"),
        (0.2, "about a fifth"),
        (0.26, "about a quarter"),
        (0.33, "about a third"),
        (0.5, "about half"),
        (0.6, "about 60 %"),
        (0.74, "about three quarters"),
        (0.92, "about 90 %"),
        (1.0, "nearly all"),
    ],
)
def test_shares_are_rounded_to_what_a_reader_can_picture(share, words):
    assert share_words(share) == words


@given(st.floats(0.01, 0.94))
def test_a_share_in_per_cent_is_off_by_no_more_than_its_rounding(share):
    words = share_words(share)
    if words.endswith("%"):
        percent = int(words.split()[1])
        assert abs(percent - 100 * share) <= (0.5 if share < 0.2 else 2.5) + 1e-9


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("scratch", "a scratch"),
        ("oil stain", "an oil stain"),
        ("unit", "a unit"),
        ("hour", "an hour"),
        ("uneven gap", "an uneven gap"),
    ],
)
def test_the_article_follows_the_sound(noun, expected):
    assert with_article(noun) == expected


def test_lists_of_any_length():
    assert [listed(["a", "b", "c", "d"][:n]) for n in range(5)] == ["", "a", "a and b", "a, b and c", "a, b, c and d"]


def test_bands_of_certainty_meet_without_gaps():
    assert [certainty_word(confidence) for confidence in (0.0, 0.4999, 0.5, 0.8999, 0.9, 1.0)] == [
        "possibly",
        "possibly",
        "probably",
        "probably",
        "clearly",
        "clearly",
    ]


def test_counts_above_twelve_are_digits():
    assert (number_word(12), number_word(13)) == ("twelve", "13")


@pytest.mark.parametrize("text", ["first frame of 12", "first frame of 12.", " first  frame\nof 12 . "])
def test_a_sentence_has_one_full_stop_and_single_spaces(text):
    assert as_sentence(text) == "First frame of 12."
