"""Measures real photos as they are and made worse on purpose, to choose the thresholds of `dentify.imaging.quality`.

    python benchmarks/quality.py [--data ../shared/data] [--photos 300] [--seed 0]

Prints, for each measure, its percentiles over the photos as they are, and for every kind and degree of damage done to them
the share that each issue is told of. A good threshold tells of at most 1 to 2 % of the photos as they are, in every source.
Takes about two minutes on one core.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.imaging.decode import decode_photo
from dentify.imaging.quality import MEASURED_SIDE, judge_quality, measure_quality
from dentify.settings import Settings

Photo = NDArray[np.uint8]
ISSUES = ("too_dark", "too_bright", "blurred", "too_small", "not_a_photo", "several_photos")
SHARES = {"damage": 0.34, "damage_boxes": 0.25, "parts": 0.13, "undamaged": 0.25, "cc0": 0.03}


def main() -> None:
    """Reads the photos, spoils them, prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments.add_argument("--photos", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    photos = pick_photos(given.data, given.photos, given.seed)
    images = [image for _, image in photos]
    sources = np.array([source for source, _ in photos])

    print(f"{len(photos)} photos as they are")
    print_percentiles(images, sources)
    print(f"\n{'told of, %':<28}" + "".join(f"{issue:>15}" for issue in ISSUES))
    as_they_are = judged(images, lambda image: image, given.seed)
    print_row("as they are", as_they_are)
    for source in SHARES:
        print_row(f"  {source}", as_they_are[sources == source])
    for name, spoil in spoilers().items():
        print_row(name, judged(images, spoil, given.seed))


def pick_photos(data: Path, number: int, seed: int) -> list[tuple[str, Photo]]:
    """Photos of each source by its share, decoded."""
    chooser = random.Random(seed)
    photos: list[tuple[str, Photo]] = []
    for source, share in SHARES.items():
        files = sorted((data / source / "images").iterdir())
        if not files:
            sys.exit(f"{data / source / 'images'}: no photos")
        chosen = chooser.sample(files, min(len(files), round(number * share)))
        images = (decode_photo(file.read_bytes(), where=str(file), settings=Settings()).image for file in chosen)
        photos.extend((source, image) for image in images)
    return photos


def spoilers() -> dict[str, Callable[[Photo], Photo]]:
    """What is done to the photos. Blur is in pixels at a long side of 512, light in stops."""
    spoilers: dict[str, Callable[[Photo], Photo]] = {}
    for stops in (-1, -2, -3, -4):
        spoilers[f"{stops} stops"] = partial(expose, stops=stops)
    spoilers["-3 stops and noise"] = lambda image: noise(expose(image, -3), 5)
    for stops in (1, 2, 3):
        spoilers[f"+{stops} stops"] = partial(expose, stops=stops)
    for sigma in (1, 1.5, 2, 3, 4):
        spoilers[f"Gaussian blur, sigma {sigma}"] = partial(blur, sigma=sigma)
    spoilers["sigma 3 and noise"] = lambda image: noise(blur(image, 3), 5)
    spoilers["sigma 3 and JPEG 60"] = lambda image: jpeg(blur(image, 3), 60)
    for length in (4, 7, 12, 20):
        spoilers[f"motion blur, {length} pixels"] = partial(shake, length=length)
    for side in (240, 150, 100):
        spoilers[f"short side {side}"] = partial(shrink, side=side)
    spoilers["short side 100, enlarged"] = lambda image: enlarge(shrink(image, 100), max(image.shape))
    spoilers["JPEG 30"] = lambda image: jpeg(image, 30)
    return spoilers


def expose(image: Photo, stops: float) -> Photo:
    """As if the shutter had been open 2^stops times as long: linear light, clipped."""
    levels = 255 * np.clip((np.arange(256) / 255) ** 2.2 * 2.0**stops, 0, 1) ** (1 / 2.2)
    return np.asarray(cv2.LUT(image, levels.round().astype(np.uint8)), np.uint8)


def blur(image: Photo, sigma: float) -> Photo:
    """Out of focus, roughly."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma * max(image.shape) / MEASURED_SIDE), np.uint8)


def shake(image: Photo, length: float) -> Photo:
    """Moved along a straight line in a random direction."""
    half = length * max(image.shape) / MEASURED_SIDE / 2
    angle = random.uniform(0, np.pi)
    centre = int(np.ceil(half)) + 1
    kernel = np.zeros((2 * centre + 1, 2 * centre + 1), np.float32)
    way = half * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in np.rint((centre + sign * way) * 16)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def noise(image: Photo, sigma: float) -> Photo:
    """A sensor's noise."""
    grain = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def jpeg(image: Photo, quality: int) -> Photo:
    """Saved once more."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def shrink(image: Photo, side: int) -> Photo:
    """To a shorter side of so many pixels; smaller photos stay as they are."""
    scale = min(1.0, side / min(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def enlarge(image: Photo, long_side: int) -> Photo:
    """As messengers and websites do."""
    scale = long_side / max(image.shape)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)


def judged(images: list[Photo], spoil: Callable[[Photo], Photo], seed: int) -> NDArray[np.bool_]:
    """`(photos, issues)`: what each is told of, once spoiled."""
    random.seed(seed)
    told = []
    for image in images:
        spoiled = spoil(image)
        issues = judge_quality(spoiled, spoiled.shape[:2]).issues
        told.append([issue in issues for issue in ISSUES])
    return np.array(told)


def print_row(name: str, told: NDArray[np.bool_]) -> None:
    """One line of the table."""
    print(f"{name:<28}" + "".join(f"{100 * share:15.1f}" for share in told.mean(axis=0)))


def print_percentiles(images: list[Photo], sources: NDArray[np.str_]) -> None:
    """The tails of each measure, over all and by source."""
    measures = [measure_quality(image) for image in images]
    columns = {
        "bright_end": [measure.bright_end for measure in measures],
        "blown_share": [measure.blown_share for measure in measures],
        "blur": [measure.blur for measure in measures],
        "short side": [min(image.shape[:2]) for image in images],
    }
    print(f"{'percentile':<28}" + "".join(f"{p:>9}" for p in (0.5, 1, 2, 50, 98, 99, 99.5)))
    for name, values in columns.items():
        for source in ("all", *SHARES):
            chosen = np.array(values)[sources == source] if source != "all" else np.array(values)
            label = name if source == "all" else f"  {source}"
            print(f"{label:<28}" + "".join(f"{v:9.2f}" for v in np.percentile(chosen, [0.5, 1, 2, 50, 98, 99, 99.5])))


if __name__ == "__main__":
    main()
