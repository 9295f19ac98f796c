"""A vision transformer of timm, such as DINOv2, as the encoder of transformers' DPT: its shape, and its weights by other names.

What it has that DPT has not is brought into what that has. A layer's scale is a factor of the weights before it. Patches of
another size are resampled to DPT's 16 pixels: larger ones lose what is finer. Positions stay as they were
learned, and DPT resizes them, bilinearly where timm does bicubically.

Source: Beyer et al. 2023, "FlexiViT: One Model for All Patch Sizes", how patches are resampled; Yang et al. 2024, "Depth
Anything", how wide the neck of a DPT over DINOv2 is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.training.models.pretrained import advice_on, timm_model

PATCH = 16
"""Pixels of a patch: DPT answers at a half of it, an eighth of it and so on."""
OF_THE_NECK = ("backbone_out_indices", "fusion_hidden_size", "neck_hidden_sizes")
"""Keys of a configuration that go by the encoder where a recipe does not say otherwise."""
LAYERS = 4
"""Of which it takes tokens: evenly far apart, the last is the last of all."""
KEY, WEIGHTS = "model.encoder", "model.weights"

_NAMES = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
"""By what timm calls them; within a block without its number."""
_SCALES = {"attn.proj": "ls1", "mlp.fc2": "ls2"}
"""Of what comes out of them."""


def timm_transformer(name: str, *, pretrained: bool = False) -> Any:
    """A vision transformer of timm that DPT can have as its encoder.

    Args:
        name: such as `vit_small_patch14_dinov2`.
        pretrained: whether its weights are downloaded.

    Raises:
        ConfigError: timm has none of this name, it is built otherwise, or its weights cannot be downloaded.
    """
    from timm.models.vision_transformer import Block, VisionTransformer

    options: dict[str, Any] = {"key": KEY, "weights": WEIGHTS, "advice": advice_on(WEIGHTS), "num_classes": 0}
    try:
        with torch.device("meta"):
            found = timm_model(name, pretrained=False, **options)
    except TypeError:  # it has no classes to leave out
        found = None
    fits = isinstance(found, VisionTransformer) and all(type(block) is Block for block in found.blocks)
    if not fits or _unknown(found):
        raise ConfigError(f"{KEY}: {name} is no vision transformer as dpt has; try vit_small_patch14_dinov2")
    return timm_model(name, pretrained=pretrained, **options)


def _unknown(transformer: Any) -> bool:
    """Whether it does what DPT's encoder does not: tokens beside that of the class, norms of queries, gates, other functions."""
    known = {*_NAMES, *_SCALES.values(), "attn.qkv", "norm"}
    names = {_split(name)[1] for name in transformer.state_dict()}
    block = transformer.blocks[0]
    across, down = transformer.patch_embed.grid_size
    positions = 0 if transformer.pos_embed is None else transformer.pos_embed.shape[1]
    return bool(names - known) or across != down or positions != 1 + across * down or type(block.mlp.act) is not nn.GELU


def dpt_settings(transformer: Any) -> dict[str, Any]:
    """What transformers' `DPTConfig` says of an encoder of that shape, and of a neck in proportion, which a recipe may change."""
    block, width, depth = transformer.blocks[0], transformer.embed_dim, len(transformer.blocks)
    return {
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": block.attn.num_heads,
        "intermediate_size": block.mlp.fc1.out_features,
        "layer_norm_eps": block.norm1.eps,
        "qkv_bias": block.attn.qkv.bias is not None,
        "patch_size": PATCH,
        "image_size": PATCH * transformer.patch_embed.grid_size[0],
        "num_channels": 3,
        "hidden_act": "gelu",
        "is_hybrid": False,
        "backbone_config": None,
        "backbone_out_indices": [depth * (number + 1) // LAYERS - 1 for number in range(LAYERS)],
        "neck_hidden_sizes": [width // 8, width // 4, width // 2, width],
        "fusion_hidden_size": max(8, width // 48 * 8),
    }


def take_weights(dpt: Any, transformer: Any) -> None:
    """Gives DPT's encoder what a transformer of timm has learned, its last norm as `norm`: see `normed_tokens`."""
    from timm.layers.patch_embed import resample_patch_embed

    values = dict(_by_names_of_dpt(transformer.state_dict()))
    patches = "embeddings.patch_embeddings.projection.weight"
    values[patches] = resample_patch_embed(values[patches], [PATCH, PATCH])
    missing, unexpected = dpt.load_state_dict(values, strict=False)
    assert not unexpected
    assert all(name.startswith("layernorm.") for name in missing)
    dpt.norm = transformer.norm


def normed_tokens(dpt: Any, images: Tensor) -> list[Tensor]:
    """Of the layers that the neck takes, (B, 1 + N, C) tokens after the transformer's last norm.

    What blocks hand on grows, fiftyfold over those of DINOv2 that are taken; a neck that begins anew is given them at one scale.
    """
    layers = dpt(images, output_hidden_states=True).hidden_states[1:]
    return [dpt.norm(layers[number]) for number in dpt.config.backbone_out_indices]


def _by_names_of_dpt(values: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, value in values.items():
        number, stem, kind = _split(name)
        layer = f"encoder.layer.{number}." if number else ""
        scale = values.get(f"blocks.{number}.{_SCALES.get(stem)}.gamma")
        scaled = value if scale is None else value * (scale[:, None] if kind == "weight" else scale)
        if stem == "attn.qkv":
            for part, of_part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                yield f"{layer}attention.attention.{part}.{kind}", of_part
        elif stem in _NAMES:
            yield layer + ".".join(filter(None, [_NAMES[stem], kind])), scaled


def _split(name: str) -> tuple[str, str, str]:
    """A name of timm's: the number of a block, what it is of, and its kind, as far as it has them.

    >>> _split("blocks.3.attn.qkv.bias"), _split("cls_token")
    (('3', 'attn.qkv', 'bias'), ('', 'cls_token', ''))
    """
    number = ""
    if name.startswith("blocks."):
        _, number, name = name.split(".", 2)
    stem, _, kind = name.rpartition(".")
    return (number, stem, kind) if stem else (number, kind, "")
