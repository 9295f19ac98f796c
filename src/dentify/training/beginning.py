"""What a run begins with: random weights, those of a bundle or of other runs, or its own last checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dentify.bundle.open import DEFAULT, Bundle
from dentify.errors import ConfigError
from dentify.settings import Settings
from dentify.training.adapters import has_adapters
from dentify.training.checkpoints import average_weights, check_fits, read_checkpoint
from dentify.training.from_bundle import begin_with, parts_of
from dentify.training.heads import Head
from dentify.training.models import ModelRecipe
from dentify.training.models.network import normalised
from dentify.training.optimizers import check_parts
from dentify.training.origin import Origin
from dentify.training.recipe import Recipe, name_of, origin_of, read_recipe

LAST, RECIPE = "last.ckpt", "recipe.yaml"
"""A run's checkpoint and its recipe, in its folder."""
MEASURED_BY = 12
"""Pictures that the statistics of a bundle's batch norms are measured on."""


@dataclass(frozen=True)
class Beginning:
    """A run before its next step.

    Attributes:
        recipe: of the run, with what it began with.
        network: with the weights to go on from.
        average: their running average.
        step: steps taken.
        states: of the optimizers, by the names of parameters.
        taught: by head, the names that photos taught by example, of this run or the one whose weights it has.
        hints: weights of what takes the network's features to those of its teacher, of the run that goes on.
        notes: what a user should know.
    """

    recipe: Recipe
    network: nn.Module
    average: AveragedModel
    step: int
    states: Mapping[str, Mapping[str, Any]]
    taught: dict[str, list[str]]
    hints: Mapping[str, Tensor]
    notes: tuple[str, ...]


def begin(
    recipe: Recipe,
    heads: Mapping[str, Head],
    *,
    data: Path,
    output: Path,
    resume: bool,
    start: Path | None,
    average_with: Sequence[Path],
    taught: Mapping[str, list[str]],
    pictures: Callable[[int], Sequence[Tensor]],
    settings: Settings,
) -> Beginning:
    """The network of a recipe, with the weights that a run begins with.

    Args:
        recipe: of the run.
        heads: of the recipe.
        data: folder that the recipe's paths are relative to.
        output: the run's folder.
        resume: go on from the run's last checkpoint.
        start: begin with this bundle or checkpoint; in place of the recipe's `start`.
        average_with: further checkpoints.
        taught: by head, the names that the run's photos teach by example.
        pictures: the first training pictures, as many as asked for, `(S, S, 3)` uint8.
        settings: limits on the bundle.

    Raises:
        BundleError: the bundle that it begins with cannot be opened.
        ConfigError: the recipe does not fit the network, the checkpoint or the bundle.
    """
    last = output / LAST
    torch.manual_seed(recipe.seed)  # before the first random weight
    if start is not None:
        recipe = recipe.model_copy(update={"start": str(start if str(start) == DEFAULT else start.resolve())})
    if resume:
        recipe = _begun_as_before(recipe, output / RECIPE)
    start = None if recipe.start is None else within(data, recipe.start)
    opens = not resume and start is not None and is_bundle(start)
    bundle = Bundle.open(str(start), settings=settings) if opens else None
    outputs = {name: head.output for name, head in heads.items()}
    model = recipe.model if bundle is None else _beside(recipe.model, parts_of(bundle))
    reads_weights = not resume and (start is None or (bundle is not None and bool(_files(model))))
    network = model.build(outputs, data if reads_weights else None).to(memory_format=torch.channels_last)
    check_parts(network, network.parts(), recipe)
    if average_with and has_adapters(network):
        raise ConfigError(
            "--average-with: the mean of adapters is not what they learned; begin with one checkpoint, or average runs at export"
        )
    average = AveragedModel(network, use_buffers=True)
    step, averaged = 0, 0
    states: Mapping[str, Mapping[str, Any]] = {}
    taught_before: Mapping[str, list[str]] = {}
    hints: Mapping[str, Tensor] = {}
    notes: Sequence[str] = ()
    if bundle is not None and start is not None:
        shown = pictures(MEASURED_BY)
        shown = [image for image in shown if image.shape == shown[0].shape]  # the first phase may be shorter
        begun = begin_with(network, heads, bundle, normalised(torch.stack(shown), network.mean, network.std))
        average.module.load_state_dict(network.state_dict())
        taught_before, notes = begun.taught, begun.notes
        recipe = recipe.with_origin(name_of(str(start)), origin_of(bundle.manifest))
    elif (origin := last if resume else start) is not None:
        before = read_checkpoint(origin)
        check_fits(before, network, heads, origin)
        taught_before = before.taught
        if resume:
            step, averaged, states, hints = before.step, before.averaged, before.optimizers, before.hints
            if step > recipe.steps:
                raise ConfigError(f"{last}: has taken {step} steps already, the recipe's phases are {recipe.steps}")
            network.load_state_dict(before.weights)
            average.module.load_state_dict(before.average)
        else:
            network.load_state_dict(average_weights(before.average, average_with))
            average.module.load_state_dict(network.state_dict())
            recipe = _with_origin_of_run(recipe, origin)
    average.n_averaged.fill_(averaged)
    ever_taught = {name: sorted({*names, *taught_before.get(name, [])}) for name, names in taught.items()}
    return Beginning(recipe, network, average, step, states, ever_taught, hints, tuple(notes))


