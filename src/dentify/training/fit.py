"""What is fitted after training, on photos that training never saw: scorer, thresholds and calibration of a bundle.

The photos are those that `data.hold_out` keeps from the training sources, so val stays a judge. A scorer that is fitted on a
photo is too sure of it; calibration and thresholds therefore use scores from scorers that were fitted on the other folds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import logsumexp

from dentify.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from dentify.bundle.manifest import FEATURES, GateCalibration, Grouping, ScoreCalibration, Scorer, SeverityCalibration
from dentify.datasets import Sample
from dentify.runtime.candidates import Candidate, damage_probabilities, find_candidates
from dentify.runtime.choosing import choose, score_candidates, scorer_inputs
from dentify.runtime.damage_maps import refine
from dentify.runtime.probabilities import calibrated
from dentify.training.augment import Matrix
from dentify.training.data import draw_annotation

FOLDS = 5
Outputs = Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The candidates of one photo beside its truth.

    Attributes:
        photo: number of the photo; its views and its near-duplicates share it.
        candidates: of the types that its source labels.
        ious: one `(M,)` array a candidate: its mask's IoU with each annotated instance, 0 where the type is another.
        types: `(M,)` class ids of the annotated instances.
        instances: `(H, W)` boolean on the fine grid, one an annotated instance.
        known: `(C,)` whether the source labels the type.
        probs: `(C, h, w)` the network's.
        gates: logits of `vehicle` and `damage` for this view.
    """

    photo: int
    candidates: list[Candidate]
    ious: FloatArray
    types: IntArray
    instances: tuple[BoolArray, ...]
    known: BoolArray
    probs: FloatArray
    gates: Mapping[str, float]

    @property
    def truth(self) -> Mapping[int, BoolArray]:
        """`(H, W)` boolean truth on the fine grid of each type that is there."""
        truth: dict[int, BoolArray] = {}
        for mask, class_id in zip(self.instances, self.types.tolist(), strict=True):
            truth[class_id] = truth[class_id] | mask if class_id in truth else mask
        return truth


def gather(photo: int, sample: Sample, outputs: Outputs, view: Matrix, names: Sequence[str], grouping: Grouping) -> Evidence:
    """Candidates of one view of a photo, and how well each fits what was annotated.

    Args:
        photo: the photo's number, see `Evidence`.
        sample: its labels.
        outputs: the network's for this view, without the batch axis.
        view: from the photo's pixels to the square that the network saw.
        names: damage types in the order of the channels.
        grouping: levels and radii; its scorer is not used.
    """
    auxiliary = {name: outputs[name] for name in ("any", "centres", "offsets")}
    probs = damage_probabilities(outputs["types"], auxiliary)
    side = probs.shape[1] * grouping.upscale
    known = np.array([sample.knows(name) for name in names])
    scaled = view * (side / (2 * probs.shape[1]))  # the maps have half the square's resolution
    masks, types = [], []
    for damage in sample.damages:
        if damage.name in names and damage.has_mask:
            mask = draw_annotation(damage, scaled, side) > 127
            if mask.any():
                masks.append(mask)
                types.append(names.index(damage.name))
    candidates = [candidate for candidate in find_candidates(probs, auxiliary, grouping) if known[candidate.class_id]]
    gates = {gate: float(outputs[gate][0]) for gate in ("vehicle", "damage")}
    class_ids = np.array(types, np.int64)
    return Evidence(
        photo=photo,
        candidates=candidates,
        ious=_ious(candidates, masks, class_ids, probs, grouping.upscale),
        types=class_ids,
        instances=tuple(masks),
        known=known,
        probs=probs,
        gates=gates,
    )


