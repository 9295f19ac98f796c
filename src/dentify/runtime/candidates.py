"""From per-pixel maps to candidates: every plausible grouping of a damage type's cells.

Which pixels are damaged is what the network learns well; where one damage ends and the next begins is what annotators disagree
about. So a type's cells are grouped in several ways, each a *candidate*: the connected regions above several levels, regions that
lie close to each other taken as one (annotators outline a spray of scratches as one scratch), and the cells that vote for the
same middle. `dentify.runtime.choosing` says which of them stay.

All coordinates in here are cells of the maps, which cover the photo evenly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray
from dentify.bundle.manifest import Grouping
from dentify.runtime.grids import cropped, resized
from dentify.runtime.probabilities import sigmoid

MOST_CANDIDATES = 4_000
"""Of a photo that are looked at, each at 0.1 ms: maps of noise have more, photos some hundreds."""

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


def damage_probabilities(types_logits: FloatArray, auxiliary: Mapping[str, FloatArray]) -> FloatArray:
    """`(C, h, w)` in [0, 1] that each cell has damage of each type.

    Where the network also has a map of damage of any type, the geometric mean of both: what is damage at all is learned from
    many more examples than what kind of damage it is, and outlines gain by it.
    """
    probs = sigmoid(types_logits)
    if "any" not in auxiliary:
        return probs
    return np.asarray(np.sqrt(probs * resized(sigmoid(auxiliary["any"])[0], *probs.shape[1:])), np.float32)


def find_candidates(probs: FloatArray, auxiliary: Mapping[str, FloatArray], grouping: Grouping) -> Iterator[Candidate]:
    """Every grouping that is worth a score; see `find_damage` for the arguments, `probs` are `(C, h, w)` in [0, 1]."""
    height, width = probs.shape[1:]
    any_probs = resized(sigmoid(auxiliary["any"])[0], height, width) if "any" in auxiliary else probs.max(0)
    photo_any = float(any_probs.max())
    vehicle = resized(sigmoid(auxiliary["vehicle"])[0], height, width) if "vehicle" in auxiliary else np.ones_like(any_probs)
    for class_id, types_probs in enumerate(probs):
        if types_probs.max() < grouping.levels[0]:
            continue
        others = np.delete(probs, class_id, 0).max(0) if len(probs) > 1 else np.zeros_like(types_probs)
        centres, votes = None, None
        if "centres" in auxiliary:
            centres = resized(sigmoid(auxiliary["centres"][class_id]), height, width)
        if "offsets" in auxiliary:
            votes = _votes(auxiliary["offsets"][2 * class_id : 2 * class_id + 2], height, width)
        maps = _TypeMaps(
            probs=types_probs,
            centres=centres,
            described=np.asarray(cv2.merge([any_probs, others, *(() if votes is None else votes)]), np.float32),
            photo_any=photo_any,
            vehicle=vehicle,
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
            regions = connected_regions(above, grouping.radii, grouping.min_cells)
            if nearest is not None:
                regions = chain(regions, _voted_regions(above, nearest, grouping.min_cells))
            for radius, x, y, mask in regions:
                key = (x, y, *mask.shape, int(np.count_nonzero(mask)))
                if key not in seen:  # a wider radius joined nothing here
                    seen.add(key)
                    yield maps.candidate(class_id, mask, x, y, level, radius)


@dataclass(frozen=True, eq=False)
class _TypeMaps:
    """The maps that candidates of one type are described by, all `(h, w)`."""

    probs: FloatArray
    centres: FloatArray | None
    described: FloatArray  # (h, w, 2 or 4): damage of any type, likeliest other type; where there are offsets, votes x and y
    photo_any: float
    vehicle: FloatArray  # how likely a cell is on a vehicle
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
        outside = _around(self.probs, mask, x, y, 3)
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
                cv2.mean(self.vehicle[window], mask=cells)[0],
            ],
            np.float32,
        )
        return Candidate(class_id, mask, x, y, level, features)


def _around(values: FloatArray, mask: BoolArray, x: int, y: int, margin: int) -> FloatArray:
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


def connected_regions(
    above: NDArray[np.uint8], radii: Sequence[int], min_cells: int
) -> Iterator[tuple[int, int, int, BoolArray]]:
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
                inner_x, inner_y, mask = cropped(mask)
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
    """Cells above, grouped by the peak that `nearest` names; as of `connected_regions`, with -1 for the radius."""
    nearest = nearest * above
    for peak in np.flatnonzero(np.bincount(nearest.ravel(), minlength=2)[1:] >= min_cells) + 1:
        yield -1, *cropped(nearest == peak)


def _votes(offsets: FloatArray, height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """`(h, w)` each: x and y, in cells, of the middle that each cell points at."""
    x = np.arange(width, dtype=np.float32) + resized(offsets[0], height, width) * np.float32(width)
    y = np.arange(height, dtype=np.float32)[:, None] + resized(offsets[1], height, width) * np.float32(height)
    return x, y
