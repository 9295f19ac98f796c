"""Whether a picture is a sheet of several photos: a collage, a contact sheet, a page or a screenshot with photos on it.

A sheet is cut as its maker put it together: along gutters, lines of one colour, and along seams, where two photos touch. Both run
straight through what is left to cut. A seam is told from an edge within a photo by four things: it goes all the way, it lies in
the same place all along, to a fraction of a pixel, what it jumps by changes along it, and both of its sides change too. What
cannot be cut is a photo where it has the texture of one and fills a rectangle. Two such pieces make a sheet; bars, margins,
strips of text and buttons are no photos.

Everything is measured on means over strips four pixels long: natural texture goes, seams stay, and it costs a quarter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray, Photo

# Chosen by `python benchmarks/sheets.py --split train --sheets 600`, and 10,270 single photos of train: 97.8 % of the sheets are
# told, and 0.19 % of the single photos. With other values:
SEAM_FROM = 1.2  # 1.14: 98.0 % and 0.21 %; 1.26: 97.0 % and 0.15 %
SEAMS_FROM = 0.95  # each, where two cross or lie apart …
PAIR_FROM = 2.1  # … and both together; 2.2: 97.0 % and 0.12 %
EVENLY = 0.12  # more for a seam at a half, a third or a quarter; 0: 97.0 % and 0.14 %; 0.2: 97.8 % and 0.22 %
PLAIN_BELOW = 4.0  # grey levels, standard deviation along a gutter or margin; 6, and 12 of thin ones: 98.0 % and 0.34 %

_STRIP = 4  # pixels along a line that are averaged
_STEP = 12  # grey levels across a seam, of the colour that differs most
_SHARPER = 1.6  # times the steps beside it
_WANTED = 0.55  # of a seam's length, before it is looked at closely; of touching photos 1 % have less than 0.7
_LOOKED_AT = 3  # lines in each direction
_EVEN = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)
_NEARLY_PLAIN = 10.0  # as `PLAIN_BELOW`, of thin gutters, which take colour from beside
_THIN, _WIDE = 3, 10  # pixels
_BESIDE_THIN, _BESIDE_WIDE = 0.8, 0.5  # of a gutter's length that stands out from what is beside it
_VARIED = 12.0  # grey levels, standard deviation along what is beside a gutter
_LEAST_CELL = 0.11  # of the picture's long side
_LONGEST = 6.0  # times as long as wide
_ONE_TONE = 0.6  # of a piece in 24 neighbouring grey levels: a strip of text, a button
_FLAT = 10.0  # grey levels, standard deviation of a piece
_NOT_PAGE = 20  # grey levels off the page's colour
_FILLED, _CORNERS = 0.65, 3  # of a photo's rectangle, and how many of its corners
_DEEPEST = 8  # cuts within cuts


class Box(NamedTuple):
    """Part of the picture, in pixels; ends are excluded."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int


class _Cut(NamedTuple):
    """Where to cut: between `start` and `end` across `axis`; `page` is the gutter's colour, `None` for a seam."""

    score: float
    axis: int
    start: int
    end: int
    page: FloatArray | None


def is_sheet(image: Photo) -> bool:
    """Whether an `(h, w, 3)` uint8 picture, of a long side of about 512, shows two photos or more."""
    if min(image.shape[:2]) < _STRIP * 16:
        return False
    height, width = image.shape[:2]
    return _Sheet(image).photos(Box(0, 0, width, height)) >= 2


