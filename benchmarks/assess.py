"""How long a whole assessment takes, beside Ultralytics' smallest segmentation networks on the same files in the same run.

    python benchmarks/assess.py                 # 12-megapixel JPEGs, file to JSON, warm; two threads each
    python benchmarks/assess.py --cold          # `dentify assess one.jpg` as a process, beside a bare ONNX Runtime process

Ultralytics (AGPL-3.0) is installed into an environment of the benchmark's own under `.cache/` and is no dependency of Dentify.
Its networks are YOLO11n-seg and YOLO26n-seg, exported to ONNX at 640 pixels with random weights: the time of a forward pass
does not depend on what was learned, and with random weights next to nothing is left to draw masks of, which is in their favour.

Machines are noisy, so each file goes to every process in turn and what is reported are medians of ratios within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

import cv2
import numpy as np

from dentify.offline import report_nothing

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "benchmark"
THREADS = 2
MODELS = ("yolo11n-seg", "yolo26n-seg")

SERVER = """
import sys, time
{setup}
for line in sys.stdin:
    path = line.rstrip("\\n")
    start = time.perf_counter()
    result = work(path)
    print(time.perf_counter() - start, result, flush=True)
"""

DENTIFY = """
import dentify
assessor = dentify.load(threads={threads})
def work(path):
    answer = assessor.assess(path, score_threshold={threshold}, gates=False)
    text = answer.to_json()
    return sum(finding.mask is not None for finding in answer.findings)
"""

ULTRALYTICS = """
import torch
torch.set_num_threads({threads})
from ultralytics import YOLO
model = YOLO({path!r}, task="segment")
def work(path):
    result = model.predict(path, imgsz=640, device="cpu", verbose=False)[0]
    return 0 if result.masks is None else len(result.masks)
"""

EXPORT = """
import shutil
from ultralytics import YOLO
for name in {models!r}:
    written = YOLO(name + ".yaml", task="segment").export(format="onnx", imgsz=640, device="cpu")
    shutil.move(written, {folder!r} + "/" + name + ".onnx")
"""

BARE = """
import sys
import numpy, cv2, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = {threads}
session = onnxruntime.InferenceSession({path!r}, options)
value = session.get_inputs()[0]
session.run(None, {{value.name: numpy.zeros(value.shape, numpy.float32)}})
"""


def make_photos(folder: Path) -> list[Path]:
    """The examples enlarged to 4000 × 3000 with a camera's grain, over 3 MB each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    rng = np.random.default_rng(0)
    for source in sorted((ROOT / "examples").glob("*.jpg")):
        path = folder / source.name
        paths.append(path)
        if path.is_file():
            continue
        image = cv2.imread(str(source))
        assert image is not None
        shape = (4000, 3000) if image.shape[1] >= image.shape[0] else (3000, 4000)
        large = cv2.resize(image, shape, interpolation=cv2.INTER_CUBIC).astype(np.float32)
        grain = cv2.GaussianBlur(np.asarray(rng.normal(0, 18, large.shape), np.float32), (0, 0), 0.8)
        cv2.imwrite(str(path), np.clip(large + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])
        assert path.stat().st_size > 3_000_000, f"{path} is only {path.stat().st_size} bytes"
    return paths


def ultralytics_python() -> Path:
    """The interpreter of an environment with Ultralytics, made at the first call."""
    folder = CACHE / "venv"
    python = folder / "bin" / "python"
    if not (CACHE / f"{MODELS[-1]}.onnx").is_file():
        venv.create(folder, with_pip=True)
        packages = ["ultralytics", "onnx", "onnxruntime", "onnxslim"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr)
        script = EXPORT.format(models=MODELS, folder=str(CACHE))
        environment = os.environ | {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
        subprocess.run([python, "-c", script], check=True, cwd=CACHE, stdout=sys.stderr, env=environment)
    return python


def serve(python: Path | str, setup: str) -> subprocess.Popen[str]:
    """A process that times what it is told to."""
    environment = os.environ | {"OMP_NUM_THREADS": str(THREADS), "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
    return subprocess.Popen(
        [str(python), "-c", SERVER.format(setup=setup)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=CACHE,
    )


def ask(server: subprocess.Popen[str], path: Path) -> tuple[float, int]:
    """Seconds, and number of masks."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{path}\n")
    server.stdin.flush()
    while True:
        line = server.stdout.readline()
        if not line:
            raise SystemExit("a benchmark process ended early")
        words = line.split()
        if len(words) == 2 and words[0].replace(".", "").replace("e-", "").isdigit():
            return float(words[0]), int(words[1])


def warm(rounds: int, threshold: str) -> dict[str, object]:
    """Median seconds a file, and median ratios of Dentify to each of the others."""
    photos = make_photos(CACHE / "photos")
    python = ultralytics_python()
    servers = {"dentify": serve(sys.executable, DENTIFY.format(threads=THREADS, threshold=threshold))}
    for model in MODELS:
        servers[model] = serve(python, ULTRALYTICS.format(threads=THREADS, path=str(CACHE / f"{model}.onnx")))
    masks = {photo: ask(servers["dentify"], photo)[1] for photo in photos}
    chosen = [photo for photo in photos if masks[photo] >= 3]
    print(f"{len(chosen)} of {len(photos)} photos have three masks or more at score threshold {threshold}", file=sys.stderr)
    for server in servers.values():
        ask(server, chosen[0])
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for photo in chosen:
            for name, server in servers.items():
                seconds[name].append(ask(server, photo)[0])
    for server in servers.values():
        server.kill()
    figures: dict[str, object] = {
        "photos": len(chosen),
        "masks": sum(masks[photo] for photo in chosen),
        "rounds": rounds,
        "threads": THREADS,
        "median_ms": {name: round(1000 * statistics.median(values), 1) for name, values in seconds.items()},
        "ratio": {
            name: round(statistics.median(a / b for a, b in zip(seconds["dentify"], seconds[name], strict=True)), 3)
            for name in MODELS
        },
    }
    fastest = min(MODELS, key=lambda name: statistics.median(seconds[name]))
    return figures | {"faster_of_the_others": fastest}


def cold(rounds: int) -> dict[str, object]:
    """Median wall seconds of `dentify assess one.jpg` and of a bare process with the same network, and the median ratio."""
    import dentify.bundle

    network = next(Path(dentify.bundle.__file__).parent.glob("default/*.onnx"))
    photo = sorted((ROOT / "examples").glob("*.jpg"))[0]
    commands = {
        "dentify": [sys.executable, "-m", "dentify", "assess", str(photo)],
        "bare": [sys.executable, "-c", BARE.format(threads=THREADS, path=str(network))],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {
        "rounds": rounds,
        "median_s": {name: round(statistics.median(values), 3) for name, values in seconds.items()},
        "ratio": round(statistics.median(a / b for a, b in zip(seconds["dentify"], seconds["bare"], strict=True)), 3),
    }


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold", action="store_true", help="time whole processes on one small photo instead")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--score-threshold", default="None", help="Dentify's; without it the bundle's own thresholds")
    arguments = parser.parse_args()
    report_nothing()
    CACHE.mkdir(parents=True, exist_ok=True)
    figures = cold(arguments.rounds) if arguments.cold else warm(arguments.rounds, arguments.score_threshold)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
