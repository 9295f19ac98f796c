"""`dentify tune` as a command: what it prints, what it refuses, and that Ctrl-C stops it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
pytest.importorskip("optuna", reason="needs the extra `tune`")

from typer.testing import CliRunner

from dentify.cli import app
from forked import fork_command
from toy_bench import paint_photos, toy_document

RUNNER = CliRunner()
SMALL = {"name": "efficientnet_fpn", "encoder": "test_efficientnet", "width": 8, "fine_width": 8}
HEADS = {"types": {"kind": "overlapping", "of": "damage"}, "vehicle": {"kind": "labels", "of": "vehicle"}}
SEARCH = {"optimizers.0.rate": [0.001, 0.01, "log"], "model.width": {"any_of": [8, 16]}}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_photos(tmp_path_factory.mktemp("photos"))


def recipe(*, steps: int = 2) -> Path:
    path = Path("toy.yaml")
    phases = [{"steps": steps, "size": 32, "precision": "32"}]
    path.write_text(yaml.safe_dump(toy_document(model=SMALL, heads=HEADS, search=SEARCH, phases=phases), sort_keys=False))
    return path


def test_the_best_trial_is_a_table_and_its_recipe_trains(photos: Path) -> None:
    done = RUNNER.invoke(app, ["tune", str(recipe()), "--data", str(photos), "--trials", "2", "--for", "types/mean"])
    assert (done.exit_code, done.stderr) == (0, "")
    told = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in done.stdout.splitlines()}
    assert list(told) == ["types/mean", "optimizers.0.rate", "model.width", "recipe", "checkpoint", "trials", "plots"]
    assert told["types/mean"].endswith(", of 2")
    assert told["recipe"] == "runs/toy-tune/best.yaml"
    assert Path(told["checkpoint"]).is_file()
    for name in (told["recipe"], told["trials"], *told["plots"].split(", ")):
        assert Path(name).is_file()
    best = yaml.safe_load(Path(told["recipe"]).read_text())
    assert best["model"]["width"] == int(told["model.width"])
    trained = RUNNER.invoke(app, ["train", told["recipe"], "--data", str(photos)])
    assert (trained.exit_code, trained.stdout) == (0, "runs/toy/last.ckpt\n")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--trials", "0"], 2, "should be greater than or equal to 1"),
        ([], 2, "Missing option '--trials'"),
        (["--trials", "2"], 1, "error: recipe toy: say with --for what makes a run good; there are types/mean, types/dent, "),
        (
            ["--trials", "2", "--for", "type/mean"],
            1,
            "tune.figures names type/mean, which is no figure of a head, as types/mean is",
        ),
        (["--trials", "2", "--set", "tune.goal=high"], 1, "did you mean `highest`?"),
        (["--trials", "2", "--set", "search={model.width: 8}"], 1, "search.model.width: write [low, high], [low, high, log] or"),
        (["--trials", "2", "--set", "search={tune.goal: [1, 2]}"], 1, "search.tune.goal: is no key of what is trained"),
        (["--trials", "2", "--set", "search={}"], 1, "names nothing to tune"),
    ],
    ids=["no trial", "how many?", "for what?", "a head that is none", "goal", "no range", "of tuning", "no search"],
)
def test_what_cannot_be_tuned_is_told_before_anything_is_written(
    photos: Path, options: list[str], code: int, message: str
) -> None:
    done = RUNNER.invoke(app, ["tune", str(recipe()), "--data", str(photos), *options])
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())
    assert code == 2 or done.stderr.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_ctrl_c_stops_between_two_steps_and_the_same_command_goes_on(photos: Path) -> None:
    arguments = ["tune", str(recipe(steps=100_000)), "--data", str(photos), "--trials", "1", "--for", "types/mean", "-o", "study"]
    process = fork_command(*arguments, folder=Path("process"))
    process.wait_for(Path("study/trials/0000/losses.csv"))
    process.signal(signal.SIGINT)
    told = "interrupted: study holds what was finished; the same command goes on from there\n"
    assert process.end() == (130, "", told)
    assert not list(Path("study/trials").iterdir())
