"""How much faster the step of features is the second time: computed by a backbone, then found on the disk.

    python benchmarks/bottleneck.py DATA/damage/images --photos 2000

The backbone has random weights, which take as long as any. Both runs begin with a network of its own and end when the features of
every photo are in memory; the second reads and hashes each photo to know it again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from dentify.datasets import Sample
from dentify.training.bottleneck import KeptFeatures
from dentify.training.heads import Output
from dentify.training.models.timm_classifier import TimmClassifierRecipe


def features_of(samples: list[Sample], architecture: str, size: int, folder: Path) -> float:
    """Seconds until the features of all photos are in memory, the network's building apart."""
    torch.manual_seed(0)
    recipe = TimmClassifierRecipe(name="timm_classifier", architecture=architecture, weights=None)
    network = recipe.build({"vehicle": Output(1)}, None)
    begin = time.perf_counter()
    kept = KeptFeatures(network, size, folder)
    kept.prepare(samples)
    for sample in samples:
        kept.of(sample)
    return time.perf_counter() - begin


def main() -> None:
    """Both steps, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos_in", type=Path, metavar="PHOTOS", help="a folder of pictures")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--architecture", default="vgg16")
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.photos_in.iterdir() if path.is_file())[: arguments.photos]
    samples = [Sample(path, path.name) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        first, second = (features_of(samples, arguments.architecture, arguments.size, Path(folder)) for _ in range(2))
    told = f"{len(samples)} photos, {arguments.architecture} at {arguments.size} pixels"
    print(f"{told}: {first:.1f} s, then {second:.2f} s, {first / second:.0f} times as fast")


if __name__ == "__main__":
    main()
