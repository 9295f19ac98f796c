"""A recipe: one YAML file, one strict model, one call of `train`. The resolved recipe is kept beside what it produced."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dentify.errors import ConfigError
from dentify.taxonomy import PART_NAMES, SEVERITY_LEVELS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Strict):
    """Where photos or weights come from; a bundle's model card names it."""

    origin: str
    licence: str
    used_for: str = "training"


class ReviewRecipe(_Strict):
    """When the bundle asks for a person: see `dentify.bundle.manifest.ReviewRules`."""

    sure_from: float = Field(0.6, ge=0, le=1)
    weak_types: tuple[str, ...] = ()


class ModelRecipe(_Strict):
    """Which file of `training/models/` builds the network, and from what."""

    name: Literal["efficientnet_fpn"]
    encoder: str = Field(description="a timm model that can be built with features_only=True")
    encoder_weights: str | None = Field(None, description="safetensors of that encoder; null starts from random weights")
    origins: dict[str, Origin] = Field({}, description="of the pretrained weights, by name")
    width: int = Field(96, gt=0, description="channels of the decoder at strides 32 to 8")
    fine_width: int = Field(64, gt=0, description="channels of the decoder at stride 4")
    frozen_stages: int = Field(
        0, ge=0, le=8, description="how many of the encoder's first stages, the stem among them, keep their pretrained weights"
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="how often a training step passes over the encoder's last residual block, earlier ones less"
    )
    only_labels: bool = Field(
        False, description="teach only the answers for the photo as a whole, of a network that `--from` brings; its maps stay"
    )

    @model_validator(mode="after")
    def _frozen_are_pretrained(self) -> Self:
        if self.frozen_stages and self.encoder_weights is None:
            raise ValueError("frozen_stages must be 0 without encoder_weights: random stages would stay random")
        return self


class Classes(_Strict):
    """What the network is taught, in the order of its channels."""

    damage: tuple[str, ...]
    parts: tuple[str, ...] = PART_NAMES
    severity: tuple[str, ...] = SEVERITY_LEVELS


class SourceRecipe(_Strict):
    """One set of photos: a labelled data set in any format, or photos that share their labels (see `read_photos`)."""

    dataset: str | None = Field(
        None,
        validation_alias=AliasChoices("dataset", "coco"),  # its name in recipes of before
        description="a label file, or a folder of labels and pictures, of which the photos of the split are taken",
    )
    images: str | None = Field(None, description="folder of the data set's pictures, where they are not found beside it")
    labels: str | None = Field(None, description="YAML file that says what the data set's labels mean")
    photos: str | None = Field(None, description="a folder with a photos.csv, or such a CSV")
    per_batch: int = Field(1, ge=1)
    repeat: dict[str, float] = Field({}, description="show a photo so many times as often when it holds this type")
    vehicle: bool | None = None
    damage: bool | None = None
    leave_out: tuple[str, ...] = Field((), description="`source`s of the file that are not used")

    @property
    def file(self) -> str:
        """The labelled data set, or the folder or CSV of photos."""
        return self.dataset or self.photos or ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.dataset is None) == (self.photos is None):
            raise ValueError("give either `dataset` or `photos`")
        if self.photos is not None and self.vehicle is None:
            raise ValueError("say of `photos` whether a `vehicle` is on them: true or false")
        return self


