"""What a bundle's networks see on a labelled photo beside what annotators saw: candidates and truth, on one grid.

Maps give candidates that are yet to be scored and chosen (`gather`). Networks that find things themselves have done both: each of
theirs is a finding, on a grid of its own (`gather_found`).

A scorer that is fitted on a photo is too sure of it; confidences and thresholds therefore use scores from scorers that were
fitted on the other folds of the photos (`cross_match`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import cv2
import numpy as np

from dentify.arrays import BoolArray, FloatArray, IntArray, Matrix
from dentify.bundle.manifest import FEATURES, Grouping, Scorer
from dentify.datasets.coverage import coverage_of
from dentify.datasets.sample import UNTYPED, Annotation, Sample
from dentify.fitting.squeezed import Candidates, Squeezed, pack, squeeze
from dentify.runtime.candidates import MOST_CANDIDATES, Candidate, damage_probabilities, find_candidates
from dentify.runtime.choosing import choose, score_candidates
from dentify.runtime.damage_maps import refine
from dentify.runtime.instances import Instances

RIGHT_IOU = 0.5
"""A finding is right where its mask's IoU with an annotated instance is at least this: COCO's AP50."""
LEFT_OUT_SHARE = 0.5
"""A candidate is left out where as much of it lies in a region to be ignored, as in evaluation."""
FOLDS = 5
_NO_MAPS = np.zeros((0, 0, 0), np.float32)

MakeView = Callable[[tuple[int, int]], Matrix]
"""From the height and width of a picture to the view of the photo that it shows."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The candidates of one view of a photo beside its truth.

    Attributes:
        photo: number of the photo; its views and its near-duplicates share it.
        candidates: of the types that its source labels, without those in regions where nothing is wrong.
        ious: `(N, M)`: each candidate's IoU with each annotated instance, 0 where the type is another.
        types: `(M,)` class ids of the annotated instances.
        instances: `(M, H, W)` boolean on the fine grid, `upscale` times as fine as the candidates'.
        known: `(C,)` whether the source labels the type.
        probs: `(C, h, w)` the networks' probabilities where a candidate may come to lie, 0 elsewhere; `(C, 0, 0)` without maps.
        upscale: cells of the fine grid along the side of one of the candidates'.
        gates: logits of `vehicle` and `damage` for this view, of those that the bundle has.
        scores: `(N,)` of candidates that are findings already, best first; `None` where they are yet to be scored and chosen.
    """

    photo: int
    candidates: Candidates
    ious: FloatArray
    types: IntArray
    instances: Squeezed
    known: BoolArray
    probs: Squeezed
    upscale: int
    gates: Mapping[str, float]
    scores: FloatArray | None = None

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Height and width of the candidates' grid, in cells."""
        _, height, width = self.instances.shape
        return height // self.upscale, width // self.upscale

    @property
    def truth(self) -> BoolArray:
        """`(C, H, W)` boolean on the fine grid: where each type was annotated."""
        instances = self.instances.array()
        truth = np.zeros((len(self.known), *instances.shape[1:]), np.bool_)
        for class_id, mask in zip(self.types.tolist(), instances, strict=True):
            truth[class_id] |= mask
        return truth


def gather(
    sample: Sample,
    types_logits: FloatArray,
    auxiliary: Mapping[str, FloatArray],
    make_view: MakeView,
    names: Sequence[str],
    grouping: Grouping,
    *,
    photo: int = 0,
    gates: Mapping[str, float] | None = None,
) -> Evidence:
    """Candidates of one view of a photo, and how well each fits what was annotated.

    Args:
        sample: the photo's labels.
        types_logits: `(C, h, w)` over this view of the photo.
        auxiliary: the networks' further maps, see `runtime.candidates`.
        make_view: the view, on the grid that it is asked for.
        names: damage types in the order of the channels.
        grouping: levels and radii; its scorer is not used.
        photo: the photo's number, see `Evidence`.
        gates: logits of the gates.
    """
    probs = damage_probabilities(types_logits, auxiliary)
    grid_hw = (probs.shape[1] * grouping.upscale, probs.shape[2] * grouping.upscale)
    truth = damage_truth(sample, names, make_view(grid_hw), grid_hw)
    candidates = list(islice(find_candidates(probs, auxiliary, grouping), MOST_CANDIDATES))
    kept, ious = judged_by(truth, candidates, probs, grouping.upscale)
    return Evidence(
        photo=photo,
        candidates=pack([candidates[place] for place in kept]),
        ious=ious,
        types=truth.types,
        instances=squeeze(truth.instances),
        known=truth.known,
        probs=squeeze(_where_needed(probs, grouping)),
        upscale=grouping.upscale,
        gates=gates or {},
    )


