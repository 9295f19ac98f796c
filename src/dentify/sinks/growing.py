"""Files that grow while a run goes on, and have their name when it is through."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from dentify.spreadsheets import MARK
from dentify.writing import part_of, writing

_PIECE = 2**20


class GrowingFile:
    """A text file that grows line by line as `.NAME.part` and gets its name when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = part_of(path)
        self._stream: TextIO | None = None
        self._is_ascii = True

    def open(self) -> None:
        """Begins it; what an earlier run left of it is gone.

        Raises:
            OutputError: it cannot be written, here as below.
        """
        with writing(self.path):
            self._stream = self.part.open("w", encoding="utf-8", newline="")

    def write(self, line: str) -> None:
        """Adds a line, which is in the file at once."""
        assert self._stream is not None
        with writing(self.path):
            self._stream.write(line)
            self._stream.flush()
        self._is_ascii = self._is_ascii and line.isascii()

    def finish(self) -> None:
        """Gives the file its name; one that was never opened stays as it is."""
        if self._stream is None:
            return
        with writing(self.path):
            self._stream.close()
            if self.path.suffix == ".csv" and not self._is_ascii:
                _prepend(MARK.encode(), self.part)
            self.part.replace(self.path)

    def discard(self) -> None:
        """Takes the unfinished file away; nothing happens after `finish`."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)


def _prepend(data: bytes, path: Path) -> None:
    """Puts some bytes before those of a file, which may be long."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _PIECE)
            file.seek(start)
            piece = file.read(end - start)
            file.seek(start + len(data))
            file.write(piece)
            end = start
        file.seek(0)
        file.write(data)
