"""`dentify dataset …`: look at labelled photos, convert, split, describe and collect them. In Python: `dentify.datasets`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.collect import app as collect
from dentify.cli.data import Frame, Images, LabelFrame, Labels
from dentify.cli.help import App
from dentify.cli.preprocess import CONTEXT, preprocess
from dentify.cli.progress import counted, progress
from dentify.errors import ConfigError, DatasetError, DentifyError, printable

if TYPE_CHECKING:
    from dentify.datasets import Dataset, Sample
    from dentify.settings import Settings

app = App(
    help="Look at labelled photos, convert, split, collect them.",
)
app.add_typer(collect, name="collect")
app.command(context_settings=CONTEXT)(preprocess)


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


class Pictures(StrEnum):
    """What becomes of pictures."""

    COPY = "copy"
    LINK = "link"
    NONE = "none"


PRELABEL_FORMATS = ("cvat", "via", "coco", "label_studio", "yolo")


def _format_name(text: str) -> str:
    return {"labelstudio": "label_studio"}.get(text.lower(), text.lower())


def _known_format(text: str | None) -> str | None:
    if text is None:
        return None
    from dentify.datasets.formats import FORMATS

    if _format_name(text) not in FORMATS:
        raise typer.BadParameter(f"{text!r} is no format; known are {', '.join(FORMATS)}")
    return _format_name(text)


DatasetPath = Annotated[Path, typer.Argument(metavar="PATH", help="A label file, or a folder or zip with labels and pictures.")]
InputFormat = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The format of the labels. [default: the files tell]", show_default=False, callback=_known_format
    ),
]


SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave out what does not hold and list it. [default: end at the first]")
]
OutputFormat = Annotated[Format, typer.Option("--format", help="A table for people, or JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


@app.command()
def inspect(
    ctx: typer.Context,
    path: DatasetPath,
    input_format: InputFormat = None,
    images: Images = None,
    labels: Labels = None,
    frame: LabelFrame = Frame.UPRIGHT,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Write inspection.json, inspection.html and a draft labels.yaml here."
        ),
    ] = None,
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Decode no picture: no broken ones are found, and no duplicates.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
    output_format: OutputFormat = Format.TABLE,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a data set holds, per split, and what is wrong with it. Exit code 0 whenever any photo could be read.

    Broken and missing pictures, outlines that lie outside or enclose nothing, photos listed twice, and photos that are
    the same or nearly so: re-encoded, mirrored, turned or cropped a little, across splits above all.

    \b
    Examples:
      dentify dataset inspect photos
      dentify dataset inspect annotations.xml --images photos -o inspection
    """  # noqa: D301 - click wants the character
    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")
    from dentify.curation.inspection import inspect_dataset
    from dentify.curation.inspection_report import FILES, check_folder, inspection_table, write_inspection
    from dentify.datasets import open_dataset, read_label_map
    from dentify.writing import locked_folder

    if output is not None:
        ctx.with_resource(locked_folder(output))
        check_folder(output, overwrite=overwrite, read=[path, *([labels] if labels is not None else [])])
    settings = read_settings()
    problems: list[DatasetError] = []
    label_map = read_label_map(labels, settings) if labels is not None else None
    dataset = open_dataset(
        path,
        input_format=input_format,
        images=images,
        labels=label_map,
        frame=frame.value,
        check_pictures=False,
        on_invalid=problems.append,
        settings=settings,
    )
    if output is not None:
        for name in FILES:
            dataset.check_not_read(output / name)
    with progress("inspecting", quiet=quiet) as (advance, _):
        if labels is not None:
            try:
                dataset.check_labels()
            except DatasetError as error:
                problems.append(error)
        inspected = inspect_dataset(
            dataset, problems, pictures=not no_pictures, workers=workers, settings=settings, on_photo=advance
        )
    inspection = inspected.inspection
    print(inspection.model_dump_json(indent=2) if output_format is Format.JSON else inspection_table(inspection), flush=True)
    if output is not None:
        write_inspection(inspected, output, overwrite=overwrite, settings=settings)
    if problems and not inspection.photos:
        raise typer.Exit(1)


