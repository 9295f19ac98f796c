"""Mask2Former: queries that each say what they are and where; each is a thing, or none. With transformers' own class.

It needs no boxes and no non-maximum suppression: queries compete for the things of a photo while they learn, and what is answered
is the box that a query's mask fills. Every decoder layer learns, from the same truth.

What it learns from is the bench's own: a type that a photo's source does not label is unknown there, not background; a query that
lies in a region that is left out is neither right nor wrong; and a box without an outline is matched as if it were full, and
teaches no mask.

Source: Cheng et al. 2022, "Masked-attention Mask Transformer for Universal Image Segmentation", and of the points at which masks
are compared Kirillov et al. 2020, "PointRend".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.training.heads import Output
from dentify.training.heads.instances import LEFT_OUT
from dentify.training.models.network import RGB, NetworkRecipe, all_but, names_of_files
from dentify.training.models.pretrained import timm_scale
from dentify.training.models.semantic import ARCHITECTURES, HUB, Architecture, build_model, parts_of_encoder

ARCHITECTURE = "mask2former_swin_tiny"
ROW: Architecture = replace(ARCHITECTURES[ARCHITECTURE], hub="facebook/mask2former-swin-tiny-coco-instance")
TYPE, CROSS_ENTROPY, DICE = 2.0, 5.0, 5.0
"""What a type, and a mask's two losses weigh: in matching and in learning."""
NONE_WEIGHS = 0.1
"""Most queries are none: a small weight of these in the loss of types."""
_OVERSAMPLED, _UNSURE = 3, 0.75
_LEAST_SHARE = 0.5
"""Of a query in regions that are left out, from which on it is no background."""
_NEVER = -1e4
_IGNORED = -100


class Mask2FormerRecipe(NetworkRecipe):
    """Which weights to begin with, and at how many points masks are compared."""

    name: Literal["mask2former"]
    weights: str | None = Field(
        HUB,
        description=f'"{HUB}": those that its makers publish, learned on COCO, downloaded; a safetensors file of such, or of its '
        "encoder alone; null starts from random ones",
    )
    encoder: str | None = Field(
        None,
        description="a timm model that can be built with features_only=True, such as tf_efficientnet_b0, in place of Swin-Tiny; "
        "`weights` are then its own",
    )
    configuration: dict[str, Any] = Field(
        {}, description="what differs from Mask2Former with Swin-Tiny, by transformers' keys; other weights fit then"
    )
    points: int = Field(12544, gt=0, description="places of a picture at which masks are compared")

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Those of the hub are called by the encoder, or else by the architecture."""
        return (self.encoder or ARCHITECTURE,) if self.weights == HUB else names_of_files(self.weights)

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> Mask2Former:
        """The network.

        Args:
            outputs: what the head asks of it, by its name.
            root: folder that the path of weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: heads ask for something else than one table of instances, the configuration is none, or weights are
                missing or another network's.
        """
        for name, output in outputs.items():
            if output.candidates is None:
                raise ConfigError(f"heads.{name}: mask2former answers instances alone; leave it to another network of the bundle")
        if len(outputs) != 1:
            raise ConfigError(
                f"heads: mask2former answers one head, as its queries are things of one kind, and here are {', '.join(outputs)}; "
                "leave all but one to another network of the bundle"
            )
        ((name, output),) = outputs.items()
        classes = output.channels - 4 - INSTANCE_MASK**2
        model = build_model(ARCHITECTURE, ROW, self.configuration, self.weights, classes, root, encoder=self.encoder)
        assert output.candidates is not None
        scale = timm_scale(self.encoder) if self.encoder else ROW.family.scale
        return Mask2Former(model, name, output.candidates, self.points, scale=scale)


class Mask2Former(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with `mean` and `std`; S multiple of 32.

    Args:
        model: of transformers.
        name: of the head.
        candidates: rows of its table.
        points: see the recipe.
        scale: mean and deviation of the photos that its encoder learned from.
    """

    brings_its_losses = True

    def __init__(self, model: Any, name: str, candidates: int, points: int, *, scale: tuple[RGB, RGB]) -> None:
        super().__init__()
        self.mean, self.std = scale
        ROW.family.prepare(model)
        self.model = model
        self.name, self.candidates, self.points = name, candidates, points

    def parts(self) -> dict[str, list[nn.Module]]:
        """Those of the encoder, then the decoder, and what tells types; see `parts_of_encoder`."""
        encoder, answer = (self.model.get_submodule(at) for at in (ROW.family.encoder, ROW.family.answer))
        decoder = all_but(self.model, [encoder, answer])
        return {**parts_of_encoder(self.model, ROW.family), "decoder": decoder, "heads": [answer]}

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """None: types and masks are answered by several layers."""
        return {}

    def forward(self, images: Tensor, truth: Mapping[str, Mapping[str, Tensor]] | None = None) -> dict[str, Tensor]:
        """Normalised photos to the table of candidates (B, N, D) by the head's name; with truth, to its loss."""
        told = self.model(images, output_auxiliary_logits=truth is not None)
        last = (told.class_queries_logits.float(), told.masks_queries_logits.float())
        if truth is None:
            return {self.name: table_of(*last, self.candidates)}
        layers = [(one["class_queries_logits"].float(), one["masks_queries_logits"].float()) for one in told.auxiliary_logits]
        losses = [set_loss(types, masks, truth[self.name], self.points) for types, masks in (*layers, last)]
        return {self.name: torch.stack(losses).sum()}


