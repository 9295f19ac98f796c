"""`check_recipe` and `check_run`: everything that would end a run before its first step, at once and before PyTorch is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dentify.bundle.open import DEFAULT, Bundle
from dentify.datasets import LabelMap, open_dataset, read_label_map, read_photos
from dentify.datasets.photos import LIST_NAME
from dentify.datasets.sample import UNTYPED, Sample
from dentify.datasets.splits import photo_key, read_splits
from dentify.errors import ConfigError, DatasetError, DentifyError, MissingExtraError
from dentify.plain_yaml import change_key, load_yaml
from dentify.planning.decide import RANDOM, check_can_begin, check_free, check_replaces_nothing, decide
from dentify.planning.looking import check_enough, look, of_split
from dentify.planning.times import Stretch
from dentify.settings import Settings
from dentify.strict import nearest
from dentify.taxonomy import PART_NAMES

_PACKAGES = ("torch", "torchvision", "timm", "peft", "lightning_fabric", "tensorboard", "onnx", "onnxscript", "safetensors")
_VALIDATE_EVERY = 1000  # a recipe's default


@dataclass(frozen=True)
class Checked:
    """What was found wrong, a line each; and else what the run will be.

    Attributes:
        faults: what was found wrong.
        photos: how many there are to train on and to judge by.
        types: of damage that are taught.
        steps: of the run.
        seconds: that it will roughly take, as was decided; a recipe's network is asked, by `dentify.training.timed_seconds`.
        stretches: a recipe's phases, counted.
        taught: those of the photos that are trained on.
        looked_at: photos of val, over all looks.
        recipe: that was decided, where none was given.
    """

    faults: list[str]
    photos: int = 0
    types: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0
    stretches: tuple[Stretch, ...] = ()
    taught: int = 0
    looked_at: int = 0
    recipe: str = ""


def check_labels(
    paths: Sequence[Path], *, output: Path, data: Path, labels: Path | None, start: str, resume: bool, settings: Settings
) -> Checked:
    """What a run without a recipe would trip over.

    Args:
        paths: of the labels.
        output: the run's folder.
        data: the folder that the recipe's paths would be relative to.
        labels: the label map.
        start: the bundle that it begins with, or `RANDOM`.
        resume: whether a run is there that goes on.
        settings: the limits.
    """
    faults = _Faults()
    faults.add_of_run(output, resume=resume)
    if start != RANDOM:
        faults.trying(lambda: check_can_begin(Bundle.open(start, settings=settings)))
    seen = look(paths, labels=labels, settings=settings, on_fault=faults.add)
    if seen and any(one.samples for one in seen):
        check_enough([one for one in seen if one.samples], on_fault=faults.add)
    if faults.lines:
        return Checked(faults.lines)
    try:
        name = output.resolve().name or "mine"  # as `dentify train` calls it
        decided = decide(seen, output=output, data=data, name=name, labels=labels, start=start, settings=settings)
        if not resume:
            check_replaces_nothing(decided, output)
    except DentifyError as fault:
        return Checked([str(fault)])
    return Checked([], decided.photos, decided.types, decided.steps, decided.seconds, recipe=decided.recipe)


def check_recipe(
    path: Path,
    *,
    data: Path,
    output: Path | None,
    start: str | None,
    resume: bool,
    settings: Settings,
    changes: Sequence[str] = (),
) -> Checked:
    """What a run by a recipe would trip over, apart from keys: those `dentify.training.read_recipe` judges, which loads PyTorch.

    Args:
        path: of the recipe.
        data: the folder that its paths are relative to.
        output: the run's folder; without it that of the recipe's name.
        start: what it begins with, in place of what the recipe says.
        resume: whether a run is there that goes on.
        settings: the limits.
        changes: `key.key=value`, applied to the recipe first.
    """
    import yaml

    faults = _Faults()
    try:
        document = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        return Checked([f"{path}: cannot be read: {error.strerror}"])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return Checked([f"{path}: is not YAML: {' '.join(str(error).split())}"])
    if not isinstance(document, dict):
        return Checked([f"{path}: a recipe is a mapping of keys to values, got {type(document).__name__}"])
    for change in changes:
        faults.trying(lambda change=change: change_key(document, change))
    faults.add_of_run(output or Path("runs") / str(document.get("name", "")), resume=resume)
    begins = start or document.get("start")
    if isinstance(begins, str) and not resume:
        where = Path(begins) if begins == DEFAULT or start is not None else data / begins
        is_bundle = begins == DEFAULT or where.is_dir() or where.suffix.lower() == ".zip"
        bundle = faults.add_of_network(where, "begin with", settings, is_bundle=is_bundle)
        if bundle is not None:
            faults.trying(lambda: check_can_begin(bundle))
    elif not resume:
        faults.add_of_weights(_mapping(document.get("model")), data)
    teacher = _mapping(document.get("distil")).get("teacher")
    if isinstance(teacher, str):
        where = Path(teacher) if teacher == DEFAULT else data / teacher
        faults.add_of_network(where, "learn from", settings, is_bundle=where.suffix != ".ckpt")
    classes = _mapping(document.get("classes"))
    types = tuple(map(str, _list(classes.get("damage"))))
    own = (*types, *map(str, _list(classes.get("parts")) or PART_NAMES), UNTYPED)
    sets = _mapping(document.get("data"))
    left_out = set(map(str, _list(sets.get("leave_out"))))
    sizes: dict[str, list[int]] = {"train": [], "val": []}
    sources: set[str] = set()
    whole = True  # whether photos of all sets were read
    for split, found in sizes.items():
        for photo_set in _list(sets.get(split)):
            samples = _photos(_mapping(photo_set), data, split, own, settings, faults)
            found.append(sum(sample.source not in left_out for sample in samples))
            if split == "train":
                sources |= {sample.source or "" for sample in samples}
                whole = whole and bool(samples)
    for name in sorted(left_out - sources) if whole else ():
        faults.add(ConfigError(f"data.leave_out names {name!r}, which no photo is from{nearest(name, sources)}"))
    unknown = sorted(sources - left_out - set(_mapping(document.get("origins"))))
    if unknown:
        told = ", ".join(unknown)
        faults.add(ConfigError(f"`origins` says nothing of {told}; a bundle names origin and licence of photos"))
    if not _list(sets.get("train")):
        faults.add(ConfigError("data.train: names no photos to train on"))
    stretches = []
    for phase in _list(document.get("phases")):
        of = _mapping(phase)
        counts = [one if isinstance(one, int) else 0 for one in (_list(of.get("per_batch")) or _per_batch(sets))]
        number, epochs, size = of.get("steps", 0), of.get("epochs"), of.get("size", 0)
        if isinstance(epochs, int | float):  # until all photos of every set were shown, repeated ones apart
            number = round(
                epochs * max((-(-one // count) for one, count in zip(sizes["train"], counts, strict=False) if count), default=1)
            )
        if isinstance(number, int) and isinstance(size, int):
            stretches.append(Stretch(number, sum(counts), size))
    steps, taught, judged = sum(one.steps for one in stretches), sum(sizes["train"]), sum(sizes["val"])
    every = document.get("validate_every", _VALIDATE_EVERY)
    looks = -(-steps // every) if isinstance(every, int) and every > 0 else 1
    return Checked(
        faults.lines, taught + judged, types, steps, stretches=tuple(stretches), taught=taught, looked_at=looks * judged
    )


def check_installed() -> None:
    """Makes sure that what training needs is installed, without loading it.

    Raises:
        MissingExtraError: some of it is not.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(what=f"training ({', '.join(missing)})", extra="train")


