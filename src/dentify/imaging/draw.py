"""An assessment drawn on its photo: masks, outlines, boxes, labels, and a caption below.

Everything has a dark rim or a filled ground, so that it reads on white cars and black ones alike. Sizes follow the picture's.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dentify.arrays import Photo
from dentify.assessment import Assessment, Box, Finding, FoundPart
from dentify.imaging.masks import rle_to_crop
from dentify.settings import Settings
from dentify.taxonomy import RGB, damage_colour, damage_word, part_colour, part_word

PixelBox = tuple[int, int, int, int]
"""Left, top, right, bottom, whole pixels of the drawing."""

_READABLE_SIDE = 1000  # smaller pictures are enlarged to this long side, but no more than twice
_CAPTIONED_SIDE = 200  # a drawing that may not be larger than this has no room for a caption
_TINT = 0.30
_CAPTION_GROUND: RGB = (28, 31, 36)
_CAPTION_TEXT: RGB = (245, 245, 245)
_CHECK_GROUND: RGB = (250, 204, 21)


def draw_assessment(image: Photo, assessment: Assessment, *, settings: Settings) -> Photo:
    """The photo with what was found on it, and a line below that says it in words.

    Args:
        image: `(h, w, 3)` uint8 RGB, the upright photo at any scale.
        assessment: of that photo; its coordinates are those of the full photo.
        settings: holds the largest side.

    Returns:
        `(h, w, 3)` uint8 RGB, caption included at most `settings.photo_long_side` on its longer side. Small photos are enlarged.
    """
    canvas = _canvas(image, assessment, settings.photo_long_side)
    height, width = canvas.shape[:2]
    scale = (width / assessment.photo.width, height / assessment.photo.height)
    line = _line_width(max(height, width))
    damaged = {part.name for finding in assessment.findings for part in finding.parts}  # the others only clutter the picture
    for part in (part for part in assessment.parts if part.name in damaged):
        _draw_region(canvas, part, scale, part_colour(part.name), line=max(1, line // 2), tint=0.0)
    for finding in sorted(assessment.findings, key=lambda finding: -finding.area_share):
        _draw_region(canvas, finding, scale, damage_colour(finding.type), line=line, tint=_TINT)
    for finding in assessment.findings:
        if finding.mask is not None:
            _draw_box(canvas, _pixel_box(finding.box, scale, canvas), damage_colour(finding.type), line=max(1, line // 2))

    caption = _caption_height(max(height, width), settings.photo_long_side)
    picture = Image.new("RGB", (width, height + caption), _CAPTION_GROUND)
    picture.paste(Image.fromarray(canvas), (0, 0))
    pen = ImageDraw.Draw(picture)
    font_size = _font_size(max(height, width))
    _draw_labels(pen, assessment.findings, scale, canvas, font_size)
    if caption:
        _draw_caption(pen, assessment, (0, height, width, height + caption), font_size)
    return np.array(picture)


def encode_jpeg(image: Photo, quality: int) -> bytes:
    """A `(h, w, 3)` uint8 RGB picture as a JPEG file, its colours not subsampled, for the sake of thin coloured lines."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _line_width(side: int) -> int:
    return max(2, round(side / 500))


def _font_size(side: int) -> int:
    return max(14, round(side / 56))


def _caption_height(side: int, long_side: int) -> int:
    return round(2.1 * _font_size(side)) if long_side >= _CAPTIONED_SIDE else 0


def _canvas(image: Photo, assessment: Assessment, long_side: int) -> Photo:
    """A copy of the photo in the drawing's size and the full photo's shape, with room left for the caption."""
    width, height = assessment.photo.width, assessment.photo.height
    have = max(image.shape[:2])
    side = min(long_side, max(have, min(_READABLE_SIDE, 2 * have)))
    while True:
        scale = side / max(width, height)
        size = (max(1, round(scale * width)), max(1, round(scale * height)))
        if size[1] + _caption_height(side, long_side) <= long_side:
            break
        side -= max(1, side // 100)
    shrinks = size[0] < image.shape[1]
    return np.array(cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8)


def _pixel_box(box: Box, scale: tuple[float, float], canvas: Photo) -> PixelBox:
    """A box in pixels of the drawing, at least one pixel large and inside."""
    height, width = canvas.shape[:2]
    left, top = int(np.floor(box[0] * scale[0])), int(np.floor(box[1] * scale[1]))
    right, bottom = int(np.ceil(box[2] * scale[0])), int(np.ceil(box[3] * scale[1]))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def _draw_region(
    canvas: Photo, found: Finding | FoundPart, scale: tuple[float, float], colour: RGB, *, line: int, tint: float
) -> None:
    """Tints a mask and draws its outlines, those of holes too; draws the box where there is no mask. Changes the canvas."""
    box = _pixel_box(found.box, scale, canvas)
    if found.mask is None:
        _draw_box(canvas, box, colour, line=line)
        return
    left, top, right, bottom = box
    in_photo = (left / scale[0], top / scale[1], right / scale[0], bottom / scale[1])
    mask = rle_to_crop(found.mask, in_photo, (bottom - top, right - left))
    inside = canvas[top:bottom, left:right]
    if tint:
        inside[mask] = np.rint((1 - tint) * inside[mask] + tint * np.array(colour)).astype(np.uint8)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    cv2.drawContours(canvas, contours, -1, _rim(colour), line + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, contours, -1, colour, line, cv2.LINE_AA)


def _draw_box(canvas: Photo, box: PixelBox, colour: RGB, *, line: int) -> None:
    left, top, right, bottom = box
    cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), _rim(colour), line + 2)
    cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), colour, line)


