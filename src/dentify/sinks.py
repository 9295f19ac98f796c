"""Assessments into files, folders, zips and standard output.

A sink is told of every photo in turn: `reserve` before it is assessed (does something stand in its way?), then `write` with the
result. It is a context manager: leaving it normally finishes the results, leaving it by an error takes away what is unfinished.

    with FolderSink("out", formats=("json", "photo"), damage_types=types) as sink:
        sink.reserve("a/b.jpg", "photos/a/b.jpg")
        sink.write(Result(assessment, annotated_jpeg, Timings(…)))

A photo `a/b.jpg` becomes `a/b.json`, `a/b.photo.jpg` and `a/b.txt`, and two pictures in `index_files` for the page. Nothing is
ever half-written: files are written beside their place as `.NAME.part` and renamed when whole, so a killed run leaves at most
some `.part` files, which the next run replaces.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, TextIO

from dentify.assessment import AnswerSettings, Assessment
from dentify.errors import OutputError, printable
from dentify.imaging.formats import is_picture_name
from dentify.languages import Language
from dentify.report import as_text
from dentify.results.findings import COCO, CROPS, FINDING_COLUMNS, FINDINGS, coco_document, finding_rows
from dentify.results.page import PAGE, PAGE_FILES, PageIndex, large_picture, results_page, small_picture
from dentify.results.pictures import PagePictures
from dentify.spreadsheets import MARK, csv_line, safe_path_cell
from dentify.summary import (
    SUMMARY,
    TIMING_COLUMNS,
    Timings,
    earlier_rows,
    summary_cells,
    summary_columns,
    timing_cells,
)
from dentify.writing import LOCK, locked, locked_folder, write_whole, writing

Format = Literal["text", "json", "photo", "page", "coco", "crops"]
FORMATS: tuple[Format, ...] = ("text", "json", "photo", "page", "coco", "crops")
TOLD: tuple[Format, ...] = ("text", "json", "photo")
"""Formats that tell a photo's answer in a file of its own."""
ERRORS = "errors.jsonl"

_ORDER: tuple[Format, ...] = ("json", "photo", "text", "page", "crops", "coco")  # of writing
_SUFFIXES: Mapping[Format, str] = {"json": ".json", "photo": ".photo.jpg", "text": ".txt"}
_OURS = frozenset((SUMMARY, ERRORS, FINDINGS, PAGE, PAGE_FILES, COCO, CROPS))  # places in the folder that no photo's outputs take
_LONGEST_ENTRY = 2**16 - 1  # bytes of a whole name within a zip
_PIECE = 2**20
_LONGEST_NAME = 255 - len(".") - len(".photo.jpg") - len(".part")  # bytes: what nearly all file systems take


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


def files_of(stem: str, output_format: Format) -> list[str]:
    """A photo's files in one format, relative to the folder of results; of `coco` and `crops` a photo has no files of its own.

    >>> files_of("a/b", "photo"), files_of("a/b", "page")
    (['a/b.photo.jpg'], ['index_files/large/a/b.jpg', 'index_files/small/a/b.webp'])
    """
    if output_format == "page":
        return [large_picture(stem), small_picture(stem)]
    return [stem + _SUFFIXES[output_format]] if output_format in _SUFFIXES else []


def crop_name(stem: str, finding: int) -> str:
    """Where the picture of a finding lies, relative to the folder of results.

    >>> crop_name("a/b", 2)
    'findings_crops/a/b.2.jpg'
    """
    return f"{CROPS}/{stem}.{finding}.jpg"


def concerns_one_photo(error: OutputError) -> bool:
    """Whether a failed `write` says nothing about the photos to come, as a full disk does."""
    cause = error.__cause__
    if isinstance(cause, FileExistsError | NotADirectoryError | IsADirectoryError):
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.ENAMETOOLONG, errno.EILSEQ)


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
        elif self._several:
            text = f"{'' if self._first else chr(10)}{printable(assessment.photo.name)}\n{_report(assessment, self._verbose)}"
        else:
            text = _report(assessment, self._verbose)
        self._first = False
        with writing("standard output"):
            self._stream.write(text + "\n")
            self._stream.flush()