class _Faults:
    """Lines of what is wrong, each once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, fault: DentifyError) -> None:
        line = " ".join(str(fault).split())
        if line not in self.lines:
            self.lines.append(line)

    def trying(self, work: Any) -> Any:
        """What some work gives; `None` where it does not go, which is told."""
        try:
            return work()
        except DentifyError as fault:
            self.add(fault)
            return None

    def add_of_run(self, output: Path, *, resume: bool) -> None:
        """What is wrong with the run's folder, and with what is installed."""
        self.trying(check_installed)
        if not resume:
            self.trying(lambda: check_free(output))
        elif not (output / "last.ckpt").is_file():
            self.add(ConfigError(f"{output / 'last.ckpt'}: no checkpoint to resume; leave out --resume to start anew"))
        if output.exists() and not output.is_dir():
            self.add(ConfigError(f"{output}: is a file; name a folder for the run with -o"))

    def add_of_network(self, where: Path, use: str, settings: Settings, *, is_bundle: bool) -> Bundle | None:
        """The bundle, where it is one; what is wrong with it, or with a checkpoint, which is only looked for, is told."""
        if is_bundle:
            opened: Bundle | None = self.trying(lambda: Bundle.open(str(where), settings=settings))
            return opened
        if not where.is_file():
            self.add(ConfigError(f"{where}: no such bundle or checkpoint to {use}"))
        return None

    def add_of_weights(self, model: Mapping[str, Any], data: Path) -> None:
        """Which files of pretrained weights are missing; `hub` is downloaded when the run begins."""
        for key, value in model.items():
            if key.endswith("weights") and isinstance(value, str) and value != "hub" and not (data / value).is_file():
                self.add(ConfigError(f"{data / value}: no such pretrained weights; set model.{key} to null to go without"))


