"""DATA: what commands take as labelled photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer import BadParameter

from dentify.cli.data import Data, Frame, parse_data, read_data
from dentify.errors import DatasetError
from dentify.settings import Settings


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("labels", Data("", Path("labels"), None)),
        ("labels:val", Data("", Path("labels"), "val")),
        ("undamaged=lot", Data("undamaged", Path("lot"), None)),
        ("no_vehicle=rooms/photos.csv:test", Data("no_vehicle", Path("rooms/photos.csv"), "test")),
        ("a=b.json", Data("", Path("a=b.json"), None)),  # a name of one's own
    ],
)
def test_what_is_told_before_and_after_the_path(text: str, data: Data) -> None:
    assert parse_data(text) == data


def test_photos_of_this_folder_are_said_to_come_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claims" / "new").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "claims" / "new")
    sources = [parse_data(text).source for text in (".", "..", "a/labels.json", "undamaged=.", "/")]
    assert sources == ["new", "claims", "labels", "new", "photos"]


def test_a_word_that_is_nearly_one_is_told() -> None:
    with pytest.raises(
        BadParameter, match=r"'no_vehicles=lot': no_vehicles= says nothing of photos; did you mean `no_vehicle`\?"
    ):
        parse_data("no_vehicles=lot")
    Path("no_vehicles=lot").mkdir()
    assert parse_data("no_vehicles=lot") == Data("", Path("no_vehicles=lot"), None)


def test_a_path_with_a_colon_that_is_there_has_no_split() -> None:
    Path("odd:name").mkdir()
    assert parse_data("odd:name") == Data("", Path("odd:name"), None)


@pytest.mark.parametrize("text", ["photos.csv", "photos.csv:val"])
@pytest.mark.parametrize("columns", ["file,source,split", "image_id,filename,width,height", "file"])
def test_a_list_of_photos_needs_its_label(text: str, columns: str) -> None:
    Path("photos.csv").write_text(f"{columns}\n")
    with pytest.raises(
        BadParameter, match=r"tells nothing of its photos .*; say damaged=, undamaged= or no_vehicle= before a list"
    ):
        parse_data(text)
    assert parse_data(f"undamaged={text}").label == "undamaged"


@pytest.mark.parametrize(
    "columns", ["file,damage", "file,source,split,severity", "file,vehicle,split", "file,label", "file,dent,scratch"]
)
def test_a_list_that_may_say_something_of_its_photos_is_read(columns: str) -> None:
    Path("photos.csv").write_text(f"{columns}\n")
    assert parse_data("photos.csv:val") == Data("", Path("photos.csv"), "val")


def test_a_list_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(DatasetError, match=r"photos\.csv: no such file or folder"):
        list(read_data([parse_data("photos.csv")], None, None, Settings()))


def test_a_list_says_vehicle_damage_and_severity_of_each_photo(paint) -> None:
    for name in "abcd":
        paint(f"lot/{name}.png")
    Path("lot/photos.csv").write_text(
        "file,split,vehicle,damage,severity\na.png,val,,1,\nb.png,val,1,0,\nc.png,val,,,severe\nd.png,val,,,\n"
    )
    samples = list(read_data([parse_data("lot/photos.csv:val")], None, None, Settings()))
    assert [(one.name, one.damage, one.severity) for one in samples] == [
        ("a.png", True, None),
        ("b.png", False, None),
        ("c.png", True, "severe"),
    ]  # of d nothing is known


@pytest.mark.parametrize("text", ["lot/photos.csv", "lot/photos.csv:val"])
def test_a_data_set_that_says_nothing_of_any_photo_is_one_line(paint, text: str) -> None:
    paint("lot/a.png")
    Path("lot/photos.csv").write_text("file,split,damage\na.png,val,\n")
    with pytest.raises(DatasetError, match=f"'{text}' tells nothing of its photos"):
        list(read_data([parse_data(text)], None, None, Settings()))


def test_photos_that_share_a_label(paint) -> None:
    paint("lot/a.png")
    paint("rooms/b.png")
    data = [parse_data("undamaged=lot"), parse_data("no_vehicle=rooms")]
    samples = list(read_data(data, None, None, Settings()))
    assert [(sample.name, sample.vehicle, sample.damage) for sample in samples] == [
        ("a.png", True, False),
        ("b.png", False, None),
    ]


def test_a_data_set_without_photos_of_the_split(paint) -> None:
    paint("images/a.png")
    Path("labels.json").write_text(
        '{"categories": [{"id": 1, "name": "dent"}],'
        ' "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128}], "annotations": []}'
    )
    assert len(list(read_data([Data("", Path("labels.json"), None)], None, None, Settings()))) == 1
    with pytest.raises(DatasetError, match=r"labels\.json: holds no photo of split 'val'"):
        list(read_data([Data("", Path("labels.json"), "val")], None, None, Settings()))


def test_a_label_map_may_speak_of_a_bundles_own_types(paint) -> None:
    paint("images/a.png")
    Path("labels.json").write_text(
        '{"categories": [{"id": 1, "name": "hagel"}, {"id": 2, "name": "hail_mark"}],'
        ' "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128}], "annotations": []}'
    )
    Path("labels.yaml").write_text("labels: {hagel: hail_mark}")
    data = [Data("", Path("labels.json"), None)]
    for own in ({"hail_mark"}, ()):  # and those who ask no bundle take the same map
        (sample,) = read_data(data, None, Path("labels.yaml"), Settings(), own=own)
        assert sample.labelled == {"hail_mark"}


def test_labels_of_stored_pictures_are_read_if_told_so() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save("a.png", exif=exif)
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 10]}],
        "categories": [{"id": 1, "name": "dent"}],
    }
    Path("labels.json").write_text(json.dumps(document))
    data = [Data("", Path("labels.json"), None)]
    with pytest.raises(DatasetError, match="`--frame stored` turns them"):
        list(read_data(data, None, None, Settings()))
    (sample,) = read_data(data, None, None, Settings(), frame=Frame.STORED)
    assert (sample.size_hw, sample.annotations[0].box_xyxy) == ((40, 30), (20, 0, 30, 20))
