"""Which parts of a network learn, with which optimizer and at which rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.training.adapters import BASE, is_magnitude
from dentify.training.parts import Parts, parts_named
from dentify.training.recipe import OptimizerRecipe, Phase, Recipe, Schedule


def check_parts(network: nn.Module, parts: Parts, recipe: Recipe) -> None:
    """Makes sure that a recipe's patterns name parts of its network, before a run begins.

    Raises:
        ConfigError: one names nothing, or optimizers leave a part out.
    """
    by_part = [{id(one) for module in modules for one in module.parameters()} for modules in parts.values()]
    named = set().union(*by_part)
    if sum(map(len, by_part)) > len(named):
        twice = next(name for name, one in network.named_parameters() if sum(id(one) in part for part in by_part) > 1)
        raise ConfigError(f"two of the network's parts hold {twice}; every weight must be in one")
    left = [name for name, parameter in network.named_parameters() if id(parameter) not in named]
    if left:
        raise ConfigError(f"the network's parts leave out {', '.join(left[:3])}; every weight must be in one")
    for place, phase in enumerate(recipe.phases):
        parts_named(parts, phase.train, key=f"phases.{place}.train")
        if phase.optimizers is not None:
            build_optimizers(network, parts, phase.optimizers, key=f"phases.{place}.optimizers")
    build_optimizers(network, parts, recipe.optimizers, key="optimizers")


def freeze(network: nn.Module, parts: Parts, phase: Phase, *, place: int) -> list[nn.Module]:
    """Lets the parts of a phase learn and no others, and returns the others: they stay in evaluation mode, too.

    A batch norm that is not taught keeps the statistics that it came with. What holds no weights, such as dropout, stays in
    evaluation mode where all that it lies in does.
    """
    taught = parts_named(parts, phase.train, key=f"phases.{place}.train")
    if BASE not in phase.train:  # weights under adapters are not taught beside these
        taught -= {BASE}
    network.requires_grad_(True)
    frozen = [module for name, modules in parts.items() if name not in taught for module in modules]
    for module in frozen:
        module.requires_grad_(False)
    return [*frozen, *(module for module in _wholly_frozen(network) if module not in frozen)]


def _wholly_frozen(module: nn.Module) -> list[nn.Module]:
    """The outermost modules that hold weights of which none is taught."""
    learns = [parameter.requires_grad for parameter in module.parameters()]
    if learns and not any(learns):
        return [module]
    return [inner for child in module.children() for inner in _wholly_frozen(child)]


def build_optimizers(
    network: nn.Module, parts: Parts, recipes: Sequence[OptimizerRecipe], *, key: str
) -> list[torch.optim.Optimizer]:
    """One optimizer a recipe, each over the parts that it names and that none before it took.

    Raises:
        ConfigError: a part is named by none, or a pattern names nothing.
    """
    left = dict(parts)
    optimizers: list[torch.optim.Optimizer] = []
    for place, recipe in enumerate(recipes):
        named = set(left) if recipe.of == ("*",) else parts_named(parts, recipe.of, key=f"{key}.{place}.of")
        groups: dict[bool, list[Tensor]] = {}
        mine = {id(parameter) for name in named if name in left for module in left[name] for parameter in module.parameters()}
        for name, parameter in network.named_parameters():
            if id(parameter) in mine:
                groups.setdefault(parameter.ndim > 1 and not is_magnitude(name), []).append(parameter)
        left = {name: modules for name, modules in left.items() if name not in named}
        if not groups:
            raise ConfigError(f"{key}.{place}: others before it take all of {', '.join(recipe.of)}; leave it out")
        optimizers.append(
            torch.optim.AdamW(
                [
                    {"params": parameters, "lr": recipe.rate, "weight_decay": recipe.weight_decay if is_matrix else 0.0}
                    for is_matrix, parameters in groups.items()
                ]
            )
        )
    if left:
        raise ConfigError(f"{key}: no optimizer takes {', '.join(left)}; the last may be `of: ['*']`")
    return optimizers


def rate_at(step: int, schedule: Schedule, recipe: Recipe, *, since: int = 0) -> float:
    """Share of an optimizer's full rate at a step of the run, which it is in force `since`: its schedule begins there.

    A rate that stays constant and falls in a last phase only lets a longer run go on from any checkpoint before it (Hägele et
    al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations").
    """
    rate = min(1.0, (step - since + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.kind == "multistep":
        rate *= schedule.times ** sum(step - since >= at for at in schedule.at)
    begin = 0
    for phase in recipe.phases:
        if phase.rate == "falls" and begin <= step < begin + phase.steps:
            rate *= (begin + phase.steps - step) / phase.steps
        begin += phase.steps
    return rate
