"""The training loop beside a bare one, and whether its memory stays flat.

    python benchmarks/training.py speed ../shared/data        # the default recipe, its loop and a bare one in turns
    python benchmarks/training.py memory                      # painted photos, a small network, 2,000 steps

`speed` prints the seconds a step of both, medians of each round and the ratio of their medians: 1.0 is as fast as a bare loop of
the same network, pictures and losses, which keeps no average, journal or checkpoint. `memory` prints the resident memory at the
200th and at the last step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path

import torch
from torch.utils.data import DataLoader

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from dentify.fitting.held_out import hold_out
from dentify.planning import find_recipe
from dentify.training import Progress, Recipe, read_recipe, train
from dentify.training.batches import MixedBatches, TrainingPictures
from dentify.training.compose import Composer
from dentify.training.memory import keep_memory
from dentify.training.models.network import normalised
from dentify.training.photos import read_photo_set


def ours(recipe: Recipe, data: Path, steps: int) -> list[float]:
    """Seconds between the steps of a run."""
    times: list[float] = []

    def on_step(progress: Progress) -> None:
        times.append(time.perf_counter())
        if progress.step > steps:
            raise StopIteration

    with tempfile.TemporaryDirectory() as folder, suppress(StopIteration):
        train(recipe, data=data, output=Path(folder), on_step=on_step)
    return [after - before for before, after in pairwise(times)]


def bare(recipe: Recipe, data: Path, steps: int) -> list[float]:
    """Seconds between the steps of a loop of fifteen lines."""
    keep_memory()
    every = [read_photo_set(photos, data, "train", recipe.classes) for photos in recipe.data.train]
    sets = [hold_out(samples, recipe.data.hold_out)[0] for samples in every]
    heads = recipe.build_heads()
    network = recipe.model.build({name: head.output for name, head in heads.items()}, data).to(memory_format=torch.channels_last)
    frozen = [module for name in ("encoder.0", "encoder.1", "encoder.2") for module in network.parts()[name]]
    for module in frozen:
        module.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-4)
    composer = Composer(sets, recipe.augment, seed=recipe.seed, pasteable=recipe.classes.damage)
    batches = MixedBatches(sets, recipe, steps=range(steps + 2))
    loader = DataLoader(TrainingPictures(composer, heads), batch_sampler=batches, num_workers=recipe.data.workers)
    times = []
    for batch in islice(loader, steps + 1):
        network.train()
        for module in frozen:
            module.eval()
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(normalised(batch["image"], network.mean, network.std))
        losses = [head.weight * head.loss(outputs[name].float(), batch[name]) for name, head in heads.items()]
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(losses).sum())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        times.append(time.perf_counter())
    return [after - before for before, after in pairwise(times)]


def speed(data: Path, rounds: int, steps: int) -> None:
    """Prints both in turns."""
    recipe = read_recipe(find_recipe("default"), ("data.val=[]", "checkpoint_every=100000"))
    told: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds):
        for name, run in (("ours", ours), ("bare", bare)):
            told[name].append(statistics.median(run(recipe, data, steps)))
        print(f"round {number + 1}: ours {told['ours'][-1]:.3f} s a step, bare {told['bare'][-1]:.3f} s", flush=True)
    ratios = [bare_s / ours_s for ours_s, bare_s in zip(told["ours"], told["bare"], strict=True)]
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"throughput, ours by bare: median of {rounds} rounds {statistics.median(ratios):.3f} ({spread})")


def memory(steps: int) -> None:
    """Prints the resident memory early and late in a run."""
    from toy_bench import SIDE, paint_photos, toy_recipe

    torch.set_num_threads(1)
    seen: dict[int, float] = {}

    def on_step(progress: Progress) -> None:
        if progress.step in (200, steps // 2, steps):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            seen[progress.step] = pages * 4096 / 2**20

    with tempfile.TemporaryDirectory() as folder:
        photos = paint_photos(Path(folder) / "photos")
        phases = [{"steps": steps, "size": SIDE, "mosaic": 0.3, "paste": 0.5}]
        recipe = toy_recipe(phases=phases, validate_every=500, checkpoint_every=100)
        train(recipe, data=photos, output=Path(folder) / "run", on_step=on_step)
    told = ", ".join(f"step {step}: {megabytes:.0f} MiB" for step, megabytes in seen.items())
    print(f"resident memory: {told}; last by first {seen[steps] / seen[200]:.3f}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("speed")
    one.add_argument("data", type=Path)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--steps", type=int, default=12)
    two = commands.add_parser("memory")
    two.add_argument("--steps", type=int, default=2000)
    given = parser.parse_args()
    if given.command == "speed":
        speed(given.data, given.rounds, given.steps)
    else:
        memory(given.steps)


if __name__ == "__main__":
    main()
