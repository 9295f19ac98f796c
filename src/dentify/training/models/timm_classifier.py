"""A convolutional network of timm with one layer on its pooled features: a gate, types of a photo as a whole, its severity.

Any architecture of timm that gives features `(B, C, h, w)` will do: ConvNeXt, VGG, ResNet, Inception, Xception. Its parts are
`backbone.0` (what takes the picture in), `backbone.1` and so on, `head`, and `adapted`: the weights under adapters.

Instead of pictures it takes features of them, in phases that teach nothing but the head (see `bottleneck`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, Field, ValidationError, model_validator
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.training.adapters import AdapterRecipe, add_adapters, apart_from_bases
from dentify.training.checkpoints import read_checkpoint
from dentify.training.heads import Output
from dentify.training.models.network import RGB, NetworkRecipe, names_of_files, refuse_instances
from dentify.training.models.pretrained import read_recipe_weights, timm_model, what_differs

HUB = "hub"


class TimmClassifierRecipe(NetworkRecipe):
    """Which architecture, and which weights to begin with."""

    name: Literal["timm_classifier"]
    architecture: str = Field(description="a convolutional model of timm, such as convnext_tiny, resnet50 or vgg16")
    weights: str | None = Field(
        HUB,
        description=f'"{HUB}": those that timm downloads; a safetensors file of the backbone, or the checkpoint of another run '
        "of it; null starts from random ones",
    )
    normalization: str | None = Field(
        None, description="what `dentify dataset normalize` wrote of the training photos, a JSON file with `mean` and `std`"
    )
    mean: RGB | None = Field(None, description="of RGB from 0 to 1, in place of such a file; that of its weights without either")
    std: RGB | None = Field(None, description="likewise")
    adapter: AdapterRecipe | None = Field(None, description="parts whose weights stay, with a few beside them that learn")
    hidden: int = Field(0, ge=0, description="width of a layer between features and answers; 0 for none")
    dropout: float = Field(0.2, ge=0, lt=1, description="of the features before the answers")
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="how often a training step passes over a residual block, where it has some"
    )

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise ValueError("`mean` and `std` go together")
        if self.mean is not None and self.normalization is not None:
            raise ValueError("give either `normalization` or `mean` and `std`")
        return self

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Of the backbone; those of the hub are called by the architecture."""
        return (self.architecture,) if self.weights == HUB else names_of_files(self.weights)

    def resolved(self, root: Path) -> Self:
        """With the figures that `normalization` names in its place, so that a run's own recipe needs no such file.

        Raises:
            ConfigError: it cannot be read, or is none.
        """
        if self.normalization is None:
            return self
        path = root / self.normalization
        try:
            figures = _Normalization.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}; `dentify dataset normalize` writes it") from error
        except ValidationError as error:
            raise ConfigError(f"{path}: is not what `dentify dataset normalize` writes: it needs `mean` and `std`") from error
        return self.model_copy(update={"normalization": None, "mean": figures.mean, "std": figures.std})

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> TimmClassifier:
        """The network.

        Args:
            outputs: what heads ask of it, by name.
            root: folder that the path of weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: a head asks for a map, timm has no such architecture, or weights are missing or another one's.
        """
        refuse_instances(outputs)
        for name, output in outputs.items():
            if output.stride is not None or output.pooled:
                raise ConfigError(f"heads.{name}: timm_classifier answers for the picture as a whole, and has no maps")
        network = TimmClassifier(self, outputs, pretrained=root is not None and self.weights == HUB)
        if root is not None and self.weights not in (None, HUB):
            if self.weights.endswith(".ckpt"):
                _take_backbone(network, root / self.weights)
            else:
                read_recipe_weights(network.backbone, root, self.weights, "model.weights", self.architecture)
        if self.adapter is not None:
            add_adapters(network, network.parts(), self.adapter)
        return network


class _Normalization(BaseModel):
    mean: RGB
    std: RGB


def _take_backbone(network: TimmClassifier, checkpoint: Path) -> None:
    """Gives a network the backbone of another run.

    Raises:
        ConfigError: it cannot be read, or is of another architecture.
    """
    weights = {
        name.removeprefix("backbone."): value.float() if value.is_floating_point() else value
        for name, value in read_checkpoint(checkpoint).average.items()
        if name.startswith("backbone.")
    }
    try:
        network.backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(
            f"model.weights: {checkpoint} is of another architecture, or has adapters: {what_differs(error)}"
        ) from error


