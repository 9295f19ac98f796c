"""Annotation files as documents: JSON, CSV, XML and YAML, read under limits, with errors that name file and position."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentify.errors import DatasetError, MissingExtraError
from dentify.imaging.files import told_bytes
from dentify.settings import Settings

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_CSV_FIELD = 2**28  # characters; VIA 1 may hold whole pictures in one


def read_text(path: Path, settings: Settings) -> str:
    """The text of an annotation file.

    Raises:
        DatasetError: it cannot be read, is over `max_annotation_bytes`, or is not UTF-8.
    """
    try:
        if path.stat().st_size > settings.max_annotation_bytes:
            limit = told_bytes(settings.max_annotation_bytes)
            raise DatasetError(f"{path}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text at byte {error.start}") from error


def read_json(path: Path, settings: Settings) -> Any:
    """What a JSON file holds.

    Raises:
        DatasetError: it cannot be read, is over a limit, or is not whole.
    """
    text = read_text(path, settings)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno} (of {len(text)} characters, {error.pos} are"
            f" readable): {error.msg}; is the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise DatasetError(f"{path}: no annotations: nested too deep or with a number too long") from error


def read_csv(
    path: Path, settings: Settings, refuse: Callable[[DatasetError], None] | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV by the names in its first line, each with the number of its last line; `;` and tabs separate, too.

    Args:
        path: the file.
        settings: the limits.
        refuse: is given the error of a row that has too many or too few fields, which is then left out.

    Raises:
        DatasetError: it cannot be read, is over a limit, or a row has more or fewer fields than the first line.
    """
    text = read_text(path, settings)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    most = csv.field_size_limit(min(_MOST_CSV_FIELD, sys.maxsize))
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        columns = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = columns
        for row in reader:
            if None in row or None in row.values():
                wrong = DatasetError(f"{path}: line {reader.line_num}: needs {len(columns)} fields, as the first line has")
                if refuse is None:
                    raise wrong
                refuse(wrong)
                continue
            yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{path}: line {reader.reader.line_num}: broken CSV: {error}; is the file cut off?") from error
    finally:
        csv.field_size_limit(most)


def csv_columns(path: Path) -> list[str]:
    """The names in the first line of a CSV; none where it is no text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline(2**16)
    except (OSError, UnicodeDecodeError):
        return []
    delimiter = max(",;\t", key=first.count)
    try:
        return [column.strip() for column in next(csv.reader([first], delimiter=delimiter), [])]
    except csv.Error:
        return []


def iterate_xml(path: Path, settings: Settings) -> Iterator[tuple[str, Element]]:
    """Elements of an XML file as they begin (`"start"`) and end (`"end"`), without holding the document.

    Raises:
        DatasetError: it cannot be read, is over a limit, is not whole, or declares entities.
        MissingExtraError: defusedxml is not installed.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, iterparse
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="reading XML annotations", extra="data") from error
    try:
        if path.stat().st_size > settings.max_annotation_bytes:
            limit = told_bytes(settings.max_annotation_bytes)
            raise DatasetError(f"{path}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")
        with path.open("rb") as stream:
            yield from iterparse(stream, events=("start", "end"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ParseError as error:
        line, column = error.position
        raise DatasetError(f"{path}: broken XML at line {line}, column {column + 1}: {error}; is the file cut off?") from error
    except (DefusedXmlException, ValueError, LookupError) as error:  # the last two: an encoding that Python does not take
        raise DatasetError(f"{path}: XML that declares entities or an odd encoding is not read ({error})") from error


def xml_root(path: Path, settings: Settings) -> str:
    """The name of an XML file's outermost element.

    Raises:
        DatasetError: it cannot be read, or is no XML.
    """
    for _, element in iterate_xml(path, settings):
        return str(element.tag)
    raise DatasetError(f"{path}: holds no XML")


def read_yaml(path: Path, settings: Settings) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        DatasetError: it cannot be read, is over a limit, is broken, or holds no mapping.
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="reading YAML", extra="data") from error
    try:
        document = yaml.safe_load(read_text(path, settings))
    except yaml.YAMLError as error:
        raise DatasetError(f"{path}: broken YAML: {' '.join(str(error).split())[:200]}") from error
    except (RecursionError, ValueError) as error:
        raise DatasetError(f"{path}: YAML nested too deep or with a value too odd") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{path}: expected keys and values, got a {type(document).__name__}")
    return document
