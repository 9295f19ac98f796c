"""A small Flickr on this machine, and a collector that does not wait."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2", reason="needs the extra `data`")

from collected import Collect, Server
from dentify.collecting.flickr import Collected, collect_flickr
from flickr_server import KEY, FlickrServer


@pytest.fixture
def flickr() -> Iterator[Server]:
    with FlickrServer() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """Seconds that the collector would have waited."""
    return []


@pytest.fixture
def collect(flickr: Server, waits: list[float], tmp_path: Path) -> Collect:
    """`collect(count, …)` into `out`, without waiting."""

    def run(count: int, query: str = "car dent", **options: Any) -> list[Collected]:
        chosen = {"api_key": KEY, "pause_s": 0.0, "endpoint": flickr.endpoint, "sleep": waits.append, **options}
        return list(collect_flickr(query, tmp_path / "out", count=count, **chosen))

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], list[dict[str, str]]]:
    def read() -> list[dict[str, str]]:
        with (tmp_path / "out" / "photos.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read
