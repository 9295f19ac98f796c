"""Mask R-CNN: boxes are proposed, each is told a type and gets a mask. With torchvision's modules over any encoder of timm.

With ResNet-50 it is torchvision's `maskrcnn_resnet50_fpn_v2`, whose weights fit; ConvNeXt and the default network's encoder do as
well. Every head of instances has proposals, boxes and masks of its own on one feature pyramid.

What it answers has a fixed number of proposals and of candidates, so that it can be exported whole: what non-maximum suppression
leaves out stays in place with a score of 0. Features under a box are taken from all levels of the pyramid, and those of its own
level count.

What it learns from is the bench's own: a type that a photo's source does not label is unknown there, not background.

Source: He et al. 2017, "Mask R-CNN"; Li et al. 2021, "Benchmarking Detection Transfer Learning with Vision Transformers" (v2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from dentify.bundle.manifest import INSTANCE_MASK
from dentify.errors import ConfigError
from dentify.training.heads import Output
from dentify.training.heads.head import LEAST_KNOWN
from dentify.training.heads.instances import LEFT_OUT, lies_in
from dentify.training.models.network import RGB, NetworkRecipe, names_of_files
from dentify.training.models.pretrained import (
    STRIDES,
    encoder_parts,
    file_weights,
    read_recipe_weights,
    timm_pyramid,
    timm_scale,
    what_differs,
)

HUB = "hub"
WHOLE = "resnet50"
"""The encoder with which torchvision publishes weights of all of it."""
_BOX_CELLS, _MASK_CELLS = 7, 14
_MOST_OF_LEVEL = 1000


class MaskRCNNRecipe(NetworkRecipe):
    """Which encoder, how wide the rest, and which weights to begin with."""

    name: Literal["mask_rcnn"]
    encoder: str = Field(WHOLE, description="a timm model that can be built with features_only=True, such as convnext_tiny")
    weights: str | None = Field(
        HUB,
        description=f'"{HUB}": of {WHOLE} those of the whole network that torchvision downloads, learned on COCO, of other '
        "encoders those that timm does; a safetensors file of the encoder, or of torchvision's whole network; null starts from "
        "random ones",
    )
    width: int = Field(256, gt=0, description="channels of the feature pyramid, and of what is told under a box")
    hidden: int = Field(1024, gt=0, description="width of the layer that tells types")
    layers: int = Field(4, ge=1, description="convolutions under a box, before its type and before its mask")
    proposals: int = Field(300, gt=0, le=2000, description="boxes that are looked at closely, of a photo")

    @property
    def weights_used(self) -> tuple[str, ...]:
        """Those of the hub are called by the encoder."""
        return (self.encoder,) if self.weights == HUB else names_of_files(self.weights)

    def build(self, outputs: Mapping[str, Output], root: Path | None) -> MaskRCNN:
        """The network.

        Args:
            outputs: what heads ask of it, by name.
            root: folder that the path of weights is relative to; `None` leaves them out (a checkpoint follows).

        Raises:
            ConfigError: a head asks for something else than instances, the encoder gives no pyramid, or weights are missing or
                another one's.
        """
        for name, output in outputs.items():
            if output.candidates is None:
                raise ConfigError(f"heads.{name}: mask_rcnn answers instances alone; leave it to another network of the bundle")
        hub = root is not None and self.weights == HUB
        network = MaskRCNN(self, outputs, pretrained=hub and self.encoder != WHOLE)
        if hub and self.encoder == WHOLE:
            network.take_whole(_published(), WHOLE)
        elif root is not None and self.weights not in (None, HUB):
            path = root / self.weights
            values = file_weights(path, advice="set model.weights to null to go without")
            if any(name.startswith("roi_heads.") for name in values):
                network.take_whole(values, str(path))
            else:
                read_recipe_weights(network.encoder, root, self.weights, "model.weights", self.encoder)
        return network


def _published() -> dict[str, Tensor]:
    """The weights that torchvision publishes, downloaded once.

    Raises:
        ConfigError: they cannot be.
    """
    from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights as Weights

    try:
        values: dict[str, Tensor] = Weights.COCO_V1.get_state_dict(progress=False)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"model.weights: torchvision's Mask R-CNN cannot be downloaded ({error}); put a safetensors file of it, or of its "
            "encoder, on this machine and name it in model.weights, or set that to null to start from random ones"
        ) from error
    return values


class MaskRCNN(nn.Module):
    """See the module. Input: (B, 3, S, S) float RGB, normalised with `mean` and `std`; S multiple of 32."""

    mean: RGB
    std: RGB
    brings_its_losses = True

    def __init__(self, recipe: MaskRCNNRecipe, outputs: Mapping[str, Output], *, pretrained: bool = False) -> None:
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

        super().__init__()
        encoder = timm_pyramid(recipe.encoder, key="model.encoder", weights="model.weights", pretrained=pretrained)
        channels = encoder.feature_info.channels()
        self.encoder: nn.Module = encoder
        self.mean, self.std = timm_scale(recipe.encoder)
        self.pyramid = FeaturePyramidNetwork(channels, recipe.width, LastLevelMaxPool(), norm_layer=nn.BatchNorm2d)
        self.finders = nn.ModuleDict({name: Finder(recipe, output) for name, output in outputs.items()})

    def parts(self) -> dict[str, list[nn.Module]]:
        """`encoder.0` and so on are its parts as timm names them, `decoder` the pyramid, `heads` all that is told under boxes."""
        return {**encoder_parts(self.encoder), "decoder": [self.pyramid], "heads": [self.finders]}

    def answer_layers(self) -> dict[str, tuple[str, int]]:
        """None: several layers answer a head, each in its own way."""
        return {}

    def forward(self, images: Tensor, truth: Mapping[str, Mapping[str, Tensor]] | None = None) -> dict[str, Tensor]:
        """Normalised photos to tables of candidates (B, N, D) by name; with truth, to the losses of each head in sum."""
        maps = self.pyramid({str(number): values for number, values in enumerate(self.encoder(images))})
        features = [values.float() for values in maps.values()]
        side = images.shape[-1]
        finders: list[tuple[str, Any]] = list(self.finders.items())
        if truth is not None:
            return {name: finder.losses(features, side, truth[name]) for name, finder in finders}
        return {name: finder(features, side) for name, finder in finders}

    def take_whole(self, values: Mapping[str, Tensor], where: str) -> None:
        """Takes the weights of torchvision's network, but for what tells its types.

        Raises:
            ConfigError: they are of another size.
        """
        own = self.state_dict()
        for name, value in values.items():
            for place in self._places(name):
                if ".box_predictor." in place or "mask_fcn_logits" in place:
                    continue
                if place not in own or own[place].shape != value.shape:
                    here = "not known here" if place not in own else f"{tuple(own[place].shape)} here"
                    raise ConfigError(f"{where}: are not weights of this mask_rcnn: {name} is {tuple(value.shape)} there, {here}")
                own[place] = value.float() if value.is_floating_point() else value
        try:
            self.load_state_dict(own)
        except RuntimeError as error:
            raise ConfigError(f"{where}: are not weights of this mask_rcnn: {what_differs(error)}") from error

    def _places(self, name: str) -> list[str]:
        """What weights of torchvision's network are called here."""
        for theirs, ours in (("backbone.body.", "encoder."), ("backbone.fpn.", "pyramid.")):
            if name.startswith(theirs):
                return [f"{ours}{name.removeprefix(theirs)}"]
        return [f"finders.{head}.{name}" for head in self.finders]


