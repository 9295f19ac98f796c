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
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import BoolArray, FloatArray, Photo

SEAM_FROM = 1.14
SEAMS_FROM = 0.98  # each, where two cross or lie apart

_STRIP = 4  # pixels along a line that are averaged
_STEP = 12  # grey levels, of the colour that differs most, across a seam
_SHARPER = 1.6  # than what is beside it
_LEAST_CELL = 0.11  # of the picture's long side
_WANTED = 0.55  # of a seam's length, before it is looked at closely
_DEEPEST = 8
_LOOKED_AT = 3  # lines in each direction
_PLAIN = 4.0  # grey levels, standard deviation along a line within a gutter or margin
_THIN = 3  # pixels
_NEARLY_PLAIN = 10.0  # the same of thin gutters, which take colour from beside
_BESIDE_THIN, _BESIDE_WIDE = 0.8, 0.5  # of a gutter's length that stands out from what is beside it
_CORNERS = 3  # of the four that are filled
_LONGEST = 6.0  # times as long as wide
_ONE_TONE = 0.6  # of a piece in 24 neighbouring grey levels: a strip of text, a button
_FLAT = 10.0  # grey levels, standard deviation of a piece
_NOT_PAGE = 20  # grey levels off the page's colour
_FILLED = 0.65  # of a photo's rectangle


