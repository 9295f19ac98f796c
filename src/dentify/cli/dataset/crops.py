"""`dentify dataset crops`: each annotated damage as a picture of its own. In Python: `dentify.curation.crops`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, Images, LabelFrame, Labels
from dentify.cli.dataset.options import DatasetPath, Overwrite, Quiet, SkipInvalid, Workers, opened
from dentify.cli.formats import InputFormat
from dentify.cli.progress import progress


def crops(
    path: DatasetPath,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the crops.")],
    margin: Annotated[
        float,
        typer.Option(min=0, max=2, help="Shown around a damage, in shares of its longer side, as other types leave room."),
    ] = 0.25,
    least_side: Annotated[int, typer.Option(min=1, metavar="PIXELS", help="Smaller crops are left out.")] = 48,
    labels: Labels = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Cut out every annotated damage that lies by itself: pictures of one type each, and a photos.csv, for classifiers.

    \b
    Example:
      dentify dataset crops damage/train.json -o crops
    """  # noqa: D301 - click wants the character
    from dentify.curation.crops import write_crops
    from dentify.writing import check_apart

    with opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True) as (
        dataset,
        settings,
    ):
        check_apart([output], [path])
        dataset.check_not_read(output / "photos.csv")
        with progress("cutting", quiet=quiet) as (advance, _):
            counts = write_crops(
                dataset,
                output,
                margin=margin,
                least_side=least_side,
                workers=workers,
                overwrite=overwrite,
                settings=settings,
                on_photo=advance,
                on_invalid=dataset.refuse,
            )
        for name, count in counts.most_common():
            print(f"{name}: {count}")
        print(output / "photos.csv", file=sys.stderr)
