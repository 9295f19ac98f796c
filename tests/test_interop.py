"""Answers as pandas, pycocotools and supervision take them."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import numpy as np
import pandas
import pytest

import dentify
from dentify.errors import InputError, MissingExtraError
from dentify.results.findings import FIELDS, FINDING_COLUMNS, coco_document, finding_rows
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES
from dentify.testing import Damage, paint_photo, tiny_bundle

needs_supervision = pytest.mark.skipif(find_spec("supervision") is None, reason="needs the extra `supervision`")

HOOD = {"hood": (0.1, 0.25, 0.5, 0.75)}
DAMAGES = [Damage("dent", (0.25, 0.375, 0.375, 0.5)), Damage("scratch", (0.0, 0.0, 0.125, 0.125), strength=0.8)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dentify.Assessment]:
    """Of a damaged car, a sound one, and no car."""
    assessor = dentify.load(tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"), threads=1)
    photos = [paint_photo(parts=HOOD, damages=DAMAGES), paint_photo(parts=HOOD), paint_photo(body=None)]
    return [assessor.assess(photo, name=f"{number}.png") for number, photo in enumerate(photos)]


def test_a_row_a_finding(answers: list[dentify.Assessment]) -> None:
    table = pandas.DataFrame(dentify.rows(answers))
    assert table["name"].tolist() == ["0.png", "0.png"]
    assert table["type"].tolist() == [finding.type for finding in answers[0].findings] == ["dent", "scratch"]
    first = answers[0].findings[0]
    assert tuple(table.loc[0, ["x_min", "y_min", "x_max", "y_max"]]) == first.box
    assert (table.loc[0, "confidence"], table.loc[0, "area_share"]) == (first.confidence, first.area_share)
    assert table.loc[0, "parts"] == "hood"
    assert table.loc[0, "share_of_part"] == first.parts[0].share_of_part


def test_rows_and_the_csv_file_tell_the_same_in_the_same_columns(answers: list[dentify.Assessment]) -> None:
    told = dentify.rows(answers)
    assert [tuple(row) for row in told] == [FIELDS] * 2
    assert (*FIELDS, "crop") == FINDING_COLUMNS
    cells = [dict(zip(FINDING_COLUMNS, row, strict=True)) for row in finding_rows(answers[0])]
    for row, written in zip(told, cells, strict=True):
        for key, value in row.items():
            assert written[key] == ("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))
    assert (told[0]["side"], told[1]["parts"], told[1]["share_of_part"], told[1]["severity"]) == (
        "",
        "",
        None,
        told[1]["severity"],
    )


def test_a_row_a_photo(answers: list[dentify.Assessment]) -> None:
    table = pandas.DataFrame(dentify.rows(iter(answers), by="photo"))
    assert table["name"].tolist() == ["0.png", "1.png", "2.png"]
    assert table["findings"].tolist() == [2, 0, 0]
    assert table["vehicle"].tolist() == [True, True, False]
    assert [damage is None for damage in table["damage"]] == [False, False, True]  # not judged
    assert table["report"].tolist() == [answer.report for answer in answers]


def test_one_answer_need_not_stand_in_a_list(answers: list[dentify.Assessment]) -> None:
    assert dentify.rows(answers[0]) == dentify.rows([answers[0]])
    assert dentify.rows(answers[1]) == []
    with pytest.raises(InputError, match="by must be finding or photo, got 'car'"):
        dentify.rows(answers, by="car")  # type: ignore[arg-type]


def test_a_document_of_coco_is_what_a_run_writes(answers: list[dentify.Assessment]) -> None:
    written = json.loads("".join(coco_document(lambda: answers, DAMAGE_NAMES)))
    assert dentify.to_coco(answers) == dentify.to_coco(iter(answers)) == written
    assert json.loads(json.dumps(dentify.to_coco(answers))) == written
    assert [image["file_name"] for image in written["images"]] == ["0.png", "1.png", "2.png"]
    assert dentify.to_coco(answers[0]) == dentify.to_coco([answers[0]])
    assert dentify.to_coco([])["images"] == []


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pycocotools_reads_the_document(answers: list[dentify.Assessment]) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    coco = tools.COCO()
    coco.dataset = dentify.to_coco(answers)
    coco.createIndex()
    assert coco.getImgIds() == [1, 2, 3]
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert coco.getAnnIds(imgIds=[2, 3]) == []
    assert [coco.cats[one["category_id"]]["name"] for one in annotations] == ["dent", "scratch"]
    for one, finding in zip(annotations, answers[0].findings, strict=True):
        assert np.array_equal(coco.annToMask(one), finding.mask_array())
        x_min, y_min, x_max, y_max = finding.box
        assert one["bbox"] == pytest.approx([x_min, y_min, x_max - x_min, y_max - y_min], abs=0.01)
        assert (one["score"], one["finding"]) == (finding.confidence, finding.id)


def test_categories_of_coco_are_those_of_given_names(answers: list[dentify.Assessment]) -> None:
    assert [one["name"] for one in dentify.to_coco(answers)["categories"]] == list(DAMAGE_NAMES)
    document = dentify.to_coco(answers, names=["scratch", "dent"])
    assert [(one["id"], one["name"]) for one in document["categories"]] == [(1, "scratch"), (2, "dent")]
    assert [one["category_id"] for one in document["annotations"]] == [2, 1]
    with pytest.raises(InputError, match=r"^names lack what was found: dent$"):
        dentify.to_coco(answers, names=["scratch"])
    with pytest.raises(InputError, match=r"^names hold one twice; each is a category of its own$"):
        dentify.to_coco(answers, names=["scratch", "dent", "dent"])
    own = answers[0].model_copy(update={"findings": (answers[0].findings[0].model_copy(update={"type": "hail_mark"}),)})
    document = dentify.to_coco([answers[0], own])
    assert document["categories"][-1] == {"id": len(DAMAGE_NAMES) + 1, "name": "hail_mark", "supercategory": "damage"}
    assert document["annotations"][-1]["category_id"] == len(DAMAGE_NAMES) + 1


@needs_supervision
def test_findings_are_detections(answers: list[dentify.Assessment]) -> None:
    import supervision

    detections = dentify.to_supervision(answers[0])
    findings = answers[0].findings
    assert len(detections) == len(findings) == 2
    assert detections.xyxy.tolist() == [list(finding.box) for finding in findings]
    assert detections.confidence == pytest.approx([finding.confidence for finding in findings])
    assert detections.data["class_name"].tolist() == ["dent", "scratch"]
    assert [DAMAGE_NAMES[number] for number in detections.class_id] == ["dent", "scratch"]
    assert detections.data["part"].tolist() == ["hood", ""]
    assert [np.array_equal(mask, finding.mask_array()) for mask, finding in zip(detections.mask, findings, strict=True)] == [
        True,
        True,
    ]
    scene = np.zeros((*answers[0].findings[0].mask_array().shape, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(scene.copy(), detections)
    assert (drawn.any(axis=-1) == detections.mask.any(axis=0)).mean() > 0.99


@needs_supervision
def test_parts_are_detections(answers: list[dentify.Assessment]) -> None:
    detections = dentify.to_supervision(answers[1], of="parts")
    assert detections.data["class_name"].tolist() == [part.name for part in answers[1].parts]
    assert [PART_NAMES[number] for number in detections.class_id] == [part.name for part in answers[1].parts]


@needs_supervision
def test_nothing_found_is_no_detections(answers: list[dentify.Assessment]) -> None:
    detections = dentify.to_supervision(answers[2])
    assert (len(detections), detections.xyxy.shape, detections.mask) == (0, (0, 4), None)


@needs_supervision
def test_class_ids_are_those_of_given_names(answers: list[dentify.Assessment]) -> None:
    assert dentify.to_supervision(answers[0], names=["scratch", "dent"]).class_id.tolist() == [1, 0]
    with pytest.raises(InputError, match="names lack what was found: dent"):
        dentify.to_supervision(answers[0], names=["scratch"])
    with pytest.raises(InputError, match="of must be findings or parts"):
        dentify.to_supervision(answers[0], of="cars")  # type: ignore[arg-type]


@needs_supervision
def test_a_name_of_ones_own_comes_after_the_taxonomys(answers: list[dentify.Assessment]) -> None:
    own = answers[0].model_copy(update={"findings": (answers[0].findings[0].model_copy(update={"type": "hail_mark"}),)})
    assert dentify.to_supervision(own).class_id.tolist() == [len(DAMAGE_NAMES)]


@needs_supervision
def test_masks_are_told_where_each_finding_has_one(answers: list[dentify.Assessment]) -> None:
    first, second = answers[0].findings
    boxed = answers[0].model_copy(update={"findings": (first, second.model_copy(update={"mask": None}))})
    assert dentify.to_supervision(boxed).mask is None


def test_without_supervision_it_says_what_to_install(answers: list[dentify.Assessment], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtraError, match=r'pip install "dentify\[supervision\]"'):
        dentify.to_supervision(answers[0])
