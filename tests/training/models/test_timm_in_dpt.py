"""A vision transformer of timm as DPT's encoder: it sees what it saw there, and what does not fit is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

import timm
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import save_file
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor

from dentify.errors import ConfigError
from dentify.training.heads import Output
from dentify.training.models import timm_in_dpt
from dentify.training.models.semantic import SemanticRecipe
from dentify.training.models.timm_in_dpt import dpt_settings, normed_tokens, take_weights, timm_transformer

OUTPUTS = {"types": Output(3, 4, -3.0)}


def dpt_over(encoder: str, **changes: Any) -> SemanticRecipe:
    return SemanticRecipe(**({"name": "semantic", "architecture": "dpt_large", "encoder": encoder, "weights": None} | changes))


def transformer(patch: int, **options: Any) -> Any:
    """Of 4 blocks, as DINOv2: its layers have scales, which are not 1."""
    torch.manual_seed(0)
    network = VisionTransformer(
        img_size=4 * patch, patch_size=patch, embed_dim=48, depth=4, num_heads=3, num_classes=0, init_values=0.3, **options
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def encoder_of(network: Any) -> Any:
    settings = dpt_settings(network)
    dpt = transformers.DPTModel(transformers.DPTConfig(**settings), add_pooling_layer=False).eval()
    take_weights(dpt, network)
    return dpt


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_every_block_says_what_it_said_in_timm(qkv_bias: bool) -> None:
    network = transformer(16, qkv_bias=qkv_bias)
    picture = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        theirs = network.forward_intermediates(picture, norm=False, intermediates_only=True, output_fmt="NLC")
        ours = encoder_of(network)(picture, output_hidden_states=True).hidden_states[1:]
    assert len(ours) == len(theirs) == 4
    for ours_of_block, theirs_of_block in zip(ours, theirs, strict=True):
        torch.testing.assert_close(ours_of_block[:, 1:], theirs_of_block, rtol=1e-4, atol=1e-4)


def test_the_neck_is_given_normed_tokens_as_timm_norms_them() -> None:
    network = transformer(16)
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        theirs = network.forward_intermediates(picture, norm=True, intermediates_only=True, output_fmt="NLC")
        ours = normed_tokens(encoder_of(network), picture)
    assert len(ours) == 4
    for ours_of_block, theirs_of_block in zip(ours, theirs, strict=True):
        torch.testing.assert_close(ours_of_block[:, 1:], theirs_of_block, rtol=1e-4, atol=1e-4)


def test_a_neck_that_begins_anew_begins_at_the_scale_of_torchs_layers() -> None:
    """Of layers one behind the other that begin smaller, as transformers' do, little is handed on."""
    neck = dpt_over("test_vit").build(OUTPUTS, None).model.neck
    for layer in (neck.convs[0], neck.fusion_stage.layers[-1].residual_layer2.convolution1):
        like = torch.nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size)
        assert (layer.weight.std() / like.weight.std()).item() == pytest.approx(1, rel=0.25)


def test_a_picture_made_larger_has_the_tokens_that_it_had_with_smaller_patches() -> None:
    """Patch by patch, as each is resized alone when its weights are."""
    network = transformer(14)
    small = torch.randn(1, 3, 4, 14, 4, 14)  # rows and columns of patches
    patches = small.permute(0, 2, 4, 1, 3, 5).reshape(16, 3, 14, 14)
    larger = F.interpolate(patches, [16, 16], mode="bicubic", antialias=True).reshape(1, 4, 4, 3, 16, 16)
    large = larger.permute(0, 3, 1, 4, 2, 5).reshape(1, 3, 64, 64)
    with torch.inference_mode():
        theirs: Tensor = network.patch_embed(small.reshape(1, 3, 56, 56))
        ours = encoder_of(network).embeddings.patch_embeddings(large)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_neck_goes_by_the_encoder_unless_the_recipe_says_otherwise() -> None:
    tiny = dpt_over("test_vit")
    config = tiny.build(OUTPUTS, None).model.config
    assert (config.hidden_size, config.num_hidden_layers) == (64, 6)
    assert config.backbone_out_indices == [0, 2, 3, 5]
    assert config.neck_hidden_sizes == [8, 16, 32, 64]
    narrow = tiny.model_copy(update={"configuration": {"fusion_hidden_size": 4}})
    assert narrow.build(OUTPUTS, None).model.config.fusion_hidden_size == 4


