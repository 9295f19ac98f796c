"""Data sets in zips, read where they lie: `ZippedPath` is a path below a zip, which is never unpacked to disk.

    root = zipped(Path("export.zip"), settings)
    (root / "annotations.xml").open("rb")

A zip is checked as a whole before anything is read of it, as `dentify.archives` tells: limits, bombs, entries that point outside.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Generator, Iterator
from functools import lru_cache
from pathlib import Path, PurePath
from typing import IO, Any
from zipfile import ZipFile, ZipInfo

from dentify.archives import EntryStream, checked_entries, entry_problem, open_archive
from dentify.errors import ArchiveError, DatasetError, printable
from dentify.settings import Settings

if sys.platform == "win32":
    from pathlib import WindowsPath as _Path
else:
    from pathlib import PosixPath as _Path

_SUFFIX = ".zip"
_DEEPEST, _LONGEST_NAME = 50, 4096  # of entries; each folder of each is kept by its whole name
_MOST_OPEN = 8  # zips whose lists of entries are kept


def is_zipped(path: Path) -> bool:
    """Whether a path is a zip, or lies below one."""
    return _zip_of(path) is not None


def on_disk(path: Path) -> Path:
    """The file that holds what lies at a path: the zip, where it lies in one."""
    found = _zip_of(path)
    return path if found is None else Path(found[0])


def zipped(path: Path, settings: Settings) -> Path:
    """A path as it is read: one that is a zip, or lies below one, as a `ZippedPath`, any other as it stands.

    Raises:
        DatasetError: the zip is hostile, over a limit or broken, or holds a name twice.
    """
    found = None if path.is_dir() else _zip_of(path)
    if found is None:
        return path
    try:
        checked_entries(open_archive(found[0], settings), settings)
        _contents(*_identity(found[0]))
    except ArchiveError as error:
        raise DatasetError(f"{printable(found[0])}: {error}") from error
    except OSError as error:
        raise DatasetError(f"{printable(found[0])}: cannot be read: {error.strerror or error}") from error
    return ZippedPath(path)


class _Contents:
    """The files of a zip by their names, and what its folders hold."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.files: dict[str, ZipInfo] = {}
        self.folders: dict[str, dict[str, None]] = {"": {}}
        without_limits = Settings(max_archive_files=sys.maxsize, max_archive_bytes=sys.maxsize, max_archive_ratio=1e18)
        for name, info in checked_entries(archive, without_limits):  # `zipped` checked it against the limits of whoever asked
            if name.count("/") > _DEEPEST or len(name) > _LONGEST_NAME:
                told = f"names of more than {_DEEPEST} folders or {_LONGEST_NAME} characters"
                raise ArchiveError(f"holds {told}, as {printable(name[:80])}…; are these labels?")
            if name in self.files:
                raise ArchiveError(f"holds {printable(name[:200])} twice; make the zip again")
            self.files[name] = info
            while name:
                parent, _, last = name.rpartition("/")
                self.folders.setdefault(parent, {})[last] = None
                name = parent


@lru_cache(maxsize=_MOST_OPEN)
def _contents(path: str, modified: int, size: int, process: int) -> _Contents:
    """What a zip holds; anew for each process, as they must not share a place in the file."""
    return _Contents(open_archive(path, Settings(max_archive_files=10**7)))


def _identity(path: str) -> tuple[str, int, int, int]:
    status = os.stat(path)  # noqa: PTH116 - a `ZippedPath` would ask again
    return path, status.st_mtime_ns, status.st_size, os.getpid()


def _zip_of(path: PurePath) -> tuple[str, str] | None:
    """The zip that a path is, or lies below, and the place in it; `None` where it is of the file system alone."""
    parts = path.parts
    for count, part in enumerate(parts, 1):
        if part.lower().endswith(_SUFFIX):
            outer = os.path.join(*parts[:count])  # noqa: PTH118 - as above
            if os.path.isfile(outer):  # noqa: PTH113
                return outer, "/".join(parts[count:])
    return None


class ZippedPath(_Path):
    """A path whose files may lie in a zip: opened, listed and asked for as those of a folder."""

    def _place(self) -> tuple[_Contents, str] | None:
        found = _zip_of(self)
        if found is None:
            return None
        try:
            return _contents(*_identity(found[0])), found[1]
        except ArchiveError as error:
            raise OSError(errno.EIO, str(error)) from error

    def _info(self) -> ZipInfo | None:
        """The entry; `None` where it is a folder of a zip, or in none.

        Raises:
            FileNotFoundError: there is neither.
        """
        place = self._place()
        if place is None or place[1] in place[0].folders:
            return None
        if place[1] not in place[0].files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return place[0].files[place[1]]

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Kind and size of a file."""
        place = self._place()
        if place is None:
            return super().stat(follow_symlinks=follow_symlinks)
        info = self._info()
        mode = stat.S_IFDIR | 0o555 if info is None else stat.S_IFREG | 0o444
        number = hash(str(self)) & sys.maxsize  # by which `samefile` tells files apart
        return os.stat_result((mode, number, 0, 1, 0, 0, 0 if info is None else info.file_size, 0, 0, 0))

    def exists(self, **options: Any) -> bool:
        """Whether there is such a file or folder."""
        return self.is_file() or self.is_dir()

    def is_file(self, **options: Any) -> bool:
        """Whether it is a file, be it in a zip; the zip itself is a folder."""
        place = self._place()
        return super().is_file(**options) if place is None else place[1] in place[0].files

    def is_dir(self, **options: Any) -> bool:
        """Whether it is a folder, a zip, or a folder in one."""
        place = self._place()
        return super().is_dir(**options) if place is None else place[1] in place[0].folders

    def open(  # type: ignore[override]  # the standard library's has an overload a mode
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file, to be read.

        Raises:
            OSError: it is not there, is encrypted or damaged, or would be written.
        """
        place = self._place()
        if place is None:
            return super().open(mode, buffering, encoding, errors, newline)
        info = self._info()
        if info is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self))
        if set(mode) & set("wax+"):
            raise OSError(errno.EROFS, "nothing is written into a zip; unpack it first", str(self))
        if problem := entry_problem(info):
            raise OSError(errno.EIO, problem, str(self))
        stream = io.BufferedReader(EntryStream(place[0].archive, info))
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)

    def iterdir(self) -> Generator[ZippedPath, None, None]:
        """What a folder holds."""
        place = self._place()
        if place is None:
            yield from super().iterdir()
            return
        if place[1] not in place[0].folders:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self))
        yield from (self / name for name in place[0].folders[place[1]])

    def glob(self, pattern: str, **options: Any) -> Iterator[Any]:  # type: ignore[override]
        """Files and folders below that match a pattern without `**`."""
        if self._place() is None:
            yield from super().glob(pattern, **options)
            return
        first, _, rest = pattern.partition("/")
        for path in self.iterdir() if self.is_dir() else ():
            if path.match(first):
                yield from path.glob(rest) if rest else (path,)
