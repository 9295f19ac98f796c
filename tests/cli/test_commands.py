"""What all commands have in common: help, version, errors, missing extras."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from dentify import __version__
from dentify.cli import COMMANDS

Dentify = Callable[..., Result]


def test_version(dentify: Dentify) -> None:
    assert dentify("--version").stdout == f"dentify {__version__}\n"


def test_help_names_every_command(dentify: Dentify) -> None:
    result = dentify("--help")
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout


DATASET = ("inspect", "convert", "split", "normalize", "captions", "prelabel", "preprocess")


@pytest.mark.parametrize(
    "command",
    [
        ["assess"],
        ["evaluate"],
        ["bundle", "info"],
        ["bundle", "verify"],
        ["ensemble"],
        ["train"],
        ["tune"],
        ["export"],
        *(["dataset", name] for name in DATASET),
    ],
    ids=" ".join,
)
def test_every_command_has_an_example(command: list[str], dentify: Dentify) -> None:
    result = dentify(*command, "--help")
    assert result.exit_code == 0
    assert f"\n    dentify {' '.join(command)} " in result.stdout


def test_a_misspelt_command_is_told_the_right_one(dentify: Dentify) -> None:
    result = dentify("asses")
    assert result.exit_code == 2
    assert "Did you mean 'assess'" in result.stderr


def test_a_misspelt_option_is_told_the_right_one(dentify: Dentify) -> None:
    result = dentify("assess", "a.jpg", "--overwite")
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr.splitlines()[-1]


def test_a_traceback_is_shown_with_debug_only(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from dentify.cli import main; main()"]
    arguments = ["bundle", "info", str(tmp_path / "nope")]
    plain = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert plain.returncode == 1
    assert plain.stderr == f"error: {tmp_path}/nope: no such bundle\n"
    for debugging in (["--debug", *arguments], [*arguments, "--debug"]):
        debugged = subprocess.run([*command, *debugging], capture_output=True, text=True, check=False)
        assert debugged.returncode == 1
        assert "Traceback" in debugged.stderr
        assert f"dentify.errors.BundleError: {tmp_path}/nope: no such bundle" in debugged.stderr


def test_a_command_without_its_extra_says_what_to_install() -> None:
    """An entry of `None` in `sys.modules` makes an import fail as if nothing was installed."""
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'lightning_fabric', 'timm', 'yaml', 'onnx'), None))\n"
        "from dentify.cli import main; main()"
    )
    for extra, arguments in (
        ("train", ["train", "recipe.yaml", "--data", "."]),
        ("train", ["export", "checkpoint", "-o", "bundle"]),
        ("tune", ["tune", "recipe.yaml", "--data", ".", "--trials", "2"]),
    ):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert f'needs more packages: pip install "dentify[{extra}]"' in done.stderr
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
