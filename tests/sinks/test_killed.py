"""Runs that are killed at any moment leave nothing that looks finished, and the next one finishes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import killed_steps


@pytest.mark.skipif(sys.platform == "win32", reason="processes as on Unix")
@pytest.mark.parametrize("how", [("folder",), ("folder", "overwrite"), ("zip",), ("zip", "overwrite")], ids=" ".join)
def test_a_run_that_is_killed_before_any_of_its_steps_is_finished_by_the_next(how: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, killed_steps.__file__, str(tmp_path), *how], capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    assert told["steps"] > 20
    assert told["wrong"] == []