class _Files:
    """What sinks of files share: names, what is reserved, and the contents of a photo's files."""

    def __init__(self, formats: Iterable[Format], *, verbose: bool) -> None:
        self._verbose = verbose
        self.wants = frozenset(formats)
        self.formats = tuple(one for one in _ORDER if one in self.wants)
        self._reserved: dict[str, str] = {}

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
        if key.partition("/")[0] in _OURS:
            raise OutputError(f"{where}: its results would take the place of {key.partition('/')[0]}; rename its folder")
        self._reserved[key] = where
        return stem

    @property
    def _suffix(self) -> str:
        return next((_SUFFIXES[one] for one in self.formats if one in _SUFFIXES), "")

    def _contents(self, stem: str, result: Result) -> dict[str, bytes]:
        """A photo's files by name. JSON comes first: where it is missing, a text or photo there is not ours."""
        contents: dict[str, bytes] = {}
        for one in self.formats:
            match one:
                case "json":
                    contents[stem + _SUFFIXES[one]] = (result.assessment.to_json(indent=2) + "\n").encode()
                case "text":
                    contents[stem + _SUFFIXES[one]] = (_report(result.assessment, self._verbose) + "\n").encode()
                case "photo":
                    assert result.photo is not None
                    contents[stem + _SUFFIXES[one]] = result.photo
                case "page":
                    if result.pictures is not None:
                        contents[large_picture(stem)] = result.pictures.large
                        contents[small_picture(stem)] = result.pictures.small
                case "crops":
                    contents |= {crop_name(stem, number): data for number, data in result.crops.items()}
                case "coco":
                    pass  # made of all answers in the end
        return contents


def _report(assessment: Assessment, verbose: bool) -> str:
    """The report as text; answers of before have no lines of which parts could be one."""
    return as_text(assessment.report_lines, verbose=True) if verbose and assessment.report_lines else assessment.report


def _same_on_disk(stem: str) -> str:
    """A key that is equal for names which the usual file systems of this machine take for the same."""
    return stem.casefold() if sys.platform in ("win32", "darwin") else stem


