"""`decide`: a full recipe for somebody's own labelled photos, from a look at them.

It begins with the weights of the bundle that ships, so that some hundred photos give something in minutes. Rates, steps and which
layers learn follow from that: the network sees cars and damage already, and what it forgets cannot be taught anew by so few
photos. From random weights everything learns, at ten times the rate, four times as long.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dentify.bundle.manifest import Manifest
from dentify.bundle.open import DEFAULT, Bundle
from dentify.curation.split import SPLIT_NAMES, split_dataset, splits_csv
from dentify.datasets.sample import UNTYPED, Sample
from dentify.datasets.splits import photo_key
from dentify.errors import ConfigError, DatasetError, printable
from dentify.planning.looking import Counts, Seen, check_enough, count, of_split, told_set
from dentify.planning.recipe_text import BATCH, LOOKS, SIZE, PhotoHead, named_path, recipe_text, told_origin
from dentify.planning.times import seconds_of, told_processors, told_time
from dentify.runtime.session import usable_processors
from dentify.settings import Settings
from dentify.taxonomy import DAMAGE_NAMES, PART_NAMES, SEVERITY_LEVELS
from dentify.writing import write_whole, writing

RANDOM = "random"
"""In place of a bundle: begin with random weights."""
RECIPE = "recipe.yaml"
"""What a recipe that was decided is called in the run's folder."""
_IN_8_BITS = tuple(  # operators, as a node of an ONNX file names its own: field 4, how long it is, and the name
    bytes([4 << 3 | 2, len(name)]) + name for name in (b"DequantizeLinear", b"QLinearConv", b"ConvInteger")
)
_FEW = 5  # of a type
_GATE = 10  # photos with either answer that a gate is taught and fitted from; the same as in `fitting`
_VAL = 0.2
_SHARES = (0.15, 0.2, 0.25, 0.3, 0.35)
_PASSES = 16  # how often each photo is shown, about
_STEPS = (200, 2400)


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
        ConfigError: it answers nothing of damage, or a run cannot begin with it.
        DatasetError: photos are too few, or cannot be read.
    """
    settings = settings or Settings()
    check_enough(seen)
    bundle = None if start == RANDOM else Bundle.open(start, settings=settings)
    if bundle is not None:
        check_can_begin(bundle)
        if not bundle.manifest.classes.damage:
            raise ConfigError(
                f"{bundle.where}: tells nowhere where damage is; begin with another bundle, or with --from {RANDOM}"
            )
    files: dict[str, bytes] = {}
    placed: list[tuple[Seen, list[Sample], list[Sample], str | None]] = []
    for number, one in enumerate(seen):
        train, val, written = _splits(one, seed=seed, settings=settings, on_photo=on_photo)
        file = None
        if written is not None:
            file = "splits.csv" if len(seen) == 1 else f"splits-{number + 1}.csv"
            files[file] = written
        placed.append((one, _as_trained(one, train, data), _as_trained(one, val, data), file))
    share = _hold_out([train for _, train, _, _ in placed], data)
    left_out = [one for one, train, _, _ in placed if not _held_out(train, share, data)[0]]
    placed = [(one, [] if one in left_out else train, val, file) for one, train, val, file in placed]
    every = count(sample for one in seen for sample in one.samples)
    taught = count(sample for _, train, _, _ in placed for sample in train)
    judged = count(sample for _, _, val, _ in placed for sample in val)
    types = _types(taught)
    if not types:
        raise DatasetError("no damage of any type is among the photos to train on; label more of them")
    learned = bundle.manifest if bundle is not None else None
    parts, parts_why = _parts(taught, learned)
    gates, gates_why = _gates(taught)
    steps = min(max(10 * round(taught.photos * _PASSES / BATCH / 10), _STEPS[0]), _STEPS[1]) * (1 if learned else 4)
    passes = steps * BATCH / max(taught.photos, 1)
    seconds = seconds_of(steps * BATCH, (LOOKS + 1) * judged.photos, from_bundle=learned is not None)
    recipe = recipe_text(
        name=name,
        sets=[(one, len(train), len(val), file) for one, train, val, file in placed],
        sources=dict.fromkeys(sample.source or "" for _, train, val, _ in placed for sample in (*train, *val)),
        types=types,
        counts=taught,
        paste=0.3 if taught.sound >= _GATE else 0.0,
        parts=parts,
        photo_heads=gates,
        bundle=bundle,
        steps=steps,
        share=share,
        output=output,
        data=data,
        labels=labels,
        seed=seed,
    )
    why = [
        *(told_set(one) for one in seen),
        *(f"{one.path}: no photo of it is left to train on, beside those to judge, fit and test by" for one in left_out),
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
            f"{steps:,} steps of {BATCH} pictures at {SIZE} px, each photo some {passes:.0f} times:"
            f" about {told_time(seconds)} on {told_processors(usable_processors())}"
        ),
    ]
    if every.boxes:
        why.insert(2, f"{every.boxes} of {every.boxes + every.outlined} damages have boxes and no outlines, which teach less")
    return Decided(recipe, files, why, taught.photos + judged.photos, types, steps, seconds)


def check_can_begin(bundle: Bundle) -> None:
    """Makes sure that a run can begin with a bundle, as far as that is seen without PyTorch.

    Raises:
        ConfigError: it is of several networks, or computes in 8 bits.
    """
    networks = bundle.manifest.networks
    if len(networks) != 1:
        raise ConfigError(f"{bundle.where}: has {len(networks)} networks; a run begins with a bundle of one")
    if any(operator in bundle.files[networks[0].file] for operator in _IN_8_BITS):
        raise ConfigError(f"{bundle.where}: computes in 8 bits; begin with the bundle that it was made of")


def check_free(output: Path) -> None:
    """Makes sure that a folder holds no run.

    Raises:
        ConfigError: it does.
    """
    if (output / "last.ckpt").exists():
        raise ConfigError(f"{output}: holds a run already; go on with --resume, or give the new one another folder with -o")


def check_replaces_nothing(decided: Decided, output: Path) -> None:
    """Makes sure that a folder holds no other recipe, and no other file of a name that the recipe's files have.

    The same ones are left by a run that ended before its first checkpoint; a second one begins anew.

    Raises:
        ConfigError: it does.
        OutputError: they cannot be read.
    """
    for path, content in _files_of(decided, output).items():
        with writing(path):
            if path.exists() and not (path.is_file() and path.read_bytes() == content):
                raise ConfigError(
                    f"{path}: is there already, and is not what would be written; move it away, or name another folder with -o;"
                    " to train by a recipe that is there, name it in place of the labels"
                )


def write_decided(decided: Decided, output: Path) -> Path:
    """Writes a recipe and what it names into the run's folder, and returns its path.

    Raises:
        ConfigError: the folder holds a run, or other files of these names.
        OutputError: it cannot be written.
    """
    check_free(output)
    check_replaces_nothing(decided, output)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    write_whole(_files_of(decided, output))
    return output / RECIPE


def _files_of(decided: Decided, output: Path) -> dict[Path, bytes]:
    return {**{output / name: content for name, content in decided.files.items()}, output / RECIPE: decided.recipe.encode()}


def _splits(
    seen: Seen, *, seed: int, settings: Settings, on_photo: Callable[[], None]
) -> tuple[list[Sample], list[Sample], bytes | None]:
    """Photos to train on and to judge by: as the data set has them, else dealt out; and the file that says so, in that case."""
    own = {sample.split for sample in seen.samples}
    if {"train", "val"} <= own and seen.dataset.path.suffix.lower() != ".json":  # a JSON file is taken whole
        return of_split(seen.samples, "train"), of_split(seen.samples, "val"), None
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


def _types(counts: Counts) -> tuple[str, ...]:
    """Dentify's in their order, then others by how often they occur; damage of no told type where there is no other."""
    known = tuple(name for name in DAMAGE_NAMES if counts.types[name])
    own = tuple(name for name, _ in counts.types.most_common() if name not in (*DAMAGE_NAMES, UNTYPED))
    return known + own or ((UNTYPED,) if counts.types[UNTYPED] else ())