class TimmClassifier(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with `mean` and `std`."""

    def __init__(self, recipe: TimmClassifierRecipe, outputs: Mapping[str, Output], *, pretrained: bool = False) -> None:
        super().__init__()
        backbone = _backbone(recipe, pretrained=pretrained)
        self.backbone = backbone
        self.mean: RGB = recipe.mean or tuple(backbone.pretrained_cfg["mean"])
        self.std: RGB = recipe.std or tuple(backbone.pretrained_cfg["std"])
        self.outputs = {name: output.channels for name, output in outputs.items()}
        width = int(backbone.num_features)
        layers: list[nn.Module] = [nn.LayerNorm(width), nn.Dropout(recipe.dropout)]
        if recipe.hidden:
            layers += [nn.Linear(width, recipe.hidden), nn.ReLU(), nn.Dropout(recipe.dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(recipe.hidden or width, sum(self.outputs.values())))

    def parts(self) -> dict[str, list[nn.Module]]:
        """See the module."""
        from timm.models import group_modules

        groups = group_modules(self.backbone, self.backbone.group_matcher(coarse=True))
        modules = dict(self.backbone.named_modules())
        leaves = {number: [leaf for name in names for leaf in _leaves(modules[name])] for number, names in groups.items()}
        parts: dict[str, list[nn.Module]] = {
            **{f"backbone.{number}": leaves[number] for number in sorted(leaves)},
            "head": [self.head],
        }
        return apart_from_bases(self, parts)

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """See `Network`."""
        rows = itertools.accumulate(self.outputs.values(), initial=0)
        return {name: (f"head.{len(self.head) - 1}", row) for name, row in zip(self.outputs, rows, strict=False)}

    def features(self, images: Tensor) -> Tensor:
        """(B, C) features of normalised photos: what the head sees, and what bottleneck features are."""
        maps: Tensor = self.backbone.forward_features(images)
        return maps.mean((2, 3))

    def answers(self, features: Tensor) -> dict[str, Tensor]:
        """(B, C) features to the outputs by name."""
        told = torch.split(self.head(features), list(self.outputs.values()), 1)
        return dict(zip(self.outputs, told, strict=True))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised photos, or (B, C) features of such, to the outputs by name."""
        return self.answers(images if images.ndim == 2 else self.features(images))


def _leaves(module: nn.Module) -> list[nn.Module]:
    """A module without others in it, or what weights a module has beside those within others."""
    if not any(True for _ in module.children()):
        return [module]
    own = list(module.parameters(recurse=False))
    return [nn.ParameterList(own)] if own else []


def _backbone(recipe: TimmClassifierRecipe, *, pretrained: bool) -> Any:
    """An architecture of timm without its classifier.

    Raises:
        ConfigError: timm has none of this name, it gives no maps of features, or its weights cannot be downloaded.
    """
    name = recipe.architecture
    drop: dict[str, Any] = {"drop_path_rate": recipe.drop_path} if recipe.drop_path else {}
    advice = (
        "put a safetensors file of its backbone on this machine and name it in model.weights, or set that to null to start from "
        "random ones"
    )
    try:
        backbone = timm_model(
            name, key="model.architecture", weights="model.weights", pretrained=pretrained, advice=advice, num_classes=0, **drop
        )
    except TypeError as error:
        raise ConfigError(f"model.drop_path: {name} has no residual blocks to pass over; leave it out") from error
    for unused in ("pre_logits", "head", "fc", "classifier"):  # what comes after the maps of features
        if isinstance(getattr(backbone, unused, None), nn.Module):
            setattr(backbone, unused, nn.Identity())
    with torch.inference_mode():
        shape = backbone.eval().forward_features(torch.zeros(1, 3, 96, 96)).shape
    if len(shape) != 4:
        raise ConfigError(
            f"model.architecture: {name} gives no maps of features; take a convolutional one, such as convnext_tiny"
        )
    if shape[1] != backbone.num_features:
        backbone.num_features = shape[1]
    backbone.train()
    return backbone
