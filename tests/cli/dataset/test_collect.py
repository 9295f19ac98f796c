"""`dentify dataset collect flickr`, against a small Flickr on this machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from flickr_server import KEY, Answer, FlickrServer

pytest.importorskip("httpx2", reason="needs the extra `data`")

Server = Any
Dentify = Callable[..., Result]


@pytest.fixture
def flickr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("FLICKR_API_KEY", KEY)
    with FlickrServer() as server:
        yield server


@pytest.fixture
def collect_flickr(flickr: Server, dentify: Dentify) -> Dentify:
    """`collect_flickr(…)` asks the small Flickr, without pauses."""

    def run(*arguments: str) -> Result:
        return dentify("dataset", "collect", "flickr", "--endpoint", flickr.endpoint, "--pause", "0", *arguments)

    return run


def test_photos_are_fetched_and_counted(flickr: Server, collect_flickr: Dentify) -> None:
    for number in range(1, 5):
        flickr.add(str(number))
    flickr.give("2", Answer(404))
    result = collect_flickr("--query", "car dent", "-n", "2", "-o", "cars")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr == (
        "passed over: https://www.flickr.com/photos/24@N01/2/: is not to be had (HTTP 404)\n"
        "cars: 2 fetched, 0 there before, 1 passed over\n"
    )
    assert sorted(path.name for path in Path("cars").iterdir()) == ["1.jpg", "3.jpg", "photos.csv"]
    again = collect_flickr("--query", "car dent", "-n", "9", "-o", "cars")
    assert again.exit_code == 0
    assert again.stderr.endswith("cars: 1 fetched, 2 there before, 1 passed over\nthe search has no more: 3 of 9 photos\n")


def test_quiet_is_quiet(flickr: Server, collect_flickr: Dentify) -> None:
    flickr.add("1", sizes=())
    flickr.add("2")
    result = collect_flickr("--query", "car", "-n", "2", "-q", "-o", "cars")
    assert (result.exit_code, result.output) == (0, "")


def test_licences_and_sizes_are_chosen(flickr: Server, collect_flickr: Dentify) -> None:
    flickr.add("1", license="6")
    flickr.add("2", license="9", sizes=("k",))
    flickr.add("3", license="9")
    assert collect_flickr("--query", "car", "--licenses", "cc0,pdm", "--size", "original", "-n", "1", "-o", "cars").exit_code == 0
    assert Path("cars/3.jpg").is_file()
    assert flickr.calls[1]["license"] == "9,10"
    assert flickr.calls[1]["text"] == "car"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--query", "car", "-n", "1", "--licenses", "by-as", "-o", "out"],
            "is no licence of Flickr's; did you mean `by-sa`",
        ),
        (["--query", " ", "-n", "1", "-o", "out"], "--query is empty: say what to look for"),
        (["--query", "car", "-n", "0", "-o", "out"], "Invalid value for '-n'"),
        (["--query", "car", "-o", "out"], "Missing option '-n'"),
        (["-n", "1", "-o", "out"], "Missing option '--query'"),
        (["--query", "car", "-n", "1"], "-o is missing: say with it the folder for photos"),
        (["--query", "car", "-n", "1", "--size", "huge", "-o", "out"], "'huge' is none of largest, original"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    arguments: list[str], message: str, flickr: Server, collect_flickr: Dentify
) -> None:
    result = collect_flickr(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not flickr.calls
    assert not Path("out").exists()


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_missing_key_is_wrong_usage(
    key: str | None, flickr: Server, collect_flickr: Dentify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLICKR_API_KEY")
    if key is not None:
        monkeypatch.setenv("FLICKR_API_KEY", key)
    result = collect_flickr("--query", "car", "-n", "1", "-o", "out")
    assert result.exit_code == 2
    assert "FLICKR_API_KEY is not set" in result.stderr
    assert "https://www.flickr.com/services/apps/create/ gives one" in result.stderr


def test_a_refused_key_is_one_line(flickr: Server, collect_flickr: Dentify, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", "f00dfeed")
    result = collect_flickr("--query", "car", "-n", "1", "-o", "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: Flickr does not take the key in FLICKR_API_KEY (Invalid API Key")
    assert len(result.stderr.splitlines()) == 1
    assert "f00dfeed" not in result.output


def test_waiting_is_told(flickr: Server, collect_flickr: Dentify) -> None:
    flickr.add("1")
    flickr.api_faults.append(Answer(429, headers={"Retry-After": "0"}))
    result = collect_flickr("--query", "car", "-n", "1", "-o", "out")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == "Flickr answers HTTP 429 and asks to wait 0 s; next try in 0 s"


def test_ctrl_c_keeps_what_is_done(flickr: Server, collect_flickr: Dentify) -> None:
    for number in range(1, 4):
        flickr.add(str(number))
    flickr.before_picture = lambda path: "/2_" in path and signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
    try:
        result = collect_flickr("--query", "car", "-n", "3", "-o", "cars")
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.exit_code == 130
    assert result.stderr == "interrupted: 1 fetched; the same command goes on\n"
    assert sorted(path.name for path in Path("cars").iterdir()) == ["1.jpg", "photos.csv"]
    flickr.before_picture = lambda path: None
    again = collect_flickr("--query", "car", "-n", "3", "-o", "cars")
    assert again.stderr == "cars: 2 fetched, 1 there before, 0 passed over\n"


def test_help_keeps_the_address_of_tests_to_itself(dentify: Dentify) -> None:
    assert "--endpoint" not in dentify("dataset", "collect", "flickr", "--help").stdout