# Asked


def table_of(types: Tensor, masks: Tensor, candidates: int) -> Tensor:
    """(B, N, 4 + C + INSTANCE_MASK²): boxes in shares of the picture, scores of the types, logits of the mask.

    A score is how likely the query is of the type, times how sure its mask is where it is one; a query whose mask is empty has
    zeros throughout.

    Args:
        types: (B, Q, C + 1) logits, the last of none.
        masks: (B, Q, h, w) logits.
        candidates: N.
    """
    batch, _, height, width = masks.shape
    classes = types.shape[2] - 1
    inside = (masks > 0).to(masks.dtype)
    sure = (masks.sigmoid() * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)
    scores = types.softmax(-1)[..., :-1] * sure[..., None]
    score, place = scores.flatten(1).topk(min(candidates, scores.shape[1] * classes))
    count = score.shape[1]
    query = torch.div(place, classes, rounding_mode="floor")
    cells = masks.flatten(2).gather(1, query[..., None].expand(-1, -1, height * width)).reshape(batch, count, height, width)
    boxes = _filled(cells > 0)
    numbered = torch.arange(batch * count, device=masks.device, dtype=masks.dtype)[:, None]
    size = torch.tensor([width, height, width, height], device=masks.device, dtype=masks.dtype)
    windows = _windows(cells.flatten(0, 1)[:, None], torch.cat([numbered, boxes.flatten(0, 1) * size], 1))
    is_of = F.one_hot(place % classes, classes).to(score.dtype)
    table = torch.cat([boxes, is_of * score[..., None], windows.reshape(batch, count, -1)], 2)
    return F.pad(table * (score > 0)[..., None], [0, 0, 0, candidates - count])


def _filled(inside: Tensor) -> Tensor:
    """(B, N, 4) left, top, right and bottom, in shares, of what is set in (B, N, h, w); zeros where nothing is."""
    sides = []
    for along, across in ((3, 2), (2, 3)):
        there = inside.any(across)
        place = torch.arange(inside.shape[along], device=inside.device)
        low = torch.where(there, place, inside.shape[along]).amin(2)
        high = torch.where(there, place + 1, 0).amax(2)
        sides.append(torch.stack([low, high], 2).float() / inside.shape[along])
    (left, right), (top, bottom) = (one.unbind(2) for one in sides)
    boxes: Tensor = torch.stack([left, top, right, bottom], 2)
    return boxes * (right > left)[..., None]


def _windows(masks: Tensor, boxes: Tensor) -> Tensor:
    """(N, 1, INSTANCE_MASK, INSTANCE_MASK) logits under boxes (N, 5): which mask, and corners in its cells."""
    from torchvision.ops import roi_align

    under: Tensor = roi_align(masks, boxes, INSTANCE_MASK, 1.0, 2, aligned=True)
    return under


# Taught


