"""A recipe: one YAML file, one strict model, one call of `train`. The resolved recipe is kept beside what it produced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AliasChoices, Field, ValidationError, model_validator

from dentify.bundle.manifest import Manifest, Name
from dentify.errors import ConfigError
from dentify.plain_yaml import change_key, load_yaml, put_value
from dentify.planning import told_origin
from dentify.strict import Strict, explain, nearest
from dentify.training.augment import Augment
from dentify.training.classes import Classes
from dentify.training.heads import Head, HeadRecipe
from dentify.training.heads.exclusive import ExclusiveRecipe
from dentify.training.heads.labels import LabelsRecipe
from dentify.training.models import ModelRecipe
from dentify.training.origin import Origin
from dentify.training.search import Search

CHECKPOINT = ".ckpt"
"""How the names of runs' checkpoints end."""


class ReviewRecipe(Strict):
    """When the bundle asks for a person: see `dentify.bundle.manifest.ReviewRules`."""

    sure_from: float = Field(0.6, ge=0, le=1)
    weak_types: tuple[str, ...] = ()
    not_told: tuple[str, ...] = Field(
        (),
        description="types that are taught, so that others are told from them, and left out of the bundle: they do not hold",
    )


class PhotoSet(Strict):
    """One set of photos: a labelled data set in any format, or photos that share their labels (see `read_photos`)."""

    dataset: str | None = Field(
        None,
        validation_alias=AliasChoices("dataset", "coco"),  # its name in recipes of before
        description="a label file, or a folder of labels and pictures, of which the photos of the split are taken",
    )
    images: str | None = Field(None, description="folder of the data set's pictures, where they are not found beside it")
    labels: str | None = Field(None, description="YAML file that says what the data set's labels mean")
    frame: Literal["upright", "stored"] = Field(
        "upright", description="whether the data set's labels are for photos upright, or for pictures before EXIF turns them"
    )
    photos: str | None = Field(None, description="a folder with a photos.csv, or such a CSV")
    details: str | None = Field(None, description="of `photos`: a CSV that tells `group` and `view` of the same files")
    splits: str | None = Field(
        None,
        description="of a data set: a CSV as `dentify dataset split` writes it, that tells split and group in its place",
    )
    per_batch: int = Field(1, ge=1, description="photos of this set in every batch")
    repeat: dict[str, float] = Field({}, description="show a photo so many times as often when it holds this type")
    vehicle: bool | None = Field(
        None, description="of `photos`: whether one is on them; without it a teacher tells, see `distil`"
    )
    damage: bool | None = None
    leave_out: tuple[str, ...] = Field((), description="`source`s of the file that are not used")

    @property
    def file(self) -> str:
        """The labelled data set, or the folder or CSV of photos."""
        return self.dataset or self.photos or ""

    @property
    def is_unlabelled(self) -> bool:
        """Whether nothing is known of its photos, so that a teacher alone teaches by them."""
        return self.photos is not None and self.vehicle is None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.dataset is None) == (self.photos is None):
            raise ValueError("give either `dataset` or `photos`")
        if self.damage is not None and self.photos is not None and self.vehicle is None:
            raise ValueError("say of `photos` whether a `vehicle` is on them: true or false")
        if self.details is not None and self.photos is None:
            raise ValueError("`details` are of `photos` alone: a data set tells group and view itself")
        if self.splits is not None and self.dataset is None:
            raise ValueError("`splits` are of a `dataset` alone: a list of photos tells split and group itself")
        return self


class DataRecipe(Strict):
    """Which photos there are, and at which size they are served."""

    serve_size: int = Field(gt=0, multiple_of=32, description="side of the square that the network sees in validation and in use")
    train: tuple[PhotoSet, ...] = Field(min_length=1)
    val: tuple[PhotoSet, ...] = ()
    leave_out: tuple[str, ...] = Field(
        (),
        description="`source`s that are taught nowhere, to judge by; a set of nothing else is left out",
    )
    hold_out: float = Field(
        0.08, ge=0, lt=1, description="share of the training photos, by group, that is kept for fitting scores and thresholds"
    )
    workers: int = Field(2, ge=0, description="processes that read and distort photos")


