"""The collector, against a small Flickr on this machine."""

from __future__ import annotations

import csv
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from flickr_server import KEY, Answer, FlickrServer, failure, picture

pytest.importorskip("httpx2", reason="needs the extra `data`")

from dentify.collecting.flickr import COLUMNS, Collected, collect_flickr, licence_at, parse_licences
from dentify.datasets import read_photos
from dentify.errors import ConfigError, DatasetError, OutputError
from dentify.settings import Settings
from dentify.writing import locked_folder

Server = Any
Collect = Callable[..., list[Collected]]


@pytest.fixture
def flickr() -> Iterator[Server]:
    with FlickrServer() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """Seconds that the collector would have waited."""
    return []


@pytest.fixture
def collect(flickr: Server, waits: list[float], tmp_path: Path) -> Collect:
    """`collect(count, …)` into `out`, without waiting."""

    def run(count: int, query: str = "car dent", **options: Any) -> list[Collected]:
        chosen = {"api_key": KEY, "pause_s": 0.0, "endpoint": flickr.endpoint, "sleep": waits.append, **options}
        return list(collect_flickr(query, tmp_path / "out", count=count, **chosen))

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], list[dict[str, str]]]:
    def read() -> list[dict[str, str]]:
        with (tmp_path / "out" / "photos.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return read


Rows = Callable[[], list[dict[str, str]]]


def ids(collected: list[Collected]) -> list[str]:
    """Of the photos that were fetched now."""
    return [one.photo_id for one in collected if one.file is not None and not one.earlier]


def test_photos_and_their_list_are_written(flickr: Server, collect: Collect, rows: Rows, tmp_path: Path) -> None:
    flickr.add("101", title="Dent in a door", license="11", data=picture(1, size_wh=(64, 40)))
    flickr.add("102", data=picture(2, kind="PNG"))
    assert [one.file for one in collect(2)] == [tmp_path / "out" / "101.jpg", tmp_path / "out" / "102.png"]
    assert (tmp_path / "out" / "101.jpg").read_bytes() == picture(1, size_wh=(64, 40))
    first, second = rows()
    assert first == {
        "file": "101.jpg",
        "source": "flickr",
        "group": "24@N01",
        "photo_id": "101",
        "owner": "24@N01",
        "owner_name": "Ada",
        "title": "Dent in a door",
        "licence": "CC BY 4.0",
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "url": "https://www.flickr.com/photos/24@N01/101/",
        "source_url": f"{flickr.address}/65535/101_ab12_o.jpg",
        "tags": "car dent",
        "taken": "2024-06-01 21:14:05",
        "width": "64",
        "height": "40",
        "query": "car dent",
    }
    assert tuple(first) == COLUMNS
    assert (second["file"], second["licence"]) == ("102.png", "CC BY 2.0")
    samples = list(read_photos(tmp_path / "out", vehicle=True, damage=False))
    assert [(sample.name, sample.source, sample.group) for sample in samples] == [
        ("101.jpg", "flickr", "24@N01"),
        ("102.png", "flickr", "24@N01"),
    ]


def test_it_ends_by_itself_at_the_count(flickr: Server, collect: Collect) -> None:
    for number in range(1, 8):
        flickr.add(str(number))
    assert ids(collect(3)) == ["1", "2", "3"]
    assert [call["method"] for call in flickr.calls] == ["flickr.photos.licenses.getInfo", "flickr.photos.search"]
    assert len(flickr.fetched) == 3


def test_it_ends_where_the_search_does(flickr: Server, collect: Collect) -> None:
    flickr.add("1")
    assert ids(collect(5)) == ["1"]


def test_a_search_without_results_is_told(collect: Collect, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"^Flickr finds no photo for 'car dent' under these licences: cc0, pdm$"):
        collect(1, licences="cc0,pdm")
    assert not (tmp_path / "out").exists()


# --- licences


@pytest.mark.parametrize(
    ("licences", "found"),
    [
        ("cc", ["1", "4", "5", "6", "9", "10", "11", "16"]),
        ("free", ["4", "5", "9", "10", "11"]),
        ("by", ["4", "11"]),  # all its versions
        ("CC-BY-NC-ND, cc0", ["9", "16"]),
        ("us-gov", ["8"]),
        ("no-known-restrictions", ["7"]),
    ],
)
def test_only_photos_under_the_chosen_licences_are_fetched(
    licences: str, found: list[str], flickr: Server, collect: Collect
) -> None:
    for number in (0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 16, 99):
        flickr.add(str(number + 1000), license=str(number))
    assert sorted(ids(collect(20, licences=licences)), key=int) == [str(int(number) + 1000) for number in found]


def test_a_photo_under_another_licence_is_not_fetched_even_if_flickr_offers_it(flickr: Server, collect: Collect) -> None:
    flickr.add("1", license="0", stray=True)
    flickr.add("2", license="77", stray=True)
    flickr.add("3", license=4)  # as a number
    flickr.photos[2]["stray"] = True
    first, second, third = collect(3)
    assert first.reason == "https://www.flickr.com/photos/24@N01/1/: its licence was not chosen"
    assert (second.file, third.photo_id) == (None, "3")
    assert flickr.fetched == ["/65535/3_ab12_o.jpg"]


@pytest.mark.parametrize(
    ("licences", "message"),
    [
        ("by-as", r"^'by-as' is no licence of Flickr's; did you mean `by-sa` or `by-.*\?$"),
        ("gpl", r"^'gpl' is no licence of Flickr's; give some of cc, free, by, by-sa, "),
        ("", r"^'' is no licence of Flickr's; give some of cc, "),
        ("by,\x1b[2J", r"^'\\\\x1b\[2J' is no licence"),
    ],
)
def test_an_unknown_licence_is_told_the_nearest_ones(licences: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_licences(licences)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("http://creativecommons.org/licenses/by-nd/2.0/", "CC BY-ND 2.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC BY 4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd-sa/4.0/", None),
        ("https://creativecommons.org.example.net/licenses/by/4.0/", None),
        ("https://example.net/?creativecommons.org/licenses/by/4.0/", None),
        ("", None),
    ],
)
def test_a_licence_is_known_by_its_address(url: str, label: str | None) -> None:
    licence = licence_at(url)
    assert (licence and licence.label) == label


