"""Where pictures are looked for, and that a name never leads out of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.pictures import Pictures, is_file, is_inside, leads_out, picture_folders, picture_parts, walk

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


def test_of_two_with_one_name_neither_is_guessed(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.jpg", "y/a.jpg")
    assert not is_file(Pictures([tmp_path], tmp_path).find("a.jpg"))
    assert Pictures([tmp_path], tmp_path).find_stem("a") is None


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
