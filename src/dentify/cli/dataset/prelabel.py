"""`dentify dataset prelabel`: drafts of labels, for annotators to correct. In Python: `dentify.collecting.prelabel`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dentify.cli import Debug, read_settings
from dentify.cli.dataset.options import Overwrite, Quiet, tell_lost
from dentify.cli.formats import DraftsTo
from dentify.cli.outputs import inputs_and_place
from dentify.cli.progress import progress
from dentify.errors import DatasetError, DentifyError

if TYPE_CHECKING:
    from dentify.datasets import Sample


def prelabel(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Photos, folders, globs or zips.", show_default=False)],
    to: DraftsTo,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="DIR", help="The folder to make, drafts and photos in it.  [required]")
    ] = None,
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
      dentify dataset prelabel photos -o drafts --to cvat
      dentify dataset prelabel claim.zip -o drafts --to label_studio --check-below 0.7
    """  # noqa: D301 - click wants the character
    inputs, out = inputs_and_place(paths, output, least=1)

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
    tell_lost(to, lost)
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