def test_its_weights_are_read(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = timm_transformer("test_vit")
    save_file(theirs.state_dict(), tmp_path / "vit.safetensors")
    network = dpt_over("test_vit", weights="vit.safetensors").build(OUTPUTS, tmp_path)
    torch.testing.assert_close(network.model.dpt.embeddings.cls_token, theirs.cls_token)
    query = network.model.dpt.encoder.layer[2].attention.attention.query.weight
    torch.testing.assert_close(query, theirs.blocks[2].attn.qkv.weight[:64])


def test_photos_are_normalised_as_timm_says() -> None:
    """These two learned from photos of other scales; DPT's own is that of the first."""
    halves, imagenet = (dpt_over(name).build(OUTPUTS, None) for name in ("test_vit", "deit_tiny_patch16_224"))
    assert (halves.mean, halves.std) == ((0.5,) * 3, (0.5,) * 3)
    assert (imagenet.mean, imagenet.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_the_hub_is_asked_once_and_never_where_a_checkpoint_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    create = timm.create_model

    def spy(name: str, *, pretrained: bool, **options: Any) -> Any:
        asked.append(pretrained)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", spy)
    dpt_over("test_vit", weights="hub").build(OUTPUTS, None)
    assert not any(asked)
    dpt_over("test_vit", weights="hub").build(OUTPUTS, tmp_path)
    assert sum(asked) == 1


def test_weights_of_another_transformer_are_told(tmp_path: Path) -> None:
    save_file(timm_transformer("vit_tiny_patch16_224").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(ConfigError, match=r"vit.safetensors: are not weights of test_vit: "):
        dpt_over("test_vit", weights="vit.safetensors").build(OUTPUTS, tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet18", "resnet18 is no vision transformer as dpt has"),
        ("vit_small_patch14_reg4_dinov2", "reg4_dinov2 is no vision transformer as dpt has"),
        ("vit_giant_patch14_dinov2", "vit_giant_patch14_dinov2 is no vision transformer as dpt has"),
        ("deit3_small_patch16_224", "deit3_small_patch16_224 is no vision transformer as dpt has"),
        ("swin_tiny_patch4_window7_224", "swin_tiny_patch4_window7_224 is no vision transformer as dpt has"),
        ("vit_smal_patch14_dinov2", "timm has no model `vit_smal_patch14_dinov2`; did you mean"),
    ],
    ids=["no transformer", "more tokens", "gates", "no position of the class", "windows", "unknown"],
)
def test_a_network_that_dpt_cannot_have_is_told(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"model.encoder: .*{told}"):
        timm_transformer(name)


class OtherBlock(Block):
    """Whatever it does, it may do it otherwise."""


@pytest.mark.parametrize(
    "options",
    [{"img_size": (32, 64)}, {"act_layer": torch.nn.ReLU}, {"block_fn": OtherBlock}, {"qk_norm": True}, {"pre_norm": True}],
    ids=["no square", "another function", "other blocks", "norms of queries", "a norm before"],
)
def test_what_dpt_would_do_otherwise_is_told(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    built = VisionTransformer(**({"img_size": 32, "embed_dim": 48, "depth": 1, "num_heads": 3, "num_classes": 0} | options))
    monkeypatch.setattr(timm_in_dpt, "timm_model", lambda *_, **__: built)
    with pytest.raises(ConfigError, match="mine is no vision transformer as dpt has"):
        timm_transformer("mine")


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"hidden_size": 8}, "model.configuration.hidden_size: model.encoder is test_vit, which says that itself"),
        ({"hidden_act": "relu"}, "model.configuration.hidden_act: model.encoder is test_vit, which says that itself"),
        ({"is_hybrid": True}, "model.configuration.is_hybrid: model.encoder is test_vit, which says that itself"),
        ({"backbone_config": {"model_type": "swin"}}, "model.configuration.backbone_config: model.encoder is test_vit, which"),
        ({"neck_hidden_sizes": [8, 8, 8]}, "model: dpt_large cannot be asked when it is built so: "),
        ({"backbone_out_indices": [0, 1, 2, 99]}, "model: dpt_large cannot be asked when it is built so: "),
    ],
)
def test_a_configuration_that_does_not_fit_is_one_line(configuration: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        dpt_over("test_vit", configuration=configuration).build(OUTPUTS, None)
    assert "\n" not in str(caught.value)