class HintsRecipe(Strict):
    """Features that are learned from the teacher's: see `dentify.training.hints`."""

    of: str = Field(description="the part of the network whose features learn, such as encoder.4")
    teacher: str | None = Field(
        None, description="the part of the teacher's network that they learn from; of the same name if left out"
    )
    weight: float = Field(1.0, ge=0, description="of their distance, beside the losses of heads")


class Distil(Strict):
    """Somebody who teaches beside the labels: see `dentify.training.distil`."""

    teacher: str = Field(description="folder or zip of a bundle (`default`: the one that ships), or the checkpoint of a run")
    temperature: float = Field(
        2.0, gt=0, description="by which logits are divided before they are compared; those of damage are not"
    )
    weight: float = Field(1.0, ge=0, description="of each head's distance to the teacher, beside its loss; 0 leaves answers out")
    heads: tuple[str, ...] = Field((), description="those that learn from it; none named: all that it answers")
    features: HintsRecipe | None = Field(None, description="what the network shall see as the teacher's does, of a checkpoint")

    @property
    def teacher_name(self) -> str:
        """What a model card calls it: the bundle's name as a file, or that of the run's folder."""
        return name_of(self.teacher)

    @model_validator(mode="after")
    def _has_features(self) -> Self:
        if self.features is not None and not self.teacher.endswith(CHECKPOINT):
            raise ValueError("`features` need the checkpoint of a run (.ckpt) as `teacher`: a bundle tells its answers alone")
        return self


class Schedule(Strict):
    """How an optimizer's rate goes on within a run; phases may let it fall besides."""

    kind: Literal["constant", "multistep"] = "constant"
    warmup: int = Field(0, ge=0, description="steps in which the rate rises")
    at: tuple[int, ...] = Field((), description="multistep: steps from which on it is multiplied once more")
    at_epochs: tuple[float, ...] = Field((), description="multistep, in place of `at`: epochs, as phases count them")
    times: float = Field(0.1, gt=0, lt=1, description="multistep: by what")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if bool(self.at) + bool(self.at_epochs) != (self.kind == "multistep"):
            raise ValueError("`at` names the steps of kind multistep, or `at_epochs` its epochs, and of no other kind")
        for key, at in (("at", self.at), ("at_epochs", self.at_epochs)):
            if list(at) != sorted(set(at)):
                raise ValueError(f"`{key}` must rise, got {list(at)}")
        return self


class OptimizerRecipe(Strict):
    """AdamW of some of the network's parts."""

    kind: Literal["adamw"] = "adamw"
    of: tuple[str, ...] = Field(
        ("*",), description='parts: "encoder", "encoder.3", "encoder.3-" (and later ones), or "*": the rest'
    )
    rate: float = Field(gt=0)
    weight_decay: float = Field(0.02, ge=0, description="of matrices; biases and norms have none")
    schedule: Schedule = Schedule()


