"""SageMaker Ground Truth's manifests as they are, and as they should not be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from PIL import Image

from broken_labels import check_samples_or_one_line, json_values
from dentify.datasets import Sample, open_dataset
from dentify.errors import DatasetError

BOXES: dict[str, Any] = {
    "source-ref": "s3://bucket/x/a.jpg",
    "job": {
        "image_size": [{"width": 20, "height": 10, "depth": 3}],
        "annotations": [{"class_id": 0, "left": 10, "top": 4, "width": 8, "height": 5}],
    },
    "job-metadata": {
        "class-map": {"0": "dent", "1": "scratch"},
        "objects": [{"confidence": 0.6}],
        "human-annotated": "yes",
        "type": "groundtruth/object-detection",
    },
}
CLASS: dict[str, Any] = {
    "source-ref": "s3://bucket/x/b.jpg",
    "job": 1,
    "job-metadata": {"class-name": "whole", "human-annotated": "yes", "type": "groundtruth/image-classification"},
}


def samples_of(folder: Path, *rows: Any, name: str = "output.manifest") -> list[Sample]:
    for picture in ("a.jpg", "b.jpg"):
        Image.new("RGB", (20, 10)).save(folder / picture)
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return list(open_dataset(folder))


def test_boxes_and_classes_are_read_line_by_line(tmp_path: Path) -> None:
    first, second = samples_of(tmp_path, BOXES, CLASS)
    assert (first.name, first.size_hw, first.labelled) == ("x/a.jpg", (10, 20), {"dent", "scratch"})
    assert [(one.name, one.box_xyxy, one.score) for one in first.annotations] == [("dent", (10, 4, 18, 9), None)]
    assert (second.labels, second.damage, second.labelled) == (("undamaged",), False, frozenset())


def test_what_a_model_labelled_keeps_its_confidence(tmp_path: Path) -> None:
    drafted = {**BOXES, "job-metadata": {**BOXES["job-metadata"], "human-annotated": "no"}}
    (sample,) = samples_of(tmp_path, drafted, name="output.jsonl")
    assert sample.annotations[0].score == 0.6


def test_jobs_that_failed_leave_their_photos_unlabelled_with_a_word(tmp_path: Path) -> None:
    (sample,) = samples_of(tmp_path, {"source-ref": "a.jpg", "job-metadata": {"failure-reason": "no answer", "type": "x"}})
    assert (sample.annotations, sample.labelled) == ((), frozenset())
    data = open_dataset(tmp_path)
    list(data)
    assert any(note.startswith("photos that a job of Ground Truth has no answer for are unlabelled by it") for note in data.notes)


def test_masks_are_left_out_with_a_word(tmp_path: Path) -> None:
    masks = {
        "source-ref": "a.jpg",
        "job-ref": "s3://x/mask.png",
        "job-ref-metadata": {"type": "groundtruth/semantic-segmentation"},
    }
    samples_of(tmp_path, masks)
    data = open_dataset(tmp_path)
    assert [sample.annotations for sample in data] == [()]
    assert any(note.startswith("what jobs of Ground Truth other than boxes and classes say is left out") for note in data.notes)


@pytest.mark.parametrize(
    ("job", "message"),
    {
        "class": (
            {"annotations": [{"class_id": 7, "left": 1, "top": 1, "width": 2, "height": 2}]},
            "class_id 7 is none of class-map",
        ),
        "box": ({"annotations": [{"class_id": 0, "left": 1}]}, "needs numbers left, top, width and height"),
        "size": ({"annotations": [], "image_size": [{"width": 0, "height": 3}]}, "image_size must be whole numbers"),
    }.values(),
    ids=("class", "box", "size"),
)
def test_what_does_not_hold_is_one_line(tmp_path: Path, job: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"output.manifest: line 2 .*{message}"):
        samples_of(tmp_path, CLASS, {**BOXES, "job": job})


@given(json_values)
def test_any_value_gives_samples_or_one_line(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.manifest"
    rows = [CLASS, value, {**BOXES, "job": value}, {**BOXES, "job-metadata": {"class-map": value}}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    check_samples_or_one_line(path, check_pictures=False)


def test_lines_of_many_small_pieces_are_refused_before_they_are_read(tmp_path: Path) -> None:
    rest = ",".join(["{}"] * 3_000_000)
    (tmp_path / "output.manifest").write_text(json.dumps(BOXES) + f'\n{{"source-ref": "a.jpg", "a": [{rest}]}}\n')
    with pytest.raises(DatasetError, match=r"output\.manifest: .* that would take .* of memory; no labels are made of so many"):
        list(open_dataset(tmp_path / "output.manifest"))


def test_many_boxes_of_many_classes_are_read_in_time(tmp_path: Path) -> None:
    """Classes are told once a job, not once a box."""
    row = json.loads(json.dumps(BOXES))
    row["job"]["annotations"] *= 5_000
    row["job-metadata"]["class-map"] = {str(number): f"type {number}" for number in range(5_000)}
    started = time.monotonic()
    (one,) = samples_of(tmp_path, row)
    assert len(one.annotations) == 5_000
    assert time.monotonic() - started < 5
