"""Mask2Former of things one by one: what its queries come to, what they learn, beside transformers' own loss, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")
pytest.importorskip("torchvision", reason="needs the extra `train`")

from safetensors.torch import save_file
from torch import Tensor

import dentify
from dentify.bundle import Bundle
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.runtime.tables import find_in_table
from dentify.training import export_bundle, train
from dentify.training.checkpoints import read_checkpoint, write_checkpoint
from dentify.training.heads import Output
from dentify.training.heads.instances import LEFT_OUT
from dentify.training.models.mask2former import Mask2Former, Mask2FormerRecipe, set_loss, table_of
from real_photos import SIDE, TYPES, label_examples, real_recipe
from tiny_mask2former import MASK2FORMER

CELLS = INSTANCE_MASK**2
OUTPUTS = {"types": Output(4 + 3 + CELLS, candidates=12)}
ENCODER = {"encoder": "mobilenetv3_small_050", "configuration": {k: v for k, v in MASK2FORMER.items() if k != "backbone_config"}}
MODEL: dict[str, Any] = {"name": "mask2former", "weights": None, "configuration": MASK2FORMER, "points": 64}


def built(**changes: Any) -> Mask2Former:
    torch.manual_seed(0)
    return Mask2FormerRecipe(**(MODEL | changes)).build(OUTPUTS, None)


@pytest.mark.models
@pytest.mark.parametrize("changes", [{}, ENCODER], ids=["Swin", "an encoder of timm"])
def test_it_is_trained_on_real_photos_exported_and_asked(changes: dict[str, Any], examples: Path, tmp_path: Path) -> None:
    """Export itself compares ONNX Runtime with torch."""
    data = label_examples(examples, tmp_path)
    recipe = real_recipe(MODEL | changes, {"types": {"kind": "instances", "of": "damage", "candidates": 12}})
    checkpoint = train(recipe, data=data, output=tmp_path / "run")
    convince(checkpoint)
    done = export_bundle(checkpoint, tmp_path / "bundle")
    manifest = Bundle.open(done).manifest
    assert [(member.output, member.kind) for member in manifest.roles.damage] == [("types", "instances")]
    assert manifest.classes.damage == TYPES
    answer = dentify.load(done).assess(examples / "car_04.jpg", score_threshold=0.0)
    assert answer.findings
    assert all(finding.mask is not None for finding in answer.findings)


def convince(checkpoint: Path) -> None:
    """Lets the masks of a network that learned next to nothing fill the photo, so that there is something to find."""
    state = read_checkpoint(checkpoint)
    for name in state.average:
        if name.endswith(("mask_embedder.2.0.bias", "mask_projection.bias")):
            state.average[name] += 3
    write_checkpoint(checkpoint, state)


@pytest.mark.parametrize("changes", [{}, ENCODER], ids=["Swin", "an encoder of timm"])
def test_every_weight_is_in_one_part_and_learns(changes: dict[str, Any]) -> None:
    network = built(**changes).train()
    named = [id(parameter) for modules in network.parts().values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())
    network(torch.randn(2, 3, SIDE, SIDE), {"types": truth()})["types"].backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_photos_are_normalised_as_the_encoder_learned_them() -> None:
    swin, resnet = built(), built(**ENCODER | {"encoder": "test_resnet"})
    assert (swin.mean, swin.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (resnet.mean, resnet.std) == ((0.5,) * 3, (0.5,) * 3)


# What is answered

QUERY = 20.0


def drawn(*boxes: tuple[int, int, int, int], sure: float = 4.0, side: int = 16) -> Tensor:
    """(1, Q, side, side) logits of masks that fill boxes (left, top, right, bottom); an empty one for an empty box."""
    masks = torch.full((1, len(boxes), side, side), -sure)
    for query, (left, top, right, bottom) in enumerate(boxes):
        masks[0, query, top:bottom, left:right] = sure
    return masks


def test_a_query_is_the_box_that_its_mask_fills_as_sure_as_its_type_and_mask() -> None:
    """One is a scratch, and one most likely none; what is answered draws the same cells again."""
    types = torch.tensor([[[-QUERY, QUERY, -QUERY, -QUERY], [0.0, 0.0, 0.0, QUERY]]])
    table = table_of(types, drawn((2, 4, 6, 8), (0, 0, 16, 16)), 4)
    assert table.shape == (1, 4, 4 + 3 + CELLS)
    sure = float(torch.tensor(4.0).sigmoid())
    assert table[0, 0, :4].tolist() == [2 / 16, 4 / 16, 6 / 16, 8 / 16]
    assert table[0, 0, 4:7].tolist() == pytest.approx([0, sure, 0], abs=1e-6)
    assert table[0, 1:, 4:7].max() < 1e-6
    found = find_in_table(table[0].numpy(), (512, 512))
    assert found.boxes_xyxy.tolist() == [[64, 128, 192, 256]]
    assert found.area_shares.tolist() == pytest.approx([1 / 16], rel=0.03)


def test_a_mask_within_its_box_is_drawn_where_it_is() -> None:
    """An L: the upper right quarter of its box is not part of it."""
    masks = drawn((0, 0, 8, 16))
    masks[0, 0, 8:, 8:] = 4.0
    found = find_in_table(table_of(torch.tensor([[[QUERY, 0.0]]]), masks, 1)[0].numpy(), (512, 512))
    assert found.boxes_xyxy.tolist() == [[0, 0, 512, 512]]
    assert found.area_shares.tolist() == pytest.approx([0.75], rel=0.02)
    assert not found.on_grid(0)[:240, 272:].any()


def test_a_mask_of_one_cell_is_that_cell() -> None:
    found = find_in_table(table_of(torch.tensor([[[QUERY, 0.0]]]), drawn((5, 9, 6, 10)), 1)[0].numpy(), (512, 512))
    assert found.boxes_xyxy.tolist() == [[160, 288, 192, 320]]


def test_an_empty_mask_and_rows_beyond_the_queries_are_zeros() -> None:
    table = table_of(torch.tensor([[[QUERY, 0.0]]]), drawn((0, 0, 0, 0)), 3)
    assert table.shape == (1, 3, 4 + 1 + CELLS)
    assert not table.any()


# What is learned


def truth(known: tuple[bool, ...] = (True, True, True), label: int = 1, outlined: bool = True) -> dict[str, Tensor]:
    """Of two pictures: one with a thing in its middle, and one with none."""
    boxes, labels = torch.zeros(2, 4, 4), torch.zeros(2, 4, dtype=torch.uint8)
    boxes[0, 0] = torch.tensor([0.25, 0.25, 0.75, 0.75])
    labels[0, 0] = label
    covers = torch.zeros(2, 4, 56, 56, dtype=torch.uint8)
    covers[0, 0] = 255
    told = torch.zeros(2, 4, dtype=torch.bool)
    told[0, 0] = outlined
    return {"boxes": boxes, "labels": labels, "covers": covers, "outlined": told, "known": torch.tensor([known, known])}


def said(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Of five queries, on two pictures."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 5, 4, generator=generator), torch.randn(2, 5, 16, 16, generator=generator)


def test_where_all_is_known_and_outlined_it_is_transformers_own_loss() -> None:
    """Up to the points that either draws."""
    from transformers.models.mask2former.modeling_mask2former import Mask2FormerConfig, Mask2FormerLoss

    types, masks = said()
    config = Mask2FormerConfig(num_labels=3, train_num_points=8192)
    of = {"loss_cross_entropy": config.class_weight, "loss_mask": config.mask_weight, "loss_dice": config.dice_weight}
    square = torch.zeros(1, 16, 16)
    square[:, 4:12, 4:12] = 1
    torch.manual_seed(0)
    theirs = Mask2FormerLoss(config, of)(
        masks, types, [square, square[:0]], [torch.tensor([0]), torch.tensor([], dtype=torch.int64)]
    )
    expected = sum(of[name] * float(value) for name, value in theirs.items())
    assert float(set_loss(types, masks, truth(), 8192)) == pytest.approx(expected, rel=0.03)


def test_the_query_that_fits_best_is_the_thing_and_costs_least() -> None:
    types = torch.full((2, 3, 4), -QUERY)
    types[..., 3] = QUERY
    types[0, 1] = torch.tensor([QUERY, -QUERY, -QUERY, -QUERY])
    masks = drawn((0, 0, 4, 4), (4, 4, 12, 12), (8, 8, 16, 16), sure=QUERY).repeat(2, 1, 1, 1)
    assert float(set_loss(types, masks, truth(), 512)) < 1  # but for cells at its edge
    assert float(set_loss(types, masks, truth(label=2), 512)) > 10  # of another type


def test_photos_of_which_nothing_is_known_teach_nothing() -> None:
    unknown = truth((False, False, False))
    unknown["labels"] = torch.zeros_like(unknown["labels"])
    network = built().train()
    assert network(torch.randn(2, 3, SIDE, SIDE), {"types": unknown})["types"].item() == 0


def test_a_type_that_is_unknown_is_neither_taught_nor_background() -> None:
    types, masks = said()
    types.requires_grad_()
    set_loss(types, masks, truth((True, False, True)), 64).backward()
    assert types.grad is not None
    assert not types.grad[..., 1].any()
    assert types.grad[..., [0, 2, 3]].abs().amin() > 0


def test_a_query_in_a_region_that_is_left_out_is_no_background() -> None:
    """One that fills the picture leaves nothing to learn of it, and the other picture is as it was."""
    types, masks = said()
    types.requires_grad_()
    left_out = truth(label=LEFT_OUT)
    left_out["boxes"][0, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    set_loss(types, masks, left_out, 64).backward()
    assert types.grad is not None
    assert not types.grad[0].any()
    assert types.grad[1].any()


def test_a_box_without_an_outline_teaches_its_type_and_no_mask() -> None:
    types, masks = said()
    for one in (types, masks):
        one.requires_grad_()
    set_loss(types, masks, truth(outlined=False), 64).backward()
    assert types.grad is not None
    assert masks.grad is not None
    assert types.grad[0].any()
    assert not masks.grad.any()


# Weights, and what it cannot be built of


def test_weights_of_it_are_taken_but_for_the_types_and_those_of_another_size_are_not(tmp_path: Path) -> None:
    network = built()
    values = {name: value.contiguous() for name, value in network.model.state_dict().items()}
    values["class_predictor.weight"], values["class_predictor.bias"] = torch.zeros(81, 32), torch.zeros(81)
    save_file(values, tmp_path / "coco.safetensors")
    torch.manual_seed(1)
    taken = Mask2FormerRecipe(**(MODEL | {"weights": "coco.safetensors"})).build(OUTPUTS, tmp_path).model.state_dict()
    for name in ("model.transformer_module.queries_features.weight", "model.pixel_level_module.decoder.mask_projection.weight"):
        torch.testing.assert_close(taken[name], values[name])
    assert taken["class_predictor.weight"].shape == (4, 32)
    wider = MODEL | {"weights": "coco.safetensors", "configuration": MASK2FORMER | {"mask_feature_size": 32}}
    with pytest.raises(ConfigError, match=r"coco.safetensors: are not weights of mask2former_swin_tiny: size mismatch") as caught:
        Mask2FormerRecipe(**wider).build(OUTPUTS, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "changes", "told"),
    [
        ({"types": Output(3, 2)}, {}, r"heads.types: mask2former answers instances alone"),
        (OUTPUTS | {"parts": OUTPUTS["types"]}, {}, r"answers one head, .* here are types, parts; leave all but one"),
        (OUTPUTS, {"configuration": {"num_querys": 8}}, r"model.configuration.num_querys: is no key .*num_queries"),
    ],
    ids=["maps", "two heads", "no such key"],
)
def test_what_it_cannot_be_built_of_is_told(outputs: dict[str, Output], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Mask2FormerRecipe(**(MODEL | changes)).build(outputs, None)
