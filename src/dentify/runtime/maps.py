"""From per-pixel maps to instances.

Which pixels are damaged is what the network learns well; where one damage ends and the next begins is what annotators disagree
about. So every plausible grouping of a type's pixels becomes a *candidate*: the connected regions above several levels, regions
that lie close to each other taken as one (annotators outline a spray of scratches as one scratch), and the pixels that vote for
the same middle. A small network (`Scorer`, its few hundred weights stand in the manifest) then says of each candidate how
likely it matches what an annotator would outline; of candidates of one type that overlap the likeliest stays, and spreads to the
cells around it that are likely damaged so, too.

All coordinates in here are cells of the maps, which cover the photo evenly; `Instances` carry them back to the photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray, IntArray
from dentify.bundle.manifest import FEATURES, Grouping, Scorer
from dentify.runtime.instances import Instances
from dentify.runtime.labels import sigmoid, softmax

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One way to group cells of one type.

    Attributes:
        class_id: index of the damage type.
        mask: boolean crop of the map.
        x, y: the crop's top left cell.
        level: probability above which its cells lie.
        features: `(len(FEATURES),)` float32.
    """

    class_id: int
    mask: BoolArray
    x: int
    y: int
    level: float
    features: FloatArray

    @cached_property
    def cells(self) -> int:
        """How many cells it holds."""
        return int(np.count_nonzero(self.mask))

    def window(self, values: NDArray[_T]) -> NDArray[_T]:
        """Its crop of a map, a view."""
        return values[self.y : self.y + self.mask.shape[0], self.x : self.x + self.mask.shape[1]]


def find_damage(
    types_logits: FloatArray, auxiliary: Mapping[str, FloatArray], grouping: Grouping, photo_hw: tuple[int, int]
) -> Instances:
    """Candidates of every type, scored, overlapping ones of a type thinned out, those that stay spread.

    Args:
        types_logits: `(C, h, w)` float32 over the photo.
        auxiliary: maps that make grouping better where the network has them: `any` `(1, h, w)`, `centres` `(C, h', w')`,
            `offsets` `(2C, h', w')` in shares of the map's sides; logits, all but the offsets.
        grouping: levels, radii and scorer of the bundle.
        photo_hw: pixels of the upright photo.

    Returns:
        Raw scores, highest first, on a grid `grouping.upscale` times as fine as the maps.
    """
    probs = damage_probabilities(types_logits, auxiliary)
    candidates = list(find_candidates(probs, auxiliary, grouping))
    height, width = types_logits.shape[1:]
    grid_hw = (height * grouping.upscale, width * grouping.upscale)
    if not candidates:
        return Instances.empty(photo_hw, grid_hw)
    scores = score_candidates(candidates, grouping.scorer, len(probs))
    kept = choose(candidates, scores, probs, grouping)
    return _to_instances([(score, refine(candidate, probs, grouping.upscale)) for score, candidate in kept], grid_hw, photo_hw)


def damage_probabilities(types_logits: FloatArray, auxiliary: Mapping[str, FloatArray]) -> FloatArray:
    """`(C, h, w)` in [0, 1] that each cell has damage of each type.

    Where the network also has a map of damage of any type, the geometric mean of both: what is damage at all is learned from
    many more examples than what kind of damage it is, and outlines gain by it.
    """
    probs = sigmoid(types_logits)
    if "any" not in auxiliary:
        return probs
    return np.asarray(np.sqrt(probs * _resized(sigmoid(auxiliary["any"])[0], *probs.shape[1:])), np.float32)


