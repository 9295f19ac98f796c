"""An assessment drawn on its photo: masks, outlines and labels, and below them what to do and a legend.

A colour is a type of damage, and the line says how sure a finding is: heavy, plain or dashed. Every line has a dark casing and
every label a filled ground, so that they read on white cars and black ones alike. Sizes follow the picture's. Parts are drawn on
request only, in a colour that no damage has. Words are those of the answer's language.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dentify.arrays import BoolArray, DoubleArray, Photo
from dentify.assessment import Assessment, Box, Finding, FoundPart
from dentify.certainty import CERTAINTIES, Certainty, certainty_of
from dentify.imaging.masks import rle_to_crop
from dentify.imaging.polygons import ellipse_to_polygon
from dentify.languages import Words, as_sentence, in_language
from dentify.settings import Settings
from dentify.taxonomy import RGB, damage_colour

PixelBox = tuple[int, int, int, int]
"""Left, top, right, bottom, whole pixels of the drawing."""

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"

PART_COLOUR: RGB = (255, 255, 255)
CASING: RGB = (24, 24, 24)

_READABLE_SIDE = 1000  # smaller pictures are enlarged to this long side, but no more than twice
_CAPTIONED_SIDE = 200  # a drawing that may not be larger than this has no room for a caption
_CAPTION_GROUND: RGB = (28, 31, 36)
_CAPTION_TEXT: RGB = (245, 245, 245)
_CHECK_GROUND: RGB = (250, 204, 21)
_TINTS: dict[Certainty, float] = {"clear": 0.34, "probable": 0.26, "possible": 0.15}
_SMALL = 1 / 28  # of the longer side: what is smaller both ways gets a ring around it
CRUMB = 0.02
"""Of a finding's area: there is no outline around less, in drawings and on pages."""
_FEWEST_LETTERS = 12  # a bar that is narrower says nothing
_MOST_ROWS = 2  # of the verdict, and of the legend


def draw_assessment(image: Photo, assessment: Assessment, *, settings: Settings, parts: bool = False) -> Photo:
    """The photo with what was found on it, what to do in a line below, and a legend.

    Args:
        image: `(h, w, 3)` uint8 RGB, the upright photo at any scale.
        assessment: of that photo; its coordinates are those of the full photo.
        settings: holds the largest side.
        parts: outline the parts in view as well.

    Returns:
        `(h, w, 3)` uint8 RGB, at most `settings.photo_long_side` on its longer side, the lines below included. Small photos are
        enlarged.
    """
    words = in_language(assessment.settings.language)
    canvas, bar = _canvas(image, assessment, words, settings.photo_long_side, parts=parts)
    height, width = canvas.shape[:2]
    scale = (width / assessment.photo.width, height / assessment.photo.height)
    side = max(height, width)
    if parts:
        for part in assessment.parts:
            _draw_part(canvas, part, scale, _line_width(side))
    findings = sorted(assessment.findings, key=lambda finding: -finding.area_share)
    marks = {}
    for finding in findings:
        outlines = _outlines(finding, scale, canvas)
        _tint(canvas, outlines, damage_colour(finding.type), _TINTS[certainty_of(finding.confidence)])
        marks[finding.id] = _ring(finding, scale, canvas) or outlines
    for finding in findings:
        for outline in _worth_a_line(marks[finding.id]):
            _draw_line(canvas, outline, damage_colour(finding.type), _line_width(side), certainty_of(finding.confidence))

    picture = Image.new("RGB", (width, height + bar.height), _CAPTION_GROUND)
    picture.paste(Image.fromarray(canvas), (0, 0))
    pen = ImageDraw.Draw(picture)
    if parts:
        _label_parts(pen, assessment.parts, words, scale, canvas)
    _draw_labels(pen, assessment.findings, marks, words, scale, canvas)
    bar.draw(pen, height)
    return np.array(picture)


def encode_jpeg(image: Photo, quality: int) -> bytes:
    """A `(h, w, 3)` uint8 RGB picture as a JPEG file, its colours not subsampled, for the sake of thin coloured lines."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, cut down to the letters of Europe, Turkey and Vietnam; Pillow's own font has no umlauts."""
    return ImageFont.truetype(_FONT, size)


def _line_width(side: int) -> int:
    return max(2, round(side / 450))


def _font_size(side: int) -> int:
    return max(14, round(side / 56))


