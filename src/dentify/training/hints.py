"""Hints: a part of the network that learns is drawn to see what a part of its teacher's network sees.

    distil: {teacher: runs/b3/last.ckpt, features: {of: encoder.4, weight: 1}}

Both see the very same picture. A convolution of 1 × 1 takes the features of the one to as many channels as the other has; it
learns beside the network, at the rate of the last optimizer, is kept in checkpoints, and goes into no bundle.

Source: Romero et al. 2015, "FitNets: Hints for Thin Deep Nets". The distance is that of directions, one less the cosine, so that
it does not follow from how large a network's features are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import nearest
from dentify.training import losses
from dentify.training.models.network import RGB, normalised
from dentify.training.parts import Parts
from dentify.training.recipe import HintsRecipe

HINTS = "distil.features"
"""What the distance is called among the losses of heads, whose names have no dot."""


class Hinted(nn.Module):
    """A network that also answers, as `HINTS`, with the features of one of its parts as its teacher may see them."""

    def __init__(self, network: nn.Module, part: nn.Module, project: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.project = project
        self._part = [part]  # in a list: it is the network's, and no further module

    def forward(self, *given: Any) -> dict[str, Tensor]:
        """As the network, with (B, C, h, w) features beside its answers."""
        with _watched(self._part[0]) as seen:
            answers = self.network(*given)
        return {**answers, HINTS: self.project(seen[-1])}


class Hints:
    """Two networks of which one gives hints.

    Args:
        recipe: which parts of them.
        network: the one that learns.
        teacher: the other, on the same device; it stays as it is.
        size: of a picture.
        seed: of the projection's first weights.

    Raises:
        ConfigError: one has no such part, or a part without a map of features.
    """

    def __init__(self, recipe: HintsRecipe, network: nn.Module, teacher: nn.Module, *, size: int, seed: int) -> None:
        self._teacher = teacher.requires_grad_(False).eval()
        self._scale: tuple[RGB, RGB] = (teacher.mean, teacher.std)  # type: ignore[assignment]  # see `Network`
        own = _part(network, recipe.of, key="distil.features.of")
        self._part = _part(teacher, recipe.teacher or recipe.of, key="distil.features.teacher")
        given = _channels(network, own, size, key="distil.features.of")
        asked = _channels(teacher, self._part, size, key="distil.features.teacher")
        torch.manual_seed(seed)
        project = nn.Conv2d(given, asked, 1).to(next(network.parameters()).device)
        self.weight = recipe.weight
        self.student = Hinted(network, own, project)

    def distance(self, told: Tensor, images: Tensor) -> Tensor:
        """How far the network's features lie from the teacher's.

        Args:
            told: what the network answered as `HINTS`.
            images: (B, S, S, 3) uint8 pictures that it saw.
        """
        with torch.no_grad(), _watched(self._part) as seen:
            self._teacher(normalised(images, *self._scale).contiguous())  # as its weights lie: SegFormer takes half the time
        return losses.feature_distance(told.float(), seen[-1].float())

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Those that learn beside the network's."""
        return self.student.project.named_parameters(prefix=HINTS)

    def state(self) -> dict[str, Tensor]:
        """The projection's weights, for a checkpoint."""
        return self.student.project.state_dict()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Goes on with the weights of a checkpoint; a run that had none begins with its own.

        Raises:
            ConfigError: they are of other parts.
        """
        ours = {name: value.shape for name, value in self.state().items()}
        if state and {name: value.shape for name, value in state.items()} != ours:
            raise ConfigError("distil.features: the run had those of other parts; name the same, or begin anew")
        if state:
            self.student.project.load_state_dict(state)


def _part(network: nn.Module, name: str, *, key: str) -> nn.Module:
    """The last module of a part."""
    parts: Parts = network.parts()  # type: ignore[operator]
    if not parts.get(name):
        raise ConfigError(f"{key} names {name}, which is no part that sees a picture{nearest(name, parts)}")
    return parts[name][-1]


def _channels(network: nn.Module, part: nn.Module, size: int, *, key: str) -> int:
    """Of the features of a part."""
    images = torch.zeros(1, size, size, 3, dtype=torch.uint8, device=next(network.parameters()).device)
    was_training = network.training
    with torch.no_grad(), _watched(part) as seen:
        network.eval()(normalised(images, network.mean, network.std))  # type: ignore[arg-type]
    network.train(was_training)
    if not seen or not isinstance(seen[-1], Tensor) or seen[-1].ndim != 4:
        raise ConfigError(
            f"{key}: that part gives no map of features, (B, C, h, w); name another, such as a stage of the encoder"
        )
    return seen[-1].shape[1]


@contextmanager
def _watched(part: nn.Module) -> Iterator[list[Tensor]]:
    """What a part answers meanwhile."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: Any, answer: Any) -> None:
        seen.append(answer.clone() if isinstance(answer, Tensor) else answer)  # what comes after may change it in its place

    handle = part.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()
