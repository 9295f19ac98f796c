"""One encoder with a light feature pyramid: the network of the default bundle.

Everything is answered in one forward pass. What is asked for at stride 2 is answered by a fine output, at stride 4 by a coarse
one, and what has no stride by a layer over features pooled from the whole picture, by where its maps are strongest, or by both.

Feature pyramid: Lin et al. 2017, "Feature Pyramid Networks for Object Detection", with nearest upsampling; what differs is a last
level at stride 2, which thin scratches need, made cheap by depth-to-space.
Beside it all scales at once, each by one layer: Xie et al. 2021, "SegFormer", the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import nearest
from dentify.training.heads import Output
from dentify.training.models.depthwise import speed_up_depthwise
from dentify.training.models.network import RGB, NetworkRecipe, begin_low, names_of_files, refuse_instances
from dentify.training.models.pretrained import read_recipe_weights

FINE, COARSE = 2, 4
"""Strides that it answers at, in pixels of the picture."""


class PyramidRecipe(NetworkRecipe):
    """Which encoder, how wide a decoder, and which weights to begin with."""

    encoder: str = Field(description="a timm model that can be built with features_only=True")
    encoder_weights: str | None = Field(None, description="safetensors of that encoder; null starts from random weights")
    width: int = Field(96, gt=0, description="channels of the decoder at strides 32 to 8")
    fine_width: int = Field(64, gt=0, multiple_of=4, description="channels of the decoder at stride 4")
    direct_width: int = Field(
        0, ge=0, multiple_of=4, description="channels of what sees all scales at once beside the pyramid, at stride 4; 0: none"
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="how often a training step passes over the encoder's last residual block, earlier ones less"
    )

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Of the encoder."""
        return names_of_files(self.encoder_weights)

    def check_outputs(self, outputs: Mapping[str, Output]) -> None:
        """Makes sure that it can answer what heads ask.

        Raises:
            ConfigError: an output has a stride that it does not answer at.
        """
        refuse_instances(outputs)
        for name, output in outputs.items():
            if output.stride not in (None, FINE, COARSE):
                raise ConfigError(f"heads.{name}: the network answers at stride {FINE} or {COARSE}, got {output.stride}")


class EfficientNetFPNRecipe(PyramidRecipe):
    """The encoder and its pyramid alone."""

    name: Literal["efficientnet_fpn"]

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> EfficientNetFPN:
        """The network.

        Args:
            outputs: what heads ask of it, by name.
            root: folder that the path of pretrained weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: an output has a stride that it does not answer at, or the weights are missing or another encoder's.
        """
        self.check_outputs(outputs)
        network = EfficientNetFPN(self, outputs)
        if root is not None:
            read_recipe_weights(network.encoder, root, self.encoder_weights, "model.encoder_weights", self.encoder)
        return network


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        )


class AllScales(nn.Module):
    """Features of all scales at the finest one's: a layer each, their sum, batch norm, ReLU.

    Args:
        channels: of the features, from fine to coarse.
        width: channels of the result.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.of = nn.ModuleList(nn.Conv2d(count, width, 1, bias=False) for count in channels)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(B, C, h, w) of each scale to (B, width, h, w) of the first."""
        size = features[0].shape[2:]
        told = [layer(scale) for layer, scale in zip(self.of, features, strict=True)]
        others = [F.interpolate(scale, size, mode="bilinear", align_corners=False) for scale in told[1:]]
        return F.relu(self.norm(sum(others, start=told[0])))


