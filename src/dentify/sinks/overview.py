"""What tells of all photos in a folder of results: tables, errors, the page, COCO."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dentify.assessment import Assessment
from dentify.languages import Language
from dentify.results.files import COCO, FINDINGS, PAGE
from dentify.results.findings import FINDING_COLUMNS, coco_document, finding_rows
from dentify.results.page import PageIndex, results_page
from dentify.sinks.growing import GrowingFile
from dentify.sinks.names import ERRORS, Format, crop_name, files_of, output_stem
from dentify.spreadsheets import csv_line, safe_path_cell
from dentify.summary import (
    SUMMARY,
    TIMING_COLUMNS,
    Timings,
    earlier_rows,
    summary_cells,
    summary_columns,
    timing_cells,
)


class Overview:
    """The files of a folder of results that hold a little of every photo.

    `summary.csv` has one row for each assessed photo and `findings.csv` one for each finding, in the order of the photos;
    `errors.jsonl` has one line for each photo of this run that failed. `index.html` (format `page`) and `results.coco.json`
    (format `coco`) are made of the answers that lie in the folder. All these get their names in `finish`.

    Args:
        folder: of the results.
        formats: that the run writes.
        damage_types: the bundle's, one column each.
        language: of the page's own words.
        timings: whether `summary.csv` tells them.
    """

    def __init__(
        self, folder: Path, *, formats: Collection[Format], damage_types: Sequence[str], language: Language, timings: bool
    ) -> None:
        self._folder = folder
        self._formats = formats
        self._damage_types = damage_types
        self._language = language
        self._columns = summary_columns(damage_types, timings=timings)
        self._summary = GrowingFile(folder / SUMMARY)
        self._findings = GrowingFile(folder / FINDINGS)
        self._errors = GrowingFile(folder / ERRORS)
        self._page = GrowingFile(folder / PAGE)
        self._coco = GrowingFile(folder / COCO)
        self._files = (self._errors, self._coco, self._page, self._findings, self._summary)  # the last: where it is, all is there
        self._timings: dict[str, Sequence[str]] = {}
        """Of photos that earlier runs told of and this one did not yet, by their cells."""
        self._index = PageIndex()
        self._failures = 0

    @property
    def is_begun(self) -> bool:
        """Whether an earlier run wrote it, or began to."""
        return self._summary.path.exists() or self._summary.part.exists()

    def begin(self) -> None:
        """Opens the files that grow; takes them away again where there is no room for them."""
        for path in (self._summary.path, self._summary.part):
            for row in earlier_rows(path):
                self._timings[row["name"]] = tuple(row.get(key) or "" for key in TIMING_COLUMNS)
        try:
            for file in (self._summary, self._findings, self._errors):
                file.open()
            self._summary.write(csv_line(self._columns))
            self._findings.write(csv_line(FINDING_COLUMNS))
        except BaseException:
            self.discard()
            raise

    def add(self, assessment: Assessment, timings: Timings | None) -> None:
        """Tells of a photo; `None`: its files are an earlier run's, whose timings stay as far as they are known."""
        earlier = self._timings.pop(safe_path_cell(assessment.photo.name), ("",) * len(TIMING_COLUMNS))
        cells = earlier if timings is None else timing_cells(timings)
        row = [*summary_cells(assessment, self._damage_types), *cells]
        self._summary.write(csv_line(row[: len(self._columns)]))
        self._add_findings(assessment)

    def fail(self, name: str, kind: str, message: str) -> None:
        """Tells of a photo without an answer."""
        self._failures += 1
        self._errors.write(json.dumps({"name": name, "error": kind, "message": message}, ensure_ascii=False) + "\n")

    def finish(self, *, stays: Callable[[str], bool]) -> None:
        """Adds what earlier runs told, makes page and COCO, and gives all files their names.

        Args:
            stays: whether a photo of an earlier run, by its name, is told of still.

        Raises:
            OutputError: they cannot be written.
        """
        self._add_earlier(stays)
        if "coco" in self._formats:
            self._coco.open()
            for piece in coco_document(lambda: (answer for _, answer in self._answers()), self._damage_types):
                self._coco.write(piece)
        if "page" in self._formats:
            self._page.open()
            for piece in results_page(
                self._index,
                self._answers(),
                self._read,
                failed=_messages(self._errors.part),
                failures=self._failures,
                language=self._language,
                tables=(FINDINGS, SUMMARY, *([COCO] if "coco" in self._formats else [])),
            ):
                self._page.write(piece)
        for file in self._files:
            file.finish()

    def discard(self) -> None:
        """Takes away what is unfinished; nothing happens after `finish`."""
        for file in self._files:
            file.discard()

    def _add_earlier(self, stays: Callable[[str], bool]) -> None:
        """Rows of photos that are not of this run and whose files are there."""
        for row in earlier_rows(self._summary.path):
            self._timings.pop(row["name"], None)
            name = row["name"].removeprefix("./")
            if stays(name):
                self._summary.write(csv_line([row.get(column) or "" for column in self._columns]))
                answer = self._answer(output_stem(name))
                if answer is not None:
                    self._add_findings(answer)
        for cell in list(self._timings):  # those that only a run that was killed has told of
            name = cell.removeprefix("./")
            answer = self._answer(output_stem(name)) if stays(name) else None
            if answer is not None and answer.photo.name == name:
                self.add(answer, None)
        for row in earlier_rows(self._findings.path):
            name = row["name"].removeprefix("./")
            if stays(name) and not (self._folder / _answer_file(output_stem(name))).exists():
                self._findings.write(csv_line([row.get(column) or "" for column in FINDING_COLUMNS]))

    def _add_findings(self, assessment: Assessment) -> None:
        stem = output_stem(assessment.photo.name)

        def crop(number: int) -> str:
            """Where its picture is; not all runs make one."""
            name = crop_name(stem, number)
            return name if (self._folder / name).exists() else ""

        for cells in finding_rows(assessment, crop):
            self._findings.write(csv_line(cells))
        self._index.add(assessment)

    def _answers(self) -> Iterator[tuple[str, Assessment]]:
        """Every answer in the folder with the stem of its files, what matters most first, one at a time."""
        for name in self._index.names():
            answer = self._answer(output_stem(name))
            if answer is not None:
                yield output_stem(name), answer

    def _answer(self, stem: str) -> Assessment | None:
        """An answer of this version's schema that lies in the folder."""
        data = self._read(_answer_file(stem))
        with suppress(ValueError):
            return None if data is None else Assessment.model_validate_json(data)
        return None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None


def _answer_file(stem: str) -> str:
    (name,) = files_of(stem, "json")
    return name


def _messages(path: Path) -> Iterator[str]:
    """The messages in lines of `errors.jsonl`."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)["message"]
