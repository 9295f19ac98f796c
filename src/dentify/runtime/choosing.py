"""Which candidates stay: each is scored, of those that overlap the likeliest stays, and spreads.

A small network (`Scorer`, its few hundred weights stand in the manifest) says of each candidate how likely it matches what an
annotator would outline; of candidates of one type that overlap the likeliest stays, and spreads to the cells around it that are
likely damaged so, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from dentify.arrays import FloatArray, IntArray
from dentify.bundle.manifest import FEATURES, Grouping, Scorer
from dentify.runtime.candidates import Candidate
from dentify.runtime.grids import cropped, shared_cells
from dentify.runtime.probabilities import sigmoid

_MOST_RIVALS = 1_000  # each pair of a type costs 1 µs; photos have some hundreds


def score_candidates(candidates: list[Candidate], scorer: Scorer | None, num_types: int) -> FloatArray:
    """`(N,)` float32 in [0, 1]: how likely each is what an annotator outlined; its mean probability without a scorer."""
    features = np.stack([candidate.features for candidate in candidates])
    if scorer is None:
        return features[:, FEATURES.index("mean")].copy()
    class_ids = np.array([candidate.class_id for candidate in candidates])
    inputs = scorer_inputs(features[:, [FEATURES.index(name) for name in scorer.features]], class_ids, num_types)
    hidden = (inputs - np.array(scorer.mean, np.float32)) / np.array(scorer.std, np.float32)
    for weights, biases in zip(scorer.weights, scorer.biases, strict=True):
        hidden = hidden @ np.array(weights, np.float32).T + np.array(biases, np.float32)
        if len(biases) > 1:
            hidden = np.maximum(hidden, 0)
    return sigmoid(np.asarray(hidden[:, 0], np.float32))


def scorer_inputs(features: FloatArray, class_ids: IntArray, num_types: int) -> FloatArray:
    """`(N, F + num_types)`: `(N, F)` features and one 0 or 1 a type."""
    return np.concatenate([features, np.eye(num_types, dtype=np.float32)[class_ids]], axis=1)


def choose(
    candidates: Sequence[Candidate], scores: FloatArray, probs: FloatArray, grouping: Grouping
) -> list[tuple[float, Candidate]]:
    """Scores and candidates that stay, best first, spread; no two of a type share more than `grouping.overlap` of the smaller.

    Of maps that are noise, where there are thousands, only the likeliest are held against each other.
    """
    if len(candidates) > _MOST_RIVALS:
        best = np.argsort(-scores, kind="stable")[:_MOST_RIVALS]
        candidates, scores = [candidates[index] for index in best], scores[best]
    kept = thin_out(candidates, scores, grouping.overlap)
    chosen, scores = [candidates[index] for index in kept], scores[kept]
    if grouping.spread_to is not None:
        chosen = spread(chosen, scores, probs, grouping.spread_to)
        kept = thin_out(chosen, scores, grouping.overlap)
        chosen, scores = [chosen[index] for index in kept], scores[kept]
    return list(zip(scores.tolist(), chosen, strict=True))


def thin_out(candidates: Sequence[Candidate], scores: FloatArray, overlap: float) -> list[int]:
    """Indices of the candidates that stay, best first.

    Of two candidates of one type the better stays alone when they share more than `overlap` of the smaller one.
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        candidate = candidates[index]
        if not any(
            _shared(candidate, candidates[other]) > overlap for other in kept if candidates[other].class_id == candidate.class_id
        ):
            kept.append(int(index))
    return kept


_RIVAL = 0.5


def spread(candidates: Sequence[Candidate], scores: FloatArray, probs: FloatArray, level: float) -> list[Candidate]:
    """The same candidates, those cut above `level` with every cell above it that connects to them.

    A high level tells instances apart, but outlines them too tightly. Cells that connect to several of a type go to the nearest
    of them; a candidate of less than half another's score is no rival to it.

    Args:
        candidates: best first.
        scores: of the candidates.
        probs: `(C, h, w)` in [0, 1].
        level: where to stop.
    """
    found = list(candidates)
    for class_id in {candidate.class_id for candidate in candidates if candidate.level > level}:
        count, labels = cv2.connectedComponents((probs[class_id] > level).view(np.uint8), connectivity=8)
        same = [index for index, candidate in enumerate(candidates) if candidate.class_id == class_id]
        for index in same:
            own = candidates[index]
            if own.level <= level:
                continue
            connects = np.zeros(count, np.bool_)
            connects[own.window(labels)[own.mask]] = True
            region = connects[labels]
            mask = region.copy()
            rivals = [
                other
                for other in same
                if other != index
                and scores[other] >= _RIVAL * scores[index]
                and (candidates[other].window(region) & candidates[other].mask).any()
            ]
            if rivals:
                distance = _distance(own, region.shape)
                for other in rivals:
                    theirs = _distance(candidates[other], region.shape)
                    mask &= distance <= theirs if index < other else distance < theirs
            own.window(mask)[own.mask] = True
            x, y, crop = cropped(mask)
            found[index] = replace(own, mask=crop, x=x, y=y, level=level)
    return found


def _distance(candidate: Candidate, hw: tuple[int, ...]) -> FloatArray:
    """`(h, w)` cells from each cell of a map to the nearest of a candidate's."""
    elsewhere = np.ones(hw, np.uint8)
    candidate.window(elsewhere)[candidate.mask] = 0
    return np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, 3), np.float32)


def _shared(one: Candidate, other: Candidate) -> float:
    """Cells that two candidates share, as a share of the smaller one."""
    return shared_cells(one.mask, (one.x, one.y), other.mask, (other.x, other.y)) / min(one.cells, other.cells)
