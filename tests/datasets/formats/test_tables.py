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
from dentify.results.findings import FINDING_COLUMNS
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell, safe_path_cell
from dentify.summary import summary_columns

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


DENT, SCRATCH = ("dent", (2.0, 1.0, 8.0, 7.0)), ("scratch", (10.0, 2.0, 18.0, 9.0))
BOXED: dict[str, tuple[str, ...]] = {  # a dent and a scratch on a.jpg, a dent on b.jpg
    "TensorFlow, Roboflow": (
        "filename,width,height,class,xmin,ymin,xmax,ymax",
        "a.jpg,20,10,dent,2,1,8,7",
        "a.jpg,20,10,scratch,10,2,18,9",
        "b.jpg,20,10,dent,2,1,8,7",
    ),
    "VoTT": (
        '"image","xmin","ymin","xmax","ymax","label"',
        '"a.jpg",2.0,1,8,7,"dent"',
        '"a.jpg",10,2,18,9,"scratch"',
        '"b.jpg",2,1,8,7,"dent"',
    ),
    "Kaggle": (
        "image_id,x_min,y_min,x_max,y_max,class_name,class_id",
        "a,2,1,8,7,dent,0",
        "a,10,2,18,9,scratch,1",
        "b,2,1,8,7,dent,0",
    ),
    "Kaggle's lists": (
        "image_id,width,height,bbox,label",
        'a.jpg,20,10,"[2, 1, 6, 6]",dent',
        'a.jpg,20,10,"[10.0, 2.0, 8.0, 7.0]",scratch',
        "b.jpg,20,10,2 1 6 6,dent",
    ),
    "x, y, w, h": ("path;x;y;w;h;type", "a.jpg;2,0;1;6;6;dent", "a.jpg;10;2;8;7;scratch", "b.jpg;2;1;6;6;dent"),
    "makesense.ai": (
        "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height",
        "dent,2,1,6,6,a.jpg,20,10",
        "scratch,10,2,8,7,a.jpg,20,10",
        "dent,2,1,6,6,b.jpg,20,10",
    ),
    "makesense.ai without names": ("dent,2,1,6,6,a.jpg,20,10", "scratch,10,2,8,7,a.jpg,20,10", "dent,2,1,6,6,b.jpg,20,10"),
    "Keras RetinaNet, without names": ("x/a.jpg,2,1,8,7,dent", "x/a.jpg,10,2,18,9,scratch", "x/b.jpg,2,1,8,7,dent"),
    "Open Images": (
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax",
        "a,x,dent,1,0.1,0.4,0.1,0.7",
        "a,x,scratch,1,0.5,0.9,0.2,0.9",
        "b,x,dent,1,0.1,0.4,0.1,0.7",
    ),
    "AutoML": (
        "TRAIN,gs://bucket/a.jpg,dent,0.1,0.1,,,0.4,0.7,,",
        "TRAIN,gs://bucket/a.jpg,scratch,0.5,0.2,,,0.9,0.9,,",
        "TRAIN,gs://bucket/b.jpg,dent,0.1,0.1,,,0.4,0.7,,",
    ),
    "AutoML's four corners": (
        "TRAIN,gs://bucket/a.jpg,dent,0.1,0.1,0.4,0.1,0.4,0.7,0.1,0.7",
        "TRAIN,gs://bucket/a.jpg,scratch,0.5,0.2,0.9,0.2,0.9,0.9,0.5,0.9",
        "TRAIN,gs://bucket/b.jpg,dent,0.1,0.1,0.4,0.1,0.4,0.7,0.1,0.7",
    ),
    "centres": (
        "file,x_center,y_center,width,height,label",
        "a.jpg,0.25,0.4,0.3,0.6,dent",
        "a.jpg,0.7,0.55,0.4,0.7,scratch",
        "b.jpg,0.25,0.4,0.3,0.6,dent",
    ),
    "from the lower right corner up": (
        "file,x1,y1,x2,y2,label",
        "a.jpg,8,7,2,1,dent",
        "a.jpg,18,9,10,2,scratch",
        "b.jpg,8,7,2,1,dent",
    ),
}


