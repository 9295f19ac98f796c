"""`dentify train` and `dentify export`. In Python: `dentify.training.train` and `dentify.training.export_bundle`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What to train and how: a YAML file.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder that the recipe's paths are relative to.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The run's folder. [default: runs/NAME of the recipe]")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, as schedule.steps=500.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="CKPT", help="Go on from this checkpoint, in a run of its own.")
    ] = None,
    average_with: Annotated[
        list[Path] | None,
        typer.Option(metavar="CKPT", help="With --from: begin with the mean of its weights and this checkpoint's; repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Train a network by a recipe; stop it at any time and go on with --resume.

    \b
    Examples:
      dentify train recipes/default.yaml --data photos
      dentify train recipes/default.yaml --data photos --set schedule.steps=2000 --resume
    """  # noqa: D301 - click wants the character
    if resume and start is not None:
        raise typer.BadParameter("--resume goes on from the run's own checkpoint, --from from another: give one of them")
    from dentify.training import read_recipe
    from dentify.training import train as run

    plan = read_recipe(recipe, tuple(changes or ()))
    folder = output or Path("runs") / plan.name
    checkpoint = run(
        plan,
        data=data,
        output=folder,
        resume=folder / "last.ckpt" if resume else start,
        average_with=average_with or (),
        progress=not quiet and sys.stderr.isatty(),
    )
    print(checkpoint)


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A run's checkpoint, recipe.yaml beside it.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="BUNDLE", help="The folder, or .zip, to write.")],
    average_with: Annotated[
        list[Path] | None,
        typer.Option(metavar="CKPT", help="Average the weights with those of this checkpoint of the same network; repeatable."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder that the recipe's paths are relative to. [default: the run's]")
    ] = None,
    version: Annotated[str, typer.Option(help="The bundle's version.")] = "1.0.0",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there already.")] = False,
    debug: Debug = False,
) -> None:
    """Make a bundle of a checkpoint: ONNX, compared with torch on real photos; thresholds and calibration from held-out ones.

    \b
    Example:
      dentify export runs/default/last.ckpt -o my-bundle
    """  # noqa: D301 - click wants the character
    from dentify.training import export_bundle

    print(export_bundle(checkpoint, output, average_with=average_with or (), data=data, version=version, overwrite=overwrite))
