"""The pipeline: every photo prepared into a staging folder, all looked at together once, then written where they belong.

    list ─▶ prepare ─▶ settle ─▶ publish ─▶ finish
            (each)     (once)    (some)     (once)

Pictures never travel between steps: what does is a few kilobytes a photo, its fingerprint, labels and credits. Each step may run
twice, as runners repeat what failed, and comes to the same.

Classes stand at the top level of an importable module, so that workers need nothing but Dentify installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.pvalue import AsIter

from dentify.beam.annotations import place_annotations
from dentify.beam.credits import read_credits
from dentify.beam.filesystems import (
    exists,
    is_remote,
    join,
    move,
    open_to_write,
    read_file,
    read_photo,
    remove,
    write_file,
    writing,
)
from dentify.beam.listing import Item, item_from_dict
from dentify.beam.prepare import SUFFIXES, Recipe, prepare_photo
from dentify.beam.results import RESULTS, Failed, Results, Written, member_json
from dentify.beam.shards import shard_name, write_shard
from dentify.beam.summary import Summary
from dentify.curation.duplicates import Fingerprint, duplicate_groups, find_duplicates
from dentify.errors import DatasetError, DentifyError, printable
from dentify.settings import Settings

FINISHED = "_SUCCESS"
"""Written last, with the counts of the run: where it is missing, nothing is finished."""
UNFINISHED = ".unfinished"
"""Folder of a run that is under way, or was killed."""

FOLDERS = ("images", "shards")
"""What pictures are in, whichever was asked for."""

_MOVES_AT_ONCE = 64
_FETCHED_AHEAD = 8

Duplicates = Literal["near", "exact", "none"]


@dataclass(frozen=True)
class Plan:
    """What a run is to do; travels to every worker.

    Attributes:
        output: where results go, a path or an address.
        recipe: what becomes of each photo.
        write: single pictures, or shards.
        shard_size: pictures in a shard.
        drop: which duplicates are left out.
        threads: photos in work at a time in one worker.
        settings: the limits.
        labelled: whether the input has labels.
    """

    output: str
    recipe: Recipe
    write: Literal["pictures", "shards"]
    shard_size: int
    drop: Duplicates
    threads: int
    settings: Settings
    labelled: bool = False

    @property
    def staging(self) -> str:
        """Where everything is that is under way."""
        return join(self.output, UNFINISHED)

    @property
    def target(self) -> str:
        """Where results are put together: within the staging folder where a rename puts them in place, else in place."""
        return self.output if is_remote(self.output) else join(self.staging, "results")

    @property
    def staged_folder(self) -> str:
        """Where prepared pictures gather."""
        return join(self.staging, "pictures")

    def staged(self, index: int) -> str:
        """Where a prepared picture waits to be written."""
        return join(self.staged_folder, f"{index:08d}{SUFFIXES[self.recipe.picture_format]}")


@dataclass(frozen=True, eq=False)
class Outcome:
    """One item after its preparation: a photo with its fingerprint, or what is wrong with it."""

    index: int
    photo: Written | None = None
    fingerprint: Fingerprint | None = None
    failed: Failed | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """Pictures to publish together.

    Attributes:
        moves: index and name of single pictures, which are moved into place.
        members: index and photo of pictures that become one shard.
        shard: its name.
    """

    moves: tuple[tuple[int, str], ...] = ()
    members: tuple[tuple[int, Written], ...] = ()
    shard: str = ""


def build(pipeline: beam.Pipeline, list_path: str, plan: Plan) -> None:
    """Adds all steps to a pipeline.

    Args:
        pipeline: to add to.
        list_path: a file whose lines are JSON lists of items.
        plan: what to do.
    """
    outcomes = (
        pipeline
        | "List" >> beam.io.ReadFromText(list_path, compression_type=CompressionTypes.UNCOMPRESSED)
        | "Spread" >> beam.Reshuffle()
        | "Prepare" >> beam.ParDo(PreparePhotos(plan))
    )
    published = (
        pipeline
        | "Once all are prepared" >> beam.Create([None])
        | "Settle" >> beam.ParDo(Settle(plan), AsIter(outcomes))
        | "Spread tasks" >> beam.Reshuffle()
        | "Publish" >> beam.ParDo(Publish(plan))
    )
    _ = pipeline | "Once all are published" >> beam.Create([None]) | "Finish" >> beam.ParDo(Finish(plan), AsIter(published))


class PreparePhotos(beam.DoFn):  # type: ignore[misc]  # Beam counts as untyped
    """Lines of the list in, an `Outcome` for each photo out; its picture is written to the staging folder."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pool: ThreadPoolExecutor | None = None

    def setup(self) -> None:
        """Starts the threads. Decoding, resizing and encoding leave Python's lock alone, so they help."""
        if self._plan.threads > 1:
            self._pool = ThreadPoolExecutor(self._plan.threads, thread_name_prefix="dentify")

    def teardown(self) -> None:
        """Ends them."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def process(self, element: str) -> Iterator[Outcome]:
        """One line: a list of items."""
        items = [item_from_dict(document) for document in json.loads(element)]
        prepare = partial(prepare_item, plan=self._plan)
        for outcome in map(prepare, items) if self._pool is None else self._pool.map(prepare, items):
            beam.metrics.Metrics.counter("dentify", "failed" if outcome.photo is None else "prepared").inc()
            yield outcome


def prepare_item(item: Item, plan: Plan) -> Outcome:
    """Reads and prepares one photo, and puts its picture into the staging folder.

    Raises:
        OutputError: the picture cannot be written.
    """
    where = printable(item.path)
    try:
        if item.error is not None:
            raise DatasetError(item.error)
        data = read_photo(item.path, where=where, settings=plan.settings)
        prepared = prepare_photo(data, plan.recipe, where=where, settings=plan.settings)
        photo_hw = prepared.placement.photo_hw
        if item.size_hw is not None and item.size_hw != photo_hw:
            told, found = (f"{size[1]} × {size[0]}" for size in (item.size_hw, photo_hw))
            raise DatasetError(f"{where}: is {found} pixels, its labels are for {told}; were they made on another copy of it?")
    except DentifyError as error:
        return Outcome(item.index, failed=Failed(item.name, type(error).__name__, str(error)))
    write_file(plan.staged(item.index), prepared.picture)
    photo = Written(
        name=item.name,
        picture=item.key + SUFFIXES[plan.recipe.picture_format],
        shard="",
        sha256=prepared.fingerprint.sha256,
        picture_sha256=prepared.picture_sha256,
        placement=prepared.placement,
        facts=item.facts,
        annotations=place_annotations(item.annotations, prepared.placement),
        credits=read_credits(data),
        notes=prepared.notes,
    )
    return Outcome(item.index, photo, prepared.fingerprint if plan.drop == "near" else None)


class Settle(beam.DoFn):  # type: ignore[misc]  # Beam counts as untyped
    """All outcomes in, once: finds duplicates, names shards, writes what stands beside the pictures; tasks to publish out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(self, element: None, outcomes: Iterable[Outcome]) -> Iterator[Task]:
        """The element only says that it is time."""
        plan = self._plan
        tasks, results = settle(outcomes, plan)
        for name, data in results.files().items():
            write_file(join(plan.staging, "beside", name), data)
        counts = asdict(_summary(results, tasks))
        del counts["notes"]
        write_file(join(plan.staging, FINISHED), (json.dumps(counts) + "\n").encode())
        yield from tasks


