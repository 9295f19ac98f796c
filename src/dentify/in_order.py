"""Work on many items at once, results in order: reading, deciding and writing overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from dentify.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int) -> Iterator[tuple[Item, Result]]:
    """`work` of each item on a few threads, lazily and in order; at most `workers + 1` items are taken ahead.

    >>> list(map_in_order(lambda text: text.upper(), ["a", "b", "c"], workers=2))
    [('a', 'A'), ('b', 'B'), ('c', 'C')]
    """
    if workers < 1:
        raise InputError(f"workers must be 1 or more, got {workers}")
    return _in_order(work, items, workers)


def _in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[tuple[Item, Result]]:
    pending: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="dentify") as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(work, item)))
                if len(pending) > workers:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()
