"""Annotation files as documents: JSON, CSV, XML and YAML, read under limits, with errors that name file and position."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentify.datasets.adjustments import OnAdjust
from dentify.errors import DatasetError, MissingExtraError
from dentify.imaging.files import told_bytes
from dentify.settings import Settings

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_CSV_FIELD = 2**28  # characters; VIA 1 may hold whole pictures in one


OTHER_ENCODING = "texts that are not UTF-8 are read as Windows' code page 1252; save them as UTF-8 where letters are wrong"


def read_text(path: Path, settings: Settings, adjust: OnAdjust | None = None) -> str:
    """The text of an annotation file: UTF-8, or UTF-16 with its byte order mark.

    Args:
        path: the file.
        settings: the limits.
        adjust: where it is given, what is neither is taken for Windows' code page 1252, as Excel saves CSV, and this is told.

    Raises:
        DatasetError: it cannot be read, is over `max_annotation_bytes`, or is in no encoding that is taken.
    """
    try:
        if path.stat().st_size > settings.max_annotation_bytes:
            limit = told_bytes(settings.max_annotation_bytes)
            raise DatasetError(f"{path}: over the limit of {limit}; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return _universal(_decoded(data))
    except UnicodeDecodeError as error:
        text = _of_windows(data) if adjust is not None and "utf-16" not in error.encoding else None
        if adjust is None or text is None:
            raise DatasetError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
        adjust(OTHER_ENCODING, str(path))
        return _universal(text)


def _decoded(data: bytes) -> str:
    """UTF-16 where a byte order mark, or every second byte of the beginning, says so; else UTF-8."""
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


def _universal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, settings: Settings) -> Any:
    """What a JSON file holds.

    Raises:
        DatasetError: it cannot be read, is over a limit, or is not whole.
    """
    text = read_text(path, settings)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text[: error.pos].count("\n") <= 1 and text[error.pos : error.pos + 1] in ("{", "["):
            raise DatasetError(f"{path}: holds a JSON document a line; call it .jsonl, or .manifest") from error
        raise DatasetError(
            f"{path}: broken JSON at line {error.lineno}, column {error.colno} (of {len(text)} characters, {error.pos} are"
            f" readable): {error.msg}; is the file cut off?"
        ) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise DatasetError(f"{path}: no annotations: nested too deep or with a number too long") from error


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
    return DatasetError(f"{path}: line {line}: needs {fields} fields, as the first line has")


def read_rows(path: Path, settings: Settings, adjust: OnAdjust | None = None) -> Iterator[tuple[int, list[str]]]:
    """All rows of a CSV, the first one with its names too, each with the number of its last line; empty lines are passed over.

    Fields are separated by `,`, `;`, tabs or `|`, whichever the first line has most of, or by what `sep=` of Excel says.

    Args:
        path: the file.
        settings: the limits.
        adjust: is told of an encoding that is not UTF-8, which is refused without it.

    Raises:
        DatasetError: it cannot be read, is over a limit, or is broken.
    """
    text = read_text(path, settings, adjust)
    skipped, text, delimiter = _separated(text)
    most = csv.field_size_limit(min(_MOST_CSV_FIELD, sys.maxsize))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield skipped + reader.line_num, row
    except csv.Error as error:
        line = skipped + reader.line_num
        raise DatasetError(f"{path}: line {line}: broken CSV: {error}; is the file cut off?") from error
    finally:
        csv.field_size_limit(most)


def _separated(text: str) -> tuple[int, str, str]:
    """Lines before the first row, the text from there on, and what separates its fields."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.rstrip()) == 5:
        return 1, rest, first.rstrip()[4]
    unquoted = "".join(first.split('"')[::2])
    return 0, text, max(",;\t|", key=unquoted.count)


def csv_head(path: Path, most: int = 20) -> list[list[str]]:
    """The first rows of a CSV, names among them, as far as 64 KiB hold them whole; none where it is no text."""
    try:
        with path.open("rb") as stream:
            data = stream.read(2**16)
    except OSError:
        return []
    whole = len(data) < 2**16
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        cut = not whole and error.start > len(data) - 4  # a letter in two
        text = _decoded(data[: error.start]) if cut else _of_windows(data) or ""
    _, text, delimiter = _separated(_universal(text))
    if not whole and text.count("\n") > 1:
        text = text.rpartition("\n")[0]
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == most:
                break
    return rows


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
