"""Files here, on `gs://` and on `s3://`, through Beam's filesystems, each read and written whole.

For `s3://` Beam makes a connection of boto3's for every single call, which takes a fifth of a second of a core: more than ten
photos do. Its class is used here with one connection for each thread.

Errors of a missing or forbidden file are `InputError`s or `OutputError`s of one line; anything else, such as a network that
fails, is raised as it is, so that a runner tries again.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from dentify.errors import ImageError, InputError, MissingExtraError, OutputError, printable
from dentify.imaging.files import read_photo_file, read_photo_stream
from dentify.settings import Settings
from dentify.writing import LOCK

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")
_EXTRAS = {"gs": "gcp", "s3": "aws"}
_MOVED_AT_ONCE = 100


def is_remote(path: str) -> bool:
    """Whether a path is an address such as `gs://bucket/folder`.

    >>> is_remote("gs://bucket/a"), is_remote("photos/a")
    (True, False)
    """
    return _SCHEME.match(path) is not None


def use_options(options: PipelineOptions, *paths: str) -> None:
    """Gives Beam's filesystems their options, and makes sure that they know the schemes of some paths.

    Raises:
        InputError: there is no such filesystem.
        MissingExtraError: it needs packages that are not installed.
    """
    FileSystems.set_options(options)
    for path in paths:
        match = _SCHEME.match(path)
        if match is None:
            continue
        scheme = match[1].lower()
        try:
            FileSystems.get_filesystem(path)
        except ValueError as error:
            if scheme in _EXTRAS:
                raise MissingExtraError(what=f"{scheme}://", extra="beam") from error
            raise InputError(f"{printable(path)}: no filesystem for {scheme}://; give a folder, gs:// or s3://") from error


def join(folder: str, *parts: str) -> str:
    """A path below a folder.

    >>> join("gs://bucket/a/", "b", "c.jpg")
    'gs://bucket/a/b/c.jpg'
    """
    return "/".join((folder.rstrip("/") or "", *parts))


def list_files(prefix: str) -> list[tuple[str, int]]:
    """Addresses and sizes in bytes of all files below a remote prefix, or that match a remote pattern, sorted.

    Raises:
        InputError: it cannot be listed.
    """
    pattern = prefix if re.search(r"[*?\[]", prefix) else join(prefix, "**")
    s3 = _s3(prefix)
    try:
        if s3 is not None and pattern != prefix:
            return sorted((path, size) for path, (size, _) in s3.list_files(join(prefix, ""), with_metadata=True))
        (found,) = FileSystems.match([pattern])
    except Exception as error:
        if not _is_told(error):
            raise
        raise InputError(f"{printable(prefix)}: cannot be listed: {_reason(error)}") from error
    return sorted((one.path, one.size_in_bytes) for one in found.metadata_list)


def read_photo(path: str, *, where: str, settings: Settings) -> bytes:
    """A photo's file, whole.

    Raises:
        ImageError: it is missing, cannot be read, or holds more than `max_file_bytes`.
    """
    if not is_remote(path):
        return read_photo_file(path, where=where, settings=settings)
    try:
        with open_to_read(path) as stream:
            return read_photo_stream(stream, where=where, settings=settings)
    except Exception as error:  # each store's client has errors of its own; what may pass is raised for the runner to try again
        if not _is_final(error):
            raise
        raise ImageError(f"{where}: cannot be read: {_reason(error)}") from error


def open_to_read(path: str) -> BinaryIO:
    """A stream of a file's bytes as they are, whatever its suffix."""
    s3 = _s3(path)
    stream: BinaryIO = s3.open(path, "rb") if s3 else FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def open_to_write(path: str) -> BinaryIO:
    """A stream into a new file, which an object store shows when it is closed; makes the folders that it needs."""
    s3 = _s3(path)
    stream: BinaryIO = s3.open(path, "wb") if s3 else FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return stream


def read_file(path: str) -> bytes:
    """A label file, or what `write_file` wrote.

    Raises:
        InputError: it is missing or forbidden.
    """
    with _final_as(InputError, f"{printable(path)}: cannot be read"), open_to_read(path) as stream:
        return stream.read()


