"""Leaves out rooms whose extra is not installed: their modules cannot be imported, not for doctests either."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = {"beam": "apache_beam", "training": "lightning_fabric"}
ABSENT = [room for room, package in NEEDED.items() if find_spec(package) is None]

collect_ignore = [f"src/dentify/{room}" for room in ABSENT]
if "training" in ABSENT:
    helpers = ("classifier_file", "one_number", "real_photos", "scenes", "toy_bench", "toy_runs", "toy_studies")
    collect_ignore += ["tests/training", *(f"tests/helpers/{name}.py" for name in helpers)]


def pytest_report_header() -> list[str]:
    """Says so at the start of a run."""
    return [f"dentify.{room} is left out: {NEEDED[room]} is not installed" for room in ABSENT]
