"""`photos.csv`: rows that stay, and lists of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from collected import Collect, Rows, Server
from dentify.collecting.flickr import COLUMNS
from dentify.errors import DatasetError


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
