"""Whole runs of a toy network: what they leave, that they can be stopped anywhere, and what ends them."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

import toy_bench
from dentify.errors import ConfigError, DatasetError, ImageError, OutputError, TrainingError
from dentify.testing import tiny_bundle
from dentify.training import Progress, loop, train
from dentify.training.checkpoints import Checkpoint, read_checkpoint
from dentify.training.loop import check_batches, figure_names, has_bf16, interrupts, read_judges
from dentify.training.models.network import normalised
from dentify.training.recipe import Recipe
from dentify.writing import locked_folder
from forked import fork
from toy_bench import ToyNetwork, ToyRecipe, toy_recipe

GATE = {"vehicle": {"kind": "labels", "of": "vehicle"}}
PHASE = {"size": toy_bench.SIDE, "precision": "32"}


class StoppedError(Exception):
    """Something that ends a run without warning."""


def stop_at(step: int) -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise StoppedError

    return on_step


def press_at(step: int) -> Callable[[Progress], None]:
    """Ctrl-C."""

    def on_step(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_step


def rows(run: Path, name: str = "losses.csv") -> list[dict[str, str]]:
    with (run / name).open(newline="") as file:
        return list(csv.DictReader(file))


def curve(run: Path) -> list[float]:
    return [float(row["loss"]) for row in rows(run)]


def same(one: Any, other: Any) -> bool:
    """Whether two states hold the same numbers, bit for bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


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


