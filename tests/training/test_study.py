"""Trials of a study: which are best, shared by processes, killed, and gone on with."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

pytest.importorskip("optuna", reason="needs the extra `tune`")

from dentify.errors import ConfigError, TrainingError
from dentify.training import Recipe, read_recipe, tune
from forked import Forked, fork_command
from toy_bench import paint_photos
from toy_studies import HEADS, SEARCH, Script, document, rate, recipe, rows, states


def test_the_best_is_the_highest_or_the_lowest(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [rate(recipe)])
    for goal, choose in (("highest", max), ("lowest", min)):
        given = recipe(tune={"figures": ["types/mean"], "goal": goal})
        tuned = tune(given, data=painted, output=tmp_path / goal, trials=6)
        assert tuned.best.figure == choose(trial.figure or 0 for trial in tuned.trials if trial.state == "complete")


def test_a_trial_below_the_median_is_ended_early_and_counts(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    """Figures rise by as much at every look; those of high rates more."""
    script(lambda recipe: [rate(recipe) * look for look in (1, 2, 3)])
    pruned = tune(recipe(tune={"figures": ["types/mean"], "prune_after": 3}), data=painted, output=tmp_path / "p", trials=8)
    ends = {trial.number: trial.state for trial in pruned.trials}
    assert len(ends) == 8
    assert [ends[number] for number in range(3)] == ["complete"] * 3
    assert "pruned" in ends.values()
    for trial in pruned.trials:
        looks = round((trial.figure or 0) / trial.values["optimizers.0.rate"])
        assert looks == 3 if trial.state == "complete" else looks < 3
        kept = pruned.folder / "trials" / f"{trial.number:04}" / "last.ckpt"
        assert kept.exists() == (trial == pruned.best)
    never = tune(recipe(tune={"figures": ["types/mean"], "prune_after": None}), data=painted, output=tmp_path / "n", trials=8)
    assert {trial.state for trial in never.trials} == {"complete"}


def test_a_trial_that_breaks_down_is_pruned_with_the_reason(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    def figures(recipe: Recipe) -> list[float]:
        if rate(recipe) > 0.01:
            raise TrainingError("the loss of `types` is no number at step 3")
        return [rate(recipe)]

    script(figures)
    tuned = tune(recipe(), data=painted, output=tmp_path / "some", trials=8)
    for row in rows(tmp_path / "some"):
        broke = float(row["optimizers.0.rate"]) > 0.01
        assert (row["state"] == "pruned") == ("no number at step 3" in row["note"]) == broke
        assert (row["types/mean"] == "") == broke
    assert 0 < states(tmp_path / "some").count("pruned") < 8
    assert (tuned.best.figure or 1) <= 0.01
    with pytest.raises(TrainingError, match=r"none of 2 trials came to its end, the first as the loss of `types`"):
        tune(recipe(search={"optimizers.0.rate": [0.02, 0.1]}), data=painted, output=tmp_path / "none", trials=2)


def test_values_that_only_training_finds_wrong_are_pruned_once_a_trial_came_to_its_end(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    """One bad choice must not end a study overnight; what is wrong with every recipe ends it at once."""
    ended: list[float] = []

    def figures(recipe: Recipe) -> list[float]:
        if ended and rate(recipe) > 0.01:
            raise ConfigError("phases.0: batches of 1 pictures are too small")
        ended.append(rate(recipe))
        return [rate(recipe)]

    script(figures)
    tuned = tune(recipe(), data=painted, output=tmp_path / "some", trials=8)
    assert [trial.state for trial in tuned.trials].count("pruned") == 8 - len(ended) > 0
    assert {trial.note for trial in tuned.trials} == {"", "phases.0: batches of 1 pictures are too small"}

    def wrong(recipe: Recipe) -> list[float]:
        raise ConfigError("`origins` says nothing of street")

    script(wrong)
    with pytest.raises(ConfigError, match="`origins` says nothing of street"):
        tune(recipe(), data=painted, output=tmp_path / "none", trials=8)
    assert not list((tmp_path / "none" / "trials").iterdir())


def test_several_figures_count_by_their_mean(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [rate(recipe)])
    tuned = tune(recipe(tune={"figures": ["vehicle/no", "vehicle/yes"]}), data=painted, output=tmp_path, trials=3)
    assert all(trial.figure == pytest.approx((1 + trial.values["optimizers.0.rate"]) / 2) for trial in tuned.trials)
    assert tuned.label == "mean of vehicle/no and vehicle/yes"


def test_a_figure_of_nothing_ends_the_study(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [float("nan")])
    with pytest.raises(ConfigError, match=r"types/mean: data\.val shows nothing to judge by"):
        tune(recipe(), data=painted, output=tmp_path, trials=3)
    assert not list(tmp_path.glob("trials/*"))


def test_ctrl_c_leaves_nothing_of_its_trial_and_the_study_goes_on(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    pressed: list[None] = []

    def figures(recipe: Recipe) -> list[float]:
        if len(list(tmp_path.glob("trials/*/last.ckpt"))) == 1 and not pressed:
            pressed.append(None)
            raise KeyboardInterrupt
        return [rate(recipe)]

    script(figures)
    with pytest.raises(KeyboardInterrupt):
        tune(recipe(), data=painted, output=tmp_path, trials=3)
    assert [path.name for path in (tmp_path / "trials").iterdir()] == ["0000"]
    tune(recipe(), data=painted, output=tmp_path, trials=3)
    assert states(tmp_path) == ["complete", "lost", "complete", "complete"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizers": [{"rate": 0.5}]}, "holds a study of another recipe, which differs in `optimizers`"),
        ({"seed": 3}, "holds a study of another recipe, which differs in `seed`"),
        ({"search": SEARCH | {"phases.0.steps": [2, 4]}}, "which differs in `search.phases.0.steps.1`"),
        ({"tune": {"figures": ["types/dent"]}}, "which differs in `tune.figures.0`"),
    ],
    ids=["optimizers", "seed", "search", "figure"],
)
def test_a_study_of_another_recipe_is_refused(
    changes: dict[str, Any], message: str, script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    script(lambda recipe: [rate(recipe)])
    tune(recipe(), data=painted, output=tmp_path, trials=1)
    with pytest.raises(ConfigError) as caught:
        tune(recipe(**changes), data=painted, output=tmp_path, trials=2)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert message in str(caught.value)
    assert "give this one another folder with -o" in str(caught.value)
    assert len(rows(tmp_path)) == 1


def test_what_changes_no_figure_may_change(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [rate(recipe)])
    tune(recipe(), data=painted, output=tmp_path, trials=1)
    data = document()["data"] | {"workers": 1}
    assert len(tune(recipe(description="Told anew.", data=data), data=painted, output=tmp_path, trials=2).trials) == 2


def test_a_study_of_other_labels_is_refused_and_of_the_same_elsewhere_is_not(
    script: Callable[[Script], None], tmp_path: Path
) -> None:
    script(lambda recipe: [rate(recipe)])
    for name in ("here", "there"):
        paint_photos(tmp_path / name)
        tune(recipe(), data=tmp_path / name, output=tmp_path / "study", trials=1)
    labels = tmp_path / "here" / "val.json"
    labels.write_text(labels.read_text().replace('"severity": "severe"', '"severity": "minor"').replace('"moderate"', '"severe"'))
    with pytest.raises(ConfigError, match="holds a study of other photos or labels than there are now"):
        tune(recipe(), data=tmp_path / "here", output=tmp_path / "study", trials=1)


def test_a_folder_may_have_any_name(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [rate(recipe)])
    folder = tmp_path / "a?b{c}%20#d ç"
    tune(recipe(), data=painted, output=folder, trials=1)
    assert (folder / "study.db").is_file()


def start(given: Path, data: Path, output: Path, trials: int) -> Forked:
    """`dentify tune` as a process of its own, when its first trial trains."""
    process = fork_command("tune", given, "--data", data, "-o", output, "--trials", str(trials), folder=output.with_name("other"))
    process.wait_for(output / "trials" / "0000" / "recipe.yaml")
    return process


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(document()))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_a_killed_process_loses_its_trial_and_another_finishes_the_study(
    given: Path, painted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that sleeps in its trial keeps it; when it is killed, the other, which waits for it, takes one more in its place."""
    sleeper = start(given, painted, tmp_path / "study", 3)
    sleeper.signal(signal.SIGSTOP)
    finished: list[None] = []
    ends: list[int] = []

    def wait(seconds: float) -> None:
        assert states(tmp_path / "study") == ["running", "complete", "complete"]
        assert len(finished) == 2
        sleeper.signal(signal.SIGKILL)
        ends.append(sleeper.end()[0])

    monkeypatch.setattr(import_module("dentify.training.tune"), "time", SimpleNamespace(sleep=wait))
    tuned = tune(read_recipe(given), data=painted, output=tmp_path / "study", trials=3, on_finished=lambda: finished.append(None))
    assert ends == [-signal.SIGKILL]
    assert states(tmp_path / "study") == ["lost", "complete", "complete", "complete"]
    assert len(finished) == 3
    assert not (tmp_path / "study" / "trials" / "0000").exists()
    assert tuned.best.number > 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_two_processes_share_a_study_and_neither_does_more_than_its_part(given: Path, painted: Path, tmp_path: Path) -> None:
    other = start(given, painted, tmp_path / "study", 4)
    tuned = tune(read_recipe(given), data=painted, output=tmp_path / "study", trials=4)
    code, out, err = other.end()
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("types/mean")
    assert [trial.state for trial in tuned.trials] == ["complete"] * 4
    assert len({trial.values["optimizers.0.rate"] for trial in tuned.trials}) == 4
    assert len(list((tmp_path / "study").glob("trials/*/figures.csv"))) == 4