class DataRecipe(_Strict):
    """What is shown, and at which size."""

    size: int = Field(gt=0, multiple_of=32, description="side of the square that the network sees in training, in pixels")
    final_size: int | None = Field(
        None, gt=0, multiple_of=32, description="the same while the rate falls, where that differs: nearer to `serve_size`"
    )
    serve_size: int = Field(gt=0, multiple_of=32, description="the same in validation and in the bundle")
    train: tuple[SourceRecipe, ...] = Field(min_length=1)
    val: tuple[SourceRecipe, ...] = ()
    hold_out: float = Field(
        0.08, ge=0, lt=1, description="share of the training photos, by group, that is kept for fitting scores and thresholds"
    )
    mosaic: float = Field(0.0, ge=0, le=1, description="share of the damaged photos that is shown small, four to a picture")
    final_mosaic: float | None = Field(
        None, ge=0, le=1, description="the same while the rate falls, where that differs: nearer to photos as they are"
    )
    paste: float = Field(0.0, ge=0, le=1, description="share of the sound vehicles that gets damages of other photos")
    workers: int = Field(2, ge=0, description="processes that read and distort photos")


class Schedule(_Strict):
    """Warm-up, a long stretch at one rate, and a decay: a run can be stopped early by resuming it with fewer `steps`."""

    steps: int = Field(gt=0)
    round: int = Field(100, gt=0)
    validate_every: int = Field(4, gt=0)
    warmup: int = Field(200, ge=0)
    decay: float = Field(0.2, ge=0, le=1)
    rate: float = Field(gt=0)
    encoder_rate: float = Field(gt=0)
    weight_decay: float = Field(0.02, ge=0)
    average: float = Field(0.998, ge=0, lt=1)

    @property
    def decay_from(self) -> int:
        """The first step at which the rate falls."""
        return round(self.steps * (1 - self.decay))


class Losses(_Strict):
    """Weight of each loss; 0 leaves a head out of the teaching."""

    types: float = Field(1.0, ge=0)
    any: float = Field(0.5, ge=0)
    boxes: float = Field(0.3, ge=0)
    centres: float = Field(0.3, ge=0)
    offsets: float = Field(0.02, ge=0)
    parts: float = Field(0.7, ge=0)
    severity_maps: float = Field(0.1, ge=0)
    vehicle: float = Field(0.15, ge=0)
    damage: float = Field(0.15, ge=0)
    severity: float = Field(0.05, ge=0)


class Recipe(_Strict):
    """Everything that one training run depends on, beside the photos."""

    name: str
    description: str = ""
    licence: str = "Apache-2.0"
    seed: int = 0
    model: ModelRecipe
    classes: Classes
    data: DataRecipe
    schedule: Schedule
    losses: Losses = Losses()
    review: ReviewRecipe = ReviewRecipe()
    origins: dict[str, Origin] = Field({}, description="of the photos, by their `source`")
    limits: tuple[str, ...] = Field((), description="what the bundle is known to fail on, a sentence each, for its model card")

    @model_validator(mode="after")
    def _weak_are_taught(self) -> Self:
        strangers = sorted(set(self.review.weak_types) - set(self.classes.damage))
        if strangers:
            raise ValueError(f"review.weak_types names {', '.join(strangers)}, which is not in classes.damage")
        return self


def read_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """The recipe in a YAML file, with `key.key=value` changes applied before it is checked.

    Raises:
        ConfigError: the file is not YAML, a key is unknown (the nearest known one is named) or a value does not fit.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: a recipe is a mapping of keys to values, got {type(document).__name__}")
    for change in changes:
        _apply(document, change)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error)}") from error


def _apply(document: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals:
        raise ConfigError(f"--set {change}: write key=value, as in --set schedule.steps=500")
    *parents, last = key.split(".")
    place: Any = document
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
            if not isinstance(place, dict | list):
                raise ConfigError(f"--set {change}: `{parent}` holds a value, not keys")
        place[int(last) if isinstance(place, list) else last] = yaml.safe_load(value)
    except (IndexError, ValueError) as error:
        raise ConfigError(f"--set {change}: `{key}` is no place in this recipe") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {change}: {value!r} is no YAML value") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{key}: {problem['msg'].lower()}"
    model: Any = Recipe
    for part in problem["loc"][:-1]:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = getattr(annotation, "__args__", (annotation,))[0]
    names = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
    return f"unknown key: `{key}`" + (f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(names)}")
