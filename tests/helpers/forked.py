"""The `dentify` command, or a toy run, as a process of its own: a fork, which need not import PyTorch anew, for seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path


class Forked:
    """A process under way.

    Attributes:
        process: it.
        out: the file that its standard output goes to.
        err: likewise.
    """

    def __init__(self, process: ForkProcess, out: Path, err: Path) -> None:
        self.process = process
        self.out = out
        self.err = err

    def wait_for(self, path: Path) -> None:
        """Returns when a file is there; fails where the process ends without it."""
        while not path.is_file():
            self.process.join(0.002)
            assert self.process.exitcode is None, self.err.read_text()

    def end(self) -> tuple[int, str, str]:
        """Waits for its end: exit code (less than 0: the signal), standard output, standard error."""
        self.process.join(120)
        assert self.process.exitcode is not None, "still there after two minutes"
        return self.process.exitcode, self.out.read_text(), self.err.read_text()

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


def fork(work: Callable[[], object], folder: Path) -> Forked:
    """Starts some work in a process of its own; what it prints goes into files of a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "stdout", folder / "stderr"
    process = multiprocessing.get_context("fork").Process(target=_work, args=(work, out, err), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, where other threads are: none holds what is needed
        process.start()
    return Forked(process, out, err)


def fork_command(*arguments: str | Path, folder: Path) -> Forked:
    """Starts `dentify` with these arguments."""

    def work() -> None:
        from dentify.cli import main

        sys.argv = ["dentify", *(str(argument) for argument in arguments)]
        main()

    return fork(work, folder)


def _work(work: Callable[[], object], out: Path, err: Path) -> None:
    import torch

    torch.set_num_threads(1)  # threads of the process before are not there any more
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    with out.open("w", encoding="utf-8") as sys.stdout, err.open("w", encoding="utf-8") as sys.stderr:
        work()