def find_candidates(probs: FloatArray, auxiliary: Mapping[str, FloatArray], grouping: Grouping) -> Iterator[Candidate]:
    """Every grouping that is worth a score; see `find_damage` for the arguments, `probs` are `(C, h, w)` in [0, 1]."""
    height, width = probs.shape[1:]
    any_probs = _resized(sigmoid(auxiliary["any"])[0], height, width) if "any" in auxiliary else probs.max(0)
    photo_any = float(any_probs.max())
    for class_id, types_probs in enumerate(probs):
        if types_probs.max() < grouping.levels[0]:
            continue
        others = np.delete(probs, class_id, 0).max(0) if len(probs) > 1 else np.zeros_like(types_probs)
        centres, votes = None, None
        if "centres" in auxiliary:
            centres = _resized(sigmoid(auxiliary["centres"][class_id]), height, width)
        if "offsets" in auxiliary:
            votes = _votes(auxiliary["offsets"][2 * class_id : 2 * class_id + 2], height, width)
        maps = _TypeMaps(
            probs=types_probs,
            centres=centres,
            described=np.asarray(cv2.merge([any_probs, others, *(() if votes is None else votes)]), np.float32),
            photo_any=photo_any,
            levels=grouping.levels,
            cells_above=tuple(int(np.count_nonzero(types_probs > level)) for level in grouping.levels),
        )
        nearest = None
        if centres is not None and votes is not None:
            nearest = _nearest_peaks(types_probs > grouping.levels[0], votes, centres)
        for level in grouping.levels:
            above = (types_probs > level).view(np.uint8)
            if not above.any():
                break
            seen: set[tuple[int, int, int, int, int]] = set()
            regions = _regions(above, grouping.radii, grouping.min_cells)
            if nearest is not None:
                regions = chain(regions, _voted_regions(above, nearest, grouping.min_cells))
            for radius, x, y, mask in regions:
                key = (x, y, *mask.shape, int(np.count_nonzero(mask)))
                if key not in seen:  # a wider radius joined nothing here
                    seen.add(key)
                    yield maps.candidate(class_id, mask, x, y, level, radius)


def score_candidates(candidates: list[Candidate], scorer: Scorer | None, num_types: int) -> FloatArray:
    """`(N,)` float32 in [0, 1]: how likely each is what an annotator outlined; its mean probability without a scorer."""
    features = np.stack([candidate.features for candidate in candidates])
    if scorer is None:
        return features[:, FEATURES.index("mean")].copy()
    class_ids = np.array([candidate.class_id for candidate in candidates])
    inputs = scorer_inputs(features, class_ids, num_types)
    hidden = (inputs - np.array(scorer.mean, np.float32)) / np.array(scorer.std, np.float32)
    for weights, biases in zip(scorer.weights, scorer.biases, strict=True):
        hidden = hidden @ np.array(weights, np.float32).T + np.array(biases, np.float32)
        if len(biases) > 1:
            hidden = np.maximum(hidden, 0)
    return sigmoid(np.asarray(hidden[:, 0], np.float32))


def scorer_inputs(features: FloatArray, class_ids: IntArray, num_types: int) -> FloatArray:
    """`(N, len(FEATURES) + num_types)`: features and one 0 or 1 a type."""
    return np.concatenate([features, np.eye(num_types, dtype=np.float32)[class_ids]], axis=1)


def choose(
    candidates: Sequence[Candidate], scores: FloatArray, probs: FloatArray, grouping: Grouping
) -> list[tuple[float, Candidate]]:
    """Scores and candidates that stay, best first, spread; no two of a type share more than `grouping.overlap` of the smaller."""
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
            x, y, crop = _cropped(mask)
            found[index] = replace(own, mask=crop, x=x, y=y, level=level)
    return found


def _distance(candidate: Candidate, hw: tuple[int, ...]) -> FloatArray:
    """`(h, w)` cells from each cell of a map to the nearest of a candidate's."""
    elsewhere = np.ones(hw, np.uint8)
    candidate.window(elsewhere)[candidate.mask] = 0
    return np.asarray(cv2.distanceTransform(elsewhere, cv2.DIST_L2, 3), np.float32)


def connected_components(types_logits: FloatArray, level: float, photo_hw: tuple[int, int]) -> Instances:
    """The plain alternative to `find_damage`, kept to be measured against: one instance a connected region above one level."""
    found = []
    for class_id, probs in enumerate(sigmoid(types_logits)):
        for _, x, y, mask in _regions((probs > level).view(np.uint8), (0,), 1):
            crop = probs[y : y + mask.shape[0], x : x + mask.shape[1]]
            found.append((float(crop[mask].mean()), (class_id, x, y, mask)))
    height, width = types_logits.shape[1:]
    return _to_instances(sorted(found, key=lambda item: -item[0]), (height, width), photo_hw)


