"""Tuning: many runs of a recipe, each with other values of the keys that its `search` names, and the best of them.

    dentify tune my-recipe.yaml --data DIR --trials 40

A trial is a run in a folder of its own, `trials/0000` and so on, below the study's. Optuna chooses its values from what trials
before it came to (TPE), and ends one early whose figure falls below the median of theirs. Any number of processes on one machine
may share a study; `study.db`, an SQLite file, holds what they found, and whoever starts again goes on with it.

A process that dies loses the trial that it was at and nothing else: it holds a lock on the file `running` in the trial's folder,
which the system lets go of with the process, so that others see at once that nobody is at the trial any more. Heartbeats, which
Optuna offers for this, take a minute to tell, and take a process that slept for a dead one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentify.datasets import Sample
from dentify.errors import ConfigError, MissingExtraError, OutputError, TrainingError
from dentify.runtime.session import Device
from dentify.spreadsheets import csv_bytes, csv_line, safe_cell
from dentify.training.beginning import LAST
from dentify.training.judging import figure_names, read_judges
from dentify.training.loop import Progress, train
from dentify.training.photos import read_run_photos
from dentify.training.recipe import Recipe, TuneRecipe, changed, write_recipe
from dentify.training.search import AnyOf, Span, choice_key
from dentify.training.trials import State, Trial, figure_label, history_plot, importances_plot, slices_plot, tell_value
from dentify.writing import make_folder, write_whole, writing

if TYPE_CHECKING:
    import optuna
    from filelock import FileLock

STUDY, TRIALS, BEST, TABLE = "study.db", "trials", "best.yaml", "trials.csv"
HISTORY, IMPORTANCES, SLICES = "history.png", "importances.png", "slices.png"
_LOCK, _RUNNING = ".study.lock", "running"
_RECIPE, _PHOTOS, _NOTE = "recipe", "photos", "note"
_CHANGES_NO_FIGURE: dict[str, bool | dict[str, bool]] = {
    **dict.fromkeys(("name", "description", "licence", "limits", "origins", "review", "checkpoint_every"), True),
    "data": {"workers": True},
}
_FEWEST = 4  # trials of which importances are told
_LOOK_S = 0.5  # between two looks at whether the other processes are through
_BUSY_S = 60  # that a process waits for another to be done writing to the study


@dataclass(frozen=True)
class Tuned:
    """What a study came to.

    Attributes:
        folder: of the study.
        figures: names of the figures on `val` that it was tuned for; of several, their mean.
        best: the best trial.
        trials: all, in the order of their numbers.
    """

    folder: Path
    figures: tuple[str, ...]
    best: Trial
    trials: tuple[Trial, ...]

    @property
    def label(self) -> str:
        """What it was tuned for, in words."""
        return figure_label(self.figures)

    @property
    def table(self) -> Path:
        """All trials as CSV."""
        return self.folder / TABLE

    @property
    def plots(self) -> tuple[Path, ...]:
        """History, importances and slices."""
        return tuple(self.folder / name for name in (HISTORY, IMPORTANCES, SLICES))

    @property
    def recipe(self) -> Path:
        """The recipe with the best values in their places."""
        return self.folder / BEST

    @property
    def checkpoint(self) -> Path:
        """The best trial's."""
        return trial_folder(self.folder, self.best.number) / LAST


