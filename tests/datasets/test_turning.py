"""Labels of pictures that EXIF turns: for the photo upright, or for the picture as it is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dentify.datasets import Sample, open_dataset
from dentify.datasets.sample_picture import decode_picture
from dentify.datasets.turning import turn_points
from dentify.errors import DatasetError
from dentify.imaging.masks import polygons_to_mask, polygons_to_rle, rle_decode
from dentify.settings import Settings

WIDTH, HEIGHT = 48, 32  # as stored
BOX = (4, 6, 20, 14)
POLYGON = np.array([[4.0, 6.0], [20.0, 6.0], [20.0, 14.0], [4.0, 14.0]])


def picture(path: Path, orientation: int) -> Path:
    """A black PNG whose box is white, as it is stored, and whose EXIF turns it."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def coco(folder: Path, *, mask: bool = False, sized: bool = True) -> None:
    segmentation: object = [POLYGON.ravel().tolist()]
    if mask:
        rle = polygons_to_rle([POLYGON], (HEIGHT, WIDTH))
        segmentation = {"size": list(rle.size), "counts": rle.counts}
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 6, 16, 8], "segmentation": segmentation}
    size = {"width": WIDTH, "height": HEIGHT} if sized else {}
    image = {"id": 1, "file_name": "a.png", **size}
    document = {"images": [image], "annotations": [row], "categories": [{"id": 1, "name": "dent"}]}
    (folder / "a.json").write_text(json.dumps(document))


def yolo(folder: Path) -> None:
    shares = (POLYGON / (WIDTH, HEIGHT)).ravel()
    (folder / "classes.txt").write_text("dent\n")
    (folder / "a.txt").write_text("0 " + " ".join(f"{share:.6f}" for share in shares))


def voc_box(folder: Path) -> None:
    box = "".join(f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True))
    (folder / "a.xml").write_text(
        f"<annotation><filename>a.png</filename><object><name>dent</name><bndbox>{box}</bndbox></object></annotation>"
    )


WAYS: dict[str, Callable[[Path], None]] = {
    "polygons with a size": coco,
    "polygons without a size": lambda folder: coco(folder, sized=False),
    "masks": lambda folder: coco(folder, mask=True),
    "shares": yolo,
    "boxes": voc_box,
}


def covered(sample: Sample) -> np.ndarray:
    assert sample.size_hw is not None
    (one,) = sample.annotations
    if one.rle is not None:
        return rle_decode(one.rle)
    x_min, y_min, x_max, y_max = one.box_xyxy
    corners = np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    return polygons_to_mask(list(one.polygons) or [corners], sample.size_hw)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_labels_of_the_stored_picture_lie_where_the_upright_photo_shows_the_thing(
    tmp_path: Path, way: Callable[[Path], None], orientation: int
) -> None:
    picture(tmp_path / "a.png", orientation)
    way(tmp_path)
    (sample,) = open_dataset(tmp_path, frame="stored")
    photo = decode_picture(sample, Settings()).image
    assert sample.size_hw == photo.shape[:2]
    np.testing.assert_array_equal(covered(sample), photo[:, :, 0] > 127)


@pytest.mark.parametrize("orientation", [3, 6])
def test_whose_frame_is_taken_is_told_where_labels_tell_no_size(tmp_path: Path, orientation: int) -> None:
    picture(tmp_path / "a.png", orientation)
    yolo(tmp_path)
    data = open_dataset(tmp_path)
    assert len(list(data)) == 1
    (note,) = [note for note in data.notes if "EXIF" in note]
    assert note.startswith("labels of photos that EXIF turns are taken for the photo upright")
    assert note.count("(1×") == 1
    stored = open_dataset(tmp_path, frame="stored")
    assert len(list(stored)) == 1
    assert not [note for note in stored.notes if "EXIF" in note]


def test_nothing_is_told_where_the_labels_size_tells(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    coco(tmp_path)
    data = open_dataset(tmp_path)
    assert len(list(data)) == 1
    assert data.notes == []


def test_labels_for_the_stored_picture_are_refused_with_the_way_to_read_them(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 6)
    coco(tmp_path)
    advice = r"if they are for the picture as it is stored, `--frame stored` turns them$"
    with pytest.raises(
        DatasetError, match=rf"is 32 × 48 pixels \(upright, as its EXIF says\), its labels are for 48 × 32; {advice}"
    ):
        list(open_dataset(tmp_path))


def test_labels_of_another_size_are_not_turned(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 6)
    coco(tmp_path)
    text = (tmp_path / "a.json").read_text().replace('"width": 48', '"width": 96')
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=r"its labels are for 96 × 32; were they made on another copy"):
        list(open_dataset(tmp_path, frame="stored"))


@given(st.integers(1, 8), st.integers(0, 20), st.integers(0, 10))
def test_points_stay_within_the_photo_and_eight_ways_are_eight(orientation: int, x: int, y: int) -> None:
    (turned,) = turn_points(np.array([[float(x), float(y)]]), (10, 20), orientation)
    width, height = (10, 20) if orientation >= 5 else (20, 10)
    assert 0 <= turned[0] <= width
    assert 0 <= turned[1] <= height
    every = {tuple(turn_points(np.array([[1.0, 2.0]]), (10, 20), one)[0]) for one in range(1, 9)}
    assert len(every) == 8
