"""What all heads have in common: truth goes where the photo goes, unknown photos change nothing, counts add up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dentify.datasets import Sample
from dentify.datasets.sample import UNTYPED
from dentify.imaging.views import mirrored_view, whole_view
from dentify.training.heads import Head, HeadRecipe
from dentify.training.heads.head import Output, has_boxes_only, iou_counts, iou_figures, known_cells, known_types
from dentify.training.scene import Placed, Scene
from scenes import CLASSES, HW, SIZE, WHOLE, annotation, mosaic, pasted, photo, placed, scene, stacked

RECIPES: dict[str, dict[str, Any]] = {
    "types": {
        "kind": "overlapping",
        "of": "damage",
        "loss": dict.fromkeys(("cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary", "boxes"), 1),
    },
    "any": {"kind": "overlapping", "of": "any_damage", "loss": dict.fromkeys(("cross_entropy", "focal", "dice"), 1)},
    "centres": {"kind": "centres"},
    "offsets": {"kind": "offsets"},
    "parts": {
        "kind": "exclusive",
        "of": "parts",
        "loss": dict.fromkeys(("cross_entropy", "focal", "dice", "tversky", "lovasz", "boundary"), 1),
    },
    "severity_maps": {"kind": "exclusive", "of": "severity", "class_weights": [0.5, 1.5, 4.0]},
    "outline": {"kind": "outline"},
    "vehicle": {"kind": "labels", "of": "vehicle"},
    "damage": {"kind": "labels", "of": "damaged"},
    "severity": {"kind": "labels", "of": "severity", "class_weights": [0.5, 1.5, 4.0]},
}
MAPS = {
    "types": "cover",
    "any": "cover",
    "centres": "heat",
    "offsets": "offsets",
    "parts": "classes",
    "severity_maps": "classes",
    "outline": "cover",
}
KNOWN = ("types", "any", "centres", "outline")
HEADS: dict[str, Head] = {
    name: TypeAdapter(HeadRecipe).validate_python(recipe).build(name, CLASSES) for name, recipe in RECIPES.items()
}

# On cells of 8 pixels of the photo (4 of the picture), an odd number of them: so their middles are cells, too.
cells = st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5]))
corners = cells.map(lambda one: (8.0 * one[0], 8.0 * one[1], 8.0 * (one[0] + one[2]), 8.0 * (one[1] + one[3])))
damages = st.builds(
    lambda name, where, severity, doubt: annotation(name, where, severity=severity, **doubt),
    st.sampled_from([*CLASSES.damage[:3], "crack", UNTYPED]),
    corners,
    st.sampled_from([*CLASSES.severity, None]),
    st.sampled_from([{}, {}, {}, {"unsure": True}, {"other_car": True}, {"loose": True}]),
)
parts = st.builds(annotation, st.sampled_from([*CLASSES.parts, "roof"]), corners)
photos = st.builds(
    lambda things, labelled, vehicle: photo(*things, labelled=labelled, vehicle=vehicle),
    st.lists(damages | parts, max_size=4),
    st.sampled_from([CLASSES.damage, CLASSES.damage[:2], ("dent", UNTYPED), ()]),
    st.sampled_from([True, None]),
) | st.sampled_from([photo(vehicle=True, damage=False), photo(vehicle=False)])


def outputs(head: Head, number: int, seed: int = 0, *, size: int = SIZE) -> torch.Tensor:
    """Logits of so many pictures."""
    asked = head.output
    side = () if asked.stride is None else (size // asked.stride,) * 2
    return 2 * torch.randn(number, asked.channels, *side, generator=torch.Generator().manual_seed(seed))


def drawn(name: str, one: Scene) -> np.ndarray:
    return HEADS[name].truth(one)[MAPS[name]]


@given(photos)
def test_the_truth_of_a_mirrored_view_is_mirrored(sample: Sample) -> None:
    plain, mirrored = scene(sample), scene(sample, mirrored_view(WHOLE, SIZE))
    for name in ("types", "any", "centres", "severity_maps", "outline"):
        assert np.array_equal(drawn(name, mirrored), drawn(name, plain)[..., ::-1]), name
    for name in KNOWN:
        known = [HEADS[name].truth(view)["known"] for view in (plain, mirrored)]
        assert np.array_equal(known[1], known[0][..., ::-1]), name
    ways = np.tile([-1, 1], len(CLASSES.damage))[:, None, None]
    assert np.array_equal(drawn("offsets", mirrored), ways * drawn("offsets", plain)[..., ::-1], equal_nan=True)
    renamed = np.arange(256, dtype=np.uint8)
    renamed[[1, 2, 3]] = 2, 1, 255  # the mirrors, and a left door, whose mirror image is not taught
    assert np.array_equal(drawn("parts", mirrored), renamed[drawn("parts", plain)[..., ::-1]])
    for name in ("vehicle", "damage", "severity"):
        for key, value in HEADS[name].truth(plain).items():
            assert np.array_equal(HEADS[name].truth(mirrored)[key], value, equal_nan=key == "answer")


views = st.builds(
    lambda zoom, mirror, x, y: np.array([[zoom * mirror, 0, x], [0, zoom, y]]),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.sampled_from([-1.0, 1.0]),
    st.integers(-32, 64),
    st.integers(-32, 32),
)


@given(st.tuples(photos, photos, photos, photos), st.tuples(views, views, views, views))
@settings(max_examples=20)
def test_each_quarter_of_a_mosaic_has_the_truth_of_its_photo_alone(samples: Any, views: Any) -> None:
    whole = mosaic(*samples, views=views)
    for name in MAPS:
        truth = drawn(name, whole)
        half = truth.shape[-1] // 2
        for place, (sample, view) in enumerate(zip(samples, views, strict=True)):
            top, left = place // 2 * half, place % 2 * half
            alone = drawn(name, scene(sample, view))
            if name == "offsets":  # they are shares of the side, and it is twice as long
                alone = alone / 2
            quarter = (..., slice(top, top + half), slice(left, left + half))
            assert np.array_equal(truth[quarter], alone, equal_nan=name == "offsets"), name
            if name in KNOWN:
                known = [HEADS[name].truth(one)["known"] for one in (whole, scene(sample, view))]
                assert np.array_equal(known[0][quarter], known[1]), name


@given(st.lists(damages, min_size=1, max_size=3), views)
def test_a_pasted_damage_has_the_truth_of_its_own_photo_in_that_view(things: Any, view: np.ndarray) -> None:
    donor = photo(*things, labelled=CLASSES.damage)
    onto, alone = pasted(photo(vehicle=True, damage=False), donor, view), scene(donor, view)
    for name in ("types", "any", "centres", "offsets"):
        assert np.array_equal(drawn(name, onto), drawn(name, alone), equal_nan=name == "offsets"), name


@given(st.lists(photos, min_size=4, max_size=4), st.integers(0, 99))
@settings(max_examples=15)
def test_counts_add_over_batches(samples: list[Sample], seed: int) -> None:
    scenes = [scene(sample) for sample in samples]
    for name, head in HEADS.items():
        told = outputs(head, 4, seed)
        whole = head.counts(told, stacked(head, *scenes))
        first = head.counts(told[:1], stacked(head, *scenes[:1]))
        rest = head.counts(told[1:], stacked(head, *scenes[1:]))
        assert whole.keys() == first.keys()
        for key, count in whole.items():
            assert not count.is_floating_point(), name
            assert torch.equal(count, first[key] + rest[key]), (name, key)
        assert all(isinstance(figure, float) for figure in head.figures(whole).values())


@given(st.lists(photos, min_size=1, max_size=3), st.integers(0, 99))
@settings(max_examples=15)
def test_photos_of_which_nothing_is_known_change_no_loss_and_no_count(samples: list[Sample], seed: int) -> None:
    scenes = [scene(sample) for sample in samples]
    for name, head in HEADS.items():
        told = outputs(head, len(scenes) + 2, seed).requires_grad_()
        more = stacked(head, scene(photo()), *scenes, mosaic_of_unknown())
        loss = head.loss(told, more)
        fewer, truth = told[1:-1], stacked(head, *scenes)
        torch.testing.assert_close(loss, head.loss(fewer, truth), msg=lambda told, name=name: f"{name}: {told}")
        if loss.requires_grad:
            (gradient,) = torch.autograd.grad(loss, told)
            assert not gradient[0].any(), name
            assert not gradient[-1].any(), name
        counts = head.counts(told, more)
        assert all(torch.equal(counts[key], count) for key, count in head.counts(fewer, truth).items()), name


def mosaic_of_unknown() -> Scene:
    """Four photos of which nothing is known on a picture of the usual side."""
    view = whole_view(HW, (SIZE // 2, SIZE // 2))
    spots = [(x, y) for y in (0, SIZE // 2) for x in (0, SIZE // 2)]
    tiles = tuple(placed(photo(), view, corner_xy=corner_xy, side=SIZE // 2) for corner_xy in spots)
    return Scene(np.zeros((SIZE, SIZE, 3), np.uint8), tiles)


@pytest.mark.parametrize("name", RECIPES)
def test_a_head_is_its_recipes(name: str) -> None:
    head = HEADS[name]
    recipe = TypeAdapter(HeadRecipe).validate_python(RECIPES[name] | {"weight": 0.25})
    assert recipe.build("called", CLASSES).weight == 0.25
    assert recipe.build("called", CLASSES).name == "called"
    shapes = {key: value.shape for key, value in head.truth(scene(photo(annotation("dent", (0, 0, 40, 40))))).items()}
    assert shapes == {key: value.shape for key, value in head.truth(scene(photo(vehicle=False))).items()}


def test_what_heads_ask_of_a_network() -> None:
    assert {name: head.output for name, head in HEADS.items()} == {
        "types": Output(5, 2, -3.0),
        "any": Output(1, 2, -3.0),
        "centres": Output(5, 4, -4.0),
        "offsets": Output(10, 4),
        "parts": Output(5, 4),
        "severity_maps": Output(3, 4),
        "outline": Output(1, 4),
        "vehicle": Output(1),
        "damage": Output(1),
        "severity": Output(3),
    }


def test_what_heads_are_in_a_bundle() -> None:
    assert {name: (head.kind, head.role, head.auxiliary) for name, head in HEADS.items()} == {
        "types": ("maps", "damage", None),
        "any": ("maps", "damage", "any"),
        "centres": ("maps", "damage", "centres"),
        "offsets": ("maps", "damage", "offsets"),
        "parts": ("maps", "parts", None),
        "severity_maps": ("maps", "severity", None),
        "outline": ("maps", "damage", "vehicle"),
        "vehicle": ("labels", "vehicle_gate", None),
        "damage": ("labels", "damage_gate", None),
        "severity": ("labels", "severity", None),
    }


def test_ious_are_of_the_known_cells_of_all_photos() -> None:
    told = torch.tensor([[[[1, 1, 0, 0]]], [[[1, 1, 1, 1]]], [[[1, 0, 0, 0]]]]).bool()
    truth = torch.tensor([[[[1, 0, 1, 0]]], [[[0, 0, 0, 0]]], [[[1, 0, 0, 0]]]]).bool()
    known = torch.tensor([True, False, True]).reshape(3, 1, 1, 1)
    counts = iou_counts(told, truth, known)
    assert {key: count.tolist() for key, count in counts.items()} == {"both": [2], "either": [4]}
    assert iou_figures(counts, ("any",)) == {"iou": 0.5}


def test_the_mean_iou_is_of_the_classes_that_occur() -> None:
    figures = iou_figures({"both": torch.tensor([1, 0, 3]), "either": torch.tensor([2, 0, 4])}, ("dent", "scratch", "crack"))
    assert figures.pop("mean") == 0.625
    assert math.isnan(figures.pop("scratch"))
    assert figures == {"dent": 0.5, "crack": 0.75}
    nothing = iou_figures({"both": torch.zeros(2), "either": torch.zeros(2)}, ("dent", "scratch"))
    assert all(math.isnan(figure) for figure in nothing.values())


NAMES = ("dent", "scratch", "crack")


def test_a_photo_knows_the_types_that_it_labels_and_a_sound_one_all() -> None:
    assert known_types(placed(photo(labelled=("dent", "scratch"))), NAMES).tolist() == [True, True, False]
    assert known_types(placed(photo(vehicle=True, damage=False)), NAMES).all()
    assert known_types(placed(photo(vehicle=False)), NAMES).all()


def test_a_type_marked_as_a_crowd_is_unknown_on_that_photo() -> None:
    crowd = photo(replace(annotation("scratch", (10, 10, 90, 90)), crowd=True), labelled=("dent", "scratch"))
    assert known_types(placed(crowd), NAMES).tolist() == [True, False, False]


def test_each_photo_of_a_picture_is_known_for_itself() -> None:
    one, other, sound = photo(labelled=("dent", "scratch")), photo(labelled=("dent",)), photo(vehicle=True, damage=False)
    whole = mosaic(one, other, sound, one)
    cells = known_cells(whole, [known_types(part, NAMES) for part in whole.photos], 4, untyped=True)
    assert cells.shape == (3, 32, 32)
    corners = cells[:, ::31, ::31]  # upper left, upper right, lower left, lower right
    assert corners.tolist() == [[[True, True], [True, True]], [[True, False], [True, True]], [[False, False], [True, False]]]


@pytest.mark.parametrize("doubt", [{"unsure": True}, {"other_car": True}])
def test_nothing_is_known_of_what_is_to_be_ignored(doubt: dict[str, bool]) -> None:
    doubtful = scene(photo(annotation("dent", (0, 0, 64, 64), **doubt), labelled=NAMES))
    for untyped in (True, False):
        cells = known_cells(doubtful, [known_types(one, NAMES) for one in doubtful.photos], 4, untyped=untyped)
        assert not cells[:, :8, :8].any()
        assert cells.sum() == 3 * (16 * 16 - 8 * 8)


def test_damage_of_no_known_type_is_unknown_to_types_alone() -> None:
    untyped = scene(photo(annotation(UNTYPED, (0, 0, 64, 64)), labelled=NAMES))
    told = [known_types(one, NAMES) for one in untyped.photos]
    assert known_cells(untyped, told, 4, untyped=False).all()
    assert not known_cells(untyped, told, 4, untyped=True)[:, :8, :8].any()


def test_one_box_without_an_outline_marks_its_photo() -> None:
    outlined, boxed = photo(annotation("dent", (0, 0, 9, 9))), photo(annotation("dent", (0, 0, 9, 9), outlined=False))
    assert not has_boxes_only(placed(outlined))
    assert has_boxes_only(placed(boxed))
    assert not has_boxes_only(placed(photo(annotation("hood", (0, 0, 9, 9), outlined=False))))


def test_a_placed_photo_may_be_shared_between_heads() -> None:
    one = Placed.photo(photo(annotation("dent", (0, 0, 64, 64))), WHOLE, (0, 0, SIZE, SIZE), HW)
    picture = Scene(np.zeros((SIZE, SIZE, 3), np.uint8), (one,))
    first = {name: head.truth(picture) for name, head in HEADS.items()}
    for name, head in HEADS.items():
        for key, value in head.truth(picture).items():
            np.testing.assert_array_equal(value, first[name][key])
