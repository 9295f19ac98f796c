"""`dentify dataset split`: photos dealt out into train, val and test. In Python: `dentify.curation.split`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug
from dentify.cli.data import Frame, Images, LabelFrame
from dentify.cli.dataset.options import Overwrite, Quiet, SkipInvalid, Workers, opened
from dentify.cli.formats import InputFormat
from dentify.cli.progress import progress
from dentify.errors import ConfigError, printable


def split(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A label file, or a folder with labels and pictures.")],
    ratios: Annotated[str, typer.Option(metavar="R,R[,R]", help="Shares of train and val, or with test.")] = "70,15,15",
    seed: Annotated[int, typer.Option(min=0, help="Of what chance decides.")] = 0,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="What stays together beside near-duplicates: group, source, folder, or a regular expression whose first group "
            "in a photo's name tells. [default: the data set's own groups]",
        ),
    ] = None,
    no_pictures: Annotated[bool, typer.Option("--no-pictures", help="Do not look for near-duplicates.")] = False,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Deal out photos into train, val and test: near-duplicates together, every label in each by the same shares.

    Writes splits.csv into the data set's folder, which all other commands read; labels and pictures stay as they are.

    \b
    Examples:
      dentify dataset split photos --ratios 70,15,15 --seed 0
      dentify dataset split photos --ratios 80,20 --group-by "^(claim[0-9]+)"
    """  # noqa: D301 - click wants the character
    from dentify.curation.split import check_splits, missing_labels, parse_ratios, split_dataset, split_table, write_splits
    from dentify.datasets.splits import splits_path

    try:
        shares = parse_ratios(ratios)
    except ConfigError as error:
        raise typer.BadParameter(f"--ratios {error}") from error
    check_splits(splits_path(path), overwrite=overwrite)
    with opened(path, input_format, images, None, frame=frame, skip_invalid=skip_invalid) as (dataset, settings):
        with progress("splitting", quiet=quiet) as (advance, _):
            try:
                placed = split_dataset(
                    dataset,
                    shares,
                    seed=seed,
                    group_by=group_by,
                    pictures=not no_pictures,
                    workers=workers,
                    settings=settings,
                    on_photo=advance,
                )
            except ConfigError as error:
                raise typer.BadParameter(str(error)) from error
        print(split_table(placed, shares))
        for note in missing_labels(placed, shares):
            print(f"note: {printable(note)}", file=sys.stderr)
        print(write_splits(placed, dataset, overwrite=overwrite), file=sys.stderr)