@pytest.mark.parametrize("lines", BOXED.values(), ids=BOXED.keys())
def test_rows_with_boxes_are_boxes_and_no_contradiction(table: Write, lines: tuple[str, ...]) -> None:
    first, second = open_dataset(table(*lines))
    told = [[(one.name, pytest.approx(one.box_xyxy)) for one in sample.annotations] for sample in (first, second)]
    assert told == [[DENT, SCRATCH], [DENT]]
    assert (Path(str(first.image)).name, Path(str(second.image)).name) == ("a.jpg", "b.jpg")
    assert second.labelled == {"dent", "scratch"}
    assert second.labels == ()


def test_a_row_without_a_box_is_a_photo_without_one(table: Write) -> None:
    path = table(
        "filename,class,xmin,ymin,xmax,ymax,split", "a.jpg,dent,2,1,8,7,valid", "b.jpg,,,,,,valid", "c.jpg,whole,,,,,test"
    )
    told = [(len(one.annotations), one.labels, one.split, one.damage) for one in open_dataset(path)]
    assert told == [(1, (), "val", True), (0, (), "val", None), (0, ("undamaged",), "test", False)]


def test_boxes_have_scores_and_severities_too(table: Write) -> None:
    path = table("filename,class,xmin,ymin,xmax,ymax,score,severity", "a.jpg,dent,2,1,8,7,0.75,minor")
    (sample,) = open_dataset(path)
    assert (sample.annotations[0].score, sample.annotations[0].severity) == (0.75, "minor")


@pytest.mark.parametrize(("level", "notes"), [("high", 1), ("2", 1), ("", 0), ("none", 0), ("minor", 0)])
def test_a_severity_of_a_box_in_other_words_is_left_out_and_told(table: Write, level: str, notes: int) -> None:
    data = open_dataset(table("filename,class,xmin,ymin,xmax,ymax,severity", f"a.jpg,dent,2,1,8,7,{level}"))
    assert [one.severity for sample in data for one in sample.annotations] == ["minor" if level == "minor" else None]
    assert sum("severities of boxes other than minor, moderate, severe are left out" in note for note in data.notes) == notes


def test_boxes_that_nothing_names_are_unnamed_and_that_is_told(table: Write) -> None:
    data = open_dataset(table("filename,xmin,ymin,xmax,ymax", "a.jpg,2,1,8,7"))
    assert [one.name for sample in data for one in sample.annotations] == ["unnamed"]
    assert "no column names what the boxes are of" in data.notes[0]


WRONG_BOXES = {
    "no number": ("a.jpg,dent,2,x,8,7", "line 2: a box needs four numbers, got '2, x, 8, 7'"),
    "half a box": ("a.jpg,dent,2,,8,", "line 2: a box needs four numbers, got '2, , 8, '"),
    "outside": ("a.jpg,dent,2,1,80,7", r"line 2: box \(2, 1\) to \(80, 7\) lies outside the photo of 20 × 10"),
    "flat": ("a.jpg,dent,2,1,2,7", "line 2: box is degenerate"),
    "no label": ("a.jpg,,2,1,8,7", "line 2: needs a label"),
    "no file": (",dent,2,1,8,7", "line 2: needs a file name"),
    "a field too few": ("a.jpg,dent,2,1,8", "line 2: needs 6 fields"),
}


@pytest.mark.parametrize(("line", "message"), WRONG_BOXES.values(), ids=WRONG_BOXES.keys())
def test_a_box_that_does_not_hold_is_one_line(table: Write, line: str, message: str) -> None:
    path = table("filename,class,xmin,ymin,xmax,ymax", line)
    with pytest.raises(DatasetError, match=message):
        list(open_dataset(path))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 9), st.integers(1, 20), st.integers(1, 10)), min_size=1, max_size=5))
