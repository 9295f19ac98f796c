"""WebDataset shards: tar files in which a picture and its JSON share a name, byte for byte the same for the same photos."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from typing import BinaryIO


def shard_name(number: int, count: int) -> str:
    """What a shard is called.

    >>> shard_name(3, 12)
    '00003-of-00012.tar'
    """
    return f"{number:05d}-of-{count:05d}.tar"


def write_shard(stream: BinaryIO, entries: Iterable[tuple[str, bytes]]) -> None:
    """Writes one shard, entry by entry, without clock times and owners.

    Args:
        stream: where to; written from its beginning to its end.
        entries: names and contents; those of one photo stand together, as WebDataset reads them.
    """
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, data in entries:
            info = tarfile.TarInfo(name)  # of 1970, of nobody
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