def tune(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    trials: int,
    device: Device = "auto",
    on_finished: Callable[[], object] = lambda: None,
) -> Tuned:
    """Trains a recipe again and again until so many trials are finished, and writes what they came to.

    The study's folder holds `best.yaml`, `trials.csv`, plots of the history, the importance of each key and a slice along each,
    `study.db` and the trials' folders; of checkpoints, the best trial's alone is kept. A trial whose loss becomes no number, or
    whose values do not go together, is pruned. Where one process is at it, all follows from the recipe's seed.

    Args:
        recipe: what to train; its `search` says what to change, its `tune` what makes a run good.
        data: folder that the recipe's paths are relative to.
        output: the study's folder; made if need be, and gone on with where it holds a study of this recipe and these photos.
        trials: that are to be finished in all, whichever process they run in.
        device: where to train.
        on_finished: is called for each finished trial, of this process or another, those of before among them.

    Raises:
        ConfigError: the recipe searches nothing, a key of `search` is no place in it or does not take a value, no figure has the
            name, or the folder holds a study of something else.
        DatasetError: labels cannot be read.
        ImageError: a photo cannot be read.
        MissingExtraError: Optuna is not installed.
        OutputError: the study's folder cannot be written.
        TrainingError: no trial came to its end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("torchrun: starts processes that share a run; to share a study, start the same command several times")
    if trials < 1:
        raise ConfigError(f"--trials {trials}: a study takes 1 or more")
    if (output / LAST).exists():
        raise ConfigError(f"{output}: holds a run; give the study another folder with -o")
    check_search(recipe)
    with _quiet(output / STUDY):
        judges = read_judges(recipe, data)
        every = [*(sample for samples in read_run_photos(recipe, data).every for sample in samples), *judges]
        study = _Study(_with_figures(recipe, judges), output, photos=_fingerprint(every))
        told = 0
        while True:
            trial = study.claim(trials)
            if trial is not None:
                study.run(trial, data=data, device=device)
            finished = study.finished
            for _ in range(told, finished):
                on_finished()
            told = finished
            if trial is None:
                if finished >= trials:
                    return study.results()
                time.sleep(_LOOK_S)  # others are at the last ones, of which one may be lost yet


def check_search(recipe: Recipe) -> None:
    """Every key that is searched is a place of the recipe, and takes the ends and choices that it may be given.

    Raises:
        ConfigError: one is not, or does not; or nothing is searched.
    """
    if not recipe.search:
        example = "search: {optimizers.0.rate: [0.0001, 0.01, log]}"
        raise ConfigError(f"recipe {recipe.name}: names nothing to tune; give it a `search`, as {example}")
    for key, space in recipe.search.items():
        for value in space.examples():
            try:
                changed(recipe, {key: value})
            except ConfigError as error:
                advice = "" if isinstance(space, AnyOf) else " (`any_of` takes single values)"
                raise ConfigError(f"search.{key}: {choice_key(value)} does not fit{advice}: {error}") from error


def trial_folder(folder: Path, number: int) -> Path:
    """Of a trial, in that of a study."""
    return folder / TRIALS / f"{number:04}"


def _with_figures(recipe: Recipe, judges: Sequence[Sample]) -> Recipe:
    """A recipe that names the figures that it is tuned for: its own, or those of its only head, beside such as help it."""
    if not judges:
        raise ConfigError(f"recipe {recipe.name}: names no photos in data.val; by them runs are compared")
    known = figure_names(recipe, judges[0])
    figures = recipe.tune.figures
    if not figures:
        (first, *others) = [name for name, head in recipe.build_heads().items() if head.auxiliary is None] or recipe.heads
        of_first = tuple(figure for figure in known if figure.startswith(f"{first}/"))
        if others or not of_first:
            raise ConfigError(f"recipe {recipe.name}: say with --for what makes a run good; there are {', '.join(known)}")
        figures = of_first[:1] if of_first[0].endswith("/mean") else of_first
    for figure in figures:
        if figure not in known:
            raise ConfigError(f"--for {figure}: is no figure of recipe {recipe.name}; there are {', '.join(known)}")
    return recipe.model_copy(update={"tune": recipe.tune.model_copy(update={"figures": figures})})


def _fingerprint(samples: Iterable[Sample]) -> str:
    """Of photos' names and what is labelled on them."""
    digest = hashlib.sha256()
    for sample in samples:
        things = [(one.name, one.severity, [round(float(side)) for side in one.box_xyxy]) for one in sample.annotations]
        photo = (sample.name, sample.source, sample.vehicle, sample.damage, sample.severity, sample.labels, things)
        digest.update(json.dumps([*photo, sorted(sample.labelled)]).encode())
    return digest.hexdigest()


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Optuna without its log; what is wrong with the study's file is one line."""
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ModuleNotFoundError as error:
        raise MissingExtraError(what="Tuning", extra="tune") from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        told = getattr(error.__cause__, "orig", None) or getattr(error, "orig", None) or error
        raise OutputError(f"{path}: cannot be read or written as a study: {' '.join(str(told).split())}") from error
    finally:
        optuna.logging.set_verbosity(before)