class Phase(Strict):
    """A stretch of the run. What it does not say stays as at its beginning: all parts are taught, and the rate stays."""

    steps: int = Field(0, ge=0)
    epochs: float | None = Field(
        None, gt=0, description="in place of `steps`: how often all photos of the set that takes longest are shown"
    )
    size: int = Field(gt=0, multiple_of=32, description="side of the square that the network sees, in pixels")
    bottleneck: bool = Field(
        False,
        description="photos are shown whole and as they are, and what the backbone says of each is computed once and kept, so "
        "that a step takes next to nothing; teaches `head` alone",
    )
    mosaic: float = Field(0.0, ge=0, le=1, description="share of the damaged photos that is shown small, four to a picture")
    paste: float = Field(0.0, ge=0, le=1, description="share of the sound vehicles that gets damages of other photos")
    per_batch: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="photos of each set in a batch, in place of the sets' own; 0 leaves a set out"
    )
    train: tuple[str, ...] = Field(("*",), description="parts that are taught; others keep weights and statistics")
    rate: Literal["stays", "falls"] = Field("stays", description="falls: to zero, in a straight line, over this phase")
    begin: Literal["last", "average"] = Field("last", description="average: with the running average of the phase before")
    average: float = Field(0.998, ge=0, lt=1, description="decay of the running average of the weights, which is exported")
    precision: Literal["bf16", "32"] = Field("bf16", description="of the network's forward pass; losses are always in 32")
    optimizers: tuple[OptimizerRecipe, ...] | None = Field(
        None, description="new ones from here on; without, those of before go on"
    )

    @model_validator(mode="after")
    def _of_steps_or_epochs(self) -> Self:
        if (self.steps > 0) == (self.epochs is not None):
            raise ValueError("give either `steps` or `epochs`")
        if self.bottleneck and self.train != ("head",):
            raise ValueError("a phase with `bottleneck` teaches the head alone: say `train: [head]`")
        if self.bottleneck and (self.mosaic or self.paste):
            raise ValueError("a phase with `bottleneck` shows photos as they are: leave out `mosaic` and `paste`")
        return self


class TuneRecipe(Strict):
    """What `dentify tune` compares runs by, and when it ends one early: see `dentify.training.tune`."""

    figures: tuple[str, ...] = Field((), description="on `val`, as in figures.csv; of several, their mean")
    goal: Literal["highest", "lowest"] = "highest"
    prune_after: int | None = Field(
        5, ge=1, description="trials after which one that is below the median of those before is ended; null: none is"
    )