def test_any_boxes_come_back_as_they_stand(tmp_path_factory: pytest.TempPathFactory, boxes: list[tuple[int, ...]]) -> None:
    root = tmp_path_factory.getbasetemp() / "boxes"
    root.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10)).save(root / "a.jpg")
    boxes = [box for box in boxes if box[0] != box[2] and box[1] != box[3]]
    lines = [f"a.jpg,dent,{','.join(map(str, box))}" for box in boxes]
    (root / "labels.csv").write_text("\n".join(["filename,class,xmin,ymin,xmax,ymax", *lines, "a.jpg,dent,,,,"]))
    (sample,) = open_dataset(root / "labels.csv")
    sorted_boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in boxes]
    assert [one.box_xyxy for one in sample.annotations] == sorted_boxes


@pytest.mark.parametrize(
    "column", ["classes", "Label Name", "category", "condition", "Status", "damage type", "Defect", "label_name"]
)
def test_people_call_columns_of_labels_many_things(table: Write, column: str) -> None:
    path = table(f",image,{column}", "0,images/a.jpg,dent", "1,images/b.jpg,no damage")
    assert [(one.labels, one.damage) for one in open_dataset(path)] == [(("dent",), True), (("undamaged",), False)]


@pytest.mark.parametrize("yes", ["1", "yes", "True", "Y", "1.0"])
@pytest.mark.parametrize("column", ["damaged", "is_damaged", "Has Damage"])
def test_damaged_or_not_is_told_in_many_ways(table: Write, column: str, yes: str) -> None:
    no = {"1": "0", "yes": "no", "True": "False", "Y": "N", "1.0": "0.0"}[yes]
    samples = open_dataset(table(f"filename,{column}", f"a.jpg,{yes}", f"b.jpg,{no}"))
    assert [one.damage for one in samples] == [True, False]


def test_a_column_nobody_calls_labels_is_told_by_its_words(table: Write) -> None:
    data = open_dataset(table("Bild;Zustand der Tür;Bemerkung", "a.jpg;dent;schön", "b.jpg;scratch;", "c.jpg;no damage;alt"))
    assert [one.labels for one in data] == [("dent",), ("scratch",), ("undamaged",)]
    assert [note.partition("labels.csv: ")[2] for note in data.notes] == [
        "labels are read from the column 'Zustand der Tür', as its words are known",
        "columns that are not read: Bemerkung",
    ]


def test_the_label_map_may_name_the_column(table: Write) -> None:
    path = table("file,label,zustand", "a.jpg,7,kaputt")
    data = open_dataset(path, labels=LabelMap({"kaputt": "dent"}, attribute="Zustand"))
    assert [one.labels for one in data] == [("dent",)]


def test_words_go_before_numbers_where_both_are_called_labels(table: Write) -> None:
    assert [one.labels for one in open_dataset(table("file,label,class_name", "a.jpg,3,dent"))] == [("dent",)]


@pytest.mark.parametrize(
    "lines",
    [
        ("file,dent,scratch", "a.jpg,True,False", "b.jpg,False,True"),
        ("file,dent,scratch", "a.jpg,x,", "b.jpg,,X"),
        ("file,dent,scratch", "a.jpg,yes,no", "b.jpg,no,yes"),
        ("file,dent,scratch", "a.jpg,1,", "b.jpg,,1"),
    ],
)
def test_ticks_come_in_many_forms(table: Write, lines: tuple[str, ...]) -> None:
    assert [one.labels for one in open_dataset(table(*lines))] == [("dent",), ("scratch",)]


def test_a_table_without_names_of_columns_is_read_by_its_content(table: Write) -> None:
    data = open_dataset(table("a.jpg,dent", "b.jpg,whole"))
    assert [one.labels for one in data] == [("dent",), ("undamaged",)]
    assert "the first line names no columns" in data.notes[0]


@pytest.mark.parametrize("rows", [("file,remark", "a.jpg,nice"), ("filename,foo,bar", "a.jpg,12,x", "b.jpg,3,y")])
def test_a_table_of_which_no_column_is_of_labels_is_refused_with_its_columns(table: Write, rows: tuple[str, ...]) -> None:
    path = table(*rows)
    with pytest.raises(DatasetError, match=f"no column can be read as labels; it has {rows[0].replace(',', ', ')}; call the one"):
        list(open_dataset(path))


