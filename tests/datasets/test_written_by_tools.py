"""What annotation tools wrote is read as exactly as they wrote it.

`written_by_tools/` holds the same three photos and nine damages in the formats of many tools; its README says what each tool
does to them. Here every one of them is compared with the truth, outline by outline.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dentify.assessment import Mask
from dentify.datasets import Annotation, Sample, open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import polygons_to_mask, rle_decode, runs_to_rle
from dentify.imaging.polygons import polygons_to_box

TOOLS = Path(__file__).parent / "written_by_tools"
PHOTOS = TOOLS / "photos"
SIZES = {"car_00.jpg": (238, 320), "car_04.jpg": (240, 320), "car_05.jpg": (182, 320)}

Bitmap = NDArray[np.bool_]
Polygon = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """One damage of `truth.json`: polygons, or a mask where it has a hole."""

    photo: str
    name: str
    polygons: tuple[Polygon, ...]
    rle: Mask | None = None

    @property
    def box(self) -> tuple[float, ...]:
        return polygons_to_box(self.polygons)

    @property
    def pieces(self) -> list[Truth]:
        """Each polygon as a damage of its own."""
        return [Truth(self.photo, self.name, (polygon,)) for polygon in self.polygons]


def read_truth() -> dict[int, Truth]:
    """The damages by id; number 5 with its hole, as in `truth_with_hole.json`, beside its outer polygon."""
    document, holes = (json.loads((TOOLS / name).read_text()) for name in ("truth.json", "truth_with_hole.json"))
    names = {row["id"]: row["name"] for row in document["categories"]}
    photos = {row["id"]: row["file_name"] for row in document["images"]}
    truth = {}
    for row, with_hole in zip(document["annotations"], holes["annotations"], strict=True):
        polygons = tuple(np.array(points).reshape(-1, 2) for points in row["segmentation"])
        runs = with_hole["segmentation"]
        rle = runs_to_rle(runs["counts"], tuple(runs["size"])) if isinstance(runs, dict) else None
        truth[row["id"]] = Truth(photos[row["image_id"]], names[row["category_id"]], polygons, rle)
    return truth


TRUTH = read_truth()

Shape = Literal["polygons", "pieces", "boxes", "masks"]


@dataclass(frozen=True)
class Export:
    """What a folder of `written_by_tools/` should give."""

    format: str
    shape: Shape
    px: float = 0.5  # how far an outline may lie from the truth
    photos: str = "00 04 05"
    only: tuple[int, ...] = tuple(TRUTH)
    splits: str = ""  # of the photos, where the tool tells
    renamed: bool = False  # whether it calls the photos by names of its own
    input_format: str | None = None  # where the folder holds another, too

    @property
    def truth(self) -> list[Truth]:
        held = [one for number, one in TRUTH.items() if number in self.only and one.photo[4:6] in self.photos]
        return [piece for one in held for piece in one.pieces] if self.shape == "pieces" else held


EXPORTS = {
    "datumaro-coco": Export("coco", "polygons", splits="train train val"),
    "datumaro-coco_rle": Export("coco", "masks", splits="train train val"),
    "datumaro-yolo": Export("yolo", "boxes", splits="train train val"),  # drops polygons without a word
    "datumaro-yolo_ultralytics": Export("yolo", "boxes", splits="train train val"),  # drops polygons, too
    "datumaro-cvat": Export("cvat", "polygons"),  # the two polygons of damage 3 are joined again by their `group_id`
    "datumaro-cvat_boxes": Export("cvat", "boxes"),
    "datumaro-cvat_masks": Export("cvat", "masks"),
    "datumaro-own": Export("datumaro", "polygons", splits="train train val"),  # the two of damage 3 share a group
    "datumaro-own_masks": Export("datumaro", "masks", splits="train train val"),  # and boxes in the same groups
    "datumaro-label_me": Export("voc", "pieces", photos="00 04", splits="train train"),
    "datumaro-voc": Export("voc", "boxes", photos="00 05", splits="train val"),  # polygons are but boxes in the XML
    "datumaro-voc_one_based": Export("voc", "boxes", 1.0, photos="00 05", splits="train val"),  # whole numbers from 1
    "fiftyone-coco": Export("coco", "polygons", 1.5),  # whole numbers
    "fiftyone-coco_boxes": Export("coco", "boxes"),
    "fiftyone-cvat": Export("cvat", "pieces", 1.0),  # whole numbers, and an outline a piece, as its warning says
    "fiftyone-voc": Export("voc", "boxes", 1.0),  # whole numbers
    "fiftyone-yolo4": Export("yolo", "boxes"),
    "fiftyone-yolo5": Export("yolo", "pieces", splits="train train val"),
    "label_studio-boxes-coco": Export("coco", "boxes", renamed=True),
    "label_studio-boxes-json": Export("label_studio", "boxes"),
    "label_studio-boxes-voc": Export("voc", "boxes", 2.0, photos="00 05", renamed=True),  # corner and size rounded down each
    "label_studio-boxes-yolo": Export("yolo", "boxes", renamed=True),
    "label_studio-boxes-yolo_obb": Export("yolo", "boxes", renamed=True),  # four corners, which read as a polygon
    "label_studio-brushes-brush_to_coco": Export("coco", "pieces", 2.0, photos="05", renamed=True),  # traced; fills holes
    "label_studio-brushes-json": Export("label_studio", "masks", photos="04 05"),
    "label_studio-polygons-coco": Export("coco", "pieces", renamed=True),
    "label_studio-polygons-json": Export("label_studio", "pieces"),
    "label_studio-polygons-yolo": Export("yolo", "pieces", renamed=True),
    "labelimg-createml": Export("createml", "boxes", 1.0),  # of whole numbers
    "labelimg-voc": Export("voc", "boxes", 1.0),  # whole numbers
    "labelimg-yolo": Export("yolo", "boxes", 1.0),  # shares of whole numbers
    "labelme-image_data": Export("labelme", "polygons", photos="05", only=(9,)),
    "labelme-masks": Export("labelme", "masks", photos="05", only=(5,)),
    "labelme-polygons": Export("labelme", "polygons"),  # damage 3 is joined again by its `group_id`
    "labelme3-polygons": Export("labelme", "pieces", photos="00 04"),  # has no `group_id` yet
    "labelme5-boxes": Export("labelme", "boxes"),
    "labelme5-labelme2coco": Export("coco", "polygons"),
    "labelme5-labelme2voc": Export("voc", "boxes"),
    "pycocotools-crowd": Export("coco", "masks"),
    "pycocotools-rle_runs": Export("coco", "masks"),
    "pycocotools-rle_strings": Export("coco", "masks"),
    "supervision-coco": Export("coco", "polygons", 2.0, photos="04 05"),  # traced through pixel centres; the hole is a polygon
    "supervision-createml": Export("createml", "boxes"),
    "supervision-voc": Export("voc", "boxes", 2.0),  # whole numbers from 1
    "supervision-voc_polygons": Export("voc", "pieces", 2.5, photos="00 04"),  # the same, and traced
    "supervision-yolo": Export("yolo", "boxes"),
    "supervision-yolo_polygons": Export("yolo", "pieces", 1.1),  # traced through pixel centres
    "ultralytics-boxes": Export("yolo", "boxes"),
    "via3-polygons": Export("via", "pieces", photos="00 04", input_format="via"),  # beside its COCO
    "x_anylabeling-boxes": Export("labelme", "boxes"),
    "x_anylabeling-coco_boxes": Export("coco", "boxes"),
    "x_anylabeling-coco_polygons": Export("coco", "polygons"),
    "x_anylabeling-dota": Export("yolo", "boxes"),  # four corners, which read as a polygon
    "x_anylabeling-polygons": Export("labelme", "polygons"),
    "x_anylabeling-turned": Export("labelme", "boxes"),  # likewise
    "x_anylabeling-voc": Export("voc", "boxes", 1.0),  # whole numbers
    "x_anylabeling-yolo_boxes": Export("yolo", "boxes"),
    "x_anylabeling-yolo_polygons": Export("yolo", "pieces"),
}


def photos_of(export: str, tmp_path: Path, *, renamed: bool) -> Path:
    """A folder of the photos, under the names that an export calls them by: Label Studio puts eight digits before each."""
    if not renamed:
        return PHOTOS
    files = [path for path in (TOOLS / export).rglob("*") if path.is_file()]
    told = " ".join([path.name + (path.read_text() if path.suffix in (".json", ".xml") else "") for path in files])
    for name in set(re.findall(r"[0-9a-f]{8}-car_\d\d", told)):
        shutil.copy(PHOTOS / f"{name[9:]}.jpg", tmp_path / f"{name}.jpg")
    return tmp_path


def opened(export: str, tmp_path: Path) -> dict[str, Sample]:
    """The samples of an export by the photos' own names."""
    expected = EXPORTS[export]
    photos = photos_of(export, tmp_path, renamed=expected.renamed)
    data = open_dataset(TOOLS / export, images=photos, input_format=expected.input_format)
    assert data.format == expected.format
    return {sample.name[-len("car_00.jpg") :]: sample for sample in data}


