"""Every error that a user can cause, as one short tree.

    DentifyError
    ├── InputError         what was given cannot be used
    │   ├── ImageError     a photo cannot be read, or is over a limit
    │   ├── ArchiveError   a zip is hostile, broken or over a limit
    │   └── ShapeError     an array has the wrong shape or type
    ├── OutputError        a result cannot be written
    ├── ConfigError        a setting, recipe or taxonomy is wrong
    ├── BundleError        a bundle is incomplete, altered or of another version
    ├── DatasetError       annotations cannot be read
    │   └── NothingToFitError  labels are well, and too few to fit anything to
    ├── TrainingError      a training run cannot go on
    └── MissingExtraError  a room needs an extra that is not installed

Each message is one line: what is wrong, where, and what to do. Anything else that escapes Dentify is a bug.
"""

from __future__ import annotations


class DentifyError(Exception):
    """Base of all errors that a user of Dentify can cause and mend."""


class InputError(DentifyError):
    """What was given cannot be used."""


class ImageError(InputError):
    """A photo cannot be read, or is over a limit."""


class ArchiveError(InputError):
    """A zip is hostile, broken, encrypted or over a limit."""


class ShapeError(InputError):
    """An array has another shape or type than a function takes."""


class OutputError(DentifyError):
    """A result cannot be written where it was asked for."""


class ConfigError(DentifyError):
    """A setting, recipe or taxonomy holds something that Dentify does not know."""


class BundleError(DentifyError):
    """A bundle is incomplete, altered, hostile or of a version that this Dentify does not read."""


class DatasetError(DentifyError):
    """Annotations cannot be read, or contradict themselves.

    `kind` sorts what is wrong with single photos and annotations, for a summary of many.
    """

    def __init__(self, message: str, *, kind: str = "invalid label") -> None:
        super().__init__(message)
        self.kind = kind


class NothingToFitError(DatasetError):
    """Labelled photos are well, but show too little of what a bundle answers to fit anything to."""


class TrainingError(DentifyError):
    """A training run cannot go on: its numbers are none any more."""


class MissingExtraError(DentifyError):
    """A room of Dentify needs packages that are not installed."""

    def __init__(self, *, what: str, extra: str) -> None:
        super().__init__(f'{what} needs more packages: pip install "dentify[{extra}]"')


def printable(text: str) -> str:
    r"""A name that someone else chose, fit for a one-line message on a terminal: control characters and odd bytes are escaped.

    >>> printable("a\nb\x1b[31m.jpg"), printable("Çizik\udce9.jpg")
    ('a\\nb\\x1b[31m.jpg', 'Çizik\\udce9.jpg')
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
