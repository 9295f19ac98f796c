"""The processes of a run: one, or those that torchrun started, on one machine or several."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

from dentify.errors import ConfigError, DentifyError
from dentify.runtime.session import Device
from dentify.training.recipe import Recipe

Counts = dict[str, dict[str, Tensor]]
"""Whole numbers of each head, by their names."""


def fabric_on(device: Device) -> Fabric:
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


def over_all(counts: Counts, fabric: Fabric) -> Counts:
    """Counts of all processes together; one that had no photo to judge by has none."""
    shares: list[Counts] = [counts]
    if fabric.world_size > 1:
        shares = [{} for _ in range(fabric.world_size)]
        here = {name: {key: value.cpu() for key, value in of_head.items()} for name, of_head in counts.items()}
        torch.distributed.all_gather_object(shares, here)
    return summed(shares)


def summed(shares: Iterable[Counts]) -> Counts:
    """The sum of some counts, each of which may lack heads or keys."""
    total: Counts = {}
    for share in shares:
        for name, of_head in share.items():
            so_far = total.setdefault(name, {})
            for key, value in of_head.items():
                so_far[key] = so_far[key] + value if key in so_far else value
    return total


def last_line(error: DentifyError) -> str:
    """What an error says. Where it was raised in another process, torch puts a traceback before it."""
    text = str(error).strip()
    return text.rpartition("\n")[2].partition(": ")[2] if "\n" in text else text
