"""A network that learns, step by step."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from dentify.datasets import Sample
from dentify.errors import TrainingError
from dentify.training.batches import Batch, MixedBatches
from dentify.training.checkpoints import Checkpoint, averaging, write_checkpoint
from dentify.training.heads import Head
from dentify.training.hints import HINTS, Hints
from dentify.training.interrupts import leave_interrupts
from dentify.training.memory import enough_memory
from dentify.training.models.network import RGB, normalised
from dentify.training.optimizers import build_optimizers, freeze, rate_at
from dentify.training.recipe import OptimizerRecipe, Phase, Recipe


class Learner:
    """A network that learns: its weights, their average, the optimizers and the phase that it is in.

    Args:
        recipe: of the run.
        heads: of the recipe.
        network: on the run's device.
        average: of its weights, likewise.
        taught: by head, the names that photos teach, for the checkpoint.
        fabric: the run's processes.
        last: where the checkpoint is.
        hints: of a teacher that shows its features, too.
    """

    def __init__(
        self,
        recipe: Recipe,
        heads: Mapping[str, Head],
        network: nn.Module,
        average: AveragedModel,
        taught: Mapping[str, list[str]],
        fabric: Fabric,
        last: Path,
        hints: Hints | None = None,
    ) -> None:
        self._recipe = recipe
        self._heads = heads
        self._network = network
        self._average = average
        self._taught = taught
        self._fabric = fabric
        self._last = last
        self._hints = hints
        self._learns = network if hints is None else hints.student
        self._wrapped: nn.Module = self._learns
        self._normalisation: tuple[RGB, RGB] = (network.mean, network.std)  # type: ignore[assignment]  # see `Network`
        self._phase: Phase = recipe.phases[0]
        self._frozen: list[nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
        self._recipes: Sequence[OptimizerRecipe] = ()
        self._since = 0  # the step from which they are in force
        self.rate = 0.0
        """Largest rate of the last step."""

    def enter_phase(self, place: int, steps: range, *, step: int, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Gets ready for the steps of a phase from `step` on.

        Args:
            place: of the phase in the recipe.
            steps: of the phase.
            step: the next one to take.
            states: of the optimizers in the checkpoint that the run goes on from, by the names of parameters.
        """
        recipe, parts = self._recipe, self._network.parts()  # type: ignore[operator]
        phase = recipe.phases[place]
        begins = step == steps.start
        if phase.begin == "average" and begins:
            self._network.load_state_dict(self._average.module.state_dict())
        if begins and place > 0 and phase.optimizers is not None:
            self._build_optimizers(place, {})
        elif not self.optimizers:
            self._build_optimizers(place, states)
        self._frozen = freeze(self._network, parts, phase, place=place)
        self._phase = phase
        self._average.multi_avg_fn = averaging(phase.average)
        # Anew in each phase: what is frozen changes, and processes agree on the rest when a network is wrapped.
        self._wrapped = self._fabric.setup_module(self._learns)

    def _build_optimizers(self, place: int, states: Mapping[str, Mapping[str, Any]]) -> None:
        """The optimizers that are in force in a phase, in these states."""
        named = next((at for at in range(place, -1, -1) if self._recipe.phases[at].optimizers is not None), None)
        recipes = self._recipe.optimizers if named is None else self._recipe.phases[named].optimizers
        assert recipes is not None
        key = "optimizers" if named is None else f"phases.{named}.optimizers"
        self._recipes = recipes
        parts = self._network.parts()  # type: ignore[operator]
        self.optimizers = build_optimizers(self._network, parts, recipes, key=key)
        if self._hints is not None:
            beside = [parameter for _, parameter in self._hints.named_parameters()]
            self.optimizers[-1].add_param_group({"params": beside, "lr": recipes[-1].rate, "weight_decay": 0.0})
        self._since = sum(phase.steps for phase in self._recipe.phases[: named or 0])
        for name, parameter in self._named_parameters():
            for optimizer in self.optimizers if name in states else ():
                if any(parameter is one for group in optimizer.param_groups for one in group["params"]):
                    optimizer.state[parameter] = {
                        key: value if key == "step" else value.to(self._fabric.device) for key, value in states[name].items()
                    }

    def _named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The network's, and those that learn beside it."""
        yield from self._network.named_parameters()
        if self._hints is not None:
            yield from self._hints.named_parameters()

    def steps(self, pictures: Dataset[Batch], sets: Sequence[Sequence[Sample]], steps: range) -> Iterator[dict[str, float]]:
        """Takes steps, and yields the losses of each."""
        fabric = self._fabric
        batches = MixedBatches(sets, self._recipe, steps=steps, rank=fabric.global_rank, processes=fabric.world_size)
        loader = DataLoader(
            pictures, batch_sampler=batches, num_workers=self._recipe.data.workers, worker_init_fn=leave_interrupts
        )
        what = f"a batch of {len(next(iter(batches)))} pictures of {self._phase.size} × {self._phase.size} pixels"
        loaded = iter(loader)
        for step in steps:
            with enough_memory(what, "raise `accumulate`, or lower `per_batch`, `size` or `data.workers`"):
                losses = self.take(step, fabric.to_device(next(loaded)))
            yield losses

    def take(self, step: int, batch: Batch) -> dict[str, float]:
        """Takes a step with one batch, in as many parts as the recipe says, and returns its losses."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout follows from the step, so that a resumed run is the same run
        self._network.train()
        for module in self._frozen:
            module.eval()
        shares = _shares(batch, recipe.accumulate)
        weighed = {name: head.weight for name, head in self._heads.items()}
        if self._hints is not None:
            weighed[HINTS] = self._hints.weight
        told = torch.zeros(len(weighed) + 1)
        for place, part in enumerate(shares):
            is_last = place == len(shares) - 1
            with nullcontext() if is_last else self._fabric.no_backward_sync(self._wrapped):  # type: ignore[arg-type]
                losses = self._losses(part)
                total = sum(
                    (weight * loss for weight, loss in zip(weighed.values(), losses, strict=True)),
                    torch.zeros((), device=losses[0].device),
                )
                self._fabric.backward(total / len(shares))
            told += torch.stack([total, *losses]).detach().float().cpu() / len(shares)
        values = dict(zip(("loss", *weighed), told.tolist(), strict=True))
        self._refuse_nan(step, values)
        parameters = [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        if not torch.isfinite(norm):
            raise TrainingError(f"the gradient is {norm.item()} at step {step}; {self._advice()}")
        self.rate = 0.0
        for optimizer, optimizer_recipe in zip(self.optimizers, self._recipes, strict=True):
            rate = optimizer_recipe.rate * rate_at(step, optimizer_recipe.schedule, recipe, since=self._since)
            self.rate = max(self.rate, rate)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        self._average.update_parameters(self._network)
        return values

    def _losses(self, batch: Batch) -> list[Tensor]:
        """Each head's, in float32; behind them the distance to a teacher's features."""
        brings = getattr(self._network, "brings_its_losses", False)  # they take what is true of its own proposals
        outputs = self._answers(self._wrapped, batch["image"], batch if brings else None)
        losses = {name: head.loss(outputs[name], batch[name]) for name, head in self._heads.items()}
        if (distil := self._recipe.distil) is not None:
            for name in (name for name in self._heads if "teacher" in batch[name]):
                teacher = batch[name]["teacher"].float()
                losses[name] = losses[name] + distil.weight * self._heads[name].distance(
                    outputs[name], teacher, distil.temperature
                )
        if self._hints is not None:
            with self._autocast(batch["image"].device):
                losses[HINTS] = self._hints.distance(outputs[HINTS], batch["image"])
        return list(losses.values())

    def _autocast(self, device: torch.device) -> torch.autocast:
        """The precision of the phase."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self._phase.precision == "bf16" and has_bf16(device))

    def _answers(self, network: nn.Module, images: Tensor, truth: Batch | None = None) -> dict[str, Tensor]:
        """(B, S, S, 3) uint8 photos, or (B, C) features of such, to float32 logits; with truth, to the losses that it brings."""
        with self._autocast(images.device):
            seen = images if images.ndim == 2 else normalised(images, *self._normalisation)
            outputs = network(seen) if truth is None else network(seen, truth)
        return {name: output.float() for name, output in outputs.items()}

    def _refuse_nan(self, step: int, losses: Mapping[str, float]) -> None:
        wrong = [name for name, value in losses.items() if name != "loss" and not abs(value) < float("inf")]
        if wrong:
            heads = " and ".join(f"`{name}` ({losses[name]})" for name in wrong)
            raise TrainingError(f"the loss of {heads} is no number at step {step}; {self._advice()}")

    def _advice(self) -> str:
        kept = f"{self._last} is from before" if self._last.is_file() else "no checkpoint was written yet"
        return f"{kept}; try a lower rate, more warmup, or precision: '32'"

    @torch.no_grad()
    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """What the averaged weights say of whole photos, (B, S, S, 3) uint8."""
        return self._answers(self._average.module.eval(), self._fabric.to_device(images))

    def save(self, step: int) -> None:
        """Writes the run's checkpoint."""
        write_checkpoint(
            self._last,
            Checkpoint(
                step=step,
                weights=self._network.state_dict(),
                average=self._average.module.state_dict(),
                averaged=int(self._average.n_averaged),
                optimizers={
                    name: dict(optimizer.state[parameter])
                    for name, parameter in self._named_parameters()
                    for optimizer in self.optimizers
                    if parameter in optimizer.state
                },
                hints={} if self._hints is None else self._hints.state(),
                names={name: list(head.names) for name, head in self._heads.items()},
                taught=dict(self._taught),
            ),
        )


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast there: without AVX-512 a PC takes ten times as long for it as for float32, in oneDNN."""
    is_pc = device.type == "cpu" and platform.machine() in ("x86_64", "AMD64")
    return not is_pc or "AVX512" in torch.backends.cpu.get_cpu_capability()


def _shares(batch: Batch, count: int) -> list[Batch]:
    """A batch in parts of about as many pictures."""
    if count == 1:
        return [batch]
    size = len(batch["image"])
    cuts = [round(place * size / count) for place in range(count + 1)]

    def cut(value: Any, part: slice) -> Any:
        return {key: cut(one, part) for key, one in value.items()} if isinstance(value, dict) else value[part]

    return [cut(batch, slice(*ends)) for ends in pairwise(cuts) if ends[0] < ends[1]]