def _ious(
    candidates: Sequence[Candidate], masks: Sequence[BoolArray], types: IntArray, probs: FloatArray, upscale: int
) -> FloatArray:
    """`(N, M)` of candidates and annotated instances, 0 where the types differ; see `Evidence`."""
    ious = np.zeros((len(candidates), len(masks)), np.float32)
    sizes = [int(mask.sum()) for mask in masks]
    for row, candidate in enumerate(candidates):
        _, x, y, crop = refine(candidate, probs, upscale)
        window = (slice(y, y + crop.shape[0]), slice(x, x + crop.shape[1]))
        area = int(crop.sum())
        for column in np.flatnonzero(types == candidate.class_id).tolist():
            both = int((masks[column][window] & crop).sum())
            ious[row, column] = both / (area + sizes[column] - both)
    return ious


LEAST_CANDIDATES = 50


def fit_scorer(evidence: Sequence[Evidence], num_types: int, *, seed: int, hidden: int = 16, steps: int = 1500) -> Scorer | None:
    """A small network that says how likely a candidate's IoU with an annotated instance is at least 0.5.

    `None` where there are too few candidates to learn from: findings then score their mean probability.
    """
    if sum(len(photo.candidates) for photo in evidence) < LEAST_CANDIDATES:
        return None
    torch.manual_seed(seed)
    features, class_ids, target = _table(evidence)
    inputs = scorer_inputs(features, class_ids, num_types)
    mean, std = inputs.mean(0), inputs.std(0) + 1e-3
    x = torch.from_numpy((inputs - mean) / std)
    y = torch.from_numpy(target)
    network = torch.nn.Sequential(torch.nn.Linear(x.shape[1], hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(x), (min(len(x), 512),), generator=generator)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[rows])[:, 0], y[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    layers = [layer for layer in network if isinstance(layer, torch.nn.Linear)]

    def rounded(values: torch.Tensor | FloatArray) -> list[float]:
        return [float(f"{value:.6g}") for value in values.tolist()]

    return Scorer(
        features=FEATURES,
        mean=tuple(rounded(mean)),
        std=tuple(rounded(std)),
        weights=tuple(tuple(tuple(rounded(row)) for row in layer.weight.detach()) for layer in layers),
        biases=tuple(tuple(rounded(layer.bias.detach())) for layer in layers),
    )


def _table(evidence: Sequence[Evidence]) -> tuple[FloatArray, IntArray, FloatArray]:
    features = np.stack([candidate.features for photo in evidence for candidate in photo.candidates])
    class_ids = np.array([candidate.class_id for photo in evidence for candidate in photo.candidates])
    best = np.concatenate([photo.ious.max(1, initial=0.0) for photo in evidence])
    # Half the weight on the question itself, half on a slope around it: near misses teach, too.
    target = 0.5 * (best >= 0.5) + 0.5 * np.clip((best - 0.3) / 0.4, 0, 1)
    return features, class_ids, target.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Told:
    """What a bundle would tell of one photo, best first, and whether it is right."""

    evidence: Evidence
    findings: list[Candidate]
    scores: FloatArray
    class_ids: IntArray
    right: BoolArray


def cross_told(
    evidence: Sequence[Evidence],
    grouping: Grouping,
    num_types: int,
    *,
    seed: int,
    teaches: Callable[[Evidence], bool] = lambda photo: True,
) -> list[Told]:
    """Findings of every photo, scored by a scorer that was fitted on other photos, those that teach."""
    told = []
    for fold in range(FOLDS):
        mine = [photo for photo in evidence if photo.photo % FOLDS == fold]
        others = [photo for photo in evidence if photo.photo % FOLDS != fold and teaches(photo)]
        scorer = fit_scorer(others, num_types, seed=seed)
        told += [tell(photo, grouping, scorer, num_types) for photo in mine]
    return told


def tell(evidence: Evidence, grouping: Grouping, scorer: Scorer | None, num_types: int) -> Told:
    """Scores a photo's candidates, chooses among them and matches these with the truth, most confident first."""
    if not evidence.candidates:
        return Told(evidence, [], np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    scores = score_candidates(evidence.candidates, scorer, num_types)
    chosen = choose(evidence.candidates, scores, evidence.probs, grouping)
    findings = [candidate for _, candidate in chosen]
    taken = np.zeros(len(evidence.types), np.bool_)
    right = np.zeros(len(findings), np.bool_)
    for place, row in enumerate(_ious(findings, evidence.instances, evidence.types, evidence.probs, grouping.upscale)):
        ious = np.where(taken, 0, row)
        if len(ious) and ious.max() >= 0.5:
            right[place] = True
            taken[int(ious.argmax())] = True
    class_ids = np.array([candidate.class_id for candidate in findings], np.int64)
    return Told(evidence, findings, np.array([score for score, _ in chosen], np.float32), class_ids, right)


def average_precision50(told: Sequence[Told], class_id: int) -> float:
    """COCO's AP at IoU 0.5 of one type, from matches that are made already; NaN without annotated instances."""
    scores = np.concatenate([photo.scores[photo.class_ids == class_id] for photo in told])
    right = np.concatenate([photo.right[photo.class_ids == class_id] for photo in told])
    total = sum(int((photo.evidence.types == class_id).sum()) for photo in told)
    if total == 0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    tp = np.cumsum(right[order])
    precision = tp / np.arange(1, len(order) + 1)
    recall = tp / total
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101))
    return float(np.mean([envelope[place] if place < len(envelope) else 0.0 for place in at]))


