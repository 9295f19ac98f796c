"""Label files broken in one place, and what is promised of reading them; shared by the tests of formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError

Change = Callable[[Any], object]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, 1e308, "\ud800", "a\nb", "http://["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
"""Anything that JSON can hold."""


def set_in(*path: str | int, value: object) -> Change:
    """A change: puts a value where the path leads."""

    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def check_samples_or_one_line(path: Path, **options: Any) -> None:
    """Whatever stands in a file, reading it gives samples, or one line of what is wrong."""
    said = ""
    try:
        assert all(isinstance(sample, Sample) for sample in open_dataset(path, **options))
    except DatasetError as error:
        said = str(error)
    assert "\n" not in said
