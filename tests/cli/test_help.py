"""Help that can be read: `-h` everywhere, examples, nothing cut off, no names of Python's types, and completion in the shell."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from typer.testing import CliRunner

from commands import commands
from dentify.cli import COMMANDS, app

from .conftest import COMMAND, Dentify

GROUPS = [name for name, command in commands().items() if hasattr(command, "commands")]
SINGLE = [name for name in commands() if name not in GROUPS]


@pytest.fixture(params=["80", "100"])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How wide the terminal is."""
    monkeypatch.setenv("COLUMNS", request.param)
    return int(request.param)


def whole(text: str) -> str:
    """A text without the ends of its lines, words that were parted at a hyphen whole again."""
    return re.sub(r"(?<=\w-)\s+(?=\w)", "", " ".join(text.split()))


@pytest.mark.parametrize("name", commands())
def test_help_reads_well(dentify: Dentify, name: str, columns: int) -> None:
    path = name.split()[1:]
    told = dentify(*path, "--help")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"Usage: {name} [OPTIONS]")
    assert dentify(*path, "-h").stdout == told.stdout
    assert re.search(r"<(str|path|int|float|list|[a-z]+ range)\b|list\[|\[\[|[{}]", told.stdout) is None
    examples = re.compile(r"^    dentify |^        --")
    assert [line for line in told.stdout.splitlines() if len(line) > columns and not examples.match(line)] == []


@pytest.mark.parametrize("name", GROUPS)
def test_the_summary_of_each_command_is_whole(dentify: Dentify, name: str, columns: int) -> None:
    told = whole(dentify(*name.split()[1:], "-h").stdout.partition("Commands:")[2])
    below = {path.rpartition(" ")[2]: one for path, one in commands().items() if path.rpartition(" ")[0] == name}
    assert below
    for child, command in below.items():
        first = re.split(r"(?<=\.)\s", whole(command.help))[0]
        assert first.endswith(".")
        assert f"{child} {first}" in told


@pytest.mark.parametrize("name", SINGLE)
def test_every_command_has_an_example_of_itself(dentify: Dentify, name: str) -> None:
    told = dentify(*name.split()[1:], "-h").stdout
    assert re.search(rf"\n  Examples?:\n    {name}( |\n)", told)


def test_the_usage_says_what_is_required(dentify: Dentify) -> None:
    assert dentify("dataset", "convert", "-h").stdout.startswith("Usage: dentify dataset convert [OPTIONS] PATH\n")
    assert dentify("bundle", "info", "-h").stdout.startswith("Usage: dentify bundle info [OPTIONS] [PATH]\n")
    assert dentify("assess", "-h").stdout.startswith("Usage: dentify assess [OPTIONS] PATH...\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("assess", "a.jpg", "--device", "gpu"), "'--device': 'gpu' is none of auto, cpu, cuda; did you mean `cpu`?"),
        (
            ("dataset", "split", "data", "--frame", "store"),
            "'--frame': 'store' is none of upright, stored; did you mean `stored`?",
        ),
        (("dataset", "preprocess", "in", "-o", "out", "--drop", "it's"), "'--drop': \"it's\" is none of near, exact, none"),
    ],
)
def test_a_wrong_choice_is_told_all_and_the_nearest(dentify: Dentify, arguments: tuple[str, ...], message: str) -> None:
    told = dentify(*arguments)
    assert told.exit_code == 2
    assert told.stderr.endswith(f"\nError: Invalid value for {message}\n")


def completed(typed: str) -> list[str]:
    """What Bash is given where this was typed."""
    count = len(typed.split()) - (not typed.endswith(" "))
    words = {"_DENTIFY_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(count)}
    return CliRunner().invoke(app, [], prog_name="dentify", env=words).stdout.split()


@pytest.mark.parametrize("name", commands())
def test_a_shell_completes_commands_and_options(name: str) -> None:
    if name in GROUPS:
        below = {path.removeprefix(f"{name} ") for path in commands() if path.rpartition(" ")[0] == name}
        assert set(completed(f"{name} ")) == below
        return
    told = set(completed(f"{name} --"))
    options = [param for param in commands()[name].params if param.param_type_name == "option" and not param.hidden]
    assert told == {"--help", *(one for param in options for one in (*param.opts, *param.secondary_opts) if one[:2] == "--")}


def test_a_shell_completes_choices() -> None:
    assert completed("dentify assess photo.jpg --device c") == ["cpu", "cuda"]
    assert completed("dentify dataset convert a --to co") == ["coco"]
    assert completed("dentify dataset inspect a --input-format vo") == ["vott", "vott_asset", "voc"]
    assert completed("dentify dataset prelabel a --to ma") == []
    assert completed("dentify dataset inspect a --format j") == ["json"]


def test_the_command_itself_completes() -> None:
    words = {"_DENTIFY_COMPLETE": "complete_bash", "COMP_WORDS": "dentify ev", "COMP_CWORD": "1"}
    told = subprocess.run(COMMAND, env=os.environ | words, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["evaluate"]


def test_the_script_for_a_shell_is_shown(dentify: Dentify) -> None:
    assert set(COMMANDS) <= set(dentify("--help").stdout.split())
    for option in ("--install-completion", "--show-completion"):
        assert option in dentify("--help").stdout
