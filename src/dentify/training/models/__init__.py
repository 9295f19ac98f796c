"""One file an architecture, with a recipe of its own. A new one adds its file here, its recipe to the union, and a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dentify.training.models.dinov2_fpn import DINOv2FPNRecipe
from dentify.training.models.efficientnet_fpn import EfficientNetFPNRecipe
from dentify.training.models.mask2former import Mask2FormerRecipe
from dentify.training.models.mask_rcnn import MaskRCNNRecipe
from dentify.training.models.network import Network
from dentify.training.models.rf_detr import RFDETRRecipe
from dentify.training.models.semantic import SemanticRecipe
from dentify.training.models.timm_classifier import TimmClassifierRecipe

ModelRecipe = Annotated[
    EfficientNetFPNRecipe
    | DINOv2FPNRecipe
    | TimmClassifierRecipe
    | SemanticRecipe
    | MaskRCNNRecipe
    | Mask2FormerRecipe
    | RFDETRRecipe,
    Field(discriminator="name", description="the network, by the `name` of its file"),
]

__all__ = ["ModelRecipe", "Network"]
