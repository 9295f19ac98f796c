"""Questions of photos as a whole: is it a vehicle, is it damaged, which types does it show, how bad is it.

Each is judged by itself, on all photos of which the answer is known: the damage gate also where the vehicle gate turned the photo
away, types also where a gate would hold them back. What a user sees of the two gates together is told by kind of photo, in
`dentify.evaluation.gates`. Severity alone is judged as it is told, since it follows from the other answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from dentify.arrays import BoolArray, DoubleArray, IntArray
from dentify.assessor import types_of_photo
from dentify.bundle.manifest import Manifest
from dentify.datasets.sample import Sample, types_shown
from dentify.evaluation.bootstrap import interval, photo_weights
from dentify.evaluation.calibration import error_by_chance, expected_calibration_error, reliability
from dentify.evaluation.classification import (
    UNKNOWN,
    Truth,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    count_answers,
    f1,
    known_or_none,
    macro,
    mean_of_known,
    precision,
    ranking,
    recall,
)
from dentify.evaluation.gates import GateRow
from dentify.evaluation.results import ClassificationResult, ClassResult, Mean, ReliabilityBin
from dentify.evaluation.severity import Judged
from dentify.runtime.look import Look
from dentify.runtime.probabilities import type_probabilities
from dentify.taxonomy import SEVERITY_LEVELS

GATE_CLASSES = {"vehicle": ("no vehicle", "vehicle"), "damage": ("undamaged", "damaged")}
"""No and yes of each gate."""
NONE_TOLD = "none told"
ANSWERS = ("told rightly", "told wrongly", "missed", "rightly not told")
"""Columns of a confusion matrix of classes that do not exclude each other."""

Figure = tuple[float | None, DoubleArray]
"""A figure, and its resampled values `(B,)`."""


@dataclass(frozen=True, eq=False)
class Question:
    """One question, and its truth and answers over N photos.

    Attributes:
        classes: C names.
        exclusive: whether a photo is of one of them.
        truth: `(N, C)`.
        told: `(N, C)`; of exclusive classes one at most.
        scores: `(N, C)` probabilities; NaN where the bundle tells none.
    """

    classes: tuple[str, ...]
    exclusive: bool
    truth: Truth
    told: BoolArray
    scores: DoubleArray

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, eq=False)
class TypesRow:
    """Types of one photo: whether it shows each (`None` where nobody said), whether it is told, and with which probability."""

    names: tuple[str, ...]
    shown: tuple[bool | None, ...]
    told: tuple[bool, ...]
    probabilities: tuple[float, ...]


def types_row(look: Look, sample: Sample, manifest: Manifest, asked: Sequence[str], score_threshold: float | None) -> TypesRow:
    """What is known and told of the types that a photo shows; of a blank picture nothing is told.

    Args:
        look: with a bundle that judges types.
        sample: what its labels say.
        manifest: of the bundle.
        asked: of which types.
        score_threshold: in place of the bundle's own.
    """
    names = manifest.classes.types
    told: set[str] = set()
    probabilities = np.zeros(len(names))
    if look.photo_types is not None and "not_a_photo" not in look.quality.issues:
        told = {one.type for one in types_of_photo(look.photo_types, manifest, score_threshold)}
        probabilities = type_probabilities(look.photo_types, manifest.calibration.types).astype(np.float64)
    return TypesRow(
        names=tuple(asked),
        shown=types_shown(sample, asked),
        told=tuple(name in told for name in asked),
        probabilities=tuple(float(probabilities[names.index(name)]) for name in asked),
    )


def types_question(rows: Sequence[TypesRow], names: Sequence[str], *, exclusive: bool) -> Question:
    """Which types photos show. Exclusive ones are asked for where it is known that a photo shows one, and which."""
    truth = np.array([[UNKNOWN if one is None else int(one) for one in row.shown] for row in rows], np.int8)
    truth = truth.reshape(-1, len(names))
    told = np.array([row.told for row in rows], np.bool_).reshape(-1, len(names))
    scores = np.array([row.probabilities for row in rows], np.float64).reshape(-1, len(names))
    known = ((truth == 1).sum(1) == 1) & (truth != UNKNOWN).all(1) if exclusive else (truth != UNKNOWN).any(1)
    return Question(tuple(names), exclusive, truth[known], told[known], scores[known])


def gate_question(gate: str, rows: Sequence[GateRow]) -> Question:
    """What a gate says of the photos of which its answer is known; nothing, as of a blank picture, is taken for a no."""
    if gate == "vehicle":
        asked = [(row.kind != "no_vehicle", row.vehicle_present, row.vehicle) for row in rows if row.kind != "undamaged_crops"]
    else:
        asked = [
            (row.kind == "damaged", row.damage_alone_present, row.damage_alone)
            for row in rows
            if row.kind in ("damaged", "undamaged")
        ]
    if all(probability is None for _, _, probability in asked):
        asked = []  # the bundle has no such gate
    yes = np.array([probability or 0.0 for _, _, probability in asked], np.float64)
    truth = np.array([known for known, _, _ in asked], np.bool_)
    told = np.array([bool(present) for _, present, _ in asked], np.bool_)
    return Question(
        GATE_CLASSES[gate],
        True,
        np.stack([~truth, truth], axis=1).astype(np.int8),
        np.stack([~told, told], axis=1),
        np.stack([1 - yes, yes], axis=1),
    )


def severity_question(judged: Sequence[Judged], confidences: Sequence[float | None]) -> Question:
    """How bad photos are, as annotated and as told; only the level that is told has a confidence."""
    levels = np.array(SEVERITY_LEVELS)
    truth = np.array([level for level, _ in judged], levels.dtype)[:, None] == levels
    told = np.array([level or "" for _, level in judged], levels.dtype)[:, None] == levels
    confidence = np.array([np.nan if one is None else one for one in confidences], np.float64)[:, None]
    return Question(SEVERITY_LEVELS, True, truth.astype(np.int8), told, np.where(told, confidence, np.nan))


def class_figures(question: Question, weights: IntArray) -> tuple[dict[str, Figure], dict[str, dict[str, Figure]]]:
    """Figures of all classes together, and those of each class by its name.

    Args:
        question: with one photo at least.
        weights: `(B, N)`, how often each photo is in each resample.
    """
    rows = np.concatenate([np.ones((1, len(question)), np.int64), weights])  # the first row is the figure itself
    counts = count_answers(question.truth, question.told, rows)
    values = {"precision": precision(counts), "recall": recall(counts), "f1": f1(counts)}
    ranked = [_ranking(question, place, rows) for place in range(len(question.classes))]
    values["auroc"] = np.stack([one[0] for one in ranked], axis=1)
    values["average_precision"] = np.stack([one[1] for one in ranked], axis=1)
    whole = {
        "accuracy": accuracy(counts, exclusive=question.exclusive),
        "balanced_accuracy": balanced_accuracy(counts, exclusive=question.exclusive),
        **{key: macro(values[key], counts) for key in ("precision", "recall", "f1")},
        **{key: mean_of_known(values[key]) for key in ("auroc", "average_precision")},
    }
    of_class = {
        name: {key: _figure(value[:, place]) for key, value in values.items()} for place, name in enumerate(question.classes)
    }
    return {key: _figure(value) for key, value in whole.items()}, of_class


def _ranking(question: Question, place: int, rows: IntArray) -> tuple[DoubleArray, DoubleArray]:
    """AUROC and average precision of one class against the rest, where the bundle tells probabilities of all photos."""
    known = question.truth[:, place] != UNKNOWN
    scores = question.scores[known, place]
    if np.isnan(scores).any():
        nothing = np.full(len(rows), np.nan)
        return nothing, nothing
    return ranking(scores, question.truth[known, place] == 1, rows[:, known])


def _figure(values: DoubleArray) -> Figure:
    return known_or_none(values[0]), values[1:]


def question_result(question: Question, *, resamples: int, seed: int) -> ClassificationResult | None:
    """All figures of a question; `None` where it was asked of no photo."""
    if not len(question):
        return None
    whole, of_class = class_figures(question, photo_weights(len(question), resamples, seed))
    occurring = tuple(name for place, name in enumerate(question.classes) if (question.truth[:, place] == 1).any())
    confidences, right = _confidences(question)
    bins = reliability(confidences, right)
    columns, matrix = confusion(question)
    return ClassificationResult(
        classes=question.classes,
        exclusive=question.exclusive,
        photos=len(question),
        **{key: told_mean(one, _over(key, of_class, occurring, exclusive=question.exclusive)) for key, one in whole.items()},
        per_class={
            name: ClassResult(
                photos=int((question.truth[:, place] == 1).sum()),
                told=int((question.told[:, place] & (question.truth[:, place] != UNKNOWN)).sum()),
                **{key: told_mean(one, ("photos",)) for key, one in of_class[name].items()},
            )
            for place, name in enumerate(question.classes)
        },
        confusion_columns=columns,
        confusion=tuple(tuple(row) for row in matrix.tolist()),
        ece=expected_calibration_error(bins),
        ece_by_chance=error_by_chance(bins),
        bins=tuple(ReliabilityBin(**asdict(part)) for part in bins),
    )


def _over(
    key: str, of_class: Mapping[str, Mapping[str, Figure]], occurring: tuple[str, ...], *, exclusive: bool
) -> tuple[str, ...]:
    """What a figure of all classes is the mean of."""
    if key == "accuracy":
        return ("photos",)
    if key == "balanced_accuracy" and not exclusive:
        key = "auroc"  # it wants both a yes and a no, too
    if key in ("auroc", "average_precision"):
        return tuple(name for name, figures in of_class.items() if figures[key][0] is not None)
    return occurring


def confusion(question: Question) -> tuple[tuple[str, ...], IntArray]:
    """Columns, and a row of counts for each class: by class told, or by answer where classes do not exclude each other."""
    if question.exclusive:
        truth = question.truth.argmax(1).astype(np.int64)
        told = np.where(question.told.any(1), question.told.argmax(1), len(question.classes)).astype(np.int64)
        return (*question.classes, NONE_TOLD), confusion_matrix(truth, told, len(question.classes))
    counts = count_answers(question.truth, question.told)
    return ANSWERS, np.concatenate([counts.tp, counts.fp, counts.fn, counts.tn]).T


def _confidences(question: Question) -> tuple[DoubleArray, BoolArray]:
    """What is said how surely, and whether it is right.

    Of a gate it is yes; of several exclusive classes the likeliest one; of others each class's yes, all photos' together.
    """
    scores, truth = question.scores, question.truth
    is_gate = question.classes in GATE_CLASSES.values()
    if question.exclusive and not is_gate:
        kept = np.isfinite(scores).any(1)
        best = np.nan_to_num(scores[kept], nan=-1.0).argmax(1)
        places = np.arange(len(best))
        return scores[kept][places, best], truth[kept][places, best] == 1
    if is_gate:
        return scores[:, 1], truth[:, 1] == 1
    known = truth != UNKNOWN
    return scores[known], truth[known] == 1


def told_mean(one: Figure, over: tuple[str, ...]) -> Mean:
    """A figure with its interval, and what it is the mean of."""
    value, resampled = one
    return Mean(value=value, interval=None if value is None else interval(resampled), over=over if value is not None else ())
