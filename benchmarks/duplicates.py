"""How well near-duplicates are told from other photos.

    python benchmarks/duplicates.py damage [--pairs 500] [--photos 500]

DATA is a data set whose `group`s tell photos of one car. Photos are re-encoded, halved, mirrored, turned and cropped; each copy
must be found. Random pairs of photos of different groups must not be called duplicates. Then the time to compare many photos
with each other, with the fingerprints of these and others that are made up.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.curation.duplicates import Fingerprint, are_duplicates, find_duplicates, fingerprint
from dentify.datasets import Sample, open_dataset
from dentify.imaging.decode import decode_photo
from dentify.settings import Settings

Photo = NDArray[np.uint8]


def encoded(image: Photo, quality: int = 70) -> Photo:
    """The photo as JPEG of that quality gives it back."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def cut(image: Photo, top: float, bottom: float, left: float, right: float) -> Photo:
    """The photo without these shares of its sides."""
    height, width = image.shape[:2]
    return image[round(height * top) : height - round(height * bottom), round(width * left) : width - round(width * right)]


def tilted(image: Photo, degrees: float) -> Photo:
    """The photo turned around its middle, black where nothing of it comes to lie."""
    height, width = image.shape[:2]
    around = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return np.asarray(cv2.warpAffine(image, around, (width, height)), np.uint8)


COPIES: dict[str, Callable[[Photo], Photo]] = {
    "re-encoded, JPEG 40": lambda image: encoded(image, 40),
    "halved, JPEG 70": lambda image: encoded(np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5), np.uint8)),
    "mirrored": lambda image: encoded(np.ascontiguousarray(image[:, ::-1])),
    "turned by 90°": lambda image: encoded(np.ascontiguousarray(np.rot90(image))),
    "turned by 180°": lambda image: encoded(np.ascontiguousarray(np.rot90(image, 2))),
    "5 % cropped off each side": lambda image: encoded(cut(image, 0.05, 0.05, 0.05, 0.05)),
    "5 % cropped off one side": lambda image: encoded(cut(image, 0, 0, 0.05, 0)),
    "5 % cropped off two sides": lambda image: encoded(cut(image, 0.05, 0, 0, 0.05)),
    "cropped and mirrored": lambda image: encoded(np.ascontiguousarray(cut(image, 0.05, 0, 0.05, 0)[:, ::-1])),
    "tilted by 2°": lambda image: encoded(tilted(image, 2)),
    "tilted by 5°": lambda image: encoded(tilted(image, 5)),
    "tilted by 8°": lambda image: encoded(tilted(image, 8)),
    "brighter": lambda image: encoded(np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8)),
}


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    samples = list(open_dataset(arguments.data))
    chance.shuffle(samples)
    images = [pixels(sample) for sample in samples[: arguments.photos]]
    prints = [printed(image) for image in images]
    missed = {
        name: sum(not are_duplicates(one, printed(copy(image))) for image, one in zip(images, prints, strict=True))
        for name, copy in COPIES.items()
    }
    wrong = tried = 0
    while tried < arguments.pairs:
        a, b = chance.sample(range(len(images)), 2)
        if samples[a].group is None or samples[a].group != samples[b].group:
            tried += 1
            wrong += are_duplicates(prints[a], prints[b])
    result: dict[str, Any] = {"photos": len(images), "copies_missed": missed, "random_pairs": tried, "called_duplicates": wrong}
    result["seconds_to_compare"] = {count: compare(prints, count) for count in (2600, 20_000)}
    print(json.dumps(result, indent=2, ensure_ascii=False))


def compare(prints: list[Fingerprint], count: int) -> float:
    """Seconds to find the duplicates of so many photos."""
    chance = np.random.default_rng(0)
    made_up = [
        Fingerprint(
            str(number),
            chance.integers(0, 2**63, prints[0].hashes.shape, dtype=np.uint64),
            chance.integers(0, 256, (48, 48), dtype=np.uint8),
        )
        for number in range(count - len(prints))
    ]
    started = time.perf_counter()
    find_duplicates([*prints, *made_up])
    return round(time.perf_counter() - started, 1)


def pixels(sample: Sample) -> Photo:
    """A sample's photo."""
    return decode_photo(sample.read(), where=sample.name, settings=Settings()).image


def printed(image: Photo) -> Fingerprint:
    """The fingerprint of a photo that is no file."""
    return fingerprint(image, sha256=str(hash(image.tobytes())))


if __name__ == "__main__":
    main()
