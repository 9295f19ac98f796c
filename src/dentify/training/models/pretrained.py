"""Networks of timm by their name, and weights out of files and from the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import nearest
from dentify.training.models.depthwise import speed_up_depthwise
from dentify.training.models.network import RGB
from dentify.training.quiet import silent


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


def advice_on(weights: str) -> str:
    """What to do where a network's weights cannot be downloaded, by the key that names them."""
    return f"put a safetensors file of it on this machine and name it in {weights}, or set that to null"


STRIDES = (4, 8, 16, 32)


def timm_pyramid(name: str, *, key: str, weights: str, pretrained: bool) -> Any:
    """A timm model that gives features at strides 4 to 32, with the weights that timm downloads or with random ones.

    Args:
        name: as of `timm_model`.
        key: likewise.
        weights: likewise.
        pretrained: likewise.

    Raises:
        ConfigError: timm has no such model, it gives no such features, or its weights cannot be downloaded.
    """
    options: dict[str, Any] = {"key": key, "weights": weights, "advice": advice_on(weights), "features_only": True}
    try:
        with torch.device("meta"):
            reductions = list(timm_model(name, pretrained=False, **options).feature_info.reduction())
        indices = tuple(reductions.index(stride) for stride in STRIDES)
        encoder = timm_model(name, pretrained=pretrained, out_indices=indices, **options)
    except (ValueError, AttributeError, AssertionError, TypeError) as error:
        raise ConfigError(f"{key}: {name} gives no features at strides 4, 8, 16 and 32; try resnet50") from error
    speed_up_depthwise(encoder)
    return encoder


def timm_scale(name: str) -> tuple[RGB, RGB]:
    """Mean and deviation of the photos that timm's weights of this name learned from, as of values in [0, 1]."""
    import timm

    told: Any = timm.get_pretrained_cfg(name)
    return tuple(told.mean), tuple(told.std)


def encoder_parts(encoder: nn.Module) -> dict[str, list[nn.Module]]:
    """Parts of a timm model by name: `encoder.0` and so on, as timm lists them, without those that have no weights."""
    parts = {f"encoder.{number}": [module] for number, module in enumerate(encoder.children())}
    return {name: modules for name, modules in parts.items() if any(True for _ in modules[0].parameters())}


def hub_weights(repository: str, *, key: str, advice: str) -> dict[str, Tensor]:
    """The weights that a repository of the Hugging Face Hub publishes, in single precision; downloaded once, and kept.

    Args:
        repository: such as `nvidia/segformer-b0-finetuned-ade-512-512`.
        key: what names the weights in the recipe, for messages.
        advice: what to do where they cannot be had.

    Raises:
        ConfigError: they cannot be downloaded, and are not kept from before.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        with silent("huggingface_hub"):
            try:
                return _single(load_file(hf_hub_download(repository, "model.safetensors")))
            except EntryNotFoundError as error:
                if isinstance(error, OSError):  # nothing was reached
                    raise
                path = hf_hub_download(repository, "pytorch_model.bin")
                return _single(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EntryNotFoundError, SafetensorError) as error:
        told = str(error.__cause__ or error).splitlines()
        raise ConfigError(
            f"{key}: the weights of {repository} cannot be downloaded ({told[0] if told else type(error).__name__}); {advice}"
        ) from error


def file_weights(path: Path, *, advice: str) -> dict[str, Tensor]:
    """The weights in a safetensors file, stored in single or half precision, in single.

    Raises:
        ConfigError: there is no such file, or it is none of safetensors.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such pretrained weights; {advice}")
    try:
        return _single(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path}: cannot be read as safetensors: {' '.join(str(error).split())}") from error


def _single(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() if value.is_floating_point() else value for name, value in values.items()}


def read_weights(module: nn.Module, path: Path, architecture: str, *, advice: str) -> None:
    """Gives the weights in a file to a module.

    A file of the whole classifier, as timm publishes it, does as well: what a module of features lacks of it is left out, and
    names that timm writes otherwise in such modules (`stages_0.blocks` for `stages.0.blocks`) are told by it.

    Args:
        module: that they are of.
        path: of a safetensors file.
        architecture: for messages.
        advice: what to do where there is no such file.

    Raises:
        ConfigError: there is no such file, it is none of safetensors, or another architecture's.
    """
    own = module.state_dict().keys()
    values = {_name_in(own, name): value for name, value in file_weights(path, advice=advice).items()}
    left_out = {_name_in(own, name) for name in _names_of_classifier(architecture)} - own
    try:
        module.load_state_dict({name: value for name, value in values.items() if name not in left_out})
    except RuntimeError as error:
        raise ConfigError(f"{path}: are not weights of {architecture}: {what_differs(error)}") from error


def _name_in(own: Collection[str], name: str) -> str:
    """What a module calls a weight of timm's."""
    flat = name.replace(".", "_", 1)
    return flat if name not in own and flat in own else name


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
