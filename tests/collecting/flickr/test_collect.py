"""The collector, against a small Flickr on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from collected import Collect, Rows, Server, ids
from dentify.collecting.flickr import COLUMNS, collect_flickr
from dentify.datasets import read_photos
from dentify.errors import ConfigError, DatasetError, OutputError
from dentify.settings import Settings
from dentify.writing import locked_folder
from flickr_server import KEY, Answer, picture


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


def test_a_video_is_passed_over(flickr: Server, collect: Collect) -> None:
    flickr.add("1", media="video")
    (one,) = collect(1)
    assert one.reason == "https://www.flickr.com/photos/24@N01/1/: is a video"


def test_an_id_that_is_no_number_never_becomes_a_file_name(flickr: Server, collect: Collect) -> None:
    for photo_id in ("../../evil", "", "1/2", "٣", "12a", "-1", "7"):
        flickr.add(photo_id)
    assert [one.photo_id for one in collect(9)] == ["7"]


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


@pytest.mark.skipif(sys.platform == "win32", reason="locks as on Unix")
def test_two_runs_do_not_share_a_folder(collect: Collect, tmp_path: Path) -> None:
    with locked_folder(tmp_path / "out"), pytest.raises(OutputError, match=r"out: another run of Dentify writes there; wait"):
        collect(1)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(collect: Collect, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="out: is a file; name a folder"):
        collect(1)


def test_a_missing_key_says_where_to_get_one(collect: Collect) -> None:
    with pytest.raises(ConfigError, match=r"needs a key of its API; https://www\.flickr\.com/services/apps/create/"):
        collect(1, api_key=" \n")
