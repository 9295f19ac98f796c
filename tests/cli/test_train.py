"""`dentify train` and `dentify export` as commands: what they print, and where they stop."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

from typer.testing import CliRunner

from dentify.cli import app
from dentify.training.checkpoints import read_checkpoint
from forked import fork_command
from toy_bench import paint_photos, toy_document

RUNNER = CliRunner()
SMALL = {"name": "efficientnet_fpn", "encoder": "test_efficientnet", "width": 8, "fine_width": 8}
PHASES = [{"steps": 2, "size": 32, "precision": "32"}]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_photos(tmp_path_factory.mktemp("photos"))


def recipe(folder: Path, **changes: object) -> Path:
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(toy_document(model=SMALL, **({"phases": PHASES} | changes))))
    return path


def test_a_recipe_becomes_a_bundle_and_a_pipe_hears_nothing_else(photos: Path, tmp_path: Path) -> None:
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    trained = RUNNER.invoke(app, ["train", str(recipe(tmp_path)), "--data", str(photos), "-o", str(run)])
    assert (trained.exit_code, trained.stdout) == (0, f"{run / 'last.ckpt'}\n")
    assert all(line.startswith("note: heads.") for line in trained.stderr.splitlines()), trained.stderr
    exported = RUNNER.invoke(app, ["export", str(run / "last.ckpt"), "-o", str(bundle)])
    assert (exported.exit_code, exported.stdout, exported.stderr) == (0, f"{bundle}\n", "")
    assert (bundle / "MODEL_CARD.md").is_file()


def test_a_page_of_training_pictures(photos: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    shown = RUNNER.invoke(app, ["train", str(recipe(tmp_path)), "--data", str(photos), "--show", "4", "-o", str(page)])
    assert (shown.exit_code, shown.stdout) == (0, f"{page}\n")
    assert page.read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume", "--from", "x.ckpt"], "give one of them"),
        (["--show", "4"], "--show needs -o"),
        (["--show", "0", "-o", "x.png"], "should be greater than or equal to 1"),
    ],
    ids=["two beginnings", "a page without a name", "no picture"],
)
def test_wrong_usage(photos: Path, tmp_path: Path, options: list[str], message: str) -> None:
    done = RUNNER.invoke(app, ["train", str(recipe(tmp_path)), "--data", str(photos), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.name=efficientnet_fpm", "error: "),
        ("heads.types.kind=overlaping", "did you mean `overlapping`?"),
        ("heads.types.loss={dise: 1}", "did you mean `dice`?"),
        ("phases.0.step=5", "did you mean `steps`?"),
        ("heads.types.off=damage", "heads.types.off"),
        ("model.encoder=test_eficientnet", "did you mean"),
        ("classes.damage=[dent]", "hail_mark"),
        ("model.encoder_weights=none.safetensors", "no such pretrained weights"),
    ],
    ids=["network", "head", "loss", "key", "key of a head", "encoder", "a class in the data that the recipe lacks", "weights"],
)
def test_a_wrong_recipe_is_one_line_before_anything_is_written(photos: Path, tmp_path: Path, change: str, message: str) -> None:
    run = tmp_path / "run"
    done = RUNNER.invoke(app, ["train", str(recipe(tmp_path)), "--data", str(photos), "-o", str(run), "--set", change])
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not run.exists()


def test_weights_of_another_network_are_one_line(photos: Path, tmp_path: Path) -> None:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_efficientnet_ln", pretrained=False).state_dict(), tmp_path / "other.safetensors")
    change = f"model.encoder_weights={tmp_path / 'other.safetensors'}"
    done = RUNNER.invoke(app, ["train", str(recipe(tmp_path)), "--data", str(photos), "-o", str(tmp_path / "r"), "--set", change])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "are not weights of test_efficientnet" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_ctrl_c_leaves_a_checkpoint_and_says_how_to_go_on(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    endless = [PHASES[0] | {"steps": 100_000}]
    long = recipe(tmp_path, phases=endless, checkpoint_every=5, validate_every=100_000)
    process = fork_command("train", long, "--data", photos, "-o", run, folder=tmp_path / "process")
    process.wait_for(run / "last.ckpt")
    process.signal(signal.SIGINT)
    code, _, errors = process.end()
    assert code == 130
    step = read_checkpoint(run / "last.ckpt").step
    *notes, last = errors.splitlines()
    assert last == f"interrupted after {step} steps; the same command with --resume goes on from here"
    assert all(note.startswith("note: heads.") for note in notes)
