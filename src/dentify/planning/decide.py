"""`decide`: a full recipe for somebody's own labelled photos, from a look at them.

It begins with the weights of the bundle that ships, so that some hundred photos give something in minutes. Rates, steps and which
layers learn follow from that: the network sees cars and damage already, and what it forgets cannot be taught anew by so few
photos. From random weights everything learns, at ten times the rate, four times as long.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dentify.bundle.manifest import Manifest
from dentify.bundle.open import DEFAULT, Bundle
from dentify.curation.split import SPLIT_NAMES, split_dataset, splits_csv
from dentify.datasets.dataset import Dataset, open_dataset
from dentify.datasets.formats import FORMATS
from dentify.datasets.labels import LabelMap, read_label_map
from dentify.datasets.sample import UNTYPED, Sample, has_vehicle, is_damaged
from dentify.datasets.splits import photo_key
from dentify.errors import ConfigError, DatasetError, DentifyError, printable
from dentify.runtime.session import usable_processors
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS
from dentify.writing import write_whole, writing

RANDOM = "random"
"""In place of a bundle: begin with random weights."""
LEAST_PHOTOS = 12
"""With fewer damaged photos there is nothing to learn, to judge and to fit by."""
_FEW = 5  # of a type
_GATE = 10  # photos with either answer that a gate is taught and fitted from; the same as in `fitting`
_VAL = 0.2
_SHARES = (0.15, 0.2, 0.25, 0.3, 0.35)
_BATCH = 8
_SIZE = 320
_PASSES = 16  # how often each photo is shown, about
_STEPS = (200, 2400)
_LOOKS = 6  # at val
_PICTURE_S = 0.17
"""Seconds of one core that a step takes a picture of 320 pixels where all of the network learns (docs: the tutorial's table)."""
_HEAD_START = 0.6
"""Share of it where the encoder's first stages do not learn."""


@dataclass(frozen=True)
class Seen:
    """One labelled data set, and all of its photos that hold."""

    path: Path
    dataset: Dataset
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Decided:
    """What `decide` came to.

    Attributes:
        recipe: YAML, with comments.
        files: the files that it names, by their names in the run's folder.
        why: what was decided, and why, a line each.
        photos: how many there are to train on and to judge by.
        types: that are taught.
        steps: of the run.
        seconds: that it will roughly take on this machine's processors.
    """

    recipe: str
    files: Mapping[str, bytes]
    why: list[str]
    photos: int
    types: tuple[str, ...]
    steps: int
    seconds: float


@dataclass
class _Counts:
    """What photos show; `of_photos` are those that are labelled with a type as a whole."""

    photos: int = 0
    damaged: int = 0
    sound: int = 0
    no_vehicle: int = 0
    of_photos: int = 0
    types: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    outlined: int = 0
    boxes: int = 0


def told_origin(manifest: Manifest) -> str:
    """What is said of weights that were a bundle's."""
    return f"the bundle {manifest.name} {manifest.version}"


def raise_fault(fault: DentifyError) -> None:
    """What `look` and `decide` do with a fault where nobody collects them."""
    raise fault


def look(
    paths: Sequence[Path],
    *,
    labels: Path | None = None,
    settings: Settings | None = None,
    on_fault: Callable[[DentifyError], None] = raise_fault,
    on_note: Callable[[str], object] = lambda note: None,
) -> list[Seen]:
    """Labelled data sets with all their photos.

    Args:
        paths: of label files, folders or zips, in any format.
        labels: a label map.
        settings: the limits.
        on_fault: is given what does not hold; what it lets pass is left out.
        on_note: is given what a user should know of how data sets are read.
    """
    settings = settings or Settings()
    seen = []
    try:
        label_map = read_label_map(labels, settings) if labels is not None else LabelMap(others="refused")
    except DentifyError as fault:
        on_fault(fault)
        label_map = LabelMap()
    for path in paths:
        try:
            dataset = open_dataset(path, labels=label_map, settings=settings, on_invalid=on_fault)
        except DentifyError as fault:
            on_fault(fault)
            continue
        try:
            dataset.check_labels()
        except DentifyError as fault:
            on_fault(fault)
        samples = list(dataset)
        if not samples:
            on_fault(DatasetError(f"{path}: holds no photo that can be read"))
        for note in dataset.notes:
            on_note(note)
        seen.append(Seen(path, dataset, samples))
    return seen


def check_enough(seen: Sequence[Seen], *, on_fault: Callable[[DentifyError], None] = raise_fault) -> None:
    """Makes sure that photos can teach where damage is."""
    counts = _count(sample for one in seen for sample in one.samples)
    paths = ", ".join(str(one.path) for one in seen)
    if not counts.damaged:
        told = "tell types of whole photos, and not where damage is" if counts.of_photos else "show no damage"
        on_fault(
            DatasetError(
                f"{paths}: {counts.photos} photos {told}; outline it, or train a classifier of photos:"
                " `dentify recipe show convnext_atto`"
            )
        )
    elif counts.damaged < LEAST_PHOTOS:
        on_fault(
            DatasetError(f"{paths}: {counts.damaged} damaged photos are too few to learn from; label {LEAST_PHOTOS} or more")
        )


def decide(
    seen: Sequence[Seen],
    *,
    output: Path,
    data: Path,
    name: str = "mine",
    labels: Path | None = None,
    start: str = DEFAULT,
    seed: int = 0,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Decided:
    """A recipe for labelled photos.

    Args:
        seen: the data sets, of `look`.
        output: the run's folder, where the recipe will lie.
        data: the folder that its paths will be relative to.
        name: of the recipe, and so of the bundle.
        labels: the label map.
        start: the bundle that the run begins with, or `RANDOM`.
        seed: of what chance decides.
        settings: the limits.
        on_photo: called after each photo that is looked at for near-duplicates, for progress.

    Raises:
        BundleError: the bundle cannot be opened.
        ConfigError: it answers nothing of damage.
        DatasetError: photos are too few, or cannot be read.
    """
    settings = settings or Settings()
    check_enough(seen)
    bundle = None if start == RANDOM else Bundle.open(start, settings=settings)
    if bundle is not None and not bundle.manifest.classes.damage:
        raise ConfigError(f"{bundle.where}: tells nowhere where damage is; begin with another bundle, or with --from {RANDOM}")
    files: dict[str, bytes] = {}
    placed: list[tuple[Seen, list[Sample], list[Sample], str | None]] = []
    for number, one in enumerate(seen):
        train, val, written = _splits(one, seed=seed, settings=settings, on_photo=on_photo)
        file = None
        if written is not None:
            file = "splits.csv" if len(seen) == 1 else f"splits-{number + 1}.csv"
            files[file] = written
        placed.append((one, train, val, file))
    every = _count(sample for one in seen for sample in one.samples)
    taught = _count(sample for _, train, _, _ in placed for sample in train)
    judged = _count(sample for _, _, val, _ in placed for sample in val)
    types = _types(taught)
    if not types:
        raise DatasetError("no damage of any type is among the photos to train on; label more of them")
    learned = bundle.manifest if bundle is not None else None
    parts, parts_why = _parts(taught, learned)
    gates, gates_why = _gates(taught)
    steps = min(max(10 * round(taught.photos * _PASSES / _BATCH / 10), _STEPS[0]), _STEPS[1]) * (1 if learned else 4)
    passes = steps * _BATCH / max(taught.photos, 1)
    share = _hold_out(([_sourced(one, train) for one, train, _, _ in placed]), data)
    seconds = _seconds(steps, judged.photos, from_bundle=learned is not None)
    recipe = _written(
        name=name,
        sets=[(one, len(train), file) for one, train, _, file in placed],
        judged=judged.photos > 0,
        sources=dict.fromkeys(sample.source or "" for one, train, val, _ in placed for sample in _sourced(one, [*train, *val])),
        types=types,
        counts=taught,
        parts=parts,
        heads=gates,
        bundle=bundle,
        steps=steps,
        share=share,
        output=output,
        data=data,
        labels=labels,
        seed=seed,
    )
    why = [
        *(_told_set(one) for one in seen),
        f"types: {', '.join(f'{printable(name)} ({taught.types[name]}×)' for name in types)}"
        + (f"; fewer than {_FEW} teach little" if any(taught.types[name] < _FEW for name in types) else ""),
        f"{taught.photos} photos to train on, {judged.photos} to judge by"
        + (
            f" (dealt out by chance, near-duplicates together: {', '.join(str(output / file) for file in files)})"
            if files
            else " (as the labels say)"
        ),
        (
            f"begins with {told_origin(learned)}, which knows damage already"
            if learned is not None
            else "begins with random weights: every layer learns, and takes long"
        ),
        *parts_why,
        *gates_why,
        (
            f"{steps:,} steps of {_BATCH} pictures at {_SIZE} px, each photo some {passes:.0f} times:"
            f" about {told_time(seconds)} on {_processors(usable_processors())}"
        ),
    ]
    if every.boxes:
        why.insert(2, f"{every.boxes} of {every.boxes + every.outlined} damages have boxes and no outlines, which teach less")
    return Decided(recipe, files, why, taught.photos + judged.photos, types, steps, seconds)


def check_free(output: Path) -> None:
    """Makes sure that a folder holds no run.

    Raises:
        ConfigError: it does.
    """
    if (output / "last.ckpt").exists():
        raise ConfigError(f"{output}: holds a run already; go on with --resume, or give the new one another folder with -o")


def write_decided(decided: Decided, output: Path) -> Path:
    """Writes a recipe and what it names into the run's folder, and returns its path.

    Raises:
        ConfigError: the folder holds a run.
        OutputError: it cannot be written.
    """
    check_free(output)
    path = output / "recipe.yaml"
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    write_whole({**{output / name: content for name, content in decided.files.items()}, path: decided.recipe.encode()})
    return path


def told_time(seconds: float) -> str:
    """A time in the unit that fits.

    >>> told_time(40), told_time(360), told_time(5400)
    ('1 minute', '6 minutes', '1.5 hours')
    """
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{seconds / 3600:.1f} hours"


def _processors(count: int) -> str:
    return "one processor" if count == 1 else f"{count} processors"


def _seconds(steps: int, judged: int, *, from_bundle: bool) -> float:
    """Of a run, on all processors of this machine; a look at val is a third of learning, at more pixels."""
    learning = steps * _BATCH * _PICTURE_S * (_HEAD_START if from_bundle else 1.0)
    looking = (_LOOKS + 1) * judged * _PICTURE_S * 0.6
    return (learning + looking) / usable_processors()


def run_seconds(pixels: float) -> float:
    """Seconds that a run of so many pixels, over all its steps, roughly takes on all processors of this machine."""
    return pixels / _SIZE**2 * _PICTURE_S / usable_processors()


def _count(samples: Iterable[Sample]) -> _Counts:
    counts = _Counts()
    for sample in samples:
        counts.photos += 1
        counts.damaged += bool(sample.damages)
        counts.sound += is_damaged(sample) is False
        counts.no_vehicle += has_vehicle(sample) is False
        counts.types.update(one.name for one in sample.damages)
        counts.of_photos += not sample.damages and any(name in DAMAGE_NAMES for name in sample.labels)
        counts.parts.update({one.name for one in sample.parts})
        counts.levels.update(one.severity for one in sample.damages if one.severity is not None)
        counts.outlined += sum(one.has_mask for one in sample.damages)
        counts.boxes += sum(not one.has_mask for one in sample.damages)
    return counts


def _splits(
    seen: Seen, *, seed: int, settings: Settings, on_photo: Callable[[], None]
) -> tuple[list[Sample], list[Sample], bytes | None]:
    """Photos to train on and to judge by: as the data set has them, else dealt out; and the file that says so, in that case."""
    own = {sample.split for sample in seen.samples}
    if {"train", "val"} <= own and seen.dataset.path.suffix.lower() != ".json":  # a JSON file is taken whole
        train, val = ([one for one in seen.samples if one.split in (None, split)] for split in ("train", "val"))
        return train, val, None
    if {"train", "val"} <= own:
        rows = [(photo_key(one, seen.dataset.path), one.split or "train", one.group or "") for one in seen.samples]
    else:
        kept_aside = {photo_key(one, seen.dataset.path) for one in seen.samples if one.split == "test"}
        placed = split_dataset(seen.dataset, (1 - _VAL, _VAL), seed=seed, settings=settings, on_photo=on_photo)
        rows = [(one.file, "test" if one.file in kept_aside else one.split, one.group) for one in placed]
    where = {file: (split, group) for file, split, group in rows}
    sides: dict[str, list[Sample]] = {name: [] for name in SPLIT_NAMES[2]}
    for sample in seen.samples:
        split, group = where.get(photo_key(sample, seen.dataset.path), ("", ""))
        if split in sides:
            sides[split].append(replace(sample, split=split, group=group or sample.group))
    return sides["train"], sides["val"], splits_csv(rows)


def _types(counts: _Counts) -> tuple[str, ...]:
    """Dentify's in their order, then others by how often they occur; damage of no told type where there is no other."""
    known = tuple(name for name in DAMAGE_NAMES if counts.types[name])
    own = tuple(name for name, _ in counts.types.most_common() if name not in (*DAMAGE_NAMES, UNTYPED))
    return known + own or ((UNTYPED,) if counts.types[UNTYPED] else ())


def _parts(counts: _Counts, learned: Manifest | None) -> tuple[tuple[str, ...], list[str]]:
    """Those that the run goes on telling, or learns to."""
    before = learned.classes.parts if learned is not None else ()
    if counts.parts.total() >= _GATE:
        names = (*before, *(name for name in counts.parts if name not in before))
        return tuple(sorted(names, key=lambda name: (name not in PART_NAMES, name))), [
            f"parts: learned from {counts.parts.total()} outlines of parts"
        ]
    if before:
        return tuple(before), [
            "parts: no photo shows any; they stay as the bundle tells them, which teaches them beside the labels"
        ]
    return (), []


def _gates(counts: _Counts) -> tuple[list[str], list[str]]:
    """The heads that judge photos as a whole, as far as photos teach them; and why others are left out."""
    heads, why = [], []
    vehicles = counts.photos - counts.no_vehicle
    if min(counts.sound, counts.damaged) >= _GATE:
        heads += ["  damaged:       {kind: labels, of: damaged, weight: 0.15}                # is the vehicle damaged?"]
    else:
        why.append(
            f"whether a vehicle is damaged at all is not judged: {counts.sound} photos to train on show sound ones;"
            f" with {_GATE} or more, in a folder named undamaged, it is"
        )
    if min(counts.no_vehicle, vehicles) >= _GATE:
        heads += ["  vehicle:       {kind: labels, of: vehicle, weight: 0.15}                # is there a vehicle?"]
    else:
        why.append(
            f"whether there is a vehicle is not judged: {counts.no_vehicle} photos to train on show none;"
            f" with {_GATE} or more, in a folder named no_vehicle, it is"
        )
    levels = [level for level in SEVERITY_LEVELS if counts.levels[level] >= _FEW]
    if len(levels) > 1:
        heads += [
            "  severity_maps: {kind: exclusive, of: severity, weight: 0.1, loss: {cross_entropy: 1}}",
            "  severity:      {kind: labels, of: severity, weight: 0.1}               # of the photo's worst damage",
        ]
    return heads, why


def _sourced(seen: Seen, samples: Sequence[Sample]) -> list[Sample]:
    """As training reads them: without a source of their own they have the file's name."""
    name = Path(os.path.abspath(seen.path)).stem  # noqa: PTH100 - links stay as they are named
    return [replace(sample, source=sample.source or name) for sample in samples]


def _hold_out(sets: Sequence[Sequence[Sample]], data: Path) -> float:
    """The share to keep for fitting: the least that keeps 20 photos, or a sixth of them."""
    from dentify.fitting.held_out import hold_out, key_of  # its room needs SciPy, which a check of labels does without

    def key(sample: Sample) -> str:
        if sample.group is None and isinstance(sample.image, Path) and sample.image.is_relative_to(data):
            return sample.image.relative_to(data).as_posix()
        return key_of(sample)

    damaged = sum(bool(sample.damages) for samples in sets for sample in samples)
    wanted = min(20, damaged // 6)
    for share in _SHARES:
        if sum(bool(one.damages) for samples in sets for one in hold_out(samples, share, key)[1]) >= wanted:
            return share
    return _SHARES[-1]


def _told_set(seen: Seen) -> str:
    """What a data set holds, in a line."""
    counts = _count(seen.samples)
    kinds = [f"{counts.damaged} with {counts.types.total()} damages"]
    kinds += [f"{counts.sound} of sound vehicles"] if counts.sound else []
    kinds += [f"{counts.no_vehicle} without a vehicle"] if counts.no_vehicle else []
    return f"{seen.path}: {FORMATS[seen.dataset.format].title}, {counts.photos} photos: {', '.join(kinds)}"


def _written(
    *,
    name: str,
    sets: Sequence[tuple[Seen, int, str | None]],
    judged: bool,
    sources: Mapping[str, None],
    types: Sequence[str],
    counts: _Counts,
    parts: Sequence[str],
    heads: Sequence[str],
    bundle: Bundle | None,
    steps: int,
    share: float,
    output: Path,
    data: Path,
    labels: Path | None,
    seed: int,
) -> str:
    """The recipe as YAML."""
    total = sum(photos for _, photos, _ in sets)
    per_batch = [max(1, round(_BATCH * photos / max(total, 1))) if photos else 1 for _, photos, _ in sets]
    most = max(counts.types[one] for one in types)
    repeat = {one: min(3, round(math.sqrt(most / counts.types[one]))) for one in types}
    rare = ", ".join(f"{_quoted(one)}: {times}" for one, times in repeat.items() if times > 1)

    def photo_set(seen: Seen, file: str | None) -> str:
        keys = [f"dataset: {_path(seen.path, data)}"]
        keys += [f"labels: {_path(labels, data)}"] if labels is not None else []
        keys += [f"splits: {_path(output / file, data)}"] if file is not None else []
        return ", ".join(keys)

    begin, learns, rates, teacher = _beginning(bundle, data, has_photo_heads=any("kind: labels" in head for head in heads))
    size = bundle.manifest.networks[0].preprocessing.size_hw[0] if bundle is not None else 416
    first = round(steps * 0.65)
    paste = 0.3 if counts.sound >= _GATE else 0.0
    phase = f"paste: {paste}, train: {learns}, average: {0.99 if bundle is not None else 0.998}"
    lines = [
        "# Decided by `dentify train` from a look at the labels. Change what you like, and train by it again:",
        f"#   dentify train {_path(output, data)}/recipe.yaml --data {_shell(data)} -o another-run",
        "# Every key: docs/reference/recipe.md. Paths are relative to --data.",
        f"name: {_quoted(name)}",
        f"seed: {seed}",
        "",
        "model:",
        "  name: efficientnet_fpn        # the network of the default bundle",
        "  encoder: tf_efficientnet_b0",
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
        *heads,
        "",
        *(teacher if parts else []),
        "data:",
        f"  serve_size: {size}               # pixels, a side: what the bundle will see of a photo",
        f"  hold_out: {share}                # of the training photos: thresholds and confidences are fitted to them",
        "  workers: 1                      # processes that read and distort photos",
        "  train:                          # per_batch: pictures of each step",
    ]
    for (seen, _, file), number in zip(sets, per_batch, strict=True):
        rarely = f", repeat: {{{rare}}}" if rare else ""
        lines.append(f"    - {{{photo_set(seen, file)}, per_batch: {number}{rarely}}}")
    if judged:
        lines += ["  val:", *(f"    - {{{photo_set(seen, file)}}}" for seen, _, file in sets)]
    lines += [
        "",
        "optimizers:",
        *rates,
        "",
        "# Windows of a photo are shown enlarged: damage looks about as large at 320 pixels as in serving.",
        "phases:",
        f"  - {{steps: {first}, size: {_SIZE}, mosaic: 0.1, {phase}}}",
        f"  - {{steps: {steps - first}, size: {_SIZE}, mosaic: 0.05, {phase}, rate: falls}}",
        "",
        f"validate_every: {max(1, steps // _LOOKS)}             # steps between looks at val",
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
    """A path as a recipe names it: relative to the folder of the data where it lies there."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
    root = Path(os.path.abspath(data))  # noqa: PTH100
    if whole.is_relative_to(root) and whole != root:
        return _quoted(whole.relative_to(root).as_posix())
    return _quoted(whole.as_posix())


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
