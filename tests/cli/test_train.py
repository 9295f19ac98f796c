"""`dentify train` and `dentify export` as commands: what they print, and where they stop."""

from __future__ import annotations

import json
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")

from typer.testing import CliRunner

from dentify.cli import app
from dentify.cli.train import _folder_of
from dentify.planning import decide
from dentify.training.checkpoints import read_checkpoint
from forked import fork_command
from toy_bench import paint_photos, toy_document

RUNNER = CliRunner()
SMALL = {"name": "efficientnet_fpn", "encoder": "test_efficientnet", "width": 8, "fine_width": 8}
PHASES = [{"steps": 2, "size": 32, "precision": "32"}]


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
    *notes, last = trained.stderr.splitlines()
    assert all(line.startswith("note: heads.") for line in notes), trained.stderr
    assert re.match(r"step 2 of 2: loss \d+\.\d\d; any damage IoU .* on 24 photos", last)
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
        (["--labels", "x.yaml"], "--labels is for training without a recipe"),
        (["--from", "random"], "--from random is for training without a recipe"),
        (["more-labels"], "a run has one recipe"),
        (["--show", "0", "-o", "x.png"], "should be greater than or equal to 1"),
        (["--check", "--average-with", "x.ckpt"], "--check trains nothing: leave out --average-with"),
        (["--show", "4", "-o", "x.png", "--resume"], "whatever a run begins with: leave out --resume"),
    ],
    ids=["two beginnings", "a page without a name", "a map", "random", "labels beside it", "no picture", "check", "show"],
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


# Without a recipe

OWN_WORDS = "labels: {dent: dent, hail_mark: hail_mark, hood: hood}\n"
SMALLER = {"model": SMALL, "phases.0": PHASES[0], "phases.1": PHASES[0], "data.workers": 0, "data.serve_size": 32}
SMALL_RUN = [word for key, value in SMALLER.items() for word in ("--set", f"{key}={json.dumps(value)}")]