class Finder(nn.Module):
    """Proposals, boxes, types and masks of one head.

    Args:
        recipe: of the network.
        output: of the head.
    """

    def __init__(self, recipe: MaskRCNNRecipe, output: Output) -> None:
        from torchvision.models.detection.anchor_utils import AnchorGenerator
        from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
        from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
        from torchvision.models.detection.roi_heads import RoIHeads
        from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
        from torchvision.ops import MultiScaleRoIAlign

        super().__init__()
        assert output.candidates is not None
        self.classes = output.channels - 4 - INSTANCE_MASK**2
        self.candidates, self.proposals = output.candidates, recipe.proposals
        width, layers = recipe.width, [recipe.width] * recipe.layers
        anchors = AnchorGenerator(tuple((size,) for size in (32, 64, 128, 256, 512)), ((0.5, 1.0, 2.0),) * 5)
        levels = [str(number) for number in range(len(STRIDES))]
        self.rpn: Any = RegionProposalNetwork(
            anchors,
            RPNHead(width, anchors.num_anchors_per_location()[0], conv_depth=2),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n={"training": 2000, "testing": _MOST_OF_LEVEL},
            post_nms_top_n={"training": 1000, "testing": recipe.proposals},
            nms_thresh=0.7,
        )
        self.roi_heads: Any = RoIHeads(
            box_roi_pool=MultiScaleRoIAlign(levels, _BOX_CELLS, 2),
            box_head=FastRCNNConvFCHead((width, _BOX_CELLS, _BOX_CELLS), layers, [recipe.hidden], norm_layer=nn.BatchNorm2d),
            box_predictor=FastRCNNPredictor(recipe.hidden, self.classes + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=512,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=0.0,
            nms_thresh=0.5,
            detections_per_img=output.candidates,
            mask_roi_pool=MultiScaleRoIAlign(levels, _MASK_CELLS, 2),
            mask_head=MaskRCNNHeads(width, layers, 1, norm_layer=nn.BatchNorm2d),
            mask_predictor=MaskRCNNPredictor(width, width, self.classes + 1),
        )

    # Asked

    def forward(self, features: list[Tensor], side: int) -> Tensor:
        """(B, C, h, w) at strides 4 to 64 to (B, N, D): boxes in shares of the picture, scores of the types, logits of the mask.

        What was left out has zeros throughout.
        """
        logits, deltas, anchors, counts = self._proposed(features, side)
        photos = range(len(logits))
        return torch.stack(
            [
                self._found([one[photo : photo + 1] for one in features], logits[photo], deltas[photo], anchors, counts, side)
                for photo in photos
            ]
        )

    def _proposed(self, features: list[Tensor], side: int) -> tuple[Tensor, Tensor, Tensor, list[int]]:
        """Logits (B, A), and deltas (B, A, 4) of all anchors (A, 4), and how many are of each level."""
        from torchvision.models.detection.image_list import ImageList
        from torchvision.models.detection.rpn import concat_box_prediction_layers

        objectness, deltas = self.rpn.head(features)
        counts = [one.shape[1] * one.shape[2] * one.shape[3] for one in objectness]
        batch = len(features[0])
        blank = features[0].new_zeros((1, 3, side, side))
        (anchors,) = self.rpn.anchor_generator(ImageList(blank, [(side, side)]), features)
        flat, flat_deltas = concat_box_prediction_layers([one.float() for one in objectness], [one.float() for one in deltas])
        return flat.reshape(batch, -1), flat_deltas.reshape(batch, -1, 4), anchors, counts

    def _found(
        self, features: list[Tensor], logits: Tensor, deltas: Tensor, anchors: Tensor, counts: list[int], side: int
    ) -> Tensor:
        """One photo's table."""
        kept, levels, first = [], [], 0
        for number, count in enumerate(counts):
            best = logits[first : first + count].topk(min(_MOST_OF_LEVEL, count)).indices + first
            kept.append(best)
            levels.append(torch.full_like(best, number))
            first += count
        chosen, level = torch.cat(kept), torch.cat(levels)
        boxes = self.rpn.box_coder.decode_single(deltas[chosen], anchors[chosen]).clamp(0, side)
        likely = logits[chosen].sigmoid() * _has_area(boxes)
        likely = likely * _survives(boxes, likely, level, side, self.rpn.nms_thresh)
        likely, best = likely.topk(min(self.proposals, len(likely)))
        boxes = boxes[best]

        under = self.roi_heads.box_head(_pooled(features, boxes, _BOX_CELLS))
        told, moved = (one.float() for one in self.roi_heads.box_predictor(under))
        scores = told.softmax(-1)[:, 1:] * (likely > 0)[:, None]  # (P, C)
        moved = self.roi_heads.box_coder.decode_single(moved, boxes).reshape(len(boxes), -1, 4)[:, 1:].clamp(0, side)
        score, place = scores.flatten().topk(min(4 * self.candidates, scores.numel()))
        box, of = moved.reshape(-1, 4)[place], place % self.classes
        score = score * _has_area(box)
        score = score * _survives(box, score, of, side, self.roi_heads.nms_thresh)
        score, best = score.topk(min(self.candidates, len(score)))
        box, of = box[best], of[best]

        masks = self.roi_heads.mask_predictor(self.roi_heads.mask_head(_pooled(features, box, _MASK_CELLS))).float()
        is_of = F.one_hot(of, self.classes).to(score.dtype)  # (N, C)
        masks = (masks[:, 1:] * is_of[:, :, None, None]).sum(1)
        table = torch.cat([box / side, is_of * score[:, None], masks.flatten(1)], 1)
        table = table * (score > 0)[:, None]
        return F.pad(table, [0, 0, 0, self.candidates - len(table)])

    # Taught

    def losses(self, features: list[Tensor], side: int, truth: Mapping[str, Tensor]) -> Tensor:
        """Of proposals, of types and boxes, and of masks, in sum. Means are over the pictures of this process."""
        logits, deltas, anchors, counts = self._proposed(features, side)
        batch = len(logits)
        targets, left_out = _targets(truth, side)
        known = truth["known"]
        shapes = [(side, side)] * batch
        with torch.no_grad():
            all_anchors = [anchors] * batch
            decoded = self.rpn.box_coder.decode(deltas.detach().reshape(-1, 4), all_anchors).reshape(batch, -1, 4)
            proposals, _ = self.rpn.filter_proposals(decoded, logits.detach(), shapes, counts)
            labels, matched = self.rpn.assign_targets_to_anchors(all_anchors, targets)
            for of_photo, regions, told in zip(labels, left_out, known, strict=True):
                unknown = told.float().mean() < LEAST_KNOWN  # what is nothing known may be something that nobody labelled
                of_photo[(of_photo == 0) & (lies_in(anchors, regions) | unknown)] = -1
            goals = self.rpn.box_coder.encode(matched, all_anchors)
            positive, negative = (torch.cat(one) for one in self.rpn.fg_bg_sampler(labels))
            positive, sampled = torch.where(positive)[0], torch.where(positive | negative)[0]
            yes = torch.cat(labels)[sampled]
            goal = torch.cat(goals)[positive]
            proposals, indices, types, regression = self.roi_heads.select_training_samples(proposals, targets)
            for boxes, of_photo, regions in zip(proposals, types, left_out, strict=True):
                of_photo[(of_photo == 0) & lies_in(boxes, regions)] = -1
        flat_deltas = deltas.reshape(-1, 4)
        moved = F.smooth_l1_loss(flat_deltas[positive], goal, beta=1 / 9, reduction="sum") / max(len(sampled), 1)
        objectness = F.binary_cross_entropy_with_logits(logits.flatten()[sampled], yes, reduction="sum") / max(len(sampled), 1)
        total: Tensor = moved + objectness + self._types_and_boxes(features, shapes, proposals, types, regression, known)
        return total + self._masks(features, shapes, proposals, types, indices, truth, targets)

    def _types_and_boxes(
        self,
        features: list[Tensor],
        shapes: list[tuple[int, int]],
        proposals: list[Tensor],
        types: list[Tensor],
        regression: tuple[Tensor, ...],
        known: Tensor,
    ) -> Tensor:
        under = self.roi_heads.box_head(self.roi_heads.box_roi_pool(_named(features), proposals, shapes))
        told, moved = (one.float() for one in self.roi_heads.box_predictor(under))
        label = torch.cat(types)
        photo = torch.cat([torch.full_like(one, number) for number, one in enumerate(types)])
        # A type that is unknown on the photo takes no part in the choice; where all are, neither does background.
        unknown = F.pad(~known[photo], [1, 0])
        unknown &= ~F.one_hot(label.clamp(min=0), self.classes + 1).bool()
        label = label.masked_fill((label == 0) & ~known[photo].any(1), -1)
        entropy = F.cross_entropy(told.masked_fill(unknown, -1e4), label, ignore_index=-1, reduction="sum")
        count = max(int((label >= 0).sum()), 1)
        positive = torch.where(label > 0)[0]
        moved = moved.reshape(len(moved), -1, 4)[positive, label[positive]]
        away = F.smooth_l1_loss(moved, torch.cat(list(regression))[positive], beta=1 / 9, reduction="sum")
        return (entropy + away) / count

    def _masks(
        self,
        features: list[Tensor],
        shapes: list[tuple[int, int]],
        proposals: list[Tensor],
        types: list[Tensor],
        indices: list[Tensor],
        truth: Mapping[str, Tensor],
        targets: list[dict[str, Tensor]],
    ) -> Tensor:
        from torchvision.ops import roi_align

        boxes, labels, goals = [], [], []
        for photo, target in enumerate(targets):
            rows = target["rows"][indices[photo]] if len(target["rows"]) else indices[photo]
            outlined = (types[photo] > 0) & truth["outlined"][photo][rows]
            found = proposals[photo][outlined]
            rows = rows[outlined]
            corners = truth["boxes"][photo][rows] * shapes[photo][0]
            low, high = corners[:, :2], corners[:, 2:]
            covers = truth["covers"][photo][rows][:, None].float() / 255
            cell = covers.shape[-1] / (high - low).clamp(min=1)
            within = torch.cat([(found[:, :2] - low) * cell, (found[:, 2:] - low) * cell], 1)  # the box in cells of the cover
            number = torch.arange(len(rows), device=found.device, dtype=found.dtype)[:, None]
            goals.append(roi_align(covers, torch.cat([number, within], 1), INSTANCE_MASK, 1.0, 2, aligned=True)[:, 0])
            boxes.append(found)
            labels.append(types[photo][outlined])
        label, goal = torch.cat(labels), torch.cat(goals)
        if not len(label):  # every weight takes part in every step, for several processes; statistics stay as they are
            own = (*self.roi_heads.mask_head.parameters(), *self.roi_heads.mask_predictor.parameters())
            return torch.stack([one.sum() for one in own]).sum() * 0
        under = self.roi_heads.mask_head(self.roi_heads.mask_roi_pool(_named(features), boxes, shapes))
        told = self.roi_heads.mask_predictor(under)
        own_mask = told.float()[torch.arange(len(label), device=label.device), label]
        return F.binary_cross_entropy_with_logits(own_mask, goal.clamp(0, 1))


def _named(features: list[Tensor]) -> dict[str, Tensor]:
    return {str(number): values for number, values in enumerate(features[: len(STRIDES)])}


def _has_area(boxes: Tensor) -> Tensor:
    return ((boxes[:, 2:] - boxes[:, :2]) > 1e-3).all(1).to(boxes.dtype)


def _survives(boxes: Tensor, scores: Tensor, of: Tensor, side: int, most: float) -> Tensor:
    """(N,) 1 for boxes that no better one of the same kind overlaps by more, 0 for the others."""
    from torchvision.ops import nms

    apart = boxes + of[:, None].to(boxes.dtype) * (2 * side)
    return torch.zeros_like(scores).index_fill(0, nms(apart, scores, most), 1.0)


def _pooled(features: list[Tensor], boxes: Tensor, cells: int) -> Tensor:
    """(N, C, cells, cells) under boxes of one photo: as `MultiScaleRoIAlign`, with no shape that depends on where boxes lie."""
    from torchvision.ops import roi_align

    size = (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp(min=0).sqrt()
    own = torch.floor(4 + torch.log2(size / 224) + 1e-6).clamp(2, 1 + len(STRIDES)) - 2
    levels: list[Tensor] = []
    for level, stride in enumerate(STRIDES):
        under = roi_align(features[level], [boxes], cells, 1 / stride, 2)
        levels.append(under * (own == level).to(under.dtype)[:, None, None, None])
    return torch.stack(levels).sum(0)


def _targets(truth: Mapping[str, Tensor], side: int) -> tuple[list[dict[str, Tensor]], list[Tensor]]:
    """Things of each picture as torchvision takes them, with their rows in the truth; and regions that are left out."""
    targets, left_out = [], []
    for boxes, labels in zip(truth["boxes"] * side, truth["labels"].long(), strict=True):
        rows = torch.where((labels > 0) & (labels != LEFT_OUT))[0]
        targets.append({"boxes": boxes[rows], "labels": labels[rows], "rows": rows, "masks": rows})
        left_out.append(boxes[labels == LEFT_OUT])
    return targets, left_out
