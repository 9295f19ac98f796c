"""Beyond the doctests: gender and number of the types that it knows."""

from __future__ import annotations

import pytest

from dentify.languages.german import GERMAN


@pytest.mark.parametrize(
    ("name", "one", "two"),
    [
        ("dent", "eine Delle", "zwei Dellen"),
        ("scratch", "ein Kratzer", "zwei Kratzer"),
        ("glass_shatter", "zersplittertes Glas", "zwei zersplitterte Scheiben"),
        ("tire_flat", "ein platter Reifen", "zwei platte Reifen"),
        ("broken_part", "ein gebrochenes oder fehlendes Teil", "zwei gebrochene oder fehlende Teile"),
        ("rost", "1 × rost", "2 × rost"),
    ],
)
def test_types_are_counted_each_in_its_way(name: str, one: str, two: str) -> None:
    assert (GERMAN.counted([(name, 1)]), GERMAN.counted([(name, 2)])) == (one, two)


def test_lists_of_any_length() -> None:
    assert [GERMAN.listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a und b", "a, b und c"]


def test_shares_fit_what_they_are_a_share_of() -> None:
    assert GERMAN.size("nearly_all", of="part", part_name="hood", by_box=False) == "fast 100 % der sichtbaren Fläche"
    assert GERMAN.size("half", of="place", part_name="", by_box=True) == "etwa die Hälfte davon (nach dem Rahmen)"
