"""What is written in a format is read back as it was, or the writer says what its format cannot hold."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from dentify.datasets import Annotation, Sample
from dentify.datasets.convert import WRITABLE, write_dataset
from dentify.errors import DatasetError
from dentify.imaging.masks import polygons_to_mask, rle_decode, rle_encode, rle_to_box
from written_samples import HEIGHT, TRIANGLE, WIDTH, annotation, sample, written

OUTLINED = tuple(name for name in WRITABLE if name != "masks")  # formats that hold outlines and not pixels
Polygon = Any


def masked(mask: Any, name: str = "dent", **facts: Any) -> Annotation:
    rle = rle_encode(np.asarray(mask, bool))
    box = rle_to_box(rle)
    assert box is not None
    return Annotation(name, box, rle=rle, **facts)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that examples of one test write to in turn."""
    return tmp_path_factory.mktemp("scratch") / "out"


# --- outlines ------------------------------------------------------------------------------------------------------------


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    """A polygon around a point, from a speck to most of the photo, with up to nine corners."""
    count = draw(st.integers(3, 9))
    centre = np.array([draw(st.floats(5, WIDTH - 5)), draw(st.floats(5, HEIGHT - 5))])
    radii = np.array(draw(st.lists(st.floats(0.5, 40), min_size=count, max_size=count)))
    angles = 2 * np.pi * np.arange(count) / count
    points = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.clip(points, 0, (WIDTH, HEIGHT))


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    x, y = draw(st.floats(0, WIDTH - 1)), draw(st.floats(0, HEIGHT - 1))
    return x, y, draw(st.floats(x + 0.5, WIDTH)), draw(st.floats(y + 0.5, HEIGHT))


@st.composite
def bitmaps(draw: st.DrawFn) -> Any:
    """Pixels in large and small pieces, with holes, up to the photo's edges."""
    cells = draw(st.lists(st.booleans(), min_size=48, max_size=48).filter(any))
    mask = np.kron(np.array(cells).reshape(6, 8), np.ones((8, 8))).astype(bool)
    for _ in range(draw(st.integers(0, 3))):
        mask[draw(st.integers(0, HEIGHT - 1)), draw(st.integers(0, WIDTH - 1))] ^= True
    return mask if mask.any() else ~mask


@pytest.mark.parametrize("to", OUTLINED)
@given(things=st.lists(st.tuples(st.sampled_from(["dent", "hood", "Çizik & <1>"]), polygons()), min_size=1, max_size=4))
def test_each_polygon_comes_back_where_it_was(scratch: Path, to: str, things: list[tuple[str, Polygon]]) -> None:
    names = frozenset(name for name, _ in things)
    lost, (back,) = written([sample("a.png", *(annotation(*one) for one in things), labelled=names)], to, scratch)
    assert not lost
    assert [one.name for one in back.annotations] == [name for name, _ in things]
    for one, (_, polygon) in zip(back.annotations, things, strict=True):
        assert len(one.polygons) == 1
        np.testing.assert_allclose(one.polygons[0], polygon, atol=0.01)


@pytest.mark.parametrize("to", OUTLINED)
@given(several=st.lists(boxes(), min_size=1, max_size=4))
def test_each_box_comes_back_where_it_was(scratch: Path, to: str, several: list[tuple[float, float, float, float]]) -> None:
    lost, (back,) = written([sample("a.png", *(Annotation("dent", box) for box in several))], to, scratch)
    assert not lost
    assert not any(one.has_mask for one in back.annotations)
    np.testing.assert_allclose([one.box_xyxy for one in back.annotations], several, atol=0.01)


@pytest.mark.parametrize("to", ["coco", "cvat", "label_studio"])
@given(mask=bitmaps())
def test_masks_come_back_pixel_by_pixel(scratch: Path, to: str, mask: Any) -> None:
    lost, (back,) = written([sample("a.png", masked(mask))], to, scratch)
    assert not lost
    (one,) = back.annotations
    assert one.rle is not None
    np.testing.assert_array_equal(rle_decode(one.rle), mask)


HOLES, PIECES = "holes in masks were filled", "things in several pieces became one a piece"


