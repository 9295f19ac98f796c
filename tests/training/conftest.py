"""Painted photos and toy runs, shared by the tests of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

import torch

from dentify.training import Progress, Recipe, train
from toy_bench import bare_plot, paint_photos, toy_recipe
from toy_studies import Script


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks this small take longer to share out among threads than to run."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _bare_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plot of `run`, and those of the tests of plots, are real; all others are not."""
    monkeypatch.setattr("dentify.training.journal.run_plot", bare_plot)


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos with blue dents, green hail marks and red hoods, and grey ones without anything, with their labels."""
    return paint_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def run(painted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one whole toy run."""
    folder = tmp_path_factory.mktemp("run")
    train(toy_recipe(), data=painted, output=folder)
    return folder


@pytest.fixture
def one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets runs be of one answer alone, so that every step can be worked by hand, though no bundle would come of them."""
    monkeypatch.setattr("dentify.training.loop.check_taught", lambda *given: None)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[Script], None]:
    """`script(figures)`: runs and plots that take no time; the runs' figures, one a look, follow from their recipe."""

    def begin(figures: Script) -> None:
        def run(recipe: Recipe, *, output: Path, on_step: Callable[[Progress], None], **others: object) -> None:
            told = figures(recipe)
            (output / "last.ckpt").write_bytes(b"weights")
            for step, figure in enumerate(told, 1):
                on_step(Progress(step, len(told), 0.0, {"types/mean": figure, "vehicle/no": 1.0, "vehicle/yes": figure}))

        monkeypatch.setattr("dentify.training.study.train", run)
        for plot in ("history_plot", "importances_plot", "slices_plot"):
            monkeypatch.setattr(f"dentify.training.study.{plot}", bare_plot)

    return begin
