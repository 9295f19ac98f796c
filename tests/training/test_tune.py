"""Tuning a toy recipe: what it leaves, and what is not tuned at all."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("optuna", reason="needs the extra `tune`")

from dentify.errors import ConfigError, DatasetError, OutputError
from dentify.training import Tuned, read_recipe, train, tune
from dentify.training.checkpoints import read_checkpoint
from toy_bench import bare_plot
from toy_studies import HEADS, PHASE, SEARCH, Script, document, rate, recipe, rows, states

# What a study leaves


@pytest.fixture(scope="module")
def study(painted: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Four trials of the toy recipe, trained, with the study's plots."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dentify.training.journal.run_plot", bare_plot)
        return tune(recipe(), data=painted, output=tmp_path_factory.mktemp("study"), trials=4)


def test_a_study_leaves_trials_plots_the_best_recipe_and_its_checkpoint_alone(study: Tuned) -> None:
    plots = {"history.png", "importances.png", "slices.png"}
    assert {path.name for path in study.folder.iterdir()} == {
        *plots,
        "best.yaml",
        "trials.csv",
        "trials",
        "study.db",
        ".study.lock",
    }
    assert all((study.folder / name).read_bytes().startswith(b"\x89PNG") for name in plots)
    assert [path.parent.name for path in study.folder.glob("trials/*/last.ckpt")] == [f"{study.best.number:04}"]
    assert study.checkpoint.is_file()
    assert not list(study.folder.glob("trials/*/running"))
    assert states(study.folder) == ["complete"] * 4
    assert [row["trial"] for row in rows(study.folder)] == ["0", "1", "2", "3"]
    assert list(rows(study.folder)[0]) == ["trial", "state", "types/mean", "seconds", *SEARCH, "note"]


def test_each_trial_is_a_run_of_its_own_values_and_its_last_figure_counts(study: Tuned) -> None:
    assert len({str(trial.values) for trial in study.trials}) == 4
    for trial in study.trials:
        folder = study.folder / "trials" / f"{trial.number:04}"
        run = read_recipe(folder / "recipe.yaml")
        assert (rate(run), run.phases[0].steps) == (trial.values["optimizers.0.rate"], trial.values["phases.0.steps"])
        assert run.model.width == trial.values["model.width"]
        assert isinstance(trial.values["phases.0.steps"], int)
        assert 0.0001 <= rate(run) <= 0.1
        with (folder / "figures.csv").open(newline="") as file:
            assert float(list(csv.DictReader(file))[-1]["types/mean"]) == trial.figure
    assert study.best.figure == max(trial.figure or 0 for trial in study.trials)


def test_the_best_recipe_searches_nothing_and_trains_to_the_same_figure(study: Tuned, painted: Path, tmp_path: Path) -> None:
    best = read_recipe(study.recipe)
    assert not best.search
    assert rate(best) == study.best.values["optimizers.0.rate"]
    looks: list[float] = []
    train(best, data=painted, output=tmp_path, on_step=lambda done: looks.append((done.figures or {})["types/mean"]))
    assert looks[-1] == study.best.figure


def test_train_takes_no_notice_of_search_and_keeps_it_in_the_recipe(painted: Path, tmp_path: Path) -> None:
    given = recipe(phases=[{"steps": 1, **PHASE}])
    assert read_checkpoint(train(given, data=painted, output=tmp_path)).step == 1
    assert read_recipe(tmp_path / "recipe.yaml") == given


@pytest.mark.parametrize(
    ("heads", "figures"),
    [
        ({"types": HEADS["types"], "any": {"kind": "overlapping", "of": "any_damage"}}, ("types/mean",)),
        ({"vehicle": HEADS["vehicle"]}, ("vehicle/no", "vehicle/yes")),
    ],
    ids=["types and what helps them", "a gate"],
)
def test_one_head_needs_no_figure_named(
    heads: dict[str, Any], figures: tuple[str, ...], script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    script(lambda recipe: [0.5])
    assert tune(recipe(heads=heads, tune={}), data=painted, output=tmp_path, trials=1).figures == figures


# What is refused, before any trial


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "recipe toy: names nothing to tune; give it a `search`"),
        ({"optimizers.9.rate": [0.1, 0.2]}, "search.optimizers.9.rate: 0.1 does not fit"),
        ({"optimizers.0.rat": [0.1, 0.2]}, "did you mean `rate`?"),
        ({"optimizers.0.rate": [0.0, 0.2]}, "search.optimizers.0.rate: 0.0 does not fit"),
        ({"phases.0.mosaic": [0, 2]}, "search.phases.0.mosaic: 2 does not fit"),
        ({"phases.0.size": [32, 64]}, "search.phases.0.size: 33 does not fit (`any_of` takes single values)"),
        ({"phases.0.steps": [2.0, 9.0]}, "search.phases.0.steps: 4.5"),
        ({"model.width": {"any_of": [8, "wide"]}}, 'search.model.width: "wide" does not fit: '),
        ({"distil.weight": [0.1, 0.2]}, "`distil` holds a value, not keys"),
        (
            {"accumulate": [1, 5]},
            "search.accumulate: 5 does not fit (`any_of` takes single values): phases.0: batches of 4",
        ),
    ],
    ids=[
        "nothing",
        "no place",
        "no key",
        "an end",
        "the other end",
        "between whole ones",
        "between",
        "a choice",
        "within nothing",
        "too many parts of a batch",
    ],
)
def test_a_search_that_fits_no_recipe_is_refused(search: dict[str, Any], message: str, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        tune(recipe(search=search), data=painted, output=tmp_path / "study", trials=1)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"tune": {}},
            ConfigError,
            "say with --for what makes a run good; there are types/mean, types/dent, ",
        ),
        (
            {"tune": {"figures": ["types/men"]}},
            ConfigError,
            "types/men: is no figure of recipe toy; there are types/mean, ",
        ),
        ({"data": document()["data"] | {"val": []}}, ConfigError, "names no photos in data.val"),
        ({"data": document()["data"] | {"val": [{"dataset": "x.json"}]}}, DatasetError, "x.json"),
    ],
    ids=["no figure", "a figure that is none", "no photos to judge by", "no labels to judge by"],
)
def test_what_cannot_be_judged_is_refused(
    changes: dict[str, Any], error: type[Exception], message: str, painted: Path, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        tune(recipe(**changes), data=painted, output=tmp_path / "study", trials=1)
    assert message in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_a_folder_that_is_something_else_is_refused(painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study.db").write_bytes(b"no database at all, but some text" * 9)
    with pytest.raises(OutputError, match=r"study\.db: cannot be read or written as a study: file is not a database"):
        tune(recipe(), data=painted, output=tmp_path, trials=1)
    (tmp_path / "last.ckpt").write_bytes(b"")
    with pytest.raises(ConfigError, match="holds a run; give the study another folder"):
        tune(recipe(), data=painted, output=tmp_path, trials=1)
    with pytest.raises(ConfigError, match="a study takes 1 or more"):
        tune(recipe(), data=painted, output=tmp_path, trials=0)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="start the same command several times"):
        tune(recipe(), data=painted, output=tmp_path, trials=1)
