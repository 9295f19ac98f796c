"""A teacher: a bundle whose answers to whole photos a network learns from."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from pydantic import TypeAdapter

from dentify.arrays import Matrix
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.bundle.open import Bundle
from dentify.datasets import Sample
from dentify.errors import ConfigError
from dentify.imaging.decode import decode_photo
from dentify.imaging.views import mirrored_view, whole_view
from dentify.runtime.networks import Answers, Networks
from dentify.settings import Settings
from dentify.testing import Damage, paint_photo, tiny_bundle
from dentify.training.answers import STEPS, pack, unpack
from dentify.training.batches import taught, tensors
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
        "severity": {"kind": "exclusive", "of": "severity"},
        "damaged": {"kind": "labels", "of": "damaged"},
        "vehicle": {"kind": "labels", "of": "vehicle"},
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
    assert teacher.heads == ("types", "parts", "severity", "damaged", "vehicle")


def test_names_that_it_tells_of_some_photo_are_taught_by_example(teacher: Teacher, sample: Sample) -> None:
    """Doors change sides in mirrored pictures; nobody painted a broken part, a hood, or a photo without damage."""
    assert teacher.teaches()["types"] == {"broken_part", "dent"}
    shown = teacher.shown([sample])
    assert shown == {
        "types": {"dent"},
        "parts": {"front_left_door", "front_right_door"},
        "severity": shown["severity"],
        "damaged": {"yes"},
        "vehicle": {"yes"},
    }
    assert shown["severity"] <= set(CLASSES.severity)
    assert teacher.shown([Sample(b"another", "other.png", (SIDE, SIDE))])["types"] == set()


def test_what_it_says_of_a_photo_holds_where_a_picture_shows_most_of_it_and_nothing_else(
    teacher: Teacher, sample: Sample
) -> None:
    kept = {name: teacher.says(scene(sample))[name] for name in ("damaged", "vehicle")}
    assert {name: logits.shape for name, logits in kept.items()} == {"damaged": (1,), "vehicle": (1,)}
    assert min(kept["damaged"][0], kept["vehicle"][0]) > 1
    closer = np.array([[2.0, 0, 0], [0, 2.0, 0]])  # a quarter of the photo
    assert np.isnan(teacher.says(scene(sample, closer))["damaged"]).all()
    dent = annotation("dent", (0, 0, 16, 16))
    onto = Placed(sample, WHOLE, (0, 0, SIDE, SIDE), (SIDE, SIDE), (dent,))
    assert np.isnan(teacher.says(scene(sample, WHOLE, onto))["damaged"]).all()
    quarters = [Placed.photo(sample, WHOLE, (x, y, x + 32, y + 32), (SIDE, SIDE)) for x in (0, 32) for y in (0, 32)]
    mosaic = Scene(np.zeros((SIDE, SIDE, 3), np.uint8), tuple(quarters))
    assert np.isnan(teacher.says(mosaic)["vehicle"]).all()


def test_how_bad_it_is_is_told_where_the_teacher_sees_damage(teacher: Teacher, sample: Sample) -> None:
    severity = teacher.says(scene(sample))["severity"]  # cells of four pixels
    assert np.isfinite(severity[:, 1:7, 1:3]).all()
    assert np.isnan(severity[:, :, 5:]).all()
    assert np.isnan(severity[:, 9:]).all()


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


def test_processes_that_show_pictures_get_it_without_its_networks(teacher: Teacher, sample: Sample) -> None:
    """Where they are not forked, it is pickled."""
    copy = pickle.loads(pickle.dumps(teacher))
    assert copy.heads == teacher.heads
    ours, theirs = (taught(scene(sample), HEADS, one) for one in (teacher, copy))
    assert str(ours) == str(theirs)


def test_photos_without_any_label_cost_nothing_and_are_no_nan() -> None:
    """Whatever is asked of them, by whatever loss."""
    overlapping = ("cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary", "boxes")
    exclusive = ("cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary", "views", "damaged")
    heads = {
        "types": head("types", kind="overlapping", of="damage", loss=dict.fromkeys(overlapping, 1.0)),
        "any": head("any", kind="overlapping", of="any_damage", loss=dict.fromkeys(overlapping[:-1], 1.0)),
        "parts": head("parts", kind="exclusive", of="parts", loss=dict.fromkeys(exclusive, 1.0)),
        "severity": head("severity", kind="exclusive", of="severity", loss=dict.fromkeys(exclusive[:-2], 1.0)),
        **{kind: head(kind, kind=kind) for kind in ("centres", "offsets", "outline")},
        **{of: head(of, kind="labels", of=of) for of in ("vehicle", "damaged", "damage")},
        "one_type": head("one_type", kind="labels", of="damage", exclusive=True),
        "worst": head("worst", kind="labels", of="severity"),
    }
    unlabelled = scene(Sample(b"", "a.png", (SIDE, SIDE)))
    for name, one in heads.items():
        truth = {key: value[None] for key, value in tensors(one.truth(unlabelled)).items()}
        stride = one.output.stride
        shape = (1, one.output.channels, *((SIDE // stride,) * 2 if stride else ()))
        logits = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
        loss = one.loss(logits, truth)
        torch.autograd.backward(loss)
        assert loss.item() == 0, name
        assert logits.grad is None or not logits.grad.any(), name


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
    told = r"distil\.teacher: .* answers nothing that the heads ask: heads\.outline is not answered by it$"
    with pytest.raises(ConfigError, match=told):
        Teacher(bundle, {"outline": HEADS["outline"]}, tmp_path)


def head(name: str, damage: tuple[str, ...] = CLASSES.damage, **recipe: object) -> Head:
    return TypeAdapter(HeadRecipe).validate_python(recipe).build(name, Classes(damage=damage))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (head("boxes", kind="instances", of="damage"), "heads.boxes is of instances, which a network learns from its own"),
        (head("middles", kind="centres"), "heads.middles says where the middles of things are, which no teacher is asked"),
        (head("types", ("hail_mark",), kind="overlapping", of="damage"), "heads.types tells hail_mark, and the teacher none of"),
        (head("seen", kind="labels", of="damage", exclusive=True), "heads.seen asks another question than the teacher, which"),
        (head("worst", kind="labels", of="severity"), "heads.worst is not answered by it"),
    ],
    ids=lambda one: one.name if not isinstance(one, str) else "",
)
def test_a_head_that_it_was_said_to_teach_and_cannot_is_told(tmp_path: Path, asked: Head, told: str) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path / "bundle", photo_types=True))
    with pytest.raises(ConfigError, match=rf"distil\.heads: .* does not teach all of them: {told}"):
        Teacher(bundle, {**HEADS, asked.name: asked}, tmp_path, only=["parts", asked.name])


def test_types_of_a_photo_as_a_whole_are_taught_by_their_names(sample: Sample, tmp_path: Path) -> None:
    """The student asks them in another order, and for one that the teacher does not know."""
    bundle = Bundle.open(tiny_bundle(tmp_path / "bundle", photo_types=True))
    teacher = Teacher(bundle, {"seen": head("seen", kind="labels", of="damage")}, tmp_path)
    teacher.prepare([sample])
    broken_part, dent, crack = teacher.says(scene(sample))["seen"]
    assert dent > 0 > broken_part
    assert np.isnan(crack)
    assert teacher.shown([sample]) == {"seen": {"dent"}}


def test_it_sees_a_photo_in_tiles_as_its_size_asks(tmp_path: Path) -> None:
    """A JPEG is decoded more coarsely than it is; tiles follow from its own size."""
    bundle = Bundle.open(tiny_bundle(tmp_path / "bundle", views={"damage": {"tiles": "auto"}}))
    networks = Networks(bundle.manifest, bundle.files, threads=1, where="tiny")
    picture = paint_photo(size_hw=(1280, 1280), damages=[Damage("dent", (0.1, 0.1, 0.15, 0.5))])
    data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    photo = decode_photo(data, where="a.jpg", settings=Settings(), enough_side=networks.enough_side)
    seen, smaller = (networks.ask(photo.image, photo_hw=hw).types for hw in (photo.photo_hw, None))
    assert seen is not None
    assert not np.allclose(seen, smaller, atol=0.3)
    Teacher(bundle, HEADS, tmp_path / "maps").prepare([Sample(data, "a.jpg")])
    (kept,) = (tmp_path / "maps").rglob("*.npz")
    np.testing.assert_allclose(unpack(kept, ["damage"])["damage"] / STEPS, seen.clip(-12, 12), atol=0.06)


def test_an_ensemble_teaches_what_it_says_together(bundle: Bundle, sample: Sample, tmp_path: Path) -> None:
    member = {"file": "tiny.onnx", "output": "types", "kind": "maps"}
    roles = bundle.manifest.roles.model_dump() | {"damage": [member, member | {"weight": 3.0}]}
    both = Teacher(Bundle.open(tiny_bundle(tmp_path / "both", roles=roles)), HEADS, tmp_path)
    both.prepare([sample])
    alone = Teacher(bundle, HEADS, tmp_path)
    alone.prepare([sample])
    np.testing.assert_allclose(both.says(scene(sample))["types"], alone.says(scene(sample))["types"], atol=0.2)


# Teachers of instances


def table(*rows: tuple[tuple[float, float, float, float], tuple[float, ...]]) -> np.ndarray:
    """Candidates that fill their boxes."""
    return np.array([[*box, *scores, *[8.0] * INSTANCE_MASK**2] for box, scores in rows], np.float32)


NOTHING = dict.fromkeys(("vehicle", "damaged", "types", "parts", "severity", "photo_severity"))
LEFT, ALL = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)


def unpacked(answers: Answers, bundle: Bundle, path: Path) -> dict[str, np.ndarray]:
    path.write_bytes(pack(answers, bundle.manifest, (SIDE, SIDE)))
    return unpack(path, ["damage", "parts", "told_damage", "told_parts"])


def test_candidates_of_damage_are_painted_each_as_likely_as_it_is(bundle: Bundle, tmp_path: Path) -> None:
    found = table((LEFT, (0.9, 0.0)), (ALL, (0.2, 0.0)))
    kept = unpacked(Answers(**NOTHING, auxiliary={}, damage_tables=((1.0, found),)), bundle, tmp_path / "kept.npz")
    first, second = kept["damage"] / STEPS
    np.testing.assert_allclose(first[:, :50], np.log(0.9 / 0.1), atol=0.06)  # the surest of two
    np.testing.assert_allclose(first[:, 60:], np.log(0.2 / 0.8), atol=0.06)
    np.testing.assert_allclose(second, np.log(0.01 / 0.99), atol=0.06)
    assert kept["told_damage"].tolist() == [True, False]


def test_candidates_of_parts_leave_the_rest_to_none_of_them(bundle: Bundle, tmp_path: Path) -> None:
    found = table((LEFT, (0.7, 0.1)))
    kept = unpacked(Answers(**NOTHING, auxiliary={}, part_tables=((1.0, found),)), bundle, tmp_path / "kept.npz")
    shares = np.exp(kept["parts"] / STEPS)
    np.testing.assert_allclose(shares[[0, -1]][:, :, :25].mean((1, 2)), [0.7, 0.3], atol=0.04)
    np.testing.assert_allclose(shares[[0, -1]][:, :, 30:].mean((1, 2)), [0.01, 1], atol=0.04)
    assert kept["told_parts"].tolist() == [True, False, True]


def test_maps_and_candidates_of_one_role_are_weighed(bundle: Bundle, tmp_path: Path) -> None:
    """The maps' members count one in sum; the logits' mean is told."""
    found = table((ALL, (0.9, 0.0)))
    maps = np.full((2, 8, 8), -1.0, np.float32)
    answers = Answers(**NOTHING | {"types": maps}, auxiliary={}, damage_tables=((3.0, found),))
    kept = unpacked(answers, bundle, tmp_path / "kept.npz")
    np.testing.assert_allclose(kept["damage"][0] / STEPS, (3 * np.log(0.9 / 0.1) - 1) / 4, atol=0.06)
