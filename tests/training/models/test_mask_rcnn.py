"""Mask R-CNN: built tiny and random, trained on real photos, exported, asked; beside torchvision's own; and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("torchvision", reason="needs the extra `train`")

from safetensors.torch import save_file

import dentify
from dentify.bundle import Bundle
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.runtime.session import Session
from dentify.training import export_bundle, train
from dentify.training.as_onnx import to_onnx
from dentify.training.heads import Output
from dentify.training.models.mask_rcnn import MaskRCNN, MaskRCNNRecipe
from real_photos import PARTS, SIDE, TYPES, label_examples, real_recipe

CELLS = INSTANCE_MASK**2
OUTPUTS = {"types": Output(4 + 3 + CELLS, candidates=12)}
TINY: dict[str, Any] = {"name": "mask_rcnn", "encoder": "test_resnet", "weights": None, "width": 8, "hidden": 16, "layers": 1}
HEADS: dict[str, Any] = {
    "types": {"kind": "instances", "of": "damage", "candidates": 12},
    "parts": {"kind": "instances", "of": "parts", "candidates": 6},
}


def built(**changes: Any) -> MaskRCNN:
    torch.manual_seed(0)
    return MaskRCNNRecipe(**(TINY | {"proposals": 20} | changes)).build(OUTPUTS, None)


@pytest.mark.parametrize(
    "encoder",
    [
        "test_resnet",
        pytest.param("test_efficientnet", marks=pytest.mark.models),
        pytest.param("test_convnext", marks=pytest.mark.models),
    ],
)
def test_it_is_trained_on_real_photos_exported_and_asked(encoder: str, examples: Path, tmp_path: Path) -> None:
    data = label_examples(examples, tmp_path)
    recipe = real_recipe(TINY | {"encoder": encoder, "proposals": 120}, HEADS)
    checkpoint = train(recipe, data=data, output=tmp_path / "run")
    done = export_bundle(checkpoint, tmp_path / "bundle")
    manifest = Bundle.open(done).manifest
    assert [(member.output, member.kind) for member in manifest.roles.damage] == [("types", "instances")]
    assert manifest.classes.damage == TYPES
    assert set(manifest.classes.parts) == set(PARTS)
    answer = dentify.load(done).assess(examples / "car_04.jpg", score_threshold=0.0)
    assert answer.findings
    assert all(finding.mask is not None for finding in answer.findings)


def test_every_weight_is_in_one_part_and_learns_from_what_is_labelled() -> None:
    network = built().train()
    named = [id(parameter) for modules in network.parts().values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())
    told = network(torch.randn(2, 3, SIDE, SIDE), {"types": truth()})
    told["types"].backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def truth(known: tuple[bool, bool, bool] = (True, True, True), label: int = 1) -> dict[str, Any]:
    """Of two pictures: one with a thing in its middle, and one with none."""
    boxes, labels = torch.zeros(2, 4, 4), torch.zeros(2, 4, dtype=torch.uint8)
    boxes[0, 0] = torch.tensor([0.25, 0.25, 0.75, 0.75])
    labels[0, 0] = label
    covers = torch.zeros(2, 4, 56, 56, dtype=torch.uint8)
    covers[0, 0] = 255
    outlined = torch.zeros(2, 4, dtype=torch.bool)
    outlined[0, 0] = True
    return {
        "boxes": boxes,
        "labels": labels,
        "covers": covers,
        "outlined": outlined,
        "known": torch.tensor([known, known]),
    }


def test_photos_of_which_nothing_is_known_teach_nothing() -> None:
    network = built().train()
    unknown = truth((False, False, False))
    unknown["labels"] = torch.zeros_like(unknown["labels"])
    loss = network(torch.randn(2, 3, SIDE, SIDE), {"types": unknown})["types"]
    assert loss.item() == 0


def test_proposals_learn_no_background_where_most_types_are_unknown() -> None:
    """A damage of a type that nobody labelled may be there."""
    network = built().train()

    def gradient(known: tuple[bool, bool, bool]) -> float:
        network.zero_grad()
        nothing = truth(known)
        nothing["labels"] = torch.zeros_like(nothing["labels"])
        network(torch.randn(2, 3, SIDE, SIDE), {"types": nothing})["types"].backward()
        return float(network.finders["types"].rpn.head.cls_logits.bias.grad.abs().sum())

    assert gradient((True, False, False)) == 0
    assert gradient((True, True, False)) > 0.1


def test_a_mask_is_learned_from_where_it_lies_in_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """The right half of a thing, its proposal just its box: the middle cell's border is the middle of the mask."""
    goals = []
    entropy = torch.nn.functional.binary_cross_entropy_with_logits

    def kept(logits: Any, goal: Any, **how: Any) -> Any:
        if goal.shape[-1] == INSTANCE_MASK and goal.ndim == 3:
            goals.append(goal)
        return entropy(logits, goal, **how)

    monkeypatch.setattr("dentify.training.models.mask_rcnn.F.binary_cross_entropy_with_logits", kept)
    half = truth()
    half["covers"][0, 0, :, :28] = 0
    network = built().train()
    for _ in range(20):
        network(torch.randn(2, 3, SIDE, SIDE), {"types": half})
    centre = max((goal.sum(dim=(1, 2)) / INSTANCE_MASK for goal in goals if len(goal)), key=lambda one: -(one - 14).abs().min())
    assert (centre - INSTANCE_MASK / 2).abs().min() < 0.15