class FolderSink(_Files):
    """One file or more a photo and format, and tables of them all.

    `summary.csv` has one row for each assessed photo and `findings.csv` one for each finding, in the order of the photos; rows of
    earlier runs into the same folder stay as long as their files do. Timings stand in `summary.csv` and nowhere else.
    `errors.jsonl` has one line for each photo of this run that failed. `index.html` (format `page`) and `results.coco.json`
    (format `coco`) tell of all answers in the folder, of this run and of earlier ones. All these appear when the run is through.

    Args:
        folder: is made where it is missing.
        formats: which files to write; `page` and `coco` are made of answers and need `json`.
        damage_types: the bundle's, one column each.
        overwrite: replace whatever is there.
        resume: keep answers that were given under these conditions, replace other answers; needs `json` among the formats.
        verbose: tell parts in view in texts, too.
        language: of the page's own words.
        timings: whether `summary.csv` tells them.

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
        language: Language = "en",
        timings: bool = True,
    ) -> None:
        super().__init__(formats, verbose=verbose)
        assert "json" in self.wants or not self.wants & {"page", "coco"}
        self._folder = Path(folder)
        self._damage_types = damage_types
        self._overwrite = overwrite
        self._resume = resume
        self._language = language
        self._columns = summary_columns(damage_types, timings=timings)
        self._summary = _Part(self._folder / SUMMARY)
        self._findings = _Part(self._folder / FINDINGS)
        self._errors = _Part(self._folder / ERRORS)
        self._page = _Part(self._folder / PAGE)
        self._coco = _Part(self._folder / COCO)
        self._timings: dict[str, tuple[str, ...]] = {}
        self._index = PageIndex()
        self._failures = 0
        self._lock = ExitStack()

    def __enter__(self) -> Self:
        if self._folder.exists() and not self._folder.is_dir():
            raise OutputError(f"{printable(str(self._folder))}: is a file, results need a folder or a name that ends in .zip")
        with ExitStack() as stack:
            stack.enter_context(locked_folder(self._folder))
            if not self._overwrite and self._resume is None and (self._summary.path.exists() or self._summary.part.exists()):
                raise OutputError(
                    f"{printable(str(self._folder))}: holds results already; --resume finishes them, --overwrite replaces them"
                )
            self._begin()
            self._lock = stack.pop_all()
        return self

    @property
    def _parts(self) -> tuple[_Part, ...]:
        return self._errors, self._coco, self._page, self._findings, self._summary  # the last: where it is, all is there

    def _begin(self) -> None:
        """Opens the files that grow; takes them away again where there is no room for them."""
        for path in (self._summary.path, self._summary.part):
            for row in earlier_rows(path):
                self._timings[row["name"]] = tuple(row.get(key) or "" for key in TIMING_COLUMNS)
        try:
            for part in (self._summary, self._findings, self._errors):
                part.open()
            self._summary.write(csv_line(self._columns))
            self._findings.write(csv_line(FINDING_COLUMNS))
        except BaseException:
            self._discard_parts()
            raise

    def _discard_parts(self) -> None:
        for part in self._parts:
            part.discard()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._discard_parts()
            self._lock.close()

    def _finish(self) -> None:
        self._add_earlier_rows()
        if "coco" in self.wants:
            self._coco.open()
            for piece in coco_document(lambda: (answer for _, answer in self._answers()), self._damage_types):
                self._coco.write(piece)
        if "page" in self.wants:
            self._page.open()
            for piece in results_page(
                self._index,
                self._answers(),
                self._read,
                failed=_messages(self._errors.part),
                failures=self._failures,
                language=self._language,
                tables=(FINDINGS, SUMMARY, *([COCO] if "coco" in self.wants else [])),
            ):
                self._page.write(piece)
        for part in self._parts:
            part.finish()

    def _answers(self) -> Iterator[tuple[str, Assessment]]:
        """Every answer in the folder with the stem of its files, what matters most first, one at a time."""
        for name in self._index.names():
            answer = self._answer(output_stem(name))
            if answer is not None:
                yield output_stem(name), answer

    def _answer(self, stem: str) -> Assessment | None:
        """An answer of this version's schema that lies in the folder."""
        data = self._read(f"{stem}{_SUFFIXES['json']}")
        with suppress(ValueError):
            return None if data is None else Assessment.model_validate_json(data)
        return None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that no other photo of this run and no earlier file is in the way.

        Raises:
            OutputError: one is; it concerns this photo alone.
        """
        stem = self._reserve(name, where)
        if self._overwrite:
            return
        paths = self._paths(stem)
        with writing(paths[0]):
            taken = [path for path in paths if os.path.lexists(path)]
            ours = self._resume is not None and "json" in self.wants and self._path(stem, "json").exists()
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
        needed = self._paths(stem)
        if "crops" in self.wants:
            needed += [self._folder / crop_name(stem, finding.id) for finding in assessment.findings]
        return assessment if same and all(path.exists() for path in needed) else None

    def write(self, result: Result) -> None:
        """Writes a photo's files and its rows.

        Raises:
            OutputError: they cannot be written; see `write_whole`.
        """
        stem = output_stem(result.assessment.photo.name)
        contents = self._contents(stem, result)
        write_whole({self._folder / name: data for name, data in contents.items()})
        for path in self._crops(stem):
            if path.relative_to(self._folder).as_posix() not in contents:  # of an answer that is no more
                with suppress(OSError):
                    path.unlink()
        self._add_rows(result.assessment, timing_cells(result.timings))

    def keep(self, assessment: Assessment) -> None:
        """Writes the rows of a photo whose files stay as they are, with the timings of the run that wrote them, where known."""
        self._add_rows(assessment, self._timings.get(safe_path_cell(assessment.photo.name), ("",) * len(TIMING_COLUMNS)))

    def discard(self, name: str) -> None:
        """Removes an earlier answer and the files beside it; what is no answer stays."""
        stem = output_stem(name)
        try:
            ours = _is_any_answer(self._path(stem, "json").read_bytes())
        except OSError:
            return
        if ours:
            for path in (*(self._folder / one for form in FORMATS for one in files_of(stem, form)), *self._crops(stem)):
                with suppress(OSError):
                    path.unlink()

    def fail(self, name: str, kind: str, message: str) -> None:
        """Writes a line to `errors.jsonl`."""
        self._failures += 1
        self._errors.write(_error_line(name, kind, message))

    def _path(self, stem: str, one: Format) -> Path:
        return self._folder / files_of(stem, one)[0]

    def _paths(self, stem: str) -> list[Path]:
        """A photo's files in all formats that this run writes, but for those of single findings."""
        return [self._folder / name for one in self.formats for name in files_of(stem, one)]

    def _crops(self, stem: str) -> Iterator[Path]:
        """Pictures of findings that lie there for a photo."""
        first = self._folder / crop_name(stem, 1)
        before, after = first.name[: -len("1.jpg")], ".jpg"
        with suppress(OSError):
            for path in list(first.parent.iterdir()):
                number = path.name[len(before) : -len(after)]
                if path.name.startswith(before) and path.name.endswith(after) and number.isdecimal():
                    yield path

    def _add_rows(self, assessment: Assessment, timings: Sequence[str]) -> None:
        cells = [*summary_cells(assessment, self._damage_types), *timings]
        self._summary.write(csv_line(cells[: len(self._columns)]))
        self._add_findings(assessment)

    def _add_findings(self, assessment: Assessment) -> None:
        stem = output_stem(assessment.photo.name)
        has_crops = "crops" in self.wants
        for cells in finding_rows(assessment, (lambda number: crop_name(stem, number)) if has_crops else None):
            self._findings.write(csv_line(cells))
        self._index.add(assessment)

    def _add_earlier_rows(self) -> None:
        """Rows of photos that are not of this run and whose files are there."""
        for row in earlier_rows(self._summary.path):
            if self._stays(row["name"]):
                self._summary.write(csv_line([row.get(column) or "" for column in self._columns]))
                answer = self._answer(output_stem(row["name"].removeprefix("./")))
                if answer is not None:
                    self._add_findings(answer)
        for row in earlier_rows(self._findings.path):
            if self._stays(row["name"]) and not self._path(output_stem(row["name"].removeprefix("./")), "json").exists():
                self._findings.write(csv_line([row.get(column) or "" for column in FINDING_COLUMNS]))

    def _stays(self, cell: str) -> bool:
        """Whether an earlier row is of a photo that this run did not have and whose files are there still."""
        name = cell.removeprefix("./")
        stem = output_stem(name)
        return not self.is_reserved(name) and any(self._path(stem, one).exists() for one in TOLD)


