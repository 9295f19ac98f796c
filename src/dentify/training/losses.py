"""Losses by name, each a plain function of float32 logits, truth and what of it is known.

Unknown is not absent: what nobody labelled costs and teaches nothing, and where nothing is known a loss is 0. Every loss is a
quotient of sums over the batch; `summed` takes these over all processes that train together, so that several processes follow the
curve of one with the same batch. (Its backward pass sums, too, and the processes' gradients are averaged afterwards: what comes
out is the gradient of the loss of the whole batch.)

Maps of overlapping classes take `logits` (B, C, H, W), `truth` (B, C, H, W) in [0, 1] and `known`, boolean and broadcastable to
them. Maps of exclusive classes take `logits` (B, C, H, W) and `truth` (B, H, W) with `IGNORE` where it is unknown; the same
functions serve them through `one_hot`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from dentify.arrays import BoolArray, FloatArray

IGNORE = 255
"""Class index of pixels of which the class is unknown."""


def summed(value: Tensor) -> Tensor:
    """A sum over this process's share of the batch, as the sum over all of it."""
    if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
        total: Tensor = _OverAll.apply(value)
        return total
    return value


class _OverAll(torch.autograd.Function):
    """The sum of all processes' values; the gradient of each is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def share(part: Tensor, whole: Tensor) -> Tensor:
    """The quotient of two sums, 0 where the second is."""
    total = summed(whole)
    return summed(part) / torch.where(total > 0, total, torch.ones_like(total))


def one_hot(truth: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """(B, H, W) indices as (B, C, H, W) zeros and ones, and (B, 1, H, W) where they are known."""
    known = (truth != IGNORE)[:, None]
    hot = F.one_hot(truth.masked_fill(~known[:, 0], 0), classes).permute(0, 3, 1, 2) * known
    return hot.float(), known


# Of maps: pixel by pixel


def binary_cross_entropy(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Mean over what is known of the cross-entropy of each class, yes or no."""
    weight = known.float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight
    return share(entropy.sum(), weight.expand_as(logits).sum())


def cross_entropy(logits: Tensor, truth: Tensor, class_weights: Sequence[float] | None = None) -> Tensor:
    """Mean over what is known of the cross-entropy of exclusive classes.

    Args:
        logits: (B, C, …).
        truth: (B, …) indices, `IGNORE` where unknown.
        class_weights: one a class; the mean is weighted, too.
    """
    weights = None if class_weights is None else logits.new_tensor(class_weights)
    entropy = F.cross_entropy(logits, truth, weight=weights, ignore_index=IGNORE, reduction="sum")
    known = truth[truth != IGNORE]
    return share(entropy, (torch.ones_like(known) if weights is None else weights[known]).sum().float())


def allowed(logits: Tensor, group: Tensor, table: Sequence[Sequence[bool]], families: Sequence[Sequence[int]]) -> Tensor:
    """Mean over the cells of a group of the cross-entropies of *one of the family that the group allows*, of all families in sum.

    A cell counts for a family of classes as far as it is of it. No class outside is taught more or less, so that one that every
    group allows is no way out.

    Args:
        logits: (B, C, …).
        group: (B, …) indices into the table, `IGNORE` where unknown.
        table: of each group, C answers: whether it allows the class.
        families: classes that are taken for each other; one of which a group allows none, or all, teaches nothing there.

    Source: partial labels; Jin & Ghahramani 2002, "Learning with Multiple Labels".
    """
    there = group != IGNORE
    cells, groups = logits.movedim(1, -1)[there], group[there]
    probs = cells.detach().softmax(1)
    allows = torch.tensor(table, dtype=torch.bool, device=logits.device)
    total = logits.new_zeros(())
    for family in map(list, families):
        mixed = allows[:, family].any(1) & ~allows[:, family].all(1)
        asked = mixed[groups]
        own = cells[asked][:, family]
        right = own.masked_fill(~allows[groups[asked]][:, family], torch.finfo(own.dtype).min)
        weight = probs[asked][:, family].sum(1)
        total = total + ((own.logsumexp(1) - right.logsumexp(1)) * weight).sum()
    return share(total, total.new_tensor(float(len(cells))))


def too_small(probs: Tensor, asked: Tensor, least: float) -> Tensor:
    """How far a thing falls short of the area that it must have, squared, in the mean over the pictures that must show it.

    Args:
        probs: (B, H, W) of each cell, that it is of the thing.
        asked: (B,) whether a picture must show it.
        least: share of the cells that it covers at the least.

    Source: Kervadec et al. 2019, "Constrained-CNN Losses for Weakly Supervised Segmentation".
    """
    missing = F.relu(1 - probs.mean((1, 2)) / least) ** 2
    return share((missing * asked).sum(), asked.sum().float())


