"""One encoder with a light feature pyramid and a head for every question: the network of the default bundle.

Everything is answered in one forward pass, and every answer is of the kinds `maps` or `labels`:

| output | shape | meaning |
| --- | --- | --- |
| `types` | (B, T, S/2, S/2) | logit of each taught damage type; types overlap, so each is its own yes or no |
| `any` | (B, 1, S/2, S/2) | logit of damage of whatever type |
| `centres` | (B, T, S/4, S/4) | logit of being the middle of an instance |
| `offsets` | (B, 2T, S/4, S/4) | from a pixel to the middle of its instance, (x, y) in shares of S |
| `parts` | (B, P+1, S/4, S/4) | logits of the parts, background last |
| `severity_maps` | (B, 3, S/4, S/4) | logits of how bad the damage at this pixel is |
| `vehicle`, `damage` | (B, 1) | logits of the photo's labels |
| `severity` | (B, 3) | logits of how bad the photo's damage is |

Feature pyramid: Lin et al. 2017, "Feature Pyramid Networks for Object Detection", with nearest upsampling; what differs is a last
level at stride 2, which thin scratches need, made cheap by depth-to-space.
"""

from __future__ import annotations

from typing import Any, Self

import timm
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dentify.training.models.depthwise import speed_up_depthwise


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        )


class EfficientNetFPN(nn.Module):
    """See the module's table. Input: (B, 3, S, S) float RGB, normalised with ImageNet's mean and deviation; S multiple of 32."""

    mean = (0.485, 0.456, 0.406)
    std = (0.229, 0.224, 0.225)

    def __init__(
        self,
        *,
        encoder: str,
        num_types: int,
        num_parts: int,
        num_levels: int,
        width: int = 96,
        fine_width: int = 64,
        frozen_stages: int = 0,
        drop_path: float = 0.0,
        only_labels: bool = False,
    ) -> None:
        super().__init__()
        features: Any = timm.create_model(encoder, features_only=True, pretrained=False, drop_path_rate=drop_path)
        c2, c4, c8, c16, c32 = features.feature_info.channels()
        speed_up_depthwise(features)
        self.encoder = features
        self.frozen: list[nn.Module] = []
        if frozen_stages:
            self.frozen = [features.conv_stem, features.bn1, *features.blocks[: frozen_stages - 1]]
        for module in self.frozen:
            module.requires_grad_(False)
        self.only_labels = only_labels
        self.lateral32 = ConvNormAct(c32, width, 1)
        self.context = nn.Linear(c32, width)
        self.smooth32 = ConvNormAct(width, width)
        self.lateral16 = nn.Conv2d(c16, width, 1)
        self.smooth16 = ConvNormAct(width, width)
        self.lateral8 = nn.Conv2d(c8, width, 1)
        self.smooth8 = ConvNormAct(width, width)
        self.narrow = nn.Conv2d(width, fine_width, 1)
        self.lateral4 = nn.Conv2d(c4, fine_width, 1)
        self.smooth4 = nn.Sequential(ConvNormAct(fine_width, fine_width), ConvNormAct(fine_width, fine_width))
        # Stride 2: the pyramid's channels folded into pixels, beside the encoder's first features, which still see thin lines.
        fold = fine_width // 4
        self.fine = nn.Sequential(ConvNormAct(fold + c2, 32), nn.Conv2d(32, num_types + 1, 1))
        self.coarse = nn.Conv2d(fine_width, 3 * num_types + num_parts + 1 + num_levels, 1)
        self.photo = nn.Sequential(nn.Linear(c32 + 2 * width, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 2 + num_levels))
        if only_labels:
            self.frozen = [module for module in self.children() if module is not self.photo]
        self.splits = (num_types, 2 * num_types, num_parts + 1, num_levels)
        self.num_types = num_types
        nn.init.constant_(self.fine[-1].bias, -3.0)  # type: ignore[arg-type]  # damage is rare: start from a low prior
        assert self.coarse.bias is not None
        nn.init.constant_(self.coarse.bias[:num_types], -4.0)
        self.train()  # Lightning leaves modes as it finds them

    def train(self, mode: bool = True) -> Self:
        """Frozen stages stay in evaluation mode: their batch norms keep the statistics that they came with."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised photos to the named outputs of the module's table."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.only_labels):
            f2, f4, f8, f16, f32 = self.encoder(images)
            pooled = f32.mean((2, 3))
            p32 = self.smooth32(self.lateral32(f32) + self.context(pooled)[:, :, None, None])
            p16 = self.smooth16(_double(p32) + self.lateral16(f16))
            p8 = self.smooth8(_double(p16) + self.lateral8(f8))
            p4 = self.smooth4(_double(self.narrow(p8)) + self.lateral4(f4))
            fine = self.fine(torch.cat([F.pixel_shuffle(p4, 2), f2], 1))
            centres, offsets, parts, severity_maps = self.coarse(p4).split(self.splits, 1)
        labels = self.photo(torch.cat([pooled, p8.amax((2, 3)), p8.mean((2, 3))], 1))
        return {
            "types": fine[:, : self.num_types],
            "any": fine[:, self.num_types :],
            "centres": centres,
            "offsets": offsets,
            "parts": parts,
            "severity_maps": severity_maps,
            "vehicle": labels[:, :1],
            "damage": labels[:, 1:2],
            "severity": labels[:, 2:],
        }


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="nearest")
