"""Whole runs of a toy network: what they leave, that they can be stopped anywhere, and what ends them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import toy_bench
from dentify.bundle.open import Bundle
from dentify.errors import ConfigError, DatasetError, OutputError
from dentify.testing import tiny_bundle
from dentify.training import Progress, train
from dentify.training.checkpoints import read_checkpoint
from dentify.training.distil import Teacher
from dentify.training.photos import read_run_photos
from dentify.training.recipe import Recipe
from dentify.writing import locked_folder
from forked import fork
from toy_bench import toy_recipe
from toy_runs import GATE, PHASE, StoppedError, curve, rows, same, stop_at

# What a run leaves


def test_a_run_leaves_checkpoint_recipe_losses_figures_and_a_plot(run: Path, painted: Path) -> None:
    assert {"last.ckpt", "recipe.yaml", "data.txt", "losses.csv", "figures.csv", "run.png", "tensorboard", "pictures.png"} == {
        path.name for path in run.iterdir()
    }
    assert (run / "data.txt").read_text().strip() == str(painted.resolve())
    with Image.open(run / "run.png") as plot:
        assert plot.width > 1000
    assert read_checkpoint(run / "last.ckpt").step == 10
    assert [row["step"] for row in rows(run)] == [str(step) for step in range(10)]
    assert [row["step"] for row in rows(run, "figures.csv")] == ["5", "10"]


def test_the_recipe_beside_a_run_is_the_recipe(painted: Path, tmp_path: Path) -> None:
    small = {"name": "efficientnet_fpn", "encoder": "tf_efficientnet_b0", "width": 8, "fine_width": 8}
    recipe = Recipe.model_validate(toy_bench.toy_document(model=small, phases=[{"steps": 1, **PHASE}]))
    train(recipe, data=painted, output=tmp_path / "run")
    assert Recipe.model_validate(yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())) == recipe


def test_every_step_is_told_with_its_loss_and_looks_at_val_with_their_figures(painted: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    train(toy_recipe(), data=painted, output=tmp_path, on_step=told.append)
    assert [(one.step, one.steps) for one in told] == [(step, 10) for step in range(1, 11)]
    assert [one.step for one in told if one.figures is not None] == [5, 10]
    assert [one.loss for one in told] == pytest.approx(curve(tmp_path), rel=1e-6)


def test_the_loss_is_the_heads_in_sum_by_their_weights(run: Path) -> None:
    weights = {name: head.weight for name, head in toy_recipe().build_heads().items()}
    for row in rows(run):
        assert float(row["loss"]) == pytest.approx(sum(weight * float(row[name]) for name, weight in weights.items()), rel=1e-5)


def test_a_teacher_is_asked_before_and_its_distance_counts(painted: Path, tmp_path: Path) -> None:
    """The tiny bundle tells dents, as the toy recipe does."""
    folder = tiny_bundle(tmp_path / "teacher")
    looked: list[None] = []
    distil = {"teacher": str(folder), "weight": 2.0, "temperature": 1.0}
    for name, changes in (("plain", {}), ("taught", {"distil": distil})):
        train(toy_recipe(**changes), data=painted, output=tmp_path / name, on_look=lambda: looked.append(None))
    plain, taught = (rows(tmp_path / name)[0] for name in ("plain", "taught"))
    assert float(taught["types"]) > float(plain["types"])
    assert float(taught["centres"]) == pytest.approx(float(plain["centres"]))  # of which the teacher says nothing
    assert len(looked) >= len(list((tmp_path / "teachers").rglob("*.npz"))) > 0  # some photos are in two sets


def unlabelled(painted: Path, folder: Path, **distil: object) -> Recipe:
    """The painted photos as a plain folder, of which nothing is known, and the tiny bundle as teacher."""
    (folder / "lot").mkdir()
    for picture in painted.glob("[0-9]*.png"):
        shutil.copy(picture, folder / "lot")
    document = toy_bench.toy_document()
    data = document["data"] | {"train": [{"photos": "lot", "per_batch": 4}], "val": [], "hold_out": 0.1}
    tiny_bundle(folder / "teacher")
    return toy_recipe(
        heads={name: document["heads"][name] for name in ("types", "parts", "vehicle")},
        data=data,
        distil={"teacher": "teacher", **distil},
        origins={"lot": document["origins"]["painted"]},
        phases=[{"steps": 60, "size": toy_bench.SIDE, "precision": "32"}],
        checkpoint_every=60,
    )


def test_a_network_learns_from_photos_without_any_label_what_a_teacher_says(painted: Path, tmp_path: Path) -> None:
    """What the teacher sees on none of them is not taught."""
    notes: list[str] = []
    recipe = unlabelled(painted, tmp_path)
    train(recipe, data=tmp_path, output=tmp_path / "run", on_note=notes.append)
    for name in ("types", "parts"):
        losses = [float(row[name]) for row in rows(tmp_path / "run")]
        assert all(np.isfinite(losses))
        assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10]), name
    bundle = Bundle.open(str(tmp_path / "teacher"))
    told = Teacher(bundle, recipe.build_heads(), tmp_path / "teachers").shown(read_run_photos(recipe, tmp_path).taught[0])
    assert read_checkpoint(tmp_path / "run" / "last.ckpt").taught == {name: sorted(names) for name, names in told.items()}
    assert told["types"] == {"dent"}
    assert "heads.types: no photo to train on shows hail_mark, so that is never told" in notes


def test_a_teacher_whose_answers_weigh_nothing_teaches_no_unlabelled_photo(painted: Path, tmp_path: Path) -> None:
    recipe = unlabelled(painted, tmp_path, weight=0.0)
    with pytest.raises(ConfigError, match=r"data\.train: the photos teach nothing that a bundle could tell"):
        train(recipe, data=tmp_path, output=tmp_path / "run")


def test_a_network_learns_what_the_photos_show(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(phases=[{"steps": 60, "size": toy_bench.SIDE, "precision": "32"}], validate_every=60)
    train(recipe, data=painted, output=tmp_path)
    types = [float(row["types"]) for row in rows(tmp_path)]
    assert np.mean(types[-10:]) < 0.8 * np.mean(types[:10])


# Stopping and going on


@pytest.mark.parametrize("step", [1, 3, 5, 6, 7, 9], ids=lambda step: f"at {step}")
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(painted: Path, tmp_path: Path, run: Path, step: int) -> None:
    """Checkpoints are written every second step; the phase changes at the sixth."""
    recipe = toy_recipe()
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path, on_step=stop_at(step))
    if step > 1:
        assert read_checkpoint(tmp_path / "last.ckpt").step == step - step % 2
        train(recipe, data=painted, output=tmp_path, resume=True)
        for name in ("losses.csv", "figures.csv"):
            assert (tmp_path / name).read_bytes() == (run / name).read_bytes()
        assert same(vars(read_checkpoint(tmp_path / "last.ckpt")), vars(read_checkpoint(run / "last.ckpt")))


def test_a_run_that_was_killed_goes_on(painted: Path, tmp_path: Path, run: Path) -> None:
    process = fork(partial(train, toy_recipe(), data=painted, output=tmp_path / "run"), tmp_path / "process")
    process.wait_for(tmp_path / "run" / "last.ckpt")
    process.signal(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    train(toy_recipe(), data=painted, output=tmp_path / "run", resume=True)
    assert curve(tmp_path / "run") == pytest.approx(curve(run), rel=1e-6)


def test_a_run_that_was_killed_after_its_last_checkpoint_gets_its_pictures(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(phases=[{"steps": 2, **PHASE}])
    train(recipe, data=painted, output=tmp_path)
    (tmp_path / "pictures.png").rename(tmp_path / ".pictures.png.part")
    before = (tmp_path / "last.ckpt").read_bytes(), (tmp_path / "losses.csv").read_bytes()
    train(recipe, data=painted, output=tmp_path, resume=True)
    assert (tmp_path / "pictures.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*"))
    assert ((tmp_path / "last.ckpt").read_bytes(), (tmp_path / "losses.csv").read_bytes()) == before


def test_ctrl_c_leaves_a_checkpoint_of_the_last_step(painted: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(
            toy_recipe(),
            data=painted,
            output=tmp_path,
            on_step=lambda done: done.step == 5 and os.kill(os.getpid(), signal.SIGINT),
        )
    assert read_checkpoint(tmp_path / "last.ckpt").step == 5
    assert len(rows(tmp_path)) == 5
    assert signal.getsignal(signal.SIGINT) == before


def test_what_no_photo_teaches_or_is_judged_by_is_told_before_the_first_step(painted: Path, tmp_path: Path) -> None:
    document = toy_bench.toy_document()
    heads = {"types": document["heads"]["types"], "parts": document["heads"]["parts"], "vehicle": GATE["vehicle"]}
    classes = {"damage": ["dent", "hail_mark", "crack"], "parts": ["hood", "roof"]}
    train_sets = [{"dataset": "train.json", "images": ".", "per_batch": 2}]
    judged_by = [{"photos": "photos.csv", "vehicle": True, "damage": False}]
    data = document["data"] | {"train": train_sets, "val": judged_by, "hold_out": 0.0}
    recipe = toy_recipe(heads=heads, classes=classes, data=data, phases=[{"steps": 1, **PHASE}])
    notes: list[str] = []
    train(recipe, data=painted, output=tmp_path, on_note=notes.append)
    assert notes == [
        "heads.types: no photo to train on shows crack, so that is never told",
        "heads.types: no photo of val shows dent, hail_mark, so figures say nothing of it",
        "heads.parts: no photo to train on shows roof, so that is never told",
        "heads.parts: no photo of val shows hood, so figures say nothing of it",
        "heads.vehicle: photos to train on show yes, too little to tell anything: it is left out",
        "data.hold_out: keeps none of the photos, without which no bundle is exported; raise it, or add photos",
    ]


# What is refused


def test_photos_that_teach_nothing_are_refused_before_the_first_step(painted: Path, tmp_path: Path) -> None:
    data = toy_bench.toy_document()["data"]
    recipe = toy_recipe(data=data | {"train": data["train"][1:2], "val": []}, heads=GATE)
    with pytest.raises(
        ConfigError, match=r"teach nothing that a bundle could tell: heads.vehicle: photos to train on show yes, too"
    ):
        train(recipe, data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="locks as on Unix")
def test_two_runs_do_not_share_a_folder(painted: Path, tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path / "run"),
        pytest.raises(OutputError, match=r"run: another run of Dentify writes there; wait for it, or write elsewhere$"),
    ):
        train(toy_recipe(), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_photos_that_no_phase_shows_teach_nothing(painted: Path, tmp_path: Path) -> None:
    phases = [{"steps": 1, **PHASE, "per_batch": [2, 1, 0]}]
    train(toy_recipe(phases=phases), data=painted, output=tmp_path)
    assert read_checkpoint(tmp_path / "last.ckpt").taught["vehicle"] == ["yes"]


def test_photos_without_an_origin_are_told_before_training(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`origins` says nothing of garage, painted, street"):
        train(toy_recipe(origins={}), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_set_of_which_nothing_is_left_to_train_on_is_told(painted: Path, tmp_path: Path) -> None:
    data = toy_bench.toy_document()["data"] | {"hold_out": 0.999}
    with pytest.raises(ConfigError, match="hold_out keeps all its photos from training; lower it, or add photos"):
        train(toy_recipe(data=data), data=painted, output=tmp_path / "run")


def test_missing_photos_are_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        train(toy_recipe(), data=tmp_path, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()
