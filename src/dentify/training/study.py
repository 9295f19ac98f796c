"""A study: trials of one recipe in a folder, which any number of processes on one machine share.

`study.db`, an SQLite file, holds what trials found. A process that dies loses the trial that it was at and nothing else: it holds
a lock on the file `running` in the trial's folder, which the system lets go of with the process, so that others see at once that
nobody is at the trial any more. Heartbeats, which Optuna offers for this, take a minute to tell, and take a process that slept
for a dead one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dentify.datasets import Sample
from dentify.errors import ConfigError, MissingExtraError, OutputError, TrainingError
from dentify.runtime.session import Device
from dentify.settings import Settings
from dentify.training.beginning import LAST
from dentify.training.loop import Progress, train
from dentify.training.recipe import Recipe, TuneRecipe, changed, write_recipe
from dentify.training.search import AnyOf, Span, choice_key
from dentify.training.trials import State, Trial, figure_label, history_plot, importances_plot, slices_plot, trials_table
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


class Study:
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
            self._study.sampler = optuna.samplers.TPESampler(seed=(self._recipe.seed * 1_000_003 + len(trials)) % 2**32)
            self._held = self._lock(len(trials))
            self._held.acquire()
            return self._study.ask(self._spaces)

    def run(self, trial: optuna.Trial, *, data: Path, device: Device, settings: Settings) -> None:
        """Trains by the values of a trial that was claimed, and tells what they came to."""
        import optuna

        value: float | None = None
        state = optuna.trial.TrialState.PRUNED
        try:
            value = self._train(trial, data=data, device=device, settings=settings)
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

    def _train(self, trial: optuna.Trial, *, data: Path, device: Device, settings: Settings) -> float:
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

        try:
            folder = trial_folder(self._folder, trial.number)
            train(recipe, data=data, output=folder, device=device, settings=settings, on_step=on_step)
        except ConfigError as error:
            if not any(one.state == "complete" for one in self.trials()):
                raise  # it may be the recipe's own fault, and that of all trials to come
            raise TrainingError(str(error)) from error
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
        files = {self._folder / TABLE: trials_table(trials, self._recipe.tune.figures, tuple(self._recipe.search))}
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


def trial_folder(folder: Path, number: int) -> Path:
    """Of a trial, in that of a study."""
    return folder / TRIALS / f"{number:04}"


@contextmanager
def quiet(path: Path) -> Iterator[None]:
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


def fingerprint(samples: Iterable[Sample]) -> str:
    """Of photos' names and what is labelled on them."""
    digest = hashlib.sha256()
    for sample in samples:
        things = [(one.name, one.severity, [round(float(side)) for side in one.box_xyxy]) for one in sample.annotations]
        photo = (sample.name, sample.source, sample.vehicle, sample.damage, sample.severity, sample.labels, things)
        digest.update(json.dumps([*photo, sorted(sample.labelled)]).encode())
    return digest.hexdigest()


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
