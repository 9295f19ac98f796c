"""The progress bar of all commands: on a terminal's standard error, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TypeVar

from dentify.cli.streams import raw_stream
from dentify.errors import printable

Advance = Callable[[], None]
Say = Callable[[str], None]
Total = int | Callable[[], int] | None
Item = TypeVar("Item")


@contextmanager
def progress(what: str, total: Total = None, *, unit: str = "photos", quiet: bool = False) -> Iterator[tuple[Advance, Say]]:
    """`(advance, say)`: one counts a thing, the other prints a line on standard error, above the bar.

    The bar shows how long it took, and where it is known how many there are, how long it will take; it is gone in the end.

    Args:
        what: is done, as "assessing".
        total: how many things there are, where that is known beforehand, or what counts them: that begins at once, beside
            the work, and a count that fails is none. Without a bar nothing is counted.
        unit: what they are.
        quiet: no bar, on a terminal either; lines are still printed.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda: None, lambda line: print(printable(line), file=sys.stderr)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(file=raw_stream(sys.stderr))
    count = TextColumn("{task.completed}") if total is None else MofNCompleteColumn()
    left = () if total is None else (TimeRemainingColumn(), TextColumn("left"))
    columns = (TextColumn("{task.description}"), BarColumn(), count, TextColumn(unit), TimeElapsedColumn(), *left)
    with Progress(*columns, console=console, redirect_stdout=False, transient=True) as bar:
        task = bar.add_task(what, total=None if callable(total) else total)
        if callable(total):
            Thread(target=lambda: _tell_total(total, lambda count: bar.update(task, total=count)), daemon=True).start()
        yield (
            lambda: bar.advance(task),
            lambda line: console.print(printable(line), markup=False, highlight=False, emoji=False, soft_wrap=True),
        )


def _tell_total(count: Callable[[], int], tell: Callable[[int], None]) -> None:
    with suppress(Exception):  # whatever is wrong with the things, the work itself will say
        tell(count())


def counted(items: Iterable[Item], advance: Advance) -> Iterator[Item]:
    """The items, each counted when the next is asked for."""
    for item in items:
        yield item
        advance()
