"""What networks are asked: one file a kind of answer. A new kind adds its file here and its recipe to the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dentify.training.heads.exclusive import ExclusiveRecipe
from dentify.training.heads.head import Head, Output, Role, Truth
from dentify.training.heads.instances import InstancesRecipe
from dentify.training.heads.labels import LabelsRecipe
from dentify.training.heads.middles import MiddlesRecipe
from dentify.training.heads.outline import OutlineRecipe
from dentify.training.heads.overlapping import OverlappingRecipe

HeadRecipe = Annotated[
    OverlappingRecipe | MiddlesRecipe | ExclusiveRecipe | OutlineRecipe | LabelsRecipe | InstancesRecipe,
    Field(discriminator="kind"),
]

__all__ = ["Head", "HeadRecipe", "Output", "Role", "Truth"]