def _rim(colour: RGB) -> RGB:
    """A dark shade of a colour, which sets its lines off against anything light."""
    red, green, blue = colour
    return red // 3, green // 3, blue // 3


@dataclass(frozen=True)
class _Label:
    text: str
    colour: RGB
    box: PixelBox


def _draw_labels(
    pen: ImageDraw.ImageDraw, findings: Sequence[Finding], scale: tuple[float, float], canvas: Photo, font_size: int
) -> None:
    """One label a finding, the most confident first to choose its place."""
    font = ImageFont.load_default(font_size)
    boxes = [_pixel_box(finding.box, scale, canvas) for finding in findings]
    placed: list[_Label] = []
    for finding, box in sorted(zip(findings, boxes, strict=True), key=lambda pair: -pair[0].confidence):
        placed.append(_place_label(pen, font, finding, box, placed, boxes, canvas))
    for label in reversed(placed):
        left, top, right, bottom = label.box
        pen.rounded_rectangle(
            (left, top, right - 1, bottom - 1), font_size // 4, fill=label.colour, outline=_rim(label.colour), width=1
        )
        pen.text(((left + right) / 2, (top + bottom) / 2), label.text, _text_colour(label.colour), font, anchor="mm")


def _place_label(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    finding: Finding,
    box: PixelBox,
    placed: Sequence[_Label],
    boxes: Sequence[PixelBox],
    canvas: Photo,
) -> _Label:
    """The place near the finding's box that hides the least: other labels above all, then other findings, then its own."""
    short = f"{damage_word(finding.type)} {finding.confidence:.0%}".replace("%", " %")
    texts = [f"{short} · {part_word(finding.parts[0].name)}", short] if finding.parts else [short]
    best: tuple[float, _Label] | None = None
    for text in texts:
        _, text_top, _, text_bottom = pen.textbbox((0, 0), "Ag" + text, font)
        width = round(pen.textlength(text, font) + 0.8 * (text_bottom - text_top))
        height = round(1.45 * (text_bottom - text_top))
        for place in _places(box, width, height, canvas.shape[:2]):
            hidden = sum(_overlap(place, label.box) for label in placed) * 20.0
            hidden += sum(_overlap(place, other) for other in boxes if other != box)
            hidden += _overlap(place, box) * 0.5 + (0 if text == texts[0] else 0.5 * width * height)
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


def _text_colour(ground: RGB) -> RGB:
    """Black or white, whichever reads better. Source: relative luminance, WCAG 2.1."""
    linear = [(value / 255) ** 2.2 for value in ground]
    return (0, 0, 0) if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.18 else (255, 255, 255)


def _draw_caption(pen: ImageDraw.ImageDraw, assessment: Assessment, bar: PixelBox, font_size: int) -> None:
    left, top, right, bottom = bar
    middle, margin = (top + bottom) / 2, font_size * 0.6
    font = ImageFont.load_default(font_size)
    room = right - left - 2 * margin
    if assessment.review.needed:
        width = pen.textlength("please check", font)
        start = right - margin - width - margin
        pen.rounded_rectangle(
            (start, top + 0.18 * (bottom - top), right - margin / 2, bottom - 0.18 * (bottom - top)),
            font_size // 4,
            _CHECK_GROUND,
        )
        pen.text((start + (right - margin / 2 - start) / 2, middle), "please check", (0, 0, 0), font, anchor="mm")
        room -= width + 2 * margin
    for text in _captions(assessment):
        if pen.textlength(text, font) <= room:
            pen.text((left + margin, middle), text, _CAPTION_TEXT, font, anchor="lm")
            return


def _captions(assessment: Assessment) -> list[str]:
    """What the photo shows, from the longest wording to the shortest."""
    verdict = []
    types = assessment.types or ()
    shown = ", ".join(damage_word(one.type) for one in types)
    if assessment.vehicle is not None and not assessment.vehicle.present:
        verdict.append("no vehicle")
    elif not assessment.findings and not types:
        if assessment.damage is not None and assessment.damage.present:
            return ["perhaps damaged: no damage is marked", "perhaps damaged"]
        verdict.append("no damage found")
    if not assessment.findings and types:
        sure = ", ".join(f"{damage_word(one.type)} {one.confidence:.0%}".replace("%", " %") for one in types)
        return [" · ".join([*verdict, f"as a whole: {words}"]) for words in (f"{sure}, no place is marked", sure, shown)]
    if not assessment.findings:
        return [" · ".join(verdict), verdict[0]]
    number = len(assessment.findings)
    verdict.append(f"{number} finding{'s' if number > 1 else ''}")
    severity = [assessment.severity.level] if assessment.severity else []
    counts = Counter(finding.type for finding in assessment.findings).most_common()
    kinds = ", ".join(f"{count} {damage_word(name, count)}" for name, count in counts)
    whole = [*verdict[:-1], f"{verdict[-1]}: {kinds}", *severity]
    wordings = [whole, [*verdict, *severity], verdict, verdict[-1:]]
    if types:
        wordings.insert(0, [*whole, f"as a whole: {shown}"])
    return [" · ".join(words) for words in wordings]
