"""Plots of trials: what is drawn where."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.training.search import AnyOf, Span
from dentify.training.trials import Trial, history_plot, importances_plot, slices_plot

TRIALS = [
    Trial(0, "complete", {"rate": 0.1, "kind": "a"}, 0.5, 2.0),
    Trial(1, "pruned", {"rate": 0.01, "kind": "b"}, 0.9, 1.0),
    Trial(3, "complete", {"rate": 0.001, "kind": "b"}, 0.4, 2.0),
    Trial(4, "complete", {"rate": 0.02, "kind": "b"}, 0.7, 2.0),
]


@pytest.mark.parametrize(("goal", "best"), [("highest", [0.5, 0.5, 0.7]), ("lowest", [0.5, 0.4, 0.4])])
def test_the_history_has_a_dot_a_trial_and_the_best_of_those_that_came_to_their_end(goal: str, best: list[float]) -> None:
    (axes,) = history_plot(TRIALS, "types/mean", goal).axes  # type: ignore[arg-type]
    assert [dots.get_label() for dots in axes.collections] == ["complete", "pruned"]
    assert axes.collections[0].get_offsets().tolist() == [[0, 0.5], [3, 0.4], [4, 0.7]]  # type: ignore[union-attr]
    assert axes.lines[0].get_ydata().tolist() == best  # type: ignore[union-attr]
    assert axes.get_ylabel() == "types/mean"


def test_importances_are_bars_with_their_numbers() -> None:
    (axes,) = importances_plot({"rate": 0.8, "kind": 0.2}, "types/mean").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["kind", "rate"]
    assert [text.get_text() for text in axes.texts] == ["0.20", "0.80"]
    (empty,) = importances_plot({}, "types/mean").axes
    assert "too few" in empty.get_title()


def test_a_slice_a_key_on_the_scale_that_it_is_searched_on() -> None:
    search: dict[str, Span | AnyOf] = {"rate": Span(low=0.001, high=0.1, log=True), "kind": AnyOf(any_of=("a", "b"))}
    rate, kind = (axes for axes in slices_plot(TRIALS, search, "types/mean").axes if axes.get_visible())
    assert (rate.get_xlabel(), rate.get_xscale()) == ("rate", "log")
    assert [label.get_text() for label in kind.get_xticklabels()] == ["a", "b"]
    assert kind.collections[0].get_offsets().tolist() == [[0, 0.5], [1, 0.4], [1, 0.7]]  # type: ignore[union-attr]


def test_many_keys_take_several_rows() -> None:
    search: dict[str, Span | AnyOf] = {f"key{number}": Span(low=0, high=1) for number in range(5)}
    trials = [Trial(0, "complete", dict.fromkeys(search, 1), 0.5, 2.0)]
    panels = slices_plot(trials, search, "types/mean").axes
    assert [panel.get_visible() for panel in panels] == [True] * 5 + [False] * 3
