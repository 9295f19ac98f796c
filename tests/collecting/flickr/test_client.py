"""The way to Flickr: its pace, its pages, its hosts, and what goes wrong on the way."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from collected import Collect, Rows, Server, ids
from dentify.errors import ConfigError, DatasetError
from dentify.settings import Settings
from flickr_server import Answer, failure, picture


def test_pages_are_read_as_far_as_they_are_needed(flickr: Server, collect: Collect) -> None:
    flickr.per_page = 2
    for number in range(1, 8):
        flickr.add(str(number))
    assert ids(collect(5)) == ["1", "2", "3", "4", "5"]
    assert [call.get("page") for call in flickr.calls] == [None, "1", "2", "3"]


def test_photos_that_pages_repeat_are_fetched_once(flickr: Server, collect: Collect) -> None:
    """New photos come up in front while the pages are read, and move others to the next page."""
    flickr.per_page = 2
    for number in range(1, 5):
        flickr.add(str(number))
    flickr.before_search = lambda page: page == 2 and flickr.photos.insert(0, flickr.photos[3])
    assert ids(collect(9)) == ["1", "2", "3", "4"]
    assert len(flickr.fetched) == 4


def test_photos_that_a_shrinking_page_hides_are_found_in_a_second_pass(flickr: Server, collect: Collect) -> None:
    """While page 1 is fetched its photos vanish from the search, so page 2 begins after photos that nobody saw."""
    flickr.per_page = 2
    for number in range(1, 7):
        flickr.add(str(number))

    def shrink(page: int) -> None:
        if page == 2 and len(flickr.photos) == 6:
            del flickr.photos[:2]

    flickr.before_search = shrink
    assert ids(collect(6)) == ["1", "2", "5", "6", "3", "4"]


def test_a_search_that_shrinks_to_nothing_ends(flickr: Server, collect: Collect) -> None:
    flickr.per_page = 1
    flickr.add("1")
    flickr.add("2")
    flickr.before_search = lambda page: page == 2 and flickr.photos.clear()
    assert ids(collect(2)) == ["1"]


def test_no_more_pages_are_read_than_flickr_tells_apart(flickr: Server, collect: Collect) -> None:
    """Beyond 4,000 results its pages repeat, whatever it says of their number."""
    flickr.per_page = 1
    for number in range(1, 30):
        flickr.add(str(number))
    assert ids(collect(29)) == [str(number) for number in range(1, 9)]
    assert len(flickr.calls) == 1 + 2 * 8


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"stat":"ok"}', "holds no list 'license'"),
        (b'{"stat":"ok","licenses":{"license":{}}}', "holds no list 'license'"),
        (b'{"stat":"ok","licenses":{"license":[1]}}', "holds no list 'license'"),
        (b'{"stat":"ok","licenses":{"license":[]}}', "lists none of these licences: by"),
        (b'{"stat":"fail"}', r"refuses photos\.licenses\.getInfo: no reason told \(code None\)"),
    ],
)
def test_an_answer_of_another_shape_is_one_clear_line(body: bytes, message: str, flickr: Server, collect: Collect) -> None:
    flickr.api_faults.append(Answer(body=body))
    with pytest.raises(DatasetError, match=message) as caught:
        collect(1, licences="by")
    assert str(caught.value).isprintable()


ELSEWHERE = [
    "file:///etc/passwd",
    "http://127.0.0.1:1/latest/meta-data",
    "http://live.staticflickr.com/1.jpg",  # not encrypted
    "https://live.staticflickr.com:8443/1.jpg",
    "https://staticflickr.com.example.net/1.jpg",
    "https://notflickr.com/1.jpg",
    "https://live.staticflickr.com@169.254.169.254/1.jpg",
    "data:image/png;base64,AAAA",
]


@pytest.mark.parametrize("redirected", [False, True], ids=["told", "redirected"])
def test_nothing_is_fetched_but_from_flickrs_hosts(redirected: bool, flickr: Server, collect: Collect) -> None:
    for number, url in enumerate(ELSEWHERE):
        flickr.add(str(number))
        if redirected:
            flickr.give(str(number), Answer(302, headers={"Location": url}))
        else:
            flickr.photos[-1]["url_o"] = url
    collected = collect(len(ELSEWHERE))
    assert len(collected) == len(ELSEWHERE)
    for one, url in zip(collected, ELSEWHERE, strict=True):
        assert one.file is None
        if not url.startswith(("file:", "data:")):  # as redirects, some versions of httpx2 refuse them themselves
            assert f"/{one.photo_id}/: its address is not on Flickr's hosts: {url}" in str(one.reason)


def test_an_address_that_is_none_is_one_printable_line(flickr: Server, collect: Collect) -> None:
    flickr.add("1", url_o="https://[::1/1.jpg")
    flickr.add("2", url_o="https://\x1b[2J/\n\ud800")
    flickr.add("3")
    flickr.give("3", Answer(302, headers={"Location": "https://[::1"}))
    first, second, third = (str(one.reason) for one in collect(3))
    assert first.endswith("/1/: its address is not on Flickr's hosts: https://[::1/1.jpg")
    assert second.endswith("/2/: its address is not on Flickr's hosts: https://\\x1b[2J/\\n?")
    assert "/3/: " in third
    assert third.isprintable()


def test_a_redirect_within_flickr_is_followed_but_not_for_ever(flickr: Server, collect: Collect) -> None:
    flickr.add("1")
    flickr.give("1", Answer(301, headers={"Location": "/65535/1_ab12_k.jpg"}))
    flickr.add("2")
    flickr.give("2", Answer(302, headers={"Location": "/65535/2_ab12_o.jpg"}))
    first, second = collect(2)
    assert first.file is not None
    assert second.reason == "https://www.flickr.com/photos/24@N01/2/: its address leads on and on"


def test_a_photo_without_end_is_read_no_further_than_the_limit(flickr: Server, collect: Collect) -> None:
    flickr.add("1", data=picture() + bytes(40 * 2**20))
    (one,) = collect(1, settings=Settings(max_file_bytes=10_000))
    assert one.reason is not None
    assert "over the limit" in one.reason
    assert flickr.fetched == ["/65535/1_ab12_o.jpg"]
    assert not flickr.delivered


def test_requests_keep_a_polite_pace(flickr: Server, collect: Collect, waits: list[float]) -> None:
    """By a clock on which a request takes 2 s, and so leaves 3 of 5 to wait."""
    flickr.add("1")
    flickr.add("2")
    collect(2, pause_s=5.0, clock=lambda: 2.0 * len(flickr.calls + flickr.fetched) + sum(waits))
    assert waits == [3.0, 3.0, 3.0], "before the search and before either photo"


def test_a_refused_key_is_one_line_without_the_key(
    flickr: Server, collect: Collect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "f00dfeed" * 4
    with pytest.raises(DatasetError) as caught:
        collect(1, api_key=secret)
    assert str(caught.value) == (
        "Flickr does not take the key in FLICKR_API_KEY (Invalid API Key (Key has invalid format)); "
        "https://www.flickr.com/services/apps/create/ gives one"
    )
    flickr.api_faults.append(failure(18, f"bad key {secret}\x1b[2J"))
    with pytest.raises(DatasetError, match=r"^Flickr refuses photos\.licenses\.getInfo: bad key …\\x1b\[2J \(code 18\)$"):
        collect(1, api_key=secret)
    assert "HTTP Request" in caplog.text
    assert secret not in caplog.text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Answer(500), "answers HTTP 500"),
        (Answer(429), "answers HTTP 429"),
        (failure(105, "Service currently unavailable"), "says 'Service currently unavailable' (code 105)"),
        (
            failure(10, "Sorry, the Flickr search API is not currently available."),
            "says 'Sorry, the Flickr search API is",
        ),
        (Answer(body=b"<html>"), "answers HTTP 200 without the JSON of its API"),
        (Answer(body=b"[" * 100_000), "answers HTTP 200 without the JSON of its API"),
        (Answer(body=b"{", cut=True), "breaks off its answer ("),
    ],
    ids=["500", "429", "105", "10", "page", "nested", "cut off"],
)
def test_a_call_that_fails_is_tried_again_after_longer_and_longer_waits(
    fault: Any, told: str, flickr: Server, collect: Collect, waits: list[float]
) -> None:
    flickr.add("1")
    flickr.api_faults.extend([fault] * 4)
    notes: list[str] = []
    assert ids(collect(1, on_wait=notes.append)) == ["1"]
    assert waits == [2.0, 4.0, 8.0, 16.0]
    assert notes[0].startswith(f"Flickr {told}")
    assert notes[3].endswith("; next try in 16 s")


def test_it_gives_up_in_one_line_and_keeps_what_is_done(flickr: Server, collect: Collect, rows: Rows) -> None:
    flickr.per_page = 1
    flickr.add("1")
    flickr.add("2")
    flickr.before_search = lambda page: flickr.api_faults.extend([Answer(503)] * 5) if page == 1 else None
    with pytest.raises(DatasetError, match=r"^Flickr answers HTTP 503; what was fetched is kept, and the same command goes on"):
        collect(2)
    flickr.before_search = lambda page: None
    assert [row["photo_id"] for row in rows()] == ["1"]
    assert ids(collect(2)) == ["2"]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", 2.0),
        ("-5", 2.0),
    ],
)
def test_flickr_may_say_how_long_to_wait(header: str, wait: float, flickr: Server, collect: Collect, waits: list[float]) -> None:
    flickr.add("1")
    flickr.give("1", Answer(429, headers={"Retry-After": header}), Answer(body=picture()))
    assert ids(collect(1)) == ["1"]
    assert waits == [wait]


def test_flickr_may_say_till_when_to_wait(flickr: Server, collect: Collect, waits: list[float]) -> None:
    flickr.add("1")
    in_a_while = format_datetime(datetime.now(UTC) + timedelta(seconds=250), usegmt=True)
    flickr.give("1", Answer(429, headers={"Retry-After": in_a_while}), Answer(body=picture()))
    assert ids(collect(1)) == ["1"]
    (wait,) = waits
    assert 20 < wait <= 250, "a moment of the calendar, so of the machine's own clock; any other wait would be 2 s"


@pytest.mark.parametrize("status", [429, 503])
def test_too_long_a_wait_is_left_to_people(status: int, flickr: Server, collect: Collect, waits: list[float]) -> None:
    flickr.add("1")
    flickr.give("1", Answer(status, headers={"Retry-After": "3600"}))
    told = rf"^Flickr answers HTTP {status} and asks to wait 3600 s; what was fetched is kept"
    with pytest.raises(DatasetError, match=told):
        collect(1)
    assert waits == []


def test_a_picture_that_fails_time_and_again_is_passed_over(flickr: Server, collect: Collect, waits: list[float]) -> None:
    """Else every further run would end at it."""
    for number in range(1, 4):
        flickr.add(str(number))
    flickr.give("1", Answer(502))
    flickr.give("2", Answer(body=picture()[:50], cut=True))
    first, second, third = collect(1)
    assert first.reason == "https://www.flickr.com/photos/24@N01/1/: Flickr answers HTTP 502, time and again"
    assert second.reason is not None
    assert "/2/: Flickr breaks off its answer (" in second.reason
    assert third.photo_id == "3"
    assert waits == [2.0, 4.0, 8.0, 16.0] * 2


def test_a_limit_on_the_rate_of_pictures_ends_the_run(flickr: Server, collect: Collect, rows: Rows) -> None:
    flickr.add("1")
    flickr.add("2")
    flickr.give("2", *[Answer(429)] * 5, Answer(body=picture(2)))
    with pytest.raises(DatasetError, match=r"^Flickr answers HTTP 429; what was fetched is kept"):
        collect(2)
    assert [row["photo_id"] for row in rows()] == ["1"]
    assert ids(collect(2)) == ["2"]


def test_a_flickr_that_cannot_be_reached_is_told(flickr: Server, collect: Collect, waits: list[float]) -> None:
    with pytest.raises(DatasetError, match=r"^Flickr cannot be reached \(.*refused.*\); what was fetched is kept"):
        collect(1, endpoint="http://127.0.0.1:9/services/rest/")
    assert waits == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize("endpoint", ["file:///etc/passwd", "api.flickr.com", "", "https://[::1"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str, collect: Collect) -> None:
    with pytest.raises(ConfigError, match=r"is no address of an API; the usual one is https://api\.flickr\.com/services/rest/$"):
        collect(1, endpoint=endpoint)
