"""A recipe for somebody's own photos as YAML, with comments for whoever changes it."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from dentify.bundle.manifest import Manifest
from dentify.bundle.open import DEFAULT, Bundle
from dentify.planning.looking import Counts, Seen

PhotoHead = Literal["damaged", "vehicle", "severity"]
"""What a recipe may ask of a photo as a whole."""
BATCH = 8
"""Pictures of a step."""
SIZE = 320
"""Pixels of a picture's side."""
LOOKS = 6
"""At val, over a run."""

_PHOTO_HEADS: Mapping[PhotoHead, tuple[str, ...]] = {
    "damaged": ("  damaged:       {kind: labels, of: damaged, weight: 0.15}                # is the vehicle damaged?",),
    "vehicle": ("  vehicle:       {kind: labels, of: vehicle, weight: 0.15}                # is there a vehicle?",),
    "severity": (
        "  severity_maps: {kind: exclusive, of: severity, weight: 0.1, loss: {cross_entropy: 1}}",
        "  severity:      {kind: labels, of: severity, weight: 0.1}               # of the photo's worst damage",
    ),
}


def told_origin(manifest: Manifest) -> str:
    """What is said of weights that were a bundle's."""
    return f"the bundle {manifest.name} {manifest.version}"


def named_path(path: Path, data: Path) -> Path:
    """A path relative to the folder of the data where it lies in there; else whole."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
    root = Path(os.path.abspath(data))  # noqa: PTH100 - as above
    return whole.relative_to(root) if whole.is_relative_to(root) and whole != root else whole


def recipe_text(
    *,
    name: str,
    sets: Sequence[tuple[Seen, int, int, str | None]],
    sources: Mapping[str, None],
    types: Sequence[str],
    counts: Counts,
    paste: float,
    parts: Sequence[str],
    photo_heads: Sequence[PhotoHead],
    bundle: Bundle | None,
    steps: int,
    share: float,
    output: Path,
    data: Path,
    labels: Path | None,
    seed: int,
) -> str:
    """The recipe as YAML.

    Args:
        name: of the recipe.
        sets: the data sets, how many of their photos are to train on and to judge by, and the file that says which, where there
            is one.
        sources: of the photos.
        types: of damage that are taught.
        counts: what the photos to train on show.
        paste: share of pictures that damages of others are pasted into.
        parts: that are told.
        photo_heads: what is asked of photos as a whole.
        bundle: that the run begins with; `None`: with random weights.
        steps: of the run.
        share: of photos that are kept for fitting.
        output: the run's folder.
        data: the folder that paths are relative to.
        labels: the label map.
        seed: of what chance decides.
    """
    total = sum(train for _, train, _, _ in sets)
    most = max(counts.types[one] for one in types)
    repeat = {one: min(3, round(math.sqrt(most / counts.types[one]))) for one in types}
    rare = ", ".join(f"{_quoted(one)}: {times}" for one, times in repeat.items() if times > 1)

    def photo_set(seen: Seen, file: str | None) -> str:
        keys = [f"dataset: {_path(seen.path, data)}"]
        keys += [f"labels: {_path(labels, data)}"] if labels is not None else []
        keys += [f"splits: {_path(output / file, data)}"] if file is not None else []
        return ", ".join(keys)

    learned = bundle.manifest if bundle is not None else None
    shows_parts = learned is not None and learned.roles.parts and not set(parts).isdisjoint(learned.classes.parts)
    begin, learns, rates, teacher = _beginning(bundle, data, has_photo_heads=bool(photo_heads))
    size = bundle.manifest.networks[0].preprocessing.size_hw[0] if bundle is not None else 416
    first = round(steps * 0.65)
    phase = f"paste: {paste}, train: {learns}, average: {0.99 if bundle is not None else 0.998}"
    lines = [
        "# Decided by `dentify train` from a look at the labels. Change what you like, and train by it again:",
        f"#   dentify train {_shell(output / 'recipe.yaml')} --data {_shell(data)} -o another-run",
        "# Every key: docs/reference/recipe.md. Paths are relative to --data.",
        f"name: {_quoted(name)}",
        f"seed: {seed}",
        "",
        "model:",
        "  name: efficientnet_fpn        # the network of the default bundle",
        "  encoder: tf_efficientnet_b0",
        "  direct_width: 64              # all scales at once, beside the pyramid",
        *begin,
        "",
        "classes:",
        f"  damage: [{', '.join(map(_quoted, types))}]",
        *([f"  parts: [{', '.join(map(_quoted, parts))}]"] if parts else []),
        "",
        "heads:                            # what the network answers",
        "  types:         {kind: overlapping, of: damage, loss: {cross_entropy: 4, dice: 1, boxes: 0.3}}    # where each type is",
        "  any:           {kind: overlapping, of: any_damage, weight: 0.5}    # where anything is; helps, as the next two do",
        "  centres:       {kind: centres, weight: 0.3}",
        "  offsets:       {kind: offsets, weight: 0.02}",
        *(["  parts:         {kind: exclusive, of: parts, weight: 0.3}"] if parts else []),
        *(line for head in photo_heads for line in _PHOTO_HEADS[head]),
        "",
        *(teacher if shows_parts else []),
        "data:",
        f"  serve_size: {size}               # pixels, a side: what the bundle will see of a photo",
        f"  hold_out: {share}                # of the training photos: thresholds and confidences are fitted to them",
        "  workers: 1                      # processes that read and distort photos",
        "  train:                          # per_batch: pictures of each step",
    ]
    rarely = f", repeat: {{{rare}}}" if rare else ""
    for seen, train, _, file in sets:
        if train:
            per_batch = max(1, round(BATCH * train / total))
            lines.append(f"    - {{{photo_set(seen, file)}, per_batch: {per_batch}{rarely}}}")
    judged = [(seen, file) for seen, _, val, file in sets if val]
    if judged:
        lines += ["  val:", *(f"    - {{{photo_set(seen, file)}}}" for seen, file in judged)]
    lines += [
        "",
        "optimizers:",
        *rates,
        "",
        "# Windows of a photo are shown enlarged: damage looks about as large at 320 pixels as in serving.",
        "phases:",
        f"  - {{steps: {first}, size: {SIZE}, mosaic: 0.1, {phase}}}",
        f"  - {{steps: {steps - first}, size: {SIZE}, mosaic: 0.05, {phase}, rate: falls}}",
        "",
        f"validate_every: {max(1, steps // LOOKS)}             # steps between looks at val",
        "checkpoint_every: 50",
        "",
        "origins:                          # for the bundle's model card: say where your photos come from",
        *(f"  {_quoted(source)}: {{origin: own photos, licence: not stated}}" for source in sources),
        "",
    ]
    return "\n".join(lines)


def _beginning(bundle: Bundle | None, data: Path, *, has_photo_heads: bool) -> tuple[list[str], str, list[str], list[str]]:
    """Keys that follow from the weights that a run begins with: of model and start, parts that learn, optimizers, distil."""
    warmup = "schedule: {warmup: 20}"
    if bundle is None:
        rates = [
            "  - {of: [encoder], rate: 0.0005, schedule: {warmup: 200}}",
            "  - {rate: 0.001, schedule: {warmup: 200}}",
        ]
        return ["  encoder_weights: null         # random"], '["*"]', rates, []
    start = _start(bundle, data)
    licence = bundle.manifest.licence
    origin = f"{{origin: {_quoted(told_origin(bundle.manifest))}, licence: {_quoted(licence)}}}"
    begin = [
        f"  origins: {{{_quoted(Path(bundle.where).stem)}: {origin}}}",
        "",
        f"start: {start}                    # the bundle whose weights it begins with",
    ]
    learns = "[encoder.5-, decoder, photo]" if has_photo_heads else "[encoder.5-, decoder]"
    rates = [
        "  # Low: the network knows damage already, and what it forgets so few photos cannot teach anew.",
        f"  - {{of: [encoder], rate: 0.0001, {warmup}}}",
        f"  - {{rate: 0.0005, {warmup}}}",
    ]
    teacher = [
        f"distil: {{teacher: {start}, heads: [parts]}}   # the bundle shows parts on photos whose parts nobody outlined",
        "",
    ]
    return begin, learns, rates, teacher


def _start(bundle: Bundle, data: Path) -> str:
    return DEFAULT if bundle.where == DEFAULT else _path(Path(bundle.where), data)


def _path(path: Path, data: Path) -> str:
    """A path as YAML, as a recipe names it."""
    return _quoted(named_path(path, data).as_posix())


def _shell(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False) if re.search(r"[^\w./-]", str(path)) else str(path)


def _quoted(text: str) -> str:
    """A text as YAML, bare where nothing of it could mean anything else.

    >>> _quoted("hail_mark"), _quoted("no"), _quoted("Delle, tief")
    ('hail_mark', '"no"', '"Delle, tief"')
    """
    bare = re.fullmatch(r"[A-Za-z_][\w./-]*", text) and text.lower() not in (
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "y",
        "n",
    )
    return text if bare else json.dumps(text, ensure_ascii=False)
