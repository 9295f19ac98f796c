"""What the command's tests share: the tiny bundle, painted photos, and the command itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from dentify.cli import app
from dentify.testing import Damage, paint_photo, tiny_bundle

COMMAND = [sys.executable, "-c", "from dentify.cli import main; main()"]

Dentify = Callable[..., Result]
Paint = Callable[..., Path]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in messages are as short as what a user types."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dentify() -> Dentify:
    """`dentify(*arguments)` in this process."""

    def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin, prog_name="dentify")

    return run


def _hear_ctrl_c() -> None:
    """Tests that run in the background ignore Ctrl-C, and their children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start() -> Start:
    """`start(*arguments)` as a process of its own, with pipes."""

    def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        command: Sequence[str] = [*COMMAND, *(str(argument) for argument in arguments)]
        pipe = subprocess.PIPE
        env = {**os.environ, **(environment or {})}
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, encoding="utf-8", env=env, preexec_fn=_hear_ctrl_c
        )

    return run


@pytest.fixture
def paint() -> Paint:
    """`paint(path, "dent", …)` writes a photo with these damages on its hood."""

    def run(path: str | Path, *types: str) -> Path:
        boxes = ((0.25, 0.25, 0.375, 0.375), (0.5, 0.5, 0.625, 0.625), (0.25, 0.625, 0.375, 0.75))
        damages = [Damage(one, box) for one, box in zip(types, boxes, strict=False)]
        image = paint_photo(size_hw=(128, 192), parts={"hood": (0.125, 0.125, 0.875, 0.875)}, damages=damages)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, "PNG")
        return path

    return run
