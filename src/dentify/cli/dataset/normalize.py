"""`dentify dataset normalize`: mean and spread of the pictures' colours. In Python: `dentify.curation.normalize`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, Images, LabelFrame
from dentify.cli.dataset.options import DatasetPath, Overwrite, Quiet, SkipInvalid, Workers, check_free, opened
from dentify.cli.formats import InputFormat
from dentify.cli.progress import progress


def normalize(
    path: DatasetPath,
    split: Annotated[str, typer.Option(help="Of which photos; all, where the data set has no splits.")] = "train",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A JSON file. [default: standard output]")
    ] = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Mean and standard deviation of red, green and blue (0 to 1) over the train split, as JSON; a recipe may name the file.

    \b
    Examples:
      dentify dataset normalize photos
      dentify dataset normalize photos -o normalization.json
    """  # noqa: D301 - click wants the character
    from dentify.curation.normalize import channel_figures
    from dentify.writing import write_whole

    check_free(output, overwrite=overwrite)
    with opened(path, input_format, images, None, frame=frame, skip_invalid=skip_invalid) as (dataset, settings):
        if output is not None:
            dataset.check_not_read(output)
        with progress("measuring", quiet=quiet) as (advance, _):
            figures = channel_figures(
                dataset, split, workers=workers, on_invalid=dataset.refuse, settings=settings, on_photo=advance
            )
        if output is None:
            print(figures.model_dump_json(indent=2))
        else:
            write_whole({output: figures.model_dump_json(indent=2).encode() + b"\n"})
            print(output, file=sys.stderr)
