"""Outlines of findings as paths of SVG, on a photo that is `SIDE` units long."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from dentify.assessment import Assessment, Box, Finding
from dentify.imaging.draw import CRUMB, ring_radius
from dentify.imaging.masks import rle_to_crop

SIDE = 1000
"""Units of the longer side of every photo."""

_SMOOTH = 2.5  # units: networks' masks are coarser than the photo, and their stairs say nothing of where damage ends
_OFF = 0.8  # units that a path may lie beside the outline


def size_in_units(assessment: Assessment) -> tuple[int, int]:
    """Width and height of a photo in units."""
    width, height = assessment.photo.width, assessment.photo.height
    scale = SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def finding_path(finding: Finding, assessment: Assessment) -> str:
    """What encloses a finding, to be filled by the rule `evenodd`: its mask, its box, or a ring around what is small.

    It holds letters, digits, points, spaces and minus signs only.
    """
    units = size_in_units(assessment)
    box = _in_units(finding.box, assessment, units)
    left, top, right, bottom = box
    radius = ring_radius(max(right - left, bottom - top), SIDE)
    if radius is not None:
        start, across = f"{(left + right) / 2 - radius:.0f} {(top + bottom) / 2:.0f}", f"{2 * radius:.0f}"
        return f"M{start}a{radius:.0f} {radius:.0f} 0 1 0 {across} 0a{radius:.0f} {radius:.0f} 0 1 0 -{across} 0z"
    outlines = list(_mask_outlines(finding, assessment, units)) if finding.mask is not None else []
    return _path(outlines) or f"M{left:.0f} {top:.0f}H{right:.0f}V{bottom:.0f}H{left:.0f}z"


def _in_units(box: Box, assessment: Assessment, units: tuple[int, int]) -> Box:
    scale_x, scale_y = units[0] / assessment.photo.width, units[1] / assessment.photo.height
    return box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y


def _mask_outlines(
    finding: Finding, assessment: Assessment, units: tuple[int, int]
) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int32]]]:
    """Smooth outlines `(n, 2)` of a mask and its holes, in units, crumbs left out."""
    assert finding.mask is not None
    left, top, right, bottom = _in_units(finding.box, assessment, units)
    margin = math.ceil(3 * _SMOOTH)
    x_min, y_min = math.floor(left) - margin, math.floor(top) - margin
    x_max, y_max = math.ceil(right) + margin, math.ceil(bottom) + margin
    per_x, per_y = assessment.photo.width / units[0], assessment.photo.height / units[1]
    in_photo = (x_min * per_x, y_min * per_y, x_max * per_x, y_max * per_y)
    crop = rle_to_crop(finding.mask, in_photo, (y_max - y_min, x_max - x_min)).astype(np.float32)
    smooth = cv2.GaussianBlur(crop, (0, 0), _SMOOTH) >= 0.5
    contours, _ = cv2.findContours(smooth.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x_min, y_min))
    areas = [cv2.contourArea(contour) for contour in contours]
    least = CRUMB * max(areas, default=0.0)
    for contour, area in zip(contours, areas, strict=True):
        if area > least:
            yield cv2.approxPolyDP(contour, _OFF, True)[:, 0].astype(np.int32)


def _path(outlines: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.int32]]]) -> str:
    """Closed lines, each from its first point by steps, which are shorter than places."""
    pieces = []
    for points in outlines:
        steps = np.diff(points, axis=0)
        way = " ".join(f"{x} {y}" for x, y in steps.tolist())
        pieces.append(f"M{points[0][0]} {points[0][1]}l{way}z")
    return "".join(pieces)
