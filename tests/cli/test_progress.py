"""The progress bar: on a terminal alone, with what is left where that is known."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr

import pytest

from dentify.cli.progress import counted, progress


class Terminal(io.StringIO):
    """What a terminal would show."""

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        """All that was shown, without what moves the cursor and colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture(autouse=True)
def _of_one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_with_a_known_number_of_photos_it_says_how_many_and_how_long_are_left() -> None:
    with redirect_stderr(Terminal()) as terminal, progress("assessing", 3) as (advance, _):
        advance()
        advance()
    last = terminal.text.replace("\r", "\n").strip().splitlines()[-1]
    assert re.fullmatch(r"assessing \S+ 2/3 photos \d:\d\d:\d\d (-:--:--|\d:\d\d:\d\d) left\s*", last), last


def test_without_one_it_counts() -> None:
    with redirect_stderr(Terminal()) as terminal, progress("inspecting") as (advance, _):
        advance()
    last = terminal.text.replace("\r", "\n").strip().splitlines()[-1]
    assert re.fullmatch(r"inspecting \S+ 1 photos \d:\d\d:\d\d\s*", last), last


def test_a_line_stands_above_the_bar_as_it_was_given() -> None:
    line = "error: [bold]a.jpg[/bold] :car: " + "x" * 300
    with redirect_stderr(Terminal()) as terminal, progress("assessing", 1) as (_, say):
        say(line)
    assert line in terminal.text


def test_the_bar_is_gone_in_the_end() -> None:
    with redirect_stderr(Terminal()) as terminal, progress("assessing", 1) as (advance, _):
        advance()
    assert terminal.getvalue().rstrip("\r").endswith("\x1b[2K")


def test_quiet_is_no_bar_on_a_terminal_either() -> None:
    with redirect_stderr(Terminal()) as terminal, progress("assessing", 1, quiet=True) as (advance, say):
        advance()
        say("error: a.jpg")
    assert terminal.getvalue() == "error: a.jpg\n"


def test_in_a_pipe_there_are_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("assessing", 1) as (advance, say):
        advance()
        say("error: a.jpg")
    assert capsys.readouterr() == ("", "error: a.jpg\n")


def test_items_count_when_they_are_done_with() -> None:
    done: list[int] = []
    items = counted("ab", lambda: done.append(1))
    assert next(items) == "a"
    assert not done
    assert next(items) == "b"
    assert len(done) == 1
    assert list(items) == []
    assert len(done) == 2