# --- sizes and files


def test_the_original_is_taken_else_the_largest_size(flickr: Server, collect: Collect) -> None:
    flickr.add("1", sizes=("m", "o", "k"))
    flickr.add("2", sizes=("z", "k", "h"))
    flickr.add("3", sizes=())
    assert ids(collect(3)) == ["1", "2"]
    assert flickr.fetched == ["/65535/1_ab12_o.jpg", "/65535/2_ab12_k.jpg"]


def test_originals_alone_can_be_asked_for(flickr: Server, collect: Collect) -> None:
    flickr.add("1", sizes=("k",))
    flickr.add("2")
    first, second = collect(1, size="original")
    assert first.reason == "https://www.flickr.com/photos/24@N01/1/: no original of it is offered"
    assert second.file is not None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404), "is not to be had (HTTP 404)"),
        (Answer(410), "is not to be had (HTTP 410)"),
        (Answer(302, headers={"Location": "https://s.yimg.com/pw/images/en-us/photo_unavailable.png"}), "is gone; Flickr shows"),
        (Answer(302, headers={"Location": "/img/photo_unavailable.gif"}), "is gone; Flickr shows its placeholder"),
        (Answer(302), "is not to be had (HTTP 302)"),
        (Answer(body=b"<html>Sorry</html>"), "not a picture: starts like a web page"),
        (Answer(body=b""), "the file is empty"),
        (Answer(body=picture()[:-200]), "this JPEG is cut off"),
        (Answer(body=picture(size_wh=(8, 8))), "8 × 8 pixels are too few"),
        (Answer(body=b"\xff\xd8\xff" + b"x" * 5000), "over the limit of 4.9 KiB a file"),
    ],
    ids=["404", "410", "placeholder", "placeholder here", "redirect to nowhere", "page", "empty", "cut off", "tiny", "large"],
)
def test_another_photo_is_taken_for_one_that_vanished_or_cannot_be_read(
    answer: Any, reason: str, flickr: Server, collect: Collect, rows: Rows, tmp_path: Path
) -> None:
    flickr.add("1")
    flickr.add("2")
    flickr.give("1", answer)
    vanished, taken = collect(1, settings=Settings(max_file_bytes=5000))
    assert vanished.file is None
    assert vanished.reason is not None
    assert vanished.reason.startswith(f"https://www.flickr.com/photos/24@N01/1/: {reason}")
    assert "\n" not in vanished.reason
    assert taken.photo_id == "2"
    assert [row["photo_id"] for row in rows()] == ["2"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["2.jpg", "photos.csv"]


def test_a_photo_without_end_is_read_no_further_than_the_limit(flickr: Server, collect: Collect) -> None:
    flickr.add("1", data=picture() + bytes(40 * 2**20))
    (one,) = collect(1, settings=Settings(max_file_bytes=10_000))
    assert one.reason is not None
    assert "over the limit" in one.reason
    assert flickr.fetched == ["/65535/1_ab12_o.jpg"]
    assert not flickr.delivered


def test_a_video_is_passed_over(flickr: Server, collect: Collect) -> None:
    flickr.add("1", media="video")
    (one,) = collect(1)
    assert one.reason == "https://www.flickr.com/photos/24@N01/1/: is a video"


# --- hostile answers


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


def test_an_id_that_is_no_number_never_becomes_a_file_name(flickr: Server, collect: Collect) -> None:
    for photo_id in ("../../evil", "", "1/2", "٣", "12a", "-1", "7"):
        flickr.add(photo_id)
    assert [one.photo_id for one in collect(9)] == ["7"]


def test_what_people_wrote_is_stored_as_one_line_without_formulas(flickr: Server, collect: Collect, rows: Rows) -> None:
    flickr.add("1", title='=HYPERLINK("http://example.net","x")', ownername='Ümit\r\nKaya, "U"', tags="-1+cmd \ud800 \x1b[31m")
    flickr.add("2", title="x" * 200_000, owner="../evil?\ud800", datetakenunknown="1")
    collect(2)
    first, second = rows()
    assert first["title"] == '\'=HYPERLINK("http://example.net","x")'
    assert first["owner_name"] == 'Ümit Kaya, "U"'
    assert first["tags"] == "'-1+cmd ? [31m"
    assert len(second["title"]) == 10_000
    assert second["taken"] == ""
    assert second["url"] == "https://www.flickr.com/photos/..%2Fevil%3F%3F/2/"
    assert [one.earlier for one in collect(2)] == [True, True]


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


# --- pages


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


# --- resume


def test_a_second_run_goes_on(flickr: Server, collect: Collect, rows: Rows) -> None:
    for number in range(1, 6):
        flickr.add(str(number))
    collect(2)
    calls = len(flickr.calls)
    assert [one.earlier for one in collect(2)] == [True, True]
    assert len(flickr.calls) == calls, "nothing is asked where nothing is missing"
    assert [(one.photo_id, one.earlier) for one in collect(4)] == [("1", True), ("2", True), ("3", False), ("4", False)]
    assert [row["photo_id"] for row in rows()] == ["1", "2", "3", "4"]
    assert len(flickr.fetched) == 4


def test_a_photo_whose_file_is_gone_is_fetched_again(flickr: Server, collect: Collect, rows: Rows, tmp_path: Path) -> None:
    flickr.add("1")
    flickr.add("2")
    collect(2)
    (tmp_path / "out" / "1.jpg").unlink()
    assert [(one.photo_id, one.earlier) for one in collect(2)] == [("2", True), ("1", False)]
    assert [row["photo_id"] for row in rows()] == ["2", "1"]


def test_photos_may_be_moved_to_images(flickr: Server, collect: Collect, tmp_path: Path) -> None:
    flickr.add("1")
    collect(1)
    (tmp_path / "out" / "images").mkdir()
    (tmp_path / "out" / "1.jpg").rename(tmp_path / "out" / "images" / "1.jpg")
    (one,) = collect(1)
    assert (one.earlier, one.file) == (True, tmp_path / "out" / "images" / "1.jpg")


def test_another_query_adds_to_the_same_folder(flickr: Server, collect: Collect, rows: Rows) -> None:
    """What both find is there once and counts for the query that found it first, here `hail` of 1."""
    for number in range(1, 4):
        flickr.add(str(number))
    collect(1, "hail")
    assert ids(collect(2, "=car dent")) == ["2", "3"]
    assert [row["query"] for row in rows()] == ["hail", "'=car dent", "'=car dent"]
    assert len(collect(2, "=car dent")) == 2


def test_photos_of_other_licences_do_not_count(flickr: Server, collect: Collect) -> None:
    flickr.add("1", license="6")
    flickr.add("2", license="4")
    collect(1)
    assert ids(collect(1, licences="by")) == ["2"]


def test_a_killed_run_leaves_nothing_that_looks_finished(flickr: Server, collect: Collect, rows: Rows, tmp_path: Path) -> None:
    """It may leave parts, which the next run takes away, and a photo that the list does not know yet, which it replaces."""
    flickr.add("1")
    flickr.add("2")
    collect(1)
    out = tmp_path / "out"
    for name in (".7.jpg.part", ".photos.csv.part", "2.jpg", ".mine.part"):
        (out / name).write_bytes(b"half")
    assert ids(collect(2)) == ["2"]
    assert sorted(path.name for path in out.iterdir()) == [".mine.part", "1.jpg", "2.jpg", "photos.csv"]
    assert (out / "2.jpg").read_bytes() == picture(2)
    assert len(rows()) == 2


def test_ctrl_c_keeps_what_was_done(flickr: Server, tmp_path: Path, rows: Rows) -> None:
    flickr.add("1")
    flickr.add("2")

    def interrupt(seconds: float) -> None:
        if len(flickr.fetched) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(collect_flickr("car", tmp_path / "out", count=2, api_key=KEY, endpoint=flickr.endpoint, sleep=interrupt))
    assert [row["photo_id"] for row in rows()] == ["1"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.jpg", "photos.csv"]


def test_columns_that_a_user_added_stay(flickr: Server, collect: Collect, rows: Rows, tmp_path: Path) -> None:
    flickr.add("1")
    flickr.add("2")
    collect(1)
    path = tmp_path / "out" / "photos.csv"
    head, row = path.read_text().splitlines()
    path.write_text(f"\ufeff{head},split\n{row},val\n", encoding="utf-8")  # with a byte order mark, as spreadsheets write it
    collect(2)
    assert [row["split"] for row in rows()] == ["val", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,source\na.jpg,yard\n",
            r"photos\.csv: is not the list of an earlier run \(no column group\); collect",
        ),
        (",".join(COLUMNS) + "\n1.jpg,flickr\n", r"rows of another length than its first line"),
        ('file,"\n', r"photos\.csv: broken CSV"),
        ("\udcff", r"photos\.csv: broken CSV"),
    ],
)
def test_a_list_of_someone_elses_is_not_touched(
    text: str, message: str, flickr: Server, collect: Collect, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "photos.csv"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=message):
        collect(1)
    assert path.read_bytes() == before
    assert not flickr.calls


@pytest.mark.skipif(sys.platform == "win32", reason="locks as on Unix")
def test_two_runs_do_not_share_a_folder(collect: Collect, tmp_path: Path) -> None:
    with locked_folder(tmp_path / "out"), pytest.raises(OutputError, match=r"out: another run of Dentify writes there; wait"):
        collect(1)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(collect: Collect, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="out: is a file; name a folder"):
        collect(1)


# --- pace, errors, retries


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


def test_a_missing_key_says_where_to_get_one(collect: Collect) -> None:
    with pytest.raises(ConfigError, match=r"needs a key of its API; https://www\.flickr\.com/services/apps/create/"):
        collect(1, api_key=" \n")


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


def test_too_long_a_wait_is_left_to_people(flickr: Server, collect: Collect, waits: list[float]) -> None:
    flickr.add("1")
    flickr.give("1", Answer(429, headers={"Retry-After": "3600"}))
    with pytest.raises(DatasetError, match=r"^Flickr answers HTTP 429 and asks to wait 3600 s; what was fetched is kept"):
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
