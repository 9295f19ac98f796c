"""Adapters: few weights beside frozen ones that learn in their place, and become one with them at export.

Sources: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"; Liu et al. 2024, "DoRA: Weight-Decomposed
Low-Rank Adaptation". Both are peft's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import nn

from dentify.errors import ConfigError, MissingExtraError
from dentify.strict import Strict
from dentify.training.parts import Parts, parts_named

BASE = "adapted"
"""The part of a network that holds the weights under its adapters. No phase of a recipe with adapters needs to teach it."""


class AdapterRecipe(Strict):
    """Which parts' linear layers learn by adapters; what else these parts hold, such as norms, learns itself."""

    kind: Literal["dora", "lora"] = "dora"
    rank: int = Field(8, gt=0, description="of the two matrices whose product is added")
    alpha: float | None = Field(None, gt=0, description="times which, over the rank, it is added; twice the rank where not given")
    dropout: float = Field(0.0, ge=0, lt=1, description="of what the adapters see")
    of: tuple[str, ...] = Field(min_length=1, description="parts of the network whose linear layers get one each")


def add_adapters(network: nn.Module, parts: Parts, recipe: AdapterRecipe) -> None:
    """Puts an adapter beside every linear layer of some parts, convolutions that see one pixel among them.

    At first they change nothing that the network answers.

    Raises:
        ConfigError: a pattern names no part, or there is no linear layer in them.
        MissingExtraError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtraError(what="Training adapters", extra="train") from error
    chosen = {id(module) for name in parts_named(parts, recipe.of, key="model.adapter.of") for module in parts[name]}
    names = [name for name, module in network.named_modules() if id(module) in chosen and _is_linear(module)]
    if not names:
        raise ConfigError(f"model.adapter.of: {', '.join(recipe.of)} of this network holds no linear layer")
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha or 2 * recipe.rank,  # type: ignore[arg-type]  # floats are fine, and documented as such
        lora_dropout=recipe.dropout,
        use_dora=recipe.kind == "dora",
        target_modules=names,
    )
    inject_adapter_in_model(config, network)
    network.requires_grad_(True)


def apart_from_bases(network: nn.Module, parts: Parts) -> dict[str, list[nn.Module]]:
    """The parts of a network with adapters; the weights under these are a part of their own, in none of the others."""
    layers = list(_adapted(network).values())
    if not layers:
        return dict(parts)
    bases = {id(layer.base_layer) for layer in layers}
    beside = {id(layer): [one for one in layer.children() if id(one) not in bases] for layer in layers}
    own = {
        name: [one for module in modules if id(module) not in bases for one in beside.get(id(module), [module])]
        for name, modules in parts.items()
    }
    return {**own, BASE: [layer.base_layer for layer in layers]}


def merge_adapters(network: nn.Module) -> None:
    """Makes adapters one with the weights under them, for good; a network without any stays as it is."""
    for name, layer in _adapted(network).items():
        layer.merge(safe_merge=True)
        network.set_submodule(name, layer.get_base_layer())


def has_adapters(network: nn.Module) -> bool:
    """Whether some of its weights are under adapters."""
    return bool(_adapted(network))


def is_magnitude(name: str) -> bool:
    """Whether a weight is how long a column of an adapted layer is, which DoRA learns; of convolutions it has four axes."""
    return "lora_magnitude_vector" in name


def _adapted(network: nn.Module) -> dict[str, Any]:
    return {
        name: module for name, module in network.named_modules() if hasattr(module, "base_layer") and hasattr(module, "merge")
    }


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (
        isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
    )
