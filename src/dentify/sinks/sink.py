"""What a sink is, and what it is given: of every photo in turn its result, or why it has none."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from dentify.assessment import AnswerSettings, Assessment
from dentify.errors import OutputError
from dentify.results.pictures import PagePictures
from dentify.sinks.names import Format
from dentify.summary import Timings


@dataclass(frozen=True)
class Result:
    """One assessed photo, ready to be written.

    Attributes:
        assessment: the answer.
        photo: the annotated photo as JPEG, where it is asked for.
        timings: how long it took.
        pictures: those for the page, where it is asked for.
        crops: a JPEG file of each finding by its id, where they are asked for.
    """

    assessment: Assessment
    photo: bytes | None = None
    timings: Timings = field(default_factory=Timings)
    pictures: PagePictures | None = None
    crops: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """What an answer depends on beside the photo: an earlier answer under the same conditions need not be given again."""

    bundle_sha256: str
    settings: AnswerSettings
    dentify_version: str

    def hold_for(self, assessment: Assessment) -> bool:
        """Whether an earlier answer would come out the same."""
        earlier = (assessment.bundle.sha256, assessment.settings, assessment.dentify_version)
        return earlier == (self.bundle_sha256, self.settings, self.dentify_version)


class Sink(Protocol):
    """Where results go."""

    @property
    def wants(self) -> frozenset[Format]:
        """What results need to hold."""
        ...

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that a photo's result can be written. Raises `OutputError` for this photo alone."""
        ...

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """An earlier run's answer to a photo with these bytes, where it still holds. Raises `OutputError` for it alone."""
        ...

    def write(self, result: Result) -> None:
        """Writes one photo's result. Raises `OutputError`."""
        ...

    def keep(self, assessment: Assessment) -> None:
        """Takes over an earlier answer as it is."""
        ...

    def discard(self, name: str) -> None:
        """Removes what an earlier run wrote for a photo that has no answer now."""
        ...

    def fail(self, name: str, kind: str, message: str) -> None:
        """Takes note of a photo without an answer."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def concerns_one_photo(error: OutputError) -> bool:
    """Whether a failed `write` says nothing about the photos to come, as a full disk does."""
    cause = error.__cause__
    if isinstance(cause, FileExistsError | NotADirectoryError | IsADirectoryError):
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.ENAMETOOLONG, errno.EILSEQ)