class _Lines:
    """Straight lines in one direction, along the first axis of the strips.

    Attributes:
        strips: `(n, w, 3)` uint8, means over strips.
        steps: `(n, w - 3)`, 1 where a strip has a seam between the second and third column from there.
        grey: `(n, w)`.
        squares: of the grey levels.
    """

    def __init__(self, strips: Photo) -> None:
        self.strips = strips
        red, green, blue = cv2.split(cv2.absdiff(strips[:, 2:], strips[:, :-2]))
        across = cv2.max(cv2.max(red, green), blue).astype(np.float32)
        beside = np.zeros_like(across)
        beside[:, 2:] = across[:, :-2]
        beside[:, :-2] = cv2.max(beside[:, :-2], across[:, 2:])
        seam = across > np.maximum(beside * np.float32(_SHARPER), _STEP)
        self.steps = (seam[:, 1:] | seam[:, :-1]).astype(np.float32)
        self.grey = cv2.cvtColor(strips, cv2.COLOR_RGB2GRAY).astype(np.float32)
        self.squares = self.grey * self.grey
        self._variances: dict[tuple[int, int], FloatArray] = {}

    def band(self, start: int, end: int) -> tuple[int, int]:
        """Strips that lie within pixels, at least one."""
        first = min(-(-start // _STRIP), len(self.strips) - 1)
        return first, max(min(end // _STRIP, len(self.strips)), first + 1)

    def plain(self, band: tuple[int, int], most: float = PLAIN_BELOW) -> BoolArray:
        """`(w,)`: which lines are of one colour."""
        if band not in self._variances:
            first, last = band
            self._variances[band] = _mean(self.squares[first:last]) - np.square(_mean(self.grey[first:last]))
        return np.asarray(self._variances[band] < most**2)

    def colours(self, band: tuple[int, int], where: int | slice) -> FloatArray:
        """`(3,)` or `(n, 3)`: mean colour of a line, or of several."""
        return np.asarray(self.strips[band[0] : band[1], where].mean(axis=0, dtype=np.float32))

    def seams(self, band: tuple[int, int], start: int, end: int) -> Iterator[tuple[float, int]]:
        """Score and place of the lines within `start` and `end` that may be seams."""
        first, last = band
        share = _mean(self.steps[first:last, start:end])
        for _ in range(_LOOKED_AT):
            best = int(share.argmax())
            if share[best] < _WANTED:
                return
            yield self._score(float(share[best]), self.strips[first:last, start + best : start + best + 4]), start + best + 1
            share[max(0, best - 4) : best + 5] = 0

    def _score(self, share: float, around: NDArray[Any]) -> float:
        """How much a line is a seam.

        Args:
            share: of its strips that step there.
            around: `(n, 4, 3)`, the columns around it.
        """
        levels = around.astype(np.float32)
        energy = np.minimum(np.abs(np.diff(levels, axis=1)).max(axis=2), 60) ** 2
        total = energy.sum(axis=1) + 1e-3
        place = (energy[:, 2] - energy[:, 0]) / total  # -1 to 1
        weight = np.minimum(np.sqrt(total), 40)
        wander = np.sqrt(np.average(np.square(place - np.average(place, weights=weight)), weights=weight))
        quarters = [
            np.average(place[part], weights=weight[part]) for part in np.array_split(np.arange(len(place)), 4) if len(part)
        ]
        jump = (levels[:, 3] - levels[:, 0]).mean(axis=1)
        rises = float(np.mean(jump[np.abs(jump) > 6] > 0)) if (np.abs(jump) > 6).any() else 1.0
        sides = min(float(levels[:, column].std(axis=0).max()) for column in (0, 3))
        return (
            share
            - 0.3 * float(wander)
            - 0.2 * float(max(quarters) - min(quarters))
            + 0.3 * min(float(jump.std()) / 80, 1)
            + 0.4 * min(rises, 1 - rises, 0.2)
            + 0.2 * min(sides / 40, 1)
        )


def _mean(values: NDArray[Any]) -> FloatArray:
    """Over the first axis; in a tenth of numpy's time."""
    return np.asarray(cv2.reduce(values, 0, cv2.REDUCE_AVG)[0], np.float32)


class _Sheet:
    """One picture, being cut."""

    def __init__(self, image: Photo) -> None:
        self.image = image
        height, width = image.shape[:2]
        upright = cv2.resize(image, (width, height // _STRIP), interpolation=cv2.INTER_AREA)
        level = cv2.resize(image, (width // _STRIP, height), interpolation=cv2.INTER_AREA)
        self.lines = (_Lines(np.asarray(upright, np.uint8)), _Lines(np.asarray(cv2.transpose(level), np.uint8)))
        self.least = _LEAST_CELL * max(image.shape)

    def photos(self, box: Box, page: FloatArray | None = None, depth: int = 0) -> int:
        """How many photos a part shows: those of its pieces, or one where these show none."""
        box, page = self.trimmed(box, page)
        if min(box.x_max - box.x_min, box.y_max - box.y_min) < self.least:
            return 0
        most = 0
        for cut in self.cuts(box, page) if depth < _DEEPEST else ():
            found = 0
            for part in _parts(box, cut):
                found += self.photos(part, page if cut.page is None else cut.page, depth + 1)
                if found >= 2:
                    return found
            most = max(most, found)
        return most or int(depth == 0 or self.is_photo(box, page))  # of the whole picture it does not matter

    def trimmed(self, box: Box, page: FloatArray | None) -> tuple[Box, FloatArray | None]:
        """Without margins of the page's colour, or where that is not known, of the first colour seen at an edge."""
        for _ in range(4):
            before = box
            for axis in (0, 1):
                lines, start, end = self.lines[axis], box[axis], box[axis + 2]
                band = lines.band(box[1 - axis], box[3 - axis])
                margin = lines.plain(band)[start:end]
                if page is None and len(margin) and (margin[0] or margin[-1]):
                    page = lines.colours(band, start if margin[0] else end - 1)
                if page is not None:
                    margin &= np.abs(lines.colours(band, slice(start, end)) - page).max(axis=1) < _NOT_PAGE
                left = np.flatnonzero(~margin)
                if not len(left):
                    return Box(box.x_min, box.y_min, box.x_min, box.y_min), page
                changed = list(box)
                changed[axis], changed[axis + 2] = start + int(left[0]), start + int(left[-1]) + 1
                box = Box(*changed)
            if box == before:
                break
        return box, page

    def cuts(self, box: Box, page: FloatArray | None) -> Iterator[_Cut]:
        """Where to cut: along the widest gutter, and if that shows too little, along the plainest seam."""
        gutters = [gutter for axis in (0, 1) for gutter in self.gutters(box, axis, page)]
        if gutters:
            yield max(gutters, key=lambda gutter: gutter.score)
        seams = self.seams(box)
        if not seams or seams[0].score < SEAMS_FROM:
            return
        best, *others = seams
        more = [other for other in others if other.axis != best.axis or abs(other.start - best.start) > self.least]
        for part in _parts(box, best):
            more += [seam for seam in self.seams(part) if seam.axis != best.axis]
        second = max((other.score for other in more if other.score >= SEAMS_FROM), default=0.0)
        if best.score >= SEAM_FROM or (second and best.score + second >= PAIR_FROM):
            yield best

    def gutters(self, box: Box, axis: int, page: FloatArray | None) -> Iterator[_Cut]:
        """Lines of one colour with something on both sides; the wider the plainer."""
        lines, start, end = self.lines[axis], box[axis], box[axis + 2]
        band = lines.band(box[1 - axis], box[3 - axis])
        for most in (PLAIN_BELOW, _NEARLY_PLAIN):
            edges = np.flatnonzero(np.diff(lines.plain(band, most)[start:end].astype(np.int8), prepend=0, append=0)) + start
            for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                if first <= start + 3 or last >= end - 3 or (most > PLAIN_BELOW and last - first > _THIN):
                    continue
                colour = lines.colours(band, (first + last) // 2)
                of_page = page is not None and most == PLAIN_BELOW and float(np.abs(colour - page).max()) < _NOT_PAGE
                if of_page or self._stands_out(lines, band, first, last):
                    yield _Cut(last - first, axis, first, last, colour)

    def seams(self, box: Box) -> list[_Cut]:
        """Lines where two photos may touch, the likeliest first."""
        seams = []
        for axis in (0, 1):
            lines, start, end = self.lines[axis], box[axis], box[axis + 2]
            least = int(self.least)
            if end - start > 2 * least + 8:
                for score, place in lines.seams(lines.band(box[1 - axis], box[3 - axis]), start + least, end - least - 4):
                    off = min(abs(start + share * (end - start) - place - 1) for share in _EVEN)
                    seams.append(_Cut(score + (EVENLY if off < 2 else 0), axis, place, place + 2, None))
        return sorted(seams, key=lambda seam: -seam.score)

    @staticmethod
    def _stands_out(lines: _Lines, band: tuple[int, int], first: int, last: int) -> bool:
        """Whether a line of one colour is a gutter: it ends sharply where a photo begins, a thin one on both sides."""
        strips = lines.strips[band[0] : band[1]]
        thin = last - first <= _THIN
        away = 3 if last - first < _WIDE else 8
        shares, varied = [], []
        for one, two in ((first, max(first - away, 0)), (last - 1, min(last - 1 + away, strips.shape[1] - 1))):
            shares.append(float(np.mean(cv2.absdiff(strips[:, one], strips[:, two]).max(axis=1) > _STEP)))
            varied.append(float(lines.grey[band[0] : band[1], two].std()) > _VARIED)
        if thin:
            return min(shares) >= _BESIDE_THIN and all(varied)
        return any(share >= _BESIDE_WIDE and varies for share, varies in zip(shares, varied, strict=True))

    def is_photo(self, box: Box, page: FloatArray | None) -> bool:
        """Whether a piece has the texture of a photo, and fills its rectangle up to the corners."""
        sides = sorted((box.x_max - box.x_min, box.y_max - box.y_min))
        if sides[1] > _LONGEST * sides[0]:
            return False
        piece = self.image[box.y_min : box.y_max : 2, box.x_min : box.x_max : 2]
        grey = cv2.cvtColor(np.ascontiguousarray(piece), cv2.COLOR_RGB2GRAY)
        tones = cv2.calcHist([grey], [0], None, [22], [0, 264]).ravel() / grey.size
        if (tones[:-1] + tones[1:]).max() > _ONE_TONE or float(cv2.meanStdDev(grey)[1][0, 0]) < _FLAT:
            return False
        if page is None:
            return True
        off = np.abs(piece - page.astype(np.float32)).max(axis=2) > _NOT_PAGE
        if off.mean() < _FILLED:
            return False
        high, wide = (max(1, side // 10) for side in off.shape)
        rows = (slice(high // 2, high // 2 + high), slice(-high // 2 - high, -(high // 2) or None))
        columns = (slice(wide // 2, wide // 2 + wide), slice(-wide // 2 - wide, -(wide // 2) or None))
        return sum(float(off[row, column].mean()) >= 0.5 for row in rows for column in columns) >= _CORNERS


def _parts(box: Box, cut: _Cut) -> tuple[Box, Box]:
    """Both sides of a cut."""
    before, after = list(box), list(box)
    before[cut.axis + 2], after[cut.axis] = cut.start, cut.end
    return Box(*before), Box(*after)