@pytest.mark.parametrize("columns", [FINDING_COLUMNS, summary_columns(["dent"]), summary_columns([], timings=False)])
def test_what_dentify_found_is_no_truth(table: Write, columns: tuple[str, ...]) -> None:
    path = table(",".join(columns), ",".join(["a.jpg", *["1"] * (len(columns) - 1)]))
    for of, told in ((path, "labels.csv: lists what Dentify found"), (path.parent, "labels.csv lists what Dentify found")):
        with pytest.raises(DatasetError, match=told):
            list(open_dataset(of))


def test_a_mere_list_of_photos_is_said_to_be_one(table: Write) -> None:
    data = open_dataset(table("file,source,split", "a.jpg,me,val"))
    assert [(one.labels, one.source) for one in data] == [((), "me")]
    assert "says nothing of them; it has file, source, split" in data.notes[0]


def test_excels_csv_is_read_in_its_code_page_and_in_utf_16(table: Write) -> None:
    path = table("")
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        path.write_bytes("sep=;\r\nfile;label\r\na.jpg;dent\r\nb.jpg;T\u00fcrdelle\r\n".encode(encoding))
        data = open_dataset(path.parent)
        assert [one.labels for one in data] == [("dent",), ("T\u00fcrdelle",)]
        assert any("code page 1252" in note for note in data.notes) == (encoding == "cp1252")


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


def test_rows_out_of_proportion_are_refused(table: Write) -> None:
    """Each is a mapping: 4 MB of names of two letters would take 600 MB."""
    path = table("file", *["ab"] * 1_300_000)
    with pytest.raises(DatasetError, match=r"labels\.csv: .* that would take .* of memory; no labels are made of so many"):
        list(open_dataset(path, input_format="table"))


def test_rows_as_people_write_them_are_in_proportion(table: Write) -> None:
    path = table("file,label", *[f"photos/{number:06}.jpg,dent" for number in range(100_000)])
    assert len(list(open_dataset(path, check_pictures=False))) == 100_000


formulas = st.sampled_from("=+-@'＝;a1 ") | st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="|;,"), max_size=3
)
texts = st.lists(formulas, min_size=1, max_size=6).map(lambda parts: "".join(parts).strip()).filter(bool)


@given(texts, texts, texts)
def test_what_dentify_wrote_past_spreadsheets_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, name: str, source: str, group: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "quoted" / "safe.csv"
    path.parent.mkdir(exist_ok=True)
    file = f"{name}.jpg".replace("/", "_")
    row = [safe_path_cell(file), *map(safe_cell, ("dent", source, group))]
    path.write_bytes(csv_bytes([csv_line(["file", "label", "source", "group"]), csv_line(row)]))
    (sample,) = open_dataset(path, input_format="table", check_pictures=False)
    assert (sample.name, sample.labels, sample.source, sample.group) == (file, ("dent",), source, group)


@pytest.mark.parametrize("label", ["=dent", "'=dent", "''-dent", "@dent", "-1"])
def test_labels_that_look_like_formulas_come_back(table: Write, label: str) -> None:
    (sample,) = open_dataset(table("file,label", f"a.jpg,{safe_cell(label)}"), labels=LabelMap(others="kept"))
    assert sample.labels == (label,)


def test_a_cell_of_four_numbers_is_corner_and_size_unless_only_corners_fit(table: Write) -> None:
    data = open_dataset(table("file,label,bbox", 'a.jpg,dent,"[2, 1, 4, 3]"'))
    (sample,) = data
    assert [one.box_xyxy for one in sample.annotations] == [(2, 1, 6, 4)]
    assert any("bbox is read as a corner and a size" in note for note in data.notes)
    data = open_dataset(table("file,label,bbox", 'a.jpg,dent,"[2, 1, 4, 3]"', 'b.jpg,dent,"[12, 6, 19, 9]"'))
    assert [one.box_xyxy for sample in data for one in sample.annotations] == [(2, 1, 4, 3), (12, 6, 19, 9)]
    assert any("bbox is read as two corners" in note for note in data.notes)