def distance(polygon: Polygon, other: Polygon) -> float:
    """How far the points of either polygon lie from the outline of the other at most."""

    def one_way(points: Polygon, outline: Polygon) -> float:
        start, along = outline, np.roll(outline, -1, axis=0) - outline
        offset = points[:, None] - start  # (points, edges, 2)
        share = np.clip((offset * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-12), 0, 1)
        return float(np.linalg.norm(offset - share[..., None] * along, axis=2).min(axis=1).max())

    return max(one_way(polygon, other), one_way(other, polygon))


def off(annotation: Annotation, truth: Truth, shape: Shape) -> float:
    """How far an annotation is from a damage, in pixels of its outline; of masks, in the share of pixels that differ."""
    if shape == "boxes":
        return float(np.abs(np.subtract(annotation.box_xyxy, truth.box)).max())
    if shape != "masks":
        return max(min((distance(own, other) for own in annotation.polygons), default=np.inf) for other in truth.polygons)
    if annotation.rle is None:
        return np.inf
    got, hw = rle_decode(annotation.rle), SIZES[truth.photo]
    drawn = [rle_decode(truth.rle)] if truth.rle else [draw(truth.polygons, hw) for draw in (polygons_to_mask, drawn_by_opencv)]
    return min(1 - (got & mask).sum() / (got | mask).sum() for mask in drawn)


