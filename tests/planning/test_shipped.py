"""The recipes that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.errors import ConfigError
from dentify.plain_yaml import load_yaml
from dentify.planning import find_recipe, is_recipe, recipe_names, recipe_path, recipe_summary


def test_every_recipe_says_what_it_is_for() -> None:
    assert {"default", "convnext", "teacher", "vgg16"} <= set(recipe_names())
    for name in recipe_names():
        assert 20 < len(recipe_summary(name)) < 300
        description = load_yaml(find_recipe(name).read_text(encoding="utf-8"))["description"]
        assert description.startswith(recipe_summary(name))


def test_a_name_that_is_nearly_one_is_told() -> None:
    with pytest.raises(ConfigError, match=r"'defualt' is no recipe that ships; did you mean `default`\?"):
        find_recipe("defualt")


def test_a_file_comes_before_a_recipe_that_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe_path(Path("default")) == find_recipe("default")
    Path("default").write_text("name: mine\n")
    assert recipe_path(Path("default")) == Path("default")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("recipe.yaml", "name: mine\nheads: {}\n", True),
        ("broken.yml", "{", True),
        ("data.yaml", "names: [dent]\ntrain: images\n", False),
        ("labels.json", "{}", False),
    ],
)
def test_yaml_is_a_recipe_unless_it_lists_the_classes_of_a_yolo_data_set(
    tmp_path: Path, name: str, text: str, told: bool
) -> None:
    (tmp_path / name).write_text(text)
    assert is_recipe(tmp_path / name) == told