def _canvas(image: Photo, assessment: Assessment, words: Words, long_side: int, *, parts: bool) -> tuple[Photo, _Bar]:
    """A copy of the photo in the drawing's size and the full photo's shape, with room left for the bar below, and that bar."""
    width, height = assessment.photo.width, assessment.photo.height
    have = max(image.shape[:2])
    side = min(long_side, max(have, min(_READABLE_SIDE, 2 * have)))
    while True:
        scale = side / max(width, height)
        size = (max(1, round(scale * width)), max(1, round(scale * height)))
        bar = _bar(assessment, words, size[0], side, parts=parts) if long_side >= _CAPTIONED_SIDE else _Bar.empty()
        if size[1] + bar.height <= long_side:
            break
        side -= max(1, side // 100)
    shrinks = size[0] < image.shape[1]
    return np.array(cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8), bar


def _pixel_box(box: Box, scale: tuple[float, float], canvas: Photo) -> PixelBox:
    """A box in pixels of the drawing, at least one pixel large and inside."""
    height, width = canvas.shape[:2]
    left, top = int(np.floor(box[0] * scale[0])), int(np.floor(box[1] * scale[1]))
    right, bottom = int(np.ceil(box[2] * scale[0])), int(np.ceil(box[3] * scale[1]))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def _outlines(found: Finding | FoundPart, scale: tuple[float, float], canvas: Photo) -> list[DoubleArray]:
    """Smooth outlines `(n, 2)` of a mask and its holes, points a pixel apart; of the box where there is no mask.

    The networks' masks are coarser than the photo: their stairs say nothing of where damage ends.
    """
    left, top, right, bottom = _pixel_box(found.box, scale, canvas)
    if found.mask is None:
        corners = np.array([(left, top), (right - 1, top), (right - 1, bottom - 1), (left, bottom - 1)], np.float64)
        return [_evenly(corners)]
    in_photo = (left / scale[0], top / scale[1], right / scale[0], bottom / scale[1])
    mask: BoolArray = rle_to_crop(found.mask, in_photo, (bottom - top, right - left))
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    reach = max(canvas.shape[:2]) / 160
    return [_smooth(_evenly(contour[:, 0].astype(np.float64)), reach) for contour in contours]


def _ring(found: Finding, scale: tuple[float, float], canvas: Photo) -> list[DoubleArray]:
    """A circle around what would be too small to be seen; none around anything else."""
    side = max(canvas.shape[:2])
    left, top, right, bottom = _pixel_box(found.box, scale, canvas)
    radius = ring_radius(max(right - left, bottom - top), side)
    return [] if radius is None else [_evenly(ellipse_to_polygon(((left + right) / 2, (top + bottom) / 2), (radius, radius)))]


def ring_radius(extent: float, side: float) -> float | None:
    """The radius of the ring around what is too small to be seen, in drawings and on pages alike.

    Args:
        extent: longer side of its box.
        side: longer side of the picture, in the same unit.

    Returns:
        `None` for what is large enough to be seen.
    """
    return extent / 2 + side / 60 if extent < _SMALL * side else None


def _evenly(corners: DoubleArray) -> DoubleArray:
    """A closed line as points about a pixel apart."""
    closed = np.vstack([corners, corners[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0, along[-1], max(8, round(along[-1])), endpoint=False)
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _smooth(points: DoubleArray, reach: float) -> DoubleArray:
    """A closed line, each point the mean of those within reach along it, twice; short lines are smoothed less."""
    half = int(min(reach, len(points) / 16))
    for _ in range(2):
        around = np.vstack([points[len(points) - half :], points, points[:half]])
        sums = np.cumsum(np.vstack([np.zeros((1, 2)), around]), axis=0)
        points = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    return points


def _fixed(points: DoubleArray) -> DoubleArray:
    return np.rint(16 * points).astype(np.int32)  # sixteenths of a pixel, as OpenCV takes them


def _tint(canvas: Photo, outlines: Sequence[DoubleArray], colour: RGB, tint: float) -> None:
    """Tints what lies within outlines and not in their holes. Changes the canvas."""
    inside = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(inside, [_fixed(outline) for outline in outlines], 1, shift=4)  # what lies in two lies in none
    mask = inside.astype(bool)
    canvas[mask] = np.rint((1 - tint) * canvas[mask] + tint * np.array(colour)).astype(np.uint8)


def _worth_a_line(outlines: Sequence[DoubleArray]) -> Iterator[DoubleArray]:
    """Outlines without those of crumbs."""
    areas = [_area(outline) for outline in outlines]
    least = CRUMB * max(areas, default=0.0)
    return (outline for outline, area in zip(outlines, areas, strict=True) if area >= least)


def _area(outline: DoubleArray) -> float:
    return float(cv2.contourArea(outline.astype(np.float32)))


def _draw_line(canvas: Photo, points: DoubleArray, colour: RGB, line: int, certainty: Certainty) -> None:
    """A line in a dark casing: heavy where it is clear, plain where probable, dashed where possible. Changes the canvas."""
    width = 2 * line if certainty == "clear" else line
    cv2.polylines(canvas, [_fixed(points)], True, CASING, width + 2, cv2.LINE_AA, shift=4)
    pieces = _dashes(points, 5 * line) if certainty == "possible" else [points]
    cv2.polylines(canvas, [_fixed(piece) for piece in pieces], certainty != "possible", colour, width, cv2.LINE_AA, shift=4)


def _dashes(points: DoubleArray, dash: int) -> list[DoubleArray]:
    """Pieces of a line of points a pixel apart, with gaps of three fifths of their length."""
    step = dash + 3 * dash // 5
    return [points[start : start + dash] for start in range(0, len(points), step)]


def _draw_part(canvas: Photo, part: FoundPart, scale: tuple[float, float], line: int) -> None:
    """A thin line around a part, without its holes and crumbs. Changes the canvas."""
    outlines = _outlines(part, scale, canvas)
    largest = max(map(_area, outlines), default=0.0)
    for outline in outlines:
        if _area(outline) >= 0.1 * largest:
            smooth = _smooth(outline, 2 * max(canvas.shape[:2]) / 160)
            _draw_line(canvas, smooth, PART_COLOUR, max(1, line // 2), "probable")


def _label_parts(
    pen: ImageDraw.ImageDraw, parts: Sequence[FoundPart], words: Words, scale: tuple[float, float], canvas: Photo
) -> None:
    """A part's name in the middle of its outline, white on dark."""
    side = max(canvas.shape[:2])
    font = _font(max(11, round(0.75 * _font_size(side))))
    for part in parts:
        outlines = _outlines(part, scale, canvas)
        if outlines:
            x, y = max(outlines, key=_area).mean(axis=0).tolist()
            text = words.part(part.name)
            pen.text((x, y), text, PART_COLOUR, font, anchor="mm", stroke_width=max(2, side // 500), stroke_fill=CASING)


@dataclass(frozen=True)
class _Label:
    text: str
    colour: RGB
    box: PixelBox


def _draw_labels(
    pen: ImageDraw.ImageDraw,
    findings: Sequence[Finding],
    marks: dict[int, list[DoubleArray]],
    words: Words,
    scale: tuple[float, float],
    canvas: Photo,
) -> None:
    """One label a finding, the most confident first to choose its place, and a line to what it does not touch."""
    side = max(canvas.shape[:2])
    size, line = _font_size(side), _line_width(side)
    font = _font(size)
    points = [_points(finding, marks, scale, canvas) for finding in findings]
    boxes = [_around(those) for those in points]
    placed: list[tuple[_Label, DoubleArray]] = []
    for finding, box, outline in sorted(zip(findings, boxes, points, strict=True), key=lambda each: -each[0].confidence):
        label = _place_label(pen, font, finding, words, box, [one for one, _ in placed], boxes, canvas)
        placed.append((label, outline))
    for label, outline in reversed(placed):
        left, top, right, bottom = label.box
        near, far = _nearest(outline, label.box)
        if np.hypot(*(near - far)) > size:
            for colour, width in ((CASING, line + 2), (label.colour, line)):
                pen.line([tuple(near), tuple(far)], colour, width)
        pen.rounded_rectangle((left, top, right - 1, bottom - 1), size // 4, fill=label.colour, outline=CASING, width=1)
        pen.text(((left + right) / 2, (top + bottom) / 2), label.text, _text_colour(label.colour), font, anchor="mm")


def _points(finding: Finding, marks: dict[int, list[DoubleArray]], scale: tuple[float, float], canvas: Photo) -> DoubleArray:
    """Where a finding is drawn, `(n, 2)`; the middle of its box where its mask has no pixel."""
    left, top, right, bottom = _pixel_box(finding.box, scale, canvas)
    return np.vstack(marks[finding.id] or [np.array([((left + right) / 2, (top + bottom) / 2)])])


def _around(points: DoubleArray) -> PixelBox:
    left, top = np.floor(points.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    return left, top, right + 1, bottom + 1


def _nearest(points: DoubleArray, box: PixelBox) -> tuple[DoubleArray, DoubleArray]:
    """The point that lies nearest to a box, and the box's own that lies nearest to that."""
    inside = np.clip(points, (box[0], box[1]), (box[2] - 1, box[3] - 1))
    at = int(np.hypot(*(points - inside).T).argmin())
    return points[at], inside[at]


def _place_label(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    finding: Finding,
    words: Words,
    box: PixelBox,
    placed: Sequence[_Label],
    boxes: Sequence[PixelBox],
    canvas: Photo,
) -> _Label:
    """The place near the finding's box that hides the least: other labels above all, then other findings, then its own.

    Where many findings lie close together, a label is the finding's number alone.
    """
    whole = words.label(finding.id, finding.type, certainty_of(finding.confidence))
    best: tuple[float, _Label] | None = None
    for text in (whole, str(finding.id)):
        _, text_top, _, text_bottom = pen.textbbox((0, 0), "Ag" + text, font)
        width = round(pen.textlength(text, font) + 0.8 * (text_bottom - text_top))
        height = round(1.45 * (text_bottom - text_top))
        for place in _places(box, width, height, canvas.shape[:2]):
            hidden = sum(_overlap(place, label.box) for label in placed) * 20.0
            hidden += sum(_overlap(place, other) for other in boxes if other != box)
            hidden += _overlap(place, box) * 0.5 + (0 if text == whole else 25.0 * width * height)
            hidden += max(0, place[2] - canvas.shape[1]) * height * 20.0
            if best is None or hidden < best[0]:
                best = hidden, _Label(text, damage_colour(finding.type), place)
    assert best is not None
    return best[1]


def _places(box: PixelBox, width: int, height: int, canvas_hw: tuple[int, ...]) -> list[PixelBox]:
    """Where a label of some size may lie: above, below, beside and inside a box, kept in the picture."""
    left, top, right, bottom = box
    corners = [(left, top - height), (left, bottom), (right - width, top - height), (right - width, bottom)]
    corners += [(right, top), (left - width, top), (right, bottom - height), (left - width, bottom - height)]
    corners += [(left, top), (left, bottom - height), (right - width, top), (right - width, bottom - height)]
    corners += [(left, top - step * height) for step in (2, 3)] + [(left, bottom + step * height) for step in (1, 2)]
    inside = []
    for x, y in corners:
        x, y = max(0, min(x, canvas_hw[1] - width)), max(0, min(y, canvas_hw[0] - height))
        inside.append((x, y, x + width, y + height))
    return inside


def _overlap(a: PixelBox, b: PixelBox) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def luminance(colour: RGB) -> float:
    """Relative luminance, 0 for black and 1 for white. Source: WCAG 2.1, with its gamma of 2.2."""
    red, green, blue = (float(value / 255) ** 2.2 for value in colour)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _text_colour(ground: RGB) -> RGB:
    """Black or white, whichever reads better."""
    return (0, 0, 0) if luminance(ground) > 0.18 else (255, 255, 255)


@dataclass(frozen=True)
class _Entry:
    """One thing of the legend: a swatch of a type's colour, or a piece of a line."""

    text: str
    colour: RGB
    line: Certainty | None = None
    thin: bool = False


@dataclass(frozen=True)
class _Bar:
    """What stands below the photo: the verdict, in rows of text, and the legend, in rows of entries."""

    verdict: tuple[str, ...]
    legend: tuple[tuple[_Entry, ...], ...]
    check: bool
    font_size: int

    @classmethod
    def empty(cls) -> _Bar:
        return cls((), (), check=False, font_size=0)

    @property
    def row(self) -> int:
        return round(1.6 * self.font_size)

    @property
    def height(self) -> int:
        rows = len(self.verdict) + len(self.legend)
        return rows * self.row + round(0.5 * self.font_size) if rows else 0

    def draw(self, pen: ImageDraw.ImageDraw, top: int) -> None:
        """Draws it on a picture, from a line on."""
        if not self.height:
            return
        font, small = _font(self.font_size), _font(_smaller(self.font_size))
        left = round(0.6 * self.font_size)
        middle = top + round(0.25 * self.font_size) + self.row / 2
        start = left
        if self.check:
            start += _draw_check(pen, left, middle, self.font_size) + left
        for text in self.verdict:
            pen.text((start, middle), text, _CAPTION_TEXT, font, anchor="lm")
            middle += self.row
        for entries in self.legend:
            x = float(left)
            for entry in entries:
                _draw_entry(pen, entry, x, middle, self.font_size, small)
                x += _entry_width(pen, entry, self.font_size, small)
            middle += self.row


def _smaller(font_size: int) -> int:
    return max(11, round(0.85 * font_size))


def _draw_check(pen: ImageDraw.ImageDraw, left: int, middle: float, size: int) -> int:
    """A yellow sign where a person should look, and its width."""
    half = 0.62 * size
    pen.rounded_rectangle((left, middle - half, left + 2 * half, middle + half), size // 4, _CHECK_GROUND)
    pen.text((left + half, middle), "!", (0, 0, 0), _font(size), anchor="mm")
    return round(2 * half)


def _entry_width(pen: ImageDraw.ImageDraw, entry: _Entry, size: int, font: ImageFont.FreeTypeFont) -> float:
    return _sample_width(entry, size) + 0.4 * size + pen.textlength(entry.text, font) + 1.2 * size


def _sample_width(entry: _Entry, size: int) -> float:
    return 0.9 * size if entry.line is None else 2.4 * size


def _draw_entry(
    pen: ImageDraw.ImageDraw,
    entry: _Entry,
    x: float,
    middle: float,
    size: int,
    font: ImageFont.FreeTypeFont,
) -> None:
    width = _sample_width(entry, size)
    if entry.line is None:
        pen.rectangle((x, middle - width / 2, x + width, middle + width / 2), entry.colour)
    else:
        line = max(2, round(size / 8))
        line = max(1, line // 2) if entry.thin else 2 * line if entry.line == "clear" else line
        dash = width / 3.6
        starts = [x + step * 1.3 * dash for step in range(3)] if entry.line == "possible" else [x]
        for start in starts:
            pen.line((start, middle, start + (dash if entry.line == "possible" else width), middle), entry.colour, line)
    pen.text((x + width + 0.4 * size, middle), entry.text, _CAPTION_TEXT, font, anchor="lm")


def _bar(assessment: Assessment, words: Words, width: int, side: int, *, parts: bool) -> _Bar:
    """The bar below a photo of some width. What has no room is left out, the legend first."""
    size = _font_size(side)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    margin = round(0.6 * size)
    if width < _FEWEST_LETTERS * size:
        return _Bar.empty()
    check = assessment.review.needed
    room = width - 2 * margin - (2 * margin + size if check else 0)
    verdict = _wrapped(pen, _captions(assessment, words), room, _font(size))
    legend: list[list[_Entry]] = [[]]
    used = 0.0
    font = _font(_smaller(size))
    for entry in _legend(assessment, words, parts=parts):
        more = _entry_width(pen, entry, size, font)
        if legend[-1] and used + more > width - 2 * margin:
            legend.append([])
            used = 0.0
        legend[-1].append(entry)
        used += more
    rows = tuple(tuple(entries) for entries in legend[:_MOST_ROWS] if entries)
    return _Bar(verdict, rows, check=check, font_size=size)


def _captions(assessment: Assessment, words: Words) -> list[str]:
    """What to do about the photo, in the report's words, from the longest wording to the shortest."""
    lines = {line.kind: line.text for line in reversed(assessment.report_lines)}
    line = lines.get("verdict") or lines.get("quality") or ""  # answers of before have no lines
    if line:
        with_types = [f"{line} {lines['types']}"] if "types" in lines and not assessment.findings else []
        return [*with_types, line, line.partition(":")[0]]
    counts = Counter(finding.type for finding in assessment.findings).most_common()
    return [as_sentence(words.counted(counts))] if counts else []


def _wrapped(pen: ImageDraw.ImageDraw, texts: Sequence[str], room: float, font: ImageFont.FreeTypeFont) -> tuple[str, ...]:
    """The first text that fits into a few rows, as rows; the beginning of the last one where none does."""
    rows: list[str] = []
    for text in texts:
        rows = []
        for word in text.split():
            if rows and pen.textlength(f"{rows[-1]} {word}", font) <= room:
                rows[-1] += f" {word}"
            else:
                rows.append(word)
        if len(rows) <= _MOST_ROWS:
            return tuple(rows)
    return tuple(rows[:_MOST_ROWS])


def _legend(assessment: Assessment, words: Words, *, parts: bool) -> list[_Entry]:
    """Only what the picture shows: its types, how sure findings are, and parts."""
    types = dict.fromkeys(finding.type for finding in assessment.findings)
    entries = [_Entry(words.damage(name), damage_colour(name)) for name in types]
    bands = {certainty_of(finding.confidence) for finding in assessment.findings}
    entries += [_Entry(words.CERTAINTIES[band], _CAPTION_TEXT, band) for band in CERTAINTIES if band in bands]
    if parts and assessment.parts:
        entries.append(_Entry(words.PART, PART_COLOUR, "probable", thin=True))
    return entries
