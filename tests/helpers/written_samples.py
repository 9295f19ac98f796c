"""Samples to write and read back; shared by the tests of writers and of `convert`."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dentify.datasets import Annotation, LabelMap, Sample, open_dataset
from dentify.datasets.convert import names_in, write_dataset
from dentify.imaging.polygons import Polygon, polygons_to_box
from dentify.settings import Settings

WIDTH, HEIGHT = 64, 48
TRIANGLE = np.array([[2.25, 3.5], [20.5, 4.0], [10.0, 30.75]])


def annotation(name: str = "dent", *polygons: Polygon, **facts: Any) -> Annotation:
    """A damage of these outlines, or a triangle."""
    polygons = polygons or (TRIANGLE,)
    return Annotation(name, polygons_to_box(polygons), polygons, **facts)


def png(number: int = 0) -> bytes:
    """A picture like no other."""
    data = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (number % 256, number // 256, 7)).save(data, "PNG")
    return data.getvalue()


def sample(name: str = "a.png", *annotations: Annotation, number: int = 0, **facts: Any) -> Sample:
    """A photo on which a dent was looked for, in `train`, that says nothing else."""
    facts = {"labelled": frozenset({"dent"}), "split": "train", "size_hw": (HEIGHT, WIDTH)} | facts
    return Sample(facts.pop("image", png(number)), name, annotations=annotations, **facts)


def written(samples: Sequence[Sample], to: str, out: Path, **options: Any) -> tuple[Counter[str], list[Sample]]:
    """What is lost in a format, and what is read back from it, in the source's words and the order of names."""
    shutil.rmtree(out, ignore_errors=True)
    lost = write_dataset(samples, out, to, names=options.pop("names", names_in(samples)), **options)
    settings = Settings(follow_links=options.get("pictures") == "link")
    back = open_dataset(out, input_format=to, labels=LabelMap(others="kept"), settings=settings)
    return lost, sorted(back, key=lambda one: one.name)
