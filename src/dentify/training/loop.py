"""The training loop: a recipe and a folder of photos in, a checkpoint and a journal out.

    dentify train default --data DIR
    torchrun --nproc-per-node 2 -m dentify train default --data DIR      # several processes, or nodes

The run's folder holds `recipe.yaml` (as resolved), `data.txt` (where the photos were), `last.ckpt` and what `journal` writes.
A run that was killed goes on with `--resume` from its last checkpoint, with the same pictures in the same order.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset

from dentify.bundle.open import DEFAULT, Bundle
from dentify.datasets import Sample
from dentify.errors import ConfigError, DentifyError, TrainingError
from dentify.planning import told_origin
from dentify.runtime.session import Device
from dentify.training.adapters import has_adapters
from dentify.training.batches import Batch, MixedBatches, TrainingPictures, WholePhotos, deck_of
from dentify.training.bottleneck import Bottlenecks, KeptFeatures
from dentify.training.checkpoints import (
    Checkpoint,
    average_weights,
    averaging,
    check_fits,
    read_checkpoint,
    write_checkpoint,
)
from dentify.training.compose import Composer
from dentify.training.distil import Teacher
from dentify.training.from_bundle import begin_with
from dentify.training.heads import Head
from dentify.training.journal import Journal
from dentify.training.memory import enough_memory, keep_memory
from dentify.training.models.network import RGB, normalised
from dentify.training.optimizers import build_optimizers, check_parts, freeze, rate_at
from dentify.training.origin import Origin
from dentify.training.photos import check_origins, read_photo_set, read_run_photos
from dentify.training.pictures import RunPictures
from dentify.training.recipe import Phase, Recipe, in_steps, read_recipe, write_recipe
from dentify.training.scene import Scene
from dentify.training.taught import taught_heads, taught_names, untold
from dentify.training.telling import told_look
from dentify.writing import locked_folder, write_whole

LAST, RECIPE = "last.ckpt", "recipe.yaml"
_VAL_BATCH = 16
_MEASURED_BY = 12
"""Pictures that the statistics of a bundle's batch norms are measured on."""


@dataclass(frozen=True)
class Progress:
    """Where a run is: `step` of `steps` taken, the loss of the last one, and the figures on val where it was a look at these.

    `told` then says in words how the run goes.
    """

    step: int
    steps: int
    loss: float
    figures: Mapping[str, float] | None = None
    told: str | None = None


def train(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    resume: bool = False,
    start: Path | None = None,
    average_with: Sequence[Path] = (),
    device: Device = "auto",
    on_step: Callable[[Progress], object] = lambda progress: None,
    on_look: Callable[[], object] = lambda: None,
    on_note: Callable[[str], object] = lambda note: None,
) -> Path:
    """Trains, and returns the path of the last checkpoint. The process's allocator is told to keep memory (`memory`).

    Args:
        recipe: what to train, and how.
        data: folder that the recipe's paths are relative to.
        output: the run's folder; made if need be.
        resume: go on from the run's last checkpoint.
        start: begin with the weights of this bundle, or of this checkpoint of another run, of the same network; in place of the
            recipe's `start`.
        average_with: further checkpoints of that network; the run begins with the mean of the weights of all.
        device: where to train; `auto` takes an accelerator where there is one.
        on_step: is told of every step, in the first process alone.
        on_look: is called for every photo that a teacher, or a backbone that learns nothing, looks at before steps, likewise.
        on_note: is given what a user should know before the first step, likewise: what no photo teaches, or is judged by.

    Raises:
        BundleError: the teacher, or the bundle that it begins with, cannot be opened.
        ConfigError: the recipe does not fit the photos or the checkpoint, there is no checkpoint to go on from, or the photos
            teach nothing that a bundle could tell.
        DatasetError: labels cannot be read.
        ImageError: a photo cannot be read.
        OutputError: the run's folder cannot be written.
        TrainingError: a loss became NaN or infinite, or a batch does not fit into memory.
    """
    _check_beginning(output / LAST, resume=resume, start=start, average_with=average_with)
    fabric = _fabric(device)
    with locked_folder(output if fabric.is_global_zero else None):  # of several processes one writes
        if fabric.is_global_zero:
            _check_beginning(output / LAST, resume=resume, start=start, average_with=average_with)
        return _train(recipe, fabric, data, output, resume, start, average_with, on_step, on_look, on_note)