class _Study:
    """Trials of one recipe that any number of processes run.

    Args:
        recipe: with the figures that it is tuned for.
        folder: of the study.
        photos: what tells them from others.

    Raises:
        ConfigError: the folder holds a study of another recipe or of other photos.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, photos: str) -> None:
        import optuna
        from filelock import FileLock
        from sqlalchemy import URL

        self._recipe = recipe
        self._folder = folder
        self._sign = 1 if recipe.tune.goal == "highest" else -1
        with writing(folder / TRIALS):
            make_folder(folder / TRIALS)
        with writing(folder / _LOCK):
            self._alone = FileLock(folder / _LOCK)
            self._alone.acquire()
        try:
            url = URL.create("sqlite", database=str(folder / STUDY)).render_as_string().replace("{", "{{").replace("}", "}}")
            storage = optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _BUSY_S}})
            pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
            if recipe.tune.prune_after is not None:
                pruner = optuna.pruners.MedianPruner(n_startup_trials=recipe.tune.prune_after)
            self._study = optuna.create_study(
                storage=storage,
                study_name="dentify",
                direction="maximize" if self._sign > 0 else "minimize",
                pruner=pruner,
                load_if_exists=True,
            )
            self._check(photos)
        finally:
            self._alone.release()
        self._spaces = {key: _distribution(space) for key, space in recipe.search.items()}

    def _check(self, photos: str) -> None:
        """Whether the study is of this recipe and these photos; a new one is from here on."""
        recipe = self._recipe.model_dump(mode="json", serialize_as_any=True, exclude=_CHANGES_NO_FIGURE)
        ours: dict[str, Any] = {_RECIPE: recipe, _PHOTOS: photos}
        theirs = self._study.user_attrs
        for key, value in ours.items():
            if key not in theirs:
                self._study.set_user_attr(key, value)
            elif key == _RECIPE and (place := _difference(theirs[key], value)) is not None:
                raise ConfigError(
                    f"{self._folder}: holds a study of another recipe, which differs in `{place}`; give this one another folder"
                    " with -o"
                )
            elif theirs[key] != value:
                raise ConfigError(
                    f"{self._folder}: holds a study of other photos or labels than there are now; give this one another folder"
                    " with -o"
                )

    @property
    def finished(self) -> int:
        """Trials that count, of all processes."""
        return sum(trial.is_finished for trial in self.trials())

    def trials(self) -> list[Trial]:
        """All, in the order of their numbers."""
        return [_told(trial) for trial in self._study.get_trials(deepcopy=False)]

    def claim(self, most: int) -> optuna.Trial | None:
        """A trial for this process to run; none where as many as are wanted are finished or being run.

        Trials that nobody is at any more are told as lost first.
        """
        import optuna

        with self._alone:
            for trial in self.trials():
                if trial.state == "running" and self._is_lost(trial.number):
                    self._lose(trial.number)
            trials = self.trials()
            if sum(trial.is_finished or trial.state == "running" for trial in trials) >= most:
                return None
            # What is chosen follows from the trial's number: processes differ, and one that goes on does as one that stayed.
            self._study.sampler = optuna.samplers.TPESampler(seed=self._recipe.seed * 1_000_003 + len(trials))
            self._held = self._lock(len(trials))
            self._held.acquire()
            return self._study.ask(self._spaces)

    def run(self, trial: optuna.Trial, *, data: Path, device: Device) -> None:
        """Trains by the values of a trial that was claimed, and tells what they came to."""
        import optuna

        value: float | None = None
        state = optuna.trial.TrialState.PRUNED
        try:
            value = self._train(trial, data=data, device=device)
            state = optuna.trial.TrialState.COMPLETE
        except optuna.TrialPruned:
            pass
        except TrainingError as error:
            trial.set_user_attr(_NOTE, str(error))
        except BaseException:
            with self._alone:
                self._held.release()
                self._lose(trial.number)
            raise
        with self._alone:
            self._study.tell(trial, value, state)
            self._held.release()
            (trial_folder(self._folder, trial.number) / _RUNNING).unlink(missing_ok=True)
            self._tidy()

    def results(self) -> Tuned:
        """Draws the plots, and says what the trials came to."""
        with self._alone:
            self._tidy()
            trials = self.trials()
            best = self._best(trials)
            if best is None:
                told = next((f", the first as {trial.note}" for trial in trials if trial.note), "")
                raise TrainingError(f"{self._folder}: none of {len(trials)} trials came to its end{told}; change `search`")
            self._draw(trials)
        return Tuned(self._folder, self._recipe.tune.figures, best, tuple(trials))

    def _train(self, trial: optuna.Trial, *, data: Path, device: Device) -> float:
        """The figure that a trial's run comes to."""
        import optuna

        try:
            recipe = self._changed(_values(trial.params, self._spaces))
        except ConfigError as error:  # each value fits, but not all of them together
            raise TrainingError(str(error)) from error
        names = self._recipe.tune.figures
        figure = float("nan")

        def on_step(done: Progress) -> None:
            nonlocal figure
            if done.figures is None:
                return
            figure = sum(done.figures[name] for name in names) / len(names)
            if math.isnan(figure):
                raise ConfigError(f"{' and '.join(names)}: data.val shows nothing to judge by; name another figure with --for")
            trial.report(figure, done.step)
            if done.step < done.steps and trial.should_prune():
                raise optuna.TrialPruned

        train(recipe, data=data, output=trial_folder(self._folder, trial.number), device=device, on_step=on_step)
        return figure

    def _changed(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe of a trial, which searches nothing any more."""
        return changed(self._recipe.model_copy(update={"search": {}, "tune": TuneRecipe()}), values)

    def _lock(self, number: int) -> FileLock:
        """Which the process holds that runs a trial."""
        from filelock import FileLock

        folder = trial_folder(self._folder, number)
        with writing(folder):
            make_folder(folder)
        return FileLock(folder / _RUNNING)

    def _is_lost(self, number: int) -> bool:
        """Whether nobody is at a trial."""
        from filelock import Timeout

        lock = self._lock(number)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        lock.release()
        return True

    def _lose(self, number: int) -> None:
        import optuna

        self._study.tell(number, state=optuna.trial.TrialState.FAIL)
        shutil.rmtree(trial_folder(self._folder, number), ignore_errors=True)

    def _best(self, trials: Sequence[Trial]) -> Trial | None:
        """The best of those that came to their end, the first of equals."""
        whole = [trial for trial in trials if trial.state == "complete"]
        return max(whole, key=lambda trial: self._sign * _figure(trial), default=None)

    def _tidy(self) -> None:
        """Brings `best.yaml` and `trials.csv` up to date, and removes the checkpoints of finished trials but the best."""
        trials = self.trials()
        best = self._best(trials)
        files = {self._folder / TABLE: _table(trials, self._recipe)}
        if best is not None:
            files[self._folder / BEST] = write_recipe(self._changed(best.values))
        write_whole(files)
        for trial in trials:
            if trial.is_finished and trial is not best:
                with writing(path := trial_folder(self._folder, trial.number) / LAST):
                    path.unlink(missing_ok=True)

    def _draw(self, trials: Sequence[Trial]) -> None:
        finished = [trial for trial in trials if trial.is_finished and trial.figure is not None]
        label = figure_label(self._recipe.tune.figures)
        plots = {
            HISTORY: history_plot(finished, label, self._recipe.tune.goal),
            IMPORTANCES: importances_plot(self._importances(), label),
            SLICES: slices_plot(finished, self._recipe.search, label),
        }
        files = {}
        for name, plot in plots.items():
            picture = io.BytesIO()
            plot.savefig(picture, format="png", dpi=110, metadata={"Software": None})
            files[self._folder / name] = picture.getvalue()
        write_whole(files)

    def _importances(self) -> dict[str, float]:
        """Of each key, largest first; none where trials are too few, or too much alike, to tell."""
        import optuna

        complete = self._study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
        if len(complete) < _FEWEST:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            try:
                return optuna.importance.get_param_importances(self._study)
            except UserWarning:  # the best ones are not apart from the others: all keys would be told as equal
                return {}


def _distribution(space: Span | AnyOf) -> optuna.distributions.BaseDistribution:
    import optuna

    if isinstance(space, AnyOf):
        return optuna.distributions.CategoricalDistribution([choice_key(value) for value in space.any_of])
    if space.is_whole:
        return optuna.distributions.IntDistribution(int(space.low), int(space.high), log=space.log)
    return optuna.distributions.FloatDistribution(space.low, space.high, log=space.log)


def _values(parameters: Mapping[str, Any], distributions: Mapping[str, optuna.distributions.BaseDistribution]) -> dict[str, Any]:
    """What a recipe takes, of what a study knows."""
    import optuna

    choices = optuna.distributions.CategoricalDistribution
    return {key: json.loads(value) if isinstance(distributions[key], choices) else value for key, value in parameters.items()}


def _told(trial: optuna.trial.FrozenTrial) -> Trial:
    import optuna

    states: dict[optuna.trial.TrialState, State] = {
        optuna.trial.TrialState.COMPLETE: "complete",
        optuna.trial.TrialState.PRUNED: "pruned",
        optuna.trial.TrialState.FAIL: "lost",
    }
    state = states.get(trial.state, "running")
    return Trial(
        number=trial.number,
        state=state,
        values=_values(trial.params, trial.distributions),
        figure=trial.value if state in ("complete", "pruned") else None,
        seconds=trial.duration.total_seconds() if trial.duration is not None else None,
        note=trial.user_attrs.get(_NOTE, ""),
    )


def _figure(trial: Trial) -> float:
    assert trial.figure is not None
    return trial.figure


def _table(trials: Sequence[Trial], recipe: Recipe) -> bytes:
    """One row a trial: number, state, the figure, seconds, its values, and a note."""
    lines = [csv_line(["trial", "state", figure_label(recipe.tune.figures), "seconds", *map(safe_cell, recipe.search), "note"])]
    for trial in trials:
        values = [trial.values.get(key, "") for key in recipe.search]
        cells = [value if isinstance(value, int | float) else safe_cell(tell_value(value)) for value in values]
        figure = "" if trial.figure is None else trial.figure
        seconds = "" if trial.seconds is None else round(trial.seconds, 1)
        lines.append(csv_line([trial.number, trial.state, figure, seconds, *cells, safe_cell(trial.note)]))
    return csv_bytes(lines)


def _difference(one: Any, other: Any) -> str | None:
    """Where two documents differ first, as a dotted key; `None` where they do not.

    >>> _difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    'a.0.b'
    """
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs: list[tuple[object, Any, Any]] = [(place, *both) for place, both in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(key, one[key], other[key]) for key in one]
    else:
        return None if one == other else ""
    for key, left, right in pairs:
        if (below := _difference(left, right)) is not None:
            return f"{key}.{below}" if below else str(key)
    return None