@pytest.fixture
def own(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command without its options: labels with words of their own, and what they mean."""
    monkeypatch.chdir(tmp_path)
    Path("labels.yaml").write_text(OWN_WORDS)
    return ["train", str(photos / "train.json"), "--labels", "labels.yaml", "-o", "run", "--from", "random"]


def test_labels_become_a_recipe_and_a_run_that_goes_on(own: list[str]) -> None:
    done = RUNNER.invoke(app, [*own, *SMALL_RUN])
    assert (done.exit_code, done.stdout) == (0, f"{Path('run/last.ckpt')}\n"), done.stderr
    for told in ("types: dent (", "to judge by (dealt out", "begins with random weights", "all of it stands in run/recipe.yaml"):
        assert told in done.stderr
    assert {"recipe.yaml", "splits.csv", "last.ckpt", "pictures.png", "data.txt"} <= {path.name for path in Path("run").iterdir()}
    again = RUNNER.invoke(app, [*own, *SMALL_RUN])
    assert (again.exit_code, again.stderr) == (
        1,
        "error: run: holds a run already; go on with --resume, or give the new one another folder with -o\n",
    )
    longer = ["--set", "phases.1.steps=4"]
    assert RUNNER.invoke(app, [*own, *SMALL_RUN, *longer, "--resume"]).exit_code == 0
    assert read_checkpoint(Path("run/last.ckpt")).step == 6
    by_it = RUNNER.invoke(app, ["train", "run/recipe.yaml", "--data", ".", "-o", "another"])
    assert by_it.exit_code == 0, by_it.stderr


def test_without_what_training_needs_no_recipe_is_decided(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dentify.planning.check._PACKAGES", ("torch", "torsh"))
    done = RUNNER.invoke(app, own)
    assert (done.exit_code, done.stderr) == (1, 'error: training (torsh) needs more packages: pip install "dentify[train]"\n')
    assert not Path("run").exists()


def test_a_recipe_that_is_not_changed_keeps_its_comments(own: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def small(seen: Any, **how: Any) -> Any:
        decided = decide(seen, **how)
        document = yaml.safe_load(decided.recipe)
        document |= {"model": SMALL, "phases": PHASES, "data": document["data"] | {"workers": 0, "serve_size": 32}}
        return replace(decided, recipe=f"# mine\n{yaml.safe_dump(document)}")

    monkeypatch.setattr("dentify.planning.decide", small)
    assert RUNNER.invoke(app, own).exit_code == 0
    assert Path("run/recipe.yaml").read_text().startswith("# mine\n")


def test_check_tells_all_faults_or_what_the_run_will_be(own: list[str], photos: Path, tmp_path: Path) -> None:
    good = RUNNER.invoke(app, [*own, "--check"])
    assert good.exit_code == 0, good.stderr
    assert re.fullmatch(r"24 photos; types: dent, hail_mark; \d+ steps, about \d+ minutes? on .*\n", good.stdout)
    assert not Path("run").exists()
    Path("labels.yaml").write_text("labels: {dent: dent}\n")
    bad = RUNNER.invoke(app, [*own, str(tmp_path / "nowhere"), "--check"])
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert [line.startswith("error: ") for line in bad.stderr.splitlines()] == [True] * 3
    assert "8 damaged photos are too few" in bad.stderr
    assert "hail_mark (8×" in bad.stderr
    assert "nowhere: no such file or folder" in bad.stderr


def test_check_of_labels_heeds_changes_and_a_wrong_one_writes_nothing(own: list[str]) -> None:
    shorter = RUNNER.invoke(app, [*own, "--check", "--set", "phases=[{steps: 7, size: 32}]"])
    assert " 7 steps, " in shorter.stdout, shorter.stderr
    for command in ([*own, "--check"], own):
        wrong = RUNNER.invoke(app, [*command, "--set", "nosuch=1"])
        assert (wrong.exit_code, wrong.stdout) == (1, "")
        assert "the recipe for these labels: unknown key `nosuch`" in wrong.stderr
        assert not Path("run").exists()


def test_check_of_a_recipe_tells_its_keys_beside_its_photos(photos: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, phases=[{"stepps": 2, "size": 32}], classes={"damage": ["dent"], "parts": ["hood"]})
    done = RUNNER.invoke(app, ["train", str(path), "--data", str(photos), "-o", str(tmp_path / "run"), "--check"])
    assert done.exit_code == 1
    assert "did you mean `steps`?" in done.stderr
    assert "hail_mark (8×" in done.stderr
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())


def test_check_of_a_recipe_asks_its_own_network(photos: Path, tmp_path: Path) -> None:
    """Types are told where there are any, and what the network does not answer is a fault."""
    heads = {"parts": {"kind": "exclusive", "of": "parts"}}
    path = recipe(tmp_path, classes={"damage": [], "parts": ["dent", "hail_mark", "hood"]}, heads=heads)
    command = ["train", str(path), "--data", str(photos), "-o", str(tmp_path / "run"), "--check", "--device", "cpu"]
    done = RUNNER.invoke(app, command)
    told = r"57 photos; no types of damage; 2 steps, about \d+ minutes? on this machine, by some steps that the network took\n"
    assert re.fullmatch(told, done.stdout), done.output
    assert not (tmp_path / "run").exists()
    wrong = RUNNER.invoke(app, [*command, "--set", "heads.parts={kind: instances, of: parts}"])
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("error: heads.parts: this network answers no instances")


def test_a_recipe_that_ships_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, ["train", "default", "--data", "."])
    assert done.exit_code == 1
    assert "damage/train.json: no such file or folder" in done.stderr
    for name in ("defualt.yaml", "defualt"):
        wrong = RUNNER.invoke(app, ["train", name, "--data", "."])
        assert wrong.exit_code == 2
        assert "did you mean `default`?" in " ".join(wrong.stderr.split())
    gone = RUNNER.invoke(app, ["export", "gone/last.ckpt", "-o", "bundle"])
    assert (gone.exit_code, gone.stderr) == (1, "error: gone/last.ckpt: cannot be read: No such file or directory\n")


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


def test_a_run_of_this_folder_is_called_as_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claims").mkdir()
    monkeypatch.chdir(tmp_path / "claims")
    assert [_folder_of([one]) for one in (".", "../claims", "labels.json", "/")] == [
        *[Path("runs/claims")] * 2,
        Path("runs/labels"),
        Path("runs/mine"),
    ]


def test_limits_of_the_environment_are_those_of_training_and_export(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    arguments = ["train", str(recipe(tmp_path)), "--data", str(photos), "-o", str(run)]
    over = "64 × 64 pixels are over the limit of 0.0001 megapixels"

    def refused(*command: str) -> str:
        monkeypatch.setenv("DENTIFY_MAX_PIXELS", "100")
        done = RUNNER.invoke(app, list(command))
        monkeypatch.delenv("DENTIFY_MAX_PIXELS")
        assert done.exit_code == 1
        return " ".join(done.stderr.split())

    assert over in refused(*arguments, "--show", "1", "-o", str(tmp_path / "page.png"))
    assert over in refused(*arguments)
    assert RUNNER.invoke(app, [*arguments[:-1], str(tmp_path / "whole")]).exit_code == 0
    assert over in refused("export", str(tmp_path / "whole" / "last.ckpt"), "-o", str(tmp_path / "bundle"))


def test_links_are_followed_where_the_environment_says_so(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `dentify dataset convert --pictures link` makes them."""
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in photos.iterdir():
        (linked / path.name).symlink_to(path) if path.suffix != ".json" else (linked / path.name).write_bytes(path.read_bytes())
    labels = next(iter(sorted(linked.glob("*.json"))))
    command = ["train", str(labels), "-o", str(tmp_path / "run"), "--from", "random"]
    assert "set DENTIFY_FOLLOW_LINKS=1" in RUNNER.invoke(app, command).stderr
    monkeypatch.setenv("DENTIFY_FOLLOW_LINKS", "1")
    assert "label that is not mapped: hail_mark" in RUNNER.invoke(app, command).stderr, "the labels were read"
