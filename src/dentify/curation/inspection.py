"""`inspect_dataset`: what a data set holds, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
from pydantic import Field

from dentify.curation.duplicates import ENOUGH_SIDE, Fingerprint, find_duplicates, fingerprint
from dentify.datasets.dataset import Dataset
from dentify.datasets.formats import FORMATS
from dentify.datasets.pictures import walk
from dentify.datasets.sample import UNTYPED, Kind, Sample, photo_kind
from dentify.datasets.sample_picture import check_picture, decode_picture, missing_picture
from dentify.datasets.splits import photo_key
from dentify.errors import DatasetError, printable
from dentify.imaging.formats import is_picture_name
from dentify.in_order import map_in_order
from dentify.names import clean_name
from dentify.settings import Settings
from dentify.strict import Strict

NO_SPLIT = "all"
"""What photos without a split are counted under."""
MARKS = ("unsure", "other_car", "loose")
"""What an annotation may be marked as."""
_WANTED = ("label map", "ignore")  # in rules by which something is left out that somebody wanted so
EXAMPLES = 6
"""Photos a type that an inspection keeps for the page."""


class Spread(Strict):
    """Smallest, middle and largest of many values."""

    min: float
    median: float
    max: float


class SplitFigures(Strict):
    """Photos of a split, how many of them are labelled at all (annotations, labels, vehicle or damage), and annotations."""

    photos: int
    labelled: int
    annotations: int


class TypeFigures(Strict):
    """One word of the source.

    Attributes:
        kind: damage, part, or something else.
        instances: annotations of it; `crowds` of them are regions of many, `ignored` are to be ignored.
        photos: photos that hold one.
        boxes, polygons, masks: instances by what is known of their outline.
        area_share: of the photo; `None` where no photo's size is known.
        splits: instances by split.
    """

    kind: Kind
    instances: int
    photos: int
    boxes: int
    polygons: int
    masks: int
    crowds: int
    ignored: int
    area_share: Spread | None
    splits: dict[str, int]


class PhotoFigures(Strict):
    """Sizes of the photos whose size is known, in pixels, and their shapes."""

    width: Spread
    height: Spread
    landscape: int
    portrait: int
    square: int


class Problem(Strict):
    """One thing that does not hold: sorted by `kind`, told in a line."""

    kind: str
    message: str


class SamePhotos(Strict):
    """Two photos that are one: the same file, or near-duplicates."""

    first: str
    second: str
    exact: bool
    splits: tuple[str, str]

    @property
    def across(self) -> bool:
        """Whether they lie in different splits."""
        return self.splits[0] != self.splits[1]


class Inspection(Strict):
    """What `dentify dataset inspect` tells; JSON by `model_dump_json`.

    Attributes:
        kinds: photos by what is known of them as a whole: `damaged`, `undamaged`, `no_vehicle`, `vehicle` (damaged or not: nobody
            said) and `unknown`. Annotations count as knowledge.
        labels: words of whole photos.
        severities, photo_severities: of annotations, and of whole photos.
        views: sides from which vehicles are seen, in the words of the source.
        marks: annotations that are `unsure`, of another vehicle (`other_car`), or of a `loose` part.
        untyped: annotations of damage whose type nobody told.
        adjusted: what was normalised, ignored or left out, by rule.
        unknown: words of the source that nobody explained; they are neither damage nor parts.
        attributes: what was said beside labels and is not read: by attribute how often each value.
    """

    path: str
    format: str
    title: str
    splits: dict[str, SplitFigures]
    types: dict[str, TypeFigures]
    kinds: dict[str, int]
    labels: dict[str, int]
    severities: dict[str, int]
    photo_severities: dict[str, int]
    views: dict[str, int]
    marks: dict[str, int]
    untyped: int
    sources: dict[str, int]
    sizes: PhotoFigures | None
    pictures_read: bool
    problems: tuple[Problem, ...]
    duplicates: tuple[SamePhotos, ...]
    notes: tuple[str, ...]
    adjusted: dict[str, int] = Field(default_factory=dict)
    unknown: dict[str, int] = Field(default_factory=dict)
    attributes: dict[str, dict[str, int]] = Field(default_factory=dict)

    @property
    def photos(self) -> int:
        """All photos."""
        return sum(split.photos for split in self.splits.values())


class Inspected(NamedTuple):
    """An inspection, and photos to show: by type those whose names come first in an order by hash."""

    inspection: Inspection
    examples: dict[str, list[Sample]]
    photos: dict[str, Sample]  # those that duplicates name


class _Tally:
    """One type while photos pass by."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.outlines: Counter[str] = Counter()
        self.photos = self.crowds = self.ignored = 0
        self.shares: list[float] = []
        self.splits: Counter[str] = Counter()
        self.examples: list[tuple[bytes, Sample]] = []


