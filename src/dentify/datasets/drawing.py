"""Labelled photos as pictures: small, with the outlines of their annotations."""

from __future__ import annotations

import cv2
import numpy as np

from dentify.arrays import Photo
from dentify.datasets.sample import Annotation, Sample, kind_of
from dentify.imaging.decode import decode_photo
from dentify.imaging.masks import rle_to_crop
from dentify.imaging.polygons import box_to_polygon, rle_to_polygons
from dentify.settings import Settings
from dentify.taxonomy import RGB, damage_colour, part_colour

_IGNORED_COLOUR: RGB = (150, 150, 150)
_FAR_AWAY = 2**18  # pixels from a drawing; OpenCV's fixed point numbers reach not much further


def draw_sample(sample: Sample, *, side: int = 420, settings: Settings | None = None) -> Photo:
    """A photo with the outlines of its annotations; grey is what is to be ignored.

    Args:
        sample: of a photo that can be read.
        side: pixels of the drawing's longer side.
        settings: the limits.

    Returns:
        `(h, w, 3)` uint8 RGB.

    Raises:
        DatasetError, ImageError: the picture cannot be read.
    """
    settings = settings or Settings()
    decoded = decode_photo(sample.read(settings), where=sample.name, settings=settings, enough_side=side)
    height, width = decoded.photo_hw
    scale = side / max(height, width)
    canvas_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.ascontiguousarray(cv2.resize(decoded.image, canvas_wh, interpolation=cv2.INTER_AREA), np.uint8)
    for annotation in sample.annotations:
        _draw_annotation(canvas, annotation, (height, width))
    return canvas


def _draw_annotation(canvas: Photo, annotation: Annotation, photo_hw: tuple[int, int]) -> None:
    colour = _IGNORED_COLOUR if annotation.ignored else name_colour(annotation.name)
    rims = list(annotation.polygons)
    if annotation.rle is not None and annotation.rle.size == photo_hw:
        outer, holes = rle_to_polygons(annotation.rle)
        rims = [*outer, *holes]
        inside = rle_to_crop(annotation.rle, (0, 0, photo_hw[1], photo_hw[0]), canvas.shape[:2])
        canvas[inside] = (0.7 * canvas[inside] + 0.3 * np.array(colour)).astype(np.uint8)
    stretch = np.array([canvas.shape[1] / photo_hw[1], canvas.shape[0] / photo_hw[0]])
    rims = rims or [box_to_polygon(annotation.box_xyxy)]
    points = [np.round(np.minimum(rim * stretch, _FAR_AWAY) * 8).astype(np.int32) for rim in rims]
    cv2.polylines(canvas, points, True, (0, 0, 0), 3, cv2.LINE_AA, 3)
    cv2.polylines(canvas, points, True, colour, 1, cv2.LINE_AA, 3)


def _colour(name: str) -> RGB:
    return part_colour(name) if kind_of(name) == "part" else damage_colour(name)


def name_colour(name: str) -> RGB:
    """The colour in which a damage type or a part is drawn."""
    return part_colour(name) if kind_of(name) == "part" else damage_colour(name)
