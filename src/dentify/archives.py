"""Zips that someone else made: hostile until shown otherwise, and never unpacked to disk.

    archive = open_archive("claim-17.zip", settings)
    for name, entry in checked_entries(archive, settings):
        data = read_entry(archive, entry, where=f"claim-17.zip: {name}")

An archive is refused as a whole when an entry points outside it, when entries overlap, or when it breaks a limit of `Settings`.
What `entry_problem` names, and damage, is a problem of one entry alone.
"""

from __future__ import annotations

import contextlib
import errno
import io
import re
import stat
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from dentify.errors import ArchiveError, printable
from dentify.imaging.files import told_bytes
from dentify.names import clean_name
from dentify.settings import Settings

ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""The first bytes of a zip; the second are those of an empty one."""

_DRIVE = re.compile(r"[A-Za-z]:")
_CHUNK_BYTES = 2**20
_DIRECTORY_BYTES_PER_ENTRY = 512  # of a zip's list of entries: 46, the name, and what archivers add for times and rights
_ENTRY_HEADER_BYTES = 30  # at least, before an entry's own bytes
_SMALL_ENTRY_BYTES = 2**20  # an all-black mask of that size may well shrink 1000 times; it is no bomb
_ENCRYPTED_FLAGS = 0x0001 | 0x0040 | 0x2000
_UTF8_FLAG = 0x0800
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    NotImplementedError,
    UnicodeError,
    struct.error,
    ValueError,
    OverflowError,
    EOFError,
    zlib.error,
)


class _BoundedReader(io.BufferedReader):
    """A file that refuses to be read in one huge piece, as `zipfile` does with a zip's list of entries.

    Attributes:
        limit: most bytes at a time; `None` once the list is read.
    """

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(io.FileIO(path))
        self.limit: int | None = limit

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and self.limit is not None and size > self.limit:
            raise ArchiveError("its list of entries is too long; split it, or raise DENTIFY_MAX_ARCHIVE_FILES")
        return super().read(size)


def open_archive(path: Path | str, settings: Settings) -> zipfile.ZipFile:
    """The archive with its list of entries read. Its file closes when nothing refers to the archive any more.

    Raises:
        ArchiveError: it cannot be read, is no zip, or has too long a list of entries; the message lacks the archive's name.
    """
    stream: _BoundedReader | None = None
    try:
        stream = _BoundedReader(Path(path), settings.max_archive_files * _DIRECTORY_BYTES_PER_ENTRY)
        archive = zipfile.ZipFile(stream)
        stream.limit = None
    except OSError as error:
        _close(stream)
        raise ArchiveError(f"cannot be read: {error.strerror or error}") from error
    except _BROKEN_ZIP as error:
        _close(stream)
        raise ArchiveError("not a whole zip archive; download or make it again") from error
    except ArchiveError:
        _close(stream)
        raise
    weakref.finalize(archive, stream.close)
    return archive


def _close(stream: BinaryIO | None) -> None:
    if stream is not None:
        stream.close()


def checked_entries(archive: zipfile.ZipFile, settings: Settings) -> list[tuple[str, zipfile.ZipInfo]]:
    """`(name, entry)` of every file in an archive within its limits, sorted by name.

    Names are relative posix paths without `..`; a name may be there twice.

    Raises:
        ArchiveError: the archive as a whole is hostile or over a limit; the message lacks the archive's name.
    """
    infos = archive.infolist()
    if len(infos) > settings.max_archive_files:
        raise ArchiveError(
            f"holds {len(infos)} entries, over the limit of {settings.max_archive_files}; "
            "split it, or raise DENTIFY_MAX_ARCHIVE_FILES"
        )
    total = sum(info.file_size for info in infos)
    if total > settings.max_archive_bytes:
        raise ArchiveError(
            f"unpacks to {told_bytes(total)}, over the limit of {told_bytes(settings.max_archive_bytes)}; "
            "split it, or raise DENTIFY_MAX_ARCHIVE_BYTES"
        )
    entries = [(_entry_name(info), info) for info in infos]
    for name, info in entries:
        told = printable(clean_name(name))
        if info.file_size > max(_SMALL_ENTRY_BYTES, settings.max_archive_ratio * info.compress_size):
            raise ArchiveError(
                f"refused as a zip bomb: {told} unpacks to more than {settings.max_archive_ratio:g} times its size"
            )
        if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
            raise ArchiveError(f"refused: its entry {told} points outside the archive")
    by_offset = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset + _ENTRY_HEADER_BYTES + info.compress_size for info in by_offset]
    starts = [info.header_offset for info in by_offset[1:]] + [archive.start_dir]
    if any(end > start for end, start in zip(ends, starts, strict=False)):
        raise ArchiveError("refused as a zip bomb: its entries overlap")
    files = [(name, info) for name, info in entries if not name.endswith("/")]
    clean = [("/".join(part for part in name.split("/") if part not in ("", ".")), info) for name, info in files]
    return sorted(((name, info) for name, info in clean if name), key=lambda entry: entry[0])


def _entry_name(info: zipfile.ZipInfo) -> str:
    """An entry's name, `/` between its parts. Finder writes UTF-8 without saying so, which `zipfile` takes for code page 437."""
    name = info.filename
    if not info.flag_bits & _UTF8_FLAG:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def entry_problem(info: zipfile.ZipInfo) -> str:
    """Why an entry is not read; empty when it may be."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link, which is not followed; put the file itself into the zip"
    if kind not in (0, stat.S_IFREG):
        return "is not a regular file"
    if info.flag_bits & _ENCRYPTED_FLAGS:
        return "is encrypted; unpack it with its password first"
    if info.filename.lower().endswith(".zip"):
        return "is a zip within a zip, which is not opened; unpack it first"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # bzip2 and LZMA inflate without a bound in Python's zipfile
        return "is compressed by a method other than deflate; unpack it first"
    return ""


def entry_start(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int) -> bytes:
    """An entry's first bytes; empty where it cannot be read."""
    try:
        with archive.open(info) as stream:
            return stream.read(count)
    except (*_BROKEN_ZIP, OSError, RuntimeError):
        return b""


