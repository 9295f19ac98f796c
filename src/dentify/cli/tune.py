"""`dentify tune`. In Python: `dentify.training.tune`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, Device, read_settings
from dentify.cli.progress import progress

if TYPE_CHECKING:
    from dentify.training import Tuned


def tune(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What to train, and in `search` what to change: a YAML file.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder that the recipe's paths are relative to.")],
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Runs that are to be finished, by all processes together.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The study's folder. [default: runs/NAME-tune]")
    ] = None,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="FIGURE", help="What makes a run good: a figure on val, as types/mean; repeatable: their mean."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, as tune.goal=lowest.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train; auto takes an accelerator where there is one.")] = Device.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Train a recipe again and again with other values of what its `search` names, and keep the best.

    Stop it at any time: the same command goes on. Started several times it shares the work; a process that is killed loses the
    trial that it was at. The study's folder holds best.yaml, a recipe for dentify train, and trials.csv, history.png,
    importances.png and slices.png.

    \b
    Examples:
      dentify tune my-recipe.yaml --data photos --trials 40
      dentify tune my-recipe.yaml --data photos --trials 40 --for damage/no --for damage/yes
    """  # noqa: D301 - click wants the character
    from dentify.planning import recipe_path
    from dentify.training import read_recipe
    from dentify.training import tune as run

    chosen = [f"tune.figures={json.dumps(figures)}"] if figures else []
    plan = read_recipe(recipe_path(recipe), (*(changes or ()), *chosen))
    folder = output or Path("runs") / f"{plan.name}-tune"
    with progress("tuning", trials, unit="trials", quiet=quiet) as (advance, _):
        try:
            tuned = run(
                plan, data=data, output=folder, trials=trials, device=device.value, settings=read_settings(), on_finished=advance
            )
        except KeyboardInterrupt as interrupt:
            print(f"interrupted: {folder} holds what was finished; the same command goes on from there", file=sys.stderr)
            raise typer.Exit(130) from interrupt
    rows = _rows(tuned)
    width = max(len(what) for what, _ in rows)
    for what, told in rows:
        print(f"{what:<{width}}  {told}")


def _rows(tuned: Tuned) -> list[tuple[str, str]]:
    """The best trial, its values, and where all of it is."""
    from dentify.training.trials import tell_value

    states = [trial.state for trial in tuned.trials]
    others = ", ".join(f"{states.count(state)} {state}" for state in ("pruned", "lost") if state in states)
    finished = sum(trial.is_finished for trial in tuned.trials)
    return [
        (tuned.label, f"{tuned.best.figure:.4f} in trial {tuned.best.number}, of {finished}{f' ({others})' if others else ''}"),
        *((key, tell_value(value)) for key, value in tuned.best.values.items()),
        ("recipe", str(tuned.recipe)),
        ("checkpoint", str(tuned.checkpoint)),
        ("trials", str(tuned.table)),
        ("plots", ", ".join(map(str, tuned.plots))),
    ]
