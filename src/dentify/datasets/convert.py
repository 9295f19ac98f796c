"""`write_dataset`: samples into any format that can be written, pictures beside them, and a word on what it cannot hold."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dentify.datasets.formats import FORMATS
from dentify.datasets.label_set import OnInvalid
from dentify.datasets.output import Output, PicturesAs
from dentify.datasets.sample import Sample
from dentify.errors import DatasetError, OutputError
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES
from dentify.writing import locked, make_folder, put_in_place, writing

WriteSamples = Callable[[Iterable[Sample], Output], None]

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
    on_invalid: OnInvalid | None = None,
    settings: Settings | None = None,
) -> Counter[str]:
    """Writes a data set; the folder is there when all of it is, and not before. What it replaces stays until then.

    Args:
        samples: read lazily, one at a time.
        folder: what to make.
        to: one of `WRITABLE`.
        names: every name that samples bear or label, in the order of class ids; `names_in` finds them.
        pictures: copied byte for byte, linked, or left where they are.
        overwrite: replace a folder that is there.
        on_invalid: is given what is wrong with a photo whose size neither labels nor picture tell, which is then left out;
            without it the first raises.
        settings: the limits.

    Returns:
        What the format cannot hold, and how often that was so.

    Raises:
        OutputError: the folder is there already, holds what is read, or cannot be written.
        DatasetError: what the samples' reader raises, or a picture that is missing.
    """
    folder = Path(folder)
    check_output(folder, to, overwrite=overwrite)
    if folder.is_symlink():  # the folder that it leads to is written
        folder = folder.resolve()
    output = Output(folder, tuple(names), pictures=pictures, settings=settings or Settings())
    write = FORMATS[to].write
    assert write is not None
    with writing(folder):
        make_folder(folder.parent)
    with locked(output.folder.with_name(folder.name + ".part")):
        return _written(samples, folder, output, write, on_invalid)


def _written(
    samples: Iterable[Sample], folder: Path, output: Output, write: WriteSamples, on_invalid: OnInvalid | None
) -> Counter[str]:
    with writing(output.folder):
        shutil.rmtree(output.folder, ignore_errors=True)
        output.folder.mkdir(parents=True)
    try:
        write(_with_sizes(samples, output, on_invalid), output)
        with writing(folder):
            put_in_place(output.folder, folder)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(output.folder)
        raise
    return output.lost


def _with_sizes(samples: Iterable[Sample], output: Output, on_invalid: OnInvalid | None) -> Iterator[Sample]:
    """Samples whose size is known, read from their pictures where the labels do not tell."""
    for sample in samples:
        try:
            sized = replace(sample, size_hw=output.size_hw(sample))
        except DatasetError as error:
            if on_invalid is None:
                raise
            on_invalid(error)
        else:
            yield sized


def check_output(folder: Path, to: str, *, overwrite: bool, read: Iterable[Path] = ()) -> None:
    """Refuses what cannot be written, before the work is done.

    Args:
        folder: what is to be made.
        to: the format.
        overwrite: whether what is there may go.
        read: files and folders that are read, which must not go.

    Raises:
        OutputError: the folder is there and holds something, and `overwrite` is off; it is or holds what is read, or the
            working folder; or the format is not written.
    """
    if to not in WRITABLE:
        raise OutputError(f"{to!r} is no format that is written; known are {', '.join(WRITABLE)}")
    if folder.name in ("", ".."):
        raise OutputError(f"{folder}: name the folder to make")
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder}: is a file; name a folder for the data set")
        if not folder.is_dir() or not any(folder.iterdir()):
            return
        if any(path.resolve().is_relative_to(folder.resolve()) for path in read):
            raise OutputError(f"{folder}: holds what is read; name another folder")
        if not overwrite:
            raise OutputError(f"{folder}: is there already; --overwrite replaces all of it")
        if Path.cwd().is_relative_to(folder.resolve()):
            raise OutputError(f"{folder}: is, or holds, the folder you are in; name another one")


def names_in(samples: Iterable[Sample]) -> tuple[str, ...]:
    """Every name that annotations bear or a source labels: damage types and parts as the taxonomy orders them, then the rest."""
    found: set[str] = set()
    for sample in samples:
        found |= sample.labelled
        found |= {annotation.name for annotation in sample.annotations}
    known = (*DAMAGE_NAMES, *PART_NAMES)
    return (*(name for name in known if name in found), *sorted(found - set(known)))