def _train(
    recipe: Recipe,
    fabric: Fabric,
    data: Path,
    output: Path,
    resume: bool,
    start: Path | None,
    average_with: Sequence[Path],
    on_step: Callable[[Progress], object],
    on_look: Callable[[], object],
    on_note: Callable[[str], object],
) -> Path:
    last = output / LAST
    photos = read_run_photos(recipe, data)
    check_origins(recipe, (sample for samples in photos.every for sample in samples))
    sets = photos.taught
    decks = [len(deck_of(photos, samples)) for photos, samples in zip(recipe.data.train, sets, strict=True)]
    recipe = in_steps(recipe, decks).model_copy(update={"model": recipe.model.resolved(data)})
    judges = read_judges(recipe, data)

    check_batches(recipe, fabric.world_size, empty=[not samples for samples in sets])
    heads = recipe.build_heads()
    torch.manual_seed(recipe.seed)  # before the first random weight
    if start is not None:
        recipe = recipe.model_copy(update={"start": str(start if str(start) == DEFAULT else start.resolve())})
    if resume:
        recipe = _begun_as_before(recipe, output / RECIPE)
    start = None if recipe.start is None else _in(data, recipe.start)
    begins_anew = not resume and start is None
    outputs = {name: head.output for name, head in heads.items()}
    network = recipe.model.build(outputs, data if begins_anew else None).to(memory_format=torch.channels_last)
    check_parts(network, network.parts(), recipe)
    if average_with and has_adapters(network):
        raise ConfigError(
            "--average-with: the mean of adapters is not what they learned; begin with one checkpoint, or average runs at export"
        )
    taught = taught_names(recipe, heads, sets)
    step, averaged = 0, 0
    states: Mapping[str, Mapping[str, Any]] = {}
    average = AveragedModel(network, use_buffers=True)
    composer = Composer(sets, recipe.augment, seed=recipe.seed, pasteable=recipe.classes.damage)

    def scenes(count: int) -> list[Scene]:
        """The first training pictures."""
        draws = (draw for batch in MixedBatches(sets, recipe, steps=range(recipe.steps)) for draw in batch)
        return [composer.compose(draw) for draw in islice(draws, count)]

    notes: list[str] = []
    if not resume and start is not None and is_bundle(start):
        bundle = Bundle.open(str(start))
        shown = [torch.from_numpy(scene.image) for scene in scenes(_MEASURED_BY)]
        shown = [image for image in shown if image.shape == shown[0].shape]  # the first phase may be shorter
        begun = begin_with(network, heads, bundle, normalised(torch.stack(shown), network.mean, network.std))
        taught = {name: sorted({*names, *begun.taught.get(name, [])}) for name, names in taught.items()}
        average.module.load_state_dict(network.state_dict())
        notes += begun.notes
        from_it = Origin(origin=told_origin(bundle.manifest), licence=bundle.manifest.licence)
        model = recipe.model.model_copy(update={"origins": {start.stem: from_it, **recipe.model.origins}})
        recipe = recipe.model_copy(update={"model": model})
    elif (origin := last if resume else start) is not None:
        before = read_checkpoint(origin)
        check_fits(before, network, heads, origin)
        taught = {name: sorted({*names, *before.taught.get(name, [])}) for name, names in taught.items()}
        if resume:
            step, averaged, states = before.step, before.averaged, before.optimizers
            if step > recipe.steps:
                raise ConfigError(f"{last}: has taken {step} steps already, the recipe's phases are {recipe.steps}")
            network.load_state_dict(before.weights)
            average.module.load_state_dict(before.average)
        else:
            network.load_state_dict(average_weights(before.average, average_with))
            average.module.load_state_dict(network.state_dict())
    notes += untold(heads, taught, judges)
    check_taught(heads, taught, notes)
    if not photos.held_out:
        notes.append("data.hold_out: keeps none of the photos, without which no bundle is exported; raise it, or add photos")
    average.n_averaged.fill_(averaged)
    network.to(fabric.device)
    average.to(fabric.device)
    keep_memory()
    if fabric.is_global_zero:
        for note in notes:
            on_note(note)
        own = {} if _is_kept(output / RECIPE, recipe) else {output / RECIPE: write_recipe(recipe)}
        write_whole({**own, output / "data.txt": f"{data.resolve()}\n".encode()})

    teacher = None
    if recipe.distil is not None:
        bundle = Bundle.open(str(_in(data, recipe.distil.teacher)))
        teacher = Teacher(bundle, heads, output.parent / "teachers", only=recipe.distil.heads)
        taught_by_it = [sample for samples in sets for sample in samples]
        teacher.prepare(taught_by_it[fabric.global_rank :: fabric.world_size], on_look if fabric.is_global_zero else lambda: None)
        fabric.barrier()
    run = _Run(recipe, heads, network, average, taught, fabric, last)
    judged = WholePhotos(judges[fabric.global_rank :: fabric.world_size], recipe.data.serve_size, heads)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(output, step=step)) if fabric.is_global_zero else None
        interrupted = stack.enter_context(interrupts())
        pictured = RunPictures(output, scenes, judges, recipe.data.serve_size, heads)
        first_step, began = step, time.monotonic()
        since: list[float] = []  # losses since the last look at val
        before_loss: float | None = None
        try:
            for place, steps in _phases(recipe):
                if step >= steps.stop:
                    continue
                run.enter_phase(place, steps, step=step, states=states)
                pictures: Dataset[Batch] = TrainingPictures(composer, heads, teacher)
                if recipe.phases[place].bottleneck:
                    pictures = _bottlenecks(
                        network, recipe.phases[place], sets, heads, output.parent / "features", on_look, fabric
                    )
                for losses in run.steps(pictures, sets, range(step, steps.stop)):
                    if journal is not None:
                        journal.add_losses(step, losses, rate=run.rate)
                    step += 1
                    done = step == recipe.steps
                    figures = told = None
                    since.append(losses["loss"])
                    if judges and (done or step % recipe.validate_every == 0):
                        figures = run.validate(judged)
                        loss = sum(since) / len(since)
                        told = told_look(
                            recipe,
                            step=step,
                            loss=loss,
                            before=before_loss,
                            figures=figures,
                            judged=len(judges),
                            left_s=(time.monotonic() - began) / (step - first_step) * (recipe.steps - step),
                        )
                        before_loss, since = loss, []
                        if journal is not None:
                            journal.add_figures(step, figures)
                    if journal is not None and (done or step % recipe.checkpoint_every == 0):
                        journal.write()  # first: a run that goes on takes back what is told of steps after its checkpoint
                        run.save(step)
                    if journal is not None and (done or pictured.is_due()):
                        pictured.draw(run.answers)
                    if journal is not None:
                        on_step(Progress(step, recipe.steps, losses["loss"], figures, told))
                    if interrupted():
                        if journal is not None:
                            journal.write()
                            run.save(step)
                        raise KeyboardInterrupt
                states = {}
        except DentifyError as error:
            if "\n" not in str(error):
                raise
            raise type(error)(_last_line(error)) from error
    if fabric.world_size > 1:
        fabric.barrier()
        torch.distributed.destroy_process_group()
    return last


