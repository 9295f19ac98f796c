"""Files that are never there in part, and what is said of one that cannot be written."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dentify.errors import OutputError, printable

LOCK = ".dentify.lock"
"""What lies in a folder while a run writes there, and stays where a run is killed; it then locks nothing."""

_MOST_ATTEMPTS = 100  # at a lock that others take and leave
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def part_of(path: Path) -> Path:
    """Where a file is written until it is whole; what a killed run leaves there is nobody's.

    >>> part_of(Path("out/a.json")).as_posix()
    'out/.a.json.part'
    """
    return path.with_name(f".{path.name}.part")


def write_whole(files: Mapping[Path, bytes], *, shared: bool = False) -> None:
    """Writes files so that none of them is ever there in part, making the folders they need.

    Args:
        files: their contents.
        shared: whether other runs may write the same files at the same time; then what is half-written is each run's own.

    Raises:
        OutputError: one of them cannot be written; then none of them is, unless it is the last step, the renaming, that fails.
    """
    own = f".{os.getpid()}" if shared else ""
    parts = {path: part_of(path.with_name(f"{path.name}{own}")) for path in files}
    try:
        for path, data in files.items():
            with writing(path):
                make_folder(path.parent)
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
                parts[path].write_bytes(data)
        for path, part in parts.items():
            with writing(path):
                part.replace(path)
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)


def put_in_place(part: Path, folder: Path) -> None:
    """Gives a finished folder its name; what had that name goes only then."""
    if not folder.exists():
        part.replace(folder)
        return
    earlier = folder.with_name(f".{folder.name}.earlier")
    shutil.rmtree(earlier, ignore_errors=True)
    folder.replace(earlier)
    try:
        part.replace(folder)
    except BaseException:
        earlier.replace(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def check_apart(outputs: Iterable[Path], inputs: Iterable[Path | str]) -> None:
    """Refuses outputs that are inputs, by whatever name, before the work is done.

    Raises:
        OutputError: one of them is.
    """
    read = [Path(one) for one in inputs]
    for output in outputs:
        with suppress(OSError):
            if any(output.samefile(one) for one in read if one.exists()):
                raise OutputError(f"{printable(str(output))}: is read as an input; choose another name")


def check_vacant(folder: Path, names: Iterable[str], what: str, *, overwrite: bool) -> None:
    """Refuses a folder that `what` must not be written to, before the work is done.

    Raises:
        OutputError: it is a file, or holds one of the names and `overwrite` is off.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder for {what}")
    for name in names:
        if (folder / name).exists() and not overwrite:
            raise OutputError(f"{folder / name}: is there already; --overwrite replaces it")


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it; `mkdir(parents=True)` recurses, and a hostile zip's folders go deeper than that."""
    if not folder.is_dir():
        for one in (*reversed(folder.parents), folder):
            if one.exists() and not one.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(one))
            if not one.is_dir():
                one.mkdir(exist_ok=True)


@contextmanager
def locked_folder(folder: Path | None) -> Iterator[None]:
    """Makes a folder and keeps other runs away from it while it is written; takes it away again where nothing was.

    Args:
        folder: to write into; `None`: nothing is written, and nothing happens.

    Raises:
        OutputError: another run writes there, it is a file, or nothing can be written there.
    """
    if folder is None:
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{printable(str(folder))}: is a file; name a folder")
    made = not folder.exists()
    with writing(folder):
        make_folder(folder)
    try:
        with locked(folder):
            yield
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()  # where it is empty


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Keeps other runs away from a folder, or from a file that is made under another name, while it is written.

    The lock ends with the process, however it ends; where the file system has no locks, there is none.

    Raises:
        OutputError: another run writes there, or nothing can be written there.
    """
    path = place / LOCK if place.is_dir() else place.with_name(f".{place.name}.lock")
    descriptor = _locked_file(path, place)
    try:
        yield
    finally:
        if sys.platform != "win32":
            with suppress(OSError):
                path.unlink()  # before the lock ends, or the next one's would be taken away
        os.close(descriptor)
        if sys.platform == "win32":
            with suppress(OSError):
                path.unlink()


def _locked_file(path: Path, place: Path) -> int:
    for attempt in range(_MOST_ATTEMPTS):
        with writing(place):
            descriptor = _opened_lock(path)
        try:
            _lock(descriptor)
            with suppress(OSError):
                if attempt == _MOST_ATTEMPTS - 1 or os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor  # the last one at any rate: a file system that numbers its files anew has no locks
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputError(
                f"{printable(str(place))}: another run of Dentify writes there; wait for it, or write elsewhere"
            ) from error
        os.close(descriptor)  # the run before took its lock away in between
    raise AssertionError


def _opened_lock(path: Path) -> int:
    flags = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, os.O_RDWR | flags, 0o644)
    except PermissionError:  # another user's, left by a run that was killed
        return os.open(path, os.O_RDONLY | flags, 0o644)


def _lock(descriptor: int) -> None:
    """Raises `BlockingIOError` where somebody else has it."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
    else:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # a file system without locks


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """What the system says of a file that cannot be written, as one line.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: as it came: nobody reads what is written any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        advice = "; make room, then run again" if error.errno in _FULL_DISK else ""
        raise OutputError(f"{printable(str(path))}: cannot be written: {error.strerror or error}{advice}") from error
