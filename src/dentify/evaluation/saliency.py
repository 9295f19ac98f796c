"""Salient-object scores of the map of any damage, as CarDD's table has them: F, weighted F, S, E and MAE.

They judge a map of grey values and not findings: `(h, w)` in [0, 1] against a `(h, w)` boolean truth. The map is that of the
findings that AP is taken from; each pixel is as bright as the surest finding on it. As the field's toolboxes do, a map is first
stretched from its darkest to its brightest value, and thresholds are the 256 levels of an 8-bit picture. Each photo counts alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dentify.arrays import BoolArray, DoubleArray, IntArray
from dentify.evaluation.bitmaps import bitmap, bitmap_of, frame_of
from dentify.evaluation.bootstrap import photo_weights
from dentify.evaluation.outlines import Things, Truth
from dentify.evaluation.questions import Figure, told_mean
from dentify.evaluation.results import SaliencyResult

BETA_SQUARED = 0.3
LEVELS = 256
_EPSILON = np.spacing(1)
_HALF_LIFE = 5.0  # pixels, of the weight of a false pixel with its distance from the truth


@dataclass(frozen=True, eq=False)
class Saliency:
    """Scores of one photo.

    Attributes:
        f: `(256,)` F-beta at each threshold.
        weighted_f: of the map as it is.
        s: S-measure.
        e: `(256,)` E-measure at each threshold.
        mae: mean absolute error, in [0, 1].
    """

    f: DoubleArray
    weighted_f: float
    s: float
    e: DoubleArray
    mae: float


def saliency(found: Things, truth: Truth, size_hw: tuple[int, int]) -> Saliency | None:
    """Scores of one photo; `None` where it shows no damage, as all of CarDD's do, or where some of it is known by a box alone.

    Args:
        found: findings of damage that AP is taken from.
        truth: what the photo's labels say of damage.
        size_hw: of the upright photo, pixels.
    """
    if not (truth.annotated.outlined.all() and truth.untyped.outlined.all()):
        return None
    frame_hw = frame_of(size_hw)
    true = bitmap_of([*truth.annotated.rles, *truth.untyped.rles], frame_hw)
    if not true.any():
        return None
    return saliency_scores(stretched(damage_map(found, truth, true, frame_hw)), true)


def damage_map(found: Things, truth: Truth, true: BoolArray, frame_hw: tuple[int, int]) -> DoubleArray:
    """`frame_hw` map of any damage: each pixel has the score of the surest finding on it, 0 where there is none.

    What is found only as a type that the photo's source does not label may be right: it counts on true damage and nowhere else.
    Where something is to be ignored nothing counts as found, but for what is surely damaged.
    """
    brightness = np.zeros(frame_hw, np.float64)
    for place in np.argsort(found.scores, kind="stable").tolist():
        pixels = bitmap(found.rles[place], frame_hw)
        if not (truth.of_any_type or found.names[place] in truth.labelled):
            pixels &= true
        brightness[pixels] = found.scores[place]
    if len(truth.ignored):
        brightness[bitmap_of(truth.ignored.rles, frame_hw) & ~true] = 0.0
    return brightness


def stretched(brightness: DoubleArray) -> DoubleArray:
    """A map from 0 at its darkest to 1 at its brightest; a plain one as it is."""
    low, high = float(brightness.min()), float(brightness.max())
    return (brightness - low) / (high - low) if high > low else brightness


def saliency_scores(brightness: DoubleArray, truth: BoolArray) -> Saliency:
    """All scores of one map `(h, w)` in [0, 1] against the truth `(h, w)`, which holds one pixel at least."""
    counts = threshold_counts(brightness, truth)
    return Saliency(
        f=f_measures(counts),
        weighted_f=weighted_f_measure(brightness, truth),
        s=s_measure(brightness, truth),
        e=e_measures(counts),
        mae=mean_absolute_error(brightness, truth),
    )


def threshold_counts(brightness: DoubleArray, truth: BoolArray) -> IntArray:
    """`(256, 4)`: pixels told rightly, told wrongly, missed and rightly not told, from each of the levels 0 to 255 of 255 on.

    >>> threshold_counts(np.array([[0.0, 0.5, 1.0]]), np.array([[False, False, True]]))[[0, 1, 127, 128]].tolist()
    [[1, 2, 0, 0], [1, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 2]]
    """
    levels = (brightness * (LEVELS - 1)).astype(np.uint8)
    true, other = (np.bincount(levels[which], minlength=LEVELS)[::-1].cumsum()[::-1] for which in (truth, ~truth))
    return np.stack([true, other, true[0] - true, other[0] - other], axis=1)


def f_measures(counts: IntArray, beta_squared: float = BETA_SQUARED) -> DoubleArray:
    """F-beta of counts `(…, 4)`, by 0.3 in favour of precision.

    Source: Achanta, Hemami, Estrada, Süsstrunk: *Frequency-tuned salient region detection* (CVPR 2009).

    >>> f_measures(np.array([[1, 1, 1, 5], [0, 0, 3, 5]])).round(3).tolist()
    [0.5, 0.0]
    """
    right, wrong, missed = counts[..., 0], counts[..., 1], counts[..., 2]
    of = (1 + beta_squared) * right + wrong + beta_squared * missed
    return np.asarray((1 + beta_squared) * right / np.where(of > 0, of, 1), np.float64)


def e_measures(counts: IntArray) -> DoubleArray:
    """E-measure of counts `(…, 4)`: how well a binary map and the truth are aligned, pixel by pixel and as a whole.

    Source: Fan, Gong, Cao, Ren, Cheng, Borji: *Enhanced-alignment measure for binary foreground map evaluation* (IJCAI 2018).

    >>> e_measures(np.array([[200, 0, 0, 600], [0, 600, 200, 0], [200, 200, 0, 400]])).round(2).tolist()
    [1.0, 0.0, 0.64]
    """
    pixels = counts.sum(-1)
    right, wrong, missed, other = np.moveaxis(counts, -1, 0)
    told_mean, true_mean = (right + wrong) / pixels, (right + missed) / pixels
    total = np.zeros(pixels.shape)
    for number, told, true in ((right, 1, 1), (wrong, 1, 0), (missed, 0, 1), (other, 0, 0)):
        a, b = told - told_mean, true - true_mean
        total += number * (1 + 2 * a * b / (a * a + b * b + _EPSILON)) ** 2 / 4
    everywhere = true_mean == 1  # where all is damage, what is told is the alignment
    return np.asarray(np.where(everywhere, right + wrong, total) / (pixels - 1 + _EPSILON), np.float64)


def weighted_f_measure(brightness: DoubleArray, truth: BoolArray) -> float:
    """Weighted F (β = 1): errors beside others of their kind weigh less within the truth, and far from it weigh more.

    Source: Margolin, Zelnik-Manor, Tal: *How to evaluate foreground maps?* (CVPR 2014).
    """
    error = np.abs(brightness - truth)
    outside = (~truth).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Errors of the nearest true pixel stand for those outside. The filter reaches three pixels beyond the truth, within which the
    # labels of a mask of 5 × 5 are those of the nearest pixel, as the exact transform has no labels to give.
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    error_of = np.zeros(int(labels.max()) + 1)
    error_of[labels[truth]] = error[truth]
    kernel = np.exp(-(np.arange(-3, 4) ** 2) / (2 * 5.0**2))
    kernel /= kernel.sum()
    smooth = cv2.sepFilter2D(error_of[labels], -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
    missed = np.minimum(error, smooth)[truth]
    wrong = (error * (2 - 0.5 ** (distance / _HALF_LIFE)))[~truth].sum()
    right = len(missed) - missed.sum()
    precision, recall = right / (right + wrong + _EPSILON), 1 - missed.mean()
    return float(2 * precision * recall / (precision + recall + _EPSILON))


def s_measure(brightness: DoubleArray, truth: BoolArray) -> float:
    """S-measure (α = 0.5): likeness of structure, of the object as a whole and of the four regions around its centre.

    Source: Fan, Cheng, Liu, Li, Borji: *Structure-measure: a new way to evaluate foreground maps* (ICCV 2017).
    """
    share = float(truth.mean())
    if share in (0.0, 1.0):
        return float(brightness.mean()) if share else 1 - float(brightness.mean())
    objects = share * _object_score(brightness[truth]) + (1 - share) * _object_score(1 - brightness[~truth])
    regions = sum(weight * _likeness(brightness[where], truth[where]) for where, weight in _regions(truth))
    return max(0.0, (objects + regions) / 2)


def mean_absolute_error(brightness: DoubleArray, truth: BoolArray) -> float:
    """How far off a pixel is, on average.

    Source: Perazzi, Krähenbühl, Pritch, Hornung: *Saliency filters* (CVPR 2012).
    """
    return float(np.abs(brightness - truth).mean())


def _object_score(values: DoubleArray) -> float:
    """Likeness of some pixels' values to 1: bright and even is best."""
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return float(2 * mean / (mean * mean + 1 + deviation + _EPSILON))