def inspect_dataset(
    dataset: Dataset,
    problems: list[DatasetError],
    *,
    pictures: bool = True,
    workers: int = 2,
    settings: Settings | None = None,
    on_photo: Callable[[], None] = lambda: None,
) -> Inspected:
    """Counts what a data set holds, looks for what is wrong, and for photos that it holds twice.

    Args:
        dataset: opened with `check_pictures=False` and `on_invalid=problems.append`.
        problems: where it reports what does not hold; what is found here is added.
        pictures: whether pictures are decoded, which finds broken ones and near-duplicates.
        workers: pictures in work at a time.
        settings: the limits.
        on_photo: called after each photo, for progress.

    Raises:
        DatasetError: the labels as a whole cannot be read.
    """
    settings = settings or Settings()
    tallies: dict[str, _Tally] = {}
    splits: dict[str, Counter[str]] = defaultdict(Counter)
    facts: dict[str, Counter[str]] = defaultdict(Counter)
    sizes: list[tuple[int, int]] = []
    keys: list[tuple[str, str]] = []  # of photos with a fingerprint: what it is called, its split
    prints: list[Fingerprint] = []
    listed: set[str] = set()

    def look(sample: Sample) -> tuple[Fingerprint | None, DatasetError | None]:
        try:
            check_picture(sample, settings, dataset.on_turned)
            if pictures:
                photo = decode_picture(sample, settings, enough_side=ENOUGH_SIDE)
                return fingerprint(photo.image, photo.sha256), None
        except DatasetError as error:
            return None, DatasetError(str(error), kind=error.kind)  # a raised one holds the frames that it came through
        return None, None

    def count(sample: Sample, found: Fingerprint | None, problem: DatasetError | None) -> None:
        if problem is not None:
            dataset.refuse(problem)
        split = clean_name(sample.split or NO_SPLIT)
        key = photo_key(sample, dataset.path)
        listed.add(key)
        if found is not None:
            keys.append((key, split))
            prints.append(found)
        known = bool(sample.annotations or sample.labels or photo_kind(sample))
        splits[split].update(photos=1, labelled=int(known), annotations=len(sample.annotations))
        for fact, words in _facts(sample):
            if words:
                facts[fact].update(words)
        if sample.size_hw is not None:
            sizes.append(sample.size_hw)
        for repeated in _repeated_outlines(sample):
            dataset.refuse(repeated)
        _count(sample, split, tallies)
        on_photo()

    def readable() -> Iterator[Sample]:
        """Photos whose picture is there; the others, of which labels may name many, are nothing for a worker."""
        for sample in dataset:
            missing = missing_picture(sample)
            if missing is None:
                yield sample
            else:
                count(sample, None, missing)

    with closing(map_in_order(look, readable(), workers=workers)) as looked:  # type: ignore[type-var]  # a generator
        for sample, (found, problem) in looked:
            count(sample, found, problem)

    read = any(kind != "unknown" for kind in facts["kinds"]) or facts["labels"] or tallies
    left_out = [rule for rule in dataset.adjustments.counts if "left out" in rule and not any(map(rule.__contains__, _WANTED))]
    if left_out and not read:
        reasons = "; ".join(left_out)
        dataset.refuse(DatasetError(f"{dataset.path}: nothing was read of what it labels: {reasons}"))
    pairs = find_duplicates(prints)
    duplicates = tuple(
        SamePhotos(first=keys[a][0], second=keys[b][0], exact=exact, splits=(keys[a][1], keys[b][1])) for a, b, exact in pairs
    )
    inspection = Inspection(
        path=clean_name(str(dataset.path)),
        format=dataset.format,
        title=FORMATS[dataset.format].title,
        splits={name: SplitFigures(**counts) for name, counts in sorted(splits.items(), key=lambda item: _split_order(item[0]))},
        types={name: _figures(tally) for name, tally in sorted(tallies.items(), key=lambda item: _type_order(*item))},
        kinds=dict(facts["kinds"].most_common()),
        labels=dict(facts["labels"].most_common()),
        severities=dict(facts["severities"].most_common()),
        photo_severities=dict(facts["photo_severities"].most_common()),
        views=dict(facts["views"].most_common()),
        marks=dict(facts["marks"].most_common()),
        untyped=tallies[UNTYPED].outlines.total() if UNTYPED in tallies else 0,
        sources=dict(facts["sources"].most_common()),
        sizes=_sizes(sizes),
        pictures_read=pictures,
        problems=tuple(Problem(kind=error.kind, message=printable(str(error))) for error in problems),
        duplicates=tuple(sorted(duplicates, key=lambda pair: (not pair.across, not pair.exact, pair.first, pair.second))),
        adjusted=dict(dataset.adjustments.counts),
        unknown={clean_name(word): count for word, count in dataset.unknown.most_common()},
        attributes={
            clean_name(name): {clean_name(value): count for value, count in values.most_common()}
            for name, values in dataset.attributes.items()
        },
        notes=tuple(printable(note) for note in (*dataset.notes, *_unlisted(dataset, listed))),
    )
    examples = {name: [sample for _, sample in tally.examples] for name, tally in tallies.items()}
    wanted = {name for pair in inspection.duplicates[: 2 * EXAMPLES] for name in (pair.first, pair.second)}
    told = len(problems)
    shown = {key: sample for sample in dataset if (key := photo_key(sample, dataset.path)) in wanted} if wanted else {}
    del problems[told:]  # which reading it again told again
    return Inspected(inspection, examples, shown)


