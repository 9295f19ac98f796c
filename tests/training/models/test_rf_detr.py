"""RF-DETR: built tiny and random, trained on real photos, exported, asked; what it learns from; and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from safetensors.torch import save_file

import dentify
from dentify.bundle import Bundle
from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.runtime.session import Session
from dentify.training import export_bundle, train
from dentify.training.as_onnx import to_onnx
from dentify.training.heads import Output
from dentify.training.models.rf_detr import RFDETR, RFDETRRecipe, centred, corners, mask_loss, match, type_loss
from real_photos import SIDE, TYPES, label_examples, real_recipe

CELLS = INSTANCE_MASK**2
OUTPUTS = {"types": Output(4 + 3 + CELLS, candidates=12)}
SMALL = {
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_self_attention_heads": 2,
    "decoder_cross_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "intermediate_size": 16,
    "num_queries": 10,
    "backbone_config": {
        "hidden_size": 12,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "out_indices": [1, 2],
        "image_size": 96,
    },
}
TINY: dict[str, Any] = {"name": "rf_detr", "weights": None, "groups": 2, "configuration": SMALL}
HEADS: dict[str, Any] = {"types": {"kind": "instances", "of": "damage", "candidates": 12}}


def built(**changes: Any) -> RFDETR:
    torch.manual_seed(0)
    return RFDETRRecipe(**(TINY | changes)).build(OUTPUTS, None)


def truth(known: tuple[bool, bool, bool] = (True, True, True), label: int = 1) -> dict[str, Any]:
    """Of two pictures: one with a thing in its middle, and one with none."""
    boxes, labels = torch.zeros(2, 4, 4), torch.zeros(2, 4, dtype=torch.uint8)
    boxes[0, 0] = torch.tensor([0.25, 0.25, 0.75, 0.75])
    labels[0, 0] = label
    covers = torch.zeros(2, 4, 56, 56, dtype=torch.uint8)
    covers[0, 0] = 255
    outlined = torch.zeros(2, 4, dtype=torch.bool)
    outlined[0, 0] = True
    return {"boxes": boxes, "labels": labels, "covers": covers, "outlined": outlined, "known": torch.tensor([known, known])}


def test_it_is_trained_on_real_photos_exported_and_asked(examples: Path, tmp_path: Path) -> None:
    data = label_examples(examples, tmp_path)
    recipe = real_recipe(TINY, HEADS, data=real_recipe(TINY, HEADS).data.model_dump(by_alias=False), classes={"damage": TYPES})
    checkpoint = train(recipe, data=data, output=tmp_path / "run")
    done = export_bundle(checkpoint, tmp_path / "bundle")
    manifest = Bundle.open(done).manifest
    assert [(member.output, member.kind) for member in manifest.roles.damage] == [("types", "instances")]
    assert manifest.classes.damage == TYPES
    answer = dentify.load(done).assess(examples / "car_04.jpg", score_threshold=0.0)
    assert answer.findings
    assert all(finding.mask is not None for finding in answer.findings)


def test_every_weight_is_in_one_part_and_learns_from_what_is_labelled() -> None:
    network = built().train()
    named = [id(parameter) for modules in network.parts().values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())
    network(torch.randn(2, 3, SIDE, SIDE), {"types": truth()})["types"].backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_photos_of_which_nothing_is_known_teach_nothing() -> None:
    unknown = truth((False, False, False), label=0)
    assert built().train()(torch.randn(2, 3, SIDE, SIDE), {"types": unknown})["types"].item() == 0


def test_a_region_that_is_left_out_is_no_background() -> None:
    """One that fills the picture leaves nothing to learn."""
    left_out = truth()
    left_out["boxes"][:, 0] = torch.tensor([-9.0, -9.0, 9.0, 9.0])
    left_out["labels"][:, 0] = 255
    assert built().train()(torch.randn(2, 3, SIDE, SIDE), {"types": left_out})["types"].item() == 0
    assert built().train()(torch.randn(2, 3, SIDE, SIDE), {"types": truth(label=0)})["types"].item() > 0


def test_it_learns_one_picture_by_heart() -> None:
    """Type, box and mask: what it has of a thing after some steps is the thing."""
    network = built(groups=1).train()
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    images[0, :, 24:72, 24:72] += 3
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(150):
        loss = network(images, {"types": truth(label=2)})["types"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        first, none = network.eval()(images)["types"]
    box, scores, mask = first[0, :4], first[0, 4:7], first[0, 7:]
    assert int(scores.argmax()) == 1
    assert float(scores.max()) > 2 * float(none[:, 4:7].max())
    torch.testing.assert_close(box, torch.tensor([0.25, 0.25, 0.75, 0.75]), atol=0.08, rtol=0)
    assert float((mask > 0).float().mean()) > 0.8


def test_things_are_given_to_the_best_query_of_each_group() -> None:
    boxes = torch.tensor([[0.2, 0.2, 0.2, 0.2], [0.8, 0.8, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2]]).repeat(2, 1)
    logits = torch.zeros(6, 2)
    there = corners(torch.tensor([[0.79, 0.8, 0.2, 0.2], [0.2, 0.21, 0.2, 0.2]]))
    query, thing = match(logits, boxes, there, torch.tensor([0, 1]), groups=2)
    assert sorted(zip(query.tolist(), thing.tolist(), strict=True)) == [(0, 1), (1, 0), (3, 1), (4, 0)]
    logits[:3, 0] = torch.tensor([-9.0, -9.0, 9.0])  # of two at one place the one that says the type
    query, thing = match(logits[:3], boxes[:1].repeat(3, 1), there[1:], torch.tensor([0]), groups=1)
    assert (query.tolist(), thing.tolist()) == ([2], [0])


def test_boxes_come_back_from_their_middles() -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.9]])
    torch.testing.assert_close(corners(centred(boxes)), boxes)


def test_a_type_is_taught_as_sure_as_its_box_is_right_and_no_unknown_one_is_wrong() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    unknown = torch.tensor([[True, False], [True, False]])
    type_loss(logits, torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0]), unknown).backward()
    assert logits.grad is not None
    rows = logits.grad.tolist()
    assert rows[0][0] < 0  # matched, whether unknown or not
    assert rows[1][0] == 0  # unknown
    assert rows[0][1] == rows[1][1] > 0


def test_a_mask_is_compared_in_its_box_and_around_it() -> None:
    boxes = torch.tensor([[0.25, 0.25, 0.75, 0.75]])
    covers = torch.full((1, 56, 56), 255, dtype=torch.uint8)
    right = torch.full((1, 64, 64), -20.0)
    right[:, 16:48, 16:48] = 20
    too_large = torch.full((1, 64, 64), 20.0)
    assert float(mask_loss(right, boxes, covers)) < 0.2 * float(mask_loss(too_large, boxes, covers))
    beyond = right.clone()
    beyond[:, :4] = 20  # far from its box, where nothing of it is told
    assert float(mask_loss(beyond, boxes, covers)) == float(mask_loss(right, boxes, covers))


@pytest.mark.parametrize("side", [SIDE, 64, 160], ids=["its own size", "fewer patches than queries", "another size"])
def test_onnx_runtime_says_what_torch_says(side: int) -> None:
    network = built(size="small").eval()
    session = Session(to_onnx(network, side), input_name="image", output_names=["types"], where="network.onnx")
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        theirs = network(images)["types"]
    ours = torch.from_numpy(session.run(images.numpy())["types"])
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_published_weights_are_taken_but_for_the_types(tmp_path: Path) -> None:
    other = RFDETRRecipe(**TINY).build({"types": Output(4 + 8 + CELLS, candidates=12)}, None)
    save_file(other.model.state_dict(), tmp_path / "whole.safetensors")
    taken = RFDETRRecipe(**(TINY | {"weights": "whole.safetensors"})).build(OUTPUTS, tmp_path)
    ours, theirs = taken.model.state_dict(), other.model.state_dict()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == [
        name for name in ours if "class_embed" in name
    ]
    with pytest.raises(ConfigError, match=r"whole\.safetensors: are not weights of rf_detr, nano: it lacks "):
        RFDETRRecipe(**(TINY | {"weights": "whole.safetensors", "groups": 3})).build(OUTPUTS, tmp_path)


@pytest.mark.parametrize(
    ("outputs", "changes", "told"),
    [
        ({"any": Output(1, 4)}, {}, "heads.any: rf_detr answers one head, of instances"),
        ({**OUTPUTS, "parts": OUTPUTS["types"]}, {}, "heads.types: rf_detr answers one head, of instances"),
        (
            OUTPUTS,
            {"configuration": {"decoder_layer": 2}},
            "decoder_layer: is no key of RfDetrConfig; did you mean `decoder_layers`",
        ),
        (OUTPUTS, {"configuration": {"d_model": 15}}, "model.configuration: rf_detr cannot be built so"),
        (OUTPUTS, {"weights": "none.safetensors"}, "none.safetensors: no such pretrained weights"),
    ],
    ids=["maps", "two heads", "a key", "a size", "weights"],
)
def test_what_it_cannot_be_built_of_is_told(
    outputs: dict[str, Output], changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        RFDETRRecipe(**(TINY | changes)).build(outputs, tmp_path)