def test_several_known_words_in_a_cell_are_several_labels(table: Write) -> None:
    first, second = open_dataset(table("file,label", 'a.jpg,"dent, scratch"', 'b.jpg,"dent, but small"'))
    assert (first.labels, second.labels) == (("dent", "scratch"), ("dent, but small",))


def big(table: Write, *lines: str) -> Path:
    """A table of a photo of 2,000 × 1,600 pixels."""
    path = table(*lines)
    Image.new("RGB", (2000, 1600)).save(path.parent / "images" / "a.jpg")
    return path


NAMED = "file,label,xmin,ymin,xmax,ymax"


@pytest.mark.parametrize(
    "lines",
    [
        (NAMED, 'a.jpg,dent,"1,050",10,"1,250",110'),
        (NAMED, 'a.jpg,dent,"1,050.0",10.0,"1,250.0",110.0'),
        (NAMED.replace(",", ";"), "a.jpg;dent;1.050;10;1.250;110"),
        (NAMED.replace(",", ";"), "a.jpg;dent;1.050,00;10,00;1.250,00;110,00"),
        (NAMED.replace(",", "\t"), "a.jpg\tdent\t1 050\t10\t1 250\t110"),
        (f"{NAMED},width,height", 'a.jpg,dent,"1,050",10,"1,250",110,"2,000","1,600"'),
        (NAMED, "a.jpg,dent,1050,10,1250,110"),
    ],
)
def test_thousands_are_thousands_and_decimals_decimals(table: Write, lines: tuple[str, ...]) -> None:
    (sample,) = open_dataset(big(table, *lines))
    assert sample.annotations[0].box_xyxy == (1050, 10, 1250, 110)


def test_how_an_unsure_number_is_read_is_told(table: Write) -> None:
    data = open_dataset(big(table, NAMED, 'a.jpg,dent,"1,050",10,"1,250",110'))
    list(data)
    assert any("1,050 is read as 1050, as cells end with `,`; where that is wrong" in note for note in data.notes)


def test_numbers_that_contradict_each_other_are_no_guess(table: Write) -> None:
    lines = (NAMED, 'a.jpg,dent,"1,050",10.5,"1,250",110', 'a.jpg,dent,"10,5",10,"20,5",110')
    problems: list[DatasetError] = []
    (sample,) = open_dataset(big(table, *lines), on_invalid=problems.append)
    assert [one.box_xyxy for one in sample.annotations] == [(10.5, 10, 20.5, 110)]
    assert "line 2: a box needs four numbers" in str(problems[0])


@pytest.mark.parametrize(
    "lines",
    [
        ("TRAIN,gs://b/b.jpg,,,,,,,,,", "TRAIN,gs://b/a.jpg,dent,0.1,0.2,,,0.5,0.8,,"),
        ("b.jpg,,,,,", "a.jpg,2,2,10,8,dent"),
    ],
    ids=["AutoML", "Keras RetinaNet"],
)
def test_a_first_row_without_a_label_hides_none_of_the_others(table: Write, lines: tuple[str, ...]) -> None:
    samples = {Path(sample.name).name: sample for sample in open_dataset(table(*lines))}
    assert samples["b.jpg"].annotations == ()
    assert [(one.name, one.box_xyxy) for one in samples["a.jpg"].annotations] == [("dent", (2, 2, 10, 8))]


def test_rows_without_names_of_columns_may_have_more_labels_than_the_first(table: Write) -> None:
    samples = list(open_dataset(table("a.jpg,dent", "b.jpg,dent,scratch", "c.jpg")))
    assert [sample.labels for sample in samples] == [("dent",), ("dent", "scratch"), ()]


