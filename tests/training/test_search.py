"""What `search` in a recipe may say, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from hypothesis import given
from hypothesis import strategies as st

from dentify.training.search import AnyOf, Span, choice_key, read_search

NUMBERS = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)


def test_two_whole_numbers_stay_whole_and_others_do_not() -> None:
    assert read_search([1, 8]) == Span(low=1, high=8)
    assert read_search([1, 8]).is_whole  # type: ignore[union-attr]
    assert not read_search([1, 8.0]).is_whole  # type: ignore[union-attr]
    assert read_search(["1e-5", "1e-3", "log"]) == Span(
        low=0.00001, high=0.001, log=True
    )  # as YAML reads numbers without a point


@given(low=NUMBERS, high=NUMBERS)
def test_a_span_is_written_as_it_is_read(low: float, high: float) -> None:
    if low < high:
        space = read_search([low, high])
        assert read_search(space.model_dump(mode="json")) == space
        assert isinstance(space, Span)
        assert all(low <= example <= high for example in space.examples())


def test_a_choice_takes_whatever_yaml_knows() -> None:
    space = read_search({"any_of": ["adamw", 4, None, {"dice": 1}, [1, 2]]})
    assert space == AnyOf(any_of=("adamw", 4, None, {"dice": 1}, [1, 2]))
    assert read_search(space.model_dump(mode="json")) == space
    assert len({choice_key(value) for value in space.examples()}) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0.1, r"write \[low, high\], \[low, high, log\] or \{any_of"),
        ([1], r"write \[low, high\]"),
        ([1, 2, "linear"], r"write \[low, high\]"),
        ([1, 2, "log", "log"], r"write \[low, high\]"),
        ({"any": [1, 2]}, r"write \[low, high\]"),
        ({"any_of": 3}, r"write \[low, high\]"),
        ([2, 2], "the first number must be below the second, got 2 and 2"),
        ([0, 2, "log"], "log takes numbers above 0, got 0"),
        (["low", 2], "the ends are numbers, got 'low'"),
        ([True, 2], "the ends are numbers, got True"),
        ([0, float("inf")], "the ends are numbers, got inf"),
        ({"any_of": [4]}, "any_of takes two values or more, each once"),
        ({"any_of": [4, 4]}, "any_of takes two values or more, each once"),
        ({"any_of": [1, float("nan")]}, "any_of takes numbers, words"),
        ({"any_of": [1, b"x"]}, "any_of takes numbers, words"),
    ],
)
def test_anything_else_says_what_to_write(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_search(given)
