"""How much memory `dentify assess` takes at its peak, measured by the operating system on whole processes.

    python benchmarks/memory.py            # 200 photos beside 2,000: the peaks must be about the same
    python benchmarks/memory.py --large    # one photo of 100 megapixels: baseline JPEG, progressive JPEG, PNG

Photos are the examples, enlarged; the small ones are hard links to a dozen files under other names.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "benchmark"


def peak_mib(*arguments: str) -> float:
    """Largest resident size of one `dentify assess`, in MiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dentify", "assess", *arguments, "--quiet"], stdout=subprocess.DEVNULL, cwd=ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"dentify assess {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_maxrss / 1024


def folder_of(count: int) -> Path:
    """A folder with so many photos of 1,600 × 1,200."""
    originals = CACHE / "originals"
    originals.mkdir(parents=True, exist_ok=True)
    sources = sorted((ROOT / "examples").glob("*.jpg"))
    for source in sources:
        if not (originals / source.name).is_file():
            image = cv2.imread(str(source))
            assert image is not None
            cv2.imwrite(str(originals / source.name), cv2.resize(image, (1600, 1200), interpolation=cv2.INTER_CUBIC))
    folder = CACHE / f"photos-{count}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(count):
        source = sources[number % len(sources)]
        os.link(originals / source.name, folder / f"{number:05d}.jpg")
    return folder


def many() -> dict[str, float]:
    """Peaks for 200 and 2,000 photos, and their ratio."""
    peaks = {}
    for count in (200, 2000):
        output = CACHE / "out"
        shutil.rmtree(output, ignore_errors=True)
        peaks[f"{count}_photos_mib"] = round(peak_mib(str(folder_of(count)), "-o", str(output)), 1)
    return peaks | {"ratio": round(peaks["2000_photos_mib"] / peaks["200_photos_mib"], 3)}


def large() -> dict[str, float]:
    """Peaks for one photo of 10,000 × 10,000 in three formats."""
    CACHE.mkdir(parents=True, exist_ok=True)
    files = {"baseline": CACHE / "100mp.jpg", "progressive": CACHE / "100mp-progressive.jpg", "png": CACHE / "100mp.png"}
    if not all(path.is_file() for path in files.values()):
        # In a process of its own: one that is started from here is charged with the most that this one ever held.
        maker = multiprocessing.get_context("spawn").Process(target=write_large, args=(files,))
        maker.start()
        maker.join()
        if maker.exitcode != 0:
            raise SystemExit("the large photos could not be made")
    return {f"{name}_mib": round(peak_mib(str(path), "--format", "json"), 1) for name, path in files.items()}


def write_large(files: dict[str, Path]) -> None:
    """An example, enlarged to 100 megapixels, in each of the formats."""
    example = cv2.imread(str(sorted((ROOT / "examples").glob("*.jpg"))[0]))
    assert example is not None
    pixels = cv2.cvtColor(cv2.resize(example, (10_000, 10_000), interpolation=cv2.INTER_CUBIC), cv2.COLOR_BGR2RGB)
    image = Image.fromarray(np.asarray(pixels))
    image.save(files["baseline"], quality=85)
    image.save(files["progressive"], quality=85, progressive=True)
    image.save(files["png"], compress_level=1)


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="one photo of 100 megapixels instead of many")
    print(json.dumps(large() if parser.parse_args().large else many(), indent=2))


if __name__ == "__main__":
    main()