@app.command()
def convert(
    path: DatasetPath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make, labels and pictures in it.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="coco, yolo, cvat, via, label_studio or masks.")],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="YAML", help="Rename to Dentify's types by this map. [default: labels stay as they are]"),
    ] = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    pictures: Annotated[
        Pictures, typer.Option(help="Copy the pictures, link to them, or leave them where they are.")
    ] = Pictures.COPY,
    skip_invalid: SkipInvalid = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a data set in another format, pictures beside the labels, and say what that format cannot hold.

    With --labels everything is renamed to Dentify's types; a label that the map leaves out is an error that lists all of them.

    \b
    Examples:
      dentify dataset convert export.json photos-coco --to coco --labels labels.yaml
      dentify dataset convert photos-coco photos-yolo --to yolo
    """  # noqa: D301 - click wants the character
    from dentify.datasets.convert import WRITABLE, check_output, names_in, write_dataset

    if _format_name(to) not in WRITABLE:
        raise typer.BadParameter(f"--to {to!r} is none of {', '.join(WRITABLE)}")
    to = _format_name(to)
    check_output(out, to, overwrite=overwrite, read=[path, *(one for one in (images, labels) if one is not None)])
    with _opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, keep_words=True) as (
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
    for what, count in lost.items():
        print(f"note: {to} cannot hold everything: {printable(what)} ({count})", file=sys.stderr)
    print(out)


@app.command()
def merge(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH... OUT", help="Label files, folders or zips of data sets; and the folder to make."),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="coco, yolo, cvat, via, label_studio or masks; all but coco lose much.")
    ] = "coco",
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
    pictures: Annotated[
        Pictures, typer.Option(help="Copy the pictures, link to them, or leave them where they are.")
    ] = Pictures.COPY,
    skip_invalid: SkipInvalid = False,
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make one data set of several: label spaces united, splits kept, photos that several of them hold told.

    What a source does not label stays unknown on its photos, which COCO alone can hold.

    \b
    Examples:
      dentify dataset merge cardd export.zip all
      dentify dataset merge mine.json theirs all --labels labels.yaml --drop-duplicates
    """  # noqa: D301 - click wants the character
    *inputs, out = paths
    if len(inputs) < 2:
        raise typer.BadParameter("give two data sets or more and, last, the folder to make")
    from dentify.curation.merge import merge_datasets, merge_table, told_duplicates
    from dentify.datasets.convert import WRITABLE, check_output

    if _format_name(to) not in WRITABLE:
        raise typer.BadParameter(f"--to {to!r} is none of {', '.join(WRITABLE)}")
    to = _format_name(to)
    check_output(out, to, overwrite=overwrite, read=[*inputs, *([labels] if labels is not None else [])])
    with ExitStack() as stack:
        opened = [
            stack.enter_context(_opened(path, None, None, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True))
            for path in inputs
        ]
        with progress("merging", quiet=quiet) as (advance, _):
            merged = merge_datasets(
                [dataset for dataset, _ in opened],
                out,
                to,
                drop_duplicates=drop_duplicates,
                pictures=pictures.value,
                workers=workers,
                overwrite=overwrite,
                settings=opened[0][1],
                on_photo=advance,
            )
        print(merge_table(merged))
        for line in told_duplicates(merged):
            print(line, file=sys.stderr)
        for what, count in merged.lost.items():
            print(f"note: {to} cannot hold everything: {printable(what)} ({count})", file=sys.stderr)
        print(out, file=sys.stderr)


