"""Assessments into files, folders, zips and standard output.

A sink is told of every photo in turn: `reserve` before it is assessed (does something stand in its way?), then `write` with the
result. It is a context manager: leaving it normally finishes the results, leaving it by an error takes away what is unfinished.

    with FolderSink("out", formats=("json", "photo"), damage_types=types) as sink:
        sink.reserve("a/b.jpg", "photos/a/b.jpg")
        sink.write(Result(assessment, annotated_jpeg, Timings(…)))

A photo `a/b.jpg` becomes `a/b.json`, `a/b.photo.jpg` and `a/b.txt`. Nothing is ever half-written: files are written beside their
place as `.NAME.part` and renamed when whole, so a killed run leaves at most some `.part` files, which the next run replaces.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from dentify.assessment import AnswerSettings, Assessment
from dentify.errors import OutputError, printable
from dentify.imaging.formats import is_picture_name
from dentify.report import as_text
from dentify.spreadsheets import MARK, csv_bytes, csv_line, safe_path_cell
from dentify.summary import (
    SUMMARY,
    TIMING_COLUMNS,
    Timings,
    earlier_rows,
    summary_cells,
    summary_columns,
    timing_cells,
)
from dentify.writing import locked, locked_folder, write_whole, writing

Format = Literal["text", "json", "photo"]
FORMATS: tuple[Format, ...] = ("text", "json", "photo")
ERRORS = "errors.jsonl"

_SUFFIXES: dict[Format, str] = {"json": ".json", "photo": ".photo.jpg", "text": ".txt"}  # in the order of writing
_LONGEST_ENTRY = 2**16 - 1  # bytes of a whole name within a zip
_PIECE = 2**20
_LONGEST_NAME = 255 - len(".") - len(".photo.jpg") - len(".part")  # bytes: what nearly all file systems take


@dataclass(frozen=True)
class Result:
    """One assessed photo, ready to be written. `photo` is the annotated photo as JPEG, where it is asked for."""

    assessment: Assessment
    photo: bytes | None = None
    timings: Timings = field(default_factory=Timings)


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
    def wants_photo(self) -> bool:
        """Whether results need the annotated photo."""
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


def output_stem(name: str) -> str:
    """What a photo's outputs are called, before their suffixes. Parts too long for a file name are cut, with a hash at the end.

    >>> output_stem("a/b.JPG"), output_stem("a/scan.0001"), len(output_stem("é" * 200 + ".png").encode())
    ('a/b', 'a/scan.0001', 239)
    """
    stem = name.rpartition(".")[0] if is_picture_name(name) else name
    return "/".join(_shortened(part) for part in stem.split("/"))


def _shortened(part: str) -> str:
    data = part.encode()
    if len(data) <= _LONGEST_NAME:
        return part
    mark = "~" + sha256(data).hexdigest()[:8]
    return data[: _LONGEST_NAME - len(mark)].decode(errors="ignore") + mark


def concerns_one_photo(error: OutputError) -> bool:
    """Whether a failed `write` says nothing about the photos to come, as a full disk does."""
    cause = error.__cause__
    if isinstance(cause, FileExistsError | NotADirectoryError | IsADirectoryError):
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.ENAMETOOLONG, errno.EILSEQ)


class StreamSink:
    """Results on standard output: reports or JSON; one JSON document for one photo, JSON Lines for several."""

    wants_photo = False

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
        elif self._several:
            text = f"{'' if self._first else chr(10)}{printable(assessment.photo.name)}\n{_report(assessment, self._verbose)}"
        else:
            text = _report(assessment, self._verbose)
        self._first = False
        with writing("standard output"):
            self._stream.write(text + "\n")
            self._stream.flush()


class _Files:
    """What both sinks of files share: names, what is reserved, and the contents of a photo's files."""

    def __init__(self, formats: Iterable[Format], *, verbose: bool) -> None:
        self._verbose = verbose
        self.formats = tuple(one for one in _SUFFIXES if one in set(formats))
        self._reserved: dict[str, str] = {}

    @property
    def wants_photo(self) -> bool:
        """Whether results need the annotated photo."""
        return "photo" in self.formats

    def is_reserved(self, name: str) -> bool:
        """Whether this run has a photo whose outputs are called the same."""
        return _same_on_disk(output_stem(name)) in self._reserved

    def _reserve(self, name: str, where: str) -> str:
        stem = output_stem(name)
        key = _same_on_disk(stem)
        if key in self._reserved:
            raise OutputError(
                f"{where}: would be written to the same place as {self._reserved[key]} ({printable(stem)}{self._suffix}); "
                "rename one, or assess them into two places"
            )
        if key.partition("/")[0] in (SUMMARY, ERRORS):
            raise OutputError(f"{where}: its results would take the place of {key.partition('/')[0]}; rename its folder")
        self._reserved[key] = where
        return stem

    @property
    def _suffix(self) -> str:
        return _SUFFIXES[self.formats[0]]

    def _contents(self, result: Result) -> dict[str, bytes]:
        """A photo's files by suffix. JSON comes first: where it is missing, a text or photo there is not ours."""
        contents: dict[str, bytes] = {}
        for one in self.formats:
            match one:
                case "json":
                    contents[_SUFFIXES[one]] = (result.assessment.to_json(indent=2) + "\n").encode()
                case "text":
                    contents[_SUFFIXES[one]] = (_report(result.assessment, self._verbose) + "\n").encode()
                case "photo":
                    assert result.photo is not None
                    contents[_SUFFIXES[one]] = result.photo
        return contents


