"""How fast `dentify dataset preprocess` is beside a plain Pillow loop over the same photos, and how much memory it takes.

    python benchmarks/preprocess.py ../shared/data/damage/images --photos .cache/benchmark/large

The first argument is a folder of photos, from which 2,000 of 4 to 8 megapixels are made once: enlarged, with a sensor's noise and
a camera's EXIF. Each run is a process of its own. The loop is what one writes without a library: open, turn upright, hash, resize
to a letterbox, save without metadata, compare the hashes, write the manifest. It decodes in full, in one thread; to tell what is
threads and what is decoding at a reduced scale, it runs a second time over two processes.

Start-up is the wall time of a run over one photo. One JSON document on standard output.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

SIZE, QUALITY, FILLING = 512, 90, (124, 116, 104)
NEAR_BITS = 6
COUNT, FEW = 2000, 200


# The photos


def make_photo(number: int, source: Path, target: Path) -> None:
    """One large photo, made from a small one; always the same."""
    if target.is_file():
        return
    random = np.random.default_rng(number)
    image = cv2.imread(str(source))
    assert image is not None
    height, width = image.shape[:2]
    scale = math.sqrt(random.uniform(4.1e6, 8e6) / (height * width))
    large = cv2.resize(image, (math.ceil(width * scale), math.ceil(height * scale)), interpolation=cv2.INTER_CUBIC)
    noise = random.normal(0, 4.5, large.shape[:2]).astype(np.float32)[..., None]
    noisy = np.clip(large.astype(np.float32) + noise, 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(noisy[..., ::-1]))
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x8298] = "Camera", "A Photographer", "CC0"
    exif[0x0112] = 1
    exif.get_ifd(0x8825).update({1: "N", 2: (41.0, 0.0, 30.0), 3: "E", 4: (29.0, 0.0, 1.0)})
    part = target.with_suffix(".part")
    picture.save(part, "JPEG", quality=90, exif=exif)
    part.rename(target)


def make_photos(originals: Path, folder: Path, count: int) -> None:
    """Fills the folder, which keeps what it has."""
    sources = sorted(path for path in originals.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    if len(sources) < count:
        raise SystemExit(f"{originals}: needs {count} photos, has {len(sources)}")
    folder.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        work = [(number, sources[number * len(sources) // count], folder / f"{number:05d}.jpg") for number in range(count)]
        pool.starmap(make_photo, work, chunksize=20)


def folder_of(photos: Path, count: int) -> Path:
    """A folder with links to the first photos."""
    folder = photos.parent / f"{photos.name}-{count}"
    folder.mkdir(exist_ok=True)
    for path in sorted(photos.glob("*.jpg"))[:count]:
        if not (folder / path.name).exists():
            os.link(path, folder / path.name)
    return folder


# The plain loop


def plain_photo(path: Path, output: Path) -> dict[str, Any]:
    """One photo, as one writes it with Pillow."""
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as opened:
        exif = opened.getexif()
        author, notice = exif.get(0x013B), exif.get(0x8298)
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = picture.size
    scale = SIZE / max(width, height)
    small = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", (SIZE, SIZE), FILLING)
    canvas.paste(small, (0, 0))
    canvas.save(output / "images" / path.name, "JPEG", quality=QUALITY)
    grey = np.asarray(small.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float32)
    low = cv2.dct(grey)[:8, :8]
    bits = np.packbits(low > np.median(low)).tobytes()
    row = {"name": path.name, "width": width, "height": height, "author": author, "copyright": notice}
    return row | {"sha256": hashlib.sha256(data).hexdigest(), "phash": bits.hex()}


def plain_finish(rows: list[dict[str, Any]], output: Path) -> None:
    """Near-duplicates by their hashes, and the manifest."""
    hashes = np.array([int(row["phash"], 16) for row in rows], np.uint64)
    for index, row in enumerate(rows):
        near = np.flatnonzero(np.bitwise_count(hashes[:index] ^ hashes[index]) <= NEAR_BITS)
        row["duplicate_of"] = rows[near[0]]["name"] if len(near) else ""
        if len(near):
            (output / "images" / row["name"]).unlink()
    with (output / "manifest.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def plain_loop(paths: Iterable[Path], output: Path, processes: int) -> None:
    """All photos."""
    (output / "images").mkdir(parents=True)
    if processes == 1:
        rows = [plain_photo(path, output) for path in paths]
    else:
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            rows = pool.starmap(plain_photo, [(path, output) for path in paths], chunksize=8)
    plain_finish(rows, output)


# The measurements


class Measured(NamedTuple):
    """Of one process and its children: wall and processor seconds, and the largest resident size of any."""

    wall_s: float
    cpu_s: float
    mib: float


def measured(arguments: list[str]) -> Measured:
    """Runs one process."""
    started = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return Measured(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def dentify(folder: Path, output: Path) -> Measured:
    """Ours, over a folder."""
    code = (
        "import sys\nfrom dentify.beam import Recipe, preprocess\n"
        f"preprocess(sys.argv[1], sys.argv[2], recipe=Recipe(size_wh=({SIZE}, {SIZE}), quality={QUALITY}), overwrite=True)"
    )
    return measured([sys.executable, "-c", code, str(folder), str(output)])


def plain(folder: Path, output: Path, processes: int) -> Measured:
    """The loop, over a folder."""
    subprocess.run(["rm", "-rf", str(output)], check=True)
    return measured([sys.executable, __file__, str(folder), "--loop", str(output), "--processes", str(processes)])


def benchmark(photos: Path) -> dict[str, Any]:
    """All runs, after one that fills the disk's cache for all alike."""
    out = photos.parent / "out"
    many, few, one = (folder_of(photos, count) for count in (COUNT, FEW, 1))
    for path in sorted(many.iterdir()):
        path.read_bytes()
    start, plain_start = dentify(one, out / "one"), plain(one, out / "plain-one", 1)
    ours, loop = dentify(many, out / "many"), plain(many, out / "plain", 1)
    loop2, ours_few = plain(many, out / "plain2", 2), dentify(few, out / "few")
    megabytes = [path.stat().st_size / 1e6 for path in many.iterdir()]
    return {
        "photos": COUNT,
        "mean_megabytes": round(sum(megabytes) / len(megabytes), 2),
        "cores": len(os.sched_getaffinity(0)),
        "dentify": {"wall_s": round(ours.wall_s, 1), "startup_s": round(start.wall_s, 1), "cpu_s": round(ours.cpu_s, 1)},
        "loop": {"wall_s": round(loop.wall_s, 1), "startup_s": round(plain_start.wall_s, 1), "cpu_s": round(loop.cpu_s, 1)},
        "loop_two_processes": {"wall_s": round(loop2.wall_s, 1), "cpu_s": round(loop2.cpu_s, 1)},
        "ratio": round(ours.wall_s / loop.wall_s, 3),
        "ratio_without_startup": round((ours.wall_s - start.wall_s) / (loop.wall_s - plain_start.wall_s), 3),
        "ratio_of_cpu": round(ours.cpu_s / loop.cpu_s, 3),
        "ratio_to_two_processes": round(ours.wall_s / loop2.wall_s, 3),
        "photos_per_cpu_second": round((COUNT - 1) / (ours.cpu_s - start.cpu_s), 1),
        "peak_mib": {"200_photos": round(ours_few.mib, 1), "2000_photos": round(ours.mib, 1), "loop": round(loop.mib, 1)},
        "peak_ratio": round(ours.mib / ours_few.mib, 3),
    }


def main() -> None:
    """Makes the photos, then measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photos to make large ones from")
    parser.add_argument("--photos", type=Path, default=Path(".cache/benchmark/large"), help="where the large ones are kept")
    parser.add_argument("--only-photos", action="store_true", help="make them and stop")
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--processes", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop is not None:
        plain_loop(sorted(arguments.folder.iterdir()), arguments.loop, arguments.processes)
        return
    make_photos(arguments.folder, arguments.photos, COUNT)
    if not arguments.only_photos:
        print(json.dumps(benchmark(arguments.photos), indent=2))


if __name__ == "__main__":
    main()
