"""Standard streams that strangers' names cannot abuse: without escape sequences, and there even where they were closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from dentify.errors import OutputError

# What moves a terminal's cursor, colours it, renames it or turns its text around; not the ends of lines, and tabs.
_ODD = [*range(9), *range(11, 32), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
_ESCAPED = {code: f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}" for code in _ODD}  # as JSON has them from DEL on


class PlainStream:
    """A text stream that tells control characters by their numbers, whoever put them where."""

    def __init__(self, stream: Any) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Writes a text, its control characters escaped."""
        self.raw.write(text.translate(_ESCAPED))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes lines, their control characters escaped."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)


class ClosedStream:
    """Standard output that was closed before the command began; its first word is an error."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, text: str) -> NoReturn:
        """Says that nothing can be written.

        Raises:
            OutputError: always.
        """
        raise OutputError(f"{self.name}: is closed; leave it open, or say with -o where results go")

    def flush(self) -> None:
        """Does nothing: nothing was written."""

    def isatty(self) -> bool:
        """Nobody looks at it."""
        return False

    def fileno(self) -> int:
        """It has none.

        Raises:
            OSError: always.
        """
        raise OSError("closed")


@contextmanager
def plain_streams() -> Iterator[None]:
    """Standard output and error without escape sequences, within."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (one if isinstance(one, PlainStream) else PlainStream(one) for one in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw_stream(stream: Any) -> Any:
    """The stream behind a plain one, for a progress bar, which draws with escape sequences."""
    return stream.raw if isinstance(stream, PlainStream) else stream


def open_closed_streams() -> None:
    """Gives the process what it lacks of standard input, output and error.

    Without, the next file that is opened takes their number, and libraries in C write their lines into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = ClosedStream("standard output")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for good
