"""CVAT's XML as it is, and as it should not be."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import check_samples_or_one_line
from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import rle_decode

Write = Callable[..., Path]

LABELS = """<labels>
  <label><name>dent</name><type>any</type><attributes><attribute><name>severity</name></attribute></attributes></label>
  <label><name>scratch</name><type>polygon</type></label>
  <label><name>left eye</name><type>points</type><parent>face</parent></label>
</labels>"""
POLYGON = '<polygon label="dent" points="2.00,2.00;8.00,2.00;8.00,8.00" z_order="0"></polygon>'
BOX = '<box label="scratch" xtl="10" ytl="4" xbr="18" ybr="9" occluded="0"></box>'


def image(*shapes: str, name: str = "a.jpg", more: str = 'width="20" height="10"') -> str:
    return f'<image id="0" name="{name}" {more}>{"".join(shapes)}</image>'


def document(*images: str, meta: str = f"<task>{LABELS}</task>") -> str:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
    return f"{head}<meta>{meta}</meta>{''.join(images)}</annotations>"


@pytest.fixture
def cvat(tmp_path: Path) -> Write:
    """Writes a photo and a file of these shapes, or this text, and returns the XML's path."""

    def write(*shapes: str, text: str | None = None) -> Path:
        Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg")
        path = tmp_path / "annotations.xml"
        path.write_text(document(image(*shapes)) if text is None else text)
        return path

    return write


def first_of(path: Path, **options: Any) -> Sample:
    return next(iter(open_dataset(path, **options)))


def test_polygons_and_boxes_are_read(cvat: Write) -> None:
    data = open_dataset(cvat(POLYGON, BOX))
    assert data.format == "cvat"
    (sample,) = data
    assert (sample.name, sample.size_hw) == ("a.jpg", (10, 20))
    assert sample.labelled == {"dent", "scratch"}  # not a skeleton's points
    dent, scratch = sample.annotations
    np.testing.assert_array_equal(dent.polygons[0], [[2, 2], [8, 2], [8, 8]])
    assert (scratch.name, scratch.has_mask, scratch.box_xyxy) == ("scratch", False, (10, 4, 18, 9))


SHAPES = {
    "turned box": ('<box label="dent" xtl="8" ytl="4" xbr="12" ybr="6" rotation="90"/>', (9, 3, 11, 7)),
    "ellipse": ('<ellipse label="dent" cx="10" cy="5" rx="6" ry="2"/>', (4, 3, 16, 7)),
    "turned ellipse": ('<ellipse label="dent" cx="10" cy="5" rx="4" ry="2" rotation="90"/>', (8, 1, 12, 9)),
    "ellipse at the edge": ('<ellipse label="dent" cx="0" cy="5" rx="3" ry="3"/>', (0, 2, 3, 8)),
    "polyline around an area": ('<polyline label="dent" points="2,2;8,2;8,8;2,2"/>', (2, 2, 8, 8)),
    "mask": ('<mask label="dent" rle="1, 2, 2, 1" left="4" top="2" width="3" height="2"/>', (5, 2, 7, 4)),
    "mask without spaces": ('<mask label="dent" rle="1,2,2,1" left="4" top="2" width="3" height="2"/>', (5, 2, 7, 4)),
}


