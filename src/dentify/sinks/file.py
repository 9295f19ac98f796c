"""One photo's answer in one file."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from dentify.assessment import Assessment
from dentify.errors import OutputError, printable
from dentify.sinks.contents import contents_of
from dentify.sinks.names import Format
from dentify.sinks.sink import Result
from dentify.writing import write_whole


class FileSink:
    """The answer for one photo as one file, in one format.

    Raises:
        OutputError: on entering, when the file is there already and `overwrite` is not given.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, output_format: Format, overwrite: bool = False, verbose: bool = False
    ) -> None:
        self.wants: frozenset[Format] = frozenset((output_format,))
        self._file = Path(path)
        self._format = output_format
        self._overwrite = overwrite
        self._verbose = verbose
        self._is_taken = False

    def __enter__(self) -> Self:
        if os.path.lexists(self._file) and not self._overwrite:
            raise OutputError(f"{printable(str(self._file))}: is there already; --overwrite replaces it")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def reserve(self, name: str, where: str) -> None:
        """Nothing stands in the way of one photo.

        Raises:
            OutputError: it is the second.
        """
        if self._is_taken:
            raise OutputError(f"{where}: {printable(str(self._file))} takes one photo; name a folder for several")
        self._is_taken = True

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """There is none."""
        return None

    def keep(self, assessment: Assessment) -> None:
        """Never called, since `earlier` finds nothing."""

    def discard(self, name: str) -> None:
        """What was there stays where there is nothing to take its place."""

    def fail(self, name: str, kind: str, message: str) -> None:
        """Errors have no place in it."""

    def write(self, result: Result) -> None:
        """Writes the file.

        Raises:
            OutputError: it cannot be written.
        """
        (data,) = contents_of(self._format, "", result, verbose=self._verbose).values()
        write_whole({self._file: data}, shared=True)  # of two runs at once the last wins, and nobody holds a lock for it
