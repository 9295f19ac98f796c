"""Tuning: many runs of a recipe, each with other values of the keys that its `search` names, and the best of them.

    dentify tune my-recipe.yaml --data DIR --trials 40

A trial is a run in a folder of its own, `trials/0000` and so on, below the study's. Optuna chooses its values from what trials
before it came to (TPE), and ends one early whose figure falls below the median of theirs. Any number of processes on one machine
may share a study, and whoever starts again goes on with it: `study` says how.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dentify.datasets import Sample
from dentify.errors import ConfigError
from dentify.runtime.session import Device
from dentify.settings import Settings
from dentify.training.beginning import LAST
from dentify.training.judging import figure_names, read_judges
from dentify.training.photos import read_run_photos
from dentify.training.processes import check_batches
from dentify.training.recipe import Recipe, changed
from dentify.training.search import AnyOf, choice_key
from dentify.training.study import STUDY, Study, Tuned, fingerprint, quiet

_LOOK_S = 0.5  # between two looks at whether the other processes are through


def tune(
    recipe: Recipe,
    *,
    data: Path,
    output: Path,
    trials: int,
    device: Device = "auto",
    settings: Settings | None = None,
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
        settings: limits on photos, labels and bundles.
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
    with quiet(output / STUDY):
        settings = settings or Settings()
        judges = read_judges(recipe, data, settings=settings)
        photos = read_run_photos(recipe, data, settings=settings)
        every = [*(sample for samples in photos.every for sample in samples), *judges]
        study = Study(_with_figures(recipe, judges), output, photos=fingerprint(every))
        told = 0
        while True:
            trial = study.claim(trials)
            if trial is not None:
                study.run(trial, data=data, device=device, settings=settings)
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
                check_batches(changed(recipe, {key: value}), processes=1)
            except ConfigError as error:
                advice = "" if isinstance(space, AnyOf) else " (`any_of` takes single values)"
                raise ConfigError(f"search.{key}: {choice_key(value)} does not fit{advice}: {error}") from error


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
