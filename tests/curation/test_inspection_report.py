"""An inspection for people: a table, and a page that holds all it shows and runs nothing that a label says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentify.curation.inspection import Inspected, Inspection, Problem, SamePhotos, SplitFigures, inspect_dataset
from dentify.curation.inspection_report import (
    MOST_LINES,
    MOST_TYPES,
    check_folder,
    inspection_page,
    inspection_table,
    write_inspection,
)
from dentify.datasets import open_dataset
from dentify.errors import DatasetError, OutputError
from dentify.settings import Settings
from html_page import Page


def empty(**changes: Any) -> Inspection:
    """An inspection of nothing, with some of it changed."""
    fields: dict[str, Any] = {
        "path": "photos", "format": "coco", "title": "COCO JSON", "splits": {}, "types": {}, "labels": {}, "severities": {},
        "kinds": {}, "photo_severities": {}, "views": {}, "marks": {}, "untyped": 0,
        "sources": {}, "sizes": None, "pictures_read": True, "problems": (), "duplicates": (), "notes": (),
    }  # fmt: skip
    return Inspection.model_validate(fields | changes)


def inspected_coco(folder: Path, names: Sequence[str], **image: Any) -> Inspected:
    """A photo with an annotation of each name, inspected."""
    data = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    row = {"id": 1, "file_name": "a.png", "width": 64, "height": 48} | image
    Image.fromarray(data).save(folder / row["file_name"])
    annotations = [{"id": n, "image_id": 1, "category_id": n, "bbox": [1, 1, 20, 10 + n % 30]} for n in range(len(names))]
    document = {
        "images": [row],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        "annotations": annotations,
    }
    (folder / "labels.json").write_text(json.dumps(document))
    problems: list[DatasetError] = []
    return inspect_dataset(open_dataset(folder, check_pictures=False, on_invalid=problems.append), problems)


ELEMENTS = {
    "html", "meta", "title", "style", "body", "h1", "h2", "p", "pre", "img", "div", "figure", "figcaption", "details", "summary",
}  # fmt: skip


# --- the table -----------------------------------------------------------------------------------------------------------


def test_the_table_tells_counts_problems_and_duplicates() -> None:
    inspection = empty(
        splits={
            "train": SplitFigures(photos=2, labelled=1, annotations=3),
            "val": SplitFigures(photos=1, labelled=1, annotations=0),
        },
        labels={"whole": 2},
        sources={"bilgi": 3},
        severities={"minor": 1},
        problems=(Problem(kind="wrong size", message="a.json: b.png is odd"),),
        duplicates=(
            SamePhotos(first="a.png", second="b.png", exact=True, splits=("train", "val")),
            SamePhotos(first="c.png", second="d.png", exact=False, splits=("train", "train")),
        ),
        notes=("3 pictures are not in these labels",),
    )
    assert inspection_table(inspection).splitlines() == [
        "photos: COCO JSON, 3 photos, 3 annotations",
        "sources: bilgi 3",
        "severity of annotations: minor 1",
        "",
        "note: 3 pictures are not in these labels",
        "",
        "split  photos  labelled  annotations",
        "train       2         1            3",
        "val         1         1            0",
        "",
        "label of whole photos  photos",
        "whole                       2",
        "",
        "1 problem: 1 wrong size",
        "  wrong size: a.json: b.png is odd",
        "",
        "2 pairs of duplicates and near-duplicates, 1 of them across splits",
        "  same file: a.png, b.png (train, val)",
        "  near-duplicates: c.png, d.png",
    ]


def test_words_that_nobody_explained_are_told_with_the_nearest_names() -> None:
    table = inspection_table(empty(unknown={"scrtch": 40, "reflection": 2, "Car": 1}))
    rows = [line.split() for line in table.splitlines()]
    assert all(row in rows for row in (["scrtch", "40", "`scratch`"], ["reflection", "2", "–"], ["Car", "1", "`vehicle`"]))
    assert "neither damage nor parts until --labels says what each becomes; -o writes a draft of it" in table


def test_what_is_known_of_whole_photos_and_marked_on_annotations_is_told() -> None:
    inspection = empty(
        kinds={"damaged": 5, "no_vehicle": 2, "unknown": 1},
        photo_severities={"severe": 4},
        views={"front_left": 3, "close": 1},
        marks={"unsure": 2, "other_car": 1, "loose": 7},
        untyped=9,
    )
    assert inspection_table(inspection).splitlines()[1:6] == [
        "photos known as: damaged 5, no vehicle 2, nothing 1",
        "severity of whole photos: severe 4",
        "views: front_left 3, close 1",
        "annotations marked: unsure 2, of another vehicle 1, of loose parts 7",
        "damage of a type that nobody told: 9 annotations ('damage')",
    ]


def test_a_column_says_how_many_are_to_be_ignored_where_some_are(tmp_path: Path) -> None:
    inspection = inspected_coco(tmp_path, ["dent", "hood"]).inspection
    assert "to ignore" not in inspection_table(inspection)
    types = inspection.types | {"dent": inspection.types["dent"].model_copy(update={"ignored": 4})}
    table = inspection_table(inspection.model_copy(update={"types": types}))
    assert re.search(r"^dent .* 4$", table, re.MULTILINE)
    assert re.search(r"^hood .* 0$", table, re.MULTILINE)


def test_types_are_a_column_a_split(tmp_path: Path) -> None:
    inspection = inspected_coco(tmp_path, ["dent", "hood"]).inspection
    split = inspection.types["dent"].model_copy(update={"splits": {"train": 2, "val": 1}, "instances": 3})
    figures = {name: SplitFigures(photos=1, labelled=1, annotations=1) for name in ("train", "val")}
    table = inspection_table(inspection.model_copy(update={"types": {"dent": split}, "splits": figures}))
    assert re.search(r"^type +kind +instances +photos +outlines +area of the photo, median +train +val$", table, re.MULTILINE)
    assert re.search(r"^dent +damage +3 +1 +1 boxes +6.5 % +2 +1$", table, re.MULTILINE)


def test_long_lists_are_cut_and_say_where_the_rest_is() -> None:
    problems = tuple(Problem(kind="odd", message=f"line {number}") for number in range(MOST_LINES + 3))
    table = inspection_table(empty(problems=problems))
    assert f"{MOST_LINES + 3} problems: {MOST_LINES + 3} odd" in table
    assert table.count("  odd: line") == MOST_LINES
    assert "  … and 3 more; -o writes all of them" in table


def test_a_table_of_unopened_pictures_says_so() -> None:
    assert "no problems (pictures were not opened)" in inspection_table(empty(pictures_read=False))
    assert "duplicates" not in inspection_table(empty(pictures_read=False))
    assert "0 pairs of duplicates" in inspection_table(empty())


def test_names_that_someone_chose_cannot_steer_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[31mred\nline\x9b" + "x" * 500
    inspection = inspected_coco(tmp_path, [name], source=name, labels=[name]).inspection
    split = SplitFigures(photos=1, labelled=1, annotations=1)
    same = SamePhotos(first=name, second=name, exact=True, splits=(name, "b"))
    table = inspection_table(inspection.model_copy(update={"splits": {name: split}, "duplicates": (same,), "path": name}))
    assert "\x1b" not in table
    assert "\x9b" not in table
    assert table.count(r"\x1b[31mred\nline\x9b") >= 6
    types = next(line for line in table.splitlines() if " damage " in line)
    assert len(types) < 200


@pytest.mark.parametrize(("width", "share"), [(64, "100 %"), (63.6, "99 %"), (6.4, "10 %"), (0.7, "1.1 %")])
def test_an_area_is_told_in_two_digits_or_100(tmp_path: Path, width: float, share: str) -> None:
    inspected_coco(tmp_path, ["dent"])
    document = json.loads((tmp_path / "labels.json").read_text())
    document["annotations"][0]["bbox"] = [0, 0, width, 48]
    (tmp_path / "labels.json").write_text(json.dumps(document))
    inspected = inspect_dataset(open_dataset(tmp_path), [])
    assert f"  {share}" in inspection_table(inspected.inspection)


# --- the page ------------------------------------------------------------------------------------------------------------

HOSTILE = ["<script>alert(1)</script>", '"><img src=https://evil.example onerror=alert(1)>', "</pre></style>", "{body}", "'&amp;"]


def test_the_page_holds_all_it_shows_and_asks_nobody(tmp_path: Path) -> None:
    page = Page(inspection_page(inspected_coco(tmp_path, ["dent", "hood"])))
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert page.asks_nobody()
    assert len(page.pictures()) == 3  # the plots, and the photo under both types
    assert "COCO JSON, 1 photos, 2 annotations" in page.text


def test_nothing_that_labels_and_names_say_becomes_markup(tmp_path: Path) -> None:
    inspected = inspected_coco(tmp_path, HOSTILE, file_name="<b>a&.png", source=HOSTILE[0], labels=HOSTILE)
    odd = HOSTILE[1]
    inspection = inspected.inspection.model_copy(
        update={
            "path": HOSTILE[0],
            "notes": (odd,),
            "problems": (Problem(kind=odd, message=HOSTILE[2]),),
            "splits": {HOSTILE[0]: SplitFigures(photos=1, labelled=1, annotations=1)},
            "duplicates": (SamePhotos(first=odd, second=odd, exact=True, splits=(odd, "b")),),
        }
    )
    sample = inspected.examples[HOSTILE[0]][0]
    page = Page(inspection_page(Inspected(inspection, inspected.examples, {odd: sample})))
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert page.asks_nobody()
    for word in HOSTILE:
        assert word in page.text
    assert "<b>a&.png" in page.text


@pytest.mark.parametrize(
    "names",
    [
        ["$\\frac$", "a$b$c", "$"],
        ["흠집", "\x1b[31m", "new\nline", "de\ud800nt"],
        ["x" * 5000],
        ["_hidden"],
        [f"type {number}" for number in range(MOST_TYPES + 5)],
        [],
    ],
    ids=["formula", "letters", "long", "underscore", "many", "none"],
)
def test_any_names_can_be_plotted(tmp_path: Path, names: list[str]) -> None:
    inspected = inspected_coco(tmp_path, names)
    paths = write_inspection(inspected, tmp_path / "out")
    page = Page(paths[1].read_text(encoding="utf-8"))
    assert sum(one.get("class") == "plot" for _, one in page.elements) == bool(names)
    assert sum(tag == "figure" for tag, _ in page.elements) == min(len(names), MOST_TYPES)
    assert ("… and 5 more types" in page.text) == (len(names) > MOST_TYPES)


def test_labels_without_sizes_make_a_page(tmp_path: Path) -> None:
    inspected = inspected_coco(tmp_path, ["dent"])
    dent = inspected.inspection.types["dent"].model_copy(update={"area_share": None})
    inspection = inspected.inspection.model_copy(update={"types": {"dent": dent}, "sizes": None})
    assert "<img class=plot" in inspection_page(Inspected(inspection, {}, {}))
    assert re.search(r"^dent .* –$", inspection_table(inspection), re.MULTILINE)


def test_photos_that_cannot_be_drawn_are_left_out_of_the_page(tmp_path: Path) -> None:
    inspected = inspected_coco(tmp_path, ["dent"])
    (tmp_path / "a.png").write_bytes(b"gone")
    assert "<figure" not in inspection_page(inspected)


def test_the_limits_of_the_settings_hold_for_photos_of_the_page(tmp_path: Path) -> None:
    inspected = inspected_coco(tmp_path, ["dent"])
    assert "<figure" in inspection_page(inspected, settings=Settings())
    assert "<figure" not in inspection_page(inspected, settings=Settings(max_pixels=1000))


# --- files ---------------------------------------------------------------------------------------------------------------


def test_json_and_page_are_written_and_not_replaced_unasked(tmp_path: Path) -> None:
    inspected = inspected_coco(tmp_path, ["dent"])
    folder = tmp_path / "new" / "out"
    assert [path.name for path in write_inspection(inspected, folder)] == ["inspection.json", "inspection.html"]
    assert Inspection.model_validate_json((folder / "inspection.json").read_text()) == inspected.inspection
    for name in ("inspection.json", "inspection.html"):
        (folder / name).write_text("mine")
    with pytest.raises(OutputError, match=r"inspection.json: is there already; --overwrite replaces it$"):
        write_inspection(inspected, folder)
    (folder / "inspection.json").unlink()
    with pytest.raises(OutputError, match=r"inspection.html: is there already; --overwrite replaces it$"):
        write_inspection(inspected, folder)
    assert (folder / "inspection.html").read_text() == "mine"
    write_inspection(inspected, folder, overwrite=True)
    assert (folder / "inspection.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir()) == ["inspection.html", "inspection.json"]


def test_a_file_is_no_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match=r"out: is a file; name a folder for the inspection$"):
        check_folder(tmp_path / "out", overwrite=True)
