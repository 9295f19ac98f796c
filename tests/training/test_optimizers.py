"""Parts of a network by name, what is frozen, and rates over the steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dentify.errors import ConfigError
from dentify.training.adapters import BASE
from dentify.training.optimizers import build_optimizers, check_parts, freeze, parts_named, rate_at
from dentify.training.recipe import OptimizerRecipe, Phase, Schedule
from toy_bench import toy_recipe


def network() -> tuple[nn.Module, dict[str, list[nn.Module]]]:
    stem, body, answers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)
    return nn.Sequential(stem, body, answers), {"encoder.0": [stem], "encoder.1": [body], "answers": [answers]}


NAMES = {name: [] for name in ("encoder.0", "encoder.1", "encoder.2", "encoder.10", "decoder", "photo")}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*"], set(NAMES)),
        (["encoder"], {"encoder.0", "encoder.1", "encoder.2", "encoder.10"}),
        (["encoder.1"], {"encoder.1"}),
        (["encoder.2-"], {"encoder.2", "encoder.10"}),
        (["photo", "encoder.0"], {"photo", "encoder.0"}),
    ],
    ids=["all", "a prefix", "one, and not those that begin alike", "it and later ones, by number", "several"],
)
def test_patterns_name_parts(patterns: list[str], expected: set[str]) -> None:
    assert parts_named(NAMES, patterns, key="phases.0.train") == expected


def test_a_pattern_that_names_nothing_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"phases\.0\.train: the network has no part `decodr`; did you mean `decoder`\?"):
        parts_named(NAMES, ["decodr"], key="phases.0.train")
    with pytest.raises(ConfigError, match=r"no part `encoder\.11-`.*it has encoder\.0, encoder\.1"):
        parts_named(NAMES, ["encoder.11-"], key="phases.0.train")


def test_what_is_not_taught_is_frozen() -> None:
    whole, parts = network()
    frozen = freeze(whole, parts, Phase(steps=1, size=32, train=("answers",)), place=0)
    assert frozen == [*parts["encoder.0"], *parts["encoder.1"]]
    assert [parameter.requires_grad for parameter in whole.parameters()] == [False] * 4 + [True] * 2


def test_dropout_lies_still_where_nothing_around_it_learns() -> None:
    class Block(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(2, 2), nn.Dropout(0.5))

    first, second = Block(), Block()
    whole = nn.Sequential(first, second)
    frozen = freeze(whole, {"a": [first[0]], "b": [second[0]]}, Phase(steps=1, size=32, train=("b",)), place=0)
    whole.train()
    for module in frozen:
        module.eval()
    assert [block[1].training for block in (first, second)] == [False, True]


def test_weights_under_adapters_are_taught_where_they_are_named() -> None:
    whole, parts = network()
    adapted = {"stage": parts["encoder.0"] + parts["answers"], BASE: parts["encoder.1"]}
    assert freeze(whole, adapted, Phase(steps=1, size=32), place=0) == parts["encoder.1"]
    assert freeze(whole, adapted, Phase(steps=1, size=32, train=("*", BASE)), place=0) == []


def test_what_was_frozen_can_be_taught_again() -> None:
    whole, parts = network()
    freeze(whole, parts, Phase(steps=1, size=32, train=("answers",)), place=0)
    assert freeze(whole, parts, Phase(steps=1, size=32), place=1) == []
    assert all(parameter.requires_grad for parameter in whole.parameters())


def optimizers(*recipes: dict[str, Any]) -> list[torch.optim.Optimizer]:
    whole, parts = network()
    return build_optimizers(whole, parts, [OptimizerRecipe(rate=0.1, **recipe) for recipe in recipes], key="optimizers")


def test_every_parameter_has_one_optimizer_and_vectors_do_not_decay() -> None:
    first, second = optimizers({"of": ("encoder",), "weight_decay": 0.5}, {"weight_decay": 0.25})
    sizes = [
        [(group["weight_decay"], [p.ndim for p in group["params"]]) for group in one.param_groups] for one in (first, second)
    ]
    assert sizes == [[(0.5, [4]), (0.0, [1, 1, 1])], [(0.25, [2]), (0.0, [1])]]


def test_a_part_that_no_optimizer_takes_is_told() -> None:
    with pytest.raises(
        ConfigError, match=r"optimizers: no optimizer takes encoder\.0, encoder\.1; the last may be `of: \['\*'\]`"
    ):
        optimizers({"of": ("answers",)})


def test_weights_that_no_part_holds_are_told() -> None:
    whole, parts = network()
    del parts["encoder.1"]
    with pytest.raises(ConfigError, match=r"the network's parts leave out 1\.weight, 1\.bias; every weight must be in one"):
        check_parts(whole, parts, toy_recipe())


def test_an_optimizer_for_which_nothing_is_left_is_told() -> None:
    with pytest.raises(ConfigError, match=r"optimizers\.1: others before it take all of encoder\.0; leave it out"):
        optimizers({"of": ("encoder",)}, {"of": ("encoder.0",)}, {})
    with pytest.raises(ConfigError, match=r"optimizers\.1: others before it take all of \*; leave it out"):
        optimizers({}, {})


def rates(steps: range, schedule: Schedule, phases: list[dict[str, Any]]) -> list[float]:
    recipe = toy_recipe(phases=[{"size": 32, **phase} for phase in phases])
    return [round(rate_at(step, schedule, recipe), 4) for step in steps]


def test_a_rate_warms_up_stays_and_falls() -> None:
    falling = [{"steps": 6}, {"steps": 4, "rate": "falls"}]
    told = rates(range(10), Schedule(warmup=4), falling)
    assert told == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]


def test_a_rate_may_fall_in_steps() -> None:
    multistep = Schedule(kind="multistep", at=(2, 4), times=0.1)
    assert rates(range(6), multistep, [{"steps": 6}]) == [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]


def test_the_schedule_of_later_optimizers_begins_with_them() -> None:
    recipe = toy_recipe(phases=[{"size": 32, "steps": 8}])
    warm, steps = Schedule(warmup=2), Schedule(kind="multistep", at=(2,))
    assert [rate_at(step, warm, recipe, since=4) for step in (4, 5, 6)] == [0.5, 1.0, 1.0]
    assert [rate_at(step, steps, recipe, since=4) for step in (4, 5, 6)] == [1.0, 1.0, 0.1]


def test_a_phase_after_a_fall_begins_at_the_full_rate() -> None:
    phases = [{"steps": 2, "rate": "falls"}, {"steps": 2}]
    assert rates(range(4), Schedule(), phases) == [1.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"at": (3,)}, "of kind multistep"),
        ({"kind": "multistep"}, "of kind multistep"),
        ({"kind": "multistep", "at": (4, 2)}, "must rise"),
    ],
    ids=["steps without the kind", "the kind without steps", "steps that do not rise"],
)
def test_a_schedule_that_cannot_be_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**keys)


def test_a_weight_that_two_parts_hold_is_told() -> None:
    """It would be moved twice a step."""
    whole, parts = network()
    parts["answers"] = [*parts["answers"], *parts["encoder.1"]]
    with pytest.raises(ConfigError, match=r"two of the network's parts hold 1\.weight; every weight must be in one"):
        check_parts(whole, parts, toy_recipe())


def test_the_lengths_that_dora_learns_do_not_decay_whatever_their_axes() -> None:
    adapters = pytest.importorskip("dentify.training.adapters")
    pytest.importorskip("peft", reason="needs the extra `train`")
    whole = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Flatten(), nn.Linear(8, 2))
    parts = {"conv": [whole[0]], "linear": [whole[2]]}
    adapters.add_adapters(whole, parts, adapters.AdapterRecipe(of=("*",), rank=2))
    (optimizer,) = build_optimizers(whole, {"all": [whole]}, [OptimizerRecipe(rate=0.1)], key="optimizers")
    decayed = {id(one) for group in optimizer.param_groups if group["weight_decay"] for one in group["params"]}
    lengths = [one for name, one in whole.named_parameters() if "magnitude" in name]
    assert sorted(one.ndim for one in lengths) == [1, 4]
    assert not any(id(one) in decayed for one in lengths)
