"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines that run tests are slow and noisy: no deadlines, and few enough examples to keep the suite quick.
settings.register_profile("dentify", deadline=None, max_examples=40)
settings.load_profile("dentify")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled photos, which is not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the labelled photos in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """The project's own photos (CC0)."""
    return ROOT / "examples"


@pytest.fixture
def no_root() -> Iterator[None]:
    """Root may do everything, so its tests run as nobody in the current folder."""
    if not hasattr(os, "geteuid"):
        pytest.skip("needs rights as on Unix")
    is_root = os.geteuid() == 0
    if is_root:
        Path().chmod(0o777)
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)
