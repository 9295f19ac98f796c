"""The recipes that ship, by name."""

from __future__ import annotations

import re
from pathlib import Path

from dentify.errors import ConfigError
from dentify.plain_yaml import load_yaml
from dentify.strict import nearest

_FOLDER = Path(__file__).with_name("recipes")


def recipe_names() -> list[str]:
    """Of all, in the order of the alphabet."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find_recipe(name: str) -> Path:
    """The file of a recipe that ships.

    Raises:
        ConfigError: there is none of this name.

    >>> find_recipe("default").name
    'default.yaml'
    """
    path = _FOLDER / f"{name}.yaml"
    if name not in recipe_names():
        raise ConfigError(
            f"{name!r} is no recipe that ships{nearest(name, recipe_names())}; known are {', '.join(recipe_names())}"
        )
    return path


def recipe_path(path: Path) -> Path:
    """The file of a recipe: that one, or where there is none the recipe that ships by this name."""
    return find_recipe(str(path)) if not path.exists() and str(path) in recipe_names() else path


def recipe_summary(name: str) -> str:
    """What a recipe is for: the first sentence of its description, read without PyYAML, which comes with an extra."""
    text = find_recipe(name).read_text(encoding="utf-8")
    told = re.search(r"^description: (?:>-\n((?: +.*\n)+)|(.*))", text, re.MULTILINE)
    assert told is not None  # a test reads every recipe that ships by PyYAML, too
    return " ".join((told[1] or told[2]).split()).partition(". ")[0].rstrip(".")


def is_recipe(path: Path) -> bool:
    """Whether a file is a recipe: YAML, and not the list of classes that a YOLO data set brings.

    What cannot be read is taken for one, so that it is told what is wrong with it.

    Raises:
        ModuleNotFoundError: pyyaml is not installed, whatever the file is; without it nothing is trained.
    """
    import yaml

    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return False
    try:
        document = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return True
    return not (isinstance(document, dict) and "names" in document and "heads" not in document)
