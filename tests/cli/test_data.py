"""DATA: what commands take as labelled photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer import BadParameter

from dentify.cli.data import Data, parse_data, read_data
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


def test_a_path_with_a_colon_that_is_there_has_no_split() -> None:
    Path("odd:name").mkdir()
    assert parse_data("odd:name") == Data("", Path("odd:name"), None)


def test_a_list_of_photos_needs_its_label() -> None:
    with pytest.raises(BadParameter, match="has no outlines to judge by; say damaged=, undamaged= or no_vehicle="):
        parse_data("photos.csv")


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
        '{"categories": [], "images": [{"id": 1, "file_name": "a.png", "width": 192, "height": 128}], "annotations": []}'
    )
    assert len(list(read_data([Data("", Path("labels.json"), None)], None, None, Settings()))) == 1
    with pytest.raises(DatasetError, match=r"labels\.json: holds no photo of split 'val'"):
        list(read_data([Data("", Path("labels.json"), "val")], None, None, Settings()))
