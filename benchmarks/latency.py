"""How long each network takes for a photo: ONNX Runtime beside torch, and beside YOLO26n-seg, two threads each, in turns.

    python benchmarks/latency.py                                      # each at its recipe's serve_size; a table as Markdown
    python benchmarks/latency.py --size 640 segformer_b0 mask_rcnn    # some, at YOLO's own size

Each network of a recipe that tells where damage or parts are is built with random weights and all heads of the recipe, and
exported as `dentify export` does. Timed is the network alone, of one picture of noise: no photo is decoded, nothing is made of
its answer. How long a forward pass takes does not depend on what was learned: Mask R-CNN looks at so many boxes closely, however
good they are. ONNX Runtime has its own defaults but for the threads; torch runs the same module in evaluation mode without
gradients, in float32.

YOLO26n-seg is what `python benchmarks/assess.py` exported: 640 pixels, boxes chosen, masks not yet drawn. Without its file that
column is empty. Machines are noisy, so torch, ONNX Runtime and YOLO take turns within each round, and ratios are medians of those
within a round; each network has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from assess import CACHE

from dentify.planning import find_recipe
from dentify.runtime.session import import_onnxruntime
from dentify.training import read_recipe
from dentify.training.as_onnx import Exported, to_onnx
from dentify.training.taught import Kept

THREADS = 2
PAUSE = 0.1
"""Seconds before each run, so that threads of the one before, which wait for more by turning, are out of its way."""
YOLO = CACHE / "yolo26n-seg.onnx"
RANDOM = "model.weights=null"

NETWORKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "default": ("default", ("model.encoder_weights=null",)),
    "default, pyramid alone": ("default", ("model.encoder_weights=null", "model.direct_width=0")),
    "dinov2_fpn": ("teacher", ("model.encoder_weights=null", "model.transformer_weights=null")),
    "segformer_b0": ("segformer_b0", (RANDOM,)),
    "segformer, tf_efficientnet_b0": ("segformer_b0", (RANDOM, "model.encoder=tf_efficientnet_b0")),
    "segformer_b3": ("segformer_b3", (RANDOM,)),
    "upernet_swin_tiny": ("upernet_swin_tiny", (RANDOM,)),
    "dpt_large": ("dpt_large", (RANDOM,)),
    "dpt, dinov2": ("dpt_large", (RANDOM, "model.encoder=vit_small_patch14_dinov2")),
    "mobilevitv2_deeplabv3": ("mobilevitv2_deeplabv3", (RANDOM,)),
    "deeplabv3_mobilevit_small": ("deeplabv3_mobilevit_small", (RANDOM,)),
    "mask2former_swin_tiny": ("mask2former_swin_tiny", (RANDOM,)),
    "rf_detr": ("rf_detr", (RANDOM,)),
    "mask_rcnn, resnet50": ("mask_rcnn", (RANDOM,)),
    "mask_rcnn, tf_efficientnet_b0": (
        "mask_rcnn",
        (RANDOM, "model.encoder=tf_efficientnet_b0", "model.width=96", "model.hidden=256"),
    ),
}
"""By the name in the table: the recipe, and what of it is changed."""


def exported(name: str, size: int | None) -> tuple[Exported, int]:
    """The network as it would be exported if photos had taught all of its heads, and the side of its picture."""
    recipe_name, changes = NETWORKS[name]
    recipe = read_recipe(find_recipe(recipe_name), changes)
    heads = recipe.build_heads()
    torch.manual_seed(0)
    network = recipe.model.build({key: head.output for key, head in heads.items()}, Path())
    kept = {key: Kept(head, head.names, list(range(head.output.channels))) for key, head in heads.items()}
    return Exported(network, kept).eval(), size or recipe.data.serve_size


def opened(model: bytes) -> Callable[[], object]:
    """One run of an ONNX file."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    value = session.get_inputs()[0]
    picture = np.random.default_rng(0).standard_normal(value.shape).astype(np.float32)
    return lambda: session.run(None, {value.name: picture})


def seconds_of(run: Callable[[], object]) -> float:
    """Of one run."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def measure(name: str, size: int | None, rounds: int, yolo: Path) -> dict[str, float]:
    """Medians in ms, and of the ratios within a round."""
    torch.set_num_threads(THREADS)
    network, side = exported(name, size)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    picture = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, side, side)).astype(np.float32))

    def in_torch() -> None:
        with torch.inference_mode():
            network(picture)

    runs: dict[str, Callable[[], object]] = {"onnx": opened(to_onnx(network, side)), "torch": in_torch}
    if yolo.is_file():
        runs["yolo"] = opened(yolo.read_bytes())
    for run in runs.values():
        run()
        run()
    seconds = {key: list[float]() for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            time.sleep(PAUSE)
            seconds[key].append(seconds_of(run))
    told = {f"{key}_ms": 1000 * statistics.median(values) for key, values in seconds.items()}
    for key in runs.keys() - {"onnx"}:
        told[f"by_{key}"] = statistics.median(a / b for a, b in zip(seconds["onnx"], seconds[key], strict=True))
    return {"pixels": side, "millions": parameters / 1e6, **told}


def row(name: str, told: Mapping[str, float]) -> str:
    """Of the table."""
    beside = f"{told['yolo_ms']:.1f} | {told['by_yolo']:.2f}" if "yolo_ms" in told else "– | –"
    return (
        f"| {name} | {told['pixels']} | {told['millions']:.1f} | {told['onnx_ms']:.1f} | {told['torch_ms']:.1f} "
        f"| {told['by_torch']:.2f} | {beside} |"
    )


def main() -> None:
    """A table as Markdown on standard output, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all of: {'; '.join(NETWORKS)}")
    parser.add_argument("--size", type=int, help="side of the picture, for all; without it each recipe's serve_size")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--yolo", type=Path, default=YOLO, help="YOLO26n-seg as ONNX")
    parser.add_argument("--alone", action="store_true", help="one network in this process; prints JSON")
    given = parser.parse_args()
    names = [name for name in NETWORKS if not given.networks or name in given.networks or name.split(",")[0] in given.networks]
    strangers = set(given.networks) - {key for name in names for key in (name, name.split(",")[0])}
    if strangers:
        parser.error(f"no such network: {', '.join(sorted(strangers))}; known are {'; '.join(NETWORKS)}")
    if given.alone:
        print(json.dumps(measure(names[0], given.size, given.rounds, given.yolo)))
        return
    if not given.yolo.is_file():
        print(f"{given.yolo}: not there; `python benchmarks/assess.py --rounds 1` makes it", file=sys.stderr)
    print("| network | pixels | parameters, M | ONNX, ms | torch, ms | ONNX by torch | YOLO26n-seg, ms | ONNX by YOLO26n-seg |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    options = ["--rounds", str(given.rounds), "--yolo", str(given.yolo), *(["--size", str(given.size)] if given.size else [])]
    for name in names:
        command = [sys.executable, __file__, name, "--alone", *options]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        print(row(name, json.loads(done.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main()
