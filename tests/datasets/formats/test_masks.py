"""Masks as pictures: indices, colours, black and white, and how their names are found."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode

HW = (16, 20)
Pixels = NDArray[np.uint8]

TWO = np.zeros(HW, np.uint8)  # a piece of class 1 and two of class 2
TWO[2:5, 3:7] = 1
TWO[8:10, 0:4] = 2
TWO[12:14, 10:15] = 2
COLOURS = np.zeros((*HW, 3), np.uint8)
COLOURS[TWO == 1] = (128, 0, 0)
COLOURS[TWO == 2] = (0, 128, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name tells no split."""
    (tmp_path / "cars").mkdir()
    return tmp_path / "cars"


def photo(path: Path, hw: tuple[int, int] = HW) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", hw[::-1]).save(path)
    return path


def mask(path: Path, pixels: Pixels = TWO, palette: list[int] | None = None, **options: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture.putpalette(palette)
    picture.save(path, **options)
    return path


def names(sample: Sample) -> list[str]:
    return sorted(one.name for one in sample.annotations)


def only(path: Path) -> Sample:
    (sample,) = open_dataset(path)
    return sample


def test_every_connected_piece_is_a_thing_of_its_own(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png")
    (root / "classes.txt").write_text("dent\nscratch\n")
    data = open_dataset(root)
    assert data.format == "masks"
    (sample,) = data
    assert (sample.name, sample.size_hw, sample.labelled) == ("a.jpg", HW, {"dent", "scratch"})
    assert [(one.name, one.box_xyxy) for one in sample.annotations] == [
        ("dent", (3, 2, 7, 5)),
        ("scratch", (0, 8, 4, 10)),
        ("scratch", (10, 12, 15, 14)),
    ]


NAME_LISTS = {
    "names from index 1 on": ("classes.txt", "dent\nscratch\n", TWO),
    "names with a background": ("class_names.txt", "_background_\ndent\nscratch\n", TWO),
    "LabelMe's, with what is ignored": ("class_names.txt", "__ignore__\n_background_\ndent\nscratch\n", TWO),
    "CVAT's colours": (
        "labelmap.txt",
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndent:128,0,0::\nscratch:0,128,0::\n",
        COLOURS,
    ),
    "CVAT's colours of an index": ("labelmap.txt", "background:0,0,0::\ndent:128,0,0::\nscratch:0,128,0::\n", TWO),
    "CVAT's names without colours": ("labelmap.txt", "background:::\ndent:::\nscratch:::\n", COLOURS),
    "CamVid's colours": ("label_colors.txt", "128 0 0\t\tdent\n0 128 0 scratch  \n", COLOURS),
}


@pytest.mark.parametrize(("file", "text", "pixels"), NAME_LISTS.values(), ids=NAME_LISTS.keys())
def test_names_come_from_the_list_that_each_tool_writes(root: Path, file: str, text: str, pixels: Pixels) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png", pixels)
    (root / file).write_text(text)
    assert names(only(root)) == ["dent", "scratch", "scratch"]
    assert only(root).labelled == {"dent", "scratch"}


def test_a_palette_tells_colours(root: Path) -> None:
    photo(root / "JPEGImages/a.jpg")
    mask(root / "SegmentationClass/a.png", TWO, palette=[0, 0, 0, 0, 128, 0, 128, 0, 0])  # in another order than the names
    (root / "labelmap.txt").write_text("background:0,0,0::\ndent:128,0,0::\nscratch:0,128,0::\n")
    assert names(only(root)) == ["dent", "dent", "scratch"]


def test_a_palette_of_ones_own_changes_no_index_where_the_list_tells_no_colours(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png", TWO, palette=[0, 0, 0, 0, 128, 0, 128, 0, 0])
    (root / "classes.txt").write_text("background\ndent\nscratch\n")
    assert names(only(root)) == ["dent", "scratch", "scratch"]


def test_what_is_void_is_no_damage(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png", np.where(TWO == 1, 255, TWO).astype(np.uint8))
    (root / "classes.txt").write_text("dent\nscratch\n")
    assert names(only(root)) == ["scratch", "scratch"]


def test_without_a_list_the_values_are_the_words(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png")
    data = open_dataset(root)
    (sample,) = data
    assert names(sample) == ["1", "2", "2"]
    assert "no list of class names; values of pixels are the words" in data.notes[0]
    mask(root / "masks/a.png", COLOURS)
    assert names(only(root)) == ["#008000", "#008000", "#800000"]


@pytest.mark.parametrize("file", ["dent/train/masks/a.png", "train/dent/masks/a.png", "masks/dent/a.png"])
def test_a_black_and_white_mask_is_of_the_class_of_its_folder(root: Path, file: str) -> None:
    photo(root / "images/a.jpg")
    mask(root / file, np.where(TWO > 0, 255, 0).astype(np.uint8))
    assert names(only(root)) == ["dent"] * 3


def test_masks_of_several_classes_are_joined_for_one_photo(root: Path) -> None:
    photo(root / "train/images/a.jpg")
    mask(root / "train/masks/dent/a.png", np.where(TWO == 1, 255, 0).astype(np.uint8))
    mask(root / "train/masks/scratch/a.png", np.where(TWO == 2, 255, 0).astype(np.uint8))
    mask(root / "train/masks/crack/a.png", np.zeros(HW, np.uint8))  # looked for and not found
    sample = only(root)
    assert (names(sample), sample.split) == (["dent", "scratch", "scratch"], "train")
    assert sample.labelled == {"dent", "scratch", "crack"}


@pytest.mark.parametrize("white", [1, 255, (255, 255, 255)], ids=["ones", "white", "coloured white"])
def test_masks_in_folders_of_their_classes_are_of_those_also_beside_a_list_of_names(
    root: Path, white: int | tuple[int, ...]
) -> None:
    photo(root / "images/a.jpg")
    for number, word in enumerate(("dent", "scratch"), 1):
        pixels = np.zeros((*HW, *np.shape(white)), np.uint8)
        pixels[number == TWO] = white
        mask(root / "masks" / word / "a.png", pixels)
    (root / "classes.txt").write_text("dent\nscratch\ncrack\n")
    sample = only(root)
    assert (names(sample), sample.labelled) == (["dent", "scratch", "scratch"], {"dent", "scratch", "crack"})


def test_a_mask_of_several_classes_keeps_them_in_whatever_folder(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/dent/a.png")
    (root / "classes.txt").write_text("dent\nscratch\n")
    assert names(only(root)) == ["dent", "scratch", "scratch"]


def test_a_mask_that_was_saved_as_jpeg_is_read_by_its_brighter_half(root: Path) -> None:
    large = np.zeros((64, 64), np.uint8)
    large[20:40, 20:40] = 255
    photo(root / "dent/images/a.png", (64, 64))
    mask(root / "dent/masks/a.jpg", large, quality=60)
    sample = only(root)
    (dent,) = sample.annotations
    assert dent.name == "dent"
    assert dent.box_xyxy == pytest.approx((20, 20, 40, 40), abs=1)


@pytest.mark.parametrize(
    ("photo_at", "mask_at"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("images/a.jpg", "masks/a_mask.png"),
        ("images/a.jpg", "masks/a-seg.png"),
        ("train/a.jpg", "trainannot/a.png"),
        ("a.jpg", "masks/a.png"),
        ("images/car one.jpeg", "ground_truth/car one.png"),
        ("JPEGImages/a.jpg", "SegmentationClassPNG/a.png"),
    ],
)
def test_a_mask_finds_its_photo(root: Path, photo_at: str, mask_at: str) -> None:
    picture = photo(root / photo_at)
    mask(root / mask_at)
    assert only(root).image == picture


def test_of_two_photos_of_one_name_the_nearer_is_meant(root: Path) -> None:
    for split in ("train", "val"):
        photo(root / split / "images/a.jpg")
        mask(root / split / "masks/a.png")
    assert [sample.image for sample in open_dataset(root)] == [root / split / "images/a.jpg" for split in ("train", "val")]


def test_the_folder_of_masks_can_be_opened_itself(root: Path) -> None:
    picture = photo(root / "images/a.jpg")
    mask(root / "masks/a.png")
    assert only(root / "masks").image == picture


def test_a_data_set_may_be_called_masks(tmp_path: Path) -> None:
    root = tmp_path / "car_masks"
    picture = photo(root / "images/a.jpg")
    mask(root / "masks/a.png")
    photo(tmp_path / "another/a.jpg")  # which is not part of it
    sample = only(root)
    assert (sample.image, sample.labelled) == (picture, {"1", "2"})


def test_photos_may_be_given_relative_and_masks_absolute(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "photos/a.jpg")
    mask(root / "masks/a.png")
    monkeypatch.chdir(tmp_path)
    (sample,) = open_dataset(root, images="photos")
    assert sample.image == Path("photos/a.jpg")


def test_masks_of_instances_and_edges_are_passed_over(root: Path) -> None:
    photo(root / "JPEGImages/a.jpg")
    mask(root / "SegmentationClass/a.png")
    mask(root / "SegmentationObject/a.png", np.where(TWO > 0, 7, 0).astype(np.uint8))
    assert names(only(root)) == ["1", "2", "2"]


def many_colours() -> Pixels:
    return np.random.default_rng(0).integers(0, 255, (*HW, 3)).astype(np.uint8)


WRONG = {
    "an index out of range": ("masks/a.png", TWO, "dent\n", "class index 2 is none of the 1 that the list of names knows"),
    "a colour out of range": (
        "masks/a.png",
        COLOURS,
        "dent\n",
        r"holds the colour \(0, 128, 0\), which the list of names does not know",
    ),
    "a photo in place of a mask": (
        "masks/a.png",
        many_colours(),
        "",
        "holds more than 256 colours, a mask has few; is it a photo",
    ),
    "another size": ("masks/a.png", TWO[:, :16], "", "a.jpg is 20 × 16 pixels, its labels are for 16 × 16"),
    "no photo": ("masks/b.png", TWO, "", "no picture 'b.png' in "),
}


@pytest.mark.parametrize(("file", "pixels", "classes", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_its_file(root: Path, file: str, pixels: Pixels, classes: str, message: str) -> None:
    photo(root / "images/a.jpg")
    path = mask(root / file, pixels)
    if classes:
        (root / "classes.txt").write_text(classes)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(root))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_two_masks_of_one_photo_must_be_of_one_size(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/dent/a.png")
    mask(root / "masks/scratch/a.png", TWO[:, :16])
    with pytest.raises(DatasetError, match=r"masks/scratch/a.png: is 16 × 16 pixels, the photo's other masks are not"):
        list(open_dataset(root))


@pytest.mark.parametrize("cut", [10, 60])
def test_a_mask_that_is_cut_off_is_told_and_the_rest_goes_on(root: Path, cut: int) -> None:
    for name in "ab":
        photo(root / f"images/{name}.jpg")
        mask(root / f"masks/{name}.png", np.random.default_rng(0).integers(0, 3, HW).astype(np.uint8))
    broken = root / "masks/a.png"
    broken.write_bytes(broken.read_bytes()[:cut])
    with pytest.raises(DatasetError, match=r"masks/a.png: "):
        list(open_dataset(root))
    errors: list[DatasetError] = []
    assert [sample.name for sample in open_dataset(root, on_invalid=errors.append)] == ["b.jpg"]
    assert len(errors) == 1


@given(arrays(np.uint8, HW, elements=st.integers(0, 3)))
def test_pieces_put_together_are_the_mask_again(tmp_path_factory: pytest.TempPathFactory, pixels: Pixels) -> None:
    root = tmp_path_factory.getbasetemp() / "pieces" / "cars"
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png", pixels)
    (root / "classes.txt").write_text("dent\nscratch\ncrack\n")
    again = np.zeros(HW, np.uint8)
    for one in only(root).annotations:
        assert one.rle is not None
        piece = rle_decode(one.rle)
        assert not again[piece].any()  # no two pieces overlap
        again[piece] = 1 + ["dent", "scratch", "crack"].index(one.name)
    np.testing.assert_array_equal(again, pixels)


WIDE = np.zeros(HW, np.uint16)
WIDE[2:5, 3:7] = 300


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32], ids=["16 bits", "32 bits", "floats"])
def test_indices_beyond_a_byte_are_their_own_and_no_other(root: Path, kind: type) -> None:
    photo(root / "images/a.jpg")
    suffix = "png" if kind is np.uint16 else "tif"
    mask(root / f"masks/a.{suffix}", WIDE.astype(kind))
    (root / "classes.txt").write_text("\n".join(["background", *(f"c{number}" for number in range(1, 400))]))
    assert names(only(root)) == ["c300"]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_no_label_and_opacity_alone_is_the_mask(root: Path, mode: str) -> None:
    photo(root / "images/a.jpg")
    opaque = Image.fromarray(np.where(TWO == 1, 255, 0).astype(np.uint8))
    for colour, word in (("black", "255"), ("white", "#ffffff" if mode == "RGBA" else "255")):
        picture = Image.new(mode[:-1], HW[::-1], colour)
        picture.putalpha(opaque)
        (root / "masks").mkdir(exist_ok=True)
        picture.save(root / "masks/a.png")
        (one,) = only(root).annotations
        assert (one.name, one.box_xyxy) == (word, (3, 2, 7, 5))


def test_the_one_class_that_there_is_may_be_white(root: Path) -> None:
    photo(root / "images/a.jpg")
    mask(root / "masks/a.png", np.where(TWO == 1, 255, 0).astype(np.uint8))
    (root / "classes.txt").write_text("background\ndent\n")
    assert names(only(root)) == ["dent"]
    (root / "classes.txt").write_text("background\ndent\nscratch\n")
    data = open_dataset(root)
    assert [sample.annotations for sample in data] == [()]
    assert data.adjustments.counts == {"pixels of 255 alone, which mark what is to be ignored, are left out": 1}


def test_a_mask_of_indices_that_was_saved_as_jpeg_is_refused(root: Path) -> None:
    photo(root / "images/a.jpg", (64, 64))
    for value in (1, 100):
        blurred = np.zeros((64, 64), np.uint8)
        blurred[20:40, 20:40] = value
        mask(root / "masks/a.jpg", blurred, quality=60)
        with pytest.raises(DatasetError, match=r"a\.jpg: was saved as JPEG or the like, which blurs the values of a mask"):
            only(root)


def test_a_file_of_several_masks_is_refused(root: Path) -> None:
    photo(root / "images/a.jpg")
    (root / "masks").mkdir()
    more = [Image.fromarray(np.where(TWO == 1, 255, 0).astype(np.uint8))]
    Image.new("L", HW[::-1]).save(root / "masks/a.tif", save_all=True, append_images=more)
    with pytest.raises(DatasetError, match=r"a\.tif: holds several pictures \(first page of 2\), a mask is one"):
        only(root)


@pytest.mark.parametrize(
    ("photo_at", "mask_at", "word"),
    [
        ("a.png", "a_mask.png", "1"),
        ("dent/a (1).png", "dent/a (1)_mask.png", "dent"),
        ("images/a.jpg", "annotations/a.png", "1"),
        ("images/a.jpg", "labels/a.png", "1"),
        ("img_dir/train/a.jpg", "ann_dir/train/a.png", "1"),
        ("images/a.jpg", "masks/a_mask_0.png", "1"),
    ],
)
def test_masks_lie_beside_their_photos_or_among_labels_too(root: Path, photo_at: str, mask_at: str, word: str) -> None:
    picture = photo(root / photo_at)
    mask(root / mask_at, np.where(TWO == 1, 1, 0).astype(np.uint8))
    sample = only(root)
    assert (sample.image, names(sample)) == (picture, [word])


def test_photos_of_one_name_in_folders_have_the_masks_of_those_folders(root: Path) -> None:
    for number, folder in enumerate(("one", "two"), 1):
        photo(root / "images" / folder / "a.jpg")
        mask(root / "masks" / folder / "a.png", np.where(number == TWO, 1, 0).astype(np.uint8))
    first, second = open_dataset(root)
    assert (first.image, names(first)) == (root / "images/one/a.jpg", ["1"])
    assert (second.image, names(second)) == (root / "images/two/a.jpg", ["1", "1"])


@pytest.mark.parametrize("mask_name", ["masks/front.png", "masks/dent/front.png", "front_mask.png"])
def test_photos_of_thousands_of_claims_may_be_called_alike(root: Path, mask_name: str) -> None:
    for claim in range(1500):
        mask_at = root / f"claim_{claim}" / mask_name
        mask_at.parent.mkdir(parents=True)
        mask_at.touch()
        (root / f"claim_{claim}" / "front.jpg").touch()
    photo(root / "claim_0/front.jpg")
    mask(root / "claim_0" / mask_name)
    data = open_dataset(root, on_invalid=lambda error: None)
    started = time.process_time()
    assert next(iter(data)).image == root / "claim_0/front.jpg"
    assert time.process_time() - started < 3  # three times as long, where each is compared with all


def test_where_two_photos_fit_a_mask_neither_is_guessed(root: Path) -> None:
    for folder in ("one", "two"):
        photo(root / "images" / folder / "a.jpg")
    mask(root / "masks/a.png")
    with pytest.raises(DatasetError, match=r"masks/a\.png: may be the mask of .*one/a\.jpg or .*two/a\.jpg; give each"):
        list(open_dataset(root))


@pytest.mark.parametrize("name", ["gt", "ground_truth", "my_gt"])
def test_a_folder_of_photos_that_is_called_ground_truth_holds_no_masks(tmp_path: Path, name: str) -> None:
    photo(tmp_path / name / "a.jpg")
    (tmp_path / name / "labels.csv").write_text("file,label\na.jpg,dent\n")
    data = open_dataset(tmp_path / name)
    assert [sample.labels for sample in data] == [("dent",)]
    assert not any("also found" in note for note in data.notes)


def test_noise_is_refused_before_it_is_taken_apart(root: Path) -> None:
    photo(root / "images/a.jpg", (800, 800))
    mask(root / "masks/a.png", np.kron(np.arange(320 * 320).reshape(320, 320) % 2, [[1, 0], [0, 0]]).astype(np.uint8))
    with pytest.raises(DatasetError, match=r"a\.png: falls into 51,200 pieces; is it noise, or a photo\?"):
        only(root)
    mask(root / "masks/a.png", np.arange(640 * 640).reshape(640, 640).astype(np.uint16))
    with pytest.raises(DatasetError, match=r"a\.png: holds more than 256 values, a mask has few; is it a photo"):
        only(root)