def _report(assessment: Assessment, verbose: bool) -> str:
    """The report as text; answers of before have no lines of which parts could be one."""
    return as_text(assessment.report_lines, verbose=True) if verbose and assessment.report_lines else assessment.report


def _same_on_disk(stem: str) -> str:
    """A key that is equal for names which the usual file systems of this machine take for the same."""
    return stem.casefold() if sys.platform in ("win32", "darwin") else stem


class FolderSink(_Files):
    """One file a photo and format, plus `summary.csv` and `errors.jsonl`.

    `summary.csv` has one row for each assessed photo, in the order of the photos; rows of earlier runs into the same folder stay
    as long as their files do. Timings stand here and nowhere else. `errors.jsonl` has one line for each photo of this run that
    failed. Both appear when the run is through.

    Args:
        folder: is made where it is missing.
        formats: which files to write.
        damage_types: the bundle's, one column each.
        overwrite: replace whatever is there.
        resume: keep answers that were given under these conditions, replace other answers; needs `json` among the formats.
        verbose: tell parts in view in texts, too.

    Raises:
        OutputError: on entering, when the folder cannot be written, or holds results and neither `overwrite` nor `resume` is set.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        formats: Iterable[Format],
        damage_types: Sequence[str],
        overwrite: bool = False,
        resume: Conditions | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(formats, verbose=verbose)
        self._folder = Path(folder)
        self._damage_types = damage_types
        self._overwrite = overwrite
        self._resume = resume
        self._summary = _Part(self._folder / SUMMARY)
        self._errors = _Part(self._folder / ERRORS)
        self._timings: dict[str, tuple[str, ...]] = {}
        self._lock = ExitStack()

    def __enter__(self) -> Self:
        if not self._overwrite and self._resume is None and (self._summary.path.exists() or self._summary.part.exists()):
            raise OutputError(
                f"{printable(str(self._folder))}: holds results already; --resume finishes them, --overwrite replaces them"
            )
        if self._folder.exists() and not self._folder.is_dir():
            raise OutputError(f"{printable(str(self._folder))}: is a file, results need a folder or a name that ends in .zip")
        with ExitStack() as stack:
            stack.enter_context(locked_folder(self._folder))
            self._begin()
            self._lock = stack.pop_all()
        return self

    def _begin(self) -> None:
        """Opens the files that grow; takes them away again where there is no room for them."""
        for path in (self._summary.path, self._summary.part):
            for row in earlier_rows(path):
                self._timings[row["name"]] = tuple(row.get(key) or "" for key in TIMING_COLUMNS)
        try:
            self._summary.open()
            self._errors.open()
            self._summary.write(csv_line(summary_columns(self._damage_types)))
        except BaseException:
            self._summary.discard()
            self._errors.discard()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._add_earlier_rows()
                self._errors.finish()
                self._summary.finish()  # last: where it is, all is there
        finally:
            self._summary.discard()
            self._errors.discard()
            self._lock.close()

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that no other photo of this run and no earlier file is in the way.

        Raises:
            OutputError: one is; it concerns this photo alone.
        """
        stem = self._reserve(name, where)
        if self._overwrite:
            return
        paths = {one: self._path(stem, one) for one in self.formats}
        with writing(paths[self.formats[0]]):
            taken = [path for path in paths.values() if os.path.lexists(path)]
            ours = self._resume is not None and "json" in paths and paths["json"].exists()
        if taken and not ours:
            raise OutputError(f"{printable(str(taken[0]))}: is there already; --overwrite replaces it")

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """The answer that an earlier run gave for this very photo under the same conditions, when all its files are there.

        Raises:
            OutputError: the file in its place is not an answer; it concerns this photo alone.
        """
        if self._resume is None or self._overwrite:
            return None
        stem = output_stem(name)
        path = self._path(stem, "json")
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{printable(str(path))}: cannot be read: {error.strerror}") from error
        try:
            assessment = Assessment.model_validate_json(text)
        except ValueError as error:
            if text.strip() and not _is_any_answer(text):
                raise OutputError(f"{printable(str(path))}: is no assessment; --overwrite replaces it") from error
            return None
        the_photo = (assessment.photo.name, assessment.photo.sha256) == (name, sha256(photo).hexdigest())
        same = the_photo and self._resume.hold_for(assessment)
        return assessment if same and all(self._path(stem, one).exists() for one in self.formats) else None

    def write(self, result: Result) -> None:
        """Writes a photo's files and its row.

        Raises:
            OutputError: they cannot be written; see `write_whole`.
        """
        stem = output_stem(result.assessment.photo.name)
        write_whole({self._folder / (stem + suffix): data for suffix, data in self._contents(result).items()})
        self._add_row(result.assessment, timing_cells(result.timings))

    def keep(self, assessment: Assessment) -> None:
        """Writes the row of a photo whose files stay as they are, with the timings of the run that wrote them, where known."""
        self._add_row(assessment, self._timings.get(safe_path_cell(assessment.photo.name), ("",) * len(TIMING_COLUMNS)))

    def discard(self, name: str) -> None:
        """Removes an earlier answer and the files beside it; what is no answer stays."""
        stem = output_stem(name)
        try:
            ours = _is_any_answer(self._path(stem, "json").read_bytes())
        except OSError:
            return
        if ours:
            for one in FORMATS:
                with suppress(OSError):
                    self._path(stem, one).unlink()

    def fail(self, name: str, kind: str, message: str) -> None:
        """Writes a line to `errors.jsonl`."""
        self._errors.write(_error_line(name, kind, message))

    def _path(self, stem: str, one: Format) -> Path:
        return self._folder / (stem + _SUFFIXES[one])

    def _add_row(self, assessment: Assessment, timings: Sequence[str]) -> None:
        self._summary.write(csv_line([*summary_cells(assessment, self._damage_types), *timings]))

    def _add_earlier_rows(self) -> None:
        for row in earlier_rows(self._summary.path):
            name = row["name"].removeprefix("./")
            stem = output_stem(name)
            if not self.is_reserved(name) and any(self._path(stem, one).exists() for one in FORMATS):
                self._summary.write(csv_line([row.get(column) or "" for column in summary_columns(self._damage_types)]))


