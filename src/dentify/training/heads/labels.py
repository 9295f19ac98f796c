"""Answers for the photo as a whole: is there a vehicle, is it damaged, how badly, which types of damage it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from dentify.bundle.manifest import Kind
from dentify.datasets.sample import UNTYPED, Sample, has_vehicle, is_damaged, shown_types, worst_severity
from dentify.strict import Strict
from dentify.training import losses
from dentify.training.classes import Classes
from dentify.training.heads.head import MOST_OF_PHOTO, Output, Role, Truth
from dentify.training.losses import IGNORE
from dentify.training.scene import Placed, Scene

ANSWERS = ("no", "yes")
SMOOTHING = 0.02
MOST_TYPES = 0.8
"""Share of the types that a source must label for a view without any of its damages to be sound."""


class LabelsRecipe(Strict):
    """A gate's logit of yes, or a logit a level of severity or a damage type."""

    kind: Literal["labels"]
    of: Literal["vehicle", "damaged", "severity", "damage"]
    weight: float = Field(1.0, ge=0, description="of the head's loss beside those of the others")
    smoothing: float | None = Field(
        None, ge=0, lt=0.5, description=f"of a gate: share of the labels that is taken for wrong; {SMOOTHING} where not given"
    )
    class_weights: tuple[float, ...] | None = Field(
        None, description="of severity and of types that exclude each other, one a class, for rare ones"
    )
    exclusive: bool = Field(False, description="of damage: whether a photo shows one type; else each type is asked for by itself")
    features: bool = Field(True, description="whether features pooled from the whole picture count")
    pooled: tuple[str, ...] = Field((), description="of a gate: heads of maps whose strongest places count")
    within: str | None = Field(None, description="with `pooled`: the head whose map says where these places may lie")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.of in ("severity", "damage") and (self.pooled or not self.features):
            raise ValueError("`features` and `pooled` are of gates alone")
        if self.exclusive and self.of != "damage":
            raise ValueError("`exclusive` is of damage alone: levels exclude each other anyway, and a gate has one answer")
        if not (self.features or self.pooled):
            raise ValueError("an answer without `features` needs maps in `pooled`")
        if self.within is not None and not self.pooled:
            raise ValueError("`within` says where the strongest places of `pooled` lie, which names none")
        if self.class_weights is not None and self.of != "severity" and not self.exclusive:
            raise ValueError("`class_weights` are of classes that exclude each other: a gate weighs both answers alike")
        if self.smoothing is not None and (self.of == "severity" or self.exclusive):
            raise ValueError("`smoothing` is of answers with yes and no: other classes are weighed by `class_weights`")
        return self

    def build(self, name: str, classes: Classes) -> Gate | PhotoSeverity | PhotoTypes:
        """The head."""
        if self.of == "severity":
            return PhotoSeverity(name, self, classes.severity)
        return (PhotoTypes if self.of == "damage" else Gate)(name, self, classes.damage)


