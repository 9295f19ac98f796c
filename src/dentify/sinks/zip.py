"""A folder of results as one zip."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dentify.errors import OutputError, printable
from dentify.languages import Language
from dentify.sinks.folder import FolderSink
from dentify.sinks.names import Format, files_of, output_stem
from dentify.sinks.sink import Conditions
from dentify.writing import LOCK, locked, part_of, writing

_LONGEST_ENTRY = 2**16 - 1  # bytes of a whole name within a zip
_PIECE = 2**20
_ZIP_PART = ".zip.part"  # in the folder


class ZipSink(FolderSink):
    """One zip with the files that a `FolderSink` would write.

    They are gathered in a folder beside it, `.NAME.part`, and packed when the run is through; a run that is interrupted leaves
    that folder, and a second one that may `resume` goes on there. Where a zip is to be replaced the folder is called `.NAME.new`,
    and any is, once its own zip is made: so a run that goes on knows that it may put that in place. The same results give the
    same bytes: entries carry no clock time, and its `summary.csv` leaves the timings out.

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
        self._begins_anew = overwrite
        self._part, self._new = part_of(self._zip), self._zip.with_name(f".{self._zip.name}.new")
        replaces = self._new.is_dir() or (overwrite and self._zip.exists())
        super().__init__(
            self._new if replaces else self._part,
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
            if not self._begins_anew and self._zip.exists() and not self._new.is_dir():
                raise OutputError(f"{told}: is there already; --overwrite replaces it")
            if not self._begins_anew and self._folder.is_dir() and self._resume is None:
                raise OutputError(f"{told}: an earlier run was interrupted; --resume finishes it, --overwrite begins anew")
            if self._resume is None:
                _remove(self._part)
                _remove(self._new)
            super().__enter__()
            self._zip_lock = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            super().__exit__(kind, error, trace)
            if error is None:
                self._pack()
        finally:
            self._zip_lock.close()

    def _pack(self) -> None:
        """Makes the zip of the folder, in the order of names, puts it in place and takes the folder away."""
        part = self._folder / _ZIP_PART
        try:
            with writing(self._zip), zipfile.ZipFile(part, "w") as archive:
                for path in sorted(self._folder.rglob("*")):
                    unfinished = path.name == LOCK or (path.name.startswith(".") and path.name.endswith(".part"))
                    if path.is_file() and not unfinished:
                        _pack_file(archive, path, path.relative_to(self._folder).as_posix())
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        with writing(self._zip):
            if self._folder != self._new:
                self._folder.replace(self._new)
            (self._new / _ZIP_PART).replace(self._zip)
        _remove(self._new)

    def reserve(self, name: str, where: str) -> None:
        """Makes sure that no other photo of this run is in the way, and that a zip can hold its name; all files there are ours.

        Raises:
            OutputError: one is, or its name is too long; it concerns this photo alone.
        """
        stem = output_stem(name)
        if any(len(one.encode()) > _LONGEST_ENTRY for form in self._formats for one in files_of(stem, form)):
            raise OutputError(f"{where}: its name is too long for an entry of a zip; rename it")
        self._reserved.add(name, where)


def _remove(folder: Path) -> None:
    with writing(folder):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)  # what older versions left


def _pack_file(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    info = zipfile.ZipInfo(name)  # 1980-01-01, the earliest that a zip can tell
    info.compress_type = zipfile.ZIP_STORED if name.endswith((".jpg", ".webp")) else zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, on every system
    info.external_attr = 0o100644 << 16
    info.file_size = path.stat().st_size  # tells whether it needs a large entry
    with path.open("rb") as source, archive.open(info, "w") as target:
        shutil.copyfileobj(source, target, _PIECE)
