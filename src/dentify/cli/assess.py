"""`dentify assess`: photos in, assessments out. In Python: `dentify.batch.assess_photos`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from dentify.cli import Debug, Device, OnDevice, load_assessor, read_settings
from dentify.cli.formats import none_of, one_of
from dentify.cli.progress import progress
from dentify.errors import printable

if TYPE_CHECKING:
    from dentify.assessor import Assessor
    from dentify.results.standing import Tally
    from dentify.settings import Settings
    from dentify.sinks import Format, Sink

ONE_FILE: dict[str, Format] = {".jpg": "photo", ".jpeg": "photo", ".json": "json", ".txt": "text"}
"""What `-o` writes into a file of its own, by the file's suffix."""


def assess(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Photos, folders, globs or zips; - is one photo on standard input.", show_default=False
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR|ZIP|FILE",
            help="Write files into this folder, or into a .zip; for one photo also into a .jpg, .json or .txt.",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="text,json,photo,page,coco",
            help="What to write: text or json without -o, any with it. [default: text; json,photo,page with -o]",
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
    tiles: Annotated[
        str | None,
        typer.Option(
            metavar="auto|off|N",
            help="Look for damage in tiles, too: on photos of many pixels, never, or 2 to 8 along the shorter side. [default: as "
            "the bundle says]",
        ),
    ] = None,
    device: OnDevice = Device.AUTO,
    language: Annotated[
        str | None, typer.Option(metavar="en|de", help="Language of reports and drawings. [default: en, or DENTIFY_LANGUAGE]")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell in texts which parts are in view, too.")] = False,
    draw_parts: Annotated[bool, typer.Option("--draw-parts", help="Outline the parts in view on annotated photos, too.")] = False,
    save_crops: Annotated[
        bool, typer.Option("--save-crops", help="Write a picture of each finding, too, into findings_crops.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in a browser when all is done.")] = False,
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
    several. With -o, a photo a/b.jpg of a folder becomes a/b.json and a/b.photo.jpg, and all of them together index.html, a page
    to look at, findings.csv, summary.csv and errors.jsonl.

    Exit code: 0 all assessed, 1 some or all failed (a line each), 2 wrong usage.

    \b
    Examples:
      dentify assess photo.jpg
      dentify assess photos -o out --open
      dentify assess photo.jpg -o annotated.jpg
      dentify assess claim.zip -o claim-assessed.zip
      dentify assess photo.jpg --language de
    """  # noqa: D301 - click wants the character
    kind = _kind(output)
    chosen = _formats(formats, output, kind, save_crops=save_crops)
    _check_usage(paths, output, kind, chosen, resume=resume, overwrite=overwrite, open_page=open_page)
    if draw_parts and "photo" not in chosen:
        raise typer.BadParameter("--draw-parts is for annotated photos: write with -o, and leave photo among the formats")
    if verbose and "text" not in chosen:
        raise typer.BadParameter("--verbose is for texts: add text to --format")

    from dentify import sinks  # whose modules are loaded where they are used
    from dentify.batch import conditions
    from dentify.sources import count_known

    settings = with_tiles(settings_in(language), tiles)
    known = count_known(paths)
    if kind == "file" and known != 1:
        raise typer.BadParameter(f"-o {printable(str(output))} takes one photo; name a folder or a .zip for several")
    assessor = load_assessor(bundle, settings=settings, device=device, quiet=quiet)
    types = assessor.bundle.manifest.counted_types
    sink: Sink
    if output is None:
        form: Literal["text", "json"] = "json" if chosen == ("json",) else "text"
        sink = sinks.StreamSink(stream=sys.stdout, output_format=form, several=known != 1, verbose=verbose)
    elif kind == "file":
        sink = sinks.FileSink(output, output_format=chosen[0], overwrite=overwrite, verbose=verbose)
    else:
        same = conditions(assessor, score_threshold=score_threshold, gates=not no_gates) if resume else None
        sink = (sinks.ZipSink if kind == "zip" else sinks.FolderSink)(
            output,
            formats=chosen,
            damage_types=types,
            overwrite=overwrite,
            resume=same,
            verbose=verbose,
            language=settings.language,
        )
    tally = run(
        paths,
        assessor,
        sink,
        output=output,
        may_resume=kind in ("folder", "zip") and "json" in chosen,
        workers=workers,
        score_threshold=score_threshold,
        gates=not no_gates,
        draw_parts=draw_parts,
        quiet=quiet,
        debug=debug,
    )
    if not quiet and output is not None and tally.assessed + tally.kept:
        print(f"written: {printable(output)}" if kind == "file" else where_results_are(output, chosen), file=sys.stderr)
    if open_page and tally.assessed + tally.kept:
        show(Path(cast("str", output)))
    if tally.failed:
        raise typer.Exit(1)


def run(
    paths: list[str],
    assessor: Assessor,
    sink: Sink,
    *,
    output: str | None = None,
    may_resume: bool = False,
    workers: int = 2,
    score_threshold: float | None = None,
    gates: bool = True,
    draw_parts: bool = False,
    quiet: bool = False,
    debug: bool = False,
) -> Tally:
    """Assesses photos into a sink with a progress bar, tells errors as they come and what became of all in the end.

    Args:
        paths: photos, folders, globs and zips.
        assessor: with the bundle to use.
        sink: where results go.
        output: the name of that place, as it was given; `None` for standard output.
        may_resume: whether a run that is interrupted can be finished by another.
        workers: as for `assess_photos`.
        score_threshold: likewise.
        gates: likewise.
        draw_parts: likewise.
        quiet: tell errors only.
        debug: show where they come from.
    """
    from dentify.batch import assess_photos
    from dentify.results.standing import Tally
    from dentify.sources import count_known, iter_photos

    settings = assessor.settings
    tally = Tally()
    skipped = 0

    def skip(where: str) -> None:
        nonlocal skipped
        skipped += 1

    def count() -> int:
        return sum(1 for _ in iter_photos(paths, settings=settings, output=output))

    known = count_known(paths)
    no_bar = quiet or (output is None and sys.stdout.isatty())  # reports on the same terminal would run into it
    try:
        with sink, progress("assessing", count if known is None else known, quiet=no_bar) as (advance, say):
            photos = iter_photos(paths, settings=settings, output=output, on_skip=skip)
            for outcome in assess_photos(
                photos,
                assessor,
                sink,
                workers=workers,
                score_threshold=score_threshold,
                gates=gates,
                draw_parts=draw_parts,
            ):
                advance()
                if outcome.assessment is not None:
                    tally.add(outcome.assessment, kept=outcome.kept)
                else:
                    tally.failed += 1
                    say(f"error: {outcome.message}")
                    if debug and outcome.error is not None:
                        _print_traceback(outcome.error)
    except KeyboardInterrupt as interrupt:
        advice = "; --resume finishes it" if may_resume else ""
        print(f"interrupted: {tally.assessed} assessed, {tally.failed} failed{advice}", file=sys.stderr)
        raise typer.Exit(130) from interrupt
    if not quiet:
        print(closing_line(tally, skipped), file=sys.stderr)
    return tally


def closing_line(tally: Tally, skipped: int = 0) -> str:
    """What became of a run's photos: what matters first, and what did not happen is not told, failures apart.

    >>> from dentify.results.standing import Tally
    >>> closing_line(Tally(assessed=20, kept=4, damaged=12, to_look_at=1, failed=1), skipped=3)
    '25 photos: 12 damaged, 1 needs a look, 1 failed (4 done before, 3 other files skipped)'
    """
    photos = tally.assessed + tally.kept + tally.failed
    look = f"{tally.to_look_at} {'needs' if tally.to_look_at == 1 else 'need'} a look"
    others = [
        *([f"{tally.kept} done before"] if tally.kept else []),
        *([f"{skipped} other file{'' if skipped == 1 else 's'} skipped"] if skipped else []),
    ]
    told = f"{photos} photo{'' if photos == 1 else 's'}: {tally.damaged} damaged, {look}, {tally.failed} failed"
    return told + (f" ({', '.join(others)})" if others else "")


def where_results_are(output: str, formats: tuple[Format, ...]) -> str:
    """The line that says where the files are that tell of all photos."""
    from dentify.results.files import COCO, FINDINGS, PAGE
    from dentify.summary import SUMMARY

    tables = [FINDINGS, SUMMARY, *([COCO] if "coco" in formats else [])]
    listed = f"{', '.join(tables[:-1])} and {tables[-1]} list them"
    return f"results in {printable(output)}: {f'{PAGE} shows them, ' if 'page' in formats else ''}{listed}"


def show(folder: Path) -> None:
    """Opens the page of a folder of results in a browser, or says where it is."""
    import webbrowser

    from dentify.results.files import PAGE

    page = (folder / PAGE).resolve()
    try:
        opened = webbrowser.open(page.as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        print(f"note: no browser was found; open {printable(str(folder / PAGE))}", file=sys.stderr)


def settings_in(language: str | None) -> Settings:
    """The settings of the environment, with the language that was asked for."""
    from dentify.languages import LANGUAGES

    settings = read_settings()
    if language is None:
        return settings
    if language not in LANGUAGES:
        raise typer.BadParameter(f"--language {none_of(language, LANGUAGES)}")
    return settings.model_copy(update={"language": language})


def with_tiles(settings: Settings, tiles: str | None) -> Settings:
    """The settings with the tiles that were asked for."""
    from dentify.settings import MOST_TILES

    if tiles is None:
        return settings
    choices = {"auto": "auto", "off": "off"} | {str(count): count for count in range(2, MOST_TILES + 1)}
    if tiles not in choices:
        raise typer.BadParameter(f"--tiles {printable(tiles)!r} is none of auto, off, and 2 to {MOST_TILES}")
    return settings.model_copy(update={"tiles": choices[tiles]})


def _kind(output: str | None) -> Literal["stream", "folder", "zip", "file"]:
    """What `-o` names; a folder that is there already is one, whatever it is called."""
    if output is None:
        return "stream"
    suffix = Path(output).suffix.lower()
    if Path(output).is_dir() or suffix not in (".zip", *ONE_FILE):
        return "folder"
    return "zip" if suffix == ".zip" else "file"


def _formats(formats: str | None, output: str | None, kind: str, *, save_crops: bool) -> tuple[Format, ...]:
    """What `--format` and `--save-crops` ask for."""
    from dentify.sinks import FORMATS

    own = ONE_FILE.get(Path(output or "").suffix.lower(), "json")
    defaults: dict[str, tuple[Format, ...]] = {"stream": ("text",), "file": (own,)}
    if formats is None:
        chosen = defaults.get(kind, ("json", "photo", "page"))
    else:
        known = [one for one in FORMATS if one != "crops"]
        names = [one_of(name, known, option="--format") for name in formats.split(",")]
        chosen = cast("tuple[Format, ...]", tuple(dict.fromkeys(names)))
    if kind == "stream":
        if "photo" in chosen:
            raise typer.BadParameter("--format photo needs -o: say where the annotated photos go")
        if {"page", "coco"} & set(chosen):
            raise typer.BadParameter(f"--format {'page' if 'page' in chosen else 'coco'} needs -o: say with it where files go")
        if len(chosen) > 1:
            raise typer.BadParameter("standard output takes one format: choose text or json, or say with -o where files go")
    if kind == "file" and chosen != (own,):
        raise typer.BadParameter(f"-o {printable(str(output))} is {own}; leave --format out, or name a folder")
    if kind in ("folder", "zip") and "json" not in chosen and {"page", "coco"} & set(chosen):
        raise typer.BadParameter("page and coco are made of the answers: add json to --format")
    if not save_crops:
        return chosen
    if kind in ("stream", "file"):
        raise typer.BadParameter("--save-crops needs -o with a folder or a .zip: say where they go")
    return (*chosen, "crops")


def _check_usage(
    paths: list[str],
    output: str | None,
    kind: str,
    formats: tuple[Format, ...],
    *,
    resume: bool,
    overwrite: bool,
    open_page: bool,
) -> None:
    """Refuses combinations that cannot be meant."""
    from dentify.imaging.formats import is_picture_name

    if open_page and (kind != "folder" or "page" not in formats):
        raise typer.BadParameter("--open shows the page of a folder: name one with -o, and leave page among the formats")
    if output is not None and kind == "folder" and is_picture_name(output) and not Path(output).is_dir():
        raise typer.BadParameter(f"-o {printable(output)}: an annotated photo is a .jpg; name one, or a folder")
    if output is None:
        if resume or overwrite:
            raise typer.BadParameter(f"{'--resume' if resume else '--overwrite'} needs -o: standard output keeps nothing")
        return
    if resume and overwrite:
        raise typer.BadParameter("--resume keeps what is done, --overwrite replaces it: choose one")
    if resume and kind == "file":
        raise typer.BadParameter("--resume needs a folder or a .zip: one photo is done or not")
    if resume and "json" not in formats:
        raise typer.BadParameter("--resume needs json among the formats: it tells what is done already")
    from dentify.sources import is_among

    if Path(output).is_file() and is_among(output, paths):
        raise typer.BadParameter("-o names one of the inputs: choose another name")


def _print_traceback(error: Exception) -> None:
    import traceback

    traceback.print_exception(error)