def settle(outcomes: Iterable[Outcome], plan: Plan) -> tuple[list[Task], Results]:
    """What becomes of each photo, and who writes it. Of duplicates the first by name is kept."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    failed = [outcome.failed for outcome in ordered if outcome.failed is not None]
    photos = [(outcome.index, outcome.photo) for outcome in ordered if outcome.photo is not None]
    firsts = _firsts([outcome for outcome in ordered if outcome.photo is not None], plan.drop)
    kept = sum(first == place for place, first in enumerate(firsts))
    shards = -(-kept // plan.shard_size) if plan.write == "shards" else 0
    written: list[Written] = []
    pictures: list[tuple[int, Written]] = []
    for place, (index, photo) in enumerate(photos):
        original = photos[firsts[place]][1]
        if original is not photo:
            exact = photo.sha256 == original.sha256
            written.append(replace(photo, picture="", duplicate_of=original.name, exact=exact))
            continue
        shard = shard_name(len(pictures) // plan.shard_size, shards) if shards else ""
        written.append(replace(photo, shard=shard))
        pictures.append((index, written[-1]))
    results = Results(written, failed, plan.labelled)
    if shards:
        starts = range(0, kept, plan.shard_size)
        members = [tuple(pictures[start : start + plan.shard_size]) for start in starts]
        return [Task(members=some, shard=some[0][1].shard) for some in members], results
    moves = [(index, one.picture) for index, one in pictures]
    return [Task(tuple(moves[start : start + _MOVES_AT_ONCE])) for start in range(0, kept, _MOVES_AT_ONCE)], results


def _firsts(photos: Sequence[Outcome], drop: Duplicates) -> list[int]:
    """For each photo the place of the one that is kept for it: its own, or that of the first it is a duplicate of."""
    match drop:
        case "near":
            prints = [one.fingerprint for one in photos if one.fingerprint is not None]
            assert len(prints) == len(photos)
            return duplicate_groups(len(photos), find_duplicates(prints))
        case "exact":
            seen: dict[str, int] = {}
            return [seen.setdefault(one.photo.sha256 if one.photo else "", place) for place, one in enumerate(photos)]
        case "none":
            return list(range(len(photos)))


def _summary(results: Results, tasks: Sequence[Task]) -> Summary:
    dropped = [one for one in results.written if one.duplicate_of]
    exact = sum(one.exact for one in dropped)
    return Summary(
        photos=len(results.written) + len(results.failed),
        written=len(results.kept),
        exact_duplicates=exact,
        near_duplicates=len(dropped) - exact,
        failed=len(results.failed),
        shards=sum(bool(task.shard) for task in tasks),
    )


class Publish(beam.DoFn):  # type: ignore[misc]  # Beam counts as untyped
    """Tasks in, the number of pictures that each put in place out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(self, element: Task) -> Iterator[int]:
        """One task. Done a second time, it finds its work done."""
        plan = self._plan
        if element.shard:
            path = join(plan.target, "shards", element.shard)
            with writing(path), open_to_write(path) as stream:
                write_shard(stream, shard_entries(element, plan))
        else:
            move([(plan.staged(index), join(plan.target, "images", name)) for index, name in element.moves])
        yield len(element.moves) + len(element.members)


