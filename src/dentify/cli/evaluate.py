"""`dentify evaluate`: how good a bundle is on labelled photos. In Python: `dentify.evaluation.evaluate`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, Device, OnDevice, load_assessor, read_settings
from dentify.cli.data import DATA_HELP, Frame, Images, LabelFrame, Labels, own_names, parse_data, read_data
from dentify.cli.formats import OutputFormat, Printed
from dentify.cli.progress import counted, progress
from dentify.errors import printable

if TYPE_CHECKING:
    from dentify.datasets import Sample


def evaluate(
    ctx: typer.Context,
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE|default", help="The bundle to judge: a folder, a zip, or default.")],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help=DATA_HELP,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Write figures, tables, plots and a page into this folder."),
    ] = None,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    score_threshold: Annotated[
        float | None,
        typer.Option(min=0.01, max=1.0, help="Tell findings from this confidence on. [default: the bundle's, one a type]"),
    ] = None,
    no_gates: Annotated[
        bool, typer.Option("--no-gates", help="Tell findings even where no vehicle or no damage is recognised.")
    ] = False,
    stretch: Annotated[
        str | None, typer.Option(metavar="WxH", help="Stretch every photo to this size first, so that its shape betrays nothing.")
    ] = None,
    jpeg: Annotated[int | None, typer.Option(min=1, max=100, help="Save every photo as JPEG of this quality first.")] = None,
    crops: Annotated[
        int, typer.Option(min=0, help="Random close-ups of each undamaged photo (10 to 25 % of its area) to judge beside it.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of close-ups and bootstrap.")] = 0,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap behind the intervals.")] = 1000,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time.")] = 2,
    device: OnDevice = Device.AUTO,
    output_format: OutputFormat = Printed.TABLE,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an evaluation that is there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    debug: Debug = False,
) -> None:
    """Judge a bundle on labelled photos: AP, pixels, boundaries, gates, types, severity, calibration, latency and more.

    What the bundle does not tell is left out. Everything is judged as users get it, but AP, which is taken from all that was seen
    on annotated photos: down to a confidence of 0.01 and without gates. With --score-threshold or --no-gates all figures are
    taken from what these tell.

    \b
    Examples:
      dentify evaluate default damage/val.json -o evaluation
      dentify evaluate default undamaged=undamaged/photos.csv:val no_vehicle=receipts --crops 1
      dentify evaluate my-bundle CarDD_release
      dentify evaluate my-bundle damage/val.json undamaged=cars --stretch 320x320 --jpeg 85
    """  # noqa: D301 - click wants the character
    inputs = [parse_data(text) for text in data]
    stretch_wh = None if stretch is None else parse_stretch(stretch)
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")

    from dentify import evaluation
    from dentify.evaluation import cardd
    from dentify.evaluation.write import check_folder
    from dentify.writing import locked_folder

    if output is not None:
        import dentify.evaluation.plots  # noqa: F401 - a missing extra is told now and not after an hour

        ctx.with_resource(locked_folder(output))
        check_folder(output, overwrite=overwrite, read=[bundle, *(one.path for one in inputs)])
    settings = read_settings()
    assessor = load_assessor(bundle, settings=settings, device=device)
    mistakes = None if output is None else evaluation.Mistakes(settings=settings)
    overlays = None if output is None else evaluation.Overlays(settings=settings)
    one_look = score_threshold is not None or no_gates
    own = own_names([assessor.bundle.manifest])
    releases = [(one, None if one.label else cardd.release_at(one.path, one.split, settings)) for one in inputs]

    def read(*, notes: bool = True) -> Iterator[Sample]:
        for one, release in releases:
            if release is not None and release.masks:
                yield from cardd.mask_samples(release, settings)
                continue
            if release is not None:
                one = one._replace(path=release.path, split=release.split)
            told = notes and release is None  # a release holds files beside its labels that are no part of them
            yield from read_data([one], images, labels, settings, own=own, notes=told, frame=frame)

    for one, release in releases:
        if release is not None and one.split is None:
            print(f"note: {printable(str(one.path))} is of CarDD: its {release.split} split is judged", file=sys.stderr)

    def count() -> int:
        return sum(1 for _ in read(notes=False))

    with progress("assessing", count, quiet=quiet) as (advance, _):
        result = evaluation.evaluate(
            assessor,
            counted(read(), advance),
            score_threshold=score_threshold,
            gates=not no_gates,
            scoring_threshold=None if one_look else evaluation.SCORING_THRESHOLD,
            alike=evaluation.Alike(stretch_wh=stretch_wh, jpeg=jpeg),
            crops=crops,
            seed=seed,
            resamples=resamples,
            workers=workers,
            data=data,
            settings=settings,
            mistakes=mistakes,
            overlays=overlays,
            benchmark=cardd.benchmark_of([release for one, release in releases if not one.label]),
        )
    print(result.to_json() if output_format is Printed.JSON else evaluation.evaluation_table(result), flush=True)
    if output is not None:
        evaluation.write_evaluation(result, output, mistakes=mistakes, overlays=overlays, overwrite=overwrite)


def parse_stretch(text: str) -> tuple[int, int]:
    """A size as `WIDTHxHEIGHT`.

    Raises:
        typer.BadParameter: it is none.

    >>> parse_stretch("320x240")
    (320, 240)
    """
    match = re.fullmatch(r"(\d{2,5})[x×](\d{2,5})", text)
    if match is None:
        raise typer.BadParameter(f"--stretch {printable(text)!r} is no size; give WxH in pixels, such as 320x320")
    return int(match[1]), int(match[2])
