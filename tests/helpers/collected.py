"""What tests of collecting are given, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Server = Any
Collect = Callable[..., list[Any]]
Rows = Callable[[], list[dict[str, str]]]


def ids(collected: list[Any]) -> list[str]:
    """Of the photos that were fetched now."""
    return [one.photo_id for one in collected if one.file is not None and not one.earlier]