def pixel_counts(photo: Told, thresholds: FloatArray, upscale: int) -> IntArray:
    """`(C + 1, 2)`: cells that told findings and truth share, and cells of either, for each type and for damage of any.

    Types that the source does not label count nothing.

    Args:
        photo: its findings.
        thresholds: `(C,)` scores from which on findings are told.
        upscale: of the grouping.
    """
    evidence = photo.evidence
    side = evidence.probs.shape[1] * upscale
    num_types = len(evidence.known)
    drawn, truth = np.zeros((2, num_types + 1, side, side), np.bool_)
    annotated = evidence.truth
    for class_id in np.flatnonzero(evidence.known).tolist():
        if class_id in annotated:
            truth[class_id] = annotated[class_id]
        for place in np.flatnonzero((photo.class_ids == class_id) & (photo.scores >= thresholds[class_id])).tolist():
            _, x, y, crop = refine(photo.findings[place], evidence.probs, upscale)
            drawn[class_id, y : y + crop.shape[0], x : x + crop.shape[1]] |= crop
    drawn[num_types], truth[num_types] = drawn.any(axis=0), truth.any(axis=0)
    return np.stack([np.count_nonzero(drawn & truth, axis=(1, 2)), np.count_nonzero(drawn | truth, axis=(1, 2))], axis=1)


def fit_curves(told: Sequence[Told], names: Sequence[str], *, least: int = 25, bins: int = 10) -> dict[str, ScoreCalibration]:
    """From scores to the share of findings that are right: isotonic over bins of equal count, one curve a type.

    A type with too few findings for a curve of its own shares the curve of all; where these are too few, too, scores stay as
    they are.
    """
    if not told:
        return {}
    scores = np.concatenate([photo.scores for photo in told])
    right = np.concatenate([photo.right for photo in told]).astype(np.float64)
    class_ids = np.concatenate([photo.class_ids for photo in told])
    if len(scores) < 2 * least:
        return {}
    shared = _curve(scores, right, least, bins)
    curves = {}
    for class_id, name in enumerate(names):
        mine = class_ids == class_id
        enough = right[mine].sum() >= least
        curves[name] = _curve(scores[mine], right[mine], least, bins) if enough else shared
    return curves


