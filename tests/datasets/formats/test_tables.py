"""CSV files of photos and labels as they are, and as they should not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from broken_labels import check_samples_or_one_line
from dentify.datasets import LabelMap, open_dataset
from dentify.datasets.sample import photo_kind
from dentify.errors import DatasetError

Write = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """Writes three photos and the lines of a CSV, and returns its path."""

    def write(*lines: str, name: str = "labels.csv") -> Path:
        root = tmp_path / "cars"
        (root / "images").mkdir(parents=True, exist_ok=True)
        for photo in "abc":
            Image.new("RGB", (20, 10)).save(root / "images" / f"{photo}.jpg")
        (root / name).write_text("\n".join(lines) + "\n")
        return root / name

    return write


def test_a_row_is_a_photo_with_its_label(table: Write) -> None:
    data = open_dataset(table("file,label,source,group,split", "a.jpg,dent,mine,7,val", "b.jpg,whole,,,training"))
    assert data.format == "table"
    first, second = data
    assert (first.name, first.labels, first.source, first.group, first.split) == ("a.jpg", ("dent",), "mine", "7", "val")
    assert (first.vehicle, first.damage) == (True, True)
    assert (second.labels, second.source, second.group, second.split) == (("undamaged",), None, None, "train")
    assert (second.vehicle, second.damage) == (True, False)


@pytest.mark.parametrize(
    "lines",
    [
        ("filename;class", "a.jpg;dent", "b.jpg;whole"),
        ("Image\tDamage_Type", "images/a.jpg\tdent", "images/b.jpg\twhole"),
        ("path,y", "C:\\photos\\a.jpg,dent", "/home/me/b.jpg,whole"),
        ("file_name,label,unknown", '"a.jpg","dent",1', "b.jpg,whole,2"),
    ],
)
def test_columns_and_separators_come_in_many_forms(table: Write, lines: tuple[str, ...]) -> None:
    assert [sample.labels for sample in open_dataset(table(*lines))] == [("dent",), ("undamaged",)]


def test_a_photo_may_have_several_labels(table: Write) -> None:
    path = table("file,labels", "a.jpg,dent;scratch", "b.jpg,dent|crack", "c.jpg,")
    assert [sample.labels for sample in open_dataset(path)] == [("dent", "scratch"), ("dent", "crack"), ()]


def test_columns_of_zero_and_one_are_labels_too(table: Write) -> None:
    path = table("filename, dent, scratch, width", "a.jpg, 1, 0, 640", "b.jpg, 1, 1, 1", "c.jpg, 0, 0, 0")
    assert [sample.labels for sample in open_dataset(path)] == [("dent",), ("dent", "scratch"), ()]


def test_vehicle_damage_and_severity_have_columns_of_their_own(table: Write) -> None:
    path = table("file,Vehicle,damage,severity", "a.jpg,yes,TRUE,Severe damage", "b.jpg,1, 0 ,", "c.jpg,no,,")
    told = [(one.vehicle, one.damage, one.severity, one.labels) for one in open_dataset(path)]
    assert told == [(True, True, "severe", ()), (True, False, None, ()), (False, None, None, ())]


def test_what_such_a_column_leaves_empty_is_unknown(table: Write) -> None:
    """With gaps, pandas writes 1 as 1.0."""
    samples = list(open_dataset(table("file,damage", "a.jpg,1.0", "b.jpg,0.0", "c.jpg,")))
    assert [(one.vehicle, one.damage) for one in samples] == [(True, True), (None, False), (None, None)]
    assert photo_kind(samples[2]) is None


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        pytest.param(("file,damage", "a.jpg,dent", "b.jpg,1"), [("dent",), ("1",)], id="words are labels"),
        pytest.param(("file,damage", "a.jpg,2", "b.jpg,1"), [("2",), ("1",)], id="so are other numbers"),
        pytest.param(("file,damage,label", "a.jpg,1,dent", "b.jpg,1,crack"), [("dent",), ("crack",)], id="labels beside it"),
        pytest.param(("file,damage,dent", "a.jpg,1,1", "b.jpg,1,0"), [("dent",), ()], id="a column a label beside it"),
        pytest.param(("file,damage", "a.jpg,", "b.jpg,"), [(), ()], id="nothing at all"),
    ],
)
def test_only_a_column_of_answers_is_one(table: Write, lines: tuple[str, ...], labels: list[tuple[str, ...]]) -> None:
    samples = list(open_dataset(table(*lines)))
    assert [one.labels for one in samples] == labels
    assert len({one.damage for one in samples}) == 1 or labels[0] == ("dent",)


@given(
    st.lists(
        st.tuples(st.sampled_from(["1", "yes", "True", ""]), st.sampled_from(["1", "yes", ""]), st.sampled_from(["minor", ""])),
        min_size=1,
        max_size=3,
    )
)
def test_each_answer_is_read_as_it_stands(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    root = tmp_path_factory.mktemp("cars")
    for photo in "abc":
        Image.new("RGB", (20, 10)).save(root / f"{photo}.jpg")
    lines = [f"{name}.jpg,{','.join(row)}" for name, row in zip("abc", rows, strict=False)]
    (root / "photos.csv").write_text("\n".join(["file,vehicle,damage,severity", *lines]))
    for sample, (vehicle, damage, severity) in zip(open_dataset(root / "photos.csv"), rows, strict=True):
        known = bool(damage or severity)
        assert sample.damage == (True if known else None)
        assert sample.vehicle == (True if known or vehicle else None)
        assert sample.severity == (severity or None)


def test_ripiks_numbers_are_cardds_types_in_an_order_of_their_own(table: Write) -> None:
    path = table("image_id,filename,label", "1,a.jpg,2", "2,b.jpg,6", "3,c.jpg,3")
    assert [sample.labels for sample in open_dataset(path)] == [("scratch",), ("lamp_broken",), ("tire_flat",)]


def test_the_same_row_twice_is_one_photo(table: Write) -> None:
    assert len(list(open_dataset(table("file,label", "a.jpg,dent", "a.jpg,dent")))) == 1


def test_a_label_map_is_told_all_words(table: Write) -> None:
    path = table("file,label", "a.jpg,zebra", "b.jpg,dent", "c.jpg,scrtch")
    with pytest.raises(
        DatasetError, match=r"2 labels that are not mapped: scrtch \(1×; did you mean `scratch`\?\), zebra \(1×\)"
    ):
        open_dataset(path, labels=LabelMap(others="refused")).check_labels()


WRONG = {
    "two answers for one photo": (
        ("file,damage", "a.jpg,1", "b.jpg,1", "a.jpg,0"),
        "line 4: a.jpg is labelled damage: yes at line 2, damage: no here; which is right?",
    ),
    "an answer and none": (
        ("file,vehicle,severity", "a.jpg,1,severe", "a.jpg,,severe"),
        "line 3: a.jpg is labelled severe and vehicle: yes at line 2, severe and vehicle: unknown here",
    ),
    "a severity that is none": (
        ("file,severity", "a.jpg,total"),
        "line 2: severity 'total' is none of minor, moderate, severe",
    ),
    "damage on no vehicle": (
        ("file,vehicle,damage", "a.jpg,0,1"),
        "line 2: a.jpg contradicts itself: says that it shows damage and says that it shows no vehicle",
    ),
    "severity without damage": (
        ("file,damage,severity", "a.jpg,0,minor"),
        "line 2: a.jpg contradicts itself: tells minor damage and says that it shows no damage",
    ),
    "two labels for one photo": (
        ("file,label", "a.jpg,dent", "b.jpg,dent", "a.jpg,scratch"),
        "line 4: a.jpg is labelled dent at line 2, scratch here; which is right?",
    ),
    "a label and none": (("file,label", "a.jpg,dent", "a.jpg,"), "line 3: a.jpg is labelled dent at line 2, nothing here"),
    "a label over two lines": (
        ("file,label", 'a.jpg,"d', 'ent"', "a.jpg,dent"),
        r"line 4: a.jpg is labelled d\\nent at line 3, dent here",
    ),
    "two words for one photo": (
        ("file,label", "a.jpg,whole;dent"),
        "line 2: a.jpg contradicts itself: is labelled undamaged and dent",
    ),
    "a photo by two names": (
        ("file,label", "a.jpg,dent", "images/a.jpg,dent"),
        "line 3: images/a.jpg was listed before, at .*: line 2",
    ),
    "missing picture": (("file,label", "a.jpg,dent", "d.jpg,dent"), "line 3: no picture 'd.jpg' in "),
    "picture outside": (("file,label", "../../../etc/passwd,dent"), "line 2: no picture"),
    "no name": (("file,label", ",dent"), "line 2: needs a file name"),
    "a field too few": (("file,label", "a.jpg"), "line 2: needs 2 fields, as the first line has"),
    "cut off": (("file,label", 'a.jpg,"de'), "line 2: broken CSV"),
    "none of Ripik's numbers": (("image_id,filename,label", "1,a.jpg,7"), "line 2: label 7 is none of Ripik's 1 to 6"),
}


@pytest.mark.parametrize(("lines", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_hold_is_one_line_with_file_and_line(table: Write, lines: tuple[str, ...], message: str) -> None:
    path = table(*lines)
    with pytest.raises(DatasetError, match=message) as caught:
        list(open_dataset(path))
    assert str(caught.value).startswith(f"{path}: line ")
    assert "\n" not in str(caught.value)


def test_what_does_not_hold_can_be_listed_and_left_out(table: Write) -> None:
    path = table("file,label", "a.jpg", ",dent", "b.jpg,dent", "b.jpg,scratch", "d.jpg,dent", "c.jpg,whole")
    errors: list[DatasetError] = []
    assert [sample.name for sample in open_dataset(path, on_invalid=errors.append)] == ["b.jpg", "c.jpg"]
    assert len(errors) == 4


def test_ticked_columns_with_a_broken_row_are_told_once(table: Write) -> None:
    errors: list[DatasetError] = []
    samples = open_dataset(table("file,dent", "a.jpg", "b.jpg,1"), on_invalid=errors.append)
    assert [sample.labels for sample in samples] == [("dent",)]
    assert len(errors) == 1


def test_a_table_in_a_folder_is_found(table: Write) -> None:
    assert open_dataset(table("file\tlabel", "a.jpg\tdent", name="labels.tsv").parent).format == "table"


def test_a_csv_without_files_is_no_table(table: Write) -> None:
    path = table("number,label", "1,dent")
    for place, options in ((path, {}), (path.parent, {}), (path, {"input_format": "table"})):
        with pytest.raises(DatasetError, match=r"labels.csv:? needs a column of file names, as `file`; has number, label$"):
            list(open_dataset(place, **options))


def test_label_studios_csv_is_no_table(table: Write) -> None:
    # its shapes are JSON in cells, and its column `annotator` would read as a label
    path = table("annotation_id,annotator,id,image,label", '1,1,1,/data/upload/a.jpg,"[{""x"": 1}]"')
    assert open_dataset(path).format == "label_studio"


@given(st.text(st.sampled_from('abc.jpg,;|"\n\t01 whole'), max_size=80) | st.text(max_size=30))
def test_any_text_gives_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    path.write_text("file,label\n" + text, encoding="utf-8", errors="replace")
    check_samples_or_one_line(path, check_pictures=False)
