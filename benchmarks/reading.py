"""What it takes to read the labels of 10,000 photos and of 100,000: time, peak memory, and growth while iterating.

    python benchmarks/reading.py                                   # COCO, YOLO and LabelMe
    python benchmarks/reading.py --reference OTHER/bin/python      # beside Datumaro in that environment, in the same run

Photos are hard links to one small picture, each with two polygons of twenty points. Every reading is a process of its own; its
peak is Linux's. `opened` is the time until the data set is there, `read` until the last photo was given out. `growth` is what the
process holds more at the last photo than at the first thousandth.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmark" / "reading"
NAMES = ["dent", "scratch"]
W, H = 640, 480

MEMORY = """
def mib(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))
"""
OURS = """
import json, sys, time
from dentify.datasets import open_dataset
begin = time.perf_counter()
samples = iter(open_dataset(sys.argv[1], check_pictures=sys.argv[3] == "yes"))
next(samples)
opened, count, early = time.perf_counter() - begin, 1, None
for sample in samples:
    count += 1
    if count == 100:
        early = mib("VmRSS")
print(json.dumps({"photos": count, "opened_s": round(opened, 2), "read_s": round(time.perf_counter() - begin, 2),
                  "growth_mib": round(mib("VmRSS") - early, 1), "peak_mib": round(mib("VmHWM"))}))
"""
THEIRS = """
import json, sys, time
import datumaro
begin = time.perf_counter()
dataset = datumaro.Dataset.import_from(sys.argv[1], sys.argv[2])
opened, count = time.perf_counter() - begin, 0
for item in dataset:
    count += 1
print(json.dumps({"photos": count, "opened_s": round(opened, 2), "read_s": round(time.perf_counter() - begin, 2),
                  "peak_mib": round(mib("VmHWM"))}))
"""


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="the interpreter of an environment with Datumaro")
    parser.add_argument("--photos", type=int, nargs="*", default=[10_000, 100_000])
    arguments = parser.parse_args()
    results: dict[str, dict[str, object]] = {}
    for count in arguments.photos:
        folder = make(count)
        for name in ("coco", "yolo", "labelme"):
            row: dict[str, object] = {"dentify": measure(sys.executable, OURS, folder / name, name, "no")}
            row["dentify, pictures checked"] = measure(sys.executable, OURS, folder / name, name, "yes")
            if arguments.reference and name in ("coco", "yolo"):
                row["datumaro"] = measure(arguments.reference, THEIRS, folder / name, name, "")
            results[f"{name} {count}"] = row
            print(json.dumps({f"{name} {count}": row}), file=sys.stderr)
        shutil.rmtree(folder)
    print(json.dumps(results, indent=2))


def measure(python: str, program: str, path: Path, name: str, check: str) -> dict[str, object]:
    """What one process tells, and its peak."""
    command = [python, "-c", MEMORY + program, str(path), name, check]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return {"failed": run.stderr.strip().splitlines()[-1:] or run.returncode}
    told: dict[str, object] = json.loads(run.stdout)
    return told


def make(count: int) -> Path:
    """A folder with the same photos and labels in three formats."""
    folder = CACHE / str(count)
    shutil.rmtree(folder, ignore_errors=True)
    pictures = {"coco": "images/train", "yolo": "obj_train_data", "labelme": "."}
    for name, below in pictures.items():
        (folder / name / below).mkdir(parents=True)
    (folder / "coco" / "annotations").mkdir()
    one = folder / "one.jpg"
    Image.new("RGB", (W, H), (90, 90, 90)).save(one, quality=50)
    chance = random.Random(1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        file = f"p{number:06}.jpg"
        for name, below in pictures.items():
            link(one, folder / name / below / file)
        images.append({"id": number + 1, "file_name": file, "width": W, "height": H})
        lines: list[str] = []
        shapes: list[dict[str, Any]] = []
        for kind, label in enumerate(NAMES):
            x, y, r = chance.uniform(100, 540), chance.uniform(100, 380), chance.uniform(10, 80)
            points = [(round(x + r * math.cos(t * 0.314), 2), round(y + r * math.sin(t * 0.314), 2)) for t in range(20)]
            bbox = [round(x - r, 2), round(y - r, 2), round(2 * r, 2), round(2 * r, 2)]
            row = {"id": len(annotations) + 1, "image_id": number + 1, "category_id": kind + 1, "iscrowd": 0}
            annotations.append(
                row | {"segmentation": [[v for point in points for v in point]], "bbox": bbox, "area": 3.1 * r * r}
            )
            lines.append(f"{kind} {x / W:.6f} {y / H:.6f} {2 * r / W:.6f} {2 * r / H:.6f}")
            shapes.append({"label": label, "points": points, "shape_type": "polygon", "group_id": None, "flags": {}})
        (folder / "yolo" / "obj_train_data" / f"p{number:06}.txt").write_text("\n".join(lines) + "\n")
        document: dict[str, Any] = {"version": "5.0.0", "flags": {}, "shapes": shapes, "imagePath": file, "imageData": None}
        (folder / "labelme" / f"p{number:06}.json").write_text(json.dumps(document | {"imageHeight": H, "imageWidth": W}))
    categories = [{"id": kind + 1, "name": name} for kind, name in enumerate(NAMES)]
    whole = {"licenses": [], "info": {}, "images": images, "annotations": annotations, "categories": categories}
    (folder / "coco" / "annotations" / "instances_train.json").write_text(json.dumps(whole))
    (folder / "yolo" / "train.txt").write_text("".join(f"data/obj_train_data/{row['file_name']}\n" for row in images))
    (folder / "yolo" / "obj.names").write_text("".join(f"{name}\n" for name in NAMES))
    (folder / "yolo" / "obj.data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    return folder


def link(source: Path, target: Path) -> None:
    """A hard link; a copy where the file system has had enough of them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
