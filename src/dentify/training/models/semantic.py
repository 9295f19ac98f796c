"""Semantic segmentation by transformers' own classes: SegFormer, UperNet, DPT, MobileViT under DeepLabV3, Mask2Former.

Each is a row of `ARCHITECTURES`. They share what is done with them: one logit a channel of every head, at the network's own
stride, brought to the stride that the head asks for. Gates are answered by where the maps are strongest (`Evidence`).

Two operators have no counterpart in ONNX, or none that torch exports, and are replaced by equivalent ones for all that the
network does: adaptive pooling by products with fixed matrices, and the fused attention of Swin's windows by its own formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, field_validator
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import nearest
from dentify.training.heads import Output
from dentify.training.models.depthwise import speed_up_depthwise
from dentify.training.models.efficientnet_fpn import Evidence
from dentify.training.models.network import RGB, NetworkRecipe, all_but, begin_low, names_of_files, refuse_instances
from dentify.training.models.pretrained import (
    encoder_parts,
    file_weights,
    hub_weights,
    read_recipe_weights,
    timm_scale,
)
from dentify.training.models.timm_encoders import BACKBONE, STAGES, TRANSFORMER, Encoders
from dentify.training.models.timm_in_dpt import OF_THE_NECK, normed_tokens

HUB = "hub"
_IMAGENET: tuple[RGB, RGB] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALVES: tuple[RGB, RGB] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_AS_THEY_ARE: tuple[RGB, RGB] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
TRIED = 128
"""Side of a picture, in pixels, that every network is tried with before it is trained."""
LEAST = 1e-4
"""Queries of a class at a cell below which their logit stays: of fewer, it would tell how sums were rounded."""


@dataclass(frozen=True)
class Family:
    """What architectures have in common whose classes are the same. Places in a model are dotted.

    Attributes:
        classes: imports the configuration's class and the model's.
        logits: of a model and normalised photos, (B, C, h, w).
        encoder: where the encoder is.
        stages: where its stages are, a list.
        answer: where the layer with a row a channel is.
        encoders: what a network of timm does in its encoder's place, where one may.
        scale: mean and deviation of the photos that its published weights were trained on.
        unused: beginnings of the names of published weights that no map follows from.
        prepare: replaces what is not used, or cannot be exported.
    """

    classes: Callable[[], tuple[Any, Any]]
    logits: Callable[[Any, Tensor], Tensor]
    encoder: str
    stages: str
    answer: str
    encoders: Encoders | None = None
    scale: tuple[RGB, RGB] = _IMAGENET
    unused: tuple[str, ...] = ()
    prepare: Callable[[Any], None] = lambda model: None


@dataclass(frozen=True)
class Architecture:
    """A row: a family, where weights of it are published, and the configuration that these fit."""

    family: Family
    hub: str
    configuration: Mapping[str, Any] = field(default_factory=dict)


def _segformer() -> tuple[Any, Any]:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    return SegformerConfig, SegformerForSemanticSegmentation


def _upernet() -> tuple[Any, Any]:
    from transformers import UperNetConfig, UperNetForSemanticSegmentation

    return UperNetConfig, UperNetForSemanticSegmentation


def _dpt() -> tuple[Any, Any]:
    from transformers import DPTConfig, DPTForSemanticSegmentation

    return DPTConfig, DPTForSemanticSegmentation


def _mobilevit() -> tuple[Any, Any]:
    from transformers import MobileViTConfig, MobileViTForSemanticSegmentation

    return MobileViTConfig, MobileViTForSemanticSegmentation


def _mobilevitv2() -> tuple[Any, Any]:
    from transformers import MobileViTV2Config, MobileViTV2ForSemanticSegmentation

    return MobileViTV2Config, MobileViTV2ForSemanticSegmentation


def _mask2former() -> tuple[Any, Any]:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

    return Mask2FormerConfig, Mask2FormerForUniversalSegmentation


def _own_logits(model: Any, images: Tensor) -> Tensor:
    logits: Tensor = model(images).logits
    return logits


def _logits_of_bgr(model: Any, images: Tensor) -> Tensor:
    """Apple's networks learned from pictures whose channels are blue, green, red."""
    return _own_logits(model, images[:, [2, 1, 0]])


