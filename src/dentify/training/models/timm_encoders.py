"""How networks of timm take the place of encoders in transformers' segmentation networks: by configuration, then by weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dentify.training.models.pretrained import timm_pyramid
from dentify.training.models.timm_in_dpt import dpt_settings, take_weights, timm_transformer


@dataclass(frozen=True)
class Encoders:
    """How a network of timm takes the place of an encoder.

    Attributes:
        settings: what the configuration says of it, by its name.
        build: it, by its name; `pretrained` with the weights that timm downloads.
        put: puts it into a model that was built by these settings.
        begin: lets what comes after it begin.
    """

    settings: Callable[[str], dict[str, Any]]
    build: Callable[..., Any]
    put: Callable[[Any, Any], None]
    begin: Callable[[Any], None] = lambda model: None


def _pyramid(name: str, *, pretrained: bool = False) -> Any:
    return timm_pyramid(name, key="model.encoder", weights="model.weights", pretrained=pretrained)


def _by_a_backbone(name: str) -> dict[str, Any]:
    """Of families that take any backbone of transformers, which knows networks of timm."""
    with torch.device("meta"):
        indices = _pyramid(name).feature_info.out_indices
    backbone = {"model_type": "timm_backbone", "backbone": name, "out_indices": list(indices), "use_pretrained_backbone": False}
    return {"backbone_config": backbone}


def _by_widths(name: str) -> dict[str, Any]:
    """Of SegFormer, whose decoder asks how wide the stages are; its own encoder is built small, and taken out."""
    with torch.device("meta"):
        widths = _pyramid(name).feature_info.channels()
    small = ("depths", "num_attention_heads", "mlp_ratios", "sr_ratios", "patch_sizes")
    return {"hidden_sizes": widths, "num_encoder_blocks": len(widths), **{key: [1] * len(widths) for key in small}}


def _by_a_transformer(name: str) -> dict[str, Any]:
    with torch.device("meta"):
        return dpt_settings(timm_transformer(name))


def _put_into_backbone(encoder: Any, pyramid: Any) -> None:
    encoder._backbone = pyramid


def _put_alone(encoder: Any, pyramid: Any) -> None:
    for name, _ in list(encoder.named_children()):
        delattr(encoder, name)
    encoder._backbone = pyramid


BACKBONE = Encoders(_by_a_backbone, _pyramid, _put_into_backbone)
STAGES = Encoders(_by_widths, _pyramid, _put_alone)


def _begin_dpt(model: Any) -> None:
    """At the scale of torch's own layers: at that of transformers', ten in a row leave next to nothing to learn by."""
    for module in (*model.neck.modules(), *model.head.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.reset_parameters()


TRANSFORMER = Encoders(_by_a_transformer, timm_transformer, take_weights, _begin_dpt)
