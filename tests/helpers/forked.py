"""The `dentify` command, or a toy run, as a process of its own.

It is a fork of a process that has imported PyTorch and done nothing else: importing it anew takes seconds, and a fork of the
tests' own process, whose threads of PyTorch and OpenMP are not there any more, may crash.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["dentify.cli.train", "dentify.training.loop", "dentify.training.tune"])


class Forked:
    """A process under way.

    Attributes:
        process: it.
        out: the file that its standard output goes to.
        err: likewise.
    """

    def __init__(self, process: ForkServerProcess, out: Path, err: Path) -> None:
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
    """Starts some work, which can be pickled, in a process of its own; what it prints goes into files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    out, err = folder / "stdout", folder / "stderr"
    process = _SERVER.Process(target=_work, args=(work, out, err), daemon=True)
    process.start()
    return Forked(process, out, err)


def fork_command(*arguments: str | Path, folder: Path) -> Forked:
    """Starts `dentify` with these arguments."""
    return fork(partial(_command, [str(argument) for argument in arguments], Path.cwd()), folder)


def _command(arguments: list[str], folder: Path) -> None:
    from dentify.cli import main

    os.chdir(folder)
    sys.argv = ["dentify", *arguments]
    main()


def _work(work: Callable[[], object], out: Path, err: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    with out.open("w", encoding="utf-8") as sys.stdout, err.open("w", encoding="utf-8") as sys.stderr:
        work()
