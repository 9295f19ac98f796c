"""Ctrl-C in a run that is to end between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, for a loop that ends between two steps: within one its state is neither before nor after.

    A second Ctrl-C interrupts at once. Only the main thread is told of it; in others the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def press(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def leave_interrupts(worker: int) -> None:
    """A process that reads photos leaves Ctrl-C to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