def _segformer_logits(model: Any, images: Tensor) -> Tensor:
    encoder = model.segformer
    if hasattr(encoder, "_backbone"):
        logits: Tensor = model.decode_head(encoder._backbone(images))
        return logits
    return _own_logits(model, images)


def _dpt_logits(model: Any, images: Tensor) -> Tensor:
    if not hasattr(model.dpt, "norm"):
        return _own_logits(model, images)
    logits: Tensor = model.head(model.neck(hidden_states=normed_tokens(model.dpt, images)))
    return logits


def _upernet_logits(model: Any, images: Tensor) -> Tensor:
    """Before UperNet itself enlarges them to the picture's size."""
    logits: Tensor = model.decode_head(model.backbone(images).feature_maps)
    return logits


def _mask2former_logits(model: Any, images: Tensor) -> Tensor:
    """What its queries come to at each cell, as logits.

    Its semantic map is, of each class, the sum over queries of how likely the query is of it times how likely the cell is of the
    query: so many queries of that class are expected there. That there is one at least, were they independent, has the logit
    `log(exp(sum) - 1)`, which rises with the sum: what is likeliest stays so, for exclusive classes and for others.

    Source: Cheng et al. 2022, "Masked-attention Mask Transformer for Universal Image Segmentation", semantic inference.
    """
    told = model(images)
    classes = told.class_queries_logits.float().softmax(-1)[..., :-1]  # (B, Q, C); the last is none of them
    masks = told.masks_queries_logits.float().sigmoid()  # (B, Q, h, w)
    expected = (classes.transpose(1, 2) @ masks.flatten(2)).float().unflatten(2, masks.shape[2:])
    logits: Tensor = expected + torch.log(LEAST - torch.expm1(-expected))
    return logits


def _prepare_swin(backbone: Any) -> None:
    if not hasattr(backbone, "swin"):
        return
    backbone.set_attn_implementation("eager")
    backbone.swin.layernorm = nn.Identity()  # of what comes after the last stage, which has a norm of its own


def _prepare_upernet(model: Any) -> None:
    _prepare_swin(model.backbone)
    for block in model.decode_head.psp_modules.blocks:
        pool = FixedAveragePool(block.layers[0].output_size)
        block.layers[0] = pool  # it is called by this list, and listed by its name
        block.add_module("0", pool)


def _prepare_dpt(model: Any) -> None:
    model.dpt.layernorm = nn.Identity()  # of what comes after the last layer, which is not looked at
    model.head.head[-1] = nn.Identity()  # twice the size would be made smaller again
    model.neck.fusion_stage.layers[0].residual_layer1 = nn.Identity()  # of a residual that the first layer has none of


def _prepare_mask2former(model: Any) -> None:
    _prepare_swin(model.model.pixel_level_module.encoder)
    model.criterion = nn.Identity()  # the heads have losses of their own


class FixedAveragePool(nn.Module):
    """`nn.AdaptiveAvgPool2d` as products with matrices, which are constants where the size of the features is."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, cells, cells)."""
        down, across = (self._shares(side).to(features) for side in features.shape[2:])
        return down @ features @ across.T

    def _shares(self, side: int) -> Tensor:
        """(cells, side): what each of the features weighs in each cell."""
        shares = torch.zeros(self.cells, side)
        for cell in range(self.cells):
            first, last = cell * side // self.cells, -(-(cell + 1) * side // self.cells)
            shares[cell, first:last] = 1 / (last - first)
        return shares


