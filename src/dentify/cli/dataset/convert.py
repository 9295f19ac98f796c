"""`dentify dataset convert`: a data set in another format. In Python: `dentify.datasets.convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, Images, LabelFrame
from dentify.cli.dataset.options import (
    DatasetPath,
    NewFolder,
    Overwrite,
    Pictures,
    PicturesAs,
    Quiet,
    SkipInvalid,
    opened,
    tell_lost,
)
from dentify.cli.formats import InputFormat, To
from dentify.cli.outputs import place
from dentify.cli.progress import counted, progress


def convert(
    path: DatasetPath,
    to: To,
    output: NewFolder = None,
    last: Annotated[Path | None, typer.Argument(metavar="OUT", hidden=True)] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="YAML", help="Rename to Dentify's types by this map. [default: labels stay as they are]"),
    ] = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    pictures: PicturesAs = Pictures.COPY,
    skip_invalid: SkipInvalid = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a data set in another format, pictures beside the labels, and say what that format cannot hold.

    With --labels everything is renamed to Dentify's types; a label that the map leaves out is an error that lists all of them.

    \b
    Examples:
      dentify dataset convert export.json -o photos-coco --to coco --labels labels.yaml
      dentify dataset convert photos-coco -o photos-yolo --to yolo
    """  # noqa: D301 - click wants the character
    out = place(output, last)
    from dentify.datasets.convert import check_output, names_in, write_dataset

    check_output(out, to, overwrite=overwrite, read=[path, *(one for one in (images, labels) if one is not None)])
    with opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, keep_words=True) as (
        dataset,
        settings,
    ):
        names = names_in(dataset)
        with progress("converting", quiet=quiet) as (advance, _):
            lost = write_dataset(
                counted(dataset, advance),
                out,
                to,
                names=names,
                pictures=pictures.value,
                overwrite=overwrite,
                on_invalid=dataset.refuse,
                settings=settings,
            )
    tell_lost(to, lost)
    print(out)
