"""What commands of `dentify dataset` have in common: the data set that they read, opened by their options."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import read_settings
from dentify.cli.data import Frame
from dentify.errors import OutputError, printable

if TYPE_CHECKING:
    from dentify.datasets import Dataset
    from dentify.settings import Settings


class Pictures(StrEnum):
    """What becomes of pictures."""

    COPY = "copy"
    LINK = "link"
    NONE = "none"


DatasetPath = Annotated[Path, typer.Argument(metavar="PATH", help="A label file, or a folder or zip with labels and pictures.")]
NewFolder = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="DIR", help="The folder to make, labels and pictures in it.  [required]"),
]
PicturesAs = Annotated[
    Pictures, typer.Option("--pictures", help="Copy the pictures, link to them, or leave them where they are.")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave out what does not hold and list it. [default: end at the first]")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Pictures in work at a time.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def check_free(output: Path | None, *, overwrite: bool) -> None:
    """Makes sure that a file may be written.

    Raises:
        OutputError: something is there, and was not asked to be replaced.
    """
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")
    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output}: is there already; --overwrite replaces it")


@contextmanager
def opened(
    path: Path,
    input_format: str | None,
    images: Path | None,
    labels: Path | None,
    *,
    frame: Frame,
    skip_invalid: bool,
    keep_words: bool = False,
    by_meaning: bool = False,
) -> Iterator[tuple[Dataset, Settings]]:
    """The data set of a command; what is left out with `--skip-invalid` is listed when it is done, and so are notes.

    A command that takes labels `by_meaning` tells which words nobody explained.
    """
    from dentify.datasets import LabelMap, open_dataset, read_label_map

    settings = read_settings()
    mapped = read_label_map(labels, settings) if labels is not None else LabelMap(others="kept" if keep_words else "known")
    skipped: dict[str, None] = {}
    dataset = open_dataset(
        path,
        input_format=input_format,
        images=images,
        labels=mapped,
        frame=frame.value,
        on_invalid=(lambda error: skipped.setdefault(str(error))) if skip_invalid else None,
        settings=settings,
    )
    if labels is not None:
        dataset.check_labels()
    yield dataset, settings
    for message in skipped:
        print(f"skipped: {printable(message)}", file=sys.stderr)
    unmapped = dataset.unmapped() if by_meaning else None
    for note in (*dataset.notes, *([unmapped] if unmapped else [])):
        print(f"note: {printable(note)}", file=sys.stderr)


def tell_lost(to: str, lost: dict[str, int]) -> None:
    """A line for each thing that a format cannot hold."""
    for what, count in lost.items():
        print(f"note: {to} cannot hold everything: {printable(what)} ({count})", file=sys.stderr)