_SEGFORMER = Family(_segformer, _segformer_logits, "segformer", "segformer.stages", "decode_head.classifier", encoders=STAGES)
_UPERNET = Family(
    _upernet,
    _upernet_logits,
    "backbone",
    "backbone.swin.encoder.layers",
    "decode_head.classifier",
    encoders=BACKBONE,
    unused=("auxiliary_head.", "backbone.swin.layernorm."),
    prepare=_prepare_upernet,
)
_DPT = Family(
    _dpt,
    _dpt_logits,
    "dpt",
    "dpt.encoder.layer",
    "head.head.4",
    encoders=TRANSFORMER,
    scale=_HALVES,
    unused=("auxiliary_head.", "dpt.layernorm.", "dpt.pooler.", "neck.fusion_stage.layers.0.residual_layer1."),
    prepare=_prepare_dpt,
)
_MOBILEVIT = Family(
    _mobilevit,
    _logits_of_bgr,
    "mobilevit",
    "mobilevit.encoder.layer",
    "segmentation_head.classifier.convolution",
    scale=_AS_THEY_ARE,
    prepare=speed_up_depthwise,
)
_MOBILEVITV2 = Family(
    _mobilevitv2,
    _logits_of_bgr,
    "mobilevitv2",
    "mobilevitv2.encoder.layer",
    "segmentation_head.classifier.convolution",
    scale=_AS_THEY_ARE,
    prepare=speed_up_depthwise,
)
_MASK2FORMER = Family(
    _mask2former,
    _mask2former_logits,
    "model.pixel_level_module.encoder",
    "model.pixel_level_module.encoder.swin.encoder.layers",
    "class_predictor",
    encoders=BACKBONE,
    unused=("criterion.", "model.pixel_level_module.encoder.swin.layernorm."),
    prepare=_prepare_mask2former,
)

_SWIN_TINY = {
    "model_type": "swin",
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "drop_path_rate": 0.3,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}


def _mix_transformer(depths: list[int], width: int, decoder_width: int) -> dict[str, Any]:
    sizes = [width, 2 * width, 5 * width, 8 * width]
    return {"depths": depths, "hidden_sizes": sizes, "decoder_hidden_size": decoder_width}


ARCHITECTURES: Mapping[str, Architecture] = {
    "segformer_b0": Architecture(
        _SEGFORMER, "nvidia/segformer-b0-finetuned-ade-512-512", _mix_transformer([2, 2, 2, 2], 32, 256)
    ),
    "segformer_b1": Architecture(
        _SEGFORMER, "nvidia/segformer-b1-finetuned-ade-512-512", _mix_transformer([2, 2, 2, 2], 64, 256)
    ),
    "segformer_b2": Architecture(
        _SEGFORMER, "nvidia/segformer-b2-finetuned-ade-512-512", _mix_transformer([3, 4, 6, 3], 64, 768)
    ),
    "segformer_b3": Architecture(
        _SEGFORMER, "nvidia/segformer-b3-finetuned-ade-512-512", _mix_transformer([3, 4, 18, 3], 64, 768)
    ),
    "segformer_b4": Architecture(
        _SEGFORMER, "nvidia/segformer-b4-finetuned-ade-512-512", _mix_transformer([3, 8, 27, 3], 64, 768)
    ),
    "segformer_b5": Architecture(
        _SEGFORMER, "nvidia/segformer-b5-finetuned-ade-640-640", _mix_transformer([3, 6, 40, 3], 64, 768)
    ),
    "upernet_swin_tiny": Architecture(
        _UPERNET, "openmmlab/upernet-swin-tiny", {"backbone_config": _SWIN_TINY, "use_auxiliary_head": False}
    ),
    "dpt_large": Architecture(
        _DPT,
        "Intel/dpt-large-ade",
        {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "backbone_out_indices": [5, 11, 17, 23],
            "neck_hidden_sizes": [256, 512, 1024, 1024],
            "use_batch_norm_in_fusion_residual": True,
            "use_auxiliary_head": False,
        },
    ),
    "mobilevitv2_deeplabv3": Architecture(_MOBILEVITV2, "apple/mobilevitv2-1.0-voc-deeplabv3", {"output_stride": 16}),
    "deeplabv3_mobilevit_small": Architecture(_MOBILEVIT, "apple/deeplabv3-mobilevit-small", {"output_stride": 16}),
    "mask2former_swin_tiny": Architecture(
        _MASK2FORMER,
        "facebook/mask2former-swin-tiny-ade-semantic",
        {"backbone_config": _SWIN_TINY},
    ),
}
"""By name. Configurations hold what differs from the defaults of transformers' own."""


