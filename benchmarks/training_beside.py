"""A step of training beside others' own: Mask R-CNN beside torchvision's, SegFormer-B0 beside a bare loop over transformers'.

    python benchmarks/training_beside.py mask_rcnn ../shared/data
    python benchmarks/training_beside.py segformer_b0 ../shared/data

Both sides have random weights, the same size of picture, batch, precision, optimizer and order of memory, two threads, and learn
from the same pictures in the same order. Beside Mask R-CNN is torchvision's `maskrcnn_resnet50_fpn_v2` with its own losses, as
many proposals, and pictures that it need not resize; beside SegFormer is transformers' class, with the cross-entropy of the same
map of parts at the same stride, which is all that ours is asked here. A bare step is forward, backward and step: no average, no
limit on the gradient, no look for NaN, no journal.

It is measured twice. `in memory`: the pictures and their truth are made before, and our learner and the bare loop take steps in
turns, so that each ratio is of two neighbours. `from photos`: `dentify train` as it is, and the bare loop, each for some steps in
turns; both read, decode and distort the photos of the same batches by as many processes, and each makes its own kind of truth.
Told are medians of ratios, bare by ours: 1.0 is as fast as bare.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset, default_collate

from dentify.datasets import Sample
from dentify.planning import find_recipe
from dentify.training import Recipe, read_recipe
from dentify.training.batches import Batch, MixedBatches, taught
from dentify.training.compose import Composer, Draw
from dentify.training.heads.instances import InstancesHead
from dentify.training.learner import Learner
from dentify.training.memory import keep_memory
from dentify.training.models.mask_rcnn import Finder, MaskRCNN
from dentify.training.models.network import normalised
from dentify.training.photos import read_run_photos
from dentify.training.processes import fabric_on
from dentify.training.scene import Scene
from training import ours

THREADS = 2
UNTIMED = 2
"""Steps at the beginning that are not counted: memory is taken, optimizers begin."""
Step = Callable[[Any], None]


class Pictures(Dataset[Any]):
    """Training pictures by `Draw`: with our truth, with a bare loop's, or kept from before."""

    def __init__(self, make: Callable[[Draw], Any]) -> None:
        self._make = make

    def __getitem__(self, draw: Draw) -> Any:
        return self._make(draw)


class Side:
    """What both sides share: the recipe, its photos, and our network for what it says of itself."""

    def __init__(self, recipe: Recipe, data: Path) -> None:
        self.recipe = recipe
        self.size = recipe.phases[0].size
        self.heads = recipe.build_heads()
        self.sets: Sequence[Sequence[Sample]] = read_run_photos(recipe, data).taught
        self.composer = Composer(self.sets, recipe.augment, seed=recipe.seed, pasteable=recipe.classes.damage)
        torch.manual_seed(recipe.seed)
        outputs = {name: head.output for name, head in self.heads.items()}
        self.network: nn.Module = recipe.model.build(outputs, data).to(memory_format=torch.channels_last)

    def scene(self, draw: Draw) -> Scene:
        """The picture of a draw."""
        return self.composer.compose(draw)

    def autocast(self) -> Any:
        """As the recipe's precision says."""
        return torch.autocast("cpu", torch.bfloat16) if self.recipe.phases[0].precision == "bf16" else nullcontext()


def bare_mask_rcnn(side: Side) -> tuple[Callable[[Scene], Any], Step]:
    """Truth as torchvision takes it, and a step of its network."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2
    from torchvision.ops import masks_to_boxes

    (head,) = side.heads.values()
    assert isinstance(head, InstancesHead)
    assert isinstance(side.network, MaskRCNN)
    (finder,) = side.network.finders.children()
    assert isinstance(finder, Finder)
    network = maskrcnn_resnet50_fpn_v2(
        weights=None,
        weights_backbone=None,
        num_classes=len(head.names) + 1,
        min_size=side.size,
        max_size=side.size,
        rpn_pre_nms_top_n_train=finder.rpn.pre_nms_top_n(),
        rpn_post_nms_top_n_train=finder.rpn.post_nms_top_n(),
        _skip_resize=True,
    )
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)

    def truth(scene: Scene) -> tuple[Tensor, dict[str, Tensor]]:
        seen = [region for region in scene.damages if region.annotation.name in head.names and (region.cover > 127).any()]
        masks = np.zeros((len(seen), side.size, side.size), np.uint8)
        for mask, region in zip(masks, seen, strict=True):
            left, top, right, bottom = region.window
            mask[top:bottom, left:right] = region.cover > 127
        drawn = torch.from_numpy(masks)
        boxes = masks_to_boxes(drawn) + torch.tensor([0.0, 0.0, 1.0, 1.0])
        labels = torch.tensor([1 + head.names.index(region.annotation.name) for region in seen], dtype=torch.int64)
        image = torch.from_numpy(scene.image).permute(2, 0, 1)
        return image, {"boxes": boxes.reshape(-1, 4), "labels": labels, "masks": drawn}

    def step(batch: Sequence[tuple[Tensor, dict[str, Tensor]]]) -> None:
        images = [image.float() / 255 for image, _ in batch]
        with side.autocast():
            losses = network(images, [{**told} for _, told in batch])
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()

    return truth, step


def bare_segformer(side: Side) -> tuple[Callable[[Scene], Any], Step]:
    """The map of parts, and a step of transformers' network."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    (head,) = side.heads.values()
    assert isinstance(side.network.model, nn.Module)
    config: Any = side.network.model.config
    assert isinstance(config, SegformerConfig)
    network = SegformerForSemanticSegmentation(config).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def truth(scene: Scene) -> Batch:
        return {"image": torch.from_numpy(scene.image), "classes": torch.from_numpy(head.truth(scene)["classes"])}

    def step(batch: Batch) -> None:
        with side.autocast():
            logits = network(normalised(batch["image"], mean, std)).logits
        loss = nn.functional.cross_entropy(logits.float(), batch["classes"].long(), ignore_index=255)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return truth, step


