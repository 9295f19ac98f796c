"""The first hour with one's own photos: 200 of one source, as a stranger would have them, in CVAT's format and words of his own.

    python benchmarks/first_hour.py DATA/cars/train.json my-labels

writes the folder `my-labels`, and `labels.yaml` beside it. Then, each with a clock, from a bundle that never saw the source:

    dentify train my-labels --labels labels.yaml --check
    dentify train my-labels --labels labels.yaml -o run --from BUNDLE
    dentify export run/last.ckpt -o trained
    dentify train my-labels --labels labels.yaml -o run-random --from random
    dentify export run-random/last.ckpt -o trained-random
    dentify compare BUNDLE trained trained-random --data DATA/cars/val.json -o comparison
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import yaml

from dentify.datasets import Annotation, Sample, open_dataset
from dentify.datasets.convert import write_dataset
from dentify.datasets.sample import spread

WORDS = {
    "dent": "Delle",
    "scratch": "Kratzer",
    "crack": "Riss",
    "glass_shatter": "Glasbruch",
    "lamp_broken": "Lampe kaputt",
    "tire_flat": "Platten",
    "broken_part": "Bruch",
}


def in_own_words(sample: Sample) -> Sample:
    """A photo whose labels are called as nobody but its owner calls them, without a split."""

    def word(annotation: Annotation) -> Annotation:
        return replace(annotation, name=WORDS.get(annotation.name, annotation.name))

    labelled = frozenset(WORDS.get(name, name) for name in sample.labelled)
    return replace(sample, annotations=tuple(map(word, sample.annotations)), labelled=labelled, split=None)


def main() -> None:
    """Writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="a labelled data set")
    parser.add_argument("output", type=Path, help="the folder to write")
    parser.add_argument("--source", default="vetoshev")
    parser.add_argument("--photos", type=int, default=200)
    asked = parser.parse_args()
    samples = [sample for sample in open_dataset(asked.labels) if sample.source == asked.source and sample.damages]
    write_dataset(map(in_own_words, spread(samples, asked.photos)), asked.output, "cvat", names=tuple(WORDS.values()))
    labels = {"labels": {own: name for name, own in WORDS.items()}}
    (asked.output.parent / "labels.yaml").write_text(yaml.safe_dump(labels, allow_unicode=True), encoding="utf-8")


if __name__ == "__main__":
    main()
