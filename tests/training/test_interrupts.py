"""Ctrl-C between two steps."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from dentify.training.interrupts import interrupts


def test_a_second_ctrl_c_does_not_wait() -> None:
    with interrupts() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_other_threads_are_not_told_of_ctrl_c() -> None:
    def told() -> bool:
        with interrupts() as interrupted:
            return interrupted()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(told).result() is False