def set_loss(types: Tensor, masks: Tensor, truth: Mapping[str, Tensor], points: int) -> Tensor:
    """What one layer's queries cost: of types, and of the masks of those that are things.

    Each thing is matched with one query, those that cost least together. Means are over the pictures of this process.

    Args:
        types: (B, Q, C + 1) logits, the last of none.
        masks: (B, Q, h, w) logits.
        truth: of a head of instances.
        points: at which masks are compared.
    """
    none = types.shape[2] - 1
    goals, told, drawn = [], [], list[Tensor]()
    outlines: list[tuple[Tensor, Tensor]] = []
    for photo in range(len(types)):
        labels, known = truth["labels"][photo].long(), truth["known"][photo]
        boxes, covers = truth["boxes"][photo], truth["covers"][photo]
        rows = torch.where((labels > 0) & (labels != LEFT_OUT))[0]
        unknown = F.pad(~known, [0, 1])
        likely = types[photo].masked_fill(unknown, _NEVER)
        places = torch.rand(1, points, 2, device=masks.device)
        with torch.no_grad():
            seen = _at(masks[photo][None], places)[0]  # (Q, K)
            there = _covered(covers[rows], boxes[rows], places)
            query, thing = _matched(types[photo].softmax(-1)[:, labels[rows] - 1], seen, there)
            goal = torch.full_like(likely[:, 0], none if known.any() else _IGNORED, dtype=torch.int64)
            regions = labels == LEFT_OUT
            if regions.any():
                left_out = (_covered(covers[regions], boxes[regions], places) > 0.5).any(0)
                lies = ((seen > 0) & left_out).sum(1) >= _LEAST_SHARE * (seen > 0).sum(1).clamp(min=1)
                goal[lies] = _IGNORED
            goal[query] = labels[rows][thing] - 1
        own = F.one_hot(goal.clamp(min=0), none + 1).bool() & (goal >= 0)[:, None]
        goals.append(goal)
        told.append(torch.where(own, types[photo], likely))
        outlined = truth["outlined"][photo][rows][thing]
        drawn.append(masks[photo][query[outlined]])
        outlines.append((covers[rows][thing[outlined]], boxes[rows][thing[outlined]]))
    weights = torch.ones(none + 1, device=types.device)
    weights[none] = NONE_WEIGHS
    goal = torch.cat(goals)
    count = weights[goal[goal >= 0]].sum().clamp(min=NONE_WEIGHS)
    entropy = F.cross_entropy(torch.cat(told), goal, weights, ignore_index=_IGNORED, reduction="sum") / count
    covers, boxes = (torch.cat(one) for one in zip(*outlines, strict=True))
    return TYPE * entropy + _mask_loss(torch.cat(drawn), covers, boxes, points) + 0 * masks.sum()


def _matched(likely: Tensor, seen: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and things that belong together, those that cost least in sum.

    Args:
        likely: (Q, M) that a query is of a thing's type.
        seen: (Q, K) logits of the queries' masks at some points.
        there: (M, K) in [0, 1] of the things'.
    """
    from scipy.optimize import linear_sum_assignment

    count = seen.shape[1]
    entropy = (F.softplus(-seen) @ there.T + F.softplus(seen) @ (1 - there).T) / count
    probable = seen.sigmoid()
    dice = 1 - (2 * probable @ there.T + 1) / (probable.sum(1)[:, None] + there.sum(1)[None] + 1)
    cost = CROSS_ENTROPY * entropy + DICE * dice - TYPE * likely
    query, thing = linear_sum_assignment(torch.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6).cpu().numpy())
    return torch.as_tensor(query, device=seen.device), torch.as_tensor(thing, device=seen.device)


def _mask_loss(masks: Tensor, covers: Tensor, boxes: Tensor, points: int) -> Tensor:
    """Cross-entropy and Dice of N masks (N, h, w), at points where these are unsure, and at some that are drawn anywhere."""
    if not len(masks):
        return masks.sum()
    unsure = round(_UNSURE * points)
    with torch.no_grad():
        places = torch.rand(len(masks), _OVERSAMPLED * points, 2, device=masks.device)
        doubt = -_at(masks[:, None], places)[:, 0].abs()
        chosen = doubt.topk(unsure, 1).indices[..., None].expand(-1, -1, 2)
        drawn = torch.rand(len(masks), points - unsure, 2, device=masks.device)
        places = torch.cat([places.gather(1, chosen), drawn], 1)
        goal = _covered(covers, boxes, places)
    logits = _at(masks[:, None], places)[:, 0]
    entropy = F.binary_cross_entropy_with_logits(logits, goal, reduction="none").mean(1)
    probable = logits.sigmoid()
    dice = 1 - (2 * (probable * goal).sum(1) + 1) / (probable.sum(1) + goal.sum(1) + 1)
    return (CROSS_ENTROPY * entropy + DICE * dice).mean()


def _at(masks: Tensor, places: Tensor) -> Tensor:
    """(N, C, K) values of maps (N, C, h, w) at places (N, K, 2), x and y in shares of the picture."""
    return F.grid_sample(masks, 2 * places[:, None] - 1, align_corners=False)[:, :, 0]


def _covered(covers: Tensor, boxes: Tensor, places: Tensor) -> Tensor:
    """(M, K) in [0, 1]: how much things cover some places of a picture.

    Args:
        covers: (M, S, S) uint8 within the things' boxes.
        boxes: (M, 4) in shares of the picture.
        places: (M or 1, K, 2) in shares of the picture.
    """
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    within = (places - low) / (high - low).clamp(min=1e-6)  # (M, K, 2)
    values = F.grid_sample(covers[:, None].float() / 255, 2 * within[:, None] - 1, padding_mode="border", align_corners=False)[
        :, 0, 0
    ]
    return values * ((within >= 0) & (within < 1)).all(2)
