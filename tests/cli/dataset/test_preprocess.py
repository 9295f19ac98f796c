"""`dentify dataset preprocess`, as a user types it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from dentify.cli import app
from dentify.cli.dataset.preprocess import parse_size

pytest.importorskip("apache_beam", reason="needs the extra beam")

Paint = Callable[..., Path]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dataset", "preprocess", *arguments], prog_name="dentify")


def test_the_closing_line_counts_what_was_done(paint: Paint) -> None:
    paint("photos/a.png", "dent")
    paint("photos/b.png", "dent")
    result = run("photos", "-o", "ready", "--size", "64x48", "--format", "webp")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr == "ready: 1 pictures, 1 same files and 0 near-duplicates left out\n"
    with Image.open("ready/images/a.webp") as picture:
        assert picture.size == (64, 48)


def test_a_bad_picture_is_exit_code_1_at_the_end(paint: Paint) -> None:
    paint("photos/a.png", "dent")
    Path("photos/b.jpg").write_text("Dear customer,")
    result = run("photos", "-o", "ready", "--write", "shards")
    assert result.exit_code == 1
    assert result.stderr == "ready: 1 pictures in 1 shards, 1 failed (errors.jsonl)\n"
    assert Path("ready/_SUCCESS").is_file()


def test_options_of_beam_are_passed_on(paint: Paint) -> None:
    paint("photos/a.png")
    assert run("photos", "-o", "ready", "--direct_num_workers", "1", "-q").exit_code == 0
    result = run("photos", "-o", "other", "--sise", "300")
    assert result.exit_code == 2
    assert "--sise: no option of preprocess or Beam" in " ".join(result.stderr.split())
    result = run("--sise", "300", "photos", "-o", "other")
    assert result.exit_code == 2
    assert "'--sise' is no option of preprocess; those of Beam stand behind IN" in " ".join(result.stderr.split())


@pytest.mark.parametrize("output", [("-o", "other"), ("other",)])
def test_one_place_is_read_and_a_glob_that_the_shell_spread_is_told(output: tuple[str, ...]) -> None:
    result = run("a.png", "b.png", *output)
    assert result.exit_code == 2
    assert "is one argument too many: preprocess takes one IN; quote a glob" in " ".join(result.stderr.split())


@pytest.mark.parametrize("text", ["0", "8", "12345", "64x", "big", "64x8"])
def test_a_size_that_is_none_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_size(text)


def test_without_the_extra_it_says_what_to_install(paint: Paint) -> None:
    paint("photos/a.png")
    code = (
        "import sys; sys.modules['apache_beam'] = None; import typer\n"
        "from dentify.cli.dataset.preprocess import CONTEXT, preprocess\n"
        "app = typer.Typer(pretty_exceptions_enable=False); app.command(context_settings=CONTEXT)(preprocess); app()"
    )
    done = subprocess.run([sys.executable, "-c", code, "photos", "-o", "ready"], capture_output=True, text=True, check=False)
    assert 'MissingExtraError: preprocessing needs more packages: pip install "dentify[beam]"' in done.stderr


def test_a_terminal_sees_progress_and_a_pipe_does_not(paint: Paint) -> None:
    for name in "abc":
        paint(f"photos/{name}.png")
    code = (
        "import typer; from dentify.cli.dataset.preprocess import CONTEXT, preprocess\n"
        "app = typer.Typer(); app.command(context_settings=CONTEXT)(preprocess); app()"
    )
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "photos", "-o", "ready"], stderr=end, env={**os.environ, "TERM": "xterm"}
    )
    os.close(end)
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0
    assert b"photos" in shown
    assert b"ready: 1 pictures" in shown