def _facts(sample: Sample) -> Iterator[tuple[str, list[str]]]:
    """What a photo and its annotations say beside types, by the field of `Inspection` that counts it."""
    annotations = sample.annotations
    yield "kinds", [photo_kind(sample) or "unknown"]
    yield "labels", [clean_name(word) for word in sample.labels]
    yield "sources", [clean_name(sample.source)] if sample.source else []
    yield "severities", [one.severity for one in annotations if one.severity]
    yield "photo_severities", [sample.severity] if sample.severity else []
    yield "views", [clean_name(sample.view)] if sample.view else []
    yield "marks", [mark for mark in MARKS for one in annotations if getattr(one, mark)]


def _count(sample: Sample, split: str, tallies: dict[str, _Tally]) -> None:
    if not sample.annotations:
        return
    rank = hashlib.sha256(sample.name.encode("utf-8", "replace")).digest()
    for annotation in sample.annotations:
        tally = tallies.setdefault(clean_name(annotation.name), _Tally(annotation.kind))
        tally.outlines["polygons" if annotation.polygons else "masks" if annotation.rle is not None else "boxes"] += 1
        tally.crowds += annotation.crowd
        tally.ignored += annotation.ignored
        tally.splits[split] += 1
        if sample.size_hw is not None:
            tally.shares.append(annotation.area / (sample.size_hw[0] * sample.size_hw[1]))
    for name in {clean_name(annotation.name) for annotation in sample.annotations}:
        tally = tallies[name]
        tally.photos += 1
        if len(tally.examples) < EXAMPLES or rank < tally.examples[-1][0]:
            tally.examples = sorted([*tally.examples, (rank, sample)], key=lambda item: item[0])[:EXAMPLES]


def _repeated_outlines(sample: Sample) -> Iterator[DatasetError]:
    """Outlines that a photo holds twice, of one type or of two."""
    seen: dict[object, str] = {}
    for annotation in sample.annotations:
        outline: object = annotation.box_xyxy
        if annotation.polygons:
            outline = tuple(polygon.tobytes() for polygon in annotation.polygons)
        elif annotation.rle is not None:
            outline = annotation.rle.counts
        if outline in seen:
            of = (
                f"of {annotation.name!r}" if seen[outline] == annotation.name else f"of {seen[outline]!r} and {annotation.name!r}"
            )
            kind = "same outline twice" if seen[outline] == annotation.name else "one outline, two types"
            yield DatasetError(f"{sample.where}: {printable(sample.name)} holds one outline twice, {of}", kind=kind)
        seen[outline] = annotation.name


def _figures(tally: _Tally) -> TypeFigures:
    return TypeFigures(
        kind=tally.kind,
        instances=tally.outlines.total(),
        photos=tally.photos,
        boxes=tally.outlines["boxes"],
        polygons=tally.outlines["polygons"],
        masks=tally.outlines["masks"],
        crowds=tally.crowds,
        ignored=tally.ignored,
        area_share=_spread(tally.shares) if tally.shares else None,
        splits=dict(sorted(tally.splits.items(), key=lambda item: _split_order(item[0]))),
    )


def _sizes(sizes: Sequence[tuple[int, int]]) -> PhotoFigures | None:
    if not sizes:
        return None
    heights, widths = zip(*sizes, strict=True)
    return PhotoFigures(
        width=_spread(widths),
        height=_spread(heights),
        landscape=sum(w > h for h, w in sizes),
        portrait=sum(w < h for h, w in sizes),
        square=sum(w == h for h, w in sizes),
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(min=float(min(values)), median=float(np.median(values)), max=float(max(values)))


def _unlisted(dataset: Dataset, listed: set[str]) -> Iterator[str]:
    """A note of pictures that lie in the folder and are not in the labels that were read."""
    if not dataset.path.is_dir() or dataset.format in ("masks", "folders"):
        return
    others = [path for path in walk(dataset.path) if is_picture_name(path.name)]
    unlisted = [path for path in others if clean_name(path.relative_to(dataset.path).as_posix()) not in listed]
    if unlisted:
        yield f"{len(unlisted)} pictures below {dataset.path} are not in these labels, {unlisted[0]} for one"


def _split_order(name: str) -> tuple[int, str]:
    known = ("train", "val", "test")
    return known.index(name) if name in known else len(known), name


def _type_order(name: str, tally: _Tally) -> tuple[int, int, str]:
    return ("damage", "part", "other").index(tally.kind), -tally.outlines.total(), name
