"""CSV and folders of photos that share one label."""

from __future__ import annotations

from pathlib import Path

import pytest

from dentify.datasets import read_photos
from dentify.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures in `images/` and a list of them."""
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "b.webp"):
        (tmp_path / "images" / name).write_bytes(b"never read")
    (tmp_path / "photos.csv").write_text("file,source,split\na.jpg,yard,train\nb.webp,,val\n")
    return tmp_path


def test_a_folder_with_a_list_is_read_by_it(folder: Path) -> None:
    first, second = read_photos(folder, vehicle=True, damage=False)
    assert (first.name, first.source, first.split, first.vehicle, first.damage) == ("a.jpg", "yard", "train", True, False)
    assert first.image == folder / "images" / "a.jpg"
    assert (second.source, second.labelled, second.size_hw) == (None, frozenset(), None)


def test_a_split_selects_rows(folder: Path) -> None:
    assert [sample.name for sample in read_photos(folder / "photos.csv", vehicle=False, split="val")] == ["b.webp"]


def test_details_of_the_same_files_tell_group_and_view(folder: Path) -> None:
    names = [sample.name for sample in read_photos(folder, vehicle=True)]
    (folder / "details.csv").write_text(f"file,group,view,licence\n{names[0]},golf,front_left,CC0\nelsewhere.png,,,\n")
    first, *others = read_photos(folder, vehicle=True, details=folder / "details.csv")
    assert (first.group, first.view) == ("golf", "front_left")
    assert [sample.view for sample in others] == [None] * len(others)
    (folder / "details.csv").write_text("file,group\nelsewhere.png,golf\n")
    with pytest.raises(DatasetError, match=r"details\.csv: tells of no file of .*; its `file` must be spelled alike"):
        list(read_photos(folder, vehicle=True, details=folder / "details.csv"))
    (folder / "details.csv").write_text("name,group\na,b\n")
    with pytest.raises(DatasetError, match=r'details\.csv: needs a column "file", has name, group'):
        list(read_photos(folder, vehicle=True, details=folder / "details.csv"))


def test_a_folder_without_a_list_gives_all_pictures_below_it(folder: Path) -> None:
    (folder / "images" / "more").mkdir()
    (folder / "images" / "more" / "c.PNG").write_bytes(b"")
    (folder / "images" / "notes.txt").write_text("no picture")
    assert [sample.name for sample in read_photos(folder / "images", vehicle=True)] == ["a.jpg", "b.webp", "more/c.PNG"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name\na.jpg\n", r'photos.csv: needs a column "file", has name'),
        ("", r'photos.csv: needs a column "file", has none'),
        ("file\nc.jpg\n", r"photos.csv: line 2: no picture 'c.jpg' in .*images or "),
        ("file\n../a.jpg\n", r"line 2: '../a.jpg' is no file name below"),
        ("file\n/etc/passwd\n", r"line 2: '/etc/passwd' is no file name below"),
        ("file,source\na.jpg\n", r"line 2: needs 2 fields"),
        ("file\na.jpg,b\n", r"line 2: needs 1 fields"),
        ('file\n"a.jpg\n', r"photos.csv: line 2: broken CSV"),
        ("file\n", r"photos.csv: holds no photo"),
    ],
)
def test_a_wrong_list_is_one_clear_line(folder: Path, text: str, message: str) -> None:
    (folder / "photos.csv").write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        list(read_photos(folder, vehicle=True))
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / "photos.csv").write_bytes(b"file\n\xff\xfe.jpg\n")
    with pytest.raises(DatasetError, match="not UTF-8 text at byte"):
        list(read_photos(folder, vehicle=True))


def test_a_split_that_is_empty_or_impossible_is_told(folder: Path) -> None:
    with pytest.raises(DatasetError, match="holds no photo of split 'test'"):
        list(read_photos(folder, vehicle=True, split="test"))
    with pytest.raises(DatasetError, match=r"a folder without photos.csv has no splits; leave :val away"):
        list(read_photos(folder / "images", vehicle=True, split="val"))
    with pytest.raises(DatasetError, match="no such CSV or folder"):
        list(read_photos(folder / "nowhere", vehicle=True))


def test_what_dentify_wrote_past_spreadsheets_is_read_as_it_was(folder: Path) -> None:
    (folder / "images" / "=a.jpg").write_bytes(b"never read")
    (folder / "photos.csv").write_text("file,source,group,split\n./=a.jpg,'=yard,'-1,'+train\n")
    (sample,) = read_photos(folder, vehicle=True, split="+train")
    assert (sample.name, sample.source, sample.group, sample.split) == ("=a.jpg", "=yard", "-1", "+train")
