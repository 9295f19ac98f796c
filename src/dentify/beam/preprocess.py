"""`preprocess`: photos of a folder or data set, made ready for training, here or on a cluster.

    preprocess("photos", "ready", recipe=Recipe(size_wh=(512, 512)))
    preprocess("gs://bucket/photos", "gs://bucket/ready", runner="DataflowRunner", beam_options=["--project=…", …])

Nothing but pixels reaches the pictures; duplicates are left out, labels move with the photos, and who made a photo under which
licence is kept beside it. See `docs/how-to/dataflow.md` for what is written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dentify import errors
from dentify.beam.prepare import Recipe
from dentify.beam.summary import Summary
from dentify.datasets.labels import LabelMap
from dentify.datasets.turning import Frame
from dentify.errors import ConfigError, DentifyError, InputError, MissingExtraError, OutputError, printable
from dentify.settings import Settings
from dentify.strict import nearest
from dentify.writing import locked_folder

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from dentify.beam.listing import Item
    from dentify.beam.pipeline import Plan

LOCAL = "local"
"""The runner that needs nothing else: Beam's in-process one, with threads of ours."""

_ITEMS_A_LINE = 16
_THREADS_A_CORE_FOR_NETWORK = 4
_RUNNER_ERROR = re.compile(r"dentify\.errors\.(\w+): (.*?)(?: \[while running .*)?$", re.MULTILINE)


def preprocess(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    recipe: Recipe | None = None,
    write: Literal["pictures", "shards"] = "pictures",
    shard_size: int = 1000,
    drop: Literal["near", "exact", "none"] = "near",
    pictures_only: bool = False,
    input_format: str | None = None,
    images: str | None = None,
    labels: LabelMap | None = None,
    frame: Frame = "upright",
    runner: str = LOCAL,
    beam_options: Sequence[str] = (),
    threads: int | None = None,
    overwrite: bool = False,
    wait: bool = True,
    settings: Settings | None = None,
    on_start: Callable[[int, str], None] | None = None,
) -> Summary | None:
    """Prepares all photos of an input.

    Args:
        source: a folder, a glob or a data set here, or a zip of one; a prefix or glob on `gs://` or `s3://`, whose labels must be
            COCO.
        output: a folder or prefix, empty or of an earlier run.
        recipe: size, fit and encoding of the pictures.
        write: `images/…`, or WebDataset shards of `shard_size` pictures.
        shard_size: pictures in a shard.
        drop: leave out near-duplicates, files that are the same alone, or nothing. Near ones take time that grows with the square
            of their number: 20,000 photos a minute, on one worker.
        pictures_only: leave labels alone.
        input_format: the data set's format; without it the files tell.
        images: folder of its pictures; without it they are looked for where tools put them.
        labels: what its words become.
        frame: what its labels are for where EXIF turns pictures: photos upright, or pictures as they are stored.
        runner: `local`, or any runner that Beam knows.
        beam_options: Beam's own options, as on a command line.
        threads: photos in work at a time in one worker; without it one a core here, four where files come over the network, and
            one on a cluster, where the runner starts as many workers as it likes.
        overwrite: replace what an earlier run finished. What a killed run left is always replaced.
        wait: whether to wait for the end of a run elsewhere.
        settings: the limits; they travel to the workers.
        on_start: is told how many photos there are and where their pictures gather, before the first is read.

    Returns:
        How it came out; `None` where nobody waits for it.

    Raises:
        ConfigError: the runner or one of its options is none.
        InputError: there is nothing to read.
        DatasetError: the labels cannot be read at all.
        OutputError: results cannot be written, or something stands in their way.
        MissingExtraError: Apache Beam is not installed.
    """
    try:
        import apache_beam as beam
        import pyarrow  # noqa: F401 - a missing extra is told now and not at the end of the run
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="preprocessing", extra="beam") from error
    from dentify.beam.filesystems import is_remote, use_options
    from dentify.beam.listing import Reading, list_input
    from dentify.beam.pipeline import Plan, build

    source, output = os.fspath(source), os.fspath(output).rstrip("/") or "/"
    recipe, settings = recipe or Recipe(), settings or Settings()
    options = _options(runner, beam_options)
    use_options(options, source, output)
    _check_places(source, output)
    plan = Plan(output, recipe, write, shard_size, drop, threads or _threads(runner, source, output), settings)
    with locked_folder(None if is_remote(output) else Path(output)):
        _clear_unfinished(plan, overwrite=overwrite)
        listing = list_input(
            source,
            Reading(f"{plan.staging}/embedded", settings, input_format, images, labels, frame, pictures_only=pictures_only),
        )
        _clear_finished(plan)
        plan = replace(plan, labelled=listing.labelled)
        list_path = _write_list(listing.items, plan)
        if on_start is not None:
            on_start(len(listing.items), plan.staged_folder)
        with _one_line_errors():
            pipeline = beam.Pipeline(options=options)
            build(pipeline, list_path, plan)
            result = pipeline.run()
            if not wait or _is_template(options):
                return None
            result.wait_until_finish()
        return _summary(plan, tuple(listing.notes))