def test_a_study_that_is_finished_is_told_again_and_grows_with_more_trials(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    script(lambda recipe: [rate(recipe)])
    told: list[int] = []
    for trials, count in ((3, 3), (3, 3), (2, 3), (5, 5)):
        told.clear()
        tuned = tune(recipe(), data=painted, output=tmp_path, trials=trials, on_finished=lambda: told.append(0))
        assert len(tuned.trials) == len(told) == count


def test_trials_that_are_all_alike_say_nothing_of_what_is_important(
    script: Callable[[Script], None], painted: Path, tmp_path: Path
) -> None:
    script(lambda recipe: [0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Optuna's, on standard error
        assert tune(recipe(), data=painted, output=tmp_path, trials=4).best.number == 0


def test_values_that_do_not_go_together_are_pruned(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    """A gate looks at features of the picture, at maps, or at both, but not at nothing."""
    script(lambda recipe: [0.5])
    search = {"heads.vehicle.features": {"any_of": [True, False]}, "heads.vehicle.pooled": {"any_of": [["types"], []]}}
    heads = HEADS | {"vehicle": {"kind": "labels", "of": "vehicle", "pooled": ["types"]}}
    tuned = tune(recipe(heads=heads, search=search), data=painted, output=tmp_path, trials=12)
    wrong = [
        trial for trial in tuned.trials if not (trial.values["heads.vehicle.features"] or trial.values["heads.vehicle.pooled"])
    ]
    assert wrong
    assert [trial for trial in tuned.trials if trial.state == "pruned"] == wrong
    assert all("needs maps in `pooled`" in trial.note for trial in wrong)


def test_a_study_of_one_process_follows_from_its_seed(script: Callable[[Script], None], painted: Path, tmp_path: Path) -> None:
    script(lambda recipe: [rate(recipe)])
    values = []
    for name, seed, stops in (("one", 0, (4,)), ("same", 0, (2, 4)), ("other", 1, (4,))):
        for stop in stops:  # the second goes on after two
            tuned = tune(recipe(seed=seed), data=painted, output=tmp_path / name, trials=stop)
        values.append([trial.values for trial in tuned.trials])
    assert values[0] == values[1] != values[2]
