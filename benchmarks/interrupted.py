"""Commands that are killed at random moments and called again: is anything lost, there twice, or finished to look at?

    python benchmarks/interrupted.py --kills 25            # assess, convert, merge and preprocess, in half an hour
    python benchmarks/interrupted.py --only convert

Each time a command is killed by SIGKILL at a random moment of its work, into a folder of its own. What is there must not look
finished, and no file of it be there in part; the same command, called again, must end with what one that nobody killed wrote.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dentify.testing import Damage, paint_photo, tiny_bundle
from dentify.writing import LOCK

PHOTOS = 60
COMMAND = [sys.executable, "-c", "from dentify.cli import main; main()"]
Tree = dict[str, bytes]


class Work(NamedTuple):
    """A command, and what is known of its results.

    `again` is what comes to the command when it is called a second time, `begun` whether its work has, and `is_partial` whether
    what a kill left is fit to be seen.
    """

    arguments: tuple[str, ...]
    again: tuple[str, ...]
    begun: Callable[[Path], bool]
    is_partial: Callable[[Tree, Tree], bool]


def make_photos(folder: Path, seed: int = 0) -> None:
    """Different ones with a dent each, and labels in COCO."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number in range(PHOTOS):
        x, y = (float(value) for value in rng.integers(1, 5, 2) / 8)
        box = (y, x, y + 0.125, x + 0.125)
        photo = paint_photo(size_hw=(480, 640), parts={"hood": (0.1, 0.1, 0.9, 0.9)}, damages=[Damage("dent", box)])
        name = f"{number:03}.png"
        Image.fromarray(np.clip(photo + rng.integers(-3, 4, photo.shape), 0, 255).astype(np.uint8)).save(folder / name)
        images.append({"id": number, "file_name": name, "width": 640, "height": 480})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [x * 640, y * 480, 80, 60]})
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "dent"}]}
    (folder / "labels.json").write_text(json.dumps(document))


def tree(folder: Path) -> Tree:
    """All files, by their paths; of a summary without the timings, which differ from run to run."""
    files = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            data = path.read_bytes()
            if path.name == "summary.csv":
                rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
                data = json.dumps([{k: v for k, v in row.items() if not k.endswith("_ms")} for row in rows]).encode()
            files[path.relative_to(folder).as_posix()] = data
    return files


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder that it lies in, is in the making: their names begin with a point."""
    return any(part.startswith(".") for part in name.split("/"))


def answers_alone(found: Tree, whole: Tree) -> bool:
    """Of `assess`: answers that are whole; the summary comes last, and says that all is there."""
    seen = {name: data for name, data in found.items() if not is_hidden(name)}
    return "summary.csv" not in seen and all(whole.get(name) == data for name, data in seen.items())


def whole_or_hidden(found: Tree, whole: Tree) -> bool:
    """Of `assess` into a zip: it is whole where it is there."""
    return all(whole.get(name) == data for name, data in found.items() if not is_hidden(name))


def nothing(found: Tree, whole: Tree) -> bool:
    """Of `convert` and `merge`: a folder that is there is whole."""
    return not found


def no_success(found: Tree, whole: Tree) -> bool:
    """Of `preprocess`: what says that all is there comes last; until then a second run takes away what it finds."""
    return "_SUCCESS" not in found


def has(name: str) -> Callable[[Path], bool]:
    """Whether something lies below the output, or beside it where the name begins with `../`."""
    return lambda out: any(out.glob(name)) if not name.startswith("../") else any(out.parent.glob(name[3:]))


WORKS = {
    "assess": Work(
        ("assess", "photos", "broken.jpg", "-o", "{}", "--bundle", "tiny", "-q"), ("--resume",), has("*.json"), answers_alone
    ),
    "convert": Work(
        ("dataset", "convert", "photos", "-o", "{}", "--to", "yolo", "-q"), (), has("../.out.part/images/*"), nothing
    ),
    "merge": Work(
        ("dataset", "merge", "photos", "others/labels.json", "-o", "{}", "-q"), (), has("../.out.part/images/*"), nothing
    ),
    "zip": Work(
        ("assess", "photos", "broken.jpg", "-o", "{}/out.zip", "--bundle", "tiny", "-q"),
        ("--resume",),
        has(".out.zip.part/*.json"),
        whole_or_hidden,
    ),
    "preprocess": Work(
        ("dataset", "preprocess", "photos", "-o", "{}", "--size", "256", "-q"), (), has(".unfinished/pictures/*"), no_success
    ),
}


def start(work: Work, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command, writing there."""
    arguments = [argument.format(out) for argument in work.arguments]
    return subprocess.Popen([*COMMAND, *arguments, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at_random(work: Work, out: Path, seconds: float, rng: random.Random) -> bool:
    """Whether it was killed while it worked, within so many seconds of the first thing that it made."""
    process = start(work, out)
    while process.poll() is None and not work.begun(out):
        time.sleep(0.01)
    time.sleep(rng.uniform(0, seconds))
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def measure(work: Work, out: Path) -> float:
    """Runs it to its end; how long it worked after the first thing that it made."""
    process, begun = start(work, out), 0.0
    while process.poll() is None:
        if not begun and work.begun(out):
            begun = time.monotonic()
        time.sleep(0.01)
    return time.monotonic() - begun


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--only", choices=list(WORKS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_photos(Path("photos"))
        make_photos(Path("others"), seed=1)
        Path("broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100))
        tiny_bundle("tiny")
        for name, work in WORKS.items():
            if given.only not in (None, name):
                continue
            out = Path("whole/out")
            out.parent.mkdir()
            seconds = measure(work, out)
            whole = tree(out)
            kills = 0
            left: list[int] = []
            wrong: list[str] = []
            while kills < given.kills:
                out = Path(f"killed{kills}/out")
                shutil.rmtree(out.parent, ignore_errors=True)
                out.parent.mkdir()
                if not kill_at_random(work, out, seconds, rng):
                    continue  # it came to its end first
                kills += 1
                found = tree(out)
                left.append(len(found))
                left_over = {
                    file: data for file, data in found.items() if not (file.endswith(LOCK) or file.startswith(".unfinished"))
                }
                if left_over != whole and not work.is_partial(left_over, whole):  # it may have been killed when all was done
                    odd = [file for file, data in left_over.items() if whole.get(file) != data]
                    missing = sorted(whole.keys() - left_over.keys())
                    wrong.append(f"kill {kills}: looks finished, or is there in part; {odd[:3]} are odd, {missing[:3]} missing")
                start(work, out, *work.again).wait()
                if tree(out) != whole:
                    wrong.append(f"kill {kills}: called again it ends with other files")
                litter = [path.name for path in out.parent.rglob(".*")]
                if litter:
                    wrong.append(f"kill {kills}: leaves {', '.join(litter)}")
                shutil.rmtree(out.parent)
            shutil.rmtree("whole")
            faults += len(wrong)
            told = f"{kills} kills within {seconds:.1f} s of work, which left {min(left)} to {max(left)} of {len(whole)} files"
            print(f"{name}: {told}; {len(wrong)} faults", *wrong, sep="\n  ", flush=True)
        os.chdir("/")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
