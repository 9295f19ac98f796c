"""From per-pixel maps to instances.

Which pixels are damaged is what the network learns well; where one damage ends and the next begins is what annotators disagree
about. So every plausible grouping of a type's pixels becomes a *candidate*: the connected regions above several levels, regions
that lie close to each other taken as one (annotators outline a spray of scratches as one scratch), and the pixels that vote for
the same middle. A small network (`Scorer`, its few hundred weights stand in the manifest) then says of each candidate how
likely it matches what an annotator would outline; of candidates of one type that overlap the likeliest stays.

All coordinates in here are cells of the maps, which cover the photo evenly; `Instances` carry them back to the photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.bundle.manifest import FEATURES, Grouping, Scorer
from dentify.runtime.instances import BoolArray, FloatArray, Instances, IntArray
from dentify.runtime.labels import sigmoid, softmax


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


def find_damage(
    types_logits: FloatArray, auxiliary: Mapping[str, FloatArray], grouping: Grouping, photo_hw: tuple[int, int]
) -> Instances:
    """Candidates of every type, scored, overlapping ones of a type thinned out.

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
    kept = thin_out(candidates, scores, grouping.overlap)
    return _to_instances(
        [(float(scores[index]), refine(candidates[index], probs, grouping.upscale)) for index in kept], grid_hw, photo_hw
    )


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
        maps = _TypeMaps(
            probs=types_probs,
            centres=_resized(sigmoid(auxiliary["centres"][class_id]), height, width) if "centres" in auxiliary else None,
            votes=_votes(auxiliary["offsets"][2 * class_id : 2 * class_id + 2], height, width)
            if "offsets" in auxiliary
            else None,
            any_probs=any_probs,
            others=np.delete(probs, class_id, 0).max(0) if len(probs) > 1 else np.zeros_like(types_probs),
            photo_any=photo_any,
            levels=grouping.levels,
            cells_above=tuple(int(np.count_nonzero(types_probs > level)) for level in grouping.levels),
        )
        for level in grouping.levels:
            above = (types_probs > level).astype(np.uint8)
            if not above.any():
                break
            seen: set[tuple[int, int, int, int, int]] = set()
            for radius in grouping.radii:
                for x, y, mask in _regions(above, radius, grouping.min_cells):
                    key = (x, y, *mask.shape, int(np.count_nonzero(mask)))
                    if key not in seen:  # a wider radius joined nothing here
                        seen.add(key)
                        yield maps.candidate(class_id, mask, x, y, level, radius)
            if maps.votes is not None and maps.centres is not None:
                for x, y, mask in _voted_regions(above, maps.votes, maps.centres, grouping.min_cells):
                    key = (x, y, *mask.shape, int(np.count_nonzero(mask)))
                    if key not in seen:
                        seen.add(key)
                        yield maps.candidate(class_id, mask, x, y, level, -1)


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


def scorer_inputs(features: FloatArray, class_ids: NDArray[np.int64], num_types: int) -> FloatArray:
    """`(N, len(FEATURES) + num_types)`: features and one 0 or 1 a type."""
    return np.concatenate([features, np.eye(num_types, dtype=np.float32)[class_ids]], axis=1)


def thin_out(candidates: list[Candidate], scores: FloatArray, overlap: float) -> list[int]:
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


def connected_components(types_logits: FloatArray, level: float, photo_hw: tuple[int, int]) -> Instances:
    """The plain alternative to `find_damage`, kept to be measured against: one instance a connected region above one level."""
    found = []
    for class_id, probs in enumerate(sigmoid(types_logits)):
        for x, y, mask in _regions((probs > level).astype(np.uint8), 0, 1):
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
    best = logits.argmax(0)
    found = []
    for class_id in range(len(logits) - 1):
        if not (best == class_id).any():
            continue
        rows, columns = np.flatnonzero((best == class_id).any(1)), np.flatnonzero((best == class_id).any(0))
        top, bottom = max(0, rows[0] - 1), rows[-1] + 2
        left, right = max(0, columns[0] - 1), columns[-1] + 2
        window = logits[:, top:bottom, left:right]
        probs = softmax(window, axis=0)
        fine = np.stack(
            [_upscaled(channel, grouping.part_upscale) for channel in (probs[class_id], np.delete(probs, class_id, 0).max(0))]
        )
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
    votes: FloatArray | None  # (2, h, w) x and y that each cell takes for the middle of its instance
    any_probs: FloatArray
    others: FloatArray
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
        outside = self.probs[around(mask, x, y, 3, self.probs.shape)]
        mean = float(inside.sum()) / area
        spread, error, centre = 0.0, 0.0, 0.0
        if self.votes is not None:
            rows, columns = np.nonzero(mask)
            votes_x, votes_y = self.votes[0][window][mask], self.votes[1][window][mask]
            side = math.sqrt(area)
            error = math.hypot(votes_x.mean() - (columns.mean() + x), votes_y.mean() - (rows.mean() + y)) / side
            spread = float(votes_x.std() + votes_y.std()) / side
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
                float(self.any_probs[window][mask].sum()) / area,
                float(self.others[window][mask].sum()) / area,
                self.photo_any,
            ],
            np.float32,
        )
        return Candidate(class_id, mask, x, y, level, features)


