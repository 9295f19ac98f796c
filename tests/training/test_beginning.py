"""What a run begins with: its own checkpoint, or other runs' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import toy_bench
from dentify.errors import ConfigError
from dentify.training import train
from dentify.training.checkpoints import read_checkpoint
from dentify.training.recipe import Recipe
from toy_bench import ToyRecipe, toy_recipe
from toy_runs import PHASE, curve


def test_a_run_begins_with_the_averaged_weights_of_another(run: Path, painted: Path, tmp_path: Path) -> None:
    still = [{"kind": "adamw", "rate": 1e-12, "weight_decay": 0}]
    recipe = toy_recipe(optimizers=still, phases=[{"steps": 1, **PHASE}])
    train(recipe, data=painted, output=tmp_path, start=run / "last.ckpt")
    theirs, ours = read_checkpoint(run / "last.ckpt"), read_checkpoint(tmp_path / "last.ckpt")
    assert ours.step == 1
    assert all(torch.allclose(ours.weights[name], value, atol=1e-6) for name, value in theirs.average.items())


def test_a_run_begins_with_the_mean_of_several(run: Path, painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(seed=1), data=painted, output=tmp_path / "other")
    still = [{"kind": "adamw", "rate": 1e-12, "weight_decay": 0}]
    recipe = toy_recipe(optimizers=still, phases=[{"steps": 1, **PHASE}])
    other = tmp_path / "other" / "last.ckpt"
    train(recipe, data=painted, output=tmp_path / "mean", start=run / "last.ckpt", average_with=[other])
    one, two, mean = (read_checkpoint(path).average for path in (run / "last.ckpt", other, tmp_path / "mean" / "last.ckpt"))
    assert any(not torch.allclose(one[name], two[name]) for name in one)
    assert all(torch.allclose(mean[name], (one[name] + two[name]) / 2, atol=1e-6) for name in one)


def test_what_an_earlier_run_taught_stays_taught(run: Path, painted: Path, tmp_path: Path) -> None:
    data = toy_bench.toy_document()["data"]
    recipe = toy_recipe(data=data | {"train": data["train"][1:]}, phases=[{"steps": 1, **PHASE}])
    train(recipe, data=painted, output=tmp_path / "alone")
    train(recipe, data=painted, output=tmp_path / "after", start=run / "last.ckpt")
    alone, after = (read_checkpoint(tmp_path / name / "last.ckpt").taught for name in ("alone", "after"))
    assert alone["types"] == []
    assert after["types"] == ["dent", "hail_mark"]


def test_a_longer_recipe_goes_on_from_a_finished_run(painted: Path, tmp_path: Path) -> None:
    short = toy_recipe(phases=[{"steps": 4, **PHASE}])
    long = toy_recipe(phases=[{"steps": 6, **PHASE}])
    train(short, data=painted, output=tmp_path / "run")
    train(long, data=painted, output=tmp_path / "run", resume=True)
    train(long, data=painted, output=tmp_path / "whole")
    assert curve(tmp_path / "run") == curve(tmp_path / "whole")


def test_resuming_needs_a_checkpoint(painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint to resume; leave out --resume to start anew"):
        train(toy_recipe(), data=painted, output=tmp_path, resume=True)


def test_a_run_is_not_overwritten_by_another(run: Path, painted: Path) -> None:
    before = (run / "recipe.yaml").read_bytes()
    with pytest.raises(ConfigError, match="holds a run already; go on with --resume, or give the new one another folder with -o"):
        train(toy_recipe(seed=1), data=painted, output=run)
    assert (run / "recipe.yaml").read_bytes() == before


def test_averaging_needs_a_run_to_begin_with(run: Path, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--average-with averages with the checkpoint of --from"):
        train(toy_recipe(), data=painted, output=tmp_path / "run", average_with=[run / "last.ckpt"])
    assert not (tmp_path / "run").exists()


def test_adapters_have_no_mean_to_begin_with(painted: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="needs the extra `train`")
    adapter = {"of": ["backbone.4"], "rank": 2}
    model = {"name": "timm_classifier", "architecture": "test_convnext", "weights": None, "adapter": adapter}
    document = toy_bench.toy_document(model=model, heads={"vehicle": {"kind": "labels", "of": "vehicle"}})
    recipe = Recipe.model_validate(document | {"optimizers": [{"kind": "adamw", "rate": 0.01}]})
    with pytest.raises(ConfigError, match=r"^--average-with: the mean of adapters is not what they learned"):
        train(recipe, data=painted, output=tmp_path / "run", start=Path("a.ckpt"), average_with=[Path("b.ckpt")])
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_network_is_refused(run: Path, painted: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is of another network than the recipe's: `\S+` is \(1, 8, 1, 1\), the recipe's \(1, 16"
    ):
        train(toy_recipe(model=ToyRecipe(width=16)), data=painted, output=tmp_path / "run", start=run / "last.ckpt")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"classes": {"damage": ["hail_mark", "dent"], "parts": ["hood"]}},
            "tells dent, hail_mark, the recipe's hail_mark, dent",
        ),
        ({"heads": {"types": {"kind": "overlapping", "of": "damage"}}}, "its head `any` tells any, the recipe's nothing"),
        ({"heads": dict(reversed(toy_bench.toy_heads().items()))}, "its heads are types, any, .*, in this order"),
    ],
    ids=["the same classes in another order", "fewer heads", "heads in another order"],
)
def test_a_checkpoint_of_another_recipe_is_refused(
    run: Path, painted: Path, tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(toy_recipe(**keys), data=painted, output=tmp_path / "run", start=run / "last.ckpt")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"phases": [{"steps": 1, **PHASE, "train": ["encodr"]}]},
            r"phases\.0\.train: the network has no part `encodr`; did you mean",
        ),
        ({"optimizers": [{"rate": 0.1, "of": ["encoder"]}]}, r"optimizers: no optimizer takes answers"),
        (
            {"phases": [{"steps": 1, **PHASE}, {"steps": 1, **PHASE, "optimizers": [{"rate": 0.1, "of": ["answers"]}]}]},
            r"phases\.1\.optimizers: no optimizer takes encoder\.0, encoder\.1",
        ),
    ],
    ids=["an unknown part", "a part without optimizer", "in a later phase"],
)
def test_parts_are_checked_before_a_run_begins(painted: Path, tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(toy_recipe(**keys), data=painted, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_beyond_its_recipe(painted: Path, tmp_path: Path) -> None:
    train(toy_recipe(phases=[{"steps": 4, **PHASE}]), data=painted, output=tmp_path)
    with pytest.raises(ConfigError, match=r"has taken 4 steps already, the recipe's phases are 2"):
        train(toy_recipe(phases=[{"steps": 2, **PHASE}]), data=painted, output=tmp_path, resume=True)
