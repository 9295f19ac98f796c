"""The teacher's network: a vision transformer beside the default one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
timm = pytest.importorskip("timm", reason="needs the extra `train`")

from safetensors.torch import save_file

from dentify.errors import ConfigError
from dentify.training.checkpoints import Checkpoint, write_checkpoint
from dentify.training.heads import Output
from dentify.training.models.dinov2_fpn import DINOv2FPN, DINOv2FPNRecipe
from dentify.training.models.efficientnet_fpn import EfficientNetFPNRecipe
from dentify.training.optimizers import freeze
from dentify.training.recipe import Phase

OUTPUTS = {"types": Output(5, 2, -3.0), "parts": Output(7, 4), "damage": Output(1)}


def recipe(**changes: Any) -> DINOv2FPNRecipe:
    small = {"transformer": "vit_tiny_patch14_dinov2" if timm.is_model("vit_tiny_patch14_dinov2") else "vit_small_patch14_dinov2"}
    return DINOv2FPNRecipe(name="dinov2_fpn", encoder="test_efficientnet", width=8, fine_width=8, **(small | changes))


@pytest.fixture(scope="module")
def network() -> DINOv2FPN:
    return recipe().build(OUTPUTS, None).eval()


def test_it_answers_as_the_default_network_does(network: DINOv2FPN) -> None:
    with torch.inference_mode():
        told = network(torch.zeros(1, 3, 64, 96))
    assert {name: tuple(output.shape) for name, output in told.items()} == {
        "types": (1, 5, 32, 48),
        "parts": (1, 7, 16, 24),
        "damage": (1, 1),
    }


def test_a_token_is_a_cell_of_sixteen_pixels(network: DINOv2FPN) -> None:
    seen = []
    handle = network.beside16.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape[2:])))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 96))
    handle.remove()
    assert seen == [(4, 6)]


def test_what_the_transformer_sees_counts(network: DINOv2FPN) -> None:
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        without = network(images)["parts"]  # at first
        network.beside16.weight.normal_()
        with_it = network(images)["parts"]
        network.beside16.weight.zero_()
    assert not torch.allclose(with_it, without)


def test_its_blocks_are_parts_of_their_own(network: DINOv2FPN) -> None:
    names = [name for name in network.parts() if name.startswith("transformer.")]
    assert names == [f"transformer.{number}" for number in range(len(network.transformer.blocks) + 2)]
    named = [id(parameter) for modules in network.parts().values() for module in modules for parameter in module.parameters()]
    assert sorted(named) == sorted(id(parameter) for parameter in network.parameters())


def test_blocks_after_the_last_that_is_asked_are_left_out(network: DINOv2FPN) -> None:
    assert len(network.transformer.blocks) == 11


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"transformer": "vit_smal_patch14_dinov2"}, "timm has no model `vit_smal_patch14_dinov2`; did you mean"),
        ({"transformer": "vit_tiny_patch16_224"}, "vit_tiny_patch16_224 has patches of 16 pixels; take one with 14"),
        ({"transformer": "resnet18"}, "resnet18 is no vision transformer"),
        ({"blocks": (8, 12)}, "has blocks 0 to 11, got 12"),
    ],
)
def test_what_it_cannot_be_built_of_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        recipe(**changes).build(OUTPUTS, None)


def test_its_last_blocks_may_learn_alone(network: DINOv2FPN) -> None:
    phase = Phase(steps=1, size=64, train=("transformer.10-", "decoder"))
    freeze(network, network.parts(), phase, place=0)
    assert not network.transformer.pos_embed.requires_grad
    assert not network.transformer.blocks[8].mlp.fc1.weight.requires_grad
    assert network.transformer.blocks[9].mlp.fc1.weight.requires_grad
    network.requires_grad_(True)


def test_pretrained_weights_are_read(network: DINOv2FPN, tmp_path: Path) -> None:
    whole = timm.create_model(recipe().transformer, pretrained=False, num_classes=0, dynamic_img_size=True)
    weights = {name: value.half().contiguous() for name, value in whole.state_dict().items()}
    save_file(weights, tmp_path / "vit.safetensors")
    read = recipe(transformer_weights="vit.safetensors").build(OUTPUTS, tmp_path)
    assert torch.allclose(read.transformer.blocks[0].mlp.fc1.weight.half(), weights["blocks.0.mlp.fc1.weight"])
    with pytest.raises(ConfigError, match=r"model\.transformer_weights to null"):
        recipe(transformer_weights="other.safetensors").build(OUTPUTS, tmp_path)


def checkpoint(path: Path, weights: dict[str, torch.Tensor]) -> None:
    write_checkpoint(path, Checkpoint(step=1, weights=weights, average=weights, averaged=1, names={}, taught={}))


def test_it_begins_as_the_default_network_that_it_is_made_of(tmp_path: Path) -> None:
    torch.manual_seed(1)
    small = EfficientNetFPNRecipe(name="efficientnet_fpn", encoder="test_efficientnet", width=8, fine_width=8)
    default = small.build(OUTPUTS, None).eval()
    checkpoint(tmp_path / "last.ckpt", default.state_dict())
    teacher = recipe(pyramid="last.ckpt").build(OUTPUTS, tmp_path).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        ours, theirs = teacher(images), default(images)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value)


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    small = EfficientNetFPNRecipe(name="efficientnet_fpn", encoder="test_efficientnet", width=8, fine_width=8)
    checkpoint(tmp_path / "heads.ckpt", small.build({"types": Output(5, 2)}, None).state_dict())
    wider = EfficientNetFPNRecipe(name="efficientnet_fpn", encoder="test_efficientnet", width=16, fine_width=8)
    checkpoint(tmp_path / "wide.ckpt", wider.build(OUTPUTS, None).state_dict())
    for name in ("heads.ckpt", "wide.ckpt"):
        with pytest.raises(ConfigError, match=rf"{name}: model\.pyramid must be of the same encoder, widths and heads"):
            recipe(pyramid=name).build(OUTPUTS, tmp_path)