def test_a_region_that_is_left_out_is_no_background() -> None:
    """One that fills the picture leaves nothing to learn."""
    network = built().train()
    left_out = truth()
    left_out["boxes"][:, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    left_out["labels"][:, 0] = 255
    loss = network(torch.randn(2, 3, SIDE, SIDE), {"types": left_out})["types"]
    background = network(torch.randn(2, 3, SIDE, SIDE), {"types": truth(label=0)})["types"]
    assert loss.item() < 0.5 * background.item()


def test_what_it_answers_is_what_torchvisions_own_inference_answers() -> None:
    """Fixed numbers and levels for all: the same boxes, scores and masks, up to the order of what scores alike."""
    from torchvision.models.detection.image_list import ImageList

    network = built(proposals=50).eval()
    finder = network.finders["types"]
    images = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        table = network(images)["types"][0]
        maps = network.pyramid({str(number): one for number, one in enumerate(network.encoder(images))})
        shapes = [(SIDE, SIDE)]
        proposals, _ = finder.rpn(ImageList(images, shapes), maps)
        (told,), _ = finder.roi_heads(maps, proposals, shapes)
    count = len(told["boxes"])
    assert count > 3
    scores = table[:, 4:7].amax(1)
    assert int((scores > 0).sum()) == count
    for box, label, score, mask in zip(told["boxes"], told["labels"], told["scores"], told["masks"], strict=True):
        row = int(((table[:, :4] * SIDE - box).abs().amax(1) + (table[:, 3 + int(label)] - score).abs()).argmin())
        torch.testing.assert_close(table[row, :4] * SIDE, box, atol=1e-3, rtol=0)
        assert float(table[row, 3 + int(label)]) == pytest.approx(float(score), abs=1e-5)
        torch.testing.assert_close(table[row, 7:].sigmoid().view(28, 28), mask[0], atol=1e-4, rtol=0)


def test_onnx_runtime_says_what_torch_says() -> None:
    network = built().eval()
    session = Session(to_onnx(network, SIDE), input_name="image", output_names=["types"], where="network.onnx")
    images = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        theirs = network(images)["types"]
    torch.testing.assert_close(torch.from_numpy(session.run(images.numpy())["types"]), theirs, atol=1e-3, rtol=0)


def test_torchvisions_weights_are_taken_but_for_the_types(tmp_path: Path) -> None:
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    theirs = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    weights = {name: value.contiguous() for name, value in theirs.state_dict().items()}
    save_file(weights, tmp_path / "coco.safetensors")
    network = MaskRCNNRecipe(name="mask_rcnn", weights="coco.safetensors").build(OUTPUTS, tmp_path)
    ours = network.state_dict()
    for mine, other in (
        ("encoder.layer4.2.conv3.weight", "backbone.body.layer4.2.conv3.weight"),
        ("pyramid.layer_blocks.3.0.weight", "backbone.fpn.layer_blocks.3.0.weight"),
        ("finders.types.rpn.head.conv.1.0.weight", "rpn.head.conv.1.0.weight"),
        ("finders.types.roi_heads.box_head.5.weight", "roi_heads.box_head.5.weight"),
        ("finders.types.roi_heads.mask_predictor.conv5_mask.weight", "roi_heads.mask_predictor.conv5_mask.weight"),
    ):
        torch.testing.assert_close(ours[mine], weights[other])
    save_file({name: value for name, value in weights.items() if name.startswith("roi_heads.")}, tmp_path / "coco.safetensors")
    with pytest.raises(
        ConfigError, match=r"coco.safetensors: are not weights of this mask_rcnn: \S+ is \(256,.* there"
    ) as caught:
        MaskRCNNRecipe(name="mask_rcnn", weights="coco.safetensors", width=128).build(OUTPUTS, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "changes", "told"),
    [
        ({"types": Output(3, 2)}, {}, r"heads.types: mask_rcnn answers instances alone"),
        (OUTPUTS, {"encoder": "resnet5"}, r"model.encoder: timm has no model `resnet5`; did you mean"),
        (OUTPUTS, {"encoder": "vit_tiny_patch16_224"}, r"model.encoder: vit_tiny_patch16_224 gives no features at strides 4"),
    ],
    ids=["maps", "unknown", "no pyramid"],
)
def test_what_it_cannot_be_built_of_is_told(outputs: dict[str, Output], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MaskRCNNRecipe(**(TINY | changes)).build(outputs, None)
