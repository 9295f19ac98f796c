"""`dentify demo`: what Dentify does, on photos that come with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dentify.cli import Debug, Device, load_assessor
from dentify.cli.assess import run, settings_in, show, where_results_are


def demo(
    output: Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")] = "dentify-demo",
    language: Annotated[
        str | None, typer.Option(metavar="en|de", help="Language of the page and its reports. [default: en, or DENTIFY_LANGUAGE]")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Show the page in a browser.")] = True,
    debug: Debug = False,
) -> None:
    """Assess three photos that come with Dentify, and show the page of results.

    It takes some seconds, and needs no network. A second time it keeps what is there.

    \b
    Examples:
      dentify demo
      dentify demo --language de -o demo --no-open
    """  # noqa: D301 - click wants the character
    from dentify.batch import conditions
    from dentify.demo import PHOTOS
    from dentify.sinks import FolderSink, Format

    settings = settings_in(language)
    assessor = load_assessor("default", settings=settings, device=Device.AUTO)
    formats: tuple[Format, ...] = ("json", "photo", "page")
    sink = FolderSink(
        output,
        formats=formats,
        damage_types=assessor.bundle.manifest.counted_types,
        resume=conditions(assessor),
        language=settings.language,
    )
    tally = run([str(PHOTOS / "*.jpg")], assessor, sink, output=output, may_resume=True, debug=debug)
    print(where_results_are(output, formats), file=sys.stderr)
    if tally.failed:
        raise typer.Exit(1)
    if open_page:
        show(Path(output))
