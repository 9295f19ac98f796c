"""Whether a picture is a photo that is good enough to trust: too dark, blown out, blurred, too small, blank, or several photos.

Everything is measured on a picture with a long side of 512 pixels, about what the networks see, so the answer depends
neither on the photo's size nor on the scale at which it was decoded. Blur is measured where the edges are strongest and per
direction, not as an average: a plain panel without texture is not blurred, and a photo shaken sideways is, though its
horizontal edges are sharp. A blank picture has no detail, be it a gradient; a sheet of several photos is cut apart in
`dentify.imaging.sheets`.

The thresholds come from `python benchmarks/quality.py`, real photos as they are and made worse on purpose; those of blank
pictures and sheets from `python benchmarks/sheets.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dentify.arrays import DoubleArray, FloatArray, Photo
from dentify.assessment import Quality, QualityIssue
from dentify.imaging.sheets import is_sheet

MEASURED_SIDE = 512

# Chosen by `python benchmarks/quality.py --photos 500` (seed 0), of five sources; told of photos as they are, and made worse:
TOO_DARK_BELOW = 110  # 0.0 %; 54 % of photos 2 stops under, 100 % of those 3 stops under
TOO_BRIGHT_ABOVE = 0.2  # 0.6 %, cars cut out on white; 27 % of photos 1 stop over, 75 % at 2, 95 % at 3
BLURRED_ABOVE = 1.5  # 0.8 %, close-ups of panels 1.6 %; Gaussian blur of sigma 1 5 %, 2 81 %, 3 94 %, with noise 93 %
TOO_SMALL_BELOW = 160  # 1.6 %, thumbnails; of the labelled scratches a quarter are thinner than 1.5 pixels at this size
# Blank pictures of `python benchmarks/sheets.py` have up to 3.5 and 12 (grain of 10 levels, the steepest round gradient):
BLANK_BELOW = 3.6  # of 10,282 photos of train none, the plainest has 4.1; of photos 2 and 3 stops under 0.2 %, 4 stops 0.8 %
BLANK_PEAK_BELOW = 14  # a photo in the dark with few lights has more

_BRIGHT_END = 0.9  # of the pixels are darker: headlights and the sky do not lighten a dark photo
_BLOWN = 250  # grey level from which nothing is told apart
_FINE, _COARSE = 0.8, 1.6  # sigmas of the two blurs that are compared, pixels
_SQUARE, _COARSEST = 8, 8  # pixels of a square, squares of the shorter side at least
_AROUND = 2.0  # squares
_DIRECTIONS = 4
_EDGE_SHARE = 0.005  # of all pixels, the strongest in each direction
_WEAKEST_EDGE = 5.0  # grey levels a pixel; reflections on a plain panel and noise stay below
_SHARPEST = 10  # percentile: an edge out of focus beside sharp ones is the background


@dataclass(frozen=True)
class QualityMeasures:
    """What the photo's pixels say.

    Attributes:
        bright_end: grey level (0 to 255) that a tenth of the pixels exceed.
        blown_share: of the pixels, and of those in the photo's middle, how many are blown out; the lower of the two, since a
            car cut out on white has a white margin and a white wall behind it.
        blur: sigma in pixels, at a long side of 512, of the blur on the sharpest edges, in the direction where that is
            worst; 0 where there are no edges to judge by.
        detail: grey levels by which 2 % of the places differ from what is around them, and the most by which one does; grain
            apart.
        several: whether these are several photos.
    """

    bright_end: int
    blown_share: float
    blur: float
    detail: tuple[float, float]
    several: bool


def judge_quality(image: Photo, photo_hw: tuple[int, int], *, damaged: bool = False) -> Quality:
    """Which of the known issues a photo has.

    Args:
        image: `(h, w, 3)` uint8 RGB, the photo at any scale with a long side of 512 or more, or at its own.
        photo_hw: pixels of the full photo.
        damaged: whether parts of its file are missing.
    """
    measures = measure_quality(image)
    issues: list[QualityIssue] = []
    if measures.bright_end < TOO_DARK_BELOW:
        issues.append("too_dark")
    if measures.blown_share > TOO_BRIGHT_ABOVE:
        issues.append("too_bright")
    if measures.blur > BLURRED_ABOVE:
        issues.append("blurred")
    if min(photo_hw) < TOO_SMALL_BELOW:
        issues.append("too_small")
    if measures.detail[0] < BLANK_BELOW and measures.detail[1] < BLANK_PEAK_BELOW:
        issues.append("not_a_photo")
    if measures.several:
        issues.append("several_photos")
    if damaged:
        issues.append("damaged_file")
    return Quality(usable=not issues, issues=tuple(issues))


def measure_quality(image: Photo) -> QualityMeasures:
    """Light, sharpness, detail and number of photos of a `(h, w, 3)` uint8 RGB picture."""
    small: NDArray[Any] = image
    scale = MEASURED_SIDE / max(image.shape)
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey: NDArray[Any] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    middle = grey[height // 4 : height - height // 4, width // 4 : width - width // 4]
    darker, darker_middle = (_share_up_to(part) for part in (grey, middle))
    return QualityMeasures(
        bright_end=int(np.searchsorted(darker, _BRIGHT_END)),
        blown_share=1 - float(max(darker[_BLOWN - 1], darker_middle[_BLOWN - 1])),
        blur=_edge_blur(grey.astype(np.float32)),
        detail=_detail(small),
        several=is_sheet(small),
    )


def _share_up_to(grey: NDArray[Any]) -> DoubleArray:
    """`(256,)`: share of the pixels that are as dark as each level or darker."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel()
    return np.cumsum(counts, dtype=np.float64) / grey.size


