"""Bundles on every set of val, and on `examples/`: the table of docs/benchmarks.md, a column a bundle.

    python benchmarks/val_table.py DATA default ../earlier-bundle

Photos that neither trained nor fitted the default bundle, of sources that it was taught; those of `examples/` (`cc0`) are of one
that it was not. One run of `dentify evaluate` a set, kept in `--keep` by the bundle's SHA-256: an interrupted table goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dentify.bundle.open import DEFAULT, Bundle

Metrics = Mapping[str, Any]
Row = tuple[str, str, Callable[[Metrics], str]]

SETS = {
    "damage": ["damage/val.json"],
    "cars": ["cars/val.json"],
    "whole": ["whole/val.json"],
    "wrecks": ["wrecks/val.json"],
    "cc0": ["cc0/annotations.json"],
    "parts": ["parts/val.json"],
    "undamaged_everyday": ["undamaged=undamaged_everyday:val"],
    "undamaged": ["undamaged=undamaged:val"],
    "no_vehicle": ["no_vehicle=no_vehicle:val"],
    "no_vehicle_everyday": ["no_vehicle=no_vehicle_everyday:val"],
    "wrecks/photos.csv": ["wrecks/photos.csv:val"],
    "severity": ["wrecks/photos.csv:val", "severity/photos.csv:val"],
    "all three": ["damage/val.json", "cars/val.json", "wrecks/val.json"],
    "tire_flat": ["tire_flat/val.json", "undamaged=undamaged:val"],
}
"""What is evaluated together, as `dentify evaluate` is told it in DATA."""
TYPES = ("dent", "scratch", "glass_shatter", "lamp_broken", "broken_part")


def percent(share: float, digits: int = 1) -> str:
    """A share in percent."""
    return f"{100 * share:.{digits}f} %"


def flagged(kind: str, what: str) -> Callable[[Metrics], str]:
    """The share of a kind of photos of which something is said."""
    return lambda metrics: percent(metrics["gates"]["kinds"][kind][what]["share"])


def turned_away(kind: str) -> Callable[[Metrics], str]:
    """The share of a kind of photos that are called no vehicle."""
    return lambda metrics: percent(1 - metrics["gates"]["kinds"][kind]["vehicle"]["share"])


def any_damage(metrics: Metrics) -> str:
    """Pixel IoU with its interval."""
    iou = metrics["damage"]["any_damage"]["iou"]
    return f"{iou['value']:.3f} ({iou['interval'][0]:.3f} to {iou['interval'][1]:.3f})"


def type_ap50(metrics: Metrics, name: str) -> float | None:
    """Of masks of one type: 0 where it is never told, `None` where none is annotated."""
    of_type = metrics["damage"]["names"].get(name)
    return (of_type["mask"]["AP50"] or 0.0) if of_type and of_type["instances"] else None


def ap50(name: str) -> Callable[[Metrics], str]:
    """Of masks of one type."""

    def told(metrics: Metrics) -> str:
        value = type_ap50(metrics, name)
        return "–" if value is None else f"{value:.3f}"

    return told


def mean_ap50(metrics: Metrics) -> str:
    """Of the five types, over those that the set knows."""
    values = [value for name in TYPES if (value := type_ap50(metrics, name)) is not None]
    return f"{sum(values) / len(values):.3f} (of {len(values)})"


def of_parts(figure: str) -> Callable[[Metrics], str]:
    """A mean over parts with its interval."""

    def value(metrics: Metrics) -> str:
        mean = metrics["parts"]["means"][figure]["taught"]
        return f"{mean['value']:.3f} ({mean['interval'][0]:.3f} to {mean['interval'][1]:.3f})"

    return value


def severity(metrics: Metrics) -> str:
    """Macro recall of photos that are judged."""
    of_photos = metrics["severity"]["photos"]
    return f"{of_photos['macro_recall']:.2f} (of {of_photos['judged']} judged)"


def calibration(metrics: Metrics) -> str:
    """Of what is told."""
    told = metrics["calibration"]["told"]
    right = percent(told["right"], digits=0)
    return f"{told['ece']:.3f} (chance {told['ece_by_chance']:.3f}, {told['findings']} findings, {right} right)"


def named(what: str) -> Callable[[Metrics], str]:
    """So many of so many."""
    return lambda metrics: "{count} of {of}".format(**metrics["naming"][what])


ROWS: list[Row] = [
    ("sound cars by ordinary people (`undamaged_everyday`) called damaged", "undamaged_everyday", flagged("undamaged", "damage")),
    ("the same, with a finding", "undamaged_everyday", flagged("undamaged", "with_findings")),
    ("other sound cars (`undamaged`) called damaged", "undamaged", flagged("undamaged", "damage")),
    ("damaged, mostly close-ups (`damage`), called damaged", "damage", flagged("damaged", "damage")),
    ("damaged cars (`cars`), called damaged", "cars", flagged("damaged", "damage")),
    ("lightly damaged whole cars (`whole`), called damaged", "whole", flagged("damaged", "damage")),
    ("salvage yards (`wrecks/photos.csv`), called damaged", "wrecks/photos.csv", flagged("damaged", "damage")),
    ("`examples/`, called damaged", "cc0", flagged("damaged", "damage")),
    ("photos without a vehicle let in: `no_vehicle`", "no_vehicle", flagged("no_vehicle", "vehicle")),
    ("`no_vehicle_everyday`", "no_vehicle_everyday", flagged("no_vehicle", "vehicle")),
    ("damaged photos turned away as no vehicle (`damage`)", "damage", turned_away("damaged")),
    ("sound photos turned away (`undamaged_everyday`)", "undamaged_everyday", turned_away("undamaged")),
    *[(f"any damage, pixel IoU: `{name}`", name, any_damage) for name in ("damage", "cars", "whole", "wrecks", "cc0")],
    *[(f"mean mask AP50 of five types: `{name}`", name, mean_ap50) for name in ("damage", "cars", "wrecks", "cc0")],
    *[
        (f"{kind.replace('_', ' ')}, mask AP50: `{name}`", name, ap50(kind))
        for name in ("damage", "cars", "wrecks")
        for kind in TYPES
    ],
    ("crack, mask AP50 (`damage`, `cars`, `wrecks`)", "all three", ap50("crack")),
    ("flat tyre, mask AP50 (`tire_flat` beside `undamaged`)", "tire_flat", ap50("tire_flat")),
    ("parts: mask AP50", "parts", of_parts("mask_AP50")),
    ("parts: pixel IoU", "parts", of_parts("pixel_iou")),
    ("severity of photos, macro recall", "severity", severity),
    *[
        (f"confidence of told findings, expected calibration error: {name}", name, calibration)
        for name in ("all three", "damage", "cars", "wrecks")
    ],
    ("findings on `wrecks/val` that name a part", "wrecks", named("findings")),
    ("the part that is named most", "wrecks", named("same_part")),
    ("photos of `wrecks` with front and rear parts at once", "wrecks/photos.csv", named("front_and_back")),
    ("photos of `undamaged_everyday` with front and rear parts at once", "undamaged_everyday", named("front_and_back")),
    ("photos of `undamaged_everyday` without a part", "undamaged_everyday", named("no_part")),
]


def measured(bundle: str, name: str, data: Path, keep: Path) -> Metrics:
    """What `dentify evaluate` says of a bundle on one of the sets."""
    told = keep / name.replace("/", "_").replace(" ", "_") / "metrics.json"
    if not told.is_file():
        command = [sys.executable, "-m", "dentify", "evaluate", bundle, *SETS[name], "-o", str(told.parent), "--overwrite"]
        subprocess.run(command, cwd=data, check=True, stdout=subprocess.DEVNULL)
    metrics: Metrics = json.loads(told.read_bytes())
    return metrics


def main() -> None:
    """Prints the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of photos and labels")
    parser.add_argument("bundles", nargs="+", help="`default`, or folders")
    parser.add_argument("--keep", type=Path, default=Path("val-table"), help="where evaluations are kept")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="which of the sets")
    arguments = parser.parse_args()
    bundles = [one if one == DEFAULT else str(Path(one).resolve()) for one in arguments.bundles]
    keeps = [arguments.keep.resolve() / Bundle.open(one).sha256[:12] for one in bundles]
    print("| |", " | ".join(arguments.bundles), "|\n| --- |", " | ".join("---" for _ in bundles), "|")
    for label, name, figure in ROWS:
        if name in arguments.sets:
            told = [figure(measured(one, name, arguments.data, keep)) for one, keep in zip(bundles, keeps, strict=True)]
            print(f"| {label} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
