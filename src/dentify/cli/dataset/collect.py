"""`dentify dataset collect flickr`: photos under chosen licences. In Python: `dentify.collecting.flickr.collect_flickr`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.help import App
from dentify.cli.outputs import place
from dentify.cli.progress import progress
from dentify.errors import ConfigError, printable

app = App()

KEY = "FLICKR_API_KEY"


class Size(StrEnum):
    """Which of a photo's files to fetch."""

    LARGEST = "largest"
    ORIGINAL = "original"


@app.callback()
def collect() -> None:
    """Collect photos, with a list of where each came from and under which licence."""


@app.command()
def flickr(
    query: Annotated[str, typer.Option(help="Words to find in titles, descriptions and tags.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Photos of this query that the folder holds in the end.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder for photos and photos.csv; one that is begun goes on.  [required]"
        ),
    ] = None,
    last: Annotated[Path | None, typer.Argument(metavar="OUT", hidden=True)] = None,
    licences: Annotated[
        str,
        typer.Option(
            "--licenses",
            metavar="NAME,NAME...",
            help="cc: all of Creative Commons; free: what of it may be changed and sold; or by, by-sa, by-nd, by-nc, by-nc-sa, "
            "by-nc-nd, cc0, pdm, us-gov, no-known-restrictions.",
        ),
    ] = "cc",
    size: Annotated[
        Size, typer.Option(help="The original where there is one, else the largest size; or nothing but originals.")
    ] = Size.LARGEST,
    pause: Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="Least time from one request to the next.")] = 1.0,
    endpoint: Annotated[str | None, typer.Option(metavar="URL", hidden=True, help="Another server that speaks the API.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no notes, no closing line.")] = False,
    debug: Debug = False,
) -> None:
    """Fetch photos from Flickr under chosen licences, and write down whose they are.

    A photo 123 becomes DIR/123.jpg and a row of DIR/photos.csv with owner, title, licence, addresses and tags. A run that was
    broken off goes on when it is called again. The key of Flickr's API is read from the environment variable FLICKR_API_KEY;
    https://www.flickr.com/services/apps/create/ gives one.

    \b
    Examples:
      dentify dataset collect flickr --query "car dent" -n 200 -o cars
      dentify dataset collect flickr --query "parking lot" --licenses cc0,by -n 500 -o undamaged
    """  # noqa: D301 - click wants the character
    from dentify.collecting.flickr import ENDPOINT, KEY_PAGE, collect_flickr, parse_licences

    out = place(output, last, what="the folder for photos")
    try:
        parse_licences(licences)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    if not query.strip():
        raise typer.BadParameter("--query is empty: say what to look for")
    api_key = os.environ.get(KEY, "")
    if not api_key.strip():
        raise typer.BadParameter(f"{KEY} is not set: it holds your key of Flickr's API; {KEY_PAGE} gives one")

    settings = read_settings()
    fetched = earlier = passed_over = 0
    try:
        with progress("collecting", count, quiet=quiet) as (advance, say):
            note = (lambda line: None) if quiet else say
            for one in collect_flickr(
                query,
                out,
                count=count,
                api_key=api_key,
                licences=licences,
                size=size.value,
                pause_s=pause,
                endpoint=endpoint or ENDPOINT,
                settings=settings,
                on_wait=note,
            ):
                if one.reason is not None:
                    passed_over += 1
                    note(f"passed over: {one.reason}")
                    continue
                advance()
                if one.earlier:
                    earlier += 1
                else:
                    fetched += 1
    except KeyboardInterrupt as interrupt:
        print(f"interrupted: {fetched} fetched; the same command goes on", file=sys.stderr)
        raise typer.Exit(130) from interrupt
    if not quiet:
        print(f"{printable(str(out))}: {fetched} fetched, {earlier} there before, {passed_over} passed over", file=sys.stderr)
        if fetched + earlier < count:
            print(f"the search has no more: {fetched + earlier} of {count} photos", file=sys.stderr)