def _bottlenecks(
    network: nn.Module,
    phase: Phase,
    sets: Sequence[Sequence[Sample]],
    heads: Mapping[str, Head],
    folder: Path,
    on_look: Callable[[], object],
    fabric: Fabric,
) -> Dataset[Batch]:
    """The features of all photos, of which each process computes a share where they are not kept already."""
    kept = KeptFeatures(network, phase.size, folder)
    every = [sample for samples in sets for sample in samples]
    kept.prepare(every[fabric.global_rank :: fabric.world_size], on_look if fabric.is_global_zero else lambda: None)
    fabric.barrier()
    return Bottlenecks(kept, sets, heads)


def read_judges(recipe: Recipe, data: Path) -> list[Sample]:
    """The photos that figures are of.

    Raises:
        DatasetError: labels cannot be read.
    """
    return [sample for photos in recipe.data.val for sample in read_photo_set(photos, data, "val", recipe.classes)]


def is_bundle(path: Path) -> bool:
    """Whether what a run begins with is a bundle, and no checkpoint.

    >>> is_bundle(Path("default")), is_bundle(Path("my-bundle.zip")), is_bundle(Path("runs/first/last.ckpt"))
    (True, True, False)
    """
    return str(path) == DEFAULT or path.is_dir() or path.suffix.lower() == ".zip"


