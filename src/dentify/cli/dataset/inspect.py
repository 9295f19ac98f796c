"""`dentify dataset inspect`: what a data set holds and what is wrong with it. In Python: `dentify.curation.inspection`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.data import Frame, Images, LabelFrame, Labels
from dentify.cli.dataset.options import DatasetPath, Overwrite, Quiet, Workers
from dentify.cli.formats import InputFormat, OutputFormat, Printed
from dentify.cli.progress import progress
from dentify.errors import DatasetError


def inspect(
    ctx: typer.Context,
    path: DatasetPath,
    input_format: InputFormat = None,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Write inspection.json, inspection.html and a draft labels.yaml here."
        ),
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Decode no picture: no broken ones are found, and no duplicates.")
    ] = False,
    workers: Workers = 2,
    output_format: OutputFormat = Printed.TABLE,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a data set holds, per split, and what is wrong with it. Exit code 0 whenever any photo could be read.

    Broken and missing pictures, outlines that lie outside or enclose nothing, photos listed twice, and photos that are
    the same or nearly so: re-encoded, mirrored, turned or cropped a little, across splits above all.

    \b
    Examples:
      dentify dataset inspect photos
      dentify dataset inspect annotations.xml --images photos -o inspection
    """  # noqa: D301 - click wants the character
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")
    from dentify.curation.inspection import inspect_dataset
    from dentify.curation.inspection_report import FILES, check_folder, inspection_table, write_inspection
    from dentify.datasets import open_dataset, read_label_map
    from dentify.writing import locked_folder

    if output is not None:
        ctx.with_resource(locked_folder(output))
        check_folder(output, overwrite=overwrite, read=[path, *([labels] if labels is not None else [])])
    settings = read_settings()
    problems: list[DatasetError] = []
    label_map = read_label_map(labels, settings) if labels is not None else None
    dataset = open_dataset(
        path,
        input_format=input_format,
        images=images,
        labels=label_map,
        frame=frame.value,
        check_pictures=False,
        on_invalid=problems.append,
        settings=settings,
    )
    if output is not None:
        for name in FILES:
            dataset.check_not_read(output / name)
    with progress("inspecting", quiet=quiet) as (advance, _):
        if labels is not None:
            try:
                dataset.check_labels()
            except DatasetError as error:
                problems.append(error)
        inspected = inspect_dataset(
            dataset, problems, pictures=not no_pictures, workers=workers, settings=settings, on_photo=advance
        )
    inspection = inspected.inspection
    print(inspection.model_dump_json(indent=2) if output_format is Printed.JSON else inspection_table(inspection), flush=True)
    if output is not None:
        write_inspection(inspected, output, overwrite=overwrite, settings=settings)
    if problems and not inspection.photos:
        raise typer.Exit(1)
