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


def place(output: Place | None, earlier: Place | None, *, what: str = "the folder to make") -> Place:
    """Where a command with one input writes.

    Args:
        output: what `-o` names.
        earlier: what stands where the output stood before; it is taken, and a note says how to write that now.
        what: is to be named.

    Raises:
        typer.BadParameter: neither is there, or both.
    """
    if output is None and earlier is None:
        raise typer.BadParameter(f"-o is missing: say with it {what}")
    if output is not None and earlier is not None:
        raise typer.BadParameter(
            f"{printable(str(earlier))!r} is one argument too many: -o {printable(str(output))} says {what} already"
        )
    if output is not None:
        return output
    assert earlier is not None
    _tell(earlier)
    return earlier


def inputs_and_place(
    paths: Sequence[Place], output: Place | None, *, least: int, what: str = "the folder to make"
) -> tuple[list[Place], Place]:
    """What a command with several inputs reads, and where it writes.

    Without `-o` the last of the arguments is the output, as before; but not where something is there, or can be read: that may as
    well be an input, and be replaced because an `-o` was forgotten.

    Args:
        paths: the arguments.
        output: what `-o` names.
        least: so many inputs are needed.
        what: is to be named.

    Raises:
        typer.BadParameter: no output is there.
    """
    if output is not None:
        return list(paths), output
    if len(paths) <= least:
        raise typer.BadParameter(f"-o is missing: say with it {what}")
    if not _is_free(str(paths[-1])):
        raise typer.BadParameter(f"-o is missing: say with it {what}; {printable(str(paths[-1]))} counts as an input")
    _tell(paths[-1])
    return list(paths[:-1]), paths[-1]


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
