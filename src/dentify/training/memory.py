"""The memory of a process that trains: how it is kept, and what to do where it does not suffice."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dentify.errors import TrainingError

_NO_ROOM = ("can't allocate memory", "out of memory", "is killed by signal: Killed")
"""What torch's errors say of it: of arrays of the processor, of an accelerator, and of a process that reads photos."""


def keep_memory() -> None:
    """Tells glibc to reuse the memory of a step's large arrays instead of asking the system for it, zeroed, each time.

    On two cores that is a fifth of a step. Where there is no glibc, nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # names of malloc.h
    mallopt(arena_max, 1)
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)


@contextmanager
def enough_memory(what: str, advice: str) -> Iterator[None]:
    """Says in one line that something does not fit into memory.

    Args:
        what: is done, as "a batch of 32 pictures".
        advice: what takes less.

    Raises:
        TrainingError: memory does not suffice for it.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _NO_ROOM)
        if not told:
            raise
        raise TrainingError(f"{what}: does not fit into memory; {advice}") from error
