"""Drafts: what a bundle finds on painted photos, marked where it is not sure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dentify.assessor import Assessor, load
from dentify.collecting.prelabel import CHECK_BELOW, prelabel
from dentify.datasets import LabelMap, Sample, open_dataset
from dentify.datasets.convert import write_dataset
from dentify.errors import DentifyError
from dentify.imaging.masks import rle_decode
from dentify.sources import iter_photos
from dentify.testing import PARTS, TYPES, Damage, paint_photo, tiny_bundle, tiny_classifier

HOOD = (0.125, 0.125, 0.875, 0.875)
SURE = Damage("dent", (0.25, 0.25, 0.375, 0.375), 1.0)
UNSURE = Damage("scratch", (0.5, 0.5, 0.625, 0.625), 0.67)  # told with a confidence of 0.8
WEAK = Damage("broken_part", (0.25, 0.625, 0.375, 0.75), 1.0)  # of a type that the bundle wants reviewed


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> Assessor:
    return load(tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


def paint(path: Path, *damages: Damage, **options: Any) -> Path:
    options = {"size_hw": (128, 192), "parts": {"hood": HOOD}} | options
    Image.fromarray(paint_photo(damages=damages, **options)).save(path, "PNG")
    return path


def fail(error: DentifyError) -> None:
    raise error


def drafts(assessor: Assessor, *inputs: Path, **options: Any) -> list[Sample]:
    return list(prelabel(iter_photos(inputs), assessor, **{"on_error": fail, **options}))


def test_findings_are_drafted_with_masks_severity_and_confidence(assessor: Assessor, tmp_path: Path) -> None:
    (sample,) = drafts(assessor, paint(tmp_path / "a.png", SURE, UNSURE))
    assert (sample.name, sample.size_hw, sample.labelled) == ("a.png", (128, 192), frozenset(TYPES))
    assert sample.image == (tmp_path / "a.png").read_bytes()
    found = {one.name: one for one in sample.annotations}
    assert set(found) == {"dent", "scratch"}
    dent = found["dent"]
    assert dent.box_xyxy == (48, 32, 72, 48)
    assert dent.rle is not None
    expected = np.zeros((128, 192), bool)
    expected[32:48, 48:72] = True
    np.testing.assert_array_equal(rle_decode(dent.rle), expected)
    assert (dent.severity, dent.check) == ("severe", False)
    assert dent.score == pytest.approx(1.0, abs=0.01)
    assert found["scratch"].score == pytest.approx(0.8, abs=0.02)


def test_low_confidence_and_what_the_bundle_wants_reviewed_is_marked(assessor: Assessor, tmp_path: Path) -> None:
    photo = paint(tmp_path / "a.png", SURE, UNSURE, WEAK)

    def marked(**options: Any) -> set[str]:
        return {one.name for one in drafts(assessor, photo, **options)[0].annotations if one.check}

    by_the_bundle = marked(check_below=0.0)
    assert by_the_bundle == {"broken_part"}
    assert marked(check_below=0.9) == by_the_bundle | {"scratch"}
    assert marked(check_below=1.01) == {"dent", "scratch", "broken_part"}
    assert CHECK_BELOW == 0.5


def test_a_threshold_of_ones_own_drafts_less(assessor: Assessor, tmp_path: Path) -> None:
    photo = paint(tmp_path / "a.png", SURE, UNSURE)
    (sample,) = drafts(assessor, photo, score_threshold=0.9)
    assert [one.name for one in sample.annotations] == ["dent"]


def test_parts_are_drafted_when_asked_for(assessor: Assessor, tmp_path: Path) -> None:
    (sample,) = drafts(assessor, paint(tmp_path / "a.png", SURE), parts=True)
    assert {(one.name, one.kind) for one in sample.annotations} == {("dent", "damage"), ("hood", "part")}
    hood = next(one for one in sample.annotations if one.name == "hood")
    assert hood.box_xyxy == pytest.approx((24, 16, 168, 112), abs=3)
    assert hood.rle is not None
    assert sample.labelled == {*TYPES, *PARTS}


def test_photos_without_findings_and_without_a_vehicle_are_drafts_too(assessor: Assessor, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    paint(tmp_path / "b.png", SURE, body=None, parts={})  # which the gates would pass over
    sound, street = drafts(assessor, tmp_path)
    assert sound.annotations == ()
    assert [one.name for one in street.annotations] == ["dent"]


def test_a_broken_photo_is_told_and_passed_over(assessor: Assessor, tmp_path: Path) -> None:
    for name in ("a.png", "c.png"):
        paint(tmp_path / name, SURE)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:200])
    errors: list[DentifyError] = []
    seen: list[None] = []
    samples = drafts(assessor, tmp_path, on_error=errors.append, on_photo=lambda: seen.append(None))
    assert [sample.name for sample in samples] == ["a.png", "c.png"]
    assert len(errors) == 1
    assert str(errors[0]).startswith(f"{tmp_path / 'b.png'}: this PNG is ")
    assert len(seen) == 3


def test_photos_are_taken_one_by_one(assessor: Assessor, tmp_path: Path) -> None:
    read: list[str] = []
    for name in ("a.png", "b.png", "c.png"):
        paint(tmp_path / name, SURE)

    def photos() -> Iterator[Any]:
        for photo in iter_photos(tmp_path):
            read.append(photo.name)
            yield photo

    samples = prelabel(photos(), assessor, on_error=fail)
    assert next(samples).name == "a.png"
    assert read == ["a.png"]


@pytest.mark.parametrize("to", ["cvat", "via", "coco", "label_studio"])
def test_drafts_are_read_back_from_each_tool(assessor: Assessor, tmp_path: Path, to: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    paint(photos / "a.png", SURE, UNSURE)
    paint(photos / "b.png")
    samples = prelabel(iter_photos(photos), assessor, check_below=0.9, on_error=fail)
    lost = write_dataset(samples, tmp_path / "out", to, names=TYPES)
    found, nothing = open_dataset(tmp_path / "out", labels=LabelMap(others="kept"))
    assert sorted(one.name for one in found.annotations) == ["dent", "scratch"]
    assert {one.name: one.box_xyxy for one in found.annotations}["dent"] == pytest.approx((48, 32, 72, 48), abs=0.5)
    assert {one.name: one.severity for one in found.annotations}["dent"] == "severe"
    assert nothing.annotations == ()
    assert not lost or lost == {"types that were looked for and not found count as not labelled": 1}
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir() if path.is_file())
    marks = {"cvat": 'name="check">true<', "via": '"check": "yes"', "coco": '"check":true', "label_studio": '"choices":["check"]'}
    assert text.count(marks[to]) == 1


def test_types_of_the_photo_as_a_whole_are_no_findings(tmp_path: Path) -> None:
    (sample,) = drafts(load(tiny_classifier(tmp_path / "classifier")), paint(tmp_path / "a.png", SURE))
    assert (sample.annotations, sample.labelled) == ((), frozenset())