def test_a_network_learns_what_the_photos_show(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(phases=[{"steps": 60, "size": toy_bench.SIDE, "precision": "32"}], validate_every=60)
    train(recipe, data=painted, output=tmp_path)
    types = [float(row["types"]) for row in rows(tmp_path)]
    assert np.mean(types[-10:]) < 0.8 * np.mean(types[:10])


class Seer(ToyNetwork):
    """Knows the painted colours from the start: blue is a dent."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        told = super().forward(images)
        colours = nn.functional.avg_pool2d(images * 0.25 + 0.5, 2)
        dent = 20 * (colours[:, 2:] - colours[:, :1]) - 6
        return told | {"types": torch.cat([dent, dent * 0 - 9], 1) + 0 * told["types"]}


class SeerRecipe(ToyRecipe):
    """Builds it."""

    def build(self, outputs: Any, root: Path | None) -> Seer:
        return Seer(self, outputs)


def test_figures_are_of_the_photos_of_val(painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(model=SeerRecipe()), data=painted, output=tmp_path)
    (_, last) = rows(tmp_path, "figures.csv")
    assert float(last["types/dent"]) > 0.8  # cells at the edges of a dent are half damaged
    assert float(last["types/hail_mark"]) == 0
    assert float(last["types/mean"]) == pytest.approx(float(last["types/dent"]) / 2, abs=1e-4)


def test_what_figures_will_be_called_is_known_before_a_run(run: Path, painted: Path) -> None:
    recipe = toy_recipe()
    assert ("step", *figure_names(recipe, read_judges(recipe, painted)[0])) == tuple(rows(run, "figures.csv")[0])


@pytest.fixture
def one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets runs be of one answer alone, so that every step can be worked by hand, though no bundle would come of them."""
    monkeypatch.setattr(loop, "check_taught", lambda *given: None)


class OneNumber(nn.Module):
    """Answers every photo with one number, `level`, behind a batch norm: what a step does to a network can be worked by hand."""

    mean = std = (0.5, 0.5, 0.5)

    def __init__(self, level: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.level = nn.Parameter(torch.tensor(level))

    def parts(self) -> dict[str, list[nn.Module]]:
        return {"norm": [self.norm], "level": [nn.ParameterList([self.level])]}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"vehicle": (self.level + 0 * self.norm(images).mean((1, 2, 3)))[:, None]}


class OneNumberRecipe(ToyRecipe):
    """Builds it."""

    level: float = 0.0

    def build(self, outputs: Any, root: Path | None) -> OneNumber:  # type: ignore[override]
        return OneNumber(self.level)


def one_number(painted: Path, folder: Path, *rates: float, level: float = 0.0, phase: Any = (), **keys: Any) -> Checkpoint:
    """After a step of each rate on photos without a vehicle, which want the number to fall; AdamW's first steps are the rate."""
    photos = [{"photos": "photos.csv", "per_batch": 2, "vehicle": False, "damage": False}]
    data = toy_bench.toy_document()["data"] | {"train": photos, "hold_out": 0.0}
    phases = [
        {"steps": 1, **PHASE, "optimizers": [{"kind": "adamw", "rate": rate, "weight_decay": 0}], **dict(phase)} for rate in rates
    ]
    keys["optimizers"] = [{"kind": "adamw", "rate": 1.0}]  # replaced by each phase
    recipe = toy_recipe(model=OneNumberRecipe(level=level), heads=GATE, data=data, phases=phases, **keys)
    return read_checkpoint(train(recipe, data=painted, output=folder))


@pytest.mark.usefixtures("one_answer")
def test_the_average_follows_the_weights_by_the_decay_of_the_phase(painted: Path, tmp_path: Path) -> None:
    """It begins with the weights of the first step, of which no more than 2/11 stay at the second."""
    quick = one_number(painted, tmp_path / "quick", 1.0, 2.0, phase={"average": 0.1})
    slow = one_number(painted, tmp_path / "slow", 1.0, 2.0, phase={"average": 0.9})
    assert quick.weights["level"].item() == slow.weights["level"].item() == pytest.approx(-3, abs=1e-3)
    assert quick.average["level"].item() == pytest.approx(-1 * 0.1 - 3 * 0.9, abs=1e-3)
    assert slow.average["level"].item() == pytest.approx(-1 * 2 / 11 - 3 * 9 / 11, abs=1e-3)
    assert (quick.averaged, slow.averaged) == (2, 2)


@pytest.mark.usefixtures("one_answer")
def test_figures_are_of_the_averaged_weights(painted: Path, tmp_path: Path) -> None:
    """Photos of val show vehicles: the last weights deny it, their average does not yet."""
    state = one_number(painted, tmp_path, 1e-6, 20.0, level=18.0)
    assert state.weights["level"] < -1
    assert state.average["level"] > 1
    assert float(rows(tmp_path, "figures.csv")[-1]["vehicle/yes"]) == 1


@pytest.mark.usefixtures("one_answer")
def test_a_gradient_is_cut_to_the_recipes_norm(painted: Path, tmp_path: Path) -> None:
    for clip, length in ((0.01, 0.01), (5.0, 0.48)):  # without a cut, a half less the smoothing
        state = one_number(painted, tmp_path / str(clip), 1.0, clip=clip)
        smoothed = state.optimizers["level"]["exp_avg"]
        assert smoothed.item() / 0.1 == pytest.approx(length, rel=1e-3)  # AdamW keeps a tenth of the first


@pytest.mark.usefixtures("one_answer")
def test_a_step_is_as_long_as_the_schedule_says(painted: Path, tmp_path: Path) -> None:
    warm = [{"kind": "adamw", "rate": 1.0, "weight_decay": 0, "schedule": {"warmup": 4}}]
    state = one_number(painted, tmp_path, 1.0, phase={"optimizers": warm})
    assert state.weights["level"].item() == pytest.approx(-0.25, abs=1e-3)
    assert [row["rate"] for row in rows(tmp_path)] == ["0.25"]


@pytest.mark.usefixtures("one_answer")
def test_a_batch_norm_that_is_not_taught_keeps_its_statistics(painted: Path, tmp_path: Path) -> None:
    taught = one_number(painted, tmp_path / "taught", 1.0).weights
    kept = one_number(painted, tmp_path / "kept", 1.0, phase={"train": ["level"]}).weights
    assert taught["norm.num_batches_tracked"] == 1
    assert kept["norm.num_batches_tracked"] == 0
    assert kept["norm.running_mean"].tolist() == [0, 0, 0]
    assert kept["level"] == taught["level"]


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


def test_chance_in_the_network_follows_from_the_step(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(model=ToyRecipe(dropout=0.5))
    train(recipe, data=painted, output=tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path / "run", on_step=stop_at(5))
    train(recipe, data=painted, output=tmp_path / "run", resume=True)
    assert curve(tmp_path / "run") == curve(tmp_path / "whole")


def test_a_run_that_was_killed_goes_on(painted: Path, tmp_path: Path, run: Path) -> None:
    process = fork(partial(train, toy_recipe(), data=painted, output=tmp_path / "run"), tmp_path / "process")
    process.wait_for(tmp_path / "run" / "last.ckpt")
    process.signal(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    train(toy_recipe(), data=painted, output=tmp_path / "run", resume=True)
    assert curve(tmp_path / "run") == pytest.approx(curve(run), rel=1e-6)


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


def test_a_second_ctrl_c_does_not_wait() -> None:
    with interrupts() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_other_threads_are_not_told_of_ctrl_c() -> None:
    def told() -> bool:
        with interrupts() as interrupted:
            return interrupted()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(told).result() is False


def test_a_longer_recipe_goes_on_from_a_finished_run(painted: Path, tmp_path: Path) -> None:
    short = toy_recipe(phases=[{"steps": 4, **PHASE}])
    long = toy_recipe(phases=[{"steps": 6, **PHASE}])
    train(short, data=painted, output=tmp_path / "run")
    train(long, data=painted, output=tmp_path / "run", resume=True)
    train(long, data=painted, output=tmp_path / "whole")
    assert curve(tmp_path / "run") == curve(tmp_path / "whole")


def test_what_optimizers_keep_belongs_to_parameters_not_to_optimizers(painted: Path, tmp_path: Path) -> None:
    """Two of one rate are one: a run may be resumed with the other recipe, and nothing is mixed up."""
    two = [{"rate": 0.004, "of": ["encoder"]}, {"rate": 0.004}]
    whole, stopped = toy_recipe(optimizers=two), toy_recipe(optimizers=[{"rate": 0.004}])
    train(whole, data=painted, output=tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(whole, data=painted, output=tmp_path / "run", on_step=stop_at(4))
    train(stopped, data=painted, output=tmp_path / "run", resume=True)
    assert curve(tmp_path / "run") == pytest.approx(curve(tmp_path / "whole"), rel=1e-5)


# Phases, parts, batches


def test_parts_that_a_phase_does_not_teach_keep_their_weights(painted: Path, tmp_path: Path) -> None:
    phases = [{"steps": 2, **PHASE}, {"steps": 2, **PHASE, "train": ["encoder.1-", "answers"]}]
    recipe = toy_recipe(phases=phases)
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path, on_step=stop_at(2))
    before = read_checkpoint(tmp_path / "last.ckpt").weights
    train(recipe, data=painted, output=tmp_path, resume=True)
    after = read_checkpoint(tmp_path / "last.ckpt").weights
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"body", "answers"}


def test_a_phase_may_begin_with_the_average(painted: Path, tmp_path: Path) -> None:
    phases = [{"steps": 2, **PHASE}, {"steps": 2, **PHASE, "train": ["answers"], "begin": "average"}]
    recipe = toy_recipe(phases=phases)
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path, on_step=stop_at(2))
    before = read_checkpoint(tmp_path / "last.ckpt")
    train(recipe, data=painted, output=tmp_path, resume=True)
    after = read_checkpoint(tmp_path / "last.ckpt")
    assert not torch.equal(before.weights["stem.0.weight"], before.average["stem.0.weight"])
    assert torch.equal(after.weights["stem.0.weight"], before.average["stem.0.weight"])
    assert torch.allclose(after.average["stem.0.weight"], before.average["stem.0.weight"])


@pytest.mark.parametrize("stopped", [False, True], ids=["in one go", "stopped in between"])
def test_a_phase_may_bring_optimizers_of_its_own(painted: Path, tmp_path: Path, stopped: bool) -> None:
    still = [{"kind": "adamw", "rate": 1e-12, "weight_decay": 0}]
    phases = [{"steps": 2, **PHASE}, {"steps": 2, **PHASE, "optimizers": still}, {"steps": 2, **PHASE}]
    recipe = toy_recipe(phases=phases, checkpoint_every=1)
    if stopped:
        with pytest.raises(StoppedError):
            train(recipe, data=painted, output=tmp_path, on_step=stop_at(5))
    train(recipe, data=painted, output=tmp_path, resume=stopped)
    assert [float(row["rate"]) for row in rows(tmp_path)] == [0.004, 0.004, *[1e-12] * 4]  # in force until others come


@pytest.mark.usefixtures("one_answer")
def test_a_batch_in_parts_teaches_what_it_teaches_whole(painted: Path, tmp_path: Path) -> None:
    """Of a loss that is a mean over pictures of which all are known."""
    photos = [{"photos": "photos.csv", "per_batch": 4, "vehicle": False, "damage": False}]
    data = toy_bench.toy_document()["data"] | {"train": photos, "val": [], "hold_out": 0.0}
    for accumulate in (1, 2, 3):
        train(toy_recipe(heads=GATE, data=data, accumulate=accumulate), data=painted, output=tmp_path / str(accumulate))
    assert len(curve(tmp_path / "1")) == 10
    assert curve(tmp_path / "2") == pytest.approx(curve(tmp_path / "1"), rel=1e-4)
    assert curve(tmp_path / "3") != pytest.approx(curve(tmp_path / "1"), rel=1e-4)  # parts of 1, 2 and 1: their means weigh alike


def test_two_processes_follow_the_curve_of_one(painted: Path, tmp_path: Path, run: Path) -> None:
    """Their batches are shares of the one batch, and every loss is a quotient of sums over all of it."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*torchrun, toy_bench.__file__, str(painted), str(tmp_path / "two")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for step, (one, two) in enumerate(zip(rows(run), rows(tmp_path / "two"), strict=True)):
        for name in one:
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3, abs=1e-5), (step, name)
    for one, two in zip(rows(run, "figures.csv"), rows(tmp_path / "two", "figures.csv"), strict=True):
        assert {k: v for k, v in one.items() if v == ""} == {k: v for k, v in two.items() if v == ""}
        for name in (name for name, value in one.items() if value):
            assert float(two[name]) == pytest.approx(float(one[name]), abs=2e-3), name


def train_as_torchrun_does(recipe: Recipe, data: Path, output: Path, rank: int, port: int) -> None:
    """One of two processes."""
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_WORLD_SIZE": 1}
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "toy", "CUDA_VISIBLE_DEVICES": ""}
    os.environ |= {name: str(value) for name, value in (ranks | where).items()}
    train(recipe, data=data, output=output)


def test_processes_need_not_have_as_many_pictures_each_nor_any_to_judge_by(painted: Path, tmp_path: Path) -> None:
    """Five pictures a batch, and one photo in val."""
    document = json.loads((painted / "val.json").read_text())
    document["images"] = document["images"][:1]
    document["annotations"] = document["annotations"][:1]
    (painted / "one.json").write_text(json.dumps(document))
    changes = ["phases.0.per_batch=[3, 1, 1]", "phases.0.steps=2", "phases.1.steps=1", "data.val.0.dataset=one.json"]
    train(toy_recipe(changes=tuple(changes)), data=painted, output=tmp_path / "one")
    recipe = toy_recipe(changes=tuple(changes))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    works = [partial(train_as_torchrun_does, recipe, painted, tmp_path / "two", rank, port) for rank in range(2)]
    for process in [fork(work, tmp_path / f"process{rank}") for rank, work in enumerate(works)]:
        code, _, errors = process.end()
        assert code == 0, errors[-2000:]
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), rel=1e-3)
    assert rows(tmp_path / "two", "figures.csv")[-1]["types/dent"] == rows(tmp_path / "one", "figures.csv")[-1]["types/dent"]


@pytest.mark.parametrize(
    ("processes", "accumulate", "fits"), [(1, 4, True), (2, 2, True), (1, 5, False), (2, 3, False), (5, 1, False)]
)
def test_a_batch_has_a_picture_for_each_part_of_each_process(processes: int, accumulate: int, fits: bool) -> None:
    recipe = toy_recipe(accumulate=accumulate)
    if fits:
        check_batches(recipe, processes)
    else:
        with pytest.raises(ConfigError, match=r"phases\.0: batches of 4 pictures are too small for \d processes"):
            check_batches(recipe, processes)


def test_pictures_are_normalised_as_the_network_says() -> None:
    images = torch.full((1, 2, 2, 3), 51, dtype=torch.uint8)
    assert torch.allclose(normalised(images, (0.5,) * 3, (0.25,) * 3), torch.tensor((0.2 - 0.5) / 0.25))


# Beginning with another run's weights


def test_a_run_begins_with_the_averaged_weights_of_another(run: Path, painted: Path, tmp_path: Path) -> None:
    still = [{"kind": "adamw", "rate": 1e-12, "weight_decay": 0}]
    recipe = toy_recipe(optimizers=still, phases=[{"steps": 1, **PHASE}])
    train(recipe, data=painted, output=tmp_path, start=run / "last.ckpt")
    theirs, ours = read_checkpoint(run / "last.ckpt"), read_checkpoint(tmp_path / "last.ckpt")
    assert ours.step == 1
    assert all(torch.allclose(ours.weights[name], value, atol=1e-6) for name, value in theirs.average.items())


def test_a_run_begins_with_the_mean_of_several(run: Path, painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(seed=1), data=painted, output=tmp_path / "other")
    still = [{"kind": "adamw", "rate": 1e-12, "weight_decay": 0}]
    recipe = toy_recipe(optimizers=still, phases=[{"steps": 1, **PHASE}])
    other = tmp_path / "other" / "last.ckpt"
    train(recipe, data=painted, output=tmp_path / "mean", start=run / "last.ckpt", average_with=[other])
    one, two, mean = (read_checkpoint(path).average for path in (run / "last.ckpt", other, tmp_path / "mean" / "last.ckpt"))
    assert any(not torch.allclose(one[name], two[name]) for name in one)
    assert all(torch.allclose(mean[name], (one[name] + two[name]) / 2, atol=1e-6) for name in one)


def test_what_an_earlier_run_taught_stays_taught(run: Path, painted: Path, tmp_path: Path) -> None:
    data = toy_bench.toy_document()["data"]
    recipe = toy_recipe(data=data | {"train": data["train"][1:]}, phases=[{"steps": 1, **PHASE}])
    train(recipe, data=painted, output=tmp_path / "alone")
    train(recipe, data=painted, output=tmp_path / "after", start=run / "last.ckpt")
    alone, after = (read_checkpoint(tmp_path / name / "last.ckpt").taught for name in ("alone", "after"))
    assert alone["types"] == []
    assert after["types"] == ["dent", "hail_mark"]


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


class HungryRecipe(ToyRecipe):
    """A network that takes more memory than there is for more than this many pictures."""

    most: int = 0

    def build(self, outputs: Any, root: Path | None) -> ToyNetwork:
        network = super().build(outputs, root)
        network.register_forward_pre_hook(self._refuse)
        return network

    def _refuse(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        if len(inputs[0]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nSee documentation")


def test_a_batch_that_does_not_fit_into_memory_says_what_takes_less(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        train(toy_recipe(model=HungryRecipe(most=3)), data=painted, output=tmp_path / "step")
    assert str(caught.value) == (
        "a batch of 4 pictures of 32 × 32 pixels: does not fit into memory; "
        "raise `accumulate`, or lower `per_batch`, `size` or `data.workers`"
    )
    with pytest.raises(TrainingError, match=r"^16 photos of val at 32 × 32 pixels: does not fit .* lower `data.serve_size`"):
        train(toy_recipe(model=HungryRecipe(most=4)), data=painted, output=tmp_path / "val")


def test_photos_that_teach_nothing_are_refused_before_the_first_step(painted: Path, tmp_path: Path) -> None:
    data = toy_bench.toy_document()["data"]
    recipe = toy_recipe(data=data | {"train": data["train"][1:2], "val": []}, heads=GATE)
    with pytest.raises(
        ConfigError, match=r"teach nothing that a bundle could tell: heads.vehicle: photos to train on show yes, too"
    ):
        train(recipe, data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_needs_a_checkpoint(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to resume; leave out --resume to start anew"):
        train(toy_recipe(), data=painted, output=tmp_path, resume=True)


def test_a_run_is_not_overwritten_by_another(run: Path, painted: Path) -> None:
    before = (run / "recipe.yaml").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already; go on with --resume, or give the new one another folder with -o"):
        train(toy_recipe(seed=1), data=painted, output=run)
    assert (run / "recipe.yaml").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="locks as on Unix")
def test_two_runs_do_not_share_a_folder(painted: Path, tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path / "run"),
        pytest.raises(OutputError, match=r"run: another run of Dentify writes there; wait for it, or write elsewhere$"),
    ):
        train(toy_recipe(), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_averaging_needs_a_run_to_begin_with(run: Path, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--average-with averages with the checkpoint of --from"):
        train(toy_recipe(), data=painted, output=tmp_path / "run", average_with=[run / "last.ckpt"])
    assert not (tmp_path / "run").exists()


def test_adapters_have_no_mean_to_begin_with(painted: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="needs the extra `train`")
    adapter = {"of": ["backbone.4"], "rank": 2}
    model = {"name": "timm_classifier", "architecture": "test_convnext", "weights": None, "adapter": adapter}
    document = toy_bench.toy_document(model=model, heads={"vehicle": {"kind": "labels", "of": "vehicle"}})
    recipe = Recipe.model_validate(document | {"optimizers": [{"kind": "adamw", "rate": 0.01}]})
    with pytest.raises(ConfigError, match=r"^--average-with: the mean of adapters is not what they learned"):
        train(recipe, data=painted, output=tmp_path / "run", start=Path("a.ckpt"), average_with=[Path("b.ckpt")])
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_network_is_refused(run: Path, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is of another network than the recipe's: `\S+` is \(1, 8, 1, 1\), the recipe's \(1, 16"
    ):
        train(toy_recipe(model=ToyRecipe(width=16)), data=painted, output=tmp_path / "run", start=run / "last.ckpt")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"classes": {"damage": ["hail_mark", "dent"], "parts": ["hood"]}},
            "tells dent, hail_mark, the recipe's hail_mark, dent",
        ),
        ({"heads": {"types": {"kind": "overlapping", "of": "damage"}}}, "its head `any` tells any, the recipe's nothing"),
        ({"heads": dict(reversed(toy_bench.toy_heads().items()))}, "its heads are types, any, .*, in this order"),
    ],
    ids=["the same classes in another order", "fewer heads", "heads in another order"],
)
def test_a_checkpoint_of_another_recipe_is_refused(
    run: Path, painted: Path, tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(toy_recipe(**keys), data=painted, output=tmp_path / "run", start=run / "last.ckpt")


def test_a_loss_that_is_no_number_ends_the_run_and_names_head_and_step(painted: Path, tmp_path: Path) -> None:
    heads = {"types": {"kind": "overlapping", "of": "damage", "loss": {"cross_entropy": float("inf")}}, **GATE}
    recipe = toy_recipe(heads=GATE | {"types": {"kind": "overlapping", "of": "damage"}})
    broken = recipe.heads["types"].model_copy(update={"loss": heads["types"]["loss"]})
    recipe = recipe.model_copy(update={"heads": recipe.heads | {"types": broken}})
    with pytest.raises(
        TrainingError, match=r"the loss of `types` \((inf|nan)\) is no number at step 0; no checkpoint was written"
    ):
        train(recipe, data=painted, output=tmp_path)
    assert not (tmp_path / "last.ckpt").exists()


def test_a_run_that_explodes_keeps_its_last_good_checkpoint(painted: Path, tmp_path: Path) -> None:
    ruinous = [{"kind": "adamw", "rate": 1e25, "weight_decay": 0}]
    recipe = toy_recipe(phases=[{"steps": 2, **PHASE}, {"steps": 4, **PHASE, "optimizers": ruinous}])
    with pytest.raises(TrainingError, match=r"at step [345]; \S+last.ckpt is from before; try a lower rate"):
        train(recipe, data=painted, output=tmp_path)
    assert all(torch.isfinite(value).all() for value in read_checkpoint(tmp_path / "last.ckpt").average.values())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"phases": [{"steps": 1, **PHASE, "train": ["encodr"]}]},
            r"phases\.0\.train: the network has no part `encodr`; did you mean",
        ),
        ({"optimizers": [{"rate": 0.1, "of": ["encoder"]}]}, r"optimizers: no optimizer takes answers"),
        (
            {"phases": [{"steps": 1, **PHASE}, {"steps": 1, **PHASE, "optimizers": [{"rate": 0.1, "of": ["answers"]}]}]},
            r"phases\.1\.optimizers: no optimizer takes encoder\.0, encoder\.1",
        ),
    ],
    ids=["an unknown part", "a part without optimizer", "in a later phase"],
)
def test_parts_are_checked_before_a_run_begins(painted: Path, tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(toy_recipe(**keys), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_beyond_its_recipe(painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(phases=[{"steps": 4, **PHASE}]), data=painted, output=tmp_path)
    with pytest.raises(ConfigError, match=r"has taken 4 steps already, the recipe's phases are 2"):
        train(toy_recipe(phases=[{"steps": 2, **PHASE}]), data=painted, output=tmp_path, resume=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_told(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda: PyTorch finds no such device here; take cpu, or auto"):
        train(toy_recipe(), data=painted, output=tmp_path / "run", device="cuda")


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


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_photo_is_one_line_in_whatever_process(tmp_path: Path, workers: int) -> None:
    photos = toy_bench.paint_photos(tmp_path / "photos")
    for photo in photos.glob("*.png"):
        photo.write_bytes(photo.read_bytes()[:-60])
    data = toy_bench.toy_document()["data"] | {"workers": workers}
    with pytest.raises(ImageError, match=r"^\w+\.png: this PNG is [^\n]*$"):
        train(toy_recipe(data=data), data=photos, output=tmp_path / "run")


@pytest.mark.parametrize(
    ("machine", "capability", "fast"),
    [("x86_64", "AVX2", False), ("x86_64", "AVX512", True), ("x86_64", "DEFAULT", False), ("aarch64", "DEFAULT", True)],
)
def test_half_precision_is_used_where_a_processor_is_fast_with_it(
    monkeypatch: pytest.MonkeyPatch, machine: str, capability: str, fast: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert has_bf16(torch.device("cpu")) is fast
    assert has_bf16(torch.device("cuda"))