@pytest.mark.parametrize("to", ["yolo", "via"])
@given(mask=bitmaps())
def test_masks_become_the_polygons_around_them_without_holes(scratch: Path, to: str, mask: Any) -> None:
    lost, (back,) = written([sample("a.png", masked(mask))], to, scratch)
    # pixels of the background that reach the edge of the photo over their four neighbours lie in no hole
    around = np.pad(mask, 1)
    cv2.floodFill(flooded := around.astype(np.uint8), None, (0, 0), 2, flags=8)
    filled = (flooded != 2)[1:-1, 1:-1]
    np.testing.assert_array_equal(polygons_to_mask([one.polygons[0] for one in back.annotations], mask.shape), filled)
    pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    assert len(back.annotations) == pieces
    assert lost[PIECES] == (pieces > 1)
    assert (lost[HOLES] > 0) == bool((filled != mask).any())
    assert set(lost) <= {HOLES, PIECES}


@pytest.mark.parametrize("to", ["coco", "cvat"])
def test_a_thing_in_several_pieces_stays_one(scratch: Path, to: str) -> None:
    lost, (back,) = written([sample("a.png", annotation("dent", TRIANGLE, TRIANGLE + 15), annotation())], to, scratch)
    assert not lost
    assert [len(one.polygons) for one in back.annotations] == [2, 1]
    np.testing.assert_allclose(back.annotations[0].polygons[1], TRIANGLE + 15, atol=0.01)


@pytest.mark.parametrize("to", ["yolo", "via", "label_studio"])
def test_a_thing_in_several_pieces_falls_apart_with_a_note(scratch: Path, to: str) -> None:
    lost, (back,) = written([sample("a.png", annotation("dent", TRIANGLE, TRIANGLE + 15), annotation())], to, scratch)
    assert lost == {PIECES: 1}
    assert len(back.annotations) == 3


def test_yolo_tells_that_boxes_beside_polygons_became_polygons(scratch: Path) -> None:
    lost, (back,) = written([sample("a.png", annotation(), Annotation("dent", (30.0, 5.0, 40.0, 9.5)))], "yolo", scratch)
    assert lost == {"boxes beside polygons became polygons of four corners": 1}
    np.testing.assert_allclose(back.annotations[1].polygons[0], [[30, 5], [40, 5], [40, 9.5], [30, 9.5]], atol=0.01)


# --- mask PNGs -----------------------------------------------------------------------------------------------------------


@given(cells=st.lists(st.integers(0, 2), min_size=48, max_size=48).filter(any))
def test_mask_pngs_hold_masks_that_do_not_touch_exactly(scratch: Path, cells: list[int]) -> None:
    grid = np.kron(np.array(cells).reshape(6, 8), np.ones((8, 8))).astype(np.uint8)
    things = []
    for value, name in ((1, "dent"), (2, "hood")):
        count, numbered = cv2.connectedComponents((grid == value).astype(np.uint8), connectivity=8)
        things += [masked(numbered == number, name) for number in range(1, count)]
    names = frozenset(one.name for one in things)
    lost, (back,) = written([sample("a.png", *things, labelled=names)], "masks", scratch)
    assert not lost
    assert Counter((one.name, one.rle) for one in back.annotations) == Counter((one.name, one.rle) for one in things)
    assert back.labelled == names


def rectangle(x: int, y: int, w: int, h: int) -> Any:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    return mask


TOUCH = "things of one type that touch are one, and pieces that lie apart things of their own"
LIE_ON = "things lie on others, whose pixels below are lost"


