"""Runs that are killed at random moments and resumed, beside one that is not: do they end as it does, bit for bit?

    python benchmarks/kills.py --kills 25

A run is killed by SIGKILL at a random moment after its next checkpoint, and resumed, until so many kills were made; then it may
end. Prints where it was killed, and whether losses, figures and weights are those of the run in one go.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELPERS = ROOT / "tests" / "helpers"
sys.path.insert(0, str(HELPERS))
TABLES = ("losses.csv", "figures.csv")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import torch

    from dentify.training.checkpoints import read_checkpoint
    from toy_bench import paint_photos

    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        photos = paint_photos(Path(folder) / "photos")
        half = given.steps // 2
        changes = [f"phases.0.steps={half}", f"phases.1.steps={given.steps - half}", "validate_every=50", "checkpoint_every=10"]

        def command(name: str) -> list[str]:
            return [sys.executable, str(HELPERS / "toy_bench.py"), str(photos), str(Path(folder) / name), *changes]

        subprocess.run(command("whole"), check=True)
        run = Path(folder) / "killed"
        checkpoint = run / "last.ckpt"
        at: list[int] = []
        while True:
            before = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
            resume = ["--resume"] if before else []
            process = subprocess.Popen(command("killed") + resume)
            if len(at) == given.kills:
                break
            while process.poll() is None and not (checkpoint.is_file() and checkpoint.stat().st_mtime_ns > before):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.4))
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break  # it came to its end first
            at.append(read_checkpoint(checkpoint).step)
        if process.wait() != 0:
            sys.exit("a resumed run failed")
        one, other = (read_checkpoint(Path(folder) / name / "last.ckpt") for name in ("whole", "killed"))
        weights = all(torch.equal(value, other.average[name]) for name, value in one.average.items())
        tables = {name: (Path(folder) / "whole" / name).read_bytes() == (run / name).read_bytes() for name in TABLES}
        print(f"{len(at)} kills of a run of {given.steps} steps, with checkpoints of the steps {at}")
        told = ", ".join(f"{name} {same}" for name, same in tables.items())
        print(f"the same as in one go, bit for bit: weights {weights}, {told}")


if __name__ == "__main__":
    main()