class EntryStream(io.RawIOBase):
    """One entry, to be read bit by bit; damage is an `OSError`, as it is of a file.

    Args:
        archive: of `open_archive`.
        info: an entry without an `entry_problem`.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        super().__init__()
        with _as_of_a_file():
            self._stream = archive.open(info)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def seekable(self) -> bool:
        """It can be read again, from the beginning on."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fills a buffer with the next bytes, and tells how many those are."""
        with _as_of_a_file():
            data = self._stream.read(min(len(buffer), _CHUNK_BYTES))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes to a place, which costs reading up to there."""
        with _as_of_a_file():
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The place where it is."""
        return self._stream.tell()

    def close(self) -> None:
        """Closes the entry; the archive stays."""
        if not self.closed and hasattr(self, "_stream"):
            self._stream.close()
        super().close()


@contextlib.contextmanager
def _as_of_a_file() -> Iterator[None]:
    """Damage of an entry as an error of a file."""
    try:
        yield
    except (*_BROKEN_ZIP, RuntimeError) as error:
        raise OSError(errno.EIO, "is damaged in the zip; download or make the zip again") from error


def read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, where: str) -> bytes:
    """One entry's bytes, inflated in bounded pieces: in one, an entry whose header lies about its size would fill memory.

    Args:
        archive: of `open_archive`.
        info: an entry without an `entry_problem`, whose `file_size` the caller wants to hold in memory.
        where: what error messages call the entry.

    Raises:
        ArchiveError: it is damaged.
    """
    try:
        with archive.open(info) as stream:
            return b"".join(iter(partial(stream.read, _CHUNK_BYTES), b""))
    except (*_BROKEN_ZIP, OSError, RuntimeError) as error:
        raise ArchiveError(f"{where}: is damaged in the zip; download or make the zip again") from error