def drawn_by_opencv(polygons: tuple[Polygon, ...], hw: tuple[int, int]) -> Bitmap:
    """As the script that wrote Label Studio's brushes drew them."""
    mask = np.zeros(hw, np.uint8)
    cv2.fillPoly(mask, [polygon.round().astype(np.int32) for polygon in polygons], 1)
    return mask > 0


@pytest.mark.parametrize("export", EXPORTS)
def test_every_outline_that_a_tool_wrote_is_where_it_should_be(export: str, tmp_path: Path) -> None:
    expected = EXPORTS[export]
    samples = opened(export, tmp_path)
    assert sorted(samples) == [f"car_{number}.jpg" for number in expected.photos.split()]
    held = Counter((name, one.name) for name, sample in samples.items() for one in sample.annotations)
    assert held == Counter((one.photo, one.name) for one in expected.truth)
    for truth in expected.truth:
        alike = [one for one in samples[truth.photo].annotations if one.name == truth.name]
        nearest = min(off(one, truth, expected.shape) for one in alike)
        assert nearest <= (0.03 if expected.shape == "masks" else expected.px), truth.name


@pytest.mark.parametrize("export", [name for name, export in EXPORTS.items() if export.splits])
def test_the_splits_that_a_tool_wrote_are_kept(export: str, tmp_path: Path) -> None:
    samples = opened(export, tmp_path)
    assert [samples[name].split for name in sorted(samples)] == EXPORTS[export].splits.split()


