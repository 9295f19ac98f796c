"""Results in a folder: each photo's files, and what tells of all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from dentify.assessment import Assessment
from dentify.errors import OutputError, printable
from dentify.languages import Language
from dentify.sinks.contents import contents_of, in_order
from dentify.sinks.names import FORMATS, TOLD, Format, Reserved, crop_name, files_of, output_stem, stem_of_crop
from dentify.sinks.overview import Overview
from dentify.sinks.sink import Conditions, Result
from dentify.writing import locked_folder, part_of, write_whole, writing


class FolderSink:
    """One file or more a photo and format, and tables of them all.

    What tells of all photos (see `Overview`) appears when the run is through. Rows of earlier runs into the same folder stay as
    long as their files do. Timings stand in `summary.csv` and nowhere else.

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
        self._formats = in_order(formats)
        self.wants: frozenset[Format] = frozenset(self._formats)
        assert "json" in self.wants or not self.wants & {"page", "coco"}
        self._folder = Path(folder)
        self._overwrite = overwrite
        self._resume = resume
        self._verbose = verbose
        self._reserved = Reserved(self._formats)
        self._overview = Overview(self._folder, formats=self.wants, damage_types=damage_types, language=language, timings=timings)
        self._crops: dict[Path, dict[str, list[Path]]] = {}
        self._lock = ExitStack()

    def __enter__(self) -> Self:
        if self._folder.exists() and not self._folder.is_dir():
            raise OutputError(f"{printable(str(self._folder))}: is a file, results need a folder or a name that ends in .zip")
        with ExitStack() as stack:
            stack.enter_context(locked_folder(self._folder))
            if not self._overwrite and self._resume is None and self._overview.is_begun:
                raise OutputError(
                    f"{printable(str(self._folder))}: holds results already; --resume finishes them, --overwrite replaces them"
                )
            self._overview.begin()
            self._lock = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._overview.finish(stays=self._stays)
        finally:
            self._overview.discard()
            self._lock.close()

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that no other photo of this run and no earlier file is in the way.

        Raises:
            OutputError: one is; it concerns this photo alone.
        """
        stem = self._reserved.add(name, where)
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
        path = self._path(output_stem(name), "json")
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
        return assessment if same and all(path.exists() for path in self._files_of(assessment)) else None

    def write(self, result: Result) -> None:
        """Writes a photo's files and its rows.

        Raises:
            OutputError: they cannot be written; see `write_whole`.
        """
        stem = output_stem(result.assessment.photo.name)
        contents: dict[str, bytes] = {}
        for one in self._formats:
            contents |= contents_of(one, stem, result, verbose=self._verbose)
        (answer,) = files_of(stem, "json")
        if answer in contents and (self._folder / answer).exists():  # the one of before stays until all that it tells of is new
            contents[answer] = contents.pop(answer)
        write_whole({self._folder / name: data for name, data in contents.items()})
        for path in self._take_crops(stem):
            if path.relative_to(self._folder).as_posix() not in contents:  # of an answer that is no more
                with suppress(OSError):
                    path.unlink()
        self._overview.add(result.assessment, result.timings)

    def keep(self, assessment: Assessment) -> None:
        """Writes the rows of a photo whose files stay as they are, with the timings of the run that wrote them, where known."""
        for path in self._files_of(assessment):  # a run that was killed while it replaced them left those
            with suppress(OSError):
                part_of(path).unlink(missing_ok=True)
        self._overview.add(assessment, None)

    def discard(self, name: str) -> None:
        """Removes an earlier answer and the files beside it; what is no answer stays."""
        stem = output_stem(name)
        try:
            ours = _is_any_answer(self._path(stem, "json").read_bytes())
        except OSError:
            return
        if ours:
            for path in (*(self._folder / one for form in FORMATS for one in files_of(stem, form)), *self._take_crops(stem)):
                with suppress(OSError):
                    path.unlink()

    def fail(self, name: str, kind: str, message: str) -> None:
        """Writes a line to `errors.jsonl`."""
        self._overview.fail(name, kind, message)

    def _path(self, stem: str, one: Format) -> Path:
        return self._folder / files_of(stem, one)[0]

    def _paths(self, stem: str) -> list[Path]:
        """A photo's files in all formats that this run writes, but for those of single findings."""
        return [self._folder / name for one in self._formats for name in files_of(stem, one)]

    def _files_of(self, assessment: Assessment) -> list[Path]:
        """All files of a photo with this answer, in the formats that this run writes."""
        stem = output_stem(assessment.photo.name)
        crops = [crop_name(stem, finding.id) for finding in assessment.findings] if "crops" in self.wants else []
        return [*self._paths(stem), *(self._folder / name for name in crops)]

    def _take_crops(self, stem: str) -> list[Path]:
        """Pictures of findings that earlier runs left for a photo, told once; each folder is listed when its first is written."""
        folder = (self._folder / crop_name(stem, 1)).parent
        if folder not in self._crops:
            self._crops[folder] = {}
            with suppress(OSError):
                for path in folder.iterdir():
                    if (of := stem_of_crop(path.name)) is not None:
                        self._crops[folder].setdefault(of, []).append(path)
        return self._crops[folder].pop(PurePosixPath(stem).name, [])

    def _stays(self, name: str) -> bool:
        """Whether a photo of an earlier run is none of this run's, and its files are there still."""
        return name not in self._reserved and any(self._path(output_stem(name), one).exists() for one in TOLD)


def _is_any_answer(text: bytes) -> bool:
    """Whether a file is an answer of any version of Dentify."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "dentify_version" in document
