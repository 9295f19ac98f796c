"""What stands in a photo's own files."""

from __future__ import annotations

from collections.abc import Iterable

from dentify.assessment import Assessment
from dentify.report import as_text
from dentify.results.files import large_picture, small_picture
from dentify.sinks.names import Format, crop_name, files_of
from dentify.sinks.sink import Result

_ORDER: tuple[Format, ...] = ("json", "photo", "text", "page", "crops", "coco")


def in_order(formats: Iterable[Format]) -> tuple[Format, ...]:
    """Formats in the order of writing. JSON comes first: where it is missing, a text or photo there is not ours.

    Where it is there already, a `FolderSink` replaces it last: a run that is killed leaves no new answer beside an old picture.

    >>> in_order(["text", "photo", "json"])
    ('json', 'photo', 'text')
    """
    wanted = frozenset(formats)
    return tuple(one for one in _ORDER if one in wanted)


def contents_of(one: Format, stem: str, result: Result, *, verbose: bool) -> dict[str, bytes]:
    """A photo's files in one format, by their names relative to the folder of results.

    Args:
        one: the format.
        stem: what the photo's files are called.
        result: what they tell.
        verbose: tell parts in view in texts, too.
    """
    match one:
        case "json":
            return _one_file(stem, one, (result.assessment.to_json(indent=2) + "\n").encode())
        case "text":
            return _one_file(stem, one, (report_text(result.assessment, verbose=verbose) + "\n").encode())
        case "photo":
            assert result.photo is not None
            return _one_file(stem, one, result.photo)
        case "page" if result.pictures is not None:
            return {large_picture(stem): result.pictures.large, small_picture(stem): result.pictures.small}
        case "crops":
            return {crop_name(stem, number): data for number, data in result.crops.items()}
        case "page" | "coco":  # the latter is made of all answers in the end
            return {}


def _one_file(stem: str, one: Format, data: bytes) -> dict[str, bytes]:
    (name,) = files_of(stem, one)
    return {name: data}


def report_text(assessment: Assessment, *, verbose: bool) -> str:
    """The report as text; answers of before have no lines of which parts could be one."""
    return as_text(assessment.report_lines, verbose=True) if verbose and assessment.report_lines else assessment.report