def class_map(draw: Callable[[tuple[Polygon, ...], tuple[int, int]], Bitmap], photo: str) -> dict[str, tuple[Bitmap, Bitmap]]:
    """Of each class on a photo: all of its pixels, and those that no other class has, too."""
    drawn = {name: np.zeros(SIZES[photo], np.bool_) for name in ("dent", "scratch", "broken_part")}
    for one in TRUTH.values():
        if one.photo == photo:
            drawn[one.name] |= draw(one.polygons, SIZES[photo])
    count = sum(mask.astype(int) for mask in drawn.values())
    return {name: (mask, mask & (count == 1)) for name, mask in drawn.items() if mask.any()}


def drawn_by_pillow(polygons: tuple[Polygon, ...], hw: tuple[int, int]) -> Bitmap:
    """As labelme's scripts draw."""
    mask = Image.new("1", hw[::-1])
    for polygon in polygons:
        ImageDraw.Draw(mask).polygon([tuple(point) for point in polygon], fill=1, outline=1)
    return np.array(mask)


CLASS_MAPS = {
    "datumaro-camvid": (polygons_to_mask, "train val", None),  # colours without a background
    "datumaro-camvid_indexed": (polygons_to_mask, "train val", None),  # numbers, the first is 1
    "datumaro-voc": (polygons_to_mask, "None None", "masks"),  # beside its XML; colours, no palette
    "labelme5-labelme2voc_masks": (drawn_by_pillow, "None None", None),  # a palette
}


@pytest.mark.parametrize("export", CLASS_MAPS)
def test_masks_of_classes_are_the_polygons_to_a_pixel(export: str) -> None:
    draw, splits, input_format = CLASS_MAPS[export]
    data = open_dataset(TOOLS / export, images=PHOTOS, input_format=input_format)
    samples = {sample.name: sample for sample in data if sample.name != "car_04.jpg"}  # which has an empty mask, or none
    assert data.format == "masks"
    assert [str(sample.split) for sample in samples.values()] == splits.split()
    for photo, sample in samples.items():
        assert sample.labelled == {"dent", "scratch", "broken_part", "crack"}
        got = {one.name: np.zeros(SIZES[photo], np.bool_) for one in sample.annotations}
        for one in sample.annotations:
            assert one.rle is not None
            got[one.name] |= rle_decode(one.rle)
        expected = class_map(draw, photo)
        assert got.keys() == expected.keys()
        for name, (every, alone) in expected.items():
            assert (got[name] & ~every).sum() <= 2, name  # Datumaro rounds points to 32 bit before it draws
            assert (alone & ~got[name]).sum() <= 2, name


def test_boxes_that_datumaro_doubled_are_read_twice() -> None:
    # convert and shapes_to_boxes give a box of each annotation and of each of its polygons
    samples = {sample.name: sample for sample in open_dataset(TOOLS / "datumaro-yolo_doubled", images=PHOTOS)}
    held = Counter(one.name for one in samples["car_00.jpg"].annotations)
    assert held == {"dent": 2, "broken_part": 2 + 3}


def test_every_rle_of_datumaro_reads_as_a_crowd() -> None:
    data = open_dataset(TOOLS / "datumaro-coco_rle", images=PHOTOS)
    assert all(one.crowd for sample in data for one in sample.annotations)  # which none is: it marks RLE so
    assert sum("annotations are iscrowd, which evaluation passes over" in note for note in data.notes) == 2  # one a split