@dataclass(frozen=True)
class Gate:
    """See `Head`. Truth: `answer` () float32, 1, 0, or NaN where unknown; `asked` () bool, whether figures count it."""

    name: str
    recipe: LabelsRecipe
    damage: tuple[str, ...]
    kind: Kind = "labels"
    auxiliary: str | None = None
    names: tuple[str, ...] = ANSWERS

    @property
    def role(self) -> Role:
        """Which gate it is."""
        return "vehicle_gate" if self.recipe.of == "vehicle" else "damage_gate"

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def output(self) -> Output:
        """The logit of yes."""
        return Output(1, features=self.recipe.features, pooled=self.recipe.pooled, within=self.recipe.within)

    def shown(self, sample: Sample) -> Iterable[str]:
        """The answer that is true of the photo as a whole."""
        answer = has_vehicle(sample) if self.recipe.of == "vehicle" else is_damaged(sample)
        return () if answer is None else (ANSWERS[answer],)

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """The one; a gate that saw one answer alone never learned what the other looks like."""
        return [0] if set(taught) == set(ANSWERS) else []

    def truth(self, scene: Scene) -> Truth:
        """See the class."""
        answer = self._vehicle(scene) if self.recipe.of == "vehicle" else self._damaged(scene)
        asked = self.recipe.of == "vehicle" or (scene.whole is not None and scene.whole.sample.vehicle is not False)
        return {"answer": np.array(answer, np.float32), "asked": np.array(asked)}

    def _vehicle(self, scene: Scene) -> float:
        """A mosaic holds a vehicle where one of its photos does; where none surely does, who knows."""
        answers = [window_shows_vehicle(placed) for placed in scene.photos]
        if scene.whole is not None:
            return answers[0]
        return 1.0 if 1.0 in answers else math.nan

    def _damaged(self, scene: Scene) -> float:
        """Nobody photographs mosaics: whether one counts as damaged is not asked."""
        if scene.whole is None:
            return math.nan
        return 1.0 if scene.pasted else window_shows_damage(scene.whole, self.damage)

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy, smoothed for the labels' own errors."""
        smoothing = SMOOTHING if self.recipe.smoothing is None else self.recipe.smoothing
        return losses.yes_or_no(outputs[:, 0], truth["answer"], smoothing=smoothing)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Of yes and no."""
        return losses.binary_distance(outputs, teacher, temperature)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Photos of either answer, and those that got it."""
        counts: dict[str, Tensor] = {}
        for value, answer in enumerate(ANSWERS):
            asked = truth["asked"] & (truth["answer"] == value)
            counts |= {f"{answer}/asked": asked.sum(), f"{answer}/right": (asked & ((outputs[:, 0] > 0) == bool(value))).sum()}
        return counts

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Shares of the photos that are answered rightly."""
        return {answer: (counts[f"{answer}/right"].double() / counts[f"{answer}/asked"].double()).item() for answer in ANSWERS}


@dataclass(frozen=True)
class PhotoSeverity:
    """See `Head`. Truth: `level` () int64, the worst damage that is seen; `IGNORE` where nobody said."""

    name: str
    recipe: LabelsRecipe
    names: tuple[str, ...]
    kind: Kind = "labels"
    role: Role = "severity"
    auxiliary: str | None = None

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def output(self) -> Output:
        """A logit a level."""
        return Output(len(self.names))

    def shown(self, sample: Sample) -> Iterable[str]:
        """The level of its worst damage."""
        worst = worst_severity(sample)
        return (worst,) if worst in self.names else ()

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """One a level; one alone tells nothing."""
        known = [place for place, name in enumerate(self.names) if name in taught]
        return known if len(known) > 1 else []

    def truth(self, scene: Scene) -> Truth:
        """The photo's own level where most of it is seen, else the worst of the damages of which more than half is.

        Of mosaics it is not asked.
        """
        told: list[str | None] = []
        if scene.whole is not None and scene.whole.sample.severity is not None:
            told = [scene.whole.sample.severity] if scene.whole.shown > MOST_OF_PHOTO else []
        elif scene.whole is not None:
            told = [damage.annotation.severity for damage in scene.whole.damages if damage.visible > 0.5 * damage.whole]
        levels = [self.names.index(level) for level in told if level in self.names]
        return {"level": np.array(max(levels, default=IGNORE), np.int64)}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Weighted cross-entropy."""
        return losses.cross_entropy(outputs, truth["level"], self.recipe.class_weights)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Of the levels beside each other."""
        return losses.exclusive_distance(outputs, teacher, temperature)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Photos of each level, and those that are told it."""
        own = truth["level"][:, None] == torch.arange(len(self.names), device=outputs.device)
        right = own & (outputs.argmax(1) == truth["level"])[:, None]
        return {"asked": own.sum(0), "right": right.sum(0)}

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """Recall of each level, and their mean over those that occur."""
        recalls = counts["right"].double() / counts["asked"].double()
        return {"mean": recalls.nanmean().item(), **dict(zip(self.names, recalls.tolist(), strict=True))}


