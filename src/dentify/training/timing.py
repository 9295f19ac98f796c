"""How long a run will take on this machine, by steps that its very network takes of a made-up picture.

What a step takes depends on the network, on which of its parts learn, and on the size of its pictures. Steps of two small sizes
are timed, and a straight line through them tells those of the run: one part of the time goes with the picture's pixels, the other
is the same for every picture, such as what Mask R-CNN looks at closely. Reading photos is not in it, which other processes do
meanwhile; nor is a teacher.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import default_collate

from dentify.datasets.sample import Annotation, Sample
from dentify.imaging.polygons import box_to_polygon
from dentify.imaging.views import whole_view
from dentify.planning import Checked
from dentify.runtime.session import Device
from dentify.training.batches import Batch, taught
from dentify.training.learner import Learner
from dentify.training.memory import keep_memory
from dentify.training.optimizers import check_parts
from dentify.training.processes import fabric_on
from dentify.training.recipe import Recipe
from dentify.training.scene import Placed, Scene

_SIDES = (96, 192)
"""Of the pictures that steps are timed with; where the run's own are smaller than the second, that size alone."""
_PICTURES = 2
_LONG_S, _MOST = 2.0, 3
"""Seconds after which no further step of the same is timed, and how many are at most."""
_LOOK = 1 / 3
"""Share of a step's time that its forward pass takes, as a look at val does."""


def timed_seconds(recipe: Recipe, checked: Checked, *, device: Device = "auto") -> float:
    """Seconds that a run will roughly take here.

    Args:
        recipe: of the run.
        checked: what `check_recipe` counted of it.
        device: as of `train`.

    Raises:
        ConfigError: the network cannot be built, or does not answer what the heads ask.
    """
    keep_memory()
    recipe = recipe.model_copy(update={"accumulate": 1})  # a part may be one picture, which some networks cannot normalise
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, None).to(memory_format=torch.channels_last)
    check_parts(network, network.parts(), recipe)
    fabric = fabric_on(device)
    network.to(fabric.device)
    learner = Learner(recipe, heads, network, AveragedModel(network, use_buffers=True), {}, fabric, Path())
    large = min(_SIDES[1], max(phase.size for phase in recipe.phases))
    sides = [_SIDES[0], large] if large > _SIDES[0] else [large]
    batches: dict[int, Any] = {
        side: fabric.to_device(default_collate([taught(_picture(recipe, side), heads)] * _PICTURES)) for side in sides
    }
    known: dict[tuple[object, ...], Callable[[int], float]] = {}
    total = 0.0
    for place, (phase, stretch) in enumerate(zip(recipe.phases, checked.stretches, strict=True)):
        key = (phase.train, phase.precision)
        if key not in known:
            learner.enter_phase(place, range(place, place + 1), step=place, states={})
            known[key] = line_through({side: _least_seconds(learner, place, batches[side]) / _PICTURES for side in sides})
        total += known[key](phase.size) * (checked.taught if phase.bottleneck else stretch.steps * stretch.pictures)
    return total + checked.looked_at * _LOOK * max(of(recipe.data.serve_size) for of in known.values())


def line_through(timed: Mapping[int, float]) -> Callable[[int], float]:
    """Seconds of a picture of some side, by those of one side or two: none falls with its pixels, or grows faster than they do.

    >>> of = line_through({100: 3.0, 200: 6.0})  # 2 s of every picture, and 1 s for each 10,000 pixels
    >>> of(300), line_through({100: 3.0, 200: 2.9})(400), line_through({100: 0.0, 200: 1.0})(400), line_through({200: 1.0})(400)
    (11.0, 2.9, 4.0, 4.0)
    """
    large = max(timed)
    slope = steepest = timed[large] / large**2
    if len(timed) > 1:
        small = min(timed)
        slope = min(max((timed[large] - timed[small]) / (large**2 - small**2), 0.0), steepest)
    return lambda side: timed[large] + slope * (side**2 - large**2)


def _least_seconds(learner: Learner, number: int, batch: Batch) -> float:
    """Of a step; the first of a size takes longer, and is the only one of networks that take long."""
    seconds: list[float] = []
    while not seconds or (sum(seconds) < _LONG_S and len(seconds) < _MOST):
        begin = time.perf_counter()
        learner.take(number, batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _picture(recipe: Recipe, side: int) -> Scene:
    """Noise, in the middle of which a part lies, and on it damage of some type."""
    names = [*recipe.classes.parts[:1], *recipe.classes.damage[:1]]
    box = (side * 0.25, side * 0.25, side * 0.75, side * 0.75)
    sample = Sample(
        b"",
        "made up",
        (side, side),
        annotations=tuple(Annotation(name, box, (box_to_polygon(box),)) for name in names),
        labelled=frozenset(recipe.classes.damage),
    )
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return Scene(image, (Placed.photo(sample, whole_view((side, side), (side, side)), (0, 0, side, side), (side, side)),))