def _detail(image: NDArray[Any]) -> tuple[float, float]:
    """How much places differ from what is around them, in the colour where it is most: 98 % of them less, and the most.

    Means over squares of eight pixels leave little of grain and of JPEG's noise. A gradient is what is around it.
    """
    size = tuple(max(_COARSEST, side // _SQUARE) for side in image.shape[1::-1])
    squares = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    around = cv2.GaussianBlur(squares, (0, 0), _AROUND, borderType=cv2.BORDER_REFLECT)
    off = np.abs(squares - around).max(axis=2)[1:-1, 1:-1]  # a gradient bends at the border
    return float(np.percentile(off, 98)), float(off.max())


def _edge_blur(grey: FloatArray) -> float:
    """Sigma of the blur of the sharpest edges, in the worst direction.

    A step edge blurred by σ has, after a further blur by f, a gradient of c / √(σ² + f²). Two such blurs give two equations, and
    contrast c cancels out. Source: Zhuo & Sim, "Defocus map estimation from a single image" (2011), section 3.1, with a
    second blur in place of none against noise, and by direction for the sake of motion blur.
    """
    fine_x, fine_y, fine = _gradient(grey, _FINE)
    _, _, coarse = _gradient(grey, _COARSE)
    edges = np.flatnonzero(fine >= _WEAKEST_EDGE)
    if not len(edges):
        return 0.0
    fine_x, fine_y, fine, coarse = (np.take(values, edges) for values in (fine_x, fine_y, fine, coarse))
    angle = cv2.phase(fine_x, fine_y, angleInDegrees=True).ravel()
    direction = np.rint(angle * np.float32(_DIRECTIONS / 180)).astype(np.uint8) % _DIRECTIONS

    wanted = max(1, int(_EDGE_SHARE * grey.size))
    worst = 0.0
    for one in range(_DIRECTIONS):
        there = np.flatnonzero(direction == one)
        if len(there) < wanted / 3:
            continue  # too few edges to say anything of this direction
        if len(there) > wanted:
            there = there[np.argpartition(fine[there], -wanted)[-wanted:]]
        ratio = np.maximum(np.square(fine[there] / np.maximum(coarse[there], 1e-3)), 1.0001)
        blur = np.sqrt(np.maximum(_COARSE**2 - ratio * _FINE**2, 0) / (ratio - 1))
        worst = max(worst, float(np.percentile(blur, _SHARPEST)))
    return worst


def _gradient(grey: FloatArray, sigma: float) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Along x, along y and its magnitude, in grey levels a pixel, of the picture blurred by sigma."""
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma)
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    return x, y, cv2.magnitude(x, y)
