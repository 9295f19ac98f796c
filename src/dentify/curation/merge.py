"""`merge_datasets`: several data sets as one, whose label spaces are united, and what of them is the same photo.

A type that one source labels and another does not is unknown on the other's photos, not absent; COCO keeps that, photo by photo.
Splits stay as each source has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from dentify.curation.duplicates import ENOUGH_SIDE, Duplicate, Fingerprint, find_duplicates, fingerprint
from dentify.datasets.convert import names_in, write_dataset
from dentify.datasets.dataset import Dataset
from dentify.datasets.output import PicturesAs
from dentify.datasets.sample import Sample
from dentify.datasets.sample_picture import decode_picture
from dentify.datasets.splits import photo_key
from dentify.errors import DatasetError, printable
from dentify.in_order import map_in_order
from dentify.report.columns import Cells, aligned
from dentify.settings import Settings

NO_SPLIT = "none"


@dataclass
class MergedSource:
    """What one data set brought.

    Attributes:
        name: of its photos that have no source of their own.
        photos: that were taken, by split.
        annotations: on them.
        names: that it labels.
    """

    name: str
    photos: Counter[str] = field(default_factory=Counter)
    annotations: int = 0
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SamePhoto:
    """A photo of one source that a later one holds, too: the same file, or nearly so."""

    first: str
    second: str
    exact: bool
    splits: tuple[str, str]


@dataclass(frozen=True)
class Merged:
    """What became of it.

    Attributes:
        sources: in the order in which they were given.
        duplicates: photos of different sources that are one, those in different splits first.
        dropped: how many of the later ones were left out.
        lost: what the format cannot hold, and how often that was so.
    """

    sources: tuple[MergedSource, ...]
    duplicates: tuple[SamePhoto, ...]
    dropped: int
    lost: Counter[str]


def merge_datasets(
    datasets: Sequence[Dataset],
    folder: Path | str,
    to: str = "coco",
    *,
    drop_duplicates: bool = False,
    pictures: PicturesAs = "copy",
    workers: int = 2,
    overwrite: bool = False,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Merged:
    """Writes all data sets as one; see `write_dataset`.

    Args:
        datasets: each opened with the same label map.
        folder: what to make.
        to: the format; all but COCO lose which source labels what.
        drop_duplicates: whether photos that an earlier source holds, too, are left out.
        pictures: what becomes of them.
        workers: pictures in work at a time.
        overwrite: replace a folder that is there.
        settings: the limits.
        on_photo: called after each photo that was looked at, for progress.

    Raises:
        DatasetError: what does not hold, where a data set was opened without `on_invalid`.
        OutputError: the folder is there already, holds what is read, or cannot be written.
    """
    settings = settings or Settings()
    sources = [MergedSource(name) for name in source_names([dataset.path for dataset in datasets])]
    keys: list[tuple[int, str, str]] = []  # of every photo with a fingerprint: its source, its name there, its split
    prints: list[Fingerprint] = []
    broken: set[tuple[int, str]] = set()
    for number, dataset in enumerate(datasets):
        sources[number].names = frozenset(
            names_in(_looked_at(dataset, number, keys, prints, broken, workers, settings, on_photo))
        )
    pairs = _across(find_duplicates(prints), [source for source, _, _ in keys], [one.sha256 for one in prints])
    duplicates = [
        SamePhoto(
            first=f"{sources[keys[pair.first][0]].name}: {keys[pair.first][1]}",
            second=f"{sources[keys[pair.second][0]].name}: {keys[pair.second][1]}",
            exact=pair.exact,
            splits=(keys[pair.first][2], keys[pair.second][2]),
        )
        for pair in pairs
    ]
    dropped = {keys[pair.second][:2] for pair in pairs} if drop_duplicates else set()

    left_out = dropped | broken

    def samples() -> Iterator[Sample]:
        for number, dataset in enumerate(datasets):
            source = sources[number]
            for sample in dataset:
                if (number, photo_key(sample, dataset.path)) in left_out:
                    continue
                source.photos[sample.split or NO_SPLIT] += 1
                source.annotations += len(sample.annotations)
                yield replace(sample, source=sample.source or source.name)

    every = [Sample(b"", "", labelled=source.names) for source in sources]
    first = datasets[0] if datasets else None
    lost = write_dataset(
        samples(),
        folder,
        to,
        names=names_in(every),
        pictures=pictures,
        overwrite=overwrite,
        on_invalid=first.refuse if first is not None else None,
        settings=settings,
    )
    return Merged(tuple(sources), tuple(sorted(duplicates, key=lambda one: one.splits[0] == one.splits[1])), len(dropped), lost)


def _across(pairs: Sequence[Duplicate], sources: Sequence[int], files: Sequence[str]) -> list[Duplicate]:
    """The pairs of different sources; of a photo that its own source holds twice, each copy in one.

    Args:
        pairs: as `find_duplicates` gives them, which compares one of several copies of a file with other photos.
        sources: of each photo, its source's place.
        files: of each photo, the hash of its file.
    """
    across = [pair for pair in pairs if sources[pair.first] != sources[pair.second]]
    first_of = {files[pair.second]: pair.first for pair in reversed(across)}
    told = {pair.second for pair in across}
    copies = [
        Duplicate(first_of[file], place, exact=files[first_of[file]] == file)
        for place, file in enumerate(files)
        if place not in told and file in first_of and sources[first_of[file]] != sources[place]
    ]
    return sorted([*across, *copies])


def _looked_at(
    dataset: Dataset,
    number: int,
    keys: list[tuple[int, str, str]],
    prints: list[Fingerprint],
    broken: set[tuple[int, str]],
    workers: int,
    settings: Settings,
    on_photo: Callable[[], None],
) -> Iterator[Sample]:
    """The photos of a data set, each after its fingerprint was taken; one that cannot be decoded is told by its data set."""

    def look(sample: Sample) -> Fingerprint | DatasetError:
        try:
            photo = decode_picture(sample, settings, enough_side=ENOUGH_SIDE)
        except DatasetError as error:
            return error
        return fingerprint(photo.image, photo.sha256)

    with closing(map_in_order(look, iter(dataset), workers=workers)) as looked:  # type: ignore[type-var]  # a generator
        for sample, found in looked:
            if isinstance(found, DatasetError):
                dataset.refuse(found)
                broken.add((number, photo_key(sample, dataset.path)))
            else:
                keys.append((number, photo_key(sample, dataset.path), sample.split or NO_SPLIT))
                prints.append(found)
                yield sample
            on_photo()


def source_names(paths: Sequence[Path]) -> list[str]:
    """What photos of each data set are said to come from: its name, with its folder's where two are called alike.

    >>> source_names([Path("a/labels.json"), Path("b/labels.json"), Path("c/cars.zip")])
    ['a-labels', 'b-labels', 'cars']
    >>> source_names([Path("/cars"), Path("/cars")])
    ['cars', 'cars-2']
    """
    plain = [path.stem or "data" for path in paths]
    parents = [path.absolute().parent.name for path in paths]
    longer = [
        f"{parent}-{name}" if plain.count(name) > 1 and parent else name for parent, name in zip(parents, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    names = []
    for name in longer:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def merge_table(merged: Merged) -> str:
    """What each source brought, and which types of the others it does not label, for a terminal."""
    every = names_in(Sample(b"", "", labelled=source.names) for source in merged.sources)
    splits = list(dict.fromkeys(split for source in merged.sources for split in source.photos))
    rows: list[Cells] = [("source", "photos", "annotations", *splits, "does not label")]
    for source in merged.sources:
        others = ", ".join(name for name in every if name not in source.names) or "–"
        counts = [str(source.photos[split]) for split in splits]
        rows.append((printable(source.name), str(source.photos.total()), str(source.annotations), *counts, printable(others)))
    return aligned(rows)


def told_duplicates(merged: Merged, most: int = 20) -> list[str]:
    """Lines on the photos that several sources hold."""
    if not merged.duplicates:
        return []
    across = sum(one.splits[0] != one.splits[1] for one in merged.duplicates)
    became = (
        f"the later {merged.dropped} are left out" if merged.dropped else "all are kept; --drop-duplicates leaves the later out"
    )
    lines = [f"{len(merged.duplicates)} photos are in several sources, {across} of them in different splits; {became}"]
    for one in merged.duplicates[:most]:
        what = "same file" if one.exact else "near-duplicates"
        splits = f" ({' and '.join(one.splits)})" if one.splits[0] != one.splits[1] else ""
        lines.append(f"  {what}: {printable(one.first)}, {printable(one.second)}{splits}")
    more = len(merged.duplicates) - most
    return [*lines, *([f"  … and {more} more"] if more > 0 else [])]
