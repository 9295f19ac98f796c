"""The training loop: a recipe and a folder of photos in, a checkpoint and a journal out.

    dentify train default --data DIR
    torchrun --nproc-per-node 2 -m dentify train default --data DIR      # several processes, or nodes

The run's folder holds `recipe.yaml` (as resolved), `data.txt` (where the photos were), `last.ckpt` and what `journal` writes.
A run that was killed goes on with `--resume` from its last checkpoint, with the same pictures in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import Dataset

from dentify.bundle.open import Bundle
from dentify.datasets import Sample
from dentify.errors import DentifyError
from dentify.runtime.session import Device
from dentify.settings import Settings
from dentify.training.batches import Batch, MixedBatches, TrainingPictures, WholePhotos, deck_of
from dentify.training.beginning import LAST, RECIPE, Beginning, begin, check_beginning, is_kept, within
from dentify.training.bottleneck import Bottlenecks, KeptFeatures
from dentify.training.compose import Composer
from dentify.training.distil import Teacher
from dentify.training.export import as_bundle, read_trained
from dentify.training.heads import Head
from dentify.training.hints import Hints
from dentify.training.interrupts import interrupts
from dentify.training.journal import Journal
from dentify.training.judging import judge, read_judges
from dentify.training.learner import Learner
from dentify.training.memory import keep_memory
from dentify.training.photos import check_origins, read_run_photos
from dentify.training.pictures import RunPictures
from dentify.training.processes import check_batches, fabric_on, last_line
from dentify.training.recipe import CHECKPOINT, Recipe, in_steps, origin_of, write_recipe
from dentify.training.scene import Scene
from dentify.training.taught import check_taught, shown_sets, taught_names, untold, with_teacher
from dentify.training.telling import Looks
from dentify.writing import locked_folder, write_whole


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
    settings: Settings | None = None,
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
        settings: limits on photos, labels and bundles.
        on_step: is told of every step, in the first process alone.
        on_look: is called for every photo that a teacher, or a backbone that learns nothing, looks at before steps, likewise.
        on_note: is given what a user should know before the first step, likewise: what nobody teaches, or no photo judges by.

    Raises:
        BundleError: the teacher, or the bundle that it begins with, cannot be opened.
        ConfigError: the recipe does not fit the photos or the checkpoint, there is no checkpoint to go on from, or the photos
            teach nothing that a bundle could tell.
        DatasetError: labels cannot be read.
        ImageError: a photo cannot be read.
        OutputError: the run's folder cannot be written.
        TrainingError: a loss became NaN or infinite, or a batch does not fit into memory.
    """
    check_beginning(output / LAST, resume=resume, start=start, average_with=average_with)
    fabric = fabric_on(device)
    with locked_folder(output if fabric.is_global_zero else None):  # of several processes one writes
        if fabric.is_global_zero:
            check_beginning(output / LAST, resume=resume, start=start, average_with=average_with)
        limits = settings or Settings()
        return _train(recipe, fabric, data, output, resume, start, average_with, limits, on_step, on_look, on_note)