class SemanticRecipe(NetworkRecipe):
    """Which architecture, and which weights to begin with."""

    name: Literal["semantic"]
    architecture: str = Field(description=f"one of {', '.join(ARCHITECTURES)}")
    weights: str | None = Field(
        HUB,
        description=f'"{HUB}": those that its makers publish, downloaded; a safetensors file of such, or of its encoder alone; '
        "null starts from random ones",
    )
    encoder: str | None = Field(
        None,
        description="a timm model in place of its own encoder: one that can be built with features_only=True, such as "
        "tf_efficientnet_b0, of segformer, upernet and mask2former; a vision transformer, such as vit_small_patch14_dinov2, of "
        "dpt; `weights` are then the encoder's",
    )
    configuration: dict[str, Any] = Field(
        {}, description="what differs from the architecture's own configuration, by transformers' keys; other weights fit then"
    )

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"is none that this network knows: {name}{nearest(name, ARCHITECTURES)}")
        return name

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Those of the hub are called by the encoder, or else by the architecture."""
        return (self.encoder or self.architecture,) if self.weights == HUB else names_of_files(self.weights)

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> Semantic:
        """The network.

        Args:
            outputs: what heads ask of it, by name.
            root: folder that the path of weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: a head asks for what it does not answer, the configuration is none, or weights are missing or another
                architecture's.
        """
        _check_outputs(outputs)
        row = ARCHITECTURES[self.architecture]
        channels = sum(output.channels for output in outputs.values() if output.stride is not None)
        model = build_model(self.architecture, row, self.configuration, self.weights, channels, root, encoder=self.encoder)
        return Semantic(model, row.family, outputs, scale=timm_scale(self.encoder) if self.encoder else row.family.scale)


def build_model(
    name: str,
    row: Architecture,
    configuration: Mapping[str, Any],
    weights: str | None,
    channels: int,
    root: Path | None,
    *,
    encoder: str | None = None,
) -> Any:
    """The model of transformers with so many channels.

    Args:
        name: what messages call it.
        row: its family, configuration and published weights.
        configuration: what differs from the row's.
        weights: as in a recipe.
        channels: of its answers, which begin anew.
        root: folder that the path of weights is relative to; `None` leaves them out.
        encoder: of timm, in place of its own; the weights are then the encoder's.

    Raises:
        ConfigError: the configuration is none, the encoder does not fit, or weights are missing or another architecture's.
    """
    from huggingface_hub.errors import StrictDataclassError

    config_class, model_class = row.family.classes()
    settings = merged_settings(row.configuration, configuration, config_class())
    if encoder is not None:
        settings |= _encoder_settings(name, row.family, configuration, encoder)
    try:
        with _quiet():
            config = config_class(**settings, num_labels=channels)
            model: Any = model_class(config) if encoder is not None or root is None or weights is None else None
    except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, StrictDataclassError) as error:
        raise ConfigError(f"model.configuration: {name} cannot be built so: {one_line(error)}") from error
    if encoder is not None:
        _put_encoder(model, row.family, encoder, weights, root)
    if model is not None:
        _try(name, row.family, model)
        return model
    assert root is not None
    assert weights is not None
    if weights == HUB:
        advice = (
            f"put its model.safetensors on this machine and name it in model.weights (relative to {root}), or set that to "
            "null to start from random ones"
        )
        values, where = hub_weights(row.hub, key="model.weights", advice=advice), row.hub
    else:
        path = root / weights
        values, where = file_weights(path, advice="set model.weights to null to go without"), str(path)
    model = _loaded(name, row.family, model_class, config, values, where)
    _try(name, row.family, model)
    return model


def _encoder_settings(name: str, family: Family, configuration: Mapping[str, Any], encoder: str) -> dict[str, Any]:
    """What the configuration says of an encoder of timm.

    Raises:
        ConfigError: this architecture takes no other encoder, it does not fit, or the recipe says otherwise.
    """
    if family.encoders is None:
        takers = ", ".join(architecture for architecture, row in ARCHITECTURES.items() if row.family.encoders)
        raise ConfigError(f"model.encoder: {name} has an encoder of its own; these take others: {takers}")
    settings = family.encoders.settings(encoder)
    for key in settings:
        if key in configuration and key not in OF_THE_NECK:
            raise ConfigError(f"model.configuration.{key}: model.encoder is {encoder}, which says that itself; leave one out")
    return {key: value for key, value in settings.items() if key not in configuration}


def _put_encoder(model: Any, family: Family, encoder: str, weights: str | None, root: Path | None) -> None:
    """Gives a model its encoder of timm, with its weights.

    Raises:
        ConfigError: they are missing, or another network's.
    """
    assert family.encoders is not None
    network = family.encoders.build(encoder, pretrained=root is not None and weights == HUB)
    if root is not None and weights != HUB:
        read_recipe_weights(network, root, weights, "model.weights", encoder)
    family.encoders.put(model.get_submodule(family.encoder), network)
    family.encoders.begin(model)


def _try(name: str, family: Family, model: Any) -> None:
    """Makes sure that a model answers a picture: not every configuration, and not every network of timm, does.

    Raises:
        ConfigError: it does not.
    """
    try:
        with torch.inference_mode():
            family.logits(model.eval(), torch.zeros(1, 3, TRIED, TRIED))
    except (RuntimeError, ValueError, LookupError, TypeError, AssertionError) as error:
        raise ConfigError(f"model: {name} cannot be asked when it is built so: {one_line(error)}") from error
    finally:
        model.train()


def _loaded(name: str, family: Family, model_class: Any, config: Any, values: dict[str, Tensor], where: str) -> Any:
    """The model with weights, whatever version of transformers named them. Answers begin anew.

    Raises:
        ConfigError: they are another architecture's.
    """
    model, told = from_weights(model_class, config, values)
    ours = {name for name in model.state_dict() if not name.startswith((f"{family.answer}.", *family.unused))}
    missing = set(told["missing_keys"]) & ours
    decoder = {name for name in ours if not name.startswith(f"{family.encoder}.")}
    sizes = [(name, tuple(there), tuple(here)) for name, there, here in told["mismatched_keys"] if name in ours]
    problems = [f"size mismatch for {name}: {there} there, {here} here" for name, there, here in sizes]
    problems += [f"it lacks {name}" for name in missing if missing != decoder]
    if problems:
        raise ConfigError(f"{where}: are not weights of {name}: {min(problems)}")
    return model.train()


def _check_outputs(outputs: Mapping[str, Output]) -> None:
    """Makes sure that it can answer what heads ask.

    Raises:
        ConfigError: it cannot.
    """
    refuse_instances(outputs)
    maps = {name: output.stride for name, output in outputs.items() if output.stride is not None}
    if not maps:
        raise ConfigError("heads: semantic answers by maps; ask a head of these, such as overlapping or exclusive")
    for name, output in outputs.items():
        if output.stride is None and (output.features or not output.pooled):
            raise ConfigError(
                f"heads.{name}: semantic tells of the picture as a whole what its maps show; ask it of a gate, with `pooled` and "
                "`features: false`"
            )
        for other in (*output.pooled, *filter(None, [output.within])):
            if maps[other] > Evidence.CELL:
                raise ConfigError(
                    f"heads.{name} looks at {other}, whose cells are too coarse for it; set heads.{other}.stride to "
                    f"{Evidence.CELL} or less"
                )


def merged_settings(
    row: Mapping[str, Any], changes: Mapping[str, Any], known: Any, where: str = "model.configuration"
) -> dict[str, Any]:
    """A row's configuration with changes, those of a backbone within.

    Raises:
        ConfigError: the class of the configuration knows no such key.
    """
    merged = dict(row)
    keys = [key for key in known.to_dict() if key not in ("id2label", "label2id")]
    for key, value in changes.items():
        if key not in keys:
            raise ConfigError(f"{where}.{key}: is no key of {type(known).__name__}{nearest(key, keys)}")
        if isinstance(value, Mapping) and isinstance(row.get(key), Mapping):
            from transformers import CONFIG_MAPPING

            merged[key] = merged_settings(row[key], value, CONFIG_MAPPING[row[key]["model_type"]](), f"{where}.{key}")
        else:
            merged[key] = value
    return merged


def parts_of_encoder(model: Any, family: Family) -> dict[str, list[nn.Module]]:
    """`encoder.0` is what takes the picture in, each further one a stage; those of a pyramid of timm are as timm lists them."""
    encoder = model.get_submodule(family.encoder)
    if hasattr(encoder, "_backbone"):
        return encoder_parts(encoder._backbone)
    stages = model.get_submodule(family.stages)
    return {"encoder.0": all_but(encoder, [stages]), **{f"encoder.{n + 1}": [stage] for n, stage in enumerate(stages)}}


def from_weights(model_class: Any, config: Any, values: dict[str, Tensor]) -> tuple[Any, Any]:
    """A model of transformers with weights, whatever version of it named them, and what was missing or of another size."""
    with _quiet():
        model, told = model_class.from_pretrained(
            None,
            config=config,
            state_dict=values,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    return model, told


def one_line(error: Exception) -> str:
    """What an error says, or else what it is."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps from saying at length what is loaded, and from a bar."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


