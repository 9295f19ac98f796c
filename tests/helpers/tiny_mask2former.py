"""Mask2Former so small that it is built and trained in seconds, as maps and as things one by one."""

from __future__ import annotations

from typing import Any

SWIN: dict[str, Any] = {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
MASK2FORMER: dict[str, Any] = {
    "backbone_config": SWIN,
    "feature_size": 32,
    "mask_feature_size": 16,
    "hidden_dim": 32,
    "encoder_feedforward_dim": 16,
    "dim_feedforward": 16,
    "num_attention_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 3,
    "num_queries": 8,
}