def test_a_crowd_is_told_from_the_others() -> None:
    samples = open_dataset(TOOLS / "pycocotools-crowd", images=PHOTOS)
    assert [one.id for sample in samples for one in sample.annotations if one.crowd] == [6]


@pytest.mark.parametrize("export", ["datumaro-imagenet", "datumaro-imagenet_splits"])
def test_folders_by_class_label_the_whole_photo(export: str) -> None:
    data = open_dataset(TOOLS / export)
    assert data.format == "folders"
    assert {sample.name[-10:]: sample.labels for sample in data} == {
        "car_00.jpg": ("dent",),
        "car_04.jpg": ("no_label",),
        "car_05.jpg": ("broken_part",),
    }
    splits = {sample.split for sample in data}
    assert splits == ({"train", "val"} if export.endswith("splits") else {None})


def test_polygons_that_label_studio_loses_for_voc_are_lost(tmp_path: Path) -> None:
    photos = photos_of("label_studio-polygons-voc", tmp_path, renamed=True)
    samples = list(open_dataset(TOOLS / "label_studio-polygons-voc", images=photos))
    assert [sample.annotations for sample in samples] == [(), ()]
    assert [sample.labelled for sample in samples] == [frozenset(), frozenset()]  # so nothing is said to be absent


LABEL_STUDIO_ORDER = {  # of the shapes: as they were drawn, or a column a tool
    "label_studio-shapes-json": (0, 1, 2, 3, 4, 5, 6),
    "label_studio-shapes-json_min": (0, 1, 2, 3, 4, 5, 6),
    "label_studio-shapes-csv": (2, 0, 1, 4, 5, 3, 6),
}


@pytest.mark.parametrize("export", LABEL_STUDIO_ORDER)
def test_label_studios_shapes_are_read_as_it_shows_them(export: str) -> None:
    data = open_dataset(TOOLS / export, images=PHOTOS)
    assert data.format == "label_studio"
    samples = {sample.name: sample for sample in data}
    shapes = [one for name in ("car_00.jpg", "car_05.jpg") for one in samples[name].annotations]
    found = [shapes[place] for place in LABEL_STUDIO_ORDER[export]]
    assert [one.name for one in found] == ["dent", *["broken_part"] * 5, "unnamed"]
    polygon, box, turned_box, ellipse, turned_ellipse, brush, unnamed = found
    assert distance(polygon.polygons[0], TRUTH[1].polygons[0]) < 0.01
    assert distance(unnamed.polygons[0], TRUTH[8].polygons[0]) < 0.01
    assert box.box_xyxy == pytest.approx(TRUTH[2].box, abs=0.01)
    assert off(brush, TRUTH[6], "masks") == 0

    x_min, y_min, x_max, _ = TRUTH[3].box  # turned by 30 degrees around its upper left corner, and cut at the photo's edge
    corner = (x_min + (x_max - x_min) * np.cos(np.radians(30)), y_min + (x_max - x_min) * np.sin(np.radians(30)))
    assert np.abs(turned_box.polygons[0] - (x_min, y_min)).max(axis=1).min() < 0.01
    assert np.abs(turned_box.polygons[0] - corner).max(axis=1).min() < 0.01

    assert ellipse.box_xyxy == pytest.approx(TRUTH[4].box, abs=0.1)
    x_min, y_min, x_max, y_max = TRUTH[5].box
    centre = ((x_min + x_max) / 2, (y_min + y_max) / 2)
    assert turned_ellipse.polygons[0].mean(axis=0) == pytest.approx(centre, abs=0.01)


def test_label_studios_choice_for_a_region_is_that_regions_severity() -> None:
    samples = {sample.name: sample for sample in open_dataset(TOOLS / "label_studio-shapes-json", images=PHOTOS)}
    first = samples["car_00.jpg"]
    assert [one.severity for one in first.annotations] == ["severe", None, None]
    assert first.labels == ()


