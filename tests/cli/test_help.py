"""Help that can be read: `-h` everywhere, nothing cut off, no names of Python's types, and completion in the shell."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from commands import commands
from dentify.cli import COMMANDS

from .conftest import COMMAND, Dentify


@pytest.mark.parametrize("name", commands())
def test_help_reads_well(dentify: Dentify, name: str) -> None:
    path = name.split()[1:]
    told = dentify(*path, "--help")
    assert told.exit_code == 0
    assert dentify(*path, "-h").stdout == told.stdout
    assert re.search(r"<(str|path|int|float|list|[a-z]+ range)\b|list\[|\[\[|[{}]", told.stdout) is None
    assert re.search(r"\w\.\.\.$", told.stdout.partition("Commands:")[2], re.MULTILINE) is None  # cut off


def test_the_usage_says_what_is_required(dentify: Dentify) -> None:
    assert dentify("dataset", "convert", "-h").stdout.startswith("Usage: dentify dataset convert [OPTIONS] PATH")
    assert dentify("bundle", "info", "-h").stdout.startswith("Usage: dentify bundle info [OPTIONS] [PATH]\n")
    assert dentify("assess", "-h").stdout.startswith("Usage: dentify assess [OPTIONS] PATH...\n")


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("dentify ev", ["evaluate"]),
        ("dentify dataset conv", ["convert"]),
        ("dentify assess --score", ["--score-threshold"]),
        ("dentify assess photo.jpg --device c", ["cpu", "cuda"]),
    ],
)
def test_a_shell_completes_what_is_typed(typed: str, completed: list[str]) -> None:
    words = {"_DENTIFY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    told = subprocess.run(COMMAND, env=os.environ | words, capture_output=True, text=True, check=False)
    assert told.stdout.split() == completed


def test_the_script_for_a_shell_is_shown(dentify: Dentify) -> None:
    assert set(COMMANDS) <= set(dentify("--help").stdout.split())
    for option in ("--install-completion", "--show-completion"):
        assert option in dentify("--help").stdout