class Semantic(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with `mean` and `std`; S multiple of 32.

    Args:
        model: of transformers, with a channel for each of the maps' channels.
        family: of it.
        outputs: what heads ask, by name.
        scale: mean and deviation of the photos that its encoder learned from.
    """

    def __init__(self, model: Any, family: Family, outputs: Mapping[str, Output], *, scale: tuple[RGB, RGB]) -> None:
        super().__init__()
        family.prepare(model)
        self.model = model
        self.family = family
        self.mean, self.std = scale
        self.maps = {name: output for name, output in outputs.items() if output.stride is not None}
        self.evidence = nn.ModuleDict({name: Evidence(output, outputs) for name, output in outputs.items() if output.pooled})
        begin_low(model.get_submodule(family.answer), self.maps)

    def parts(self) -> dict[str, list[nn.Module]]:
        """Those of the encoder, then the decoder, and what judges the photo; see `parts_of_encoder`."""
        parts = parts_of_encoder(self.model, self.family)
        parts["decoder"] = all_but(self.model, [self.model.get_submodule(self.family.encoder)])
        return {**parts, "photo": [self.evidence]} if self.evidence else parts

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """See `Network`."""
        layers, row = {}, 0
        for name, output in self.maps.items():
            layers[name] = (f"model.{self.family.answer}", row)
            row += output.channels
        return layers

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised photos to the outputs by name."""
        logits = self.family.logits(self.model, images)
        told: dict[str, Tensor] = {}
        split = torch.split(logits, [output.channels for output in self.maps.values()], 1)
        for (name, output), values in zip(self.maps.items(), split, strict=True):
            assert output.stride is not None
            size = [side // output.stride for side in images.shape[2:]]
            at_stride = list(values.shape[2:]) == size
            told[name] = values if at_stride else F.interpolate(values, size, mode="bilinear", align_corners=False)
        for name, evidence in self.evidence.items():
            told[name] = evidence(told)
        return told
