"""A run's checkpoint: weights, their running average, the optimizers' states, and what was taught, in one file.

It is written whole or not at all, so a kill at any moment leaves a good one. Nothing in the file is run when it is read: whoever
sends one cannot send code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dentify.errors import ConfigError, OutputError
from dentify.training.heads import Head
from dentify.writing import part_of, writing

Weights = Mapping[str, Tensor]
_FORMAT = 2
_NO_ROOM = "no room left, or a limit on the size of files; make room, then go on with --resume"


@dataclass(frozen=True)
class Checkpoint:
    """What a run is at a step.

    Attributes:
        step: steps taken.
        weights: of the network.
        average: their running average, which is what is exported.
        averaged: how many steps it is the average of.
        optimizers: what they keep of each parameter, by its name.
        names: what each head tells apart, in the order of its channels.
        taught: of these, what photos taught by example, in this run or the one that it began with.
        hints: weights of what takes the network's features to those of its teacher, where a run has these.
    """

    step: int
    weights: Weights
    average: Weights
    averaged: int
    names: Mapping[str, list[str]]
    taught: Mapping[str, list[str]]
    optimizers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hints: Weights = field(default_factory=dict)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Puts a checkpoint in its place when all of it is on the disk.

    Raises:
        OutputError: it cannot be written; the one that was there stays.
    """
    part = part_of(path)
    kept = {key: value for key, value in vars(checkpoint).items() if value or key != "hints"}
    try:
        with writing(path):
            with part.open("wb") as file:
                torch.save({"format": _FORMAT, **kept}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except RuntimeError as error:  # how torch tells of a disk that fills while it writes
        raise OutputError(f"{path}: cannot be written: {_NO_ROOM}") from error
    finally:
        part.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """A run's checkpoint.

    Raises:
        ConfigError: it cannot be read, or is none of `dentify train`.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state.pop("format") != _FORMAT:
            raise ConfigError(f"{path}: is a checkpoint of another version of Dentify; train again, or export it with that one")
        return Checkpoint(**state)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ConfigError:
        raise
    except Exception as error:  # torch and pickle raise nearly anything on a file that is none of theirs
        raise ConfigError(f"{path}: is no checkpoint of `dentify train`") from error


def check_fits(checkpoint: Checkpoint, network: nn.Module, heads: Mapping[str, Head], where: Path) -> None:
    """Makes sure that a checkpoint is of a recipe's network and heads.

    Raises:
        ConfigError: it has other heads, other classes in their channels, or other weights.
    """
    names = {name: list(head.names) for name, head in heads.items()}
    for name in sorted({*names, *checkpoint.names}):
        ours, theirs = (", ".join(one.get(name, [])) or "nothing" for one in (names, checkpoint.names))
        if ours != theirs:
            raise ConfigError(f"{where}: is of another recipe: its head `{name}` tells {theirs}, the recipe's {ours}")
    if list(names) != list(checkpoint.names):
        theirs, ours = (", ".join(one) for one in (checkpoint.names, names))
        raise ConfigError(f"{where}: is of another recipe: its heads are {theirs}, in this order, the recipe's {ours}")
    _check_shapes(checkpoint.average, network.state_dict(), where)


def _check_shapes(weights: Weights, expected: Weights, where: Path) -> None:
    for name in sorted({*weights, *expected}):
        theirs, ours = (tuple(one[name].shape) if name in one else None for one in (weights, expected))
        if theirs != ours:
            raise ConfigError(f"{where}: is of another network than the recipe's: `{name}` is {theirs}, the recipe's {ours}")


def average_weights(
    own: Weights, checkpoints: Sequence[Path], *, merged: Callable[[Weights], Weights] = lambda weights: weights
) -> dict[str, Tensor]:
    """The mean of a network's weights and those of other checkpoints of it.

    Runs that went on from one checkpoint in different ways can be averaged: what one learned and what the other would have
    forgotten are both kept (Wortsman et al. 2022, "Model soups").

    Args:
        own: of one run.
        checkpoints: of the others.
        merged: makes the adapters of a run one with the weights under them: their product is not that of their means.

    Raises:
        ConfigError: a file is no checkpoint, or is of another network.
    """
    first = merged(own)
    sums = {name: value.double() for name, value in first.items()}
    for path in checkpoints:
        theirs = read_checkpoint(path).average
        _check_shapes(theirs, own, path)
        other = merged(theirs)
        sums = {name: value + other[name].double() for name, value in sums.items()}
    return {name: (value / (1 + len(checkpoints))).to(first[name].dtype) for name, value in sums.items()}


Averaging = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def averaging(decay: float) -> Averaging:
    """How a running average of weights and statistics takes in the next step's, for `AveragedModel`.

    It starts short, so that the beginning is soon forgotten.
    """

    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        taken = int(count)
        weight = 1 - min(decay, (1 + taken) / (10 + taken))
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(list(averaged), list(current), weight)
        else:  # batch norm's counters
            for ours, theirs in zip(averaged, current, strict=True):
                ours.copy_(theirs)

    return average