def check_beginning(last: Path, *, resume: bool, start: Path | None, average_with: Sequence[Path]) -> None:
    """Makes sure that what a run is to begin with goes together, and that its folder holds no other run.

    Raises:
        ConfigError: it does not.
    """
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


def is_bundle(path: Path) -> bool:
    """Whether what a run begins with is a bundle, and no checkpoint.

    >>> is_bundle(Path("default")), is_bundle(Path("my-bundle.zip")), is_bundle(Path("runs/first/last.ckpt"))
    (True, True, False)
    """
    return str(path) == DEFAULT or path.is_dir() or path.suffix.lower() == ".zip"


def within(root: Path, path: str) -> Path:
    """A path of a recipe; the bundle that ships is nowhere."""
    return Path(path) if path == DEFAULT else root / path


def _files(model: ModelRecipe) -> dict[str, str]:
    """By part of the network: the file of its pretrained weights, where a recipe names one for that part alone."""
    of_parts = [key for key in type(model).model_fields if key.endswith("_weights")]
    return {key.removesuffix("_weights"): getattr(model, key) for key in of_parts if getattr(model, key) is not None}


def _beside(model: ModelRecipe, parts: Collection[str]) -> ModelRecipe:
    """A network's recipe without the pretrained weights of parts that a bundle has."""
    return model.model_copy(update={f"{part}_weights": None for part in _files(model) if part in parts})


def _with_origin_of_run(recipe: Recipe, checkpoint: Path) -> Recipe:
    """A recipe that knows the run that it begins with, where that run's own recipe is still beside its checkpoint."""
    with suppress(ConfigError):
        before = read_recipe(checkpoint.parent / RECIPE)
        learned = [f"{name} ({one.origin}, {one.licence})" for name, one in before.learned_from.items()]
        told = f", which learned from {' and '.join(learned)}" if learned else ""
        origin = Origin(origin=f"a run of {before.name}{told}", licence=before.licence)
        return recipe.with_origin(name_of(str(checkpoint)), origin)
    return recipe


def _begun_as_before(recipe: Recipe, path: Path) -> Recipe:
    """A recipe with what the run that goes on began with, as its own recipe tells."""
    with suppress(ConfigError):
        before = read_recipe(path)
        if before.start is not None:
            origins = {**before.model.origins, **recipe.model.origins}
            model = recipe.model.model_copy(update={"origins": origins})
            return recipe.model_copy(update={"start": before.start, "model": model})
    return recipe


def is_kept(path: Path, recipe: Recipe) -> bool:
    """Whether a file says what a recipe says, comments and all: then it stays."""
    with suppress(ConfigError):
        return read_recipe(path) == recipe
    return False