@dataclass(frozen=True)
class PhotoTypes:
    """See `Head`. Which types of damage a photo shows, wherever they are.

    Truth: `shown` (C,) float32, 1, 0, or NaN where unknown. Where types are exclusive, all are known or none is, and one is 1.
    """

    name: str
    recipe: LabelsRecipe
    names: tuple[str, ...]
    kind: Kind = "labels"
    role: Role = "types"
    auxiliary: str | None = None

    @property
    def weight(self) -> float:
        """See `Head`."""
        return self.recipe.weight

    @property
    def exclusive(self) -> bool:
        """Whether a photo shows one of them."""
        return self.recipe.exclusive

    @property
    def output(self) -> Output:
        """A logit a type."""
        return Output(len(self.names))

    def shown(self, sample: Sample) -> Iterable[str]:
        """The types that are annotated, or that the photo as a whole is labelled with; of exclusive ones where it is one."""
        types = shown_types(sample) & set(self.names)
        return types if len(types) == 1 or not self.exclusive else ()

    def channels(self, taught: tuple[str, ...]) -> list[int]:
        """One a type; of exclusive ones there must be two."""
        known = [place for place, name in enumerate(self.names) if name in taught]
        return known if len(known) > 1 or not self.exclusive else []

    def truth(self, scene: Scene) -> Truth:
        """Of mosaics, and with damages of others pasted on, it is not asked."""
        answers = np.full(len(self.names), math.nan, np.float32)
        if scene.whole is not None and not scene.pasted:
            answers[:] = window_shows_types(scene.whole, self.names)
        if self.exclusive and ((answers == 1).sum() != 1 or np.isnan(answers).any()):
            answers[:] = math.nan
        return {"shown": answers}

    def loss(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> Tensor:
        """Cross-entropy: of the one type, or of each type's yes or no, smoothed for the labels' own errors."""
        if self.exclusive:
            return losses.cross_entropy(outputs, _one_of(truth["shown"]), self.recipe.class_weights)
        smoothing = SMOOTHING if self.recipe.smoothing is None else self.recipe.smoothing
        return losses.yes_or_no(outputs, truth["shown"], smoothing=smoothing)

    def distance(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Of the types beside each other, or of each by itself."""
        measure = losses.exclusive_distance if self.exclusive else losses.binary_distance
        return measure(outputs, teacher, temperature)

    def counts(self, outputs: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Photos that show each type, that do not, and those of either that are told so."""
        shown, told = truth["shown"] == 1, outputs > 0
        absent = truth["shown"] == 0
        if self.exclusive:
            told = outputs.argmax(1)[:, None] == torch.arange(len(self.names), device=outputs.device)
        return {
            "shown": shown.sum(0),
            "found": (shown & told).sum(0),
            "absent": absent.sum(0),
            "spared": (absent & ~told).sum(0),
        }

    def figures(self, counts: Mapping[str, Tensor]) -> dict[str, float]:
        """The recall of each type and their mean; where they do not exclude each other the mean of both answers' instead."""
        recalls = counts["found"].double() / counts["shown"].double()
        if not self.exclusive:
            recalls = (recalls + counts["spared"].double() / counts["absent"].double()) / 2
        return {"mean": recalls.nanmean().item(), **dict(zip(self.names, recalls.tolist(), strict=True))}


def _one_of(shown: Tensor) -> Tensor:
    """`(B, C)` answers of exclusive types as `(B,)` indices, `IGNORE` where unknown."""
    known = ~shown.isnan().any(1)
    return torch.where(known, shown.nan_to_num().argmax(1), torch.full_like(known, IGNORE, dtype=torch.long))


def window_shows_types(placed: Placed, names: tuple[str, ...]) -> list[float]:
    """Of each type 1, 0 or NaN: a sliver of a damage decides nothing, nor does what nobody looked for."""
    sample = placed.sample
    if shown_types(sample) and not sample.damages:  # labelled as a whole, so with all that it shows
        told = shown_types(sample) & set(names) and placed.shown > MOST_OF_PHOTO
        return [float(name in sample.labels) if told else math.nan for name in names]
    height, width = placed.window_hw
    answers = []
    for name in names:
        visible = [damage for damage in placed.damages if damage.annotation.name == name]
        if any(one.visible > 0.4 * one.whole or one.visible > 0.01 * height * width for one in visible):
            answers.append(1.0)
        else:
            unknown = visible or placed.untyped or placed.ignored or not sample.knows(name)
            answers.append(math.nan if unknown else 0.0)
    return answers


def window_shows_vehicle(placed: Placed) -> float:
    """1, 0 or NaN: a small window of a photo of a whole vehicle may show nothing but street.

    It shows the vehicle, though, where a damage or parts fill it, and most likely in the middle of a photo of a sound vehicle.
    """
    sample = placed.sample
    if sample.vehicle is False:
        return 0.0
    if not (sample.vehicle or sample.damages or sample.parts):
        return math.nan
    left, top, right, bottom = placed.window
    height, width = placed.photo_hw
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    x, y = np.linalg.solve(placed.view[:, :2], middle - placed.view[:, 2]) / (width, height)
    in_the_middle = sample.damage is False and 0.25 < x < 0.75 and 0.4 < y < 0.75
    return 1.0 if placed.shown > 0.4 or placed.most_visible > 0.5 or placed.part_share > 0.5 or in_the_middle else math.nan


def window_shows_damage(placed: Placed, names: tuple[str, ...]) -> float:
    """1, 0 or NaN: a sliver of a damage decides nothing, and what was not searched for nearly every type is not sound."""
    sample = placed.sample
    if sample.damage is False:
        return 0.0
    if not sample.damages:
        return 1.0 if sample.damage and placed.shown > MOST_OF_PHOTO else math.nan
    if placed.most_visible >= 0.4:
        return 1.0
    searched = UNTYPED in sample.labelled or np.mean([sample.knows(name) for name in names]) >= MOST_TYPES
    doubtful = placed.ignored or any(damage.crowd for damage in sample.damages)
    return 0.0 if placed.most_visible == 0.0 and searched and not doubtful else math.nan
