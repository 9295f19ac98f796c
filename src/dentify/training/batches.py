"""Which photos a step shows, and what it takes of them: pictures and the truth of every head, as tensors.

Everything follows from the recipe's seed, the step and the slot in its batch: a run that was stopped goes on as if it had not
been, and several processes that train together take every n-th slot of the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dentify.arrays import IntArray
from dentify.datasets import Sample
from dentify.settings import Settings
from dentify.training.compose import Composer, Draw, whole_scene
from dentify.training.distil import Teacher
from dentify.training.heads import Head
from dentify.training.recipe import PhotoSet, Recipe
from dentify.training.scene import Scene

Batch = dict[str, Any]
"""`image` (B, S, S, 3) uint8; by the name of each head what its truth is made of, stacked."""


class MixedBatches:
    """The batches of some steps: a fixed number of photos of each set, each set shuffled anew every time it is used up.

    A step's batch is the same whether the run came to it or was resumed at it.

    Args:
        sets: the photos of each set of the recipe.
        recipe: how many of each are in a batch, and the phases.
        steps: which steps.
        rank: which process asks.
        processes: of how many.
    """

    def __init__(
        self, sets: Sequence[Sequence[Sample]], recipe: Recipe, *, steps: range, rank: int = 0, processes: int = 1
    ) -> None:
        self._decks = [deck_of(photos, samples) for photos, samples in zip(recipe.data.train, sets, strict=True)]
        self._recipe = recipe
        self._steps = steps
        self._share = slice(rank, None, processes)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Draw]]:
        orders: dict[tuple[int, int], IntArray] = {}
        recipe = self._recipe
        begin = 0  # the first step of the phase
        shown = [0] * len(self._decks)  # slots of each set, before the phase
        drawn = 0  # slots of all, likewise
        for phase in recipe.phases:
            counts = phase.per_batch or [photos.per_batch for photos in recipe.data.train]
            counts = [count if deck else 0 for count, deck in zip(counts, self._decks, strict=True)]  # one may be left out
            for step in range(max(begin, self._steps.start), min(begin + phase.steps, self._steps.stop)):
                batch: list[Draw] = []
                for place, (deck, count) in enumerate(zip(self._decks, counts, strict=True)):
                    first = shown[place] + (step - begin) * count
                    for slot in range(first, first + count):
                        lap, card = divmod(slot, len(deck))
                        if (place, lap) not in orders:
                            orders[place, lap] = np.random.default_rng((recipe.seed, place, lap)).permutation(len(deck))
                        number = drawn + (step - begin) * sum(counts) + len(batch)
                        batch.append(Draw(place, deck[orders[place, lap][card]], number, phase.size, phase.mosaic, phase.paste))
                yield batch[self._share]
            begin += phase.steps
            shown = [before + phase.steps * count for before, count in zip(shown, counts, strict=True)]
            drawn += phase.steps * sum(counts)


def deck_of(photos: PhotoSet, samples: Sequence[Sample]) -> list[int]:
    """Indices of the photos, those with rare types more than once; where that is half a time more, every second one is."""
    deck = []
    owed = 1e-9
    for index, sample in enumerate(samples):
        owed += max([1.0, *(photos.repeat.get(damage.name, 1.0) for damage in sample.damages)])
        deck.extend([index] * int(owed))
        owed %= 1
    return deck


class TrainingPictures(Dataset[Batch]):
    """Pictures with their truth, by `Draw`."""

    def __init__(self, composer: Composer, heads: Mapping[str, Head], teacher: Teacher | None = None) -> None:
        self._composer = composer
        self._heads = heads
        self._teacher = teacher

    def __getitem__(self, draw: Draw) -> Batch:
        return taught(self._composer.compose(draw), self._heads, self._teacher)


class WholePhotos(Dataset[Batch]):
    """Whole photos with their truth, by index."""

    def __init__(self, samples: Sequence[Sample], size: int, heads: Mapping[str, Head], settings: Settings | None = None) -> None:
        self._samples = samples
        self._size = size
        self._heads = heads
        self._settings = settings or Settings()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Batch:
        return taught(whole_scene(self._samples[index], self._size, self._settings), self._heads)


def taught(scene: Scene, heads: Mapping[str, Head], teacher: Teacher | None = None) -> Batch:
    """A scene's picture and the truth of every head; as `teacher` what one says of it."""
    return {"image": torch.from_numpy(scene.image), **truth_of(scene, heads, teacher)}


def truth_of(scene: Scene, heads: Mapping[str, Head], teacher: Teacher | None = None) -> dict[str, dict[str, Tensor]]:
    """The truth of every head for a scene; as `teacher` what one says of it."""
    truth = {name: tensors(head.truth(scene)) for name, head in heads.items()}
    if teacher is not None:
        for name, said in teacher.says(scene).items():
            truth[name]["teacher"] = torch.from_numpy(said)
    return truth


def tensors(truth: Mapping[str, Any]) -> dict[str, Tensor]:
    """Arrays of a truth as tensors."""
    return {key: torch.from_numpy(np.asarray(value)) for key, value in truth.items()}
