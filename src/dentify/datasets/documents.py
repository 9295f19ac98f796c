"""Annotation files as documents: JSON, CSV, XML and YAML, read under limits, with errors that name file and position."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dentify.errors import DatasetError, MissingExtraError, printable
from dentify.imaging.files import told_bytes
from dentify.plain_yaml import load_yaml
from dentify.settings import Settings

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Bytes of memory that documents may take, and what their pieces take in CPython: a mapping, a list, a value of a list, a key with
# its value. Characters of texts are counted along, which does no harm: labels have 5 to 15 bytes for a byte.
_COST_FREE, _COST_PER_BYTE = 200 * 2**20, 20
_JSON_COST = {"{": 240, "[": 90, ",": 40, ":": 40}
_XML_FREE, _XML_BYTES = 100_000, 8  # elements and attributes, and bytes that each further one has at least
_XML_DEPTH = 100  # labels are 10 deep; what walks them may recurse
_CHUNK_BYTES = 2**18
_MOST_CSV_FIELD = 2**28  # characters; VIA 1 may hold whole pictures in one


def _told(path: Path) -> str:
    return printable(str(path))


def read_text(path: Path, settings: Settings) -> str:
    """The text of an annotation file, its lines ended as on Unix.

    Raises:
        DatasetError: it cannot be read, is over `max_annotation_bytes`, or is not UTF-8.
    """
    text = _as_it_is(path, settings)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _as_it_is(path: Path, settings: Settings) -> str:
    try:
        with _opened(path, settings) as stream:
            pieces, size = [], 0
            while piece := stream.read(_CHUNK_BYTES):  # it may grow, or its size be told as 0
                size += len(piece)
                if size > settings.max_annotation_bytes:
                    raise _too_long(path, settings)
                pieces.append(piece)
        data = b"".join(pieces)
        pieces.clear()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{_told(path)}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{_told(path)}: not UTF-8 text at byte {error.start}") from error


def _opened(path: Path, settings: Settings) -> BinaryIO:
    """A label file to read; pipes and devices, which may block or never end, are none.

    Raises:
        DatasetError: it is no plain file, or over `max_annotation_bytes`.
        OSError: it cannot be read.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise DatasetError(f"{_told(path)}: is a pipe or a device and no file; name a file of labels")
    if status.st_size > settings.max_annotation_bytes:
        raise _too_long(path, settings)
    return path.open("rb")


def _too_long(path: Path, settings: Settings) -> DatasetError:
    limit = told_bytes(settings.max_annotation_bytes)
    return DatasetError(f"{_told(path)}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")


def _check_cost(path: Path, size: int, cost: int) -> None:
    """Refuses a document that would take memory out of all proportion to its bytes.

    Raises:
        DatasetError: it would.
    """
    if cost > _COST_FREE + _COST_PER_BYTE * size:
        told = f"{told_bytes(size)} that would take {told_bytes(cost)} of memory"
        raise DatasetError(f"{_told(path)}: {told}; no labels are made of so many small pieces")


def _counted(events: Iterator[tuple[str, Element]], stream: BinaryIO, path: Path) -> Iterator[tuple[str, Element]]:
    """The events of an XML file, as long as its elements and attributes are in proportion to what was read of it."""
    pieces = depth = 0
    for event, element in events:
        if event == "start":
            pieces += 1 + len(element.attrib)
            depth += 1
            if pieces > _XML_FREE and pieces > _XML_FREE + stream.tell() // _XML_BYTES:
                raise DatasetError(f"{_told(path)}: {pieces:,} elements, each smaller than any of labels; are these labels?")
            if depth > _XML_DEPTH:
                raise DatasetError(f"{_told(path)}: elements within elements, more than {_XML_DEPTH} deep; are these labels?")
        else:
            depth -= 1
        yield event, element


def read_json(path: Path, settings: Settings) -> Any:
    """What a JSON file holds.

    Raises:
        DatasetError: it cannot be read, is over a limit, or is not whole.
    """
    text = read_text(path, settings)
    _check_cost(path, len(text), len(text) + sum(cost * text.count(mark) for mark, cost in _JSON_COST.items()))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"{_told(path)}: broken JSON at line {error.lineno}, column {error.colno} (of {len(text)} characters, {error.pos} are"
            f" readable): {error.msg}; is the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise DatasetError(f"{_told(path)}: no annotations: nested too deep or with a number too long") from error


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
    text = _as_it_is(path, settings)  # the cells of a CSV may hold ends of lines of either kind
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    most = csv.field_size_limit(min(_MOST_CSV_FIELD, sys.maxsize))
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        columns = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = columns
        for row in reader:
            if None in row or None in row.values():
                wrong = DatasetError(f"{_told(path)}: line {reader.line_num}: needs {len(columns)} fields, as the first line has")
                if refuse is None:
                    raise wrong
                refuse(wrong)
                continue
            yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{_told(path)}: line {reader.reader.line_num}: broken CSV: {error}; is the file cut off?") from error
    finally:
        csv.field_size_limit(most)


def csv_columns(path: Path) -> list[str]:
    """The names in the first line of a CSV; none where it is no text."""
    try:
        if not path.is_file():
            return []
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
        with _opened(path, settings) as stream:
            yield from _counted(iterparse(stream, events=("start", "end")), stream, path)
    except OSError as error:
        raise DatasetError(f"{_told(path)}: cannot be read: {error.strerror or error}") from error
    except ParseError as error:
        line, column = error.position
        at = f"line {line}, column {column + 1}"
        raise DatasetError(f"{_told(path)}: broken XML at {at}: {error}; is the file cut off?") from error
    except (DefusedXmlException, ValueError, LookupError) as error:  # the last two: an encoding that Python does not take
        raise DatasetError(f"{_told(path)}: XML that declares entities or an odd encoding is not read ({error})") from error


def xml_root(path: Path, settings: Settings) -> str:
    """The name of an XML file's outermost element.

    Raises:
        DatasetError: it cannot be read, or is no XML.
    """
    for _, element in iterate_xml(path, settings):
        return str(element.tag)
    raise DatasetError(f"{_told(path)}: holds no XML")


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
        document = load_yaml(read_text(path, settings))
    except yaml.YAMLError as error:
        raise DatasetError(f"{_told(path)}: broken YAML: {' '.join(str(error).split())[:200]}") from error
    except (RecursionError, ValueError) as error:
        told = f" ({printable(str(error))[:100]})" if isinstance(error, ValueError) else ""
        raise DatasetError(f"{_told(path)}: YAML nested too deep or with a value too odd{told}") from error
    if not isinstance(document, dict):
        raise DatasetError(f"{_told(path)}: expected keys and values, got a {type(document).__name__}")
    return document