@pytest.mark.parametrize(("shape", "box"), SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_has_its_box(cvat: Write, shape: str, box: tuple[float, ...]) -> None:
    assert first_of(cvat(shape)).annotations[0].box_xyxy == pytest.approx(box, abs=0.1)


def test_a_mask_runs_along_the_rows_of_its_box(cvat: Write) -> None:
    rle = first_of(cvat(SHAPES["mask"][0])).annotations[0].rle
    assert rle is not None
    assert np.argwhere(rle_decode(rle)).tolist() == [[2, 5], [2, 6], [3, 6]]


def test_attributes_tell_severity_and_score(cvat: Write) -> None:
    told = '<attribute name="severity">severe</attribute><attribute name="confidence">0.75</attribute>'
    sample = first_of(cvat(POLYGON.replace("</polygon>", f"{told}</polygon>")))
    assert [(one.severity, one.score) for one in sample.annotations] == [("severe", 0.75)]


@pytest.mark.parametrize("word", ["high", "85", "nan", "-1"])
def test_an_annotators_own_confidence_is_an_attribute_and_no_score(cvat: Write, word: str) -> None:
    told = f'<attribute name="confidence">{word}</attribute>'
    (dent,) = first_of(cvat(POLYGON.replace("</polygon>", f"{told}</polygon>"))).annotations
    assert (dent.score, dent.attributes) == (None, (("confidence", word),))


def test_a_tag_labels_the_photo_as_a_whole(cvat: Write) -> None:
    sample = first_of(cvat('<tag label="damaged" source="manual"></tag>'))
    assert (sample.labels, sample.damage, sample.annotations) == (("damaged",), True, ())


@pytest.mark.parametrize(
    "meta", ["<meta><job><labels><label><name>blurred</name><type>tag</type></label></labels></job></meta>", ""]
)
def test_what_labels_whole_photos_alone_is_no_type(cvat: Write, meta: str) -> None:
    assert first_of(cvat(text=document(image('<tag label="blurred"/>'), meta=meta))).labelled == frozenset()


def test_pieces_of_one_group_and_label_are_one_thing(cvat: Write) -> None:
    far = '<polygon label="dent" points="12,2;18,2;18,8" group_id="1"/>'
    near = POLYGON.replace("<polygon", '<polygon group_id="1"')
    sample = first_of(cvat(near, far, far.replace("dent", "scratch"), far.replace('"1"', '"0"')))
    assert [(one.name, len(one.polygons)) for one in sample.annotations] == [("dent", 2), ("scratch", 1), ("dent", 1)]


def test_what_has_no_outline_is_left_out_with_a_note(cvat: Write) -> None:
    left_out = [
        '<points label="dent" points="3,3"/>',
        '<cuboid label="dent" xtl1="1"/>',
        '<skeleton label="dent"><points label="x" points="1,1"/></skeleton>',
        '<polyline label="dent" points="1,1;9,9"/>',
    ]
    data = open_dataset(cvat(*left_out))
    assert [sample.annotations for sample in data] == [()]
    assert [rule.split()[0] for rule in data.adjustments.counts] == ["points", "cuboids", "skeletons", "lines"]


def test_tracks_of_videos_are_left_out_with_a_note(cvat: Write) -> None:
    track = '<track id="0" label="dent"><box frame="0" xtl="1" ytl="1" xbr="5" ybr="5"/></track>'
    data = open_dataset(cvat(text=document(track, image(POLYGON))))
    assert [len(sample.annotations) for sample in data] == [1]
    assert "tracks are left out" in data.notes[0]


def test_without_a_list_of_labels_those_in_use_are_labelled(cvat: Write) -> None:
    text = document(image(POLYGON), meta="")
    assert first_of(cvat(text=text)).labelled == {"dent"}


def test_photos_of_one_name_are_told_apart_by_their_subsets(tmp_path: Path) -> None:
    for subset in ("Train", "Validation"):
        (tmp_path / "images" / subset).mkdir(parents=True)
        Image.new("RGB", (20, 10)).save(tmp_path / "images" / subset / "a.jpg")
    images = [image(POLYGON, more=f'subset="{subset}" task_id="3" width="20" height="10"') for subset in ("Train", "Validation")]
    (tmp_path / "annotations.xml").write_text(document(*images, meta=f"<project>{LABELS}</project>"))
    samples = list(open_dataset(tmp_path))
    assert [sample.split for sample in samples] == ["train", "val"]
    assert len({sample.image for sample in samples}) == 2


WRONG = {
    "NaN": ('<polygon label="dent" points="2,nan;8,2;8,8"/>', r"polygon 0: .*\(NaN or infinite\)"),
    "negative": (
        '<polygon label="dent" points="-9,2;8,2;8,8"/>',
        r"polygon 0: point \(-9, 2\) lies outside the photo of 20 × 10",
    ),
    "beyond the photo": ('<box label="dent" xtl="1" ytl="1" xbr="90" ybr="5"/>', r"\(1, 1\) to \(90, 5\) lies outside"),
    "no area": ('<polygon label="dent" points="2,2;4,4;6,6"/>', "is degenerate, its area is 0"),
    "two points": ('<polygon label="dent" points="2,2;4,4"/>', "needs three points or more, got 2"),
    "no points": ('<polygon label="dent"/>', r"needs points as x,y;x,y;…, got ''"),
    "half a point": ('<polygon label="dent" points="2,2;4,4;6"/>', r"needs points as x,y;x,y;…"),
    "text as a coordinate": ('<polygon label="dent" points="left,2;4,4;6,5"/>', "must be a number, got 'left'"),
    "flat box": ('<box label="dent" xtl="1" ytl="5" xbr="9" ybr="5"/>', "is degenerate: 8 wide, 0 high"),
    "box without a corner": ('<box label="dent" xtl="1" ytl="5"/>', "xbr: must be a number, got None"),
    "turned without end": (
        '<box label="dent" xtl="1" ytl="5" xbr="9" ybr="9" rotation="inf"/>',
        "rotation must be a number of degrees",
    ),
    "ellipse of no size": ('<ellipse label="dent" cx="5" cy="5" rx="0" ry="2"/>', "needs radii above 0, got 0 and 2"),
    "mask that sums wrong": (
        '<mask label="dent" rle="1, 2" left="0" top="0" width="3" height="2"/>',
        "rle sums to 3, the mask has 6",
    ),
    "mask that sums to no number": (
        '<mask label="dent" rle="1e308,1e308" left="0" top="0" width="3" height="2"/>',
        "rle sums to inf, the mask has 6",
    ),
    "mask of nothing": ('<mask label="dent" rle="6" left="0" top="0" width="3" height="2"/>', "is degenerate, it holds no pixel"),
    "mask beyond the photo": ('<mask label="dent" rle="1, 5" left="18" top="0" width="3" height="2"/>', "lies outside the photo"),
    "mask of halves": (
        '<mask label="dent" rle="0.5, 5.5" left="0" top="0" width="3" height="2"/>',
        "must be whole numbers from 0 on",
    ),
    "mask of text": ('<mask label="dent" rle="a" left="0" top="0" width="3" height="2"/>', "rle: must be a number, got 'a'"),
    "no label": ('<polygon points="2,2;8,2;8,8"/>', "polygon 0: needs a label"),
    "a shape that is none": ('<star label="dent"/>', "star 0: is none of polygon, box, mask, ellipse, polyline, tag"),
    "damage on an undamaged photo": (
        f'{POLYGON}<tag label="undamaged"/>',
        r"a.jpg contradicts itself: has annotated damage \(dent\) and is labelled undamaged",
    ),
}


@pytest.mark.parametrize(("shape", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_shape_that_does_not_hold_is_one_line_with_file_and_place(cvat: Write, shape: str, message: str) -> None:
    path = cvat(shape)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: image '0' (a.jpg)")
    assert "\n" not in str(caught.value)


WRONG_IMAGES = {
    "another size": (image(POLYGON, more='width="40" height="10"'), r"image '0' \(a.jpg\): a.jpg is 20 × 10 pixels"),
    "size 0": (image(more='width="0" height="10"'), "width and height must be whole numbers above 0, got '0' × '10'"),
    "half a size": (image(more='width="20"'), "width and height must be whole numbers above 0, got '20' × None"),
    "size of 5,000 digits": (image(more=f'width="{"9" * 5000}" height="10"'), "width and height must be whole numbers above 0"),
    "mask on 10¹⁶ pixels": (
        image(
            '<mask label="dent" rle="0, 1" left="0" top="0" width="1" height="1"/>', more='width="100000000" height="100000000"'
        ),
        "pixels are over the limit of 100 megapixels",
    ),
    "no name": (image(name=""), "image '0': needs a name"),
    "missing picture": (image(name="c.jpg"), r"image '0' \(c.jpg\): no picture 'c.jpg' in "),
    "picture outside": (image(name="../../../../etc/passwd"), "no picture"),
    "a name over two lines": (image(name="a&#10;b/c.jpg"), r"image '0' \(a\\nb/c.jpg\): no picture 'a\\nb/c.jpg' in "),
    "a photo twice": (image(POLYGON) + image(BOX), r"a.jpg was listed before, at .*image '0' \(a.jpg\); give a photo one entry"),
}


@pytest.mark.parametrize(("images", "message"), WRONG_IMAGES.values(), ids=WRONG_IMAGES.keys())
def test_an_image_that_does_not_hold_is_one_line_with_file_and_place(cvat: Write, images: str, message: str) -> None:
    path = cvat(text=document(images))
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: image '0'")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(cvat: Write) -> None:
    errors: list[DatasetError] = []
    (sample,) = open_dataset(cvat(WRONG["NaN"][0], POLYGON, '<tag label="damaged"/>'), on_invalid=errors.append)
    assert [one.name for one in sample.annotations] == ["dent"]
    assert len(errors) == 1


def test_of_a_file_that_is_cut_off_the_images_before_are_kept_where_wanted(cvat: Write) -> None:
    text = document(image(POLYGON), image(BOX, name="b.jpg"))
    path = cvat(text=text[: text.index("b.jpg")])
    with pytest.raises(DatasetError, match=r"annotations.xml: broken XML at line 6, column \d+: .*; is the file cut off\?"):
        list(open_dataset(path))
    errors: list[DatasetError] = []
    assert [sample.name for sample in open_dataset(path, on_invalid=errors.append)] == ["a.jpg"]
    assert "broken XML" in str(errors[0])


def test_entities_are_not_read(cvat: Write) -> None:
    bomb = '<!DOCTYPE annotations [<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;">]>'
    outside = '<!DOCTYPE annotations [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
    for hostile in (bomb, outside):
        with pytest.raises(DatasetError, match="declares entities"):
            open_dataset(cvat(text=f"{hostile}{document(image(POLYGON)).partition('?>')[2]}"))


def test_a_large_file_is_read_image_by_image(tmp_path: Path) -> None:
    images = [image('<points label="dent" points="3,3"/>' * 20, name=f"{number}.jpg") for number in range(700)]
    path = tmp_path / "annotations.xml"
    path.write_text(document(*images))
    data = open_dataset(path, check_pictures=False)
    tracemalloc.start()
    try:
        assert sum(1 for _ in data) == 700
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 2**20  # the whole document would take 7 MiB


texts = (
    st.text(max_size=6)
    | st.floats().map(str)
    | st.integers().map(str)
    | st.sampled_from(["1e400", "9" * 5000, "1,2", "3,4;5,6;7,2"])
)
fields = st.sampled_from(["label", "points", "xtl", "xbr", "rotation", "cx", "rx", "rle", "left", "width", "group_id"])
tags = st.sampled_from(["polygon", "polyline", "box", "ellipse", "mask", "points", "tag"])
VALUES = {"label": "dent", "points": "2,2;8,2;8,8", "xtl": "1", "ytl": "1", "xbr": "9", "ybr": "9", "rotation": "0"}
VALUES |= {"cx": "5", "cy": "5", "rx": "3", "ry": "2", "rle": "1, 2, 2, 1", "left": "4", "top": "2", "width": "3", "height": "2"}


@given(tags, fields, texts, st.sampled_from(["", "width", "height", "name", "subset", "id"]))
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, tag: str, field: str, text: str, of_image: str
) -> None:
    from xml.etree import ElementTree

    folder = tmp_path_factory.getbasetemp() / "cvat"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    text = "".join(letter for letter in text if letter.isprintable())
    root = ElementTree.Element("annotations")
    one = ElementTree.SubElement(root, "image", {"id": "0", "name": "a.jpg", "width": "20", "height": "10"})
    ElementTree.SubElement(one, tag, {**VALUES, field: text})
    if of_image:
        one.set(of_image, text)
    ElementTree.ElementTree(root).write(folder / "a.xml", encoding="utf-8")
    check_samples_or_one_line(folder / "a.xml")


def test_a_file_of_tracks_alone_is_refused_with_what_to_export(cvat: Write) -> None:
    track = '<track id="0" label="dent"><box frame="0" outside="0" xtl="1" ytl="1" xbr="5" ybr="5"></box></track>'
    with pytest.raises(DatasetError, match=r"annotations\.xml: holds tracks of a video alone, which are not read; export"):
        list(open_dataset(cvat(text=document(track))))


def large(rle: str, images: int = 1, per_image: int = 1) -> str:
    """Masks that cover photos of 100 megapixels."""
    mask = f'<mask label="dent" rle="{rle}" left="0" top="0" width="10000" height="10000"/>'
    size = 'width="10000" height="10000"'
    return document(*(image(*[mask] * per_image, name=f"{number}.jpg", more=size) for number in range(images)))


@pytest.mark.parametrize(("images", "per_image"), [(50, 1), (1, 50)])
def test_masks_cost_what_their_file_is_and_no_more(cvat: Write, images: int, per_image: int) -> None:
    """A hundred bytes may say a hundred million pixels, in one photo or in one after the other."""
    problems: list[DatasetError] = []
    data = open_dataset(cvat(text=large("0, 100000000", images, per_image)), on_invalid=problems.append, check_pictures=False)
    for _ in range(2):  # what one reading took is not counted again
        problems.clear()
        assert sum(len(sample.annotations) for sample in data) == 1
        assert len(problems) == 49
        assert "masks of 200 megapixels in all, out of proportion to the bytes of their file" in str(problems[0])


def test_a_mask_of_more_stretches_than_any_damage_is_refused(cvat: Write) -> None:
    with pytest.raises(DatasetError, match=r"mask 0: a mask of more than 1,000,000 stretches; no damage has such an outline$"):
        list(open_dataset(cvat(text=large(", ".join(["10000"] * 10_000))), check_pictures=False))