@pytest.mark.parametrize(
    ("things", "lost", "count"),
    [
        ([masked(rectangle(2, 2, 8, 8)), masked(rectangle(10, 2, 8, 8))], {TOUCH: 1}, 1),
        ([masked(rectangle(2, 2, 8, 8) | rectangle(20, 2, 8, 8))], {TOUCH: 1}, 2),
        ([masked(rectangle(2, 2, 30, 30), "hood"), masked(rectangle(4, 4, 8, 8))], {LIE_ON: 1}, 2),
        ([masked(rectangle(4, 4, 8, 8)), masked(rectangle(2, 2, 30, 30), "hood")], {LIE_ON: 1}, 2),
        ([Annotation("dent", (2.0, 2.0, 9.0, 9.0))], {"boxes became filled rectangles": 1}, 1),
        ([annotation()], {"polygons became pixels": 1}, 1),
        (
            [annotation("dent", np.array([[5, 5], [5.1, 5], [5.1, 30]])), masked(rectangle(20, 2, 8, 8), "hood")],
            {"polygons became pixels": 1, "things too thin to cover the middle of a pixel were left out": 1, TOUCH: 1},
            1,
        ),
    ],
    ids=["touch", "apart", "nested", "nested, small one first", "box", "polygon", "thin"],
)
def test_mask_pngs_tell_what_pixels_cannot(scratch: Path, things: list[Annotation], lost: dict[str, int], count: int) -> None:
    told, (back,) = written(
        [sample("a.png", *things, labelled=frozenset({"dent", "hood"}))], "masks", scratch, names=("dent", "hood")
    )
    assert told == lost
    assert len(back.annotations) == count
    if LIE_ON in lost:  # the small one lies on top, whatever comes first
        dent = next(one for one in back.annotations if one.name == "dent")
        assert dent.box_xyxy == (4.0, 4.0, 12.0, 12.0)


def test_mask_pngs_are_class_indices_in_the_colours_of_their_list(scratch: Path) -> None:
    written([sample("a.jpg.png", masked(rectangle(2, 2, 8, 8), "hood"), labelled=frozenset({"hood"}))], "masks", scratch)
    picture = Image.open(scratch / "masks" / "train" / "a.jpg.png")
    assert (picture.mode, picture.size) == ("P", (WIDTH, HEIGHT))
    assert np.unique(np.array(picture)).tolist() == [0, 1]
    assert np.array(picture)[5, 5] == 1
    assert picture.convert("RGB").getpixel((5, 5)) == (128, 0, 0)
    assert (scratch / "labelmap.txt").read_text().splitlines()[1:] == ["background:0,0,0::", "hood:128,0,0::"]


def test_more_names_than_a_byte_tells_apart_are_refused(tmp_path: Path) -> None:
    names = tuple(f"type {number}" for number in range(255))
    with pytest.raises(DatasetError, match="255 names are more than the 254 that a mask of one byte can tell apart"):
        write_dataset([sample()], tmp_path / "out", "masks", names=names)
    assert not list(tmp_path.iterdir())
    write_dataset([sample()], tmp_path / "out", "masks", names=names[1:])


def test_names_that_a_list_of_names_cannot_hold_are_respelled_with_a_note(scratch: Path) -> None:
    names = ("dent", "part:rear fender", "part rear fender", "background", "#7", "a\nb")
    things = [masked(rectangle(2 + 8 * index, 2, 4, 4), name) for index, name in enumerate(names)]
    lost, (back,) = written([sample("a.png", *things, labelled=frozenset(names))], "masks", scratch, names=names)
    assert lost == {"names were respelled, as the list of names cannot hold them": 5}
    found = {one.name: one.box_xyxy[0] for one in back.annotations}
    assert found == {
        "dent": 2, "part rear fender": 10, "part rear fender 2": 18, "background 1": 26, "7": 34, "a\\nb": 42,
    }  # fmt: skip


# --- what is said beside outlines ----------------------------------------------------------------------------------------

