"""What a run tells of itself as it goes: `losses.csv`, `figures.csv`, a TensorBoard log, and `run.png`, a plot of both.

    tensorboard --logdir runs

A run that goes on from a checkpoint first takes back what it had told of later steps, so that each step stands in the files once.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import matplotlib.figure
import numpy as np

from dentify.errors import DentifyError
from dentify.spreadsheets import csv_line
from dentify.writing import write_whole, writing

LOSSES, FIGURES, PLOT = "losses.csv", "figures.csv", "run.png"
_NO_FIGURES = "no figures: no look at val yet, or the recipe names none"
_SHOWN = 12  # figures that a plot can hold and be read
_PLOT_S = 60.0  # between two drawings of the plot
_SMOOTH = 50  # steps, or a tenth of a shorter run


class Journal:
    """Rows of a run's losses and figures. Leaving it writes what is not written yet.

    Args:
        folder: the run's.
        step: from which the run goes on.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._losses = _Table(folder / LOSSES, step)
        self._figures = _Table(folder / FIGURES, step + 1)
        self._drawn = time.monotonic()  # the first plot comes a minute after the beginning, or in the end
        self._board: Any = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.write(plot=True)
        except DentifyError:
            if error is None:  # on a disk that is full, what was wrong first is told
                raise
        finally:
            self._board.close()

    def add_losses(self, step: int, losses: Mapping[str, float], *, rate: float) -> None:
        """The losses of a step: `loss` in all, and each head's without its weight."""
        self._losses.add({"step": step, **losses, "rate": rate})
        for name, value in losses.items():
            self._board.add_scalar(name if name == "loss" else f"loss/{name}", value, step)
        self._board.add_scalar("rate", rate, step)

    def add_figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures on the photos of val after so many steps; NaN is not judged and left empty."""
        self._figures.add({"step": step, **{name: "" if np.isnan(value) else value for name, value in figures.items()}})
        for name, value in figures.items():
            self._board.add_scalar(f"val/{name}", value, step)

    def write(self, *, plot: bool = False) -> None:
        """Brings the files up to date; draws the plot anew a minute after the last one or the beginning, or when asked to.

        Raises:
            OutputError: they cannot be written.
        """
        self._losses.write()
        self._figures.write()
        self._board.flush()
        if (plot or time.monotonic() - self._drawn > _PLOT_S) and (losses := self._losses.rows()):
            picture = io.BytesIO()
            run_plot(losses, self._figures.rows()).savefig(picture, format="png", dpi=110)
            write_whole({self._folder / PLOT: picture.getvalue()})
            self._drawn = time.monotonic()


class _Table:
    """A CSV that grows; its columns are those of its first row. Of rows that are written nothing stays in memory."""

    def __init__(self, path: Path, before: int) -> None:
        self._path = path
        self._waiting: list[dict[str, Any]] = []
        self._columns: list[str] = []
        if path.is_file():
            kept = [row for row in self.rows() if int(row["step"]) < before]
            self._columns = list(kept[0]) if kept else []
            if kept:
                write_whole({path: (self._header() + self._lines(kept)).encode()})
            else:
                with writing(path):
                    path.unlink()

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)

    def write(self) -> None:
        if not self._waiting:
            return
        is_new = not self._path.is_file()
        self._columns = self._columns or list(self._waiting[0])
        text = (self._header() if is_new else "") + self._lines(self._waiting)
        self._waiting = []  # also where they cannot be written: a second try would begin in the middle of a row
        with writing(self._path), self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    def rows(self) -> list[dict[str, str]]:
        """Those that are written."""
        if not self._path.is_file():
            return []
        with self._path.open(encoding="utf-8", newline="") as file:
            return [row for row in csv.DictReader(file) if _is_whole(row)]

    def _header(self) -> str:
        return csv_line(self._columns)

    def _lines(self, rows: list[dict[str, Any]]) -> str:
        return "".join(csv_line(row.get(column, "") for column in self._columns) for row in rows)


def _is_whole(row: Mapping[str, str | None]) -> bool:
    """Whether all of a row was written: a full disk or a kill may have cut it off."""
    return (row.get("step") or "").isdigit() and None not in row and None not in row.values()


def run_plot(losses: Sequence[Mapping[str, Any]], figures: Sequence[Mapping[str, Any]]) -> matplotlib.figure.Figure:
    """Losses of each head over the steps, smoothed, on a logarithmic scale; and figures on val beside them.

    Args:
        losses: rows of `losses.csv`.
        figures: rows of `figures.csv`; none before the first look at val.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = np.array([int(row["step"]) for row in losses])
    width = max(1, min(_SMOOTH, len(steps) // 10))
    for name in (name for name in losses[0] if name not in ("step", "rate")):
        values = np.array([float(row[name]) for row in losses])
        smooth = np.convolve(values, np.ones(width) / width, mode="valid")
        bold = {"linewidth": 2.2, "color": "black"} if name == "loss" else {"linewidth": 1.0}
        left.plot(steps[width - 1 :], np.maximum(smooth, 1e-4), label=name, **bold)
    left.set(xlabel="step", ylabel=f"loss, mean over {width} steps", yscale="log", title=f"training, {steps[-1] + 1:,} steps")
    left.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    told = [name for name in (figures[0] if figures else {}) if name != "step" and _is_telling(name)][:_SHOWN]
    for name in told:
        points = [(int(row["step"]), float(row[name])) for row in figures if row.get(name) not in ("", None)]
        if points:
            right.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.0, label=name)
    right.set(
        xlabel="step",
        ylim=(0, 1),
        title="on the photos of val" if told else _NO_FIGURES,
    )
    if told:
        right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _is_telling(name: str) -> bool:
    """Means and single figures; those of each class would hide them."""
    return name.partition("/")[2] in ("mean", "iou", "recall", "near", "yes", "no") or "/" not in name