class Box(NamedTuple):
    """Part of the picture, in pixels; ends are excluded."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int


class _Cut(NamedTuple):
    """Where to cut: between `start` and `end` across `axis`; `page` is the gutter's colour, `None` for a seam."""

    score: float
    axis: Literal[0, 1]
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
    """Straight lines in one direction, along the first axis of the picture given.

    Attributes:
        strips: `(n, w, 3)` uint8, means over strips.
        steps: `(n + 1, w - 3)`, how many strips above each place have a seam between the second and third column from there.
        sums, squares: `(n + 1, w)`, of the grey levels above each place.
    """

    def __init__(self, image: Photo) -> None:
        height, width = image.shape[:2]
        self.strips = cv2.resize(image, (width, height // _STRIP), interpolation=cv2.INTER_AREA)
        red, green, blue = cv2.split(cv2.absdiff(self.strips[:, 2:], self.strips[:, :-2]))
        across = cv2.max(cv2.max(red, green), blue)
        beside = np.zeros_like(across)
        beside[:, 2:] = across[:, :-2]
        beside[:, :-2] = cv2.max(beside[:, :-2], across[:, 2:])
        seam = across > np.maximum(beside * np.float32(_SHARPER), _STEP)
        grey = cv2.cvtColor(self.strips, cv2.COLOR_RGB2GRAY).astype(np.float32)
        self.steps = _summed(seam[:, 1:] | seam[:, :-1])
        self.sums, self.squares = _summed(grey), _summed(grey * grey)

    def band(self, start: int, end: int) -> tuple[int, int]:
        """Strips that lie within pixels, at least one."""
        first = min(-(-start // _STRIP), len(self.strips) - 1)
        return first, max(min(end // _STRIP, len(self.strips)), first + 1)

    def plain(self, band: tuple[int, int], most: float = _PLAIN) -> BoolArray:
        """`(w,)`: which lines are of one colour."""
        first, last = band
        mean = (self.sums[last] - self.sums[first]) / (last - first)
        return np.asarray((self.squares[last] - self.squares[first]) / (last - first) - mean * mean < most**2)

    def colours(self, band: tuple[int, int], where: int | slice) -> FloatArray:
        """`(3,)` or `(n, 3)`: mean colour of a line, or of several."""
        return np.asarray(self.strips[band[0] : band[1], where].mean(axis=0, dtype=np.float32))

    def seams(self, band: tuple[int, int], start: int, end: int) -> Iterator[tuple[float, int]]:
        """Score and place of the lines within `start` and `end` that may be seams."""
        first, last = band
        share = (self.steps[last, start:end] - self.steps[first, start:end]) / np.float32(last - first)
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


def _summed(values: NDArray[Any]) -> FloatArray:
    sums = np.zeros((len(values) + 1, values.shape[1]), np.float32)
    np.cumsum(values, axis=0, out=sums[1:], dtype=np.float32)
    return sums


class _Sheet:
    """One picture, being cut."""

    def __init__(self, image: Photo) -> None:
        self.image = image
        self.lines = (_Lines(image), _Lines(np.ascontiguousarray(image.transpose(1, 0, 2))))
        self.least = _LEAST_CELL * max(image.shape)

    def photos(self, box: Box, page: FloatArray | None = None, depth: int = 0) -> int:
        """How many photos a part shows: those of its pieces, or one where these show none."""
        box, page = self.trimmed(box, page)
        if min(box.x_max - box.x_min, box.y_max - box.y_min) < self.least:
            return 0
        found = 0
        cut = self.cut(box) if depth < _DEEPEST else None
        if cut is not None:
            for part in _parts(box, cut):
                found += self.photos(part, page if cut.page is None else cut.page, depth + 1)
                if found >= 2:
                    return found
        return found or int(self.is_photo(box, page))

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

    def cut(self, box: Box) -> _Cut | None:
        """The plainest place to cut, if there is one."""
        gutters: list[_Cut] = []
        seams: list[_Cut] = []
        for axis in (0, 1):
            lines, start, end = self.lines[axis], box[axis], box[axis + 2]
            band = lines.band(box[1 - axis], box[3 - axis])
            for most in (_PLAIN, _NEARLY_PLAIN):
                edges = np.flatnonzero(np.diff(lines.plain(band, most)[start:end].astype(np.int8), prepend=0, append=0)) + start
                for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                    if most > _PLAIN and last - first > _THIN:
                        continue
                    if first > start + 3 and last < end - 3 and self._stands_out(lines, band, first, last):
                        page = lines.colours(band, (first + last) // 2)
                        gutters.append(_Cut(last - first, axis, first, last, page))
            least = int(self.least)
            if end - start > 2 * least + 8:
                seams += [
                    _Cut(score, axis, place, place + 2, None)
                    for score, place in lines.seams(band, start + least, end - least - 4)
                ]
        if gutters:
            return max(gutters, key=lambda cut: cut.score)
        seams.sort(key=lambda cut: -cut.score)
        if seams and seams[0].score >= SEAM_FROM:
            return seams[0]
        others = [cut for cut in seams[1:] if cut.axis != seams[0].axis or abs(cut.start - seams[0].start) > self.least]
        if others and others[0].score >= SEAMS_FROM:
            return seams[0]
        return None

    @staticmethod
    def _stands_out(lines: _Lines, band: tuple[int, int], first: int, last: int) -> bool:
        """Whether a thin line is a gutter: most of it differs from both sides."""
        strips = lines.strips[band[0] : band[1]].astype(np.int16)
        thin = last - first <= _THIN
        away = 3 if thin else 8
        outside = ((first, max(first - away, 0)), (last - 1, min(last - 1 + away, strips.shape[1] - 1)))
        beside = [float(np.mean(np.abs(strips[:, one] - strips[:, two]).max(axis=1) > _STEP)) for one, two in outside]
        return min(beside) >= _BESIDE_THIN if thin else max(beside) >= _BESIDE_WIDE

    def is_photo(self, box: Box, page: FloatArray | None) -> bool:
        """Whether a piece has the texture of a photo, and fills its rectangle up to the corners."""
        sides = sorted((box.x_max - box.x_min, box.y_max - box.y_min))
        if sides[1] > _LONGEST * sides[0]:
            return False
        piece = self.image[box.y_min : box.y_max : 2, box.x_min : box.x_max : 2]
        grey = cv2.cvtColor(np.ascontiguousarray(piece), cv2.COLOR_RGB2GRAY)
        tones = cv2.calcHist([grey], [0], None, [22], [0, 264]).ravel() / grey.size
        if (tones[:-1] + tones[1:]).max() > _ONE_TONE or float(grey.std()) < _FLAT:
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
