"""What a run tells of itself: two tables that hold each step once, a TensorBoard log, a plot."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from dentify.errors import OutputError
from dentify.training.journal import Journal, run_plot


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def keep(folder: Path, steps: range) -> None:
    with Journal(folder, step=steps.start) as journal:
        for step in steps:
            journal.add_losses(step, {"loss": 1 / (step + 1), "types": 0.5}, rate=0.1)
            if (step + 1) % 2 == 0:
                journal.add_figures(step + 1, {"types/mean": step / 10, "types/dent": math.nan})


def test_losses_and_figures_are_tables(tmp_path: Path) -> None:
    keep(tmp_path, range(4))
    assert rows(tmp_path / "losses.csv")[1] == {"step": "1", "loss": "0.5", "types": "0.5", "rate": "0.1"}
    assert rows(tmp_path / "figures.csv") == [
        {"step": "2", "types/mean": "0.1", "types/dent": ""},
        {"step": "4", "types/mean": "0.3", "types/dent": ""},
    ]


@pytest.mark.parametrize("back_to", [0, 1, 2, 3])
def test_steps_that_are_taken_again_stand_in_the_tables_once(tmp_path: Path, back_to: int) -> None:
    keep(tmp_path / "whole", range(6))
    keep(tmp_path / "run", range(4))
    keep(tmp_path / "run", range(back_to, 6))
    for name in ("losses.csv", "figures.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_row_that_a_kill_cut_off_is_taken_back(tmp_path: Path) -> None:
    keep(tmp_path, range(4))
    with (tmp_path / "losses.csv").open("a") as file:
        file.write("4,0.2")
    keep(tmp_path, range(4, 5))
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["0", "1", "2", "3", "4"]
    assert rows(tmp_path / "losses.csv")[-1]["types"] == "0.5"


def test_a_row_that_a_full_disk_cut_off_is_left_out(tmp_path: Path) -> None:
    keep(tmp_path, range(2))
    with (tmp_path / "losses.csv").open("a") as file:
        file.write("2,0.3\n")
    keep(tmp_path, range(3, 5))
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["0", "1", "3", "4"]


def test_rows_that_could_not_be_written_are_not_tried_again(tmp_path: Path) -> None:
    """A second try would begin in the middle of the first."""
    journal = Journal(tmp_path, step=0)
    journal.add_losses(0, {"loss": 1.0}, rate=0.1)
    (tmp_path / "losses.csv").mkdir()
    with pytest.raises(OutputError):
        journal.write()
    (tmp_path / "losses.csv").rmdir()
    journal.add_losses(1, {"loss": 2.0}, rate=0.1)
    journal.write()
    assert [row["step"] for row in rows(tmp_path / "losses.csv")] == ["1"]


def test_the_plot_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.training.journal.run_plot", run_plot)  # which is a bare one in all other tests
    keep(tmp_path, range(4))
    with Image.open(tmp_path / "run.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 300


def test_the_plot_is_drawn_a_minute_after_the_last_one_and_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("dentify.training.journal.time", clock)
    plot = tmp_path / "run.png"
    drawn = []
    with Journal(tmp_path, step=0) as journal:
        journal.add_losses(0, {"loss": 1.0}, rate=0.1)
        for clock.now in (59.0, 61.0, 120.0, 122.0):
            plot.unlink(missing_ok=True)
            journal.write()
            drawn.append(plot.exists())
        plot.unlink()
    assert drawn == [False, True, False, True]
    assert plot.exists()


def test_the_plot_shows_every_loss_and_the_figures_that_sum_up() -> None:
    losses = [{"step": step, "loss": 2.0, "types": 1.5, "parts": 0.5, "rate": 0.1} for step in range(3)]
    figures = [{"step": 3, "types/mean": "0.4", "types/dent": "0.2", "vehicle/yes": "", "any/iou": "0.5"}]
    left, right = run_plot(losses, figures).axes
    assert [line.get_label() for line in left.lines] == ["loss", "types", "parts"]
    assert [line.get_label() for line in right.lines] == ["types/mean", "any/iou"]
    assert right.lines[0].get_xydata().tolist() == [[3.0, 0.4]]


def test_the_plot_is_there_before_the_first_look_at_val() -> None:
    _, right = run_plot([{"step": 0, "loss": 2.0, "types": 1.5, "rate": 0.1}], []).axes
    assert right.get_title() == "no figures: no look at val yet, or the recipe names none"


def test_tensorboard_reads_the_log(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    keep(tmp_path, range(4))
    log = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    log.Reload()
    assert {"loss", "loss/types", "rate", "val/types/mean"} <= set(log.Tags()["scalars"])
    assert [event.step for event in log.Scalars("loss/types")] == [0, 1, 2, 3]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path, step=0)
    journal.add_losses(0, {"loss": 1.0}, rate=0.1)
    (tmp_path / "losses.csv").mkdir()
    with pytest.raises(OutputError, match=r"losses\.csv: cannot be written"):
        journal.write()
