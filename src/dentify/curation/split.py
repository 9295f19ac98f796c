"""`split_dataset`: photos into splits, near-duplicates together, every label in each by the same shares.

Groups are dealt out one by one: of the labels that still have groups the rarest first, each group to the split that lacks that
label most. Source: iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011, "On the Stratification of Multi-Label Data"),
with groups in place of single photos.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dentify.curation.duplicates import ENOUGH_SIDE, Duplicate, Fingerprint, duplicate_groups, find_duplicates, fingerprint
from dentify.datasets.dataset import Dataset
from dentify.datasets.sample import Sample, photo_kind
from dentify.datasets.sample_picture import decode_picture
from dentify.datasets.splits import photo_key, splits_path
from dentify.datasets.zipped import is_zipped
from dentify.errors import ConfigError, DatasetError, OutputError, printable
from dentify.in_order import map_in_order
from dentify.report.columns import Cells, aligned
from dentify.settings import Settings
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell, safe_path_cell
from dentify.strict import nearest
from dentify.writing import write_whole

SPLIT_NAMES = {2: ("train", "val"), 3: ("train", "val", "test")}


@dataclass(frozen=True)
class Placed:
    """Where a photo went: its name in `splits.csv`, its split, and the group that it may not leave; its labels, for counts."""

    file: str
    split: str
    group: str
    labels: frozenset[str]


def parse_ratios(text: str) -> tuple[float, ...]:
    """Shares of two or three splits, as parts of 1.

    Raises:
        ConfigError: they are no two or three numbers above 0.

    >>> parse_ratios("70,15,15")
    (0.7, 0.15, 0.15)
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"{text!r}: ratios must be numbers with commas between, as 70,15,15") from error
    if len(values) not in SPLIT_NAMES or not all(0 < value < float("inf") for value in values):
        raise ConfigError(f"{text!r}: give two ratios (train, val) or three (train, val, test), each above 0")
    return tuple(value / sum(values) for value in values)


