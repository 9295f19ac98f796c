"""One file an architecture, with a recipe of its own. A new one adds its file here, its recipe to the union, and a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dentify.training.models.efficientnet_fpn import EfficientNetFPNRecipe
from dentify.training.models.network import Network

# A union of one has no discriminator: `ModelRecipe = Annotated[A | B, Field(discriminator="name")]` from the second on.
ModelRecipe = Annotated[EfficientNetFPNRecipe, Field(description="the network, by the `name` of its file")]

__all__ = ["ModelRecipe", "Network"]