def _regions(truth: BoolArray) -> Iterator[tuple[tuple[slice, slice], float]]:
    """The four regions that meet at the truth's centre of gravity, with their shares of the picture; empty ones left out."""
    h, w = truth.shape
    rows, columns = np.nonzero(truth)
    y, x = round(float(rows.mean())) + 1, round(float(columns.mean())) + 1
    for row in (slice(0, y), slice(y, h)):
        for column in (slice(0, x), slice(x, w)):
            pixels = truth[row, column].size
            if pixels:
                yield (row, column), pixels / (h * w)


def _likeness(brightness: DoubleArray, truth: BoolArray) -> float:
    """Structural similarity of one region."""
    n = max(truth.size - 1, 1)
    x, y = float(brightness.mean()), float(truth.mean())
    from_x, from_y = brightness - x, truth - y
    variances, covariance = float((from_x**2).sum() + (from_y**2).sum()) / n, float((from_x * from_y).sum()) / n
    above, below = 4 * x * y * covariance, (x * x + y * y) * variances
    if above != 0:
        return float(above / (below + _EPSILON))
    return 1.0 if below == 0 else 0.0


def saliency_figures(rows: Sequence[Saliency], resamples: int, seed: int) -> dict[str, Figure]:
    """Each score over photos with its resampled values `(B,)`; nothing without photos.

    The largest F and E are those at the one threshold that is best for all photos together.
    """
    if not rows:
        return {}
    weights = photo_weights(len(rows), resamples, seed) / len(rows)
    figures: dict[str, Figure] = {}
    for key, curves in (("f", np.stack([row.f for row in rows])), ("e", np.stack([row.e for row in rows]))):
        curve, resampled = curves.mean(0), weights @ curves  # (256,), (B, 256)
        figures[f"{key}_max"] = (float(curve.max()), resampled.max(1))
        figures[f"{key}_mean"] = (float(curve.mean()), resampled.mean(1))
    for key, values in (
        ("weighted_f", np.array([row.weighted_f for row in rows])),
        ("s", np.array([row.s for row in rows])),
        ("mae", np.array([row.mae for row in rows])),
    ):
        figures[key] = (float(values.mean()), weights @ values)
    return figures


def saliency_result(rows: Sequence[Saliency], resamples: int, seed: int) -> SaliencyResult | None:
    """`saliency_figures` as an evaluation tells them; `None` without photos."""
    figures = saliency_figures(rows, resamples, seed)
    if not figures:
        return None
    return SaliencyResult(photos=len(rows), **{key: told_mean(one, ("photos",)) for key, one in figures.items()})
