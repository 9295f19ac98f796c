"""`dentify train` and `dentify export`. In Python: `dentify.training.train` and `dentify.training.export_bundle`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, Device, read_settings
from dentify.cli.data import Labels
from dentify.cli.progress import progress
from dentify.errors import DentifyError, printable
from dentify.strict import nearest

if TYPE_CHECKING:
    from dentify.training import Progress, Recipe


def train(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|LABELS...",
            help="What to train and how: a YAML file, or the name of a recipe that ships. Or your own labels: label files, "
            "folders or zips in any format, for which a recipe is decided and written.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder that the recipe's paths are relative to. [default, without a recipe: this one]"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="The run's folder. [default: runs/NAME of the recipe, or of the first labels]"
        ),
    ] = None,
    labels: Labels = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, as phases.0.steps=500.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="BUNDLE|CKPT",
            help="Begin with the weights of a bundle (a folder, a zip, or default) or of another run's checkpoint. "
            "[default, without a recipe: default; random begins with none]",
        ),
    ] = None,
    average_with: Annotated[
        list[Path] | None,
        typer.Option(metavar="CKPT", help="With --from: begin with the mean of its weights and this checkpoint's; repeatable."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Train nothing: say what is wrong with recipe, labels and photos, all at once.")
    ] = False,
    show: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Train nothing: write a page of a recipe's first N training pictures, their truth drawn on, to -o.",
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to train; auto takes an accelerator where there is one.")] = Device.AUTO,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, and no word of how it goes.")] = False,
    debug: Debug = False,
) -> None:
    """Train a network on your own labels, or by a recipe; stop it at any time and go on with --resume.

    Without a recipe one is decided from a look at the labels, written into the run's folder, and begun with the weights of the
    bundle that ships. The folder holds last.ckpt, losses.csv, figures.csv, run.png (a plot of both), pictures.png (photos,
    truth and answers) and a TensorBoard log. By a recipe several processes train together, on one machine or more:
    torchrun --nproc-per-node 2 -m dentify train ...

    \b
    Examples:
      dentify train my-labels -o run
      dentify train my-labels --labels labels.yaml --check
      dentify train run/recipe.yaml --data . -o another-run --set phases.0.steps=2000
      dentify train default --data photos --show 16 -o page.png
    """  # noqa: D301 - click wants the character
    recipe = recipe_file(what)
    if recipe is not None:
        if labels is not None:
            raise typer.BadParameter("--labels is for training without a recipe; in one, `labels` of a set names the map")
        if start == "random":
            raise typer.BadParameter("--from random is for training without a recipe; in one, leave out `start`")
        if data is None:
            raise typer.BadParameter("a recipe needs --data: the folder that its paths are relative to")
        if resume and start is not None:
            raise typer.BadParameter(
                "--resume goes on from the run's own checkpoint, --from begins with another's: give one of them"
            )
    if show is not None and output is None:
        raise typer.BadParameter("--show needs -o: the picture file to write")
    if check and (show is not None or average_with):
        raise typer.BadParameter(f"--check trains nothing: leave out {'--average-with' if show is None else '--show'}")
    if show is not None and (resume or start is not None or average_with):
        raise typer.BadParameter(
            "--show draws what a recipe shows, whatever a run begins with: leave out --resume, --from and such"
        )
    if check:
        checked_run(
            recipe,
            what,
            data=data or Path(),
            output=output,
            labels=labels,
            changes=changes or (),
            start=start,
            resume=resume,
            device=device,
        )
        return
    if recipe is None:
        if show is not None:
            raise typer.BadParameter("--show draws what a recipe says: RUN/recipe.yaml of a run, or one that ships")
        if average_with:
            raise typer.BadParameter("--average-with is for training by a recipe")
        folder = output or _folder_of(what)
        data = data or Path()
        if resume:
            recipe = folder / "recipe.yaml"
        else:
            recipe = decide_recipe(
                [Path(one) for one in what],
                folder=folder,
                data=data,
                labels=labels,
                start=start or "default",
                changes=changes or (),
                quiet=quiet,
            )
        output, start = folder, None
    assert data is not None
    from dentify.training import read_recipe

    plan = read_recipe(recipe, tuple(changes or ()))
    if show is not None:
        assert output is not None
        from dentify.training.show import show_pictures

        print(show_pictures(plan, data=data, output=output, count=show, settings=read_settings()))
        return
    run_recipe(
        plan,
        data=data,
        output=output or Path("runs") / plan.name,
        resume=resume,
        start=None if start is None else Path(start),
        average_with=average_with or (),
        device=device,
        quiet=quiet,
    )


def recipe_file(what: list[str]) -> Path | None:
    """The recipe among the arguments; `None` where they are labels.

    Raises:
        typer.BadParameter: a recipe stands beside something else, or what is written like one is not there.
    """
    from dentify.planning import find_recipe, is_recipe, recipe_names

    found = [Path(one) if is_recipe(Path(one)) else find_recipe(one) for one in what if is_recipe(Path(one)) or _ships(one)]
    if found and len(what) > 1:
        raise typer.BadParameter(f"a run has one recipe, and its data sets stand in it; got {len(what)} arguments")
    if not found and len(what) == 1 and not Path(what[0]).exists():
        near = nearest(Path(what[0]).stem, recipe_names())
        if near or Path(what[0]).suffix.lower() in (".yaml", ".yml"):
            raise typer.BadParameter(
                f"{printable(what[0])}: no such file, folder or recipe{near}; `dentify recipe list` names those that ship"
            )
    return found[0] if found else None


def _folder_of(labels: list[str]) -> Path:
    """Where a run without a recipe goes that was not given a folder."""
    return Path("runs") / (Path(labels[0]).resolve().stem or "mine")


def checked_run(
    recipe: Path | None,
    what: list[str],
    *,
    data: Path,
    output: Path | None,
    labels: Path | None,
    changes: Sequence[str],
    start: str | None,
    resume: bool,
    device: Device,
) -> None:
    """Tells everything that is wrong with a run, a line each, and ends with 1; or else what it will be.

    Raises:
        typer.Exit: something is wrong.
    """
    from dentify.planning import check_labels, check_recipe, told_time

    settings = read_settings()
    if recipe is None:
        checked = check_labels(
            [Path(one) for one in what],
            output=output or _folder_of(what),
            data=data,
            labels=labels,
            start=start or "default",
            resume=resume,
            settings=settings,
        )
    else:
        checked = check_recipe(recipe, data=data, output=output, start=start, resume=resume, settings=settings, changes=changes)
    faults, steps, seconds, how = checked.faults, checked.steps, checked.seconds, "on this machine's processors"
    if (recipe is not None or checked.recipe) and find_spec("torch") is not None:  # it knows the recipe's keys, and networks
        from dentify.training import parse_recipe, read_recipe, timed_seconds

        try:
            if recipe is None:
                plan = parse_recipe(checked.recipe, "the recipe for these labels", tuple(changes))
                seconds *= plan.steps / max(steps, 1)
                steps = plan.steps
            else:
                plan = read_recipe(recipe, tuple(changes))
            if recipe is not None and not faults:
                seconds = timed_seconds(plan, checked, device=device.value)
                how = "on this machine, by some steps that the network took"
        except DentifyError as fault:
            faults = [str(fault), *faults] if str(fault) not in faults else faults
    for line in faults:
        print(f"error: {printable(line)}", file=sys.stderr)
    if faults:
        raise typer.Exit(1)
    types = f"types: {', '.join(map(printable, checked.types))}" if checked.types else "no types of damage"
    print(f"{checked.photos} photos; {types}; {steps:,} steps, about {told_time(seconds)} {how}")


def _ships(name: str) -> bool:
    from dentify.planning import recipe_names

    return not Path(name).exists() and name in recipe_names()


def decide_recipe(
    paths: list[Path], *, folder: Path, data: Path, labels: Path | None, start: str, changes: Sequence[str], quiet: bool
) -> Path:
    """Looks at labels, and writes a recipe for them into a run's folder; what was decided is told on standard error."""
    from dentify.planning import check_free, decide, look, write_decided
    from dentify.planning.check import check_installed

    check_installed()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise typer.BadParameter("several processes train by a recipe; decide one first, in one process")
    check_free(folder)

    def note(text: str) -> None:
        print(f"note: {printable(text)}", file=sys.stderr)

    settings = read_settings()
    seen = look(paths, labels=labels, settings=settings, on_note=note)
    with progress("looking for near-duplicates", quiet=quiet) as (advance, _):
        decided = decide(
            seen,
            output=folder,
            data=data,
            name=folder.resolve().name or "mine",
            labels=labels,
            start=start,
            settings=settings,
            on_photo=advance,
        )
    from dentify.training import parse_recipe

    parse_recipe(decided.recipe, "the recipe for these labels", tuple(changes))  # before anything is written
    path = write_decided(decided, folder)
    for line in decided.why if not quiet else ():
        print(printable(line), file=sys.stderr)
    if not quiet:
        print(f"all of it stands in {path}, to be changed and trained by", file=sys.stderr)
    return path


