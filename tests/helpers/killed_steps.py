"""A sink that is killed before each of its steps on the disk in turn: which next run ends otherwise than one that nobody killed?

python killed_steps.py FOLDER folder|zip [overwrite]      # prints the steps, and a line for each that is wrong, as JSON

Steps are files that are opened to be written, renamed and removed, and folders that are made and removed. Each is a fork, so that
hundreds take seconds; it has a process of its own since a fork of the tests' would take their threads along.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dentify.errors import OutputError
from dentify.sinks import Conditions, FolderSink, Result, ZipSink
from dentify.summary import Timings
from written_results import PIXELS, SAME, assessed, folder_sink, zip_sink

_STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
Sink = FolderSink | ZipSink


def killed_before(step: int, work: Callable[[], None]) -> bool:
    """Whether it was: it may have ended first."""
    child = os.fork()
    if child == 0:
        steps = 0

        def hook(event: str, told: tuple[Any, ...]) -> None:
            nonlocal steps
            writes = event == "open" and isinstance(told[2], int) and told[2] & (os.O_WRONLY | os.O_RDWR)
            if event in _STEPS or writes:
                steps += 1
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


def fill(
    make: Callable[..., Sink], *, overwrite: bool = False, resume: Conditions | None = None, threshold: float | None = None
) -> None:
    """Three photos, of which one is broken. Answers and drawings of another threshold are others."""
    with make(overwrite=overwrite, resume=resume) as sink:
        for name in ("a.jpg", "b/c.jpg"):
            sink.reserve(name, name)
            earlier = sink.earlier(name, PIXELS)
            if earlier is None:
                drawing = f"drawn at {threshold}".encode()
                sink.write(Result(assessed(name, "dent", threshold=threshold), drawing, Timings()))
            else:
                sink.keep(earlier)
        sink.reserve("d.jpg", "d.jpg")
        sink.fail("d.jpg", "ImageError", "d.jpg: broken")


def tree() -> dict[str, object]:
    """All files, and what zips hold."""
    found: dict[str, object] = {}
    for path in sorted(Path().rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found[path.as_posix()] = {name: archive.read(name) for name in archive.namelist()}
        elif path.is_file():
            found[path.as_posix()] = path.read_bytes()
    return found


def visible() -> dict[str, object]:
    """All files that are not hidden."""
    return {name: content for name, content in tree().items() if not any(part.startswith(".") for part in Path(name).parts)}


def main() -> None:
    """See the module."""
    base, kind, *more = sys.argv[1:]
    make: Callable[..., Sink] = folder_sink if kind == "folder" else zip_sink
    overwrite = bool(more)
    place = Path(base)

    def enter(name: str) -> None:
        (place / name).mkdir()
        os.chdir(place / name)

    enter("whole")
    fill(make)
    whole, wrong, step = tree(), [], 1
    enter("earlier")
    if overwrite:
        fill(make, threshold=0.3)
    earlier = tree()
    while True:
        enter(str(step))
        if overwrite:
            fill(make, threshold=0.3)
        if not killed_before(step, lambda: fill(make, overwrite=overwrite)):
            break
        seen = visible()
        if any(content not in (whole.get(name), earlier.get(name)) for name, content in seen.items()):
            wrong.append(f"{step}: leaves {sorted(seen)}, which are not all as they should be")
        finished = ("out/summary.csv" if kind == "folder" else "out.zip") in seen
        try:
            fill(make, resume=SAME)
        except OutputError as error:
            if not (finished and str(error).startswith("out.zip: is there already")):
                wrong.append(f"{step}: {error}")
            if visible() not in (whole, earlier):
                wrong.append(f"{step}: leaves {sorted(seen)}, which is neither the earlier run's nor the later one's")
        else:
            if tree() != whole:
                wrong.append(f"{step}: ends with {sorted(tree())}")
        step += 1
    json.dump({"steps": step - 1, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main()