class Evidence(nn.Module):
    """One answer for the whole picture from where its maps are strongest: more evidence anywhere never makes it less likely.

    Each map becomes shares of cells of 8 × 8 pixels, of the likeliest of its classes, times how likely the cell lies within what
    is judged. Their log-odds are pooled by soft maxima, from nearly a mean to nearly the maximum, and weighed with weights that
    are never negative.

    Source: Pinheiro & Collobert 2015, "From Image-level to Pixel-level Labeling", log-mean-exp of several sharpnesses.

    Args:
        output: names the maps.
        outputs: of the network.
    """

    CELL = 8
    BIAS = 10.0  # in units of which the bias learns, as log-odds are that large; it begins where rare damage is as likely as none
    SHARPNESS = (0.25, 0.5, 1.0, 2.0)

    def __init__(self, output: Output, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        self.pooled, self.within = output.pooled, output.within
        self.strides = {name: outputs[name].stride or 1 for name in (*output.pooled, *filter(None, [output.within]))}
        features = len(self.pooled) * len(self.SHARPNESS)
        self.weight = nn.Parameter(torch.full((features,), math.log(math.expm1(1 / features))))
        self.bias = nn.Parameter(torch.tensor(0.4))

    def forward(self, maps: Mapping[str, Tensor]) -> Tensor:
        """Logits of maps (B, C, h, w) by name to (B, 1) logits."""
        within = None if self.within is None else self._shares(maps, self.within)
        features = []
        for name in self.pooled:
            shares = self._shares(maps, name)
            log_odds = torch.logit(shares if within is None else shares * within, eps=1e-4).flatten(1)
            features += [torch.logsumexp(r * log_odds, 1) / r - math.log(log_odds.shape[1]) / r for r in self.SHARPNESS]
        return (torch.stack(features, 1) * F.softplus(self.weight)).sum(1, keepdim=True) + self.BIAS * self.bias

    def _shares(self, maps: Mapping[str, Tensor], name: str) -> Tensor:
        """(B, h', w'): of each cell the share that its likeliest class covers."""
        return F.avg_pool2d(maps[name].float().sigmoid(), self.CELL // self.strides[name]).amax(1)


class EfficientNetFPN(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with ImageNet's mean and deviation; S multiple of 32."""

    mean: RGB = (0.485, 0.456, 0.406)
    std: RGB = (0.229, 0.224, 0.225)

    def __init__(self, recipe: PyramidRecipe, outputs: Mapping[str, Output]) -> None:
        super().__init__()
        features = _encoder(recipe)
        c2, c4, c8, c16, c32 = features.feature_info.channels()
        speed_up_depthwise(features)
        self.encoder = features
        width, fine_width, direct_width = recipe.width, recipe.fine_width, recipe.direct_width
        self.lateral32 = ConvNormAct(c32, width, 1)
        self.context = nn.Linear(c32, width)
        self.smooth32 = ConvNormAct(width, width)
        self.lateral16 = nn.Conv2d(c16, width, 1)
        self.smooth16 = ConvNormAct(width, width)
        self.lateral8 = nn.Conv2d(c8, width, 1)
        self.smooth8 = ConvNormAct(width, width)
        self.outputs = {
            stride: {n: o for n, o in outputs.items() if o.stride == stride and (o.stride or o.features)}
            for stride in (FINE, COARSE, None)
        }
        fine, coarse, photo = (
            sum(output.channels for output in self.outputs[stride].values()) for stride in (FINE, COARSE, None)
        )
        self.evidence = nn.ModuleDict({n: Evidence(o, outputs) for n, o in outputs.items() if o.pooled})
        if fine or coarse:
            self.narrow = nn.Conv2d(width, fine_width, 1)
            self.lateral4 = nn.Conv2d(c4, fine_width, 1)
            self.smooth4 = nn.Sequential(ConvNormAct(fine_width, fine_width), ConvNormAct(fine_width, fine_width))
        self.direct = AllScales((c4, c8, c16, c32), direct_width) if direct_width and (fine or coarse) else None
        # Stride 2: channels at stride 4 folded into pixels, beside the encoder's first features, which still see thin lines.
        folded = fine_width // 4 + c2 + direct_width // 4
        self.fine = nn.Sequential(ConvNormAct(folded, 32), nn.Conv2d(32, fine, 1)) if fine else None
        self.coarse = nn.Conv2d(fine_width + direct_width, coarse, 1) if coarse else None
        self.photo: nn.Sequential | None = None
        if photo:
            self.photo = nn.Sequential(nn.Linear(c32 + 2 * width, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, photo))
        for stride, layer in ((FINE, self.fine and self.fine[-1]), (COARSE, self.coarse), (None, self.photo and self.photo[-1])):
            if layer is not None:
                begin_low(layer, self.outputs[stride])

    def parts(self) -> dict[str, list[nn.Module]]:
        """`encoder.0` is the stem, each further one a stage; then the decoder, and what answers for the whole picture."""
        stages = [[self.encoder.conv_stem, self.encoder.bn1], *([stage] for stage in self.encoder.blocks)]
        parts = {f"encoder.{number}": modules for number, modules in enumerate(stages)}
        apart = {self.encoder, self.photo, self.evidence}
        parts["decoder"] = [module for module in self.children() if module not in apart]
        photo: list[nn.Module] = [module for module in (self.photo, self.evidence) if module]
        return {**parts, "photo": photo} if photo else parts

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """See `Network`."""
        layers = {}
        for stride, layer in ((FINE, "fine.1"), (COARSE, "coarse"), (None, "photo.3")):
            row = 0
            for name, output in self.outputs[stride].items():
                layers[name] = (layer, row)
                row += output.channels
        return layers

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised photos to the outputs by name."""
        f2, f4, f8, f16, f32 = self.encoder(images)
        pooled = f32.mean((2, 3))
        p32 = self.smooth32(self.lateral32(f32) + self.context(pooled)[:, :, None, None])
        p16 = self.smooth16(_double(p32) + self._at16(images, f16))
        p8 = self.smooth8(_double(p16) + self.lateral8(f8))
        told: dict[str, Tensor] = {}
        if self.fine is not None or self.coarse is not None:
            p4 = self.smooth4(_double(self.narrow(p8)) + self.lateral4(f4))
            beside = [] if self.direct is None else [self.direct([f4, f8, f16, f32])]
            if self.fine is not None:
                folded = [F.pixel_shuffle(features, 2) for features in beside]
                told |= self._split(FINE, self.fine(torch.cat([F.pixel_shuffle(p4, 2), f2, *folded], 1)))
            if self.coarse is not None:
                told |= self._split(COARSE, self.coarse(torch.cat([p4, *beside], 1)))
        if self.photo is not None:
            told |= self._split(None, self.photo(torch.cat([pooled, p8.amax((2, 3)), p8.mean((2, 3))], 1)))
        for name, evidence in self.evidence.items():
            found = evidence(told)
            told[name] = told[name] + found if name in told else found
        return told

    def _at16(self, images: Tensor, features: Tensor) -> Tensor:
        """What the pyramid is told at stride 16."""
        told: Tensor = self.lateral16(features)
        return told

    def _split(self, stride: int | None, values: Tensor) -> dict[str, Tensor]:
        outputs = self.outputs[stride]
        return dict(zip(outputs, torch.split(values, [output.channels for output in outputs.values()], 1), strict=True))


def _encoder(recipe: PyramidRecipe) -> Any:
    """A timm model that gives features at strides 2 to 32.

    Raises:
        ConfigError: timm has no such model, or it is not built as EfficientNets are.
    """
    import timm

    name = recipe.encoder
    if not timm.is_model(name):
        known = timm.list_models("*efficientnet*") + timm.list_models("mobilenet*")
        raise ConfigError(f"model.encoder: timm has no model `{name}`{nearest(name, known)}")
    try:
        features: Any = timm.create_model(name, features_only=True, pretrained=False, drop_path_rate=recipe.drop_path)
    except (RuntimeError, TypeError, AttributeError, AssertionError) as error:  # what timm raises where it cannot
        raise ConfigError(f"model.encoder: `{name}` gives no features ({str(error).splitlines()[0]})") from error
    is_alike = all(hasattr(features, part) for part in ("conv_stem", "bn1", "blocks"))
    if not is_alike or list(features.feature_info.reduction()) != [2, 4, 8, 16, 32]:
        raise ConfigError(f"model.encoder: `{name}` is not built as EfficientNets are; try tf_efficientnet_b0")
    return features


def _double(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="nearest")
