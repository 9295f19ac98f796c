"""`dentify recipe`: the recipes that ship. In Python: `dentify.planning`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.help import App
from dentify.errors import OutputError

app = App(help="The recipes that ship: lists them, shows one, writes one to be changed.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the recipe, as `dentify recipe list` tells it.")]


@app.command("list")
def list_recipes(debug: Debug = False) -> None:
    """List the recipes that ship, and what each is for.

    \b
    Example:
      dentify recipe list
    """  # noqa: D301 - click wants the character
    from dentify.planning import recipe_names, recipe_summary

    names = recipe_names()
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {recipe_summary(name)}")


@app.command()
def show(name: Name, debug: Debug = False) -> None:
    """Print a recipe.

    \b
    Example:
      dentify recipe show convnext_atto
    """  # noqa: D301 - click wants the character
    from dentify.planning import find_recipe

    print(find_recipe(name).read_text(encoding="utf-8"), end="")


@app.command()
def write(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The file to write. [default: NAME.yaml]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
    debug: Debug = False,
) -> None:
    """Write a recipe into a file of your own, to change it and train by it.

    \b
    Example:
      dentify recipe write default -o my-recipe.yaml
    """  # noqa: D301 - click wants the character
    from dentify.planning import find_recipe
    from dentify.writing import write_whole

    path = output or Path(f"{name}.yaml")
    content = find_recipe(name).read_bytes()
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already; --overwrite replaces it")
    write_whole({path: content})
    print(path)
