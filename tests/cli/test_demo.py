"""`dentify demo`: the first thing that a user tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from dentify.demo import PHOTOS

Dentify = Callable[..., Result]


def test_its_photos_are_those_of_the_examples_and_small(examples: Path) -> None:
    photos = sorted(PHOTOS.glob("*.jpg"))
    assert len(photos) == 3
    assert all(photo.read_bytes() == (examples / photo.name).read_bytes() for photo in photos)
    assert sum(photo.stat().st_size for photo in photos) < 300_000


def test_it_makes_the_page_and_opens_it_and_a_second_time_keeps_it(dentify: Dentify, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: not opened.append(address))
    first = dentify("demo")
    assert first.exit_code == 0, first.output
    assert first.stderr.startswith("3 photos: ")
    assert "results in dentify-demo: index.html shows them" in first.stderr
    page = Path("dentify-demo/index.html").read_bytes()
    assert page.count(b"<article") == 3
    again = dentify("demo", "--no-open")
    assert "(3 done before)" in again.stderr
    assert Path("dentify-demo/index.html").read_bytes() == page
    assert len(opened) == 1