def _curve(scores: FloatArray, right: DoubleArray, least: int, bins: int) -> ScoreCalibration:
    """Bins with at least `least` findings each and, since right ones are rare, about as many right ones each."""
    order = np.argsort(scores, kind="stable")
    scores, right = scores[order].astype(np.float64), right[order]
    weight = np.cumsum(right + 0.02)
    edges = np.searchsorted(weight, np.linspace(0, weight[-1], bins + 1)[1:-1])
    groups = [group for group in np.split(np.arange(len(scores)), np.unique(edges)) if len(group)]
    merged: list[IntArray] = []
    for group in groups:
        if merged and (len(merged[-1]) < least):
            merged[-1] = np.concatenate([merged[-1], group])
        else:
            merged.append(group)
    x = np.array([scores[group].mean() for group in merged])
    # One imagined wrong and one imagined right finding a bin keep confidences off 0 and 1.
    y = np.array([(right[group].sum() + 0.5) / (len(group) + 1) for group in merged])
    y = isotonic_regression(y, weights=[len(group) for group in merged]).x
    x, keep = np.unique(np.round(x, 4), return_index=True)
    y = y[keep]
    if x[0] > 0:
        x, y = np.append(0.0, x), np.append(min(y[0], 0.5 * y[0]), y)
    if x[-1] < 1:
        x, y = np.append(x, 1.0), np.append(y, y[-1] + 0.5 * (1 - y[-1]) * (1 - x[-1]))
    return ScoreCalibration(x=tuple(x.tolist()), y=tuple(float(value) for value in np.round(y, 4)))


def calibrate(told: Sequence[Told], curves: Mapping[str, ScoreCalibration], names: Sequence[str]) -> list[Told]:
    """The same findings with confidences in place of scores."""
    ordered = [curves.get(name) for name in names]
    return [replace(photo, scores=calibrated(photo.scores, photo.class_ids, ordered)) for photo in told]


def silenced(photo: Told) -> Told:
    """The same photo where a gate holds its findings back."""
    return replace(photo, findings=[], scores=photo.scores[:0], class_ids=photo.class_ids[:0], right=photo.right[:0])


THRESHOLDS = np.round(np.arange(0.1, 0.61, 0.025), 3).astype(np.float32)
"""What is right less often than once in ten times is not told."""


