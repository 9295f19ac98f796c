"""`dentify dataset merge`: one data set of several. In Python: `dentify.curation.merge`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, LabelFrame
from dentify.cli.dataset.options import NewFolder, Overwrite, Pictures, PicturesAs, Quiet, SkipInvalid, Workers, opened, tell_lost
from dentify.cli.formats import To
from dentify.cli.outputs import inputs_and_place
from dentify.cli.progress import progress


def merge(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Two or more data sets: label files, folders or zips.", show_default=False),
    ],
    output: NewFolder = None,
    to: To = "coco",
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="YAML",
            help="What the words of all become. [default: known words become Dentify's, others stay]",
        ),
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Leave out photos that an earlier source holds, too.")
    ] = False,
    frame: LabelFrame = Frame.UPRIGHT,
    pictures: PicturesAs = Pictures.COPY,
    skip_invalid: SkipInvalid = False,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make one data set of several: label spaces united, splits kept, photos that several of them hold told.

    What a source does not label stays unknown on its photos, which COCO alone can hold; other formats lose much.

    \b
    Examples:
      dentify dataset merge cardd export.zip -o all
      dentify dataset merge mine.json theirs -o all --labels labels.yaml --drop-duplicates
    """  # noqa: D301 - click wants the character
    inputs, out = inputs_and_place(paths, output, least=2)
    if len(inputs) < 2:
        raise typer.BadParameter("give two data sets or more")
    from dentify.curation.merge import merge_datasets, merge_table, told_duplicates
    from dentify.datasets.convert import check_output

    check_output(out, to, overwrite=overwrite, read=[*inputs, *([labels] if labels is not None else [])])
    with ExitStack() as stack:
        sources = [
            stack.enter_context(opened(path, None, None, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True))
            for path in inputs
        ]
        with progress("merging", quiet=quiet) as (advance, _):
            merged = merge_datasets(
                [dataset for dataset, _ in sources],
                out,
                to,
                drop_duplicates=drop_duplicates,
                pictures=pictures.value,
                workers=workers,
                overwrite=overwrite,
                settings=sources[0][1],
                on_photo=advance,
            )
        print(merge_table(merged))
        for line in told_duplicates(merged):
            print(line, file=sys.stderr)
        tell_lost(to, merged.lost)
        print(out, file=sys.stderr)
