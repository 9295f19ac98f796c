"""`dentify assess`: photos in, assessments out. In Python: `dentify.batch.assess_photos`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from dentify.cli import Debug, Device, OnDevice, load_assessor, read_settings
from dentify.cli.progress import progress
from dentify.errors import printable

if TYPE_CHECKING:
    from dentify.settings import Settings
    from dentify.sinks import Format, Sink


def assess(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Photos, folders, globs or zips; - is one photo on standard input.", show_default=False
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR|ZIP", help="Write files into this folder, or into a zip if it ends in .zip."),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="text,json,photo",
            help="What to write: one without -o, any with it. [default: text; json,photo with -o]",
        ),
    ] = None,
    bundle: Annotated[str, typer.Option(metavar="PATH", help="The bundle to assess with, a folder or zip.")] = "default",
    score_threshold: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=1.0, help="Tell findings, parts and types from this confidence on. [default: the bundle's own]"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Photos in work at a time.")] = 2,
    device: OnDevice = Device.AUTO,
    language: Annotated[
        str | None, typer.Option(metavar="en|de", help="Language of reports and drawings. [default: en, or DENTIFY_LANGUAGE]")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell in texts which parts are in view, too.")] = False,
    draw_parts: Annotated[bool, typer.Option("--draw-parts", help="Outline the parts in view on annotated photos, too.")] = False,
    no_gates: Annotated[
        bool, typer.Option("--no-gates", help="Tell findings even where no vehicle or no damage is recognised.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Finish an earlier run: keep what is done and still right.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar, no closing line; errors only.")] = False,
    debug: Debug = False,
) -> None:
    """Say what is damaged on photos of vehicles.

    Without -o, reports go to standard output: as text, or with --format json as one JSON document for one photo, JSON Lines for
    several. With -o, a photo a/b.jpg of a folder becomes a/b.json, a/b.photo.jpg and a/b.txt, with a summary.csv and an
    errors.jsonl of them all.

    Exit code: 0 all assessed, 1 some or all failed (a line each), 2 wrong usage.

    \b
    Examples:
      dentify assess photo.jpg
      dentify assess photos -o out
      dentify assess claim.zip -o claim-assessed.zip
      dentify assess photo.jpg --language de
    """  # noqa: D301 - click wants the character
    chosen = _formats(formats, output)
    into_zip = output is not None and output.lower().endswith(".zip") and not Path(output).is_dir()
    _check_usage(paths, output, chosen, into_zip=into_zip, resume=resume, overwrite=overwrite)

    from dentify.batch import assess_photos, conditions
    from dentify.sinks import FolderSink, StreamSink, ZipSink
    from dentify.sources import count_known, iter_photos

    settings = _settings_in(language)
    known = count_known(paths)
    assessor = load_assessor(bundle, settings=settings, device=device, quiet=quiet)
    types = assessor.bundle.manifest.counted_types
    sink: Sink
    if output is None:
        form: Literal["text", "json"] = "json" if chosen == ("json",) else "text"
        sink = StreamSink(stream=sys.stdout, output_format=form, several=known != 1, verbose=verbose)
    elif into_zip:
        sink = ZipSink(output, formats=chosen, damage_types=types, overwrite=overwrite, verbose=verbose)
    else:
        same = conditions(assessor, score_threshold=score_threshold, gates=not no_gates) if resume else None
        sink = FolderSink(output, formats=chosen, damage_types=types, overwrite=overwrite, resume=same, verbose=verbose)

    assessed = kept = failed = skipped = 0

    def skip(where: str) -> None:
        nonlocal skipped
        skipped += 1

    no_bar = quiet or (output is None and sys.stdout.isatty())  # reports on the same terminal would run into it
    try:
        with sink, progress("assessing", known, quiet=no_bar) as (advance, say):
            photos = iter_photos(paths, settings=settings, output=output, on_skip=skip)
            for outcome in assess_photos(
                photos,
                assessor,
                sink,
                workers=workers,
                score_threshold=score_threshold,
                gates=not no_gates,
                draw_parts=draw_parts,
            ):
                advance()
                if outcome.error is not None:
                    failed += 1
                    say(f"error: {outcome.message}")
                    if debug:
                        _print_traceback(outcome.error)
                elif outcome.kept:
                    kept += 1
                else:
                    assessed += 1
    except KeyboardInterrupt as interrupt:
        advice = "; --resume finishes it" if output is not None and not into_zip else ""
        print(f"interrupted: {assessed} assessed, {failed} failed{advice}", file=sys.stderr)
        raise typer.Exit(130) from interrupt
    if not quiet:
        done_before = f", {kept} done before" if resume else ""
        print(f"{assessed} assessed, {failed} failed, {skipped} skipped{done_before}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


def _settings_in(language: str | None) -> Settings:
    """The settings of the environment, with the language that was asked for."""
    from dentify.languages import LANGUAGES

    settings = read_settings()
    if language is None:
        return settings
    if language not in LANGUAGES:
        raise typer.BadParameter(f"--language {printable(language)!r} is none of {', '.join(LANGUAGES)}")
    return settings.model_copy(update={"language": language})


def _formats(formats: str | None, output: str | None) -> tuple[Format, ...]:
    """What `--format` asks for."""
    from dentify.sinks import FORMATS

    if formats is None:
        return ("text",) if output is None else ("json", "photo")
    names = [name.strip() for name in formats.split(",")]
    for name in names:
        if name not in FORMATS:
            raise typer.BadParameter(f"--format {printable(name)!r} is none of {', '.join(FORMATS)}")
    chosen = cast("tuple[Format, ...]", tuple(dict.fromkeys(names)))
    if output is None and "photo" in chosen:
        raise typer.BadParameter("--format photo needs -o: say where the annotated photos go")
    if output is None and len(chosen) > 1:
        raise typer.BadParameter("standard output takes one format: choose text or json, or say with -o where files go")
    return chosen


def _check_usage(
    paths: list[str], output: str | None, formats: tuple[Format, ...], *, into_zip: bool, resume: bool, overwrite: bool
) -> None:
    """Refuses combinations that cannot be meant."""
    if output is None:
        if resume or overwrite:
            raise typer.BadParameter(f"{'--resume' if resume else '--overwrite'} needs -o: standard output keeps nothing")
        return
    if resume and overwrite:
        raise typer.BadParameter("--resume keeps what is done, --overwrite replaces it: choose one")
    if resume and into_zip:
        raise typer.BadParameter("--resume needs a folder: a zip is written in one go")
    if resume and "json" not in formats:
        raise typer.BadParameter("--resume needs json among the formats: it tells what is done already")
    from dentify.sources import is_among

    if Path(output).is_file() and is_among(output, paths):
        raise typer.BadParameter("-o names one of the inputs: choose another name")


def _print_traceback(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)