def test_of_a_photo_that_an_annotator_skipped_nothing_is_known() -> None:
    samples = {sample.name: sample for sample in open_dataset(TOOLS / "label_studio-shapes-json", images=PHOTOS)}
    assert samples["car_05.jpg"].labelled == {"dent", "broken_part"}
    assert samples["car_04.jpg"].labelled == frozenset()


def test_labelmes_shapes_are_read_as_it_shows_them() -> None:
    data = open_dataset(TOOLS / "labelme-shapes", images=PHOTOS)
    (sample,) = data
    box, circle, strip, turned, polygon = sample.annotations
    assert [one.name for one in sample.annotations] == ["broken_part", "dent", "scratch", "broken_part", "crack"]
    assert box.box_xyxy == pytest.approx((217.8, 83.6, 230.2, 143.7), abs=0.2)  # drawn from the lower right corner up
    assert circle.box_xyxy == pytest.approx((203, 111, 223, 131), abs=0.2)
    assert distance(strip.polygons[0], np.array([[32.0, 131], [40, 147], [50, 151]])) < 0.2
    assert len(turned.polygons[0]) == 4
    assert distance(polygon.polygons[0], np.array([[100.0, 100], [120, 100], [120, 115]])) < 0.2
    assert sample.labels == ("wet",)  # the one of two flags that is ticked
    assert data.adjustments.counts == {
        "shapes of kind line are left out: they enclose nothing": 1,
        "shapes of kind point are left out: they enclose nothing": 1,
    }


LOST = {  # what Label Studio's exports of turned shapes, ellipses and brushes do not hold any more
    "label_studio-shapes-coco": {"dent": 1, "broken_part": 1},
    "label_studio-shapes-yolo": {"dent": 1, "broken_part": 2},  # the turned box is there, but unturned
}


@pytest.mark.parametrize("export", LOST)
def test_shapes_that_label_studio_loses_are_lost(export: str, tmp_path: Path) -> None:
    errors: list[DatasetError] = []
    photos = photos_of(export, tmp_path, renamed=True)
    samples = open_dataset(TOOLS / export, images=photos, on_invalid=errors.append)
    assert Counter(one.name for sample in samples for one in sample.annotations if "car_00" in sample.name) == LOST[export]
    if export.endswith("coco"):  # whose box around the turned box is not where it was
        assert re.search(r"annotations\[2\] .*: bbox \(-\d.* lies outside the photo of 320 × 238", str(errors[0]))


def test_vias_coco_is_read_though_it_tells_neither_sizes_nor_boxes() -> None:
    data = open_dataset(TOOLS / "via3-polygons", images=PHOTOS)
    (sample,) = data  # photos without regions are left out there
    assert (data.format, sample.name, sample.size_hw) == ("coco", "car_00.jpg", SIZES["car_00.jpg"])
    pieces = [piece for one in TRUTH.values() if one.photo == sample.name for piece in one.pieces]
    for annotation, truth in zip(sample.annotations, pieces, strict=True):
        assert off(annotation, truth, "pieces") < 0.5
    assert data.notes == [
        (
            f"also found: VGG Image Annotator ({TOOLS / 'via3-polygons/via_project.json'});"
            " name it, or --input-format via, to read it"
        )
    ]


def test_the_shapes_of_via_3_are_read_as_it_shows_them() -> None:
    data = open_dataset(TOOLS / "via3-shapes", images=PHOTOS, input_format="via")
    sample, bare = data
    assert (sample.name, bare.name, bare.annotations) == ("car_00.jpg", "car_04.jpg", ())
    box, circle, ellipse, strip, polygon = sample.annotations
    assert [one.name for one in sample.annotations] == ["broken_part", "dent", "broken_part", "scratch", "unnamed"]
    assert box.box_xyxy == pytest.approx(TRUTH[2].box, abs=0.01)
    assert circle.box_xyxy == pytest.approx((203, 111, 223, 131), abs=0.1)
    assert ellipse.box_xyxy == pytest.approx((264, 65, 276, 115), abs=0.1)
    assert distance(strip.polygons[0], np.array([[32.0, 131], [40, 147], [50, 151]])) < 0.01
    assert distance(polygon.polygons[0], np.array([[100.0, 100], [120, 100], [120, 115]])) < 0.01
    assert sample.labelled == {"dent", "scratch", "broken_part", "crack"}  # what annotators could choose
    assert data.adjustments.counts == {
        "points are left out: they have no outline": 1,
        "lines are left out: they enclose nothing": 1,
    }


