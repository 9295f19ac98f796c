"""Recipes: one strict YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.errors import ConfigError
from dentify.training.recipe import read_recipe

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_recipe_of_the_project_is_valid(path: Path) -> None:
    assert read_recipe(path).name


def test_set_changes_a_key() -> None:
    recipe = read_recipe(RECIPES / "default.yaml", ("schedule.steps=7", "data.train.0.per_batch=2", "review.weak_types=[]"))
    assert recipe.schedule.steps == 7
    assert recipe.data.train[0].per_batch == 2
    assert recipe.review.weak_types == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("schedule.stepps=7", "unknown key: `schedule.stepps`; did you mean `steps`?"),
        ("schedule.steps=many", "schedule.steps: input should be a valid integer"),
        ("data.size=100", "data.size: input should be a multiple of 32"),
        ("schedule.steps", "--set schedule.steps: write key=value"),
        ("name.first=x", "--set name.first=x: `name` holds a value, not keys"),
        ("data.train.9.per_batch=2", "--set data.train.9.per_batch=2: `data.train.9.per_batch` is no place in this recipe"),
        ("data.train.first.per_batch=2", "`data.train.first.per_batch` is no place in this recipe"),
        ("data.train.0=x", "data.train.0: "),
        ("schedule.steps=[1", "--set schedule.steps=[1: '[1' is no YAML value"),
        ("model.encoder_weights=null", "frozen_stages must be 0 without encoder_weights"),
        ("review.weak_types=[rust]", "review.weak_types names rust, which is not in classes.damage"),
    ],
)
def test_a_wrong_change_says_what_to_write(change: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_recipe(RECIPES / "default.yaml", (change,))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "is not YAML"), ("- 1", "a recipe is a mapping of keys to values, got list"), (None, "cannot be read")],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
