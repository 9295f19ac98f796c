"""RF-DETR: so many queries look for things over DINOv2's features, and each tells a box, how likely every type is, and a mask.

It is transformers' `RfDetrForInstanceSegmentation`, whose published weights fit. What a query tells is told as it is: no two of
them are taught the same thing, so nothing is suppressed, and it can be exported whole.

What it learns from is the bench's own: a type that a photo's source does not label is unknown there. Unlike in the original,
queries are matched to things by type and box alone, and masks are drawn of those that were matched, and compared in their box and
somewhat around it: beyond the box nothing of a mask is told.

Source: Robinson et al. 2026, "RF-DETR: Neural Architecture Search for Real-Time Detection Transformers"; Zhao et al. 2024,
"LW-DETR", for groups of queries and the loss of types.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.training.heads import Output
from dentify.training.heads.instances import LEFT_OUT, lies_in
from dentify.training.models.network import RGB, NetworkRecipe, all_but, names_of_files
from dentify.training.models.pretrained import file_weights, hub_weights
from dentify.training.models.semantic import from_weights, merged_settings, one_line

HUB = "hub"
PATCH = 12
_TYPE, _BOX, _GIOU, _MASK, _DICE = 1.0, 5.0, 2.0, 5.0, 5.0
"""Weights of the losses; of the cost of a match, a type's is twice as much."""
_MARGIN = 0.25
"""Share of a box's sides that is looked at around it when its mask is taught."""


@dataclass(frozen=True)
class Size:
    """A size that weights are published of: windows along a side, layers that decode, queries, and the side of its pictures."""

    windows: int
    layers: int
    queries: int
    side: int

    def configuration(self) -> dict[str, Any]:
        """By transformers' keys."""
        backbone = {
            "model_type": "rf_detr_dinov2",
            "hidden_size": 384,
            "num_attention_heads": 6,
            "num_hidden_layers": 12,
            "out_indices": [3, 6, 9, 12],
            "patch_size": PATCH,
            "image_size": self.side,
            "num_windows": self.windows,
            "use_mask_token": False,
        }
        return {"backbone_config": backbone, "decoder_layers": self.layers, "num_queries": self.queries}


SIZES: Mapping[str, Size] = {
    "nano": Size(1, 4, 100, 312),
    "small": Size(2, 4, 100, 384),
    "medium": Size(2, 5, 200, 432),
    "large": Size(2, 5, 200, 504),
}


class RFDETRRecipe(NetworkRecipe):
    """Which size, and which weights to begin with."""

    name: Literal["rf_detr"]
    size: Literal["nano", "small", "medium", "large"] = Field("nano", description="as its makers call it")
    weights: str | None = Field(
        HUB,
        description=f'"{HUB}": those that its makers publish, learned on COCO, downloaded; a safetensors file of such; null '
        "starts from random ones",
    )
    groups: int = Field(13, ge=1, description="of queries in training, of which one answers; published weights have 13")
    configuration: dict[str, Any] = Field(
        {}, description="what differs from the size's own configuration, by transformers' keys; other weights fit then"
    )

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Those of the hub are called by the size."""
        return (f"rf_detr_{self.size}",) if self.weights == HUB else names_of_files(self.weights)

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> RFDETR:
        """The network.

        Args:
            outputs: what heads ask of it, by name.
            root: folder that the path of weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: it is asked for anything but one head of instances, or weights are missing or another one's.
        """
        for name, output in outputs.items():
            if output.candidates is None or len(outputs) > 1:
                raise ConfigError(
                    f"heads.{name}: rf_detr answers one head, of instances; leave others to other networks of the bundle"
                )
        ((name, output),) = outputs.items()
        return RFDETR(name, output, self._model(output.channels - 4 - INSTANCE_MASK**2, root))

    def _model(self, classes: int, root: Path | None) -> Any:
        """Transformers' model of so many types."""
        from huggingface_hub.errors import StrictDataclassError
        from transformers import RfDetrConfig, RfDetrForInstanceSegmentation

        settings = merged_settings(
            SIZES[self.size].configuration(), {"group_detr": self.groups, **self.configuration}, RfDetrConfig()
        )
        try:
            config = RfDetrConfig(**settings, num_labels=classes)
            if root is None or self.weights is None:
                return RfDetrForInstanceSegmentation(config)
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError, StrictDataclassError) as error:
            raise ConfigError(f"model.configuration: rf_detr cannot be built so: {one_line(error)}") from error
        if self.weights == HUB:
            where = f"Roboflow/rf-detr-seg-{self.size}"
            advice = (
                f"put its model.safetensors on this machine and name it in model.weights (relative to {root}), or set that to "
                "null to start from random ones"
            )
            values = hub_weights(where, key="model.weights", advice=advice)
        else:
            where = str(root / self.weights)
            values = file_weights(root / self.weights, advice="set model.weights to null to go without")
        model, told = from_weights(RfDetrForInstanceSegmentation, config, values)
        sizes = [(name, tuple(there), tuple(here)) for name, there, here in told["mismatched_keys"]]
        problems = [f"size mismatch for {name}: {there} there, {here} here" for name, there, here in sizes if not _tells(name)]
        problems += [f"it lacks {name}" for name in told["missing_keys"] if not _tells(name)]
        if problems:
            raise ConfigError(f"{where}: are not weights of rf_detr, {self.size}: {min(problems)}")
        return model.train()


