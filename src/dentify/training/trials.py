"""Trials of a study, as a table and as plots: functions take them and return bytes or a matplotlib `Figure`; who calls saves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.training.search import AnyOf, Span, choice_key

State = Literal["complete", "pruned", "lost", "running"]
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "0.55"
_PANELS = 4  # side by side


@dataclass(frozen=True)
class Trial:
    """One run of a study.

    Attributes:
        number: from 0; its folder's name.
        state: complete; pruned, where it was ended early; lost, where its process died or was stopped; or running still.
        values: of the keys that are searched.
        figure: what it came to on `val`, at its last look; `None` where there was none.
        seconds: that it took; `None` where it is running.
        note: why it ended, where that was not its figure.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    figure: float | None
    seconds: float | None
    note: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether it counts: a lost one does not."""
        return self.state in ("complete", "pruned")


def figure_label(figures: Sequence[str]) -> str:
    """What a study is tuned for, in words.

    >>> figure_label(["types/mean"]), figure_label(["damage/no", "damage/yes"])
    ('types/mean', 'mean of damage/no and damage/yes')
    """
    *others, last = figures
    return f"mean of {', '.join(others)} and {last}" if others else last


def tell_value(value: object) -> str:
    """A key's value in few characters.

    >>> tell_value(0.00031234567), tell_value(64), tell_value("adamw"), tell_value([1, 2]), tell_value(None)
    ('0.0003123', '64', 'adamw', '[1, 2]', 'null')
    """
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def trials_table(trials: Sequence[Trial], figures: Sequence[str], keys: Sequence[str]) -> bytes:
    """One row a trial: number, state, the figure, seconds, its values, and a note."""
    lines = [csv_line(["trial", "state", figure_label(figures), "seconds", *map(safe_cell, keys), "note"])]
    for trial in trials:
        values = [trial.values.get(key, "") for key in keys]
        cells = [value if isinstance(value, int | float) else safe_cell(tell_value(value)) for value in values]
        figure = "" if trial.figure is None else trial.figure
        seconds = "" if trial.seconds is None else round(trial.seconds, 1)
        lines.append(csv_line([trial.number, trial.state, figure, seconds, *cells, safe_cell(trial.note)]))
    return csv_bytes(lines)


def history_plot(trials: Sequence[Trial], label: str, goal: Literal["highest", "lowest"]) -> Figure:
    """What each finished trial came to, in their order, and the best so far.

    Args:
        trials: finished ones with a figure.
        label: the figure's name.
        goal: whether the highest or the lowest is best.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    _dots(axes, trials, [trial.number for trial in trials])
    complete = [trial for trial in trials if trial.state == "complete"]
    best = (np.maximum if goal == "highest" else np.minimum).accumulate(np.array([trial.figure for trial in complete], float))
    axes.step([trial.number for trial in complete], best, where="post", color=_ORANGE, linewidth=1.5, label="best so far")
    axes.set(xlabel="trial", ylabel=label, title=f"{len(trials)} trials, best {label} {best[-1]:.4f} ({goal})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="small")
    return figure


def importances_plot(importances: Mapping[str, float], label: str) -> Figure:
    """How much of the differences between trials each key makes.

    Args:
        importances: by key, which add up to 1; none where trials do not tell.
        label: the figure's name.
    """
    figure = Figure(figsize=(8, 1.2 + 0.4 * max(len(importances), 2)), layout="constrained")
    axes = figure.add_subplot()
    names = sorted(importances, key=lambda name: importances[name])
    bars = axes.barh(names, [importances[name] for name in names], color=_BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlim=(0, 1.1), xlabel="importance", title=f"What {label} depends on")
    if not importances:
        axes.set(yticks=[], title="the trials are too few, or too much alike, to tell what is important")
    return figure


def slices_plot(trials: Sequence[Trial], search: Mapping[str, Span | AnyOf], label: str) -> Figure:
    """What trials came to against the value of each key, one panel a key.

    Args:
        trials: finished ones with a figure.
        search: where values are looked for.
        label: the figure's name.
    """
    columns = min(len(search), _PANELS)
    rows = -(-len(search) // columns)
    figure = Figure(figsize=(max(4.0 * columns, 5.0), 3.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for panel, (key, space) in zip(panels, search.items(), strict=False):
        if isinstance(space, AnyOf):
            places = {choice_key(value): place for place, value in enumerate(space.any_of)}
            _dots(panel, trials, [places[choice_key(trial.values[key])] for trial in trials])
            panel.set_xticks(range(len(places)), [tell_value(value) for value in space.any_of])
            panel.set_xlim(-0.5, len(places) - 0.5)
        else:
            _dots(panel, trials, [trial.values[key] for trial in trials])
            panel.set_xscale("log" if space.log else "linear")
            if space.is_whole and not space.log:
                panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_xlabel(key)
    for panel in panels[len(search) :]:
        panel.set_visible(False)
    figure.supylabel(label)
    figure.axes[0].legend(fontsize="small")
    return figure


def _dots(axes: Axes, trials: Sequence[Trial], across: Sequence[float]) -> None:
    """A dot a trial: full where it came to its end, hollow where it was ended early."""
    for state, face in (("complete", _BLUE), ("pruned", "none")):
        points = [(x, trial.figure) for x, trial in zip(across, trials, strict=True) if trial.state == state]
        if points:
            edge = _BLUE if state == "complete" else _GREY
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=26, facecolors=face, edgecolors=edge, label=state)