def find_parts(logits: FloatArray, grouping: Grouping, photo_hw: tuple[int, int]) -> Instances:
    """One instance a part: the cells where it is likelier than every other part and than none.

    Specks are left out: regions of less than a tenth of the part's largest one are where a confident part meets a doubtful
    neighbour.

    Args:
        logits: `(P + 1, h, w)` float32 over the photo; the last channel is none of the parts.
        grouping: `part_upscale` is used here.
        photo_hw: pixels of the upright photo.
    """
    height, width = (side * grouping.part_upscale for side in logits.shape[1:])
    probs = softmax(logits, axis=0)
    best, likeliest = probs.argmax(0), probs.max(0)
    without = probs.copy()
    np.put_along_axis(without, best[None], 0, 0)
    second = without.max(0)
    found = []
    for class_id in np.unique(best).tolist():
        if class_id == len(logits) - 1:
            continue
        x, y, w, h = cv2.boundingRect((best == class_id).view(np.uint8))
        top, left = max(0, y - 1), max(0, x - 1)
        window = (slice(top, y + h + 1), slice(left, x + w + 1))
        rivals = np.where(best[window] == class_id, second[window], likeliest[window])
        fine = [_upscaled(values, grouping.part_upscale) for values in (probs[class_id][window], rivals)]
        mask = _without_specks(fine[0] > fine[1])
        if mask.any():
            score = float(fine[0][mask].mean())
            x, y, crop = _cropped(mask)
            found.append((score, (class_id, x + left * grouping.part_upscale, y + top * grouping.part_upscale, crop)))
    return _to_instances(sorted(found, key=lambda item: -item[0]), (height, width), photo_hw)


@dataclass(frozen=True, eq=False)
class _TypeMaps:
    """The maps that candidates of one type are described by, all `(h, w)`."""

    probs: FloatArray
    centres: FloatArray | None
    described: FloatArray  # (h, w, 2 or 4): damage of any type, likeliest other type; where there are offsets, votes x and y
    photo_any: float
    levels: tuple[float, ...]
    cells_above: tuple[int, ...]  # each of the levels

    def candidate(self, class_id: int, mask: BoolArray, x: int, y: int, level: float, radius: int) -> Candidate:
        h, w = mask.shape
        window = (slice(y, y + h), slice(x, x + w))
        inside = np.sort(self.probs[window][mask])
        area = len(inside)
        step = self.levels.index(level)
        above = self.levels[min(step + 1, len(self.levels) - 1)]
        below = self.levels[max(step - 1, 0)]
        outside = around(self.probs, mask, x, y, 3)
        mean = float(inside.sum()) / area
        cells = mask.view(np.uint8)
        means, deviations = (column.ravel().tolist() for column in cv2.meanStdDev(self.described[window], mask=cells))
        spread, error, centre = 0.0, 0.0, 0.0
        if len(means) == 4:
            moments = cv2.moments(cells, binaryImage=True)
            side = math.sqrt(area)
            error = math.hypot(means[2] - (moments["m10"] / area + x), means[3] - (moments["m01"] / area + y)) / side
            spread = (deviations[2] + deviations[3]) / side
        if self.centres is not None:
            centre = float(self.centres[window].max())
        whole = self.cells_above[step]
        features = np.array(
            [
                math.log(area / self.probs.size),
                level,
                radius,
                mean,
                _quantile(inside, 0.95),
                _quantile(inside, 0.1),
                1 - np.searchsorted(inside, np.float32(above), "right") / area,
                np.count_nonzero(outside > below) / area,
                mean - float(outside.sum()) / max(1, len(outside)),
                area / (h * w),
                math.log(max(h, w) / min(h, w)),
                area / whole,
                math.log(whole / self.probs.size),
                centre,
                min(error, 5.0),
                min(spread, 5.0),
                means[0],
                means[1],
                self.photo_any,
            ],
            np.float32,
        )
        return Candidate(class_id, mask, x, y, level, features)