def around(mask: BoolArray, x: int, y: int, margin: int, map_hw: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Rows and columns of a map's cells that lie no more than `margin` cells from a crop's, and not in it."""
    padded = cv2.copyMakeBorder(mask.view(np.uint8), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    ring = cv2.dilate(padded, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) != padded
    rows, columns = np.nonzero(ring)
    rows, columns = rows + (y - margin), columns + (x - margin)
    within = (rows >= 0) & (columns >= 0) & (rows < map_hw[0]) & (columns < map_hw[1])
    return rows[within], columns[within]


def _quantile(ordered: FloatArray, share: float) -> float:
    """As `numpy.quantile`, of values in order."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low]) + (place - low) * float(ordered[high] - ordered[low])


def _regions(above: NDArray[np.uint8], radius: int, min_cells: int) -> Iterator[tuple[int, int, BoolArray]]:
    """Connected regions, those within twice `radius` cells of each other taken as one: corner and crop of each."""
    left, top, width, height = cv2.boundingRect(above)
    if not width:
        return  # OpenCV labels no empty picture
    left, top = max(0, left - radius), max(0, top - radius)  # room for regions to meet in; beyond it nothing is set
    above = above[top : top + height + 2 * radius, left : left + width + 2 * radius]
    joined = above
    if radius > 0:
        joined = np.asarray(
            cv2.dilate(above, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))), np.uint8
        )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for label in range(1, count):
        x, y, w, h, cells = (int(value) for value in stats[label])
        if cells < min_cells:
            continue
        window = (slice(y, y + h), slice(x, x + w))
        mask = labels[window] == label
        if radius > 0:
            mask &= above[window].view(np.bool_)
            if np.count_nonzero(mask) < min_cells:
                continue
            inner_x, inner_y, mask = _cropped(mask)
            x, y = x + inner_x, y + inner_y
        yield x + left, y + top, mask


def _voted_regions(
    above: NDArray[np.uint8], votes: FloatArray, centres: FloatArray, min_cells: int
) -> Iterator[tuple[int, int, BoolArray]]:
    """Cells grouped by the peak of `centres` that lies nearest to their vote (Cheng et al. 2020, "Panoptic-DeepLab")."""
    peaks = (centres == cv2.dilate(centres, np.ones((7, 7), np.uint8))) & (centres > 0.1)
    peak_y, peak_x = np.nonzero(peaks)
    if len(peak_x) < 2:
        return
    best = np.argsort(-centres[peak_y, peak_x], kind="stable")[:24]
    peak_y, peak_x = peak_y[best], peak_x[best]
    rows, columns = np.nonzero(above)
    distance = np.hypot(votes[0][rows, columns][:, None] - peak_x, votes[1][rows, columns][:, None] - peak_y)
    nearest = distance.argmin(1)
    for peak in range(len(peak_x)):
        mine = nearest == peak
        if mine.sum() >= min_cells:
            mask = np.zeros(above.shape, bool)
            mask[rows[mine], columns[mine]] = True
            yield _cropped(mask)


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


def _votes(offsets: FloatArray, height: int, width: int) -> FloatArray:
    """`(2, h, w)`: x and y, in cells, of the middle that each cell points at."""
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([grid_x + _resized(offsets[0], height, width) * width, grid_y + _resized(offsets[1], height, width) * height])


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