def split_dataset(
    dataset: Dataset,
    ratios: Sequence[float],
    *,
    seed: int = 0,
    group_by: str | None = None,
    pictures: bool = True,
    workers: int = 2,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> list[Placed]:
    """Deals out the photos of a data set.

    Args:
        dataset: neither its own splits nor those of an earlier `splits.csv` are asked.
        ratios: of two or three splits; see `SPLIT_NAMES`.
        seed: of what chance decides.
        group_by: `group`, `source` or `folder`, or a regular expression whose first group (or whole match) in a photo's name says
            what stays together; without it the data set's own groups do.
        pictures: whether near-duplicates are looked for, and stay together.
        workers: pictures in work at a time.
        settings: the limits.
        on_photo: called after each photo, for progress.

    Returns:
        One entry a photo that can be read, in the order of the data set.

    Raises:
        DatasetError: a photo cannot be read, and the data set was not told to go on; or there is none.
        ConfigError: `group_by` is no regular expression, or one that matches no photo.
    """
    settings = settings or Settings()
    key_of = _group_key(group_by, dataset.path)
    rows: list[tuple[str, str, frozenset[str]]] = []
    prints: list[Fingerprint] = []

    def look(sample: Sample) -> Fingerprint | DatasetError | None:
        if not pictures:
            return None
        try:
            photo = decode_picture(sample, settings, enough_side=ENOUGH_SIDE)
        except DatasetError as error:
            return error
        return fingerprint(photo.image, photo.sha256)

    bare = dataset.without_splits()
    with closing(map_in_order(look, iter(bare), workers=workers)) as looked:  # type: ignore[type-var]  # a generator
        for sample, found in looked:
            on_photo()
            if isinstance(found, DatasetError):
                dataset.refuse(found)
                continue
            rows.append((photo_key(sample, dataset.path), key_of(sample), _labels(sample)))
            if found is not None:
                prints.append(found)
    if not rows:
        raise DatasetError(f"{dataset.path}: holds no photo that can be read")
    if group_by not in (None, "group", "source", "folder") and not any(key for _, key, _ in rows):
        advice = nearest(group_by or "", ("group", "source", "folder"))
        raise ConfigError(f"--group-by {group_by!r}: matches no photo's name, {printable(rows[0][0])} for one{advice}")
    roots = duplicate_groups(len(rows), [*find_duplicates(prints), *_of_one_key([key for _, key, _ in rows])])
    groups: dict[int, list[int]] = defaultdict(list)
    for index, root in enumerate(roots):
        groups[root].append(index)
    names = SPLIT_NAMES[len(ratios)]
    labelled = [(members, Counter(label for index in members for label in rows[index][2])) for members in groups.values()]
    placed = _deal(labelled, ratios, seed)
    return [
        Placed(file, names[placed[roots[index]]], rows[roots[index]][0] if len(groups[roots[index]]) > 1 else "", labels)
        for index, (file, _, labels) in enumerate(rows)
    ]


def write_splits(placed: Sequence[Placed], dataset: Dataset, *, overwrite: bool = False) -> Path:
    """Writes `splits.csv` into the data set's folder, where `open_dataset` reads it.

    Raises:
        OutputError: it is there and `overwrite` is off, or it cannot be written.
    """
    path = splits_path(dataset.path)
    check_splits(path, overwrite=overwrite)
    write_whole({path: splits_csv((one.file, one.split, one.group) for one in placed)})
    return path


def splits_csv(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """A file of splits: of each photo its name as `photo_key` tells it, its split, and its group or nothing."""
    lines = [csv_line(["file", "split", "group"])]
    lines += [csv_line([safe_path_cell(file), safe_cell(split), safe_cell(group)]) for file, split, group in rows]
    return csv_bytes(lines)


def check_splits(path: Path, *, overwrite: bool) -> None:
    """Refuses to replace splits unasked, before the work is done.

    Raises:
        OutputError: they are there, and `overwrite` is off; or they would be written into a zip.
    """
    if is_zipped(path):
        raise OutputError(f"{path}: nothing is written into a zip; unpack it first, or convert it into a folder")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already; --overwrite replaces it")


def split_table(placed: Sequence[Placed], ratios: Sequence[float]) -> str:
    """Photos by label and split, and the shares that came out, for a terminal."""
    names = SPLIT_NAMES[len(ratios)]
    labels = Counter(label for one in placed for label in one.labels)
    head = ("photos with", "all", *(f"{name} ({100 * ratio:.0f} %)" for name, ratio in zip(names, ratios, strict=True)))
    rows: list[Cells] = [head]
    for label in ("", *(label for label, _ in labels.most_common())):
        counts = Counter(one.split for one in placed if not label or label in one.labels)
        total = max(counts.total(), 1)
        cells = (f"{counts[name]} ({100 * counts[name] / total:.1f} %)" for name in names)
        rows.append((label or "(any)", str(counts.total()), *cells))
    groups = Counter(one.group for one in placed if one.group)
    told = f"{len(groups)} groups of {groups.total()} photos stay together"
    return f"{aligned(rows)}\n{told}"


def missing_labels(placed: Sequence[Placed], ratios: Sequence[float]) -> list[str]:
    """A line for each split in which labels of others are missing: too few groups show them."""
    every = {label for one in placed for label in one.labels}
    notes = []
    for name in SPLIT_NAMES[len(ratios)]:
        missing = sorted(every - {label for one in placed if one.split == name for label in one.labels})
        if missing:
            notes.append(f"{name} holds no photo with {', '.join(missing)}; another --seed may do, or more photos")
    return notes


def _labels(sample: Sample) -> frozenset[str]:
    """What splits are balanced by: types and labels, else what is known of the whole photo; its severity, and its source."""
    labels = {one.name for one in sample.annotations if not one.ignored} | set(sample.labels)
    labels = labels or {photo_kind(sample) or "(nothing)"}
    if sample.severity is not None and sample.severity not in labels:
        labels.add(f"severity {sample.severity}")
    return frozenset({*labels, *([f"source {sample.source}"] if sample.source else [])})


def _group_key(group_by: str | None, root: Path) -> Callable[[Sample], str]:
    """A function to what a photo stays together by; empty where it stands alone."""
    match group_by:
        case None | "group":
            return lambda sample: f"{sample.source}/{sample.group}" if sample.group else ""
        case "source":
            return lambda sample: sample.source or ""
        case "folder":
            return lambda sample: photo_key(sample, root).rpartition("/")[0] or "."
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(
            f"--group-by {group_by!r}: is none of group, source, folder, and no regular expression: {error}"
        ) from error

    def matched(sample: Sample) -> str:
        found = pattern.search(sample.name)
        return "" if found is None else (found[1] if pattern.groups else found[0]) or ""

    return matched


def _of_one_key(keys: Sequence[str]) -> Iterator[Duplicate]:
    """Photos whose key is that of an earlier one, as if they were duplicates of it."""
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if key and first.setdefault(key, index) != index:
            yield Duplicate(first[key], index, exact=False)


def _deal(groups: Iterable[tuple[list[int], Counter[str]]], ratios: Sequence[float], seed: int) -> dict[int, int]:
    """By the first photo of each group: the number of its split."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    waiting = {members[0]: (len(members), labels) for members, labels in groups}
    with_label: dict[str, set[int]] = defaultdict(set)
    for key, (_, labels) in waiting.items():
        for label in labels:
            with_label[label].add(key)
    photos_left = [ratio * sum(size for size, _ in waiting.values()) for ratio in ratios]
    totals = Counter[str]()
    for _, labels in waiting.values():
        totals.update(labels)
    label_left = {label: [ratio * total for ratio in ratios] for label, total in totals.items()}
    remaining = Counter({label: len(keys) for label, keys in with_label.items()})
    placed: dict[int, int] = {}
    while remaining:
        label = min(remaining, key=lambda one: (remaining[one], one))
        keys = sorted(with_label[label])
        chance.shuffle(keys)
        for key in sorted(keys, key=lambda one: -waiting[one][1][label]):  # large groups while there is room
            size, labels = waiting[key]
            split = max(range(len(ratios)), key=lambda one: (label_left[label][one], photos_left[one], chance.random()))
            placed[key] = split
            photos_left[split] -= size
            for other, count in labels.items():
                label_left[other][split] -= count
                with_label[other].discard(key)
                remaining[other] -= 1
        for other in [one for one, count in remaining.items() if count <= 0]:
            del remaining[other]
    return placed