ODD = frozenset({"dent", "hood"})
FACTS: dict[str, tuple[Sample, Callable[[Sample], object], str]] = {
    "severity": (sample("a.png", annotation(severity="moderate")), lambda one: one.annotations[0].severity, "severities"),
    "score": (sample("a.png", annotation(score=0.4321)), lambda one: one.annotations[0].score, "confidences"),
    "check": (
        sample("a.png", annotation(score=0.25, check=True, severity="minor")),
        lambda one: (one.annotations[0].check, one.annotations[0].severity),
        "marks of what to check",
    ),
    "original": (sample("a.png", annotation(original="göçük <1>")), lambda one: one.annotations[0].original, "own words"),
    "crowd": (sample("a.png", annotation(crowd=True)), lambda one: one.annotations[0].crowd, "crowds became single things"),
    "unsure": (sample("a.png", annotation(unsure=True)), lambda one: one.annotations[0].unsure, "to be ignored became plain"),
    "other car": (
        sample("a.png", annotation(other_car=True)),
        lambda one: one.annotations[0].other_car,
        "to be ignored became plain",
    ),
    "loose": (sample("a.png", annotation(loose=True)), lambda one: one.annotations[0].loose, "parts that lie on the ground"),
    "severity of the photo": (
        sample("a.png", annotation(), severity="severe"),
        lambda one: one.severity,
        "severities and views of whole photos",
    ),
    "view": (sample("a.png", annotation(), view="back"), lambda one: one.view, "severities and views of whole photos"),
    "labels": (
        sample("a.png", annotation(), labels=("02-moderate", "dent")),
        lambda one: one.labels,
        "photos' labels as a whole",
    ),
    "source": (sample("a.png", annotation(), source="bilgi"), lambda one: one.source, "sources and groups"),
    "group": (sample("a.png", annotation(), group="car 7"), lambda one: one.group, "sources and groups"),
    "labelled": (sample("a.png", annotation()), lambda one: one.labelled, "their source did not label; those look absent now"),
    "vehicle": (sample(vehicle=False), lambda one: one.vehicle, "whether photos show a vehicle, and a damaged one"),
    "damage": (sample(vehicle=True, damage=False), lambda one: one.damage, "whether photos show a vehicle, and a damaged one"),
    "sure absence": (sample(), lambda one: one.labelled, "looked for and not found count as not labelled"),
    "nobody looked": (sample(labelled=frozenset()), lambda one: one.labelled, "those look absent now"),
    "split": (sample("a.png", annotation(), split="val"), lambda one: one.split, "split"),
    "no split": (sample("a.png", annotation(), split=None), lambda one: one.split, "photos without a split became part of train"),
}
OURS = {"unsure", "other car", "loose", "severity of the photo", "view"}  # keys of Dentify's own, which COCO alone takes
LOST = {
    "coco": set[str](),
    "cvat": OURS | {"crowd", "source", "group", "labelled", "vehicle", "damage", "nobody looked"},
    "via": OURS | {"crowd", "labelled", "vehicle", "damage", "nobody looked"},
    "label_studio": OURS | {"original", "crowd", "labelled", "vehicle", "damage", "sure absence"},
    "yolo": set(FACTS) - {"split", "sure absence", "nobody looked"},
    "masks": set(FACTS) - {"split", "sure absence", "no split"},
}


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("to", WRITABLE)
def test_each_fact_comes_back_or_is_told_to_be_lost(scratch: Path, to: str, fact: str) -> None:
    one, told, words = FACTS[fact]
    names = ("dent", "hood") if fact == "labelled" else ("dent",)
    lost, (back,) = written([one], to, scratch, names=names)
    notes = [note for note in lost if note != "polygons became pixels"]
    if fact in LOST[to]:
        assert any(words in note for note in notes), notes
        return
    assert not [note for note in notes if words in note]
    if fact == "score":
        assert told(back) == pytest.approx(told(one), abs=1e-4)
    else:
        assert told(back) == told(one)


@pytest.mark.parametrize("to", ["cvat", "via", "label_studio"])
def test_a_severity_that_a_label_tells_is_not_lost_with_labels(scratch: Path, to: str) -> None:
    one = sample("a.png", annotation(), labels=("02-moderate",), severity="moderate")
    lost, (back,) = written([one], to, scratch)
    assert not [note for note in lost if "severities" in note]
    assert back.severity == "moderate"


