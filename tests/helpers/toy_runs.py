"""Runs of the toy network that are stopped, and what they left."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dentify.training import Progress
from toy_bench import SIDE

GATE = {"vehicle": {"kind": "labels", "of": "vehicle"}}
PHASE = {"size": SIDE, "precision": "32"}


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