@app.command()
def split(
    path: DatasetPath,
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
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
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
    from dentify.datasets.dataset import splits_path

    try:
        shares = parse_ratios(ratios)
    except ConfigError as error:
        raise typer.BadParameter(f"--ratios {error}") from error
    check_splits(splits_path(path), overwrite=overwrite)
    with _opened(path, input_format, images, None, frame=frame, skip_invalid=skip_invalid) as (dataset, settings):
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


@app.command()
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
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
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

    with _opened(path, input_format, images, None, frame=frame, skip_invalid=skip_invalid) as (dataset, settings):
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


@app.command()
def crops(
    path: DatasetPath,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder of the crops.")],
    margin: Annotated[
        float,
        typer.Option(min=0, max=2, help="Shown around a damage, in shares of its longer side, as other types leave room."),
    ] = 0.25,
    least_side: Annotated[int, typer.Option(min=1, metavar="PIXELS", help="Smaller crops are left out.")] = 48,
    labels: Labels = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    workers: Annotated[int, typer.Option(min=1, help="Pictures in work at a time.")] = 2,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Cut out every annotated damage that lies by itself: pictures of one type each, and a photos.csv, for classifiers.

    \b
    Example:
      dentify dataset crops damage/train.json -o crops
    """  # noqa: D301 - click wants the character
    from dentify.curation.crops import write_crops
    from dentify.writing import check_apart

    with _opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True) as (
        dataset,
        settings,
    ):
        check_apart([output], [path])
        dataset.check_not_read(output / "photos.csv")
        with progress("cutting", quiet=quiet) as (advance, _):
            counts = write_crops(
                dataset,
                output,
                margin=margin,
                least_side=least_side,
                workers=workers,
                overwrite=overwrite,
                settings=settings,
                on_photo=advance,
            )
        for name, count in counts.most_common():
            print(f"{name}: {count}")
        print(output / "photos.csv", file=sys.stderr)


@app.command()
def captions(
    path: DatasetPath,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="A .jsonl file. [default: standard output]")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Sentences a photo, where its labels give so many.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of what is mentioned and how.")] = 0,
    labels: Labels = None,
    input_format: InputFormat = None,
    images: Images = None,
    frame: LabelFrame = Frame.UPRIGHT,
    skip_invalid: SkipInvalid = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Sentences about each photo from its labels, for image-text training: one JSON object a line, file_name, text and split.

    They tell types, parts, sizes, places and severity, and nothing that the labels do not say.

    \b
    Example:
      dentify dataset captions photos -n 3 -o photos/metadata.jsonl
    """  # noqa: D301 - click wants the character
    from dentify.curation.captions import iter_captions
    from dentify.datasets.dataset import photo_key
    from dentify.errors import OutputError
    from dentify.writing import write_whole

    if overwrite and output is None:
        raise typer.BadParameter("--overwrite needs -o: standard output keeps nothing")
    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output}: is there already; --overwrite replaces it")
    unknown: Counter[str] = Counter()
    with _opened(path, input_format, images, labels, frame=frame, skip_invalid=skip_invalid, by_meaning=True) as (dataset, _):
        if output is not None:
            dataset.check_not_read(output)
        lines = (
            json.dumps({"file_name": photo_key(sample, path), "text": text, "split": sample.split}, ensure_ascii=False)
            for sample, text in iter_captions(dataset, count, seed=seed, unknown=unknown)
        )
        if output is None:
            for line in lines:
                print(line)
        else:
            write_whole({output: "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")})
            print(output, file=sys.stderr)
    if unknown:
        told = ", ".join(f"{printable(word)} ({times})" for word, times in unknown.most_common(20))
        print(f"note: types of your own, told as they are: {told}", file=sys.stderr)


@app.command()
def prelabel(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH... OUT", help="Photos, folders, globs, zips; and the folder to make.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="cvat, via, coco, labelstudio or yolo.")],
    bundle: Annotated[str, typer.Option(metavar="PATH", help="The bundle to ask: a folder, a zip, or default.")] = "default",
    score_threshold: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="Draft findings from this confidence on. [default: the bundle's]")
    ] = None,
    check_below: Annotated[float, typer.Option(min=0.0, max=1.0, help="Mark findings of less confidence for a look.")] = 0.5,
    parts: Annotated[bool, typer.Option("--parts", help="Draft parts of the vehicle, too.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Draft labels: what a bundle finds on photos, for annotators to correct; findings of low confidence are marked.

    \b
    Examples:
      dentify dataset prelabel photos drafts --to cvat
      dentify dataset prelabel claim.zip drafts --to labelstudio --check-below 0.7
    """  # noqa: D301 - click wants the character
    *inputs, out = paths
    if not inputs:
        raise typer.BadParameter("give photos and, last, the folder to make")
    if _format_name(to) not in PRELABEL_FORMATS:
        raise typer.BadParameter(f"--to {to!r} is none of {', '.join(PRELABEL_FORMATS)}")
    to = _format_name(to)

    from dentify.assessor import load
    from dentify.collecting.prelabel import prelabel as draft
    from dentify.datasets.convert import check_output, write_dataset
    from dentify.sources import count_known, iter_photos

    check_output(Path(out), to, overwrite=overwrite, read=[Path(one) for one in inputs if one != "-"])
    settings = read_settings()
    assessor = load(bundle, settings=settings)
    manifest = assessor.bundle.manifest
    names = (*manifest.found_types, *(manifest.classes.parts if parts else ()))
    failed: list[str] = []

    with progress("drafting", count_known(inputs), quiet=quiet) as (advance, say):

        def tell(error: DentifyError) -> None:
            failed.append(str(error))
            say(f"error: {error}")

        samples = draft(
            iter_photos(inputs, settings=settings, output=out),
            assessor,
            score_threshold=score_threshold,
            parts=parts,
            check_below=check_below,
            on_error=tell,
            on_photo=advance,
        )
        lost = write_dataset(_at_least_one(samples), out, to, names=names, overwrite=overwrite, settings=settings)
    for what, count in lost.items():
        print(f"note: {to} cannot hold everything: {printable(what)} ({count})", file=sys.stderr)
    print(out)
    if failed:
        raise typer.Exit(1)


def _at_least_one(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Samples; without any, an error, so that nothing is written and nothing replaced."""
    empty = True
    for sample in samples:
        empty = False
        yield sample
    if empty:
        raise DatasetError("no photo could be drafted; nothing was written")


@contextmanager
def _opened(
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
