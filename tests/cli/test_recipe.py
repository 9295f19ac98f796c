"""`dentify recipe`: the recipes that ship."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dentify.planning import find_recipe, recipe_names

Dentify = Callable[..., Any]


def test_all_are_listed_with_what_they_are_for(dentify: Dentify) -> None:
    result = dentify("recipe", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == recipe_names()


def test_one_is_shown_and_written_as_it_is(dentify: Dentify) -> None:
    text = find_recipe("vgg16").read_text(encoding="utf-8")
    assert dentify("recipe", "show", "vgg16").stdout == text
    assert dentify("recipe", "write", "vgg16").stdout == "vgg16.yaml\n"
    assert Path("vgg16.yaml").read_text(encoding="utf-8") == text
    Path("mine.yaml").write_text("mine")
    refused = dentify("recipe", "write", "vgg16", "-o", "mine.yaml")
    assert (refused.exit_code, refused.stderr) == (1, "error: mine.yaml: is there already; --overwrite replaces it\n")
    assert dentify("recipe", "write", "vgg16", "-o", "mine.yaml", "--overwrite").exit_code == 0
    assert Path("mine.yaml").read_text(encoding="utf-8") == text


def test_no_extra_is_needed(dentify: Dentify) -> None:
    """An entry of `None` in `sys.modules` makes an import fail as if nothing was installed."""
    absent = ("yaml", "scipy", "matplotlib", "defusedxml", "httpx2", "hotcoco", "torch", "timm", "onnx")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}, None)); from dentify.cli import main; main()"
    for arguments in (["list"], ["show", "default"], ["write", "default", "-o", "mine.yaml"]):
        done = subprocess.run([sys.executable, "-c", code, "recipe", *arguments], capture_output=True, text=True, check=False)
        told = dentify("recipe", *arguments, *(["--overwrite"] if arguments[0] == "write" else []))
        assert (done.returncode, done.stderr, done.stdout) == (0, "", told.stdout)
    assert Path("mine.yaml").read_text(encoding="utf-8") == find_recipe("default").read_text(encoding="utf-8")


def test_an_unknown_name_is_one_line(dentify: Dentify) -> None:
    result = dentify("recipe", "show", "vgg17")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "did you mean" in result.stderr
