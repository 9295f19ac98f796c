"""Folders by class: what a folder's name says of the photos in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dentify.datasets import LabelMap, open_dataset
from dentify.errors import DatasetError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name tells no split."""
    (tmp_path / "cars").mkdir()
    return tmp_path / "cars"


def photos(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20)).save(root / name)
    return root


def test_the_nearest_folder_that_is_no_split_is_the_class(root: Path) -> None:
    photos(root, "training/01-minor/a.jpg", "validation/00-undamaged/images/b.jpg", "dent/c.jpg")
    data = open_dataset(root)
    assert data.format == "folders"
    assert {sample.name: (sample.labels, sample.split, sample.vehicle, sample.damage) for sample in data} == {
        "dent/c.jpg": (("dent",), None, True, True),
        "training/01-minor/a.jpg": (("minor",), "train", True, True),
        "validation/00-undamaged/images/b.jpg": (("undamaged",), "val", True, False),
    }


@pytest.mark.parametrize(
    ("folder", "vehicle", "damage"),
    [
        ("00-damage", True, True),
        ("01-whole", True, False),
        ("no_car", False, None),
        ("02-moderate", True, True),
        ("glass shatter", True, True),
        ("hood", None, None),  # a part says nothing of damage
        ("misc", None, None),
    ],
)
def test_a_class_says_what_it_can_of_the_photo(root: Path, folder: str, vehicle: bool | None, damage: bool | None) -> None:
    (sample,) = open_dataset(photos(root, f"{folder}/a.jpg"))
    assert (sample.vehicle, sample.damage, sample.annotations) == (vehicle, damage, ())


def test_a_class_can_be_left_out_by_a_map(root: Path) -> None:
    data = open_dataset(photos(root, "misc/a.jpg", "dent/b.jpg"), labels=LabelMap({"misc": None}, others="refused"))
    data.check_labels()
    assert [sample.labels for sample in data] == [("dent",), ()]


def test_pictures_without_a_class_are_no_data_set(root: Path) -> None:
    photos(root, "dent/a.jpg", "b.jpg")
    with pytest.raises(DatasetError, match=r"cars: holds 2 pictures and no labels of a format that is known"):
        open_dataset(root)


def test_one_photo_in_two_folders_is_two_files(root: Path) -> None:
    photos(root, "dent/a.jpg", "whole/a.jpg")  # near-duplicates are told elsewhere
    assert len(list(open_dataset(root))) == 2


def test_a_file_that_only_has_the_name_of_a_picture_is_listed(root: Path) -> None:
    photos(root, "dent/a.jpg")
    (root / "dent/b.jpg").write_text("not a picture")
    assert [sample.name for sample in open_dataset(root)] == ["dent/a.jpg", "dent/b.jpg"]  # no picture is opened here
