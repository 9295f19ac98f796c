"""What a step does to a network: the rate, the average, what learns, batches in parts, and what ends a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import toy_bench
from dentify.errors import TrainingError
from dentify.training import train
from dentify.training.checkpoints import read_checkpoint
from dentify.training.learner import has_bf16
from dentify.training.models.network import normalised
from one_number import one_number
from toy_bench import ToyNetwork, ToyRecipe, toy_recipe
from toy_runs import GATE, PHASE, StoppedError, curve, rows, stop_at


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


def test_chance_in_the_network_follows_from_the_step(painted: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(model=ToyRecipe(dropout=0.5))
    train(recipe, data=painted, output=tmp_path / "whole")
    with pytest.raises(StoppedError):
        train(recipe, data=painted, output=tmp_path / "run", on_step=stop_at(5))
    train(recipe, data=painted, output=tmp_path / "run", resume=True)
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


def test_pictures_are_normalised_as_the_network_says() -> None:
    images = torch.full((1, 2, 2, 3), 51, dtype=torch.uint8)
    assert torch.allclose(normalised(images, (0.5,) * 3, (0.25,) * 3), torch.tensor((0.2 - 0.5) / 0.25))


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
