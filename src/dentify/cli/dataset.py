"""`dentify dataset …`: look at labelled photos, convert, split, describe and collect them. In Python: `dentify.datasets`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.collect import app as collect

if TYPE_CHECKING:
    from dentify.errors import DatasetError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at labelled photos, convert, split, collect them.",
)
app.add_typer(collect, name="collect")


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


DatasetPath = Annotated[Path, typer.Argument(metavar="PATH", help="A label file, or a folder with labels and pictures.")]
InputFormat = Annotated[
    str | None, typer.Option(metavar="NAME", help="The format of the labels. [default: the files tell]", show_default=False)
]
Images = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the pictures are. [default: looked for beside the labels]")
]
Labels = Annotated[
    Path | None, typer.Option(metavar="YAML", help="What the labels mean in Dentify's types. [default: those that it knows]")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave out what does not hold and list it. [default: end at the first]")
]
OutputFormat = Annotated[Format, typer.Option("--format", help="A table for people, or JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@app.command()
def inspect(
    path: DatasetPath,
    input_format: InputFormat = None,
    images: Images = None,
    labels: Labels = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write inspection.json and inspection.html into this folder."),
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Decode no picture: no broken ones are found, and no duplicates.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
    output_format: OutputFormat = Format.TABLE,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a data set holds, per split, and what is wrong with it. Exit code 0 whenever it could be read.

    Broken and missing pictures, outlines that lie outside or enclose nothing, photos listed twice, and photos that are
    the same or nearly so: re-encoded, mirrored, turned or cropped a little, across splits above all.

    \b
    Examples:
      dentify dataset inspect photos
      dentify dataset inspect annotations.xml --images photos -o inspection
    """  # noqa: D301 - click wants the character
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")
    from dentify.datasets import open_dataset, read_label_map
    from dentify.datasets.inspection import inspect_dataset
    from dentify.datasets.inspection_report import check_folder, inspection_table, write_inspection

    if output is not None:
        check_folder(output, overwrite=overwrite)
    settings = read_settings()
    problems: list[DatasetError] = []
    dataset = open_dataset(
        path,
        input_format=input_format,
        images=images,
        labels=read_label_map(labels, settings) if labels is not None else None,
        check_pictures=False,
        on_invalid=problems.append,
        settings=settings,
    )
    with progress("inspecting", shown=not quiet and sys.stderr.isatty()) as advance:
        inspected = inspect_dataset(
            dataset, problems, pictures=not no_pictures, workers=workers, settings=settings, on_photo=advance
        )
    inspection = inspected.inspection
    print(inspection.model_dump_json(indent=2) if output_format is Format.JSON else inspection_table(inspection), flush=True)
    if output is not None:
        write_inspection(inspected, output, overwrite=overwrite)


@contextmanager
def progress(what: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Counts photos on a terminal's standard error; the function that it gives is called after each."""
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.completed} photos"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda: bar.advance(task)
