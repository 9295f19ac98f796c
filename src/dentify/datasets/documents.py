"""Annotation files as documents: JSON, CSV, XML and YAML, read under limits, with errors that name file and position."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dentify.datasets.adjustments import OnAdjust
from dentify.errors import DatasetError, MissingExtraError, printable
from dentify.imaging.files import told_bytes
from dentify.plain_yaml import RepeatedKeyError, load_yaml
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
_END_OF_LINE = re.compile("\r\n|\r|\n")
_MOST_CSV_FIELD = 2**28  # characters; VIA 1 may hold whole pictures in one


OTHER_ENCODING = "texts that are not UTF-8 are read as Windows' code page 1252; save them as UTF-8 where letters are wrong"


def _told(path: Path) -> str:
    return printable(str(path))


def read_text(path: Path, settings: Settings, adjust: OnAdjust | None = None) -> str:
    """The text of an annotation file, its lines ended as on Unix: UTF-8, or UTF-16 or 32 with its byte order mark.

    Args:
        path: the file.
        settings: the limits.
        adjust: where it is given, what is neither is taken for Windows' code page 1252, as Excel saves CSV, and this is told.

    Raises:
        DatasetError: it cannot be read, is over `max_annotation_bytes`, or is in no encoding that is taken.
    """
    text = _as_it_is(path, settings, adjust)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _as_it_is(path: Path, settings: Settings, adjust: OnAdjust | None = None) -> str:
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
    except OSError as error:
        raise DatasetError(f"{_told(path)}: cannot be read: {error.strerror or error}") from error
    try:
        return _decoded(data)
    except UnicodeDecodeError as error:
        text = _of_windows(data) if adjust is not None and error.encoding.startswith("utf-8") else None
        if adjust is None or text is None:
            raise DatasetError(f"{_told(path)}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
        adjust(OTHER_ENCODING, str(path))
        return text


def _decoded(data: bytes) -> str:
    """UTF-16 or 32 where a byte order mark says so, UTF-16 where every second byte of the beginning does; else UTF-8."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(data) % 4 == 0:
        return data.decode("utf-32")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) >= 4 and not any(data[start:64:2]) and all(data[1 - start : 64 : 2]):
            return data[: len(data) // 2 * 2].decode(encoding)
    return data.decode("utf-8-sig")


def _of_windows(data: bytes) -> str | None:
    """Text of Windows' code page 1252; `None` where it cannot be, as with NULs in it."""
    try:
        return None if b"\0" in data else data.removeprefix(codecs.BOM_UTF8).decode("cp1252")
    except UnicodeDecodeError:
        return None


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


def check_cost(path: Path, size: int, cost: int) -> None:
    """Refuses a document that would take memory out of all proportion to its bytes.

    Args:
        path: the file, for the message.
        size: of it, in bytes.
        cost: bytes of memory that it would take.

    Raises:
        DatasetError: it would.
    """
    if cost > _COST_FREE + _COST_PER_BYTE * size:
        told = f"{told_bytes(size)} that would take {told_bytes(cost)} of memory"
        raise DatasetError(f"{_told(path)}: {told}; no labels are made of so many small pieces")


def check_json_cost(path: Path, text: str) -> None:
    """Refuses JSON that would take memory out of all proportion to its bytes, before it is parsed.

    Args:
        path: the file, for the message.
        text: one document, or several of them.

    Raises:
        DatasetError: it would.
    """
    check_cost(path, len(text), json_cost(text))


def json_cost(text: str) -> int:
    """Bytes of memory that JSON may take."""
    return len(text) + sum(cost * text.count(mark) for mark, cost in _JSON_COST.items())


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


def parse_json(text: str) -> Any:
    """What JSON says, of which no key is said twice to be two things.

    >>> parse_json('{"a": 1, "a": 1}')
    {'a': 1}

    Raises:
        RepeatedKeyError: one is.
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        for key, value in pairs:
            if row[key] != value:
                raise RepeatedKeyError(f"the key {printable(key)[:60]!r} stands twice in one object; which one is meant?")
    return row


def read_json(path: Path, settings: Settings) -> Any:
    """What a JSON file holds.

    Raises:
        DatasetError: it cannot be read, is over a limit, is not whole, or says two things of one key.
    """
    text = read_text(path, settings)
    check_json_cost(path, text)
    try:
        return parse_json(text)
    except RepeatedKeyError as error:
        raise DatasetError(f"{_told(path)}: {error}") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].count("\n") <= 1 and text[error.pos : error.pos + 1] in ("{", "["):
            raise DatasetError(f"{_told(path)}: holds a JSON document a line; call it .jsonl, or .manifest") from error
        raise DatasetError(
            f"{_told(path)}: broken JSON at line {error.lineno}, column {error.colno} (of {len(text)} characters, {error.pos} are"
            f" readable): {error.msg}; is the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise DatasetError(f"{_told(path)}: no annotations: nested too deep or with a number too long") from error


def read_csv(
    path: Path,
    settings: Settings,
    refuse: Callable[[DatasetError], None] | None = None,
    adjust: OnAdjust | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV by the names in its first line, each with the number of its last line; see `read_rows`.

    Raises:
        DatasetError: it cannot be read, is over a limit, or a row has more or fewer fields than the first line.
    """
    rows = read_rows(path, settings, adjust)
    _, first = next(rows, (1, []))
    columns = [column.strip() for column in first]
    for line, row in rows:
        if len(row) == len(columns):
            yield line, dict(zip(columns, row, strict=True))
            continue
        wrong = wrong_width(path, line, len(columns))
        if refuse is None:
            raise wrong
        refuse(wrong)


def wrong_width(path: Path, line: int, fields: int) -> DatasetError:
    """What is said of a row of a CSV that has more or fewer fields than the first."""
    return DatasetError(f"{_told(path)}: line {line}: needs {fields} fields, as the first line has")


def read_rows(path: Path, settings: Settings, adjust: OnAdjust | None = None) -> Iterator[tuple[int, list[str]]]:
    """All rows of a CSV, the first one with its names too, each with the number of its last line; empty lines are passed over.

    Fields are separated by `,`, `;`, tabs or `|`, whichever the first line has most of, or by what `sep=` of Excel says.
    Cells keep the ends of lines that they hold, of whatever kind.

    Args:
        path: the file.
        settings: the limits.
        adjust: is told of an encoding that is not UTF-8, which is refused without it.

    Raises:
        DatasetError: it cannot be read, is over a limit, or is broken.
    """
    skipped, text, delimiter = _separated(_as_it_is(path, settings, adjust))
    most = csv.field_size_limit(min(_MOST_CSV_FIELD, sys.maxsize))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        for row in reader:
            if any(map(str.strip, row)):  # Excel ends tables with rows of nothing
                yield skipped + reader.line_num, row
    except csv.Error as error:
        line = skipped + reader.line_num
        raise DatasetError(f"{_told(path)}: line {line}: broken CSV: {error}; is the file cut off?") from error
    finally:
        csv.field_size_limit(most)


def _separated(text: str) -> tuple[int, str, str]:
    """Lines before the first row, the text from there on, and what separates its fields."""
    end = _END_OF_LINE.search(text)
    first = text[: end.start()] if end else text
    if first.lower().startswith("sep=") and len(first.rstrip()) == 5:
        return 1, text[end.end() :] if end else "", first.rstrip()[4]
    unquoted = "".join(first.split('"')[::2])
    return 0, text, max(",;\t|", key=unquoted.count)


def csv_delimiter(path: Path) -> str:
    """What separates the fields of a CSV; `,` where it is no text."""
    return _separated(_head(path))[2]


def csv_head(path: Path, most: int = 20) -> list[list[str]]:
    """The first rows of a CSV, names among them, as far as 64 KiB hold them whole; none where it is no text."""
    _, text, delimiter = _separated(_head(path))
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if any(map(str.strip, row)):
                rows.append(row)
            if len(rows) == most:
                break
    return rows


def _head(path: Path) -> str:
    """The first 64 KiB of a text, up to the end of a line; empty where it is none."""
    try:
        if not path.is_file():  # a pipe or a device
            return ""
        with path.open("rb") as stream:
            data = stream.read(2**16)
    except OSError:
        return ""
    whole = len(data) < 2**16
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        cut = not whole and error.start > len(data) - 4  # a letter in two
        text = _decoded(data[: error.start]) if cut else _of_windows(data) or ""
    ends = [] if whole else list(_END_OF_LINE.finditer(text))
    return text[: ends[-1].start()] if len(ends) > 1 else text


def csv_columns(path: Path) -> list[str]:
    """The names in the first line of a CSV; none where it is no text."""
    return [column.strip() for column in next(iter(csv_head(path, 1)), [])]


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
        told = "XML that declares entities or an odd encoding is not read; save it as UTF-8, without entities"
        raise DatasetError(f"{_told(path)}: {told} ({error})") from error


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
    except RepeatedKeyError as error:
        raise DatasetError(f"{_told(path)}: {error}") from error
    except (RecursionError, ValueError) as error:
        told = f" ({printable(str(error))[:100]})" if isinstance(error, ValueError) else ""
        raise DatasetError(f"{_told(path)}: YAML nested too deep or with a value too odd{told}") from error
    if not isinstance(document, dict):
        got = "nothing" if document is None else f"a {type(document).__name__}"
        raise DatasetError(f"{_told(path)}: expected keys and values, got {got}")
    return document