def _tells(name: str) -> bool:
    """Whether weights are of what tells types, which begins anew."""
    return "class_embed" in name


class RFDETR(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with ImageNet's mean and deviation.

    It looks at the picture resized to so many patches that windows divide them, and to as many as it has queries at least.

    Args:
        head: the name of what it answers.
        output: of that head.
        model: of transformers.
    """

    mean: RGB = (0.485, 0.456, 0.406)
    std: RGB = (0.229, 0.224, 0.225)
    brings_its_losses = True

    def __init__(self, head: str, output: Output, model: Any) -> None:
        super().__init__()
        assert output.candidates is not None
        self.head, self.candidates = head, output.candidates
        self.model = model
        self.classes = int(model.config.num_labels)
        windows = model.config.backbone_config.num_windows
        self._step = PATCH * windows
        self._least = math.ceil(math.sqrt(model.config.num_queries) / windows) * self._step
        low = -math.log(1 / 0.01 - 1)  # of most queries and places no type is there
        for layer in (model.model.class_embed, *model.model.model.enc_out_class_embed):
            nn.init.constant_(layer.bias, low)

    def parts(self) -> dict[str, list[nn.Module]]:
        """`encoder.0` takes the picture in, each further one is a layer of DINOv2; then the decoder with all that it tells."""
        encoder = self.model.model.model.backbone.backbone
        layers = list(encoder.encoder.layer)
        parts = {"encoder.0": all_but(encoder, layers), **{f"encoder.{n + 1}": [layer] for n, layer in enumerate(layers)}}
        return {**parts, "decoder": all_but(self.model, [encoder])}

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """None: several layers answer, each in its own way."""
        return {}

    def forward(self, images: Tensor, truth: Mapping[str, Mapping[str, Tensor]] | None = None) -> dict[str, Tensor]:
        """Normalised photos to a table of candidates (B, N, D); with truth, to the loss of the head."""
        side = max(round(images.shape[-1] / self._step) * self._step, self._least)
        if side != images.shape[-1]:
            images = F.interpolate(images, (side, side), mode="bilinear", align_corners=False)
        if truth is None:
            return {self.head: self._table(self.model(images))}
        return {self.head: self._loss(images, truth[self.head])}

    def _table(self, told: Any) -> Tensor:
        """(B, N, D): boxes in shares of the picture, scores of the types, logits of the mask within the box; best first."""
        tables = []
        for logits, boxes, masks in zip(told.logits.float(), told.pred_boxes.float(), told.pred_masks.float(), strict=True):
            scores = logits.sigmoid()  # (Q, C)
            score, place = scores.flatten().topk(min(self.candidates, scores.numel()))
            query, of = place // self.classes, place % self.classes
            box = corners(boxes[query]).clamp(0, 1)
            mask = _cut(masks[query], box)
            is_of = F.one_hot(of, self.classes).to(score.dtype)
            table = torch.cat([box, is_of * score[:, None], mask.flatten(1)], 1)
            table = table * ((box[:, 2:] - box[:, :2]) > 1e-4).all(1).to(table.dtype)[:, None]
            tables.append(F.pad(table, [0, 0, 0, self.candidates - len(table)]))
        return torch.stack(tables)

    # Taught

    def _loss(self, images: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Mean over the decoder's layers and what it begins with, each of types, boxes and masks."""
        detector = self.model.model
        seen = detector.model(images)
        size = [side // self.model.downsample_ratio for side in images.shape[2:]]
        cells = F.interpolate(seen.backbone_features, size=size, mode="bilinear", align_corners=False)
        told = [(detector.predict_encoder_class_logits(seen.enc_outputs_class), seen.enc_outputs_coord_logits)]
        drawn = [(seen.enc_outputs_class, cells)]
        logits, boxes = detector.predict_class_and_boxes(seen.intermediate_hidden_states, seen.intermediate_reference_points)
        for layer, block in enumerate(self.model.blocks):
            cells = block(cells)
            told.append((logits[layer], boxes[layer]))
            drawn.append((seen.intermediate_hidden_states[layer], self.model.spatial_features_proj(cells)))
        losses = [self._of_layer(*one, *other, truth) for one, other in zip(told, drawn, strict=True)]
        return torch.stack(losses).mean()

    def _of_layer(self, logits: Tensor, boxes: Tensor, queries: Tensor, cells: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """The loss of what one layer tells: logits (B, GQ, C), boxes (B, GQ, 4), and what masks are drawn of."""
        logits, boxes = logits.float(), boxes.float()
        groups = self.model.config.group_detr if self.training else 1
        total = logits.sum() * 0 + boxes.sum() * 0
        things = 0
        masked: list[Tensor] = [self.model.segmentation_bias.sum() * 0 + queries.float().sum() * 0 + cells.float().sum() * 0]
        outlined = 0
        for photo, labels in enumerate(truth["labels"].long()):
            rows = torch.where((labels > 0) & (labels != LEFT_OUT))[0]
            there, of = truth["boxes"][photo][rows], labels[rows] - 1
            query, thing = match(logits[photo], boxes[photo], there, of, groups)
            things += len(query)
            found = corners(boxes[photo][query])
            overlap = _giou(found, there[thing])
            total = total + _BOX * (boxes[photo][query] - centred(there[thing])).abs().sum() + _GIOU * (1 - overlap[1]).sum()
            left_out = lies_in(corners(boxes[photo].detach()), truth["boxes"][photo][labels == LEFT_OUT])
            unknown = ~truth["known"][photo][None] | left_out[:, None]
            total = total + _TYPE * type_loss(logits[photo], query, of[thing], overlap[0], unknown)
            drawn = truth["outlined"][photo][rows[thing]]
            if drawn.any():
                query, thing = query[drawn], thing[drawn]
                mask = self.model.get_mask_logits(queries[photo : photo + 1, query], cells[photo : photo + 1])[0].float()
                masked.append(mask_loss(mask, there[thing], truth["covers"][photo][rows[thing]]))
                outlined += len(query)
        return total / max(things, groups) + torch.stack(masked).sum() / max(outlined, groups)


def corners(boxes: Tensor) -> Tensor:
    """(N, 4) of middles and sides to corners."""
    middle, sides = boxes[..., :2], boxes[..., 2:].clamp(min=0)
    return torch.cat([middle - sides / 2, middle + sides / 2], -1)


def centred(boxes: Tensor) -> Tensor:
    """(N, 4) of corners to middles and sides."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


@torch.no_grad()
def match(logits: Tensor, boxes: Tensor, there: Tensor, of: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Which query is to tell which thing, in every group of queries the best for all of them together.

    Args:
        logits: (GQ, C) of a photo.
        boxes: (GQ, 4) middles and sides.
        there: (T, 4) corners of the things.
        of: (T,) their types.
        groups: of the queries.

    Returns:
        Queries and things, (M,) each.
    """
    from scipy.optimize import linear_sum_assignment

    prob = logits.sigmoid()
    yes = 0.25 * (1 - prob) ** 2 * -F.logsigmoid(logits)
    no = 0.75 * prob**2 * -F.logsigmoid(-logits)
    cost = 2 * (yes - no)[:, of] + _BOX * torch.cdist(boxes, centred(there), p=1)
    cost = cost - _GIOU * _giou(corners(boxes)[:, None], there[None])[1]
    queries, things = [], []
    for number, one in enumerate(torch.nan_to_num(cost, 1e6).cpu().chunk(groups)):
        query, thing = linear_sum_assignment(one.numpy())
        queries.append(torch.from_numpy(query) + number * len(one))
        things.append(torch.from_numpy(thing))
    return torch.cat(queries).to(logits.device), torch.cat(things).to(logits.device)


def type_loss(logits: Tensor, query: Tensor, of: Tensor, overlap: Tensor, unknown: Tensor) -> Tensor:
    """How sure queries are of types: as sure as their box is right where they were matched, else not at all.

    Args:
        logits: (GQ, C).
        query: (M,) those that were matched.
        of: (M,) to things of these types.
        overlap: (M,) IoU of their boxes with the things'.
        unknown: (GQ, C) of which it is not known that they are none; it is when they were matched.

    Source: LW-DETR, "IoU-aware" loss.
    """
    prob = logits.detach().sigmoid()
    right = torch.zeros_like(logits)
    right[query, of] = (prob[query, of] ** 0.25 * overlap.detach() ** 0.75).clamp(0.01, 1)
    matched = torch.zeros_like(logits, dtype=torch.bool)
    matched[query, of] = True
    wrong = torch.where(matched, 1 - right, logits.sigmoid() ** 2)
    wrong = wrong.masked_fill(unknown & ~matched, 0.0)
    return -(right * F.logsigmoid(logits) + wrong * F.logsigmoid(-logits)).sum()


def mask_loss(masks: Tensor, boxes: Tensor, covers: Tensor) -> Tensor:
    """Cross-entropy and Dice of masks within their box and somewhat around it, in sum over the things.

    Args:
        masks: (M, h, w) logits over the picture.
        boxes: (M, 4) shares of the picture.
        covers: (M, K, K) uint8, of the box.
    """
    side = covers.shape[-1]
    around = (boxes[:, 2:] - boxes[:, :2]) * _MARGIN
    wide = torch.cat([boxes[:, :2] - around, boxes[:, 2:] + around], 1)
    padded = F.pad(covers.float() / 255, [math.ceil(side * _MARGIN)] * 4)
    goal = F.interpolate(padded[:, None], (INSTANCE_MASK, INSTANCE_MASK), mode="area")[:, 0]
    told = _cut(masks, wide)
    entropy = F.binary_cross_entropy_with_logits(told, goal, reduction="none").mean((1, 2))
    prob = told.sigmoid()
    dice = 1 - (2 * (prob * goal).sum((1, 2)) + 1) / (prob.sum((1, 2)) + goal.sum((1, 2)) + 1)
    return (_MASK * entropy + _DICE * dice).sum()


def _cut(masks: Tensor, boxes: Tensor) -> Tensor:
    """(N, K, K) of masks (N, h, w) within boxes (N, 4), shares of the picture."""
    from torchvision.ops import roi_align

    size = boxes.new_tensor([masks.shape[2], masks.shape[1]] * 2)
    number = torch.arange(len(boxes), device=boxes.device, dtype=boxes.dtype)[:, None]
    cut: Tensor = roi_align(masks[:, None], torch.cat([number, boxes * size], 1), INSTANCE_MASK, 1.0, 2, aligned=True)
    return cut[:, 0]


def _giou(ones: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """IoU, and generalized IoU, of boxes (…, 4) by corners."""
    low, high = torch.maximum(ones[..., :2], others[..., :2]), torch.minimum(ones[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    either = (ones[..., 2:] - ones[..., :2]).prod(-1) + (others[..., 2:] - others[..., :2]).prod(-1) - shared
    least, most = torch.minimum(ones[..., :2], others[..., :2]), torch.maximum(ones[..., 2:], others[..., 2:])
    around = (most - least).prod(-1).clamp(min=1e-9)
    iou = shared / either.clamp(min=1e-9)
    return iou, iou - (around - either) / around
