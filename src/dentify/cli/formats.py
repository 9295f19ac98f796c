"""Formats by name: one word each, whichever option takes it, told in that option's help and in the error about an unknown one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from dentify.errors import printable

LABELS = (
    *("coco", "cvat", "via", "label_studio", "datumaro", "vehide", "aihub", "supervisely", "vott", "vott_asset"),
    *("ground_truth", "labelme", "createml", "yolo", "voc", "masks", "table", "folders"),
)
"""Those of `dentify.datasets.formats`, which takes too long to import for the sake of a help."""
WRITTEN = ("coco", "cvat", "via", "label_studio", "yolo", "masks")
DRAFTED = ("coco", "cvat", "via", "label_studio", "yolo")

_EARLIER = {"labelstudio": "label_studio"}  # taken in this version still


class Printed(StrEnum):
    """What goes to standard output."""

    TABLE = "table"
    JSON = "json"


def one_of(word: str, known: Sequence[str], *, option: str = "") -> str:
    """A word that an option takes, in capitals or not; an earlier spelling with a note.

    Args:
        word: as it was typed.
        known: what is taken.
        option: its name, where the error does not tell it anyway, as of an option's callback.

    Raises:
        typer.BadParameter: it is none of them.

    >>> one_of("COCO", WRITTEN)
    'coco'
    """
    name = word.strip().lower()
    if _EARLIER.get(name) in known:
        print(f"note: {printable(word)} is called {_EARLIER[name]}; the next version knows no other name", file=sys.stderr)
        name = _EARLIER[name]
    if name not in known:
        raise typer.BadParameter(f"{option} {none_of(word, known)}".lstrip())
    return name


def none_of(word: str, known: Sequence[str]) -> str:
    """What is said of a word that an option does not take.

    >>> none_of("jsn", ["table", "json"])
    "'jsn' is none of table, json; did you mean `json`?"
    """
    from dentify.strict import nearest

    return f"{word!r} is none of {', '.join(known)}{nearest(word.strip().lower(), known)}"


def _takes(option: str, known: Sequence[str], help_text: str) -> Any:
    """An option that takes one of these words, whose help lists them and whose values the shell completes."""

    def check(text: str | None) -> str | None:
        return None if text is None else one_of(text, known)

    def complete(incomplete: str) -> list[str]:
        return [word for word in known if word.startswith(incomplete.lower())]

    told = help_text.format(", ".join(known))
    return typer.Option(option, metavar="FORMAT", help=told, callback=check, autocompletion=complete)


OutputFormat = Annotated[Printed, typer.Option("--format", case_sensitive=False, help="A table for people, or JSON.")]
InputFormat = Annotated[str | None, _takes("--input-format", LABELS, "The format of the labels: {}. [default: the files tell]")]
To = Annotated[str, _takes("--to", WRITTEN, "The format to write: {}.")]
DraftsTo = Annotated[str, _takes("--to", DRAFTED, "The format to write: {}.")]
