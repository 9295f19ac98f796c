"""What names of files and folders tell of a split."""

from __future__ import annotations

import unicodedata

import pytest

from dentify.datasets.label_set import split_in


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", ["trầy xước", "trước", "tête", "valör", "testé"])
def test_a_word_with_accents_is_no_split(name: str, form: str) -> None:
    assert split_in(unicodedata.normalize(form, name)) is None


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train2017", "train"),
        ("CarDD-TE", "test"),
        ("instances_val2017", "val"),
        ("trước_test", "test"),
        ("train图片", "train"),
        ("val라벨", "val"),
    ],
)
def test_a_split_is_found_beside_numbers_and_other_words(name: str, split: str) -> None:
    assert split_in(name) == split
