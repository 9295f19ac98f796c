"""Where pictures are looked for, and that a name never leads out of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.pictures import Pictures, is_file, is_inside, leads_out, picture_folders, picture_parts, walk
from dentify.errors import DatasetError

names = st.text(st.sampled_from("ab./\\:~\0 é\n"), max_size=12)


def tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


FOUND = {
    "beside the labels": ("a.jpg", "a.jpg", ["a.jpg"]),
    "in a folder of its name": ("train/a.jpg", "train/a.jpg", ["train/a.jpg", "val/a.jpg"]),
    "by the end of a path": ("C:\\Users\\me\\train\\a.jpg", "train/a.jpg", ["train/a.jpg", "val/a.jpg"]),
    "of somebody else's machine": ("/home/annotator/photos/a.jpg", "deep/down/a.jpg", ["deep/down/a.jpg"]),
    "with ways up": ("../../images/a.jpg", "images/a.jpg", ["images/a.jpg"]),
    "with spaces and letters of any language": ("çizik (1).jpg", "x/çizik (1).jpg", ["x/çizik (1).jpg"]),
}


@pytest.mark.parametrize(("name", "expected", "files"), FOUND.values(), ids=FOUND.keys())
def test_a_picture_is_found(tmp_path: Path, name: str, expected: str, files: list[str]) -> None:
    tree(tmp_path, *files)
    assert Pictures([tmp_path], tmp_path).find(name) == tmp_path / expected


ALIKE = {  # what the labels say, what the file is called
    "composed and decomposed": ("M\u00fcller.jpg", "Mu\u0308ller.jpg"),
    "decomposed and composed": ("Mu\u0308ller.jpg", "M\u00fcller.jpg"),
    "another case": ("IMG_0001.jpg", "IMG_0001.JPG"),
    "another case of a letter that has two forms": ("\u00c7\u0130ZIK.jpg", "c\u0327i\u0307zik.JPG"),
    "escapes": ("my%20car%20%281%29.jpg", "my car (1).jpg"),
    "an address": ("https://example.org/x/a%20b.jpg?width=640#1", "a b.jpg"),
    "a path of Windows, escaped": ("C:\\my%20photos\\A.JPG", "a.jpg"),
    "no suffix": ("IMG_0001", "IMG_0001.jpeg"),
    "another suffix of its kind": ("a.jpeg", "a.JPG"),
    "an iPhone's photo that became a JPEG": ("IMG_1.HEIC", "img_1.jpg"),
    "spaces around": (" a.jpg ", "a.jpg"),
}


@pytest.mark.parametrize(("name", "file"), ALIKE.values(), ids=ALIKE.keys())
@pytest.mark.parametrize("folder", ["", "deep/down/"])
def test_a_name_that_is_nearly_the_files_finds_it_and_says_so(tmp_path: Path, name: str, file: str, folder: str) -> None:
    tree(tmp_path, f"{folder}{file}", "other.jpg")
    told: list[str] = []
    assert Pictures([tmp_path], tmp_path, lambda rule, where: told.append(where)).find(name) == tmp_path / folder / file
    assert len(told) == 1
    assert str(tmp_path) in told[0]


def test_a_mask_is_not_taken_for_its_photo(tmp_path: Path) -> None:
    tree(tmp_path, "masks/a.png")
    assert not is_file(Pictures([tmp_path], tmp_path).find("a.jpg"))


TWO = {
    "one name in two folders": ("a.jpg", "x/a.jpg", "y/a.jpg"),
    "two cases": ("a.jpg", "A.jpg", "a.JPG"),
    "two suffixes": ("a", "x/a.jpg", "a.png"),
    "two forms": ("M\u00dcLLER.jpg", "Mu\u0308ller.jpg", "m\u00fcller.jpg"),
}


@pytest.mark.parametrize(("name", "first", "second"), TWO.values(), ids=TWO.keys())
def test_where_two_fit_neither_is_guessed_and_both_are_named(tmp_path: Path, name: str, first: str, second: str) -> None:
    tree(tmp_path, first, second)
    with pytest.raises(DatasetError, match="may be") as caught:
        Pictures([tmp_path], tmp_path).find(name, "labels.json: images[0]")
    assert str(caught.value).startswith("labels.json: images[0]: ")
    assert all(str(tmp_path / file) in str(caught.value) for file in (first, second))


def test_of_two_the_one_whose_folders_agree_is_meant_whatever_their_case(tmp_path: Path) -> None:
    tree(tmp_path, "Train/A.JPG", "Val/A.JPG")
    assert Pictures([tmp_path], tmp_path).find("train/a.jpg") == tmp_path / "Train/A.JPG"
    with pytest.raises(DatasetError, match="a may be"):
        Pictures([tmp_path], tmp_path).find_stem("a")


def test_a_missing_picture_is_told_where_it_would_be(tmp_path: Path) -> None:
    assert Pictures([tmp_path / "images", tmp_path], tmp_path).find("x/a.jpg") == tmp_path / "images/x/a.jpg"


def test_a_name_without_its_suffix_is_found_where_only_one_picture_can_be_meant(tmp_path: Path) -> None:
    tree(tmp_path, "images/a.jpeg", "labels/a.txt")
    assert Pictures([tmp_path], tmp_path).find_stem("a") == tmp_path / "images/a.jpeg"


@given(names)
def test_whatever_a_name_says_its_picture_is_within_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tree(tmp_path_factory.getbasetemp() / "within", "a.jpg", "a/b.jpg")
    assert Pictures([root], root).find(name).resolve().is_relative_to(root.resolve())
    assert all(part not in ("", "..", ".", "/") for part in picture_parts(name))


@pytest.mark.parametrize("name", ["../b.jpg", "/etc/passwd", "a/../../b.jpg", "C:\\b.jpg", "C:b.jpg", "..\\b.jpg", "", "a\0b"])
def test_a_name_that_leads_out_is_told_as_such(name: str) -> None:
    assert not is_inside(name)


def test_names_that_no_file_system_takes_have_no_file(tmp_path: Path) -> None:
    assert not is_file(tmp_path / ("x" * 5000))
    assert not is_file(Path("a\0b"))


def test_hidden_files_and_those_of_a_mac_are_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "b.jpg", ".git/c.jpg", "__MACOSX/d.jpg", "a/e.jpg", ".DS_Store")
    assert [path.relative_to(tmp_path).as_posix() for path in walk(tmp_path)] == ["b.jpg", "a/e.jpg"]


def test_pictures_of_cardd_lie_in_a_folder_named_as_its_json() -> None:
    assert Path("CarDD/train2017") in picture_folders(Path("CarDD/annotations/instances_train2017.json"))


def test_a_picture_below_the_folder_goes_before_one_beside_it(tmp_path: Path) -> None:
    # labels in a folder of their own have their pictures beside it; a like-named one there makes nothing ambiguous
    tree(tmp_path, "a.jpg", "set/deep/a.jpg")
    pictures = Pictures([tmp_path / "set" / "images", tmp_path], tmp_path / "set")
    assert pictures.find("train/a.jpg") == tmp_path / "set" / "deep" / "a.jpg"
    assert pictures.find_stem("a") == tmp_path / "set" / "deep" / "a.jpg"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as on Unix")
def test_pipes_and_devices_are_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").symlink_to("/dev/zero")
    assert list(walk(tmp_path)) == [tmp_path / "a.jpg"]


def test_a_link_leads_out_where_its_end_does(tmp_path: Path) -> None:
    tree(tmp_path, "set/a.jpg", "set/x/b.jpg", "beside/c.jpg")
    (tmp_path / "set/in.jpg").symlink_to("x/b.jpg")
    (tmp_path / "set/out.jpg").symlink_to("../beside/c.jpg")
    (tmp_path / "set/folder").symlink_to("../beside")
    (tmp_path / "also").symlink_to("set")
    inside = {
        name
        for name in ("a.jpg", "in.jpg", "out.jpg", "folder/c.jpg")
        if not leads_out(tmp_path / "set" / name, [tmp_path / "set"])
    }
    assert inside == {"a.jpg", "in.jpg"}
    assert not leads_out(tmp_path / "also/a.jpg", [tmp_path / "also"])
    assert not leads_out(tmp_path / "set/out.jpg", [tmp_path / "set", tmp_path / "beside"])


def test_thousands_of_names_that_are_not_there_list_their_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a.jpg")
    listed: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    pictures = Pictures([tmp_path], tmp_path)
    assert all(not is_file(pictures.find(f"{number}.jpg")) for number in range(50))
    assert pictures.find("a.jpg") == tmp_path / "a.jpg"
    assert len(listed) <= 2  # once for names, once for all that lies below
