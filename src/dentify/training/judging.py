"""How good a network is on the photos of val: counts of every head, added up, and the figures that they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from dentify.datasets import Sample
from dentify.settings import Settings
from dentify.training.batches import WholePhotos
from dentify.training.heads import Head
from dentify.training.learner import Learner
from dentify.training.memory import enough_memory
from dentify.training.photos import read_photo_set
from dentify.training.processes import Counts, fabric_on, over_all, summed
from dentify.training.recipe import Recipe

_BATCH = 16


def read_judges(recipe: Recipe, data: Path, *, settings: Settings | None = None) -> list[Sample]:
    """The photos that figures are of.

    Raises:
        DatasetError: labels cannot be read.
    """
    sets = (read_photo_set(photos, data, "val", recipe.classes, settings=settings) for photos in recipe.data.val)
    return [sample for samples in sets for sample in samples]


def judge(
    answers: Callable[[Tensor], Mapping[str, Tensor]],
    photos: WholePhotos,
    heads: Mapping[str, Head],
    recipe: Recipe,
    fabric: Fabric,
) -> dict[str, float]:
    """Figures of every head on whole photos.

    Args:
        answers: what a network says of (B, S, S, 3) uint8 photos.
        photos: this process's share of them.
        heads: of the recipe.
        recipe: how large photos are, and how many processes read them.
        fabric: the run's processes.

    Raises:
        TrainingError: photos do not fit into memory.
    """
    counts: Counts = {}
    size = recipe.data.serve_size
    with enough_memory(f"{_BATCH} photos of val at {size} × {size} pixels", "lower `data.serve_size` or `data.workers`"):
        for batch in DataLoader(photos, batch_size=_BATCH, num_workers=recipe.data.workers):
            batch = fabric.to_device(batch)
            outputs = answers(batch["image"])
            counts = summed([counts, {name: head.counts(outputs[name], batch[name]) for name, head in heads.items()}])
    everywhere = over_all(counts, fabric)
    figures: dict[str, float] = {}
    for name, head in heads.items():
        figures |= {f"{name}/{key}": round(value, 4) for key, value in head.figures(everywhere.get(name, {})).items()}
    return figures


def figure_names(recipe: Recipe, judge_by: Sample) -> tuple[str, ...]:
    """What a run's figures will be called, from a look at one photo by a network that learned nothing.

    Raises:
        ConfigError: the network cannot be built.
        ImageError: the photo cannot be read.
    """
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, None)
    fabric = fabric_on("cpu")
    learner = Learner(recipe, heads, network, AveragedModel(network), {}, fabric, Path())
    return tuple(judge(learner.answers, WholePhotos([judge_by], recipe.data.serve_size, heads), heads, recipe, fabric))