def _parts(counts: Counts, learned: Manifest | None) -> tuple[tuple[str, ...], list[str]]:
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


def _gates(counts: Counts) -> tuple[list[PhotoHead], list[str]]:
    """The heads that judge photos as a whole, as far as photos teach them; and why others are left out."""
    heads: list[PhotoHead] = []
    why = []
    vehicles = counts.photos - counts.no_vehicle
    if min(counts.sound, counts.damaged) >= _GATE:
        heads.append("damaged")
    else:
        why.append(
            f"whether a vehicle is damaged at all is not judged: {counts.sound} photos to train on show sound ones;"
            f" with {_GATE} or more, in a folder named undamaged, it is"
        )
    if min(counts.no_vehicle, vehicles) >= _GATE:
        heads.append("vehicle")
    else:
        why.append(
            f"whether there is a vehicle is not judged: {counts.no_vehicle} photos to train on show none;"
            f" with {_GATE} or more, in a folder named no_vehicle, it is"
        )
    levels = [level for level in SEVERITY_LEVELS if counts.levels[level] >= _FEW]
    if len(levels) > 1:
        heads.append("severity")
    return heads, why


def _as_trained(seen: Seen, samples: Sequence[Sample], data: Path) -> list[Sample]:
    """As training reads them by the recipe: its paths, and the file's name for photos without a source of their own."""
    name = Path(os.path.abspath(seen.path)).stem  # noqa: PTH100 - links stay as they are named
    is_within = not named_path(seen.path, data).is_absolute()

    def image(sample: Sample) -> Path | bytes:
        if not isinstance(sample.image, Path):
            return sample.image
        return data / named_path(sample.image, data) if is_within else Path(os.path.abspath(sample.image))  # noqa: PTH100 - as above

    return [replace(sample, image=image(sample), source=sample.source or name) for sample in samples]


def _hold_out(sets: Sequence[Sequence[Sample]], data: Path) -> float:
    """The share to keep for fitting: the least that keeps 20 photos, or a sixth of them."""
    damaged = sum(bool(sample.damages) for samples in sets for sample in samples)
    wanted = min(20, damaged // 6)
    for share in _SHARES:
        if sum(bool(one.damages) for samples in sets for one in _held_out(samples, share, data)[1]) >= wanted:
            return share
    return _SHARES[-1]


def _held_out(samples: Sequence[Sample], share: float, data: Path) -> tuple[list[Sample], list[Sample]]:
    """Photos to train on and to fit by, as training deals them out."""
    from dentify.fitting.held_out import hold_out, key_of  # its room needs SciPy, which a check of labels does without

    def key(sample: Sample) -> str:
        if sample.group is None and isinstance(sample.image, Path) and sample.image.is_relative_to(data):
            return sample.image.relative_to(data).as_posix()
        return key_of(sample)

    return hold_out(samples, share, key)
