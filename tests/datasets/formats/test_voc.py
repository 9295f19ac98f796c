"""Pascal VOC's files as they are, and as they should not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import check_samples_or_one_line
from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError

Write = Callable[..., Path]

SIZE = "<size><width>20</width><height>10</height><depth>3</depth></size>"
BOX = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>8</xmax><ymax>9</ymax></bndbox>"
DENT = f"<object><name>dent</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>{BOX}</object>"


def document(*objects: str, filename: str = "a.jpg", size: str = SIZE) -> str:
    path = "<path>/home/annotator/photos/a.jpg</path>"
    return f"<annotation>\n<folder>x</folder><filename>{filename}</filename>{path}{size}{''.join(objects)}</annotation>"


@pytest.fixture
def voc(tmp_path: Path) -> Write:
    """Writes a photo and its file of these objects, or this text, and returns the folder."""

    def write(*objects: str, text: str | None = None, name: str = "a") -> Path:
        Image.new("RGB", (20, 10)).save(tmp_path / f"{name}.jpg")
        (tmp_path / f"{name}.xml").write_text(document(*objects, filename=f"{name}.jpg") if text is None else text)
        return tmp_path

    return write


def only(folder: Path) -> Sample:
    (sample,) = open_dataset(folder)
    return sample


def test_boxes_are_read_as_they_stand(voc: Write) -> None:
    data = open_dataset(voc(DENT))
    assert data.format == "voc"
    (sample,) = data
    assert (sample.name, sample.size_hw, sample.labelled) == ("a.jpg", (10, 20), {"dent"})
    assert [(one.name, one.box_xyxy, one.has_mask) for one in sample.annotations] == [("dent", (2, 3, 8, 9), False)]


@pytest.mark.parametrize(
    "outline",
    [
        "<polygon><x1>2</x1><y1>2</y1><x2>8.5</x2><y2>2</y2><x3>8</x3><y3>8</y3></polygon>",
        "<polygon><x1>2</x1><x2>8.5</x2><x3>8</x3><y3>8</y3><y1>2</y1><y2>2</y2></polygon>",
        "<polygon><pt><x>2</x><y>2</y></pt><pt><x>8.5</x><y>2</y></pt><pt><x>8</x><y>8</y></pt></polygon>",
    ],
    ids=["Roboflow's", "in another order", "the old LabelMe's"],
)
def test_polygons_are_read_beside_boxes_or_instead(voc: Write, outline: str) -> None:
    for objects in (f"<object><name>dent</name>{outline}</object>", f"<object><name>dent</name>{BOX}{outline}</object>"):
        np.testing.assert_array_equal(only(voc(objects)).annotations[0].polygons[0], [[2, 2], [8.5, 2], [8, 8]])


def test_fields_are_found_by_their_names_in_any_order(voc: Write) -> None:
    box = "<bndbox><xmin>2.5</xmin><xmax> 8 </xmax><ymin>3</ymin><ymax>9</ymax></bndbox>"
    assert only(voc(f"<object>{box}<name> dent\n</name></object>")).annotations[0].box_xyxy == (2.5, 3, 8, 9)


def test_severity_is_an_attribute(voc: Write) -> None:
    told = "<attributes><attribute><name>severity</name><value>minor</value></attribute></attributes>"
    assert only(voc(f"<object><name>dent</name>{BOX}{told}</object>")).annotations[0].severity == "minor"


def test_what_the_old_labelme_deleted_is_gone(voc: Write) -> None:
    sample = only(voc(DENT, DENT.replace("<pose>", "<deleted>1</deleted><pose>")))
    assert len(sample.annotations) == 1


@pytest.mark.parametrize("size", ["", "<size></size>", "<size><width>0</width><height>0</height></size>"])
def test_a_size_that_was_not_written_is_the_pictures(voc: Write, size: str) -> None:
    assert only(voc(text=document(DENT, size=size))).size_hw == (10, 20)


@pytest.mark.parametrize("name", ["a", "photo of a.jpg", "C:\\photos\\a.jpg", "/home/annotator/a.jpg", "../../a.jpg"])
def test_a_file_name_of_another_machine_does_no_harm(voc: Write, name: str) -> None:
    assert only(voc(text=document(DENT, filename=name))).image.name == "a.jpg"  # else that of the XML


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (20, 10)).save(secret)
    for name in (str(secret), "../secret.jpg"):
        folder = tmp_path / "set"
        folder.mkdir(exist_ok=True)
        (folder / "a.xml").write_text(document(DENT, filename=name))
        with pytest.raises(DatasetError, match=r"a.xml: no picture 'secret.jpg' in "):
            list(open_dataset(folder))


def test_splits_are_the_lists_in_image_sets(tmp_path: Path) -> None:
    root = tmp_path / "cars"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for name in "abc":
        Image.new("RGB", (20, 10)).save(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(document(DENT, filename=f"{name}.jpg"))
    (root / "ImageSets/Main/train.txt").write_text("a\n\n")
    (root / "ImageSets/Main/val.txt").write_text("b 1\n")
    (root / "ImageSets/Main/dent_val.txt").write_text("c 1\n")  # which photos show a class is no split
    assert [sample.split for sample in open_dataset(root)] == ["train", "val", None]


def test_a_list_of_splits_tells_whole_names(tmp_path: Path) -> None:
    root = tmp_path / "cars"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for name in ("IMG", "IMG.1", "IMG.2", "car", "car 1", "car 3", "x_jpg.rf.0a1b", "y"):
        Image.new("RGB", (20, 10)).save(root / "JPEGImages" / f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(document(DENT, filename=f"{name}.jpg"))
    (root / "ImageSets/Main/train.txt").write_text("IMG.1\ncar 3\nx_jpg.rf.0a1b\ndata/y.jpg -1\n")
    (root / "ImageSets/Main/val.txt").write_text("IMG.2\ncar 1\n")
    assert {Path(sample.name).stem: sample.split for sample in open_dataset(root)} == {
        "IMG": None,
        "IMG.1": "train",
        "IMG.2": "val",
        "car": None,
        "car 1": "val",
        "car 3": "train",
        "x_jpg.rf.0a1b": "train",
        "y": "train",
    }


def boxed(x_min: object = 2, y_min: object = 3, x_max: object = 8, y_max: object = 9) -> str:
    box = f"<bndbox><xmin>{x_min}</xmin><ymin>{y_min}</ymin><xmax>{x_max}</xmax><ymax>{y_max}</ymax></bndbox>"
    return document(f"<object><name>dent</name>{box}</object>")


WRONG = {
    "NaN": (boxed(x_min="nan"), r"object 0 \(dent\): bndbox holds a coordinate that is not a number \(NaN or infinite\)"),
    "negative": (boxed(x_min=-9), r"bndbox \(-9, 3\) to \(8, 9\) lies outside the photo of 20 × 10"),
    "beyond the photo": (boxed(x_max=90), r"bndbox \(2, 3\) to \(90, 9\) lies outside"),
    "no area": (boxed(x_max=2), "bndbox is degenerate: 0 wide, 6 high"),
    "text as a coordinate": (boxed(y_max="low"), "object 0: ymax: must be a number, got 'low'"),
    "no coordinate": (boxed(y_max=""), "object 0: ymax: must be a number, got ''"),
    "neither box nor polygon": (document("<object><name>dent</name></object>"), "object 0: needs a bndbox or a polygon"),
    "no class": (document(f"<object>{BOX}</object>"), "object 0: needs a name"),
    "a class over two lines": (
        document("<object><name>a&#10;b</name><polygon><pt/><pt/><pt/></polygon></object>"),
        "object 0: polygon: must be a number, got ''",
    ),
    "a class over two lines and a flat box": (
        boxed(x_max=2).replace("dent", "a&#10;b"),
        r"object 0 \(a\\nb\): bndbox is degenerate",
    ),
    "two points": (
        document("<object><name>dent</name><polygon><x1>1</x1><y1>1</y1><x2>5</x2><y2>5</y2></polygon></object>"),
        "object 0: polygon: needs three points or more, got 2",
    ),
    "a flat polygon": (
        document(
            "<object><name>dent</name><polygon><x1>1</x1><y1>1</y1><x2>5</x2><y2>5</y2><x3>9</x3><y3>9</y3></polygon></object>"
        ),
        r"object 0 \(dent\): polygon: is degenerate, its area is 0",
    ),
    "another size": (document(DENT, size=SIZE.replace("20", "40")), "a.jpg is 20 × 10 pixels, its labels are for 40 × 10"),
    "turned": (
        document(DENT.replace("8", "6"), size="<size><width>10</width><height>20</height></size>"),
        r"a.jpg is 20 × 10 pixels, its labels are for 10 × 20",
    ),
    "half a size": (document(DENT, size="<size><width>20</width></size>"), "size must be whole numbers above 0, got '20' × ''"),
    "endless size": (
        document(DENT, size="<size><width>inf</width><height>10</height></size>"),
        "size must be whole numbers above 0",
    ),
    "size of text": (
        document(DENT, size="<size><width>wide</width><height>1</height></size>"),
        "size must be whole numbers above 0, got 'wide' × '1'",
    ),
    "cut off": (document(DENT)[:100], r"broken XML at line 2, column \d+: .*; is the file cut off\?"),
    "entities": (f'<!DOCTYPE a [<!ENTITY x "y">]>{document(DENT, filename="&x;.jpg")}', "declares entities"),
    "another root": ("<annotations/>", "not VOC: expected <annotation>, got <annotations>"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_place(voc: Write, text: str, message: str) -> None:
    folder = voc(text=text)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(folder / "a.xml", input_format="voc"))
    assert str(caught.value).startswith(str(folder / "a.xml"))
    assert "\n" not in str(caught.value)


def test_a_missing_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(document(DENT))
    with pytest.raises(DatasetError, match=r"a.xml: no picture 'a.jpg' in "):
        list(open_dataset(tmp_path))


@pytest.mark.parametrize("cut", ["a", "b"])
def test_a_file_that_is_cut_off_is_told_and_the_rest_goes_on(voc: Write, cut: str) -> None:
    for name in "abc":
        folder = voc(DENT, name=name)
    (folder / f"{cut}.xml").write_text("<annotation><filen")
    with pytest.raises(DatasetError, match=f"{cut}.xml: broken XML at line 1"):
        list(open_dataset(folder))
    errors: list[DatasetError] = []
    assert len(list(open_dataset(folder, on_invalid=errors.append))) == 2
    assert [f"{cut}.xml" in str(error) for error in errors] == [True]


def test_what_does_not_hold_can_be_listed_and_left_out(voc: Write) -> None:
    errors: list[DatasetError] = []
    (sample,) = open_dataset(voc(f"<object>{BOX}</object>", DENT), on_invalid=errors.append)
    assert [one.name for one in sample.annotations] == ["dent"]
    assert len(errors) == 1


def test_two_files_for_one_photo_are_told(voc: Write) -> None:
    voc(DENT)
    folder = voc(text=document(DENT), name="b")
    (folder / "b.jpg").unlink()
    with pytest.raises(DatasetError, match=r"b.xml: a.jpg was listed before, at .*a.xml; give a photo one entry"):
        list(open_dataset(folder))


texts = st.text(max_size=6) | st.floats().map(str) | st.integers().map(str) | st.sampled_from(["1e400", "9" * 5000, "1e30"])
fields = st.sampled_from(["filename", "name", "xmin", "ymax", "width", "height", "x2", "y1", "value"])


@given(fields, texts, st.booleans())
def test_whatever_stands_in_a_field_gives_samples_or_one_line(
    tmp_path_factory: pytest.TempPathFactory,
    field: str,
    text: str,
    drawn: bool,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "voc"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(folder / "a.jpg")
    outline = "<polygon><x1>2</x1><y1>2</y1><x2>8</x2><y2>2</y2><x3>8</x3><y3>8</y3></polygon>" if drawn else BOX
    told = "<attribute><name>severity</name><value>minor</value></attribute>"
    root = ElementTree.fromstring(document(f"<object><name>dent</name>{outline}{told}</object>"))
    for element in root.iter(field):
        element.text = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
    ElementTree.ElementTree(root).write(folder / "a.xml", encoding="utf-8")
    check_samples_or_one_line(folder / "a.xml")


def test_parts_of_an_object_are_told_and_are_not_its_box(voc: Write) -> None:
    part = f"<part><name>head</name>{BOX.replace('>2<', '>4<')}</part>"
    for objects in (f"<object><name>dent</name>{BOX}{part}</object>", f"<object><name>dent</name>{part}{BOX}</object>"):
        data = open_dataset(voc(objects))
        assert [one.box_xyxy for sample in data for one in sample.annotations] == [(2, 3, 8, 9)]
        assert data.adjustments.counts == {"parts of objects are left out: what they outline lies within their object": 1}


def test_turned_boxes_of_rolabelimg_are_polygons(voc: Write) -> None:
    turned = "<robndbox><cx>10</cx><cy>5</cy><w>4</w><h>2</h><angle>1.5707963</angle></robndbox>"
    (one,) = only(voc(f"<object><type>robndbox</type><name>dent</name>{turned}</object>")).annotations
    assert one.box_xyxy == pytest.approx((9, 3, 11, 7))
    assert len(one.polygons) == 1


@pytest.mark.parametrize("outline", ["<polygon/>", "<polygon><x1>2</x1><y1>3</y1></polygon>"])
def test_an_outline_of_nothing_does_not_cost_the_box(voc: Write, outline: str) -> None:
    data = open_dataset(voc(f"<object><name>dent</name>{BOX}{outline}</object>"))
    assert [one.box_xyxy for sample in data for one in sample.annotations] == [(2, 3, 8, 9)]
    assert data.adjustments.counts == {"outlines that enclose nothing, beside a box, are left out: the box is taken": 1}


@pytest.mark.parametrize("filename", ["", "..", "old name.jpg"])
def test_a_file_that_names_no_picture_or_another_has_the_one_that_is_called_as_it(voc: Write, filename: str) -> None:
    folder = voc(text=document(DENT, filename=filename))
    data = open_dataset(folder)
    assert [sample.image for sample in data] == [folder / "a.jpg"]
    assert len(data.adjustments.counts) == 1


def test_lists_of_splits_lie_beside_annotations_however_deep(tmp_path: Path) -> None:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(root / "JPEGImages" / "a.jpg")
    (root / "Annotations" / "a.xml").write_text(document(DENT))
    (root / "ImageSets/Main/val.txt").write_text("a\n")
    assert [sample.split for sample in open_dataset(tmp_path)] == ["val"]


def test_lists_of_splits_beside_what_was_opened_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("a\n")
    (tmp_path / "cars").mkdir()
    Image.new("RGB", (20, 10)).save(tmp_path / "cars" / "a.jpg")
    (tmp_path / "cars" / "a.xml").write_text(document(DENT))
    assert [sample.split for sample in open_dataset(tmp_path / "cars")] == [None]
