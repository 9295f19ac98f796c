"""Losses: right answers cost little, wrong ones much, unknown ones nothing."""

from __future__ import annotations

import math

import torch

from dentify.training.data import IGNORE
from dentify.training.losses import (
    centre_loss,
    class_map_loss,
    label_loss,
    offset_loss,
    overlap_loss,
    projection_loss,
    severity_loss,
    severity_map_loss,
    total_loss,
)
from dentify.training.recipe import Losses

SURE = 8.0


def square() -> torch.Tensor:
    truth = torch.zeros(1, 1, 16, 16)
    truth[:, :, 4:10, 4:10] = 1
    return truth


KNOWN = torch.ones(1, 1, dtype=torch.bool)


def test_overlap_is_near_zero_when_right_and_large_when_wrong() -> None:
    truth = square()
    assert overlap_loss((truth * 2 - 1) * SURE, truth, KNOWN) < 0.02
    assert overlap_loss((1 - truth * 2) * SURE, truth, KNOWN) > 5


def test_types_that_nobody_labelled_cost_and_teach_nothing() -> None:
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    known = torch.tensor([[True, False]])
    overlap_loss(logits, torch.ones(1, 2, 8, 8), known).backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].abs().sum() > 0
    assert logits.grad[:, 1].abs().sum() == 0


def test_nothing_known_is_zero_and_not_nan() -> None:
    nobody = torch.zeros(1, 1, dtype=torch.bool)
    logits = torch.randn(1, 1, 8, 8)
    assert overlap_loss(logits, torch.zeros(1, 1, 8, 8), nobody) == 0
    assert projection_loss(logits, torch.zeros(1, 1, 8, 8), nobody) == 0
    assert centre_loss(logits, torch.zeros(1, 1, 8, 8), nobody) == 0
    assert offset_loss(torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), math.nan)) == 0
    assert label_loss(torch.zeros(2, 1), torch.tensor([math.nan, math.nan])) == 0
    assert class_map_loss(torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), IGNORE)) == 0
    assert severity_map_loss(torch.randn(1, 3, 4, 4), torch.full((1, 4, 4), IGNORE)) == 0
    assert severity_loss(torch.randn(1, 3), torch.tensor([-1])) == 0


def test_a_box_asks_for_something_in_each_row_and_column_but_not_for_all_of_it() -> None:
    box = square()
    thin = torch.full((1, 1, 16, 16), -SURE)
    for place in range(4, 10):
        thin[:, :, place, place] = SURE  # a diagonal scratch, corner to corner
    half = torch.full((1, 1, 16, 16), -SURE)
    half[:, :, 4:7, 4:10] = SURE
    outside = (1 - box) * 2 * SURE - SURE
    diagonal, partly, wrong = (projection_loss(logits, box, KNOWN) for logits in (thin, half, outside))
    assert diagonal < 0.05 < partly < wrong


def test_offsets_are_judged_on_instances_only() -> None:
    truth = torch.full((1, 2, 4, 4), math.nan)
    truth[0, :, 1, 1] = 0.02
    told = torch.full((1, 2, 4, 4), 9.0)
    told[0, :, 1, 1] = 0.03
    assert torch.isclose(offset_loss(told, truth), torch.tensor(1.0), atol=1e-4)  # one hundredth of the side


def test_ignored_pixels_of_class_maps_do_not_count() -> None:
    truth = torch.zeros(1, 4, 4, dtype=torch.long)
    logits = torch.full((1, 2, 4, 4), 0.0)
    logits[:, 0], logits[:, 1] = SURE, -SURE
    clean = class_map_loss(logits, truth)
    truth[0, 0] = IGNORE
    logits[0, :, 0] = -logits[0, :, 0]
    assert torch.isclose(class_map_loss(logits, truth), clean, atol=1e-3)


def test_yes_and_no_are_learned_from_the_photos_that_say() -> None:
    logits = torch.tensor([[SURE], [-SURE], [SURE]])
    assert label_loss(logits, torch.tensor([1.0, 0.0, math.nan])) < label_loss(logits, torch.tensor([1.0, 1.0, math.nan]))


class TestTotal:
    """Two types, three parts, three levels; photos of 32 × 32 pixels."""

    SHAPES = {"types": (2, 16, 16), "any": (1, 16, 16), "centres": (2, 8, 8), "offsets": (4, 8, 8), "parts": (4, 8, 8)} | {
        "severity_maps": (3, 8, 8),
        "vehicle": (1,),
        "damage": (1,),
        "severity": (3,),
    }

    def outputs(self) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return {name: torch.randn(1, *shape, requires_grad=True) for name, shape in self.SHAPES.items()}

    def photo(self, **known: torch.Tensor) -> dict[str, torch.Tensor]:
        """A photo of which nothing is known but what is given."""
        types = torch.zeros(1, 2, 16, 16, dtype=torch.uint8)
        types[:, :, 4:8, 4:8] = 255
        unknown = {
            "types": types,
            "types_known": torch.zeros(1, 2, dtype=torch.bool),
            "box_only": torch.tensor([False]),
            "any": types[:, 0],
            "any_known": torch.tensor([False]),
            "centres": torch.zeros(1, 2, 8, 8, dtype=torch.uint8),
            "offsets": torch.full((1, 4, 8, 8), math.nan),
            "parts": torch.full((1, 8, 8), IGNORE, dtype=torch.uint8),
            "severity_maps": torch.full((1, 8, 8), IGNORE, dtype=torch.uint8),
            "vehicle": torch.tensor([math.nan]),
            "damage": torch.tensor([math.nan]),
            "severity": torch.tensor([-1]),
        }
        return unknown | known

    def taught(self, batch: dict[str, torch.Tensor], weights: Losses | None = None) -> dict[str, torch.Tensor]:
        """The gradient of each output that has one."""
        outputs = self.outputs()
        total_loss(outputs, batch, weights or Losses())[0].backward()  # type: ignore[no-untyped-call]
        gradients = {name: output.grad for name, output in outputs.items()}
        return {name: gradient[0] for name, gradient in gradients.items() if gradient is not None and gradient.any()}

    def test_a_photo_of_which_nothing_is_known_teaches_nothing(self) -> None:
        assert self.taught(self.photo()) == {}

    def test_one_labelled_type_teaches_its_own_channels_only(self) -> None:
        taught = self.taught(self.photo(types_known=torch.tensor([[True, False]])))
        assert set(taught) == {"types", "centres"}
        for gradient in taught.values():
            assert gradient[0].any()
            assert not gradient[1].any()

    def test_boxes_teach_types_but_neither_middles_nor_damage_of_any_kind(self) -> None:
        assert set(self.taught(self.photo(types_known=torch.tensor([[True, True]]), box_only=torch.tensor([True])))) == {"types"}

    def test_gates_and_parts_learn_from_photos_without_damage_labels(self) -> None:
        parts = torch.full((1, 8, 8), IGNORE, dtype=torch.uint8)
        parts[:, :4] = 3
        taught = self.taught(self.photo(parts=parts, vehicle=torch.tensor([1.0])))
        assert set(taught) == {"parts", "vehicle"}
        assert not taught["parts"][:, 4:].any()

    def test_a_weight_of_zero_leaves_a_head_out(self) -> None:
        known = self.photo(vehicle=torch.tensor([1.0]), damage=torch.tensor([0.0]))
        assert set(self.taught(known, Losses(damage=0))) == {"vehicle"}
