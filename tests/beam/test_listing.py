"""What there is to prepare, and what its pictures are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.beam.listing import Item, Listing, Reading, item_from_dict, item_to_json, list_input, safe_key
from dentify.errors import DatasetError, InputError
from dentify.settings import Settings

from .conftest import Photo, coco


def listed(source: Path | str, **options: object) -> Listing:
    return list_input(str(source), Reading("embedded", Settings(), **options))  # type: ignore[arg-type]


def test_a_folder_of_pictures_is_listed_by_name(photo: Photo, tmp_path: Path) -> None:
    for seed, name in enumerate(("b.jpg", "sub dir/A.PNG", ".hidden.jpg", "a.jpg")):
        photo(name, seed)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    listing = listed(tmp_path / "in")
    assert [(item.index, item.name, item.key) for item in listing.items] == [
        (0, "a.jpg", "a"),
        (1, "b.jpg", "b"),
        (2, "sub dir/A.PNG", "sub_dir/A"),
    ]
    assert not listing.labelled


def test_a_glob_takes_what_it_names(photo: Photo, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.png", "sub/c.jpg"):
        photo(name, 1)
    assert [item.name for item in listed(f"{tmp_path}/in/**/*.jpg").items] == ["a.jpg", "sub/c.jpg"]


def test_a_data_set_brings_its_labels(dataset: Path) -> None:
    listing = listed(dataset)
    assert listing.labelled
    assert [item.name for item in listing.items] == ["train/a.jpg", "train/b.png", "val/c.jpg"]
    first = listing.items[0]
    assert first.size_hw == (120, 200)
    assert first.facts["split"] == "train"
    assert first.facts["group"] == "car 1"
    assert [row["category"] for row in first.annotations] == ["dent", "scratch"]
    assert item_from_dict(json.loads(item_to_json(first))) == first


def test_pictures_without_labels_are_told(dataset: Path, photo: Photo) -> None:
    photo("train/unlabelled.jpg", 9)
    listing = listed(dataset)
    assert len(listing.items) == 3
    assert listing.notes == ["1 pictures have no labels and are left out; --pictures-only takes all pictures, without labels"]


def test_labels_that_do_not_hold_become_errors(dataset: Path) -> None:
    document = json.loads(coco(["a.jpg"]))
    document["annotations"][0]["category_id"] = 77
    (dataset / "train.json").write_text(json.dumps(document))
    items = listed(dataset).items
    (wrong,) = [item for item in items if item.error is not None]
    assert "category_id 77 is no category" in (wrong.error or "")
    assert [item.name for item in items if item.error is None] == ["train/a.jpg", "val/c.jpg"]


def test_labels_of_no_known_format_are_not_passed_over(photo: Photo, tmp_path: Path) -> None:
    photo("a.jpg", 1)
    (tmp_path / "in" / "labels.json").write_text('{"boxes": []}')
    with pytest.raises(DatasetError, match="--pictures-only takes the pictures"):
        listed(tmp_path / "in")
    assert len(listed(tmp_path / "in", pictures_only=True).items) == 1


def zipped(folder: Path) -> Path:
    """All files of a folder in a zip beside it."""
    with ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return folder.with_suffix(".zip")


@pytest.mark.parametrize("pictures_only", [False, True])
def test_a_zip_is_listed_as_its_folder_and_its_pictures_are_put_where_workers_read_them(
    dataset: Path, photo: Photo, tmp_path: Path, pictures_only: bool
) -> None:
    photo("train/unlabelled.jpg", 9)
    of_folder = listed(dataset, pictures_only=pictures_only)
    reading = Reading(str(tmp_path / "embedded"), Settings(), pictures_only=pictures_only)
    of_zip = list_input(str(zipped(dataset)), reading)
    assert (of_zip.labelled, of_zip.notes) == (of_folder.labelled, of_folder.notes)
    assert [replace(item, path="") for item in of_zip.items] == [replace(item, path="") for item in of_folder.items]
    for item, other in zip(of_zip.items, of_folder.items, strict=True):
        assert Path(item.path).read_bytes() == Path(other.path).read_bytes()


def test_a_label_file_in_a_zip_may_be_named(dataset: Path, tmp_path: Path) -> None:
    listing = list_input(f"{zipped(dataset)}/val.json", Reading(str(tmp_path / "embedded"), Settings()))
    assert [item.name for item in listing.items] == ["val/c.jpg"]


def test_a_zip_in_an_object_store_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"gs://bucket/a\.zip: a zip in an object store is not read; copy it here first"):
        listed("gs://bucket/a.zip")


def test_labels_of_stored_pictures_move_with_them(photo: Photo, tmp_path: Path) -> None:
    path = photo("a.jpg", 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as picture:
        width, height = picture.size
        picture.save(path, exif=exif)
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 10]}],
        "categories": [{"id": 1, "name": "dent"}],
    }
    (tmp_path / "in" / "labels.json").write_text(json.dumps(document))
    (item,) = listed(tmp_path / "in", frame="stored").items
    assert item.size_hw == (width, height)
    assert item.annotations[0]["bbox"] == [height - 10, 0, 10, 20]


@pytest.mark.parametrize(
    ("name", "message"), [("nix", "no such file or folder"), ("empty", "no photos to prepare"), ("a.zip", "no photos to prepare")]
)
def test_what_cannot_be_listed_is_one_line(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    with pytest.raises(InputError, match=message) as caught:
        listed(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_names_that_come_to_the_same_are_told_apart(photo: Photo, tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "A.webp", "a b.jpg", "a_b.jpg", "c.jpg"):
        photo(name, 1)
    keys = [item.key for item in listed(tmp_path / "in").items]
    assert len({key.casefold() for key in keys}) == 6
    assert "c" in keys
    assert not {"a", "A", "a_b"} & set(keys)


def test_a_name_that_looks_told_apart_already_keeps_its_own_key(photo: Photo, tmp_path: Path) -> None:
    """As where the output of an earlier run stands beside its photos."""
    for name in ("a.jpg", "a.png"):
        photo(name, 1)
    told_apart = {item.key for item in listed(tmp_path / "in").items}
    for key in told_apart:
        photo(f"{key}.jpg", 1)
    keys = [item.key for item in listed(tmp_path / "in").items]
    assert len(set(keys)) == 4
    assert told_apart <= set(keys)


@given(st.text(max_size=300))
def test_a_key_never_leads_anywhere_else(name: str) -> None:
    key = safe_key(name)
    parts = key.split("/")
    assert all(parts)
    assert not key.startswith("/")
    assert not any(char in key for char in ".\\:*?[]\0\n")
    assert all(len(part.encode("utf-8", "replace")) <= 200 for part in parts)


def test_an_item_without_labels_says_so() -> None:
    facts = Item(0, "a.jpg", "/a.jpg").facts
    assert facts["labelled"] == []
    assert facts["vehicle"] is None
