"""`dentify dataset preprocess`: photos made ready for training, here or on a cluster. In Python: `dentify.beam.preprocess`."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.data import Frame, LabelFrame, Labels
from dentify.cli.formats import InputFormat
from dentify.cli.outputs import place
from dentify.cli.progress import progress
from dentify.errors import ConfigError, printable

if TYPE_CHECKING:
    from dentify.beam import Summary

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What the command needs where it is mounted: options that are not its own are Beam's."""


class Fit(StrEnum):
    """How photos are brought to size."""

    LETTERBOX = "letterbox"
    STRETCH = "stretch"


class Write(StrEnum):
    """What pictures are written into."""

    PICTURES = "pictures"
    SHARDS = "shards"


class PictureFormat(StrEnum):
    """How pictures are encoded."""

    JPEG = "jpeg"
    WEBP = "webp"


class Drop(StrEnum):
    """Which duplicates are left out."""

    NEAR = "near"
    EXACT = "exact"
    NONE = "none"


def preprocess(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="IN", help="A folder, a glob, a data set or a zip; or a prefix on gs:// or s3:// (labels: COCO)."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="An empty or new folder or prefix, here or on gs:// or s3://.  [required]"
        ),
    ] = None,
    size: Annotated[str, typer.Option(metavar="N|WxH", help="Size of the pictures in pixels.")] = "512",
    fit: Annotated[
        Fit, typer.Option(help="letterbox: scaled evenly into the top left corner, the rest filled; stretch: fills all.")
    ] = Fit.LETTERBOX,
    write: Annotated[Write, typer.Option(help="Single pictures, or WebDataset shards.")] = Write.PICTURES,
    shard_size: Annotated[int, typer.Option(min=1, help="Pictures in a shard.")] = 1000,
    picture_format: Annotated[
        PictureFormat, typer.Option("--format", case_sensitive=False, help="How pictures are encoded.")
    ] = PictureFormat.JPEG,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of the encoder.")] = 90,
    drop: Annotated[
        Drop, typer.Option(help="Leave out near-duplicates, files that are the same alone, or none. Of several the first stays.")
    ] = Drop.NEAR,
    pictures_only: Annotated[bool, typer.Option("--pictures-only", help="Take the pictures and leave labels alone.")] = False,
    input_format: InputFormat = None,
    images: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where the pictures are. [default: looked for beside the labels]")
    ] = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    runner: Annotated[
        str, typer.Option(help="local, or one of Beam's: DataflowRunner, FlinkRunner, SparkRunner, PortableRunner …")
    ] = "local",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Photos in work at a time in one worker. [default: one a core here, four over the network, one on a cluster]",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run wrote.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no closing line.")] = False,
    debug: Debug = False,
) -> None:
    """Make photos ready for training: upright, one size, no metadata, no duplicates, labels moved with them.

    The folder gets images/ or shards/, annotations.json (COCO), manifest.parquet, sidecar.jsonl (author and licence),
    errors.jsonl and, last of all, _SUCCESS. Any option that is not listed here is one of Apache Beam's and passed on, such as
    --project, --temp_location, --flink_master or --s3_endpoint_url.

    \b
    Examples:
      dentify dataset preprocess photos -o ready --size 512
      dentify dataset preprocess cardd -o ready --fit stretch --size 640x480 --write shards
      dentify dataset preprocess gs://bucket/photos -o gs://bucket/ready --runner DataflowRunner \\
          --project my-project --region europe-west1 --temp_location gs://bucket/tmp
    """  # noqa: D301 - click wants the character
    size_wh = parse_size(size)
    out, beam_options = _sorted_arguments(source, ctx.args, output)
    settings = read_settings()

    from dentify.beam import Recipe
    from dentify.beam import preprocess as run
    from dentify.datasets.labels import read_label_map

    label_map = None if labels is None else read_label_map(labels, settings)
    with _watching(quiet=quiet or not sys.stderr.isatty()) as watch:
        try:
            summary = run(
                source,
                out,
                recipe=Recipe(size_wh, fit.value, picture_format.value, quality),
                write=write.value,
                shard_size=shard_size,
                drop=drop.value,
                pictures_only=pictures_only,
                input_format=input_format,
                images=images,
                labels=label_map,
                frame=frame.value,
                runner=runner,
                beam_options=beam_options,
                threads=threads,
                overwrite=overwrite,
                settings=settings,
                on_start=watch.start,
            )
        except ConfigError as error:
            raise typer.BadParameter(str(error)) from error
    if summary is None:
        if not quiet:
            print(f"{printable(out)}: the job is on its way; _SUCCESS is written there when it is done", file=sys.stderr)
        return
    if not quiet:
        for note in summary.notes:
            print(f"note: {printable(note)}", file=sys.stderr)
        print(f"{printable(out)}: {told(summary)}", file=sys.stderr)
    if summary.failed:
        raise typer.Exit(1)


def _sorted_arguments(source: str, others: list[str], output: str | None) -> tuple[str, list[str]]:
    """Where to write, and Beam's options, of what the command line holds beside IN and the options of preprocess."""
    if source.startswith("--"):
        raise typer.BadParameter(f"{printable(source)!r} is no option of preprocess; those of Beam stand behind IN")
    strays = list(takewhile(lambda word: not word.startswith("-"), others))
    if len(strays) > (output is None):
        raise typer.BadParameter(f"{printable(strays[-1])!r} is one argument too many: preprocess takes one IN; quote a glob")
    return place(output, strays[0] if strays else None), others[len(strays) :]


def parse_size(text: str) -> tuple[int, int]:
    """Width and height: one number for both, or `WIDTHxHEIGHT`.

    Raises:
        typer.BadParameter: it is neither.

    >>> parse_size("512"), parse_size("640x480")
    ((512, 512), (640, 480))
    """
    match = re.fullmatch(r"(\d{2,4})(?:[x×](\d{2,4}))?", text)
    if match is None or min(int(side or match[1]) for side in match.groups()) < 16:
        raise typer.BadParameter(f"--size {printable(text)!r} is no size; give pixels from 16 to 9999, such as 512 or 640x480")
    return int(match[1]), int(match[2] or match[1])


def told(summary: Summary) -> str:
    """How a run came out, on one line."""
    shards = f" in {summary.shards} shards" if summary.shards else ""
    parts = [f"{summary.written} pictures{shards}"]
    if summary.exact_duplicates or summary.near_duplicates:
        parts.append(f"{summary.exact_duplicates} same files and {summary.near_duplicates} near-duplicates left out")
    if summary.failed:
        parts.append(f"{summary.failed} failed (errors.jsonl)")
    return ", ".join(parts)


class _Watch:
    """Shows how the pictures in the staging folder grow in number, in a thread of its own."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, total: int, folder: str) -> None:
        """Starts to look at the folder, where it is one here."""
        if not self._quiet and "://" not in folder:
            self._thread = threading.Thread(target=self._show, args=(total, Path(folder)), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Takes the bar away."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self, total: int, folder: Path) -> None:
        with progress("preprocessing", total, quiet=self._quiet) as (advance, _):
            seen = 0
            while not self._done.wait(0.5):
                there = sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0
                for _ in range(there - seen):
                    advance()
                seen = max(seen, there)


@contextmanager
def _watching(*, quiet: bool) -> Iterator[_Watch]:
    watch = _Watch(quiet=quiet)
    try:
        yield watch
    finally:
        watch.stop()
