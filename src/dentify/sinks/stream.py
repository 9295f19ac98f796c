"""Results on standard output."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self, TextIO

from dentify.assessment import Assessment
from dentify.errors import printable
from dentify.sinks.contents import report_text
from dentify.sinks.names import Format
from dentify.sinks.sink import Result
from dentify.writing import writing


class StreamSink:
    """Results on standard output: reports or JSON; one JSON document for one photo, JSON Lines for several."""

    wants: frozenset[Format] = frozenset()

    def __init__(
        self, *, stream: TextIO, output_format: Literal["text", "json"] = "text", several: bool = True, verbose: bool = False
    ) -> None:
        self._stream = stream
        self._verbose = verbose
        self._format = output_format
        self._several = several
        self._first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def reserve(self, name: str, where: str) -> None:
        """Nothing stands in the way."""

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """There is none."""
        return None

    def keep(self, assessment: Assessment) -> None:
        """Writes it as a new one."""
        self.write(Result(assessment))

    def discard(self, name: str) -> None:
        """Nothing that was said can be taken back."""

    def fail(self, name: str, kind: str, message: str) -> None:
        """Errors have no place among the data."""

    def write(self, result: Result) -> None:
        """Writes one result at once.

        Raises:
            OutputError: the disk behind it is full, or the like.
            BrokenPipeError: nobody reads any more.
        """
        assessment = result.assessment
        if self._format == "json":
            text = assessment.to_json(indent=None if self._several else 2)
        else:
            text = report_text(assessment, verbose=self._verbose)
            if self._several:
                text = f"{'' if self._first else chr(10)}{printable(assessment.photo.name)}\n{text}"
        self._first = False
        with writing("standard output"):
            self._stream.write(text + "\n")
            self._stream.flush()