Named = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Recipe(Strict):
    """Everything that one training run depends on, beside the photos."""

    name: Name
    description: str = ""
    licence: Name = "Apache-2.0"
    seed: int = Field(0, ge=0)
    model: ModelRecipe
    start: str | None = Field(
        None,
        description="a bundle (`default`: the one that ships), or a run's checkpoint, with whose weights the run begins",
    )
    classes: Classes
    heads: dict[Named, HeadRecipe] = Field(min_length=1, description="what the network answers, by the names of its outputs")
    data: DataRecipe
    distil: Distil | None = None
    augment: Augment = Augment()
    optimizers: tuple[OptimizerRecipe, ...] = Field(min_length=1)
    phases: tuple[Phase, ...] = Field(min_length=1)
    accumulate: int = Field(1, ge=1, description="parts that a batch is taken in, one after the other, where memory is short")
    clip: float = Field(5.0, gt=0, description="largest norm of the gradient")
    validate_every: int = Field(1000, gt=0, description="steps between looks at `val`")
    checkpoint_every: int = Field(100, gt=0, description="steps between checkpoints")
    review: ReviewRecipe = ReviewRecipe()
    search: dict[str, Search] = Field({}, description="where `dentify tune` looks for the best values of keys")
    tune: TuneRecipe = TuneRecipe()
    origins: dict[str, Origin] = Field({}, description="of the photos, by their `source`")
    limits: tuple[str, ...] = Field((), description="what the bundle is known to fail on, a sentence each, for its model card")

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(phase.steps for phase in self.phases)

    def with_origin(self, name: str, origin: Origin) -> Recipe:
        """A recipe that knows a bundle or a run that it learns from, unless it does already."""
        model = self.model.model_copy(update={"origins": {name: origin, **self.model.origins}})
        return self.model_copy(update={"model": model})

    @property
    def learned_from(self) -> dict[str, Origin]:
        """The bundle or run that a run began with and its teacher, as its recipe knows them since."""
        names = [name_of(self.start)] if self.start is not None else []
        names += [self.distil.teacher_name] if self.distil is not None else []
        return {name: self.model.origins[name] for name in names if name in self.model.origins}

    def build_heads(self) -> dict[str, Head]:
        """Its heads by name."""
        return {name: head.build(name, self.classes) for name, head in self.heads.items()}

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for key, names in (("weak_types", self.review.weak_types), ("not_told", self.review.not_told)):
            strangers = sorted(set(names) - set(self.classes.damage))
            if strangers:
                near = nearest(strangers[0], self.classes.damage)
                raise ValueError(f"review.{key} names {', '.join(strangers)}, which is not in classes.damage{near}")
        self._check_heads()
        self._check_search()
        self._check_teacher()
        for place, photos in enumerate(self.data.train):
            for name in photos.repeat:
                if name not in self.classes.damage:
                    near = nearest(name, self.classes.damage)
                    raise ValueError(f"data.train.{place}.repeat names {name}, which is not in classes.damage{near}")
        for place, phase in enumerate(self.phases):
            if phase.per_batch is not None and (len(phase.per_batch) != len(self.data.train) or not any(phase.per_batch)):
                told = f"{len(phase.per_batch)} numbers" if any(phase.per_batch) else "no photo"
                raise ValueError(f"phases.{place}.per_batch names {told} for {len(self.data.train)} sets of photos")
            coarse = max((head.output.stride or 1 for head in self.build_heads().values()), default=1)
            if phase.mosaic and phase.size % (2 * coarse):
                raise ValueError(
                    f"phases.{place}.size: a quarter of a mosaic holds whole cells of {coarse} pixels; take a multiple of "
                    f"{2 * coarse}, or leave out `mosaic`"
                )
        return self

    def _check_teacher(self) -> None:
        """What nobody would teach, or not in such phases."""
        for name in self.distil.heads if self.distil is not None else ():
            if name not in self.heads:
                raise ValueError(f"distil.heads names {name}, which is no head{nearest(name, self.heads)}")
        for split, sets in (("train", self.data.train), ("val", self.data.val)):
            for place, photos in enumerate(sets):
                if photos.is_unlabelled and (split == "val" or self.distil is None):
                    what = "judges by" if split == "val" else "teaches by"
                    teacher = "" if split == "val" else ", or name a teacher in `distil`"
                    raise ValueError(
                        f"data.{split}.{place}: nothing {what} photos of which nothing is known; say whether a `vehicle` is on "
                        f"them: true or false{teacher}"
                    )
        for place, phase in enumerate(self.phases):
            if phase.bottleneck and self.distil is not None and self.distil.features is not None:
                raise ValueError(
                    f"phases.{place}.bottleneck: features that are kept are learned from no others; leave out `distil.features`"
                )

    def _check_heads(self) -> None:
        """Heads that a network could answer and a bundle could not tell."""
        asked: dict[object, str] = {}
        maps = [name for name, recipe in self.heads.items() if recipe.kind in ("overlapping", "outline")]
        for name, recipe in self.heads.items():
            head = recipe.build(name, self.classes)
            weights = recipe.class_weights if isinstance(recipe, ExclusiveRecipe | LabelsRecipe) else None
            if weights is not None and len(weights) != head.output.channels:
                raise ValueError(f"heads.{name}.class_weights names {len(weights)} numbers for {head.output.channels} classes")
            for other in (*head.output.pooled, *filter(None, [head.output.within])):
                if other not in maps:
                    raise ValueError(
                        f"heads.{name} looks at {other}, which is no head of maps of yes and no{nearest(other, maps)}"
                    )
            looks_at = (head.output.features, head.output.pooled, head.output.within)  # a gate's ways to answer are an ensemble
            question = (head.role, head.auxiliary, head.kind, looks_at)
            if question in asked:
                raise ValueError(f"heads.{asked[question]} and heads.{name} answer the same question; leave one out")
            asked[question] = name

    def _check_search(self) -> None:
        """Keys that would be searched in vain, and figures of nothing."""
        for key in self.search:
            if key.split(".")[0] in ("search", "tune"):
                raise ValueError(f"search.{key}: is no key of what is trained")
            for other in self.search:
                if key.startswith(f"{other}."):
                    raise ValueError(f"search names {other} and, within it, {key}; leave one out")
        for figure in self.tune.figures:
            name, slash, _ = figure.partition("/")
            if name not in self.heads or not slash:
                near = nearest(name, self.heads)
                raise ValueError(f"tune.figures names {figure}, which is no figure of a head, as types/mean is{near}")


