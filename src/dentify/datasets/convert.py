"""`write_dataset`: samples into any format that can be written, pictures beside them, and a word on what it cannot hold."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from dentify.datasets.formats import FORMATS
from dentify.datasets.output import Output, PicturesAs, writing
from dentify.datasets.sample import Sample
from dentify.errors import OutputError
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES

WRITABLE = tuple(name for name, one in FORMATS.items() if one.write is not None)
"""Formats that `write_dataset` takes."""


def write_dataset(
    samples: Iterable[Sample],
    folder: Path | str,
    to: str,
    *,
    names: Sequence[str],
    pictures: PicturesAs = "copy",
    overwrite: bool = False,
    settings: Settings | None = None,
) -> Counter[str]:
    """Writes a data set; the folder is there when all of it is, and not before.

    Args:
        samples: read lazily, one at a time.
        folder: what to make.
        to: one of `WRITABLE`.
        names: every name that samples bear or label, in the order of class ids; `names_in` finds them.
        pictures: copied byte for byte, linked, or left where they are.
        overwrite: replace a folder that is there.
        settings: the limits.

    Returns:
        What the format cannot hold, and how often that was so.

    Raises:
        OutputError: the folder is there already, or cannot be written.
        DatasetError: what the samples' reader raises, or a picture that is missing.
    """
    folder = Path(folder)
    check_output(folder, to, overwrite=overwrite)
    output = Output(folder, tuple(names), pictures=pictures, settings=settings or Settings())
    write = FORMATS[to].write
    assert write is not None
    with writing(output.folder):
        shutil.rmtree(output.folder, ignore_errors=True)
        output.folder.mkdir(parents=True)
    try:
        write(samples, output)
        with writing(folder):
            if folder.is_dir():
                shutil.rmtree(folder)
            output.folder.replace(folder)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(output.folder)
        raise
    return output.lost


def check_output(folder: Path, to: str, *, overwrite: bool) -> None:
    """Refuses what cannot be written, before the work is done.

    Raises:
        OutputError: the folder is there and holds something, and `overwrite` is off; or the format is not written.
    """
    if to not in WRITABLE:
        raise OutputError(f"{to!r} is no format that is written; known are {', '.join(WRITABLE)}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for the data set")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError(f"{folder}: is there already; --overwrite replaces all of it")


def names_in(samples: Iterable[Sample]) -> tuple[str, ...]:
    """Every name that annotations bear or a source labels: damage types and parts as the taxonomy orders them, then the rest."""
    found: set[str] = set()
    for sample in samples:
        found |= sample.labelled
        found |= {annotation.name for annotation in sample.annotations}
    known = (*DAMAGE_NAMES, *PART_NAMES)
    return (*(name for name in known if name in found), *sorted(found - set(known)))