def binary_focal(logits: Tensor, truth: Tensor, known: Tensor, *, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """Cross-entropy that fades where the answer is right already (Lin et al. 2017, "Focal Loss for Dense Object Detection").

    Args:
        logits: (B, C, H, W).
        truth: 0 or 1.
        known: as above.
        gamma: how quickly it fades.
        alpha: weight of yes, that of no being the rest; none weighs both alike.
    """
    weight = known.float()
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    focal = (1 - torch.exp(-entropy)) ** gamma * entropy
    if alpha is not None:
        focal = focal * (alpha * truth + (1 - alpha) * (1 - truth))
    return share((focal * weight).sum(), weight.expand_as(logits).sum())


def focal(logits: Tensor, truth: Tensor, *, gamma: float = 2.0) -> Tensor:
    """The same of exclusive classes: mean over what is known of `(1 - p)^gamma` times the cross-entropy."""
    entropy = F.cross_entropy(logits, truth, ignore_index=IGNORE, reduction="none")
    return share(((1 - torch.exp(-entropy)) ** gamma * entropy).sum(), (truth != IGNORE).sum().float())


# Of maps: region by region, over the whole batch


def dice(probs: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """One minus Dice's coefficient, in the mean over the classes that are shown.

    It is taken over the whole batch and not per photo: most photos hold none of most classes, and the figure that is reported
    pools pixels over photos, too. A class that no known photo of the batch shows adds nothing.

    Source: Milletari et al. 2016, "V-Net", with plain sums in the denominator and 1 added above and below.
    """
    weight = known.float()
    probs, truth = probs * weight, truth * weight
    overlap = summed((probs * truth).sum((0, 2, 3)))
    there = summed(truth.sum((0, 2, 3)))
    size = summed(probs.sum((0, 2, 3))) + there
    shown = there > 0
    return ((1 - (2 * overlap + 1) / (size + 1)) * shown).sum() / shown.sum().clamp(min=1)


def tversky(probs: Tensor, truth: Tensor, known: Tensor, *, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """As `dice`, with false alarms weighed by `alpha` and misses by `beta` (Salehi et al. 2017); 0.5 and 0.5 give Dice's own."""
    weight = known.float()
    probs, truth = probs * weight, truth * weight
    overlap = summed((probs * truth).sum((0, 2, 3)))
    there = summed(truth.sum((0, 2, 3)))
    alarms = summed(probs.sum((0, 2, 3))) - overlap
    shown = there > 0
    index = (overlap + 0.5) / (overlap + alpha * alarms + beta * (there - overlap) + 0.5)
    return ((1 - index) * shown).sum() / shown.sum().clamp(min=1)


def lovasz(errors: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """A convex stand-in for the IoU of each class that is shown, over the batch of this process.

    Args:
        errors: (B, C, H, W) how wrong each cell is: of overlapping classes the hinge `1 - logit · sign`, of exclusive ones the
            difference of truth and probability.
        truth: 0 or 1; between them it counts as the nearer.
        known: as above.

    Source: Berman et al. 2018, "The Lovász-Softmax loss". It sorts the errors of a batch and so does not fall into sums: several
    processes each take that of their share.
    """
    losses = []
    known = known.expand_as(errors)
    for place in range(errors.shape[1]):
        there = known[:, place]
        yes, error = (truth[:, place][there] > 0.5).float(), errors[:, place][there]
        if not yes.any():
            continue
        error, order = error.sort(descending=True)
        yes = yes[order]
        missed = yes.sum() - yes.cumsum(0)
        jaccard = 1 - missed / (yes.sum() + (1 - yes).cumsum(0))
        gradient = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
        losses.append(F.relu(error) @ gradient)
    return torch.stack(losses).mean() if losses else errors.sum() * 0


def hinge_errors(logits: Tensor, truth: Tensor) -> Tensor:
    """What `lovasz` takes of overlapping classes."""
    return 1 - logits * (2 * (truth > 0.5).float() - 1)


def boundary(probs: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Mean over what is known of the probability times the signed distance to the truth's edge, negative within it.

    Only classes that are shown on a photo count there. To be used beside a regional loss: alone it is least for nothing at all.

    Args:
        probs: (B, C, H, W).
        truth: 0 or 1; between them it counts as the nearer.
        known: as above.

    Source: Kervadec et al. 2019, "Boundary loss for highly unbalanced segmentation"; distances are shares of the longer side.
    """
    distance = torch.from_numpy(_signed_distance(truth.detach().cpu().numpy() > 0.5)).to(probs)
    weight = known.expand_as(probs).float() * (truth > 0.5).any(dim=3).any(dim=2)[:, :, None, None]
    return share((probs * distance * weight).sum(), weight.sum())


def _signed_distance(truth: BoolArray) -> FloatArray:
    """Distance of each cell to the nearest one of the other kind, negative within, as a share of the map's longer side.

    What fills a map has no edge there, and 0 throughout.
    """
    from scipy.ndimage import distance_transform_edt

    distance = np.zeros(truth.shape, np.float32)
    for photo, place in np.argwhere(truth.any((2, 3)) & ~truth.all((2, 3))):
        inside = truth[photo, place]
        distance[photo, place] = distance_transform_edt(~inside) - distance_transform_edt(inside)
    distance /= max(truth.shape[2:])
    return distance


def boxes(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """What a box teaches without an outline: nothing outside of it, and something in each of its rows and columns.

    Args:
        logits: (B, C, H, W).
        truth: 1 within the boxes.
        known: (B, C) whether these classes of the photo have boxes only.

    Source: the projection term of BoxInst (Tian et al. 2021, "High-Performance Instance Segmentation with Box Annotations"),
    over all boxes of a class at once.
    """
    weight = known.float()
    outside = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="none") * (1 - truth)
    losses = outside.mean((2, 3)) * 4
    probs = logits.sigmoid() * truth
    for axis in (2, 3):
        found, there = probs.amax(axis), truth.amax(axis)
        losses = losses + (1 - (2 * (found * there).sum(2) + 1) / ((found**2).sum(2) + (there**2).sum(2) + 1)) / 2
    return share((losses * weight).sum(), weight.sum())


# Of the middles of instances


def centres(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Penalty-reduced focal loss of the middles of instances (Zhou et al. 2019, "Objects as Points")."""
    probs = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = (truth > 0.999).float()  # 255 of 255
    hit = -((1 - probs) ** 2) * probs.log() * peak
    miss = -((1 - truth) ** 4) * probs**2 * (1 - probs).log() * (1 - peak)
    weight = known.float()
    return share(((hit + miss) * weight).sum(), (peak * weight).sum())


def offsets(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute error of the offsets in hundredths of the square's side, on instances only (NaN elsewhere)."""
    there = ~truth.isnan()
    error = (logits - truth.nan_to_num()).abs() * there
    return 100 * share(error.sum(), there.sum().float())


# Of whole photos


def yes_or_no(logits: Tensor, truth: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Mean over what is known of the cross-entropy of yes and no.

    Args:
        logits: (B, …).
        truth: 1, 0 or NaN, likewise.
        smoothing: share of either answer that is taken for an error of the labels.
    """
    there = ~truth.isnan()
    goal = truth.nan_to_num() * (1 - 2 * smoothing) + smoothing
    entropy = F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * there
    return share(entropy.sum(), there.sum().float())


# Of a student and its teacher


def binary_distance(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean divergence of each cell's yes or no from the teacher's, where it says something (not NaN).

    Args:
        logits: (B, C, H, W) of the student.
        teacher: likewise.
        temperature: by which both are divided; the loss is multiplied by its square, so that gradients stay as large.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".
    """
    there = ~teacher.isnan()
    goal = (teacher.nan_to_num() / temperature).sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits / temperature, goal, reduction="none")
    own = F.binary_cross_entropy_with_logits(teacher.nan_to_num() / temperature, goal, reduction="none")
    return temperature**2 * share(((entropy - own) * there).sum(), there.sum().float())


def exclusive_distance(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The same of exclusive classes, (B, C, …): divergence of the classes that the teacher tells, beside each other."""
    there = ~teacher.isnan()
    lowest = torch.finfo(logits.dtype).min
    goal = (teacher.nan_to_num() / temperature).masked_fill(~there, lowest).log_softmax(1)
    told = (logits / temperature).masked_fill(~there, lowest).log_softmax(1)
    divergence = ((goal - told) * goal.exp()).masked_fill(~there, 0).sum(1)
    return temperature**2 * share(divergence.sum(), there.any(1).sum().float())


def feature_distance(features: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the cells of one less the cosine between features and a teacher's: 0 where they point alike, 2 at the most.

    Args:
        features: (B, C, h, w).
        teacher: (B, C, H, W); the others are brought to its cells.
    """
    if features.shape[2:] != teacher.shape[2:]:
        features = F.interpolate(features, teacher.shape[2:], mode="bilinear", align_corners=False)
    apart = 1 - F.cosine_similarity(features, teacher, dim=1)
    return share(apart.sum(), torch.ones_like(apart).sum())


# Of pairs of pictures and texts; every picture has its text at the same place


def info_nce(pictures: Tensor, texts: Tensor, scale: Tensor | float) -> Tensor:
    """Each picture picks its text among all of the batch, and each text its picture (Radford et al. 2021, "CLIP").

    Args:
        pictures: (B, D), of length 1.
        texts: likewise.
        scale: inverse of the temperature.
    """
    logits = scale * pictures @ texts.T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def sigmoid(pictures: Tensor, texts: Tensor, scale: Tensor | float, bias: Tensor | float) -> Tensor:
    """Each pair of the batch is asked for alone whether it belongs together (Zhai et al. 2023, "SigLIP"); as for `info_nce`."""
    logits = scale * pictures @ texts.T + bias
    answers = 2 * torch.eye(len(logits), device=logits.device) - 1
    return -F.logsigmoid(answers * logits).sum() / len(logits)
