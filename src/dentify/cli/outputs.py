"""`-o`, where a command writes; and the place where some outputs stood before, last among the arguments, for this version."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import typer

from dentify.errors import printable

Place = TypeVar("Place", str, Path)

_FOLDER = "the folder to make"


def place(output: Place | None, earlier: Place | None, *, what: str = _FOLDER) -> Place:
    """Where a command with one input writes.

    Args:
        output: what `-o` names.
        earlier: what stands where the output stood before; it is taken, and a note says how to write that now.
        what: is to be named.

    Raises:
        typer.BadParameter: neither is there, or both.
    """
    if output is not None:
        if earlier is not None:
            raise typer.BadParameter(_too_many(earlier, output, what))
        return output
    if earlier is None:
        raise typer.BadParameter(f"-o is missing: say with it {what}")
    _tell(earlier)
    return earlier


def inputs_and_place(paths: Sequence[Place], output: Place | None, *, least: int) -> tuple[list[Place], Place]:
    """What a command with several inputs reads, and where it writes.

    Without `-o` the last of the arguments is the output, as before; but not where something is there, or can be read: that may as
    well be an input, and be replaced because an `-o` was forgotten.

    Args:
        paths: the arguments.
        output: what `-o` names.
        least: so many inputs are needed.

    Raises:
        typer.BadParameter: no output is there, or twice the same.
    """
    if output is not None:
        if output in paths and _is_free(str(output)):
            raise typer.BadParameter(_too_many(output, output, _FOLDER))
        return list(paths), output
    if len(paths) <= least:
        raise typer.BadParameter(f"-o is missing: say with it {_FOLDER}")
    if not _is_free(str(paths[-1])):
        raise typer.BadParameter(f"-o is missing: say with it {_FOLDER}; {printable(str(paths[-1]))} counts as an input")
    _tell(paths[-1])
    return list(paths[:-1]), paths[-1]


def _too_many(last: str | Path, output: str | Path, what: str) -> str:
    return f"{str(last)!r} is one argument too many: -o {printable(str(output))} says {what} already"


def _is_free(name: str) -> bool:
    """Whether nothing is there: no file, no folder that holds something, no glob and no standard input."""
    if name == "-" or set(name) & set("*?["):
        return False
    try:
        return not Path(name).exists() or not any(Path(name).iterdir())
    except OSError:
        return False


def _tell(output: str | Path) -> None:
    told = shlex.quote(printable(str(output)))
    print(f"note: write it as -o {told}; from the next version on an output is given with -o alone", file=sys.stderr)