BARE = {"mask_rcnn": (bare_mask_rcnn, list), "segformer_b0": (bare_segformer, default_collate)}
"""By the name of the recipe: its counterpart, and how that takes a batch."""


def in_memory(side: Side, name: str, steps: int) -> Iterator[tuple[float, float]]:
    """Seconds of our learner's step and of the bare one after it, of the same pictures, made before."""
    make, collate = BARE[name]
    truth, bare_step = make(side)
    recipe = side.recipe.model_copy(update={"data": side.recipe.data.model_copy(update={"workers": 0})})
    steps += UNTIMED
    drawn = list(MixedBatches(side.sets, recipe, steps=range(steps)))
    scenes = {draw.number: side.scene(draw) for batch in drawn for draw in batch}
    mine = {number: taught(scene, side.heads) for number, scene in scenes.items()}
    theirs = {number: truth(scene) for number, scene in scenes.items()}
    average = AveragedModel(side.network, use_buffers=True)
    learner = Learner(recipe, side.heads, side.network, average, {}, fabric_on("cpu"), Path("last.ckpt"))
    learner.enter_phase(0, range(steps), step=0, states={})
    taken = learner.steps(Pictures(lambda draw: mine[draw.number]), side.sets, range(steps))
    for number, batch in enumerate(drawn):
        begin = time.perf_counter()
        next(taken)
        between = time.perf_counter()
        bare_step(collate([theirs[draw.number] for draw in batch]))
        if number >= UNTIMED:
            yield between - begin, time.perf_counter() - between


def bare_from_photos(side: Side, name: str, steps: int) -> list[float]:
    """Seconds between the steps of the bare loop, photos read by as many processes as ours."""
    make, collate = BARE[name]
    truth, bare_step = make(side)
    loader = DataLoader(
        Pictures(lambda draw: truth(side.scene(draw))),
        batch_sampler=MixedBatches(side.sets, side.recipe, steps=range(steps + 1)),
        num_workers=side.recipe.data.workers,
        collate_fn=collate,
    )
    times = []
    for batch in loader:
        bare_step(batch)
        times.append(time.perf_counter())
    return [after - before for before, after in pairwise(times)]


def read_shortened(name: str, *, size: int, batch: int, precision: str) -> Recipe:
    """The recipe of that name with one set of photos, one phase and random weights; of SegFormer one map."""
    phase = f"phases=[{{steps: 100000, size: {size}, precision: '{precision}'}}]"
    photos = "parts" if name == "segformer_b0" else "damage"
    changes = [phase, f"data.train=[{{dataset: {photos}/train.json, per_batch: {batch}}}]", "data.val=[]", "accumulate=1"]
    if name == "segformer_b0":
        changes.append("heads={parts: {kind: exclusive, of: parts, stride: 4, loss: {cross_entropy: 1}}}")
    return read_recipe(find_recipe(name), (*changes, "checkpoint_every=1000000", "model.weights=null"))


def told(what: str, mine: Sequence[float], bare: Sequence[float]) -> str:
    """A line of the result."""
    ratios = [theirs / ours_s for ours_s, theirs in zip(mine, bare, strict=True)]
    spread = f"median of {len(ratios)} {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    return (
        f"{what}: ours {statistics.median(mine):.3f} s, bare {statistics.median(bare):.3f} s; throughput, ours by bare: {spread}"
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=BARE)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=320, help="side of the pictures")
    parser.add_argument("--batch", type=int, default=4, help="pictures a step")
    parser.add_argument("--steps", type=int, default=12, help="in memory, and from photos in each round")
    parser.add_argument("--rounds", type=int, default=3, help="from photos; 0 leaves that out")
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    given = parser.parse_args()
    torch.set_num_threads(THREADS)
    keep_memory()
    recipe = read_shortened(given.name, size=given.size, batch=given.batch, precision=given.precision)
    shown = f"{given.batch} pictures of {given.size} pixels"
    print(f"{given.name}: {shown}, precision {given.precision}, {THREADS} threads", flush=True)
    pairs = list(in_memory(Side(recipe, given.data), given.name, given.steps))
    print(told("in memory, a step", *zip(*pairs, strict=True)), flush=True)
    mine, bare = [], []
    for number in range(given.rounds):
        mine.append(statistics.median(ours(recipe, given.data, given.steps)))
        bare.append(statistics.median(bare_from_photos(Side(recipe, given.data), given.name, given.steps)))
        print(f"round {number + 1}, from photos: ours {mine[-1]:.3f} s a step, bare {bare[-1]:.3f} s", flush=True)
    if mine:
        print(told("from photos, a step", mine, bare), flush=True)


if __name__ == "__main__":
    main()
