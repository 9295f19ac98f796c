"""Shards are tar files that say nothing but their contents."""

from __future__ import annotations

import io
import tarfile

from dentify.beam.shards import write_shard


def shard(*entries: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    write_shard(stream, entries)
    return stream.getvalue()


def test_a_shard_holds_its_entries_in_order() -> None:
    with tarfile.open(fileobj=io.BytesIO(shard(("b/x.jpg", b"1"), ("b/x.json", b"{}"), ("é" * 120 + ".jpg", b"2")))) as tar:
        assert tar.getnames() == ["b/x.jpg", "b/x.json", "é" * 120 + ".jpg"]
        assert tar.extractfile("b/x.jpg").read() == b"1"  # type: ignore[union-attr]
        assert {(info.mtime, info.uid, info.gid, info.uname, info.mode) for info in tar} == {(0, 0, 0, "", 0o644)}


def test_the_same_entries_are_the_same_bytes() -> None:
    assert shard(("a.jpg", b"1" * 5000)) == shard(("a.jpg", b"1" * 5000))