def test_rows_of_nothing_cells_of_nothing_and_names_said_again_are_no_rows(table: Write) -> None:
    data = open_dataset(table("file,label", ",", "a.jpg,dent,,", "file,label", "b.jpg,scratch", ",,,"))
    assert [(sample.name, sample.labels) for sample in data] == [("a.jpg", ("dent",)), ("b.jpg", ("scratch",))]
    assert data.adjustments.counts == {"lines that repeat the names of columns are left out": 1}


@pytest.mark.parametrize(
    "outline", ["[[2, 2, 10, 2, 10, 8]]", "[[2, 2], [10, 2], [10, 8]]", "POLYGON ((2 2, 10 2, 10 8, 2 2))", "2,2;10,2;10,8"]
)
@pytest.mark.parametrize("column", ["segmentation", "polygon", "points", "WKT"])
def test_a_row_may_outline_a_thing(table: Write, column: str, outline: str) -> None:
    lines = (f"file,label,{column}", f'a.jpg,dent,"{outline}"', f'a.jpg,scratch,"{outline}"', "b.jpg,,")
    first, second = open_dataset(table(*lines))
    assert [(one.name, one.box_xyxy, len(one.polygons)) for one in first.annotations] == [
        ("dent", (2, 2, 10, 8), 1),
        ("scratch", (2, 2, 10, 8), 1),
    ]
    assert second.annotations == ()


def test_run_lengths_of_kaggle_are_masks_of_the_numbers_of_classes(table: Write) -> None:
    """Photos are 20 × 10: pixels 13 to 15 are rows 2 to 4 of the second column."""
    first, second = open_dataset(table("ImageId,ClassId,EncodedPixels", "a.jpg,3,13 3", "b.jpg,,"))
    assert [(one.name, one.box_xyxy) for one in first.annotations] == [("3", (1, 2, 2, 5))]
    assert second.annotations == ()


def test_places_on_a_map_are_no_outlines(table: Write) -> None:
    (sample,) = open_dataset(table("file,label,coordinates", 'a.jpg,dent,"48.1, 11.5"'))
    assert (sample.labels, sample.annotations) == (("dent",), ())


def test_a_column_of_folders_tells_photos_of_one_name_apart(table: Write, tmp_path: Path) -> None:
    path = table("folder,file,label", "one,x.jpg,dent", "two,x.jpg,scratch")
    for folder in ("one", "two"):
        (path.parent / folder).mkdir()
        Image.new("RGB", (20, 10)).save(path.parent / folder / "x.jpg")
    assert {sample.name: sample.labels for sample in open_dataset(path)} == {"one/x.jpg": ("dent",), "two/x.jpg": ("scratch",)}


@pytest.mark.parametrize(("yes", "no"), [("WAHR", "FALSCH"), ("Ja", "Nein"), ("VRAI", "FAUX"), ("oui", "non"), ("evet", "hayır")])
def test_excel_answers_in_its_own_language(table: Write, yes: str, no: str) -> None:
    path = table("file,damaged")
    path.write_text(f"file,damaged\na.jpg,{yes}\nb.jpg,{no}\n", encoding="utf-8")
    assert [sample.damage for sample in open_dataset(path)] == [True, False]


def test_a_list_in_a_cell_is_several_labels(table: Write) -> None:
    lines = ("file,labels", "a.jpg,\"['dent', 'scratch']\"", 'b.jpg,"[""dent""]"', "c.jpg,[]")
    assert [sample.labels for sample in open_dataset(table(*lines))] == [("dent", "scratch"), ("dent",), ()]


def test_of_a_million_columns_a_message_tells_some(table: Write) -> None:
    with pytest.raises(DatasetError, match=r"needs a column of file names, as `file`; has c0, c1, .* and 960 more$") as told:
        open_dataset(table(",".join(f"c{number}" for number in range(1000)), ",".join("1" * 1000)))
    assert len(str(told.value)) < 1000


def test_a_csv_of_via_3_is_refused_by_name(table: Write) -> None:
    path = table("# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)", '"1_a","[""a.jpg""]"')
    with pytest.raises(DatasetError, match=r"labels\.csv: is a CSV of VIA 3, which is not read; save its project"):
        open_dataset(path)
