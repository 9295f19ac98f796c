"""A teacher: a bundle whose maps of whole photos a network learns from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from pydantic import TypeAdapter

from dentify.arrays import Matrix
from dentify.bundle.open import Bundle
from dentify.datasets import Sample
from dentify.errors import ConfigError
from dentify.imaging.views import mirrored_view, whole_view
from dentify.testing import Damage, paint_photo, tiny_bundle
from dentify.training.batches import taught
from dentify.training.classes import Classes
from dentify.training.distil import Teacher
from dentify.training.heads import Head, HeadRecipe
from dentify.training.scene import Placed, Scene
from scenes import annotation

SIDE = 64
"""Of photos and pictures, and the cells of the tiny bundle."""
WHOLE = whole_view((SIDE, SIDE), (SIDE, SIDE))
CLASSES = Classes(damage=("broken_part", "dent", "crack"), parts=("front_left_door", "front_right_door", "hood"))
HEADS: dict[str, Head] = {
    name: TypeAdapter(HeadRecipe).validate_python(recipe).build(name, CLASSES)
    for name, recipe in {
        "types": {"kind": "overlapping", "of": "damage"},
        "parts": {"kind": "exclusive", "of": "parts"},
        "outline": {"kind": "outline"},
        "damage": {"kind": "labels", "of": "damaged"},
    }.items()
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("teacher") / "bundle"))


@pytest.fixture(scope="module")
def sample() -> Sample:
    """A door on the left half, a dent in its upper left quarter."""
    picture = paint_photo(
        size_hw=(SIDE, SIDE), parts={"front_left_door": (0, 0, 0.5, 1)}, damages=[Damage("dent", (0, 0, 0.25, 0.5))]
    )
    return Sample(cv2.imencode(".png", picture[..., ::-1])[1].tobytes(), "door.png", (SIDE, SIDE))


@pytest.fixture(scope="module")
def teacher(bundle: Bundle, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    teacher = Teacher(bundle, HEADS, tmp_path_factory.mktemp("maps"))
    teacher.prepare([sample])
    return teacher


def scene(sample: Sample, view: Matrix = WHOLE, *pasted: Placed) -> Scene:
    window = (0, 0, SIDE, SIDE)
    return Scene(np.zeros((SIDE, SIDE, 3), np.uint8), (Placed.photo(sample, view, window, (SIDE, SIDE)),), pasted)


def test_it_teaches_the_heads_that_it_answers(teacher: Teacher) -> None:
    assert teacher.heads == ("types", "parts")


def test_its_maps_lie_where_the_photo_does(teacher: Teacher, sample: Sample) -> None:
    broken_part, dent, crack = teacher.says(scene(sample))["types"]
    assert dent[2:14, 2:6].min() > 2  # cells of two pixels
    assert dent[18:, :].max() < -2
    assert dent[:, 10:].max() < -2
    assert broken_part.max() < 0
    assert np.isnan(crack).all()  # which it was never taught


def test_its_maps_are_seen_as_the_picture_shows_the_photo(teacher: Teacher, sample: Sample) -> None:
    plain, mirrored = (teacher.says(scene(sample, view))["types"][1] for view in (WHOLE, mirrored_view(WHOLE, SIDE)))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=0.2)
    closer = np.array([[2.0, 0, 0], [0, 2.0, 0]])
    assert teacher.says(scene(sample, closer))["types"][1, 2:28, 2:13].min() > 2
    assert teacher.says(scene(sample, closer))["types"][1, :, 19:].max() < -2


def test_left_and_right_change_sides_in_a_mirrored_picture(teacher: Teacher, sample: Sample) -> None:
    left, right, _, none = teacher.says(scene(sample))["parts"]
    assert (left - none)[:, 1:7].min() > 0  # cells of four pixels
    assert np.isnan(right).all()
    left, right, _, none = teacher.says(scene(sample, mirrored_view(WHOLE, SIDE)))["parts"]
    assert np.isnan(left).all()
    assert (right - none)[:, 9:15].min() > 0


def test_beyond_the_photo_and_where_damage_was_pasted_it_says_nothing(teacher: Teacher, sample: Sample) -> None:
    shifted = WHOLE.copy()
    shifted[0, 2] = 32
    told = teacher.says(scene(sample, shifted))["types"]
    assert np.isnan(told[:, :, :16]).all()
    assert not np.isnan(told[:2, :, 16:]).any()
    dent = annotation("dent", (0, 0, 16, 16))
    onto = Placed(Sample(b"", "other.png", (SIDE, SIDE)), WHOLE, (0, 0, SIDE, SIDE), (SIDE, SIDE), (dent,))
    told = teacher.says(scene(sample, WHOLE, onto))["types"]
    assert np.isnan(told[:, :8, :8]).all()
    assert np.isnan(told[:2]).sum() == 2 * 64


def test_a_photo_that_it_did_not_look_at_is_not_told(teacher: Teacher) -> None:
    other = Sample(b"another", "other.png", (SIDE, SIDE))
    assert np.isnan(teacher.says(scene(other))["types"]).all()


def test_it_looks_at_a_photo_once(bundle: Bundle, sample: Sample, tmp_path: Path) -> None:
    looked: list[None] = []
    Teacher(bundle, HEADS, tmp_path).prepare([sample, sample], lambda: looked.append(None))
    assert len(looked) == 2
    (kept,) = tmp_path.rglob("*.npz")
    before = kept.stat().st_mtime_ns
    Teacher(bundle, HEADS, tmp_path).prepare([sample])
    assert kept.stat().st_mtime_ns == before


def test_a_batch_comes_with_what_it_says(teacher: Teacher, sample: Sample) -> None:
    batch = taught(scene(sample), HEADS, teacher)
    assert tuple(batch["types"]["teacher"].shape) == (3, SIDE // 2, SIDE // 2)
    assert "teacher" not in batch["outline"]
    distance = HEADS["parts"].distance(
        batch["parts"]["teacher"][None].float().nan_to_num(), batch["parts"]["teacher"][None].float(), 2
    )
    assert float(distance) == pytest.approx(0, abs=1e-5)


def test_one_that_answers_nothing_that_is_asked_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"distil\.teacher: .* answers with maps nothing that the heads ask"):
        Teacher(bundle, {name: HEADS[name] for name in ("outline", "damage")}, tmp_path)
