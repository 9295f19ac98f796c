"""By how many the number of findings a photo is off: the bundle's findings beside connected components of the same maps.

    python benchmarks/counting.py damage/val.json [--bundle PATH]

For each annotated photo the network runs once. Its maps become findings as users get them (without gates), and, beside that, one
instance a connected region above a level, for each of several levels. Types that a photo's source does not label count for
neither.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import dentify
from dentify.assessor import confident
from dentify.datasets import Sample, open_dataset
from dentify.evaluation import found_counts, mean_count_error
from dentify.runtime.damage_maps import connected_components, find_damage

LEVELS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def main() -> None:
    """One JSON document on standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--bundle", default="default")
    arguments = parser.parse_args()
    assessor = dentify.load(arguments.bundle)
    manifest = assessor.bundle.manifest
    names = manifest.classes.damage
    curves = [manifest.calibration.findings.get(name) for name in names]
    thresholds = [manifest.thresholds.findings[name] for name in names]
    pairs: dict[str, list[tuple[dict[str, int], Sample]]] = {
        "findings": [],
        **{f"components above {level}": [] for level in LEVELS},
    }
    for sample in open_dataset(arguments.labels):
        photo = assessor.decode(sample.read(), name=sample.name)
        answers = assessor.networks.ask(photo.image)
        assert answers.types is not None
        found = find_damage(answers.types, answers.auxiliary, manifest.grouping, photo.photo_hw)
        pairs["findings"].append((found_counts(confident(found, curves, thresholds), names), sample))
        for level in LEVELS:
            components = connected_components(answers.types, level, photo.photo_hw)
            pairs[f"components above {level}"].append((found_counts(components, names), sample))
    errors = {name: round(mean_count_error(each) or 0.0, 3) for name, each in pairs.items()}
    print(json.dumps({"photos": len(pairs["findings"]), "mean_absolute_error": errors}, indent=2))


if __name__ == "__main__":
    main()
