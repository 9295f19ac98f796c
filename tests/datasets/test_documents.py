"""Label files as text: read under limits, told line and column when broken, harmless when hostile."""

from __future__ import annotations

import csv
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentify.datasets.documents import (
    OTHER_ENCODING,
    csv_columns,
    csv_head,
    iterate_xml,
    read_csv,
    read_json,
    read_text,
    read_yaml,
    xml_root,
)
from dentify.errors import DatasetError
from dentify.settings import Settings

SETTINGS = Settings()
ENTITY_BOMB = '<!DOCTYPE a [<!ENTITY x "boom"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]><a>&y;</a>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
OUTSIDE_DTD = '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>&x;</a>'
YAML_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [{', '.join([f'*{before}'] * 9)}]\n" for before, letter in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels"


def xml_of(path: Path) -> list[str]:
    return [f"{event} {element.tag}" for event, element in iterate_xml(path, SETTINGS)]


def test_json_is_read_with_and_without_a_byte_order_mark(file: Path) -> None:
    for data in (b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}'):
        file.write_bytes(data)
        assert read_json(file, SETTINGS) == {"a": 1}


WRONG_JSON = {
    "cut off": (
        '{"a": [1, 2',
        r"broken JSON at line 1, column 12 \(of 11 characters, 11 are readable\): .*; is the file cut off\?",
    ),
    "a page of HTML": ("<!DOCTYPE html>\n<html>", "broken JSON at line 1, column 1"),
    "empty": ("", "broken JSON at line 1, column 1"),
    "nested a million deep": ("[" * 1_000_000, "nested too deep|broken JSON"),
    "a number of 10,000 digits": ("9" * 10_000, "with a number too long"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_JSON.values(), ids=WRONG_JSON.keys())
def test_json_that_is_none_says_where(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_json(file, SETTINGS)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_file_over_the_limit_is_not_read_at_all(file: Path) -> None:
    file.write_text("[1, 2, 3, 4, 5]")
    small = Settings(max_annotation_bytes=10)
    for read in (read_json, read_yaml, lambda *args: list(read_csv(*args)), lambda *args: list(iterate_xml(*args))):
        with pytest.raises(DatasetError, match=r"over the limit of 10 bytes; split it, or raise DENTIFY_MAX_ANNOTATION_BYTES"):
            read(file, small)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_whatever_separates_its_fields(file: Path, delimiter: str) -> None:
    rows = [["file", "label"], ["a.jpg", "dent"], ["b, c; d.jpg", 'say "dent"\nor so']]
    with file.open("w", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    assert csv_columns(file) == ["file", "label"]
    assert list(read_csv(file, SETTINGS)) == [
        (2, {"file": "a.jpg", "label": "dent"}),
        (4, {"file": "b, c; d.jpg", "label": 'say "dent"\nor so'}),
    ]


WRONG_CSV = {
    "a field too few": ("file,label\na.jpg,dent\nb.jpg\n", "line 3: needs 2 fields, as the first line has"),
    "a field too many": ("file,label\na.jpg,dent,really\n", "line 2: needs 2 fields"),
    "cut off in a quoted field": ('file,label\na.jpg,"de', r"line 2: broken CSV: unexpected end of data; is the file cut off\?"),
    "text behind a quoted field": ('file,label\na.jpg,"dent"s\n', "line 2: broken CSV: "),
}


@pytest.mark.parametrize(("text", "message"), WRONG_CSV.values(), ids=WRONG_CSV.keys())
def test_a_csv_that_does_not_hold_says_in_which_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(DatasetError, match=message):
        list(read_csv(file, SETTINGS))


def test_a_row_of_another_length_can_be_left_out(file: Path) -> None:
    file.write_text("file,label\na.jpg\nb.jpg,dent\n")
    errors: list[DatasetError] = []
    assert [row["file"] for _, row in read_csv(file, SETTINGS, errors.append)] == ["b.jpg"]
    assert len(errors) == 1


def test_xml_is_told_element_by_element(file: Path) -> None:
    file.write_text("<a><b/></a>")
    assert xml_of(file) == ["start a", "start b", "end b", "end a"]
    assert xml_root(file, SETTINGS) == "a"


WRONG_XML = {
    "cut off": ("<a>\n <b", r"broken XML at line 2, column 2: .*; is the file cut off\?"),
    "no XML": ("dent,scratch", "broken XML at line 1, column 1"),
    "empty": ("", "broken XML at line 1, column 1"),
    "an entity bomb": (ENTITY_BOMB, "XML that declares entities or an odd encoding is not read"),
    "an entity that is a file": (EXTERNAL, "XML that declares entities or an odd encoding is not read"),
    "an entity from elsewhere": (OUTSIDE_DTD, "XML"),
    "an encoding that nobody knows": ('<?xml version="1.0" encoding="dentish"?><a/>', "XML"),
    "an encoding of several bytes": ('<?xml version="1.0" encoding="utf-7"?><a/>', "XML"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_XML.values(), ids=WRONG_XML.keys())
def test_xml_that_is_broken_or_hostile_is_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        xml_of(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


WRONG_YAML = {
    "broken": ("a: [1, 2", "broken YAML: "),
    "a list": ("- a\n- b\n", "expected keys and values, got a list"),
    "a word": ("dent", "expected keys and values, got a str"),
    "empty": ("", "expected keys and values, got nothing"),
    "nested deep": ("[" * 600, "YAML nested too deep"),
    "a Python object": ("a: !!python/object/apply:os.getcwd []", "broken YAML: could not determine a constructor"),
    "a list bomb": (
        f"- &a [x, x]\n{''.join(f'- &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]' + chr(10) for n in range(25))}",
        "aliases make more than",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG_YAML.values(), ids=WRONG_YAML.keys())
def test_yaml_that_is_no_mapping_is_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_yaml(file, SETTINGS)
    assert "\n" not in str(caught.value)


def test_a_yaml_bomb_is_refused_before_anything_is_made_of_it(file: Path) -> None:
    file.write_text(YAML_BOMB)
    with pytest.raises(DatasetError, match=r"too odd \(aliases make more than"):
        read_yaml(file, SETTINGS)


def test_what_is_no_text_is_said_to_be_none(file: Path) -> None:
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DatasetError, match="not UTF-8 text at byte 7"):
        read_json(file, SETTINGS)
    file.write_bytes(b"a,\xff\0,b")
    assert csv_columns(file) == []
    with pytest.raises(DatasetError, match="cannot be read"):
        read_json(file.parent, SETTINGS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_texts_of_every_unicode_encoding_are_read(file: Path, encoding: str) -> None:
    file.write_bytes('{"name": "T\u00fcr"}'.encode(encoding))
    assert read_json(file, SETTINGS) == {"name": "T\u00fcr"}
    file.write_bytes("file;label\r\na.jpg;g\u00f6\u00e7\u00fck\r\n".encode(encoding))
    assert list(read_csv(file, SETTINGS)) == [(2, {"file": "a.jpg", "label": "g\u00f6\u00e7\u00fck"})]
    assert csv_columns(file) == ["file", "label"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_csv_of_excels_code_page_is_read_and_that_is_told(file: Path, start: bytes) -> None:
    file.write_bytes(start + "file;label\r\na.jpg;Tür\r\n".encode("cp1252"))
    told: list[str] = []
    rows = read_csv(file, SETTINGS, adjust=lambda rule, where: told.append(rule))
    assert [row for _, row in rows] == [{"file": "a.jpg", "label": "Tür"}]
    assert told == [OTHER_ENCODING]
    with pytest.raises(DatasetError, match="not UTF-8 text at byte"):  # where nobody is told
        list(read_csv(file, SETTINGS))


SEPARATED = ["a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "a|b\n1|2\n", "sep=;\na;b\n1;2\n"]
SEPARATED += ["a,b\r1,2\r", '"a",b\n\n1,2\n', "sep=:\na:b\n1:2"]


@pytest.mark.parametrize("text", SEPARATED)
def test_fields_are_separated_in_many_ways(file: Path, text: str) -> None:
    file.write_bytes(text.encode())
    assert [row for _, row in read_csv(file, SETTINGS)] == [{"a": "1", "b": "2"}]


def test_the_head_of_a_long_file_ends_with_a_whole_row(file: Path) -> None:
    file.write_text("a,b\n" + f"{'x' * 30_000},\u00fc\n" * 3)
    assert [len(row) for row in csv_head(file)] == [2, 2, 2]
    file.write_text("a,b\n" + "\u00fc" * 70_000)
    assert csv_columns(file) == ["a", "b"]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    readers: list[Any] = [read_json, read_yaml, lambda *args: list(read_csv(*args)), lambda *args: list(iterate_xml(*args))]
    for read in readers:
        told = ""
        try:
            read(path, SETTINGS)
        except DatasetError as error:
            told = str(error)
        assert "\n" not in told


def test_a_document_a_line_is_told_from_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    path.write_text('{"source-ref": "a.jpg"}\n{"source-ref": "b.jpg"}\n')
    with pytest.raises(DatasetError, match=r"lines.json: holds a JSON document a line; call it .jsonl, or .manifest$"):
        read_json(path, Settings())
    path.write_text('{"a": 1} and more')
    with pytest.raises(DatasetError, match=r"broken JSON at line 1, column 10"):
        read_json(path, Settings())


# Out of all proportion


@pytest.mark.parametrize("piece", ["{}", "[]", '{"a":1}', "0", '""', "[[]]"])
def test_json_of_many_small_pieces_is_refused_before_it_is_read(tmp_path: Path, piece: str) -> None:
    """21 MB of `{}` took 1.5 GB; what is smaller takes what such pieces may take in all."""
    path = tmp_path / "a.json"
    path.write_text(f"[{','.join([piece] * (10 * 2**20 // (len(piece) + 1)))}]")
    tracemalloc.start()
    try:
        if piece in ("0", '""'):  # 20 bytes for a byte and less
            read_json(path, Settings())
        else:
            with pytest.raises(
                DatasetError, match=r"a\.json: 10 MiB that would take .* of memory; no labels are made of so many"
            ):
                read_json(path, Settings())
        assert tracemalloc.get_traced_memory()[1] < 20 * 10 * 2**20 + 200 * 2**20
    finally:
        tracemalloc.stop()


def test_json_as_tools_write_it_is_read_at_any_size(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1.5, 2.5, 30.25, 40.75], "segmentation": [[1.5, 2.5] * 20]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps([row] * 60_000, separators=(",", ":")))
    assert len(read_json(path, Settings())) == 60_000


def test_xml_of_many_small_pieces_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<annotations>{'<a/>' * 500_000}</annotations>")
    with pytest.raises(DatasetError, match=r"a\.xml: [\d,]+ elements, each smaller than any of labels; are these labels\?$"):
        for _ in iterate_xml(path, Settings()):
            pass


# What is no file


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes as on Unix")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", "<annotation_of_a_photo>" * 101 + "</annotation_of_a_photo>" * 101),
        ("a.xml", "<annotation_of_a_photo>" * 200_000),
        ("a.json", '[{"annotations": ' * 100_000),
        ("a.json", '{"a":' * 50_000 + "1" + "}" * 50_000),
        ("a.yaml", "[" * 50_000),
    ],
    ids=["XML", "XML without end", "JSON without end", "JSON", "YAML"],
)
def test_what_is_nested_deeper_than_labels_is_refused(tmp_path: Path, name: str, text: str) -> None:
    read = {".xml": xml_root_and_all, ".json": read_json, ".yaml": read_yaml}[Path(name).suffix]
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=f"{name}: [^\n]*( deep|broken JSON)[^\n]*$"):
        read(tmp_path / name, Settings())


def test_xml_as_deep_as_tools_write_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>" * 100 + "</a>" * 100)
    assert xml_root_and_all(tmp_path / "a.xml", Settings()) == 200


def xml_root_and_all(path: Path, settings: Settings) -> int:
    return sum(1 for _ in iterate_xml(path, settings))


@pytest.mark.parametrize("odd", ["pipe", "device"])
@pytest.mark.parametrize("read", [read_json, read_text, read_yaml, xml_root])
def test_pipes_and_devices_are_no_files_of_labels(tmp_path: Path, odd: str, read: Callable[..., Any]) -> None:
    """A pipe waits for ever, and a link to /dev/zero is read until memory ends: its size is told as 0."""
    path = tmp_path / "labels.json"
    if odd == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match="is a pipe or a device and no file; name a file of labels"):
        read(path, Settings())
    assert csv_columns(path) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs files whose size is told as 0")
def test_a_file_that_is_longer_than_it_says_is_read_up_to_the_limit() -> None:
    assert "Name:" in read_text(Path("/proc/self/status"), Settings())
    with pytest.raises(DatasetError, match="over the limit of 20 bytes"):
        read_text(Path("/proc/self/status"), Settings(max_annotation_bytes=20))