def choose_thresholds(
    told: Sequence[Told], names: Sequence[str], *, sweeps: int = 3, tolerance: float = 0.002
) -> dict[str, float]:
    """For each type the confidence from which on findings are told.

    Best is what makes the pooled pixel IoU of the types, in the mean, and half that of any damage largest in sum: type by type,
    the others as they are, a few times over. Of thresholds that are about as good the lowest is taken: a damage that is not told
    costs more than a look.

    Args:
        told: calibrated.
        names: of the types.
        sweeps: times over.
        tolerance: how much less a threshold may give and count as good.
    """
    passed, truth = _ladders(told, len(names))
    any_truth = np.asarray(truth.any(axis=0))
    places = np.full(len(names), len(THRESHOLDS) // 4)
    for class_id in [*range(len(names))] * sweeps:
        others = np.asarray(np.delete(passed > places[:, None], class_id, axis=0).any(axis=0))

        def told_of(where: BoolArray, steps: NDArray[np.uint8] = passed[class_id]) -> IntArray:
            """How many of some cells are told at each threshold of this type."""
            counts = np.bincount(steps[where], minlength=len(THRESHOLDS) + 1)
            return np.asarray(np.cumsum(counts[::-1])[::-1][1:], np.int64)

        mine = truth[class_id]
        own_iou = told_of(mine) / np.maximum(told_of(~mine) + np.count_nonzero(mine), 1)
        both = told_of(any_truth & ~others) + np.count_nonzero(any_truth & others)
        either = told_of(~any_truth & ~others) + np.count_nonzero(any_truth | others)
        worth = own_iou / len(names) + 0.5 * both / np.maximum(either, 1)
        places[class_id] = np.flatnonzero(worth >= worth.max() - tolerance)[0]
    return {name: round(float(THRESHOLDS[place]), 3) for name, place in zip(names, places, strict=True)}


def _ladders(told: Sequence[Told], num_types: int) -> tuple[NDArray[np.uint8], BoolArray]:
    """All cells of all photos that are damaged or covered by a finding, of labelled types.

    Returns:
        `(C, N)` how many of `THRESHOLDS` the surest finding there passes, and `(C, N)` whether it is damaged so.
    """
    passed, damaged = [], []
    for photo in told:
        evidence = photo.evidence
        steps = np.zeros(evidence.probs.shape, np.uint8)
        for found, score in zip(photo.findings, photo.scores, strict=True):
            window = found.window(steps[found.class_id])
            np.maximum(window, np.searchsorted(THRESHOLDS, score, "right"), out=window, where=found.mask, casting="unsafe")
        truth = np.zeros(evidence.probs.shape, np.bool_)
        for class_id, mask in evidence.truth.items():
            if evidence.known[class_id]:
                fine = mask.astype(np.float32)
                truth[class_id] = cv2.resize(fine, truth.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0.5
        there = (steps > 0).any(axis=0) | truth.any(axis=0)
        passed.append(steps[:, there])
        damaged.append(truth[:, there])
    return np.concatenate(passed, axis=1), np.concatenate(damaged, axis=1)


def fit_gate(logits: NDArray[np.floating], truth: BoolArray, weights: NDArray[np.floating] | None = None) -> GateCalibration:
    """Temperature and bias with which yes and no are about equally likely beforehand (Platt's scaling, classes balanced).

    Args:
        logits: `(N,)`.
        truth: `(N,)` right answers.
        weights: `(N,)`, equal when left out.
    """
    if truth.all() or not truth.any():
        return GateCalibration()
    balanced = _balanced(truth, weights) / 2
    goal = np.where(truth, 0.98, 0.02)

    def loss(parameters: DoubleArray) -> float:
        z = logits * np.exp(parameters[0]) + parameters[1]
        return float((balanced * (np.logaddexp(0, z) - goal * z)).sum())

    scale, bias = minimize(loss, np.zeros(2), method="Nelder-Mead").x
    return GateCalibration(temperature=round(float(np.exp(-scale)), 4), bias=round(float(bias), 4))


def _balanced(truth: BoolArray, weights: NDArray[np.floating] | None) -> DoubleArray:
    """Weights that sum to 1 for either answer."""
    balanced = np.ones(len(truth)) if weights is None else weights.astype(np.float64)
    return np.asarray(np.where(truth, balanced / balanced[truth].sum(), balanced / balanced[~truth].sum()), np.float64)


def fit_temperature(logits: Sequence[FloatArray], truth: Sequence[int], *, least: int = 25) -> SeverityCalibration:
    """The temperature with which the told levels were likeliest.

    Args:
        logits: `(L,)` a photo.
        truth: level of each photo.
        least: photos without which nothing is fitted.
    """
    if len(truth) < least:
        return SeverityCalibration()
    scores, answers = np.stack(logits).astype(np.float64), np.asarray(truth)

    def loss(log_temperature: float) -> float:
        z = scores / math.exp(log_temperature)
        return float(np.mean(logsumexp(z, axis=1) - z[np.arange(len(z)), answers]))

    best = minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x
    return SeverityCalibration(temperature=round(math.exp(best), 4))


def gate_threshold(
    probabilities: FloatArray,
    truth: BoolArray,
    weights: NDArray[np.floating] | None = None,
    *,
    strictness: float = 0.5,
    tolerance: float = 0.01,
) -> float:
    """A probability at which the two kinds of mistake, each as a share of its class, are about as few in sum as they can be.

    Held-out photos of one kind may be a hundred: a difference of a few is noise, so all thresholds within `tolerance` of the
    best count as good.

    Args:
        probabilities: `(N,)` of yes.
        truth: `(N,)` right answers.
        weights: `(N,)`, equal when left out.
        strictness: which of the good ones: 0 the lowest, 1 the highest.
        tolerance: summed shares of mistakes.
    """
    if truth.all() or not truth.any():
        return 0.5
    balanced = _balanced(truth, weights)
    steps = np.round(np.arange(0.05, 0.96, 0.01), 2)
    mistakes = [float(balanced[truth != (probabilities >= step)].sum()) for step in steps]
    good = np.flatnonzero(np.array(mistakes) <= min(mistakes) + tolerance + 1e-9)
    return float(steps[good[round(strictness * (len(good) - 1))]])
