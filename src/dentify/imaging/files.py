"""A photo's file as bytes, its size checked before and while it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from dentify.errors import ImageError
from dentify.settings import Settings


def read_photo_file(path: str | os.PathLike[str], *, where: str, settings: Settings) -> bytes:
    """All bytes of a file, a pipe or a device.

    Raises:
        ImageError: it cannot be read, or holds more than `max_file_bytes`.
    """
    try:
        given = path if isinstance(path, Path) else Path(path)  # of whatever kind: it may lie in a zip
        with given.open("rb") as stream:
            size = given.stat().st_size
            check_file_bytes(size, where=where, settings=settings)
            data = stream.read(size + 1)
            if len(data) > size:  # a pipe, whose size is told as 0, or a file that grows
                data += read_photo_stream(stream, where=where, settings=settings)
                check_file_bytes(len(data), where=where, settings=settings)
            return data
    except IsADirectoryError as error:
        raise ImageError(f"{where}: is a folder, not a photo; give its files one by one") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise ImageError(f"{where}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_photo_stream(stream: BinaryIO, *, where: str, settings: Settings) -> bytes:
    """All bytes of a stream, which may grow or never end.

    Raises:
        ImageError: it holds more than `max_file_bytes`.
    """
    data = stream.read(settings.max_file_bytes + 1)
    check_file_bytes(len(data), where=where, settings=settings)
    return data


def check_file_bytes(count: int, *, where: str, settings: Settings) -> None:
    """Refuses a photo's file for its size.

    Raises:
        ImageError: it holds more than `max_file_bytes`.
    """
    if count > settings.max_file_bytes:
        limit = told_bytes(settings.max_file_bytes)
        raise ImageError(f"{where}: over the limit of {limit} a file; export it smaller, or raise DENTIFY_MAX_FILE_BYTES")


def told_bytes(count: int) -> str:
    """Bytes for people.

    >>> told_bytes(900), told_bytes(64 * 2**20), told_bytes(5 * 2**29)
    ('900 bytes', '64 MiB', '2.5 GiB')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{round(count / unit, 1):g} {name}"
    return f"{count} bytes"
