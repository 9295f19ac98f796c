"""`Network`: what training and export need of an architecture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import Strict
from dentify.training.heads import Output
from dentify.training.origin import Origin

RGB = tuple[float, float, float]


class NetworkRecipe(Strict):
    """What the recipes of all networks share."""

    origins: dict[str, Origin] = Field({}, description="of the pretrained weights, by name")

    def resolved(self, root: Path) -> Self:
        """With all that it takes of files in `root`, weights apart, so that a run's own recipe needs none of these files."""
        return self

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Names of the pretrained weights that it begins with, as `origins` calls them; a run's own checkpoints have none."""
        return ()

    @property
    def origins_used(self) -> dict[str, Origin]:
        """Where the weights that it begins with come from: what `origins` says, also where that is nothing."""
        unknown = Origin(origin="not stated", licence="not stated")
        bare = {name: name.split(".")[0] for name in self.weights_used}  # timm's tag of certain weights follows a dot
        return {name: self.origins.get(name, self.origins.get(bare[name], unknown)) for name in self.weights_used}


def names_of_files(*paths: str | None) -> tuple[str, ...]:
    """What `origins` calls files of weights: their names without suffix.

    >>> names_of_files("../weights/vgg16.safetensors", None, "runs/first/last.ckpt")
    ('vgg16',)
    """
    return tuple(Path(path).stem for path in paths if path is not None and not path.endswith(".ckpt"))


class Network(Protocol):
    """A module that answers the heads of a recipe. It is an `nn.Module` beside this.

    Attributes:
        mean: of the RGB photos that it takes, scaled to 0..1.
        std: likewise.
    """

    mean: RGB
    std: RGB

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """(B, 3, S, S) normalised photos to logits by the names of heads; what is exported.

        A network with `brings_its_losses` also takes the truth of a batch beside them, and answers with a loss a head then.
        """
        ...

    def parts(self) -> Mapping[str, list[nn.Module]]:
        """Its modules by name, from the picture to the answers, for freezing and optimizers: `encoder.0`, `decoder`, `photo`."""
        ...

    def answer_layers(self) -> Mapping[str, tuple[str, int]]:
        """By head: the layer whose rows answer it, and the first of them; without heads that no such layer answers alone."""
        ...


def refuse_instances(outputs: Mapping[str, Output]) -> None:
    """Makes sure that no head asks a network of maps or labels for instances.

    Raises:
        ConfigError: one does.
    """
    for name, output in outputs.items():
        if output.candidates is not None:
            raise ConfigError(
                f"heads.{name}: this network answers no instances; take mask_rcnn, mask2former or rf_detr, or ask for maps"
            )


def begin_low(layer: nn.Module, outputs: Mapping[str, Output]) -> None:
    """Lets answers that are mostly no begin there: the bias of a layer whose rows answer these outputs, one after the other."""
    assert isinstance(layer.bias, Tensor)
    first = 0
    for output in outputs.values():
        if output.prior is not None:
            nn.init.constant_(layer.bias[first : first + output.channels], output.prior)
        first += output.channels


def all_but(module: nn.Module, apart: Collection[nn.Module]) -> list[nn.Module]:
    """What a module is made of apart from some modules within it: whole where none of these is, and weights of its own beside."""
    if module in apart:
        return []
    if not any(inner in apart for inner in module.modules()):
        return [module]
    own = list(module.parameters(recurse=False))
    within = [one for child in module.children() for one in all_but(child, apart)]
    return [nn.ParameterList(own), *within] if own else within


def normalised(images: Tensor, mean: RGB, std: RGB) -> Tensor:
    """(B, S, S, 3) uint8 photos as a network of this mean and deviation takes them: (B, 3, S, S)."""
    less, by = (torch.tensor(values, device=images.device).view(1, 3, 1, 1) * 255 for values in (mean, std))
    pixels = images.permute(0, 3, 1, 2).float().contiguous(memory_format=torch.channels_last)
    return (pixels - less) / by