def _train(
    recipe: Recipe,
    fabric: Fabric,
    data: Path,
    output: Path,
    resume: bool,
    start: Path | None,
    average_with: Sequence[Path],
    settings: Settings,
    on_step: Callable[[Progress], object],
    on_look: Callable[[], object],
    on_note: Callable[[str], object],
) -> Path:
    photos = read_run_photos(recipe, data, settings=settings)
    check_origins(recipe, (sample for samples in photos.every for sample in samples))
    sets = photos.taught
    decks = [len(deck_of(photos, samples)) for photos, samples in zip(recipe.data.train, sets, strict=True)]
    recipe = in_steps(recipe, decks).model_copy(update={"model": recipe.model.resolved(data)})
    judges = read_judges(recipe, data, settings=settings)
    check_batches(recipe, fabric.world_size, empty=[not samples for samples in sets])
    heads = recipe.build_heads()
    composer = Composer(sets, recipe.augment, seed=recipe.seed, pasteable=recipe.classes.damage, settings=settings)

    def scenes(count: int) -> list[Scene]:
        """The first training pictures."""
        draws = (draw for batch in MixedBatches(sets, recipe, steps=range(recipe.steps)) for draw in batch)
        return [composer.compose(draw) for draw in islice(draws, count)]

    def pictures(count: int) -> list[Tensor]:
        return [torch.from_numpy(scene.image) for scene in scenes(count)]

    recipe, teacher = _teacher(recipe, heads, data, output, settings)
    begun = begin(
        recipe,
        heads,
        data=data,
        output=output,
        resume=resume,
        start=start,
        average_with=average_with,
        taught=taught_names(recipe, heads, sets),
        pictures=pictures,
        settings=settings,
    )
    recipe, step = begun.recipe, begun.step
    begun.network.to(fabric.device)
    begun.average.to(fabric.device)
    keep_memory()
    hints = _hints(recipe, begun, data)
    taught = begun.taught
    if teacher is not None:
        could = with_teacher(heads, taught, teacher.teaches())
        check_taught(heads, could, untold(heads, could, judges))  # before it looks at all photos, which takes a while
        _prepare(teacher, sets, fabric, on_look)
        taught = with_teacher(heads, taught, teacher.shown(sample for samples in shown_sets(recipe, sets) for sample in samples))
    notes = [*begun.notes, *untold(heads, taught, judges)]
    check_taught(heads, taught, notes)
    if not photos.held_out:
        notes.append("data.hold_out: keeps none of the photos, without which no bundle is exported; raise it, or add photos")
    if fabric.is_global_zero:
        for note in notes:
            on_note(note)
        own = {} if is_kept(output / RECIPE, recipe) else {output / RECIPE: write_recipe(recipe)}
        write_whole({**own, output / "data.txt": f"{data.resolve()}\n".encode()})

    learner = Learner(recipe, heads, begun.network, begun.average, taught, fabric, output / LAST, hints)
    judged = WholePhotos(judges[fabric.global_rank :: fabric.world_size], recipe.data.serve_size, heads, settings)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(output, step=step)) if fabric.is_global_zero else None
        interrupted = stack.enter_context(interrupts())
        pictured = RunPictures(output, scenes, judges, recipe.data.serve_size, heads, settings)
        looks = Looks(recipe, judged=len(judges), step=step)
        states = begun.states

        def keep() -> None:
            """Writes all that a run goes on from."""
            if journal is not None:
                journal.write()  # first: a run that goes on takes back what is told of steps after its checkpoint
                learner.save(step)

        try:
            if journal is not None and step == recipe.steps:  # it was killed after its last checkpoint, before they were drawn
                pictured.draw(learner.answers)
            for place, steps in _phases(recipe):
                if step >= steps.stop:
                    continue
                learner.enter_phase(place, steps, step=step, states=states)
                phase = recipe.phases[place]
                shown: Dataset[Batch] = TrainingPictures(composer, heads, teacher)
                if phase.bottleneck:
                    kept = KeptFeatures(_alike(begun.network, fabric), phase.size, output.parent / "features", settings)
                    _prepare(kept, sets, fabric, on_look)
                    shown = Bottlenecks(kept, sets, heads, teacher)
                for losses in learner.steps(shown, sets, range(step, steps.stop)):
                    if journal is not None:
                        journal.add_losses(step, losses, rate=learner.rate)
                    step += 1
                    done = step == recipe.steps
                    looks.add(losses["loss"])
                    figures = told = None
                    if judges and (done or step % recipe.validate_every == 0):
                        figures = judge(learner.answers, judged, heads, recipe, fabric)
                        told = looks.told(step, figures)
                        if journal is not None:
                            journal.add_figures(step, figures)
                    if done or step % recipe.checkpoint_every == 0:
                        keep()
                    if journal is not None and (done or pictured.is_due()):
                        pictured.draw(learner.answers)
                    if journal is not None:
                        on_step(Progress(step, recipe.steps, losses["loss"], figures, told))
                    if interrupted():
                        keep()
                        raise KeyboardInterrupt
                states = {}
        except DentifyError as error:
            if "\n" not in str(error):
                raise
            raise type(error)(last_line(error)) from error
    if fabric.world_size > 1:
        fabric.barrier()
        torch.distributed.destroy_process_group()
    return output / LAST


def _teacher(
    recipe: Recipe, heads: Mapping[str, Head], data: Path, output: Path, settings: Settings
) -> tuple[Recipe, Teacher | None]:
    """The recipe with the origin of its teacher, and who teaches by answers, before any photo is looked at."""
    if recipe.distil is None:
        return recipe, None
    path = within(data, recipe.distil.teacher)
    bundle, files = as_bundle(path) if path.suffix == CHECKPOINT else (Bundle.open(str(path), settings=settings), None)
    told = recipe.with_origin(recipe.distil.teacher_name, origin_of(bundle.manifest))
    if not recipe.distil.weight:
        return told, None
    return told, Teacher(bundle, heads, output.parent / "teachers", only=recipe.distil.heads, files=files, settings=settings)


def _hints(recipe: Recipe, begun: Beginning, data: Path) -> Hints | None:
    """What the teacher's network shows of its features, where the recipe asks for these."""
    if recipe.distil is None or recipe.distil.features is None:
        return None
    teacher = read_trained(within(data, recipe.distil.teacher)).network.to(next(begun.network.parameters()).device)
    hints = Hints(recipe.distil.features, begun.network, teacher, size=recipe.phases[0].size, seed=recipe.seed)
    hints.load(begun.hints)
    return hints


def _alike(network: nn.Module, fabric: Fabric) -> nn.Module:
    """The network with the statistics of norms of the first process; each has seen other pictures since the last step."""
    for buffer in network.buffers() if fabric.world_size > 1 else ():
        torch.distributed.broadcast(buffer, 0)
    return network


def _prepare(
    looker: Teacher | KeptFeatures, sets: Sequence[Sequence[Sample]], fabric: Fabric, on_look: Callable[[], object]
) -> None:
    """Lets somebody look at all photos before the steps, each process at a share of them; the first one tells of its own."""
    every = [sample for samples in sets for sample in samples]
    looker.prepare(every[fabric.global_rank :: fabric.world_size], on_look if fabric.is_global_zero else lambda: None)
    fabric.barrier()


def _phases(recipe: Recipe) -> Iterator[tuple[int, range]]:
    """Place and steps of each phase."""
    begins = 0
    for place, phase in enumerate(recipe.phases):
        yield place, range(begins, begins + phase.steps)
        begins += phase.steps
