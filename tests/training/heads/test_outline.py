"""Where the vehicle is: told by parts, by damages, and by photos without any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from dentify.training.heads.outline import Outline, OutlineRecipe
from scenes import CLASSES, WHOLE, annotation, mosaic, photo, scene, stacked


def head() -> Outline:
    return OutlineRecipe(kind="outline").build("outline", CLASSES)


DOOR, DENT = (0, 0, 64, 128), (32, 32, 64, 64)


def test_the_vehicle_is_where_its_parts_and_damages_are_and_nowhere_else() -> None:
    truth = head().truth(scene(photo(annotation("front_left_door", DOOR), annotation("dent", (96, 96, 128, 128)))))
    assert truth["known"].all()
    assert truth["cover"][0, :, :8].min() == truth["cover"][0, 12:, 12:].min() == 255
    assert not truth["cover"][0, :12, 8:].any()
    assert not truth["cover"][0, :, 8:12].any()


def test_of_another_vehicle_beside_nothing_is_known() -> None:
    for name in ("hood", "dent"):
        both = photo(annotation("front_left_door", DOOR), annotation(name, (96, 96, 128, 128), other_car=True))
        truth = head().truth(scene(both))
        assert not truth["known"][0, 12:, 12:].any()
        assert truth["known"].sum() == 16 * 16 - 16


def test_what_damage_does_not_cover_is_unknown() -> None:
    truth = head().truth(scene(photo(annotation("dent", DENT))))
    assert truth["known"].sum() == truth["known"][0, 4:8, 4:8].sum() == 16
    assert truth["cover"][0, 4:8, 4:8].min() == 255


@pytest.mark.parametrize("facts", [{"loose": True}, {"other_car": True}, {"unsure": True}])
def test_what_lies_on_the_ground_or_is_to_be_ignored_tells_nothing(facts: dict[str, bool]) -> None:
    assert not head().truth(scene(photo(annotation("broken_part", DENT, **facts))))["known"].any()


def test_a_box_alone_tells_nothing() -> None:
    assert not head().truth(scene(photo(annotation("dent", DENT, outlined=False))))["known"].any()


@pytest.mark.parametrize("rest", [{"labelled": ("hood",)}, {"door": False}], ids=["few are labelled", "one is a box"])
def test_where_not_all_parts_are_outlined_the_vehicle_may_be_anywhere_else(rest: dict[str, Any]) -> None:
    hood, door = annotation("hood", DENT), annotation("front_left_door", (96, 96, 128, 128), outlined=False)
    truth = head().truth(scene(photo(hood, *([door] if "door" in rest else []), labelled=rest.get("labelled"))))
    assert truth["known"].sum() == truth["known"][0, 4:8, 4:8].sum() == 16
    assert truth["cover"][0, 4:8, 4:8].min() == 255


def test_a_photo_without_a_vehicle_has_none_anywhere() -> None:
    truth = head().truth(scene(photo(vehicle=False)))
    assert truth["known"].all()
    assert not truth["cover"].any()


def test_beyond_the_edges_of_a_photo_nothing_is_known() -> None:
    shifted = WHOLE.copy()
    shifted[0, 2] = 32
    truth = head().truth(scene(photo(annotation("front_left_door", DOOR)), shifted))
    assert not truth["known"][0, :, :8].any()
    assert truth["known"][0, :, 8:].all()


def test_each_photo_of_a_mosaic_tells_for_itself() -> None:
    known = head().truth(mosaic(photo(vehicle=False), photo(vehicle=True), photo(), photo(vehicle=False)))["known"][0]
    assert known[::31, ::31].tolist() == [[True, False], [False, True]]


def test_it_is_taught_by_outlined_parts() -> None:
    assert set(head().shown(photo(annotation("hood", DOOR)))) == {"vehicle"}
    assert set(head().shown(photo(annotation("hood", DOOR, outlined=False)))) == set()
    assert set(head().shown(photo(annotation("dent", DENT)))) == set()
    assert (head().channels(("vehicle",)), head().channels(())) == ([0], [])


def test_its_figure_is_the_iou_where_it_is_known() -> None:
    truth = stacked(head(), scene(photo(annotation("front_left_door", DOOR))))
    told = torch.full((1, 1, 16, 16), -1.0)
    told[..., 4:12] = 1.0
    assert head().figures(head().counts(told, truth)) == pytest.approx({"iou": 4 / 12})
    assert head().loss(50 * (truth["cover"].float() / 127.5 - 1), truth) < 1e-3 < head().loss(told, truth)


def test_a_teacher_teaches_the_cells_that_it_tells() -> None:
    teacher = torch.full((1, 1, 16, 16), np.nan)
    teacher[..., :8] = 2.0
    told = torch.zeros(1, 1, 16, 16, requires_grad=True)
    head().distance(told, teacher, 2.0).backward()
    assert told.grad is not None
    assert told.grad[..., :8].all()
    assert not told.grad[..., 8:].any()
    assert head().distance(teacher.nan_to_num(), teacher, 2.0) == pytest.approx(0, abs=1e-6)


def test_a_photo_that_a_vehicle_fills_shows_some_of_it() -> None:
    """Where it is nobody outlined; a map that finds it nowhere is wrong all the same."""
    filled, close_up = (photo(vehicle=True, damage=False, view=view) for view in ("front/rear", "detail"))
    nowhere, everywhere = (torch.full((1, 1, 16, 16), value) for value in (-9.0, 9.0))
    truth = stacked(head(), scene(filled))
    assert head().loss(everywhere, truth) == pytest.approx(0, abs=1e-3)
    assert head().loss(nowhere, truth) == pytest.approx(1, abs=1e-2)
    for unknown in (close_up, photo(vehicle=True, damage=False), photo(vehicle=False, view="whole")):
        assert not head().truth(scene(unknown))["filled"]
    small_window = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert not head().truth(scene(filled, small_window))["filled"]
    assert not head().truth(mosaic(filled, filled, filled, filled))["filled"]
