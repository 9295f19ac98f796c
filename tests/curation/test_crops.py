"""Crops around single damages: one type a picture."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.assessment import Box
from dentify.curation.crops import _widened, iter_crops, single_damages, write_crops
from dentify.datasets import Annotation, Sample, open_dataset
from dentify.errors import DatasetError, OutputError
from written_samples import HEIGHT, WIDTH, png


def photo(*annotations: Annotation, name: str = "a/b.png") -> Sample:
    return Sample(png(0), name, (HEIGHT, WIDTH), annotations=annotations, source="street", group="g", split="train")


def box(name: str, corners: Box, **facts: bool) -> Annotation:
    return Annotation(name, corners, **facts)


LEFT, MIDDLE, RIGHT = (0.0, 0.0, 10.0, 10.0), (8.0, 0.0, 20.0, 10.0), (22.0, 0.0, 32.0, 10.0)


def test_damages_that_touch_another_type_are_not_by_themselves() -> None:
    touching = photo(box("dent", LEFT), box("scratch", MIDDLE), box("dent", RIGHT))
    assert [one.box_xyxy for one in single_damages(touching)] == [RIGHT]
    assert len(single_damages(photo(box("dent", LEFT), box("dent", MIDDLE)))) == 2
    assert single_damages(photo(box("damage", LEFT), box("hood", MIDDLE))) == []
    assert single_damages(photo(box("dent", LEFT, crowd=True), box("dent", RIGHT, unsure=True))) == []
    assert single_damages(photo(box("dent", LEFT), box("damage", MIDDLE))) == []  # who knows which type that is
    assert len(single_damages(photo(box("dent", LEFT), box("hood", MIDDLE)))) == 1


def test_a_crop_is_the_pixels_around_its_damage() -> None:
    whole = photo(box("dent", (10, 8, 20, 12)))
    (crop,) = iter_crops(whole, margin=0.2, least_side=1)
    (everything,) = iter_crops(photo(box("dent", (0, 0, WIDTH, HEIGHT))), margin=0.0, least_side=1)
    assert np.array_equal(crop.image, everything.image[6:14, 8:22])
    assert (crop.sample.name, crop.sample.labels, crop.sample.annotations) == ("a_b_1.jpg", ("dent",), ())
    assert (crop.sample.source, crop.sample.group, crop.sample.split) == ("street", "g", "train")


def test_small_ones_are_left_out() -> None:
    assert list(iter_crops(photo(box("dent", (10, 8, 20, 12))), margin=0.0, least_side=5)) == []
    assert len(list(iter_crops(photo(box("dent", (10, 8, 20, 12))), margin=0.0, least_side=4))) == 1


corner = st.integers(0, 100)
boxes = st.tuples(corner, corner, st.integers(1, 40), st.integers(1, 40)).map(
    lambda one: (float(one[0]), float(one[1]), float(one[0] + one[2]), float(one[1] + one[3]))
)


@given(boxes, st.floats(0, 2), st.lists(boxes, max_size=4))
def test_a_margin_stays_on_the_photo_and_off_other_types(own: Box, margin: float, others: list[Box]) -> None:
    def meet(a: Box, b: Box) -> bool:
        return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

    others = [one for one in others if not meet(own, one)]
    left, top, right, bottom = _widened(own, margin, (140, 140), others)
    assert 0 <= left <= own[0] < own[2] <= right <= 140
    assert 0 <= top <= own[1] < own[3] <= bottom <= 140
    rounded = (left + 0.5, top + 0.5, right - 0.5, bottom - 0.5)  # sides are whole pixels
    assert not any(meet(rounded, one) for one in others)


def test_what_is_written_is_a_data_set(tmp_path: Path) -> None:
    samples = [photo(box("dent", LEFT), box("scratch", RIGHT)), photo(box("dent", LEFT), name="c.png")]
    counts = write_crops(samples, tmp_path / "crops", least_side=1)
    assert counts == {"dent": 2, "scratch": 1}
    with (tmp_path / "crops" / "photos.csv").open() as file:
        rows = [(row["file"], row["label"], row["group"]) for row in csv.DictReader(file)]
    assert rows == [("images/a_b_1.jpg", "dent", "g"), ("images/a_b_2.jpg", "scratch", "g"), ("images/c_1.jpg", "dent", "g")]
    read = list(open_dataset(tmp_path / "crops"))
    assert [(one.labels, one.source, one.split, one.damage) for one in read] == [
        (("dent",), "street", "train", True),
        (("scratch",), "street", "train", True),
        (("dent",), "street", "train", True),
    ]


def test_photos_that_are_called_alike_each_keep_their_crop(tmp_path: Path) -> None:
    names = ("a/b.png", "a_b.png", "a_b.jpg")
    write_crops([photo(box("dent", LEFT), name=name) for name in names], tmp_path, least_side=1)
    assert {sample.name for sample in open_dataset(tmp_path)} == {f"images/a_b_1{more}.jpg" for more in ("", "_", "__")}


def test_crops_of_one_photo_stay_together(tmp_path: Path) -> None:
    samples = [replace(photo(box("dent", LEFT), box("dent", RIGHT), name=name), group=None) for name in ("a.png", "b.png")]
    write_crops(samples, tmp_path, least_side=1)
    assert [sample.group for sample in open_dataset(tmp_path)] == ["a.png", "a.png", "b.png", "b.png"]


def test_a_folder_with_crops_is_not_written_over(tmp_path: Path) -> None:
    write_crops([photo(box("dent", LEFT))], tmp_path, least_side=1)
    with pytest.raises(OutputError, match="is there already"):
        write_crops([photo(box("dent", LEFT))], tmp_path, least_side=1)
    write_crops([photo(box("dent", LEFT))], tmp_path, least_side=1, overwrite=True)


def test_nothing_to_cut_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no photo has an annotated damage that can be shown by itself"):
        write_crops([replace(photo(), annotations=())], tmp_path)


def labelled(folder: Path, *names: str) -> Path:
    """A data set of photos with a dent each, its pictures in `images/` beside the labels."""
    (folder / "images").mkdir(parents=True)
    for name in names:
        (folder / "images" / name).write_bytes(png(0))
    images = [{"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT} for number, name in enumerate(names)]
    dents = [{"id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, 10, 10]} for number in range(len(names))]
    document = {"images": images, "annotations": dents, "categories": [{"id": 1, "name": "dent"}]}
    (folder / "labels.json").write_text(json.dumps(document))
    return folder / "labels.json"


def test_photos_are_never_replaced_by_crops(tmp_path: Path) -> None:
    """The crop of `car.png` would be called as another photo is."""
    labels = labelled(tmp_path / "data", "car.png", "car_1.jpg")
    before = files_of(tmp_path / "data")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            write_crops(open_dataset(labels), tmp_path / "data", least_side=1, overwrite=overwrite)
    (tmp_path / "mine" / "images").mkdir(parents=True)
    (tmp_path / "mine" / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"holiday\.jpg: is none of the crops that photos\.csv lists; name another folder"):
        write_crops(open_dataset(labels), tmp_path / "mine", least_side=1, overwrite=True)
    listed = (tmp_path / "data" / "photos.csv", "file\nimages/car.png\nimages/car_1.jpg\n")
    listed[0].write_text(listed[1])
    with pytest.raises(OutputError, match="images: holds pictures that are read; name another folder"):
        write_crops(open_dataset(labels), tmp_path / "data", least_side=1, overwrite=True)
    listed[0].unlink()
    assert files_of(tmp_path / "data") == before


def test_crops_of_an_earlier_run_go_when_all_new_ones_are_there(tmp_path: Path) -> None:
    earlier = labelled(tmp_path / "a", "car.png", "van.png")
    write_crops(open_dataset(earlier), tmp_path / "crops", least_side=1)
    before = files_of(tmp_path / "crops")
    broken = labelled(tmp_path / "b", "bus.png", "cut.png")
    (tmp_path / "b" / "images" / "cut.png").write_bytes(png(0)[:-30])
    with pytest.raises(DatasetError, match=r"cut\.png"):
        write_crops(open_dataset(broken), tmp_path / "crops", least_side=1, overwrite=True)
    assert files_of(tmp_path / "crops") == before
    told: list[str] = []
    dataset = open_dataset(broken, on_invalid=lambda error: told.append(str(error)))
    write_crops(dataset, tmp_path / "crops", least_side=1, overwrite=True, on_invalid=dataset.refuse)
    assert sorted(files_of(tmp_path / "crops")) == ["images/bus_1.jpg", "photos.csv"]
    assert len(told) == 1
    assert "cut.png" in told[0]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