@given(
    marks=st.lists(st.tuples(*[st.booleans()] * 5), min_size=1, max_size=4),
    severity=st.sampled_from([None, "minor", "moderate", "severe"]),
    view=st.none() | st.sampled_from(["front", "back_left", "close"]) | st.text(max_size=8),
)
def test_coco_keeps_every_mark_and_what_is_said_of_the_photo(
    scratch: Path, marks: list[tuple[bool, ...]], severity: str | None, view: str | None
) -> None:
    keys = ("unsure", "other_car", "loose", "check", "crowd")
    things = [annotation("damage", severity=severity, **dict(zip(keys, mark, strict=True))) for mark in marks]
    one = sample("a.png", *things, labelled=frozenset({"damage", "dent"}), severity=severity, view=view)
    lost, (back,) = written([one], "coco", scratch)
    assert not lost
    assert [tuple(getattr(each, key) for key in keys) for each in back.annotations] == marks
    assert [(each.name, each.severity) for each in back.annotations] == [("damage", severity)] * len(marks)
    assert (back.severity, back.view, back.labelled) == (severity, view, one.labelled)


@pytest.mark.parametrize("to", WRITABLE)
def test_nothing_is_said_to_be_lost_when_nothing_is(scratch: Path, to: str) -> None:
    one = masked(rectangle(2, 2, 8, 8)) if to == "masks" else annotation()
    samples = [sample("a.png", one), sample("b.png", one, number=1, split="val"), sample("c.png", one, number=2, split="test")]
    lost, back = written(samples, to, scratch)
    assert not lost
    assert [(each.split, each.labelled, len(each.annotations)) for each in back] == [
        (split, frozenset({"dent"}), 1) for split in ("train", "val", "test")
    ]


def test_a_photo_that_nobody_looked_at_is_not_one_with_nothing_on_it(scratch: Path) -> None:
    samples = [sample("a.png", annotation()), sample("b.png", number=1), sample("c.png", number=2, labelled=frozenset())]
    for to in ("yolo", "label_studio", "coco"):
        _, back = written(samples, to, scratch)
        assert [bool(one.labelled) for one in back] == [True, True, False], to
    written(samples, "yolo", scratch)
    assert {path.name: bool(path.read_text()) for path in scratch.rglob("*.txt")} == {"a.txt": True, "b.txt": False}


def test_types_that_are_annotated_count_as_labelled_even_where_the_source_left_them_out(scratch: Path) -> None:
    _, (back,) = written([sample("a.png", annotation("hood"), annotation("dent"))], "coco", scratch)
    assert back.labelled == {"dent", "hood"}
    assert len(back.annotations) == 2


def test_drafts_are_predictions_and_what_people_drew_annotations(scratch: Path) -> None:
    drafted = sample("a.png", annotation(score=0.4), annotation(score=0.9), labels=("damaged",))
    drawn = sample("b.png", annotation(), number=1)
    mixed = sample("c.png", annotation(), annotation(score=0.5), number=2)
    lost, back = written([drafted, drawn, mixed], "label_studio", scratch)
    tasks = json.loads((scratch / "tasks.json").read_text())
    assert [(len(task["annotations"]), len(task["predictions"])) for task in tasks] == [(0, 1), (1, 0), (1, 0)]
    assert tasks[0]["predictions"][0]["score"] == 0.4
    assert [[one.score for one in each.annotations] for each in back] == [[0.4, 0.9], [None], [None, None]]
    assert back[0].labels == ("damaged",)
    assert lost == {"confidences were left out": 1}


# --- text ----------------------------------------------------------------------------------------------------------------

WORDS = ("<dent> & \"co\" 'x'", "흠집", "]]><script>", "no", "123", "a: b # c", "{}", "- x", "%", "\\n", " dent ", "null")


@pytest.mark.parametrize("to", OUTLINED)
def test_words_come_back_whatever_they_mean_to_the_format(scratch: Path, to: str) -> None:
    words = WORDS if to != "cvat" else tuple(word.strip() for word in WORDS)  # its list of labels is read without spaces around
    words = words if to != "via" else tuple(word.strip() for word in WORDS)
    things = [annotation(word, original=word) for word in words]
    lost, (back,) = written([sample("a.png", *things, labelled=frozenset(words))], to, scratch)
    assert set(lost) <= {"publishers' own words were left out"}
    assert [one.name for one in back.annotations] == list(words)
    assert back.labelled == frozenset(words)


