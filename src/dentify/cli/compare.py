"""`dentify compare`: several bundles on the same labelled photos. In Python: `dentify.evaluation.compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug, Device, OnDevice, load_assessor, read_settings
from dentify.cli.data import Frame, Images, LabelFrame, Labels, own_names, parse_data, read_data
from dentify.cli.formats import OutputFormat, Printed
from dentify.cli.progress import counted, progress


def compare(
    ctx: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE... DATA",
            help="Two bundles or more, each a folder, a zip, or default; then labelled photos, as `dentify evaluate` takes them. "
            "With --data all of these are bundles.",
        ),
    ],
    more_data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="DATA", help="Labelled photos, in place of the last argument; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write comparison.json and comparison.html into this folder."),
    ] = None,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap behind the intervals.")] = 1000,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time; 1 gives the latency of a lone photo.")] = 1,
    device: OnDevice = Device.AUTO,
    output_format: OutputFormat = Printed.TABLE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a comparison that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Compare bundles on the same labelled photos: each figure side by side, and its difference to the first bundle.

    Differences come with paired intervals: each resample holds the same photos for all bundles. Where an interval holds 0, these
    photos do not tell the two apart.

    \b
    Examples:
      dentify compare default my-bundle damage/val.json -o comparison
      dentify compare default my-bundle --data damage/val.json --data undamaged=lot:val --data no_vehicle=rooms
    """  # noqa: D301 - click wants the character
    bundles, data = (arguments, more_data) if more_data else (arguments[:-1], arguments[-1:])
    if len(bundles) < 2:
        raise typer.BadParameter("name two bundles or more, and DATA last (or with --data)")
    inputs = [parse_data(text) for text in data]
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")

    from dentify import evaluation
    from dentify.writing import locked_folder

    if output is not None:
        ctx.with_resource(locked_folder(output))
        evaluation.check_comparison_folder(output, overwrite=overwrite, read=[*bundles, *(one.path for one in inputs)])
    settings = read_settings()
    assessors = [load_assessor(bundle, settings=settings, device=device) for bundle in bundles]
    evaluation.check_comparable([assessor.bundle.manifest for assessor in assessors], bundles)
    own = own_names(assessor.bundle.manifest for assessor in assessors)

    def count() -> int:
        return sum(1 for _ in read_data(inputs, images, labels, settings, own=own, notes=False, frame=frame))

    with progress("comparing", count, quiet=quiet) as (advance, _):
        result = evaluation.compare(
            assessors,
            counted(read_data(inputs, images, labels, settings, own=own, frame=frame), advance),
            paths=bundles,
            seed=seed,
            resamples=resamples,
            workers=workers,
            data=data,
            settings=settings,
        )
    print(result.to_json() if output_format is Printed.JSON else evaluation.comparison_table(result), flush=True)
    if output is not None:
        evaluation.write_comparison(result, output, overwrite=overwrite)
