"""What results are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dentify.sinks import output_stem


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=400))
def test_every_output_fits_a_file_name(name: str) -> None:
    longest = f".{output_stem(name + '.jpg')}.photo.jpg.part"
    assert len(longest.encode()) <= 255


def test_names_that_are_cut_stay_apart() -> None:
    assert output_stem("x" * 300 + "1.jpg") != output_stem("x" * 300 + "2.jpg")
