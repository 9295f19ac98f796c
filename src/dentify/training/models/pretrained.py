"""Networks of timm by their name, and weights out of files."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dentify.errors import ConfigError
from dentify.strict import nearest


def timm_model(name: str, *, key: str, weights: str, pretrained: bool, advice: str, **options: Any) -> Any:
    """A network of timm, with the weights that timm downloads or with random ones.

    Args:
        name: of the architecture, such as `resnet50`, or `resnet50.a1_in1k` for certain weights.
        key: what names the architecture, for messages.
        weights: what names the weights, likewise.
        pretrained: whether weights are downloaded.
        advice: what to do where they cannot be.
        options: timm's own, of `create_model`.

    Raises:
        ConfigError: timm has none of this name, or its weights cannot be downloaded.
    """
    import timm

    if not timm.is_model(name):
        raise ConfigError(f"{key}: timm has no model `{name}`{nearest(name, timm.list_models())}")
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except (OSError, RuntimeError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        if not pretrained:
            raise ConfigError(f"{key}: timm cannot build {name} ({told})") from error
        raise ConfigError(f"{weights}: the weights of {name} cannot be downloaded ({told}); {advice}") from error


def read_weights(module: nn.Module, path: Path, architecture: str, *, advice: str) -> None:
    """Gives the weights in a file to a module.

    A file of the whole classifier, as timm publishes it, does as well: what a module of features lacks of it is left out.

    Args:
        module: that they are of.
        path: of a safetensors file, stored in single or half precision.
        architecture: for messages.
        advice: what to do where there is no such file.

    Raises:
        ConfigError: there is no such file, it is none of safetensors, or another architecture's.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such pretrained weights; {advice}")
    try:
        values = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path}: cannot be read as safetensors: {' '.join(str(error).split())}") from error
    left_out = _names_of_classifier(architecture) - module.state_dict().keys()
    try:
        module.load_state_dict({name: value for name, value in values.items() if name not in left_out})
    except RuntimeError as error:
        raise ConfigError(f"{path}: are not weights of {architecture}: {what_differs(error)}") from error


def what_differs(error: RuntimeError) -> str:
    r"""The first that torch says of weights that do not fit a module, in a line that can be read.

    >>> what_differs(RuntimeError('Error(s) in loading state_dict for Net:\n\tMissing key(s): "a", "b".\n\tsize mismatch'))
    'Missing key(s): "a", "b".'
    """
    lines = str(error).splitlines()
    return shorten(lines[min(1, len(lines) - 1)], 160, placeholder=" …")


def _names_of_classifier(architecture: str) -> set[str]:
    """Names of the weights of an architecture of timm with its classifier; none of one that timm does not know."""
    import timm

    if not timm.is_model(architecture):
        return set()
    with torch.device("meta"):  # for the names alone
        return set(timm.create_model(architecture, pretrained=False).state_dict())


def read_recipe_weights(module: nn.Module, root: Path, weights: str | None, key: str, architecture: str) -> None:
    """Gives a module the weights that a recipe names, if any.

    Args:
        module: that they are of.
        root: folder that the path is relative to.
        weights: path of a safetensors file, or `None`.
        key: of the recipe, for messages.
        architecture: likewise.

    Raises:
        ConfigError: see `read_weights`.
    """
    if weights is not None:
        read_weights(module, root / weights, architecture, advice=f"set {key} to null to go without")