class ZipSink(_Files):
    """One zip with the files that a `FolderSink` would write.

    The same results give the same bytes: entries carry no clock time, and its `summary.csv` leaves the timings out. The zip
    appears when the run is through.

    Raises:
        OutputError: on entering, when the zip is there already and `overwrite` is not given, or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        formats: Iterable[Format],
        damage_types: Sequence[str],
        overwrite: bool = False,
        verbose: bool = False,
    ) -> None:
        super().__init__(formats, verbose=verbose)
        self._path = Path(path)
        self._part = self._path.with_name(f".{self._path.name}.part")
        self._damage_types = damage_types
        self._overwrite = overwrite
        self._archive: zipfile.ZipFile | None = None
        self._lock = ExitStack()
        # Some hundred bytes a photo; two entries of a zip cannot be written at the same time.
        self._summary = io.StringIO(csv_line(summary_columns(damage_types, timings=False)), newline="")
        self._summary.seek(0, io.SEEK_END)
        self._errors = io.StringIO(newline="")

    def __enter__(self) -> Self:
        if self._path.exists() and not self._overwrite:
            raise OutputError(f"{printable(str(self._path))}: is there already; --overwrite replaces it")
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(locked(self._path))
            with writing(self._path):
                self._archive = zipfile.ZipFile(self._part, "w")
            self._lock = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._archive is not None
        try:
            if error is None:
                self._add(SUMMARY, csv_bytes([self._summary.getvalue()]))
                self._add(ERRORS, self._errors.getvalue().encode())
                with writing(self._path):
                    self._archive.close()
                    self._part.replace(self._path)
        finally:
            self._abandon()

    def _abandon(self) -> None:
        assert self._archive is not None
        with suppress(OSError):
            self._archive.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
        self._lock.close()

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that no other photo of this run would be written to the same place.

        Raises:
            OutputError: one would; it concerns this photo alone.
        """
        stem = self._reserve(name, where)
        if any(len((stem + _SUFFIXES[one]).encode()) > _LONGEST_ENTRY for one in self.formats):
            raise OutputError(f"{where}: its name is too long for an entry of a zip; rename it")

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """There is none: a zip is written in one go."""
        return None

    def write(self, result: Result) -> None:
        """Adds a photo's files.

        Raises:
            OutputError: they cannot be written.
        """
        stem = output_stem(result.assessment.photo.name)
        for suffix, data in self._contents(result).items():
            self._add(stem + suffix, data)
        self._summary.write(csv_line(summary_cells(result.assessment, self._damage_types)))

    def keep(self, assessment: Assessment) -> None:
        """Never called, since `earlier` finds nothing."""

    def discard(self, name: str) -> None:
        """A zip is written anew, so it holds nothing of an earlier run."""

    def fail(self, name: str, kind: str, message: str) -> None:
        """Notes a line of `errors.jsonl`."""
        self._errors.write(_error_line(name, kind, message))

    def _add(self, name: str, data: bytes) -> None:
        assert self._archive is not None
        info = zipfile.ZipInfo(name)  # 1980-01-01, the earliest that a zip can tell
        info.compress_type = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
        info.create_system = 3  # Unix, on every system
        info.external_attr = 0o100644 << 16
        with writing(self._path):
            self._archive.writestr(info, data)