def run_recipe(
    plan: Recipe,
    *,
    data: Path,
    output: Path,
    resume: bool,
    start: Path | None,
    average_with: Sequence[Path],
    device: Device,
    quiet: bool,
) -> None:
    """Trains, tells how it goes, and prints the path of the checkpoint."""
    from dentify.training import train as run

    settings = read_settings()

    with ExitStack() as stack:
        advance: Callable[[], None] | None = None
        looked: Callable[[], None] | None = None
        say: Callable[[str], None] | None = None  # above the bar, once there is one
        steps = 0

        def on_look() -> None:
            nonlocal looked
            if looked is None:
                looked, _ = stack.enter_context(progress("the teacher looks at photos", quiet=quiet))
            looked()

        def on_step(done: Progress) -> None:
            nonlocal advance, say, steps
            steps = done.step
            if advance is None:  # only now it is known from which step on
                stack.close()  # a terminal shows one bar at a time
                left = done.steps - done.step + 1
                advance, say = stack.enter_context(progress("training", left, unit="steps", quiet=quiet))
            advance()
            if say is not None and done.told is not None and not quiet:
                say(done.told)

        try:
            checkpoint = run(
                plan,
                data=data,
                output=output,
                resume=resume,
                start=start,
                average_with=average_with,
                device=device.value,
                settings=settings,
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
            settings=read_settings(),
            on_total=total.put,
            on_photo=lambda sample: advance(),
        )
    print(done)