class ZipSink(FolderSink):
    """One zip with the files that a `FolderSink` would write.

    They are gathered in a folder beside it, `.NAME.part`, and packed when the run is through; a run that is interrupted leaves
    that folder, and a second one that may `resume` goes on there. The same results give the same bytes: entries carry no clock
    time, and its `summary.csv` leaves the timings out.

    Raises:
        OutputError: on entering, when the zip is there already and `overwrite` is not given, an interrupted run's results are
            and neither `overwrite` nor `resume` is, or it cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        formats: Iterable[Format],
        damage_types: Sequence[str],
        overwrite: bool = False,
        resume: Conditions | None = None,
        verbose: bool = False,
        language: Language = "en",
    ) -> None:
        self._zip = Path(path)
        self._replaces = overwrite
        super().__init__(
            self._zip.with_name(f".{self._zip.name}.part"),
            formats=formats,
            damage_types=damage_types,
            resume=resume,
            verbose=verbose,
            language=language,
            timings=False,
        )
        self._zip_lock = ExitStack()

    def __enter__(self) -> Self:
        with writing(self._zip):
            self._zip.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(locked(self._zip))
            told = printable(str(self._zip))
            if self._zip.exists() and not self._replaces:
                raise OutputError(f"{told}: is there already; --overwrite replaces it")
            if self._folder.is_dir() and self._resume is None and not self._replaces:
                raise OutputError(f"{told}: an earlier run was interrupted; --resume finishes it, --overwrite begins anew")
            if self._resume is None:
                self._remove_folder()
            super().__enter__()
            self._zip_lock = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            super().__exit__(kind, error, trace)
            if error is None:
                self._pack()
                self._remove_folder()
        finally:
            self._zip_lock.close()

    def _pack(self) -> None:
        """Makes the zip of the folder, in the order of names."""
        part = self._zip.with_name(f".{self._zip.name}.zipped.part")
        try:
            with writing(self._zip), zipfile.ZipFile(part, "w") as archive:
                for path in sorted(self._folder.rglob("*")):
                    unfinished = path.name == LOCK or (path.name.startswith(".") and path.name.endswith(".part"))
                    if path.is_file() and not unfinished:
                        _pack_file(archive, path, path.relative_to(self._folder).as_posix())
            with writing(self._zip):
                part.replace(self._zip)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _remove_folder(self) -> None:
        with writing(self._folder):
            if self._folder.is_dir() and not self._folder.is_symlink():
                shutil.rmtree(self._folder)
            else:
                self._folder.unlink(missing_ok=True)  # what older versions left

    def reserve(self, name: str, where: str) -> None:
        """As for a folder, and that a zip can hold its name.

        Raises:
            OutputError: one is in the way, or its name is too long; it concerns this photo alone.
        """
        stem = output_stem(name)
        if any(len(one.encode()) > _LONGEST_ENTRY for form in self.formats for one in files_of(stem, form)):
            raise OutputError(f"{where}: its name is too long for an entry of a zip; rename it")
        super().reserve(name, where)


def _pack_file(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    info = zipfile.ZipInfo(name)  # 1980-01-01, the earliest that a zip can tell
    info.compress_type = zipfile.ZIP_STORED if name.endswith((".jpg", ".webp")) else zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, on every system
    info.external_attr = 0o100644 << 16
    info.file_size = path.stat().st_size  # tells whether it needs a large entry
    with path.open("rb") as source, archive.open(info, "w") as target:
        shutil.copyfileobj(source, target, _PIECE)


class FileSink(_Files):
    """The answer for one photo as one file, in one format.

    Raises:
        OutputError: on entering, when the file is there already and `overwrite` is not given.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, output_format: Format, overwrite: bool = False, verbose: bool = False
    ) -> None:
        super().__init__([output_format], verbose=verbose)
        self._file = Path(path)
        self._overwrite = overwrite

    def __enter__(self) -> Self:
        if os.path.lexists(self._file) and not self._overwrite:
            raise OutputError(f"{printable(str(self._file))}: is there already; --overwrite replaces it")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def reserve(self, name: str, where: str) -> None:
        """Nothing stands in the way of one photo.

        Raises:
            OutputError: it is the second.
        """
        if self._reserved:
            raise OutputError(f"{where}: {printable(str(self._file))} takes one photo; name a folder for several")
        self._reserved[name] = where

    def earlier(self, name: str, photo: bytes) -> Assessment | None:
        """There is none."""
        return None

    def keep(self, assessment: Assessment) -> None:
        """Never called, since `earlier` finds nothing."""

    def discard(self, name: str) -> None:
        """What was there stays where there is nothing to take its place."""

    def fail(self, name: str, kind: str, message: str) -> None:
        """Errors have no place in it."""

    def write(self, result: Result) -> None:
        """Writes the file.

        Raises:
            OutputError: it cannot be written.
        """
        (data,) = self._contents("", result).values()
        write_whole({self._file: data})


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
        """Gives the file its name; one that was never opened stays as it is."""
        if self._stream is None:
            return
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


def _messages(path: Path) -> Iterator[str]:
    """The messages in lines of `errors.jsonl`."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)["message"]


def _is_any_answer(text: bytes) -> bool:
    """Whether a file is an answer of any version of Dentify."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "dentify_version" in document