def gather_found(
    sample: Sample,
    found: Instances,
    make_view: MakeView,
    names: Sequence[str],
    *,
    photo: int = 0,
    gates: Mapping[str, float] | None = None,
) -> Evidence:
    """What networks found themselves in one view of a photo, and how well each fits what was annotated.

    Args:
        sample: the photo's labels.
        found: in this view, with raw scores, best first.
        make_view: the view, on the grid that it is asked for.
        names: damage types in the order of the class ids.
        photo: the photo's number, see `Evidence`.
        gates: logits of the gates.
    """
    truth = damage_truth(sample, names, make_view(found.grid_hw), found.grid_hw)
    candidates = candidates_of_found(found)
    kept, ious = judged_by(truth, candidates)
    return Evidence(
        photo=photo,
        candidates=pack([candidates[place] for place in kept]),
        ious=ious,
        types=truth.types,
        instances=squeeze(truth.instances),
        known=truth.known,
        probs=squeeze(np.zeros((len(names), 0, 0), np.float32)),
        upscale=1,
        gates=gates or {},
        scores=found.scores[kept],
    )


def candidates_of_found(found: Instances) -> list[Candidate]:
    """Things that were found as candidates on their own grid, without features."""
    nothing = np.zeros(len(FEATURES), np.float32)
    lying = [found.cells(index) for index in range(len(found))]
    return [
        Candidate(class_id, mask, columns.start, rows.start, 0.5, nothing)
        for class_id, (rows, columns, mask) in zip(found.class_ids.tolist(), lying, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Truth:
    """What annotators outlined in one view of a photo.

    Attributes:
        types: `(M,)` class ids.
        instances: `(M, H, W)` boolean.
        known: `(C,)` of which classes the labels say where they are and where not.
        ignored: `(H, W)` where nothing that is found is wrong; `None` without any.
    """

    types: IntArray
    instances: BoolArray
    known: BoolArray
    ignored: BoolArray | None


def damage_truth(sample: Sample, names: Sequence[str], view: Matrix, grid_hw: tuple[int, int]) -> Truth:
    """Of damages, on a grid over a view of the photo."""
    known = np.array([sample.knows(name) for name in names], np.bool_)
    return Truth(*outlined(sample.damages, names, view, grid_hw), known, left_out(sample, names, view, grid_hw))


def outlined(
    annotations: Iterable[Annotation], names: Sequence[str], view: Matrix, grid_hw: tuple[int, int]
) -> tuple[IntArray, BoolArray]:
    """`(M,)` class ids and `(M, H, W)` masks of those annotations that are outlined, of one thing, and can be seen."""
    masks, types = [np.zeros((0, *grid_hw), np.bool_)], []
    for one in annotations:
        if one.name in names and one.has_mask and not one.crowd:
            mask = coverage_of(one, view, grid_hw) > 127
            if mask.any():
                masks.append(mask[None])
                types.append(names.index(one.name))
    return np.array(types, np.int64), np.concatenate(masks)


def judged_by(
    truth: Truth, candidates: Sequence[Candidate], probs: FloatArray = _NO_MAPS, upscale: int = 1
) -> tuple[list[int], FloatArray]:
    """Places of the N candidates that can be right or wrong, and `(N, M)` their IoUs with what was annotated.

    Those of classes that nobody labelled are left out, and those in regions where nothing is wrong.

    Args:
        truth: on the fine grid.
        candidates: any number.
        probs: `(C, h, w)` that they are refined by; none where the fine grid is their own.
        upscale: see `Evidence`.
    """
    kept = [place for place, candidate in enumerate(candidates) if truth.known[candidate.class_id]]
    ious = ious_of([candidates[place] for place in kept], truth.instances, truth.types, probs, upscale)
    if truth.ignored is None:
        return kept, ious
    right = np.any(ious >= RIGHT_IOU, axis=1).tolist()
    shares = [_share_in(candidates[place], truth.ignored, probs, upscale) for place in kept]
    rows = [row for row, share in enumerate(shares) if right[row] or share < LEFT_OUT_SHARE]
    return [kept[row] for row in rows], ious[rows]


def left_out(sample: Sample, names: Sequence[str], view: Matrix, grid_hw: tuple[int, int]) -> BoolArray | None:
    """`(H, W)` where no finding is wrong; `None` without any.

    That is where regions are to be ignored, or hold many damages that are not told apart (crowds), or one of a type that nobody
    told.
    """
    ignored = [one for one in sample.ignored if one.kind == "damage"]
    unclear = [one for one in sample.damages if one.crowd or (one.name == UNTYPED and UNTYPED not in names)]
    regions = [coverage_of(one, view, grid_hw) > 127 for one in (*ignored, *unclear)]
    return np.asarray(np.any(regions, axis=0), np.bool_) if regions else None


def _share_in(candidate: Candidate, regions: BoolArray, probs: FloatArray, upscale: int) -> float:
    """How much of a candidate lies in some regions."""
    _, x, y, crop = refine(candidate, probs, upscale)
    inside = int(np.count_nonzero(crop & regions[y : y + crop.shape[0], x : x + crop.shape[1]]))
    return inside / max(1, int(np.count_nonzero(crop)))


def _where_needed(probs: FloatArray, grouping: Grouping) -> FloatArray:
    """Probabilities that choosing and refining candidates read: those above the lowest level, and their neighbours."""
    lowest = grouping.levels[0] if grouping.spread_to is None else min(grouping.levels[0], grouping.spread_to)
    above = (probs > lowest).astype(np.uint8)
    near = np.stack([cv2.dilate(cells, np.ones((3, 3), np.uint8)) for cells in above])
    return np.where(near > 0, probs, np.float32(0))


def ious_of(
    candidates: Sequence[Candidate], instances: BoolArray, types: IntArray, probs: FloatArray, upscale: int
) -> FloatArray:
    """`(N, M)` of candidates and annotated instances, 0 where the types differ; see `Evidence`."""
    ious = np.zeros((len(candidates), len(instances)), np.float32)
    sizes = np.count_nonzero(instances, axis=(1, 2)).tolist()
    for row, candidate in enumerate(candidates):
        _, x, y, crop = refine(candidate, probs, upscale)
        area = int(np.count_nonzero(crop))
        for column in np.flatnonzero(types == candidate.class_id).tolist():
            window = instances[column, y : y + crop.shape[0], x : x + crop.shape[1]]
            both = int(np.count_nonzero(window & crop))
            ious[row, column] = both / (area + sizes[column] - both)
    return ious


@dataclass(frozen=True, eq=False)
class Matched:
    """The findings of one view of a photo, best first, and whether each is right.

    Attributes:
        evidence: what they were chosen from.
        findings: N candidates, as they would be told.
        scores: `(N,)` raw ones, or confidences after `calibrate`.
        right: `(N,)` whether the finding matches an annotated instance that no better finding matched.
    """

    evidence: Evidence
    findings: Candidates
    scores: FloatArray
    right: BoolArray

    @property
    def class_ids(self) -> IntArray:
        """`(N,)` damage types of the findings."""
        return self.findings.class_ids


def match(evidence: Evidence, grouping: Grouping, scorer: Scorer | None) -> Matched:
    """Scores a photo's candidates and chooses among them where nobody did, and matches these with the truth, best first."""
    if evidence.scores is not None:
        return Matched(evidence, evidence.candidates, evidence.scores, right_ones(evidence.ious))
    if not len(evidence.candidates):
        return Matched(evidence, evidence.candidates, np.zeros(0, np.float32), np.zeros(0, np.bool_))
    candidates, probs = evidence.candidates.unpacked(), evidence.probs.array()
    chosen = choose(candidates, score_candidates(candidates, scorer, len(evidence.known)), probs, grouping)
    findings = [candidate for _, candidate in chosen]
    ious = ious_of(findings, evidence.instances.array(), evidence.types, probs, evidence.upscale)
    scores = np.array([score for score, _ in chosen], np.float32)
    return Matched(evidence, pack(findings), scores, right_ones(ious))


def right_ones(ious: FloatArray) -> BoolArray:
    """`(N,)` which findings, best first, are right: each takes the instance that it fits best of those not taken.

    >>> right_ones(np.float32([[0.6], [0.9], [0.2]])).tolist()
    [True, False, False]
    """
    taken = np.zeros(ious.shape[1], np.bool_)
    right = np.zeros(len(ious), np.bool_)
    for place, row in enumerate(ious):
        free = np.where(taken, 0, row)
        if len(free) and free.max() >= RIGHT_IOU:
            right[place] = taken[int(free.argmax())] = True
    return right


def silenced(photo: Matched) -> Matched:
    """The same photo where a gate holds its findings back."""
    return replace(photo, findings=pack([]), scores=photo.scores[:0], right=photo.right[:0])


FitScorer = Callable[[Sequence[Evidence]], Scorer | None]


def cross_match(evidence: Sequence[Evidence], grouping: Grouping, fit: FitScorer) -> list[Matched] | None:
    """Findings of every photo, scored by a scorer that was fitted on the photos of the other folds.

    Args:
        evidence: of all photos.
        grouping: of the bundle; its scorer is not used.
        fit: a scorer from some of the photos, `None` where they are too few.

    Returns:
        Them, fold by fold; `None` where the photos without one fold are too few for a scorer.
    """
    matched: list[Matched] = []
    for fold in range(FOLDS):
        scorer = fit([photo for photo in evidence if photo.photo % FOLDS != fold])
        if scorer is None:
            return None
        matched += [match(photo, grouping, scorer) for photo in evidence if photo.photo % FOLDS == fold]
    return matched