def shard_entries(task: Task, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Each picture of a shard and its JSON; the next few are fetched while one is written."""
    suffix = SUFFIXES[plan.recipe.picture_format]
    with ThreadPoolExecutor(_FETCHED_AHEAD) as pool:
        for start in range(0, len(task.members), _FETCHED_AHEAD):
            some = task.members[start : start + _FETCHED_AHEAD]
            for (_, one), picture in zip(some, pool.map(read_file, [plan.staged(index) for index, _ in some]), strict=True):
                yield one.picture, picture
                yield one.picture.removesuffix(suffix) + ".json", member_json(one)


class Finish(beam.DoFn):  # type: ignore[misc]  # Beam counts as untyped
    """Puts everything in its place, writes `_SUCCESS` last, and takes the staging folder away."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(self, element: None, published: Iterable[int]) -> Iterator[None]:
        """The element only says that it is time. Done a second time, it finds `_SUCCESS` in place."""
        plan = self._plan
        marker = join(plan.staging, FINISHED)
        if exists(marker):
            assert sum(published) == json.loads(read_file(marker))["written"]
            names = [name for name in RESULTS if exists(join(plan.staging, "beside", name))]
            move([(join(plan.staging, "beside", name), join(plan.target, name)) for name in names])
            if plan.target != plan.output:
                places = [name for name in FOLDERS + RESULTS if exists(join(plan.target, name))]
                move([(join(plan.target, name), join(plan.output, name)) for name in places])
            move([(marker, join(plan.output, FINISHED))])
        remove(plan.staging)
        yield from ()
