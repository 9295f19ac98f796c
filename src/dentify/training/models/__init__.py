"""One file an architecture. A new one adds its file here, a line below and a recipe."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from dentify.errors import ConfigError
from dentify.training.models.efficientnet_fpn import EfficientNetFPN
from dentify.training.recipe import Recipe


def build_model(recipe: Recipe, root: Path | None) -> EfficientNetFPN:
    """The recipe's network.

    Args:
        recipe: names the architecture, its sizes and its classes.
        root: folder that the path of pretrained weights is relative to; `None` leaves them out (a checkpoint follows).

    Raises:
        ConfigError: the pretrained weights are missing or belong to another encoder.
    """
    network = EfficientNetFPN(
        encoder=recipe.model.encoder,
        num_types=len(recipe.classes.damage),
        num_parts=len(recipe.classes.parts),
        num_levels=len(recipe.classes.severity),
        width=recipe.model.width,
        fine_width=recipe.model.fine_width,
        frozen_stages=recipe.model.frozen_stages,
        drop_path=recipe.model.drop_path,
        only_labels=recipe.model.only_labels,
    )
    if root is not None and recipe.model.encoder_weights is not None:
        path = root / recipe.model.encoder_weights
        if not path.is_file():
            raise ConfigError(
                f"{path}: no such pretrained weights; set model.encoder_weights to null and frozen_stages to 0 to go without"
            )
        weights = {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
        try:
            network.encoder.load_state_dict(weights)
        except RuntimeError as error:
            raise ConfigError(f"{path}: are not weights of {recipe.model.encoder}: {str(error).splitlines()[0]}") from error
    return network