def write_file(path: str, data: bytes) -> None:
    """Writes a file whole, making the folders that it needs; what is there is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    with writing(path), open_to_write(path) as stream:
        stream.write(data)


def exists(path: str) -> bool:
    """Whether there is such a file or, on a filesystem that has them, folder.

    Raises:
        OutputError: to look is forbidden.
    """
    s3 = _s3(path)
    with _final_as(OutputError, f"{printable(path)}: cannot be written"):
        return bool(s3.exists(path) if s3 else FileSystems.exists(path))


def is_empty(path: str) -> bool:
    """Whether there is no file below a path, but what a run that writes there leaves to keep others away."""
    if is_remote(path):
        return not list_files(path)
    return not Path(path).is_dir() or all(one.name == LOCK for one in Path(path).iterdir())


def move(pairs: Sequence[tuple[str, str]]) -> None:
    """Moves files; a pair that an earlier try has moved already is passed over.

    Raises:
        OutputError: one of them cannot be moved.
    """
    for start in range(0, len(pairs), _MOVED_AT_ONCE):
        some = pairs[start : start + _MOVED_AT_ONCE]
        if not is_remote(some[0][1]):
            for folder in {os.path.dirname(target) for _, target in some}:  # noqa: PTH120 - addresses are text here
                Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            _rename(some)
        except (BeamIOError, OSError) as error:
            for source, target in some:
                if exists(source):
                    with writing(target):
                        _rename([(source, target)])
                elif not exists(target):
                    raise OutputError(f"{printable(target)}: cannot be written: {_reason(error)}") from error


def _rename(pairs: Sequence[tuple[str, str]]) -> None:
    s3 = _s3(pairs[0][1])
    if s3 is None:
        FileSystems.rename([source for source, _ in pairs], [target for _, target in pairs])
        return
    failed = {(source, target): error for source, target, error in s3.rename_files(pairs) if error is not None}
    if failed:
        raise BeamIOError("cannot be renamed", failed)


def remove(path: str) -> None:
    """Removes a file, or a folder with all that is in it; where there is none, nothing happens.

    Raises:
        OutputError: it cannot be removed.
    """
    with writing(path):
        if is_remote(path):
            addresses = [address for address, _ in list_files(path)]
            if addresses:
                _delete(addresses, join(path, ""))
            if exists(path):
                _delete([path], path)
        elif Path(path).is_dir():  # not Beam's own, which takes brackets in a folder's name for a pattern
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """What goes wrong within, as an `OutputError` that names the path."""
    try:
        yield
    except Exception as error:
        if not _is_told(error):
            raise
        raise OutputError(f"{printable(path)}: cannot be written: {_reason(error)}") from error


@contextmanager
def _final_as(kind: type[InputError | OutputError], told: str) -> Iterator[None]:
    """What no further try would change, as one line; anything else is raised as it is, for the runner to try again."""
    try:
        yield
    except Exception as error:
        if not _is_final(error):
            raise
        raise kind(f"{told}: {_reason(error)}") from error


def _delete(addresses: list[str], whole: str) -> None:
    """Removes files of one object store, which are all there are in `whole`."""
    s3 = _s3(whole)
    if s3 is None:
        FileSystems.delete([whole])  # with a stroke at its end all that is below, some hundred in one request
        return
    failed = {address: error for address, error in s3.delete_files(addresses) if error is not None}
    if failed:
        raise BeamIOError("cannot be removed", failed)


class _Connections(threading.local):
    """Each thread's own: what Beam reads from S3 with keeps its place in a file."""

    s3: Any = None


_connections = _Connections()


def _s3(path: str) -> Any:
    """Beam's own access to S3 for a path there, else `None`."""
    if not path.startswith("s3://"):
        return None
    from apache_beam.io.aws.s3io import S3IO

    options = FileSystems.get_filesystem(path)._options  # the one place where workers have them
    if _connections.s3 is None or _connections.s3[0] is not options:
        _connections.s3 = (options, S3IO(options=options))
    return _connections.s3[1]


def _is_told(error: Exception) -> bool:
    """Whether it is a store's or the system's own; S3's are of no class but their own."""
    return isinstance(error, BeamIOError | OSError) or _is_final(error)


def _is_final(error: Exception) -> bool:
    """Whether a file is missing or forbidden, so that to try again is of no use."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return True
    return getattr(error, "code", None) in (403, 404) or str(error).startswith("Not found: ")  # Google's, and Beam's of S3


def _reason(error: Exception) -> str:
    """The innermost reason, as one short line."""
    if isinstance(error, BeamIOError) and error.exception_details:
        error = next(iter(error.exception_details.values()))
    inner: object = error
    while isinstance(inner, Exception):  # in OSErrors of S3's client the reason is the first argument
        error = inner
        inner = error.args[0] if error.args and isinstance(error.args[0], Exception) else error.__cause__
    return printable(" ".join(str(getattr(error, "strerror", None) or error).split())[:200]) or type(error).__name__