def _in(root: Path, path: str) -> Path:
    """A path of a recipe; the bundle that ships is nowhere."""
    return Path(path) if path == DEFAULT else root / path


def _begun_as_before(recipe: Recipe, path: Path) -> Recipe:
    """A recipe with what the run that goes on began with, as its own recipe tells."""
    with suppress(ConfigError):
        before = read_recipe(path)
        if before.start is not None:
            origins = {**before.model.origins, **recipe.model.origins}
            model = recipe.model.model_copy(update={"origins": origins})
            return recipe.model_copy(update={"start": before.start, "model": model})
    return recipe


def _is_kept(path: Path, recipe: Recipe) -> bool:
    """Whether a file says what a recipe says, comments and all: then it stays."""
    with suppress(ConfigError):
        return read_recipe(path) == recipe
    return False


def figure_names(recipe: Recipe, judge: Sample) -> tuple[str, ...]:
    """What a run's figures will be called, from a look at one photo by a network that learned nothing.

    Raises:
        ConfigError: the network cannot be built.
        ImageError: the photo cannot be read.
    """
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, None)
    run = _Run(recipe, heads, network, AveragedModel(network), {}, _fabric("cpu"), Path())
    return tuple(run.validate(WholePhotos([judge], recipe.data.serve_size, heads)))


def _check_beginning(last: Path, *, resume: bool, start: Path | None, average_with: Sequence[Path]) -> None:
    if resume and start is not None:
        raise ConfigError("a run goes on from its own checkpoint, or begins with another run's: give one of --resume and --from")
    if resume and not last.is_file():
        raise ConfigError(f"{last}: no checkpoint to resume; leave out --resume to start anew")
    if average_with and start is None:
        raise ConfigError("--average-with averages with the checkpoint of --from, in a run of its own; give that, too")
    if average_with and start is not None and is_bundle(start):
        raise ConfigError("--average-with averages with the checkpoint of --from, which is a bundle")
    if last.exists() and not resume:
        raise ConfigError(f"{last.parent}: holds a run already; go on with --resume, or give the new one another folder with -o")


