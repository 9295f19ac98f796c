"""`dentify train` and `dentify export`. In Python: `dentify.training.train` and `dentify.training.export_bundle`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, Device
from dentify.cli.progress import progress
from dentify.errors import printable

if TYPE_CHECKING:
    from dentify.training import Progress


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="What to train and how: a YAML file.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The folder that the recipe's paths are relative to.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The run's folder. [default: runs/NAME of the recipe]")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, as phases.0.steps=500.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="CKPT", help="Begin with the weights of another run's checkpoint.")
    ] = None,
    average_with: Annotated[
        list[Path] | None,
        typer.Option(metavar="CKPT", help="With --from: begin with the mean of its weights and this checkpoint's; repeatable."),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Train nothing: write a page of the first N training pictures, their truth drawn on, to -o."
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train; auto takes an accelerator where there is one.")] = Device.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Train a network by a recipe; stop it at any time and go on with --resume.

    The run's folder holds last.ckpt, losses.csv, figures.csv, run.png (a plot of both, drawn anew as it goes) and a TensorBoard
    log. Several processes, on one machine or more: torchrun --nproc-per-node 2 -m dentify train ...

    \b
    Examples:
      dentify train recipes/default.yaml --data photos
      dentify train recipes/default.yaml --data photos --set phases.0.steps=2000 --resume
      dentify train recipes/default.yaml --data photos --show 16 -o page.png
    """  # noqa: D301 - click wants the character
    if resume and start is not None:
        raise typer.BadParameter("--resume goes on from the run's own checkpoint, --from begins with another's: give one of them")
    if show is not None and output is None:
        raise typer.BadParameter("--show needs -o: the picture file to write")
    from dentify.training import read_recipe
    from dentify.training import train as run

    plan = read_recipe(recipe, tuple(changes or ()))
    if show is not None:
        assert output is not None
        from dentify.training.show import show_pictures

        print(show_pictures(plan, data=data, output=output, count=show))
        return
    with ExitStack() as stack:
        advance: Callable[[], None] | None = None
        looked: Callable[[], None] | None = None
        steps = 0

        def on_look() -> None:
            nonlocal looked
            if looked is None:
                looked, _ = stack.enter_context(progress("the teacher looks at photos", quiet=quiet))
            looked()

        def on_step(done: Progress) -> None:
            nonlocal advance, steps
            steps = done.step
            if advance is None:  # only now it is known from which step on
                advance, _ = stack.enter_context(progress("training", done.steps - done.step + 1, unit="steps", quiet=quiet))
            advance()

        try:
            checkpoint = run(
                plan,
                data=data,
                output=output or Path("runs") / plan.name,
                resume=resume,
                start=start,
                average_with=average_with or (),
                device=device.value,
                on_step=on_step,
                on_look=on_look,
                on_note=lambda note: print(f"note: {printable(note)}", file=sys.stderr),
            )
        except KeyboardInterrupt as interrupt:
            advice = "the same command with --resume goes on from here" if steps else "nothing was trained yet"
            print(f"interrupted after {steps} steps; {advice}", file=sys.stderr)
            raise typer.Exit(130) from interrupt
    if os.environ.get("RANK", "0") == "0":  # of several processes one tells
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
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Make a bundle of a checkpoint: ONNX, compared with torch on real photos; thresholds and calibration from held-out ones.

    What no training photo showed is left out: the bundle does not judge it.

    \b
    Example:
      dentify export runs/default/last.ckpt -o my-bundle
    """  # noqa: D301 - click wants the character
    from dentify.training import export_bundle

    total: Queue[int] = Queue()  # known once the checkpoint and its photos are read
    with progress("fitting", total.get, quiet=quiet) as (advance, _):
        done = export_bundle(
            checkpoint,
            output,
            average_with=average_with or (),
            data=data,
            version=version,
            overwrite=overwrite,
            on_total=total.put,
            on_photo=lambda sample: advance(),
        )
    print(done)