def test_pieces_that_ultralytics_ties_together_are_one_outline_and_the_others_are_where_they_were() -> None:
    samples = {sample.name: sample for sample in open_dataset(TOOLS / "ultralytics-polygons", images=PHOTOS)}
    for truth in TRUTH.values():
        alike = [one for one in samples[truth.photo].annotations if one.name == truth.name]
        assert min(off(one, truth, "boxes") for one in alike) < 0.5
        if len(truth.polygons) == 1:
            assert min(off(one, truth, "polygons") for one in alike) < 0.5


REFUSED = {
    # no name tells the photo
    "label_studio-brushes-brush_to_png": "this is a brush export of Label Studio, which is not read; export it as JSON",
    "fiftyone-own": r"labels\.json: this is a FiftyOne dataset, which is not read; export it as COCO",
}


@pytest.mark.parametrize("export", REFUSED)
def test_what_is_not_read_is_said_to_be_so(export: str) -> None:
    with pytest.raises(DatasetError, match=REFUSED[export]):
        list(open_dataset(TOOLS / export, images=PHOTOS))


def test_every_folder_that_a_tool_wrote_is_tried_here() -> None:
    others = {"datumaro-yolo_doubled", "datumaro-imagenet", "datumaro-imagenet_splits", "labelme-shapes"}
    others |= {"label_studio-polygons-voc", "label_studio-shapes-json", "label_studio-shapes-json_min", "label_studio-shapes-csv"}
    others |= {"via3-shapes", "ultralytics-polygons"}
    tried = {*EXPORTS, *CLASS_MAPS, *LOST, *REFUSED, *others}
    assert {path.name for path in TOOLS.iterdir() if path.is_dir()} - {"photos", "scripts", "__pycache__"} == tried


PLACES = {  # where tools put pictures, or expect them
    "datumaro-coco": "images/{split}",
    "datumaro-cvat": "images",
    "datumaro-yolo": "obj_{split}_data",
    "datumaro-yolo_ultralytics": "images/{split}",
    "datumaro-voc": "JPEGImages",
    "datumaro-camvid": "{split}",
    "labelme-polygons": ".",
    "labelme5-labelme2coco": "JPEGImages",
    "labelme5-labelme2voc": "JPEGImages",
    "labelme5-labelme2voc_masks": "JPEGImages",
    "labelimg-yolo": ".",
    "supervision-yolo": "images",
}


@pytest.mark.parametrize("export", PLACES)
def test_pictures_are_found_where_the_tool_puts_them(export: str, tmp_path: Path) -> None:
    shutil.copytree(TOOLS / export, tmp_path / export)
    for photo in SIZES:
        folder = tmp_path / export / PLACES[export].format(split="val" if photo == "car_05.jpg" else "train")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTOS / photo, folder / photo)
    apart = {Path(sample.name).name: sample for sample in open_dataset(TOOLS / export, images=PHOTOS)}
    beside = {Path(sample.name).name: sample for sample in open_dataset(tmp_path / export)}
    assert apart.keys() == beside.keys()
    for name, sample in beside.items():
        assert isinstance(sample.image, Path)
        assert sample.image.is_relative_to(tmp_path)
        assert [(one.name, one.box_xyxy) for one in sample.annotations] == [
            (one.name, one.box_xyxy) for one in apart[name].annotations
        ]
        assert sample.split == apart[name].split