def name_of(path: str) -> str:
    """What a model card calls a bundle, by its file or folder, or a run's checkpoint, by the run's folder.

    >>> name_of("bundles/teacher.zip"), name_of("runs/first/last.ckpt"), name_of("default")
    ('teacher', 'first', 'default')
    """
    named = Path(path)
    return named.parent.name if named.suffix == CHECKPOINT and named.parent.name else named.stem


def origin_of(manifest: Manifest) -> Origin:
    """Of what is learned from a bundle."""
    return Origin(origin=told_origin(manifest), licence=manifest.licence)


def in_steps(recipe: Recipe, shown: Sequence[int]) -> Recipe:
    """A recipe with its epochs counted in steps.

    Args:
        recipe: of a run.
        shown: how often a photo of each set is shown until all of the set were, those that are repeated among them.
    """

    def epoch(phase: Phase) -> int:
        counts = phase.per_batch or [photos.per_batch for photos in recipe.data.train]
        return max((-(-size // count) for size, count in zip(shown, counts, strict=True) if count), default=1)

    def counted(optimizers: Sequence[OptimizerRecipe], of: int) -> tuple[OptimizerRecipe, ...]:
        told = []
        for one in optimizers:
            at: list[int] = []
            for epochs in one.schedule.at_epochs:  # two may fall on one step where there are few photos
                at.append(max(round(epochs * of), at[-1] + 1 if at else 0))
            schedule = one.schedule.model_copy(update={"at": tuple(at), "at_epochs": ()}) if at else one.schedule
            told.append(one.model_copy(update={"schedule": schedule}))
        return tuple(told)

    phases = []
    for phase in recipe.phases:
        changes: dict[str, Any] = {}
        if phase.epochs is not None:
            changes = {"steps": max(1, round(phase.epochs * epoch(phase))), "epochs": None}
        if phase.optimizers is not None:
            changes["optimizers"] = counted(phase.optimizers, epoch(phase))
        phases.append(phase.model_copy(update=changes))
    return recipe.model_copy(update={"phases": tuple(phases), "optimizers": counted(recipe.optimizers, epoch(recipe.phases[0]))})


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a YAML file, with `key.key=value` changes applied before it is checked.

    Raises:
        ConfigError: the file is not YAML, a key is unknown (the nearest known one is named) or a value does not fit.
    """
    try:
        return parse_recipe(path.read_text(encoding="utf-8"), str(path), changes)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error


def parse_recipe(text: str, where: str, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe that YAML says; see `read_recipe`.

    Args:
        text: YAML.
        where: for messages.
        changes: applied before it is checked.
    """
    try:
        document = load_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: a recipe is a mapping of keys to values, got {type(document).__name__}")
    for change in changes:
        change_key(document, change)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, Recipe)}") from error


def write_recipe(recipe: Recipe) -> bytes:
    """A recipe as YAML with all its keys, which `read_recipe` reads back."""
    return yaml.safe_dump(recipe.model_dump(mode="json", serialize_as_any=True), sort_keys=False).encode()


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """A recipe with other values at some of its keys.

    Args:
        recipe: any.
        values: by key, dotted as `read_recipe` takes them.

    Raises:
        ConfigError: a key is no place in it, or the values do not fit.
    """
    document = recipe.model_dump(mode="json", serialize_as_any=True)
    for key, value in values.items():
        put_value(document, key, value, said=key)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"recipe {recipe.name}: {explain(error, Recipe)}") from error