class _Part:
    """A text file that grows line by line as `.NAME.part` and gets its name when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}.part")
        self._stream: TextIO | None = None
        self._is_ascii = True

    def open(self) -> None:
        with writing(self.path):
            self._stream = self.part.open("w", encoding="utf-8", newline="")

    def write(self, line: str) -> None:
        assert self._stream is not None
        with writing(self.path):
            self._stream.write(line)
            self._stream.flush()
        self._is_ascii = self._is_ascii and line.isascii()

    def finish(self) -> None:
        assert self._stream is not None
        with writing(self.path):
            self._stream.close()
            if self.path.suffix == ".csv" and not self._is_ascii:
                _prepend(MARK.encode(), self.part)
            self.part.replace(self.path)

    def discard(self) -> None:
        """Takes the unfinished file away; nothing happens after `finish`."""
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)


def _prepend(data: bytes, path: Path) -> None:
    """Puts some bytes before those of a file, which may be long."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - _PIECE)
            file.seek(start)
            piece = file.read(end - start)
            file.seek(start + len(data))
            file.write(piece)
            end = start
        file.seek(0)
        file.write(data)


def _error_line(name: str, kind: str, message: str) -> str:
    return json.dumps({"name": name, "error": kind, "message": message}, ensure_ascii=False) + "\n"


def _is_any_answer(text: bytes) -> bool:
    """Whether a file is an answer of any version of Dentify."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "dentify_version" in document