def _photos(
    photo_set: Mapping[str, Any], data: Path, split: str, own: Sequence[str], settings: Settings, faults: _Faults
) -> list[Sample]:
    """The photos of one set of a recipe, as `dentify.training.photos` reads them: with a source, without those left out."""
    samples = _read(photo_set, data, split, own, settings, faults)
    if samples is None:
        return []
    file = _file_of(photo_set)
    samples = [replace(sample, source=sample.source or file.stem) for sample in samples]
    left_out = list(map(str, _list(photo_set.get("leave_out"))))
    sources = {sample.source or "" for sample in samples}
    for name in left_out if samples else ():
        if name not in sources:
            told = f"no photo is from {name!r}, which leave_out names{nearest(name, sources)}"
            faults.add(DatasetError(f"{data / file}: {told}"))
    samples = [sample for sample in samples if sample.source not in left_out]
    if not samples:
        faults.add(DatasetError(f"{data / file}: no photo of split `{split}`"))
    return samples


def _read(
    photo_set: Mapping[str, Any], data: Path, split: str, own: Sequence[str], settings: Settings, faults: _Faults
) -> list[Sample] | None:
    """The photos of a set's split; `None` where they cannot be read, which is told."""
    named, listed = (photo_set.get(key) for key in ("dataset", "photos"))
    named = named or photo_set.get("coco")
    if isinstance(listed, str):
        vehicle = photo_set.get("vehicle")
        has_list = (data / listed).is_file() or (data / listed / LIST_NAME).is_file()
        told = split if has_list or vehicle is not None else None  # of an unlabelled folder all are taught by a teacher
        found: list[Sample] | None = faults.trying(
            lambda: list(read_photos(data / listed, vehicle=vehicle is not False, split=told))
        )
        return found
    if not isinstance(named, str):
        faults.add(ConfigError(f"data.{split}: a set names neither `dataset` nor `photos`"))
        return None
    path, labels, images, splits = (data / named, *(photo_set.get(key) for key in ("labels", "images", "splits")))
    kept = LabelMap({name: name for name in own}, others="refused")
    label_map = faults.trying(lambda: read_label_map(data / str(labels), settings, own=own)) if labels is not None else kept
    try:
        dataset = open_dataset(
            path,
            images=data / str(images) if images is not None else None,
            labels=label_map,
            frame="stored" if photo_set.get("frame") == "stored" else "upright",
            on_invalid=faults.add,
            settings=settings,
        )
        if label_map is not None:
            faults.trying(dataset.check_labels)
        samples = list(dataset)
        if splits is not None:
            placed = read_splits(data / str(splits), settings)
            samples = [one for one in samples if placed.get(photo_key(one, dataset.path), ("", ""))[0] == split]
        elif path.suffix.lower() != ".json":
            samples = of_split(samples, split)
    except DentifyError as fault:
        faults.add(fault)
        return None
    return samples


def _file_of(photo_set: Mapping[str, Any]) -> Path:
    return Path(str(photo_set.get("dataset") or photo_set.get("coco") or photo_set.get("photos")))


def _per_batch(sets: Mapping[str, Any]) -> list[Any]:
    return [_mapping(one).get("per_batch", 1) for one in _list(sets.get("train"))]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
