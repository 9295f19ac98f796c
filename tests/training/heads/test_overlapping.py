"""Maps of damage types, and of damage of any type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.datasets.sample import UNTYPED
from dentify.training import losses
from dentify.training.heads.overlapping import Overlapping, OverlappingRecipe
from scenes import CLASSES, MIRRORED, WHOLE, Corners, annotation, mosaic, pasted, photo, scene, stacked

DENT: Corners = (32, 64, 64, 96)


def types(**changes: Any) -> Overlapping:
    return OverlappingRecipe(kind="overlapping", of="damage", **changes).build("types", CLASSES)


def any_damage(**changes: Any) -> Overlapping:
    return OverlappingRecipe(kind="overlapping", of="any_damage", **changes).build("any", CLASSES)


def test_masks_are_drawn_in_the_views_frame() -> None:
    car = photo(annotation("dent", DENT), labelled=("dent",))
    for view, columns in ((WHOLE, slice(8, 16)), (MIRRORED, slice(16, 24))):
        expected = np.zeros((5, 32, 32), np.uint8)  # a cell is 4 photo pixels
        expected[0, 16:24, columns] = 255
        assert np.array_equal(types().truth(scene(car, view))["cover"], expected)
    assert types(stride=4).truth(scene(car))["cover"].shape == (5, 16, 16)


def test_a_cell_that_is_damaged_in_part_is_so_in_part() -> None:
    halves = photo(annotation("dent", (32, 64, 50, 96)), labelled=("dent",))
    assert types().truth(scene(halves))["cover"][0, 20, 11:14].tolist() == [255, 128, 0]


def test_damages_of_a_type_are_joined() -> None:
    pair = photo(annotation("dent", (0, 0, 40, 40)), annotation("dent", (20, 0, 60, 60)), labelled=("dent",))
    cover = types().truth(scene(pair))["cover"]
    assert (cover[0] == 255).sum() == 100 + 150 - 50
    assert not cover[1:].any()


def test_unknown_is_not_absent() -> None:
    truth = types().truth(scene(photo(annotation("dent", (0, 0, 64, 64)), labelled=("dent", "scratch"))))
    assert truth["known"][:, 0, 0].tolist() == [True, True, False, False, False]
    assert not truth["boxed"].any()


def test_undamaged_photos_know_that_every_type_is_absent() -> None:
    sound = scene(photo(vehicle=True, damage=False))
    assert types().truth(sound)["known"].all()
    assert any_damage().truth(sound)["known"].all()
    assert not types().truth(sound)["cover"].any()


def test_boxes_without_outlines_are_told_apart() -> None:
    truth = types().truth(scene(photo(annotation("scratch", (0, 0, 64, 64), outlined=False), labelled=("scratch",))))
    assert not truth["known"].any()
    assert truth["boxed"].tolist() == [False, True, False, False, False]
    assert truth["cover"][1, 8, 8] == 255


def test_a_type_marked_as_a_crowd_is_unknown_on_that_photo() -> None:
    crowd = replace(annotation("scratch", (10, 10, 90, 90)), crowd=True)
    truth = types().truth(scene(photo(crowd, labelled=("dent", "scratch"))))
    assert truth["known"][:, 0, 0].tolist() == [True, False, False, False, False]
    boxes = types().truth(scene(photo(replace(crowd, polygons=()), labelled=("dent", "scratch"))))
    assert boxes["boxed"].tolist() == [True, False, False, False, False]


def test_damage_of_a_type_that_is_not_taught_is_damage_all_the_same() -> None:
    crack = scene(photo(annotation("crack", (0, 0, 64, 64)), labelled=(*CLASSES.damage, "crack")))
    assert not types().truth(crack)["cover"].any()
    truth = any_damage().truth(crack)
    assert truth["known"].all()
    assert truth["cover"][0, :16, :16].min() == 255
    assert truth["cover"].sum() == 255 * 16 * 16


SOUND_CELL = (0, 0, 0)  # far from DENT, which lies in the middle


class TestAnyKnown:
    """Whether what is not damaged is known to be sound; what is damaged is known anyway."""

    @pytest.mark.parametrize(("labelled", "known"), [(5, True), (3, True), (2, False), (0, False)])
    def test_most_types_must_be(self, labelled: int, known: bool) -> None:
        truth = any_damage().truth(scene(photo(annotation("dent", DENT), labelled=CLASSES.damage[:labelled])))
        assert truth["known"][SOUND_CELL] == known
        assert truth["known"][0, 16:24, 8:16].all()

    def test_or_damage_of_whatever_type(self) -> None:
        untyped = photo(annotation(UNTYPED, DENT), labelled=(UNTYPED,))
        truth = any_damage().truth(scene(untyped))
        assert truth["known"].all()
        assert truth["cover"][0, 16:24, 8:16].min() == 255
        types_truth = types().truth(scene(untyped))
        assert not types_truth["cover"].any()
        assert not types_truth["known"].any()

    def test_boxes_alone_do_not_say(self) -> None:
        boxed = scene(photo(annotation("dent", DENT, outlined=False), labelled=CLASSES.damage))
        assert not any_damage().truth(boxed)["known"].any()

    def test_a_crowd_counts_as_unknown(self) -> None:
        crowd = scene(photo(replace(annotation("dent", DENT), crowd=True), labelled=CLASSES.damage[:3]))
        assert not any_damage().truth(crowd)["known"][SOUND_CELL]

    def test_each_photo_of_a_mosaic_must_know_most_for_itself(self) -> None:
        first, last, few = (photo(labelled=some) for some in (CLASSES.damage[:3], CLASSES.damage[2:], CLASSES.damage[:2]))
        known = any_damage().truth(mosaic(first, last, few, first))["known"][0]
        assert known[::63, ::63].tolist() == [[True, True], [False, True]]


def test_each_photo_of_a_mosaic_teaches_what_it_labels() -> None:
    both, one = photo(labelled=("dent", "scratch")), photo(labelled=("dent",))
    known = types().truth(mosaic(both, one, both, both))["known"]
    assert known[:, ::63, ::63].tolist() == [[[True] * 2] * 2, [[True, False], [True, True]], *([[[False] * 2] * 2] * 3)]


def test_within_damage_of_no_known_type_only_what_was_typed_is_known() -> None:
    nested = photo(annotation(UNTYPED, (0, 0, 64, 64)), annotation("dent", (0, 0, 32, 32)), labelled=(*CLASSES.damage, UNTYPED))
    known = types().truth(scene(nested))["known"]
    assert known[0, :8, :8].all()
    assert not known[1, :16, :16].any()
    assert not known[0, 8:16, 8:16].any()
    assert known[:, 16:, :].all()


def test_boxes_beside_damage_of_no_known_type_teach_no_type() -> None:
    dent = annotation("dent", DENT, outlined=False)
    assert types().truth(scene(photo(dent, labelled=("dent", UNTYPED))))["boxed"].tolist() == [True] + [False] * 4
    beside = photo(dent, annotation(UNTYPED, (0, 0, 20, 20), outlined=False), labelled=("dent", UNTYPED))
    assert not types().truth(scene(beside))["boxed"].any()


def test_four_photos_lie_as_they_are_read() -> None:
    sound, dented = photo(labelled=("dent",)), photo(annotation("dent", (32, 32, 96, 96)), labelled=("dent",))
    cover = types().truth(mosaic(sound, dented, sound, sound))["cover"]
    expected = np.zeros((5, 64, 64), np.uint8)
    expected[0, 8:24, 40:56] = 255
    assert np.array_equal(cover, expected)


def test_a_pasted_damage_is_added_to_what_is_there() -> None:
    donor = photo(annotation("scratch", (0, 0, 40, 40)), labelled=("scratch",))
    truth = types().truth(pasted(photo(vehicle=True, damage=False), donor, WHOLE))
    assert truth["cover"][1, :10, :10].min() == 255
    assert truth["known"].all()


def test_boxes_show_what_a_loss_learns_from_boxes() -> None:
    boxed = photo(annotation("dent", DENT, outlined=False))
    assert set(types().shown(boxed)) == set()
    assert set(types(loss={"cross_entropy": 4, "boxes": 0.3}).shown(boxed)) == {"dent"}
    assert set(types(loss={"cross_entropy": 4, "boxes": 0}).shown(boxed)) == set()
    assert set(any_damage().shown(boxed)) == set()


def test_what_a_photo_shows_and_which_channels_tell_it() -> None:
    car = photo(annotation("dent", DENT), annotation("crack", DENT), annotation("hood", DENT))
    assert set(types().shown(car)) == {"dent"}
    assert set(any_damage().shown(car)) == {"any"}
    assert set(any_damage().shown(photo(annotation("hood", DENT)))) == set()
    assert types().channels(("broken_part", "dent")) == [0, 4]
    assert types().channels(()) == []
    assert any_damage().channels(("any",)) == [0]
    assert any_damage().channels(()) == []


def batch() -> dict[str, torch.Tensor]:
    """An outlined, a boxed and an unlabelled photo."""
    dent = annotation("dent", DENT)
    outlined, boxed = photo(dent, labelled=("dent",)), photo(replace(dent, polygons=()), labelled=("dent",))
    return stacked(types(), scene(outlined), scene(boxed), scene(photo()))


def test_the_loss_is_the_weighted_sum_of_the_recipes() -> None:
    truth, told = batch(), torch.randn(3, 5, 32, 32, generator=torch.Generator().manual_seed(0))
    cover, known = truth["cover"].float() / 255, truth["known"]
    alone = {
        "cross_entropy": losses.binary_cross_entropy(told, cover, known),
        "focal": losses.binary_focal(told, cover, known),
        "dice": losses.dice(told.sigmoid(), cover, known),
        "tversky": losses.tversky(told.sigmoid(), cover, known),
        "lovasz": losses.lovasz(losses.hinge_errors(told, cover), cover, known),
        "boundary": losses.boundary(told.sigmoid(), cover, known),
        "boxes": losses.boxes(told, cover, truth["boxed"]),
    }
    for name, value in alone.items():
        torch.testing.assert_close(types(loss={name: 2}).loss(told, truth), 2 * value)
    torch.testing.assert_close(types(loss=dict.fromkeys(alone, 1)).loss(told, truth), sum(alone.values()))
    torch.testing.assert_close(types().loss(told, truth), 4 * alone["cross_entropy"] + alone["dice"])


def test_one_labelled_type_teaches_its_own_channel_of_its_own_photo() -> None:
    told = torch.zeros(3, 5, 32, 32, requires_grad=True)
    types().loss(told, batch()).backward()
    assert told.grad is not None
    assert told.grad.flatten(2).any(2).tolist() == [[True] + [False] * 4, [False] * 5, [False] * 5]


def test_boxes_teach_the_types_that_have_boxes() -> None:
    told = torch.zeros(3, 5, 32, 32, requires_grad=True)
    types(loss={"boxes": 1}).loss(told, batch()).backward()
    assert told.grad is not None
    assert told.grad.flatten(2).any(2).tolist() == [[False] * 5, [True] + [False] * 4, [False] * 5]


def test_any_damage_is_taught_by_no_boxes() -> None:
    boxed = stacked(any_damage(), scene(photo(annotation("dent", DENT, outlined=False), labelled=CLASSES.damage)))
    assert any_damage().loss(torch.randn(1, 1, 32, 32), boxed) == 0
    with pytest.raises(ValueError, match="boxes"):
        any_damage(loss={"boxes": 1})


def test_counts_are_of_pixels_told_with_a_half_or_more() -> None:
    truth = stacked(types(), scene(photo(annotation("dent", DENT), labelled=("dent", "scratch"))))
    told = torch.full((1, 5, 32, 32), -0.1)
    told[:, :, 16:24, 12:20] = 0.1
    counts = types().counts(told, truth)
    assert counts["both"].tolist() == [32, 0, 0, 0, 0]
    assert counts["either"].tolist() == [96, 64, 0, 0, 0]
    figures = types().figures(counts)
    assert (figures["dent"], figures["scratch"], figures["mean"]) == pytest.approx((1 / 3, 0, 1 / 6))
    alone = stacked(any_damage(), scene(photo(annotation("dent", DENT), labelled=CLASSES.damage)))
    assert any_damage().figures(any_damage().counts(told[:, :1], alone)) == pytest.approx({"iou": 1 / 3})


@pytest.mark.parametrize("loss", [{"cross_entropy": 4.0, "dice": 1.0}, {"focal": 20.0}, {"tversky": 1.0, "boxes": 0.3}])
def test_a_teacher_is_learned_from_as_truth_is(loss: dict[str, float]) -> None:
    """By the losses of regions, too: a mean over cells would hardly see what is rare. At whatever temperature."""
    head = types(loss=loss)
    generator = torch.Generator().manual_seed(0)
    told, teacher = torch.randn(2, 2, 5, 8, 8, generator=generator)
    truth = {"cover": teacher.sigmoid() * 255, "known": torch.ones(2, 5, 8, 8).bool(), "boxed": torch.zeros(2, 5).bool()}
    for temperature in (1.0, 4.0):
        assert head.distance(told, teacher, temperature).item() == pytest.approx(head.loss(told, truth).item(), rel=1e-5)


def test_what_a_teacher_does_not_say_is_not_learned() -> None:
    told = torch.zeros(1, 5, 8, 8, requires_grad=True)
    teacher = torch.full((1, 5, 8, 8), torch.nan)
    teacher[0, 1, :4] = 3.0
    types().distance(told, teacher, 1.0).backward()
    assert told.grad is not None
    assert (told.grad[0, 1, :4] < 0).all()
    told.grad[0, 1, :4] = 0
    assert not told.grad.any()


def test_heads_that_learn_from_boxes_alone_learn_from_a_teacher_cell_by_cell() -> None:
    teacher = torch.full((1, 5, 8, 8), 3.0)
    told = torch.zeros(1, 5, 8, 8)
    wanted = losses.binary_cross_entropy(told, teacher.sigmoid(), torch.ones_like(told).bool())
    assert types(loss={"boxes": 1.0}).distance(told, teacher, 2.0).item() == pytest.approx(wanted.item())