def test_label_studio_gets_a_configuration_with_every_word(scratch: Path) -> None:
    written([sample("a.png", *map(annotation, WORDS), labels=("<whole>",))], "label_studio", scratch)
    root = ElementTree.fromstring((scratch / "labels.xml").read_text(encoding="utf-8"))
    assert root.find("Image").attrib["value"] == "$image"  # type: ignore[union-attr]
    for control in ("PolygonLabels", "RectangleLabels", "BrushLabels"):
        assert {label.attrib["value"] for label in root.iterfind(f"{control}/Label")} == {"dent", *WORDS}
    choices = {one.attrib["name"]: [c.attrib["value"] for c in one.iter("Choice")] for one in root.iterfind("Choices")}
    assert choices == {"severity": ["minor", "moderate", "severe"], "check": ["check"], "photo": ["<whole>"]}
    results = [one for task in json.loads((scratch / "tasks.json").read_text()) for one in task["annotations"][0]["result"]]
    controls = {one.attrib["name"] for one in root if "name" in one.attrib}
    assert {one["from_name"] for one in results} <= controls
    assert {one["to_name"] for one in results} == {"image"}


def test_characters_that_xml_cannot_hold_are_escaped_with_a_note(scratch: Path) -> None:
    word = "de\x01nt\ud800"
    lost, (back,) = written([sample("a.png", annotation(word, original=word), labelled=frozenset({word}))], "cvat", scratch)
    assert lost == {"control characters in labels were escaped": 1}
    assert (back.annotations[0].name, back.annotations[0].original) == ("de\\x01nt\\ud800",) * 2


@pytest.mark.parametrize("to", ["coco", "via", "label_studio", "yolo"])
def test_halves_of_characters_survive(scratch: Path, to: str) -> None:
    word = "de\x01nt\ud800"
    one = sample("a.png", annotation(word), labelled=frozenset({word}), source="\udce9")
    _, (back,) = written([one], to, scratch)
    assert back.annotations[0].name == word


# --- other tools ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pycocotools_reads_it_and_sees_the_same_pixels(scratch: Path) -> None:
    mask = rectangle(2, 2, 20, 20) & ~rectangle(6, 6, 4, 4)
    things = (annotation("dent", TRIANGLE, TRIANGLE + 15), masked(mask, "흠집"), Annotation("hood", (1.0, 2.0, 30.0, 12.0)))
    written([sample("a.png", *things, labelled=frozenset({"dent", "흠집", "hood"}))], "coco", scratch)
    with redirect_stdout(io.StringIO()):
        coco = COCO(scratch / "train.json")
    assert sorted(row["name"] for row in coco.loadCats(coco.getCatIds())) == sorted(["dent", "hood", "흠집"])
    first, second, third = coco.loadAnns(coco.getAnnIds())
    np.testing.assert_array_equal(coco.annToMask(second), mask)
    np.testing.assert_array_equal(coco.annToMask(first), polygons_to_mask([TRIANGLE, TRIANGLE + 15], (HEIGHT, WIDTH)))
    assert (third["bbox"], third["area"], second["area"]) == ([1.0, 2.0, 29.0, 10.0], 290.0, 20 * 20 - 16)
    supers = {row["name"]: row["supercategory"] for row in coco.loadCats(coco.getCatIds())}
    assert supers == {"dent": "damage", "hood": "part", "흠집": "damage"}


def test_via_gets_a_project_that_its_version_2_shows(scratch: Path) -> None:
    written([sample("a.png", annotation(severity="minor")), sample("b.png", number=1)], "via", scratch)
    project = json.loads((scratch / "train.json").read_text())
    assert set(project) == {
        "_via_settings", "_via_img_metadata", "_via_attributes", "_via_data_format_version", "_via_image_id_list",
    }  # fmt: skip
    assert project["_via_settings"]["core"]["default_filepath"] == "images/"
    for key, entry in project["_via_img_metadata"].items():
        size = (scratch / "images" / entry["filename"]).stat().st_size
        assert key == f"{entry['filename']}{size}"
        assert entry["size"] == size
    assert list(project["_via_img_metadata"]) == project["_via_image_id_list"]
    assert project["_via_attributes"]["region"]["type"]["options"] == {"dent": ""}
    assert set(project["_via_attributes"]["region"]["severity"]["options"]) == {"minor", "moderate", "severe"}
