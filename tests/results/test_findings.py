"""findings.csv and COCO: what other programs read is what the answers say."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from answers import answer, finding
from dentify.assessment import Assessment, PartOfFinding, Review, ReviewReason, Severity
from dentify.imaging.masks import rle_area
from dentify.results.findings import FINDING_COLUMNS, coco_document, finding_rows
from dentify.spreadsheets import cell_text, csv_bytes, csv_line


def table(*answers: Assessment) -> bytes:
    lines = [csv_line(FINDING_COLUMNS), *(csv_line(cells) for one in answers for cells in finding_rows(one))]
    return csv_bytes(lines)


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def coco(*answers: Assessment, types: tuple[str, ...] = ("dent", "scratch")) -> dict[str, Any]:
    document = json.loads("".join(coco_document(lambda: answers, types)))
    assert isinstance(document, dict)
    return document


def test_a_finding_is_a_row() -> None:
    of_finding = ReviewReason(code="weak_type", finding=1, text="…")
    review = Review(needed=True, reasons=(of_finding, ReviewReason(code="poor_quality", text="…")))
    severe = Severity(level="severe", confidence=0.7)
    (row,) = rows(table(answer(findings=(finding(severity=severe, confidence=0.4321),), review=review)))
    assert row == {
        "name": "a.jpg", "finding": "1", "type": "dent", "certainty": "possible", "confidence": "0.4321",
        "x_min": "60", "y_min": "30", "x_max": "100", "y_max": "50", "parts": "front_left_door", "side": "left",
        "area_share": "0.04", "share_of_part": "0.1", "severity": "severe", "review": "weak_type", "crop": "",
    }  # fmt: skip


def test_sides_are_those_of_all_its_parts() -> None:
    parts = [
        PartOfFinding(name=name, confidence=1, share_of_finding=0.5, share_of_part=0.1)
        for name in ("hood", "front_right_light", "front_left_light")
    ]
    (row,) = rows(table(answer(findings=(finding(parts=tuple(parts)),))))
    assert (row["parts"], row["side"]) == ("hood; front_right_light; front_left_light", "left; right")
    (row,) = rows(table(answer(findings=(finding(parts=tuple(parts[:1])),))))
    assert (row["parts"], row["side"]) == ("hood", "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_is_read_as_it_was_written_and_is_no_formula(name: str, kind: str) -> None:
    (row,) = rows(table(answer(name, findings=(finding(kind=kind),))))
    assert row["name"].removeprefix("./") == name.removeprefix("./")
    assert cell_text(row["type"]) == kind
    for cell in row.values():
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


NAMES = ("=HYPERLINK(1).jpg", "Dellen/ü ☂.jpg", "a,b;c.jpg", 'quo"te.jpg')


def test_pandas_reads_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    (tmp_path / "findings.csv").write_bytes(table(*(answer(name, findings=(finding(),)) for name in NAMES)))
    frame = pandas.read_csv(tmp_path / "findings.csv")
    assert list(frame.columns) == list(FINDING_COLUMNS)
    assert [name.removeprefix("./") for name in frame["name"]] == list(NAMES)
    assert frame["confidence"].dtype == float
    assert frame["x_max"].tolist() == [100] * 4


def test_libreoffice_reads_it_without_formulas(tmp_path: Path) -> None:
    """It saves what it read as a CSV of its own, in which a formula would be its value."""
    if shutil.which("soffice") is None:
        pytest.skip("needs LibreOffice")
    (tmp_path / "findings.csv").write_bytes(table(*(answer(name, findings=(finding(kind="=1+1"),)) for name in NAMES)))
    home = f"-env:UserInstallation={(tmp_path / 'office').as_uri()}"
    utf8 = "Text - txt - csv (StarCalc):44,34,76"
    command = ["soffice", home, "--headless", f"--infilter={utf8}", "--convert-to", f"csv:{utf8}", "--outdir", "read"]
    done = subprocess.run([*command, "findings.csv"], cwd=tmp_path, capture_output=True, timeout=300, check=False)
    if not (tmp_path / "read" / "findings.csv").exists():
        pytest.skip(f"LibreOffice could not convert: {done.stderr.decode()[-200:]}")
    read = rows((tmp_path / "read" / "findings.csv").read_bytes())
    assert [row["name"].removeprefix("./") for row in read] == list(NAMES)
    assert {row["type"] for row in read} == {"'=1+1"}


def test_coco_holds_photos_findings_and_types() -> None:
    severe = Severity(level="severe", confidence=0.7)
    document = coco(answer("a.jpg"), answer("b.jpg", findings=(finding(2, "scratch", severity=severe), finding(3, "hail"))))
    assert [(image["id"], image["file_name"]) for image in document["images"]] == [(1, "a.jpg"), (2, "b.jpg")]
    assert {one["id"]: one["name"] for one in document["categories"]} == {1: "dent", 2: "scratch", 3: "hail"}
    first, second = document["annotations"]
    assert (first["image_id"], first["category_id"], first["bbox"], first["area"]) == (2, 2, [60, 30, 40, 20], 800)
    assert (first["score"], first["finding"], first["severity"]) == (0.8, 2, "severe")
    assert (second["id"], second["category_id"], second["severity"]) == (2, 3, None)


def test_without_photos_or_findings_it_is_coco_all_the_same() -> None:
    assert coco()["images"] == coco()["annotations"] == coco(answer())["annotations"] == []


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pycocotools_reads_it_and_its_masks(tmp_path: Path) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    one, box_only = finding(1), finding(2, mask=None)
    (tmp_path / "results.coco.json").write_text(json.dumps(coco(answer(findings=(one, box_only)))))
    read = tools.COCO(str(tmp_path / "results.coco.json"))
    annotation = read.loadAnns([1])[0]
    assert one.mask is not None
    assert int(read.annToMask(annotation).sum()) == rle_area(one.mask) == 800
    assert read.loadAnns([2])[0]["segmentation"] == []


def test_it_is_read_as_labels_of_ones_own(tmp_path: Path) -> None:
    from dentify.datasets import open_dataset

    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg")
    (tmp_path / "results.coco.json").write_text(json.dumps(coco(answer(findings=(finding(),)))))
    (sample,) = open_dataset(tmp_path / "results.coco.json")
    assert [(one.name, tuple(one.box_xyxy)) for one in sample.annotations] == [("dent", (60.0, 30.0, 100.0, 50.0))]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_is_json(name: str, kind: str) -> None:
    document = coco(answer(name, findings=(finding(kind=kind),)))
    assert document["images"][0]["file_name"] == name
    assert kind in {one["name"] for one in document["categories"]}
