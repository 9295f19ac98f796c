"""Losses of every head. Each takes float32 logits and truth, leaves out what nobody labelled, and is 0 where nothing is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from dentify.training.data import IGNORE
from dentify.training.recipe import Losses


def total_loss(outputs: dict[str, Tensor], batch: dict[str, Tensor], weights: Losses) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of all losses, and each of them.

    Args:
        outputs: the network's, as `training/models/` name them.
        batch: what `data.draw_targets` says, stacked.
        weights: of the recipe.
    """
    logits = {name: output.float() for name, output in outputs.items()}
    truth = batch["types"].float() / 255
    known = batch["types_known"] & ~batch["box_only"][:, None]
    each = {
        "types": overlap_loss(logits["types"], truth, known),
        "any": _any_loss(logits["any"], batch),
        "boxes": projection_loss(logits["types"], truth, batch["types_known"] & batch["box_only"][:, None]),
        "centres": centre_loss(logits["centres"], batch["centres"].float() / 255, known),
        "offsets": offset_loss(logits["offsets"], batch["offsets"].float()),
        "parts": class_map_loss(logits["parts"], batch["parts"].long()),
        "severity_maps": severity_map_loss(logits["severity_maps"], batch["severity_maps"].long()),
        "vehicle": label_loss(logits["vehicle"], batch["vehicle"]),
        "damage": label_loss(logits["damage"], batch["damage"]),
        "severity": severity_loss(logits["severity"], batch["severity"]),
    }
    total = sum((getattr(weights, name) * value for name, value in each.items()), torch.zeros((), device=truth.device))
    return total, {name: value.detach() for name, value in each.items()}


def overlap_loss(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy plus Dice of overlapping classes.

    Dice is taken over the whole batch and not per photo: most photos hold none of most types, and the figure that is reported
    pools pixels over photos, too. A class that no known photo of the batch shows adds no Dice.

    Args:
        logits: (B, C, H, W).
        truth: (B, C, H, W) in [0, 1]; between them where a cell is partly covered.
        known: (B, C) whether the photo's source labels the class.
    """
    weight = known[:, :, None, None].float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight
    pixels = weight.sum() * logits.shape[2] * logits.shape[3]
    probs = logits.sigmoid() * weight
    truth = truth * weight
    overlap = (probs * truth).sum((0, 2, 3))
    size = probs.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    shown = truth.sum((0, 2, 3)) > 0
    dice = 1 - (2 * overlap + 1) / (size + 1)
    return 4 * entropy.sum() / pixels.clamp(min=1) + (dice * shown).sum() / shown.sum().clamp(min=1)


def _any_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return overlap_loss(logits, batch["any"][:, None].float() / 255, batch["any_known"][:, None])


def projection_loss(logits: Tensor, boxes: Tensor, known: Tensor) -> Tensor:
    """What a box teaches without an outline: nothing outside of it, and something in each of its rows and columns.

    Args:
        logits: (B, C, H, W).
        boxes: (B, C, H, W), 1 within the boxes.
        known: (B, C) whether these classes of the photo have boxes only.

    Source: the projection term of BoxInst (Tian et al. 2021, "High-Performance Instance Segmentation with Box Annotations"),
    over all boxes of a class at once.
    """
    weight = known.float()
    outside = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="none") * (1 - boxes)
    outside = outside.mean((2, 3))
    probs = logits.sigmoid() * boxes
    losses = outside * 4
    for axis in (2, 3):
        found, there = probs.amax(axis), boxes.amax(axis)
        losses = losses + (1 - (2 * (found * there).sum(2) + 1) / ((found**2).sum(2) + (there**2).sum(2) + 1)) / 2
    return (losses * weight).sum() / weight.sum().clamp(min=1)


def centre_loss(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Penalty-reduced focal loss of the middles of instances (Zhou et al. 2019, "Objects as Points")."""
    probs = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = (truth > 0.99).float()
    hit = -((1 - probs) ** 2) * probs.log() * peak
    miss = -((1 - truth) ** 4) * probs**2 * (1 - probs).log() * (1 - peak)
    weight = known[:, :, None, None].float()
    return ((hit + miss) * weight).sum() / (peak * weight).sum().clamp(min=1)


def offset_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the offsets in hundredths of the square's side, on instances only (NaN elsewhere)."""
    there = ~truth.isnan()
    error = (logits - truth.nan_to_num()).abs() * there
    return 100 * error.sum() / there.sum().clamp(min=1)


def class_map_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy plus batch Dice of exclusive classes; (B, C, H, W) logits, (B, H, W) indices, `IGNORE` left out."""
    there = truth != IGNORE
    if not there.any():
        return logits.sum() * 0
    entropy = F.cross_entropy(logits, truth, ignore_index=IGNORE)
    probs = logits.softmax(1) * there[:, None]
    one_hot = F.one_hot(truth.masked_fill(~there, 0), logits.shape[1]).permute(0, 3, 1, 2) * there[:, None]
    overlap = (probs * one_hot).sum((0, 2, 3))
    size = probs.sum((0, 2, 3)) + one_hot.sum((0, 2, 3))
    shown = one_hot.sum((0, 2, 3)) > 0
    dice = 1 - (2 * overlap + 1) / (size + 1)
    return entropy + (dice * shown).sum() / shown.sum()


SEVERITY_WEIGHTS = (0.5, 1.5, 4.0)
"""Severe damage is rare (4 % of lensor's): levels weigh about as the square root of their rarity."""


def severity_map_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Weighted cross-entropy over the damaged pixels whose severity is told."""
    if not (truth != IGNORE).any():
        return logits.sum() * 0
    return F.cross_entropy(logits, truth, weight=logits.new_tensor(SEVERITY_WEIGHTS), ignore_index=IGNORE)


def severity_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Weighted cross-entropy over the photos whose worst severity is told (-1 elsewhere)."""
    if not (truth >= 0).any():
        return logits.sum() * 0
    return F.cross_entropy(logits, truth, weight=logits.new_tensor(SEVERITY_WEIGHTS), ignore_index=-1)


def label_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of yes and no, smoothed by 2 % for the labels' own errors; (B, 1) logits, (B,) truth, NaN left out."""
    there = ~truth.isnan()
    smooth = truth.nan_to_num() * 0.96 + 0.02
    entropy = F.binary_cross_entropy_with_logits(logits[:, 0], smooth, reduction="none") * there
    return entropy.sum() / there.sum().clamp(min=1)