def _fabric(device: Device) -> Fabric:
    """One process, or those that torchrun started."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda: PyTorch finds no such device here; take cpu, or auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    strategy = DDPStrategy() if processes * nodes > 1 else "auto"
    fabric = Fabric(accelerator=device, devices=processes, num_nodes=nodes, strategy=strategy, precision="32-true")
    fabric.launch()
    return fabric


def check_batches(recipe: Recipe, processes: int, *, empty: Sequence[bool] = ()) -> None:
    """Every process needs a picture for each part of every batch: they sum their losses part by part.

    Raises:
        ConfigError: some batch is too small.
    """
    least = processes * recipe.accumulate
    for place, phase in enumerate(recipe.phases):
        counts = phase.per_batch or [photos.per_batch for photos in recipe.data.train]
        pictures = sum(0 if gone else count for count, gone in zip_longest(counts, empty, fillvalue=False))
        if pictures < least:
            told = f"{processes} processes with {recipe.accumulate} parts each"
            raise ConfigError(f"phases.{place}: batches of {pictures} pictures are too small for {told}; raise per_batch")


def check_taught(heads: Mapping[str, Head], taught: Mapping[str, list[str]], notes: Sequence[str]) -> None:
    """A run whose bundle could tell nothing is not worth its time.

    Raises:
        ConfigError: no head is taught as much as it takes to tell something.
    """
    if not any(one.head.auxiliary is None for one in taught_heads(heads, taught).values()):
        raise ConfigError(f"data.train: the photos teach nothing that a bundle could tell: {'; '.join(notes)}")


def _phases(recipe: Recipe) -> Iterator[tuple[int, range]]:
    """Place and steps of each phase."""
    begin = 0
    for place, phase in enumerate(recipe.phases):
        yield place, range(begin, begin + phase.steps)
        begin += phase.steps


class _Run:
    """A network that learns: its weights, their average, the optimizers and the phase that it is in."""

    def __init__(
        self,
        recipe: Recipe,
        heads: Mapping[str, Head],
        network: nn.Module,
        average: AveragedModel,
        taught: Mapping[str, list[str]],
        fabric: Fabric,
        last: Path,
    ) -> None:
        self._recipe = recipe
        self._heads = heads
        self._network = network
        self._average = average
        self._taught = taught
        self._fabric = fabric
        self._last = last
        self._wrapped: nn.Module = network
        self._normalisation: tuple[RGB, RGB] = (network.mean, network.std)  # type: ignore[assignment]  # see `Network`
        self._phase: Phase = recipe.phases[0]
        self._frozen: list[nn.Module] = []
        self.optimizers: list[torch.optim.Optimizer] = []
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
        self._wrapped = self._fabric.setup_module(self._network)

    def _build_optimizers(self, place: int, states: Mapping[str, Mapping[str, Any]]) -> None:
        """The optimizers that are in force in a phase, in these states."""
        named = next((at for at in range(place, -1, -1) if self._recipe.phases[at].optimizers is not None), None)
        recipes = self._recipe.optimizers if named is None else self._recipe.phases[named].optimizers
        assert recipes is not None
        key = "optimizers" if named is None else f"phases.{named}.optimizers"
        self._recipes = recipes
        parts = self._network.parts()  # type: ignore[operator]
        self.optimizers = build_optimizers(self._network, parts, recipes, key=key)
        self._since = sum(phase.steps for phase in self._recipe.phases[: named or 0])
        for name, parameter in self._network.named_parameters():
            for optimizer in self.optimizers if name in states else ():
                if any(parameter is one for group in optimizer.param_groups for one in group["params"]):
                    optimizer.state[parameter] = {
                        key: value if key == "step" else value.to(self._fabric.device) for key, value in states[name].items()
                    }

    def steps(self, pictures: Dataset[Batch], sets: Sequence[Sequence[Sample]], steps: range) -> Iterator[dict[str, float]]:
        """Takes steps, and yields the losses of each."""
        fabric = self._fabric
        batches = MixedBatches(sets, self._recipe, steps=steps, rank=fabric.global_rank, processes=fabric.world_size)
        loader = DataLoader(
            pictures, batch_sampler=batches, num_workers=self._recipe.data.workers, worker_init_fn=_leave_interrupts
        )
        what = f"a batch of {len(next(iter(batches)))} pictures of {self._phase.size} × {self._phase.size} pixels"
        loaded = iter(loader)
        for step in steps:
            with enough_memory(what, "raise `accumulate`, or lower `per_batch`, `size` or `data.workers`"):
                losses = self._step(step, fabric.to_device(next(loaded)))
            yield losses

    def _step(self, step: int, batch: Batch) -> dict[str, float]:
        """One batch, in as many parts as the recipe says."""
        recipe = self._recipe
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # dropout follows from the step, so that a resumed run is the same run
        self._network.train()
        for module in self._frozen:
            module.eval()
        shares = _shares(batch, recipe.accumulate)
        told = torch.zeros(len(self._heads) + 1)
        for place, part in enumerate(shares):
            is_last = place == len(shares) - 1
            with nullcontext() if is_last else self._fabric.no_backward_sync(self._wrapped):  # type: ignore[arg-type]
                losses = self._losses(part)
                weights = [head.weight for head in self._heads.values()]
                total = sum(
                    (weight * loss for weight, loss in zip(weights, losses, strict=True)),
                    torch.zeros((), device=losses[0].device),
                )
                self._fabric.backward(total / len(shares))
            told += torch.stack([total, *losses]).detach().float().cpu() / len(shares)
        values = dict(zip(("loss", *self._heads), told.tolist(), strict=True))
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
        """Each head's, in float32."""
        brings = getattr(self._network, "brings_its_losses", False)  # they take what is true of its own proposals
        outputs = self._answers(self._wrapped, batch["image"], batch if brings else None)
        losses = {name: head.loss(outputs[name], batch[name]) for name, head in self._heads.items()}
        if (distil := self._recipe.distil) is not None:
            for name in (name for name in self._heads if "teacher" in batch[name]):
                teacher = batch[name]["teacher"].float()
                losses[name] = losses[name] + distil.weight * self._heads[name].distance(
                    outputs[name], teacher, distil.temperature
                )
        return list(losses.values())

    def _answers(self, network: nn.Module, images: Tensor, truth: Batch | None = None) -> dict[str, Tensor]:
        """(B, S, S, 3) uint8 photos, or (B, C) features of such, to float32 logits; with truth, to the losses that it brings."""
        with torch.autocast(
            images.device.type, torch.bfloat16, enabled=self._phase.precision == "bf16" and has_bf16(images.device)
        ):
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
    def validate(self, photos: WholePhotos) -> dict[str, float]:
        """Figures of every head on whole photos, by the averaged weights."""
        network = self._average.module.eval()
        counts: dict[str, dict[str, Tensor]] = {name: {} for name in self._heads}
        size = self._recipe.data.serve_size
        with enough_memory(f"{_VAL_BATCH} photos of val at {size} × {size} pixels", "lower `data.serve_size` or `data.workers`"):
            for batch in DataLoader(photos, batch_size=_VAL_BATCH, num_workers=self._recipe.data.workers):
                batch = self._fabric.to_device(batch)
                outputs = self._answers(network, batch["image"])
                for name, head in self._heads.items():
                    for key, value in head.counts(outputs[name], batch[name]).items():
                        counts[name][key] = counts[name].get(key, torch.zeros_like(value)) + value
        everywhere = self._over_all(counts)
        figures: dict[str, float] = {}
        for name, head in self._heads.items():
            figures |= {f"{name}/{key}": round(value, 4) for key, value in head.figures(everywhere[name]).items()}
        return figures

    @torch.no_grad()
    def answers(self, images: Tensor) -> dict[str, Tensor]:
        """What the averaged weights say of whole photos, (B, S, S, 3) uint8."""
        return self._answers(self._average.module.eval(), self._fabric.to_device(images))

    def _over_all(self, counts: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """Counts of all processes together; one that had no photo to judge by has none."""
        shares: list[dict[str, dict[str, Tensor]]] = [counts]
        if self._fabric.world_size > 1:
            shares = [{} for _ in range(self._fabric.world_size)]
            here = {name: {key: value.cpu() for key, value in of_head.items()} for name, of_head in counts.items()}
            torch.distributed.all_gather_object(shares, here)
        summed: dict[str, dict[str, Tensor]] = {name: {} for name in self._heads}
        for share in shares:
            for name, of_head in share.items():
                for key, value in of_head.items():
                    summed[name][key] = summed[name].get(key, torch.zeros_like(value)) + value
        return summed

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
                    for name, parameter in self._network.named_parameters()
                    for optimizer in self.optimizers
                    if parameter in optimizer.state
                },
                names={name: list(head.names) for name, head in self._heads.items()},
                taught=dict(self._taught),
            ),
        )


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast there: without AVX-512 a PC takes ten times as long for it as for float32, in oneDNN."""
    is_pc = device.type == "cpu" and platform.machine() in ("x86_64", "AMD64")
    return not is_pc or "AVX512" in torch.backends.cpu.get_cpu_capability()


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, for a loop that ends between two steps: within one its state is neither before nor after.

    A second Ctrl-C interrupts at once. Only the main thread is told of it; in others the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_interrupts(worker: int) -> None:
    """A process that reads photos leaves Ctrl-C to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _shares(batch: Batch, count: int) -> list[Batch]:
    """A batch in parts of about as many pictures."""
    if count == 1:
        return [batch]
    size = len(batch["image"])
    cuts = [round(place * size / count) for place in range(count + 1)]

    def cut(value: Any, part: slice) -> Any:
        return {key: cut(one, part) for key, one in value.items()} if isinstance(value, dict) else value[part]

    return [cut(batch, slice(*ends)) for ends in pairwise(cuts) if ends[0] < ends[1]]


def _last_line(error: DentifyError) -> str:
    """What an error says. Where it was raised in another process, torch puts a traceback before it."""
    text = str(error).strip()
    return text.rpartition("\n")[2].partition(": ")[2] if "\n" in text else text