def _options(runner: str, beam_options: Sequence[str]) -> PipelineOptions:
    """Beam's options, checked as far as Dentify can know them: those of a cluster are known to its job server alone."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import create_runner

    name = "FnApiRunner" if runner == LOCAL else runner
    try:
        create_runner(name)
    except (ValueError, AttributeError, ImportError) as error:
        raise ConfigError(
            f"--runner {printable(runner)}: no such runner; give {LOCAL}, or one of Beam's, such as DataflowRunner, FlinkRunner, "
            "SparkRunner or PortableRunner"
        ) from error
    flags = [f"--runner={name}", *beam_options]
    try:
        options = PipelineOptions(flags)
        given = options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:  # argparse has said what is wrong
        raise ConfigError("one of Beam's options has no fitting value") from error
    if runner == LOCAL:
        known = PipelineOptions([]).get_all_options()
        for key in given.keys() - known.keys():
            advice = nearest(f"--{key}", [f"--{one}" for one in known])
            raise ConfigError(f"--{printable(key)}: no option of preprocess or Beam{advice}")
    return options


def _is_template(options: PipelineOptions) -> bool:
    """Whether this run only makes the job's graph, which Dataflow then starts: so it is within a Flex Template's launcher."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions

    return options.view_as(GoogleCloudOptions).template_location is not None


def _threads(runner: str, source: str, output: str) -> int:
    from dentify.beam.filesystems import is_remote

    if runner != LOCAL:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores * (_THREADS_A_CORE_FOR_NETWORK if is_remote(source) or is_remote(output) else 1)


def _check_places(source: str, output: str) -> None:
    """Makes sure that neither place lies within the other: pictures would be taken for photos, or photos replaced."""
    if re.search(r"[*?\[]", output):  # Beam takes it for a pattern
        raise OutputError(f"{printable(output)}: results need one place, without * ? [")
    one, other = (_whole(path) for path in (source, output))
    if one.startswith(other) or other.startswith(one):
        raise OutputError(
            f"{printable(output)}: results and photos need places apart; {printable(source)} is within, or around it"
        )


def _whole(path: str) -> str:
    """A folder's or prefix's own name, with a stroke at its end; of a glob that of the folder before its first wildcard."""
    from dentify.beam.filesystems import is_remote

    wildcard = re.search(r"[*?\[]", path)
    if wildcard is not None and (is_remote(path) or not Path(path).exists()):
        path = path[: wildcard.start()].rpartition("/")[0]
    return path.rstrip("/") + "/" if is_remote(path) else f"{Path(path).resolve()}/"


def _clear_unfinished(plan: Plan, *, overwrite: bool) -> None:
    """Makes sure that results may be written, and removes what a killed run left."""
    from dentify.beam.filesystems import exists, is_empty, is_remote, join, remove
    from dentify.beam.pipeline import FINISHED

    where = printable(plan.output)
    if exists(join(plan.output, FINISHED)):
        if not overwrite:
            if not is_remote(plan.output):  # where nobody else is at work: the place is locked, where there are locks
                remove(plan.staging)  # of a run that was killed after its last step
            raise OutputError(f"{where}: holds results; --overwrite replaces them")
    elif not is_empty(plan.staging):
        _clear_finished(plan)  # what a killed run had put in place already
    elif not is_empty(plan.output):
        raise OutputError(f"{where}: holds files that preprocess has not written; choose an empty place")
    remove(plan.staging)


def _clear_finished(plan: Plan) -> None:
    """Removes an earlier run's results, what says that they are finished first; files of others stay."""
    from dentify.beam.filesystems import is_empty, join, remove
    from dentify.beam.pipeline import FINISHED, FOLDERS
    from dentify.beam.results import RESULTS

    for name in () if is_empty(plan.output) else (FINISHED, *RESULTS, *FOLDERS):
        remove(join(plan.output, name))


def _write_list(items: Sequence[Item], plan: Plan) -> str:
    """The list that the pipeline begins with: some items on each line, prepared together by one worker."""
    from dentify.beam.filesystems import join, write_file
    from dentify.beam.listing import item_to_json

    documents = [item_to_json(item) for item in items]
    starts = range(0, len(documents), _ITEMS_A_LINE)
    lines = [f"[{','.join(documents[start : start + _ITEMS_A_LINE])}]\n" for start in starts]
    path = join(plan.staging, "list.jsonl")
    write_file(path, "".join(lines).encode())
    return path


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Runners wrap what their workers raise into texts; an error of ours is raised as what it was."""
    try:
        yield
    except DentifyError:
        raise
    except Exception as error:  # each runner has a class of its own for them; what holds no error of ours is raised as it is
        match = _RUNNER_ERROR.search(str(error))
        if match is None:
            raise
        kind = getattr(errors, match[1], DentifyError)
        raise (kind if issubclass(kind, OutputError | InputError) else DentifyError)(match[2]) from error


def _summary(plan: Plan, notes: tuple[str, ...]) -> Summary:
    from dentify.beam.filesystems import join, read_file
    from dentify.beam.pipeline import FINISHED

    return Summary(**json.loads(read_file(join(plan.output, FINISHED))), notes=notes)