def around(values: FloatArray, mask: BoolArray, x: int, y: int, margin: int) -> FloatArray:
    """`(N,)` values of a map's cells that lie no more than `margin` cells from a crop's at `(x, y)`, and not in it."""
    left, top = min(x, margin), min(y, margin)
    window = values[y - top : y + mask.shape[0] + margin, x - left : x + mask.shape[1] + margin]
    own = np.zeros(window.shape, np.uint8)
    own[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    near = cv2.dilate(own, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    return window[near > own]


def _quantile(ordered: FloatArray, share: float) -> float:
    """As `numpy.quantile`, of values in order."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low]) + (place - low) * float(ordered[high] - ordered[low])


def _regions(above: NDArray[np.uint8], radii: Sequence[int], min_cells: int) -> Iterator[tuple[int, int, int, BoolArray]]:
    """Connected regions, those within twice a radius of each other taken as one: radius, corner and crop of each.

    A radius that joins nothing that the last one left apart is passed over.
    """
    left, top, width, height = cv2.boundingRect(above)
    if not width:
        return  # OpenCV labels no empty picture
    room = max(radii)  # for regions to meet in; beyond it nothing is set
    left, top = max(0, left - room), max(0, top - room)
    above = above[top : top + height + 2 * room, left : left + width + 2 * room]
    last = 0
    for radius in radii:
        joined = above
        if radius > 0:
            joined = np.asarray(cv2.dilate(above, _disc(radius)), np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        if count == last:
            continue
        last = count
        for label, (x, y, w, h, cells) in enumerate(stats.tolist()):
            if label == 0 or cells < min_cells:
                continue
            window = (slice(y, y + h), slice(x, x + w))
            mask = labels[window] == label
            if radius > 0:
                mask &= above[window].view(np.bool_)
                if np.count_nonzero(mask) < min_cells:
                    continue
                inner_x, inner_y, mask = _cropped(mask)
                x, y = x + inner_x, y + inner_y
            yield radius, x + left, y + top, mask


def _disc(radius: int) -> NDArray[Any]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


_MOST_PEAKS = 24


def _nearest_peaks(above: BoolArray, votes: Sequence[FloatArray], centres: FloatArray) -> NDArray[np.uint8] | None:
    """`(h, w)`: which peak of `centres` lies nearest to the vote of each cell above, from 1; `None` with fewer than two peaks.

    Source: Cheng et al. 2020, "Panoptic-DeepLab".
    """
    peaks = (centres == cv2.dilate(centres, np.ones((7, 7), np.uint8))) & (centres > 0.1)
    peak_y, peak_x = np.nonzero(peaks)
    if len(peak_x) < 2:
        return None
    best = np.argsort(-centres[peak_y, peak_x], kind="stable")[:_MOST_PEAKS]
    peak_y, peak_x = peak_y[best, None], peak_x[best, None]
    distance = (votes[0][above] - peak_x) ** 2 + (votes[1][above] - peak_y) ** 2  # (peaks, cells)
    nearest = np.zeros(above.shape, np.uint8)
    nearest[above] = distance.argmin(0) + 1
    return nearest


def _voted_regions(
    above: NDArray[np.uint8], nearest: NDArray[np.uint8], min_cells: int
) -> Iterator[tuple[int, int, int, BoolArray]]:
    """Cells above, grouped by the peak that `nearest` names; as of `_regions`, with -1 for the radius."""
    nearest = nearest * above
    for peak in np.flatnonzero(np.bincount(nearest.ravel(), minlength=2)[1:] >= min_cells) + 1:
        yield -1, *_cropped(nearest == peak)


def _shared(one: Candidate, other: Candidate) -> float:
    """Cells that two candidates share, as a share of the smaller one."""
    left, top = max(one.x, other.x), max(one.y, other.y)
    right = min(one.x + one.mask.shape[1], other.x + other.mask.shape[1])
    bottom = min(one.y + one.mask.shape[0], other.y + other.mask.shape[0])
    if left >= right or top >= bottom:
        return 0.0
    a = one.mask[top - one.y : bottom - one.y, left - one.x : right - one.x]
    b = other.mask[top - other.y : bottom - other.y, left - other.x : right - other.x]
    return float(np.count_nonzero(a & b) / min(one.cells, other.cells))


def refine(candidate: Candidate, probs: FloatArray, upscale: int) -> tuple[int, int, int, BoolArray]:
    """The candidate on the finer grid: its map interpolated, cut at its level, and kept to its own cells and their neighbours."""
    if upscale == 1:
        return candidate.class_id, candidate.x, candidate.y, candidate.mask
    top, left = max(0, candidate.y - 1), max(0, candidate.x - 1)
    window = probs[
        candidate.class_id, top : candidate.y + candidate.mask.shape[0] + 1, left : candidate.x + candidate.mask.shape[1] + 1
    ]
    own = np.zeros(window.shape, np.uint8)
    own[candidate.y - top :, candidate.x - left :][: candidate.mask.shape[0], : candidate.mask.shape[1]] = candidate.mask
    own = np.asarray(cv2.dilate(own, np.ones((3, 3), np.uint8)), np.uint8)
    fine = _upscaled(window, upscale) > candidate.level
    fine &= np.repeat(np.repeat(own, upscale, 0), upscale, 1).astype(bool)
    if not fine.any():  # a lone cell's peak is flattened by interpolation
        return (
            candidate.class_id,
            candidate.x * upscale,
            candidate.y * upscale,
            np.repeat(np.repeat(candidate.mask, upscale, 0), upscale, 1),
        )
    x, y, mask = _cropped(fine)
    return candidate.class_id, x + left * upscale, y + top * upscale, mask


def _without_specks(mask: BoolArray) -> BoolArray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = areas >= 0.1 * areas.max()
    return np.asarray(kept[labels], np.bool_)


def _cropped(mask: BoolArray) -> tuple[int, int, BoolArray]:
    """Corner (x, y) and crop of what is set in a mask that is not empty."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return x, y, mask[y : y + h, x : x + w]


def _resized(values: FloatArray, height: int, width: int) -> FloatArray:
    if values.shape == (height, width):
        return values
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _upscaled(values: FloatArray, times: int) -> FloatArray:
    return values if times == 1 else _resized(values, values.shape[0] * times, values.shape[1] * times)


def _votes(offsets: FloatArray, height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """`(h, w)` each: x and y, in cells, of the middle that each cell points at."""
    x = np.arange(width, dtype=np.float32) + _resized(offsets[0], height, width) * np.float32(width)
    y = np.arange(height, dtype=np.float32)[:, None] + _resized(offsets[1], height, width) * np.float32(height)
    return x, y


def _to_instances(
    found: list[tuple[float, tuple[int, int, int, BoolArray]]], grid_hw: tuple[int, int], photo_hw: tuple[int, int]
) -> Instances:
    """Scored crops on a grid, in the order given, as instances with boxes in pixels of the photo."""
    if not found:
        return Instances.empty(photo_hw, grid_hw)
    corners = np.array([[x, y] for _, (_, x, y, _) in found], np.int64)
    sizes = np.array([mask.shape[::-1] for _, (_, _, _, mask) in found], np.int64)
    scale = np.array([photo_hw[1] / grid_hw[1], photo_hw[0] / grid_hw[0]])
    return Instances(
        boxes_xyxy=np.concatenate([corners * scale, (corners + sizes) * scale], 1).astype(np.float32),
        scores=np.array([score for score, _ in found], np.float32),
        class_ids=np.array([class_id for _, (class_id, *_) in found], np.int64),
        masks=tuple(mask for _, (*_, mask) in found),
        corners_xy=corners,
        grid_hw=grid_hw,
        photo_hw=photo_hw,
    )
