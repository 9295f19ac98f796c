"""The default network with DINOv2's features beside: slower, and a teacher for what ships.

EfficientNet sees fine lines; a vision transformer that learned from photos without labels knows parts of things from whichever
side. Its tokens come in at stride 16 of the feature pyramid: it looks at the picture resized so that a patch of 14 pixels is a
cell there.

Source: Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from dentify.errors import ConfigError
from dentify.strict import nearest
from dentify.training.checkpoints import Checkpoint, read_checkpoint
from dentify.training.heads import Output
from dentify.training.models.efficientnet_fpn import EfficientNetFPN, PyramidRecipe
from dentify.training.models.network import names_of_files
from dentify.training.models.pretrained import read_recipe_weights

PATCH, CELL = 14, 16
"""Pixels of what the transformer sees a token, and of the picture a cell."""


class DINOv2FPNRecipe(PyramidRecipe):
    """As of the default network, and which transformer is beside it."""

    name: Literal["dinov2_fpn"]
    transformer: str = Field("vit_small_patch14_dinov2", description="a timm vision transformer with patches of 14 pixels")
    transformer_weights: str | None = Field(None, description="safetensors of it; null starts from random weights")
    pyramid: str | None = Field(
        None, description="checkpoint of a default network with the same heads, of which all but the transformer begins"
    )
    blocks: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (8, 10), min_length=1, description="blocks whose tokens are taken; later ones are left out"
    )

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Of the encoder and the transformer."""
        return names_of_files(self.encoder_weights, self.transformer_weights)

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> DINOv2FPN:
        """See `EfficientNetFPNRecipe.build`."""
        self.check_outputs(outputs)
        network = DINOv2FPN(self, outputs)
        if root is not None:
            read_recipe_weights(network.encoder, root, self.encoder_weights, "model.encoder_weights", self.encoder)
            read_recipe_weights(
                network.transformer, root, self.transformer_weights, "model.transformer_weights", self.transformer
            )
        network.leave_out_later_blocks()
        if root is not None and self.pyramid is not None:
            network.begin_with(read_checkpoint(root / self.pyramid), root / self.pyramid)
        return network


class DINOv2FPN(EfficientNetFPN):
    """See the module; input and answers are those of `EfficientNetFPN`, until the transformer has learned to add to them."""

    def __init__(self, recipe: DINOv2FPNRecipe, outputs: Mapping[str, Output]) -> None:
        super().__init__(recipe, outputs)
        self.blocks = recipe.blocks
        transformer = _transformer(recipe)
        self.transformer = transformer
        self.beside16 = nn.Conv2d(transformer.embed_dim * len(recipe.blocks), recipe.width, 1)
        nn.init.zeros_(self.beside16.weight)
        assert self.beside16.bias is not None
        nn.init.zeros_(self.beside16.bias)

    def leave_out_later_blocks(self) -> None:
        """Drops the blocks after the last whose tokens are taken; not before its weights are read, which have all of them."""
        transformer: Any = self.transformer
        transformer.blocks = transformer.blocks[: max(self.blocks) + 1]

    def begin_with(self, checkpoint: Checkpoint, where: Path) -> None:
        """Takes the weights of a default network, and answers as it does at first.

        Raises:
            ConfigError: they are of another encoder, another width or other heads.
        """
        weights = checkpoint.average
        expected = {name for name in self.state_dict() if not name.startswith(("transformer.", "beside16."))}
        try:
            if set(weights) != expected:
                raise RuntimeError(f"{sorted(set(weights) ^ expected)[0]} is in one of them alone")
            self.load_state_dict(dict(weights), strict=False)
        except RuntimeError as error:
            last = str(error).splitlines()[-1].strip()
            raise ConfigError(f"{where}: model.pyramid must be of the same encoder, widths and heads: {last}") from error

    def parts(self) -> dict[str, list[nn.Module]]:
        """`transformer.0` takes pictures in, each further one is a block, the last its norm; then as the default network."""
        transformer: Any = self.transformer
        embedding: list[nn.Module] = [transformer.patch_embed, nn.ParameterList([transformer.cls_token, transformer.pos_embed])]
        stages = [embedding, *([block] for block in transformer.blocks), [transformer.norm]]
        others = super().parts()
        others["decoder"] = [module for module in others["decoder"] if module is not transformer]
        return {**{f"transformer.{number}": modules for number, modules in enumerate(stages)}, **others}

    def _at16(self, images: Tensor, features: Tensor) -> Tensor:
        seen = F.interpolate(
            images, [side * PATCH // CELL for side in images.shape[2:]], mode="bilinear", align_corners=False, antialias=False
        )
        transformer: Any = self.transformer
        tokens = transformer.forward_intermediates(
            seen, indices=list(self.blocks), norm=True, stop_early=True, intermediates_only=True
        )
        told: Tensor = super()._at16(images, features) + self.beside16(torch.cat(tokens, 1))
        return told


def _transformer(recipe: DINOv2FPNRecipe) -> Any:
    """A vision transformer of timm with patches of 14 pixels, without its classifier.

    Raises:
        ConfigError: timm has none of this name, it is built otherwise, or it has fewer blocks.
    """
    import timm

    name = recipe.transformer
    if not timm.is_model(name):
        raise ConfigError(f"model.transformer: timm has no model `{name}`{nearest(name, timm.list_models('vit_*'))}")
    try:
        transformer: Any = timm.create_model(name, pretrained=False, num_classes=0, dynamic_img_size=True)
        patch = transformer.patch_embed.patch_size
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"model.transformer: {name} is no vision transformer, such as vit_small_patch14_dinov2") from error
    if patch != (PATCH, PATCH):
        raise ConfigError(f"model.transformer: {name} has patches of {patch[0]} pixels; take one with {PATCH}")
    if max(recipe.blocks) >= len(transformer.blocks):
        raise ConfigError(f"model.blocks: {name} has blocks 0 to {len(transformer.blocks) - 1}, got {max(recipe.blocks)}")
    return transformer
